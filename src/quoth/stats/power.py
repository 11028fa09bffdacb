"""What a comparison could have seen: least effects, needed questions, equivalence, and not being worse.

Student's distribution comes from the incomplete beta function by its continued fraction (Lentz's method; DLMF
8.17.22), so that no more than NumPy is needed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from quoth.stats.intervals import RESAMPLES, Interval, Method, interval
from quoth.stats.paired import finite

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

ALPHA, POWER, MARGIN = 0.05, 0.80, 0.02
"""The share of false alarms, the share of true effects found, and the loss of nDCG@10 that does not matter."""
ENOUGH = 50
"""Differences that are not zero, below which nothing is decided."""
MANY = 300
"""Questions from which on one kind of bound is enough."""
NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Within:
    """Whether a difference stays within a margin: the interval that decides, and the answer."""

    margin: float
    interval: Interval
    holds: bool


def least_effect(differences: ArrayLike, alpha: float = ALPHA, power: float = POWER) -> float:
    """The mean difference that as many questions as these, spread like these, show with this power."""
    values = finite(differences)
    return _reach(alpha, power) * float(values.std(ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else math.inf


def needed(differences: ArrayLike, effect: float, alpha: float = ALPHA, power: float = POWER) -> int | None:
    """Questions that show a mean difference of `effect` with this power; None where these tell nothing of it."""
    values = finite(differences)
    spread = float(values.std(ddof=1)) if len(values) > 1 else 0.0
    return math.ceil((_reach(alpha, power) * spread / effect) ** 2) if spread and effect else None


def not_worse(
    differences: ArrayLike,
    clusters: ArrayLike | None = None,
    *,
    margin: float = MARGIN,
    alpha: float = ALPHA,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Within:
    """Non-inferiority: whether the interval that leaves out `alpha` below lies above -margin.

    Of fewer than MANY questions the lower of a BCa and a percentile-t bound counts, else the first. With fewer than
    ENOUGH differences that are not zero either is wrong too often under skew, and nothing holds but that nothing
    changed at all.
    """
    values = finite(differences)
    informative = int(np.count_nonzero(values))
    level = 1 - 2 * alpha
    methods: tuple[Method, ...] = ("BCa", "percentile-t") if len(values) < MANY else ("BCa",)
    bounds = [
        interval(values, clusters, level=level, resamples=resamples, seed=seed, method=method) for method in methods
    ]
    found = min(bounds, key=lambda one: one.low)
    return Within(margin, found, not informative or (informative >= ENOUGH and found.low > -margin))


def equivalent(differences: ArrayLike, margin: float = MARGIN) -> float:
    """The p of two one-sided t tests (TOST, Schuirmann 1987) that the mean lies within ± margin."""
    values = finite(differences)
    n = len(values)
    if n < 2:
        return 1.0
    mean, error = float(values.mean()), float(values.std(ddof=1)) / math.sqrt(n)
    if error == 0.0:
        return 0.0 if abs(mean) < margin else 1.0
    above = 1 - student((mean + margin) / error, n - 1)
    below = student((mean - margin) / error, n - 1)
    return max(above, below)


def student(t: float, freedom: float) -> float:
    """The probability that Student's t with so many degrees of freedom is at most t."""
    if t * t < freedom:  # near the middle the tail is all but one half, and what matters is what is missing to it
        return 0.5 + math.copysign(0.5 * _beta(0.5, freedom / 2, t * t / (freedom + t * t)), t)
    tail = 0.5 * _beta(freedom / 2, 0.5, freedom / (freedom + t * t))
    return 1 - tail if t > 0 else tail


def _reach(alpha: float, power: float) -> float:
    return NORMAL.inv_cdf(1 - alpha / 2) + NORMAL.inv_cdf(power)


def _beta(a: float, b: float, x: float) -> float:
    """The regularised incomplete beta function."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x))
    if x > (a + 1) / (a + b + 2):
        return 1 - front * _fraction(b, a, 1 - x) / b
    return front * _fraction(a, b, x) / a


def _fraction(a: float, b: float, x: float) -> float:
    tiny = 1e-300
    c, d = 1.0, 1 / ((1 - (a + b) * x / (a + 1)) or tiny)
    value = d
    for m in range(1, 1_000):
        for step in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 / ((1 + step * d) or tiny)
            c = (1 + step / c) or tiny
            value *= c * d
        if abs(c * d - 1) < 1e-16:
            break
    return value
