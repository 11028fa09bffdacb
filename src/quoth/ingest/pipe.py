"""What crosses the pipe between a worker and its caller: a length, then a pickle of plain values only."""

from __future__ import annotations

import io
import pickle
import struct
from collections.abc import Iterable
from typing import TYPE_CHECKING, BinaryIO, TypeAlias, cast

from quoth.types import Document, Mark, Passage

if TYPE_CHECKING:
    from quoth.types import MarkKind

Plain: TypeAlias = "str | int | float | bool | tuple[Plain, ...] | None"
"""All that crosses the pipe."""

LONGEST = 2**29
"""Bytes of one message on the pipe."""


class _PlainValues(pickle.Unpickler):
    """Reads pickles of plain values; a pickle that names a class or function is refused."""

    def find_class(self, module: str, name: str) -> object:
        raise pickle.UnpicklingError(f"{module}.{name} has no business on this pipe")


def send(pipe: BinaryIO, value: Plain) -> None:
    data = pickle.dumps(value, protocol=5)
    pipe.write(struct.pack("<Q", len(data)))
    pipe.write(data)
    pipe.flush()


def receive(pipe: BinaryIO) -> tuple[Plain, int]:
    """The next value and its length in bytes. Raises EOFError when the other side has gone."""
    start = pipe.read(8)
    if len(start) < 8:
        raise EOFError
    (length,) = struct.unpack("<Q", start)
    if length > LONGEST:
        raise ValueError("the message is too long")
    data = pipe.read(length)
    if len(data) < length:
        raise EOFError
    return cast(Plain, _PlainValues(io.BytesIO(data)).load()), length


def freeze(documents: Iterable[tuple[Document, list[Passage]]]) -> tuple[Plain, ...]:
    """Documents and passages as plain values; a passage's text is where it says it is, and not sent twice."""
    return tuple(
        (
            (one.path, one.kind, one.title, one.text, one.lines, one.language, one.modified, one.hidden, one.notes),
            tuple((mark.start, mark.kind, mark.value, mark.number) for mark in one.marks),
            tuple((passage.start, passage.end, passage.context) for passage in passages),
        )
        for one, passages in documents
    )


def thaw(documents: tuple[Plain, ...]) -> tuple[tuple[Document, list[Passage]], ...]:
    found = []
    for values, marks, passages in cast("tuple[tuple[tuple[Plain, ...], ...], ...]", documents):
        path, kind, title, text, lines, language, modified, hidden, notes = values
        text = cast(str, text)
        document = Document(
            path=cast(str, path),
            kind=cast(str, kind),
            title=cast(str, title),
            text=text,
            marks=tuple(Mark(*mark) for mark in cast("tuple[tuple[int, MarkKind, str, int], ...]", marks)),
            lines=cast(bool, lines),
            language=cast(str, language),
            modified=cast(float, modified),
            hidden=cast(str, hidden),
            notes=cast("tuple[str, ...]", notes),
        )
        places = cast("tuple[tuple[int, int, str], ...]", passages)
        found.append((document, [Passage(start, end, text[start:end], said) for start, end, said in places]))
    return tuple(found)
