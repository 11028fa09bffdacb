"""PowerPoint files to a document: `read_pptx`, a page mark for each slide, its title as heading, then its notes.

Slides come in the order of the show, shapes in the order in which PowerPoint reads them aloud, title first.
Covered: text, lists, tables, groups, the words of charts and SmartArt, speaker notes; hidden slides, hidden
shapes and shapes off the slide are kept apart; a footer is read once. Not covered: slide numbers, text of the
layout and the master, comments, pictures, embedded files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import PurePath

from quoth.errors import ReadError
from quoth.ingest.package import Element, Package, attribute, child, inside, local
from quoth.ingest.paragraphs import Paragraphs, one_line
from quoth.types import Document

FURNITURE = {"dt", "ftr", "hdr"}
"""Placeholders that say the same on slide after slide: they are read where they say something new."""
TITLES = {"title", "ctrTitle"}
PROGRAM_TITLES = re.compile(
    r"(microsoft )?powerpoint.*|untitled.*|(presentation|slide)\s*\d*|\W*|.*\.(pptx?|potx?)", re.I
)
DEEPEST = 60
MOST_POINTS = 2_000
"""Points of a series in a chart."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where shapes lie: the package, the relations of their part, the slide's width and height in EMU.

    `footers` holds what dates and footers have said so far.
    """

    package: Package
    related: dict[str, tuple[str, str]]
    size: tuple[int, int]
    footers: set[str]


def read_pptx(data: bytes, path: str, password: str | None = None) -> tuple[Document, ...]:
    """The one document of a PowerPoint file.

    Raises ReadError for a file that is encrypted, damaged, or unpacks to too much.
    """
    package = Package(data)
    main = package.main("ppt/presentation.xml")
    show, related = package.xml(main), package.related(main)
    size = child(show, "sldSz")
    extent = _number(size, "cx"), _number(size, "cy")
    flow, footers = Paragraphs(), set[str]()
    try:
        for number, one in enumerate(inside(show, "sldIdLst"), 1):
            part = related.get(_relation(one, "id"), ("", ""))[1]
            if part not in package:
                flow.notes.append(f"slide {number} is missing from the file")
            else:
                _slide(flow, _Place(package, package.related(part), extent, footers), part, number)
    except RecursionError:
        raise ReadError("the file nests its shapes too deeply") from None
    title, modified = package.properties()
    if len(title) < 3 or PROGRAM_TITLES.fullmatch(title):
        title = next((mark.value for mark in flow.marks if mark.value), "") or PurePath(path).name
    return (flow.document(path, "pptx", title, modified),)


def _slide(flow: Paragraphs, place: _Place, part: str, number: int) -> None:
    """One slide and its notes; a hidden slide goes to what is hidden."""
    slide = place.package.xml(part)
    shown = flow if attribute(slide, "show", "1") not in ("0", "false") else Paragraphs()
    shown.mark("page", "", number)
    shapes = list(_shapes(child(slide, "cSld", "spTree"), 0))
    titles = [shape for shape in shapes if _placeholder(shape) in TITLES]
    said = [one_line(" ".join(line for line, _ in _lines(shape))) for shape in titles]
    if not any(said):
        shown.mark("heading", "", 1)
    for words, shape in zip(said, titles, strict=True):
        if _unseen(shape, place):
            shown.hide(words)
        else:
            shown.paragraph(words, 1)
    titled = set(titles)
    for shape in shapes:
        said_before = _placeholder(shape) in FURNITURE and _said(place, shape)
        if shape not in titled and _placeholder(shape) != "sldNum" and not said_before:
            _shape(shown, place, shape)
    notes = next((target for kind, target in place.related.values() if kind == "notesSlide"), "")
    if notes in place.package:
        _notes(shown, place.package.xml(notes))
    if shown is not flow:
        for words in ("".join(shown.parts), *shown.hidden):
            flow.hide(words)


def _said(place: _Place, shape: Element) -> bool:
    """Whether another slide had the same date or footer."""
    words = " ".join(line for line, _ in _lines(shape))
    before = words in place.footers
    place.footers.add(words)
    return before


def _notes(flow: Paragraphs, notes: Element) -> None:
    """What the speaker wrote under the slide."""
    bodies = [shape for shape in _shapes(child(notes, "cSld", "spTree"), 0) if _placeholder(shape) == "body"]
    lines = [line for body in bodies for line in _lines(body) if line[0].strip()]
    if lines:
        flow.paragraph("Notes", 2)
        for words, listed in lines:
            flow.paragraph(words, listed=bool(listed))


def _shapes(tree: Element | None, depth: int) -> Iterator[Element]:
    """The shapes of a slide in order, those of groups in their place."""
    if depth > DEEPEST:
        raise ReadError(f"the file nests groups of shapes more than {DEEPEST} deep")
    for shape in tree if tree is not None else ():
        name = local(shape)
        if name == "grpSp":
            if attribute(_named(shape), "hidden") not in ("1", "true"):
                yield from _shapes(shape, depth + 1)
        elif name == "AlternateContent":
            yield from _shapes(child(shape, "Choice"), depth + 1)
        elif name in ("sp", "graphicFrame", "cxnSp"):
            yield shape


def _shape(flow: Paragraphs, place: _Place, shape: Element) -> None:
    data = child(shape, "graphic", "graphicData")
    if _unseen(shape, place):
        flow.hide("\n".join(element.text or "" for element in shape.iter() if local(element) == "t"))
    elif local(shape) != "graphicFrame":
        lines = [line for line in _lines(shape) if line[0].strip()]
        bullets = len(lines) > 1 and _placeholder(shape) in ("body", "obj")
        for words, listed in lines:
            flow.paragraph(words, listed=bullets if listed is None else listed)
        flow.begin()
    elif (table := child(data, "tbl")) is not None:
        rows = [_cells(row) for row in table if local(row) == "tr"]
        flow.table(rows, sure=attribute(child(table, "tblPr"), "firstRow") in ("1", "true"))
    elif (chart := _part(place, child(data, "chart"), "id")) is not None:
        _chart(flow, chart)
    elif (drawing := _part(place, child(data, "relIds"), "dm")) is not None:
        for point in inside(drawing, "ptLst"):
            for words, _ in _paragraphs(child(point, "t")):
                flow.paragraph(words, listed=True)
        flow.begin()


def _part(place: _Place, element: Element | None, name: str) -> Element | None:
    """The root of the part that a relation names, where the file has it."""
    part = place.related.get(_relation(element, name), ("", ""))[1] if element is not None else ""
    return place.package.xml(part) if part in place.package else None


def _cells(row: Element) -> list[str]:
    """The words of each column; a cell that spans several stands in the first."""
    return [" ".join(words for words, _ in _lines(cell)) for cell in row if local(cell) == "tc"]


def _lines(shape: Element) -> list[tuple[str, bool | None]]:
    return _paragraphs(child(shape, "txBody"))


def _paragraphs(body: Element | None) -> list[tuple[str, bool | None]]:
    """(words, whether it is a list item; None where the layout decides) of each paragraph."""
    found: list[tuple[str, bool | None]] = []
    for paragraph in body if body is not None else ():
        if local(paragraph) == "p":
            look = {local(one) for one in inside(paragraph, "pPr")}
            listed = True if look & {"buChar", "buAutoNum", "buBlip"} else False if "buNone" in look else None
            found.append(("".join(_words(paragraph, 0)), listed))
    return found


def _words(element: Element, depth: int) -> Iterator[str]:
    """The words of a paragraph, those of formulas too."""
    for one in element if depth < DEEPEST else ():
        name = local(one)
        if name == "t":
            yield (one.text or "").replace("\v", "\n")
        elif name in ("br", "tab"):
            yield "\n" if name == "br" else "\t"
        elif name not in ("pPr", "rPr", "endParaRPr", "Fallback"):
            yield from _words(one, depth + 1)


def _chart(flow: Paragraphs, chart: Element) -> None:
    """A chart's title, and its figures as a table: a row for each category, a column for each series."""
    inner = child(chart, "chart")
    flow.paragraph(" ".join(_texts(child(inner, "title"))))
    series = [one for one in inner.iter() if local(one) == "ser"] if inner is not None else []
    names = [" ".join(_values(child(one, "tx"))) for one in series]
    columns = [_values(child(one, "val")) or _values(child(one, "yVal")) for one in series]
    categories = next((at for one in series if (at := _values(child(one, "cat")) or _values(child(one, "xVal")))), [])
    length = max(map(len, [categories, *columns]), default=0)
    grid = [[column[row] if row < len(column) else "" for column in (categories, *columns)] for row in range(length)]
    flow.table([["", *names], *grid] if any(names) else grid, sure=True)


