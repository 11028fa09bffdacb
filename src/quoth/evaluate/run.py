"""Ask a library golden questions under a recipe: what came back, and what it is worth, question by question."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np

from quoth.errors import UsageError
from quoth.evaluate.questions import Question
from quoth.library import Library, unwatched
from quoth.recipe import Recipe
from quoth.stats import measures
from quoth.types import Answer, Hit, Progress, Watcher

if TYPE_CHECKING:
    from quoth.catalog.runs import Saved

DEPTH = 50
"""Passages that are asked for: enough for R@20 where a document has several, without a deeper look than usual."""
RETRIEVAL = ("nDCG@10", "R@5", "R@20", "RR@10", "Success@1", "Success@5")
ANSWERS = ("right", "quote precision", "quote recall", "EM", "F1", "refused")
PRIMARY = "nDCG@10"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came back for a question.

    `ranked` names what was found, best first: a golden stretch by its number ("@0"), other passages by path and
    characters; where whole documents are golden, documents. `values` are the measures that apply to the question.
    `milliseconds` are those of the answer, or of the search where none was asked for.
    """

    key: str
    question: str
    cluster: str
    none: bool
    ranked: tuple[str, ...]
    scores: tuple[float, ...]
    answered: bool
    confidence: float
    quotes: tuple[str, ...]
    values: dict[str, float]
    milliseconds: float


@dataclass(frozen=True, slots=True)
class Run:
    """A recipe's outcomes on a set of questions, in the order of the set.

    `state` names what was searched: equal recipe, state and set give equal outcomes, their times apart.
    """

    name: str
    recipe: str
    fields: dict[str, str | int | float]
    set: str
    state: str
    at: float
    outcomes: tuple[Outcome, ...]
    answers: bool

    def values(self, measure: str) -> dict[str, float]:
        """The value of each question that the measure applies to, by key."""
        return {one.key: one.values[measure] for one in self.outcomes if measure in one.values}

    @property
    def measures(self) -> tuple[str, ...]:
        """The measures that apply to any question, in the usual order."""
        return tuple(name for name in (*RETRIEVAL, *ANSWERS) if any(name in one.values for one in self.outcomes))


def evaluate(
    library: Library,
    questions: Sequence[Question],
    recipe: Recipe | None = None,
    *,
    name: str = "",
    answers: bool = True,
    saved: Saved | None = None,
    watch: Watcher = unwatched,
) -> Run:
    """The run of a recipe, by default the one that counts, over questions of one set.

    With `answers` every question is answered as well, and quotes are measured. `saved` keeps what is done: a run
    that is cut off goes on there. Stale questions are left out. Raises `UsageError` when nothing is left.
    """
    asked = [one for one in questions if not one.stale]
    if not any(one.golden or one.none for one in asked):
        raise UsageError("there is no question whose answer is known", "quoth golden add QUESTION --quote TEXT")
    chosen = recipe or library.recipe()
    state = _state(library)
    done: dict[str, Outcome] = {}
    if saved:
        header = {"recipe": chosen.hash, "state": state, "questions": _named(asked), "answers": answers}
        done = {str(line["key"]): _read(line) for line in saved.begin(header)}
    for place, question in enumerate(asked):
        watch(Progress("evaluating", 0, 0, 0, place, len(asked)))
        if question.key not in done:
            done[question.key] = _outcome(library, question, chosen, answers)
            if saved:
                saved.add(dataclasses.asdict(done[question.key]))
    watch(Progress("evaluating", 0, 0, 0, len(asked), len(asked)))
    outcomes = measured(asked, [done[one.key] for one in asked])
    return Run(name, chosen.hash, chosen.values(), "", state, time.time(), tuple(outcomes), answers)


def _state(library: Library) -> str:
    """A name for what can be found: changes with every file that comes, goes or changes, and with the splitting."""
    catalog = library._parts.catalog
    digest = hashlib.sha256()
    for file in catalog.files():
        if file.state == "read":
            digest.update(f"{file.path}\0{file.sha256}\n".encode("utf-8", "surrogateescape"))
    digest.update(str(catalog.counts()["passages"]).encode())
    return digest.hexdigest()[:16]


def _outcome(library: Library, question: Question, recipe: Recipe, answers: bool) -> Outcome:
    """What one question brings; its rank measures come later, for all questions at once."""
    started = time.perf_counter()
    hits = library.search(question.text, DEPTH, recipe=recipe, plain=question.plain).hits
    milliseconds = 1000 * (time.perf_counter() - started)
    answer = None
    if answers:
        answer = library.explain(question.text, recipe=recipe, noted=False, plain=question.plain)[0]
    milliseconds = 1000 * answer.seconds if answer else milliseconds
    ranked = units(question, hits)
    return Outcome(
        question.key, question.text, question.cluster, question.none, tuple(ranked), tuple(ranked.values()),
        bool(answer and answer.answered), answer.confidence if answer else 0.0,
        tuple(one.text for one in answer.quotes) if answer else (),
        _quoted(question, answer) if answer else {}, round(milliseconds, 3),
    )  # fmt: skip


