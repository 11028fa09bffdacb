"""Looking again and again: a verdict that holds at any moment, however often it was asked for.

A bettor who stakes part of his capital on each next difference, by what the earlier ones showed, cannot be
expected to win where the mean is zero: his capital is a test martingale, and it exceeds 1/alpha at any time
with a probability of at most alpha (Ville 1939; Waudby-Smith and Ramdas, JRSS B 2024).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from quoth.stats.paired import finite

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Doubles = NDArray[np.float64]

STAKE = 0.5
"""The most of the capital that one question may cost, differences being at most 1."""


@dataclass(frozen=True, slots=True)
class Bet:
    """The capital after each difference, and the p that may be read at any moment: 1 over the most there ever was."""

    capital: Doubles
    p: float


def bet(differences: ArrayLike) -> Bet:
    """The capital of two bettors with half each, one on a gain and one on a loss, after each of the differences.

    Differences, shape (n,), lie within ± 1, in the order in which the questions came, which nothing that was
    seen of them may have decided.
    """
    path = capital(finite(differences)[None, :])[0]
    most = float(path.max()) if len(path) else 1.0
    return Bet(path, min(1.0, 1.0 / most) if most > 0 else 1.0)


def capital(differences: Doubles) -> Doubles:
    """The capital after each difference, for many sequences at once: shape (sequences, n) in and out."""
    if differences.size and np.abs(differences).max() > 1.0:
        raise ValueError("a difference is larger than 1")
    count = differences.shape[1]
    # what is known before each difference: mean and spread of the earlier ones, shrunk towards nothing seen
    before = np.arange(count)
    sums = np.cumsum(differences, axis=1) - differences
    squares = np.cumsum(differences**2, axis=1) - differences**2
    mean, square = sums / (before + 1), (squares + 0.25) / (before + 1)
    stake = np.clip(mean / square, -STAKE, STAKE)
    up, down = np.maximum(stake, 0.0), np.maximum(-stake, 0.0)
    gains = np.exp(np.cumsum(np.log1p(up * differences), axis=1))
    losses = np.exp(np.cumsum(np.log1p(-down * differences), axis=1))
    both: Doubles = 0.5 * (gains + losses)
    return both
