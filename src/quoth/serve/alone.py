"""One server that writes to a library, and where it is: the next one says so, instead of two keepers at work.

The operating system's lock on `server.lock` is free again however a server ends; `server.json` says who has it,
and is believed only while the lock is held.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from quoth.errors import Locked
from quoth.lock import UNSUPPORTED

LOCK, NOTE = "server.lock", "server.json"


@contextmanager
def alone(folder: Path) -> Iterator[Callable[[str], None]]:
    """A block in which no other server serves the library to write; the value takes the address to tell others.

    Raises `Locked`, naming the address of the other one.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(folder / LOCK, timeout=0.3, thread_local=False, mode=0o600)
    try:
        lock.acquire(poll_interval=0.05)
    except Timeout:
        raise Locked(
            f"the library in {folder} is served already{_where(folder)}", "open that one, or: quoth serve --read-only"
        ) from None
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise
    try:
        yield lambda address: _tell(folder, address)
    finally:
        (folder / NOTE).unlink(missing_ok=True)
        lock.release()


def _tell(folder: Path, address: str) -> None:
    (folder / NOTE).write_text(json.dumps({"address": address, "pid": os.getpid()}), encoding="utf-8")


def _where(folder: Path) -> str:
    """Where the other server is, in words; "" where it has not said so yet."""
    try:
        found = json.loads((folder / NOTE).read_text(encoding="utf-8"))
        return f" at {found['address']} (process {found['pid']})"
    except (OSError, ValueError, KeyError, TypeError):
        return ""
