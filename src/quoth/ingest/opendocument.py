"""OpenDocument texts and presentations to a document: `read_odt`, `read_odp`; zipped or as one flat XML file.

Covered: headings, lists, tables, text boxes, foot- and endnotes, slides with their notes; tracked deletions are
gone; hidden text, sections, slides and what styles hide are kept apart. Not covered: page numbers, automatic
numbering, headers and footers, the table of contents, comments, formulas, charts, form fields.
Files with a password open with it (with the extra `office`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import PurePath

from quoth.errors import ReadError
from quoth.ingest.package import Element, Package, attribute, child, inside, local, moment, parsed
from quoth.ingest.paragraphs import Paragraphs, tidy
from quoth.ingest.sealedodf import unsealed_zip
from quoth.types import Document

DEEPEST = 60
MOST_SPACES = 1_000
MOST_COLUMNS = 64
GONE = set(
    str.split(
        "tracked-changes table-of-content annotation annotation-end title desc forms script event-listeners object"
        " object-ole image ruby-text sequence-decls variable-decls user-field-decls page-number notes settings"
        " footer header date-time"
    )
)
"""Elements whose content is deleted, is said a second time or is no text of the page."""
FURNITURE = {"footer", "header", "date-time"}
"""Classes of shapes that say the same on slide after slide."""
SHAPES = set(
    str.split(
        "frame text-box g a custom-shape rect ellipse circle line polyline polygon path connector caption measure"
        " regular-polygon page-thumbnail control"
    )
)
CHANGING = re.compile(r"[ \t\r\n]+")


@dataclass(slots=True)
class Style:
    """What a style says that matters here."""

    parent: str = ""
    hidden: bool = False
    called: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """An OpenDocument file opened: its body, the styles by family and name, its title and last change."""

    body: Element
    styles: dict[tuple[str, str], Style]
    title: str
    modified: float


@dataclass(slots=True)
class _Reading:
    """The text so far, and the notes that hang on the paragraph being read."""

    flow: Paragraphs
    styles: dict[tuple[str, str], Style]
    pending: list[str] = field(default_factory=list)
    boxes: list[Element] = field(default_factory=list)


@dataclass(slots=True)
class _Run:
    """The words of a paragraph: those that show and those that do not; whether the last one was a blank."""

    shown: list[str] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)

    def write(self, words: str, hidden: bool) -> None:
        """Running text, its blanks made single as the format asks."""
        pieces = self.hidden if hidden else self.shown
        words = CHANGING.sub(" ", words)
        if words[:1] == " " and (not pieces or pieces[-1][-1:] in (" ", "\n")):
            words = words[1:]
        if words:
            pieces.append(words)


def read_odt(data: bytes, path: str, password: str | None = None) -> tuple[Document, ...]:
    """The one document of a text file; headings are marks, a table row is a line.

    Raises ReadError for a file that is encrypted, damaged, or unpacks to too much.
    """
    source = opened(data, "text", password)
    reading = _Reading(Paragraphs(), source.styles)
    try:
        _blocks(reading, source.body, 0)
    except RecursionError:
        raise ReadError("the file nests its parts too deeply") from None
    return (reading.flow.document(path, "odt", _title(source, reading.flow, path), source.modified),)


def read_odp(data: bytes, path: str, password: str | None = None) -> tuple[Document, ...]:
    """The one document of a presentation: a page mark for each slide, its title as heading, then its notes."""
    source = opened(data, "presentation", password)
    flow, footers, number = Paragraphs(), set[str](), 0
    try:
        for page in source.body:
            if local(page) == "page":
                number += 1
                _slide(flow, source, page, number, footers)
    except RecursionError:
        raise ReadError("the file nests its shapes too deeply") from None
    return (flow.document(path, "odp", _title(source, flow, path), source.modified),)


def opened(data: bytes, body: str, password: str | None) -> Source:
    """The file opened, its body of this name ("text", "presentation") found."""
    if data.startswith(b"PK"):
        package = Package(unsealed_zip(data, password))
        roots = [package.xml(name) for name in ("content.xml", "styles.xml", "meta.xml") if name in package]
        if "content.xml" not in package:
            raise ReadError("the file is damaged: it lacks its part content.xml", "open it in an office program")
    else:
        roots = [parsed(data, "the file")]
    inner = child(roots[0], "body", body)
    if inner is None:
        raise ReadError(f"the file is damaged: it has no {body}", "open it in an office program and save it anew")
    styles: dict[tuple[str, str], Style] = {}
    for root in roots:
        for group in ("styles", "automatic-styles"):
            styles.update(_styles(inside(root, group)))
    return Source(inner, styles, *properties(roots))


def properties(roots: list[Element]) -> tuple[str, float]:
    """(title, POSIX seconds of the last change) as the file states them; "" and 0 where it does not."""
    title, changed = "", 0.0
    for root in roots:
        for one in inside(root, "meta"):
            if local(one) == "title":
                title = " ".join((one.text or "").split())
            elif local(one) == "date" or (local(one) == "creation-date" and not changed):
                changed = moment((one.text or "").strip()) or changed
    return title, changed


def _title(source: Source, flow: Paragraphs, path: str) -> str:
    named = source.title if len(source.title) > 2 else ""
    return named or flow.title or next((mark.value for mark in flow.marks if mark.value), "") or PurePath(path).name


def _styles(group: list[Element]) -> Iterator[tuple[tuple[str, str], Style]]:
    for one in group:
        if local(one) == "style":
            look = {name: value for inner in one for name, value in _looks(inner)}
            hidden = (
                look.get("text-properties display") == "none"
                or look.get("drawing-page-properties visibility") == "hidden"
                or look.get("table-properties display") == "false"
            )
            called = attribute(one, "display-name") or attribute(one, "name")
            yield (
                (attribute(one, "family"), attribute(one, "name")),
                Style(attribute(one, "parent-style-name"), hidden, called.lower()),
            )


def _looks(properties: Element) -> Iterator[tuple[str, str]]:
    for key, value in properties.items():
        yield f"{local(properties)} {key.rpartition('}')[2]}", value


def _styled(styles: dict[tuple[str, str], Style], family: str, name: str) -> list[Style]:
    """A style and those that it inherits from."""
    found: list[Style] = []
    while (style := styles.get((family, name))) is not None and len(found) < DEEPEST:
        found.append(style)
        name = style.parent
    return found


def _hides(reading: _Reading, element: Element, family: str) -> bool:
    return any(style.hidden for style in _styled(reading.styles, family, attribute(element, "style-name")))


def _blocks(reading: _Reading, blocks: Iterable[Element], depth: int, listed: bool = False) -> None:
    """The paragraphs, lists, tables and text boxes among and below these, in order."""
    if depth > DEEPEST:
        raise ReadError(f"the file nests its parts more than {DEEPEST} deep")
    first = listed
    for block in blocks:
        name = local(block)
        if name in ("p", "h"):
            _paragraph(reading, block, depth, first)
            first = False
        elif name == "table":
            _table(reading, block, depth)
        elif name == "section" and _conceals(block):
            reading.flow.hide("\n".join(words for one in block.iter() if (words := _own(one))))
        elif name in ("list-item", "list-header"):
            _blocks(reading, block, depth + 1, name == "list-item")
        elif name not in GONE:
            _blocks(reading, block, depth + 1)


def _conceals(element: Element) -> bool:
    display = attribute(element, "display", "true")
    return display == "none" or (display == "condition" and attribute(element, "is-hidden") == "true")


def _own(element: Element) -> str:
    return " ".join("".join(element.itertext()).split()) if local(element) in ("p", "h") else ""


def _paragraph(reading: _Reading, paragraph: Element, depth: int, listed: bool) -> None:
    flow, run = reading.flow, _Run()
    _gather(reading, run, paragraph, _hides(reading, paragraph, "paragraph"), depth)
    flow.hide("".join(run.hidden))
    outline = attribute(paragraph, "outline-level", "1")
    level = min(int(outline), 10) if local(paragraph) == "h" and outline.isdecimal() else 0
    words = "".join(run.shown)
    named = _styled(reading.styles, "paragraph", attribute(paragraph, "style-name"))
    if not flow.title and any(style.called == "title" for style in named):
        flow.title = " ".join(words.split())
    flow.paragraph(words, level, listed)
    boxes, notes = reading.boxes, reading.pending
    reading.boxes, reading.pending = [], []
    for box in boxes:
        _blocks(reading, box, depth + 1)
    for note in notes:
        flow.paragraph(note)


def _gather(reading: _Reading, run: _Run, element: Element, hidden: bool, depth: int) -> None:
    """The words below an element, in order; text boxes and notes are put aside."""
    if depth > DEEPEST:
        raise ReadError(f"the file nests its parts more than {DEEPEST} deep")
    run.write(element.text or "", hidden)
    for one in element:
        name = local(one)
        pieces = run.hidden if hidden else run.shown
        if name == "s":
            pieces.append(" " * min(int(_count(one, "c")), MOST_SPACES))
        elif name in ("tab", "line-break"):
            pieces.append("\t" if name == "tab" else "\n")
        elif name == "note":
            _note(reading, run, one, hidden, depth)
        elif name in ("frame", "g", "text-box", "custom-shape") and not hidden:
            reading.boxes.append(one)
        elif name not in GONE or name in ("page-number", "title"):
            off = hidden or name in ("hidden-text", "hidden-paragraph") or _conceals(one)
            _gather(reading, run, one, off or (name == "span" and _hides(reading, one, "text")), depth + 1)
        run.write(one.tail or "", hidden)


def _note(reading: _Reading, run: _Run, note: Element, hidden: bool, depth: int) -> None:
    """A sign in the paragraph, and the note's words for after it."""
    citation = child(note, "note-citation")
    sign = " ".join("".join(citation.itertext()).split())[:20] if citation is not None else "*"
    body = child(note, "note-body")
    words = _words(reading, body, depth + 1) if body is not None else ""
    if hidden:
        reading.flow.hide(words)
    else:
        run.shown.append(f"[{sign}]")
        reading.pending.append(f"[{sign}] {words}")


