"""The records of long runs, and of what was forgotten: functions on the catalog.

They do not count as changes of the library (`generation` stays), so that a beat disturbs no reader.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import time
from collections.abc import Mapping, Sequence

from quoth.catalog.damage import checked
from quoth.catalog.records import Job, JobState
from quoth.catalog.sqlite import Catalog
from quoth.types import Failure, Progress

KEPT = 100
"""Jobs that are remembered."""
COLUMNS = (
    "id, command, places, options, state, doing, files, of_files, passages, bytes, of_bytes, started, beat, ended,"
    " cancel, reason, counts"
)
GONE = "(forgotten)"
"""What stands in a job's record for a path that was forgotten."""


@checked
def begin(catalog: Catalog, command: str, places: Sequence[str], options: str) -> int:
    """The number of a new running job; the oldest ones beyond KEPT go."""
    now = time.time()
    with catalog.writing() as connection:
        row = connection.execute(
            "insert into jobs (command, places, options, state, started, beat) values (?, ?, ?, 'running', ?, ?)"
            " returning id",
            [command, json.dumps(places), options, now, now],
        ).fetchone()
        connection.execute("delete from jobs where id <= ? and state <> 'running'", [row[0] - KEPT])
    return int(row[0])


@checked
def beat(catalog: Catalog, job: int, at: Progress) -> bool:
    """Show that a job is alive and how far it is; whether somebody wants it to stop."""
    row = catalog.connection.execute(
        "update jobs set beat = ?, doing = ?, files = ?, of_files = ?, passages = ?, bytes = ?, of_bytes = ?"
        " where id = ? returning cancel",
        [time.time(), at.doing, at.files, at.of, at.passages, at.bytes, at.of_bytes, job],
    ).fetchone()
    return bool(row and row[0])


@checked
def end(
    catalog: Catalog,
    job: int,
    state: JobState,
    reason: str = "",
    counts: Mapping[str, float] | None = None,
    failed: Sequence[Failure] = (),
) -> None:
    """Write down how a job ended."""
    now = time.time()
    with catalog.writing() as connection:
        connection.execute(
            "update jobs set state = ?, reason = ?, counts = ?, beat = ?, ended = ? where id = ?",
            [state, reason, json.dumps(counts or {}), now, now, job],
        )
        rows = [(job, os.fsencode(one.path), one.reason, one.hint) for one in failed]
        connection.executemany("insert into job_failures values (?, ?, ?, ?)", rows)


@checked
def drop(catalog: Catalog, job: int) -> None:
    """Leave no record of a job."""
    catalog.connection.execute("delete from jobs where id = ?", [job])


@checked
def cut_off(catalog: Catalog) -> list[Job]:
    """The jobs that were killed, marked as such; call it only while nobody else writes."""
    query = "update jobs set state = 'cut off', ended = beat where state = 'running'"
    if catalog.connection.execute("select 1 from jobs where state = 'running' limit 1").fetchone():
        catalog.connection.execute(query)
    return [job for job in every(catalog) if job.state == "cut off"]


@checked
def resumed(catalog: Catalog, jobs: Sequence[int]) -> None:
    """Mark jobs that were cut off as taken up by a later one."""
    for job in jobs:
        catalog.connection.execute("update jobs set state = 'resumed' where id = ?", [job])


@checked
def every(catalog: Catalog) -> list[Job]:
    """All jobs that are remembered, the newest first."""
    rows = catalog.connection.execute(f"select {COLUMNS} from jobs order by id desc")
    names = COLUMNS.replace(" ", "").split(",")
    found = []
    for row in rows:
        values = dict(zip(names, row, strict=True))
        values |= {"places": tuple(json.loads(values["places"])), "counts": json.loads(values["counts"])}
        found.append(Job(**values | {"cancel": bool(values["cancel"])}))
    return found


@checked
def failures(catalog: Catalog, job: int) -> list[Failure]:
    """The files that failed in a job."""
    rows = catalog.connection.execute("select path, reason, hint from job_failures where job = ? order by path", [job])
    return [Failure(os.fsdecode(path), reason, hint) for path, reason, hint in rows]


@checked
def cancel(catalog: Catalog, job: int) -> None:
    """Ask a running job to stop."""
    catalog.connection.execute("update jobs set cancel = 1 where id = ? and state = 'running'", [job])


# -- what was forgotten ----------------------------------------------------------------------------


@checked
def scrub(catalog: Catalog, root: str, paths: Sequence[str]) -> int:
    """Take a path, all below it and `paths` out of all records of jobs; in how many places they stood."""
    names, below = {root, *paths}, root.rstrip(os.sep) + os.sep
    count = 0
    with catalog.writing() as connection:
        for start in {os.fsencode(below), *(os.fsencode(path) + b"#" for path in names)}:
            query = "delete from job_failures where path = ? or substr(path, 1, ?) = ?"
            count += connection.execute(query, [start[:-1], len(start), start]).rowcount
        for job in every(catalog):
            kept = tuple(GONE if place in names or place.startswith(below) else place for place in job.places)
            # a reason or a hint may name the file as well
            reason = next((GONE for path in names if path in job.reason), job.reason)
            if (kept, reason) != (job.places, job.reason):
                count += 1
                connection.execute(
                    "update jobs set places = ?, reason = ? where id = ?", [json.dumps(kept), reason, job.id]
                )
    return count


@checked
def bury(catalog: Catalog, paths: Sequence[str]) -> None:
    """Have every later sync leave these paths out; only their keyed hashes are kept."""
    salt = catalog.get("salt")
    if salt is None:
        salt = secrets.token_hex(16)
        catalog.set("salt", salt)
    with catalog.writing() as connection:
        rows = [(_buried(path, salt),) for path in paths]
        connection.executemany("insert or ignore into forgotten values (?)", rows)


@checked
def unbury(catalog: Catalog, paths: Sequence[str]) -> None:
    """Let these paths in again."""
    salt = catalog.get("salt")
    if salt is not None:
        rows = [(_buried(path, salt),) for path in paths]
        catalog.connection.executemany("delete from forgotten where path = ?", rows)


@checked
def buried(catalog: Catalog, paths: Sequence[str]) -> set[str]:
    """Which of these paths were forgotten."""
    salt = catalog.get("salt")
    known = {row[0] for row in catalog.connection.execute("select path from forgotten")} if salt else set()
    return {path for path in paths if _buried(path, salt or "") in known} if known else set()


def _buried(path: str, salt: str) -> bytes:
    return hashlib.blake2b(os.fsencode(path), digest_size=16, key=bytes.fromhex(salt)).digest()
