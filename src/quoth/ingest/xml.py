"""XML, feeds and DocBook: what stands in the elements, as lines, under the elements that have a name.

An element with text alone is a line, "born: 1970"; one in which text and elements mix is a paragraph; one that
only holds others is a heading: by its title, its attributes, or its name and number ("row 3"). Each line leads
to its line in the file. HTML in a feed loses its tags. Comments stand in `hidden`, and so does a DTD: nothing
of it is expanded, no entity but characters and HTML's names is replaced, nothing is fetched. The reader is
forgiving: what is not well formed is read as far as its tags go.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Literal, NamedTuple

from quoth.ingest.decode import decode
from quoth.ingest.tables import Lines
from quoth.types import Document

MOST_LINES = 500_000
"""Lines that a text may have; a note says when the file has more."""
DEEPEST = 6
"""Elements deeper than this are no headings."""
LONGEST, RECORD = 200, 240
"""Characters that a heading may have, and a record on one line."""
TITLES = ("title", "headline", "head", "name", "label", "subject")
"""Elements that name the one they stand in, the best first."""
BARE = frozenset(("title", "headline", "head"))
"""Elements whose text needs no label."""
PROSE = frozenset(str.split("p para simpara formalpara text line l li td term caption programlisting screen pre"))
"""Elements whose text is a paragraph without a label."""
BREAKS = PROSE | frozenset(str.split("br lb div tr ul ol dl table blockquote h1 h2 h3 h4 h5 h6"))
"""Elements that begin a line inside a paragraph."""
WEB = frozenset(str.split("description encoded content summary body comments subtitle"))
"""Elements of feeds that hold HTML as text."""
HEADS = frozenset(str.split("channel info head header articleinfo bookinfo front feed"))

TAG = re.compile(
    r"<(?P<end>/)?(?P<name>[^\W\d][\w:.-]{0,200})(?P<rest>(?:[^<>\"'/]|/(?!>)|\"[^\"]*+\"|'[^']*+')*+)(?P<empty>/)?>"
)
ATTRIBUTE = re.compile(r"(?<!\S)(?P<name>[\w:.-]{1,100})\s*=\s*(?:\"(?P<double>[^\"]*)\"|'(?P<single>[^']*)')")
DOCTYPE = re.compile(
    r"<!DOCTYPE(?:[^\[>\"']|\"[^\"]*+\"|'[^']*+')*+(?:\[(?:[^\]\"'<]|\"[^\"]*+\"|'[^']*+'|<!--(?:[^-]|-(?!->))*+-->|<)*+\]\s*)?>",
    re.I,
)
ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|\w{2,32});")
HTML = re.compile(
    r"(?P<block></?(?:p|br|div|li|ul|ol|h[1-6]|tr|table|blockquote|pre|hr|dd|dt)\b[^<>]{0,2000}>)"
    r"|</?(?:a|b|i|u|s|em|strong|span|img|font|small|sub|sup|code|td|th|tbody|abbr|cite|figure|iframe|video|center)\b"
    r"[^<>]{0,4000}>|<!--.{0,4000}?-->",
    re.I | re.S,
)
BREAK = "\x1e"
"""Parts lines that come from one line of the file."""


class _Event(NamedTuple):
    """A piece of the file."""

    offset: int
    what: Literal["open", "close", "text", "cdata", "remark"]
    name: str = ""
    words: str = ""
    """Text, or the attributes of an element, as they stand."""


@dataclass(slots=True)
class _Seen:
    """An open element, while the file is looked through."""

    name: str
    number: int
    direct: int = 0
    total: int = 0
    words: str = ""
    values: int = 0
    """How many elements it holds, as long as these hold none themselves; then below 0."""


@dataclass(slots=True)
class _Survey:
    """What has to be known of a file before it is laid out."""

    inner: bytearray = field(default_factory=bytearray)
    """For every element in order, whether it holds others."""
    records: set[int] = field(default_factory=set)
    """Numbers of the elements that hold a few short values."""
    titles: dict[int, tuple[int, str]] = field(default_factory=dict)
    """(rank, words) of the title inside an element, by its number."""
    mixed: frozenset[str] = frozenset()
    """Names of elements in which text and elements mix."""
    parents: Counter[str] = field(default_factory=Counter)
    """How many elements of a name hold others."""


@dataclass(slots=True)
class _Layout:
    """The lines so far, and what is open."""

    survey: _Survey
    lines: Lines = field(default_factory=Lines)
    marked: int = 0
    """The line of the file that the last mark tells."""
    depth: int = 0
    """How many elements that hold others are open."""
    levels: list[int] = field(default_factory=list)
    """Levels of the headings that the next line would stand under."""
    pending: list[tuple[int, str]] = field(default_factory=list)
    """(level, words) of headings that the next line begins."""
    numbers: Counter[str] = field(default_factory=Counter)
    record: tuple[int, int] | None = None
    """How many lines and marks there were before the record that is open."""
    pieces: list[tuple[int, str]] = field(default_factory=list)
    """(line in the file, words) of the paragraph or value that is open."""


def read_xml(data: bytes, path: str, password: str | None) -> tuple[Document, ...]:
    """One document: its elements as lines, titled by the root's title, or by its name."""
    text, notes = decode(data)
    survey = _look(text)
    layout, hidden = _Layout(survey), list[str]()
    if not _lay_out(text, layout, hidden):
        notes += (f"only its first {MOST_LINES:,} lines are read",)
    root = survey.titles.get(0, (0, ""))[1]
    title = root or _headed(text, survey) or PurePath(path).name
    lines = layout.lines
    hidden = [words for words in (" ".join(part.split()) for part in hidden) if words]
    return (Document(path, "xml", title, lines.text(), tuple(lines.marks), hidden="\n".join(hidden), notes=notes),)


