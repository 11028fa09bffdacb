"""Text put together paragraph by paragraph: `Paragraphs`, what the readers of office files and books write into."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from quoth.ingest.tables import header, row_text
from quoth.types import Document, Mark, MarkKind

LONGEST_HEADING = 300


@dataclass(slots=True)
class Paragraphs:
    """Paragraphs with a blank line between, list items and rows of tables without; headings and pages are marks."""

    parts: list[str] = field(default_factory=list)
    length: int = 0
    marks: list[Mark] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    title: str = ""
    listing: bool = False

    def add(self, text: str, after: str = "\n\n") -> None:
        """Text as it is, and what parts it from the next."""
        self.parts.append(text + after)
        self.length += len(text) + len(after)

    def begin(self, listed: bool = False) -> None:
        """A blank line where a list ends."""
        if self.listing and not listed:
            self.add("", "\n")
        self.listing = listed

    def mark(self, kind: MarkKind, value: str = "", number: int = 0) -> None:
        """From here on the text lies at this place."""
        self.begin()
        self.marks.append(Mark(self.length, kind, value, number))

    def paragraph(self, words: str, level: int = 0, listed: bool = False, sign: str = "- ") -> None:
        """One paragraph, heading (`level` from 1) or list item with its sign; nothing if it has no words."""
        words = tidy(words)
        if not words:
            return
        if level:
            self.mark("heading", one_line(words), level)
        self.begin(listed and not level)
        self.add(sign + words if self.listing else words, "\n" if self.listing else "\n\n")

    def table(self, rows: Sequence[Sequence[str]], sure: bool = False) -> None:
        """A line for each row that holds words; `sure` says that the first one names the columns."""
        filled = [cells for cells in rows if any(cell.strip() for cell in cells)]
        if not filled:
            return
        self.begin()
        at = header(filled, sure)
        names = [" ".join(cell.split()) for cell in filled[at]] if at is not None else []
        for number, cells in enumerate(filled):
            self.add(row_text(names if at is not None and number > at else [], cells), "\n")
        self.add("", "\n")

    def hide(self, words: str) -> None:
        """Keeps words apart that a person who opens the file does not see."""
        words = tidy(words)
        if words:
            self.hidden.append(words)

    def document(self, path: str, kind: str, title: str, modified: float = 0.0) -> Document:
        """The document so far."""
        whole = "".join(self.parts).rstrip("\n")
        whole += "\n" if whole else ""
        marks = tuple(mark for mark in self.marks if mark.start < len(whole))
        hidden, notes = "\n".join(self.hidden), tuple(self.notes)
        return Document(path, kind, title[:300], whole, marks, modified=modified, hidden=hidden, notes=notes)


def tidy(text: str) -> str:
    """The text without soft hyphens and control characters, and without blanks around its lines."""
    kept = re.sub("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\xad\ufeff]", "", text).replace("\r", "\n")
    return "\n".join(line.strip(" \t") for line in kept.split("\n")).strip()


def one_line(words: str) -> str:
    """Words fit for a heading."""
    return " ".join(words.split())[:LONGEST_HEADING]
