"""The two trained models, in plain NumPy: which sentence answers best, and whether it answers at all.

`model.json` holds their numbers; `models/train_confidence.py` makes it and says from what. Both are
networks of at most one hidden layer over standardised columns. The ranker's scores are logits among
the sentences of one question; the confidence is a calibrated probability.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from quoth.answer.features import NAMES, Candidate, cover
from quoth.answer.question import Question, stems
from quoth.errors import ModelError
from quoth.types import Hit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[np.float64]

FILE = Path(__file__).with_name("model.json")
LIMIT = 4.0
"""Standardised columns are clipped here, so that unusual input cannot outvote everything else."""

SIGNALS = (
    "best logit", "best ahead of next", "best share", "best passage share", "cosine of best", "highest cosine",
    "highest passage cosine", "passage cosine ahead of fifth", "passage cosine of best", "covered by best",
    "most covered", "covered with neighbours", "covered by passage of best", "most covered by a passage",
    "covered by three passages", "covered beyond title", "heaviest missing", "names missing", "numbers missing",
    "pairs", "known", "fits", "words and vectors agree", "best is first by words", "best is first by vectors",
    "words ahead of fifth", "terms", "names", "title", "cosine by covered", "passage cosine by known",
)  # fmt: skip
"""The columns of `signals`, in order."""


@dataclass(frozen=True, slots=True)
class Network:
    """Standardise, clip, one layer or two with tanh between, one number a row."""

    mean: Matrix
    scale: Matrix
    layers: tuple[tuple[Matrix, Matrix], ...]

    def __call__(self, rows: Matrix) -> Matrix:
        """One logit a row."""
        values = np.clip((rows - self.mean) / self.scale, -LIMIT, LIMIT)
        for weights, bias in self.layers[:-1]:
            values = np.tanh(values @ weights + bias)
        weights, bias = self.layers[-1]
        logits: Matrix = (values @ weights + bias)[:, 0]
        return logits


@dataclass(frozen=True, slots=True)
class Models:
    """`threshold` is the confidence from which on a question is answered."""

    ranker: Network
    confidence: Network
    threshold: float


@cache
def load(path: Path = FILE) -> Models:
    """The packaged models; ModelError when the file does not fit this code."""
    try:
        record = json.loads(path.read_text())
        if record["ranker"]["columns"] != list(NAMES) or record["confidence"]["columns"] != list(SIGNALS):
            raise ModelError(f"{path.name} was trained for other features", "python models/train_confidence.py")
        return Models(_network(record["ranker"]), _network(record["confidence"]), float(record["threshold"]))
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"The answer model cannot be read ({error})", "reinstall quoth") from error


def _network(record: dict[str, list[list[list[float]]]]) -> Network:
    layers = tuple((np.array(weights), np.array(bias)) for weights, bias in record["layers"])
    return Network(np.array(record["mean"]), np.array(record["scale"]), layers)


def signals(
    question: Question, hits: Sequence[Hit], found: Sequence[Candidate], rows: Matrix, logits: Matrix
) -> dict[str, float]:
    """What the decision to answer rests on: SIGNALS and their values, for the sentences of one question."""
    column = {name: rows[:, place] for place, name in enumerate(NAMES)}
    order = np.argsort(-logits, kind="stable")
    best = int(order[0])
    shares = np.exp(logits - logits[best])
    shares /= shares.sum()
    of_best = found[best].hit
    cosines = np.array([hit.vectors for hit in hits])
    words = np.array([hit.words for hit in hits])
    held = [stems(f"{hit.title} {hit.heading or ''}") | stems(hit.text) for hit in hits]
    missing = [weight for term, weight in question.weights.items() if term not in held[of_best]]
    three = frozenset().union(*held[:3])
    first_by_words, first_by_vectors = int(words.argmax()), int(cosines.argmax())
    values = (
        float(logits[best]),
        float(logits[best] - logits[order[1]]) if len(order) > 1 else 5.0,
        float(shares[best]),
        float(sum(share for one, share in zip(found, shares.tolist(), strict=True) if one.hit == of_best)),
        column["cosine"][best],
        column["cosine"].max(),
        cosines.max(),
        cosines.max() - np.sort(cosines)[max(0, len(cosines) - 5)],
        cosines[of_best],
        column["covered"][best],
        column["covered"].max(),
        column["covered with neighbours"][best],
        cover(question, held[of_best]),
        max(cover(question, one) for one in held),
        cover(question, three),
        column["covered beyond title"][best],
        max(missing, default=0.0),
        len(question.names - held[of_best]) / max(1, len(question.names)),
        float(any(number not in hits[of_best].text for number in question.numbers)),
        column["pairs"][best],
        question.known,
        column["kind fits"][best],
        float(first_by_words == first_by_vectors),
        float(of_best == first_by_words),
        float(of_best == first_by_vectors),
        float(words.max() - np.sort(words)[max(0, len(words) - 5)]) / max(1e-9, float(words.max())),
        np.log(1 + len(question.terms)),
        min(3, len(question.names)),
        column["covered by title"][best],
        column["cosine"][best] * column["covered"][best],
        cosines.max() * question.known,
    )
    return {name: float(value) for name, value in zip(SIGNALS, values, strict=True)}
