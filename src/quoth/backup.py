"""A library as one file and back again, and a library whose files went to another place.

A backup is a plain tar of three members, so that it can be made while another process writes:

    catalog.sqlite   one state of the catalog, by SQLite's own backup
    vectors.f16      the vectors of exactly its passages, in the order of their ids (zeros where one was missing)
    manifest.json    sizes and hashes of both, counts, the encoder, and a question with its first hit

The word index is made anew from the catalog when it is restored, which takes seconds.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from tarfile import GNU_FORMAT, TarInfo
from typing import TYPE_CHECKING, BinaryIO

from quoth import __version__
from quoth.catalog.copies import reroot, snapshot
from quoth.errors import LibraryError, NotFound, QuothError, UsageError
from quoth.find import find
from quoth.lock import writer
from quoth.parts import Parts, inside
from quoth.recipe import Recipe
from quoth.types import Progress, Watcher

if TYPE_CHECKING:
    from quoth.types import Ids, Vectors

FORMAT = 1
CATALOG, VECTORS, MANIFEST = "catalog.sqlite", "vectors.f16", "manifest.json"
BATCH, PIECE, BLOCK = 8_192, 1 << 20, 512
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@dataclass(frozen=True, slots=True)
class Backup:
    """What a backup holds; `notes` are sentences on what it lacks."""

    file: str
    bytes: int
    documents: int
    passages: int
    notes: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Moved:
    """How many sources and files have a new place."""

    sources: int
    files: int


@dataclass(frozen=True, slots=True)
class Probe:
    """A question, and the passage that the library put first when it was backed up."""

    question: str
    document: str
    text: str


@dataclass(frozen=True, slots=True)
class Member:
    """Length and hash of a part of a backup."""

    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup says of itself."""

    format: int
    quoth: str
    created: float
    documents: int
    passages: int
    encoder: str
    fingerprint: str
    dimensions: int
    probe: Probe | None
    members: dict[str, Member]


# -- backup --------------------------------------------------------------------------------------


def backup(parts: Parts, file: Path, force: bool, watch: Watcher) -> Backup:
    """Writes one state of the library to a file, whatever others write to the library meanwhile.

    Raises `UsageError` when the file is there and `force` is not given, `LibraryError` when the disk is
    full or the catalog damaged; then no file is left.
    """
    started = time.monotonic()
    if inside(str(file), str(parts.folder)):
        raise UsageError("a backup inside the library would be lost with it", "choose a file outside")
    notes: list[str] = []
    copied = file.with_name(file.name + ".catalog")
    with new_file(file, force) as out, parts.catalog.reading():
        counts = parts.catalog.counts()  # from here on this thread sees one state
        try:
            snapshot(parts.catalog, copied, lambda done, of: watch(_pages(done, of)))
            with copied.open("rb") as catalog:
                members = {CATALOG: _write(out, CATALOG, copied.stat().st_size, pieces(catalog))}
        finally:
            copied.unlink(missing_ok=True)
        ids = parts.catalog.passage_ids()
        index, dimensions = _index(parts, notes)
        if index is not None:
            rows = _rows(index, ids, dimensions, notes, watch)
            members[VECTORS] = _write(out, VECTORS, len(ids) * dimensions * 2, rows)
        manifest = Manifest(
            FORMAT, __version__, time.time(), counts["documents"], counts["passages"], parts.encoder_spec,
            parts.catalog.get("fingerprint") or "", dimensions, _probe(parts, ids, notes), members,
        )  # fmt: skip
        content = _sealed(manifest)
        _write(out, MANIFEST, len(content), [content])
        out.write(bytes(2 * BLOCK))
        size = out.tell()
    seconds = time.monotonic() - started
    return Backup(str(file), size, counts["documents"], counts["passages"], tuple(notes), seconds)


