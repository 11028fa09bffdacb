"""A question to hits: both indexes are asked, their scores fused, copies folded."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from quoth import exact, rank
from quoth.catalog import Catalog, FoundPassage
from quoth.parts import Parts
from quoth.recipe import Recipe
from quoth.types import Filters, Hit, Ranked

if TYPE_CHECKING:
    from quoth.types import Floats, Ids

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
    within = exact.within(parts, filters)
    depth = max(recipe.depth, k)  # that of the recipe, so that a longer list begins as a shorter one does
    asked: Floats | None = None
    named: dict[int, float] = {}
    while True:
        # the words need no vector of the question: they are looked up here while it is made beside
        beside = _beside().submit(_by_vectors, parts, question, asked, depth, within, "vectors" not in missing)
        by_words = _nothing() if "words" in missing else parts.words.search(question, depth, within)
        # what an index still holds of a document that is gone is no hit: the catalog does not know it
        _name(named, parts.catalog, question, by_words.ids)
        asked, by_vectors = beside.result()
        others = np.setdiff1d(by_vectors.ids, by_words.ids)
        scored = None if "words" in missing else _beside().submit(parts.words.score, question, others)
        _name(named, parts.catalog, question, others)
        near = _pairs(by_vectors.ids, by_vectors.scores)
        if "vectors" not in missing:
            far = np.setdiff1d(by_words.ids, by_vectors.ids)
            near |= _pairs(far, np.einsum("ij,j->i", parts.vectors.fetch(far), asked))
        words = _pairs(by_words.ids, by_words.scores)
        words |= _pairs(others, scored.result() if scored else np.zeros(len(others), np.float32))
        ids = sorted(one for one in words if one in named)
        columns = (np.array([each.get(one, 0.0) for one in ids], np.float32) for each in (words, near, named))
        candidates = rank.Candidates(np.array(ids, np.int64), *columns)
        hits = _ranked(question, k, candidates, recipe.fusion, parts.catalog.passages)
        if len(hits) >= k or depth >= (parts.catalog.counts()["passages"] if within is None else len(within)):
            return Found(asked, by_words, by_vectors, tuple(hits))
        depth *= 2


def _by_vectors(
    parts: Parts, question: str, asked: Floats | None, depth: int, within: Ids | None, there: bool
) -> tuple[Floats, Ranked]:
    """The vector of the question, made unless it is known, and what lies near it, if the index is `there`."""
    vector = parts.encoder.encode([question])[0] if asked is None else asked
    return vector, parts.vectors.search(vector, depth, within) if there else _nothing()


def _name(named: dict[int, float], catalog: Catalog, question: str, ids: Ids) -> None:
    """Adds to `named`, for ids that the catalog knows, whether a name of theirs stands in the question: 0 or 1."""
    found = catalog.candidates([one for one in ids.tolist() if one not in named])
    says = rank.match(question, [f"{one.context}\n{one.path.rpartition(os.sep)[2]}" for one in found])
    named.update(zip((one.id for one in found), says.tolist(), strict=True))


def _pairs(ids: Ids, values: Floats) -> dict[int, float]:
    return dict(zip(ids.tolist(), values.tolist(), strict=True))


@cache
def _beside() -> ThreadPoolExecutor:
    """Threads for the half of a search that runs beside the other one."""
    return ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="quoth-beside")


def _nothing() -> Ranked:
    return Ranked(np.empty(0, np.int64), np.empty(0, np.float32))


def _ranked(question: str, k: int, candidates: rank.Candidates, weights: rank.Weights, fetch: _Fetch) -> list[Hit]:
    """The first k candidates as hits, in the order of their fused scores, copies folded into the best of them."""
    places, scores = rank.order(candidates, weights, question)
    passages: list[FoundPassage] = []

    def texts() -> Iterator[str]:
        # most candidates are never looked at: the text of some comes from the catalog at once
        ids, count = candidates.ids[places].tolist(), k + MORE
        while len(passages) < len(ids):
            some = ids[len(passages) : len(passages) + count]
            known = fetch(some)
            for one in some:
                passages.append(known[one])
                yield known[one].text
            count *= 2

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