def _words(reading: _Reading, element: Element, depth: int) -> str:
    """The words below an element on one line, with those of its text boxes; what is hidden is kept apart."""
    if depth > DEEPEST:
        raise ReadError(f"the file nests its parts more than {DEEPEST} deep")
    said: list[str] = []
    for one in element:
        name = local(one)
        if name in ("p", "h"):
            run, outer = _Run(), reading.boxes
            reading.boxes = []
            _gather(reading, run, one, _hides(reading, one, "paragraph"), depth)
            boxes, reading.boxes = reading.boxes, outer
            reading.flow.hide("".join(run.hidden))
            said += ["".join(run.shown), *(_words(reading, box, depth + 1) for box in boxes)]
        elif name not in GONE:
            said.append(_words(reading, one, depth + 1))
    return " ".join(tidy(" ".join(said)).split())


def _table(reading: _Reading, table: Element, depth: int) -> None:
    """A line for each row; a table that only lays out a page gives its cells' paragraphs one after the other."""
    rows = list(_rows(table))
    if _lays_out(rows):
        for row in rows:
            for cell in row:
                _blocks(reading, cell, depth + 1)
        return
    lines = [_cells(reading, row, depth) for row in rows]
    reading.flow.table(lines, sure=child(table, "table-header-rows") is not None)
    for note in reading.pending:
        reading.flow.paragraph(note)
    reading.pending = []


