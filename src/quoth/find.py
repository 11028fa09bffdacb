"""A question to hits: both indexes are asked, their scores fused, copies folded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from quoth import rank
from quoth.catalog import FoundPassage
from quoth.parts import Parts
from quoth.recipe import Recipe
from quoth.types import Filters, Hit, Ranked

if TYPE_CHECKING:
    from quoth.types import Floats


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
    asked = parts.encoder.encode([question])[0]
    within = parts.catalog.passage_ids(filters) if filters and filters != Filters() else None
    depth = max(recipe.depth, 2 * k)
    while True:
        by_words = _nothing() if "words" in missing else parts.words.search(question, depth, within)
        by_vectors = _nothing() if "vectors" in missing else parts.vectors.search(asked, depth, within)
        ids = np.union1d(by_words.ids, by_vectors.ids)
        passages = parts.catalog.passages(ids.tolist())
        # what an index still holds of a document that is gone is no hit
        ids = ids[[one in passages for one in ids.tolist()]]
        words = np.zeros(len(ids), np.float32) if "words" in missing else parts.words.score(question, ids)
        vectors = np.zeros(len(ids), np.float32) if "vectors" in missing else parts.vectors.fetch(ids) @ asked
        hits = _ranked(question, k, [passages[one] for one in ids.tolist()], words, vectors, recipe.weights)
        if len(hits) >= k or depth >= (parts.catalog.counts()["passages"] if within is None else len(within)):
            return Found(asked, by_words, by_vectors, tuple(hits))
        depth *= 4


def _nothing() -> Ranked:
    return Ranked(np.empty(0, np.int64), np.empty(0, np.float32))


def _ranked(
    question: str, k: int, passages: Sequence[FoundPassage], words: Floats, vectors: Floats, weights: rank.Weights
) -> list[Hit]:
    """The first k passages as hits, in the order of their fused scores, copies folded into the best of them."""
    if not passages:
        return []
    ids = np.array([one.id for one in passages], np.int64)
    match = rank.match(question, [f"{one.context}\n{Path(one.path).name}" for one in passages])
    places, scores = rank.order(rank.Candidates(ids, words, vectors, match), weights, question)
    kept = rank.fold([passages[place].text for place in places], weights, k)
    return [
        _hit(number, passages[places[at]], float(scores[at]), float(words[places[at]]), float(vectors[places[at]]))
        for number, at in enumerate(kept, 1)
    ]


def _hit(number: int, found: FoundPassage, score: float, words: float, vectors: float) -> Hit:
    return Hit(
        rank=number, score=round(score, 6), passage=found.id, document=found.path, title=found.title, text=found.text,
        start=found.start, end=found.end, page=found.page, line=found.line, heading=found.heading, cells=found.cells,
        words=round(words, 6), vectors=round(vectors, 6),
    )  # fmt: skip
