"""Candidates → their order: what words, vectors and names say about each passage, fused.

Pure NumPy on arrays of equal length; nothing here reads a file or an index.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
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
    """Every number that the order depends on; how they were chosen is in models/README.md.

    `words`, `vectors` and `match` multiply the parts of the sum. From `alike` on, the share of their
    three-word runs that two passages have in common, they count as one; above 1 none do.
    """

    words: float = 0.4
    vectors: float = 0.6
    match: float = 0.3
    adapt: float = 1.0
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


def order(candidates: Candidates, weights: Weights) -> tuple[Places, Floats]:
    """Places of the candidates best first, and the score of each in that order; equal scores by id."""
    fused = (
        weights.words * standardised(candidates.words)
        + weights.vectors * standardised(candidates.vectors)
        + weights.match * np.asarray(candidates.match, np.float64)
    )
    scores = np.round(fused, 5).astype(np.float32)
    places = np.lexsort((candidates.ids, -scores))
    return places, scores[places]


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
    whole = {context: any(_named(name, asked) for name in _PARTS.split(context)) for context in set(contexts)}
    return np.array([whole[context] for context in contexts], np.float32)


def fold(texts: Sequence[str], weights: Weights, k: int | None = None) -> list[int]:
    """The places of the texts that repeat none before them, the first k of these.

    Texts come best first, so that the best of a group stays. Two repeat each other when their words
    are the same, or nearly the same while their numbers are: a fact is often in its number.
    """
    kept: list[int] = []
    seen: set[str] = set()
    holding: dict[str, list[int]] = {}
    runs: dict[int, tuple[int, list[str]]] = {}
    for place, text in enumerate(texts):
        if len(kept) == k:
            break
        words = _plain(text)
        mine = {" ".join(words[at : at + 3]) for at in range(max(1, len(words) - 2))}
        numbers = _NUMBERS.findall(text)
        common = Counter(other for run in mine for other in holding.get(run, ()))
        repeats = " ".join(words) in seen or any(
            count >= weights.alike * (len(mine) + runs[other][0] - count) and numbers == runs[other][1]
            for other, count in common.items()
        )
        if weights.alike > 1 or not repeats:
            kept.append(place)
            seen.add(" ".join(words))
            runs[place] = len(mine), numbers
            for run in mine:
                holding.setdefault(run, []).append(place)
    return kept


def _plain(text: str) -> list[str]:
    return _WORDS.findall(unicodedata.normalize("NFKC", text).casefold())


def _topics(text: str) -> frozenset[str]:
    """The beginnings of its words that have a topic."""
    split = re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", text)
    return frozenset(word[:STEM] for word in _plain(split) if word not in _NO_TOPIC)


def _named(name: str, asked: frozenset[str]) -> bool:
    topics = _topics(_ENDING.sub("", name))
    return len(topics) >= NAMED and topics <= asked