def _headed(text: str, survey: _Survey) -> str:
    """The title in the head of the root, such as a feed's channel."""
    numbers = (event for event in _events(text) if event.what == "open")
    for number, event in enumerate(numbers):
        if number and _local(event.name) in HEADS:
            return survey.titles.get(number, (0, ""))[1]
        if number > 2:
            break
    return ""


def _events(text: str) -> Iterator[_Event]:
    """The pieces of a file in order; "<" that begins nothing is text."""
    at, begun = 0, 0
    missing = set[str]()
    while (start := text.find("<", at)) >= 0:
        event, end = _markup(text, start, missing)
        if end < 0:
            at = start + 1
            continue
        if start > begun:
            yield _Event(begun, "text", "", text[begun:start])
        if event is not None:
            yield event
            if event.what == "open" and text[end - 2] == "/":
                yield _Event(end, "close", event.name)
        at = begun = end
    if text[begun:]:
        yield _Event(begun, "text", "", text[begun:])


def _markup(text: str, start: int, missing: set[str]) -> tuple[_Event | None, int]:
    """The piece that begins with this "<" and where it ends, -1 if it is none."""
    for opening, closing in (("<!--", "-->"), ("<![CDATA[", "]]>"), ("<?", "?>")):
        if text.startswith(opening, start):
            end = -1 if closing in missing else text.find(closing, start + len(opening))
            if end < 0:
                missing.add(closing)
                return None, -1
            what: Literal["remark", "cdata"] = "remark" if opening == "<!--" else "cdata"
            words = text[start + len(opening) : end]
            return None if opening == "<?" else _Event(start + len(opening), what, "", words), end + len(closing)
    if text.startswith("<!", start):
        match = DOCTYPE.match(text, start) if "<!d" not in missing else None
        missing.add("<!d")
        return (_Event(start, "remark", "", match[0]), match.end()) if match else (None, -1)
    tag = TAG.match(text, start)
    if not tag:
        return None, -1
    what_ = "close" if tag["end"] else "open"
    return _Event(start, what_, tag["name"], tag["rest"]), tag.end()  # type: ignore[arg-type]


def _local(name: str) -> str:
    return name.rpartition(":")[2]


