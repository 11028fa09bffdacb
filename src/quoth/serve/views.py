"""A document as HTML, with some of its characters marked: lines, cells, messages or pictures of pages.

Every element that holds characters of the document says in `data-at` at which offset they begin, so that
the page can tell what somebody selected. Text is only ever inserted escaped. Of a long document a part
around the marked characters is shown, with links to what comes before and after it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from urllib.parse import urlencode

from quoth.serve.drawing import Sheet
from quoth.types import Box, Document, Mark

BEFORE, AFTER = 20_000, 60_000
"""Characters shown before and after the marked ones."""
LONGEST = 8_000
"""Characters of a line that are shown as one."""
SHEETS = 10
"""Pages shown at once."""
TABLES = {"csv", "xlsx", "ods", "xls"}
MAILS = {"mail", "mbox", "msg"}
PLAIN = {"code", "json", "yaml", "toml", "xml", "notebook", "latex", "subtitles"}
"""Kinds whose columns matter: they are set in type of one width."""
NOTHING: Mapping[str, str | int] = {}
CELLS = re.compile(r"[A-Z]+\d+(:[A-Z]+\d+)?$")
SHORT = 24
"""Characters of a cell that are kept on one line."""
HEADER = re.compile(r"(Subject|From|To|Cc|Date): (.*)")


@dataclass(frozen=True, slots=True)
class Spot:
    """The characters of a document that are to be marked; none when both are the same."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a document: the offset of its first character, its text without the break, its number if it has one."""

    at: int
    text: str
    number: int | None = None


def link(path: str, spot: Spot, more: Mapping[str, str | int] = NOTHING) -> str:
    """Where the page shows a document, as the value of an attribute."""
    values: dict[str, str | int] = {"path": path, "start": spot.start, "end": spot.end}
    return escape("/source?" + urlencode(values | dict(more), errors="surrogateescape"))


def anchored(path: str, spot: Spot) -> str:
    """The same, scrolled to the mark."""
    return link(path, spot) + "#quote"


def text_view(document: Document, spot: Spot, first: int | None = None) -> str:
    """The text, a line at a time; from the offset `first` on, or around the mark."""
    low, high = window(document.text, spot, first)
    rows = "".join(_line(one, spot) for one in lines(document, low, high))
    letters = "mono" if document.kind in PLAIN else "prose"
    numbered = "" if document.lines or any(mark.kind == "line" for mark in document.marks) else " bare"
    return _around(document, spot, (low, high), f'<div class="lines {letters}{numbered}">{rows}</div>')


def mail_view(document: Document, spot: Spot, first: int | None = None) -> str:
    """A message: its headers as a list, then what it says."""
    low, high = window(document.text, spot, first)
    heads: list[str] = []
    body = [*lines(document, low, high)]
    while low == 0 and body and (head := HEADER.fullmatch(body[0].text)):
        at = body[0].at + head.start(2)
        heads.append(f'<dt>{head[1]}</dt><dd data-at="{at}">{marked(head[2], at, spot)}</dd>')
        body.pop(0)
    rows = "".join(_line(Line(one.at, one.text), spot) for one in body)
    listed = f'<dl class="headers">{"".join(heads)}</dl>' if heads else ""
    return _around(document, spot, (low, high), f'{listed}<div class="lines prose bare">{rows}</div>')


def table_view(document: Document, spot: Spot, first: int | None = None) -> str:
    """The rows of a table or of the sheets of a workbook, the marked cells marked."""
    low, high = window(document.text, spot, first)
    places = {mark.start: mark.value for mark in document.marks if mark.kind == "cells" and low <= mark.start < high}
    parts: list[str] = []
    rows: list[tuple[Line, str]] = []
    for one in lines(document, low, high):
        if CELLS.search(places.get(one.at, "")):
            rows.append((one, places[one.at]))
            continue
        if one.text.strip():
            parts += [_table(rows, spot), f'<h3 data-at="{one.at}">{marked(one.text, one.at, spot)}</h3>']
            rows = []
    parts.append(_table(rows, spot))
    return _around(document, spot, (low, high), "".join(parts))


def sheets_view(document: Document, spot: Spot, shown: Sequence[Sheet], of: int, boxes: Sequence[Box]) -> str:
    """Pictures of pages with a box over each marked line."""
    parts = []
    first = next((box.page for box in boxes), 0)
    for sheet in shown:
        over = [sheet.place(box) for box in boxes if box.page == sheet.page]
        rectangles = "".join(
            f'<rect x="{x - 1:.1f}" y="{y - 1:.1f}" width="{w + 2:.1f}" height="{h + 2:.1f}" rx="1.5"/>'
            for x, y, w, h in over
        )
        label = f"Page {sheet.page} of {of}" + (", with the quote marked" if over else "")
        asked = urlencode({"path": document.path, "page": sheet.page, "scale": 2}, errors="surrogateescape")
        source = escape(f"/api/page.png?{asked}")
        size = f'width="{round(sheet.width)}" height="{round(sheet.height)}"'
        # the picture and what lies over it scale together
        over_it = f'<svg viewBox="0 0 {sheet.width:g} {sheet.height:g}" aria-hidden="true">{rectangles}</svg>'
        anchor = ' id="quote"' if sheet.page == first else ""
        lazy = "" if over else ' loading="lazy"'
        parts.append(
            f'<figure class="sheet"{anchor}><div class="picture"><img src="{source}" alt="{label}" {size}{lazy}>'
            f"{over_it}</div><figcaption>{sheet.page} / {of}</figcaption></figure>"
        )
    earlier, later = shown[0].page - 1, shown[-1].page + 1
    before = _more(document, spot, "page", max(1, earlier - SHEETS + 1), "Earlier pages") if earlier >= 1 else ""
    after = _more(document, spot, "page", later, "Later pages") if later <= of else ""
    return f'{before}<div class="sheets">{"".join(parts)}</div>{after}'


