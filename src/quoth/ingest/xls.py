"""Excel files from before 2007 (.xls) to a document: `read_xls`, which looks as that of an .xlsx does.

Covered: Excel 2 to 2003, dates, number formats, results of formulas, text boxes (below the rows of their sheet),
hidden sheets, rows and columns, files with a password (with the extra `office`). Not covered: charts, comments.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from quoth.errors import ReadError
from quoth.ingest.compound import HINT, MAGIC, Compound, summary
from quoth.ingest.sheets import Format, format_of, shown
from quoth.ingest.tables import MOST_ROWS, Lines, Row, clean, lay, row_text
from quoth.types import Document

if TYPE_CHECKING:
    from xlrd import Book
    from xlrd.sheet import Sheet

EMPTY, TEXT, NUMBER, DATE, TRUTH, ERROR = range(6)
OWN = 164
"""Number formats from here on are the file's own."""
LOCK, BEGINS, ENDS, SHEET = 0x2F, (0x809, 0x409, 0x209, 0x9), 0x0A, 0x85
"""Records that say that a workbook is encrypted, and where it, a sheet or a chart begins and ends; where a sheet is."""
OBJECT, BOX, MORE, COMMENT = 0x5D, 0x1B6, 0x3C, 0x19
"""Records of drawn objects, of their words, of what did not fit; the kind of an object that is a comment."""
NAMES = (0x17, 0x18, 0x23, 0x218, 0x223, 0x1AE)
"""Records of defined names and of what they refer to."""


def read_xls(data: bytes, path: str, password: str | None = None) -> tuple[Document, ...]:
    """The one document of an Excel file: "Item: boiler | Cost: 420", each row with its cells ("Costs!A2:B2").

    Hidden sheets, rows and columns go to `hidden`. Raises ReadError for a file that is damaged, Encrypted
    for one whose password is missing or wrong.
    """
    file = Compound(data) if data.startswith(MAGIC) else None
    stream = file.find("workbook", "book") if file else data
    if _locked(stream):
        from quoth.ingest.sealed import unsealed

        file = Compound(unsealed(data, password))
        stream = file.find("workbook", "book")
    title, modified = summary(file) if file else ("", 0.0)
    lines, hidden, notes = Lines(), list[str](), list[str]()
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        book = _open(stream, nowhere)
        with book:
            _sheets(book, stream, lines, hidden, notes)
    return (
        Document(
            path,
            "xls",
            title or PurePath(path).name,
            lines.text(),
            tuple(lines.marks),
            modified=modified,
            hidden="\n".join(hidden),
            notes=tuple(notes),
        ),
    )


def _records(stream: bytes, at: int = 0) -> Iterator[tuple[int, int, int]]:
    """(offset, kind, length) of the records up to the end of what begins at an offset: the workbook, or a sheet."""
    depth = 0
    while at + 4 <= len(stream):
        kind, length = struct.unpack_from("<HH", stream, at)
        yield at, kind, length
        depth += (kind in BEGINS) - (kind == ENDS)
        if depth <= 0:
            return
        at += 4 + length


def _boxes(stream: bytes, at: int) -> Iterator[str]:
    """The words of the text boxes of the sheet that begins at an offset."""
    left, parts, comment = 0, list[str](), False
    for place, kind, length in _records(stream, at):
        body = stream[place + 4 : place + 4 + length]
        if kind == OBJECT:
            comment = len(body) >= 6 and struct.unpack_from("<H", body, 4)[0] == COMMENT
        elif kind == BOX and not comment and len(body) >= 12:
            left = struct.unpack_from("<H", body, 10)[0]
        elif kind == MORE and left and body:
            said = body[1:].decode("utf-16-le" if body[0] & 1 else "latin-1", "replace")[:left]
            parts, left = [*parts, said], left - len(said)
        if parts and (not left or kind not in (BOX, MORE)):
            yield "".join(parts)
            left, parts = 0, []


def _locked(stream: bytes) -> bool:
    """Whether the workbook says that it is encrypted."""
    return any(kind == LOCK for _, kind, _ in _records(stream))


def _without_names(stream: bytes) -> bytes:
    """The workbook with its defined names put out: no cell needs them, and what they hold breaks the library."""
    changed = bytearray(stream)
    for at, kind, _ in _records(stream):
        if kind in NAMES:
            changed[at : at + 2] = b"\xff\xff"
    return bytes(changed)