def _look(text: str) -> _Survey:
    """The survey of a file."""
    survey, stack, opened = _Survey(), list[_Seen](), Counter[str]()
    direct, total = Counter[str](), Counter[str]()

    def close() -> None:
        one = stack.pop()
        opened[one.name] -= 1
        holds = survey.inner[one.number]
        direct[one.name] += one.direct if holds else 0
        total[one.name] += one.total if holds else 0
        survey.parents[one.name] += holds
        titled = survey.titles.get(one.number, (len(TITLES), ""))[0] < TITLES.index("name")
        if one.values > 1 and one.total <= RECORD and not one.direct and not titled:
            survey.records.add(one.number)
        if stack:
            above = stack[-1]
            above.values = -1 if holds or above.values < 0 else above.values + 1
            above.total += one.total
            above.words = (above.words + one.words)[:LONGEST] if above.name in TITLES or above.direct else ""
            words = " ".join(_said(one.words).split())
            rank = TITLES.index(one.name) if one.name in TITLES else len(TITLES)
            if words and rank < survey.titles.get(above.number, (len(TITLES), ""))[0]:
                survey.titles[above.number] = (rank, words)

    for event in _events(text):
        name = _local(event.name)
        if event.what == "open":
            if stack:
                survey.inner[stack[-1].number] = 1
            stack.append(_Seen(name, len(survey.inner)))
            survey.inner.append(0)
            opened[name] += 1
        elif event.what == "close" and opened[name] > 0:
            while stack[-1].name != name:
                close()
            close()
        elif event.what in ("text", "cdata") and stack:
            size = len(event.words.strip())
            stack[-1].direct += size
            stack[-1].total += size
            stack[-1].words = (stack[-1].words + event.words[: 2 * LONGEST])[: 2 * LONGEST]
    while stack:
        close()
    survey.mixed = frozenset(name for name, size in direct.items() if size > 0.1 * total[name])
    return survey


def _lay_out(text: str, layout: _Layout, hidden: list[str]) -> bool:
    """Adds the lines of a file, its comments to `hidden`; gives back whether that was all."""
    stack, opened, number = list[tuple[str, bool]](), Counter[str](), -1
    line, counted, inside = 1, 0, 0
    for event in _events(text):
        if len(layout.lines.parts) >= MOST_LINES:
            return False
        line += text.count("\n", counted, event.offset)
        counted, name = event.offset, _local(event.name)
        if event.what == "open":
            number += 1
            if inside or not layout.survey.inner[number] or name in layout.survey.mixed or name == "title":
                inside += 1
                _begin(layout, event, line, inside)
            else:
                _head(layout, event, line, number)
            stack.append((name, bool(inside)))
            opened[name] += 1
        elif event.what == "close" and opened[name] > 0:
            last = ""
            while last != name:
                last, within = stack.pop()
                opened[last] -= 1
                inside -= within
                if not within:
                    layout.depth -= 1
                    _join(layout)
                    layout.pending = [one for one in layout.pending if one[0] < layout.depth]
                elif not inside:
                    _flush(layout, last)
        elif event.what == "remark":
            hidden.append(event.words)
        elif event.words.strip():
            web = event.what == "cdata" or (inside > 0 and stack[-1][0] in WEB)
            words = event.words if event.what == "cdata" else _said(event.words)
            words = _without_tags(words) if web else words
            layout.pieces += [(line + step, part) for step, part in enumerate(words.split("\n"))]
            if not inside:
                _flush(layout, "")
        elif layout.pieces:
            layout.pieces.append((line, " "))
    _flush(layout, "")
    return True


def _is_prose(layout: _Layout, name: str) -> bool:
    return name in PROSE or name in layout.survey.mixed or name == "title"


def _head(layout: _Layout, event: _Event, line: int, number: int) -> None:
    """An element begins that holds others: a heading for the next line, or with its attributes a line itself."""
    name, attributes, level = _local(event.name), _attributes(event.words), layout.depth
    layout.depth += 1
    layout.numbers[name] += 1
    lone = layout.survey.parents[name] == 1
    title = layout.survey.titles.get(number, (0, ""))[1]
    words = title or _named(name, attributes) or (name if lone else f"{name} {layout.numbers[name]}")
    if level > 0:
        _part(layout)
        layout.pending += [(level, words)] if level <= DEEPEST and (title or name not in PROSE) else []
    lines, records = layout.lines, layout.survey.records
    layout.record = (len(lines.parts), len(lines.marks)) if level > 0 and number in records else None
    if attributes or (lone and not title and level > 0 and name not in PROSE):
        _add(layout, line, " | ".join([name, *(f"{key}: {value}" for key, value in attributes)]))


