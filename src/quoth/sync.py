"""Bring a library into step with its sources: what changed is read, split, encoded and written.

Indexes are written first and the catalog last, and what is deleted leaves the catalog first, so
that a run that is killed at any moment leaves at worst passages in an index that the catalog does
not know; searches ignore them and the next run sweeps them out.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from quoth.catalog import File, Source, State, WrittenFile
from quoth.errors import LibraryError
from quoth.ingest.walk import Found, walk
from quoth.ingest.worker import LOOK
from quoth.lock import writer
from quoth.parts import Parts, check_encoder, inside
from quoth.types import Failure, Options, Passage, Progress, Report, Skip, Watcher

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from quoth.ingest.worker import Outcome
    from quoth.types import Encoder, Ids

PASSAGES, FILES, SECONDS = 1024, 256, 5.0
"""How much is encoded and written at once, or how long read; what is written stays, whatever comes after."""


@dataclass(slots=True)
class _Plan:
    """What one source needs."""

    source: Source
    known: dict[str, File]
    read: list[Found] = field(default_factory=list)
    moved: list[tuple[File, Found]] = field(default_factory=list)
    gone: list[File] = field(default_factory=list)


def sync(
    parts: Parts, sources: Sequence[Source], options: Options, watch: Watcher, places: Sequence[str] = ()
) -> Report:
    """Bring these sources, and those of `places`, which are registered, into step and report what was done.

    Files that fail are in `report.failed` and do not stop the run. Raises `Locked` when another
    process writes, `LibraryError` when the disk is full; what was written before stays.
    """
    report, started = Report(), time.monotonic()
    with writer(parts.folder), _errors(parts.folder):
        check_encoder(parts)
        recover(parts, watch)
        parts.catalog.set("writing", "1")
        parts.catalog.set("encoder", parts.encoder_spec)
        parts.catalog.set("fingerprint", parts.encoder.fingerprint)
        wanted = {one.id: one for one in [*sources, *(_source_of(parts, place) for place in places)]}
        plans = [plan for source in wanted.values() if (plan := _plan(parts, source, options, report))]
        for plan in plans:
            for file, found in plan.moved:
                parts.catalog.move(file, found.path, found.mtime_ns)
            report.moved += len(plan.moved)
            report.removed += len(plan.gone)
            _forget(parts, parts.catalog.remove([file.id for file in plan.gone]))
        _read(parts, plans, options, report, watch)
        parts.catalog.set("writing", "0")
    parts.secure()
    report.seconds = time.monotonic() - started
    return report


def remove(parts: Parts, source: Source | None, files: Sequence[File]) -> int:
    """Take files, and a source when all of it goes, out of the library; how many files went."""
    with writer(parts.folder), _errors(parts.folder):
        _forget(parts, parts.catalog.remove([file.id for file in files]))
        if source:
            parts.catalog.remove_source(source.id)
    return len(files)


def recover(parts: Parts, watch: Watcher) -> list[str]:
    """Repair what a killed run or a lost index folder left behind; what was done, in sentences."""
    done = []
    for name in parts.missing():
        rebuild(parts, name, watch)
        done.append(f"the {name.rstrip('s')} index was missing and has been rebuilt from the catalog")
    if parts.catalog.get("writing") == "1":
        known = parts.catalog.passage_ids()
        for index in (parts.words, parts.vectors):
            held = index.ids()
            orphans = held[~_is_in(held, known)]
            if len(orphans):
                index.remove(orphans)
        if any(not _is_in(known, index.ids()).all() for index in (parts.words, parts.vectors)):
            for name in ("words", "vectors"):
                rebuild(parts, name, watch)
            done.append("passages were missing from an index, so it has been rebuilt from the catalog")
    return done


def reindex(parts: Parts, names: Sequence[str], watch: Watcher) -> dict[str, int]:
    """Make these indexes anew; how many passages each holds."""
    with writer(parts.folder), _errors(parts.folder):
        return {name: rebuild(parts, name, watch) for name in names}


def rebuild(parts: Parts, name: str, watch: Watcher) -> int:
    """Make the index "words" or "vectors" anew from the catalog; the number of passages in it.

    The new index is built beside the old one and takes its place when it is whole.
    """
    import numpy as np

    from quoth.ingest.split import encoded

    parts.reopen(name)
    folder = parts.folder / "words" if name == "words" else parts.vectors_folder
    fresh = folder.with_name(folder.name + ".new")
    _delete_folder(fresh)
    ids = parts.catalog.passage_ids()
    write = _into_words(fresh) if name == "words" else _into_vectors(fresh, parts.encoder)
    for first in range(0, len(ids), PASSAGES):
        rows = list(parts.catalog.each_passage(ids[first : first + PASSAGES].tolist()))
        texts = [encoded(row.kind, Passage(row.start, row.end, row.text, row.context)) for row, _ in rows]
        held = np.array([row.id for row, _ in rows], dtype=np.int64)
        write(held, texts, [language for _, language in rows])
        done = first + len(rows)
        watch(Progress(f"rebuilding {name}", 0, 0, done, done, len(ids)))
    del write
    _delete_folder(folder)
    fresh.rename(folder)
    if name == "vectors":
        parts.catalog.set("encoder", parts.encoder_spec)
        parts.catalog.set("fingerprint", parts.encoder.fingerprint)
    parts.secure()
    return len(ids)


def _source_of(parts: Parts, place: str) -> Source:
    """The source that holds this path, registered if there is none."""
    for source in parts.catalog.sources():
        if inside(place, source.path):
            return source
    return parts.catalog.add_source(place)


def _plan(parts: Parts, source: Source, options: Options, report: Report) -> _Plan | None:
    """What changed in a source since the last run; None when it is gone as a whole."""
    if not os.path.lexists(source.path):
        hint = f"if it is gone for good: quoth remove {source.path}"
        report.failed.append(Failure(source.path, "the source is not there; nothing of it was removed", hint))
        return None
    known = {file.path: file for file in parts.catalog.files(source.id)}
    plan = _Plan(source, known)
    seen: set[str] = set()
    unread: list[str] = []
    own = str(parts.folder) + os.sep
    for found in walk(Path(source.path)):
        if found.path.startswith(own):
            continue  # a library inside a source does not read itself
        seen.add(found.path)
        if isinstance(found, Skip):
            report.skipped.append(found)
            unread.append(found.path.rstrip(os.sep) + os.sep)
            continue
        file = known.get(found.path)
        if (
            file is None
            or (file.size, file.mtime_ns) != (found.size, found.mtime_ns)
            or (file.state == "failed" and options.retry)
            or (file.state == "skipped" and options.archives and file.reason.endswith(LOOK))
        ):
            plan.read.append(found)
        else:
            _stays(file, report)
    if known and not seen:
        # an empty folder is what a disk that is not mounted looks like
        hint = f"if its files are gone for good: quoth remove {source.path}"
        report.failed.append(Failure(source.path, "the source is empty; nothing of it was removed", hint))
        return None
    # what lies in a folder that could not be listed is not gone
    plan.gone = [file for path, file in known.items() if path not in seen and not path.startswith(tuple(unread))]
    _find_moved(plan)
    return plan


def _stays(file: File, report: Report) -> None:
    """Count a file that did not change, as what it was."""
    if file.state == "read":
        report.unchanged += 1
    elif file.state == "failed":
        report.failed.append(Failure(file.path, file.reason, file.hint))
    else:
        report.skipped.append(Skip(file.path, file.reason))


def _find_moved(plan: _Plan) -> None:
    """Pair new files with gone ones of the same content: a moved file keeps its passages."""
    gone = {(file.size, file.sha256): file for file in plan.gone if file.state == "read"}
    sizes = {size for size, _ in gone}
    for found in list(plan.read):
        if found.size not in sizes or found.path in plan.known:
            continue
        file = gone.pop((found.size, _sha256(found.path)), None)
        if file:
            plan.moved.append((file, found))
            plan.gone.remove(file)
            plan.read.remove(found)


def _read(parts: Parts, plans: Sequence[_Plan], options: Options, report: Report, watch: Watcher) -> None:
    """Read, split, encode and write the files of all plans, a batch at a time."""
    from quoth.embed.packaged import FOLDER
    from quoth.ingest.worker import ReadPool, ToRead

    jobs = [(plan, found) for plan in plans for found in plan.read]
    if not jobs:
        return
    progress = Progress("reading", 0, len(jobs), 0, 0, sum(found.size for _, found in jobs))
    watch(progress)
    batch: list[tuple[_Plan, Outcome]] = []
    written = time.monotonic()
    workers = options.workers or min(4, os.cpu_count() or 1)
    with ReadPool(FOLDER / "tokenizer.json", workers=workers, timeout=options.timeout) as pool:
        outcomes = pool.map(ToRead(found.path, options.passwords, "", options.archives) for _, found in jobs)
        for (plan, found), outcome in zip(jobs, outcomes, strict=True):
            batch.append((plan, outcome))
            waiting = sum(len(passages) for _, one in batch for _, passages in one.documents)
            progress = replace(progress, files=progress.files + 1, bytes=progress.bytes + found.size)
            if waiting >= PASSAGES or len(batch) >= FILES or time.monotonic() - written > SECONDS:
                _write(parts, batch, report)
                batch, written = [], time.monotonic()
                progress = replace(progress, passages=report.passages)
            watch(progress)
    _write(parts, batch, report)
    watch(replace(progress, passages=report.passages))


def _write(parts: Parts, batch: Sequence[tuple[_Plan, Outcome]], report: Report) -> None:
    """Encode and write a batch of outcomes, source by source."""
    for plan in {id(plan): plan for plan, _ in batch}.values():
        outcomes = [outcome for owner, outcome in batch if owner is plan]
        wanted, unwanted = [], []
        for outcome in outcomes:
            old = plan.known.get(outcome.path)
            if outcome.reason:
                unwanted.append(_remembered(plan.source, outcome, report))
            elif old and old.state == "read" and old.sha256 == outcome.sha256:
                parts.catalog.touch(old, outcome.size, outcome.mtime_ns)
                report.unchanged += 1
            else:
                wanted.append(outcome)
                report.updated += bool(old and old.state == "read")
                report.added += not (old and old.state == "read")
                lost = [one.notes[0] for one, _ in outcome.documents if one.kind == "archive"]
                report.notes += [f"{outcome.path}: {note} (quoth show names them)" for note in lost]
        if unwanted:
            _forget(parts, parts.catalog.remember(plan.source.id, unwanted))
        if wanted:
            files = _index(parts, wanted)
            report.passages += sum(len(passages) for file in files for _, passages in file.documents)
            _forget(parts, parts.catalog.write(plan.source.id, files))


def _index(parts: Parts, outcomes: Iterable[Outcome]) -> list[WrittenFile]:
    """Give ids to all passages and write them to the indexes; the catalog does not know them yet."""
    import numpy as np

    from quoth.ingest.split import encoded

    outcomes = list(outcomes)
    count = sum(len(passages) for outcome in outcomes for _, passages in outcome.documents)
    number = parts.catalog.reserve(count)
    ids = np.arange(number, number + count, dtype=np.int64)
    files, texts, languages = [], [], []
    for outcome in outcomes:
        documents = []
        for document, passages in outcome.documents:
            documents.append((document, [replace(one, id=number + n) for n, one in enumerate(passages)]))
            number += len(passages)
            texts += [encoded(document.kind, passage) for passage in passages]
            languages += [document.language] * len(passages)
        files.append(WrittenFile(outcome.path, outcome.size, outcome.mtime_ns, outcome.sha256, documents))
    for first in range(0, count, 4 * PASSAGES):
        some = slice(first, first + 4 * PASSAGES)
        parts.vectors.add(ids[some], parts.encoder.encode(texts[some]))
        parts.words.add(ids[some], texts[some], languages[some])
    return files


def _remembered(source: Source, outcome: Outcome, report: Report) -> File:
    """A failed or skipped file as the catalog keeps it, entered in the report."""
    if outcome.skipped:
        report.skipped.append(Skip(outcome.path, outcome.reason))
    else:
        report.failed.append(Failure(outcome.path, outcome.reason, outcome.hint))
    state: State = "skipped" if outcome.skipped else "failed"
    stamp = (outcome.size, outcome.mtime_ns, outcome.sha256)
    return File(0, source.id, outcome.path, *stamp, state, outcome.reason, outcome.hint)


def _forget(parts: Parts, ids: Sequence[int]) -> None:
    """Take passages out of the indexes, after the catalog let go of them."""
    import numpy as np

    if ids:
        gone = np.array(ids, dtype=np.int64)
        parts.words.remove(gone)
        parts.vectors.remove(gone)


@contextmanager
def _errors(folder: Path) -> Iterator[None]:
    """A block in which a full disk is one clear sentence."""
    try:
        yield
    except (OSError, sqlite3.OperationalError, ValueError) as error:
        full = isinstance(error, OSError) and error.errno == errno.ENOSPC
        if full or "full" in str(error) or "No space left" in str(error):
            hint = "free some space and run the command again; what was written before is kept"
            raise LibraryError(f"the disk with the library {folder} is full", hint) from error
        raise


_Write = Callable[["Ids", Sequence[str], Sequence[str]], None]


def _into_words(folder: Path) -> _Write:
    """Writes passages to a new word index in a folder."""
    from quoth.words import TantivyWords

    return TantivyWords(folder).add


def _into_vectors(folder: Path, encoder: Encoder) -> _Write:
    """Writes the vectors of passages to a new vector index in a folder."""
    from quoth.vectors import TurboVectors

    index = TurboVectors(folder, encoder.dimensions)
    return lambda ids, texts, _: index.add(ids, encoder.encode(texts))


def _is_in(some: Ids, sorted_ids: Ids) -> NDArray[np.bool_]:
    """Which of `some` are among the sorted ids."""
    import numpy as np

    return np.isin(some, sorted_ids, assume_unique=True)


def _delete_folder(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


def _sha256(path: str) -> str:
    """The hash of a file's content, or "" when it cannot be read any more."""
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""
