"""reStructuredText: the file's own text, its section titles, and what of it is a comment.

Titles follow docutils: an underline (and an overline like it) of one punctuation mark, as long as the words or
at least four characters; a style's level is the order in which it first appears. Comments longer than a line
are in no passage (`split`) and stand in `hidden`; directives, their options and tables are text like any other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePath

from quoth.ingest.decode import decode
from quoth.ingest.text import first_line, lines_of
from quoth.types import Document, Mark

Span = tuple[int, int]

RULE = re.compile(r"([!-/:-@\[-`{-~])\1*")
NO_TITLE = re.compile(r"[-*+•‣⁃|][ \t]|\.\.(?:[ \t]|$)|__[ \t]|>>>[ \t]|\+[-=]+\+")
COMMENT = re.compile(r"^\.\.(?:[ \t]+(?!_|\[|\||[\w:.+-]+[ \t]?::)[^\n]*|[ \t]*\r?\n(?=[ \t]+\S)[^\n]*)$", re.M)
INDENTED = re.compile(r"(?:\n(?:[ \t]+[^\n]*|[ \t]*\r?(?=\n)))+")
FIELD = re.compile(r"^:?(?P<name>[A-Za-z][\w -]*):[ \t]+(?P<value>\S[^\n]*(?:\n[ \t]+\S[^\n]*)*)", re.M)
INLINE = re.compile(
    r"``(?P<literal>[^\n]+?)``|(?::[\w:+.-]+:)?`(?P<words>[^`<\n]+?)(?:\s*<[^`>\n]*>)?`_{0,2}"
    r"|\*\*(?P<strong>[^\s*](?:[^*\n]*[^\s*])?)\*\*|(?<![\w*])\*(?P<stress>[^\s*](?:[^*\n]*[^\s*])?)\*(?![\w*])"
    r"|(?<!\w)\|(?P<name>[^\s|](?:[^|\n]*[^\s|])?)\|_{0,2}|\\(?P<escaped>.)"
)
LONGEST = 500
"""Characters that a title may have."""
HEADER = 4_000
"""Characters at the start in which the fields of a header are looked for."""


def read_rst(data: bytes, path: str, password: str | None) -> tuple[Document, ...]:
    """One document: the text as it is, titled "PEP 8 – Style Guide", by its title, a Title field, or its name."""
    text, notes = decode(data)
    marks = tuple(headings(text))
    away = comments(text)
    title = _title(text, marks) or first_line(text) or PurePath(path).name
    hidden = "\n".join(text[start:end] for start, end in away)
    return (Document(path, "rst", title, text, marks, lines=True, hidden=hidden, notes=notes),)


def headings(text: str) -> Iterator[Mark]:
    """A mark for every section title, at its overline if it has one."""
    lines = list(lines_of(text))
    styles: list[tuple[str, bool]] = []
    at, begins = 0, True
    while at < len(lines):
        start, line = lines[at]
        size = _title_lines([words for _, words in lines[at : at + 3]]) if begins and line else 0
        if size:
            style = (lines[at + size - 1][1][0], size == 3)
            if style not in styles:
                styles.append(style)
            words = plain(lines[at + size - 2][1].strip())
            yield Mark(start, "heading", words, styles.index(style) + 1)
            at += size
        else:
            begins = not line or line.startswith(("..", "__ "))
            at += 1


def _title_lines(lines: list[str]) -> int:
    """2 or 3 where these lines begin with a title and its underline, or one between two like lines; else 0."""
    over = RULE.fullmatch(lines[0]) is not None
    if over and len(lines) == 3 and lines[1] and not RULE.fullmatch(lines[1]):
        return 3 if lines[2] == lines[0] and _is_title(lines[1].strip(), lines[0]) else 0
    if len(lines) < 2 or over or lines[0][0].isspace() or not RULE.fullmatch(lines[1]):
        return 0
    return 2 if not NO_TITLE.match(lines[0]) and _is_title(lines[0], lines[1]) else 0


def _is_title(words: str, rule: str) -> bool:
    return (len(rule) >= 4 or len(rule) >= len(words)) and len(words) <= LONGEST and any(map(str.isalnum, words))


def plain(words: str) -> str:
    """The words of a title without inline markup."""
    return " ".join(INLINE.sub(lambda match: (match[match.lastgroup or 0] or "").lstrip(), words).split())


def comments(text: str) -> list[Span]:
    """Where comments at the margin lie, in order: ".. words" that are no directive, and what is indented below."""
    found: list[Span] = []
    for match in COMMENT.finditer(text):
        if not found or match.start() >= found[-1][1]:
            below = INDENTED.match(text, match.end())
            found.append((match.start(), below.end() if below else match.end()))
    return found


def _title(text: str, marks: tuple[Mark, ...]) -> str:
    """The title that the text gives itself: fields above its first heading, then that heading."""
    end = min(HEADER, marks[0].start if marks else HEADER)
    found = reversed(list(FIELD.finditer(text, 0, end)))
    fields = {match["name"].lower(): " ".join(match["value"].split()) for match in found}
    if re.match(r"\s*PEP:", text) and fields.get("pep", "").isdigit() and "title" in fields:
        return f"PEP {int(fields['pep'])} – {fields['title']}"
    return fields.get("title", "") or next((mark.value for mark in marks if mark.number == 1), "")
