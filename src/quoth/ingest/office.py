"""Word files to a document: `read_docx`. `read_xlsx` is in `sheets`.

Covered: paragraphs, headings, lists, tables, text boxes, foot- and endnotes, content controls, tracked
changes (as if accepted), hidden text. Not covered: page numbers (Word files have none), automatic
numbering, headers and footers, comments, formulas' layout, charts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePath

from quoth.errors import ReadError
from quoth.ingest.package import Element, Package, attribute, child, local, switched_on
from quoth.ingest.paragraphs import tidy
from quoth.ingest.sheets import read_xlsx
from quoth.ingest.tables import header, row_text
from quoth.types import Document, Mark

__all__ = ["read_docx", "read_xlsx"]

GONE = {
    "del",
    "moveFrom",
    "delText",
    "instrText",
    "Fallback",
    "pPr",
    "rPr",
    "sectPr",
    "tblPr",
    "trPr",
    "tcPr",
    "rt",
}
"""Elements whose content is deleted, is said a second time or is no text."""
SIGNS = {"tab": "\t", "ptab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-"}
BLOCKS = {"p", "tbl"}
PROGRAM_TITLES = re.compile(r"(microsoft )?word.*|untitled.*|document\d*|title|\W*|.*\.(docx?|dotx?)", re.I)
DEEPEST = 60


@dataclass(slots=True)
class _Style:
    """What a paragraph style means here: its heading level (0 is none), and whether it hides or is a list's."""

    level: int = 0
    hidden: bool = False
    listed: bool = False
    title: bool = False


@dataclass(slots=True)
class _Text:
    """The document as it is put together."""

    styles: dict[str, _Style]
    notes: dict[tuple[str, str], Element]
    parts: list[str] = field(default_factory=list)
    length: int = 0
    marks: list[Mark] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)
    title: str = ""
    listing: bool = False

    def add(self, text: str, after: str = "\n\n") -> None:
        """One more paragraph, and what parts it from the next."""
        self.parts.append(text + after)
        self.length += len(text) + len(after)

    def begin(self, listed: bool) -> None:
        """A blank line where a list ends."""
        if self.listing and not listed:
            self.add("", "\n")
        self.listing = listed


@dataclass(slots=True)
class _Run:
    """The words of a paragraph: those that show, those that do not, and what hangs on it."""

    shown: list[str] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)
    boxes: list[Element] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)
    pictures: int = 0


def read_docx(data: bytes, path: str, password: str | None = None) -> tuple[Document, ...]:
    """The one document of a Word file; headings are marks, a table row is a line.

    Raises ReadError for a file that is encrypted, damaged, or unpacks to too much.
    """
    package = Package(data)
    main = package.main("word/document.xml")
    body = child(package.xml(main), "body")
    if body is None:
        raise ReadError("the file is damaged: it has no body", "open it in a word processor and save it anew")
    related = {kind: part for kind, part in package.related(main).values() if part in package}
    text = _Text(_styles(package, related), _notes(package, related))
    _blocks(text, body, 0)
    title, modified = package.properties()
    if len(title) < 3 or PROGRAM_TITLES.fullmatch(title):
        title = text.title or next((mark.value for mark in text.marks), "") or PurePath(path).name
    whole = "".join(text.parts).rstrip("\n")
    whole += "\n" if whole else ""
    marks = tuple(mark for mark in text.marks if mark.start < len(whole))
    return (Document(path, "docx", title[:300], whole, marks, modified=modified, hidden="\n".join(text.hidden)),)


def _styles(package: Package, related: dict[str, str]) -> dict[str, _Style]:
    """Style id → what it means, with what it inherits."""
    if "styles" not in related:
        return {}
    raw = {attribute(style, "styleId"): style for style in package.xml(related["styles"]) if local(style) == "style"}
    return {name: _style(raw, name) for name in raw}


def _style(raw: dict[str, Element], name: str) -> _Style:
    found, seen = _Style(), set()
    while name in raw and name not in seen:
        seen.add(name)
        style = raw[name]
        called = attribute(child(style, "name"), "val").lower()
        heading = re.fullmatch(r"heading ([1-9])", called)
        outline = attribute(child(style, "pPr", "outlineLvl"), "val")
        if not found.level and heading:
            found.level = int(heading[1])
        elif not found.level and outline.isdigit() and int(outline) < 9:
            found.level = int(outline) + 1
        found.title = found.title or called == "title"
        found.hidden = found.hidden or switched_on(child(style, "rPr", "vanish"))
        found.listed = found.listed or child(style, "pPr", "numPr") is not None or called.startswith("list ")
        name = attribute(child(style, "basedOn"), "val")
    return found


def _notes(package: Package, related: dict[str, str]) -> dict[tuple[str, str], Element]:
    """(kind, id) → foot- or endnote."""
    found = {}
    for kind in ("footnote", "endnote"):
        if f"{kind}s" in related:
            for note in package.xml(related[f"{kind}s"]):
                if attribute(note, "type") in ("", "normal"):
                    found[kind, attribute(note, "id")] = note
    return found


def _inner(element: Element) -> Iterator[Element]:
    """Paragraphs and tables right below an element, looking through content controls and tracked insertions."""
    for one in element:
        if local(one) in BLOCKS:
            yield one
        elif local(one) not in GONE:
            yield from _inner(one)


