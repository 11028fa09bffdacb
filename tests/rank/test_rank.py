"""The order of candidates: sums, ties, the leaning of a question, names, copies."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quoth import rank

PLAIN = rank.Weights(words=1.0, vectors=1.0, adapt=0.0, match=0.0)
WEIGHTS = rank.Weights()


def candidates(words, vectors, ids=None, match=None):
    ids = range(len(words)) if ids is None else ids
    match = np.zeros(len(words)) if match is None else match
    arrays = (np.array(one, np.float32) for one in (words, vectors, match))
    return rank.Candidates(np.array(list(ids), np.int64), *arrays)


def test_the_plain_order_is_that_of_the_sum_of_standard_scores():
    words, vectors = np.array([5.0, 3.0, 0.0, 1.0]), np.array([0.1, 0.7, 0.4, 0.3])
    places, scores = rank.order(candidates(words, vectors), PLAIN)
    wanted = sum((one - one.mean()) / one.std() for one in (words, vectors))
    assert places.tolist() == np.argsort(-wanted).tolist() == [1, 0, 3, 2]
    assert scores == pytest.approx(np.sort(wanted)[::-1], abs=1e-4)


def test_standard_scores_agree_with_scipy():
    stats = pytest.importorskip("scipy.stats")
    scores = np.random.default_rng(0).gamma(2, size=50).astype(np.float32)
    assert rank.standardised(scores) == pytest.approx(stats.zscore(scores.astype(np.float64)))


def test_equal_scores_are_ordered_by_id():
    places, _ = rank.order(candidates([1, 1, 1], [0.5, 0.5, 0.5], ids=[30, 10, 20]), WEIGHTS)
    assert places.tolist() == [1, 2, 0]


def test_no_candidates_give_no_order():
    places, scores = rank.order(candidates([], []), WEIGHTS)
    assert len(places) == len(scores) == 0


def test_one_score_without_spread_leaves_the_order_to_the_other():
    places, _ = rank.order(candidates([0, 0, 0], [0.2, 0.9, 0.5]), WEIGHTS)
    assert places.tolist() == [1, 2, 0]


def test_a_question_leans_to_words_when_one_passage_stands_out_by_words():
    flat = np.linspace(0.5, 0.4, 30)
    outstanding, level = np.ones(30), np.linspace(10, 1, 30)
    outstanding[0] = 30
    leaning = [rank.lean(candidates(words, flat), WEIGHTS) for words in (outstanding, level)]
    assert leaning[0] > leaning[1]


def test_a_question_in_another_script_leans_to_words():
    some = candidates(np.linspace(10, 1, 30), np.linspace(0.9, 0.1, 30))
    latin, arabic = (rank.lean(some, WEIGHTS, question) for question in ("Où est l'été?", "أين هو 2024?"))
    assert arabic == pytest.approx(latin + WEIGHTS.foreign)


def test_the_order_does_not_depend_on_the_order_of_the_candidates():
    rng = np.random.default_rng(1)
    words, vectors = rng.gamma(1, size=40), rng.normal(size=40)
    mixed = rng.permutation(40)
    first, _ = rank.order(candidates(words, vectors), WEIGHTS)
    second, _ = rank.order(candidates(words[mixed], vectors[mixed], ids=mixed), WEIGHTS)
    assert first.tolist() == mixed[second].tolist()


@given(st.lists(st.tuples(st.floats(0, 1e6), st.floats(-1, 1)), max_size=40), st.text(max_size=20))
def test_every_candidate_is_ranked_once_whatever_its_scores(pairs, question):
    places, scores = rank.order(candidates([one for one, _ in pairs], [two for _, two in pairs]), WEIGHTS, question)
    assert sorted(places.tolist()) == list(range(len(pairs)))
    assert np.isfinite(scores).all()
    assert (np.diff(scores) <= 0).all()


def test_a_name_that_stands_whole_in_the_question_lifts_its_passages():
    question = "What is Apple's gross margin in 2022 Q3 AAPL?"
    contexts = [
        "Report › Margins\n2022 Q3 AAPL.pdf",
        "Report\n2023 Q1 AAPL.pdf",
        "Gross margin › Notes\nx.md",
        "Apple\na.md",
    ]
    assert rank.match(question, contexts).tolist() == [1, 0, 1, 0]
    places, _ = rank.order(candidates([1, 1], [0.5, 0.5], match=[0, 1]), WEIGHTS)
    assert places.tolist() == [1, 0]


def test_a_file_name_in_camel_or_snake_case_is_matched_by_its_words():
    assert rank.match("where is the word index built", ["word_index.py", "WordIndex.java", "word.py"]).tolist() == [
        1,
        1,
        0,
    ]


def test_copies_fold_into_the_best_of_them():
    text = "The inverter carries a warranty of ten years from the day of its purchase by the first owner, in writing."
    texts = [text, "Something else.", text.upper(), text.replace(" ", "\n"), f"{text} Yes."]
    assert rank.fold(texts, WEIGHTS) == [0, 1]


def test_passages_that_differ_in_a_number_are_both_kept():
    words = " ".join(f"word{letter}" for letter in "abcdefghijklmnopqrstuvwxyz")
    texts = [f"{words} net sales 82,959 {words}", f"{words} net sales 94,836 {words}"]
    assert rank.fold(texts, WEIGHTS) == [0, 1]


def test_folding_stops_at_k_and_can_be_switched_off():
    texts = ["one", "one", "two", "three"]
    assert rank.fold(texts, WEIGHTS, k=2) == [0, 2]
    assert rank.fold(texts, rank.Weights(alike=2.0)) == [0, 1, 2, 3]


def test_folding_agrees_with_comparing_all_pairs():
    rng = np.random.default_rng(4)
    texts = []
    for _ in range(12):
        words = [f"w{chr(97 + one)}" for one in rng.integers(0, 26, 60)]
        texts += [" ".join(words), " ".join([*words[:-1], "changed"]), " ".join(words[:40])]

    def runs(text):
        words = text.split()
        return {tuple(words[at : at + 3]) for at in range(len(words) - 2)}

    kept = []
    for place, text in enumerate(texts):
        if all(len(runs(text) & runs(texts[one])) / len(runs(text) | runs(texts[one])) < 0.9 for one in kept):
            kept.append(place)
    assert rank.fold(texts, WEIGHTS) == kept
