"""Paired tests against SciPy and statsmodels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar
from statsmodels.stats.multitest import multipletests

from quoth.stats import paired


def differences(seed: int, n: int, ties: float, shift: float = 0.0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return np.where(random.random(n) < ties, 0.0, random.normal(shift, 0.3, n).round(3))


def exact_by_scipy(values: np.ndarray, alternative: str) -> float:
    done = scipy_stats.permutation_test(
        (values, np.zeros(len(values))),
        lambda a, b, axis: (a - b).mean(axis=axis),
        permutation_type="samples",
        n_resamples=np.inf,
        alternative=alternative,
        vectorized=True,
    )
    return float(done.pvalue)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
def test_few_differences_are_enumerated_as_scipy_does(seed: int, alternative: paired.Alternative) -> None:
    values = differences(seed, 12, 0.2, 0.1)
    done = paired.sign_flip(values, alternative=alternative)
    assert done.exact
    assert done.p == pytest.approx(exact_by_scipy(values, alternative), abs=1e-12)


def test_ties_change_nothing_but_the_mean() -> None:
    few = differences(1, 15, 0.0, 0.1)
    many = paired.sign_flip(np.concatenate([few, np.zeros(300)]))
    assert many.p == paired.sign_flip(few).p
    assert (many.n, many.informative, many.exact) == (315, 15, True)


@pytest.mark.parametrize("seed", range(4))
def test_many_flips_come_near_the_exact_p(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    values = differences(seed, 20, 0.0, 0.08)
    exact = paired.sign_flip(values).p
    monkeypatch.setattr(paired, "EXACT", 0)
    done = paired.sign_flip(values, seed=seed)
    assert not done.exact
    assert done.p == pytest.approx(exact, abs=5 * np.sqrt(exact * (1 - exact) / paired.FLIPS) + 2e-6)


@pytest.mark.parametrize("shift", [0.0, 0.03, 0.06])
def test_of_many_pairs_the_p_is_that_of_a_t_test(shift: float) -> None:
    values = differences(3, 300, 0.3, shift)
    ours = paired.sign_flip(values).p
    assert ours == pytest.approx(scipy_stats.ttest_1samp(values, 0).pvalue, rel=0.05, abs=2e-4)


def test_the_p_is_the_same_whatever_the_threads_and_never_0(monkeypatch: pytest.MonkeyPatch) -> None:
    values = differences(7, 120, 0.2, 0.05)
    first = paired.sign_flip(values)
    for threads in (1, 7):
        monkeypatch.setattr("os.cpu_count", lambda threads=threads: threads)
        assert paired.sign_flip(values) == first
    assert paired.sign_flip(np.full(100, 0.5)).p == paired.sign_flip(np.full(100, 0.5)).floor == 1 / 1_000_001
    assert paired.sign_flip(values, seed=1).p != first.p


@pytest.mark.parametrize("n", [1, 7, 20])
def test_the_floor_is_the_p_of_differences_that_all_point_one_way(n: int) -> None:
    assert paired.sign_flip(np.arange(1, n + 1) / n).p == paired.floor(n)
    assert paired.sign_flip(np.arange(1, n + 1) / n, alternative="greater").p == paired.floor(n, alternative="greater")


def test_nothing_to_compare_is_p_1() -> None:
    for values in ([], [0.0, 0.0]):
        done = paired.sign_flip(values)
        assert (done.p, done.informative, done.mean) == (1.0, 0, 0.0)


def test_what_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="not a finite number"):
        paired.sign_flip([0.1, float("nan")])


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 400), st.integers(0, 400))
def test_mcnemar_is_that_of_statsmodels_and_scipy(first: int, second: int) -> None:
    ours = paired.mcnemar(first, second)
    if first + second:
        assert ours == pytest.approx(scipy_stats.binomtest(first, first + second).pvalue, rel=1e-9)
        theirs = statsmodels_mcnemar([[3, first], [second, 5]], exact=True).pvalue
        assert ours == pytest.approx(float(theirs), rel=1e-9)
    else:
        assert ours == 1.0


@settings(max_examples=8, deadline=None)  # statsmodels collects garbage each time
@given(st.lists(st.floats(1e-6, 1.0), min_size=1, max_size=12))
def test_holm_is_that_of_statsmodels(p: list[float]) -> None:
    assert paired.holm(p) == pytest.approx(multipletests(p, method="holm")[1], abs=1e-12)


def test_max_t_of_one_candidate_is_the_sign_flip_test() -> None:
    values = differences(5, 200, 0.4, 0.05)
    assert paired.step_down(values[None, :])[0] == paired.sign_flip(values).p


def test_max_t_is_no_stricter_than_holm_and_keeps_the_order_of_the_candidates() -> None:
    random = np.random.default_rng(0)
    shared = random.normal(0, 0.3, 200)
    candidates = np.stack([shared + random.normal(mean, 0.05, 200) for mean in (0.0, 0.05, 0.02, 0.08)])
    adjusted = paired.step_down(candidates)
    raw = [paired.sign_flip(row).p for row in candidates]
    assert (adjusted <= paired.holm(raw) + 0.002).all()
    assert (adjusted >= np.array(raw) - 0.002).all()
    assert np.argsort(adjusted, kind="stable").tolist() == np.argsort(raw, kind="stable").tolist()


def test_max_t_by_every_combination_of_signs() -> None:
    """Against all 2¹⁰ sign patterns, the successive maxima written out."""
    random = np.random.default_rng(2)
    values = random.normal(0.2, 0.4, (3, 10))
    scaled = values / np.sqrt((values**2).sum(axis=1, keepdims=True))
    signs = np.array([[1 - 2 * (pattern >> bit & 1) for bit in range(10)] for pattern in range(1024)])
    every = np.abs(scaled @ signs.T)
    seen = np.abs(scaled.sum(axis=1))
    order = np.argsort(-seen)
    p, before = np.empty(3), 0.0
    for step, one in enumerate(order):
        before = max(before, (every[order[step:]].max(axis=0) >= seen[one] - 1e-9).mean())
        p[one] = before
    assert paired.step_down(values) == pytest.approx(p, abs=0.003)


# -- how often a gate is wrong ---------------------------------------------------------------------


def null_differences(random: np.random.Generator, n: int) -> np.ndarray:
    """Differences of two systems that are alike: 65 % ties, the others skewed in size and even in sign."""
    sizes = random.beta(0.6, 3.0, n)
    return np.where(random.random(n) < 0.65, 0.0, sizes * random.choice([-1.0, 1.0], n))


@pytest.mark.slow
@pytest.mark.parametrize("n", [50, 100, 300])
def test_the_gate_is_wrong_in_no_more_than_5_of_100(n: int) -> None:
    random = np.random.default_rng(n)
    rejected = sum(paired.sign_flip(null_differences(random, n), flips=20_000).p <= 0.05 for _ in range(2_000))
    assert rejected / 2_000 <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 2_000)


@pytest.mark.slow
def test_the_family_of_a_step_down_test_is_wrong_in_no_more_than_5_of_100() -> None:
    random = np.random.default_rng(1)
    rejected = 0
    for _ in range(1_000):
        shared = null_differences(random, 100)
        family = np.stack([np.where(random.random(100) < 0.5, shared, null_differences(random, 100)) for _ in range(4)])
        rejected += paired.step_down(family, flips=5_000).min() <= 0.05
    assert rejected / 1_000 <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 1_000)
