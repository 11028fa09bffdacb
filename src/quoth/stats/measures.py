"""Measures of one question each; means come later, from these.

Rankings are arrays of gains: `gains[q, r]` is what the document at rank r is worth for question q, 0 where nobody
judged it; `ideal[q]` are the gains of all judged documents of the question, best first, padded with zeros. Values
are those of trec_eval. A question without any hit scores 0, and so does one whose ranking is missing: as a row of
zeros, which is the one place where that is decided.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Doubles = NDArray[np.float64]
    Flags = NDArray[np.bool_]

Span = tuple[str, int, int]
"""A stretch of a document: its path, first character, and the one after the last."""


def tables(
    rankings: Mapping[str, Sequence[str]], qrels: Mapping[str, Mapping[str, int]], depth: int
) -> tuple[Doubles, Doubles]:
    """Gains (questions, depth) and ideal (questions, judged) of the questions of `qrels`, in their order.

    A question without a ranking, or with a shorter one, has zeros there; gains below zero count as zero.
    """
    most = max((len(judged) for judged in qrels.values()), default=0)
    gains, ideal = np.zeros((len(qrels), depth)), np.zeros((len(qrels), max(1, most)))
    for row, (question, judged) in enumerate(qrels.items()):
        for rank, document in enumerate(rankings.get(question, ())[:depth]):
            gains[row, rank] = max(0, judged.get(document, 0))
        best = sorted((max(0, gain) for gain in judged.values()), reverse=True)
        ideal[row, : len(best)] = best
    return gains, ideal


def as_trec_eval_orders(scores: Mapping[str, float]) -> list[str]:
    """Documents by falling score; of equal scores the one whose name sorts last comes first."""
    return sorted(sorted(scores, reverse=True), key=lambda document: -scores[document])


def ndcg(gains: Doubles, ideal: Doubles, k: int) -> Doubles:
    """nDCG@k (Järvelin and Kekäläinen 2002), gains as they are, discounted by log2(rank + 1)."""
    best = _discounted(ideal, k)
    values: Doubles = np.divide(_discounted(gains, k), best, out=np.zeros(len(gains)), where=best > 0)
    return values


def recall(gains: Doubles, ideal: Doubles, k: int) -> Doubles:
    """R@k: the share of the relevant documents that are among the first k."""
    relevant = (ideal > 0).sum(axis=1)
    found = (gains[:, :k] > 0).sum(axis=1)
    values: Doubles = np.divide(found, relevant, out=np.zeros(len(gains)), where=relevant > 0)
    return values


def reciprocal_rank(gains: Doubles, k: int) -> Doubles:
    """RR@k: one over the rank of the first relevant document, 0 when it is not among the first k."""
    hit = gains[:, :k] > 0
    first: Doubles = np.where(hit.any(axis=1), 1.0 / (hit.argmax(axis=1) + 1), 0.0)
    return first


def success(gains: Doubles, k: int) -> Doubles:
    """Success@k: 1 when a relevant document is among the first k."""
    found: Doubles = np.asarray((gains[:, :k] > 0).any(axis=1), np.float64)
    return found


def overlap(quotes: Sequence[Span], golden: Sequence[Span]) -> tuple[float, float]:
    """Precision and recall of quotes by characters: the share that is golden, and the share of that which is quoted.

    Both are 0 when nothing was quoted. Characters that are quoted twice count once.
    """
    mine, wanted = _covered(quotes), _covered(golden)
    common = sum(
        max(0, min(end, last) - max(start, first))
        for path, spans in mine.items()
        for start, end in spans
        for first, last in wanted.get(path, [])
    )
    quoted = sum(end - start for spans in mine.values() for start, end in spans)
    gold = sum(end - start for spans in wanted.values() for start, end in spans)
    return common / quoted if quoted else 0.0, common / gold if gold else 0.0


def exact_match(answer: str, golden: Sequence[str]) -> float:
    """EM: 1 when the answer is one of the golden ones, by SQuAD's normalisation (Rajpurkar et al. 2016)."""
    return float(any(_plain(answer) == _plain(one) for one in golden))


def token_f1(answer: str, golden: Sequence[str]) -> float:
    """F1 of the words that the answer shares with the golden one that it shares most with."""
    return max((_f1(_plain(answer).split(), _plain(one).split()) for one in golden), default=0.0)


def risk_coverage(confidence: Doubles, right: Doubles) -> tuple[Doubles, Doubles]:
    """Coverage and risk when the surest 1, 2, … n questions are answered; equal confidences share their errors.

    `confidence` and `right` have shape (n,); `right` is 1 where the answer would be right (El-Yaniv and Wiener 2010).
    """
    order = np.argsort(-confidence, kind="stable")
    wrong, sure = 1.0 - right[order], confidence[order]
    _, starts, counts = np.unique(-sure, return_index=True, return_counts=True)
    # among equals no order is better than another: each has the mean of their errors
    shared = np.repeat(np.add.reduceat(wrong, starts) / counts, counts) if len(wrong) else wrong
    number = np.arange(1, len(wrong) + 1)
    return number / max(1, len(wrong)), np.cumsum(shared) / number


def aurc(confidence: Doubles, right: Doubles) -> float:
    """The area under the risk–coverage curve: the mean risk over all coverages."""
    risks = risk_coverage(confidence, right)[1]
    return float(risks.mean()) if len(risks) else 0.0


def auroc(scores: Doubles, positive: Flags) -> float:
    """How often a positive stands above a negative, half where they are level; nan when there is only one kind."""
    positives, negatives = int(positive.sum()), int((~positive).sum())
    if not positives or not negatives:
        return float("nan")
    _, places, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[places]
    return float((ranks[positive].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def _discounted(gains: Doubles, k: int) -> Doubles:
    some = gains[:, :k]
    total: Doubles = some @ (1.0 / np.log2(np.arange(2, some.shape[1] + 2)))
    return total


def _covered(spans: Sequence[Span]) -> dict[str, list[tuple[int, int]]]:
    """For each document the stretches that the spans cover, in order and apart."""
    found: dict[str, list[tuple[int, int]]] = {}
    for path, start, end in sorted(spans):
        mine = found.setdefault(path, [])
        if mine and start <= mine[-1][1]:
            mine[-1] = (mine[-1][0], max(end, mine[-1][1]))
        elif end > start:
            mine.append((start, end))
    return found


_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLES = re.compile(r"\b(a|an|the)\b")


def _plain(text: str) -> str:
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def _f1(mine: Sequence[str], golden: Sequence[str]) -> float:
    if not mine or not golden:
        return float(list(mine) == list(golden))
    common = sum((Counter(mine) & Counter(golden)).values())
    return 2 * common / (len(mine) + len(golden))
