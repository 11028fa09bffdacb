"""The inside of a worker process: jobs from standard input, answers to standard output, within limits.

`quoth.ingest.worker` starts it and says what is covered and what is not.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import signal
import stat
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from quoth.errors import LeftOut, ReadError
from quoth.ingest import nice
from quoth.ingest.pipe import Plain, freeze, receive, send
from quoth.ingest.worker import FILES, LOOK, NO_MEMORY, SCRATCH, TEXT, TRIES, ToRead, too_much
from quoth.types import Document, Passage

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from quoth.ingest import Reader


def main() -> None:
    """Runs in the worker process: answers jobs from standard input until that closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    nice.follow()
    jobs, answers = _own_pipes()
    tokenizer, memory, parent = cast("tuple[str, int, int]", receive(jobs)[0])
    _die_with(parent)
    try:
        splitter = _tokenizer(tokenizer) if tokenizer else None
        _limit(memory)
    except Exception as error:
        send(answers, f"{type(error).__name__}: {error}")
        return
    send(answers, "")
    for left in range(FILES - 1, -1, -1):
        try:
            job = ToRead(*cast("tuple[str, tuple[str, ...], str, bool, tuple[tuple[str, str], ...]]", receive(jobs)[0]))
        except EOFError:
            return
        try:
            result = _answer(job, splitter, memory, answers)
            send(answers, (not left or _tired(memory), *result))
        except MemoryError:
            os._exit(NO_MEMORY)


def _own_pipes() -> tuple[BinaryIO, BinaryIO]:
    """The pipes to the caller, out of the way of anything that prints or reads standard input."""
    sys.stdout.flush()
    jobs, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1):
        os.dup2(nothing, number)
    os.close(nothing)
    return jobs, answers


def _die_with(parent: int) -> None:
    """Has the kernel end this process with its parent (Linux); elsewhere the closed pipe does after the file."""
    if not sys.platform.startswith("linux"):
        return
    import ctypes

    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)


def _limit(memory: int) -> None:
    try:
        import resource
    except ImportError:  # Windows: see the module's docstring
        return
    wished = [(resource.RLIMIT_AS, memory), (resource.RLIMIT_FSIZE, SCRATCH), (resource.RLIMIT_CORE, 0)]
    for which, limit in wished:
        hard = resource.getrlimit(which)[1]
        most = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        with suppress(ValueError, OSError):  # macOS refuses an address-space limit
            resource.setrlimit(which, (most, most))


def _tokenizer(path: str) -> Tokenizer:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(path)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _answer(job: ToRead, tokenizer: Tokenizer | None, memory: int, answers: BinaryIO) -> tuple[Plain, ...]:
    """(reason, hint, skipped, documents); the stamp of the bytes is sent as soon as it is known."""
    documents: tuple[Plain, ...] = ()
    reason = hint = ""
    skipped = stamped = False
    try:
        data, stamp = _load(job.path, memory // 4)
        send(answers, stamp)
        stamped = True
        reason, skipped = _unwanted(data, job)
        if not reason:
            found = _documents(data, job, stamp[2], lambda member: send(answers, member))
            reason, hint = _empty(found)
            documents = () if reason else freeze([(one, _passages(one, tokenizer)) for one in found])
    except ReadError as error:
        reason, hint, skipped = str(error), error.hint, isinstance(error, LeftOut)
    except MemoryError:
        data, documents, reason, hint = b"", (), too_much(memory), "split the file, or leave it out"
    except RecursionError:
        reason, hint = "the file is nested too deeply", ""
    except Exception as error:
        reason = f"the reader stumbled over it ({type(error).__name__}: {str(error)[:200]})"
        hint = "if the file opens in its own program, please report it"
    if not stamped:
        send(answers, _stamp(job.path))
    return reason, hint, skipped, documents


def _stamp(path: str) -> tuple[str, int, int, bool]:
    """What is known of a file that could not be read: its size and time, if those."""
    try:
        state = os.stat(path)  # noqa: PTH116 - the path may hold any bytes
    except OSError:
        return "", 0, 0, False
    return "", state.st_size, state.st_mtime_ns, False


def _load(path: str, most: int) -> tuple[bytes, tuple[str, int, int, bool]]:
    """The file's bytes and (sha256, size, mtime_ns, whether it had to be read again)."""
    for attempt in range(TRIES):
        if attempt:
            time.sleep(0.1 * attempt)
        try:
            before, data, after = _bytes(path, most)
        except OSError as error:
            raise ReadError(f"the file cannot be opened: {error.strerror}", _permission(error)) from None
        if before == after and len(data) == before[1]:
            return data, (hashlib.sha256(data).hexdigest(), len(data), before[0], attempt > 0)
    raise ReadError("the file is being changed", "run quoth sync when it is finished")


def _bytes(path: str, most: int) -> tuple[tuple[int, int, int], bytes, tuple[int, int, int]]:
    """(mtime_ns, size, inode) before, the content, and the same three of what is at the path after."""
    # a FIFO or a terminal must not hold the worker up before it is known for what it is
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)
    number = os.open(path, flags | getattr(os, "O_CLOEXEC", 0))
    state = os.fstat(number)
    if not stat.S_ISREG(state.st_mode):
        os.close(number)
        raise ReadError("it is no regular file")
    with os.fdopen(number, "rb", buffering=0) as file:
        if state.st_size > most:
            raise ReadError(f"the file is larger than {most >> 20} MiB", "split it, or leave it out")
        parts = bytearray()
        while len(parts) <= most and (part := file.read(2**20)):
            parts += part
        if os.fstat(number).st_mtime_ns != state.st_mtime_ns:
            return (0, 0, 0), b"", (1, 1, 1)
    now = os.stat(path)  # noqa: PTH116 - the path may hold any bytes
    return _state(state), bytes(parts), _state(now)


