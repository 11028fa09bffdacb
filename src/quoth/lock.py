"""One writer at a time, and who it is."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from quoth.errors import Locked, ReadOnly


@contextmanager
def writer(folder: Path) -> Iterator[None]:
    """A block in which nobody else writes to the library in `folder`.

    The operating system frees the lock of a process that dies, however it dies. Raises `Locked`,
    naming the owner and since when, or `ReadOnly`.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(folder / "writer.lock", timeout=0, thread_local=False, mode=0o600)
    note = folder / "writer.json"
    try:
        lock.acquire()
    except Timeout:
        raise _busy(folder) from None
    except OSError as error:
        hint = "copy it to a writable folder, or choose another with --library"
        raise ReadOnly(f"the library in {folder} cannot be written to: {error.strerror}", hint) from None
    try:
        mine = {"pid": os.getpid(), "since": time.time(), "command": " ".join(map(_word, sys.argv[:2]))}
        note.write_text(json.dumps(mine), encoding="utf-8")
        yield
    finally:
        note.unlink(missing_ok=True)
        lock.release()


def owner(folder: Path) -> str | None:
    """Who is writing to the library now, in words, or None."""
    from filelock import FileLock, Timeout

    lock = FileLock(folder / "writer.lock", timeout=0, thread_local=False, mode=0o600)
    if not (folder / "writer.lock").exists() or not os.access(folder, os.W_OK):
        return None
    try:
        lock.acquire()
    except Timeout:
        return _named(folder)
    except OSError:
        return None
    lock.release()
    return None


def _busy(folder: Path) -> Locked:
    return Locked(
        f"the library in {folder} is being written to by {_named(folder)}",
        "wait until it is done, or stop it; searching goes on meanwhile",
    )


def _named(folder: Path) -> str:
    try:
        note = json.loads((folder / "writer.json").read_text(encoding="utf-8"))
        minutes, seconds = divmod(int(time.time() - note["since"]), 60)
        return f"process {note['pid']} ({note['command']}) for {minutes} min {seconds} s"
    except (OSError, ValueError, KeyError):
        return "another process"


def _word(argument: str) -> str:
    return argument.rsplit(os.sep, 1)[-1] or argument
