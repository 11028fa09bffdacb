"""Changing the encoder: searches go on, a kill costs little, and there is a way back."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from conftest import Quoth
from quoth import Library
from quoth.errors import Locked
from quoth.rebuild import PASSAGES
from quoth.vectors import TurboVectors

DATA = Path(__file__).parent / "data"
FIRST, SECOND = "counted_encoder:First", "counted_encoder:Second"
QUESTION = "Where does stone 7 of river 3 lie?"


def note(river: int, stone: int) -> str:
    """A section that fills a passage of its own."""
    words = " ".join(f"Moss {stone * 50 + step} grows on stone {stone} of river {river}." for step in range(14))
    return f"# River {river}, stone {stone}\n\n{words}\n\n"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with 14 files and a library of them, of more passages than a batch holds."""
    place = tmp_path_factory.mktemp("encoders")
    (place / "many").mkdir()
    for river in range(14):
        (place / "many" / f"{river:02}.md").write_text("".join(note(river, stone) for stone in range(100)))
    sys.path.insert(0, str(DATA))
    with Library.open(place / "library", encoder=FIRST) as library:
        library.add([place / "many"])
        assert library.status().passages > PASSAGES
    yield place
    sys.path.remove(str(DATA))


@pytest.fixture
def place(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the library, and the encoders where every process of the test finds them."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(DATA), *filter(None, [os.environ.get("PYTHONPATH")])]))
    shutil.copytree(made / "library", tmp_path / "library")
    return tmp_path


@pytest.fixture
def many(made: Path, place: Path) -> Path:
    """The folder, as the test's own library knows it."""
    shutil.copytree(made / "many", place / "many")
    with Library.open(place / "library") as library:
        library.move(made / "many", place / "many")
    return place / "many"


def wait_for(what: Callable[[], object], seconds: float = 120.0) -> None:
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until, "it did not come to that"
        time.sleep(0.02)


def counts(log: Path) -> list[int]:
    """How many texts each call encoded."""
    return [int(line.split()[1]) for line in log.read_text().splitlines()] if log.exists() else []


def held(library: Path, encoder: str) -> list[int]:
    """The passages in an encoder's folder."""
    dimensions = {"counted-first": 96, "counted-second": 128}[encoder]
    return TurboVectors(library / "vectors" / encoder, dimensions, readonly=True).ids().tolist()


def known(library: Library) -> list[int]:
    ids: list[int] = library._parts.catalog.passage_ids().tolist()
    return ids


def found(library: Library) -> list[tuple[int, float]]:
    """The hits and their scores, which tell the encoders apart."""
    return [(hit.passage, hit.score) for hit in library.search(QUESTION).hits]


@pytest.fixture
def building(place: Path, many: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that changes the encoder and stands still in its second batch, until it is killed or let go."""
    (place / "hold").touch()
    environment = {"QUOTH_TEST_LOG": str(place / "log"), "QUOTH_TEST_HOLD": str(place / "hold")}
    command = [sys.executable, "-m", "quoth", "--library", str(place / "library"), "reindex", "--encoder", SECOND]
    process = subprocess.Popen(
        command, env=os.environ | environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    wait_for(lambda: len(counts(place / "log")) == 2 or process.poll() is not None)
    assert process.poll() is None, "it ended before it could be disturbed"
    yield process
    process.kill()
    process.wait()


def test_a_killed_change_is_resumed_and_encodes_nothing_twice(
    place: Path, many: Path, building: subprocess.Popen[bytes], quoth: Quoth
) -> None:
    building.send_signal(signal.SIGKILL)
    building.wait()
    assert counts(place / "log")[0] == PASSAGES
    with Library.open(place / "library") as library:
        newest = library.jobs()[0]
        assert (newest.state, newest.command, newest.places) == ("cut off", "reindex", (f"--encoder={SECOND}",))
        assert library.status().encoder == "counted-first"
        total = len(known(library))
    assert len(held(place / "library", "counted-second")) == PASSAGES
    done = quoth("jobs", "resume", env={"QUOTH_TEST_LOG": str(place / "again")})
    assert (done.code, "Traceback" in done.err) == (0, False)
    assert sum(counts(place / "again")) == total - PASSAGES
    with Library.open(place / "library") as library:
        assert library.status().encoder == "counted-second"
        assert [job.state for job in library.jobs()][:2] == ["done", "resumed"]
        assert held(place / "library", "counted-second") == known(library)
        assert all(check.ok for check in library.doctor())


def test_searches_go_on_with_the_old_vectors_until_the_new_ones_are_whole(
    place: Path, many: Path, building: subprocess.Popen[bytes], quoth: Quoth
) -> None:
    with Library.open(place / "library") as opened, Library.open(place / "library") as asked:
        before, recipe = found(opened), asked.ask(QUESTION).recipe
        with pytest.raises(Locked):
            opened.remove(many / "05.md")
        log = {"QUOTH_TEST_LOG": str(place / "searched")}
        assert quoth("search", QUESTION, env=log).code == 0
        assert (place / "searched").read_text() == "counted-first 1\n"
        assert found(opened) == before
        (place / "hold").unlink()
        assert building.wait(120) == 0
        (place / "searched").unlink()
        hits = quoth("search", "--json", QUESTION, env=log).json["hits"]
        assert (place / "searched").read_text() == "counted-second 1\n"
        after = found(opened)
        assert [passage for passage, _ in after] == [hit["passage"] for hit in hits]  # type: ignore[attr-defined]
        assert after != before
        # the first question after the change is answered, and signed, by the new ones
        answer = asked.ask(QUESTION)
        assert answer.recipe == opened.recipe().hash != recipe


def test_an_opened_library_follows_a_change_before_it_writes(place: Path, many: Path, quoth: Quoth) -> None:
    with Library.open(place / "library") as opened, Library.open(place / "library") as other:
        found(opened)
        assert (opened.status().encoder, other.status().encoder) == ("counted-first", "counted-first")
        assert quoth("reindex", "--encoder", SECOND).code == 0
        (many / "new.md").write_text(note(99, 1))
        assert opened.sync().added == 1
        assert held(place / "library", "counted-second") == known(opened)
        assert other.status().encoder == "counted-second"
        other.reindex(["words"])
        assert found(other) == found(opened)


def test_making_vectors_anew_in_an_opened_library_does_not_undo_a_change(place: Path, many: Path, quoth: Quoth) -> None:
    with Library.open(place / "library") as opened:
        found(opened)
        assert quoth("reindex", "--encoder", SECOND).code == 0
        opened.reindex(["vectors"])
        assert opened.status().encoder == "counted-second"
    with Library.open(place / "library") as library:
        assert library.status().encoder == "counted-second"


def test_what_is_removed_leaves_the_vectors_of_both(
    place: Path, many: Path, building: subprocess.Popen[bytes], quoth: Quoth
) -> None:
    building.kill()
    building.wait()
    with Library.open(place / "library") as library:
        gone = set(known(library))
        library.remove(many / "00.md")
        gone -= set(known(library))
        assert len(gone) > 50
        for encoder in ("counted-first", "counted-second"):
            assert not gone.intersection(held(place / "library", encoder))
    (many / "00.md").unlink()
    (many / "new.md").write_text(note(99, 1))
    assert quoth("sync").code == 0
    assert quoth("jobs", "resume").code == 0
    with Library.open(place / "library") as library:
        assert library.status().encoder == "counted-second"
        assert held(place / "library", "counted-second") == known(library)
        library.remove(many / "01.md")
        for encoder in ("counted-first", "counted-second"):
            assert held(place / "library", encoder) == known(library)


def test_back_returns_with_what_was_added_since(place: Path, many: Path, quoth: Quoth) -> None:
    log = {"QUOTH_TEST_LOG": str(place / "log")}
    with Library.open(place / "library") as opened:
        before = found(opened)
        assert quoth("reindex", "--encoder", SECOND).code == 0
        assert found(opened) != before
        assert quoth("reindex", "--back", env=log).code == 0
        assert not (place / "log").exists()
        assert found(opened) == before
        assert quoth("reindex", "--encoder", SECOND).code == 0
        (many / "new.md").write_text("# Cellar\n\nThe spare key hangs behind the clock.\n")
        assert quoth("sync").code == 0
        assert quoth("reindex", "--back", env=log).code == 0
        assert (place / "log").read_text() == "counted-first 1\n"
        assert opened.search("spare key behind the clock", 1).hits[0].document == str(many / "new.md")
        assert held(place / "library", "counted-first") == known(opened)
        vector = opened._parts.encoder.encode(["spare key behind the clock"])[0]
        assert opened._parts.vectors.search(np.asarray(vector), 1).ids.tolist() == [known(opened)[-1]]
        assert quoth("reindex", "--back").code == 0
        assert opened.status().encoder == "counted-second"


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("nonsense", "'nonsense' names no encoder"),
        ("no_such_module:Encoder", "there is no module 'no_such_module' for the encoder 'no_such_module:Encoder'"),
        ("counted_encoder:Third", "module 'counted_encoder' has no 'Third'"),
        # ten seconds of asking again and again
        pytest.param("http://127.0.0.1:9/v1#model", "http://127.0.0.1:9/v1", marks=pytest.mark.slow),
    ],
)
def test_an_encoder_that_is_not_there_changes_nothing(
    spec: str, said: str, place: Path, many: Path, quoth: Quoth
) -> None:
    with Library.open(place / "library") as library:
        before, jobs = found(library), library.jobs()
        done = quoth("reindex", "--encoder", spec)
        assert done.code in (1, 2)
        assert said in done.err.splitlines()[0]
        assert "\n  try: " in done.err
        assert "Traceback" not in done.err
        assert sorted(path.name for path in (place / "library" / "vectors").iterdir()) == ["counted-first"]
        assert (library.status().encoder, found(library), library.jobs()) == ("counted-first", before, jobs)


def test_there_is_no_way_back_without_a_change(place: Path, quoth: Quoth) -> None:
    done = quoth("reindex", "--back")
    assert (done.code, done.err) == (
        1,
        "error: this library had no other encoder\n  try: quoth reindex --encoder NAME changes it\n",
    )
