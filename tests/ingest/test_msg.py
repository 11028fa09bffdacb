"""Outlook's messages: read as the same mail is, with attachments, messages within messages and packed bodies."""

from __future__ import annotations

import struct
from email.message import EmailMessage

import pytest
from compounds import make, survives

from quoth.errors import ReadError
from quoth.ingest import read_data
from quoth.ingest.mail import read_mail
from quoth.ingest.mailrtf import DICTIONARY, body_of
from quoth.ingest.msg import read_msg
from quoth.types import Document

SENT = 133_739_665_300_000_000
"""Mon, 21 Oct 2024 06:42:10 UTC in Windows' time."""
TEXT: dict[int, str | bytes] = {
    0x1A: "IPM.Note",
    0x37: "Schlüssel",
    0xC1A: "Ada",
    0x5D01: "ada@home.example",
    0x1000: "They are under the mat.\r\n",
}
SIMPLE = {0x39: SENT}


def person(number: int, kind: int, name: str, address: str) -> dict[str, bytes]:
    return make.message({0x3001: name, 0x39FE: address}, {0xC15: kind}, f"__recip_version1.0_#{number:08X}/")  # type: ignore[no-any-return]


def attached(number: int, name: str, content: bytes, inside: str = "") -> dict[str, bytes]:
    return make.message({0x3707: name, 0x3701: content}, {}, f"{inside}__attach_version1.0_#{number:08X}/")  # type: ignore[no-any-return]


def written(*more: dict[str, bytes], text: dict[int, str | bytes] = TEXT) -> bytes:
    streams = make.message(text, SIMPLE)
    for one in (person(0, 1, "Ben", "ben@home.example"), person(1, 2, "Cy, the third", "cy@home.example"), *more):
        streams |= one
    return make.compound(streams)  # type: ignore[no-any-return]


def read(data: bytes) -> tuple[Document, ...]:
    return read_msg(data, "/home/ada/letter.msg")


def test_it_looks_as_the_same_mail_does() -> None:
    mail = EmailMessage()
    mail["Subject"], mail["From"], mail["To"] = "Schlüssel", "Ada <ada@home.example>", "Ben <ben@home.example>"
    mail["Cc"], mail["Date"] = '"Cy, the third" <cy@home.example>', "Mon, 21 Oct 2024 06:42:10 +0000"
    mail.set_content("They are under the mat.\n")
    mail.add_attachment("The boiler keeps 1.5 bar.\n", filename="boiler.txt")
    data = written(attached(0, "boiler.txt", b"The boiler keeps 1.5 bar.\n"))
    assert read_msg(data, "/x/letter") == read_mail(mail.as_bytes(), "/x/letter")
    assert [one.path for one in read(data)] == ["/home/ada/letter.msg", "/home/ada/letter.msg#boiler.txt"]


def test_the_headers_it_came_with_are_preferred() -> None:
    (letter,) = read(written(text={**TEXT, 0x7D: "From: =?utf-8?q?Ad=C3=A1?= <a@b.example>\r\nX-Y: z\r\n"}))
    assert letter.text.startswith("Subject: Schlüssel\nFrom: Adá <a@b.example>\nTo: Ben <ben@home.example>\n")


def test_strings_in_a_code_page_are_read() -> None:
    streams = make.message({0x37: "x"}, {0x3FFD: 1251})
    streams.pop("__substg1.0_0037001F")
    streams["__substg1.0_0037001E"] = "Ключи".encode("cp1251")
    (letter,) = read(make.compound(streams))
    assert letter.title == "Ключи"


def test_html_stands_in_where_there_is_no_plain_text() -> None:
    html = "<p>They are in the <b>sh\u00e9d</b>.</p><p style='display:none'>secret</p>".encode("cp1252")
    streams = make.message({0x37: "Keys", 0x1013: html}, {0x3FDE: 1252})
    (letter,) = read(make.compound(streams))
    assert "They are in the shéd." in letter.text
    assert "secret" in letter.hidden and "secret" not in letter.text


def unpacked(body: bytes) -> bytes:
    return struct.pack("<II4sI", len(body) + 12, len(body), b"MELA", 0) + body


def packed(body: bytes) -> bytes:
    """LZFu that points back wherever it can."""
    window, out, at, group, flags = bytearray(DICTIONARY), bytearray(), 0, bytearray(), list[bool]()
    while at < len(body):
        length = next((n for n in range(17, 1, -1) if n <= len(body) - at and body[at : at + n] in window), 0)
        if length:
            place = window.rindex(body[at : at + length])
            group += struct.pack(">H", place << 4 | length - 2)
        else:
            group += body[at : at + 1]
        window += body[at : at + max(length, 1)]
        at += max(length, 1)
        flags.append(bool(length))
        if len(flags) == 8 or at >= len(body):
            out += bytes([sum(flag << bit for bit, flag in enumerate(flags))]) + group
            group, flags = bytearray(), []
    return struct.pack("<II4sI", len(out) + 12, len(body), b"LZFu", 0) + out


