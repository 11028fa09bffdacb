"""Files to documents, documents to passages: `read` one file, `split` one document, `walk` a source.

`read` works in the calling process; a file from a stranger is read by `worker`, which bounds its
memory and time.
"""

from __future__ import annotations

import importlib
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar, cast

from quoth.errors import Encrypted, OtherKind, ReadError
from quoth.ingest import kinds
from quoth.types import Document

__all__ = ["read", "read_data", "unlocked"]

UNSTORABLE = re.compile("[\0\ud800-\udfff]")
"""Characters that no text file may hold: SQLite ends a text at the one and UTF-8 has no bytes for the others."""
Opened = TypeVar("Opened")
Reader = Callable[[bytes, str, str | None], tuple[Document, ...]]


def read(path: str | Path, password: str | None = None, kind: str | None = None) -> tuple[Document, ...]:
    """The documents in one file: one, or several for a mailbox or a mail with attachments.

    `kind` is found by content when it is not given. A document without a date of its own gets the
    file's. Raises ReadError for a file that cannot be opened, is of no readable kind, or is broken.
    """
    place = os.path.abspath(path)
    try:
        with Path(place).open("rb") as file:
            modified = os.fstat(file.fileno()).st_mtime
            data = file.read()
    except OSError as error:
        raise ReadError(f"cannot be opened: {error.strerror}", "check that it exists and may be read") from error
    found = read_data(data, place, password, kind)
    return tuple(one if one.modified else replace(one, modified=modified) for one in found)


def read_data(data: bytes, path: str, password: str | None = None, kind: str | None = None) -> tuple[Document, ...]:
    """The documents in the bytes of one file (or attachment) called `path`, each with its language."""
    from quoth.ingest import ocr
    from quoth.ingest.language import language_of

    kind = kind or kinds.kind_of(path, data)
    if kind is None:
        raise OtherKind(f"is {kinds.describe(data, path)}, which Quoth does not read")
    with ocr.bounded():
        documents = [_storable(one) for one in _reader(kind)(data, path, password)]
    return tuple(one if one.language else replace(one, language=language_of(one.text)) for one in documents)


def unlocked(read: Callable[[str | None], Opened], passwords: Sequence[str]) -> Opened:
    """What `read` gives without a password or, where it is encrypted, with the first that opens it."""
    for password in (None, *passwords[:-1]):
        try:
            return read(password)
        except Encrypted:
            if not passwords:
                raise
    return read(passwords[-1])


def _storable(document: Document) -> Document:
    """The document with � for NULs and lone surrogates, one for one, so that every offset stays true."""
    text, title, hidden = (UNSTORABLE.sub("\ufffd", part) for part in (document.text, document.title, document.hidden))
    marks = tuple(replace(mark, value=UNSTORABLE.sub("\ufffd", mark.value)) for mark in document.marks)
    same = (text, title, hidden, marks) == (document.text, document.title, document.hidden, document.marks)
    return document if same else replace(document, text=text, title=title, hidden=hidden, marks=marks)


def _reader(kind: str) -> Reader:
    module, _, function = kinds.KINDS[kind].reader.partition(":")
    return cast(Reader, getattr(importlib.import_module(f"quoth.ingest.{module}"), function))
