"""Word files from before 2007 (.doc) to a document: `read_doc`, which looks as that of a .docx does.

Covered: Word 97 to 2003 with headings, lists, tables, foot- and endnotes, text boxes (at the end), hidden text,
deleted text (left out), results of fields; Word 6 and 95, of which the words are read without headings; files
with a password (with the extra `office`). Not covered: page numbers (Word files have none), automatic
numbering, headers and footers, comments, symbols from fonts of signs, looks that a quick save put aside.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePath

from quoth.errors import ReadError
from quoth.ingest.compound import HINT, Compound, summary
from quoth.ingest.paragraphs import Paragraphs, one_line, tidy
from quoth.ingest.wordbin import (
    END_REFERENCES,
    END_TEXTS,
    FOOT_REFERENCES,
    FOOT_TEXTS,
    HIDDEN,
    Look,
    Word,
)
from quoth.types import Document

FOOTNOTES, ENDNOTES, BOXES = 1, 5, 6
"""Where in the order of a file's texts these stand."""
PROGRAM_TITLES = re.compile(r"(microsoft )?word.*|untitled.*|document\d*|title|\W*|.*\.(docx?|dotx?|wps)", re.I)
SIGNS = {0x0B: "\n", 0x0C: "\n", 0x0E: "\n", 0x1E: "-"}
"""What signs stand for that only Word writes; others like them say nothing."""
CELL = "\x07"
PAGES_LONG = 12
"""Paragraphs in a cell from which on a table only lays out a page."""


@dataclass(slots=True)
class _Row:
    """A table's row: the paragraphs of each cell, and where its columns begin."""

    cells: list[list[str]] = field(default_factory=list)
    edges: tuple[int, ...] = ()


@dataclass(slots=True)
class _Reading:
    """A file as it is read: what shows of it, its notes by the position of their reference, the table at hand."""

    word: Word
    mask: bytearray
    notes: dict[int, tuple[int, int]]
    numbers: dict[int, int]
    references: list[int]
    flow: Paragraphs = field(default_factory=Paragraphs)
    rows: list[_Row] = field(default_factory=list)
    cell: list[str] = field(default_factory=list)
    nested: bool = False


def read_doc(data: bytes, path: str, password: str | None = None) -> tuple[Document, ...]:
    """The one document of a Word file; headings are marks, a table row is a line.

    Raises ReadError for a file that is damaged or too old, Encrypted for one whose password is missing or wrong.
    """
    file = Compound(data)
    word = Word(file)
    if word.encrypted:
        from quoth.ingest.sealed import unsealed

        file = Compound(unsealed(data, password))
        word = Word(file)
        if word.encrypted:
            raise ReadError("the file is encrypted in a way that is not supported", "save it without a password")
    flow = _laid_out(word)
    if not flow.parts and len(word.text) < word.starts[1]:
        raise ReadError("the file is damaged: its text is missing", HINT)
    title, modified = summary(file)
    if len(title) < 3 or PROGRAM_TITLES.fullmatch(title):
        title = flow.title or next((mark.value for mark in flow.marks), "") or PurePath(path).name
    return (flow.document(path, "doc", title, modified),)


def _laid_out(word: Word) -> Paragraphs:
    notes = word.notes(FOOT_REFERENCES, FOOT_TEXTS, FOOTNOTES)
    numbers = {position: number for number, position in enumerate(sorted(notes), 1)}
    ends = word.notes(END_REFERENCES, END_TEXTS, ENDNOTES)
    numbers |= {position: number for number, position in enumerate(sorted(ends), 1)}
    text = _Reading(word, word.mask(), notes | ends, numbers, sorted(numbers))
    for part in (0, BOXES):
        for start, end in _paragraphs(word, word.starts[part], word.starts[part + 1]):
            _paragraph(text, start, end)
        _table(text)
    text.flow.begin()
    return text.flow


