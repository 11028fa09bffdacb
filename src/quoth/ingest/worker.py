"""Files read in worker processes: `ReadPool`. A file that crashes, hangs or eats memory fails alone.

Each worker is a fresh interpreter, so that nothing of the calling program (its sockets, its threads, its
`__main__`) is in it.

Covered: address space (1 GiB), wall-clock time (60 s a file and as much again for every 32 MiB of it, then
the worker is killed and replaced), crashes, files that change while they are read, devices and FIFOs, large
temporary files, results that are too large, pickles that name code (refused), a parent that dies (its
workers end).
Not covered: a worker may read other files of the user and open sockets; it is a bound on accidents, not a
prison. Where the `resource` module is missing (Windows), memory is not bounded; on macOS the kernel
does not enforce the address-space limit.
"""

from __future__ import annotations

import os
import pickle
import queue
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Self, cast

from quoth.errors import QuothError
from quoth.ingest.pipe import Plain, receive, send, thaw
from quoth.types import Document, Passage

if TYPE_CHECKING:
    pass

TEXT = 64_000_000
"""Characters that the documents of one file may have together."""
WAITING = 64_000_000
"""Bytes of results that may wait for the caller before no further file is begun."""
FILES = 2_000
"""Files after which a worker is replaced, so that what libraries leak stays small."""
START = 30.0
"""Seconds within which a worker must have come up."""
LARGE = 32 * 2**20
"""Bytes of a file for which its reader has as many seconds again."""
TRIES = 3
"""How often a file is read that changes while it is read, and how many members may kill an archive's reader."""
LOOK = "look into it with --archives"
"""What to do with an archive that was skipped."""
SCRATCH = 256 * 2**20
"""Bytes of a temporary file that a library may write: the language model is unpacked into one."""


