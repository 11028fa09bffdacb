"""Bring a library into step with its sources: what changed is read, split, encoded and written.

Indexes are written first and the catalog last, and what is deleted leaves the catalog first, so
that a run that is killed at any moment leaves at worst passages in an index that the catalog does
not know; searches ignore them and the next run sweeps them out.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from quoth.catalog import File, Job, Source, State, jobs
from quoth.flow import Encoded, Flow, numbered
from quoth.ingest.kinds import READABLE
from quoth.ingest.walk import Found, walk
from quoth.jobs import Running, options_of, running
from quoth.lock import writer
from quoth.parts import Parts, check_encoder, disk, inside
from quoth.rebuild import forget_passages, recover
from quoth.types import Failure, Options, Progress, Report, Skip, Watcher

if TYPE_CHECKING:
    from quoth.ingest.worker import Outcome

PASSAGES, FILES, FEW = 2048, 2048, 128
"""Passages or files that make a batch; as few passages as FEW do when the encoder has nothing else to do."""
FORGOTTEN = "forgotten (quoth add with its own path lets it in again)"


@dataclass(slots=True)
class Plan:
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

    Jobs that were cut off are taken up along the way. Files that fail are in `report.failed` and do
    not stop the run. Raises `Locked` when another process writes, `LibraryError` when the disk is
    full, `Stopped` when the job was cancelled; what was written before stays.
    """
    started = time.monotonic()
    command, named = ("add", places) if places else ("sync", [source.path for source in sources])
    with (
        writer(parts.folder) as taken,
        disk(parts.folder),
        running(parts.catalog, command, named, options, watch) as run,
    ):
        report = run.report
        report.notes += [taken] if taken else []
        parts.follow()
        check_encoder(parts)
        report.notes += recover(parts, bool(run.cut_off), run.watch)
        facts = {"writing": "1", "encoder": parts.encoder_spec, "fingerprint": parts.encoder.fingerprint}
        parts.catalog.note(facts)
        wanted, again = _wanted(parts, sources, places, options, run)
        plans = [plan for source in wanted if (plan := _plan(parts, source, options.retry or again, report))]
        for plan in plans:
            for file, found in plan.moved:
                parts.catalog.move(file, found.path, found.mtime_ns)
            report.moved += len(plan.moved)
            report.removed += len(plan.gone)
            forget_passages(parts, parts.catalog.remove([file.id for file in plan.gone]))
        _read(parts, plans, options, run)
        parts.catalog.note({"writing": "0", "readable": readable()})
        jobs.resumed(parts.catalog, [job.id for job in run.cut_off if job.command in ("add", "sync")])
        parts.secure()
        report.seconds = time.monotonic() - started
    return report


def remove(parts: Parts, source: Source | None, files: Sequence[File]) -> int:
    """Take files, and a source when all of it goes, out of the library; how many files went."""
    with writer(parts.folder), disk(parts.folder):
        before = parts.catalog.get("writing") or "0"
        parts.catalog.note({"writing": "1"})  # so that a kill in the middle is seen, and swept up after
        forget_passages(parts, parts.catalog.remove([file.id for file in files]))
        if source:
            parts.catalog.remove_source(source.id)
        parts.catalog.note({"writing": before})
    return len(files)


# -- what is to be done ----------------------------------------------------------------------------


def _wanted(
    parts: Parts, sources: Sequence[Source], places: Sequence[str], options: Options, run: Running
) -> tuple[list[Source], bool]:
    """The sources to sync, and whether files that were skipped are to be looked at again."""
    catalog = parts.catalog
    before = {one.id: one.archives for one in catalog.sources()}
    jobs.unbury(catalog, [above for place in places for above in (place, *map(str, Path(place).parents))])
    wanted = {one.id: one for one in [*sources, *(_source_of(parts, place, options.archives) for place in places)]}
    for one in sources if options.archives else ():
        wanted[one.id] = catalog.add_source(one.path, archives=True)
    for job in run.cut_off:
        wanted |= {one.id: one for one in _left_by(parts, job)}
    run.report.notes += [_taken_up(job) for job in run.cut_off]
    newly = any(one.archives and not before.get(one.id, False) for one in wanted.values())
    return list(wanted.values()), newly or catalog.get("readable") != readable()


