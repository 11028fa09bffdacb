import os
import signal
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from quoth.errors import LibraryError, ReadOnly
from quoth.vectors import TurboVectors


def unit(rng: np.random.Generator, rows: int, dimensions: int = 32, groups: int = 0) -> np.ndarray:
    vectors = rng.normal(size=(rows, dimensions))
    if groups:
        vectors = rng.normal(size=(groups, dimensions))[rng.integers(0, groups, rows)] + 0.6 * vectors
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def exact(vectors: np.ndarray, query: np.ndarray, k: int) -> list[int]:
    scores = np.einsum("ij,j->i", vectors.astype(np.float16).astype(np.float32), query)
    return (np.lexsort((np.arange(len(vectors)), -scores))[:k] + 1).tolist()


def test_recall_of_ten_is_at_least_99_percent_of_exact(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    vectors = unit(rng, 8_000, 384, groups=300)
    store = TurboVectors(tmp_path, 384)
    store.add(np.arange(1, 8_001), vectors)
    shares = []
    for query in unit(rng, 40, 384) + 2 * vectors[:40]:
        query = query / np.linalg.norm(query)
        found = store.search(query, 10).ids.tolist()
        shares.append(len(set(found) & set(exact(vectors, query, 10))) / 10)
    assert np.mean(shares) >= 0.99


def test_codes_and_scan_give_the_same_order_and_scores(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    vectors = unit(rng, 3_000, groups=100)
    store = TurboVectors(tmp_path, 32)
    store.add(np.arange(1, 3_001), vectors)
    first, second = store.search(vectors[7], 5), store.search(vectors[7], 5)
    assert store._codes is not None
    assert first.ids.tolist() == second.ids.tolist() == exact(vectors, vectors[7], 5)
    assert first.scores.tolist() == second.scores.tolist()


def test_more_copies_than_candidates_are_ordered_by_id(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    vectors = unit(rng, 4_000)
    vectors[1_000:1_500] = vectors[1_000]
    store = TurboVectors(tmp_path, 32)
    store.add(np.arange(1, 4_001), vectors)
    for _ in range(2):
        assert store.search(vectors[1_000], 5).ids.tolist() == [1_001, 1_002, 1_003, 1_004, 1_005]


@pytest.mark.parametrize("share", [0.01, 0.3, 0.5, 0.9, 1.0])
def test_filters_of_every_width_give_the_exact_best(tmp_path: Path, share: float) -> None:
    rng = np.random.default_rng(4)
    vectors = unit(rng, 5_000, groups=100)
    store = TurboVectors(tmp_path, 32)
    store.add(np.arange(1, 5_001), vectors)
    within = np.sort(rng.choice(5_000, int(5_000 * share), replace=False)) + 1
    wanted = within[np.array(exact(vectors[within - 1], vectors[9], 10)) - 1].tolist()
    for _ in range(2):
        assert store.search(vectors[9], 10, within).ids.tolist() == wanted


def test_a_reader_sees_what_another_object_adds_removes_and_compacts(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    vectors = unit(rng, 3_000)
    writer = TurboVectors(tmp_path, 32)
    reader = TurboVectors(tmp_path, 32, readonly=True)
    writer.add(np.arange(1, 2_001), vectors[:2_000])
    assert reader.search(vectors[5], 1).ids.tolist() == [6]
    assert reader.search(vectors[5], 1).ids.tolist() == [6]
    writer.add(np.arange(2_001, 3_001), vectors[2_000:])
    assert reader.search(vectors[2_500], 1).ids.tolist() == [2_501]
    writer.remove(np.arange(1, 1_501))
    assert writer._exact.state.generation == 2
    assert reader.ids().tolist() == list(range(1_501, 3_001))
    assert reader.search(vectors[2_500], 1).ids.tolist() == [2_501]
    assert 6 not in reader.search(vectors[5], 50).ids


def test_codes_that_lag_behind_are_caught_up_when_opened(tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    vectors = unit(rng, 2_100)
    store = TurboVectors(tmp_path, 32)
    store.add(np.arange(1, 2_001), vectors[:2_000])
    store.add(np.arange(2_001, 2_101), vectors[2_000:])
    store.add(np.array([3]), vectors[2_050:2_051])
    store.remove(np.array([2_051]))
    assert store._exact.state.applied == 2_000
    again = TurboVectors(tmp_path, 32, readonly=True)
    for _ in range(2):
        assert again.search(vectors[2_050], 1).ids.tolist() == [3]
    assert len(again._codes or ()) == 2_101


@pytest.mark.parametrize("harm", ["missing", "torn"])
def test_damaged_codes_are_made_again_from_the_rows(tmp_path: Path, harm: str) -> None:
    vectors = unit(np.random.default_rng(7), 2_000)
    TurboVectors(tmp_path, 32).add(np.arange(1, 2_001), vectors)
    codes = tmp_path / "codes-1.tq"
    codes.write_bytes(codes.read_bytes()[: 5_000 if harm == "torn" else 0])
    if harm == "missing":
        codes.unlink()
    store = TurboVectors(tmp_path, 32)
    for _ in range(2):
        assert store.search(vectors[11], 1).ids.tolist() == [12]
    store.add(np.arange(2_001, 4_001), vectors)
    assert TurboVectors(tmp_path, 32).search(vectors[11], 2).ids.tolist() == [12, 2_012]


@pytest.mark.parametrize("name", ["state.json", "log-1.i64", "rows-1.f16"])
def test_a_missing_file_names_the_command_that_repairs_it(tmp_path: Path, name: str) -> None:
    TurboVectors(tmp_path, 32).add(np.array([1, 2]), unit(np.random.default_rng(8), 2))
    (tmp_path / name).unlink()
    with pytest.raises(LibraryError) as caught:
        TurboVectors(tmp_path, 32, readonly=True)
    assert caught.value.hint == "quoth reindex --vectors"


@pytest.mark.parametrize("name", ["state.json", "rows-1.f16"])
def test_a_torn_file_names_the_command_that_repairs_it(tmp_path: Path, name: str) -> None:
    TurboVectors(tmp_path, 32).add(np.array([1, 2]), unit(np.random.default_rng(9), 2))
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:10])
    with pytest.raises(LibraryError) as caught:
        TurboVectors(tmp_path, 32)
    assert caught.value.hint == "quoth reindex --vectors"


def test_other_dimensions_than_those_on_disk_are_refused(tmp_path: Path) -> None:
    TurboVectors(tmp_path, 32)
    with pytest.raises(LibraryError, match="32-dimensional"):
        TurboVectors(tmp_path, 64)


def test_a_reader_cannot_write(tmp_path: Path) -> None:
    TurboVectors(tmp_path, 32)
    with pytest.raises(ReadOnly):
        TurboVectors(tmp_path, 32, readonly=True).add(np.array([1]), unit(np.random.default_rng(0), 1))


def test_a_half_written_log_entry_is_ignored_and_overwritten(tmp_path: Path) -> None:
    vectors = unit(np.random.default_rng(10), 4)
    TurboVectors(tmp_path, 32).add(np.array([1, 2]), vectors[:2])
    for name, torn in (("log-1.i64", b"\x03\x00\x00"), ("rows-1.f16", b"\x01" * 71)):
        with (tmp_path / name).open("ab") as file:
            file.write(torn)
    store = TurboVectors(tmp_path, 32)
    assert store.ids().tolist() == [1, 2]
    store.add(np.array([3, 4]), vectors[2:])
    again = TurboVectors(tmp_path, 32)
    assert again.ids().tolist() == [1, 2, 3, 4]
    assert np.abs(again.fetch(np.array([4]))[0] - vectors[3]).max() < 1e-3


def test_files_are_for_their_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "vectors"
    TurboVectors(folder, 32).add(np.arange(2_000), unit(np.random.default_rng(11), 2_000))
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert (folder / "codes-1.tq").exists()


def test_threads_search_with_filters_while_another_adds_and_removes(tmp_path: Path) -> None:
    rng = np.random.default_rng(12)
    vectors = unit(rng, 12_000)
    store = TurboVectors(tmp_path, 32)
    store.add(np.arange(1, 4_001), vectors[:4_000])
    within = np.arange(1, 3_001)
    wanted = [exact(vectors[:3_000], query, 5) for query in vectors[:20]]

    def ask(turn: int) -> bool:
        return store.search(vectors[turn % 20], 5, within).ids.tolist() == wanted[turn % 20]

    with ThreadPoolExecutor(3) as threads:
        asked = threads.map(ask, range(300))
        for first in range(4_001, 12_001, 500):
            store.add(np.arange(first, first + 500), vectors[first - 1 : first + 499])
            store.remove(np.arange(first, first + 250))
        assert all(asked)
    assert store._exact.state.generation > 1


def test_codes_of_the_format_before_are_replaced(tmp_path: Path) -> None:
    vectors = unit(np.random.default_rng(13), 2_000)
    TurboVectors(tmp_path, 32).add(np.arange(1, 2_001), vectors)
    (tmp_path / "codes-1.tq").rename(tmp_path / "codes.tv")
    reader = TurboVectors(tmp_path, 32, readonly=True)
    for _ in range(2):
        assert reader.search(vectors[11], 1).ids.tolist() == [12]
    TurboVectors(tmp_path, 32).remove(np.array([5]))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["codes-1.tq", "log-1.i64", "rows-1.f16", "state.json"]


KILLED = """
    import sys, numpy as np
    from pathlib import Path
    from quoth.vectors import TurboVectors
    store = TurboVectors(Path(sys.argv[1]), 32)
    rng = np.random.default_rng(int(sys.argv[2]))
    first = int(store.ids()[-1]) + 1 if len(store.ids()) else 1
    while True:
        vectors = np.eye(32, dtype=np.float32)[np.arange(first, first + 600) % 32]
        store.add(np.arange(first, first + 600), vectors)
        store.remove(np.arange(first, first + 200))
        print(first, flush=True)
        first += 600
"""


def test_kill_9_during_adds_loses_nothing_that_was_reported(tmp_path: Path) -> None:
    source = Path(__file__).parents[2] / "src"
    for turn in range(5):
        process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(KILLED), str(tmp_path), str(turn)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(source)},
        )
        assert process.stdout
        seen = [int(process.stdout.readline()) for _ in range(2 + turn)]
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        store = TurboVectors(tmp_path, 32)
        ids = store.ids()
        reported = np.concatenate([np.arange(first + 200, first + 600) for first in seen])
        assert np.isin(reported, ids).all()
        assert (store.fetch(ids).argmax(axis=1) == ids % 32).all()
        for _ in range(2):
            best = store.search(np.eye(32, dtype=np.float32)[5], 3)
            assert best.ids.tolist() == ids[ids % 32 == 5][:3].tolist()
