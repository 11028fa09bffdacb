"""The library as Python programs use it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from quoth import Library, asking
from quoth.errors import LibraryError, ModelError, NotFound
from quoth.types import Filters


def test_three_lines_are_enough(notes: Path, tmp_path: Path) -> None:
    with Library.open(tmp_path / "library") as library:
        library.add([notes])
        answer = library.ask("How long should the bread be baked?")
    assert answer.answered
    assert "forty minutes" in answer.text


def test_equal_questions_get_equal_answers(notes: Path, tmp_path: Path) -> None:
    with Library.open(tmp_path / "library") as library:
        library.add([notes])
        once = library.ask("What did the roof cost?")
    with Library.open(tmp_path / "library") as library:
        again = library.ask("What did the roof cost?")
        assert replace(once, seconds=0.0, entry=0) == replace(again, seconds=0.0, entry=0)
        assert once.recipe == library.recipe().hash


def test_the_order_of_adding_does_not_change_the_hits(notes: Path, tmp_path: Path) -> None:
    found = []
    for order in (["house", "garden.md", "recipes"], ["recipes", "garden.md", "house"]):
        with Library.open(tmp_path / order[0]) as library:
            for name in order:
                library.add([notes / name])
            found.append(
                [(hit.document, hit.start, hit.score) for hit in library.search("when is the boiler serviced").hits]
            )
    assert found[0] == found[1]


def test_copies_are_folded_into_one_hit(notes: Path, tmp_path: Path) -> None:
    text = (notes / "house" / "boiler.txt").read_text()
    for number in range(12):
        (notes / f"copy{number}.txt").write_text(text)
    with Library.open(tmp_path / "library") as library:
        library.add([notes])
        hits = library.search("boiler service in October", 5).hits
        assert sum(hit.text == hits[0].text for hit in hits) == 1
        assert len(hits) == 5


def test_a_reader_sees_whole_documents_while_another_process_adds(notes: Path, tmp_path: Path) -> None:
    for number in range(400):
        text = f"Entry {number}: the lighthouse keeper wrote entry {number} on day {number}.\n"
        (notes / f"entry{number:03}.txt").write_text(text)
    with Library.open(tmp_path / "library") as library:
        library.add([notes / "house"])
        command = [sys.executable, "-m", "quoth", "--library", str(tmp_path / "library"), "add", str(notes)]
        seen = []
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as writer:
            while writer.poll() is None:
                hits = library.search("lighthouse keeper", 20).hits
                seen.append(len(hits))
                for hit in hits[:3]:
                    assert library.show(hit.document).text[hit.start : hit.end] == hit.text
        assert writer.returncode == 0
        assert len(library.search("lighthouse keeper", 20).hits) == 20
        assert library.status().documents == 405


def test_a_quote_from_a_file_that_changed_since_is_marked(notes: Path, tmp_path: Path) -> None:
    with Library.open(tmp_path / "library") as library:
        library.add([notes])
        roof = notes / "house" / "roof.txt"
        before = roof.stat()
        roof.write_text(roof.read_text().replace("2019", "2021"))
        os.utime(roof, ns=(before.st_atime_ns, before.st_mtime_ns))
        answer = library.ask("When was the roof repaired?")
        assert f"{roof} has changed since it was read: quoth sync" in answer.notes
        roof.unlink()
        answer = library.ask("When was the roof repaired?")
        assert f"{roof} is not there any more: quoth sync" in answer.notes


def test_a_quoted_file_is_read_again_only_when_its_times_are_others(
    notes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    roof = notes / "house" / "roof.txt"
    with Library.open(tmp_path / "library") as library:
        library.add([notes])

        def asked_twice() -> list[tuple[str, ...]]:
            return [library.ask("When was the roof repaired?").notes for _ in range(2)]

        asking._digest.cache_clear()
        monkeypatch.setattr(asking, "SETTLED", 1e9)  # as if it had been written a moment ago: its times tell nothing
        assert asked_twice() == [(), ()]
        assert asking._digest.cache_info().currsize == 0
        monkeypatch.setattr(asking, "SETTLED", -1.0)
        assert asked_twice() == [(), ()]
        assert (asking._digest.cache_info().misses, asking._digest.cache_info().hits) == (1, 1)
        before, text = roof.stat(), roof.read_text()
        time.sleep(0.05)  # more than the grain of this file system's clock
        roof.write_text(text.replace("2019", "2021"))
        os.utime(roof, ns=(before.st_atime_ns, before.st_mtime_ns))  # as large and as old as before
        assert asked_twice() == [(f"{roof} has changed since it was read: quoth sync",)] * 2


def test_hits_can_be_narrowed(notes: Path, tmp_path: Path) -> None:
    with Library.open(tmp_path / "library") as library:
        library.add([notes])
        narrow = Filters(folders=(str(notes / "house"),))
        assert {Path(hit.document).parent.name for hit in library.search("tomatoes", filters=narrow).hits} == {"house"}
        answer = library.ask("When were the tomatoes planted?", narrow)
        assert (answer.answered, answer.searched.documents) == (False, 2)


def test_a_library_of_another_encoder_is_not_mixed(notes: Path, tmp_path: Path) -> None:
    with Library.open(tmp_path / "library") as library:
        library.add([notes])
        library._parts.catalog.set("fingerprint", "another-encoder")
        with pytest.raises(ModelError, match="were made by encoder another-encoder"):
            library.sync()
        library.reindex(["vectors"])
        assert library.sync().unchanged == 5


def test_opening_without_creating_wants_a_library(tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match="there is no library in"):
        Library.open(tmp_path / "nothing", create=False)
    (tmp_path / "file").write_text("")
    with pytest.raises(LibraryError, match="is a file, not a library folder"):
        Library.open(tmp_path / "file")


def test_show_by_an_end_that_two_documents_share(notes: Path, tmp_path: Path) -> None:
    (notes / "recipes" / "garden.md").write_text("Herbs.\n")
    with Library.open(tmp_path / "library") as library:
        library.add([notes])
        with pytest.raises(NotFound, match=r"2 documents end in garden\.md"):
            library.show("garden.md")
        assert library.show("recipes/garden.md").text == "Herbs.\n"


@pytest.mark.parametrize("fate", ["moved", "deleted", "replaced"])
def test_a_library_that_goes_while_it_is_open_is_said_to_be_gone(notes: Path, tmp_path: Path, fate: str) -> None:
    place = tmp_path / "library"
    with Library.open(place) as library:
        library.add([notes])
        assert library.ask("What did the roof cost?").answered
        if fate == "deleted":
            shutil.rmtree(place)
        else:
            place.rename(tmp_path / "elsewhere")
        if fate == "replaced":
            Library.open(place).close()
        for call in (
            lambda: library.ask("What did the roof cost?"), lambda: library.search("roof"), library.status,
            lambda: library.add([notes]), lambda: library.remove(notes),
        ):  # fmt: skip
            with pytest.raises(LibraryError, match="was moved, deleted or replaced while it was open"):
                call()
