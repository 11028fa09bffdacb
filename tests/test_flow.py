"""Encoding behind the reader's back: nothing is encoded twice, nothing gets another's vector, errors come out."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pytest

import quoth.flow
from conftest import Quoth
from quoth import Library
from quoth.embed.packaged import PackagedEncoder

if TYPE_CHECKING:
    from quoth.types import Floats

PARTS = [f"## Part {n}\n\nThe well number {n} was dug in {1900 + n} and is {n + 3} metres deep.\n\n" for n in range(40)]
PARTS = [part + f"Its water is tested by the office of district {n}. " * 12 + "\n\n" for n, part in enumerate(PARTS)]


class Counting:
    """The packaged encoder; it notes every text that it is given, and fails at the text that it is told to."""

    texts: ClassVar[list[str]] = []
    fails_at: ClassVar[str] = ""

    def __init__(self) -> None:
        self._encoder = PackagedEncoder()
        self.dimensions, self.window, self.fingerprint = 384, self._encoder.window, "counting"

    def encode(self, texts: Sequence[str]) -> Floats:
        if self.fails_at and any(self.fails_at in text for text in texts):
            raise RuntimeError("the encoder has had enough")
        self.texts.extend(texts)
        return self._encoder.encode(texts)


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that the encoder was given."""
    texts: list[str] = []
    monkeypatch.setattr(Counting, "texts", texts)
    return texts


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library.open(tmp_path / "library", encoder=f"{__name__}:Counting") as opened:
        yield opened


def test_what_is_identical_is_encoded_once(library: Library, tmp_path: Path, given: list[str]) -> None:
    folder = tmp_path / "wells"
    folder.mkdir()
    for name in ("a.md", "b.md", "c.md"):
        (folder / name).write_text("".join(PARTS))
    report = library.add([folder])
    assert report.passages > 0 and report.passages == 3 * len(given)
    assert len(given) == len(set(given))


def test_a_copy_in_another_folder_encodes_nothing(library: Library, tmp_path: Path, given: list[str]) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "wells.md").write_text("".join(PARTS))
    first = library.add([tmp_path / "one"])
    given.clear()
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    again = library.add([tmp_path / "two"])
    assert (again.added, again.passages, given) == (1, first.passages, [])
    found = library.search("How deep is well number 7?", 40).hits
    assert {Path(hit.document).parent.name for hit in found} <= {"one", "two"}


def test_an_edited_file_encodes_only_its_new_passages(library: Library, tmp_path: Path, given: list[str]) -> None:
    folder = tmp_path / "wells"
    folder.mkdir()
    (folder / "wells.md").write_text("".join(PARTS))
    whole = library.add([folder]).passages
    given.clear()
    edited = [*PARTS[:20], PARTS[20].replace("was dug", "was drilled"), *PARTS[21:]]
    (folder / "wells.md").write_text("".join(edited))
    report = library.sync()
    assert (report.updated, report.passages) == (1, whole)
    assert 0 < len(given) <= 3
    assert all("number 20" in text or "district 20" in text for text in given)


def test_texts_of_one_hash_keep_their_own_vectors(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quoth.flow, "_hash", lambda _: 42)
    folder = tmp_path / "notes"
    folder.mkdir()
    texts = {
        "boiler.txt": "The boiler is serviced each October by Hartmann and Sons.\n",
        "bread.txt": "Bake the bread at 230 degrees for forty minutes.\n",
        "roof.txt": "The roof was repaired in 2019 after the storm.\n",
    }
    for name, text in texts.items():  # a sync for each: what is compared with lies in the library, too
        (folder / name).write_text(text)
        library.add([folder])
    parts = library._parts
    ids = np.array(sorted(hit.passage for hit in library.search("boiler bread roof").hits), np.int64)
    expected = PackagedEncoder().encode([one.text for _, one in sorted(parts.catalog.passages(ids.tolist()).items())])
    assert len(ids) == 3
    assert np.allclose(parts.vectors.fetch(ids), expected, atol=2e-3)


def left() -> list[str]:
    """Threads of a run that are still there; those that search belong to the process."""
    names = [thread.name for thread in threading.enumerate()]
    return [name for name in names if name.startswith("quoth-") and not name.startswith("quoth-beside")]


def many(folder: Path, count: int = 200) -> Path:
    """Files of which each has passages of its own, more than one batch of them."""
    folder.mkdir()
    for number in range(count):
        text = "".join(part.replace("district", f"town {number} in district") for part in PARTS)
        (folder / f"{number:03}.md").write_text(text)
    return folder


def test_an_error_of_the_encoder_comes_out_and_keeps_what_was_written(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = many(tmp_path / "many", 12)
    library.add([folder])
    before = library.status().passages
    (folder / "zz.md").write_text("# Broken\n\nThe word is abracadabra.\n")
    monkeypatch.setattr(Counting, "fails_at", "abracadabra")
    with pytest.raises(RuntimeError, match="had enough"):
        library.sync()
    assert library.status().passages == before
    assert left() == []
    monkeypatch.setattr(Counting, "fails_at", "")
    assert library.sync().added == 1


def test_an_error_of_the_writing_comes_out_and_keeps_what_was_written(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = many(tmp_path / "many", 3)
    library.add([folder])
    before = library.status().passages
    (folder / "more.md").write_text("# More\n\nAnother well was found in the garden.\n")

    def broken(*_: object) -> None:
        raise RuntimeError("the index is broken")

    with monkeypatch.context() as patch:
        patch.setattr(type(library._parts.words), "add", broken)
        with pytest.raises(RuntimeError, match="index is broken"):
            library.sync()
    assert library.status().passages == before
    assert library.sync().added == 1
    assert all(check.ok for check in library.doctor() if check.name in ("words", "vectors"))


@pytest.mark.slow
def test_an_interrupt_leaves_no_thread_and_no_process(library: Library, tmp_path: Path) -> None:
    folder = many(tmp_path / "many", 60)

    def interrupted(_: object) -> None:
        if library.status().passages:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        library.add([folder], watch=interrupted)
    written = library.status().files
    assert 0 < written < 60
    assert left() == []
    assert multiprocessing.active_children() == []
    assert library.sync().added == 60 - written


@pytest.mark.slow
def test_ctrl_c_of_a_process_ends_its_workers(tmp_path: Path, quoth: Quoth) -> None:
    folder, library = many(tmp_path / "many"), tmp_path / "library"
    command = [sys.executable, "-m", "quoth", "--library", str(library), "add", str(folder)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    until = time.monotonic() + 120
    while not (library / "catalog.sqlite").exists() or not quoth("status", "--json").json["passages"]:
        assert process.poll() is None and time.monotonic() < until
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130 and "what was written is kept" in said
    with pytest.raises(ProcessLookupError):  # nobody of its group is left
        for _ in range(100):
            os.killpg(process.pid, 0)
            time.sleep(0.1)