def readable() -> str:
    """What is read here; where it differs from what a library was filled with, what was left out is tried again."""
    from quoth.ingest import ocr

    return f"{READABLE} by OCR" if ocr.engine() else READABLE


def _left_by(parts: Parts, job: Job) -> list[Source]:
    """The sources that a job which was cut off did not bring into step."""
    if job.command == "add":
        there = [place for place in job.places if os.path.lexists(place)]
        return [_source_of(parts, place, options_of(job).archives) for place in there]
    sources = parts.catalog.sources() if job.command == "sync" else []
    return [one for one in sources if not job.places or one.path in job.places]


def _taken_up(job: Job) -> str:
    named = " ".join([job.command, *job.places])
    if job.command in ("add", "sync"):
        return f"job {job.id} ({named}) had been cut off; what was left of it is done along with this one"
    return f"job {job.id} ({named}) was cut off: quoth jobs resume {job.id}"


def _source_of(parts: Parts, place: str, archives: bool) -> Source:
    """The source that holds this path, registered if there is none."""
    for source in parts.catalog.sources():
        if inside(place, source.path):
            return parts.catalog.add_source(source.path, archives) if archives > source.archives else source
    return parts.catalog.add_source(place, archives)


def _plan(parts: Parts, source: Source, again: bool, report: Report) -> Plan | None:
    """What changed in a source since the last run; None when it is gone as a whole.

    With `again`, files that were not read are tried once more.
    """
    if not os.path.lexists(source.path):
        hint = f"if it is gone for good: quoth remove {source.path}"
        report.failed.append(Failure(source.path, "the source is not there; nothing of it was removed", hint))
        return None
    known = {file.path: file for file in parts.catalog.files(source.id)}
    plan = Plan(source, known)
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
            or (file.state != "read" and again)
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
    _leave_out_forgotten(parts, plan, report)
    return plan


def _stays(file: File, report: Report) -> None:
    """Count a file that did not change, as what it was."""
    if file.state == "read":
        report.unchanged += 1
    elif file.state == "failed":
        report.failed.append(Failure(file.path, file.reason, file.hint))
    else:
        report.skipped.append(Skip(file.path, file.reason))


def _find_moved(plan: Plan) -> None:
    """Pair new files with gone ones of the same content: a moved file keeps its passages."""
    gone = {(file.size, file.sha256): file for file in plan.gone if file.state == "read"}
    sizes = {size for size, _ in gone}
    moved = {}
    for found in plan.read:
        if found.size not in sizes or found.path in plan.known:
            continue
        file = gone.pop((found.size, _sha256(found.path)), None)
        if file:
            moved[found.path] = file
    plan.moved = [(moved[found.path], found) for found in plan.read if found.path in moved]
    plan.read = [found for found in plan.read if found.path not in moved]
    paired = {file.id for file in moved.values()}
    plan.gone = [file for file in plan.gone if file.id not in paired]


def _leave_out_forgotten(parts: Parts, plan: Plan, report: Report) -> None:
    """Skip new files that were forgotten, or whose folder was."""
    places = {
        found.path: (found.path, *map(str, Path(found.path).parents))
        for found in plan.read
        if found.path not in plan.known
    }
    buried = jobs.buried(parts.catalog, list({above for line in places.values() for above in line}))
    out = {path for path, line in places.items() if buried.intersection(line)} if buried else set()
    report.skipped += [Skip(path, FORGOTTEN) for path in sorted(out)]
    plan.read = [found for found in plan.read if found.path not in out]


# -- doing it --------------------------------------------------------------------------------------


