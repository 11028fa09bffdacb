"""Quotes without a language model: sentences of the best passages, ranked, verified, or a refusal.

sentences.py  text → sentences, by offset
question.py   question → terms, weights, the kind of answer it asks for
features.py   sentences of the hits → one row of numbers each
model.py      rows → which sentence, and how sure
quotes.py     sentences → readable, verified quotes
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from quoth.answer import model
from quoth.answer.features import Candidate, Stretch, candidates, describe
from quoth.answer.question import Counts, understand
from quoth.answer.quotes import Chosen, choose
from quoth.types import Hit

if TYPE_CHECKING:
    from quoth.types import Floats

__all__ = ["Chosen", "Draft", "answer"]

QUOTES = 3
ALSO = 3
BEHIND = 0.3
"""A second or third quote is given when it is at least this share as likely as the first."""


@dataclass(frozen=True, slots=True)
class Draft:
    """Quotes and the decision whether they answer.

    `also` are the next best stretches; for a refusal, the nearest three, each from another passage.
    `signals` are the numbers that the confidence was computed from.
    """

    answered: bool
    confidence: float
    threshold: float
    quotes: tuple[Chosen, ...]
    also: tuple[Chosen, ...]
    notes: tuple[str, ...]
    signals: dict[str, float]


def answer(
    question: str,
    hits: Sequence[Hit],
    texts: Callable[[str], str],
    encode: Callable[[Sequence[str]], Floats],
    asked: Floats,
    counts: Counts | None = None,
    passages: int = 0,
) -> Draft:
    """One to three verified quotes that answer the question, or a refusal with the nearest stretches.

    `hits` best first (16 or more let the confidence see how far the best is ahead); `texts` gives the
    text of a document by its path, `asked` is the question's vector, `counts` in how many of the
    library's `passages` each word occurs (without it, they are counted in the hits). At most 40
    sentences are encoded.
    """
    models = model.load()
    notes: list[str] = []
    kept = [hit for hit in hits if texts(hit.document)[hit.start : hit.end] == hit.text]
    if len(kept) < len(hits):
        notes.append("Passages were left out whose document no longer says what was indexed: run quoth sync.")
    about = understand(question, counts, passages, [hit.text for hit in kept])
    found, stretches = candidates(about, kept, texts)
    if not found:
        return Draft(False, 0.0, models.threshold, (), (), tuple(notes), {})
    rows = describe(about, kept, found, stretches, encode([one.text for one in found]), asked)
    logits = models.ranker(rows)
    seen = model.signals(about, kept, found, rows, logits)
    confidence = _probability(float(models.confidence(np.array([list(seen.values())]))[0]))
    order = np.argsort(-logits, kind="stable").tolist()
    ranked = [(found[at], confidence * float(np.exp(logits[at] - logits[order[0]]))) for at in order]
    return _draft(ranked, stretches, texts, confidence, models.threshold, notes, seen)


def _draft(
    ranked: Sequence[tuple[Candidate, float]],
    stretches: Sequence[Stretch],
    texts: Callable[[str], str],
    confidence: float,
    threshold: float,
    notes: list[str],
    seen: dict[str, float],
) -> Draft:
    answered = confidence >= threshold
    if not answered:
        nearest: dict[int, tuple[Candidate, float]] = {}
        for one, score in ranked:
            nearest.setdefault(one.hit, (one, score))
        also = choose(list(nearest.values()), stretches, texts, ALSO, notes)
        return Draft(False, confidence, threshold, (), tuple(also), tuple(notes), seen)
    chosen = choose(ranked, stretches, texts, QUOTES + ALSO, notes)
    enough = [quote for quote in chosen[:QUOTES] if quote.score >= BEHIND * confidence or quote is chosen[0]]
    also = [quote for quote in chosen if quote not in enough][:ALSO]
    return Draft(bool(enough), confidence, threshold, tuple(enough), tuple(also), tuple(notes), seen)


def _probability(logit: float) -> float:
    return float(1 / (1 + np.exp(-np.clip(logit, -30, 30))))
