"""Excel files to a document: `read_xlsx`, a heading for each sheet and a line for each row.

The sheets are read as a stream, so that their size on disk, not the size they claim, sets the memory.
Values are those that the program which saved the file had computed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from itertools import islice
from pathlib import PurePath
from typing import Literal, NamedTuple

from quoth.errors import ReadError
from quoth.ingest.package import Element, Package, attribute, child, local
from quoth.ingest.tables import MOST_ROWS, Lines, Row, lay, row_text
from quoth.types import Document

DATES = {*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)}
"""Built-in number formats that show a date or a time."""
DECIMALS = {1: 0, 2: 2, 3: 0, 4: 2, 37: 0, 38: 0, 39: 2, 40: 2, 41: 0, 42: 0, 43: 2, 44: 2}
"""Built-in number formats that show so many decimals."""
MOST_STRINGS = 5_000_000
MOST_COLUMNS = 16_384


class Format(NamedTuple):
    """How a number shows: a date, a span of time, a percentage or plain; `decimals` is -1 for as many as there are."""

    kind: Literal["plain", "percent", "date", "span"] = "plain"
    decimals: int = -1


@dataclass(slots=True)
class _Book:
    """What all sheets share."""

    strings: list[str]
    formats: list[Format]
    epoch: datetime


@dataclass(slots=True)
class _Sheet:
    """What is gathered beside the rows while a sheet is read."""

    hidden: list[str] = field(default_factory=list)
    bare: int = 0
    """Formulas without a stored value."""


def read_xlsx(data: bytes, path: str, password: str | None = None) -> tuple[Document, ...]:
    """The one document of an Excel file: "Item: boiler | Cost: 420", each row with its cells ("Costs!A2:B2").

    Hidden sheets, rows and columns go to `hidden`. Raises ReadError for a file that is encrypted, damaged,
    or unpacks to too much.
    """
    package = Package(data)
    main = package.main("xl/workbook.xml")
    workbook, related = package.xml(main), package.related(main)
    book = _book(package, related, workbook)
    lines, hidden, notes, room = Lines(), list[str](), list[str](), MOST_ROWS
    for name, shown, part in _sheets(workbook, related):
        if part not in package:
            notes.append(f"the sheet {name} is missing from the file")
            continue
        sheet = _Sheet()
        rows = _rows(package, part, book, sheet)
        if shown:
            begun = len(lines.parts)
            lines.add(name, ("heading", name, 1), ("cells", name, 0))
            whole = lay(lines, rows, name, room)
            room -= len(lines.parts) - begun - 1
            lines.add("")
            if not whole:
                notes.append(f"the sheet {name} is cut: only the first {MOST_ROWS:,} rows of a file are read")
        else:
            hidden += [row_text([], row.cells) for row in islice(rows, MOST_ROWS)]
        hidden += sheet.hidden
        if sheet.bare:
            notes.append(f"{sheet.bare:,} formulas of the sheet {name} have no stored value: open and save the file")
    title, modified = package.properties()
    text, marks = lines.text(), tuple(lines.marks)
    return (
        Document(
            path,
            "xlsx",
            title or PurePath(path).name,
            text,
            marks,
            modified=modified,
            hidden="\n".join(hidden),
            notes=tuple(notes),
        ),
    )


def _sheets(workbook: Element, related: dict[str, tuple[str, str]]) -> Iterator[tuple[str, bool, str]]:
    """(name, whether it shows, part) of every worksheet in the order of its tabs; chart sheets hold no cells."""
    for sheet in child(workbook, "sheets") or ():
        place = next((value for key, value in sheet.items() if key.endswith("}id")), "")
        kind, part = related.get(place, ("worksheet", ""))
        if kind == "worksheet":
            yield attribute(sheet, "name"), attribute(sheet, "state", "visible") == "visible", part


def _book(package: Package, related: dict[str, tuple[str, str]], workbook: Element) -> _Book:
    parts = {kind: part for kind, part in related.values() if part in package}
    strings: list[str] = []
    if "sharedStrings" in parts:
        for item in package.stream(parts["sharedStrings"], "si"):
            strings.append(_string(item))
            if len(strings) > MOST_STRINGS:
                raise ReadError(f"the file holds more than {MOST_STRINGS:,} different texts")
    formats = _formats(package.xml(parts["styles"])) if "styles" in parts else []
    late = attribute(child(workbook, "workbookPr"), "date1904") in ("1", "true")
    return _Book(strings, formats, datetime(1904, 1, 1) if late else datetime(1899, 12, 30))


def _string(item: Element) -> str:
    """The text of a string: its runs together, without the reading aid of Asian scripts."""
    own = [child(one, "t") if local(one) == "r" else one for one in item if local(one) in ("t", "r")]
    return "".join(one.text or "" for one in own if one is not None)


def _formats(styles: Element) -> list[Format]:
    """Cell style → how its numbers show."""
    own = {attribute(one, "numFmtId"): attribute(one, "formatCode") for one in child(styles, "numFmts") or ()}
    return [format_of(attribute(one, "numFmtId", "0"), own) for one in child(styles, "cellXfs") or ()]


def format_of(number: str, own: dict[str, str]) -> Format:
    """How the number format of this number shows: by its code in `own`, else as the built-in one."""
    index = int(number) if number.isdigit() else 0
    if number in own:
        return _own_format(own[number])
    if index in DATES:
        return Format("span" if index == 46 else "date")
    if index in (9, 10):
        return Format("percent", 0 if index == 9 else 2)
    return Format("plain", DECIMALS.get(index, -1))


def _own_format(code: str) -> Format:
    """The meaning of a format code such as `#,##0.00 [$EUR]` or `yyyy-mm-dd`: its part for positive numbers."""
    bare = re.sub(r'"[^"]*"|\\.|_.|\*.|\[(?!h+\]|m+\]|s+\])[^\]]*\]', "", code, flags=re.I).partition(";")[0]
    timed = re.sub(r"(?<=s)\.?0+", "", bare, flags=re.I)
    if re.search(r"[dmyhs]", timed, re.I) and not re.search(r"[0#?]", timed):
        return Format("span" if "[" in bare else "date")
    figures = re.fullmatch(r"[^0#?]*[#,]*0(?:\.(0*))?[^0#?,/E]*", bare)
    decimals = len(figures[1] or "") if figures else -1
    return Format("percent" if "%" in bare else "plain", decimals)


def _rows(package: Package, part: str, book: _Book, sheet: _Sheet) -> Iterator[Row]:
    """The rows that show; what does not show goes to `sheet.hidden`."""
    unseen: set[int] = set()
    number = 0
    for element in package.stream(part, "col", "row"):
        if local(element) == "col":
            if attribute(element, "hidden") in ("1", "true"):
                least, most = int(attribute(element, "min", "1")), int(attribute(element, "max", "1"))
                unseen.update(range(least, min(most, MOST_COLUMNS) + 1))
            continue
        given = attribute(element, "r")
        number = int(given) if given.isdigit() else number + 1
        cells = _cells(element, book, sheet)
        if attribute(element, "hidden") in ("1", "true"):
            sheet.hidden += [line] if (line := row_text([], cells)) else []
            continue
        for column in unseen.intersection(range(1, len(cells) + 1)):
            sheet.hidden += [cells[column - 1]] if cells[column - 1].strip() else []
            cells[column - 1] = ""
        if any(cell.strip() for cell in cells):
            yield Row(number, cells)


def _cells(row: Element, book: _Book, sheet: _Sheet) -> list[str]:
    cells: list[str] = []
    for cell in row:
        if local(cell) != "c":
            continue
        column = _column(attribute(cell, "r")) or len(cells) + 1
        value = _value(cell, book)
        if value is None:
            sheet.bare += 1
        elif value and column <= MOST_COLUMNS:
            cells += [""] * (column - len(cells))
            cells[column - 1] = value
    return cells


@lru_cache(maxsize=4096)
def _letters(name: str) -> int:
    column = 0
    for letter in name:
        column = column * 26 + ord(letter) - 64
    return column


def _column(reference: str) -> int:
    """The column of a reference such as AB12, from 1; 0 when it is none."""
    match = re.match(r"[A-Z]{1,3}", reference)
    return _letters(match[0]) if match else 0


def _value(cell: Element, book: _Book) -> str | None:
    """What a cell shows; "" for nothing, None for a formula whose value was not stored."""
    kind = cell.get("t", "n")
    if kind == "inlineStr":
        inner = child(cell, "is")
        return _string(inner) if inner is not None else ""
    stored = child(cell, "v")
    value = (stored.text or "") if stored is not None else ""
    if not value:
        return None if kind != "str" and child(cell, "f") is not None else ""
    if kind == "s":
        return book.strings[int(value)] if value.isdigit() and int(value) < len(book.strings) else ""
    if kind == "b":
        return "TRUE" if value == "1" else "FALSE"
    if kind != "n":
        return value
    style = cell.get("s", "0")
    index = int(style) if style.isdigit() else 0
    try:
        return shown(float(value), book.formats[index] if index < len(book.formats) else Format(), book.epoch)
    except (ValueError, OverflowError):
        return value


def shown(value: float, look: Format, epoch: datetime) -> str:
    """A cell's number as the format has it: a date from `epoch` on, a span of time, a percentage, a plain number."""
    if look.kind == "span":
        seconds = round(value * 86_400)
        return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    if look.kind == "date" and value >= 0:
        return _date(value, epoch)
    percent = "%" if look.kind == "percent" else ""
    value = value * 100 if percent else value
    if look.decimals >= 0:
        # decimal, so that 0.125 shows as a spreadsheet shows it and not as binary rounds it
        exact = Decimal(f"{value:.15g}").quantize(Decimal(1).scaleb(-look.decimals), ROUND_HALF_UP)
        return f"{exact}{percent}"
    whole = value.is_integer() and abs(value) < 1e15
    return f"{int(value) if whole else format(value, '.15g')}{percent}"


def _date(value: float, epoch: datetime) -> str:
    """ISO: the date, the time where the number has a part below one."""
    early = epoch.year == 1899 and 1 <= value < 60  # the format counts a 29 February 1900
    moment = epoch + timedelta(days=int(value) + early, seconds=round(value % 1 * 86_400))
    clock = moment.strftime("%H:%M:%S" if moment.second else "%H:%M")
    if value < 1:
        return clock
    return moment.date().isoformat() + (f" {clock}" if value % 1 else "")
