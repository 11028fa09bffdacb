"""Every record that two parts share and every seam between them. Read this first.

The path is  file → Document → Passage → Hit → Quote → Answer,  and one invariant carries it:

    document.text[passage.start:passage.end] == passage.text        (and the same for every quote)

Offsets are Python character offsets, pages and lines count from 1, times are POSIX seconds.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ids = NDArray[np.int64]
    """Passage ids, shape (n,). An id is never given out twice in a library."""
    Floats = NDArray[np.float32]
    """Scores, shape (n,), or unit-length vectors, shape (n, dimensions)."""

WORD = re.compile(r"\S+")
MarkKind = Literal["page", "line", "heading", "cells", "glyph", "box"]


@dataclass(frozen=True, slots=True)
class Mark:
    """From character `start` on, until the next mark of its kind, the text lies at this place.

    kind     value                                            number
    page     ""                                               page or slide, from 1
    line     ""                                               line in the file, from 1
    heading  its words ("" ends the section)                  level, from 1
    cells    "Costs!A2:D2", "cell 3", "00:01:05" as said at   0
    glyph    ""                                               index of the character on its PDF page
    box      left, top, right and bottom of one word's Box    its page
    """

    start: int
    kind: MarkKind
    value: str = ""
    number: int = 0


@dataclass(frozen=True, slots=True)
class Place:
    """Where a person finds a character: whichever of these the file has."""

    page: int | None = None
    line: int | None = None
    heading: str | None = None
    cells: str | None = None


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle on a page (from 1), in points from the page's lower left corner: top > bottom.

    On an image a pixel counts as a point, and the only page is 1.
    """

    page: int
    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True, slots=True)
class Document:
    """What was read from a file: its text, and the way back from every character to its place.

    `path` is absolute; a message of a mailbox or an attachment is its file's path, "#" and a
    number or name. `lines` says that the text is the file's own, so that lines are counted in it.
    `hidden` holds text that a person who opens the file would not see: never indexed, never quoted.
    """

    path: str
    kind: str
    title: str
    text: str
    marks: tuple[Mark, ...] = ()
    lines: bool = False
    language: str = ""
    modified: float = 0.0
    hidden: str = ""
    notes: tuple[str, ...] = ()

    def place(self, offset: int) -> Place:
        """The place of the character at `offset`."""
        return self.places([offset])[0]

    def places(self, offsets: Sequence[int]) -> list[Place]:
        """The places of characters at ascending offsets, in one pass over the marks."""
        found: list[Place] = []
        last: dict[str, Mark] = {}
        sections: list[Mark] = []
        mark = counted = newlines = 0
        for offset in offsets:
            while mark < len(self.marks) and self.marks[mark].start <= offset:
                seen = self.marks[mark]
                mark += 1
                if seen.kind == "heading":
                    sections = [above for above in sections if above.number < seen.number]
                    sections += [seen] if seen.value else []
                else:
                    last[seen.kind] = seen
            if self.lines:
                newlines += self.text.count("\n", counted, offset)
                counted = offset
            line = last["line"].number if "line" in last else None
            found.append(
                Place(
                    page=last["page"].number if "page" in last else None,
                    line=newlines + 1 if self.lines else line,
                    heading=" › ".join(one.value for one in sections) or None,
                    cells=last["cells"].value if "cells" in last else None,
                )
            )
        return found

    def boxes(self, start: int, end: int) -> list[Box]:
        """Where the words between two offsets that OCR read stand: a box for each line of them."""
        found: list[Box] = []
        last = 0
        for mark in self.marks:
            if mark.kind != "box" or mark.start >= end:
                continue
            word = WORD.match(self.text, mark.start)
            if word is None or word.end() <= start:
                continue
            left, top, right, bottom = map(float, mark.value.split())
            if found and found[-1].page == mark.number and "\n" not in self.text[last : mark.start]:
                one = found.pop()
                left, top = min(one.left, left), max(one.top, top)
                right, bottom = max(one.right, right), min(one.bottom, bottom)
            found.append(Box(mark.number, left, top, right, bottom))
            last = word.end()
        return found

    def pages(self) -> list[tuple[int, int]] | None:
        """(start, end) of every page in the text, or None for a document without pages."""
        starts = [mark.start for mark in self.marks if mark.kind == "page"]
        return list(pairwise([*starts, len(self.text)])) or None