def _rows(table: Element) -> Iterator[list[Element]]:
    for one in table:
        if local(one) == "table-row":
            yield [cell for cell in one if local(cell) in ("table-cell", "covered-table-cell")]
        elif local(one) in ("table-header-rows", "table-rows", "table-row-group"):
            yield from _rows(one)


def _cells(reading: _Reading, row: list[Element], depth: int) -> list[str]:
    cells: list[str] = []
    for cell in row:
        words = "" if local(cell) == "covered-table-cell" else _words(reading, cell, depth + 1)
        cells += [words] * min(int(_count(cell, "number-columns-repeated")), max(1, MOST_COLUMNS - len(cells)))
    return cells


def _lays_out(rows: list[list[Element]]) -> bool:
    """Whether a table has one column, holds tables, or has cells as long as pages."""
    if all(len(row) < 2 for row in rows):
        return True
    return any(len(cell) > 12 or any(local(one) == "table" for one in cell) for row in rows for cell in row)


def _count(element: Element, name: str) -> str:
    value = attribute(element, name, "1")
    return value if value.isdecimal() and len(value) < 10 else "1"


def _slide(flow: Paragraphs, source: Source, page: Element, number: int, footers: set[str]) -> None:
    """One slide and its notes; a hidden slide goes to what is hidden. A date or footer is read once."""
    unseen = any(one.hidden for one in _styled(source.styles, "drawing-page", attribute(page, "style-name")))
    reading = _Reading(Paragraphs() if unseen else flow, source.styles)
    shown = reading.flow
    shown.mark("page", "", number)
    shapes = [one for one in page if local(one) in SHAPES or local(one) == "table"]
    titles = [one for one in shapes if attribute(one, "class") == "title"]
    words = ["" if _waits(one) else _words(reading, one, 0) for one in titles]
    if not any(words):
        shown.mark("heading", "", 1)
    for title in words:
        shown.paragraph(title, 1)
    titled = set(titles)
    for shape in shapes:
        kind, words_of = attribute(shape, "class"), " ".join("".join(shape.itertext()).split())
        said_before = kind in FURNITURE and words_of in footers
        footers |= {words_of} if kind in FURNITURE else set()
        if shape not in titled and kind != "page-number" and not said_before and not _waits(shape):
            _blocks(reading, [shape], 0)
            shown.begin()
    frames = [one for one in inside(page, "notes") if attribute(one, "class") == "notes"]
    frames = [one for one in frames if not _waits(one)]
    if any("".join(one.itertext()).strip() for one in frames):
        shown.paragraph("Notes", 2)
        for frame in frames:
            _blocks(reading, frame, 0)
    if unseen:
        for some in ("".join(shown.parts), *shown.hidden):
            flow.hide(some)


def _waits(shape: Element) -> bool:
    """Whether a shape is a placeholder that nobody has filled."""
    return attribute(shape, "placeholder") == "true"
