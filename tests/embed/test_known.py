"""Vectors that are kept: which, how many, and that nothing else comes out than went in."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from quoth.embed.known import Known
from quoth.embed.packaged import FEW, PackagedEncoder


def rows(count: int) -> np.ndarray:
    return np.random.default_rng(count).normal(size=(count, 8)).astype(np.float32)


def test_a_text_has_the_vector_that_was_kept_for_it() -> None:
    known, vectors = Known(), rows(3)
    known.keep(["one", "two", "\udcff"], vectors)
    found = known.find(["two", "three", "\udcff", "two"])
    assert found[1] is None
    for one, place in ((found[0], 1), (found[2], 2), (found[3], 1)):
        assert one is not None
        assert np.array_equal(one, vectors[place])


def test_a_kept_vector_is_a_copy_that_holds_nothing_else_in_memory() -> None:
    known, vectors = Known(), rows(2)
    known.keep(["one", "two"], vectors)
    expected = vectors[0].copy()
    vectors[:] = 0
    (found,) = known.find(["one"])
    assert found is not None
    assert found.base is None
    assert np.array_equal(found, expected)


def test_beyond_the_most_those_used_longest_ago_are_forgotten() -> None:
    known = Known(most=3)
    known.keep(["a", "b", "c"], rows(3))
    known.find(["a"])
    known.keep(["d"], rows(1))
    assert [one is not None for one in known.find(["a", "b", "c", "d"])] == [True, False, True, True]
    known.keep([str(number) for number in range(100)], rows(100))
    assert len(known) == 3


def test_many_threads_keep_and_find_at_once() -> None:
    known, vectors = Known(most=50), rows(200)
    texts = [str(number) for number in range(200)]

    def work(start: int) -> None:
        for first in range(start, 200, 10):
            known.keep(texts[first : first + 10], vectors[first : first + 10])
            for place, found in enumerate(known.find(texts)):
                assert found is None or np.array_equal(found, vectors[place])

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(work, range(10)))
    assert len(known) == 50


def test_a_known_text_gets_the_very_bits_that_it_had() -> None:
    encoder = PackagedEncoder()
    texts = [f"sentence {number} about rain" + " and wind" * (number % 9) for number in range(FEW)]
    first = encoder.encode(texts)
    assert np.array_equal(encoder.encode(texts), first)
    mixed = [texts[3], "a new one", texts[3], texts[0], "a new one"]
    again = encoder.encode(mixed)
    assert np.array_equal(again[[0, 2, 3]], first[[3, 3, 0]])
    assert np.array_equal(again[1], again[4])
    assert np.array_equal(encoder.encode(["a new one"]), again[[1]])


def test_what_is_done_to_a_vector_does_not_change_the_next_answer() -> None:
    encoder = PackagedEncoder()
    vectors = encoder.encode(["rain", "wind"])
    expected = vectors.copy()
    vectors[:] = 0
    assert np.array_equal(encoder.encode(["rain", "wind"]), expected)


def test_vectors_of_many_texts_are_not_kept() -> None:
    encoder = PackagedEncoder()
    encoder.encode([f"passage {number}" for number in range(FEW + 1)])
    assert len(encoder._known) == 0
    encoder.encode(["question"])
    assert len(encoder._known) == 1


def test_no_text_is_an_empty_matrix() -> None:
    assert PackagedEncoder().encode([]).shape == (0, 384)
