"""One writer at a time, and who it is: on one machine and over a shared folder.

Two things are held. The operating system's lock on `writer.lock` is freed whenever and however a
process of this machine dies, but many network drives do not carry it to other machines. So the owner
also leaves a note, `writer.json` (machine, process, command), and renews it every `BEAT` seconds.
Who gets the lock and finds a note decides by it:

- The note is of this machine (same boot, or a boot that has ended since): its process is dead, for
  otherwise the lock would not be free. It is taken over at once.
- The note is another machine's and at most `FRESH` seconds old, or as much in the future: its owner
  is taken to be alive, and the library is refused in its name.
- Any other age says nothing, because clocks differ and are set back: the note is watched for `LOOK`
  seconds. If it is renewed meanwhile, its owner is alive; if not, it is dead and taken over.

So a dead owner blocks the others for two minutes at most, whatever the clocks say. Not covered: a
machine that sleeps for over a minute in the middle of writing may be taken over; it is told so when
its own run ends. The note is renewed in place, because a file that is replaced on a network drive
may show its old content to others for a while.
"""

from __future__ import annotations

import errno
import json
import os
import platform
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path

from quoth.errors import LibraryError, Locked, ReadOnly

LOCK, NOTE = "writer.lock", "writer.json"
BEAT, FRESH, LOOK = 10.0, 60.0, 15.0
"""Seconds between two renewals of the note; up to which age it is believed; for which it is watched."""
WAIT = 0.5
"""Seconds to wait for the lock: who asks for the owner holds it for a moment."""
UNSUPPORTED = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP}
"""What a network drive without locks answers; then the note alone decides."""
LONGEST = 4096
"""Bytes that a note has."""


@dataclass(frozen=True, slots=True)
class _Note:
    """Who writes: `run` is unlike any other's, `at` is when the note was last renewed."""

    host: str
    machine: str
    boot: str
    pid: int
    command: str
    since: float
    at: float
    run: str

    def here(self) -> bool:
        """Whether it was written on this machine, since it was last started or before."""
        host, machine, boot, booted = _machine()
        return self.boot == boot or ((self.host, self.machine) == (host, machine) and self.at < booted)

    def fresh(self) -> bool:
        """Whether it was renewed lately, by its own clock and ours."""
        return abs(time.time() - self.at) <= FRESH

    def __str__(self) -> str:
        local = self.boot == _machine()[2]
        minutes, seconds = divmod(max(0, int((time.time() if local else self.at) - self.since)), 60)
        return f"{'' if local else self.host + ', '}process {self.pid} ({self.command}) for {minutes} min {seconds} s"


@contextmanager
def writer(folder: Path) -> Iterator[str]:
    """A block in which nobody else writes to the library in `folder`; the value says who was taken over.

    Raises `Locked`, naming the owner and since when, or `ReadOnly`. The folder may be renamed meanwhile.
    """
    with ExitStack() as held:
        locked = _lock(folder, held)
        place = os.open(folder, os.O_RDONLY)
        held.callback(os.close, place)
        try:
            mine, note = _take(folder, place, locked)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            raise LibraryError(f"the disk with the library {folder} is full", "free some space") from None
        held.callback(_leave, place, mine)
        lost: list[_Note] = []
        stop = threading.Event()
        beating = threading.Thread(target=_beat, args=(place, mine, stop, lost), name="quoth-writer", daemon=True)
        beating.start()
        held.callback(beating.join)
        held.callback(stop.set)
        yield note
        if lost:
            raise Locked(f"while this machine slept, the library was taken over by {lost[0]}", "quoth doctor")


def owner(folder: Path) -> str | None:
    """Who is writing to the library now, in words, or None."""
    if not (folder / LOCK).exists() or not os.access(folder, os.W_OK):
        return None
    note = _read(folder / NOTE)
    try:
        with ExitStack() as held:
            locked = _lock(folder, held, wait=0)
    except Locked:
        return str(note) if note else "another process"
    except (OSError, LibraryError):
        return None
    return str(note) if note and note.fresh() and not (locked and note.here()) else None


def _lock(folder: Path, held: ExitStack, wait: float = WAIT) -> bool:
    """Takes the operating system's lock until `held` is left; False where there is none."""
    from filelock import FileLock, Timeout

    lock = FileLock(folder / LOCK, timeout=wait, thread_local=False, mode=0o600)
    try:
        lock.acquire(poll_interval=0.02)
    except Timeout:
        raise _busy(folder, _read(folder / NOTE)) from None
    except OSError as error:
        if error.errno in UNSUPPORTED:
            return False
        hint = "copy it to a writable folder, or choose another with --library"
        raise ReadOnly(f"the library in {folder} cannot be written to: {error.strerror}", hint) from None
    held.callback(lock.release)
    return True


