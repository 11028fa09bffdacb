"""Runs: what is measured, kept, resumed and written for others."""

from __future__ import annotations

import json
from pathlib import Path

import ir_measures
import pytest
from ir_measures import RR, R, nDCG

from conftest import Quoth
from quoth import Library
from quoth.catalog.runs import Saved
from quoth.errors import UsageError
from quoth.evaluate import Golden, Question, evaluate, golden, outside, questions, run
from quoth.types import Progress

ASKED = {
    "b": ("When is the boiler serviced?", "house/boiler.txt"),
    "r": ("What did the roof repair cost?", "house/roof.txt"),
    "t": ("When were the tomatoes planted?", "garden.md"),
    "n": ("How long does bread bake?", "recipes/bread.md"),
}


@pytest.fixture
def beir(notes: Path, tmp_path: Path) -> Path:
    """The notes as a collection in BEIR's layout; one document is relevant twice as much."""
    folder = tmp_path / "mini"
    (folder / "qrels").mkdir(parents=True)
    files = sorted(file for file in notes.rglob("*") if file.is_file())
    ids = {str(file.relative_to(notes)): f"d{number}" for number, file in enumerate(files)}
    rows = [
        json.dumps({"_id": ids[str(file.relative_to(notes))], "title": "", "text": file.read_text()}) for file in files
    ]
    (folder / "corpus.jsonl").write_text("\n".join(rows) + "\n")
    asked = [json.dumps({"_id": key, "text": text}) for key, (text, _) in ASKED.items()]
    (folder / "queries.jsonl").write_text("\n".join([*asked, '{"_id": "unjudged", "text": "Who?"}']) + "\n")
    judged = [f"{key}\t{ids[file]}\t{2 if key == 'b' else 1}" for key, (_, file) in ASKED.items()]
    judged.append(f"b\t{ids['house/roof.txt']}\t1")
    (folder / "qrels" / "test.tsv").write_text("\n".join(["query-id\tcorpus-id\tscore", *judged]) + "\n")
    return folder


def test_a_beir_set_is_measured_as_ir_measures_does(beir: Path, tmp_path: Path) -> None:
    published = questions.beir(beir)
    with outside.library_of(published, tmp_path / "kept") as (library, asked):
        done = evaluate(library, asked, answers=False)
    judged = {one.key: {at.path: at.gain for at in one.golden} for one in asked}
    scores = {one.key: {unit: 1 / rank for rank, unit in enumerate(one.ranked, 1)} for one in done.outcomes}
    for name, measure in (("nDCG@10", nDCG @ 10), ("R@5", R @ 5), ("RR@10", RR @ 10)):
        theirs = {one.query_id: one.value for one in ir_measures.iter_calc([measure], judged, scores)}
        assert done.values(name) == pytest.approx(theirs, abs=1e-12)
    assert published.name == "mini (test)"
    assert [one.key for one in done.outcomes] == list(ASKED)
    assert done.values("Success@1")["b"] == 1.0


def test_the_run_for_trec_holds_the_same_ranking(beir: Path, tmp_path: Path) -> None:
    with outside.library_of(questions.beir(beir)) as (library, asked):
        done = evaluate(library, asked, answers=False, name="mine")
    (tmp_path / "run.txt").write_text(run.to_trec(done))
    read = list(ir_measures.read_trec_run(str(tmp_path / "run.txt")))
    for one in done.outcomes:
        mine = sorted((line for line in read if line.query_id == one.key), key=lambda line: -line.score)
        assert [line.doc_id.replace("%20", " ") for line in mine] == list(one.ranked)


def test_answers_are_measured_by_their_quotes(notes: Path, tmp_path: Path) -> None:
    with Library.open(tmp_path / "library") as library:
        library.add([notes])
        golden.add(library, "When is the boiler serviced?", "each October", answers=["each October"])
        golden.add(library, "Who painted the fence blue?", none=True)
        done = evaluate(library, golden.questions(library))
    boiler, fence = done.outcomes
    assert boiler.answered and boiler.values["right"] == 1.0
    assert boiler.values["quote recall"] == 1.0
    quoted = len(boiler.quotes[0])
    assert 0 < boiler.values["quote precision"] <= len("each October") / min(quoted, 58) + 1e-12
    assert 0 < boiler.values["F1"] < 1
    assert set(fence.values) == {"refused"}
    made = run.decisions(done)
    assert made is not None
    assert made.accuracy == (1.0 if not fence.answered else 0.5)
    assert made.auroc == 1.0


def test_equal_recipe_and_library_give_equal_runs_but_for_their_times(notes: Path, tmp_path: Path) -> None:
    with Library.open(tmp_path / "library") as library:
        library.add([notes])
        asked = [Question(key, text, (Golden(str(notes / file)),)) for key, (text, file) in ASKED.items()]
        one, other = evaluate(library, asked), evaluate(library, asked)
        assert one.state == other.state
        for first, second in zip(one.outcomes, other.outcomes, strict=True):
            mine, theirs = ({**vars_of(each), "milliseconds": 0} for each in (first, second))
            assert mine == theirs
        (notes / "new.txt").write_text("Something else.\n")
        library.sync()
        assert evaluate(library, asked, answers=False).state != one.state


