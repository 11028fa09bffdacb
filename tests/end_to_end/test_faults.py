"""What disks, clocks and power cuts do: nothing is lost, nothing is doubled, and every error says what to do."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from conftest import Quoth
from quoth import Library

DATA = Path(__file__).parent.parent / "data"


def mount(*arguments: str) -> bool:
    return os.geteuid() == 0 and subprocess.run(["mount", *arguments], capture_output=True, check=False).returncode == 0


def is_whole(library: Path, files: int) -> None:
    """Catalog and indexes hold the same passages, each once, and the doctor is content."""
    with Library.open(library) as opened:
        known = opened._parts.catalog.passage_ids().tolist()
        assert opened._parts.words.ids().tolist() == known
        assert opened._parts.vectors.ids().tolist() == known
        assert len(set(known)) == len(known) > 0
        assert opened.status().files == files
        # a small disk is what some of these tests are about
        assert [check for check in opened.doctor() if not check.ok and check.name != "disk"] == []


# -- power cuts ------------------------------------------------------------------------------------


@pytest.fixture
def before_and_after(quoth: Quoth, notes: Path, tmp_path: Path) -> tuple[Path, Path]:
    """The library folder as it was before some files were added, changed and taken away, and as it was after."""
    quoth("add", str(notes))
    shutil.copytree(tmp_path / "library", tmp_path / "before")
    for number in range(40):
        (notes / f"new{number}.txt").write_text(f"The token of the new note {number} is fox{number}.\n")
    (notes / "house" / "roof.txt").write_text("The roof was made of slate in 2024.\n")
    (notes / "tools.py").unlink()
    assert quoth("sync").code == 0
    shutil.copytree(tmp_path / "library", tmp_path / "after")
    shutil.rmtree(tmp_path / "library")
    return tmp_path / "before", tmp_path / "after"


def mix(catalog: Path, indexes: Path, library: Path) -> None:
    """A library of the catalog of one folder and the indexes of the other."""
    shutil.copytree(indexes, library, ignore=shutil.ignore_patterns("catalog.sqlite*"))
    shutil.copy(catalog / "catalog.sqlite", library)


def cut(library: Path) -> None:
    """Mark the last job as a power cut leaves it."""
    with sqlite3.connect(library / "catalog.sqlite") as catalog:
        last = "(select max(id) from jobs)"
        catalog.execute(f"update jobs set state = 'running', ended = null, counts = '{{}}' where id = {last}")
        catalog.execute("insert or replace into meta (key, value) values ('writing', '1')")
    catalog.close()


@pytest.mark.slow
@pytest.mark.parametrize("marked", [True, False])
@pytest.mark.parametrize("order", ["the catalog is newer", "the indexes are newer"])
def test_a_power_cut_that_loses_one_half_is_repaired_by_the_next_sync(
    order: str, marked: bool, before_and_after: tuple[Path, Path], quoth: Quoth, notes: Path, tmp_path: Path
) -> None:
    old, new = before_and_after
    newer = order == "the catalog is newer"
    if newer and not marked:
        pytest.skip("the mark is written to the same file before the files are: it cannot be older than they are")
    library = tmp_path / "library"
    mix(new if newer else old, old if newer else new, library)
    if marked:
        cut(library)
    for question in ("fox7", "slate roof", "boiler serviced"):
        assert quoth("search", question).code == 0
    hits = quoth("search", "--json", "boiler serviced").json["hits"]
    assert isinstance(hits, list)
    assert hits[0]["document"] == str(notes / "house" / "boiler.txt")
    assert quoth("ask", "When is the boiler serviced?").code == 0
    done = quoth("sync", "--json")
    assert done.code == 0
    is_whole(library, 44)
    with Library.open(library) as opened:
        for number in (0, 7, 39):
            found = [hit.document for hit in opened.search(f"fox{number}", 50).hits]
            assert found[0] == str(notes / f"new{number}.txt")
            assert len(set(found)) == len(found)
        assert "slate" in opened.show(notes / "house" / "roof.txt").text
        assert opened.sync().unchanged == 44


# -- a catalog with a damaged page -----------------------------------------------------------------


@pytest.fixture
def filled(quoth: Quoth, notes: Path, tmp_path: Path) -> Path:
    """A library of some hundred notes."""
    for number in range(300):
        words = " ".join(f"The token {step} of note {number} is fox{number}." for step in range(20))
        (notes / f"{number:03}.txt").write_text(words)
    assert quoth("add", str(notes)).code == 0
    return tmp_path / "library"


def commands(notes: Path, tmp_path: Path) -> dict[str, list[str]]:
    return {
        "add": ["add", str(notes)],
        "sync": ["sync", "--retry"],
        "ask": ["ask", "What is the token 7 of note 120?"],
        "search": ["search", "fox120"],
        "status": ["status"],
        "sources": ["sources"],
        "show": ["show", str(notes / "120.txt")],
        "jobs": ["jobs"],
        "jobs show": ["jobs", "show", "1"],
        "doctor": ["doctor"],
        "remove": ["remove", str(notes / "120.txt")],
        "forget": ["forget", "--verify", str(notes / "121.txt")],
        "reindex": ["reindex", "--words"],
        "backup": ["backup", "--force", str(tmp_path / "copy.quoth")],
        "export": ["export", "--force", str(tmp_path / "all.jsonl")],
    }


@pytest.mark.slow
def test_a_damaged_catalog_is_one_clear_sentence_in_every_command(
    filled: Path, quoth: Quoth, notes: Path, tmp_path: Path
) -> None:
    catalog = filled / "catalog.sqlite"
    shutil.copytree(filled, tmp_path / "whole")
    said = f"error: the catalog {catalog} is damaged ("
    data = bytearray(catalog.read_bytes())
    for page in range(2, len(data) // 4096):  # all but the one with the names of the tables
        data[page * 4096 : (page + 1) * 4096] = b"\xa5" * 4096
    for name, command in commands(notes, tmp_path).items():
        shutil.rmtree(filled)
        shutil.copytree(tmp_path / "whole", filled)
        catalog.write_bytes(data)
        done = quoth(*command)
        assert (name, done.code) == (name, 1)
        assert "Traceback" not in done.err, name
        if name == "doctor":
            assert f"the catalog {catalog} is damaged" in done.out
            assert "quoth restore" in done.out
        else:
            assert done.err.splitlines()[-2].startswith(said), (name, done.err)
            assert "quoth restore" in done.err.splitlines()[-1], (name, done.err)


@pytest.mark.slow
def test_a_page_in_the_middle_of_a_catalog_never_ends_in_a_traceback(
    filled: Path, quoth: Quoth, notes: Path, tmp_path: Path
) -> None:
    catalog = filled / "catalog.sqlite"
    shutil.copytree(filled, tmp_path / "whole")
    whole = catalog.read_bytes()
    pages = len(whole) // 4096
    seen = []
    for name, command in commands(notes, tmp_path).items():
        shutil.rmtree(filled)
        shutil.copytree(tmp_path / "whole", filled)
        data = bytearray(whole)
        for page in range(pages // 3, 2 * pages // 3):
            data[page * 4096 : (page + 1) * 4096] = os.urandom(4096)
        catalog.write_bytes(data)
        done = quoth(*command)
        assert "Traceback" not in done.err, (name, done.err)
        if done.code:
            # what does not need those pages goes on; the others say what is wrong
            seen.append(name)
            assert f"the catalog {catalog} is damaged" in done.err + done.out, (name, done.err)
            assert "quoth restore" in done.err + done.out, (name, done.err)
    assert {"doctor", "backup", "export", "add", "reindex"} <= set(seen)


# -- half of an index ------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", ["words", "vectors"])
@pytest.mark.parametrize("half", [0, 1])
def test_half_an_index_is_repaired_or_says_how(
    name: str, half: int, filled: Path, quoth: Quoth, notes: Path, tmp_path: Path
) -> None:
    before = quoth("search", "--json", "token fox120").json["hits"]
    files = sorted(path for path in (filled / name).rglob("*") if path.is_file())
    assert len(files) > 2
    for file in files[half::2]:
        file.unlink()
    done = quoth("search", "--json", "token fox120")
    assert "Traceback" not in done.err
    if done.code:
        assert (done.code, done.err.splitlines()[-1]) == (1, f"  try: quoth reindex --{name}"), done.err
        assert quoth("doctor").code == 1
        for command in (["ask", "What is the token 7 of note 120?"], ["status"], ["add", str(notes)], ["sync"]):
            assert "Traceback" not in quoth(*command).err, command
    assert quoth("reindex", f"--{name}").code == 0
    assert quoth("search", "--json", "token fox120").json["hits"] == before
    assert quoth("sync").code == 0
    is_whole(filled, 305)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["words", "vectors"])
def test_any_file_of_an_index_may_be_lost(name: str, filled: Path, quoth: Quoth, notes: Path, tmp_path: Path) -> None:
    with Library.open(filled) as library:
        before = library.search("token fox120").hits
    shutil.copytree(filled / name, tmp_path / "kept")
    for lost in sorted(path.relative_to(tmp_path / "kept") for path in (tmp_path / "kept").rglob("*")):
        if not (tmp_path / "kept" / lost).is_file():
            continue
        shutil.rmtree(filled / name)
        shutil.copytree(tmp_path / "kept", filled / name)
        (filled / name / lost).unlink()
        done = quoth("search", "token fox120")
        assert "Traceback" not in done.err, (lost, done.err)
        assert done.code == 0 or done.err.endswith(f"  try: quoth reindex --{name}\n"), (lost, done.err)
        assert quoth("reindex", f"--{name}").code == 0, lost
        with Library.open(filled) as library:
            assert library.search("token fox120").hits == before


# -- clocks ----------------------------------------------------------------------------------------

CLOCK = """
import time
back, now, now_ns = 2 * 86_400, time.time, time.time_ns
time.time = lambda: now() - back
time.time_ns = lambda: now_ns() - back * 10**9
"""


@pytest.fixture
def yesterday(tmp_path: Path) -> dict[str, str]:
    """An environment in which it is two days earlier."""
    (tmp_path / "clock").mkdir()
    (tmp_path / "clock" / "sitecustomize.py").write_text(CLOCK)
    path = os.pathsep.join([str(tmp_path / "clock"), *filter(None, [os.environ.get("PYTHONPATH")])])
    shown = subprocess.run(
        [sys.executable, "-c", "import time; print(time.time())"],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    assert time.time() - float(shown.stdout) > 86_400
    return {"PYTHONPATH": path}


def negative(out: str) -> list[str]:
    """Numbers below zero, but for the parts of dates, ranges and names."""
    return re.findall(r"(?<![\w.\-/:])-\d[\d.]*", out)


def test_a_clock_that_was_set_back_disturbs_nothing(
    quoth: Quoth, notes: Path, tmp_path: Path, yesterday: dict[str, str]
) -> None:
    ahead = time.time() + 40 * 86_400
    for path in (notes / "garden.md", notes / "house" / "roof.txt"):
        os.utime(path, (ahead, ahead))
    assert quoth("add", str(notes)).code == 0
    (notes / "new.txt").write_text("The attic was swept.\n")
    (notes / "house" / "roof.txt").write_text("The roof was made of slate in 2024.\n")
    done = quoth("sync", "--json", env=yesterday)
    assert (done.code, done.json["added"], done.json["updated"], done.json["unchanged"]) == (0, 1, 1, 4)
    assert float(str(done.json["seconds"])) >= 0
    for command in (["jobs"], ["jobs", "show", "1"], ["jobs", "show", "2"], ["status"], ["sync"], ["sources"]):
        for env in (yesterday, None):
            shown = quoth(*command, env=env)
            assert (command, shown.code, negative(shown.out)) == (command, 0, []), shown.out
    answer = quoth("ask", "--json", "When was the roof made of slate?", env=yesterday).json
    assert answer["answered"] is True
    assert answer["notes"] == []
    assert quoth("ask", "--json", "When were the tomatoes planted?", env=yesterday).json["notes"] == []
    is_whole(tmp_path / "library", 6)


def test_a_job_that_began_in_the_future_shows_no_negative_time(
    quoth: Quoth, notes: Path, tmp_path: Path, yesterday: dict[str, str]
) -> None:
    assert quoth("add", str(notes)).code == 0
    with sqlite3.connect(tmp_path / "library" / "catalog.sqlite") as catalog:
        # as it is when the clock is set back in the middle of a run
        catalog.execute(
            "update jobs set state = 'running', ended = null, beat = started + 5, bytes = 100, of_bytes = 1000"
        )
    catalog.close()
    for env in (yesterday, None):
        for command in (["jobs"], ["jobs", "show", "1"]):
            shown = quoth(*command, env=env)
            assert (shown.code, negative(shown.out)) == (0, []), shown.out
        for job in quoth("jobs", "--json", env=env).json["jobs"]:  # type: ignore[attr-defined]
            assert job["left"] is None or job["left"] >= 0
    done = quoth("sync", env=yesterday)
    assert (done.code, negative(done.out)) == (0, [])
    for job in quoth("jobs", "--json").json["jobs"]:  # type: ignore[attr-defined]
        assert job["state"] in ("done", "resumed")
    with sqlite3.connect(tmp_path / "library" / "catalog.sqlite") as catalog:
        catalog.execute("update jobs set ended = started - 172800, state = 'done'")
    catalog.close()
    shown = quoth("jobs")
    assert (shown.code, negative(shown.out)) == (0, []), shown.out


# -- folders that may not be read ------------------------------------------------------------------


@pytest.mark.skipif(
    os.geteuid() == 0 and not shutil.which("setpriv"), reason="the superuser may read every folder, and has no setpriv"
)
def test_a_source_that_may_not_be_read_any_more_loses_nothing(quoth: Quoth, notes: Path, tmp_path: Path) -> None:
    assert quoth("add", str(notes)).code == 0
    for folder, left in ((notes / "house", 5), (notes, 5)):
        mode = stat.S_IMODE(folder.stat().st_mode)
        folder.chmod(0)
        try:
            done = quoth("sync", "--json", bound=True)
            assert (done.code, done.json["removed"]) == (0, 0)
            assert str(folder) in done.out
            assert quoth("status", "--json").json["files"] == left
            assert quoth("ask", "--json", "When is the boiler serviced?").json["answered"] is True
        finally:
            folder.chmod(mode)
    is_whole(tmp_path / "library", 5)


# -- full disks ------------------------------------------------------------------------------------


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Mounts a disk, or gives it another size."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = False

    def of(size: str) -> Path:
        nonlocal mounted
        done = mount("-o", f"{'remount,' if mounted else ''}size={size}", "-t", "tmpfs", "tmpfs", str(disk))
        if not done:
            pytest.skip("only a superuser may mount a small disk")
        mounted = True
        return disk

    yield of
    if mounted:
        subprocess.run(["umount", str(disk)], check=True)


def used(disk: Path) -> int:
    found = os.statvfs(disk)
    return (found.f_blocks - found.f_bfree) * found.f_frsize


@pytest.mark.slow
@pytest.mark.parametrize("command", ["forget", "reindex --encoder", "reindex --words", "reindex --vectors"])
def test_a_full_disk_is_one_clear_sentence_and_loses_nothing(
    command: str, small: Callable[[str], Path], quoth: Quoth, tmp_path: Path
) -> None:
    many, library = tmp_path / "many", small("100m") / "library"
    many.mkdir()
    for number in range(250):
        words = " ".join(f"The token {step} of note {number} is fox{number * 7 + step}." for step in range(60))
        (many / f"{number:03}.txt").write_text(words)
    (many / "heron.txt").write_text("The heron at the pond is called Gustav.")
    (many / "secret.txt").write_text("The combination of the safe is wolverine4711.")
    assert quoth("add", str(many), library=library).code == 0
    with Library.open(library) as opened:
        before = opened.search("heron at the pond").hits
    disk = small(f"{(used(library.parent) + 40_000) // 4096 * 4}k")
    env = {"PYTHONPATH": os.pathsep.join([str(DATA), os.environ.get("PYTHONPATH", "")])}
    arguments = {
        "forget": ["forget", "--verify", str(many / "secret.txt")],
        "reindex --encoder": ["reindex", "--encoder", "counted_encoder:First"],
        "reindex --words": ["reindex", "--words"],
        "reindex --vectors": ["reindex", "--vectors"],
    }[command]
    done = quoth(*arguments, library=library, env=env)
    assert done.code == 1
    assert done.err.splitlines()[-2:] == [
        f"error: the disk with the library {library} is full",
        "  try: free some space and run the command again; what was written before is kept",
    ]
    assert "Traceback" not in done.err
    assert quoth("search", "heron at the pond", library=library).code == 0
    small("100m")
    kept = 252
    if command == "forget":
        status = quoth("status", "--json", library=library).json["files"]
        # the catalog lets go of it first; to be proved gone it is forgotten again
        assert status in (251, 252)
        again = quoth("forget", "--verify", str(many / "secret.txt"), library=library)
        assert again.code == 0 or "is not in this library" in again.err
        kept = 251
    else:
        assert quoth(*arguments, library=library, env=env).code == 0
    assert quoth("sync", library=library, env=env).code == 0
    assert disk == library.parent
    sys.path.insert(0, str(DATA))
    try:
        is_whole(library, kept)
        with Library.open(library) as opened:
            hits = opened.search("heron at the pond").hits
            assert hits[0].document == before[0].document == str(many / "heron.txt")
            if command == "forget":
                assert b"wolverine4711" not in b"".join(p.read_bytes() for p in library.rglob("*") if p.is_file())
            elif command != "reindex --encoder":
                assert hits == before
    finally:
        sys.path.remove(str(DATA))
