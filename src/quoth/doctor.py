"""What is wrong with a library, and the command that repairs it."""

from __future__ import annotations

import os
import platform
import shutil
import sqlite3
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from quoth import __version__, lock
from quoth.catalog import SCHEMA_VERSION
from quoth.errors import QuothError
from quoth.parts import REINDEX, Parts, check_encoder

SPACE = 500_000_000
"""Bytes that should be free on the library's disk."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at: what was found, and the command that repairs it if it is not ok."""

    name: str
    ok: bool
    found: str
    repair: str = ""


def examine(parts: Parts) -> list[Check]:
    """Every check, in the order in which repairs make sense."""
    checks: list[Check] = []
    for check in (_versions, _catalog, _model, _words, _vectors, _windows, _state, _space, _permissions):
        try:
            checks += check(parts)
        except QuothError as error:
            checks.append(Check(_name(check), False, str(error), error.hint))
    return checks


def _name(check: Callable[..., object]) -> str:
    return check.__name__.strip("_")


def _versions(parts: Parts) -> Iterator[Check]:
    engines = ", ".join(f"{name} {version(name)}" for name in ("openvino", "tantivy", "turbovec", "tokenizers"))
    found = f"quoth {__version__}, Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {engines}"
    yield Check("versions", True, found)


def _catalog(parts: Parts) -> Iterator[Check]:
    found = parts.catalog.check()
    counts = parts.catalog.counts()
    words = f"format {SCHEMA_VERSION}, {counts['documents']:,} documents, {counts['passages']:,} passages"
    ok = found == "ok"
    yield Check("catalog", ok, words if ok else found, "" if ok else "quoth restore FILE, from a backup")


def _model(parts: Parts) -> Iterator[Check]:
    fingerprint = parts.encoder.fingerprint
    check_encoder(parts)
    yield Check("encoder", True, f"{fingerprint}: files as they were packaged")


def _words(parts: Parts) -> Iterator[Check]:
    yield from _index(parts, "words")


def _vectors(parts: Parts) -> Iterator[Check]:
    yield from _index(parts, "vectors")


def _index(parts: Parts, name: str) -> Iterator[Check]:
    import numpy as np

    known = parts.catalog.passage_ids()
    if name in parts.missing():
        yield Check(name, False, "the index is missing", f"{REINDEX} --{name}")
        return
    held = parts.words.ids() if name == "words" else parts.vectors.ids()
    for first in range(0, len(held), 16_384):
        if name == "vectors":
            parts.vectors.fetch(held[first : first + 16_384])
    for found in parts.catalog.passages(held[:: max(1, len(held) // 50)].tolist()).values():
        if name == "words":
            parts.words.search(found.text, 10)
    orphans, lost = len(np.setdiff1d(held, known)), len(np.setdiff1d(known, held))
    if lost:
        yield Check(name, False, f"{lost:,} of {len(known):,} passages are not in the index", f"{REINDEX} --{name}")
    elif orphans:
        words = f"{orphans:,} passages are in the index only (harmless; the next sync sweeps them out)"
        yield Check(name, parts.catalog.get("writing") == "1", words, f"{REINDEX} --{name}")
    else:
        yield Check(name, True, f"{len(held):,} passages, as in the catalog")


def _windows(parts: Parts) -> Iterator[Check]:
    from quoth.ingest.split import encoded

    count = getattr(parts.encoder, "count", None)
    window = getattr(parts.encoder, "window", None)
    ids = parts.catalog.passage_ids()
    if count is None or window is None or not len(ids):
        return
    some = ids[:: max(1, len(ids) // 500)]
    rows = parts.catalog.passages(some.tolist()).values()
    from quoth.types import Passage

    longest = max(count([encoded(r.kind, Passage(r.start, r.end, r.text, r.context)) for r in rows])) + 2
    ok = longest <= window
    words = f"the longest of {len(some):,} passages has {longest} of {window} word pieces"
    yield Check("passages", ok, words, "" if ok else "quoth sync --retry")


def _state(parts: Parts) -> Iterator[Check]:
    writing = lock.owner(parts.folder)
    if writing:
        yield Check("writer", True, f"being written to by {writing}")
    elif parts.catalog.get("writing") == "1":
        yield Check("writer", False, "a run was cut off; what it had written is kept", "quoth sync")
    else:
        yield Check("writer", True, "nobody is writing")
    if parts.catalog.get("erasing") == "1" and not writing:
        yield Check("forget", False, "a forget was cut off before everything was erased", "quoth sync")
    gone = [source.path for source in parts.catalog.sources() if not os.path.lexists(source.path)]
    for path in gone:
        yield Check("source", False, f"{path} is not there", f"quoth remove {path}")
    failed = parts.catalog.counts()["failed"]
    if failed:
        yield Check("files", True, f"{failed:,} files could not be read (quoth sync lists them)")


def _space(parts: Parts) -> Iterator[Check]:
    free = shutil.disk_usage(parts.folder).free
    ok = free >= SPACE
    yield Check("disk", ok, f"{free / 1e9:,.1f} GB free", "" if ok else "free some space")


def _permissions(parts: Parts) -> Iterator[Check]:
    if not os.access(parts.folder, os.W_OK):
        yield Check("permissions", True, "the library can be read but not written")
        return
    loose = [path for path in _everything(parts.folder) if stat.S_IMODE(path.lstat().st_mode) & 0o077]
    ok = not loose
    words = "the folder and its files are yours alone" if ok else f"{len(loose)} files can be read by others"
    yield Check("permissions", ok, words, "" if ok else f"chmod -R go= '{parts.folder}'")


def _everything(folder: Path) -> Iterator[Path]:
    yield folder
    for root, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            yield Path(root, name)
