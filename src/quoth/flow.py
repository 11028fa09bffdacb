"""Encoding and writing behind the reader's back: `Flow`.

While a batch is encoded, the one before is written and the files of the next are read. What is
identical is encoded once: within a batch, across the batches on their way, and against what the
library holds already (the text is compared, not only its hash).
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Generic, Self, TypeVar

from quoth import embed
from quoth.catalog import WrittenFile
from quoth.errors import Stopped
from quoth.parts import Parts
from quoth.types import Passage

if TYPE_CHECKING:
    from quoth.ingest.worker import Outcome
    from quoth.types import Floats

SLICE = 2_560
"""Passages that are encoded at one go: a batch with what its last file has beyond. Half as many take 4 % longer."""
WAY = 3
"""Batches on their way at once: one is written, one encoded, one waits."""


Owner = TypeVar("Owner")


@dataclass(frozen=True, slots=True)
class Encoded(Generic[Owner]):
    """Files that were read, each with its owner, and of each passage, in order, what was encoded and its vector."""

    outcomes: Sequence[tuple[Owner, Outcome]]
    texts: Sequence[str]
    hashes: Sequence[int]
    vectors: Floats


class Flow(Generic[Owner]):
    """Batches of files go in by `put`; `write` is called with each, encoded, in a thread of its own.

    Use it in a `with` block, which waits for everything that is on its way, or drops it when it is
    left by an exception. An exception of a stage comes out of `put` or of the end of the block.
    """

    def __init__(self, parts: Parts, write: Callable[[Encoded[Owner]], None]) -> None:
        self._parts = parts
        self._write_batch = write
        self._room = threading.Semaphore(WAY)
        self._stopped = threading.Event()
        self._error: BaseException | None = None
        self._encoding: deque[Future[None]] = deque()
        self._writing: deque[Future[None]] = deque()
        self._recent: list[dict[str, Floats]] = []
        self.vectors = threading.Lock()
        self.seconds = 0.0
        self.encoded = 0

    def __enter__(self) -> Self:
        self._encoder = ThreadPoolExecutor(1, thread_name_prefix="quoth-encode")
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="quoth-write")
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._stopped.set()
        for stage in (self._encoder, self._writer):
            stage.submit(self._parts.catalog.release)
            stage.shutdown(wait=True)
        if kind is None:
            self._raise()

    @property
    def idle(self) -> bool:
        """Whether the encoder has nothing to do."""
        return not self._encoding or self._encoding[-1].done()

    def put(self, outcomes: Sequence[tuple[Owner, Outcome]], meanwhile: Callable[[], None]) -> None:
        """Hand over a batch; while there is no room for it, `meanwhile` is called a few times a second."""
        self._raise()
        while not self._room.acquire(timeout=0.2):
            meanwhile()
        self._raise()
        self._encoding.append(self._encoder.submit(self._encode, outcomes))

    def wait(self, meanwhile: Callable[[], None]) -> None:
        """Wait until everything is written; `meanwhile` is called a few times a second."""
        for _ in range(WAY):
            while not self._room.acquire(timeout=0.2):
                meanwhile()
        self._raise()

    def _raise(self) -> None:
        """Raise what a stage raised first; what it raised after that only follows from it."""
        for stage in (self._encoding, self._writing):
            while stage and stage[0].done():
                stage.popleft()
        if self._error is not None:
            raise self._error

    def _encode(self, outcomes: Sequence[tuple[Owner, Outcome]]) -> None:
        if self._stopped.is_set():
            self._room.release()
            return
        embed.pulse.set(self._go_on)
        try:
            batch = self._encoded(outcomes)
        except BaseException as error:
            self._fail(error)
            self._room.release()
            return
        self._writing.append(self._writer.submit(self._write, batch))

    def _fail(self, error: BaseException) -> None:
        if not self._stopped.is_set():
            self._error = error
        self._stopped.set()

    def _go_on(self) -> None:
        """Raise when the run was stopped: the encoder asks between two inferences."""
        if self._stopped.is_set():
            raise Stopped("the run was stopped")

    def _write(self, batch: Encoded[Owner]) -> None:
        try:
            if not self._stopped.is_set():
                self._write_batch(batch)
        except BaseException as error:
            self._fail(error)
        finally:
            self._room.release()

    def _encoded(self, outcomes: Sequence[tuple[Owner, Outcome]]) -> Encoded[Owner]:
        import numpy as np

        from quoth.ingest.split import encoded

        texts = [
            encoded(document.kind, passage)
            for _, outcome in outcomes
            for document, passages in outcome.documents
            for passage in passages
        ]
        hashes = {text: _hash(text) for text in texts}
        vectors = self._known(hashes)
        # neighbours in length share inputs of one padded length, and a slice is little work to lose
        fresh = sorted(hashes.keys() - vectors.keys(), key=lambda text: (len(text), text))
        started = time.perf_counter()
        made: dict[str, Floats] = {}
        for first in range(0, len(fresh), SLICE):
            if self._stopped.is_set():
                break
            some = fresh[first : first + SLICE]
            made |= zip(some, self._parts.encoder.encode(some), strict=True)
        self.seconds += time.perf_counter() - started
        self.encoded += len(made)
        self._recent = [*self._recent[1 - WAY :], made]
        vectors |= made
        rows = [vectors[text] for text in texts if text in vectors]
        stacked = np.array(rows, np.float32).reshape(len(rows), self._parts.encoder.dimensions)
        return Encoded(outcomes, texts, [hashes[text] for text in texts], stacked)

    def _known(self, hashes: dict[str, int]) -> dict[str, Floats]:
        """The vectors of texts that were encoded before: just now, or in the library."""
        import numpy as np

        from quoth.ingest.split import encoded

        found = {text: batch[text] for batch in self._recent for text in hashes.keys() & batch.keys()}
        ids = self._parts.catalog.alike([value for text, value in hashes.items() if text not in found])
        rows = self._parts.catalog.passages(list(ids.values()))
        with self.vectors:
            vectors = self._parts.vectors.fetch(np.array(list(rows), np.int64))
        for row, vector in zip(rows.values(), vectors, strict=True):
            # a hash may be another text's, and a vector may be missing
            text = encoded(row.kind, Passage(row.start, row.end, row.text, row.context))
            if text in hashes and vector.any():
                found[text] = vector
        return found


def numbered(batch: Encoded[Owner], first: int) -> Iterator[tuple[Owner, Outcome, WrittenFile]]:
    """The files of a batch as the catalog writes them, their passages numbered from `first` on."""
    place = 0
    for owner, outcome in batch.outcomes:
        documents = []
        for document, passages in outcome.documents:
            ready = [replace(one, id=first + place + n, hash=batch.hashes[place + n]) for n, one in enumerate(passages)]
            documents.append((document, ready))
            place += len(passages)
        yield owner, outcome, WrittenFile(outcome.path, outcome.size, outcome.mtime_ns, outcome.sha256, documents)


def _hash(text: str) -> int:
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)
