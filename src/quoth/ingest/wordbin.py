"""The inside of a Word file from before 2007 ([MS-DOC]): its characters by position, and how they look.

`Word.text` holds one character for each of the file's positions (so the halves of a pair of surrogates are
two), main text, footnotes, headers, comments, endnotes and text boxes one after the other.
"""

from __future__ import annotations

import re
import struct
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from quoth.errors import ReadError
from quoth.ingest.compound import HINT, Compound, codec

WINDOWS = {code: bytes([code]).decode("cp1252", "replace") for code in range(0x80, 0xA0)}
WINDOWS = {code: sign for code, sign in WINDOWS.items() if sign != "\ufffd"}
LANGUAGES = {
    0x0419: 1251, 0x0422: 1251, 0x0402: 1251, 0x0415: 1250, 0x0405: 1250, 0x040E: 1250, 0x0418: 1250, 0x041A: 1250,
    0x0424: 1250, 0x041B: 1250, 0x0408: 1253, 0x041F: 1254, 0x040D: 1255, 0x0401: 1256,
}  # fmt: skip
"""Language of a file from before Word 97 → the code page of its characters."""
SHOWN, HIDDEN, GONE = range(3)
VANISH, DELETED = 0x083C, 0x0800
IN_TABLE, ROW_END, LEVEL, LIST, STYLE, DEPTH, COLUMNS, HUGE = (
    0x2416, 0x2417, 0x2640, 0x460B, 0x4600, 0x6649, 0xD608, 0x6646,
)  # fmt: skip
SIZES = (1, 1, 2, 4, 2, 2, 0, 3)
"""Bytes after an operation, by its upper three bits; 0 for those that state it themselves."""
STSH, FOOT_REFERENCES, FOOT_TEXTS, CHARACTERS, PARAGRAPHS, CLX, END_REFERENCES, END_TEXTS = 1, 2, 3, 12, 13, 33, 46, 47
"""Numbers of the tables that the file's head points to."""
TITLE = 62
"""The number of the style that every Word calls Title, in whatever language."""
FIELD = re.compile("[\x13-\x15]")
MOST_CELLS = 64


class Piece(NamedTuple):
    """Positions start … end stand at `place` in the file, each in `width` bytes."""

    start: int
    end: int
    place: int
    width: int


@dataclass(frozen=True, slots=True)
class Look:
    """How a paragraph looks; `level` is that of a heading, `edges` are where a table row's columns begin."""

    level: int = 0
    title: bool = False
    hidden: bool = False
    listed: bool = False
    in_table: bool = False
    row_end: bool = False
    nested: bool = False
    edges: tuple[int, ...] = ()


