"""Executable contracts: what every part behind a seam must do, run on anyone's own class."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from quoth.types import Encoder, Ids, Vectors, Words


def check_vectors(make: Callable[[Path, int], Vectors], folder: Path) -> None:
    """Raises AssertionError where a vector store breaks the contract of `types.Vectors`.

    `make(folder, dimensions)` opens the store in `folder`; opening the same folder again finds what
    is there. Every result is held against a plain NumPy computation.
    """
    import numpy as np

    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(60, 16)).astype(np.float32)
    vectors[40:50] = vectors[40]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    ids = np.arange(3, 183, 3)
    store, empty = make(folder / "full", 16), make(folder / "empty", 16)
    query = vectors[7]

    def same(held: dict[int, NDArray[np.float32]], k: int, within: Ids | None = None) -> None:
        """Whether search gives the k best of `held`, and `ids` and `fetch` tell the same story."""
        among = [one for one in sorted(held) if within is None or one in within]
        scores = {one: float(held[one] @ query) for one in among}
        wanted = sorted(among, key=lambda one: (-round(scores[one], 3), one))[:k]
        found = store.search(query, k, within)
        assert found.ids.dtype == np.int64, "ids are int64"
        assert found.scores.dtype == np.float32, "scores are float32"
        assert len(found.ids) == len(found.scores) == min(k, len(among)), "k hits when k exist"
        assert set(found.ids.tolist()) <= set(among), "nothing outside `within`, nothing removed"
        assert np.allclose(found.scores, [scores[one] for one in found.ids.tolist()], atol=2e-3), "cosines"
        assert np.allclose(found.scores, [scores[one] for one in wanted], atol=2e-3), "the best k, best first"
        order = list(zip((-found.scores).tolist(), found.ids.tolist(), strict=True))
        assert order == sorted(order), "equal scores in order of id"
        assert store.ids().tolist() == sorted(held), "ids are all that is held, sorted"
        fetched = store.fetch(np.array(sorted(held)))
        assert np.allclose(fetched, [held[one] for one in sorted(held)], atol=2e-3), "fetch"

    assert not len(empty.search(query, 5).ids), "an empty store has no hits"
    assert empty.fetch(np.array([1, 2])).shape == (2, 16), "unknown ids fetch zeros"
    assert not len(empty.ids()), "an empty store has no ids"
    empty.remove(np.array([1]))
    held = dict(zip(ids.tolist(), vectors, strict=True))
    for half in (slice(0, 30), slice(30, 60)):
        store.add(ids[half], vectors[half])
    for k in (0, 1, 10, 60, 1_000):
        same(held, k)
    same(held, 5, ids[20:40])
    for within in ([4, 6, 9, 10_000], [1, 2]):
        same(held, 5, np.array(within))
    assert store.search(vectors[40], 4).ids.tolist() == ids[40:44].tolist(), "equal vectors in order of id"
    assert not store.fetch(np.array([4, 5])).any(), "unknown ids fetch zeros"
    store.add(ids[:2], vectors[58:])
    held |= dict(zip(ids[:2].tolist(), vectors[58:], strict=True))
    same(held, 60)
    store.remove(np.array([1, *ids[10:45].tolist()]))
    held = {one: vector for one, vector in held.items() if one not in ids[10:45]}
    same(held, 60)
    store.add(ids[12:13], vectors[12:13])
    held[int(ids[12])] = vectors[12]
    same(held, 60)
    store = make(folder / "full", 16)
    same(held, 60)
    same(held, 3, ids[5:20])


def check_words(make: Callable[[Path], Words], folder: Path) -> None:
    """Raises AssertionError where a word index breaks the contract of `types.Words`.

    `make(folder)` opens the index in `folder`; opening the same folder again finds what is there.
    """
    import numpy as np

    store, empty = make(folder / "full"), make(folder / "empty")
    texts = {one: f"granite number{one} " + "granite " * (one % 4) + "moss " * (one % 2) for one in range(3, 183, 3)}
    texts |= dict.fromkeys((150, 153, 156), "granite")
    assert not len(empty.search("granite", 5).ids), "an empty index has no hits"
    assert not empty.score("granite", np.array([1, 2])).any(), "an empty index scores 0"
    assert not len(empty.ids()), "an empty index has no ids"
    empty.remove(np.array([1]))
    first, second = sorted(texts)[:30], sorted(texts)[30:]
    for some in (first, second):
        store.add(np.array(some), [texts[one] for one in some], ["en"] * len(some))
    for k in (0, 1, 10, 60, 1_000):
        _same_words(store, texts, "granite", k)
    _same_words(store, texts, "moss", 1_000)
    _same_words(store, texts, "granite", 5, np.array(first[10:]))
    _same_words(store, texts, "moss", 5, np.array([4, 6, 9, 10_000]))
    _same_words(store, texts, "granite", 5, np.array([1, 2]))
    assert not len(store.search("basalt", 5).ids), "a word that is nowhere has no hits"
    assert not store.score("granite", np.array([4, 5])).any(), "unknown ids score 0"
    for query in ("", " ", "\x00\ufffe\n", "AND OR NOT ((", '"', "text:*", "granite^9 +moss -wall"):
        store.search(query, 5)
    texts |= {3: "basalt", 6: "basalt moss"}
    store.add(np.array([3, 6]), [texts[3], texts[6]], ["en", ""])
    _same_words(store, texts, "granite", 60)
    _same_words(store, texts, "basalt", 60)
    for one in first[10:]:
        del texts[one]
    store.remove(np.array([1, *first[10:]]))
    _same_words(store, texts, "granite", 60)
    other = make(folder / "full")
    texts[999] = "schist"
    other.add(np.array([999]), ["schist"], ["en"])
    for index in (store, other):
        _same_words(index, texts, "schist", 5)


def _same_words(store: Words, texts: dict[int, str], word: str, k: int, within: Ids | None = None) -> None:
    """Raises unless search finds the k best passages with the word, and `score` and `ids` agree with it."""
    import numpy as np

    everything = np.array(sorted(texts), np.int64)
    scores = store.score(word, everything)
    given = dict(zip(everything.tolist(), scores.tolist(), strict=True))
    having = [one for one, text in texts.items() if word in text.split()]
    among = [one for one in having if within is None or one in within]
    found = store.search(word, k, within)
    assert found.ids.dtype == np.int64, "ids are int64"
    assert found.scores.dtype == scores.dtype == np.float32, "scores are float32"
    assert len(found.ids) == len(found.scores) == min(k, len(among)), "k hits when k exist"
    assert set(found.ids.tolist()) <= set(among), "only passages with the word, nothing outside `within`"
    order = list(zip((-found.scores).tolist(), found.ids.tolist(), strict=True))
    assert order == sorted(order), "best first, equal scores in order of id"
    assert {one for one, score in given.items() if score > 0} == set(having), "score is 0 without the word"
    assert np.allclose(found.scores, [given[one] for one in found.ids.tolist()], rtol=1e-4), "score is search's"
    best = sorted((given[one] for one in among), reverse=True)[:k]
    assert np.allclose(found.scores, best, rtol=1e-4), "the best k"
    assert store.ids().tolist() == everything.tolist(), "ids are all that is held, sorted"


def check_encoder(make: Callable[[], Encoder]) -> None:
    """Raises AssertionError where an encoder breaks the contract of `types.Encoder`.

    `make()` opens the encoder; a second one must give the same vectors under the same fingerprint.
    """
    import numpy as np

    texts = [
        "The boiler is serviced each October.",
        "",
        "a",
        "\U0001f331 seeds \U0001f469\u200d\U0001f33e",
        "\u0627\u0644\u0636\u0645\u0627\u0646 \u064a\u0646\u062a\u0647\u064a",
        "one long text " * 2_000,
        "line\r\nbreaks\tand\x00bytes",
        *(f"note {number}: {'rain and wind, ' * (number % 17)}" for number in range(60)),
    ]
    encoder = make()
    together = encoder.encode(texts)
    assert isinstance(encoder.fingerprint, str) and encoder.fingerprint, "a fingerprint is a name"
    assert together.shape == (len(texts), encoder.dimensions), "a row for each text"
    assert together.dtype == np.float32, "vectors are float32"
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-4), "vectors have unit length"
    assert encoder.encode([]).shape == (0, encoder.dimensions), "no texts, no rows"
    alone = np.vstack([encoder.encode([text]) for text in texts])
    assert (alone * together).sum(axis=1).min() >= 0.9999, "a vector depends on no other text, order is kept"
    backwards = encoder.encode(texts[::-1])[::-1]
    assert (backwards * together).sum(axis=1).min() >= 0.9999, "the order of the texts changes no vector"
    assert abs(float(together[0] @ together[2])) < 0.999, "different texts have different vectors"
    again = make()
    assert again.fingerprint == encoder.fingerprint, "the same encoder has the same fingerprint"
    assert (again.encode(texts) * together).sum(axis=1).min() >= 0.9999, "the same text has the same vector"
