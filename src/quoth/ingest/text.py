"""Plain text and source code: the text as it is; functions and classes at the margin of code are headings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePath

from quoth.ingest.decode import decode
from quoth.ingest.kinds import ending
from quoth.types import Document, Mark

TITLE = 80
"""A first line of at most so many characters is taken for the title."""

PYTHON = re.compile(r"^(?:async[ \t]+def|def|class)[ \t]+(\w+)", re.M)
LIKE_C = re.compile(
    r"^(?:export[ \t]+)?(?:default[ \t]+)?(?:pub(?:\([a-z]+\))?[ \t]+)?(?:public[ \t]+)?(?:abstract[ \t]+|final[ \t]+)?"
    r"(?:async[ \t]+)?(?:function|class|struct|enum|trait|impl|interface|func|fn|module)[ \t*]+(?:\([^)\n]*\)[ \t]*)?"
    r"([A-Za-z_$][\w$]*)",
    re.M,
)
DATA = frozenset(str.split("properties env xsd css plist"))


def read_text(data: bytes, path: str, password: str | None) -> tuple[Document, ...]:
    """One document: the file's own text, titled by its first line if that is short, else by its name."""
    text, notes = decode(data)
    title = first_line(text) or PurePath(path).name
    return (Document(path, "text", title, text, lines=True, notes=notes),)


def read_code(data: bytes, path: str, password: str | None) -> tuple[Document, ...]:
    """One document: the file's own text, titled by its name; functions and classes at the margin are headings."""
    text, notes = decode(data)
    name = ending(path)
    pattern = None if name in DATA else PYTHON if name in ("py", "pyi", "pyw") else LIKE_C
    found = pattern.finditer(text) if pattern else ()
    marks = tuple(Mark(match.start(), "heading", match[1], 1) for match in found)
    return (Document(path, "code", PurePath(path).name, text, marks, lines=True, notes=notes),)


def first_line(text: str) -> str:
    """The first line that is not blank if it may be a title: short, with words."""
    match = re.search(r"\S[^\r\n]*", text)
    line = match[0].strip() if match else ""
    return line if len(line) <= TITLE and re.search(r"\w", line) else ""


def lines_of(text: str) -> Iterator[tuple[int, str]]:
    """(start, line without the blanks at its end) of every line."""
    start = 0
    while start < len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        yield start, text[start:end].rstrip()
        start = end + 1
