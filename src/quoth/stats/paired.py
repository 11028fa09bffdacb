"""Two systems on the same questions: is the difference more than chance?

The sign-flip test asks how often a sum of the differences as large as the one seen comes about when each
difference keeps or changes its sign by a coin (Fisher 1935; for retrieval: Smucker, Allan and Carterette,
CIKM 2007). It supposes nothing of the differences but that they are symmetric where nothing changed, so ties and
skew do no harm. Wilcoxon's test is not here: under skewed ties it rejects more often than it says.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Doubles = NDArray[np.float64]

EXACT = 20
"""Differences that are not zero, up to which every combination of signs is looked at."""
FLIPS = 1_000_000
BLOCK = 16_384
"""Flips that are drawn at once: a block's signs follow from its number alone, whichever thread draws them."""
WIDE = 16
"""Signs that one look-up in a table of partial sums decides."""
Alternative = Literal["two-sided", "greater", "less"]


@dataclass(frozen=True, slots=True)
class Paired:
    """A test's outcome: the mean difference, its p, how many differences are not zero, and the least p possible.

    `flips` is how many combinations of signs were looked at; `exact` says that they were all there are.
    """

    mean: float
    p: float
    n: int
    informative: int
    floor: float
    flips: int
    exact: bool


def sign_flip(
    differences: ArrayLike, *, flips: int = FLIPS, seed: int = 0, alternative: Alternative = "two-sided"
) -> Paired:
    """The paired randomization test of the mean difference; p = (b + 1) / (flips + 1) unless it is exact.

    `differences` has shape (n,), finite. The same numbers give the same p on any machine, with any threads.
    """
    given = finite(differences)
    kept = given[given != 0.0]
    mean = float(given.mean()) if len(given) else 0.0
    count = len(kept)
    if count <= EXACT:
        every = _every_sum(kept)
        p = float(_extreme(every, kept.sum(), _slack(kept), alternative) / len(every))
        return Paired(mean, p, len(given), count, floor(count, flips, alternative), len(every), True)
    hits = sum(_extreme(sums, kept.sum(), _slack(kept), alternative) for sums in flipped(kept[None, :], flips, seed))
    p = (hits + 1) / (flips + 1)
    return Paired(mean, p, len(given), count, floor(count, flips, alternative), flips, False)


def floor(informative: int, flips: int = FLIPS, alternative: Alternative = "two-sided") -> float:
    """The smallest p that so many differences can give."""
    if informative > EXACT:
        return 1 / (flips + 1)
    return min(1.0, (2.0 if alternative == "two-sided" else 1.0) / 2.0**informative)


def step_down(differences: ArrayLike, *, flips: int = FLIPS, seed: int = 0) -> Doubles:
    """Adjusted p of many candidates at once, shape (candidates,): max-T, step-down (Westfall and Young 1993).

    `differences` has shape (candidates, n): each against the same baseline on the same questions. Signs are
    flipped for a question as a whole, so what the candidates have in common is made use of. Statistics are
    sums over their own scale, which no flip changes.
    """
    given = finite(differences)
    scale = np.sqrt((given**2).sum(axis=1))
    scaled = given / np.where(scale > 0, scale, 1.0)[:, None]
    seen = np.abs(scaled.sum(axis=1))
    order = np.argsort(-seen, kind="stable")
    scaled, seen = scaled[order], seen[order]
    kept = scaled[:, (scaled != 0).any(axis=0)]
    hits = np.zeros(len(seen), np.int64)
    for sums in flipped(kept, flips, seed):
        # what is left of the family at each step: the largest of those that are not decided yet
        largest = np.maximum.accumulate(np.abs(sums)[::-1], axis=0)[::-1]
        hits += (largest >= seen[:, None] - 1e-9).sum(axis=1)
    adjusted = np.empty(len(seen))
    adjusted[order] = np.maximum.accumulate((hits + 1) / (flips + 1))
    return adjusted


def holm(p: ArrayLike) -> Doubles:
    """Adjusted p, in the order given (Holm 1979)."""
    values = finite(p)
    order = np.argsort(values, kind="stable")
    factors = np.arange(len(values), 0, -1)
    adjusted = np.empty(len(values))
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(values[order] * factors))
    return adjusted


def mcnemar(first_only: int, second_only: int) -> float:
    """The exact two-sided p of McNemar's test: of what one of two systems alone got right, how even is the split?"""
    count, fewer = first_only + second_only, min(first_only, second_only)
    # whole numbers throughout: n may be thousands, and 0.5 ** n is not
    tail = sum(math.comb(count, k) for k in range(fewer + 1))
    return min(1.0, 2 * tail / 2**count) if count else 1.0


def finite(values: ArrayLike) -> Doubles:
    """The values as an array of doubles; `ValueError` where one is no finite number."""
    array = np.asarray(values, np.float64)
    if not np.isfinite(array).all():
        raise ValueError("a score is not a finite number")
    return array


def _every_sum(values: Doubles) -> Doubles:
    """The sums under all 2ⁿ combinations of signs."""
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate([sums + value, sums - value])
    return sums


def _slack(values: Doubles) -> float:
    """By how much two sums may differ that are equal but for rounding."""
    return 1e-9 * float(np.abs(values).sum())


def _extreme(sums: Doubles, seen: float, slack: float, alternative: Alternative) -> int:
    """How many of the sums are at least as extreme as the one that was seen."""
    if alternative == "two-sided":
        return int(np.count_nonzero(np.abs(sums) >= abs(seen) - slack))
    sign = 1.0 if alternative == "greater" else -1.0
    return int(np.count_nonzero(sign * sums >= sign * seen - slack))


def flipped(values: Doubles, flips: int, seed: int) -> Iterator[Doubles]:
    """Sums of the rows of `values`, shape (rows, n), under random signs: blocks of shape (rows, at most BLOCK).

    Signs are the bits of Philox, a generator that counts: block i starts at counter i, so blocks may be drawn
    in any order. Of WIDE signs at once the sum comes from a table.
    """
    tables = _tables(values)
    blocks = range(-(-flips // BLOCK))

    def draw(block: int) -> Doubles:
        size = min(BLOCK, flips - block * BLOCK)
        groups = len(tables)
        bits = np.random.Philox(key=seed, counter=[0, 0, 0, block]).random_raw(-(-size * groups // 4))
        codes = bits.astype("<u8", copy=False).view("<u2")[: size * groups].reshape(groups, size)
        sums = np.zeros((len(values), size))
        for table, code in zip(tables, codes, strict=True):
            for row, partial in zip(sums, table, strict=True):
                row += partial[code]
        return sums

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        yield from pool.map(draw, blocks)


def _tables(values: Doubles) -> list[Doubles]:
    """For every WIDE columns the sums of each row under all combinations of their signs, shape (rows, 2**WIDE)."""
    tables = []
    for start in range(0, values.shape[1], WIDE):
        some = values[:, start : start + WIDE]
        sums = np.zeros((len(values), 1))
        for column in some.T:
            sums = np.concatenate([sums + column[:, None], sums - column[:, None]], axis=1)
        # fewer columns than WIDE: the bits that are left over decide nothing
        tables.append(np.tile(sums, (1, 2**WIDE // sums.shape[1])))
    return tables
