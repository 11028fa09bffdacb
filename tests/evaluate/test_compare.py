"""Comparisons: verdicts, floors, families, and runs that cannot be compared."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats as scipy_stats
from statsmodels.stats.multitest import multipletests

from quoth.errors import UsageError
from quoth.evaluate import Outcome, Run, compare


def made(name: str, values: np.ndarray, measure: str = "nDCG@10", clusters: int = 0) -> Run:
    """A run whose questions have these values."""
    outcomes = tuple(
        Outcome(
            f"q{n}", f"Question {n}?", f"d{n % clusters if clusters else n}", False, (), (), True, 0.5, (f"quote {n}",),
            {measure: float(value)}, 1.0,
        )
        for n, value in enumerate(values)
    )  # fmt: skip
    return Run(name, name, {}, "set", "state", 0.0, outcomes, True)


def random_values(seed: int, n: int) -> np.ndarray:
    return np.random.default_rng(seed).beta(2, 2, n)


def test_a_gain_that_is_more_than_chance_is_better_and_backwards_worse() -> None:
    first = random_values(0, 200)
    second = np.clip(first + np.random.default_rng(1).normal(0.05, 0.1, 200), 0, 1)
    found = compare(made("a", first), made("b", second))
    assert found.verdict == "better"
    at = found.decisive
    assert at.difference == pytest.approx((second - first).mean())
    assert at.p == pytest.approx(scipy_stats.ttest_rel(second, first).pvalue, abs=2e-4)
    assert at.interval.low > 0
    assert found.words.startswith("Better: nDCG@10 +0.0")
    assert compare(made("b", second), made("a", first)).verdict == "worse"
    assert found.gained[0].second - found.gained[0].first == pytest.approx((second - first).max())
    assert found.lost[0].second - found.lost[0].first == pytest.approx((second - first).min())


def test_a_run_against_itself_is_no_difference() -> None:
    run = made("a", random_values(0, 120))
    found = compare(run, run)
    assert (found.verdict, found.decisive.p, found.decisive.difference) == ("equal", 1.0, 0.0)
    assert "no difference" in found.words
    assert (found.gained, found.lost) == ((), ())


def test_two_systems_that_are_alike_are_not_told_apart() -> None:
    first = random_values(2, 300)
    second = np.clip(first + np.random.default_rng(3).normal(0, 0.05, 300), 0, 1)
    found = compare(made("a", first), made("b", second))
    assert found.verdict == "not worse"
    assert found.words.startswith("No difference found, and not worse by more than 0.02")
    assert found.equivalence_p < 0.01
    assert found.decisive.least_effect == pytest.approx(2.8 * (second - first).std(ddof=1) / np.sqrt(300), rel=0.01)


def test_few_questions_decide_nothing_however_clear() -> None:
    found = compare(made("a", np.zeros(5)), made("b", np.ones(5)))
    assert found.verdict == "unresolvable"
    assert "the smallest possible p is 0.062" in found.words
    found = compare(made("a", np.zeros(8)), made("b", np.linspace(0.5, 1, 8)))
    assert found.verdict == "cannot tell"
    assert "8 of 8 questions differ, 50 are needed" in found.words
    many = np.concatenate([np.zeros(460), np.full(40, 0.5)])
    assert compare(made("a", np.zeros(500)), made("b", many)).verdict == "cannot tell"


def test_questions_of_one_document_widen_the_interval() -> None:
    random = np.random.default_rng(5)
    shift = np.tile(random.normal(0.02, 0.2, 60), 5)
    first = np.full(300, 0.5)
    apart = compare(made("a", first), made("b", np.clip(first + shift, 0, 1)))
    together = compare(made("a", first, clusters=60), made("b", np.clip(first + shift, 0, 1), clusters=60))
    wide, narrow = (one.decisive.interval.high - one.decisive.interval.low for one in (together, apart))
    assert wide > 1.8 * narrow
    assert together.decisive.interval.units == 60


def test_p_is_adjusted_over_all_measures_but_the_declared_one_decides() -> None:
    first, second = made("a", random_values(0, 100)), made("b", random_values(1, 100))
    both = []
    for run, seed in ((first, 2), (second, 3)):
        extra = random_values(seed, 100)
        outcomes = tuple(
            replace(one, values=one.values | {"R@20": float(value)})
            for one, value in zip(run.outcomes, extra, strict=True)
        )
        both.append(replace(run, outcomes=outcomes))
    found = compare(*both)
    raw = [one.p for one in found.differences]
    assert [one.measure for one in found.differences] == ["nDCG@10", "R@20"]
    assert [one.adjusted for one in found.differences] == pytest.approx(multipletests(raw, method="holm")[1], abs=1e-12)


def test_what_cannot_be_compared_is_one_sentence() -> None:
    run = made("a", random_values(0, 60))
    with pytest.raises(UsageError, match="over different questions"):
        compare(run, made("b", random_values(0, 61)))
    with pytest.raises(UsageError, match="R@20 was not measured in both runs"):
        compare(run, run, primary="R@20")
    broken = random_values(0, 60)
    broken[7] = np.nan
    with pytest.raises(UsageError, match="b: the question q7 has a score that is no number"):
        compare(run, made("b", broken))
