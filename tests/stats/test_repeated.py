"""A bettor's capital: what it is, and how seldom it deceives."""

from __future__ import annotations

import numpy as np
import pytest

from quoth.stats import repeated


def null(random: np.random.Generator, sequences: int, n: int) -> np.ndarray:
    sizes = random.beta(0.6, 3.0, (sequences, n))
    return np.where(random.random((sequences, n)) < 0.65, 0.0, sizes * random.choice([-1.0, 1.0], (sequences, n)))


def test_capital_is_the_product_of_all_bets() -> None:
    values = np.random.default_rng(0).uniform(-1, 1, 40)
    up, down = 1.0, 1.0
    for place, value in enumerate(values):
        seen = values[:place]
        stake = (seen.sum() / (place + 1)) / (((seen**2).sum() + 0.25) / (place + 1))
        stake = min(0.5, max(-0.5, stake))
        up *= 1 + max(0.0, stake) * value
        down *= 1 - max(0.0, -stake) * value
    assert repeated.bet(values).capital[-1] == pytest.approx((up + down) / 2, rel=1e-12)


def test_no_stake_knows_the_difference_it_is_put_on() -> None:
    values = np.random.default_rng(1).uniform(-1, 1, 30)
    other = values.copy()
    other[20:] = -other[20:]
    assert repeated.bet(values).capital[:20].tolist() == repeated.bet(other).capital[:20].tolist()


def test_capital_does_not_grow_in_the_mean_where_nothing_is() -> None:
    ends = repeated.capital(null(np.random.default_rng(2), 20_000, 100))[:, -1]
    assert ends.mean() == pytest.approx(1.0, abs=4 * ends.std() / np.sqrt(len(ends)))


def test_a_true_gain_and_a_true_loss_are_seen() -> None:
    random = np.random.default_rng(3)
    for mean in (0.06, -0.06):
        assert repeated.bet(np.clip(random.normal(mean, 0.2, 400), -1, 1)).p < 0.01


def test_nothing_seen_is_p_1_and_what_is_no_difference_is_refused() -> None:
    assert repeated.bet([]).p == 1.0
    assert repeated.bet([0.0] * 50).p == 1.0
    with pytest.raises(ValueError, match="larger than 1"):
        repeated.bet([1.5])


@pytest.mark.slow
def test_looking_every_10_questions_deceives_in_no_more_than_5_of_100_where_a_t_test_does_in_20() -> None:
    from scipy import stats as scipy_stats

    values = null(np.random.default_rng(4), 2_000, 300)
    looks = range(9, 300, 10)
    ours = (repeated.capital(values)[:, looks].max(axis=1) >= 20).mean()
    theirs = np.zeros(2_000, bool)
    for look in looks:
        theirs |= scipy_stats.ttest_1samp(values[:, : look + 1], 0, axis=1).pvalue <= 0.05
    assert ours <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 2_000)
    assert theirs.mean() > 0.2
