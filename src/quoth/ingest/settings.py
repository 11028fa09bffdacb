"""YAML, TOML and INI: the file's own text, under its keys and sections as headings.

Keys are read from the lines themselves, comments stay with what they explain, nothing is loaded or expanded:
anchors, tags and includes are text. In YAML a key that holds more than one value is a heading, and an item of
a list that begins with a name; in TOML and INI a [section] is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import PurePath

from quoth.ingest.decode import decode
from quoth.ingest.kinds import ending
from quoth.ingest.text import lines_of
from quoth.types import Document, Mark

DEEPEST = 5
"""Keys deeper than this are no headings."""
MOST = 100
"""Parts within parts that are told apart."""
LONGEST = 120
"""Characters that a heading may have."""
NAMES = ("title", "name", "label", "id", "key", "job", "service", "host")
"""What names an item of a list, the best first."""

ITEM = re.compile(r"-(?:[ \t]+|$)")
KEY = re.compile(
    r"""(?:"(?P<double>(?:[^"\\]|\\.){0,300})"|'(?P<single>[^'\n]{0,300})'|(?P<bare>[^\s#&*!|>'"%@`{}\[\],?-][^#\n]{0,300}?|-[^\s#][^#\n]{0,300}?))
    [ \t]*:(?:[ \t]+(?P<value>\S.*)?|$)""",
    re.X,
)
BARE = re.compile(r"(?:[&!]\S*[ \t]*)*(?:\#.*)?")
BLOCK = re.compile(r"(?:[&!]\S*[ \t]+)*[|>][-+\d]{0,2}[ \t]*(?:\#.*)?")
TOML = re.compile(
    r'''"""(?:[^"\\]|\\.|"(?!""))*+"""|\'\'\'(?:[^']|'(?!''))*+\'\'\'|"(?:[^"\\\n]|\\.)*+"|'[^'\n]*+'|\#[^\n]*+
    |(?P<head>^[ \t]*\[{1,2}[ \t]{0,20}(?P<words>[^\[\]\s][^\[\]\n]{0,300}?)[ \t]{0,20}\]{1,2}[ \t]*+(?=[\#\r\n]|\Z))
    |(?P<sign>[\[\]])''',
    re.X | re.M | re.S,
)
SECTION = re.compile(
    r"^[ \t]*\[[ \t]{0,20}(?P<words>[^\[\]\s][^\[\]\n]{0,300}?)[ \t]{0,20}\][ \t]*+(?=[;#\r\n]|\Z)", re.M
)


def read_yaml(data: bytes, path: str, password: str | None) -> tuple[Document, ...]:
    """One document: the file's own text, titled by its name."""
    text, notes = decode(data)
    marks = tuple(yaml_headings(text))
    return (Document(path, "yaml", PurePath(path).name, text, marks, lines=True, notes=notes),)


def read_toml(data: bytes, path: str, password: str | None) -> tuple[Document, ...]:
    """One document: the file's own text, titled by its name."""
    text, notes = decode(data)
    marks = tuple(toml_headings(text) if ending(path) == "toml" else ini_headings(text))
    return (Document(path, "toml", PurePath(path).name, text, marks, lines=True, notes=notes),)


def toml_headings(text: str) -> Iterator[Mark]:
    """A mark for every [table] and [[table]], by the words between the brackets."""
    depth = 0
    for match in TOML.finditer(text):
        if match["head"] and depth == 0:
            yield Mark(match.start(), "heading", _short(match["words"]), 1)
        elif match["head"]:
            depth += match["head"].count("[") - match["head"].count("]")
        elif match["sign"]:
            depth = max(0, depth + (1 if match["sign"] == "[" else -1))


def ini_headings(text: str) -> Iterator[Mark]:
    """A mark for every [section]."""
    return (Mark(match.start(), "heading", _short(match["words"]), 1) for match in SECTION.finditer(text))


def _short(words: str) -> str:
    return " ".join(words.split())[:LONGEST]


@dataclass(slots=True)
class _Part:
    """A key or an item of a list, to which belongs what is indented more than it."""

    indent: int
    start: int
    words: str = ""
    """The key; an item has none."""
    mark: int = -1
    """Index of its heading, once something stands in it."""
    rank: int = len(NAMES)
    """The place in NAMES of the key that an item's heading came from."""


@dataclass(slots=True)
class _Outline:
    """The parts that the next line may belong to, and the headings so far."""

    parts: list[_Part] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    ended: bool = False
    """Whether the last heading no longer holds."""

    def leave(self, indent: int, dash: bool) -> None:
        """What a line so far in does not belong to is over."""
        while self.parts and (top := self.parts[-1]).indent >= indent:
            if top.indent == indent and dash and top.words:
                break
            self.parts.pop()
            self.ended = self.ended or top.mark >= 0

    def head(self, part: _Part, level: int) -> None:
        """Makes a part a heading; an item without a name ends the one before."""
        if part.mark < 0 and level <= DEEPEST:
            part.mark, self.ended = len(self.marks), False
            self.marks.append(Mark(part.start, "heading", part.words, level))

    def inside(self) -> None:
        """A line stands in the last part: if that is a key, it is a heading."""
        if self.parts and self.parts[-1].words:
            self.head(self.parts[-1], len(self.parts))

    def plain(self, start: int) -> None:
        """A line that is no heading."""
        if self.ended:
            self.marks.append(Mark(start, "heading", "", min(len(self.parts) + 1, DEEPEST)))
            self.ended = False

    def name(self, key: str, value: str) -> None:
        """The heading of an item, if this says what it is called."""
        part = self.parts[-1] if self.parts else None
        rank = NAMES.index(key) if key in NAMES else len(NAMES)
        if part and not part.words and part.mark >= 0 and rank < part.rank:
            words = _short(re.sub(r"[ \t]#.*", "", value).strip("\"' "))
            self.marks[part.mark] = replace(self.marks[part.mark], value=words)
            part.rank = rank


def yaml_headings(text: str) -> list[Mark]:
    """A mark for every key that holds keys or items and every item with a name; "" where such a part ends."""
    outline, block = _Outline(), -1
    for start, line in lines_of(text):
        body = line.lstrip(" ")
        indent = len(line) - len(body)
        if not body or 0 <= block <= indent:
            continue
        block = -1
        if body[0] in "#%" or (not indent and body.startswith(("---", "..."))):
            if body[0] in "-.":
                outline.leave(-1, False)
            continue
        block = _line(outline, body, indent, start + indent)
    return outline.marks


def _line(outline: _Outline, body: str, indent: int, at: int) -> int:
    """Takes a line in; gives back from which indent on the lines below it are its text, or -1."""
    begins, first = indent, at
    dash = ITEM.match(body)
    outline.leave(indent, dash is not None)
    outline.inside()
    while dash and len(outline.parts) < MOST:
        outline.parts.append(_Part(indent, at))
        indent, at, body = indent + dash.end(), at + dash.end(), body[dash.end() :]
        dash = ITEM.match(body)
    key = KEY.match(body)
    if key is None:
        outline.plain(first)
        return begins + 1 if BLOCK.fullmatch(body) else -1
    for level, part in enumerate(outline.parts, 1):
        if not part.words:
            outline.head(part, level)
    words, value = _short(key["double"] or key["single"] or key["bare"] or ""), key["value"] or ""
    outline.plain(at)
    if BARE.fullmatch(value) and words:
        outline.parts.append(_Part(indent, at, words))
        return -1
    outline.name(words, value)
    return indent + 1 if BLOCK.fullmatch(value) else -1