def _join(layout: _Layout) -> None:
    """Puts the lines of a record that ends on one, as a row of a table is."""
    if layout.record is not None:
        line, mark = layout.record
        layout.record = None
        own = layout.lines.parts[line:]
        if len(own) > 1 and sum(map(len, own)) <= RECORD and "\n" not in own:
            layout.lines.join(line, mark)


def _named(name: str, attributes: list[tuple[str, str]]) -> str:
    """What the attributes call an element, "" if they do not."""
    known = dict(attributes)
    for key in ("title", "text", "label", "name", "id", "xml:id", "key", "code", "n"):
        if key in known:
            return known[key] if key in ("title", "text", "label") else f"{name} {known[key]}"
    return ""


def _attributes(words: str) -> list[tuple[str, str]]:
    """The names and values of attributes that say something to a reader."""
    found = [(match["name"], match["double"] or match["single"] or "") for match in ATTRIBUTE.finditer(words)]
    shown = [(name, " ".join(_said(value).split())) for name, value in found]
    return [
        (name, value)
        for name, value in shown
        if value and not name.startswith(("xmlns", "xsi:", "xml:lang", "xml:space"))
    ]


def _begin(layout: _Layout, event: _Event, line: int, inside: int) -> None:
    """A value or a paragraph begins, or an element inside one."""
    name = _local(event.name)
    if inside > 1:
        layout.pieces.append((line, BREAK if name in BREAKS else ""))
    elif not _is_prose(layout, name):
        inner = ", ".join(f"{key}: {value}" for key, value in _attributes(event.words))
        label = f"{name} ({inner})" if inner else name
        layout.pieces.append((line, f"{label}: " if inner or name not in BARE else ""))


def _flush(layout: _Layout, name: str) -> None:
    """Puts what was gathered of an element on lines, as many as it has in the file."""
    pieces, layout.pieces = layout.pieces, []
    rows: list[tuple[int, str]] = []
    for line, words in pieces:
        for step, part in enumerate(words.split(BREAK)):
            if step or not rows or rows[-1][0] != line:
                # the label of a value goes with its first words, wherever these are
                label = rows.pop()[1] if len(rows) == 1 and rows[0][1].endswith(": ") else ""
                rows.append((line, label + part))
            else:
                rows[-1] = (line, rows[-1][1] + part)
    shown = [(line, " ".join(words.split())) for line, words in rows if words.strip()]
    if not shown or (len(shown) == 1 and shown[0][1] == f"{name}:"):
        return
    shown[-1] = (shown[-1][0], shown[-1][1].removesuffix("):") + ")" * shown[-1][1].endswith("):"))
    paragraph = _is_prose(layout, name) and name not in ("title", "li", "td", "l", "line")
    if paragraph:
        _part(layout)
    for line, words in shown:
        _add(layout, line, words)
    if paragraph:
        _part(layout)


def _part(layout: _Layout) -> None:
    """A blank line, if there is none."""
    if layout.lines.parts and layout.lines.parts[-1] != "\n":
        layout.lines.add("")


def _add(layout: _Layout, line: int, words: str) -> None:
    """One more line, with the headings that it begins."""
    pending, layout.pending = layout.pending, []
    lowest = pending[0][0] if pending else max(layout.depth, 1)
    marks: list[tuple[str, str, int]] = [("heading", one, level) for level, one in pending]
    if not pending and layout.levels and layout.levels[-1] >= lowest:
        marks.append(("heading", "", lowest))
    layout.levels = [level for level in layout.levels if level < lowest] + [level for level, _ in pending]
    if line != layout.marked:
        marks.append(("line", "", line))
        layout.marked = line
    layout.lines.add(words, *marks)


def _said(words: str) -> str:
    """Text with its character references replaced, none by a line break."""
    return (
        ENTITY.sub(lambda one: " " if (said := html.unescape(one[0])) in "\r\n" else said, words)
        if "&" in words
        else words
    )


def _without_tags(words: str) -> str:
    """Text without the tags of HTML; what was a line of the file stays one."""
    if "<" not in words:
        return _said(words)
    shown = HTML.sub(lambda tag: (BREAK if tag["block"] else "") + "\n" * tag[0].count("\n"), words)
    return _said(shown)
