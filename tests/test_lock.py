"""One writer at a time, on one machine and over a shared folder whose locks do not reach the other machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from conftest import Quoth
from quoth import lock
from quoth.errors import Locked

ELSEWHERE = """
import sys, time
from pathlib import Path
from quoth import lock
lock._machine = lambda: ("attic", "of the attic", "started in the attic", time.time() - 900)
lock.LOCK = "lock of the attic"  # what a lock is worth that the drive does not carry over
lock.BEAT = float(sys.argv[2])
sys.argv = ["quoth", "add"]
with lock.writer(Path(FOLDER)):
    print("writing", flush=True)
    time.sleep(60)
"""


def elsewhere(folder: Path, beat: float) -> subprocess.Popen[str]:
    """A process that writes as if on another machine, whose locks do not reach us."""
    code = ELSEWHERE.replace("FOLDER", repr(str(folder)))
    run = subprocess.Popen(
        [sys.executable, "-c", code, str(folder), str(beat)],
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
    )
    assert run.stdout
    assert run.stdout.readline() == "writing\n"
    return run


def aged(folder: Path, seconds: float) -> None:
    """Make the note look as if its writer's clock were so many seconds behind (ahead, if negative)."""
    note = json.loads((folder / lock.NOTE).read_text())
    note["at"] -= seconds
    (folder / lock.NOTE).write_text(json.dumps(note).ljust(lock.LONGEST))


def stop(run: subprocess.Popen[str]) -> None:
    run.kill()
    run.communicate()


def test_a_writer_on_another_machine_is_named_and_refuses_us(quoth: Quoth, notes: Path, tmp_path: Path) -> None:
    library = tmp_path / "library"
    assert quoth("add", str(notes)).code == 0
    run = elsewhere(library, 10)
    try:
        done = quoth("add", str(notes))
        assert done.code == 1
        assert f"is being written to by attic, process {run.pid} (quoth add) for 0 min " in done.err
        assert f"being written to by attic, process {run.pid} (quoth add)" in quoth("status").out
        assert quoth("search", "boiler").code == 0
    finally:
        stop(run)
    assert (library / lock.NOTE).exists()


def test_a_writer_of_another_machine_that_died_is_taken_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "LOOK", 0.5)
    run = elsewhere(tmp_path, 10)
    stop(run)
    with pytest.raises(Locked), lock.writer(tmp_path):
        pass  # it died just now, which cannot be seen yet
    aged(tmp_path, 61)
    assert lock.owner(tmp_path) is None
    with lock.writer(tmp_path) as note:
        assert note.startswith(f"attic, process {run.pid} (quoth add) for 0 min ")
        assert note.endswith(" gave no sign of life any more and was taken over")
        assert json.loads((tmp_path / lock.NOTE).read_text())["pid"] == os.getpid()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lock of the attic", "writer.lock"]


@pytest.mark.parametrize("behind", [3600, -3600])
def test_a_clock_that_is_wrong_neither_blocks_for_ever_nor_lets_two_write(
    behind: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "LOOK", 2.0)
    code = "import time; now = time.time; time.time = lambda: now() - " + str(behind) + "\n"
    monkeypatch.setattr(sys.modules[__name__], "ELSEWHERE", code + ELSEWHERE)
    run = elsewhere(tmp_path, 0.2)
    with pytest.raises(Locked, match=r"attic, process \d+ \(quoth add\) for 0 min "), lock.writer(tmp_path):
        pass
    stop(run)
    with lock.writer(tmp_path) as note:
        assert "attic" in note


def test_a_killed_writer_of_this_machine_is_taken_over_at_once(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from quoth import lock\n"
        "with lock.writer(Path(sys.argv[1])):\n print('writing', flush=True); time.sleep(60)"
    )
    run = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert run.stdout
    run.stdout.readline()
    assert lock.owner(tmp_path) == f"process {run.pid} (-c {tmp_path.name}) for 0 min 0 s"
    stop(run)
    assert (tmp_path / lock.NOTE).exists()
    assert lock.owner(tmp_path) is None
    with lock.writer(tmp_path) as note:
        assert note == ""


def test_the_note_of_a_machine_that_was_started_anew_does_not_count(tmp_path: Path) -> None:
    with lock.writer(tmp_path):
        note = json.loads((tmp_path / lock.NOTE).read_text())
    booted = lock._machine()[3]
    note |= {"boot": "the one before", "at": booted - 5, "since": booted - 100}
    (tmp_path / lock.NOTE).write_text(json.dumps(note))
    with lock.writer(tmp_path) as said:
        assert said == ""


def test_the_note_is_renewed_while_the_block_lasts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "BEAT", 0.05)
    with lock.writer(tmp_path):
        first = json.loads((tmp_path / lock.NOTE).read_text())
        inode = (tmp_path / lock.NOTE).stat().st_ino
        end = time.monotonic() + 20
        while json.loads((tmp_path / lock.NOTE).read_text())["at"] == first["at"] and time.monotonic() < end:
            time.sleep(0.02)
        last = json.loads((tmp_path / lock.NOTE).read_text())
        assert last["at"] > first["at"]
        assert {**last, "at": 0} == {**first, "at": 0}
        assert (tmp_path / lock.NOTE).stat().st_ino == inode
    assert not (tmp_path / lock.NOTE).exists()


def test_who_was_taken_over_while_asleep_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "BEAT", 0.05)
    with pytest.raises(Locked, match="while this machine slept, the library was taken over by attic, process 7"):  # noqa: SIM117
        with lock.writer(tmp_path):
            note = json.loads((tmp_path / lock.NOTE).read_text())
            note |= {"host": "attic", "boot": "another", "pid": 7, "run": "another"}
            (tmp_path / lock.NOTE).write_text(json.dumps(note).ljust(lock.LONGEST))
            time.sleep(1)
    assert json.loads((tmp_path / lock.NOTE).read_text())["pid"] == 7


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"pid": 1, "since": 2, "command": "quoth add"}', b"\xff" * 9])
def test_a_note_that_cannot_be_read_does_not_block(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "LOOK", 0.2)
    (tmp_path / lock.NOTE).write_bytes(content)
    with lock.writer(tmp_path) as note:
        assert note == "another process gave no sign of life any more and was taken over"
    assert not (tmp_path / lock.NOTE).exists()


def test_the_folder_may_be_renamed_under_its_writer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "BEAT", 0.05)
    (tmp_path / "old").mkdir()
    with lock.writer(tmp_path / "old"):
        (tmp_path / "old").rename(tmp_path / "new")
        time.sleep(0.3)
        assert lock.owner(tmp_path / "new")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["writer.lock"]
