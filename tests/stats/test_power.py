"""Power, equivalence and non-inferiority against SciPy and statsmodels."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from statsmodels.stats.power import NormalIndPower
from statsmodels.stats.weightstats import ttost_paired

from quoth.stats import power


@settings(max_examples=300, deadline=None)
@given(st.floats(-40, 40), st.floats(1, 5_000))
def test_students_distribution_is_that_of_scipy(t: float, freedom: float) -> None:
    # SciPy itself rounds what is nearer to 0 than a millionth
    assume(abs(t) > 1e-6)
    assert power.student(t, freedom) == pytest.approx(scipy_stats.t.cdf(t, freedom), abs=1e-11)


@pytest.mark.parametrize("seed", range(6))
def test_tost_is_that_of_statsmodels(seed: int) -> None:
    random = np.random.default_rng(seed)
    first = random.random(60)
    second = first + random.normal(0.005 * seed, 0.05, 60)
    theirs = ttost_paired(second, first, -0.02, 0.02)[0]
    assert power.equivalent(second - first) == pytest.approx(float(theirs), abs=1e-10)


def test_of_as_many_questions_as_needed_the_least_effect_is_the_one_asked_for() -> None:
    values = np.random.default_rng(0).normal(0, 0.3, 200)
    count = power.needed(values, 0.05)
    assert count is not None
    assert power.least_effect(values) * math.sqrt(200 / count) == pytest.approx(0.05, rel=0.01)
    spread = values.std(ddof=1)
    theirs = NormalIndPower(ddof=0).solve_power(0.05 / spread, nobs1=None, alpha=0.05, power=0.8, ratio=0)
    assert count == math.ceil(theirs)


def test_values_without_spread_tell_nothing_of_power() -> None:
    assert power.needed([0.0] * 20, 0.02) is None
    assert power.least_effect([0.1]) == math.inf
    assert power.equivalent([0.0] * 20) == 0.0
    assert power.equivalent([0.1]) == 1.0


def test_not_worse_needs_the_whole_interval_above_the_margin() -> None:
    random = np.random.default_rng(1)
    near, far = random.normal(0.0, 0.05, 200), random.normal(-0.03, 0.05, 200)
    assert power.not_worse(near).holds
    assert not power.not_worse(far).holds
    assert power.not_worse(far, margin=0.05).holds
    assert not power.not_worse([-0.3, 0.3, 0.05, -0.1]).holds
    assert power.not_worse([0.0] * 9).holds


@pytest.mark.slow
@pytest.mark.parametrize(("n", "ties"), [(50, 0.65), (100, 0.65), (300, 0.65), (100, 0.0), (50, 0.0)])
def test_something_worse_by_the_margin_passes_in_no_more_than_5_of_100(n: int, ties: float) -> None:
    passed = 0
    for seed in range(2_000):
        random = np.random.default_rng(seed)
        values = np.where(random.random(n) < ties, 0.0, random.normal(-0.02 / (1 - ties), 0.2, n))
        passed += power.not_worse(values, resamples=999, seed=seed).holds
    assert passed / 2_000 <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 2_000)
