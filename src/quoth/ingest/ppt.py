"""PowerPoint files from before 2007 (.ppt, [MS-PPT]) to a document: `read_ppt`, which looks as that of a .pptx does.

Covered: PowerPoint 97 to 2003: text, lists, tables, groups, speaker notes; hidden slides, hidden shapes and
shapes off the slide are kept apart; a footer is read once; files with a password (with the extra `office`).
Not covered: slide numbers and dates, text of the master, comments, charts and other embedded objects.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import PurePath
from typing import NamedTuple

from quoth.errors import ReadError
from quoth.ingest.compound import HINT, Compound, summary
from quoth.ingest.paragraphs import Paragraphs, one_line
from quoth.types import Document

DOCUMENT, SIZE, SLIDE, SLIDE_HEAD, SLIDE_SHOW, NOTES = 0x3E8, 0x3E9, 0x3EE, 0x3EF, 0x3F9, 0x3F0
LIST, PERSIST, DRAWING = 0xFF0, 0x3F3, 0x40C
FOOTERS, FOOTERS_HEAD, STRING = 0xFD9, 0xFDA, 0xFBA
HEADER, WIDE, NARROW, REFERENCE = 0xF9F, 0xFA0, 0xFA8, 0xF9E
FIELDS = (0xFD8, 0xFF7, 0xFF8, 0xFF9, 0xFFA, 0x1015)
"""Records that put a slide's number, a date or a footer where the text has a star."""
GROUP, SHAPE, BOX, ANCHOR, INNER_ANCHOR = 0xF003, 0xF004, 0xF00D, 0xF010, 0xF00F
LOOKS = (0xF00B, 0xF121, 0xF122)
HIDDEN, TABLE = 0x3BF, 0x39F
EDIT, DIRECTORY = 0xFF5, 0x1772
LOCKED = 0xF3D1C4DF
TITLES, BODIES, NOTE = (0, 6), (1, 5, 7, 8), 2
"""What a text is, as its header says: the title, the slide's body, the speaker's notes."""
PROGRAM_TITLES = re.compile(
    r"(microsoft )?powerpoint.*|untitled.*|(presentation|slide)\s*\d*|\W*|.*\.(ppt|pps|pot)", re.I
)
DEEPEST = 60
ROUNDED = 8
"""Units (576 to the inch) within which cells of a table begin in the same row or column."""


class _Record(NamedTuple):
    """A record: what it is, and its content."""

    kind: int
    instance: int
    body: memoryview


@dataclass(slots=True)
class _Text:
    """The words of one shape: what they are, and their paragraphs."""

    kind: int = 4
    lines: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Shape:
    """A shape with words, or a table of such; `anchor` is left, top, right and bottom in units of the slide."""

    text: _Text = field(default_factory=_Text)
    hidden: bool = False
    anchor: tuple[int, int, int, int] | None = None
    cells: list[_Shape] | None = None


@dataclass(slots=True)
class _Show:
    """The presentation: its parts by number, its texts by the number of their slide, its size."""

    parts: dict[int, memoryview]
    outline: dict[int, list[_Text]]
    size: tuple[int, int]
    footer: list[str]
    said: set[str] = field(default_factory=set)


def read_ppt(data: bytes, path: str, password: str | None = None) -> tuple[Document, ...]:
    """The one document of a PowerPoint file: a page mark for each slide, its title as heading, then its notes.

    Raises ReadError for a file that is damaged, Encrypted for one whose password is missing or wrong.
    """
    file = Compound(data)
    try:
        if _locked(file):
            from quoth.ingest.sealed import unsealed

            file = Compound(unsealed(data, password))
        flow = _read(file)
    except (struct.error, IndexError, RecursionError):
        raise ReadError("the file is damaged: what says where its slides stand makes no sense", HINT) from None
    title, modified = summary(file)
    if len(title) < 3 or PROGRAM_TITLES.fullmatch(title):
        title = next((mark.value for mark in flow.marks if mark.value), "") or PurePath(path).name
    return (flow.document(path, "ppt", title, modified),)


