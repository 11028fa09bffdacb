"""Two runs over the same questions: what changed, by how much, and whether that is more than chance.

One measure is declared beforehand: it alone decides. The others are told with p adjusted over all of them (Holm).
What few questions cannot tell is said, not guessed: fewer than ENOUGH questions whose values differ decide nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from quoth.errors import UsageError
from quoth.evaluate.run import PRIMARY, Outcome, Run
from quoth.stats import intervals, paired, power, repeated

ALPHA, MARGIN, ENOUGH = power.ALPHA, power.MARGIN, power.ENOUGH
TOLD = 10
"""Questions that gained or lost most, of each kind."""
Verdict = Literal["better", "worse", "not worse", "no difference found", "cannot tell", "unresolvable", "equal"]


@dataclass(frozen=True, slots=True)
class Difference:
    """A measure in both runs over the questions that it applies to in both: second - first.

    `adjusted` is p adjusted for all measures (Holm). `least_effect` is what so many questions could have shown with a
    power of 80 %, `needed` how many questions would show the difference that was seen; None where nothing says so.
    """

    measure: str
    questions: int
    first: float
    second: float
    difference: float
    interval: intervals.Interval
    p: float
    adjusted: float
    informative: int
    floor: float
    least_effect: float | None
    needed: int | None


@dataclass(frozen=True, slots=True)
class Change:
    """A question whose value changed, with what was answered before and after."""

    key: str
    question: str
    first: float
    second: float
    answers: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What the second run did to the first, in the primary measure, in all others, and in single questions.

    `anytime` is a p that holds however often this comparison was and will be looked at. `looks` is how many pairs of
    recipes were compared on this set so far: with more than one, a p counts that is below alpha over their number.
    """

    first: str
    second: str
    set: str
    primary: str
    alpha: float
    margin: float
    verdict: Verdict
    words: str
    differences: tuple[Difference, ...]
    not_worse: bool
    equivalence_p: float
    anytime: float
    gained: tuple[Change, ...]
    lost: tuple[Change, ...]
    looks: int = 1

    @property
    def decisive(self) -> Difference:
        """The difference in the primary measure."""
        return next(one for one in self.differences if one.measure == self.primary)


def compare(
    first: Run,
    second: Run,
    *,
    primary: str = PRIMARY,
    alpha: float = ALPHA,
    margin: float = MARGIN,
    measures: Sequence[str] = (),
    seed: int = 0,
) -> Comparison:
    """The comparison of two runs over the same questions; `UsageError` when they are not, or the measure is in neither.

    `measures` are those that are told, all that both have by default; `margin` is the loss that does not matter.
    """
    if [one.key for one in first.outcomes] != [one.key for one in second.outcomes]:
        raise UsageError(
            f"{first.name or 'the first run'} and {second.name or 'the second'} are over different questions",
            "evaluate both recipes on one set",
        )
    for run in (first, second):
        _sound(run)
    both = [name for name in (measures or first.measures) if name in second.measures]
    if primary not in both:
        raise UsageError(f"{primary} was not measured in both runs", f"one of: {', '.join(both)}")
    clusters = {one.key: one.cluster for one in first.outcomes}
    found = [_difference(name, first, second, clusters, seed) for name in both]
    adjusted = paired.holm([one.p for one in found])
    found = [replace(one, adjusted=float(p)) for one, p in zip(found, adjusted, strict=True)]
    decisive = next(one for one in found if one.measure == primary)
    values, groups = _paired(primary, first, second, clusters)
    kept = power.not_worse(values, groups, margin=margin, alpha=alpha, seed=seed).holds
    verdict, words = _verdict(decisive, kept, alpha, margin)
    gained, lost = _changes(primary, first, second)
    # a stake is put on the questions one after the other, in an order that no run has decided
    anytime = repeated.bet(np.clip(values, -1.0, 1.0)).p
    return Comparison(
        first.name or first.recipe, second.name or second.recipe, first.set, primary, alpha, margin, verdict, words,
        tuple(found), kept, power.equivalent(values, margin), anytime, gained, lost,
    )  # fmt: skip


def _sound(run: Run) -> None:
    """Raise `UsageError` for a score that is no number."""
    for one in run.outcomes:
        if not all(math.isfinite(value) for value in one.values.values()):
            raise UsageError(f"{run.name}: the question {one.key} has a score that is no number", "evaluate it again")


def _paired(measure: str, first: Run, second: Run, clusters: dict[str, str]) -> tuple[np.ndarray, list[str]]:
    """Differences of the questions that the measure applies to in both runs, and the cluster of each."""
    one, other = first.values(measure), second.values(measure)
    keys = [key for key in one if key in other]
    return np.array([other[key] - one[key] for key in keys]), [clusters[key] for key in keys]


def _difference(measure: str, first: Run, second: Run, clusters: dict[str, str], seed: int) -> Difference:
    values, groups = _paired(measure, first, second, clusters)
    before, after = first.values(measure), second.values(measure)
    mean = float(np.mean([before[key] for key in before if key in after]))
    test = paired.sign_flip(values, seed=seed)
    effect = power.least_effect(values)
    return Difference(
        measure, len(values), mean, mean + test.mean, test.mean,
        intervals.interval(values, groups, seed=seed, bounds=(-1.0, 1.0)), test.p, 1.0, test.informative, test.floor,
        effect if math.isfinite(effect) else None, power.needed(values, test.mean),
    )  # fmt: skip


def _verdict(one: Difference, kept: bool, alpha: float, margin: float) -> tuple[Verdict, str]:
    """What may be said, as one word and as a sentence."""
    if not one.informative:
        return "equal", f"Not one of {one.questions:,} questions has another {one.measure}: no difference."
    if one.floor > alpha:
        return "unresolvable", (
            f"Unresolvable: only {one.informative} of {one.questions:,} questions differ, and the smallest possible"
            f" p is {one.floor:.2g}."
        )
    if one.informative < ENOUGH:
        return "cannot tell", (
            f"Cannot tell: {one.informative} of {one.questions:,} questions differ, {ENOUGH} are needed."
        )
    size = f"{one.measure} {one.difference:+.4f} [{one.interval.low:+.4f}, {one.interval.high:+.4f}], p {one.p:.2g}"
    if one.p <= alpha:
        return ("better", f"Better: {size}.") if one.difference > 0 else ("worse", f"Worse: {size}.")
    least = f" So many questions show a difference of {one.least_effect:.3f}." if one.least_effect else ""
    if kept:
        return "not worse", f"No difference found, and not worse by more than {margin:g}: {size}.{least}"
    return "no difference found", f"No difference found: {size}.{least}"


def _changes(measure: str, first: Run, second: Run) -> tuple[tuple[Change, ...], tuple[Change, ...]]:
    """The questions that gained most and those that lost most."""
    pairs = [
        (one, other)
        for one, other in zip(first.outcomes, second.outcomes, strict=True)
        if measure in one.values and measure in other.values
    ]
    changes = sorted((_change(measure, *pair) for pair in pairs), key=lambda one: (one.first - one.second, one.key))
    gained = tuple(one for one in changes[:TOLD] if one.second > one.first)
    lost = tuple(one for one in changes[: -TOLD - 1 : -1] if one.second < one.first)
    return gained, lost


def _change(measure: str, one: Outcome, other: Outcome) -> Change:
    answers = tuple((each.quotes[0] if each.quotes else "") for each in (one, other))
    return Change(one.key, one.question, one.values[measure], other.values[measure], (answers[0], answers[1]))
