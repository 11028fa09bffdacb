"""Office files with a password: opened with it, asked for without, and told when it is wrong."""

from __future__ import annotations

import hashlib
import io
import os
import struct
import sys

import docx
import msoffcrypto.exceptions
import pytest
import xlwt
from compounds import make, survives
from msoffcrypto.format.ooxml import OOXMLFile

from quoth.errors import PASSWORD, Encrypted, ReadError
from quoth.ingest import read_data
from quoth.ingest.compound import Compound
from quoth.ingest.sealed import KNOWN, unsealed


@pytest.fixture(scope="module")
def letter() -> bytes:
    stream = io.BytesIO()
    written = docx.Document()
    written.add_paragraph("The code is 4711.")
    written.save(stream)
    return stream.getvalue()


def agile(data: bytes, password: str) -> bytes:
    stream = io.BytesIO()
    OOXMLFile(io.BytesIO(data)).encrypt(password, stream)
    return stream.getvalue()


@pytest.fixture(scope="module")
def locked(letter: bytes) -> bytes:
    return agile(letter, "sesame")


def test_a_current_file_opens_with_its_password(locked: bytes) -> None:
    (document,) = read_data(locked, "/x/letter.docx", "sesame")
    assert (document.kind, document.text) == ("docx", "The code is 4711.\n")


def test_what_comes_out_is_what_went_in(letter: bytes, locked: bytes) -> None:
    assert unsealed(locked, "sesame") == letter


def test_without_a_password_it_is_asked_for(locked: bytes) -> None:
    with pytest.raises(Encrypted, match="the file is encrypted with a password") as error:
        read_data(locked, "/x/letter.docx")
    assert error.value.hint == PASSWORD


def test_a_wrong_password_is_told(locked: bytes) -> None:
    with pytest.raises(Encrypted, match="the password does not open it"):
        read_data(locked, "/x/letter.docx", "open")


def test_without_the_extra_it_is_named(locked: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "msoffcrypto", None)
    with pytest.raises(Encrypted, match="the file is encrypted with a password") as error:
        read_data(locked, "/x/letter.docx", "sesame")
    assert error.value.hint == f"pip install 'quoth[office]', then {PASSWORD}"


def test_a_file_that_everybody_may_open_needs_no_password(letter: bytes) -> None:
    (document,) = read_data(agile(letter, KNOWN[0]), "/x/letter.docx")
    assert document.text == "The code is 4711.\n"


def test_rights_management_is_told() -> None:
    data = make.compound({"EncryptedPackage": b"x", "\x06DataSpaces/TransformInfo/DRMTransform/\x06Primary": b"x"})
    with pytest.raises(ReadError, match="protected by rights management"):
        read_data(data, "/x/letter.docx")


# the old formats: RC4 as Office 97 to 2003 use it


def rc4(key: bytes, length: int) -> bytes:
    """The stream of bytes that data is mixed with."""
    state, j, out = list(range(256)), 0, bytearray()
    for i in range(256):
        j = (j + state[i] + key[i % len(key)]) % 256
        state[i], state[j] = state[j], state[i]
    i = j = 0
    for _ in range(length):
        i = (i + 1) % 256
        j = (j + state[i]) % 256
        state[i], state[j] = state[j], state[i]
        out.append(state[(state[i] + state[j]) % 256])
    return bytes(out)


def mixed(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=False))


SALT = bytes(range(16))


