"""Bootstrap intervals against SciPy, and how often they cover the truth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats as scipy_stats

from quoth.stats import intervals


def skewed(seed: int, n: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    return np.where(random.random(n) < 0.5, 0.0, random.beta(0.7, 2.0, n) - 0.1)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("n", [50, 173])
def test_bca_is_that_of_scipy(seed: int, n: int) -> None:
    values = skewed(seed, n)
    ours = intervals.interval(values, seed=seed)
    theirs = scipy_stats.bootstrap(
        (values,), np.mean, n_resamples=9_999, method="BCa", rng=np.random.default_rng(seed), vectorized=True
    ).confidence_interval
    assert (ours.method, ours.units) == ("BCa", n)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def test_few_questions_have_a_percentile_t_interval_that_is_near_students() -> None:
    values = np.random.default_rng(4).normal(0.1, 0.2, 30)
    ours = intervals.interval(values)
    theirs = scipy_stats.ttest_1samp(values, 0).confidence_interval()
    assert ours.method == "percentile-t"
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.012)


def test_an_interval_says_no_more_than_can_be() -> None:
    few = np.array([0.0, 0.0, 0.0, 0.0, 0.9])
    ours = intervals.interval(few, bounds=(-1.0, 1.0))
    assert -1.0 <= ours.low <= 0.18 <= ours.high <= 1.0


def test_one_question_and_equal_values_have_no_width_and_say_so() -> None:
    for values in ([0.4], [0.4] * 60):
        ours = intervals.interval(values)
        assert (ours.low, ours.high, ours.method) == (pytest.approx(0.4), pytest.approx(0.4), "none")
    with pytest.raises(ValueError, match="no question"):
        intervals.interval([])


def test_questions_of_one_document_are_drawn_together() -> None:
    random = np.random.default_rng(0)
    documents = np.repeat(np.arange(60), 5)
    values = np.repeat(random.normal(0, 0.3, 60), 5) + random.normal(0, 0.05, 300)
    apart, together = intervals.interval(values), intervals.interval(values, documents)
    assert (together.method, together.units) == ("BCa", 60)
    assert together.high - together.low > 1.8 * (apart.high - apart.low)
    # clusters of one size: the interval is that of their means
    means = intervals.interval(values.reshape(60, 5).mean(axis=1))
    assert (together.low, together.high) == pytest.approx((means.low, means.high), abs=1e-12)


def test_clusters_of_one_question_each_are_no_clusters() -> None:
    values = skewed(1, 80)
    assert intervals.interval(values, np.arange(80)) == intervals.interval(values)


@pytest.mark.slow
@pytest.mark.parametrize(("n", "least"), [(30, 0.92), (100, 0.93)])
def test_intervals_cover_the_truth(n: int, least: float) -> None:
    truth = 0.5 * (0.7 / 2.7 - 0.1)
    covered = sum(truth in intervals.interval(skewed(seed, n), resamples=1_999, seed=seed) for seed in range(2_000))
    assert covered / 2_000 >= least


@pytest.mark.slow
def test_intervals_of_clusters_cover_the_truth() -> None:
    covered = 0
    for seed in range(1_000):
        random = np.random.default_rng(seed)
        sizes = random.integers(1, 9, 60)
        documents = np.repeat(np.arange(60), sizes)
        values = np.repeat(random.normal(0, 0.2, 60), sizes) + random.normal(0, 0.1, len(documents))
        covered += 0.0 in intervals.interval(values, documents, resamples=999, seed=seed)
    assert covered / 1_000 >= 0.92
