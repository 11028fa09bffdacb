"""OpenDocument files with a password: what the standard says they are made of comes out again."""

from __future__ import annotations

import base64
import hashlib
import io
import sys
import zipfile
import zlib

import pytest
from compounds import survives
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from quoth.errors import PASSWORD, Encrypted, ReadError
from quoth.ingest import read_data
from quoth.ingest.sealedodf import unsealed_zip

CONTENT = (
    b"<o:document-content xmlns:o='o' xmlns:t='t'><o:body><o:text>"
    + b"<t:p>The code is 4711.</t:p>" * 40
    + b"</o:text></o:body></o:document-content>"
)
SALT, VECTOR = bytes(range(16)), bytes(range(100, 116))
NAMES = "urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"
MIMETYPE = b"application/vnd.oasis.opendocument.text"


def shown(data: bytes) -> str:
    return base64.b64encode(data).decode()


def zipped(parts: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return stream.getvalue()


def packed(data: bytes) -> bytes:
    packing = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packing.compress(data) + packing.flush()


def manifest(name: str, how: str) -> bytes:
    return (
        f'<m:manifest xmlns:m="{NAMES}"><m:file-entry m:full-path="/"/>'
        f'<m:file-entry m:full-path="{name}" m:size="9">{how}</m:file-entry></m:manifest>'
    ).encode()


def locked(password: str, stated: int = 1000) -> bytes:
    """AES-256 in CBC as OpenDocument 1.2 describes it; `stated` are the rounds that the file says it takes."""
    key = hashlib.pbkdf2_hmac("sha1", hashlib.sha256(password.encode()).digest(), SALT, 1000, 32)
    plain = packed(CONTENT)
    padding = 16 - len(plain) % 16
    sealing = Cipher(algorithms.AES(key), modes.CBC(VECTOR)).encryptor()
    sealed = sealing.update(plain + bytes(padding - 1) + bytes([padding])) + sealing.finalize()
    how = (
        f'<m:encryption-data m:checksum-type="{NAMES}#sha256-1k" '
        f'm:checksum="{shown(hashlib.sha256(plain[:1024]).digest())}">'
        f'<m:algorithm m:algorithm-name="http://www.w3.org/2001/04/xmlenc#aes256-cbc" '
        f'm:initialisation-vector="{shown(VECTOR)}"/>'
        f'<m:start-key-generation m:start-key-generation-name="http://www.w3.org/2000/09/xmldsig#sha256"/>'
        f'<m:key-derivation m:key-derivation-name="PBKDF2" m:key-size="32" m:iteration-count="{stated}" '
        f'm:salt="{shown(SALT)}"/></m:encryption-data>'
    )
    parts = {"mimetype": MIMETYPE, "content.xml": sealed, "META-INF/manifest.xml": manifest("content.xml", how)}
    return zipped({**parts, "meta.xml": b"<meta/>"})


def sealed_whole(password: str, memory: int = 1024) -> bytes:
    """The package under AES-256 in GCM."""
    first = hashlib.sha256(password.encode()).digest()
    key = Argon2id(salt=SALT, length=32, iterations=3, lanes=4, memory_cost=1024).derive(first)
    sealed = VECTOR[:12] + AESGCM(key).encrypt(VECTOR[:12], packed(zipped({"content.xml": CONTENT})), None)
    how = (
        f'<m:encryption-data><m:algorithm m:algorithm-name="http://www.w3.org/2009/xmlenc11#aes256-gcm" '
        f'm:initialisation-vector="{shown(VECTOR[:12])}"/>'
        f'<m:start-key-generation m:start-key-generation-name="http://www.w3.org/2001/04/xmlenc#sha256"/>'
        f'<m:key-derivation xmlns:x="x" m:key-derivation-name="urn:x:argon2id" m:key-size="32" '
        f'x:argon2-iterations="3" x:argon2-memory="{memory}" x:argon2-lanes="4" m:salt="{shown(SALT)}"/>'
        f"</m:encryption-data>"
    )
    parts = {"mimetype": MIMETYPE, "encrypted-package": sealed}
    return zipped({**parts, "META-INF/manifest.xml": manifest("encrypted-package", how)})


def content(data: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return archive.read("content.xml")


@pytest.mark.parametrize("data", [locked("sésame"), sealed_whole("sésame")], ids=["parts", "whole"])
def test_a_file_opens_with_its_password_alone(data: bytes) -> None:
    assert content(unsealed_zip(data, "sésame")) == CONTENT
    with pytest.raises(Encrypted, match="the password does not open it"):
        unsealed_zip(data, "open")
    with pytest.raises(Encrypted, match="the file is encrypted with a password") as error:
        unsealed_zip(data, None)
    assert error.value.hint == PASSWORD


@pytest.mark.parametrize("data", [locked("sesame"), sealed_whole("sesame")], ids=["parts", "whole"])
def test_its_reader_opens_it(data: bytes) -> None:
    (document,) = read_data(data, "/x/letter.odt", "sesame")
    assert (document.kind, document.text) == ("odt", "The code is 4711.\n\n" * 39 + "The code is 4711.\n")
    with pytest.raises(Encrypted):
        read_data(data, "/x/letter.odt")


def test_parts_that_are_not_encrypted_stay() -> None:
    with zipfile.ZipFile(io.BytesIO(unsealed_zip(locked("x"), "x"))) as archive:
        assert archive.read("meta.xml") == b"<meta/>"


def test_a_file_without_encryption_stays_as_it_is() -> None:
    data = zipped({"content.xml": CONTENT, "META-INF/manifest.xml": manifest("content.xml", "")})
    assert unsealed_zip(data, "sesame") is data
    assert unsealed_zip(zipped({"content.xml": CONTENT}), None) == zipped({"content.xml": CONTENT})


def test_effort_is_bounded() -> None:
    for data in (locked("x", 2**40), sealed_whole("x", 2**30)):
        with pytest.raises(ReadError, match="more effort than any program does"):
            unsealed_zip(data, "x")


def test_without_the_extra_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography", None)
    with pytest.raises(Encrypted) as error:
        unsealed_zip(locked("x"), "x")
    assert error.value.hint == f"pip install 'quoth[office]', then {PASSWORD}"


def test_damage_gives_a_reason_or_what_is_left() -> None:
    for data in (locked("x"), sealed_whole("x")):
        survives(lambda changed: unsealed_zip(changed, "x"), data, 40)
