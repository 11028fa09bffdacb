"""The body of a message that Outlook keeps as packed rich text ([MS-OXRTFCP], [MS-OXRTFEX]): `body_of`.

Covered: LZFu and unpacked bodies, HTML and plain text wrapped in rich text, and rich text itself, of which
the words are kept. Not covered: pictures and the look of rich text.
"""

from __future__ import annotations

import re
import struct

from quoth.errors import ReadError
from quoth.ingest.compound import codec

DEEPEST = 10_000
MOST = 64 * 2**20
"""Bytes of a body, unpacked."""
DICTIONARY = (
    b"{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern \\fscript "
    b"\\fdecor MS Sans SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0\\blue0\r\n\\par "
    b"\\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx"
)
"""What the packer takes as said before the text begins."""
TOKEN = re.compile(rb"\\([a-z]{1,32})(-?\d{1,10})? ?|\\'([0-9a-f]{2})|\\(.)|([{}])|[\r\n]+|([^\\{}\r\n]+)", re.I | re.S)
SIGNS = {
    "par": "\n", "line": "\n", "tab": "\t", "lquote": "‘", "rquote": "’", "ldblquote": "“", "rdblquote": "”",
    "bullet": "•", "endash": "–", "emdash": "—", "cell": "\t", "row": "\n", "emspace": " ", "enspace": " ",
}  # fmt: skip
SILENT = {"fonttbl", "colortbl", "stylesheet", "info", "pict", "object", "header", "footer", "fldinst", "listtable"}
"""Groups whose text is not the body's."""


class _Group:
    """What holds inside a pair of braces."""

    __slots__ = ("muted", "silent", "skip", "tag")

    def __init__(self, silent: bool = False, muted: bool = False, tag: bool = False, skip: int = 1) -> None:
        self.silent, self.muted, self.tag, self.skip = silent, muted, tag, skip


def body_of(packed: bytes) -> tuple[str, str]:
    """The body's words and whether they are "html" or "plain". Raises ReadError for what does not unpack."""
    return _words(_unpacked(packed))


def _unpacked(packed: bytes) -> bytes:
    if len(packed) < 16:
        raise ReadError("the message's body is damaged")
    size, kind = struct.unpack_from("<I4s", packed, 4)
    if kind == b"MELA":
        return packed[16 : 16 + min(size, MOST)]
    if kind != b"LZFu":
        raise ReadError("the message's body is packed in an unknown way")
    window, at = bytearray(DICTIONARY.ljust(4096, b"\0")), len(DICTIONARY)
    out, place, size = bytearray(), 16, min(size, MOST)
    while place < len(packed) and len(out) < size:
        flags = packed[place]
        place += 1
        for bit in range(8):
            if place + (flags >> bit & 1) >= len(packed):
                return bytes(out)
            if not flags >> bit & 1:
                run = packed[place : place + 1]
                place += 1
                window[at] = run[0]
                at = (at + 1) % 4096
                out += run
                continue
            pair = packed[place] << 8 | packed[place + 1]
            place += 2
            offset, length = pair >> 4, (pair & 15) + 2
            if offset == at:
                return bytes(out)
            for step in range(length):
                one = window[(offset + step) % 4096]
                out.append(one)
                window[at] = one
                at = (at + 1) % 4096
    return bytes(out)


def _words(rtf: bytes) -> tuple[str, str]:
    html = re.search(rb"\\fromhtml1?\b", rtf[:1024]) is not None
    page = re.search(rb"\\ansicpg(\d+)", rtf[:1024])
    encoding = codec(int(page[1]) if page else 1252)
    out: list[str] = []
    raw = bytearray()
    groups, group, left = list[_Group](), _Group(), 0

    def flush() -> None:
        out.append(raw.decode(encoding, "replace"))
        raw.clear()

    for match in TOKEN.finditer(rtf):
        word, number, code, sign, brace, plain = match.groups()
        shown = not group.silent and not group.muted
        if brace == b"{":
            groups.append(group)
            if len(groups) > DEEPEST:
                raise ReadError("the message's body nests too deeply")
            group = _Group(group.silent, group.muted, group.tag, group.skip)
        elif brace:
            group = groups.pop() if groups else _Group()
        elif word:
            name = word.decode("ascii").lower()
            if name == "u" and number and shown:
                flush()
                out.append(chr(int(number) % 65536))
                left = group.skip
            elif name in SIGNS and shown and not (html and group.tag):
                flush()
                out.append(SIGNS[name])
            else:
                _switch(group, name, number)
        elif sign == b"*":
            group.silent = True
        elif shown:
            said = bytes.fromhex(code.decode("ascii")) if code else plain or {b"~": b"\xa0", b"_": b"-"}.get(sign, b"")
            said = sign if sign in (b"\\", b"{", b"}") else said
            raw += said[left:]
            left = max(0, left - len(said))
    flush()
    text = "".join(out).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text, "html" if html else "plain"


def _switch(group: _Group, name: str, number: bytes | None) -> None:
    """What a control word changes for the rest of its group."""
    if name == "htmltag":
        group.silent, group.tag = False, True
    elif name == "htmlrtf":
        group.muted = number != b"0"
    elif name in SILENT:
        group.silent = True
    elif name == "uc" and number:
        group.skip = max(0, min(int(number), 8))