def _stream(file: Compound, name: str) -> bytes:
    return file.find(name, f"pp97_dualstorage/{name}")


def _locked(file: Compound) -> bool:
    user = _stream(file, "current user")
    return len(user) >= 16 and struct.unpack_from("<I", user, 12)[0] == LOCKED


def _records(body: memoryview) -> Iterator[_Record]:
    """The records that a record (or the stream) holds; one that is cut off ends them."""
    at = 0
    while at + 8 <= len(body):
        head, kind, length = struct.unpack_from("<HHI", body, at)
        yield _Record(kind, head >> 4, body[at + 8 : at + 8 + length])
        at += 8 + length


def _inside(body: memoryview, kind: int) -> memoryview | None:
    return next((record.body for record in _records(body) if record.kind == kind), None)


def _read(file: Compound) -> Paragraphs:
    stream = _stream(file, "powerpoint document")
    user = _stream(file, "current user")
    start = struct.unpack_from("<I", user, 16)[0] if len(user) >= 20 else len(stream)
    if stream[start + 2 : start + 4] != EDIT.to_bytes(2, "little"):
        start = stream.rfind(b"\xf5\x0f\x1c\0\0\0") - 2  # the last that was saved, where its place is lost
    parts, number = _parts(memoryview(stream), start)
    if number not in parts:
        raise ReadError("the file is damaged: its slides are missing", HINT)
    main = parts[number]
    size = _inside(main, SIZE)
    show = _Show(parts, {}, struct.unpack_from("<ii", size) if size is not None else (0, 0), list(_footers(main, 3)))
    slides, notes = list[int](), dict[int, int]()
    for record in _records(main):
        if record.kind == LIST and record.instance == 0:
            slides += _listed(record.body, show.outline).values()
        elif record.kind == LIST and record.instance == 2:
            notes |= _listed(record.body, {})
    flow, seen = Paragraphs(), set[int]()
    for place, number in enumerate(slides, 1):
        if number not in parts or number in seen:
            flow.notes.append(f"slide {place} is missing from the file")
            continue
        seen.add(number)
        _slide(flow, show, place, number, notes)
    if seen and not flow.parts and not flow.hidden:
        flow.notes.append("none of its slides holds text")
    return flow