@dataclass(frozen=True, slots=True)
class ToRead:
    """A file to read, and how.

    `passwords` are tried in turn where one is needed; `kind` is found by content when empty, and
    "module:function" names any reader; `archives` says that archives are read as folders of files,
    `without` the members that killed their reader, with the reasons.
    """

    path: str
    passwords: tuple[str, ...] = ()
    kind: str = ""
    archives: bool = False
    without: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a file: its documents with their passages, or the reason why there are none.

    `skipped`: it is of a kind that Quoth does not read. `sha256`, `size` and `mtime_ns` are those of the
    bytes that were read ("" if it could not be opened); `changed`: it changed once while it was read.
    """

    path: str
    documents: tuple[tuple[Document, list[Passage]], ...] = ()
    reason: str = ""
    hint: str = ""
    skipped: bool = False
    sha256: str = ""
    size: int = 0
    mtime_ns: int = 0
    changed: bool = False


class ReadPool:
    """Worker processes that read files; use it in a `with` block.

    `tokenizer` is the file of the tokenizer that documents are split with; without it they stay whole.
    `memory` is each worker's address space in bytes, `timeout` is in seconds a file and LARGE bytes of it.
    """

    def __init__(
        self,
        tokenizer: str | Path | None = None,
        workers: int = 2,
        timeout: float = 60.0,
        memory: int = 2**30,
    ) -> None:
        self._start = (str(tokenizer) if tokenizer else "", memory)
        self._timeout, self._memory = timeout, memory
        self._count = max(1, workers)
        self._idle: queue.LifoQueue[_Worker | None] = queue.LifoQueue()
        self._all: set[_Worker] = set()
        self._lock = threading.Lock()
        self._closed = False
        for _ in range(self._count):
            self._idle.put(None)

    def __enter__(self) -> Self:
        self._threads = ThreadPoolExecutor(self._count, thread_name_prefix="quoth-read")
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._closed = True
            running = list(self._all)
        for worker in running:
            worker.end()
        self._threads.shutdown(wait=True, cancel_futures=True)

    def map(self, jobs: Iterable[ToRead]) -> Iterator[Outcome]:
        """The outcome of every job, in their order; jobs are drawn only a little ahead of the outcomes."""
        stream = iter(jobs)
        ahead: deque[Future[tuple[Outcome, int]]] = deque()
        more = True
        while more or ahead:
            while more and len(ahead) < 8 * self._count and _waiting(ahead) < WAITING:
                job = next(stream, None)
                more = job is not None
                if job is not None:
                    ahead.append(self._threads.submit(self._read, job))
            if ahead:
                yield ahead.popleft().result()[0]

    def _read(self, job: ToRead) -> tuple[Outcome, int]:
        """The outcome and the bytes it took on the pipe."""
        worker = self._idle.get()
        try:
            worker = self._ready(worker)
            outcome, size = worker.read(job, self._timeout)
            while worker.member and len(job.without) < TRIES:
                job = replace(job, without=(*job.without, (worker.member, outcome.reason)))
                worker = self._ready(worker)
                outcome, size = worker.read(job, self._timeout)
            return outcome, size
        finally:
            if worker is not None and (worker.tired or not worker.alive()):
                self._forget(worker)
                worker = None
            self._idle.put(worker)

    def _ready(self, worker: _Worker | None) -> _Worker:
        """This worker if it lives, else a new one."""
        if worker is not None and worker.alive():
            return worker
        if worker is not None:
            self._forget(worker)
        with self._lock:
            if self._closed:
                raise QuothError("reading was stopped")
            new = _Worker(*self._start)
            self._all.add(new)
        return new

    def _forget(self, worker: _Worker) -> None:
        worker.end()
        with self._lock:
            self._all.discard(worker)


def _waiting(ahead: Iterable[Future[tuple[Outcome, int]]]) -> int:
    done = (one for one in ahead if one.done() and not one.cancelled() and one.exception() is None)
    return sum(one.result()[1] for one in done)


class _Worker:
    """One worker process, seen from the caller's side."""

    def __init__(self, tokenizer: str, memory: int) -> None:
        code = "import sys;sys.path[:]=sys.argv.pop().split('\\n');from quoth.ingest.reading import main;main()"
        path = [os.path.abspath(one) for one in sys.path if one]
        root = str(Path(__file__).resolve().parents[2])
        path += [] if root in path else [root]
        self._memory = memory
        self.tired = False
        self.member = ""
        self._begun = self._late = False
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", code, "\n".join(path)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=_environment(),
                start_new_session=True,
            )
        except OSError as error:
            raise QuothError(f"the process that reads files does not start: {error.strerror}", "quoth doctor") from None
        self._in, self._out = cast(BinaryIO, self._process.stdin), cast(BinaryIO, self._process.stdout)
        with suppress(OSError):
            send(self._in, (tokenizer, memory, os.getpid()))

    def alive(self) -> bool:
        return self._process.poll() is None

    def end(self) -> None:
        """Kill it, whatever it does."""
        with suppress(OSError):
            self._process.kill()
        self._process.wait()
        for pipe in (self._in, self._out):
            with suppress(OSError):
                pipe.close()

    def read(self, job: ToRead, timeout: float) -> tuple[Outcome, int]:
        """What became of one file. Raises QuothError if the worker does not come up at all.

        `timeout` holds for a file and, in an archive, for each member; `member` is then the path of the one
        at which the worker ended.
        """
        if not self._begun:
            self._come_up()
        self.member = ""
        timer = self._timer(timeout)
        stamp: tuple[str, int, int, bool] = ("", 0, 0, False)
        try:
            send(self._in, (job.path, job.passwords, job.kind, job.archives, job.without))
            stamp = cast("tuple[str, int, int, bool]", receive(self._out)[0])
            timer.cancel()
            timeout = round(timeout * (1 + stamp[1] / LARGE), 1 if timeout < 10 else None)
            timer = self._timer(timeout)
            answer, size = receive(self._out)
            while isinstance(answer, str):
                timer.cancel()
                self.member, timer = answer, self._timer(timeout)
                answer, size = receive(self._out)
            self.tired, reason, hint, skipped, frozen = cast("tuple[bool, str, str, bool, tuple[Plain, ...]]", answer)
            self.member = ""
            return Outcome(job.path, thaw(frozen), reason, hint, skipped, *stamp), size
        except (OSError, EOFError):
            reason, hint = self._death(timeout)
        except (ValueError, TypeError, pickle.UnpicklingError):
            self.end()
            reason, hint = "the reader gave an answer that makes no sense", "leave the file out"
        finally:
            timer.cancel()
        return Outcome(job.path, (), reason, hint, False, *stamp), 0

    def _timer(self, seconds: float) -> threading.Timer:
        """A timer that kills the worker, running."""
        timer = threading.Timer(seconds, self._kill_late)
        timer.daemon = True
        timer.start()
        return timer

    def _come_up(self) -> None:
        timer = threading.Timer(START, self.end)
        timer.daemon = True
        timer.start()
        try:
            trouble = receive(self._out)[0]
        except (OSError, EOFError, ValueError, pickle.UnpicklingError):
            trouble = f"it ended with status {self._process.wait()}"
        finally:
            timer.cancel()
        if trouble:
            raise QuothError(f"the process that reads files does not start: {trouble}", "quoth doctor")
        self._begun = True

    def _kill_late(self) -> None:
        self._late = True
        with suppress(OSError):
            self._process.kill()

    def _death(self, timeout: float) -> tuple[str, str]:
        """Why the worker ended, as (reason, hint)."""
        try:
            status = self._process.wait(2)
        except subprocess.TimeoutExpired:  # it closed its pipes and lives on
            self.end()
            status = 0
        if self._late:
            return (
                f"reading took longer than {timeout:g} s",
                "quoth sync --retry --timeout SECONDS, or leave the file out",
            )
        if status == -9:
            return "the reader was killed (signal 9)", "the machine may be short of memory; try again with --retry"
        if status == NO_MEMORY:
            return too_much(self._memory), "split the file, or leave it out"
        hint = "the file may be damaged; open it in its own program and save it anew"
        if status == -6:  # how libraries in C end when they get no memory
            hint = f"the file may be damaged, or need more than {self._memory / 2**30:.3g} GiB of memory"
        return f"the reader crashed ({f'signal {-status}' if status < 0 else f'status {status}'})", hint


NO_MEMORY = 77
"""The status with which a worker ends that has no memory left even to say so."""


def too_much(memory: int) -> str:
    return f"reading needs more than {memory / 2**30:.3g} GiB of memory"


def _environment() -> dict[str, str]:
    """The caller's environment, with libraries kept to one thread."""
    single = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS")
    return {**os.environ, **dict.fromkeys(single, "1"), "TOKENIZERS_PARALLELISM": "false", "MALLOC_ARENA_MAX": "2"}
