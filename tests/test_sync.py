"""Adding and syncing: only what changed is touched, and nothing is lost."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from quoth import Library, Options
from quoth.errors import NotFound
from quoth.types import Report


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library.open(tmp_path / "library") as library:
        yield library


def counts(report: Report) -> dict[str, int]:
    """The non-zero counts of a report."""
    names = ("added", "updated", "moved", "unchanged", "removed")
    found = {name: getattr(report, name) for name in names} | {"failed": len(report.failed)}
    return {name: count for name, count in found.items() if count}


def ids(library: Library) -> list[int]:
    """All passage ids, which catalog, words and vectors must agree on."""
    known: list[int] = library._parts.catalog.passage_ids().tolist()
    assert library._parts.words.ids().tolist() == known
    assert library._parts.vectors.ids().tolist() == known
    return known


def test_adding_again_touches_nothing(library: Library, notes: Path) -> None:
    assert counts(library.add([notes])) == {"added": 5}
    before = ids(library)
    assert counts(library.add([notes])) == {"unchanged": 5}
    assert counts(library.sync()) == {"unchanged": 5}
    assert ids(library) == before


def test_only_what_changed_is_read(library: Library, notes: Path) -> None:
    library.add([notes])
    before = set(ids(library))
    (notes / "house" / "roof.txt").write_text("The roof is new since 2024.\n", encoding="utf-8")
    (notes / "new.txt").write_text("A new note about the cellar.\n", encoding="utf-8")
    (notes / "recipes" / "bread.md").unlink()
    assert counts(library.sync()) == {"added": 1, "updated": 1, "removed": 1, "unchanged": 3}
    assert len(before & set(ids(library))) == 3
    assert library.show(notes / "house" / "roof.txt").text == "The roof is new since 2024.\n"
    assert {hit.document for hit in library.search("bread cellar roof").hits} == {
        str(path) for path in notes.rglob("*") if path.is_file()
    }


def test_a_file_that_was_only_touched_is_unchanged(library: Library, notes: Path) -> None:
    library.add([notes])
    before = ids(library)
    os.utime(notes / "garden.md", (1, 1))
    assert counts(library.sync()) == {"unchanged": 5}
    assert ids(library) == before


def test_a_moved_file_keeps_its_passages_and_vectors(library: Library, notes: Path) -> None:
    library.add([notes])
    before = ids(library)
    (notes / "archive").mkdir()
    (notes / "garden.md").rename(notes / "archive" / "plants.md")
    report = library.sync()
    assert counts(report) == {"moved": 1, "unchanged": 4}
    assert (report.passages, ids(library)) == (0, before)
    assert library.search("when were the tomatoes planted").hits[0].document == str(notes / "archive" / "plants.md")


def test_two_files_that_swap_names_are_both_right_afterwards(library: Library, notes: Path) -> None:
    library.add([notes])
    one, two = notes / "house" / "roof.txt", notes / "house" / "boiler.txt"
    texts = one.read_text(), two.read_text()
    one.rename(notes / "x"), two.rename(one), (notes / "x").rename(two)
    library.sync()
    assert (library.show(two).text, library.show(one).text) == texts
    ids(library)


def test_a_failed_file_is_remembered_and_retried_only_when_asked_or_changed(library: Library, notes: Path) -> None:
    broken = notes / "broken.pdf"
    broken.write_bytes(b"%PDF-1.7\nthis is not a PDF")
    first = library.add([notes])
    assert counts(first) == {"added": 5, "failed": 1}
    assert first.failed[0].path == str(broken)
    known = library._parts.catalog.files()
    assert counts(library.sync()) == {"unchanged": 5, "failed": 1}
    assert library._parts.catalog.files() == known
    assert counts(library.sync(options=Options(retry=True))) == {"unchanged": 5, "failed": 1}
    broken.write_text("It is a text now.\n")
    assert counts(library.sync()) == {"added": 1, "unchanged": 5}


def test_a_file_that_breaks_later_is_no_longer_quoted(library: Library, notes: Path) -> None:
    library.add([notes])
    (notes / "garden.md").write_bytes(b"%PDF-1.7\nbroken")
    assert counts(library.sync()) == {"unchanged": 4, "failed": 1}
    with pytest.raises(NotFound):
        library.show(notes / "garden.md")
    ids(library)


def test_a_source_that_is_gone_is_kept_and_asked_about(library: Library, notes: Path) -> None:
    library.add([notes])
    notes.rename(notes.with_name("elsewhere"))
    report = library.sync()
    assert counts(report) == {"failed": 1}
    assert report.failed[0].hint == f"if it is gone for good: quoth remove {notes}"
    assert len(ids(library)) > 0


def test_a_source_that_is_suddenly_empty_is_asked_about(library: Library, notes: Path) -> None:
    library.add([notes])
    notes.rename(notes.with_name("elsewhere"))
    notes.mkdir()
    report = library.sync()
    assert [failure.reason for failure in report.failed] == ["the source is empty; nothing of it was removed"]
    assert len(ids(library)) > 0


def test_a_path_inside_a_source_is_no_second_source(library: Library, notes: Path) -> None:
    library.add([notes])
    library.add([notes / "house"])
    assert [source.path for source in library.sources()] == [str(notes)]


def test_a_source_around_others_takes_them_in(library: Library, notes: Path) -> None:
    library.add([notes / "house", notes / "garden.md"])
    before = ids(library)
    assert counts(library.add([notes])) == {"added": 2, "unchanged": 3}
    assert [source.path for source in library.sources()] == [str(notes)]
    assert ids(library)[: len(before)] == before


def test_remove_takes_out_a_file_a_folder_or_a_source(library: Library, notes: Path) -> None:
    library.add([notes])
    assert library.remove(notes / "garden.md") == 1
    assert library.remove(notes / "house") == 2
    assert library.remove(notes) == 2
    assert (library.sources(), ids(library)) == ([], [])
    with pytest.raises(NotFound, match="is not in this library"):
        library.remove(notes)


def test_an_unknown_path_is_refused_before_anything_is_read(library: Library, notes: Path) -> None:
    with pytest.raises(NotFound, match="there is no file or folder"):
        library.add([notes, notes / "nowhere"])
    assert library.sources() == []


def test_the_library_is_its_owners_alone(library: Library, notes: Path, tmp_path: Path) -> None:
    library.add([notes])
    for path in [tmp_path / "library", *(tmp_path / "library").rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_names_with_newlines_and_bytes_that_are_no_text(library: Library, notes: Path) -> None:
    odd = os.fsdecode(os.fsencode(notes) + b"/odd\nname \xff.txt")
    Path(odd).write_text("The spare key hangs behind the clock.\n")
    assert counts(library.add([notes])) == {"added": 6}
    answer = library.ask("Where does the spare key hang?")
    assert (answer.answered, answer.quotes[0].document) == (True, odd)


def test_links_lead_nowhere_outside_and_pipes_are_not_opened(library: Library, notes: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("The secret is outside.\n")
    (notes / "link.txt").symlink_to(tmp_path / "secret.txt")
    (notes / "loop").symlink_to(notes)
    os.mkfifo(notes / "pipe.txt")
    report = library.add([notes])
    assert counts(report) == {"added": 5}
    assert str(notes / "pipe.txt") in {skip.path for skip in report.skipped}
    with pytest.raises(NotFound):
        library.show(tmp_path / "secret.txt")


def test_a_library_inside_a_source_does_not_read_itself(notes: Path) -> None:
    with Library.open(notes / "library") as library:
        assert counts(library.add([notes])) == {"added": 5}
        assert counts(library.sync()) == {"unchanged": 5}


def test_what_quothignore_names_stays_out(library: Library, notes: Path) -> None:
    library.add([notes])
    (notes / ".quothignore").write_text("house/\n*.py\n")
    assert counts(library.sync()) == {"removed": 3, "unchanged": 2}