def _blocks(text: _Text, element: Element, depth: int) -> None:
    if depth > DEEPEST:
        raise ReadError(f"the file nests tables or text boxes more than {DEEPEST} deep")
    for block in _inner(element):
        if local(block) == "tbl":
            _table(text, block, depth)
        else:
            _paragraph(text, block, depth)


def _paragraph(text: _Text, paragraph: Element, depth: int) -> None:
    properties = child(paragraph, "pPr")
    style = text.styles.get(attribute(child(properties, "pStyle"), "val"), _Style())
    run = _Run()
    _gather(run, paragraph, style.hidden)
    words = tidy("".join(run.shown))
    _keep_hidden(text, run)
    outline = attribute(child(properties, "outlineLvl"), "val")
    level = int(outline) + 1 if outline.isdigit() and int(outline) < 9 else style.level
    if words:
        numbered = child(properties, "numPr")
        inherits = style.listed and numbered is None
        listed = not level and (inherits or attribute(child(numbered, "numId"), "val", "0") != "0")
        text.begin(listed)
        if style.title and not text.title:
            text.title = " ".join(words.split())
        if level:
            text.marks.append(Mark(text.length, "heading", " ".join(words.split())[:300], level))
        text.add(f"- {words}" if listed else words, "\n" if listed else "\n\n")
    for box in run.boxes:
        _blocks(text, box, depth + 1)
    for key in run.notes:
        note = text.notes.pop(key, None)
        if note is not None:
            said = " ".join(tidy(_words(text, one)) for one in _inner(note)).strip()
            text.add(f"[{key[1]}] {said}")


def _keep_hidden(text: _Text, run: _Run) -> None:
    unseen = tidy("".join(run.hidden))
    if unseen:
        text.hidden.append(unseen)


def _gather(run: _Run, element: Element, hidden: bool) -> None:
    """The words below an element, in order."""
    for one in element:
        name = local(one)
        if name == "t":
            (run.hidden if hidden else run.shown).append(one.text or "")
        elif name in SIGNS:
            run.shown.append(SIGNS[name])
        elif name == "r":
            look = child(one, "rPr")
            _gather(
                run,
                one,
                hidden or switched_on(child(look, "vanish")) or switched_on(child(look, "webHidden")),
            )
        elif name == "txbxContent":
            run.boxes.append(one)
        elif name in ("footnoteReference", "endnoteReference"):
            run.notes.append((name.removesuffix("Reference"), attribute(one, "id")))
            run.shown.append(f"[{attribute(one, 'id')}]")
        elif name not in GONE:
            _gather(run, one, hidden)


def _words(text: _Text, block: Element) -> str:
    """The words of a paragraph or a table on one line."""
    if local(block) == "tbl":
        return " ".join(_words(text, inner) for row in _rows(block) for cell in row for inner in _inner(cell[0]))
    run = _Run()
    style = text.styles.get(attribute(child(block, "pPr", "pStyle"), "val"), _Style())
    _gather(run, block, style.hidden)
    _keep_hidden(text, run)
    boxes = [_words(text, inner) for box in run.boxes for inner in _inner(box)]
    return " ".join(["".join(run.shown), *boxes])


def _rows(table: Element) -> Iterator[list[tuple[Element, int]]]:
    """The rows of a table: (cell, columns it spans); deleted rows are left out."""
    for row in _named(table, "tr"):
        if child(row, "trPr", "del") is None:
            yield [
                (
                    cell,
                    int(span) if (span := attribute(child(cell, "tcPr", "gridSpan"), "val")).isdigit() else 1,
                )
                for cell in _named(row, "tc")
            ]


def _named(element: Element, name: str) -> Iterator[Element]:
    for one in element:
        if local(one) == name:
            yield one
        elif local(one) not in GONE and local(one) not in ("tr", "tc"):
            yield from _named(one, name)


def _table(text: _Text, table: Element, depth: int) -> None:
    """A line for each row; a table that only lays out a page gives its cells' paragraphs one after the other."""
    rows = list(_rows(table))
    if _lays_out(rows):
        for row in rows:
            for cell, _ in row:
                _blocks(text, cell, depth + 1)
        return
    lines = [_cells(text, row) for row in rows]
    filled = [line for line in lines if any(line)]
    first = child(next(_named(table, "tr"), None), "trPr", "tblHeader")
    at = header(filled, sure=switched_on(first))
    text.begin(False)
    for number, cells in enumerate(filled):
        text.add(row_text(filled[at] if at is not None and number > at else [], cells), "\n")
    if filled:
        text.add("", "\n")


def _cells(text: _Text, row: list[tuple[Element, int]]) -> list[str]:
    """The words of each column; a cell that spans several stands in the first."""
    cells = []
    for cell, span in row:
        said = " ".join(tidy(_words(text, block)) for block in _inner(cell))
        cells += [" ".join(said.split()), *[""] * (min(span, 64) - 1)]
    return cells


def _lays_out(rows: list[list[tuple[Element, int]]]) -> bool:
    """Whether a table has one column, holds tables, or has cells as long as pages."""
    if all(len(row) < 2 for row in rows):
        return True
    for row in rows:
        for cell, _ in row:
            blocks = list(_inner(cell))
            if len(blocks) > 12 or any(local(block) == "tbl" for block in blocks):
                return True
    return False