def units(question: Question, hits: Sequence[Hit]) -> dict[str, float]:
    """What the hits found, best first, each once, with its score: golden stretches, golden documents, others."""
    found: dict[str, float] = {}
    whole = not any(one.start is not None for one in question.golden)
    for hit in hits:
        stretches = [
            number
            for number, one in enumerate(question.golden)
            if one.path == hit.document and one.start is not None and one.start < hit.end and hit.start < (one.end or 0)
        ]
        name = hit.document if whole else f"{hit.document}:{hit.start}-{hit.end}"
        for unit in [f"@{number}" for number in stretches] or [name]:
            found.setdefault(unit, hit.score)
    return found


def _quoted(question: Question, answer: Answer) -> dict[str, float]:
    """The measures of an answer that apply to the question."""
    values = {"refused": float(not answer.answered)}
    if question.none:
        return values
    spans = [(one.path, one.start, one.end or 0) for one in question.golden if one.start is not None]
    quotes = [(one.document, one.start, one.end) for one in answer.quotes]
    if spans:
        # several golden stretches are several ways to be right: the best of them counts
        pairs = [measures.overlap(quotes, [span]) for span in spans]
        values["quote precision"] = max(precision for precision, _ in pairs)
        values["quote recall"] = max(recall for _, recall in pairs)
        first = [measures.overlap(quotes[:1], [span])[1] for span in spans]
        values["right"] = float(max(first) >= 0.5)
    if question.answers:
        text = answer.quotes[0].text if answer.quotes else ""
        values["EM"] = measures.exact_match(text, question.answers) if text else 0.0
        values["F1"] = measures.token_f1(text, question.answers) if text else 0.0
    return values


def measured(questions: Sequence[Question], outcomes: Sequence[Outcome]) -> list[Outcome]:
    """The outcomes with the measures of their rankings; a question that must not be answered has none."""
    judged = {
        one.key: {at.path if at.start is None else f"@{number}": at.gain for number, at in enumerate(one.golden)}
        for one in questions
        if one.golden
    }
    gains, ideal = measures.tables({one.key: one.ranked for one in outcomes}, judged, DEPTH)
    columns = {
        "nDCG@10": measures.ndcg(gains, ideal, 10),
        "R@5": measures.recall(gains, ideal, 5),
        "R@20": measures.recall(gains, ideal, 20),
        "RR@10": measures.reciprocal_rank(gains, 10),
        "Success@1": measures.success(gains, 1),
        "Success@5": measures.success(gains, 5),
    }
    row = {key: place for place, key in enumerate(judged)}
    return [
        dataclasses.replace(
            one,
            values={name: float(column[row[one.key]]) for name, column in columns.items() if one.key in row}
            | one.values,
        )
        for one in outcomes
    ]


@dataclass(frozen=True, slots=True)
class Decisions:
    """How well a run knew when to answer: over the questions that it was asked to answer or to refuse.

    `coverage` is the share answered, `accuracy` what of these was right, `aurc` the area under the risk–coverage
    curve, `auroc` how well the confidence tells questions with an answer from those without (nan without both).
    """

    coverage: float
    accuracy: float
    aurc: float
    auroc: float
    curve: tuple[tuple[float, float], ...]


def decisions(run: Run) -> Decisions | None:
    """The decisions of a run whose questions were answered, and whose right answers are known."""
    known = [one for one in run.outcomes if "right" in one.values or one.none]
    if not run.answers or not known:
        return None
    confidence = np.array([one.confidence for one in known])
    right = np.array([0.0 if one.none else one.values["right"] for one in known])
    answered = np.array([one.answered for one in known])
    able = np.array([not one.none for one in known])
    coverage, risk = measures.risk_coverage(confidence, right)
    accuracy = float(right[answered].mean()) if answered.any() else float("nan")
    return Decisions(
        float(answered.mean()), accuracy, measures.aurc(confidence, right), measures.auroc(confidence, able),
        tuple(zip(coverage.tolist(), risk.tolist(), strict=True)),
    )  # fmt: skip


def to_json(run: Run) -> str:
    """The whole run as JSON, which `read` reads."""
    return json.dumps(dataclasses.asdict(run)) + "\n"


def to_trec(run: Run) -> str:
    """The run as lines of TREC's layout: question, Q0, document, rank, score, name; scores fall with the rank."""
    lines = []
    for one in run.outcomes:
        for rank, unit in enumerate(one.ranked, 1):
            lines.append(f"{one.key} Q0 {unit.replace(' ', '%20')} {rank} {1 / rank:.9f} {run.name or run.recipe}")
    return "\n".join(lines) + "\n"


def _named(questions: Sequence[Question]) -> str:
    """A name for these questions: changes whenever one of them, or where its answer stands, changes."""
    record = json.dumps([dataclasses.asdict(one) for one in questions], sort_keys=True)
    return hashlib.sha256(record.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def read(record: Mapping[str, object], name: str) -> Run:
    """A run as it was saved; `UsageError` when the record is none."""
    try:
        outcomes = tuple(map(_read, cast("list[dict[str, object]]", record["outcomes"])))
        run = Run(**(dict(record) | {"outcomes": outcomes}))  # type: ignore[arg-type]
    except (KeyError, TypeError) as error:
        raise UsageError(f"{name} is no run ({error})", "quoth evaluate --name NAME makes one") from None
    return run


def _read(line: Mapping[str, object]) -> Outcome:
    """An outcome as it was saved."""
    lists = {"ranked", "scores", "quotes"}
    return Outcome(**{name: tuple(value) if name in lists else value for name, value in line.items()})  # type: ignore[arg-type]