@dataclass(frozen=True, slots=True)
class Passage:
    """A stretch of a document short enough for the encoder.

    `context` is the title and heading path: encoded and indexed with the passage, never part of
    its text. `id` and `document` are 0 until the catalog has given them out; `hash` names what is encoded.
    """

    start: int
    end: int
    text: str
    context: str = ""
    id: int = 0
    document: int = 0
    hash: int | None = None


@dataclass(frozen=True, slots=True)
class Ranked:
    """Passage ids and their scores, best first; equal scores in order of id."""

    ids: Ids
    scores: Floats


@dataclass(frozen=True, slots=True)
class Filters:
    """What a search is narrowed to; an empty field narrows nothing.

    `folders` are paths (a file, or everything below a folder) or, without a slash, names with * and ?;
    `kinds` are document kinds or file endings; `after` ≤ modified < `before`. Every one of the `exact` words
    stands in a passage that is left, and none of those `without`; case and blanks count for nothing.
    `besides` are filters that must be met as well.
    """

    folders: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    after: float | None = None
    before: float | None = None
    exact: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    besides: Filters | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage that answers a query, with the scores that put it in its rank.

    `words` and `vectors` are the raw scores (BM25, cosine); `score` is the one it is ranked by.
    """

    rank: int
    score: float
    passage: int
    document: str
    title: str
    text: str
    start: int
    end: int
    page: int | None = None
    line: int | None = None
    heading: str | None = None
    cells: str | None = None
    words: float = 0.0
    vectors: float = 0.0


@dataclass(frozen=True, slots=True)
class Hits:
    """What a search found, best first. Degradations are sentences in `notes`."""

    query: str
    hits: tuple[Hit, ...]
    notes: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Quote:
    """Words of a document, verified character for character, and where they stand."""

    text: str
    document: str
    title: str
    start: int
    end: int
    page: int | None
    line: int | None
    heading: str | None
    score: float
    cells: str | None = None


@dataclass(frozen=True, slots=True)
class Searched:
    """How much was searched."""

    documents: int
    passages: int


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence of an answer and the numbers, from 1, of the quotes that carry it.

    Without quotes it is not supported by the files; `general` says that it was asked for all the same.
    """

    text: str
    quotes: tuple[int, ...] = ()
    general: bool = False


@dataclass(frozen=True, slots=True)
class Usage:
    """What a language model was asked for in one answer: requests, tokens, and US dollars where a price is known."""

    model: str
    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost: float | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What the library says to a question: quotes, or a refusal that says why.

    `confidence` is the calibrated chance that the first quote answers, and `threshold` what it must reach.
    `also` holds the nearest quotes that were not chosen. Degradations are sentences in `notes`. `claims` are
    the sentences of the answer: the quotes themselves, or prose of the language model that `usage` names.
    `asked` is the question as it was searched; `entry` the number of its entry in the journal, 0 without one.
    """

    question: str
    answered: bool
    text: str
    confidence: float
    quotes: tuple[Quote, ...]
    also: tuple[Quote, ...]
    notes: tuple[str, ...]
    recipe: str
    searched: Searched
    seconds: float
    threshold: float = 0.0
    asked: str = ""
    claims: tuple[Claim, ...] = ()
    usage: Usage | None = None
    entry: int = 0


@dataclass(frozen=True, slots=True)
class Status:
    """What is in a library."""

    library: str
    bytes: int
    sources: int
    files: int
    failed: int
    documents: int
    passages: int
    kinds: dict[str, int]
    languages: dict[str, int]
    encoder: str
    recipe: str
    writer: str | None


@dataclass(frozen=True, slots=True)
class Options:
    """How files are read.

    `passwords` are tried in turn on encrypted files and never kept. `retry` reads again what failed
    before. `archives` looks into zip and tar files; a source remembers it. `nice` leaves the machine
    to whoever uses it. `workers` is how many processes read (0 chooses), `timeout` their seconds a file.
    """

    passwords: tuple[str, ...] = ()
    retry: bool = False
    archives: bool = False
    nice: bool = False
    workers: int = 0
    timeout: float = 60.0


@dataclass(frozen=True, slots=True)
class Failure:
    """A file that could not be read, why, and what a person can do."""

    path: str
    reason: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Skip:
    """A file that was left out on purpose, and why."""

    path: str
    reason: str


@dataclass(slots=True)
class Report:
    """What an add or a sync did, in numbers of files; `passages` counts those written.

    `encoding` are the seconds of `seconds` during which the encoder was at work.
    """

    added: int = 0
    updated: int = 0
    moved: int = 0
    unchanged: int = 0
    removed: int = 0
    passages: int = 0
    failed: list[Failure] = field(default_factory=list)
    skipped: list[Skip] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0
    encoding: float = 0.0


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a long run is: what it is doing, files and bytes done and in all, passages written."""

    doing: str
    files: int
    of: int
    passages: int = 0
    bytes: int = 0
    of_bytes: int = 0