def _open(stream: bytes, log: object) -> Book:
    import xlrd

    if len(stream) < 8 or struct.unpack_from("<H", stream)[0] not in BEGINS:
        raise ReadError("the file is damaged: its workbook does not begin as one", HINT)
    for formatted in (True, False):
        try:
            return xlrd.open_workbook(
                file_contents=_without_names(stream),
                logfile=log,
                formatting_info=formatted,
                on_demand=True,
                ragged_rows=True,
            )
        except (MemoryError, RecursionError):
            raise
        except Exception as error:  # a library that raises whatever a damaged file leads it to
            reason = str(error)
    raise ReadError(f"the file is damaged: its workbook cannot be read ({reason:.80})", HINT)


def _sheets(book: Book, stream: bytes, lines: Lines, hidden: list[str], notes: list[str]) -> None:
    epoch = datetime(1904, 1, 1) if book.datemode else datetime(1899, 12, 30)
    formats = _formats(book)
    found = [stream[at + 4 : at + 10] for at, kind, length in _records(stream) if kind == SHEET and length > 5]
    places = [struct.unpack_from("<I", sheet)[0] for sheet in found if not sheet[5]]  # others are charts and macros
    room, broken = MOST_ROWS, list[str]()
    for index, name in enumerate(book.sheet_names()):
        begun, marked, unseen = len(lines.parts), len(lines.marks), list[str]()
        try:
            sheet = book.sheet_by_index(index)
            place = places[index] if index < len(places) else len(stream)
            said_in_boxes = [words for box in _boxes(stream, place) if (words := clean(box))]
            rows = _rows(sheet, formats, epoch, unseen)
            if sheet.visibility:
                hidden += [row_text([], row.cells) for row in islice(rows, MOST_ROWS)] + said_in_boxes
            else:
                lines.add(name, ("heading", name, 1), ("cells", name, 0))
                if not lay(lines, rows, name, room):
                    notes.append(f"the sheet {name} is cut: only the first {MOST_ROWS:,} rows of a file are read")
                room -= len(lines.parts) - begun - 1
                for said in said_in_boxes:
                    lines.add(said, ("cells", name, 0))
                lines.add("")
        except (MemoryError, RecursionError):
            raise
        except Exception:  # as above
            broken.append(name)
            if len(lines.parts) > begun + 1:
                lines.add("")
            elif len(lines.parts) > begun:
                lines.length -= len(lines.parts.pop())
                del lines.marks[marked:]
        hidden += unseen
        book.unload_sheet(index)
    if broken and not lines.parts:
        raise ReadError("the file is damaged: none of its sheets can be read", HINT)
    notes += [f"the sheet {name} is damaged and not read, or not to its end" for name in broken]


def _formats(book: Book) -> list[Format]:
    """Cell style → how its numbers show."""
    found = []
    for style in book.xf_list:
        own = book.format_map.get(style.format_key)
        code = {str(style.format_key): own.format_str} if own is not None and style.format_key >= OWN else {}
        found.append(format_of(str(style.format_key), code))
    return found


def _rows(sheet: Sheet, formats: list[Format], epoch: datetime, unseen: list[str]) -> Iterator[Row]:
    """The rows that show; what does not show goes to `unseen`."""
    columns = {column for column, info in sheet.colinfo_map.items() if info.hidden}
    for number in range(sheet.nrows):
        cells = [_value(sheet, number, column, formats, epoch) for column in range(sheet.row_len(number))]
        info = sheet.rowinfo_map.get(number)
        if info is not None and info.hidden:
            unseen += [line] if (line := row_text([], cells)) else []
            continue
        for column in columns.intersection(range(len(cells))):
            unseen += [cells[column]] if cells[column].strip() else []
            cells[column] = ""
        if any(cell.strip() for cell in cells):
            yield Row(number + 1, cells)


def _value(sheet: Sheet, row: int, column: int, formats: list[Format], epoch: datetime) -> str:
    """What a cell shows; "" for nothing."""
    kind, value = sheet.cell_type(row, column), sheet.cell_value(row, column)
    if kind == TEXT:
        return str(value)
    if kind == TRUTH:
        return "TRUE" if value else "FALSE"
    if kind == ERROR:
        from xlrd import error_text_from_code

        return str(error_text_from_code.get(value, "#N/A"))
    if kind not in (NUMBER, DATE):
        return ""
    style = sheet.cell_xf_index(row, column) if sheet.formatting_info else -1
    known = formats[style] if 0 <= style < len(formats) else Format("date" if kind == DATE else "plain")
    try:
        return shown(float(value), known, epoch)
    except (ValueError, OverflowError):
        return str(value)