def _parts(stream: memoryview, start: int) -> tuple[dict[int, memoryview], int]:
    """The parts of the file by number, each as it was saved last, and the number of its main part."""
    places: dict[int, int] = {}
    main, last = 0, len(stream)
    while 0 <= start < last:
        last = start
        kind, _, before, directory, document = struct.unpack_from("<2xHI8xIII", stream, start)
        if kind != EDIT:
            break
        main = main or document
        kind, length = struct.unpack_from("<HI", stream, directory + 2)
        entries = stream[directory + 8 : directory + 8 + length] if kind == DIRECTORY else stream[:0]
        at = 0
        while at + 4 <= len(entries):
            number = struct.unpack_from("<I", entries, at)[0]
            number, count = number & 0xFFFFF, min(number >> 20, (len(entries) - at - 4) // 4)
            for step, place in enumerate(struct.unpack_from(f"<{count}I", entries, at + 4)):
                places.setdefault(number + step, place)
            at += 4 + 4 * count
        start = before or -1
    parts = {}
    for number, place in places.items():
        if place + 8 <= len(stream):
            parts[number] = stream[place + 8 : place + 8 + struct.unpack_from("<I", stream, place + 4)[0]]
    return parts, main


def _listed(body: memoryview, outline: dict[int, list[_Text]]) -> dict[int, int]:
    """Identity → number of the parts in a list of slides or notes; their texts go to `outline`."""
    found: dict[int, int] = {}
    number = 0
    for record in _records(body):
        if record.kind == PERSIST:
            number, identity = struct.unpack_from("<I8xI", record.body)
            found[identity] = number
            outline[number] = []
        elif number:
            _take(record, outline[number])
    return found


def _take(record: _Record, texts: list[_Text]) -> None:
    """Adds what a record says about a text: its header begins one, its words and fields follow."""
    if record.kind == HEADER:
        texts.append(_Text(struct.unpack_from("<I", record.body)[0]))
    elif record.kind in (WIDE, NARROW):
        raw = bytes(record.body)
        said = raw.decode("utf-16-le" if record.kind == WIDE else "latin-1", "replace")
        texts[:] = texts or [_Text()]
        texts[-1].lines = re.sub("[\x0b\x0c]", "\n", said).split("\r")
    elif record.kind in FIELDS and texts and len(record.body) >= 4:
        # a star stands for each: it has a character's place, and no words of its own
        place = struct.unpack_from("<I", record.body)[0]
        whole = "\r".join(texts[-1].lines)
        if whole[place : place + 1] == "*":
            texts[-1].lines = f"{whole[:place]}\0{whole[place + 1 :]}".split("\r")


def _slide(flow: Paragraphs, show: _Show, place: int, number: int, notes: dict[int, int]) -> None:
    """One slide and its notes; a hidden slide goes to what is hidden."""
    slide = show.parts[number]
    showing = _inside(slide, SLIDE_SHOW)
    hidden = showing is not None and len(showing) >= 12 and bool(struct.unpack_from("<H", showing, 10)[0] & 4)
    shown = Paragraphs() if hidden else flow
    shown.mark("page", "", place)
    shapes = list(_shapes(_inside(slide, DRAWING), show.outline.get(number, []), 0))
    if not any(shape.text.lines for shape in shapes):  # without a drawing, the outline is what there is
        shapes += [_Shape(text) for text in show.outline.get(number, [])]
    titles = [shape for shape in shapes if shape.text.kind in TITLES and shape.cells is None]
    said = [one_line(" ".join(shape.text.lines)) for shape in titles]
    if not any(said):
        shown.mark("heading", "", 1)
    for shape, words in zip(titles, said, strict=True):
        if _unseen(shape, show):
            shown.hide(words)
        else:
            shown.paragraph(words, 1)
    for shape in shapes:
        if shape not in titles:
            _shape(shown, show, shape)
    for words in list(_footers(slide, 0)) or show.footer:
        if words not in show.said:
            shown.paragraph(words)
        show.said.add(words)
    head = _inside(slide, SLIDE_HEAD)
    noted = notes.get(struct.unpack_from("<I", head, 16)[0], 0) if head is not None and len(head) >= 20 else 0
    if noted in show.parts:
        _notes(shown, show.parts[noted])
    if hidden:
        for words in ("".join(shown.parts), *shown.hidden):
            flow.hide(words)


def _footers(body: memoryview, instance: int) -> Iterator[str]:
    """The footer that shows on a slide, or (3) on every slide that has none of its own."""
    for record in _records(body):
        if record.kind != FOOTERS or record.instance != instance:
            continue
        head = _inside(record.body, FOOTERS_HEAD)
        if head is None or len(head) < 4 or not struct.unpack_from("<H", head, 2)[0] & 0x20:
            continue
        for inner in _records(record.body):
            if inner.kind == STRING and inner.instance == 2:
                yield bytes(inner.body).decode("utf-16-le", "replace")


def _notes(flow: Paragraphs, notes: memoryview) -> None:
    """What the speaker wrote under the slide."""
    shapes = _shapes(_inside(notes, DRAWING), [], 0)
    lines = [line for shape in shapes if shape.text.kind == NOTE for line in shape.text.lines if line.strip("\0 \n\t")]
    if lines:
        flow.paragraph("Notes", 2)
        for words in lines:
            flow.paragraph(words)


def _shapes(body: memoryview | None, outline: list[_Text], depth: int) -> Iterator[_Shape]:
    """The shapes with words in a drawing or a group, in order."""
    if body is None or depth > DEEPEST:
        return
    for record in _records(body):
        if record.kind == SHAPE:
            shape = _own(record.body, outline)
            if shape.text.lines:
                yield shape
        elif record.kind == GROUP:
            head = _inside(record.body, SHAPE)
            looks = _looks(head) if head is not None else {}
            inner = list(_shapes(record.body, outline, depth + 1))
            if looks.get(TABLE, 0) & 1:
                yield _Shape(hidden=_is_hidden(looks), cells=inner)
            else:
                for shape in inner:
                    shape.hidden = shape.hidden or _is_hidden(looks)
                yield from inner
        elif record.kind in (0xF002, 0xF00D):
            yield from _shapes(record.body, outline, depth + 1)


def _own(body: memoryview, outline: list[_Text]) -> _Shape:
    """One shape; its words stand in it, or in the outline of its slide."""
    shape = _Shape(hidden=_is_hidden(_looks(body)))
    for record in _records(body):
        if record.kind == BOX:
            texts = list[_Text]()
            for inner in _records(record.body):
                if inner.kind == REFERENCE and len(inner.body) >= 4:
                    index = struct.unpack_from("<I", inner.body)[0]
                    texts += outline[index : index + 1]
                else:
                    _take(inner, texts)
            if texts:
                shape.text = _Text(texts[0].kind, [line for text in texts for line in text.lines])
        elif record.kind == ANCHOR and len(record.body) in (8, 16):
            top, left, right, bottom = struct.unpack("<4h" if len(record.body) == 8 else "<4i", record.body)
            shape.anchor = left, top, right, bottom
        elif record.kind == INNER_ANCHOR and len(record.body) == 16:
            shape.anchor = struct.unpack("<4i", record.body)
    return shape


def _looks(body: memoryview) -> dict[int, int]:
    """The numbers that say how a shape looks."""
    found: dict[int, int] = {}
    for record in _records(body):
        if record.kind in LOOKS:
            count = min(record.instance, len(record.body) // 6)
            found |= {name & 0x3FFF: value for name, value in struct.iter_unpack("<HI", record.body[: 6 * count])}
    return found


def _is_hidden(looks: dict[int, int]) -> bool:
    return looks.get(HIDDEN, 0) & 0x20002 == 0x20002


def _unseen(shape: _Shape, show: _Show) -> bool:
    """Whether a shape is switched off or lies wholly outside the slide."""
    if shape.hidden or shape.anchor is None or not all(show.size):
        return shape.hidden
    left, top, right, bottom = shape.anchor
    return left >= show.size[0] or top >= show.size[1] or right < 0 or bottom < 0


def _shape(flow: Paragraphs, show: _Show, shape: _Shape) -> None:
    if shape.cells is not None:
        rows = list(_rows(shape.cells))
        if shape.hidden:
            flow.hide("\n".join(" | ".join(row) for row in rows))
        else:
            flow.table(rows, sure=True)
        return
    lines = [line for line in shape.text.lines if line.strip("\0 \n\t")]
    if _unseen(shape, show):
        flow.hide("\n".join(lines))
        return
    for line in lines:
        flow.paragraph(line, listed=len(lines) > 1 and shape.text.kind in BODIES)
    flow.begin()


def _rows(cells: list[_Shape]) -> Iterator[list[str]]:
    """The rows of a table whose cells are shapes beside and below each other."""
    placed = [(one.anchor[1] // ROUNDED, one.anchor[0] // ROUNDED, one) for one in cells if one.anchor]
    columns = sorted({column for _, column, _ in placed})
    for _, row in groupby(sorted(placed, key=_by_place), key=_by_row):
        said = {column: " ".join(shape.text.lines) for _, column, shape in row}
        yield [said.get(column, "") for column in columns]


def _by_place(cell: tuple[int, int, _Shape]) -> tuple[int, int]:
    return cell[0], cell[1]


def _by_row(cell: tuple[int, int, _Shape]) -> int:
    return cell[0]