def _texts(element: Element | None) -> list[str]:
    return [one.text or "" for one in element.iter() if local(one) == "t"] if element is not None else []


def _values(element: Element | None) -> list[str]:
    """The cached values of a series, each at its index; a gap is ""."""
    found: list[str] = []
    points = (one for one in element.iter() if local(one) == "pt") if element is not None else iter(())
    for point in islice(points, MOST_POINTS):
        index = min(_number(point, "idx"), MOST_POINTS)
        found += [""] * (index + 1 - len(found))
        value = child(point, "v")
        found[index] = (value.text or "").strip() if value is not None else ""
    direct = child(element, "v")
    return found or ([direct.text] if direct is not None and direct.text else [])


def _named(shape: Element) -> Element | None:
    """The properties of a shape that hold its name and whether it is hidden."""
    return next(
        (inner for one in shape if local(one).startswith("nv") if (inner := child(one, "cNvPr")) is not None), None
    )


def _placeholder(shape: Element) -> str:
    """What the layout has a shape for: "title", "body", "ftr" …; "" for a shape of the slide's own."""
    holder = next((one for one in shape if local(one).startswith("nv")), None)
    found = child(holder, "nvPr", "ph")
    return attribute(found, "type", "obj") if found is not None else ""


def _unseen(shape: Element, place: _Place) -> bool:
    """Whether a shape is switched off or lies wholly outside the slide."""
    if attribute(_named(shape), "hidden") in ("1", "true"):
        return True
    inner = child(shape, "spPr", "xfrm")
    frame = inner if inner is not None else child(shape, "xfrm")
    corner, extent = child(frame, "off"), child(frame, "ext")
    if corner is None or extent is None or not all(place.size):
        return False
    sides = zip(("x", "y"), ("cx", "cy"), place.size, strict=True)
    return any(_number(corner, at) >= most or _number(corner, at) + _number(extent, by) < 0 for at, by, most in sides)


def _relation(element: Element, name: str) -> str:
    """The relation that an attribute of this name holds: its own `id` is another."""
    return next((value for key, value in element.items() if key.endswith(f"}}{name}")), "")


def _number(element: Element | None, name: str) -> int:
    value = attribute(element, name)
    return int(value) if re.fullmatch(r"-?\d{1,15}", value) else 0
