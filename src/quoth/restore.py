"""A backup becomes a library again.

What is restored is unpacked, checked and asked beside the library, and takes its place in one step;
the old library is kept under another name. A backup is read as if a stranger had made it: no name,
link or size in it is followed, and of the encoders that it may name only the packaged one, or that of
the library it replaces, is run.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from tarfile import REGTYPE, TarError, TarInfo
from typing import TYPE_CHECKING, BinaryIO

from quoth.backup import (
    BATCH,
    BLOCK,
    CATALOG,
    FORMAT,
    FULL,
    MANIFEST,
    VECTORS,
    Manifest,
    Member,
    Probe,
    pieces,
    seal,
    synced,
)  # fmt: skip
from quoth.catalog import people
from quoth.catalog.copies import encoder_of, inspect
from quoth.errors import LibraryError, NotFound, QuothError
from quoth.find import find
from quoth.lock import LOCK, NOTE, writer
from quoth.parts import Parts
from quoth.rebuild import rebuild
from quoth.recipe import Recipe
from quoth.types import Progress, Watcher

if TYPE_CHECKING:
    from quoth.types import Ids

MARK = "restoring"
"""Stands in a folder that is being unpacked: without it the folder is somebody's library."""
LONGEST = 1 << 20
"""Bytes of a manifest that are read."""
PACKED = {b"\x1f\x8b": "gunzip", b"BZh": "bunzip2", b"\xfd7zXZ": "unxz", b"\x28\xb5\x2f\xfd": "unzstd", b"PK": "unzip"}


@dataclass(frozen=True, slots=True)
class Restored:
    """What was restored: `before` is where the library is now that was there, `encoded` counts vectors made anew."""

    library: str
    before: str | None
    documents: int
    passages: int
    encoded: int
    notes: tuple[str, ...]
    seconds: float


def restore(file: str | os.PathLike[str], folder: str | os.PathLike[str], watch: Watcher = lambda _: None) -> Restored:
    """Puts the library of a backup into `folder`, after it was unpacked beside it, checked and asked.

    A library that is there is moved aside in the same step, and nothing of it is changed before. Raises
    `Locked` when another process writes to it, `LibraryError` when the backup is not whole or not sound,
    or the disk is full; then everything is as it was.
    """
    started = time.monotonic()
    file, folder = Path(os.path.abspath(file)), Path(os.path.realpath(os.path.expanduser(folder)))
    staging = folder.with_name(folder.name + ".restoring")
    with ExitStack() as held:
        there = _replaceable(folder)
        if there:
            held.enter_context(writer(folder))
        try:
            _prepare(staging, folder, held)
            manifest, notes, encoded = _unpack(file, staging, _trusted(folder), watch)
            (staging / MARK).unlink()
            before = _swap(staging, folder)
        except BaseException as error:
            if (staging / MARK).exists() and not isinstance(error, _Busy):
                shutil.rmtree(staging, ignore_errors=True)
            if isinstance(error, OSError | sqlite3.OperationalError):
                raise _reason(error, staging) from error
            raise
    seconds = time.monotonic() - started
    return Restored(str(folder), before, manifest.documents, manifest.passages, encoded, tuple(notes), seconds)


class _Busy(LibraryError):
    """Another restore is at work in the same place."""


def _replaceable(folder: Path) -> bool:
    """Whether there is a folder to replace; a reason why it cannot be is an error."""
    if not folder.exists():
        return False
    if not folder.is_dir():
        raise LibraryError(f"{folder} is a file, not a library folder", "choose another with --library")
    names = {path.name for path in folder.iterdir()}
    if names and not names & {CATALOG, LOCK}:
        raise LibraryError(f"{folder} holds other things than a library", "choose another with --library")
    if folder.is_mount():
        raise LibraryError(f"{folder} is a disk of its own and cannot be moved aside", "restore into a folder on it")
    return True


def _prepare(staging: Path, folder: Path, held: ExitStack) -> None:
    """An empty folder to unpack into, ours alone; what an earlier run left there is cleared away."""
    staging.parent.mkdir(parents=True, exist_ok=True)
    if staging.is_dir() and not (staging / MARK).exists():
        # killed right after the libraries changed places: this is the one that was replaced
        staging.rename(_aside(folder))
    staging.mkdir(mode=0o700, exist_ok=True)
    (staging / MARK).touch(mode=0o600)
    try:
        held.enter_context(writer(staging))
    except LibraryError as error:
        raise _Busy(f"another restore is at work: {error}", error.hint) from None
    for path in staging.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name not in (MARK, LOCK, NOTE):
            path.unlink()