def _take(folder: Path, place: int, locked: bool) -> tuple[_Note, str]:
    """Our note, which now stands in the folder, and whose was taken over, in words ("" if nobody's)."""
    host, machine, boot, _ = _machine()
    command = " ".join(map(_word, sys.argv[:2]))[:200]
    now, said = time.time(), ""
    mine = _Note(host, machine, boot, os.getpid(), command, now, now, uuid.uuid4().hex)
    for _ in range(3):
        with suppress(FileExistsError):
            _write(place, mine, os.O_CREAT | os.O_EXCL)
            return mine, said
        seen = _content(place)
        theirs = _parsed(seen)
        if not (locked and theirs and theirs.here()):
            if (theirs and theirs.fresh()) or _renewed(place, seen):
                raise _busy(folder, theirs)
            said = f"{theirs or 'another process'} gave no sign of life any more and was taken over"
        if not _set_aside(place, seen):
            break
    raise _busy(folder, _parsed(_content(place)))


def _renewed(place: int, seen: bytes) -> bool:
    """Whether a note changes while it is watched; one that goes away was left in order."""
    end = time.monotonic() + LOOK
    while time.monotonic() < end:
        time.sleep(min(0.25, LOOK / 4))
        now = _content(place)
        if now != seen:
            return bool(now)
    return False


def _set_aside(place: int, seen: bytes) -> bool:
    """Removes the note that was judged; False when it was another one by now, which stays."""
    name = f"{NOTE}.{uuid.uuid4().hex}"
    try:
        os.rename(NOTE, name, src_dir_fd=place, dst_dir_fd=place)
    except FileNotFoundError:
        return True
    same = _content(place, name) == seen
    if not same:
        with suppress(FileExistsError):
            os.link(name, NOTE, src_dir_fd=place, dst_dir_fd=place)
    os.unlink(name, dir_fd=place)
    return same


def _beat(place: int, mine: _Note, stop: threading.Event, lost: list[_Note]) -> None:
    """Renews the note until told to stop, or until it is somebody else's."""
    while not stop.wait(BEAT):
        # a disk that is full or away for a moment is no reason to give up
        with suppress(OSError):
            found = _parsed(_content(place))
            if found and found.run != mine.run:
                lost.append(found)
                return
            _write(place, replace(mine, at=time.time()), os.O_CREAT)


def _leave(place: int, mine: _Note) -> None:
    """Removes the note if it is ours."""
    found = _parsed(_content(place))
    if found and found.run == mine.run:
        with suppress(OSError):
            os.unlink(NOTE, dir_fd=place)


def _write(place: int, note: _Note, flags: int) -> None:
    """Writes the note in one piece; its length stays the same."""
    content = json.dumps(asdict(note)).encode()[:LONGEST].ljust(LONGEST)
    file = os.open(NOTE, os.O_WRONLY | flags, 0o600, dir_fd=place)
    try:
        os.write(file, content)
        os.fsync(file)
    except OSError:
        if flags & os.O_EXCL:  # a full disk leaves no empty note behind
            os.unlink(NOTE, dir_fd=place)
        raise
    finally:
        os.close(file)


def _content(place: int, name: str = NOTE) -> bytes:
    """The bytes of a note, b"" when there is none."""
    try:
        file = os.open(name, os.O_RDONLY, dir_fd=place)
    except OSError:
        return b""
    try:
        return os.read(file, LONGEST)
    except OSError:
        return b""
    finally:
        os.close(file)


def _read(path: Path) -> _Note | None:
    try:
        with path.open("rb") as file:
            return _parsed(file.read(LONGEST))
    except OSError:
        return None


def _parsed(content: bytes) -> _Note | None:
    try:
        found = json.loads(content)
        host, machine, boot, command, run = (str(found[name]) for name in ("host", "machine", "boot", "command", "run"))
        return _Note(host, machine, boot, int(found["pid"]), command, float(found["since"]), float(found["at"]), run)
    except (ValueError, KeyError, TypeError):
        return None


@cache
def _machine() -> tuple[str, str, str, float]:
    """Host name, what is this machine's own, what is this start's own, and when it was started."""
    machine = boot = ""
    booted = 0.0
    with suppress(OSError):
        machine = Path("/etc/machine-id").read_text(encoding="ascii").strip()
    with suppress(OSError, ValueError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        booted = time.time() - float(Path("/proc/uptime").read_text(encoding="ascii").split()[0])
    host = platform.node()
    machine = machine or f"{uuid.getnode():012x}"
    return host, machine, boot or f"{host} {machine}", booted


def _busy(folder: Path, note: _Note | None) -> Locked:
    return Locked(
        f"the library in {folder} is being written to by {note or 'another process'}",
        "wait until it is done, or stop it; searching goes on meanwhile",
    )


def _word(argument: str) -> str:
    return argument.rsplit(os.sep, 1)[-1] or argument