def _state(state: os.stat_result) -> tuple[int, int, int]:
    return state.st_mtime_ns, state.st_size, state.st_ino


def _permission(error: OSError) -> str:
    return "check who may read it" if isinstance(error, PermissionError) else "check that it still exists"


def _unwanted(data: bytes, job: ToRead) -> tuple[str, bool]:
    """(reason, True) for a file of a kind that is not read."""
    from quoth.ingest import kinds

    if job.kind or kinds.kind_of(job.path, data):
        return "", False
    if kinds.archive_of(job.path, data):
        return ("", False) if job.archives else (f"it is {kinds.describe(data, job.path)}; {LOOK}", True)
    return f"it is {kinds.describe(data, job.path)}, which Quoth does not read", True


def _documents(data: bytes, job: ToRead, mtime_ns: int, alive: Callable[[str], None]) -> tuple[Document, ...]:
    found = _opened(data, job, alive)
    if sum(len(one.text) + len(one.hidden) for one in found) > TEXT:
        raise ReadError(f"its text is longer than {TEXT:,} characters", "split the file, or leave it out")
    return tuple(one if one.modified else replace(one, modified=mtime_ns / 1e9) for one in found)


def _opened(data: bytes, job: ToRead, alive: Callable[[str], None]) -> tuple[Document, ...]:
    """The documents, read with the first password that opens the file; most files need none."""
    from quoth.ingest import kinds, read_data, unlocked

    if job.archives and not job.kind and not kinds.kind_of(job.path, data):
        from quoth.ingest.archive import read_archive

        return read_archive(data, job.path, job.passwords, dict(job.without), alive)

    def read(password: str | None) -> tuple[Document, ...]:
        if ":" not in job.kind:
            return read_data(data, job.path, password, job.kind or None)
        module, _, function = job.kind.partition(":")
        return cast("Reader", getattr(importlib.import_module(module), function))(data, job.path, password)

    return unlocked(read, job.passwords)


def _empty(documents: tuple[Document, ...]) -> tuple[str, str]:
    """(reason, hint) where a reader found nothing and says why, as for a PDF of white pages."""
    if any(one.text.strip() for one in documents):
        return "", ""
    notes = [note for one in documents for note in one.notes]
    if not notes:
        return "", ""
    return notes[0], ""


def _passages(document: Document, tokenizer: Tokenizer | None) -> list[Passage]:
    if tokenizer is None:
        return []
    from quoth.ingest.split import split

    return split(document, tokenizer)


def _tired(memory: int) -> bool:
    """Whether this process has grown so much that a fresh one should take its place.

    Its own pages now are counted: the peak that `getrusage` tells starts with that of the parent.
    """
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:  # not Linux: workers are replaced by their number of files alone
        return False
    return pages * os.sysconf("SC_PAGE_SIZE") > memory // 3