def keys(password: str, size: int, length: int) -> bytes:
    """The bytes that a stream is mixed with, a new key for every block of `size`."""
    first = hashlib.md5(password.encode("utf-16-le")).digest()[:5]
    middle = hashlib.md5((first + SALT) * 16).digest()[:5]
    blocks = range(-(-length // size))
    return b"".join(rc4(hashlib.md5(middle + struct.pack("<I", block)).digest(), size) for block in blocks)


def header(password: str) -> bytes:
    verifier = b"0123456789abcdef"
    return struct.pack("<HH", 1, 1) + SALT + mixed(verifier + hashlib.md5(verifier).digest(), keys(password, 512, 32))


def locked_xls(password: str) -> bytes:
    written, stream = xlwt.Workbook(), io.BytesIO()
    sheet = written.add_sheet("Codes")
    for row in range(200):
        sheet.write(row, 0, f"The code of room {row} is {4000 + row}.")
    written.save(stream)
    plain = Compound(stream.getvalue()).read("workbook").rstrip(b"\0") + b"\0\0\0"  # ends with the record 0A 00 00 00
    lock = struct.pack("<HHH", 0x2F, 54, 1) + header(password)
    begin = 4 + struct.unpack_from("<H", plain, 2)[0]
    stretched = plain[:begin] + lock + plain[begin:]
    out, stream_keys, at = bytearray(stretched), keys(password, 1024, len(stretched)), 0
    while at + 4 <= len(stretched):
        kind, length = struct.unpack_from("<HH", stretched, at)
        open_bytes = length if kind in (0x809, 0x2F, 0xE1) else 4 if kind == 0x85 else 0
        if kind == 0x85:
            struct.pack_into("<I", out, at + 4, struct.unpack_from("<I", stretched, at + 4)[0] + len(lock))
        first, last = at + 4 + open_bytes, at + 4 + length
        out[first:last] = mixed(stretched[first:last], stream_keys[first:last])
        at += 4 + length
    return make.compound({"Workbook": bytes(out)})  # type: ignore[no-any-return]


def locked_doc(password: str) -> bytes:
    streams = make.word([make.Paragraph([make.Run("The code is 4711.")])] * 40, lead=header(password))
    main, table = streams["WordDocument"], streams["1Table"]
    main = main[:68] + mixed(main[68:], keys(password, 512, len(main))[68:])
    main = main[:10] + struct.pack("<H", 0x1300) + main[12:14] + struct.pack("<I", 52) + main[18:]
    table = table[:52] + mixed(table[52:], keys(password, 512, len(table))[52:])
    return make.compound({"WordDocument": main, "1Table": table.ljust(4096, b"\0")})  # type: ignore[no-any-return]


def test_an_old_excel_file_opens_with_its_password() -> None:
    (document,) = read_data(locked_xls("sesame"), "/x/codes.xls", "sesame")
    assert "The code of room 199 is 4199." in document.text
    assert document.kind == "xls"


def test_an_old_word_file_opens_with_its_password() -> None:
    (document,) = read_data(locked_doc("sesame"), "/x/codes.doc", "sesame")
    assert document.text == "The code is 4711.\n\n" * 39 + "The code is 4711.\n"


@pytest.mark.parametrize("data", [locked_xls("sesame"), locked_doc("sesame")], ids=["xls", "doc"])
def test_an_old_file_asks_for_its_password_and_tells_a_wrong_one(data: bytes) -> None:
    with pytest.raises(Encrypted, match="the file is encrypted with a password"):
        read_data(data, "/x/codes")
    with pytest.raises(Encrypted, match="the password does not open it"):
        read_data(data, "/x/codes", "open")


def test_an_old_presentation_with_a_password_asks_for_it() -> None:
    streams = make.slides([make.Slide(make.drawing(make.shape("Words")))])
    user = bytearray(streams["Current User"])
    struct.pack_into("<I", user, 12, 0xF3D1C4DF)
    with pytest.raises(ReadError, match="encryption makes no sense"):
        read_data(make.compound({**streams, "Current User": bytes(user)}), "/x/show.ppt", "sesame")


def test_damage_gives_a_reason_or_what_is_left(locked: bytes) -> None:
    for data in (locked_xls("sesame"), locked_doc("sesame")):
        survives(lambda changed: read_data(changed, "/x/codes.xls", "sesame"), data, 15)
    survives(lambda changed: read_data(changed, "/x/letter.docx"), locked[:4096] + os.urandom(64), 15)


def test_the_library_that_decrypts_names_its_errors() -> None:
    assert issubclass(msoffcrypto.exceptions.InvalidKeyError, msoffcrypto.exceptions.DecryptionError)
