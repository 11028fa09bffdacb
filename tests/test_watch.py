"""Watching: changes are in the answers once the disk is quiet; editors, bursts and vanishing drives do no harm."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from conftest import NOTES, Quoth
from quoth import Library

PATIENCE = 90.0
"""Seconds after which something is taken not to come any more; what is waited for takes one or two."""


class Watching:
    """`quoth sync --watch --json` in a process of its own."""

    def __init__(self, library: Path, out: Path, *options: str) -> None:
        self.library = library
        command = [sys.executable, "-m", "quoth", "--library", str(library), "sync", "--watch", "--json", *options]
        self._said = out
        with out.open("w") as file:
            self.process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)

    def reports(self) -> list[dict[str, object]]:
        """All reports until now."""
        whole = self._said.read_text().rpartition("\n")[0].splitlines()
        return [json.loads(line) for line in whole if line.startswith("{")]

    def count(self, name: str) -> int:
        """The sum of a number over all reports."""
        return sum(int(str(report[name])) for report in self.reports())

    def wait(self, what: Callable[[], object]) -> None:
        until = time.monotonic() + PATIENCE
        while not what():
            assert self.process.poll() is None, self._said.read_text()
            assert time.monotonic() < until, f"it did not come to that: {self.reports()}"
            time.sleep(0.05)

    def paths(self) -> set[str]:
        """The names of the documents in the library."""
        with Library.open(self.library) as library:
            return {Path(path).name for path in library._parts.catalog.paths()}

    def text(self, path: Path) -> str:
        with Library.open(self.library) as library:
            return library.show(path).text

    def end(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=60)


@pytest.fixture
def watching(tmp_path: Path, notes: Path) -> Iterator[Watching]:
    """A process that watches the notes, once it does: it has taken up a first change."""
    with Library.open(tmp_path / "library") as library:
        library.add([notes])
    (notes / "first.txt").write_text("It is there before the watching begins.\n")
    running = Watching(tmp_path / "library", tmp_path / "out.jsonl")
    running.wait(lambda: running.reports())
    yield running
    running.process.kill()
    running.process.wait()


def test_new_changed_and_deleted_files_are_in_the_answers(watching: Watching, notes: Path, quoth: Quoth) -> None:
    (notes / "attic.txt").write_text("The attic window was replaced by Bodo Ziegler in 2021.\n")
    watching.wait(lambda: "attic.txt" in watching.paths())
    assert "Bodo Ziegler" in quoth("ask", "Who replaced the attic window?").out
    (notes / "attic.txt").write_text("The attic window was replaced by Sina Petrow in 2022.\n")
    watching.wait(lambda: "Petrow" in watching.text(notes / "attic.txt"))
    assert "Sina Petrow" in quoth("ask", "Who replaced the attic window?").out
    (notes / "attic.txt").unlink()
    watching.wait(lambda: "attic.txt" not in watching.paths())
    assert "Petrow" not in quoth("search", "attic window replaced").out
    assert [watching.count(name) for name in ("added", "updated", "removed")] == [2, 1, 1]
    assert watching.end() == 130


def test_a_burst_of_files_is_few_reports(watching: Watching, notes: Path) -> None:
    for number in range(200):
        (notes / f"burst{number:03}.txt").write_text(f"Stone number {number} lies by the river.\n")
    watching.wait(lambda: watching.count("added") == 201)
    assert len(watching.reports()) <= 1 + 5


def test_what_editors_leave_while_they_save_is_not_read(watching: Watching, notes: Path) -> None:
    target = notes / "garden.md"
    scratch = [".garden.md.swp", "4913", "#garden.md#", ".#garden.md", "~$garden.docx", "garden.md.tmp", "garden.md~"]
    for name in scratch:
        (notes / name).write_text("Half a sentence that nobody fin")
    (notes / "4913").unlink()  # vim tries whether it may write, and deletes it at once
    (notes / "garden.md.tmp").write_text(NOTES["garden.md"] + "\nThe pond was dug in 2024.\n")
    (notes / "garden.md.tmp").replace(target)
    watching.wait(lambda: "pond was dug" in watching.text(target))
    (notes / "last.txt").write_text("The end of the test.\n")
    watching.wait(lambda: "last.txt" in watching.paths())
    assert watching.paths() == {Path(name).name for name in NOTES} | {"first.txt", "last.txt"}
    assert watching.count("updated") == 1


@pytest.mark.slow
def test_a_source_that_vanishes_is_waited_for(watching: Watching, notes: Path, tmp_path: Path) -> None:
    before = watching.paths()
    notes.rename(tmp_path / "unplugged")
    watching.wait(lambda: any(report["failed"] for report in watching.reports()))
    time.sleep(5)
    assert [len(report["failed"]) for report in watching.reports()] == [0, 1]  # type: ignore[arg-type]
    assert watching.paths() == before
    (tmp_path / "unplugged" / "back.txt").write_text("It was plugged in again.\n")
    (tmp_path / "unplugged").rename(notes)
    watching.wait(lambda: "back.txt" in watching.paths())
    (notes / "later.txt").write_text("And it is watched as before.\n")
    watching.wait(lambda: "later.txt" in watching.paths())
    assert watching.count("removed") == 0


def test_a_source_that_another_process_adds_is_watched(watching: Watching, tmp_path: Path, quoth: Quoth) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "one.txt").write_text("The first file of another source.\n")
    assert quoth("add", str(other)).code == 0
    (other / "two.txt").write_text("The second file of another source.\n")
    watching.wait(lambda: "two.txt" in watching.paths())


@pytest.mark.slow
def test_a_library_inside_its_source_does_not_watch_itself(tmp_path: Path, notes: Path) -> None:
    inner = notes / "library"
    with Library.open(inner) as library:
        library.add([notes])
    (notes / "new.txt").write_text("It is new.\n")
    running = Watching(inner, tmp_path / "out.jsonl")
    try:
        running.wait(lambda: running.reports())
        time.sleep(5)
        count = len(running.reports())
        with Library.open(inner) as library:
            jobs = len(library.jobs())
        time.sleep(5)
        assert len(running.reports()) == count
        with Library.open(inner) as library:
            assert len(library.jobs()) == jobs
        assert running.end() == 130
    finally:
        running.process.kill()
        running.process.wait()


def test_watch_of_a_library_reports_each_change(tmp_path: Path, notes: Path) -> None:
    with Library.open(tmp_path / "library") as library:
        library.add([notes])
        reports = library.watch()
        shutil.copy(notes / "garden.md", notes / "copy.md")
        assert next(reports).added == 1  # by the sync with which it begins
        # nobody is asked to tell of changes yet
        (notes / "later.txt").write_text("Something came later.\n")
        assert next(reports).added == 1
        reports.close()  # type: ignore[attr-defined]
