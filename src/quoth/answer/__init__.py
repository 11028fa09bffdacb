"""Quotes without a language model: sentences of the best passages, ranked, verified, or a refusal.

sentences.py  text → sentences, by offset
question.py   question → terms, weights, the kind of answer it asks for
features.py   sentences of the hits → one row of numbers each
model.py      rows → which sentence, and how sure
quotes.py     sentences → readable, verified quotes
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from quoth.answer import model
from quoth.answer.features import NAMES, PASSAGES, SENTENCES, Candidate, Stretch, candidates, describe, echoes
from quoth.answer.question import understand
from quoth.answer.quotes import Chosen, choose
from quoth.types import Hit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from quoth.types import Floats

__all__ = ["Chosen", "Draft", "Quoting", "Sentence", "answer", "default"]

HITS = 10
"""Hits that are looked at; the sentences come from the first eight."""
QUOTES = 3
ALSO = 3
TOLD = ("cosine", "passage cosine", "passage rank", "covered", "covered by passage", "pairs", "kind fits", "heading")
"""The features that explain a sentence to a person."""
SHOWN = 5
"""Sentences whose features are kept to explain the choice."""
BEHIND = 0.3
ECHO = 4.0
"""What a sentence loses that says the question again, which no text that the models were trained on does."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence that was weighed: the chance that it answers, and what that came from."""

    document: str
    start: int
    end: int
    text: str
    score: float
    features: dict[str, float]


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
    sentences: tuple[Sentence, ...] = ()


@dataclass(frozen=True, slots=True)
class Quoting:
    """The numbers that an answer depends on beside its hits; `model` names the trained models and what they read.

    threshold   the confidence from which on a question is answered
    quotes      the most quotes of an answer
    behind      a second or third quote is given when it is at least this share as likely as the first
    """

    model: str
    threshold: float
    quotes: int = QUOTES
    behind: float = BEHIND


@cache
def default() -> Quoting:
    """The packaged models with their threshold."""
    numbers = f"{HITS} {PASSAGES} {SENTENCES} {ECHO}"
    name = hashlib.sha256(model.FILE.read_bytes() + numbers.encode()).hexdigest()[:16]
    return Quoting(name, model.load().threshold)


def answer(
    question: str,
    hits: Sequence[Hit],
    texts: Callable[[str], str],
    encode: Callable[[Sequence[str]], Floats],
    asked: Floats,
    quoting: Quoting | None = None,
) -> Draft:
    """One to three verified quotes that answer the question, or a refusal with the nearest stretches.

    Of `hits`, best first, the first HITS are read; `texts` gives the text of a document by its path,
    `asked` is the question's vector. At most SENTENCES sentences are encoded.
    """
    models, quoting = model.load(), quoting or default()
    notes: list[str] = []
    hits = hits[:HITS]
    kept = [hit for hit in hits if texts(hit.document)[hit.start : hit.end] == hit.text]
    if len(kept) < len(hits):
        notes.append("Passages were left out whose document no longer says what was indexed: run quoth sync.")
    about = understand(question, [hit.text for hit in kept])
    found, stretches = candidates(about, kept, texts)
    if not found:
        return Draft(False, 0.0, quoting.threshold, (), (), tuple(notes), {})
    rows = describe(about, kept, found, stretches, encode([one.text for one in found]), asked)
    logits = models.ranker(rows) - ECHO * echoes(about, found)
    seen = model.signals(about, kept, found, rows, logits)
    confidence = _probability(float(models.confidence(np.array([list(seen.values())]))[0]))
    if not _is_latin(question):
        # the packaged encoder knows English: texts in one other script are all close to it, words tell them apart
        confidence *= seen["covered by passage of best"]
    order = np.argsort(-logits, kind="stable").tolist()
    ranked = [(found[at], confidence * float(np.exp(logits[at] - logits[order[0]]))) for at in order]
    draft = _draft(ranked, stretches, texts, confidence, quoting, notes, seen)
    return replace(
        draft,
        sentences=tuple(_explained(found[at], rows[at], ranked[place][1]) for place, at in enumerate(order[:SHOWN])),
    )


def _draft(
    ranked: Sequence[tuple[Candidate, float]],
    stretches: Sequence[Stretch],
    texts: Callable[[str], str],
    confidence: float,
    quoting: Quoting,
    notes: list[str],
    seen: dict[str, float],
) -> Draft:
    threshold = quoting.threshold
    answered = confidence >= threshold
    if not answered:
        nearest: dict[int, tuple[Candidate, float]] = {}
        for one, score in ranked:
            nearest.setdefault(one.hit, (one, score))
        also = choose(list(nearest.values()), stretches, texts, ALSO, notes)
        return Draft(False, confidence, threshold, (), tuple(also), tuple(notes), seen)
    chosen = choose(ranked, stretches, texts, quoting.quotes + ALSO, notes)
    enough = [
        quote for quote in chosen[: quoting.quotes] if quote.score >= quoting.behind * confidence or quote is chosen[0]
    ]
    also = [quote for quote in chosen if quote not in enough][:ALSO]
    return Draft(bool(enough), confidence, threshold, tuple(enough), tuple(also), tuple(notes), seen)


def _explained(one: Candidate, row: NDArray[np.float64], score: float) -> Sentence:
    features = {name: float(value) for name, value in zip(NAMES, row.tolist(), strict=True) if name in TOLD}
    return Sentence(one.document, one.start, one.end, one.text, score, features)


def _is_latin(text: str) -> bool:
    """Whether most letters of a text are Latin ones."""
    letters = [one for one in text if one.isalpha()]
    return 2 * sum(one < "\u0250" or "\u1e00" <= one < "\u1f00" for one in letters) >= len(letters)


def _probability(logit: float) -> float:
    return float(1 / (1 + np.exp(-np.clip(logit, -30, 30))))
