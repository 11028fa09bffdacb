"""Threads that ask at once are encoded together: each gets its own vectors, and an error only those it meets."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from time import sleep

import numpy as np
import pytest

from quoth.embed import together
from quoth.embed.packaged import PackagedEncoder
from quoth.embed.together import Together

WORDS = [
    "rain",
    "wind",
    "snow",
    "hail",
    "storm",
    "cloud",
    "river",
    "harbour",
    "ferry",
    "tide",
    "crane",
    "quay",
    "mast",
    "sail",
    "rope",
    "keel",
]


def sentences(seed: int, count: int) -> list[str]:
    draw = np.random.default_rng(seed)
    return [" ".join(draw.choice(WORDS, size=draw.integers(1, 60))) for _ in range(count)]


@pytest.fixture(scope="module")
def encoder() -> PackagedEncoder:
    return PackagedEncoder()


@pytest.fixture
def model(encoder: PackagedEncoder) -> Together:
    return Together(encoder._model, encoder.dimensions)


def test_every_thread_gets_the_vectors_of_its_own_texts(encoder: PackagedEncoder, model: Together) -> None:
    rows = [encoder._ids(sentences(seed, 1 + seed % 24)) for seed in range(60)]
    alone = [model.run(one) for one in rows]
    for _ in range(2):
        with ThreadPoolExecutor(12) as threads:
            at_once = list(threads.map(model.run, rows))
        for expected, found in zip(alone, at_once, strict=True):
            assert found.shape == expected.shape
            assert float((found * expected).sum(axis=1).min()) >= 0.9999
    assert not model._waiting
    assert not model._asleep


def all_wait(model: Together) -> bool:
    """Whether the rows of eight threads wait, and the threads too: for no request is idle."""
    with model._lock:
        return sum(map(len, model._waiting.values())) == len(model._asleep) == 8


def test_rows_of_several_threads_share_an_inference(
    encoder: PackagedEncoder, model: Together, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    make = together.inputs

    def counted(rows: list[list[int]]) -> dict[str, np.ndarray]:
        sizes.append(len(rows))
        return make(rows)

    monkeypatch.setattr(together, "inputs", counted)
    rows = encoder._ids(["the rain on the harbour"])
    requests, ready = [model._idle.popleft() for _ in range(len(model._idle))], threading.Barrier(9)

    def ask() -> None:
        ready.wait()
        model.run(rows)

    with ThreadPoolExecutor(8) as threads:
        asked = [threads.submit(ask) for _ in range(8)]
        ready.wait()
        while not all_wait(model):
            sleep(0.01)
        with model._lock:
            model._idle.extend(requests)
            model._wake(model._asleep[0])
        for one in asked:
            one.result()
    assert sizes == [8]


def test_an_inference_holds_no_more_tokens_than_allowed(
    encoder: PackagedEncoder, model: Together, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(together, "TOKENS", 100)
    rows = encoder._ids(sentences(1, 40))
    assert max(map(len, rows)) > 50
    shapes: list[tuple[int, ...]] = []
    make = together.inputs

    def noted(some: list[list[int]]) -> dict[str, np.ndarray]:
        made = make(some)
        shapes.append(made["ids"].shape)
        return made

    monkeypatch.setattr(together, "inputs", noted)
    vectors = model.run(rows)
    assert sum(count for count, _ in shapes) == 40
    assert all(count == 1 or count * length <= 100 for count, length in shapes)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-4)


def test_a_failure_reaches_who_asked_and_the_next_one_is_served(encoder: PackagedEncoder, model: Together) -> None:
    idle = len(model._idle)
    good = encoder._ids(sentences(2, 5))
    expected = model.run(good)
    with pytest.raises(OverflowError):
        model.run([[101, 2**40, 102], *good])
    assert len(model._idle) == idle
    assert not model._waiting
    assert np.array_equal(model.run(good), expected)


def test_a_failure_of_one_thread_leaves_no_other_waiting(encoder: PackagedEncoder, model: Together) -> None:
    good = [encoder._ids(sentences(seed, 6)) for seed in range(40)]
    bad = [[[101, *[2000] * 70, 2**40, 102]]] * 20  # of a length of their own

    def ask(rows: list[list[int]]) -> str:
        try:
            return str(len(model.run(rows)))
        except OverflowError:
            return "failed"

    with ThreadPoolExecutor(8) as threads:
        said = list(threads.map(ask, [*good, *bad]))
    assert said == ["6"] * 40 + ["failed"] * 20
    assert not model._waiting
