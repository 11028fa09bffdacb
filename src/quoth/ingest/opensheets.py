"""OpenDocument spreadsheets to a document: `read_ods`, a heading for each sheet and a line for each row.

Sheets are read as a stream, and what a file says it repeats is repeated within limits. Cells say what they show.
Hidden sheets, rows and columns and what merged cells cover are kept apart. Not covered: comments, drawings, charts.
"""

from __future__ import annotations

import io
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import PurePath
from xml.etree import ElementTree

from quoth.errors import ReadError
from quoth.ingest.opendocument import properties
from quoth.ingest.package import DAMAGED, Element, Package, attribute, events, local
from quoth.ingest.sealedodf import unsealed_zip
from quoth.ingest.tables import MOST_ROWS, Lines, Row, lay, row_text
from quoth.types import Document

MOST_COLUMNS = 16_384
MOST_CELLS = 4_000_000
"""Cells of a file that are filled by repeating others."""
MOST_TEXT = 64_000_000
"""Characters of all cells."""
WANTED = ("style", "table", "table-column", "table-row")
DEEPEST = 60
ASIDE = {"annotation", "frame", "shapes", "custom-shape", "control", "g", "line", "detective"}
DURATION = re.compile(r"PT(\d+)H(\d+)M(\d+)(?:[.,]\d+)?S")


@dataclass(slots=True)
class _Room:
    """How many cells may still be repeated and how many characters read; `spent` when a sheet had to end early."""

    copies: int
    text: int
    spent: bool = False

    def take(self, cells: list[str], copies: int = 0) -> bool:
        """Whether there is room for these cells, of which so many are copies."""
        self.copies -= copies
        self.text -= sum(map(len, cells))
        self.spent = self.spent or self.copies < 0 or self.text < 0
        return not self.spent


@dataclass(slots=True)
class _Sheet:
    """What is gathered while a sheet is read: its columns so far, those that do not show, hidden words."""

    room: _Room
    columns: int = 0
    unseen: set[int] = field(default_factory=set)
    hidden: list[str] = field(default_factory=list)
    bare: int = 0
    """Formulas without a stored value."""


def read_ods(data: bytes, path: str, password: str | None = None) -> tuple[Document, ...]:
    """The one document of a spreadsheet: "Item: boiler | Cost: 420", each row with its cells ("Costs!A2:B2").

    Raises ReadError for a file that is encrypted, damaged, or unpacks to too much.
    """
    stream, title, modified = _opened(data, password)
    lines, hidden, notes, left, room = Lines(), list[str](), list[str](), MOST_ROWS, _Room(MOST_CELLS, MOST_TEXT)
    invisible: set[str] = set()
    for event, element in stream:
        if event == "end" and local(element) == "style":
            invisible |= {attribute(element, "name")} if _is_invisible(element) else set()
        name = attribute(element, "name")
        if event == "end" or local(element) != "table" or not name:
            continue
        sheet = _Sheet(room)
        rows = _rows(stream, sheet)
        if attribute(element, "style-name") in invisible:
            hidden += [row_text([], row.cells) for row in islice(rows, MOST_ROWS)]
        else:
            begun = len(lines.parts)
            lines.add(name, ("heading", name, 1), ("cells", name, 0))
            whole = lay(lines, rows, name, left)
            left -= len(lines.parts) - begun - 1
            lines.add("")
            if not whole or room.spent:
                notes.append(
                    f"the sheet {name} is cut: {MOST_ROWS:,} rows and {MOST_TEXT:,} characters of a file are read"
                )
        deque(rows, maxlen=0)  # what is left of a sheet that was cut
        hidden += sheet.hidden
        if sheet.bare:
            notes.append(f"{sheet.bare:,} formulas of the sheet {name} have no stored value: open and save the file")
    shown, unseen = title or PurePath(path).name, "\n".join(hidden)
    marks = tuple(lines.marks)
    return (Document(path, "ods", shown, lines.text(), marks, modified=modified, hidden=unseen, notes=tuple(notes)),)


def _opened(data: bytes, password: str | None) -> tuple[Iterator[tuple[str, Element]], str, float]:
    """(the content as a stream, title, time of the last change)."""
    if not data.startswith(b"PK"):
        return _flat(data), "", 0.0
    package = Package(unsealed_zip(data, password))
    meta = [package.xml("meta.xml")] if "meta.xml" in package else []
    return package.events("content.xml", *WANTED), *properties(meta)


def _flat(data: bytes) -> Iterator[tuple[str, Element]]:
    try:
        yield from events(io.BytesIO(data), *WANTED)
    except (ElementTree.ParseError, ValueError, LookupError):
        raise ReadError("the file is damaged: it is no sound XML", DAMAGED) from None