class Word:
    """An open Word file. Raises ReadError for one that is damaged; `encrypted` ones need decrypting first."""

    def __init__(self, file: Compound) -> None:
        self._main = file.read("worddocument")
        if len(self._main) < 0x60:
            raise ReadError("the file is damaged: its text is missing", HINT)
        identity, version = struct.unpack_from("<HH", self._main)
        flags = struct.unpack_from("<H", self._main, 10)[0]
        self.encrypted = bool(flags & 0x100)
        self.old = version < 0xA0
        if self.encrypted:
            return
        if identity not in (0xA5EC, 0xA5DC, 0xA5DB, 0xA697, 0xA699) or version < 0x65:
            raise ReadError("the file is from before Word 6, which Quoth does not read", "save it as .docx")
        self._table = self._main if self.old else file.find("1table" if flags & 0x200 else "0table")
        self._data = file.find("data")
        try:
            self._read(bool(flags & 4))
        except (struct.error, IndexError):
            raise ReadError("the file is damaged: what says where its text stands makes no sense", HINT) from None

    def _read(self, complex_: bool) -> None:
        if self.old:
            self._tables: dict[int, bytes] = {}
            lengths = struct.unpack_from("<8I", self._main, 0x34)
            first = struct.unpack_from("<I", self._main, 0x18)[0]
            place, size = struct.unpack_from("<II", self._main, 0x160) if complex_ else (0, 0)
            clx = self._main[place : place + size]
            pieces = list(self._pieces(clx)) if clx else [Piece(0, sum(lengths), first, 1)]
        else:
            words = struct.unpack_from("<H", self._main, 32)[0]
            longs = struct.unpack_from("<H", self._main, 34 + 2 * words)[0]
            lengths = struct.unpack_from("<8I", self._main, 36 + 2 * words + 12)
            self._tables = dict(self._pointed(36 + 2 * words + 4 * longs))
            pieces = list(self._pieces(self._tables.get(CLX, b"")))
        if not pieces:
            raise ReadError("the file is damaged: nothing says where its text stands", HINT)
        self._cut(pieces)
        self.starts = [0]
        for length in lengths:
            self.starts.append(min(self.starts[-1] + length, len(self.text)))
        self._styles = list(self._style_sheet())
        self._paragraphs = sorted(self._runs(PARAGRAPHS, 13))
        self._paragraph_starts = [start for start, _, _ in self._paragraphs]
        self._known: dict[bytes, Look] = {}

    def _pointed(self, at: int) -> Iterator[tuple[int, bytes]]:
        """(number, bytes) of the tables that the head points to."""
        count = min(struct.unpack_from("<H", self._main, at)[0], (len(self._main) - at - 2) // 8)
        for number in range(count):
            place, size = struct.unpack_from("<II", self._main, at + 2 + 8 * number)
            if number in (STSH, FOOT_REFERENCES, FOOT_TEXTS, CHARACTERS, PARAGRAPHS, CLX, END_REFERENCES, END_TEXTS):
                yield number, self._table[place : place + size]

    def _pieces(self, clx: bytes) -> Iterator[Piece]:
        at = 0
        while at + 3 <= len(clx) and clx[at] == 1:
            at += 3 + struct.unpack_from("<H", clx, at + 1)[0]
        if at + 5 > len(clx) or clx[at] != 2:
            return
        count = (min(struct.unpack_from("<I", clx, at + 1)[0], len(clx) - at - 5) - 4) // 12
        if count < 1:
            return
        positions = struct.unpack_from(f"<{count + 1}I", clx, at + 5)
        for number in range(count):
            place = struct.unpack_from("<I", clx, at + 5 + 4 * (count + 1) + 8 * number + 2)[0]
            narrow = self.old or bool(place & 0x40000000)
            place = place & 0x3FFFFFFF
            place = place // 2 if narrow and not self.old else place
            yield Piece(positions[number], positions[number + 1], place, 1 if narrow else 2)

    def _cut(self, pieces: list[Piece]) -> None:
        """The characters of all pieces; a piece that the file is too short for ends the text."""
        self.pieces, parts, length = list[Piece](), list[str](), 0
        page = codec(LANGUAGES.get(struct.unpack_from("<H", self._main, 6)[0], 1252)) if self.old else ""
        for piece in pieces:
            if piece.start != length or piece.end < piece.start or piece.end > len(self._main):
                break
            raw = self._main[piece.place : piece.place + (piece.end - piece.start) * piece.width]
            part = _wide(raw) if piece.width == 2 else raw.decode(page, "replace") if page else _narrow(raw)
            parts.append(part)
            self.pieces.append(piece._replace(end=length + len(part)))
            length += len(part)
            if length < piece.end:
                break
        self.text = "".join(parts)
        self._piece_starts = [piece.start for piece in self.pieces]

    def mask(self) -> bytearray:
        """For every position SHOWN, HIDDEN, or GONE (deleted, or the code of a field)."""
        mask = bytearray(len(self.text))
        for first, last, raw in self._runs(CHARACTERS, 1):
            look = SHOWN
            for operation, value in _operations(raw, 0):
                if operation == DELETED and value[0] in (1, 0x81):
                    look = GONE
                elif operation == VANISH and value[0] in (1, 0x81) and look == SHOWN:
                    look = HIDDEN
            if look != SHOWN:
                for start, end in self._positions(first, last):
                    mask[start:end] = bytes([look]) * (end - start)
        for start, end in self._codes():
            mask[start:end] = bytes([GONE]) * (end - start)
        return mask

    def _positions(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """The positions whose characters stand between two places of the file."""
        for piece in self.pieces:
            low, high = max(first, piece.place), min(last, piece.place + (piece.end - piece.start) * piece.width)
            if low < high:
                yield (
                    piece.start + (low - piece.place) // piece.width,
                    piece.start + (high - piece.place + piece.width - 1) // piece.width,
                )

    def _codes(self) -> Iterator[tuple[int, int]]:
        """Where fields keep what they compute: from their beginning to their result, or their end without one."""
        for low, high in zip(self.starts, [*self.starts[1:], len(self.text)], strict=True):
            opened: list[tuple[int, int]] = []
            for match in FIELD.finditer(self.text, low, high):
                sign, at = match[0], match.start()
                if sign == "\x13":
                    opened.append((at, 0))
                elif sign == "\x14" and opened:
                    opened[-1] = (opened[-1][0], at)
                elif sign == "\x15" and opened:
                    begun, divided = opened.pop()
                    yield begun, (divided or at) + 1

    def look(self, position: int) -> Look:
        """How the paragraph looks whose mark stands here."""
        number = bisect_right(self._piece_starts, position) - 1
        if number < 0 or not self._paragraphs:
            return Look()
        piece = self.pieces[number]
        place = piece.place + (position - piece.start) * piece.width
        number = bisect_right(self._paragraph_starts, place) - 1
        if number < 0 or self._paragraphs[number][1] <= place:
            return Look()
        raw = self._paragraphs[number][2]
        if raw not in self._known:
            self._known[raw] = self._look(raw)
        return self._known[raw]

    def _look(self, raw: bytes) -> Look:
        if len(raw) < 2:
            return Look()
        style = struct.unpack_from("<H", raw)[0]
        found = self._styles[style] if style < len(self._styles) else Look()
        operations = list(_operations(raw, 2))
        huge = next((struct.unpack("<I", value)[0] for operation, value in operations if operation == HUGE), None)
        if huge is not None and huge + 2 <= len(self._data):
            size = struct.unpack_from("<H", self._data, huge)[0]
            operations += _operations(self._data[huge + 2 : huge + 2 + size], 0)
        return _changed(found, operations)

    def notes(self, references: int, texts: int, part: int) -> dict[int, tuple[int, int]]:
        """Position of a reference → where its note stands, of foot- or endnotes."""
        where, said = self._tables.get(references, b""), self._tables.get(texts, b"")
        count = max(0, (len(where) - 4) // 6)
        marks = struct.unpack_from(f"<{count}I", where)
        ends = array("I", said[: len(said) // 4 * 4])
        low, high = self.starts[part], self.starts[part + 1]
        found = {}
        for number, mark in enumerate(marks[: max(0, len(ends) - 1)]):
            start, end = low + ends[number], low + ends[number + 1]
            if start <= end <= high:
                found[mark] = (start, end)
        return found

    def _runs(self, table: int, step: int) -> Iterator[tuple[int, int, bytes]]:
        """(first place, place after the last, operations) of the runs of characters or of the paragraphs."""
        raw = self._tables.get(table, b"")
        count = max(0, (len(raw) - 4) // 8)
        seen: set[int] = set()
        for number in struct.unpack_from(f"<{count}I", raw, 4 * (count + 1)) if count else ():
            page = self._main[number * 512 : number * 512 + 512]
            if number in seen or len(page) < 512:
                continue
            seen.add(number)
            runs = min(page[511], 507 // (4 + step))
            places = struct.unpack_from(f"<{runs + 1}I", page)
            for index in range(runs):
                at = 2 * page[4 * (runs + 1) + step * index]
                if not at:
                    yield places[index], places[index + 1], b""
                elif step == 1:
                    yield places[index], places[index + 1], page[at + 1 : at + 1 + page[at]]
                else:
                    size, at = (2 * page[at] - 1, at + 1) if page[at] else (2 * page[min(at + 1, 511)], at + 2)
                    yield places[index], places[index + 1], page[at : at + size]

    def _style_sheet(self) -> Iterator[Look]:
        """How each style looks, with what it inherits."""
        sheet = self._tables.get(STSH, b"")
        if len(sheet) < 6:
            return
        size, count, base = struct.unpack_from("<HHH", sheet)
        at, raw = 2 + size, list[bytes]()
        for _ in range(count):
            if at + 2 > len(sheet):
                break
            length = struct.unpack_from("<H", sheet, at)[0]
            raw.append(sheet[at + 2 : at + 2 + length])
            at += 2 + length
        for number in range(len(raw)):
            yield _style(raw, number, base)


def _style(raw: list[bytes], number: int, base: int) -> Look:
    chain: list[bytes] = []
    while number < len(raw) and len(chain) < 20 and len(raw[number]) >= 10:
        chain.append(raw[number])
        number = struct.unpack_from("<H", raw[number], 2)[0] >> 4
    look = Look()
    for style in reversed(chain):
        kind = struct.unpack_from("<H", style)[0] & 0xFFF
        level = kind if 1 <= kind <= 9 else look.level
        look = Look(level, look.title or kind == TITLE, look.hidden, look.listed)
        if struct.unpack_from("<H", style, 2)[0] & 0xF != 1 or base + 2 > len(style):
            continue
        at = base + 2 + 2 * struct.unpack_from("<H", style, base)[0] + 2
        for skip in (2, 0):
            if at + 2 > len(style):
                break
            size = struct.unpack_from("<H", style, at)[0]
            look = _changed(look, list(_operations(style[at + 2 : at + 2 + size], skip)))
            at += 2 + size + size % 2
    return look


def _changed(look: Look, operations: list[tuple[int, bytes]]) -> Look:
    """A look after operations on it."""
    level, hidden, listed, edges = look.level, look.hidden, look.listed, look.edges
    in_table, row_end, nested = look.in_table, look.row_end, look.nested
    for operation, value in operations:
        if operation == LEVEL:
            level = value[0] + 1 if value[0] < 9 else level
        elif operation == LIST:
            listed = value not in (b"\0\0", b"\x01\xf8")
        elif operation == VANISH:
            hidden = value[0] in (1, 0x81)
        elif operation == IN_TABLE:
            in_table = value[0] == 1
        elif operation == ROW_END:
            row_end = value[0] == 1
        elif operation == DEPTH:
            nested = struct.unpack("<I", value)[0] > 1
        elif operation == COLUMNS and value:
            count = min(value[0], MOST_CELLS, (len(value) - 1) // 2)
            edges = struct.unpack_from(f"<{count}h", value, 1)
    return Look(level, look.title, hidden, listed, in_table, row_end, nested, edges)


def _operations(raw: bytes, at: int) -> Iterator[tuple[int, bytes]]:
    """(operation, operand) of what is done to a look."""
    while at + 3 <= len(raw):
        operation = struct.unpack_from("<H", raw, at)[0]
        size, at = SIZES[operation >> 13], at + 2
        if operation == COLUMNS:
            size, at = struct.unpack_from("<H", raw, at)[0] - 1 if at + 2 <= len(raw) else 0, at + 2
        elif not size:
            size, at = raw[at], at + 1
            if operation == 0xC615 and size == 255:
                return
        if size < 0 or at + size > len(raw):
            return
        if size:
            yield operation, raw[at : at + size]
        at += size


def _narrow(raw: bytes) -> str:
    return raw.decode("latin-1").translate(WINDOWS)


def _wide(raw: bytes) -> str:
    raw = raw[: len(raw) // 2 * 2]
    text = raw.decode("utf-16-le", "surrogatepass")
    return text if len(text) * 2 == len(raw) else "".join(map(chr, struct.unpack(f"<{len(raw) // 2}H", raw)))