def _unpack(file: Path, staging: Path, trusted: set[str], watch: Watcher) -> tuple[Manifest, list[str], int]:
    """Makes a library of a backup, checked; the manifest, what to note, and how many vectors had to be made."""
    try:
        with file.open("rb") as stream:
            places, found = _members(stream, file, watch)
            manifest = _manifest(stream, places, file)
            if {name: found[name] for name in found if name != MANIFEST} != manifest.members:
                raise LibraryError(f"{file} is damaged: its parts are not those that were written", "another backup")
            stream.seek(places[CATALOG])
            with os.fdopen(os.open(staging / CATALOG, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
                for piece in pieces(stream, found[CATALOG].bytes):
                    out.write(piece)
                os.fsync(out.fileno())
            try:
                said = inspect(staging / CATALOG)
            except LibraryError as error:
                raise type(error)(f"{file} cannot be restored: {error}", error.hint or "another backup") from None
            if (said["documents"], said["passages"]) != (manifest.documents, manifest.passages):
                raise LibraryError(f"{file} does not hold what it says: {said} in its catalog", "another backup")
            parts = Parts(staging)
            try:
                return manifest, *_made(parts, manifest, stream, places.get(VECTORS), trusted, watch)
            finally:
                parts.secure()
                parts.close()
    except OSError as error:
        if error.filename and Path(os.fsdecode(error.filename)) == file:
            raise NotFound(f"{file} cannot be opened: {error.strerror}", "check the name") from None
        raise


def _members(stream: BinaryIO, file: Path, watch: Watcher) -> tuple[dict[str, int], dict[str, Member]]:
    """Where each part of a backup begins, and its length and hash as they are."""
    size = os.fstat(stream.fileno()).st_size
    places: dict[str, int] = {}
    found: dict[str, Member] = {}
    start = stream.read(BLOCK)
    packed = next((command for magic, command in PACKED.items() if start.startswith(magic)), None)
    if packed:
        raise LibraryError(f"{file} is compressed", f"{packed} it first")
    while start != bytes(BLOCK):
        try:
            head = TarInfo.frombuf(start, "utf-8", "strict")
        except (TarError, ValueError):
            what = "cut off" if places and len(start) < BLOCK else "damaged" if places else "no backup of a library"
            raise LibraryError(f"{file} is {what}", "another backup") from None
        if head.type != REGTYPE or head.name in places or head.name not in (CATALOG, VECTORS, MANIFEST):
            raise LibraryError(f"{file} is no backup of a library: it holds {head.name!r}", "another backup")
        if stream.tell() + head.size > size:
            raise LibraryError(f"{file} is cut off", "another backup")
        places[head.name] = stream.tell()
        digest = sha256()
        for piece in pieces(stream, head.size):
            digest.update(piece)
            watch(Progress("checking", 0, 0, 0, stream.tell(), size))
        found[head.name] = Member(head.size, digest.hexdigest())
        stream.seek(-head.size % BLOCK, os.SEEK_CUR)
        start = stream.read(BLOCK)
    if not {CATALOG, MANIFEST} <= set(places):
        raise LibraryError(f"{file} is no backup of a library", "another backup")
    return places, found


def _manifest(stream: BinaryIO, places: dict[str, int], file: Path) -> Manifest:
    """The manifest of a backup, as it was written."""
    stream.seek(places[MANIFEST])
    try:
        # a tar's end, zeros, follows the manifest
        record = json.loads(stream.read(LONGEST).split(b"\0", 1)[0])
        if record.pop("seal") != seal(record):
            raise ValueError("altered")
        if record["format"] > FORMAT:
            hint = "pip install --upgrade quoth"
            raise LibraryError(f"{file} was written by a newer Quoth ({record['quoth']})", hint)
        members = {str(name): Member(int(one["bytes"]), str(one["sha256"])) for name, one in record["members"].items()}
        asked = record["probe"]
        probe = Probe(str(asked["question"]), str(asked["document"]), str(asked["text"])) if asked else None
        numbers = (int(record["documents"]), int(record["passages"]))
        texts = (str(record["encoder"]), str(record["fingerprint"]))
        shape = int(record["dimensions"])
        if VECTORS in members and not (0 < shape <= 65_536 and members[VECTORS].bytes == numbers[1] * shape * 2):
            raise ValueError("vectors")
        if not all(one.isalnum() or one in "-_." for one in texts[1]) or texts[1].startswith("."):
            raise ValueError("fingerprint")
        created = float(record["created"])
        return Manifest(FORMAT, str(record["quoth"]), created, *numbers, *texts, shape, probe, members)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise LibraryError(f"{file} is damaged: its manifest cannot be read", "another backup") from None


def _made(
    parts: Parts, manifest: Manifest, stream: BinaryIO, place: int | None, trusted: set[str], watch: Watcher
) -> tuple[list[str], int]:
    """Makes the indexes of an unpacked catalog and asks the probe; what to note, and how many were encoded."""
    notes: list[str] = []
    ids = parts.catalog.passage_ids()
    lacking = ids
    if place is not None:
        stream.seek(place)
        lacking = _vectors(parts, manifest, ids, stream, watch)
    rebuild(parts, "words", watch)
    parts.catalog.set("writing", "0")
    people.end_sessions(parts.catalog)
    persons, tokens = people.known(parts.catalog)
    if persons or tokens:
        notes.append(
            f"whoever had access to it has access to this one: people {persons}, tokens {tokens}"
            " (quoth people list; quoth token list)"
        )
    spec = parts.encoder_spec
    if spec not in trusted:
        notes.append(f"its encoder is {spec}: texts will go to it when you search or add, and it was not asked now")
        return notes, 0
    try:
        same = parts.encoder.fingerprint == manifest.fingerprint
    except QuothError as error:
        notes.append(f"its encoder could not be asked: {error}")
        return notes, 0
    if not same and len(ids):
        notes.append(f"its vectors were made by another encoder, {manifest.fingerprint}: quoth reindex --vectors")
        return notes, 0
    _encode(parts, lacking, watch)
    _ask(parts, manifest)
    return notes, len(lacking)


def _vectors(parts: Parts, manifest: Manifest, ids: Ids, stream: BinaryIO, watch: Watcher) -> Ids:
    """Fills the vector index from a backup; the ids whose vectors it lacks."""
    import numpy as np

    from quoth.vectors import TurboVectors

    index = TurboVectors(parts.folder / "vectors" / manifest.fingerprint, manifest.dimensions)
    lacking = []
    for first in range(0, len(ids), BATCH):
        some = ids[first : first + BATCH]
        content = stream.read(len(some) * manifest.dimensions * 2)
        rows = np.frombuffer(content, "<f2").reshape(len(some), manifest.dimensions).astype(np.float32)
        lengths = np.einsum("ij,ij->i", rows, rows)
        there = lengths > 0
        if not (np.abs(lengths[there] - 1) < 0.05).all():
            raise LibraryError("the backup holds vectors that are not of unit length", "another backup")
        index.add(some[there], rows[there])
        lacking.append(some[~there])
        watch(Progress("restoring vectors", 0, 0, first + len(some), first + len(some), len(ids)))
    index.close()
    return np.concatenate(lacking) if lacking else ids[:0]


def _encode(parts: Parts, ids: Ids, watch: Watcher) -> None:
    """Makes the vectors that a backup lacks."""
    import numpy as np

    from quoth.ingest.split import encoded
    from quoth.types import Passage

    for first in range(0, len(ids), BATCH // 8):
        rows = parts.catalog.passages(ids[first : first + BATCH // 8].tolist()).values()
        texts = [encoded(row.kind, Passage(row.start, row.end, row.text, row.context)) for row in rows]
        parts.vectors.add(np.array([row.id for row in rows], np.int64), parts.encoder.encode(texts))
        watch(Progress("encoding what it lacks", 0, 0, first + len(texts), first + len(texts), len(ids)))


def _ask(parts: Parts, manifest: Manifest) -> None:
    """Asks the probe; an answer other than the one noted is an error."""
    if manifest.probe is None:
        return
    hits = find(parts, manifest.probe.question, 1, None, Recipe(encoder=manifest.fingerprint)).hits
    if not hits or (hits[0].document, hits[0].text) != (manifest.probe.document, manifest.probe.text):
        raise LibraryError(
            f"the restored library does not find {manifest.probe.document}, as it did when it was backed up",
            "another backup; nothing was replaced",
        )


def _trusted(folder: Path) -> set[str]:
    """Encoders that may be run: the packaged one, and that of the library that is there."""
    return {"minilm", encoder_of(folder / CATALOG)}


def _swap(staging: Path, folder: Path) -> str | None:
    """Puts the new folder into its place, and moves the one that was there aside; where that is now."""
    if not folder.exists():
        staging.rename(folder)
        synced(folder.parent)
        return None
    empty = not {path.name for path in folder.iterdir()} - {LOCK, NOTE}
    aside = _aside(folder)
    try:
        if _exchange(staging, folder):
            old = staging
        else:
            folder.rename(aside)
            old = aside
            staging.rename(folder)
    except OSError:
        if not folder.exists():
            aside.rename(folder)
        raise
    if empty:
        shutil.rmtree(old)
    elif old != aside:
        old.rename(aside)
    synced(folder.parent)
    return None if empty else str(aside)


def _exchange(one: Path, other: Path) -> bool:
    """Lets two folders change places in one step; False where the system or the disk cannot."""
    import ctypes

    system = ctypes.CDLL(None, use_errno=True)
    names = os.fsencode(one), os.fsencode(other)
    if sys.platform == "linux" and hasattr(system, "renameat2"):
        return bool(system.renameat2(-100, names[0], -100, names[1], 2) == 0)
    if sys.platform == "darwin" and hasattr(system, "renamex_np"):
        return bool(system.renamex_np(names[0], names[1], 2) == 0)
    return False


def _aside(folder: Path) -> Path:
    """A free name for the library that is replaced."""
    name = f"{folder.name}.before-restore-{time.strftime('%Y%m%d-%H%M%S')}"
    places = [folder.with_name(name), *(folder.with_name(f"{name}-{number}") for number in range(2, 100))]
    return next(place for place in places if not os.path.lexists(place))


def _reason(error: OSError | sqlite3.OperationalError, staging: Path) -> LibraryError:
    """What the system said, as a sentence."""
    if getattr(error, "errno", 0) in FULL or "full" in str(error):
        return LibraryError(f"there is no room to unpack the backup in {staging.parent}", "free some space")
    reason = error.strerror if isinstance(error, OSError) else str(error)
    return LibraryError(f"the backup cannot be restored in {staging.parent}: {reason}", "choose another --library")
