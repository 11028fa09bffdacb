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


def where(folder: Path) -> tuple[str, int] | None:
    """The address and the process of the server of this library, or None where none has said that it serves it."""
    from filelock import FileLock, Timeout

    if not (folder / NOTE).exists():
        return None
    try:
        with FileLock(folder / LOCK, timeout=0, thread_local=False, mode=0o600):
            return None  # its server is gone
    except Timeout:
        return _noted(folder)
    except OSError:
        return None


def _noted(folder: Path) -> tuple[str, int] | None:
    try:
        found = json.loads((folder / NOTE).read_text(encoding="utf-8"))
        return str(found["address"]), int(found["pid"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _where(folder: Path) -> str:
    """Where the other server is, in words; "" where it has not said so yet."""
    found = _noted(folder)
    return f" at {found[0]} (process {found[1]})" if found else ""