HTML = (
    b"{\\rtf1\\ansi\\ansicpg1252\\fromhtml1 \\deff0{\\fonttbl{\\f0\\fswiss Arial;}}\r\n"
    b"{\\*\\htmltag19 <html>}{\\*\\htmltag64 <p>}\\htmlrtf {\\htmlrtf0 The key is under the t\\'f6pfchen, "
    b"\\u8222\\'84left\\u8220\\'93.{\\*\\htmltag72 </p>}\\htmlrtf }\\htmlrtf0 {\\*\\mhtmltag <x>}"
    b"{\\*\\htmltag27 </html>}}"
)


def test_html_wrapped_in_rich_text_is_unwrapped() -> None:
    assert body_of(unpacked(HTML)) == ("<html><p>The key is under the töpfchen, „left“.</p></html>", "html")


def test_a_packed_body_unpacks_to_what_was_packed() -> None:
    assert len(packed(HTML)) < len(HTML)
    assert body_of(packed(HTML)) == body_of(unpacked(HTML))


def test_the_body_of_a_message_may_be_packed() -> None:
    (letter,) = read(make.compound(make.message({0x37: "Keys", 0x1009: packed(HTML)})))
    assert letter.text == "Subject: Keys\n\nThe key is under the töpfchen, „left“.\n"


def test_rich_text_gives_its_words() -> None:
    rtf = b"{\\rtf1\\ansi{\\fonttbl{\\f0 Arial;}}{\\*\\generator x;}\\f0 One\\par Two \\{2\\} \\endash  end}"
    assert body_of(unpacked(rtf)) == ("One\nTwo {2} – end", "plain")


def test_groups_may_not_nest_without_end() -> None:
    with pytest.raises(ReadError, match="nests too deeply"):
        body_of(unpacked(b"{\\rtf1" + b"{" * 20_000))


def test_an_object_of_another_program_is_a_note() -> None:
    place = "__attach_version1.0_#00000000/"
    streams = make.message({0x3001: "Drawing"}, {0x3705: 6}, place)
    streams[f"{place}__substg1.0_3701000D/CONTENTS"] = b"\0\1\2"
    (letter,) = read(written(streams))
    assert letter.notes == ("attachment Drawing: is a binary file, which Quoth does not read",)


def test_a_body_in_an_unknown_packing_is_told() -> None:
    with pytest.raises(ReadError, match="packed in an unknown way"):
        body_of(struct.pack("<II4sI", 20, 8, b"what", 0) + b"12345678")


def nested(depth: int) -> dict[str, bytes]:
    """The streams of a message that holds a message, and so on."""
    streams: dict[str, bytes] = {}
    folder = ""
    for level in range(depth + 1):
        streams |= make.message({0x37: f"Level {level}", 0x1000: f"Said at level {level}."}, SIMPLE, folder)
        folder += "__attach_version1.0_#00000000/"
        if level < depth:
            streams |= make.message({0x3001: "inner"}, {}, folder)
        folder += "__substg1.0_3701000D/"
    return streams


def test_messages_within_messages_are_read() -> None:
    outer, inner, innermost = read(make.compound(nested(2)))
    assert (outer.title, inner.title, innermost.title) == ("Level 0", "Level 1", "Level 2")
    assert innermost.path == "/home/ada/letter.msg#Level 1.eml#Level 2.eml"
    assert "Said at level 2." in innermost.text


def test_messages_may_not_lie_too_deep() -> None:
    found = read(make.compound(nested(8)))
    assert len(found) == 6
    assert "lies more than 5 messages deep" in found[-1].notes[0]


def test_a_message_attached_to_a_mail_counts_as_a_level() -> None:
    mail = EmailMessage()
    mail["Subject"] = "Forwarded"
    mail.add_attachment(make.compound(nested(1)), "application", "vnd.ms-outlook", filename="it.msg")
    assert [one.path for one in read_mail(mail.as_bytes(), "/x")] == ["/x", "/x#it.msg", "/x#it.msg#Level 1.eml"]


def test_an_encrypted_message_says_so() -> None:
    (letter,) = read(written(attached(0, "smime.p7m", b"\x30\x82\x01\x01")))
    assert letter.notes == ("the message, or a part of it, is encrypted",)


def test_a_picture_is_a_note() -> None:
    (letter,) = read(written(attached(0, "logo.png", b"\x89PNG\r\n\x1a\n\0\0")))
    assert letter.notes == ("attachment logo.png: it is a PNG image, and damaged",)


def test_its_kind_is_found_by_its_streams() -> None:
    assert read_data(written(), "/home/ada/saved")[0].kind == "mail"


def test_damage_gives_a_reason_or_what_is_left() -> None:
    data = written(
        attached(0, "boiler.txt", b"The boiler keeps 1.5 bar.\n"), text={**TEXT, 0x1000: "", 0x1009: packed(HTML)}
    )
    assert survives(read, data) > 0
    assert survives(read, make.compound(nested(3)), 30) > 0
    assert survives(body_of, packed(HTML)) > 0