@contextmanager
def new_file(file: Path, force: bool) -> Iterator[BinaryIO]:
    """A file to write that appears under its name when it is whole and on the disk, and not at all otherwise."""
    if file.is_dir():
        raise UsageError(f"{file} is a folder", f"name a file in it: {file / 'quoth.backup'}")
    if os.path.lexists(file) and not force:
        raise UsageError(f"{file} is there already", "choose another name, or --force to replace it")
    part = file.with_name(file.name + ".part")
    try:
        with os.fdopen(os.open(part, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "wb") as out:
            os.fchmod(out.fileno(), 0o600)
            yield out
            out.flush()
            os.fsync(out.fileno())
        part.replace(file)
        synced(file.parent)
    except (OSError, sqlite3.DatabaseError) as error:
        if getattr(error, "errno", 0) in FULL or "full" in str(error):
            raise LibraryError(
                f"there is no room for {file} on its disk", "free some space, or choose another"
            ) from error
        if isinstance(error, OSError):
            raise LibraryError(f"{file} cannot be written: {error.strerror}", "choose another place") from error
        raise LibraryError(f"the catalog of this library is damaged ({error})", "quoth restore FILE") from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def _write(out: BinaryIO, name: str, size: int, pieces: Iterable[bytes]) -> Member:
    """Writes a member of the tar."""
    head = TarInfo(name)
    head.size, head.mode, head.mtime = size, 0o600, int(time.time())
    out.write(head.tobuf(GNU_FORMAT))
    digest, written = hashlib.sha256(), 0
    for piece in pieces:
        out.write(piece)
        digest.update(piece)
        written += len(piece)
    if written != size:
        raise AssertionError(f"{name} has {written} bytes instead of {size}")
    out.write(bytes(-size % BLOCK))
    return Member(size, digest.hexdigest())


def _index(parts: Parts, notes: list[str]) -> tuple[Vectors | None, int]:
    """The vectors that the library was made with, whether or not their encoder is at hand, and their length."""
    from quoth.vectors import TurboVectors
    from quoth.vectors.exact import dimensions_of

    folder = parts.folder / "vectors" / (parts.catalog.get("fingerprint") or "none")
    dimensions = dimensions_of(folder)
    try:
        if dimensions:
            return TurboVectors(folder, dimensions, readonly=True), dimensions
    except LibraryError:
        pass
    if parts.catalog.counts()["passages"]:
        notes.append("the vectors could not be read and are not in it; they are made anew when it is restored")
    return None, 0


def _rows(index: Vectors, ids: Ids, dimensions: int, notes: list[str], watch: Watcher) -> Iterator[bytes]:
    """The vectors of these passages; zeros from where the index turns out to be damaged."""
    damaged = False
    for first in range(0, len(ids), BATCH):
        some = ids[first : first + BATCH]
        try:
            yield bytes(len(some) * dimensions * 2) if damaged else index.fetch(some).astype("<f2").tobytes()
        except LibraryError as error:
            damaged = True
            notes.append(f"{error}; what is not in it is made anew when it is restored")
            yield bytes(len(some) * dimensions * 2)
        done = first + len(some)
        watch(Progress("copying vectors", 0, 0, done, done, len(ids)))


def _probe(parts: Parts, ids: Ids, notes: list[str]) -> Probe | None:
    """Of a few passages, asked with their own words, the one that the library puts first by the widest margin."""
    best: tuple[float, Probe] | None = None
    try:
        recipe = Recipe(encoder=parts.encoder.fingerprint)
        for passage in parts.catalog.passages(ids[:: max(1, len(ids) // 8)][:8].tolist()).values():
            question = " ".join(passage.text.split())[:200]
            hits = find(parts, question, 2, None, recipe).hits if any(map(str.isalnum, question)) else ()
            if hits and hits[0].passage == passage.id:
                margin = hits[0].score - hits[1].score if len(hits) > 1 else 1.0
                if best is None or margin > best[0]:
                    best = margin, Probe(question, passage.path, passage.text)
    except QuothError as error:
        notes.append(f"it holds no question to check it by: {error}")
    return best[1] if best else None


def _sealed(manifest: Manifest) -> bytes:
    record = asdict(manifest)
    return json.dumps(record | {"seal": seal(record)}, indent=1).encode()


def seal(record: dict[str, object]) -> str:
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


def _pages(done: int, of: int) -> Progress:
    return Progress("copying the catalog", 0, 0, 0, done, of)


def pieces(stream: BinaryIO, left: int = 1 << 62) -> Iterator[bytes]:
    """The next bytes of a file, piece by piece."""
    while left and (piece := stream.read(min(PIECE, left))):
        yield piece
        left -= len(piece)


def synced(folder: Path) -> None:
    """Makes a rename in a folder last."""
    place = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(place)
    finally:
        os.close(place)


# -- move ----------------------------------------------------------------------------------------


def move(parts: Parts, old: str, new: str, force: bool) -> Moved:
    """Says that the sources at or below `old` are at or below `new` now, with all their files; nothing is read."""
    sources = parts.catalog.sources()
    moved = [one for one in sources if inside(one.path, old)]
    if not moved:
        owner = next((one.path for one in sources if inside(old, one.path)), None)
        hint = f"move all of it: quoth sources move {owner} …" if owner else "quoth sources"
        raise NotFound(f"{old} is no source of this library", hint)
    for one in moved:
        place = new.rstrip(os.sep) + one.path[len(old.rstrip(os.sep)) :] if one.path != old else new
        if not force and not os.path.lexists(place):
            raise NotFound(f"there is no file or folder {place}", "check the name, or --force to move it all the same")
        for other in sources:
            if other not in moved and (inside(place, other.path) or inside(other.path, place)):
                raise UsageError(f"{place} belongs to the source {other.path} already", f"quoth remove {other.path}")
    with writer(parts.folder):
        return Moved(len(moved), reroot(parts.catalog, moved, old, new))
