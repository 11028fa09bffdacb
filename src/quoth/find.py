"""A question to hits: both indexes are asked, their scores fused, copies folded."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from quoth import rank
from quoth.catalog import FoundPassage
from quoth.parts import Parts
from quoth.recipe import Recipe
from quoth.types import Filters, Hit, Ranked

if TYPE_CHECKING:
    from quoth.types import Floats, Ids, Words

_Fetch = Callable[[Sequence[int]], dict[int, FoundPassage]]
MORE = 6
"""Texts that are fetched beyond the k that are wanted: so many copies are folded without asking again."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a question found: its vector, what each index brought, and the hits."""

    asked: Floats
    by_words: Ranked
    by_vectors: Ranked
    hits: tuple[Hit, ...]


def find(parts: Parts, question: str, k: int, filters: Filters | None, recipe: Recipe) -> Found:
    """k hits, best first, whenever k passages are left by the filters and no copies of others."""
    missing = parts.missing()
    within = parts.catalog.passage_ids(filters) if filters and filters != Filters() else None
    depth = max(recipe.depth, 2 * k)
    asked: Floats | None = None
    while True:
        # the words need no vector of the question: they are looked up while it is made
        beside = None if "words" in missing else _beside().submit(parts.words.search, question, depth, within)
        asked = parts.encoder.encode([question])[0] if asked is None else asked
        by_vectors = _nothing() if "vectors" in missing else parts.vectors.search(asked, depth, within)
        by_words = beside.result() if beside else _nothing()
        union = np.union1d(by_words.ids, by_vectors.ids)
        scored = None if "words" in missing else _beside().submit(_words, parts.words, question, union, by_words)
        # what an index still holds of a document that is gone is no hit: the catalog does not know it
        found = parts.catalog.candidates(union.tolist())
        ids = np.array([one.id for one in found], np.int64)
        vectors = np.zeros(len(ids), np.float32) if "vectors" in missing else parts.vectors.fetch(ids) @ asked
        match = rank.match(question, [f"{one.context}\n{one.path.rpartition(os.sep)[2]}" for one in found])
        words = scored.result()[np.isin(union, ids)] if scored else np.zeros(len(ids), np.float32)
        candidates = rank.Candidates(ids, words, vectors, match)
        hits = _ranked(question, k, candidates, recipe.weights, parts.catalog.passages)
        if len(hits) >= k or depth >= (parts.catalog.counts()["passages"] if within is None else len(within)):
            return Found(asked, by_words, by_vectors, tuple(hits))
        depth *= 4


def _words(words: Words, question: str, ids: Ids, known: Ranked) -> Floats:
    """The word score of each id: those that the words found have theirs."""
    order = np.argsort(known.ids)
    place = np.searchsorted(known.ids, ids, sorter=order)
    place = order[np.minimum(place, len(order) - 1)] if len(order) else np.zeros(len(ids), np.int64)
    hit = known.ids[place] == ids if len(order) else np.zeros(len(ids), bool)
    scores = np.zeros(len(ids), np.float32)
    scores[hit] = known.scores[place[hit]]
    scores[~hit] = words.score(question, ids[~hit])
    return scores


@cache
def _beside() -> ThreadPoolExecutor:
    """Threads for the half of a search that runs beside the other one."""
    return ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="quoth-words")


def _nothing() -> Ranked:
    return Ranked(np.empty(0, np.int64), np.empty(0, np.float32))


def _ranked(question: str, k: int, candidates: rank.Candidates, weights: rank.Weights, fetch: _Fetch) -> list[Hit]:
    """The first k candidates as hits, in the order of their fused scores, copies folded into the best of them."""
    places, scores = rank.order(candidates, weights, question)
    passages: list[FoundPassage] = []

    def texts() -> Iterator[str]:
        # most candidates are never looked at: the text of some comes from the catalog at once
        ids = candidates.ids[places].tolist()
        for first in range(0, len(ids), k + MORE):
            some = ids[first : first + k + MORE]
            known = fetch(some)
            for one in some:
                passages.append(known[one])
                yield known[one].text

    return [
        _hit(number, passages[at], scores[at], candidates.words[places[at]], candidates.vectors[places[at]])
        for number, at in enumerate(rank.fold(texts(), weights, k), 1)
    ]


def _hit(number: int, found: FoundPassage, score: np.float32, words: np.float32, vectors: np.float32) -> Hit:
    return Hit(
        rank=number, score=round(float(score), 6), passage=found.id, document=found.path, title=found.title,
        text=found.text, start=found.start, end=found.end, page=found.page, line=found.line, heading=found.heading,
        cells=found.cells, words=round(float(words), 6), vectors=round(float(vectors), 6),
    )  # fmt: skip
