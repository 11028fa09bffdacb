"""Candidates → their order: what words, vectors and names say about each passage, fused.

Pure NumPy on arrays of equal length; nothing here reads a file or an index.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from quoth.types import Floats, Ids

    Places = NDArray[np.intp]

_WORDS = re.compile(r"\w+")
_NUMBERS = re.compile(r"\d+")
_PARTS = re.compile(r"[\n›]")
_ENDING = re.compile(r"\.\w{1,5}\s*$")
_FIRST = re.compile(r"[ !-/:-@\[-^`{-~]*([A-Z]?[a-z]+)(?=[ ,;:!?()]|$)")
# Words without a topic, in questions and in titles.
_EMPTY = (
    "a an and are as at be been but by can could did do does for from had has have how i if in into is it its me my "
    "no not of on or our shall should so than that the their then there these this those to was we were what when "
    "where which who whom whose why will with would you your"
)
_NO_TOPIC = frozenset(_EMPTY.split())
STEM = 6
"""Letters by which a word of the question and one of a title are held against each other."""
NAMED = 2
"""Words that a title needs before its mention in a question tells anything."""


@dataclass(frozen=True, slots=True)
class Weights:
    """Every number that the order depends on; models/train_fusion.py says how they were chosen.

    words, vectors    their parts in the sum, moved from one to the other by `adapt` × the question's
                      `lean`, which adds up word_gap, vector_gap, vector_spread, centre and `foreign`
                      (the last for questions in another script than the packaged encoder's)
    furthest          the most that is moved
    match             what a name that stands in the question adds
    alike             from this share of common three-word runs two passages count as one; above 1 none do
    """

    words: float = 0.44
    vectors: float = 0.56
    adapt: float = 1.0
    word_gap: float = 0.106
    vector_gap: float = -0.073
    vector_spread: float = -0.155
    centre: float = -0.094
    foreign: float = 0.3
    furthest: float = 0.35
    match: float = 0.3
    alike: float = 0.9


@dataclass(frozen=True, slots=True)
class Candidates:
    """Passages that words or vectors found, each with both scores; all of shape (n,).

    `words` and `vectors` are BM25 and cosine, computed also where only the other index found the
    passage; `match` is what the function says of its names.
    """

    ids: Ids
    words: Floats
    vectors: Floats
    match: Floats


def order(candidates: Candidates, weights: Weights, question: str = "") -> tuple[Places, Floats]:
    """Places of the candidates best first, and the score of each in that order; equal scores by id.

    Both scores are standardised over the candidates and added, the surer of the two weighing more.
    """
    by_words, by_vectors = standardised(candidates.words), standardised(candidates.vectors)
    moved = weights.adapt * lean(candidates, weights, question) if weights.adapt else 0.0
    fused = (
        (weights.words + moved) * by_words
        + (weights.vectors - moved) * by_vectors
        + weights.match * np.asarray(candidates.match, np.float64)
    )
    scores = np.round(fused, 5).astype(np.float32)
    places = np.lexsort((candidates.ids, -scores))
    return places, scores[places]


def lean(candidates: Candidates, weights: Weights, question: str = "") -> float:
    """How far the question leans to words: above 0 their weight grows by this, below 0 it shrinks.

    Words are sure when the best BM25 stands far above the tenth. Cosines that lie close together
    come from a text that the encoder does not understand.
    """
    if not len(candidates.ids):
        return 0.0
    spread = np.asarray(candidates.vectors, np.float64).std()
    leaning = (
        weights.word_gap * _gap(candidates.words)
        + weights.vector_gap * _gap(candidates.vectors)
        + weights.vector_spread * np.log(max(10 * spread, 0.05))
        + weights.centre
        + weights.foreign * _other_script(question)
    )
    return float(np.clip(leaning, -weights.furthest, weights.furthest))


def _gap(scores: Floats) -> float:
    """Logarithm of the distance from the best to the tenth, in deviations."""
    best = np.sort(standardised(scores))[::-1][:10]
    return float(np.log(max(best[0] - best[-1], 0.05)))


def _other_script(question: str) -> bool:
    """Whether most letters are of another script than Latin."""
    letters = [letter for letter in question if letter.isalpha()]
    return sum(letter > "\u024f" for letter in letters) * 2 > len(letters)


def standardised(scores: Floats) -> NDArray[np.float64]:
    """(score - mean) / deviation, zeros where all are equal."""
    exact = np.asarray(scores, np.float64)
    spread = exact.std() if len(exact) else 0.0
    return (exact - exact.mean()) / spread if spread > 1e-9 else np.zeros(len(exact))


def match(question: str, contexts: Sequence[str]) -> Floats:
    """1 for each passage with a title, heading or file name that stands whole in the question, else 0.

    A context holds these names, parted by line breaks or "›". One that has fewer than two words with
    a topic does not count.
    """
    asked = _topics(question)
    names = {context: _PARTS.split(context) for context in set(contexts)}
    # one title stands in the contexts of many passages
    named = {name: _named(name, asked) for name in set(itertools.chain(*names.values()))}
    whole = {context: any(named[name] for name in each) for context, each in names.items()}
    return np.array([whole[context] for context in contexts], np.float32)


def fold(texts: Iterable[str], weights: Weights, k: int | None = None) -> list[int]:
    """The places of the texts that repeat none before them, the first k of these; the rest is not read.

    Texts come best first, so that the best of a group stays. Two repeat each other when their words
    are the same, or nearly the same while their numbers are: a fact is often in its number.
    """
    if weights.alike > 1:
        return [place for place, _ in zip(range(k) if k is not None else itertools.count(), texts, strict=False)]
    kept: list[int] = []
    seen: set[str] = set()
    runs: dict[tuple[str, ...], list[set[tuple[str, ...]]]] = {}
    for place, text in enumerate(texts if k != 0 else ()):
        words = _plain(text)
        plain = " ".join(words)
        if plain in seen:
            continue
        mine: set[tuple[str, ...]] = set(zip(words, words[1:], words[2:], strict=False)) or {tuple(words)}
        # only passages with the same numbers can be copies, and of them those of about the same length
        others = runs.setdefault(tuple(_NUMBERS.findall(text)), [])
        if not any(_repeats(mine, other, weights.alike) for other in others):
            kept.append(place)
            seen.add(plain)
            others.append(mine)
            if len(kept) == k:
                break
    return kept


def _repeats(some: set[tuple[str, ...]], others: set[tuple[str, ...]], alike: float) -> bool:
    """Whether two sets have at least this share in common."""
    if min(len(some), len(others)) < alike * max(len(some), len(others)):
        return False
    count = len(some & others)
    return 0 < count >= alike * (len(some) + len(others) - count)


def _plain(text: str) -> list[str]:
    return _WORDS.findall(text.lower() if text.isascii() else unicodedata.normalize("NFKC", text).casefold())


def _topics(text: str) -> frozenset[str]:
    """The beginnings of its words that have a topic."""
    split = re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", text)
    return frozenset(word[:STEM] for word in _plain(split) if word not in _NO_TOPIC)


@lru_cache(maxsize=65_536)
def _name_topics(name: str) -> frozenset[str]:
    """The topics of a title, heading or file name: the same few come up in every search."""
    return _topics(_ENDING.sub("", name))


def _named(name: str, asked: frozenset[str]) -> bool:
    # most names are told apart by their first word, where that is plain
    first = _FIRST.match(name)
    if first and (word := first[1].lower()) not in _NO_TOPIC and word[:STEM] not in asked:
        return False
    topics = _name_topics(name)
    return len(topics) >= NAMED and topics <= asked
