"""JSON, JSON Lines and JSON with comments: every value on a line of its own after its key, under its keys as headings.

The text is laid out anew, however the file is wrapped, so that strings read as they are meant ("ü" for \\u00fc)
and a file of one long line has passages; each line leads to its line in the file and to its path of keys. A
small record is one line, as a row of a table is. An item of a list is headed by its title, name or id, else by its
index as in jq: [0]. The reader is forgiving (comments, commas, quotes, several values) and never deeper than its own
stack; from the place on where the text is no JSON it is kept as it stands, with a note. Numbers and words stay as
they are written.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import Literal, NamedTuple

from quoth.ingest.decode import decode
from quoth.ingest.kinds import ending
from quoth.ingest.tables import Lines
from quoth.types import Document, Mark

MOST_LINES = 500_000
"""Lines that a text may have; a note says when the file has more."""
DEEPEST = 6
"""Containers deeper than this have no heading of their own."""
NAMES = ("title", "name", "label", "headline", "subject", "question", "id", "key", "slug", "code")
"""What names an item of a list, the best first."""
SHORT, WIDE, LONGEST, RECORD = 40, 160, 80, 240
"""Characters of an item that may stand beside others, of such a line, of a heading, and of a record on one line."""

TOKEN = re.compile(
    r"""[\s\ufeff,]*+(?:
    (?P<string>"[^"\\]*+(?:\\.[^"\\]*+)*+"|'[^'\\\n]*+(?:\\.[^'\\\n]*+)*+')
    |(?P<remark>//[^\n]*+|/\*(?:[^*]|\*(?!/))*+\*/)
    |(?P<sign>[{}\[\]:])
    |(?P<word>[^\s,:{}\[\]"'/]++)
    |(?P<end>\Z))""",
    re.X | re.S,
)
SKIPPED = re.compile(r"[\s\ufeff,]*+")
WORD = re.compile(r"[-+]?(?:\.?\d[\w.+-]*|Infinity|NaN)|true|false|null|undefined|None|True|False")
EMPTY = '""'
CLOSES = {"}": "{", "]": "["}


class _Step(NamedTuple):
    """What comes next in the file, and where."""

    offset: int
    what: Literal["open", "close", "value", "remark", "broken"]
    key: str | None = None
    value: str = ""


@dataclass(slots=True)
class _Box:
    """An object or a list that is being laid out; the first of all is the file."""

    key: str | None = None
    sign: str = ""
    index: int = 0
    count: int = 0
    shown: bool = False
    head: int = -1
    """Index of its heading among the marks where it is an item."""
    rank: int = len(NAMES)
    """The place in NAMES of the key that its heading came from."""
    waiting: list[str] = field(default_factory=list)
    """Short items of a list that may share a line."""
    flat: bool = True
    """Whether it holds nothing but values of one line."""
    first: tuple[int, int] = (0, 0)
    """Of an item: how many lines and marks there were before its own."""


@dataclass(slots=True)
class _Page:
    """The lines so far, their marks, and the line of the file that the last one came from."""

    text: str
    base: int
    """1 where every value of the file is a record of its own, as in JSON Lines, else 0."""
    boxes: list[_Box] = field(default_factory=lambda: [_Box(shown=True)])
    lines: Lines = field(default_factory=Lines)
    counted: int = 0
    line: int = 1
    marked: int = 0
    levels: list[int] = field(default_factory=list)
    """Levels of the headings that the next line would stand under."""


def read_json(data: bytes, path: str, password: str | None) -> tuple[Document, ...]:
    """One document: the file's values as lines, titled by its name."""
    text, notes = decode(data)
    page = _Page(text, int(ending(path) in ("jsonl", "ndjson")))
    for step in _steps(text):
        if len(page.lines.parts) >= MOST_LINES:
            notes += (f"only its first {MOST_LINES:,} values are read",)
            break
        if step.what == "open":
            _open(page, step)
        elif step.what == "close":
            _close(page, step.offset)
        elif step.what == "value":
            _put(page, step)
        elif step.what == "remark":
            page.boxes[-1].flat = False
            _flush(page, step.offset)
            _show(page, len(page.boxes), step.offset, step.value)
        else:
            notes += _rest(page, step.offset)
    while len(page.boxes) > 1:
        _close(page, len(text))
    return (Document(path, "json", PurePath(path).name, page.lines.text(), tuple(page.lines.marks), notes=notes),)


def _open(page: _Page, step: _Step) -> None:
    _flush(page, step.offset)
    above = page.boxes[-1]
    above.flat = False
    page.boxes.append(_Box(step.key, step.value, above.count))
    above.count += 1


def _close(page: _Page, offset: int) -> None:
    box = page.boxes[-1]
    _flush(page, offset)
    page.boxes.pop()
    if box.sign == "{" and box.key is None and box.flat and box.count > 1 and box.head >= 0:
        _join(page, box)
    if not box.shown:
        _show(page, len(page.boxes), offset, _member(box.key, "{}" if box.sign == "{" else "[]", len(page.boxes)))


def _join(page: _Page, box: _Box) -> None:
    """Puts the lines of a small record on one, as a row of a table is: "id: 17 | name: Ann"."""
    if sum(map(len, page.lines.parts[box.first[0] :])) <= RECORD:
        page.lines.join(*box.first)


def _put(page: _Page, step: _Step) -> None:
    """A value: on a line of its own, or to the short ones beside it in its list."""
    box, value = page.boxes[-1], step.value
    box.count += 1
    box.flat = box.flat and "\n" not in value
    if box.sign == "[" and len(value) <= SHORT and "\n" not in value:
        box.waiting.append(value)
        if sum(map(len, box.waiting)) > WIDE:
            _flush(page, step.offset)
        return
    _flush(page, step.offset)
    _show(page, len(page.boxes), step.offset, _member(step.key, value, len(page.boxes)))
    rank = NAMES.index(step.key) if step.key in NAMES else len(NAMES)
    if box.head >= 0 and rank < box.rank and value.strip() and len(value) <= LONGEST:
        words = f"{step.key} {value}" if value.isdigit() else " ".join(value.split())
        page.lines.marks[box.head] = replace(page.lines.marks[box.head], value=words)
        box.rank = rank


def _flush(page: _Page, offset: int) -> None:
    """The short items that wait, on one line."""
    box = page.boxes[-1]
    if box.waiting:
        line, box.waiting = ", ".join(box.waiting), []
        if box.shown:
            _show(page, len(page.boxes), offset, f"- {line}")
        else:
            box.shown = True
            size = len(page.boxes) - 1
            _show(page, size, offset, _member(box.key, line, size))


def _member(key: str | None, value: str, size: int) -> str:
    """A value after its key, or after the sign of an item."""
    lead = f"{key}:" if key is not None else "-" if size > 1 else ""
    return f"{lead}\n{value}" if lead and "\n" in value else f"{lead} {value or EMPTY}".lstrip()


def _show(page: _Page, size: int, offset: int, line: str) -> None:
    """One more line inside the first `size` boxes, after the lines of those that have not been shown."""
    first = size
    while not page.boxes[first - 1].shown:
        first -= 1
    signs, heads = 0, list[tuple[int, str, _Box | None]]()
    for at in range(first, size):
        box = page.boxes[at]
        box.shown = True
        level = at - 1 + page.base
        if box.key is not None:
            lead = _indent(at - signs) + "- " * signs
            _add(page, offset, f"{lead}{box.key}:", [*heads, (level, box.key, None)], level)
            signs, heads = 0, []
        elif at > 1 or page.base:
            signs += at > 1 and signs < DEEPEST
            heads.append((level, f"[{box.index}]" if at > 1 else "", box))
            if at == 1 and page.lines.parts:
                _add(page, offset, "", [], level)
    _add(page, offset, _indent(size - signs) + "- " * signs + line, heads, size - 1 + page.base)


def _add(page: _Page, offset: int, line: str, heads: list[tuple[int, str, _Box | None]], level: int) -> None:
    lowest = heads[0][0] if heads else level
    over = bool(page.levels) and page.levels[-1] >= lowest
    while page.levels and page.levels[-1] >= lowest:
        page.levels.pop()
    if over and not (heads and heads[0][1]):
        page.lines.marks.append(Mark(page.lines.length, "heading", "", max(1, lowest)))
    for number, words, box in heads:
        if number <= DEEPEST:
            page.levels.append(number)
            if box is not None:
                box.head, box.first = len(page.lines.marks), (len(page.lines.parts), len(page.lines.marks))
            page.lines.marks.append(Mark(page.lines.length, "heading", words[:LONGEST], max(1, number)))
    page.line += page.text.count("\n", page.counted, offset)
    page.counted = max(page.counted, offset)
    if page.line != page.marked:
        page.lines.marks.append(Mark(page.lines.length, "line", "", page.line))
        page.marked = page.line
    page.lines.add(line)


def _indent(boxes: int) -> str:
    """The blanks before a line inside so many boxes: the file and its one value do not count."""
    return "  " * min(max(boxes - 2, 0), DEEPEST)


def _rest(page: _Page, offset: int) -> tuple[str, ...]:
    """What is no JSON, kept line by line, and a sentence that says so."""
    while len(page.boxes) > 1:
        _flush(page, offset)
        page.boxes.pop()
    line = page.text.count("\n", 0, offset) + 1
    for match in re.finditer(r"[^\r\n]*\S[^\r\n]*", page.text[offset:]):
        if len(page.lines.parts) >= MOST_LINES:
            break
        _add(page, offset + match.start(), match[0], [], 0)
    return (f"from line {line} on it is not JSON as it should be and is kept as it stands",)


def _steps(text: str) -> Iterator[_Step]:
    """The values of the file in order; the last step is "broken" where the text stops being JSON."""
    signs, key, colon, at, named = [""], None, False, 0, 0
    while match := TOKEN.match(text, at):
        kind = match.lastgroup or ""
        start, found = match.start(kind), match[kind]
        before, at = at, match.end()
        if kind == "end":
            if len(signs) > 1:
                break
            return
        if kind == "remark":
            yield _Step(start, "remark", None, found)
        elif signs[-1] == "{" and key is None and kind in ("string", "word"):
            key, colon, named = _decoded(found), False, before
        elif found == ":" and key is not None and not colon:
            colon = True
        elif found in CLOSES and kind == "sign" and key is None and signs[-1] == CLOSES[found]:
            signs.pop()
            yield _Step(start, "close")
        elif (signs[-1] == "{") != (key is not None and colon):
            at = before
            break
        elif kind == "sign" and found in "{[":
            signs.append(found)
            yield _Step(start, "open", key, found)
            key = None
        elif kind == "string" or (kind == "word" and WORD.fullmatch(found)):
            yield _Step(start, "value", key, _decoded(found))
            key = None
        else:
            at = before
            break
    skipped = SKIPPED.match(text, at if key is None else named)
    yield _Step(skipped.end() if skipped else at, "broken")


def _decoded(token: str) -> str:
    """What a string says, or a word as it stands."""
    if token[0] not in "\"'":
        return token
    body = token[1:-1]
    if "\\" not in body:
        return body
    if token[0] == "'":
        body = body.replace("\\'", "'").replace('"', '\\"')
    try:
        return str(json.loads(f'"{body}"', strict=False))
    except ValueError:
        return body
