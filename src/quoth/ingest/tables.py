"""Rows of cells to lines that a person can read: "Item: boiler | Cost: 420"; CSV to a document: `read_csv`."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import PurePath

from quoth.ingest.decode import decode
from quoth.types import Document, Mark

Cells = Sequence[str]

MOST_ROWS = 200_000
"""Rows that are read of one file; a note says when it has more."""
LOOK = 50
"""Rows that are looked at to find the header and the delimiter."""
DELIMITERS = ",;\t|"
FIGURE = re.compile(
    r"[-+(]?\s*(?:[$€£¥]|[A-Z]{3} )?\s*[-+]?\d[\d.,'’ \u00a0\u202f]*(?:[eE][-+]?\d+)?\s*(?:%|[$€£¥]|[A-Z]{3})?\)?"
    r"|\d{1,4}[-./]\d{1,2}[-./]\d{1,4}(?:[T ]\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?"
    r"|\d{1,2}:\d{2}(?::\d{2})?|true|false|yes|no|n/?a|null|none|-+|–|—",
    re.I,
)


@dataclass(frozen=True, slots=True)
class Row:
    """A row that is not empty: its number in the sheet and the line in its file, both from 1, and its cells."""

    number: int
    cells: Cells
    line: int = 0


@dataclass(slots=True)
class Lines:
    """A text put together line by line, with marks at each line's start."""

    parts: list[str] = field(default_factory=list)
    length: int = 0
    marks: list[Mark] = field(default_factory=list)

    def add(self, text: str, *marks: tuple[str, str, int]) -> None:
        """One more line; a mark is (kind, value, number)."""
        for kind, value, number in marks:
            self.marks.append(Mark(self.length, kind, value, number))  # type: ignore[arg-type]
        self.parts.append(text + "\n")
        self.length += len(text) + 1

    def join(self, line: int, mark: int) -> None:
        """Makes one line, "id: 17 | name: Ann", of those from this one on; their marks, from this one on, stay true."""
        lines, marks = self.parts[line:], self.marks[mark:]
        begins, joined, moved = self.length - sum(map(len, lines)), "", dict[int, int]()
        at = begins
        for number, words in enumerate(lines):
            joined += f" | {words.strip()}" if number else words.rstrip()
            moved[at] = begins + (len(joined) - len(words.strip()) if number else 0)
            at += len(words)
        self.parts[line:] = [joined + "\n"]
        self.marks[mark:] = [replace(one, start=moved[one.start]) for one in marks]
        self.length = begins + len(joined) + 1

    def text(self) -> str:
        return "".join(self.parts)


def read_csv(data: bytes, path: str, password: str | None = None) -> tuple[Document, ...]:
    """The one document of a CSV file: a line of text for each row, with its cells and its line in the file."""
    text, notes = decode(data)
    rows, complaint = _rows(text)
    lines = Lines()
    whole = lay(lines, rows, "", MOST_ROWS)
    notes += tuple(complaint)
    if not whole:
        notes += (f"only its first {MOST_ROWS:,} rows are read",)
    name = PurePath(path).name
    return (Document(path, "csv", name, lines.text(), tuple(lines.marks), notes=notes),)


def lay(lines: Lines, rows: Iterable[Row], sheet: str, most: int = MOST_ROWS) -> bool:
    """Adds a line for each row and gives back whether that was all: after `most` rows it ends.

    A header names the columns of the rows below it, until rows after an empty one have their own.
    """
    stream, ahead = iter(rows), deque[Row]()
    names: list[str] = []
    last, heads = -1, -1
    for _ in range(most):
        ahead.extend(islice(stream, LOOK - len(ahead)))
        if not ahead:
            return True
        if ahead[0].number > last + 1 and (own := _own_header(ahead)):
            heads, names = own.number, [clean(cell) for cell in own.cells]
        row = ahead.popleft()
        last = row.number
        marks = [("cells", _reference(sheet, row), 0)]
        if row.line:
            marks.append(("line", "", row.line))
        lines.add(row_text(names if row.number > heads else [], row.cells), *marks)
    return not ahead and next(stream, None) is None


def _own_header(rows: Sequence[Row]) -> Row | None:
    """The header of the rows up to the next empty one; a row that stands alone may head what follows."""
    block = [row for step, row in enumerate(rows) if row.number == rows[0].number + step]
    block = block if len(block) > 1 else list(rows)
    at = header([row.cells for row in block])
    return None if at is None else block[at]


def row_text(names: Cells, cells: Cells) -> str:
    """A row as a line: each cell that is not empty, after its column's name where there is one."""
    shown = []
    for index, cell in enumerate(cells):
        value = clean(cell)
        name = names[index] if index < len(names) else ""
        if value:
            shown.append(f"{name.rstrip(':')}: {value}" if name else value)
    return " | ".join(shown)


def clean(cell: str) -> str:
    """A cell's text on one line."""
    return " ".join(cell.split())