def _read(parts: Parts, plans: Sequence[Plan], options: Options, run: Running) -> None:
    """Read, split, encode and write the files of all plans; the four go on at the same time."""
    from quoth.embed.packaged import FOLDER
    from quoth.ingest import nice
    from quoth.ingest.worker import ReadPool, ToRead

    wanted = [(plan, found) for plan in plans for found in plan.read]
    if not wanted:
        return
    if options.nice:
        nice.make_way()
    at = Progress("reading", 0, len(wanted), 0, 0, sum(found.size for _, found in wanted))
    sizes = {found.path: found.size for _, found in wanted}

    def write(batch: Encoded[Plan]) -> None:
        nonlocal at
        write_batch(parts, batch, run.report, flow.vectors)
        size = sum(sizes[outcome.path] for _, outcome in batch.outcomes)
        at = replace(
            at, files=at.files + len(batch.outcomes), bytes=at.bytes + size, passages=run.report.passages
        )  # fmt: skip

    workers = options.workers or min(4, os.cpu_count() or 1)
    with (
        ReadPool(FOLDER / "tokenizer.json", workers=workers, timeout=options.timeout) as pool,
        Flow[Plan](parts, write) as flow,
    ):
        reads = (ToRead(found.path, options.passwords, "", plan.source.archives) for plan, found in wanted)
        batch: list[tuple[Plan, Outcome]] = []
        waiting = 0
        for (plan, _), outcome in zip(wanted, pool.map(reads), strict=True):
            if is_same(plan, outcome):
                outcome = replace(outcome, documents=())
            batch.append((plan, outcome))
            waiting += sum(len(passages) for _, passages in outcome.documents)
            run.watch(at)
            if waiting >= PASSAGES or len(batch) >= FILES or (waiting >= FEW and flow.idle):
                flow.put(batch, lambda: run.watch(at))
                batch, waiting = [], 0
        flow.put(batch, lambda: run.watch(at))
        flow.wait(lambda: run.watch(at))
    run.report.encoding = flow.seconds
    run.watch(at)


def write_batch(parts: Parts, batch: Encoded[Plan], report: Report, lock: Lock) -> None:
    """Write a batch: the indexes first, which know the passages before the catalog does, then source by source."""
    import numpy as np

    count = len(batch.texts)
    first = parts.catalog.reserve(count)
    ids = np.arange(first, first + count, dtype=np.int64)
    spoken = [one.language for _, read in batch.outcomes for one, passages in read.documents for _ in passages]
    for start in range(0, count, 4 * PASSAGES):
        some = slice(start, start + 4 * PASSAGES)
        with lock:
            parts.vectors.add(ids[some], batch.vectors[some])
        parts.words.add(ids[some], batch.texts[some], spoken[some])
    files = list(numbered(batch, first))
    for plan in {id(plan): plan for plan, _, _ in files}.values():
        mine = [(outcome, file) for owner, outcome, file in files if owner is plan]
        written, unread = [], []
        for outcome, file in mine:
            old = plan.known.get(outcome.path)
            if outcome.reason:
                unread.append(_remembered(plan.source, outcome, report))
            elif old and is_same(plan, outcome):
                parts.catalog.touch(old, outcome.size, outcome.mtime_ns)
                report.unchanged += 1
            else:
                written.append(file)
                report.updated += bool(old and old.state == "read")
                report.added += not (old and old.state == "read")
                lost = [one.notes[0] for one, _ in outcome.documents if one.kind == "archive"]
                report.notes += [f"{outcome.path}: {note} (quoth show names them)" for note in lost]
        gone = parts.catalog.remember(plan.source.id, unread) if unread else []
        gone += parts.catalog.write(plan.source.id, written) if written else []
        report.passages += sum(len(passages) for file in written for _, passages in file.documents)
        with lock:
            forget_passages(parts, gone)


def is_same(plan: Plan, outcome: Outcome) -> bool:
    """Whether a file that was read again has the content it had."""
    old = plan.known.get(outcome.path)
    return bool(old and old.state == "read" and not outcome.reason and old.sha256 == outcome.sha256)


def _remembered(source: Source, outcome: Outcome, report: Report) -> File:
    """A failed or skipped file as the catalog keeps it, entered in the report."""
    if outcome.skipped:
        report.skipped.append(Skip(outcome.path, outcome.reason))
    else:
        report.failed.append(Failure(outcome.path, outcome.reason, outcome.hint))
    state: State = "skipped" if outcome.skipped else "failed"
    stamp = (outcome.size, outcome.mtime_ns, outcome.sha256)
    return File(0, source.id, outcome.path, *stamp, state, outcome.reason, outcome.hint)


def _sha256(path: str) -> str:
    """The hash of a file's content, or "" when it cannot be read any more."""
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""
