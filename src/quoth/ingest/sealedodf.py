"""OpenDocument files with a password, as a zip without one: `unsealed_zip`.

Covered, with the extra `office`: AES-256 in CBC with keys by PBKDF2 (OpenDocument 1.2 and 1.3), and the whole
package under AES-256 in GCM with keys by Argon2id (LibreOffice from 24.8 on). Not covered: Blowfish (OpenOffice
before 3.4), OpenPGP.
"""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
import zlib

from quoth.errors import PASSWORD, Encrypted, MissingPart, ReadError, need
from quoth.ingest.package import DAMAGED, MOST_PART, Element, Package, attribute, child

MANIFEST = "META-INF/manifest.xml"
WHOLE = "encrypted-package"
WANTED = ("content.xml", "styles.xml", "meta.xml")
MOST_ROUNDS = 10_000_000
MOST_MEMORY, MOST_PASSES, MOST_LANES = 2**18, 20, 16
"""KiB, passes and lanes that a file may ask of Argon2id."""
WRONG = "the file is encrypted, and the password does not open it"


def unsealed_zip(data: bytes, password: str | None) -> bytes:
    """The file without its encryption; the same bytes if it has none.

    Raises Encrypted when the password is missing or wrong, or the extra that decrypts is not installed.
    """
    package = Package(data)
    if MANIFEST not in package or b"encryption-data" not in package.read(MANIFEST):
        return data
    entries = package.xml(MANIFEST)
    locked = {attribute(one, "full-path"): one for one in entries if child(one, "encryption-data") is not None}
    if not locked:
        return data
    if not password:
        raise Encrypted("the file is encrypted with a password", PASSWORD)
    try:
        need("cryptography", "office")
    except MissingPart as missing:
        raise Encrypted("the file is encrypted with a password", f"{missing.hint}, then {PASSWORD}") from None
    if WHOLE in locked:
        return _opened(package, WHOLE, locked[WHOLE], password)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as plain:
        for name in WANTED:
            if name in locked:
                plain.writestr(name, _opened(package, name, locked[name], password))
            elif name in package:
                plain.writestr(name, package.read(name))
    return out.getvalue()


def _opened(package: Package, name: str, entry: Element, password: str) -> bytes:
    """One part decrypted and unpacked."""
    sealed = package.read(name)
    how = child(entry, "encryption-data")
    algorithm = attribute(child(how, "algorithm"), "algorithm-name").lower()
    try:
        key = _key(how, password)
        vector = base64.b64decode(attribute(child(how, "algorithm"), "initialisation-vector"))
        if algorithm.endswith("aes256-gcm"):
            packed = _gcm(key, vector, sealed)
        elif algorithm.endswith("aes256-cbc"):
            packed = _cbc(key, vector, sealed)
            said = base64.b64decode(attribute(how, "checksum"))
            kind = "sha256" if "sha256" in attribute(how, "checksum-type").lower() else "sha1"
            if said and hashlib.new(kind, packed[:1024]).digest() != said:
                raise Encrypted(WRONG)
        else:
            raise ReadError("the file is encrypted in a way that is not supported", "save it without a password")
    except (ValueError, OverflowError):
        raise ReadError("the file is damaged: its encryption makes no sense", DAMAGED) from None
    return packed if packed.startswith(b"PK") else _unpacked(packed, name)


def _unpacked(packed: bytes, name: str) -> bytes:
    try:
        unpacking = zlib.decompressobj(-15)
        plain = unpacking.decompress(packed, MOST_PART)
    except zlib.error:
        raise ReadError(f"the file is damaged: {name} does not unpack", DAMAGED) from None
    if unpacking.unconsumed_tail:
        raise ReadError(f"the file is too large: {name} unpacks to more than {MOST_PART >> 20} MiB")
    return plain


def _key(how: Element | None, password: str) -> bytes:
    """The key that a password gives with the salt and the effort that the file states."""
    derivation = child(how, "key-derivation")
    start = attribute(child(how, "start-key-generation"), "start-key-generation-name", "sha1").lower()
    first = hashlib.new("sha256" if "sha256" in start else "sha1", password.encode()).digest()
    salt, size = base64.b64decode(attribute(derivation, "salt")), int(attribute(derivation, "key-size", "32"))
    if "argon2id" in attribute(derivation, "key-derivation-name"):
        passes, memory, lanes = (_number(derivation, f"argon2-{one}") for one in ("iterations", "memory", "lanes"))
        if passes > MOST_PASSES or memory > MOST_MEMORY or lanes > MOST_LANES:
            raise ReadError("the file's password asks for more effort than any program does", DAMAGED)
        argon2 = need("cryptography.hazmat.primitives.kdf.argon2", "office")
        derived: bytes = argon2.Argon2id(
            salt=salt, length=size, iterations=passes, lanes=lanes, memory_cost=memory
        ).derive(first)
        return derived
    rounds = _number(derivation, "iteration-count")
    if not 0 < rounds <= MOST_ROUNDS:
        raise ReadError("the file's password asks for more effort than any program does", DAMAGED)
    return hashlib.pbkdf2_hmac("sha1", first, salt, rounds, size)


def _number(element: Element | None, name: str) -> int:
    return int(attribute(element, name, "0"))


def _cbc(key: bytes, vector: bytes, sealed: bytes) -> bytes:
    ciphers = need("cryptography.hazmat.primitives.ciphers", "office")
    opening = ciphers.Cipher(ciphers.algorithms.AES(key), ciphers.modes.CBC(vector)).decryptor()
    plain: bytes = opening.update(sealed) + opening.finalize()
    return plain[: len(plain) - plain[-1]] if plain and 1 <= plain[-1] <= 16 else plain


def _gcm(key: bytes, vector: bytes, sealed: bytes) -> bytes:
    aead = need("cryptography.hazmat.primitives.ciphers.aead", "office")
    wrong = need("cryptography.exceptions", "office").InvalidTag
    sealed = sealed.removeprefix(vector)  # stands before what it opens as well
    try:
        plain: bytes = aead.AESGCM(key).decrypt(vector, sealed, None)
    except wrong:
        raise Encrypted(WRONG) from None
    return plain
