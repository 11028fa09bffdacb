"""Measures against ir_measures, scikit-learn and sums written out."""

from __future__ import annotations

import ir_measures
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ir_measures import RR, R, Success, nDCG
from sklearn.metrics import roc_auc_score

from quoth.stats import measures


def random_run(seed: int) -> tuple[dict[str, dict[str, int]], dict[str, dict[str, float]]]:
    """Qrels and a run with ties, unjudged documents, negative gains and questions that are missing from the run."""
    random = np.random.default_rng(seed)
    qrels: dict[str, dict[str, int]] = {}
    run: dict[str, dict[str, float]] = {}
    for question in range(40):
        names = [f"d{number}" for number in random.choice(60, 30, replace=False)]
        qrels[f"q{question}"] = {name: int(random.integers(-1, 4)) for name in names[: random.integers(1, 20)]}
        if question % 7:
            found = random.choice(60, random.integers(1, 30), replace=False)
            run[f"q{question}"] = {f"d{number}": float(random.integers(0, 8)) for number in found}
    return qrels, run


@pytest.mark.parametrize("seed", range(20))
def test_measures_are_those_of_ir_measures(seed: int) -> None:
    qrels, run = random_run(seed)
    rankings = {question: measures.as_trec_eval_orders(scores) for question, scores in run.items()}
    gains, ideal = measures.tables(rankings, qrels, 100)
    mine = {
        nDCG @ 10: measures.ndcg(gains, ideal, 10),
        R @ 5: measures.recall(gains, ideal, 5),
        R @ 20: measures.recall(gains, ideal, 20),
        # of equal scores RR@10 of ir_measures takes another one than trec_eval, whose RR has no cutoff
        RR: measures.reciprocal_rank(gains, 100),
        Success @ 1: measures.success(gains, 1),
        Success @ 5: measures.success(gains, 5),
    }
    theirs = {measure: dict.fromkeys(qrels, 0.0) for measure in mine}
    for one in ir_measures.iter_calc(list(mine), qrels, run):
        theirs[one.measure][one.query_id] = one.value
    for measure, values in mine.items():
        assert values == pytest.approx(list(theirs[measure].values()), abs=1e-12), measure
    whole, cut = mine[RR], measures.reciprocal_rank(gains, 10)
    assert cut.tolist() == np.where(whole >= 1 / 10, whole, 0.0).tolist()


@pytest.mark.parametrize("seed", range(5))
def test_rr_at_10_without_ties_is_that_of_ir_measures(seed: int) -> None:
    qrels, run = random_run(seed)
    apart = {q: {d: score + n / 100 for n, (d, score) in enumerate(scores.items())} for q, scores in run.items()}
    rankings = {question: measures.as_trec_eval_orders(scores) for question, scores in apart.items()}
    gains, _ = measures.tables(rankings, qrels, 100)
    theirs = dict.fromkeys(qrels, 0.0)
    theirs |= {one.query_id: one.value for one in ir_measures.iter_calc([RR @ 10], qrels, apart)}
    assert measures.reciprocal_rank(gains, 10) == pytest.approx(list(theirs.values()), abs=1e-12)


def test_a_judged_question_without_a_ranking_scores_0_in_every_measure() -> None:
    gains, ideal = measures.tables({"a": ["x"]}, {"a": {"x": 1}, "b": {"y": 1}}, 10)
    assert measures.ndcg(gains, ideal, 10).tolist() == [1.0, 0.0]
    assert measures.recall(gains, ideal, 5).tolist() == [1.0, 0.0]
    assert measures.reciprocal_rank(gains, 10).tolist() == [1.0, 0.0]
    assert measures.success(gains, 1).tolist() == [1.0, 0.0]


spans = st.lists(
    st.tuples(st.sampled_from("ab"), st.integers(0, 30), st.integers(1, 15)).map(lambda s: (s[0], s[1], s[1] + s[2])),
    max_size=6,
)


@settings(max_examples=200, deadline=None)
@given(spans, spans)
def test_overlap_is_that_of_the_sets_of_characters(quotes: list[measures.Span], golden: list[measures.Span]) -> None:
    mine, wanted = ({(path, at) for path, start, end in some for at in range(start, end)} for some in (quotes, golden))
    precision = len(mine & wanted) / len(mine) if mine else 0.0
    recall = len(mine & wanted) / len(wanted) if wanted else 0.0
    assert measures.overlap(quotes, golden) == pytest.approx((precision, recall), abs=1e-15)


def test_answers_are_compared_as_squad_does() -> None:
    assert measures.exact_match("The  Eiffel Tower.", ["a tower", "eiffel tower"]) == 1.0
    assert measures.exact_match("Eiffel Towers", ["eiffel tower"]) == 0.0
    assert measures.token_f1("the tall eiffel tower", ["Eiffel Tower", "it"]) == pytest.approx(0.8)
    assert measures.token_f1("", ["the"]) == 1.0
    assert measures.token_f1("tower", ["lamp"]) == 0.0


@pytest.mark.parametrize("seed", range(10))
def test_auroc_is_that_of_scikit_learn(seed: int) -> None:
    random = np.random.default_rng(seed)
    scores, positive = random.integers(0, 12, 80) / 11, random.random(80) < 0.4
    assert measures.auroc(scores, positive) == pytest.approx(roc_auc_score(positive, scores), abs=1e-12)


def test_auroc_of_one_kind_is_no_number() -> None:
    assert np.isnan(measures.auroc(np.array([0.1, 0.2]), np.array([True, True])))


def test_the_risk_coverage_curve_counts_the_errors_of_the_surest() -> None:
    confidence, right = np.array([0.9, 0.2, 0.7, 0.4]), np.array([1.0, 0.0, 0.0, 1.0])
    coverage, risk = measures.risk_coverage(confidence, right)
    assert coverage.tolist() == [0.25, 0.5, 0.75, 1.0]
    assert risk.tolist() == pytest.approx([0.0, 1 / 2, 1 / 3, 2 / 4])
    assert measures.aurc(confidence, right) == pytest.approx((0 + 1 / 2 + 1 / 3 + 1 / 2) / 4)


def test_equal_confidences_share_their_errors_whatever_their_order() -> None:
    random = np.random.default_rng(0)
    confidence, right = random.integers(0, 4, 60) / 3, (random.random(60) < 0.5).astype(float)
    first = measures.aurc(confidence, right)
    orders = [random.permutation(60) for _ in range(400)]
    for order in orders[:20]:
        assert measures.aurc(confidence[order], right[order]) == pytest.approx(first, abs=1e-12)
    # the mean over orders of the ties is what sharing stands for
    plain = []
    for order in orders:
        sorted_ = order[np.argsort(-confidence[order], kind="stable")]
        plain.append((np.cumsum(1 - right[sorted_]) / np.arange(1, 61)).mean())
    assert first == pytest.approx(np.mean(plain), abs=4 * np.std(plain) / 20)