def _is_invisible(style: Element) -> bool:
    return any(local(one) == "table-properties" and attribute(one, "display") == "false" for one in style)


def _rows(stream: Iterator[tuple[str, Element]], sheet: _Sheet) -> Iterator[Row]:
    """The rows that show, up to the end of the table; what does not show goes to `sheet.hidden`."""
    number, depth = 0, 0
    for event, element in stream:
        name = local(element)
        if name == "table":
            depth += 1 if event == "start" else -1
            if depth < 0:
                return
        elif event == "start" or depth:
            continue
        elif name == "table-column":
            _column(sheet, element)
        elif name == "table-row":
            repeated = _count(element, "number-rows-repeated")
            cells = [] if sheet.room.spent else _cells(element, sheet)
            if any(cell.strip() for cell in cells) and sheet.room.take(cells):
                if _off(element):
                    sheet.hidden.append(row_text([], cells))
                else:
                    yield from _repeated(sheet, cells, number + 1, repeated)
            number += repeated


def _repeated(sheet: _Sheet, cells: list[str], number: int, times: int) -> Iterator[Row]:
    """A row as often as the file says; hidden columns are taken out of it."""
    for column in sheet.unseen.intersection(range(1, len(cells) + 1)):
        sheet.hidden += [cells[column - 1]] if cells[column - 1].strip() else []
        cells[column - 1] = ""
    if not any(cell.strip() for cell in cells):
        return
    for step in range(times):
        if step and not sheet.room.take(cells, len(cells)):
            return
        yield Row(number + step, cells)


def _column(sheet: _Sheet, column: Element) -> None:
    repeated = min(_count(column, "number-columns-repeated"), MOST_COLUMNS - sheet.columns)
    if _off(column):
        sheet.unseen.update(range(sheet.columns + 1, sheet.columns + repeated + 1))
    sheet.columns += repeated


def _off(element: Element) -> bool:
    return attribute(element, "visibility") in ("collapse", "filter")


def _cells(row: Element, sheet: _Sheet) -> list[str]:
    """What each cell shows, without the empty ones at the end."""
    cells: list[str] = []
    empty = 0
    for cell in row:
        kind = local(cell)
        if kind not in ("table-cell", "covered-table-cell"):
            continue
        repeated = _count(cell, "number-columns-repeated")
        value = _value(cell, sheet)
        if value.strip() and kind == "covered-table-cell":
            sheet.hidden.append(value)
        if not value.strip() or kind == "covered-table-cell":
            empty = min(empty + repeated, MOST_COLUMNS)
            continue
        repeated = min(repeated, MOST_COLUMNS - len(cells) - empty)
        if repeated < 1 or not sheet.room.take([], repeated - 1):
            break
        cells += [""] * empty + [value] * repeated
        empty = 0
    return cells


def _value(cell: Element, sheet: _Sheet) -> str:
    """The text that a cell shows; its value where the program that wrote it stored no text."""
    shown = "\n".join("".join(_words(one, 0)) for one in cell if local(one) == "p")
    if shown.strip():
        return shown
    kind = attribute(cell, "value-type")
    value = attribute(cell, "value")
    if kind == "boolean":
        return attribute(cell, "boolean-value").upper()
    if kind == "date":
        return attribute(cell, "date-value").replace("T", " ").removesuffix(" 00:00:00")
    if kind == "time":
        clock = DURATION.fullmatch(attribute(cell, "time-value"))
        return f"{clock[1]}:{clock[2]}:{clock[3]}" if clock else attribute(cell, "time-value")
    if kind in ("float", "percentage", "currency") and value:
        return _figure(value, kind, attribute(cell, "currency"))
    if not kind and attribute(cell, "formula"):
        sheet.bare += 1
    return attribute(cell, "string-value")


def _figure(value: str, kind: str, currency: str) -> str:
    try:
        number = float(value) * (100 if kind == "percentage" else 1)
    except ValueError:
        return value
    figure = f"{int(number)}" if number.is_integer() and abs(number) < 1e15 else f"{number:.15g}"
    return figure + ("%" if kind == "percentage" else f" {currency}" if currency else "")


def _words(element: Element, depth: int) -> Iterator[str]:
    if depth > DEEPEST:
        raise ReadError(f"the file nests the parts of a cell more than {DEEPEST} deep")
    yield element.text or ""
    for one in element:
        name = local(one)
        if name == "s":
            yield " " * min(_count(one, "c"), 1_000)
        elif name in ("tab", "line-break"):
            yield " "
        elif name not in ASIDE:
            yield from _words(one, depth + 1)
        yield one.tail or ""


def _count(element: Element, name: str) -> int:
    value = attribute(element, name, "1")
    return max(1, int(value)) if value.isdecimal() and len(value) < 10 else 1
