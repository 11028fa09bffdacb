"""A run in numbers: means with their intervals, decisions, and how long a question took."""

from __future__ import annotations

import math
from typing import TypedDict

import numpy as np

from quoth.evaluate.run import Run, decisions
from quoth.stats import intervals


class Mean(TypedDict):
    """The mean over the questions that a measure applies to, with its 95 % interval."""

    mean: float
    low: float
    high: float
    questions: int


class Summary(TypedDict):
    """A run in numbers."""

    name: str
    recipe: str
    set: str
    questions: int
    measures: dict[str, Mean]
    decisions: dict[str, float]
    milliseconds: dict[str, float]


def of(run: Run) -> Summary:
    """The summary of a run; questions about one document are drawn together in the intervals."""
    clusters = {one.key: one.cluster for one in run.outcomes}
    measures: dict[str, Mean] = {}
    for name in run.measures:
        values = run.values(name)
        found = intervals.interval(list(values.values()), [clusters[key] for key in values], bounds=(0.0, 1.0))
        mean = float(np.mean(list(values.values())))
        measures[name] = {"mean": mean, "low": found.low, "high": found.high, "questions": len(values)}
    made = decisions(run)
    told = (
        {"coverage": made.coverage, "accuracy": made.accuracy, "AURC": made.aurc, "AUROC": made.auroc} if made else {}
    )
    times = [one.milliseconds for one in run.outcomes]
    return {
        "name": run.name or run.recipe,
        "recipe": run.recipe,
        "set": run.set,
        "questions": len(run.outcomes),
        "measures": measures,
        "decisions": {name: value for name, value in told.items() if not math.isnan(value)},
        "milliseconds": {"p50": float(np.median(times)), "p99": float(np.quantile(times, 0.99))},
    }
