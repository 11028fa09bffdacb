"""What the commands of upkeep print: jobs, what was forgotten, what happens while the disk is watched."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NoReturn

import click

from quoth.terminal import duration, print_json, safe, show_report, some

if TYPE_CHECKING:
    from quoth.catalog import Job
    from quoth.forget import Forgotten
    from quoth.types import Failure, Report


def show_forgotten(done: Forgotten, as_json: bool) -> None:
    """Print what was forgotten, and the proof."""
    if as_json:
        return print_json(dataclasses.asdict(done))
    click.echo(
        f"forgotten: {some(done.files, 'file')}, {some(done.documents, 'document')},"
        f" {some(done.passages, 'passage')}, {some(done.job_records, 'record')} of jobs · {done.seconds:.1f} s"
    )
    if done.verified:
        click.echo(
            f"  searched every file of the library for {done.canaries:,} traces: {done.found_before:,} were there"
            f" before, {done.found_after - done.shared:,} are left"
        )
        if done.shared:
            click.echo(f"  {done.shared:,} of them stand in documents that stay as well")
    for note in done.notes:
        click.echo(f"  {note}")
    click.echo("  backups and exports that were made before still hold it; so does the file itself, if it is there")
    return None


def show_jobs(jobs: Sequence[Job], as_json: bool) -> None:
    """Print the jobs, the newest first."""
    if as_json:
        return print_json({"jobs": [dataclasses.asdict(one) | {"left": left(one)} for one in jobs]})
    if not jobs:
        click.echo("no jobs yet: quoth add FOLDER is one")
    for one in jobs:
        click.echo(_line(one))
    return None


def show_job(job: Job, failed: Sequence[Failure], as_json: bool) -> None:
    """Print one job, with the files that failed in it."""
    if as_json:
        return print_json(
            dataclasses.asdict(job) | {"left": left(job), "failed": list(map(dataclasses.asdict, failed))}
        )
    click.echo(_line(job))
    for name, count in job.counts.items():
        click.echo(f"  {name}: {count:,}")
    for failure in failed:
        hint = f" (try: {failure.hint})" if failure.hint else ""
        click.echo(safe(f"  failed: {failure.path}: {failure.reason}{hint}"))
    return None


def show_cancelled(job: Job, as_json: bool) -> None:
    """Print that a job was told to stop."""
    if as_json:
        return print_json({"cancelled": job.id})
    return click.echo(f"job {job.id} is told to stop; quoth jobs resume {job.id} goes on with it")


def follow(reports: Iterable[Report], as_json: bool) -> NoReturn:
    """Print a report for each change, one object a line with --json, until the user stops it."""
    if not as_json:
        click.echo("watching; Ctrl-C ends it", err=True)
    for report in reports:
        if as_json:
            click.echo(json.dumps(dataclasses.asdict(report), ensure_ascii=False))
        else:
            show_report(report, False)
    raise KeyboardInterrupt


def _line(job: Job) -> str:
    started = time.strftime("%Y-%m-%d %H:%M", time.localtime(job.started))
    took = duration(max(0.0, (job.ended or time.time()) - job.started))
    done = f"{job.files:,} of {job.of_files:,} files · " if job.of_files else ""
    still = left(job)
    wait = f" · about {duration(still)} left" if still is not None else ""
    parts = [
        f"{job.id:>4}  {job.state:<8} {started}  {' '.join([job.command, *job.places])}",
        f"      {done}{job.passages:,} passages · {took}{wait}",
    ]
    if job.state == "cut off" or (job.state in ("stopped", "failed")):
        why = job.reason or "its process ended without a word"
        parts.append(f"      {why} · try: quoth jobs resume {job.id}")
    return safe("\n".join(parts))


def left(job: Job) -> float | None:
    """Seconds that a running job still needs, as far as it can be told."""
    share = job.bytes / job.of_bytes if job.of_bytes else 0.0
    if job.state != "running" or share <= 0.02:
        return None
    return max(0.0, (time.time() - job.started) * (1 - share) / share)
