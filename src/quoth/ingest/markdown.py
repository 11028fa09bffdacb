"""Markdown: the file's own text, its headings, its front matter, and what of it is markup.

`plain` is what the encoder and the word index see; quotes and passages are always the text itself.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import PurePath

from quoth.ingest.decode import decode
from quoth.types import Document, Mark

Span = tuple[int, int]

FRONT = re.compile(r"\A---[ \t]*\r?\n(?P<body>(?:.*\n)*?)(?:---|\.\.\.)[ \t]*(?:\r?\n|\Z)")
PAIR = re.compile(r"^(?P<name>[\w -]+?)[ \t]*:[ \t]+(?P<value>[^\r\n]*)", re.M)
FENCE = re.compile(r"^(?P<lead>(?:[ \t>]|[-*+][ \t]|\d+[.)][ \t])*)(?P<fence>`{3,}|~{3,})(?P<info>[^\n]*)$", re.M)
COMMENT = re.compile(r"<!--.*?(?:-->|\Z)|%%.*?%%", re.S)
CODE = re.compile(r"`(?<!``)(?P<ticks>`*)(?!`)(?:[^\n]|\n(?!\s*\n)){0,1000}?(?<!`)`(?P=ticks)(?!`)")
ATX = re.compile(r"^ {0,3}(?P<hashes>#{1,6})[ \t]+(?P<words>[^\n]*)$", re.M)
HASHES = re.compile(r"(?:^|(?<=[ \t]))#+[ \t]*\r?$")
SETEXT = re.compile(
    r"^ {0,3}(?![-*+>#|][ \t]|\d+[.)][ \t]|[-=*_]{3,}[ \t]*$|[|>])(?P<words>\S[^\n]*)\n"
    r" {0,3}(?P<line>={2,}|-{2,})[ \t]*\r?$",
    re.M,
)
TAGS = (
    "a|abbr|b|big|blockquote|br|center|cite|code|dd|del|details|div|dl|dt|em|figcaption|figure|font|h[1-6]|hr|i|iframe"
    "|img|ins|kbd|li|mark|ol|p|picture|pre|q|s|samp|section|small|source|span|strike|strong|sub|summary|sup|table"
    "|tbody|td|tfoot|th|thead|tr|tt|u|ul|var|video"
)
# Every branch begins with a literal character: only so does `re` skip quickly to where one may match.
MARKUP = re.compile(
    rf"""{CODE.pattern}
    |\[\[(?P<target>[^\[\]|\n]{{0,500}})(?P<alias>\|[^\[\]\n]{{0,500}})?\]\]
    |\[(?P<words>(?:[^\[\]]|\[[^\[\]]{{0,200}}\]){{0,500}}?)
       (?P<close>\](?:\([^()\n]{{0,2000}}(?:\([^()\n]{{0,500}}\)[^()\n]{{0,500}})?\)|\[[^\[\]\n]{{0,200}}\]))
    |!(?=\[)
    |</?(?:{TAGS})\b[^<>]{{0,2000}}>
    |:(?<![^\s|]:)-+:?[ \t]*(?=[|\r\n]|\Z)
    |-(?<![^\s|]-)-+:?[ \t]*(?=[|\r\n]|\Z)
    |\#(?<![^\s>]\#)\#{{0,5}}[ \t]+
    |>(?<![^\s>]>)[ \t]?
    |\\[!-/:-@\[-`{{-~]
    |\*(?<![\w*]\*)\*{{0,2}}(?=\S)|\*(?<=\S\*)\*{{0,2}}(?![\w*])
    |_(?<!\w_)_{{0,2}}(?=\w)|_(?<=[^\W_]_)_{{0,2}}(?!\w)
    |~~|==(?=\w)|==(?<=\w==)
    |\|""",
    re.VERBOSE,
)


def read_markdown(data: bytes, path: str, password: str | None) -> tuple[Document, ...]:
    """One document: the text as it is, titled by its front matter, its first heading of level 1, or its name.

    Comments (HTML's and Obsidian's) stand in `hidden` as well; `plain` drops them.
    """
    text, notes = decode(data)
    front = front_matter(text)
    marks = tuple(headings(text))
    first = next((mark.value for mark in marks if mark.number == 1 or _leads(text, mark)), "")
    title = plain(front.get("title", "")).strip() or first or PurePath(path).stem
    hidden = "\n".join(text[start:end] for start, end in comments(text))
    return (
        Document(
            path,
            "markdown",
            title,
            text,
            marks,
            lines=True,
            modified=_date(front),
            hidden=hidden,
            notes=notes,
        ),
    )


def _leads(text: str, heading: Mark) -> bool:
    """Whether nothing but front matter stands above this heading: a title, whatever its level."""
    front = FRONT.match(text)
    return not text[front.end() if front else 0 : heading.start].strip()


def front_matter(text: str) -> dict[str, str]:
    """The plain `name: value` pairs of the block between the first --- and the next; names in small letters.

    This reads the few scalars that a document needs, not YAML: lists and nested values stay unread
    (and stand in the text, where words find them).
    """
    front = FRONT.match(text)
    pairs = PAIR.finditer(front["body"]) if front else ()
    return {pair["name"].lower(): pair["value"].strip().strip("\"'") for pair in reversed(list(pairs))}


def headings(text: str) -> list[Mark]:
    """A mark for every heading outside code and comments, with its words as a reader sees them."""
    closed = sorted([*fences(text), *comments(text), *front_span(text)])
    found = [(one.start(), HASHES.sub("", one["words"]), len(one["hashes"])) for one in ATX.finditer(text)]
    found += [(match.start(), match["words"], 1 if match["line"][0] == "=" else 2) for match in SETEXT.finditer(text)]
    return [
        Mark(start, "heading", words, level)
        for start, raw, level in sorted(found)
        if not within(closed, start) and (words := plain(raw).strip())
    ]


def fences(text: str) -> list[Span]:
    """Where the fenced code blocks lie, fences included; one that is never closed runs to the end."""
    if "```" not in text and "~~~" not in text:
        return []
    found: list[Span] = []
    opened: re.Match[str] | None = None
    for match in FENCE.finditer(text):
        fence = match["fence"]
        if opened is None:
            opened = None if fence[0] == "`" and "`" in match["info"] else match
        elif fence[0] == opened["fence"][0] and len(fence) >= len(opened["fence"]) and not match["info"].strip():
            found.append((opened.start(), match.end()))
            opened = None
    return [*found, (opened.start(), len(text))] if opened else found


def comments(text: str) -> list[Span]:
    """Where <!-- comments --> and Obsidian's %% comments %% lie, outside code."""
    if "<!--" not in text and "%%" not in text:
        return []
    code = sorted([*fences(text), *(match.span() for match in CODE.finditer(text))])
    return [match.span() for match in COMMENT.finditer(text) if not within(code, match.start())]


def front_span(text: str) -> list[Span]:
    """Where the front matter lies: one span or none."""
    front = FRONT.match(text)
    return [front.span()] if front else []


def markup(text: str) -> list[Span]:
    """What a reader of the rendered page would not see, in order and without overlap.

    Comments, link targets, emphasis, fences, table rules, tags; code keeps everything but its ticks.
    """
    blocks = fences(text)
    away = comments(text)
    spans = list(away)
    for start, end in blocks:
        first, last = text.find("\n", start, end), text.rfind("\n", start, end)
        spans.append((start + len(text[start:end]) - len(text[start:end].lstrip(" \t>")), first if first > 0 else end))
        if last > first and FENCE.match(text, last + 1, end):
            spans.append((last + 1, end))
    closed = sorted([*blocks, *away])
    for start, end in _between(closed, len(text)):
        for match in MARKUP.finditer(text, start, end):
            spans.extend(_drop(match))
    return sorted(span for span in spans if span[0] < span[1])


def plain(text: str) -> str:
    """The text as the encoder and the word index see it: `markup` gone, with a blank where words would run together."""
    return "".join(pieces(text, markup(text), 0, len(text)))


def pieces(text: str, spans: list[Span], start: int, end: int) -> Iterator[str]:
    """What is left of text[start:end] without the spans; a tag or a table's bar leaves a blank."""
    for at in range(max(0, bisect.bisect_left(spans, (start, 0)) - 1), len(spans)):
        first, last = spans[at]
        if first >= end:
            break
        if last <= start:
            continue
        yield text[start:first]
        if text[first] in "<|":
            yield " "
        start = last
    yield text[start:end]


def _drop(match: re.Match[str]) -> Iterator[Span]:
    """The parts of one piece of markup that are not for the reader."""
    start, end = match.span()
    if match["ticks"] is not None:
        ticks = len(match["ticks"]) + 1
        yield from ((start, start + ticks), (end - ticks, end))
    elif match["target"] is not None:
        yield from ((start, match.start("alias") + 1 if match["alias"] else start + 2), (end - 2, end))
    elif match["words"] is not None:
        yield from ((start, start + 1), match.span("close"))
        offset = match.start("words")
        for inner in MARKUP.finditer(match["words"]):
            yield from ((offset + first, offset + last) for first, last in _drop(inner))
    else:
        yield (start, start + 1 if match[0][0] == "\\" else end)


def _between(closed: list[Span], end: int) -> Iterator[Span]:
    at = 0
    for start, stop in closed:
        if start > at:
            yield (at, start)
        at = max(at, stop)
    if at < end:
        yield (at, end)


def within(spans: list[Span], offset: int) -> bool:
    """Whether one of the sorted spans holds this offset."""
    at = bisect.bisect_right(spans, offset, key=lambda span: span[0])
    return any(offset < end for _, end in spans[max(0, at - 3) : at])


def _date(front: dict[str, str]) -> float:
    """When the note was last changed by its own account, as POSIX seconds; 0 when it says nothing."""
    for name in ("updated", "modified", "last_modified", "last-modified", "lastmod", "date", "created"):
        try:
            when = datetime.fromisoformat(front.get(name, ""))
        except ValueError:
            continue
        return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
    return 0.0
