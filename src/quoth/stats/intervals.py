"""Bootstrap intervals of a mean over questions (Efron and Tibshirani 1993).

BCa corrects for bias and skew; with fewer than FEW questions it is too short, and the percentile-t interval
takes its place. Questions about one document are no independent draws: where cluster ids repeat, clusters are
drawn instead of questions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist
from typing import TYPE_CHECKING, Literal

import numpy as np

from quoth.stats.paired import finite

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Doubles = NDArray[np.float64]

RESAMPLES = 9_999
FEW = 50
"""Questions (or clusters) below which the interval is percentile-t."""
AT_ONCE = 4_000_000
"""Numbers that are drawn at once."""
KEPT = 12_000_000
"""Numbers that are drawn once for all measures: more would take too much memory."""
NORMAL = NormalDist()
Method = Literal["BCa", "percentile-t", "none"]


@dataclass(frozen=True, slots=True)
class Interval:
    """From `low` to `high`; `units` is how many questions, or clusters of them, were drawn from."""

    low: float
    high: float
    level: float
    method: Method
    units: int

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


@dataclass(frozen=True, slots=True)
class Units:
    """What is drawn: for each unit the sum of its values and their number; `mean` is that of all values."""

    sums: Doubles
    counts: Doubles

    @property
    def mean(self) -> float:
        return float(self.sums.sum() / self.counts.sum())


def interval(
    values: ArrayLike,
    clusters: ArrayLike | None = None,
    *,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
    bounds: tuple[float, float] = (-np.inf, np.inf),
    method: Method | None = None,
) -> Interval:
    """The interval of the mean of `values`, shape (n,); `clusters`, shape (n,), says which belong together.

    `method` takes one whatever the number. `bounds` are what the mean cannot exceed: an interval never says more.
    One question, or values that are all equal, give an interval of no length with the method "none": nothing was seen
    that could tell of its width.
    """
    given = finite(values)
    if not len(given):
        raise ValueError("there is no question to take an interval of")
    units = units_of(given, clusters)
    if len(units.sums) < 2 or not _spread(units):
        return Interval(units.mean, units.mean, level, "none", len(units.sums))
    few = len(units.sums) < FEW if method is None else method == "percentile-t"
    means, errors = _resampled(units, resamples, seed, few)
    low, high = _percentile_t(units, means, errors, level) if few else _bca(units, means, level)
    return Interval(
        max(low, bounds[0]), min(high, bounds[1]), level, "percentile-t" if few else "BCa", len(units.sums)
    )  # fmt: skip


def units_of(values: Doubles, clusters: ArrayLike | None) -> Units:
    """The values as units to draw: themselves, or sums over the clusters where ids repeat."""
    if clusters is None:
        return Units(values, np.ones(len(values)))
    names, places = np.unique(np.asarray(clusters), return_inverse=True)
    if len(names) == len(values):
        return Units(values, np.ones(len(values)))
    sums = np.bincount(places, values).astype(np.float64)
    return Units(sums, np.bincount(places).astype(np.float64))


def standard_error(units: Units) -> float:
    """Of the mean, by the residuals of the units; the usual one where each unit is one value."""
    return float(_errors(units.sums[None, :], units.counts[None, :])[0])


def _spread(units: Units) -> bool:
    return bool(np.ptp(units.sums / units.counts) > 1e-12)


def _errors(sums: Doubles, counts: Doubles) -> Doubles:
    """Standard errors of the means of samples, each a row of units."""
    total = counts.sum(axis=1, keepdims=True)
    left = sums - counts * (sums.sum(axis=1, keepdims=True) / total)
    units = sums.shape[1]
    errors: Doubles = np.sqrt((left**2).sum(axis=1) * units / (units - 1)) / total[:, 0]
    return errors


def _resampled(units: Units, resamples: int, seed: int, errors: bool) -> tuple[Doubles, Doubles]:
    """Means of so many samples drawn with replacement, and their standard errors if wanted."""
    n = len(units.sums)
    plain = bool((units.counts == 1).all())
    means, spreads = np.empty(resamples), np.empty(resamples if errors else 0)
    start = 0
    for drawn in _drawn(n, resamples, seed):
        rows = slice(start, start + len(drawn))
        start = rows.stop
        sums = units.sums[drawn]
        counts = np.ones_like(sums) if plain and errors else units.counts[drawn] if not plain else None
        means[rows] = sums.mean(axis=1) if counts is None else sums.sum(axis=1) / counts.sum(axis=1)
        if errors and counts is not None:
            spreads[rows] = _errors(sums, counts)
    return means, spreads


def _drawn(n: int, resamples: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """The places of so many samples of n, with replacement, some at a time; measures share the last ones."""
    if n * resamples <= KEPT:
        yield _all_drawn(n, resamples, seed)
        return
    random = np.random.default_rng(seed)
    step = max(1, AT_ONCE // n)
    for start in range(0, resamples, step):
        yield random.integers(0, n, (min(step, resamples - start), n))


@lru_cache(maxsize=1)
def _all_drawn(n: int, resamples: int, seed: int) -> NDArray[np.int64]:
    return np.random.default_rng(seed).integers(0, n, (resamples, n))


def _bca(units: Units, means: Doubles, level: float) -> tuple[float, float]:
    """Bias-corrected and accelerated (Efron 1987), the acceleration from leaving out one unit at a time."""
    mean = units.mean
    below = (np.count_nonzero(means < mean) + np.count_nonzero(means <= mean)) / (2 * len(means))
    if not 0 < below < 1:
        return float(means.min()), float(means.max())
    bias = NORMAL.inv_cdf(below)
    left_out = (units.sums.sum() - units.sums) / (units.counts.sum() - units.counts)
    influence = left_out.mean() - left_out
    acceleration = float((influence**3).sum() / (6 * (influence**2).sum() ** 1.5))

    def place(share: float) -> float:
        shifted = bias + NORMAL.inv_cdf(share)
        return 100 * NORMAL.cdf(bias + shifted / (1 - acceleration * shifted))

    low, high = np.percentile(means, [place((1 - level) / 2), place((1 + level) / 2)])
    return float(low), float(high)


def _percentile_t(units: Units, means: Doubles, errors: Doubles, level: float) -> tuple[float, float]:
    """By the distribution of (mean* - mean) / error*; samples without any spread stand at its ends."""
    mean = units.mean
    off = means - mean
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.where(errors > 1e-12, off / errors, np.where(np.abs(off) < 1e-12, 0.0, np.sign(off) * np.inf))
    # the nearest rank, for between a number and infinity there is nothing
    ratios.sort()
    last = len(ratios) - 1
    lowest, highest = (ratios[round(share * last)] for share in ((1 - level) / 2, (1 + level) / 2))
    error = standard_error(units)
    return float(mean - highest * error), float(mean - lowest * error)