def header(rows: Sequence[Cells], sure: bool = False) -> int | None:
    """Which of the first rows names the columns, or None.

    It is the first row that fills most columns, if it holds only short, different words. Where there are
    only words below it too, none of its own may come again, and two columns are more likely names
    and values than a header, unless `sure`.
    """
    filled = [[cell for cell in row if cell.strip()] for row in rows]
    width = max(Counter(len(cells) for cells in filled if len(cells) > 1).items(), key=_often, default=(0, 0))[0]
    for index, cells in enumerate(filled[:10]):
        if len(cells) < 2 or len(cells) < 0.6 * width:
            continue
        return index if _names_columns(rows[index], rows[index + 1 :], sure) else None
    return None


def _often(item: tuple[int, int]) -> tuple[int, int]:
    return item[1], item[0]


def _names_columns(names: Cells, body: Sequence[Cells], sure: bool) -> bool:
    shown = [clean(name) for name in names if name.strip()]
    words = [name for name in shown if not FIGURE.fullmatch(name)]
    years = [name for name in shown if re.fullmatch(r"(?:19|20)\d\d", name)]
    if not body or len(words) + len(years) < len(shown) or not words or len(set(shown)) < 0.8 * len(shown):
        return False
    if max(map(len, shown)) > 80:
        return False
    contrast = repeated = False
    for column, name in enumerate(names):
        below = [row[column].strip() for row in body if column < len(row) and row[column].strip()]
        repeated = repeated or (bool(name.strip()) and name.strip() in below)
        figures = sum(1 for cell in below if FIGURE.fullmatch(cell))
        contrast = contrast or (bool(name.strip()) and figures * 2 > len(below))
    return contrast or (not repeated and (sure or len(shown) > 2))


def letters(column: int) -> str:
    """The spreadsheet name of a column counted from 1: A … Z, AA …"""
    name = ""
    while column:
        column, rest = divmod(column - 1, 26)
        name = chr(65 + rest) + name
    return name


def _reference(sheet: str, row: Row) -> str:
    """Where a row's filled cells stand: "Costs!A2:D2", without a sheet "A2:D2"."""
    filled = [index for index, cell in enumerate(row.cells, 1) if cell.strip()] or [1]
    cells = f"{letters(filled[0])}{row.number}"
    if filled[-1] > filled[0]:
        cells += f":{letters(filled[-1])}{row.number}"
    return f"{sheet}!{cells}" if sheet else cells


def _rows(text: str) -> tuple[Iterator[Row], list[str]]:
    """The rows of a CSV text, and a sentence if its quotation marks had to be disregarded."""
    body, start = text, 0
    named = re.match(r"sep=(.)\r?\n", text, re.I)
    if named:
        body, start = text[named.end() :], 1
    delimiter = named[1] if named else _delimiter(body)
    csv.field_size_limit(max(csv.field_size_limit(), len(text) + 1))
    if _well_quoted(body, delimiter):
        return _records(body, delimiter, csv.QUOTE_MINIMAL, start), []
    complaint = "its quotation marks do not pair up and were read as ordinary characters"
    return _records(body, delimiter, csv.QUOTE_NONE, start), [complaint]


def _records(body: str, delimiter: str, quoting: int, start: int) -> Iterator[Row]:
    reader = csv.reader(io.StringIO(body, newline=""), delimiter=delimiter, quoting=quoting)  # type: ignore[arg-type]
    line = start
    for number, cells in enumerate(reader, 1 + start):
        if any(cell.strip() for cell in cells):
            yield Row(number, cells, line + 1)
        line = start + reader.line_num


def _well_quoted(body: str, delimiter: str) -> bool:
    """False where a quotation mark that is never closed would swallow the rest of the file."""
    if '"' not in body:
        return True
    most = max(200, body.count("\n") // 2)
    reader, last = csv.reader(io.StringIO(body, newline=""), delimiter=delimiter), 0
    for _ in reader:
        if reader.line_num - last > most:
            return False
        last = reader.line_num
    return body.rstrip()[-1:] == '"' or body.count('"') % 2 == 0


def _delimiter(body: str) -> str:
    """The delimiter under which most rows have the same number of cells, more than one.

    One that only stands inside quotation marks is none, unless the marks fit no delimiter at all.
    """
    for strict in (True, False):
        best, most = "", (0.0, 0)
        for delimiter in DELIMITERS:
            sample = _sample(body, delimiter, strict)
            widths = Counter(len(cells) for cells in sample[: max(1, len(sample) - 1)] if cells)
            wide = [(count / widths.total(), width) for width, count in widths.items() if width > 1]
            score = max(wide, default=(0.0, 0))
            if score > most:
                best, most = delimiter, score
        if best:
            return best
    return ","


def _sample(body: str, delimiter: str, strict: bool) -> list[list[str]]:
    """The first rows under this delimiter; none where, strictly, something follows a closing quotation mark."""
    rows: list[list[str]] = []
    try:
        rows.extend(
            islice(csv.reader(io.StringIO(body[:65_536], newline=""), delimiter=delimiter, strict=strict), LOOK)
        )
    except csv.Error as error:
        # the sample may end inside a cell
        return rows if "unexpected end" in str(error) else []
    return rows
