"""A long run keeps a record of itself: how far it is, that it is alive, how it ended.

A run that was killed leaves a job that is "running" though nobody writes: whoever writes next marks
it "cut off" and takes it up. `quoth jobs cancel` raises a flag that the run sees at its next beat.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field

from quoth.catalog import Catalog, Job, jobs
from quoth.errors import NotFound, QuothError, Stopped
from quoth.types import Failure, Options, Progress, Report, Watcher

BEAT = 1.0
"""Seconds between two signs of life of a running job."""


@dataclass(slots=True)
class Running:
    """The job that this process is doing. Call `watch` often: it stops the run when that is wanted."""

    number: int
    onlooker: Watcher
    report: Report = field(default_factory=Report)
    cut_off: Sequence[Job] = ()
    at: Progress = field(default_factory=lambda: Progress("starting", 0, 0))
    cancelled: threading.Event = field(default_factory=threading.Event)

    def watch(self, at: Progress) -> None:
        """Note how far the run is. Raises `Stopped` when somebody cancelled the job."""
        self.at = at
        if self.cancelled.is_set():
            hint = f"quoth jobs resume {self.number}"
            raise Stopped(f"job {self.number} was cancelled; what it had written is kept", hint)
        self.onlooker(at)


@contextmanager
def running(
    catalog: Catalog, command: str, places: Sequence[str], options: Options, watch: Watcher
) -> Iterator[Running]:
    """A block that is a job; it needs the writer's lock. However it ends, short of a kill, is written down.

    A sync that found nothing to do leaves no record.
    """
    cut = jobs.cut_off(catalog)
    kept = {name: value for name, value in asdict(options).items() if name != "passwords"}
    run = Running(jobs.begin(catalog, command, places, json.dumps(kept)), watch, cut_off=cut)
    ended = threading.Event()
    beating = threading.Thread(target=_beat, args=(catalog, run, ended), name="quoth-job", daemon=True)
    beating.start()

    def stop() -> None:
        ended.set()
        beating.join()

    try:
        yield run
    except BaseException as error:
        stop()
        with suppress(sqlite3.OperationalError):  # on a full disk the job stays as it was, and counts as cut off
            jobs.beat(catalog, run.number, run.at)
            jobs.end(catalog, run.number, "failed" if _is_failure(error) else "stopped", _reason(error))
        raise
    stop()
    report = run.report
    counts = {name: getattr(report, name) for name in ("added", "updated", "moved", "unchanged", "removed", "passages")}
    if command == "sync" and not (report.failed or any(count for name, count in counts.items() if name != "unchanged")):
        return jobs.drop(catalog, run.number)
    jobs.beat(catalog, run.number, run.at)
    jobs.end(catalog, run.number, "done", "", counts | {"skipped": len(report.skipped)}, report.failed)


def chosen(known: Sequence[Job], number: int, states: Sequence[str]) -> Job:
    """The job of this number, or the newest when it is 0, in one of these states if any are named."""
    found = [job for job in known if number in (0, job.id)]
    fit = [job for job in found if job.state in states or not states]
    if fit:
        return fit[0]
    if number and found:
        raise NotFound(f"job {number} is {found[0].state}", "quoth jobs lists them")
    which = f"no job {number}" if number else f"no job that is {' or '.join(states)}"
    raise NotFound(f"there is {which}", "quoth jobs lists them")


def failures(catalog: Catalog, job: Job) -> list[Failure]:
    """The files that failed in a job."""
    return jobs.failures(catalog, job.id)


def cancel(catalog: Catalog, number: int, known: Sequence[Job]) -> Job:
    """Ask a running job to stop; 0 is the newest."""
    job = chosen(known, number, ["running"])
    jobs.cancel(catalog, job.id)
    return job


def settled(catalog: Catalog, job: Job) -> None:
    """Mark a job that was not finished as taken up by another."""
    if job.state != "done":
        jobs.resumed(catalog, [job.id])


def options_of(job: Job) -> Options:
    """How a job read files; its passwords were not kept."""
    return Options(**json.loads(job.options))


def _beat(catalog: Catalog, run: Running, ended: threading.Event) -> None:
    try:
        while not ended.wait(BEAT):
            # a long write of ours, or a full disk, may hold one beat up: the next one tells
            with suppress(sqlite3.OperationalError):
                if jobs.beat(catalog, run.number, run.at):
                    run.cancelled.set()
    finally:
        catalog.release()


def _is_failure(error: BaseException) -> bool:
    return not isinstance(error, Stopped | KeyboardInterrupt | GeneratorExit)


def _reason(error: BaseException) -> str:
    if isinstance(error, KeyboardInterrupt):
        return "stopped at the keyboard"
    return str(error) if isinstance(error, QuothError) else f"{type(error).__name__}: {error}"