def _paragraphs(word: Word, start: int, end: int) -> Iterator[tuple[int, int]]:
    """(start, where its mark stands) of every paragraph between two positions."""
    for match in re.compile(r"[\r\x07\x0c]").finditer(word.text, start, end):
        yield start, match.start()
        start = match.end()
    if start < end:
        yield start, end


def _paragraph(text: _Reading, start: int, end: int) -> None:
    look = text.word.look(min(end, len(text.word.text) - 1))
    mark = text.word.text[end : end + 1]
    words = _words(text, start, end, look.hidden)
    if mark == CELL or look.in_table:
        _in_table(text, words, mark == CELL, look)
    else:
        _table(text)
        if look.title and not text.flow.title:
            text.flow.title = one_line(words)
        text.flow.paragraph(words, look.level, look.listed)
    for position in _between(text.references, start, end + 1):
        if position not in text.notes:  # two paragraphs meet at it
            continue
        first, last = text.notes.pop(position)
        said = [_words(text, *one, False) for one in _paragraphs(text.word, first, last)]
        note = f"[{text.numbers[position]}] {' '.join(' '.join(said).split())}"
        if look.in_table:
            text.cell.append(note)
        else:
            text.flow.paragraph(note)


def _between(positions: list[int], first: int, last: int) -> list[int]:
    """Those of ascending positions from the first on, up to before the last."""
    return positions[bisect_left(positions, first) : bisect_left(positions, last)]


def _words(text: _Reading, start: int, end: int, hidden: bool) -> str:
    """The words that show between two positions; those that do not are kept apart."""
    shown, unseen, whole = list[str](), list[str](), text.word.text
    for match in re.compile(rb"\x00+|\x01+").finditer(text.mask, start, end):
        first, last = match.span()
        if hidden or text.mask[first] == HIDDEN:
            unseen.append(whole[first:last])
            continue
        for position in _between(text.references, first, last):
            shown += [whole[first:position], f"[{text.numbers[position]}]"]
            first = position
        shown.append(whole[first:last])
    text.flow.hide(_joined(unseen))
    return tidy(_joined(shown))


def _in_table(text: _Reading, words: str, ends: bool, look: Look) -> None:
    """A paragraph of a cell; the mark of a cell ends it, that of a row ends the row."""
    if not text.rows:
        text.rows.append(_Row())
    row = text.rows[-1]
    unknown = not look.in_table and not words and not text.cell and bool(row.cells)
    if ends and (look.row_end or unknown):
        row.edges = look.edges
        text.rows.append(_Row())
        return
    text.nested = text.nested or look.nested
    if words:
        text.cell.append(words)
    if ends:
        row.cells.append(text.cell)
        text.cell = []


def _table(text: _Reading) -> None:
    """A line for each row; a table that only lays out a page gives its cells' paragraphs one after the other."""
    if text.cell:
        text.rows[-1].cells.append(text.cell)
    rows = [row for row in text.rows if any(row.cells)]
    nested, text.rows, text.cell, text.nested = text.nested, [], [], False
    if not rows:
        return
    cells = [cell for row in rows for cell in row.cells]
    if nested or all(len(row.cells) < 2 for row in rows) or any(len(cell) > PAGES_LONG for cell in cells):
        for cell in cells:
            for words in cell:
                text.flow.paragraph(words)
        return
    columns = sorted({edge for row in rows for edge in row.edges if len(row.edges) == len(row.cells)})
    text.flow.table([_columns(row, columns) for row in rows])


def _columns(row: _Row, columns: list[int]) -> list[str]:
    """The words of each column; a cell that spans several stands in the first."""
    said = [" ".join(" ".join(cell).split()) for cell in row.cells]
    if len(row.edges) != len(said) or len(set(row.edges)) < len(said):
        return said
    placed = dict(zip(row.edges, said, strict=True))
    return [placed.get(edge, "") for edge in columns]


def _joined(parts: list[str]) -> str:
    """Parts of the text together, halves of characters joined."""
    return "".join(parts).translate(SIGNS).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