def marked(text: str, at: int, spot: Spot) -> str:
    """Text that begins at an offset of its document, escaped, with the characters of the spot in <mark>."""
    start, end = max(0, spot.start - at), min(len(text), spot.end - at)
    if start >= end:
        return escape(text)
    anchor = ' id="quote"' if spot.start >= at else ""
    return f"{escape(text[:start])}<mark{anchor}>{escape(text[start:end])}</mark>{escape(text[end:])}"


def lines(document: Document, low: int, high: int) -> Iterator[Line]:
    """The lines between two offsets that begin and end lines; a line beyond measure comes in pieces."""
    text, at = document.text, low
    numbers = iter([mark for mark in document.marks if mark.kind == "line" and mark.start >= low])
    ahead: Mark | None = next(numbers, None)
    count = text.count("\n", 0, low) + 1
    while at < high:
        end = text.find("\n", at, high)
        end = high if end < 0 else end
        number = count if document.lines else None
        while ahead is not None and ahead.start <= end:
            number, ahead = (ahead.number if number is None else number), next(numbers, None)
        for piece in range(at, max(end, at + 1), LONGEST):
            yield Line(piece, text[piece : min(end, piece + LONGEST)].rstrip("\r"), number if piece == at else None)
        at, count = end + 1, count + 1


def window(text: str, spot: Spot, first: int | None) -> tuple[int, int]:
    """The part of a text that is shown, from the beginning of a line to the end of one where lines are short."""
    low = max(0, (spot.start - BEFORE) if first is None else first)
    low = max(text.rfind("\n", max(0, low - LONGEST), low) + 1, low - LONGEST, 0) if low else 0
    high = min(
        len(text), max(low + BEFORE + AFTER, 0 if first is not None else min(spot.end + AFTER, low + 10 * AFTER))
    )
    end = text.find("\n", high, high + LONGEST)
    return low, high if end < 0 else end


def _line(line: Line, spot: Spot) -> str:
    number = f' data-n="{line.number}"' if line.number is not None else ""
    hit = " hit" if line.at < spot.end and line.at + len(line.text) > spot.start else ""
    return f'<div class="line{hit}"{number}><span data-at="{line.at}">{marked(line.text, line.at, spot)}</span></div>'


def _table(rows: Sequence[tuple[Line, str]], spot: Spot) -> str:
    """Rows as a table, their cells below the names of the columns wherever a header names them."""
    if not rows:
        return ""
    body: list[str] = []
    names: list[str] = []
    for step, (line, place) in enumerate(rows):
        cells = _cells(line)
        following = _cells(rows[step + 1][0]) if step + 1 < len(rows) else []
        own = [words.rstrip(":") for _, words in cells]
        if following and own and all(any(t.startswith(f"{name}: ") for name in own) for _, t in following):
            names, tag = own, "th"
            shown = [_cell(at, words, spot, tag) for at, words in cells]
        else:
            shown = _below(names, cells, spot)
        label = re.sub(r"^.*!", "", place)
        number = (re.search(r"\d+", label) or [label])[0]
        body.append(f'<tr><th scope="row" class="n">{escape(number)}</th>{"".join(shown)}</tr>')
    caption = re.sub(r"!.*$", "", rows[0][1]) if "!" in rows[0][1] else "Rows"
    title = f'<caption class="away">{escape(caption)}</caption>'
    return f'<div class="wide"><table class="cells">{title}<tbody>{"".join(body)}</tbody></table></div>'


def _cells(line: Line) -> list[tuple[int, str]]:
    """(offset, text) of each cell of a row."""
    found, at = [], line.at
    for words in line.text.split(" | "):
        found.append((at, words))
        at += len(words) + 3
    return found


def _below(names: Sequence[str], cells: Sequence[tuple[int, str]], spot: Spot) -> list[str]:
    """The cells of a row in the order of the columns; what names no column goes on in the cell before it."""
    placed: dict[int, list[tuple[int, str]]] = {}
    column = -1
    for at, words in cells:
        named = next((n for n in range(column + 1, len(names)) if words.startswith(f"{names[n]}: ")), None)
        if named is not None:
            column, skip = named, len(names[named]) + 2
            placed[column] = [(at + skip, words[skip:])]
        elif not names or column < 0:
            column += 1
            placed[column] = [(at, words)]
        else:
            placed[column].append((at, words))
    width = max(placed, default=-1) + 1
    return [
        "".join(_cell(at, words, spot) for at, words in placed[n]) if n in placed else "<td></td>" for n in range(width)
    ]


def _cell(at: int, words: str, spot: Spot, tag: str = "td") -> str:
    hit = " quoted" if at < spot.end and at + len(words) > spot.start else ""
    scope = ' scope="col"' if tag == "th" else ""
    length = "short" if len(words) <= SHORT else "long"
    return f'<{tag}{scope} class="{length}{hit}" data-at="{at}">{marked(words, at, spot)}</{tag}>'


def _around(document: Document, spot: Spot, part: tuple[int, int], body: str) -> str:
    """The shown part between links to what comes before and after it."""
    low, high = part
    before = _more(document, spot, "first", max(0, low - AFTER), "Earlier lines") if low > 0 else ""
    after = _more(document, spot, "first", high + 1, "Later lines") if high < len(document.text) - 1 else ""
    return before + body + after


def _more(document: Document, spot: Spot, name: str, value: int, words: str) -> str:
    more = {"view": "text" if name == "first" else "sheets", name: value}
    return f'<p class="more"><a class="swap" href="{link(document.path, spot, more)}">{words}</a></p>'
