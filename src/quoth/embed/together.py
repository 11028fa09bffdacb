"""Texts of all threads that ask at the same time, run through the model together.

An inference takes rows of one padded length, whoever waits for them. Another shape than the last one costs a
model that runs on one core as much as a dozen tokens, so rows in company cost a fifth less than a few alone.
There is no thread for that: whoever waits for vectors runs what waits longest, until its own are there.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from quoth.embed.runtime import ov
    from quoth.types import Floats

STEP = 16
"""Lengths are rounded up to this, so that few shapes need kernels of their own."""
TOKENS = 768
"""Tokens in one inference of few texts, padding included: more gains no speed, and others wait the longer."""


class _Asked:
    """The rows of one call, its vectors as far as they are there, and how many are not."""

    def __init__(self, rows: Sequence[list[int]], dimensions: int, lock: threading.Lock) -> None:
        self.rows = rows
        self.vectors: Floats = np.empty((len(rows), dimensions), np.float32)
        self.left = len(rows)
        self.error: Exception | None = None
        self.told = threading.Condition(lock)


_Row = tuple[_Asked, int]
"""A row that waits: whose it is, and its place among theirs."""
_Running = deque[tuple["ov.InferRequest", list[_Row]]]


class Together:
    """One compiled model for any number of threads, all of which may call `run` at once."""

    def __init__(self, model: ov.CompiledModel, dimensions: int) -> None:
        self._dimensions = dimensions
        # one more than run at once, so that no core waits for Python's lock
        count = model.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS") + 1
        self._idle: deque[ov.InferRequest] = deque(model.create_infer_request() for _ in range(count))
        self._waiting: dict[int, deque[_Row]] = {}  # by padded length; the length that waits longest comes first
        self._asleep: deque[_Asked] = deque()
        self._lock = threading.Lock()

    def run(self, rows: Sequence[list[int]]) -> Floats:
        """One vector for each row of word pieces, shape (len(rows), dimensions)."""
        asked = _Asked(rows, self._dimensions, self._lock)
        running: _Running = deque()
        with self._lock:
            for place in sorted(range(len(rows)), key=lambda place: -len(rows[place])):
                self._waiting.setdefault(padded(rows[place]), deque()).append((asked, place))
        try:
            while self._started(asked, running):
                self._finish(running)
        finally:
            self._leave(asked, running)
        if asked.error is not None:
            raise asked.error
        return asked.vectors

    def _started(self, asked: _Asked, running: _Running) -> bool:
        """Start what can be started; whether anything runs here, once it does or nothing is left to wait for."""
        with self._lock:
            while True:
                while asked.left and self._idle and self._waiting:
                    self._start(running)
                if running or not asked.left:
                    return bool(running)
                self._asleep.append(asked)
                asked.told.wait()

    def _start(self, running: _Running) -> None:
        """Start an inference of the rows of one length; they are off the waiting list."""
        length, rows = next(iter(self._waiting.items()))
        batch = [rows.popleft() for _ in range(min(len(rows), max(1, TOKENS // length)))]
        del self._waiting[length]
        if rows:
            self._waiting[length] = rows  # now behind the others
        request = self._idle.popleft()
        try:
            request.start_async(inputs([one.rows[place] for one, place in batch]))
        except Exception as error:  # theirs to raise, whoever's rows these are
            self._hand_out(request, batch, error)
        else:
            running.append((request, batch))

    def _finish(self, running: _Running) -> None:
        """Wait for the first inference that runs here, and hand out its vectors."""
        request, batch = running[0]
        error: Exception | None = None
        try:
            request.wait()
        except Exception as failed:
            error = failed
        with self._lock:
            running.popleft()
            self._hand_out(request, batch, error)

    def _hand_out(self, request: ov.InferRequest, batch: list[_Row], error: Exception | None) -> None:
        """Give the rows their vectors, or the error, and wake those that have all of theirs."""
        vectors = request.get_output_tensor(0).data if error is None else None
        for line, (one, place) in enumerate(batch):
            if vectors is None:
                one.error = error
            else:
                one.vectors[place] = vectors[line]
            one.left -= 1
            if not one.left:
                self._wake(one)
        self._idle.append(request)

    def _leave(self, asked: _Asked, running: _Running) -> None:
        """Finish what was begun for others, take back what is not waited for, let another go on."""
        while running:
            self._finish(running)
        with self._lock:
            for length, rows in list(self._waiting.items()) if asked.left else ():  # it was interrupted
                self._waiting[length] = deque(row for row in rows if row[0] is not asked)
                if not self._waiting[length]:
                    del self._waiting[length]
            if self._idle and self._waiting and self._asleep:
                self._wake(self._asleep[0])

    def _wake(self, asked: _Asked) -> None:
        if asked in self._asleep:
            self._asleep.remove(asked)
            asked.told.notify()


def padded(row: Sequence[int]) -> int:
    """The length that a row is padded to."""
    return -(-max(1, len(row)) // STEP) * STEP


def inputs(rows: Sequence[list[int]]) -> dict[str, np.ndarray]:
    """The model's inputs for rows of one padded length."""
    ids = np.zeros((len(rows), padded(rows[0])), np.int32)
    for line, row in enumerate(rows):
        ids[line, : len(row)] = row
    return {"ids": ids, "lengths": np.array([len(row) for row in rows], np.int32)}
