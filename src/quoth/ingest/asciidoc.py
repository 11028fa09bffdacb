"""AsciiDoc: the file's own text, its section titles outside delimited blocks, and what of it is a comment.

Both ways of writing a title count (== Words, and an underline about as long as the words). Attributes of the
header are put in for {name} in titles. Comments longer than a line are in no passage (`split`) and stand in
`hidden`. Not covered: include:: is not followed, conditions (ifdef::) are text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePath

from quoth.ingest.decode import decode
from quoth.ingest.text import first_line, lines_of
from quoth.types import Document, Mark

Span = tuple[int, int]

ATX = re.compile(r"(?P<signs>={1,6}|#{1,6})[ \t]+(?P<words>\S.*?)(?:[ \t]+(?P=signs))?")
FENCE = re.compile(r"([-.=*_+/])\1{3,}|--|```\w*|[|,:!]={3,}")
UNDERLINE = re.compile(r"([-=~^+])\1+")
LEVELS = {"=": 1, "-": 2, "~": 3, "^": 4, "+": 5}
NO_TITLE = re.compile(r"[.\[|:/]|[-*+][ \t]|<<|(?:include|image|ifn?def|ifeval|endif)::")
ATTRIBUTE = re.compile(r"^:(?P<name>[\w-]+):[ \t]+(?P<value>[^\r\n]*)", re.M)
MARKUP = re.compile(r"\[\[[^\]]*\]\]|\[#[^\]]*\]|(?<![\w`])[`*_+#]{1,2}(?=\S)|(?<=\S)[`*_+#]{1,2}(?!\w)")
LONGEST = 500
"""Characters that a title may have."""
HEADER = 8_000
"""Characters at the start in which attributes are looked for."""


def read_asciidoc(data: bytes, path: str, password: str | None) -> tuple[Document, ...]:
    """One document: the text as it is, titled by its title of level 0, its first line if short, or its name."""
    text, notes = decode(data)
    marks = tuple(headings(text))
    title = next((mark.value for mark in marks if mark.number == 1), "") or next((m.value for m in marks), "")
    hidden = "\n".join(text[start:end] for start, end in comments(text))
    title = title or first_line(text) or PurePath(path).name
    return (Document(path, "asciidoc", title, text, marks, lines=True, hidden=hidden, notes=notes),)


def headings(text: str) -> Iterator[Mark]:
    """A mark for every title: level 1 is the document's, level 2 a section's."""
    names = {match["name"]: match["value"].strip() for match in ATTRIBUTE.finditer(text[:HEADER])}
    above, beyond = "", -1
    for start, line, below, inside in _walk(text):
        if inside or start <= beyond:
            above = ""
            continue
        found = ATX.fullmatch(line) if len(line) <= LONGEST else None
        words, level = (found["words"], len(found["signs"])) if found else ("", 0)
        if not found and (not above or above.startswith(("[", "//", ":"))) and _is_underlined(line, below):
            words, level, beyond = line, LEVELS[below[0]], start + len(line) + 2
        if words := plain(re.sub(r"\{([\w-]+)\}", lambda name: names.get(name[1], name[0]), words)):
            yield Mark(start, "heading", words, level)
        above = line


def _is_underlined(words: str, below: str) -> bool:
    fits = UNDERLINE.fullmatch(below) is not None and abs(len(below) - len(words)) <= 2
    return fits and 2 < len(words) <= LONGEST and any(map(str.isalnum, words)) and not NO_TITLE.match(words)


def plain(words: str) -> str:
    """The words of a title without inline markup."""
    return " ".join(MARKUP.sub("", words).split())


def comments(text: str) -> list[Span]:
    """Where comment blocks (////) and comment lines (//) lie, in order; lines that follow each other are one."""
    found: list[Span] = []
    for start, line, _, inside in _walk(text):
        remark = inside.startswith("////") or (not inside and line.startswith("//") and not line.startswith("///"))
        if remark and found and text[found[-1][1] : start].strip("\r\n") == "":
            found[-1] = (found[-1][0], start + len(line))
        elif remark:
            found.append((start, start + len(line)))
    return found


def _walk(text: str) -> Iterator[tuple[int, str, str, str]]:
    """(start, line, the line below, the fence of the block that it is in or "") of every line."""
    lines = [*lines_of(text), (len(text), "")]
    last = {line: at for at, (_, line) in enumerate(lines) if FENCE.fullmatch(line)}
    fence, titled, above = "", -1, ""
    for at, (start, line) in enumerate(lines[:-1]):
        below = lines[at + 1][1]
        if fence:
            yield start, line, below, fence
            fence = "" if line == fence else fence
        elif at != titled and last.get(shut := "```" if line.startswith("```") else line, -1) > at:
            fence = shut
            yield start, line, below, fence
        else:
            titled = at + 1 if not above and _is_underlined(line, below) else titled
            yield start, line, below, ""
        above = line if not line.startswith(("[", "//", ":")) else ""
