"""Jobs: a record of each long run, that it lives, how it ended; cancelling, going on, taking up what was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import Quoth
from quoth import Library, Options
from quoth.catalog import Catalog, jobs
from quoth.errors import NotFound, Stopped
from quoth.types import Progress


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """Notes that take some seconds to encode."""
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(300):
        words = " ".join(f"stone{number} lies by river {number * 7 + step} and moss grows there." for step in range(60))
        (folder / f"{number:03}.txt").write_text(words)
    return folder


def wait_for(what: Callable[[], object], seconds: float = 60.0) -> None:
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until, "it did not come to that"
        time.sleep(0.05)


def started(library: Path, folder: Path) -> subprocess.Popen[bytes]:
    """A process that adds the folder, when it has written its first passages."""
    command = [sys.executable, "-m", "quoth", "--library", str(library), "add", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(lambda: (library / "catalog.sqlite").exists())
    with Library.open(library) as opened:
        wait_for(lambda: opened.status().passages > 0 or process.poll() is not None)
    assert process.poll() is None, "it was done before it could be disturbed"
    return process


def test_a_run_leaves_a_record_of_what_it_did(tmp_path: Path, notes: Path) -> None:
    (notes / "broken.pdf").write_bytes(b"%PDF-1.4 broken")
    with Library.open(tmp_path / "library") as library:
        library.add([notes])
        (job,) = library.jobs()
        found, failed = library.job(job.id)
    assert (found.command, found.places, found.state, found.files, found.of_files) == (
        "add",
        (str(notes),),
        "done",
        6,
        6,
    )
    assert (found.counts["added"], found.bytes) == (5, found.of_bytes)
    assert [(one.path, bool(one.reason)) for one in failed] == [(str(notes / "broken.pdf"), True)]


def test_a_sync_that_finds_nothing_leaves_no_record(tmp_path: Path, notes: Path) -> None:
    with Library.open(tmp_path / "library") as library:
        library.add([notes])
        library.sync()
        assert [job.command for job in library.jobs()] == ["add"]


@pytest.mark.slow
def test_a_killed_run_is_seen_and_taken_up(tmp_path: Path, many: Path, notes: Path) -> None:
    process = started(tmp_path / "library", many)
    process.kill()
    process.wait()
    with Library.open(tmp_path / "library") as library:
        assert [(job.state, job.ended) for job in library.jobs()] == [("cut off", None)]
        written = library.status().files
        assert written < 300
        report = library.add([notes])
        assert "had been cut off" in report.notes[0]
        assert (library.status().files, report.added) == (305, 305 - written)
        assert [(job.state, job.command) for job in library.jobs()] == [("done", "add"), ("resumed", "add")]
        assert all(check.ok for check in library.doctor())


@pytest.mark.slow
def test_a_job_is_cancelled_from_another_process_and_resumed(tmp_path: Path, many: Path) -> None:
    process = started(tmp_path / "library", many)
    with Library.open(tmp_path / "library") as library:
        assert library.cancel().state == "running"
        assert process.wait(60) == 1
        (job,) = library.jobs()
        assert (job.state, job.reason) == ("stopped", f"job {job.id} was cancelled; what it had written is kept")
        assert 0 < library.status().files < 300
        assert library.resume().failed == []
        assert library.status().files == 300
        assert [job.state for job in library.jobs()] == ["done", "resumed"]


def test_being_told_to_end_is_written_down(tmp_path: Path, many: Path) -> None:
    process = started(tmp_path / "library", many)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 130
    with Library.open(tmp_path / "library") as library:
        assert [(job.state, job.reason) for job in library.jobs()] == [("stopped", "stopped at the keyboard")]


def test_retry_reads_again_what_failed(tmp_path: Path, notes: Path) -> None:
    secret = notes / "secret.txt"
    secret.write_bytes(b"%PDF-1.4 broken")
    with Library.open(tmp_path / "library") as library:
        library.add([notes])
        stamp = secret.stat()
        secret.write_bytes(b"The key is b.lue")
        assert secret.stat().st_size > 0
        os.utime(secret, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
        report = library.resume(retry=True)
        assert report.added + report.updated == 1 or secret.stat().st_size != stamp.st_size
        assert library.show(secret).text == "The key is b.lue"


def test_a_watcher_sees_progress_that_ends_at_the_whole(tmp_path: Path, notes: Path) -> None:
    seen: list[Progress] = []
    with Library.open(tmp_path / "library") as library:
        library.add([notes], watch=seen.append)
    assert (seen[-1].files, seen[-1].of, seen[-1].bytes) == (5, 5, seen[-1].of_bytes)
    assert [one.bytes for one in seen] == sorted(one.bytes for one in seen)


def test_an_error_is_the_jobs_reason(tmp_path: Path, notes: Path) -> None:
    def stop(_: Progress) -> None:
        raise Stopped("somebody said so")

    with Library.open(tmp_path / "library") as library:
        with pytest.raises(Stopped):
            library.add([notes], watch=stop)
        assert [(job.state, job.reason) for job in library.jobs()] == [("stopped", "somebody said so")]


def test_only_so_many_jobs_are_remembered(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path / "catalog.sqlite")
    for number in range(jobs.KEPT + 5):
        jobs.end(catalog, jobs.begin(catalog, "add", [str(number)], "{}"), "done")
    known = jobs.every(catalog)
    assert (len(known), known[0].places, known[-1].places) == (jobs.KEPT, ("104",), ("5",))


def test_passwords_are_not_kept(tmp_path: Path, notes: Path) -> None:
    with Library.open(tmp_path / "library") as library:
        library.add([notes], Options(passwords=("open-sesame-4711",)))
    assert not [f for f in (tmp_path / "library").rglob("*") if f.is_file() and b"open-sesame-4711" in f.read_bytes()]


def test_there_is_nothing_to_cancel_or_resume(tmp_path: Path, quoth: Quoth) -> None:
    with Library.open(tmp_path / "library") as library:
        with pytest.raises(NotFound, match="there is no job that is running"):
            library.cancel()
        with pytest.raises(NotFound, match="there is no job 7"):
            library.resume(7)
    assert quoth("jobs").out == "no jobs yet: quoth add FOLDER is one\n"
    assert quoth("jobs", "--json").json == {"jobs": []}