def vars_of(outcome: run.Outcome) -> dict[str, object]:
    return {name: getattr(outcome, name) for name in outcome.__dataclass_fields__}


def test_a_run_that_was_cut_off_goes_on_where_it_was(notes: Path, tmp_path: Path) -> None:
    class Cut(Exception):
        pass

    asked: list[int] = []

    def cut(now: Progress) -> None:
        asked.append(now.bytes)
        if now.bytes == 2:
            raise Cut

    with Library.open(tmp_path / "library") as library:
        library.add([notes])
        questions_ = [Question(key, text, (Golden(str(notes / file)),)) for key, (text, file) in ASKED.items()]
        whole = evaluate(library, questions_, answers=False)
        with pytest.raises(Cut):
            evaluate(library, questions_, answers=False, saved=Saved(library._parts.catalog, "x"), watch=cut)
        searched: list[str] = []
        search = library.search

        def counted(query: str, *rest: object, **named: object) -> object:
            searched.append(query)
            return search(query, *rest, **named)  # type: ignore[arg-type]

        library.search = counted  # type: ignore[method-assign, assignment]
        done = evaluate(library, questions_, answers=False, saved=Saved(library._parts.catalog, "x"))
        assert searched == [ASKED["t"][0], ASKED["n"][0]]
        assert [one.values for one in done.outcomes] == [one.values for one in whole.outcomes]
        # under another recipe nothing of it counts
        other = library.make_recipe("other", {"depth": "50"}).recipe
        searched.clear()
        evaluate(library, questions_, other, answers=False, saved=Saved(library._parts.catalog, "x"))
        assert len(searched) == 4


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "qrels/test.tsv",
            "query-id\tcorpus-id\tscore\nb\tabsent\t1\n",
            r"test\.tsv, line 2: there is no document absent",
        ),
        ("qrels/test.tsv", "query-id\tcorpus-id\tscore\nb\td1\n", r"test\.tsv, line 2: no judgement"),
        ("qrels/test.tsv", "query-id\tcorpus-id\tscore\n", "no question of .*mini is judged in test"),
        ("queries.jsonl", '{"_id": "b"}\n', r"queries\.jsonl, line 1: it has no text"),
        ("corpus.jsonl", "{\n", r"corpus\.jsonl, line 1: no JSON"),
    ],
)
def test_a_broken_set_is_one_sentence_with_file_and_line(name: str, text: str, message: str, beir: Path) -> None:
    (beir / name).write_text(text)
    with pytest.raises(UsageError, match=message):
        questions.beir(beir)


def test_a_set_without_judged_questions_and_an_unknown_split_are_refused(
    beir: Path, notes: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="has no judgements of train"):
        questions.beir(beir, "train")
    with Library.open(tmp_path / "library") as library:
        library.add([notes])
        with pytest.raises(UsageError, match="no question whose answer is known"):
            evaluate(library, [])
        golden.add(library, "When is the boiler serviced?", "each October")
        (notes / "house" / "boiler.txt").write_text("Gone.\n")
        library.sync()
        with pytest.raises(UsageError, match="no question whose answer is known"):
            evaluate(library, golden.questions(library))


def test_the_command_line_measures_a_set_and_compares_two_recipes(beir: Path, quoth: Quoth, tmp_path: Path) -> None:
    folder = str(tmp_path / "kept")
    rows = [line.split("\t") for line in (beir / "qrels" / "test.tsv").read_text().splitlines()[1:]]
    (tmp_path / "qrels.txt").write_text("".join(f"{q} 0 {d} {gain}\n" for q, d, gain in rows))
    trec = ("--trec", str(tmp_path / "run.txt"))
    shown = quoth("evaluate", "--beir", str(beir), "--keep", folder, "--name", "usual", *trec)
    assert shown.code == 0, shown.err
    lines = shown.out.splitlines()
    assert lines[0].startswith("mini (test): 4 questions, recipe ")
    assert any("nDCG@10" in line and "[" in line for line in lines)
    lines_of_run = (tmp_path / "run.txt").read_text().splitlines()
    assert {line.split()[2] for line in lines_of_run} <= {f"d{number}" for number in range(5)}
    judged = ir_measures.read_trec_qrels(str(tmp_path / "qrels.txt"))
    theirs = ir_measures.calc_aggregate([nDCG @ 10], judged, ir_measures.read_trec_run(str(tmp_path / "run.txt")))
    assert f"{theirs[nDCG @ 10]:.4f}" in next(line for line in lines if "nDCG@10" in line)
    assert "bm25s" in lines
    quoth("recipe", "new", "vectors", "--set", "fusion.words=0", "--set", "fusion.adapt=0")
    assert quoth("evaluate", "--beir", str(beir), "--keep", folder, "--recipe", "vectors", "--name", "v").code == 0
    compared = quoth("compare", "usual", "v", "--json").json
    assert compared["verdict"] in ("equal", "unresolvable")
    assert [one.split()[0] for one in quoth("runs").out.splitlines()] == ["usual", "v"]
    wrong = quoth("compare", "usual", "nothing")
    assert (wrong.code, wrong.err.splitlines()[0]) == (1, "error: there is no run nothing")
    missing = quoth("evaluate", "--set", "nothing")
    assert missing.code == 1
