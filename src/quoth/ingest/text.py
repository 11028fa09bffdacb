"""Plain text, reStructuredText and source code: the text as it is, with the headings that it shows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePath

from quoth.ingest.decode import decode
from quoth.ingest.kinds import ending
from quoth.types import Document, Mark

TITLE = 80
"""A first line of at most so many characters is taken for the title."""

RULE = r"=\-`:.'\"~^_*+#"
UNDERLINED = re.compile(
    rf"^(?:(?P<over>(?P<o>[{RULE}])(?P=o){{2,}})[ \t]*\r?\n[ \t]*)?(?P<words>\S[^\n]*)\n"
    rf"(?P<under>(?P<u>[{RULE}])(?P=u){{2,}})[ \t]*\r?$",
    re.M,
)
FIELD = re.compile(r"^(?::)?(title|date|created|modified|last-modified)[ \t]*:[ \t]*(\S[^\n]*)$", re.I | re.M)
PYTHON = re.compile(r"^(?:async[ \t]+def|def|class)[ \t]+(\w+)", re.M)
LIKE_C = re.compile(
    r"^(?:export[ \t]+)?(?:default[ \t]+)?(?:pub(?:\([a-z]+\))?[ \t]+)?(?:public[ \t]+)?(?:abstract[ \t]+|final[ \t]+)?"
    r"(?:async[ \t]+)?(?:function|class|struct|enum|trait|impl|interface|func|fn|module)[ \t*]+(?:\([^)\n]*\)[ \t]*)?"
    r"([A-Za-z_$][\w$]*)",
    re.M,
)
DATA = frozenset(
    str.split("json jsonl ndjson json5 geojson canvas yaml yml toml ini cfg conf properties env xml xsd rss atom css")
)


def read_text(data: bytes, path: str, password: str | None) -> tuple[Document, ...]:
    """One document: the file's own text, titled by its first line if that is short, else by its name."""
    text, notes = decode(data)
    marks: tuple[Mark, ...] = ()
    title = ""
    if ending(path) in ("rst", "rest"):
        marks = tuple(_sections(text))
        title = _field(text, "title") or next((mark.value for mark in marks), "")
    title = title or _first_line(text) or PurePath(path).name
    return (Document(path, "text", title, text, marks, lines=True, notes=notes),)


def read_code(data: bytes, path: str, password: str | None) -> tuple[Document, ...]:
    """One document: the file's own text, titled by its name; functions and classes at the margin are headings."""
    text, notes = decode(data)
    name = ending(path)
    pattern = None if name in DATA else PYTHON if name in ("py", "pyi", "pyw") else LIKE_C
    found = pattern.finditer(text) if pattern else ()
    marks = tuple(Mark(match.start(), "heading", match[1], 1) for match in found)
    return (Document(path, "code", PurePath(path).name, text, marks, lines=True, notes=notes),)


def _first_line(text: str) -> str:
    match = re.search(r"\S[^\r\n]*", text)
    line = match[0].strip() if match else ""
    return line if len(line) <= TITLE and re.search(r"\w", line) else ""


def _field(text: str, name: str) -> str:
    """The value of a header field such as "Title:" in the first lines of a PEP or an article."""
    return next((m[2].strip() for m in FIELD.finditer(text, 0, 2000) if m[1].lower() == name), "")


def _sections(text: str) -> Iterator[Mark]:
    """Headings of reStructuredText; levels follow from the order in which underlines first appear."""
    levels: list[tuple[str, bool]] = []
    for match in UNDERLINED.finditer(text):
        words, over, under = match["words"].strip(), match["over"], match["under"]
        wrong = over is not None and over[0] != under[0]
        if wrong or len(under) < len(words) or not re.search(r"\w", words) or not _blank_before(text, match.start()):
            continue
        style = (under[0], over is not None)
        if style not in levels:
            levels.append(style)
        yield Mark(match.start(), "heading", words, levels.index(style) + 1)


def _blank_before(text: str, start: int) -> bool:
    return not text[max(0, start - 200) : start].rstrip(" \t\r").removesuffix("\n").rpartition("\n")[2].strip()