Watcher = Callable[[Progress], None]
"""Is told how far a long run is; raising from it stops the run."""


class Encoder(Protocol):
    """Turns texts into unit-length vectors.

    `fingerprint` changes whenever the same text could get another vector; `dimensions` is the
    length of a vector. A text's vector does not depend on the texts it is encoded with.
    """

    fingerprint: str
    dimensions: int

    def encode(self, texts: Sequence[str]) -> Floats:
        """Unit vectors, shape (len(texts), dimensions), in the order of the texts."""
        ...


class Words(Protocol):
    """Passage ids by words (BM25). Every call is durable and visible to the next one.

    Adding an id that is there replaces it; removing one that is not is nothing. `within`, sorted
    ids, narrows inside the search: k hits come back whenever k passages match. Equal scores are
    ordered by id; a passage without a word of the query is no hit.
    """

    def add(self, ids: Ids, texts: Sequence[str], languages: Sequence[str]) -> None: ...

    def remove(self, ids: Ids) -> None: ...

    def search(self, query: str, k: int, within: Ids | None = None) -> Ranked: ...

    def score(self, query: str, ids: Ids) -> Floats:
        """The score that search would give each id, 0 where it shares no word with the query."""
        ...

    def ids(self) -> Ids:
        """All ids held, sorted."""
        ...


class Vectors(Protocol):
    """Passage ids by meaning (cosine). Every call is durable and visible to the next one.

    Vectors have unit length. The rules for ids, `within` and ties are those of `Words`.
    """

    def add(self, ids: Ids, vectors: Floats) -> None: ...

    def remove(self, ids: Ids) -> None: ...

    def search(self, vector: Floats, k: int, within: Ids | None = None) -> Ranked: ...

    def fetch(self, ids: Ids) -> Floats:
        """The vectors of these ids, shape (n, dimensions); a row of zeros for an unknown id."""
        ...

    def ids(self) -> Ids:
        """All ids held, sorted."""
        ...


@dataclass(frozen=True, slots=True)
class Cited:
    """Words that a language model says stand in the passage of this number; nothing is believed yet."""

    passage: int
    words: str


@dataclass(frozen=True, slots=True)
class Written:
    """A sentence that a language model wrote, and what it cites for it."""

    text: str
    cites: tuple[Cited, ...] = ()


class LanguageModel(Protocol):
    """Writes prose. Every failure (no answer in time, a refusal, an answer without form) raises `ModelError`.

    `name` opens it again; `context` is how many tokens prompt and answer may have together.
    """

    name: str
    context: int

    def sentences(self, system: str, prompt: str) -> AsyncGenerator[Written | Usage, None]:
        """Sentences as they are written, each whole, and at the end what they cost; closing it stops the model."""
        ...

    async def complete(self, system: str, prompt: str, most: int = 256) -> tuple[str, Usage]:
        """Plain text of at most so many tokens, and what it cost."""
        ...

    async def close(self) -> None:
        """Let go of connections or of the model's memory."""
        ...
