"""Forgetting: no byte stays, the proof finds what is there and nothing else, and a sync does not bring it back."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from quoth import Library
from quoth.catalog import jobs
from quoth.errors import LibraryError, NotFound
from quoth.forget import Canary, _search
from quoth.types import Progress

SECRET = "The heirloom emerald necklace lies under the seventh flagstone of the northern cellar. " * 5


def bytes_of(folder: Path) -> bytes:
    return b"\0".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


@pytest.fixture
def secret(notes: Path) -> Path:
    path = notes / "house" / "heirloom-necklace.md"
    path.write_text(f"# Whereabouts of the heirloom\n\n{SECRET}")
    return path


def test_no_byte_of_a_forgotten_file_stays(tmp_path: Path, notes: Path, secret: Path) -> None:
    with Library.open(tmp_path / "library") as library:
        library.add([notes])
        traces = [b"heirloom", b"emerald", b"flagstone", b"seventh", b"Whereabouts"]
        before = bytes_of(tmp_path / "library")
        assert all(one in before for one in traces)
        done = library.forget(secret, verify=True)
        after = bytes_of(tmp_path / "library")
        assert [one for one in traces if one in after] == []
        # the word index holds stems
        assert b"heirloom"[:7] not in after
        assert (done.files, done.documents, done.found_before, done.found_after) == (1, 1, done.canaries, 0)
        assert done.canaries > 10
        assert all(check.ok for check in library.doctor())
        assert library.ask("When were the tomatoes planted?").answered


def test_a_forgotten_file_stays_out_until_it_is_added_by_name(tmp_path: Path, notes: Path, secret: Path) -> None:
    with Library.open(tmp_path / "library") as library:
        library.add([notes])
        library.forget(secret)
        report = library.sync()
        assert [(one.path, one.reason.split(" ")[0]) for one in report.skipped] == [(str(secret), "forgotten")]
        assert str(secret).encode() not in bytes_of(tmp_path / "library")
        assert library.add([secret]).added == 1
        assert library.show(secret).text.startswith("# Whereabouts")


def test_a_forgotten_folder_stays_out_with_all_that_comes_into_it(tmp_path: Path, notes: Path, secret: Path) -> None:
    with Library.open(tmp_path / "library") as library:
        library.add([notes])
        assert library.forget(notes / "house", verify=True).files == 3
        (notes / "house" / "new.txt").write_text("The attic was swept.")
        assert library.sync().added == 0
        (notes / "attic.txt").write_text("The attic was painted.")
        assert library.sync().added == 1


def test_a_forgotten_source_leaves_nothing_at_all(tmp_path: Path, notes: Path, secret: Path) -> None:
    with Library.open(tmp_path / "library") as library:
        library.add([notes])
        done = library.forget(notes, verify=True)
        assert (done.files, done.found_after, library.sources(), library.status().passages) == (6, 0, [], 0)
        assert str(notes).encode() not in bytes_of(tmp_path / "library")
        # the jobs are remembered, without names
        assert [job.places for job in library.jobs()] == [(jobs.GONE,)]


def test_what_other_documents_share_is_no_trace(tmp_path: Path, notes: Path, secret: Path) -> None:
    copy = notes / "copy.md"
    shutil.copy(secret, copy)
    with Library.open(tmp_path / "library") as library:
        library.add([notes])
        done = library.forget(secret, verify=True)
        assert 0 < done.found_after == done.shared < done.canaries
        assert library.forget(copy, verify=True).found_after == 0
        assert b"emerald" not in bytes_of(tmp_path / "library")


def test_failed_files_and_attachments_are_forgotten_from_the_jobs(tmp_path: Path, notes: Path) -> None:
    (notes / "tax-return-2031.pdf").write_bytes(b"%PDF-1.4 broken")
    with Library.open(tmp_path / "library") as library:
        library.add([notes])
        done = library.forget(notes / "tax-return-2031.pdf", verify=True)
        assert (done.files, done.documents, done.job_records) == (1, 0, 1)
    assert b"tax-return-2031" not in bytes_of(tmp_path / "library")


def test_the_vectors_of_another_encoder_are_forgotten_too(
    tmp_path: Path, notes: Path, secret: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent / "data"))
    with Library.open(tmp_path / "library") as library:
        library.add([notes])
        library.reindex(encoder="other_encoder:Shorter")
        asked = library._parts.vectors.fetch(np.array(sorted(library._parts.catalog.passage_ids().tolist())))
        done = library.forget(secret, verify=True)
        assert done.found_before == done.canaries
        assert done.found_after == 0
        assert len(asked) > len(library._parts.vectors.ids())
        assert all(check.ok for check in library.doctor())


def test_a_trace_that_stays_is_told(tmp_path: Path, notes: Path, secret: Path) -> None:
    """Somebody's copy in the library folder is found: the proof is a search, not a promise."""
    with Library.open(tmp_path / "library") as library:
        library.add([notes])
        (tmp_path / "library" / "vectors" / "left.bin").write_bytes(b"\0" * 1001 + SECRET.encode() + b"\0")
        with pytest.raises(
            LibraryError, match=r"not everything was erased: text .* in vectors/left.bin, byte 1,\d\d\d"
        ):
            library.forget(secret, verify=True)


def test_the_search_finds_canaries_wherever_they_stand(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    data = bytearray(rng.integers(0, 256, 3_000_001, np.uint8).tobytes())
    canaries = [Canary("text", rng.integers(0, 256, 8 + number, np.uint8).tobytes(), b"") for number in range(40)]
    places = {}
    for number, canary in enumerate(canaries[:39]):
        at = 1_000 + number * 70_001
        data[at : at + len(canary.data)] = canary.data
        places[canary] = f"blob, byte {at:,}"
    (tmp_path / "blob").write_bytes(data)
    assert _search(tmp_path, canaries, lambda _: None) == places


def test_a_canary_across_two_pieces_of_a_file_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quoth.forget.PIECE", 64)
    canary = Canary("text", b"0123456789abcdef", b"")
    for at in range(40, 80):
        (tmp_path / "blob").write_bytes(b"." * at + canary.data + b"." * 100)
        assert _search(tmp_path, [canary], lambda _: None)[canary] == f"blob, byte {at}"


def test_what_is_not_there_cannot_be_forgotten(tmp_path: Path, notes: Path) -> None:
    seen: list[Progress] = []
    with Library.open(tmp_path / "library") as library:
        library.add([notes])
        with pytest.raises(NotFound):
            library.forget(tmp_path / "elsewhere", watch=seen.append)
        assert library.status().files == 5
        library.remove(notes / "garden.md")
        with pytest.raises(NotFound) as removed:
            library.forget(notes / "garden.md")
        assert removed.value.hint and "add it again, then forget it" in removed.value.hint


def test_a_forget_that_was_cut_off_is_finished_by_whoever_writes_next(
    tmp_path: Path, notes: Path, secret: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(*_: object) -> None:
        raise KeyboardInterrupt

    with Library.open(tmp_path / "library") as library:
        library.add([notes])
        with monkeypatch.context() as patched:
            patched.setattr("quoth.forget.erase_removed", cut)
            with pytest.raises(KeyboardInterrupt):
                library.forget(secret)
        assert b"heirloom"[:7] in bytes_of(tmp_path / "library")
        assert [check.repair for check in library.doctor() if check.name == "forget"] == ["quoth sync"]
        report = library.sync()
        assert "erased now" in report.notes[0]
        assert [one.path for one in report.skipped] == [str(secret)]
        assert b"heirloom"[:7] not in bytes_of(tmp_path / "library")
        assert all(check.ok for check in library.doctor())
