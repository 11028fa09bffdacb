"""Org: the file's own text, its headlines without keyword, priority and tags, and what of it is a comment.

Stars inside a block that is closed (#+begin_src … #+end_src) are no headline. Comments, comment blocks and
subtrees that begin with COMMENT are in no passage when they are long (`split`) and stand in `hidden`. Drawers
and keyword lines stay text: what stands in a :PROPERTIES: drawer may be what is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePath

from quoth.ingest.decode import decode
from quoth.ingest.markdown import within
from quoth.types import Document, Mark

Span = tuple[int, int]

HEADLINE = re.compile(r"^(?P<stars>\*+)[ \t]+(?P<words>\S[^\r\n]*)", re.M)
KEYWORD = re.compile(r"^[ \t]*#\+(?P<name>\w+):[ \t]*(?P<value>[^\r\n]*)", re.M)
BLOCK = re.compile(r"^[ \t]*#\+(?P<edge>begin|end)_(?P<name>\S+)[^\n]*$", re.M | re.I)
REMARK = re.compile(r"(?:^[ \t]*#(?:[ \t][^\n]*)?(?:\n|\Z))+", re.M)
LONGEST = 500
"""Characters of a headline that count."""
STATES = frozenset(
    str.split("TODO DONE NEXT WAITING WAIT HOLD STARTED DOING SOMEDAY MAYBE CANCELLED CANCELED KILL PROJ STRT")
)
PRIORITY = re.compile(r"\[#\w{1,2}\][ \t]*")
TAGS = re.compile(r"[ \t]+:[\w@#%:]+:[ \t]*$")
COUNTER = re.compile(r"[ \t]*\[\d*(?:/\d*|%)\]")
COMMENTED = re.compile(r"(?:[A-Z]+[ \t]+)?(?:\[#\w\][ \t]*)?COMMENT\b")
LINK = re.compile(r"\[\[(?P<target>[^\[\]]*)\](?:\[(?P<words>[^\[\]]*)\])?\]")


def read_org(data: bytes, path: str, password: str | None) -> tuple[Document, ...]:
    """One document: the text as it is, titled by #+TITLE, by its only headline of one star, or by its name."""
    text, notes = decode(data)
    marks = tuple(headings(text))
    tops = [mark.value for mark in marks if mark.number == 1]
    title = " ".join(match["value"][:LONGEST].strip() for match in _keywords(text, "title"))
    title = LINK.sub(_words, title).strip() or (tops[0] if len(tops) == 1 else "") or PurePath(path).stem
    hidden = "\n".join(text[start:end].strip() for start, end in comments(text))
    return (Document(path, "org", title, text, marks, lines=True, hidden=hidden, notes=notes),)


def headings(text: str) -> Iterator[Mark]:
    """A mark for every headline with words, its level the number of its stars."""
    closed = sorted([*(span for span, _ in blocks(text)), *comments(text)])
    states = STATES | {
        word.split("(")[0]
        for name in ("todo", "seq_todo", "typ_todo")
        for match in _keywords(text, name)
        for word in match["value"].replace("|", " ").split()
    }
    for match in HEADLINE.finditer(text):
        if not within(closed, match.start()) and (words := _headline(match["words"], states)):
            yield Mark(match.start(), "heading", words, len(match["stars"]))


def _headline(words: str, states: frozenset[str]) -> str:
    """The words of a headline alone."""
    words = words[:LONGEST]
    first, _, rest = words.partition(" ")
    words = TAGS.sub("", rest.lstrip() if first in states else words)
    words = COUNTER.sub("", PRIORITY.sub("", words, count=1))
    return " ".join(LINK.sub(_words, words).split())


def _words(link: re.Match[str]) -> str:
    return link["words"] or link["target"]


def _keywords(text: str, name: str) -> list[re.Match[str]]:
    """The lines "#+NAME: value"."""
    return [match for match in KEYWORD.finditer(text) if match["name"].lower() == name]


def blocks(text: str) -> list[tuple[Span, str]]:
    """Where each block that is closed lies, and its name in small letters; blocks inside it count as its text."""
    found: list[tuple[Span, str]] = []
    closes: dict[str, int] = {}
    for edge in reversed(list(BLOCK.finditer(text))):
        name = edge["name"].lower()
        if edge["edge"].lower() == "end":
            closes[name] = edge.end()
        elif name in closes:
            found.append(((edge.start(), closes[name]), name))
    outer: list[tuple[Span, str]] = []
    for span, name in reversed(found):
        if not outer or span[0] >= outer[-1][0][1]:
            outer.append((span, name))
    return outer


def comments(text: str) -> list[Span]:
    """Where comment lines, comment blocks and commented subtrees lie, in order and without overlap."""
    parts = blocks(text)
    closed = [span for span, _ in parts]
    spans = [span for span, name in parts if name == "comment"]
    spans += [match.span() for match in REMARK.finditer(text) if not within(closed, match.start())]
    heads = [match for match in HEADLINE.finditer(text) if not within(closed, match.start())]
    tree, level = -1, 0
    for head in heads:
        if tree >= 0 and len(head["stars"]) <= level:
            spans.append((tree, head.start()))
            tree = -1
        if tree < 0 and COMMENTED.match(head["words"]):
            tree, level = head.start(), len(head["stars"])
    if tree >= 0:
        spans.append((tree, len(text)))
    found: list[Span] = []
    for span in sorted(spans):
        if not found or span[0] >= found[-1][1]:
            found.append(span)
    return found
