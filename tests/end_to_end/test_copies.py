"""Backing up and moving as people do it: while the library is in use, on full disks, killed in the middle."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from test_bad_input import mount

from conftest import Quoth
from quoth import Library


def started(*arguments: str, library: Path) -> subprocess.Popen[bytes]:
    environment = os.environ | {"QUOTH_LIBRARY": str(library)}
    command = [sys.executable, "-m", "quoth", *arguments]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def many(folder: Path, count: int) -> Path:
    """So many notes, each with a word of its own."""
    folder.mkdir()
    for number in range(count):
        text = f"Note {number}. " + f"The token of note {number} is fox{number}. " * 12
        (folder / f"{number:04}.txt").write_text(text)
    return folder


def wrong(quoth: Quoth, library: Path) -> list[object]:
    """What the doctor finds wrong."""
    checks = quoth("doctor", "--json", library=library).json["checks"]
    assert isinstance(checks, list)
    return [check for check in checks if not check["ok"]]


def test_a_library_goes_to_another_machine_and_place(quoth: Quoth, notes: Path, tmp_path: Path) -> None:
    assert quoth("add", str(notes)).code == 0
    backed = quoth("backup", "--json", str(tmp_path / "notes.backup")).json
    assert set(backed) == {"file", "bytes", "documents", "passages", "notes", "seconds"}
    assert (backed["file"], backed["documents"]) == (str(tmp_path / "notes.backup"), 5)
    assert backed["bytes"] == (tmp_path / "notes.backup").stat().st_size
    there = tmp_path / "there"
    notes.rename(there)
    restored = quoth("restore", "--json", str(tmp_path / "notes.backup"), library=tmp_path / "new").json
    assert set(restored) == {"library", "before", "documents", "passages", "encoded", "notes", "seconds"}
    assert (restored["library"], restored["before"]) == (str(tmp_path / "new"), None)
    assert quoth("sources", "move", "--json", str(notes), str(there), library=tmp_path / "new").json == {
        "sources": 1, "files": 5,
    }  # fmt: skip
    assert quoth("sync", "--json", library=tmp_path / "new").json["unchanged"] == 5
    answer = quoth("ask", "--json", "When were the tomatoes planted?", library=tmp_path / "new").json
    assert answer["quotes"][0]["document"] == str(there / "garden.md")  # type: ignore[index]
    assert quoth("sources", library=tmp_path / "new").out.endswith(f"  {there}\n")


def test_errors_of_copying_are_two_lines(quoth: Quoth, notes: Path, tmp_path: Path) -> None:
    quoth("add", str(notes))
    file = tmp_path / "notes.backup"
    assert quoth("backup", str(file)).code == 0
    for command, code, said in (
        (["backup", str(file)], 2, f"error: {file} is there already\n  try: choose another name, or --force"),
        (["restore", str(notes / "garden.md")], 1, "is no backup of a library\n  try: another backup"),
        (["restore", str(tmp_path / "nowhere")], 1, "cannot be opened: No such file or directory\n  try: check"),
        (["sources", "move", str(notes), "/nowhere/at/all"], 1, "there is no file or folder /nowhere/at/all\n  try:"),
        (["sources", "move", "/nowhere", str(notes)], 1, "/nowhere is no source of this library\n  try: quoth sources"),
    ):
        done = quoth(*command)
        assert (done.code, said in done.err, done.err.count("\n")) == (code, True, 2), done.err


@pytest.mark.slow
def test_a_backup_is_whole_while_another_process_adds(quoth: Quoth, tmp_path: Path) -> None:
    library, notes = tmp_path / "library", many(tmp_path / "notes", 900)
    with Library.open(library):
        pass
    run = started("add", str(notes), library=library)
    files: list[Path] = []
    try:
        while run.poll() is None and len(files) < 2:
            time.sleep(0.1)
            with Library.open(library) as reader:
                begun = reader.status().files
            if begun or not files:
                file = tmp_path / f"{len(files)}.backup"
                assert quoth("backup", str(file), library=library).code == 0
                files.append(file)
    finally:
        _, err = run.communicate(timeout=300)
    assert run.returncode == 0, err
    counts = []
    for file in files:
        done = quoth("restore", "--json", str(file), library=tmp_path / file.stem).json
        counts.append(done["documents"])
        assert (done["encoded"], done["notes"]) == (0, [])
        assert wrong(quoth, tmp_path / file.stem) == []
        report = quoth("add", "--json", str(notes), library=tmp_path / file.stem).json
        assert (report["unchanged"], report["added"]) == (done["documents"], 900 - counts[-1])  # type: ignore[operator]
    assert any(0 < count < 900 for count in counts)  # type: ignore[operator]


@pytest.mark.slow
def test_a_restore_that_is_killed_leaves_a_usable_library(quoth: Quoth, tmp_path: Path) -> None:
    library, notes = tmp_path / "library", many(tmp_path / "notes", 300)
    quoth("add", str(notes))
    assert quoth("backup", str(tmp_path / "old.backup")).code == 0
    quoth("remove", str(notes / "0299.txt"))
    begun = time.monotonic()
    assert quoth("restore", str(tmp_path / "old.backup"), library=tmp_path / "trial").code == 0
    takes = time.monotonic() - begun
    choose = random.Random(5)
    for _ in range(12):
        run = started("restore", str(tmp_path / "old.backup"), library=library)
        time.sleep(choose.uniform(0, takes * 1.2))
        run.kill()
        run.communicate()
        count = quoth("status", "--json").json["documents"]
        assert count in (299, 300)
        found = quoth("search", "--json", "fox298").json["hits"]
        assert found[0]["document"] == str(notes / "0298.txt")  # type: ignore[index]
    assert quoth("restore", str(tmp_path / "old.backup")).code == 0
    assert wrong(quoth, library) == []
    assert not (tmp_path / "library.restoring").exists()


@pytest.mark.slow
def test_a_full_disk_leaves_no_half_backup_and_no_half_library(quoth: Quoth, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    quoth("add", str(many(tmp_path / "notes", 400)))
    assert quoth("backup", str(tmp_path / "notes.backup")).code == 0
    size = (tmp_path / "notes.backup").stat().st_size
    no_room = f"there is no room for {disk / 'notes.backup'} on its disk"
    no_room_to_unpack = f"there is no room to unpack the backup in {disk}"
    for kib in (60, size // 1024 // 2, size // 1024):
        if not mount("-t", "tmpfs", "-o", f"size={kib}k", "tmpfs", str(disk)):
            pytest.skip("only a superuser may mount a small disk")
        try:
            done = quoth("restore", str(tmp_path / "notes.backup"), library=disk / "library")
            assert (done.code, done.err) == (1, f"error: {no_room_to_unpack}\n  try: free some space\n")
            assert list(disk.iterdir()) == []
            done = quoth("backup", str(disk / "notes.backup"))
            if kib < size // 1024:
                assert (done.code, done.err) == (1, f"error: {no_room}\n  try: free some space, or choose another\n")
                assert list(disk.iterdir()) == []
        finally:
            subprocess.run(["umount", str(disk)], check=True)
    assert json.loads(quoth("status", "--json").out)["documents"] == 400
