"""The rows of the catalog that others see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from quoth.types import Document, Passage

State = Literal["read", "failed", "skipped"]


@dataclass(frozen=True, slots=True)
class Source:
    """A folder or file that the user named, kept in step by `sync`; `archives` says whether zip files are opened."""

    id: int
    path: str
    added: float
    archives: bool = False


@dataclass(frozen=True, slots=True)
class File:
    """A file of a source as it was last seen; `reason` says why it was not read."""

    id: int
    source: int
    path: str
    size: int
    mtime_ns: int
    sha256: str
    state: State = "read"
    reason: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """A file that was read, ready to be written: its documents with passages that have their ids."""

    path: str
    size: int
    mtime_ns: int
    sha256: str
    documents: Sequence[tuple[Document, Sequence[Passage]]]


class Candidate(NamedTuple):
    """Of a passage only what its rank depends on; hundreds are made in each search, a tuple most cheaply."""

    id: int
    context: str
    path: str


@dataclass(frozen=True, slots=True)
class FoundPassage:
    """A passage with what a hit shows of its document."""

    id: int
    path: str
    kind: str
    title: str
    start: int
    end: int
    text: str
    context: str
    page: int | None
    line: int | None
    heading: str | None
    cells: str | None


JobState = Literal["running", "done", "stopped", "failed", "cut off", "resumed"]


@dataclass(frozen=True, slots=True)
class Job:
    """A long run: what it was told, how far it is, how it ended.

    `beat` is when it last showed that it is alive; a job whose process died is "cut off" until a later
    one has taken it up ("resumed"). `options` is JSON without passwords, `counts` is its report's numbers.
    """

    id: int
    command: str
    places: tuple[str, ...]
    options: str
    state: JobState
    doing: str
    files: int
    of_files: int
    passages: int
    bytes: int
    of_bytes: int
    started: float
    beat: float
    ended: float | None
    cancel: bool
    reason: str
    counts: dict[str, float]
