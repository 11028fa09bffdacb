"""Golden questions: what is taken in, what is refused, and how answers are found again."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from conftest import Quoth
from quoth import Library, feedback
from quoth.errors import NotFound, UsageError
from quoth.evaluate import golden
from quoth.evaluate.questions import queries
from quoth.evaluate.suggest import suggest

PUMP = "The pump runs for seven minutes, twice a day."


@pytest.fixture
def library(added: Path, notes: Path) -> Library:
    (notes / "pump.md").write_text(f"# Pump\n\nIn summer. {PUMP}\n\nIn winter. {PUMP}\n")
    opened = Library.open(added)
    opened.add([notes / "pump.md"])
    return opened


def test_a_quote_becomes_characters_of_its_document(library: Library, notes: Path) -> None:
    made = golden.add(library, "When is the boiler serviced?", "serviced   each\nOctober", answers=["October"])
    (span,) = made.spans
    assert span.path == str(notes / "house" / "boiler.txt")
    assert library.show(span.path).text[span.start : span.end] == span.text == "serviced each October"
    (question,) = golden.questions(library)
    assert (question.text, question.answers, question.stale) == ("When is the boiler serviced?", ("October",), False)
    assert question.cluster == span.path


def test_what_does_not_stand_there_is_refused(library: Library, notes: Path) -> None:
    (notes / "copy.txt").write_text((notes / "house" / "roof.txt").read_text())
    library.sync()
    with pytest.raises(NotFound, match="does not stand in any document"):
        golden.add(library, "Who services it?", "by Hartmann and Daughters")
    with pytest.raises(NotFound, match=r"does not stand in .*garden\.md"):
        golden.add(library, "Who services it?", "by Hartmann and Sons", place="garden.md")
    with pytest.raises(UsageError, match="stands in 2 documents"):
        golden.add(library, "What did the roof cost?", "4,200 euros")
    assert (
        golden.add(library, "What did the roof cost?", "4,200 euros", place="copy.txt")
        .spans[0]
        .path.endswith("copy.txt")
    )
    for arguments in ({"quote": ""}, {"quote": "4,200", "none": True}):
        with pytest.raises(UsageError):
            golden.add(library, "What did the roof cost?", **arguments)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="holds no words"):
        golden.add(library, "?!", "4,200 euros")
    assert len(golden.questions(library)) == 1


def test_a_moved_answer_is_found_again_by_what_stands_around_it(library: Library, notes: Path) -> None:
    golden.add(library, "How long does the pump run?", PUMP)
    text = (notes / "pump.md").read_text()
    (notes / "pump.md").write_text("A new first line.\n\nIn spring. " + PUMP + "\n\n" + text)
    library.sync()
    (question,) = golden.questions(library)
    (at,) = question.golden
    document = library.show(at.path)
    assert not question.stale
    assert document.text[at.start : at.end] == PUMP
    assert document.text[: at.start].endswith("In summer. ")
    assert golden.kept(library)[0].spans[0].start == at.start


def test_an_answer_whose_words_are_gone_is_stale_until_they_are_back(library: Library, notes: Path) -> None:
    golden.add(library, "When is the boiler serviced?", "each October")
    before = (notes / "house" / "boiler.txt").read_text()
    (notes / "house" / "boiler.txt").write_text("The boiler is gone.\n")
    library.sync()
    assert [one.stale for one in golden.questions(library)] == [True]
    (notes / "house" / "boiler.txt").write_text(before)
    library.sync()
    assert [one.stale for one in golden.questions(library)] == [False]


def test_a_question_follows_a_file_that_moves(library: Library, notes: Path) -> None:
    golden.add(library, "When is the boiler serviced?", "each October")
    (notes / "house" / "boiler.txt").rename(notes / "heating.txt")
    assert library.sync().moved == 1
    (question,) = golden.questions(library)
    assert (question.golden[0].path, question.stale) == (str(notes / "heating.txt"), False)


def test_questions_survive_export_and_import(library: Library, tmp_path: Path) -> None:
    golden.add(library, "When is the boiler serviced?", "each October", answers=["October"])
    golden.add(library, "Who painted the fence?", none=True, set_="other")
    lines = "\n".join(golden.export(library))
    before = golden.questions(library)
    assert golden.remove(library, [before[0].key, "set:other"]) == 2
    assert golden.questions(library) == []
    (tmp_path / "golden.jsonl").write_text(lines)
    assert len(golden.import_file(library, tmp_path / "golden.jsonl")) == 2
    assert golden.questions(library) == before


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"question": "What?"', "line 2: no JSON"),
        ('["What?"]', "line 2: no record"),
        ('{"question": "What?", "qoute": "x"}', "line 2: nobody knows qoute"),
        ('{"question": "What?", "quote": "not there at all"}', "line 2: the quote does not stand in any document"),
        ('{"question": "What?"}', "line 2: what answers it"),
        ('{"question": 7, "quote": "each October"}', "line 2: question is a text"),
    ],
)
def test_a_wrong_line_is_named_and_nothing_is_half_taken_in(
    line: str, message: str, library: Library, tmp_path: Path
) -> None:
    file = tmp_path / "golden.jsonl"
    file.write_text('{"question": "When is it serviced?", "quote": "each October"}\n' + line + "\n")
    with pytest.raises(UsageError, match=message):
        golden.import_file(library, file)
    assert golden.kept(library) == []


def test_squad_questions_find_their_paragraphs_in_the_library(library: Library, notes: Path, tmp_path: Path) -> None:
    context = (notes / "house" / "roof.txt").read_text()
    qas = [
        {
            "id": "a",
            "question": "When was it repaired?",
            "answers": [{"text": "2019", "answer_start": context.index("2019")}],
        },
        {"id": "b", "question": "Who painted it?", "answers": [], "is_impossible": True},
    ]
    data = {"data": [{"title": "Roof", "paragraphs": [{"context": context, "qas": qas}]}]}
    with gzip.open(tmp_path / "set.json.gz", "wt") as file:
        json.dump(data, file)
    golden.import_file(library, tmp_path / "set.json.gz", "squad")
    first, second = golden.questions(library, "squad")
    assert (first.golden[0].path, first.golden[0].text) == (str(notes / "house" / "roof.txt"), "2019")
    assert (second.none, second.golden) == (True, ())


def test_qrels_name_documents_by_their_files(library: Library, notes: Path, tmp_path: Path) -> None:
    (tmp_path / "qrels.txt").write_text("1 0 boiler 1\n1 0 roof.txt 2\n2 0 garden.md 1\n3 0 pump.md 1\n")
    (tmp_path / "asked.tsv").write_text("1\tWhen is the boiler serviced?\n2\tWhen were the tomatoes planted?\n")
    assert len(golden.import_file(library, tmp_path / "qrels.txt", "trec", tmp_path / "asked.tsv")) == 2
    first, _ = golden.questions(library, "trec")
    assert [(Path(at.path).name, at.gain, at.start) for at in first.golden] == [
        ("boiler.txt", 1, None),
        ("roof.txt", 2, None),
    ]
    (tmp_path / "qrels.txt").write_text("1 0 boiler 1\n1 0 nowhere 2\n")
    with pytest.raises(UsageError, match=r"qrels\.txt, line 2: there is no document nowhere"):
        golden.import_file(library, tmp_path / "qrels.txt", "trec", tmp_path / "asked.tsv")
    (tmp_path / "asked.tsv").write_text("1 no tab\n")
    with pytest.raises(UsageError, match=r"asked\.tsv, line 1: no question"):
        list(queries(tmp_path / "asked.tsv"))


def test_a_set_of_another_library_is_one_sentence(library: Library, tmp_path: Path) -> None:
    folder = tmp_path / "beir"
    (folder / "qrels").mkdir(parents=True)
    (folder / "corpus.jsonl").write_text('{"_id": "d1", "title": "Moon", "text": "It is far away."}\n')
    (folder / "queries.jsonl").write_text('{"_id": "q1", "text": "How far is the moon?"}\n')
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td1\t1\n")
    with pytest.raises(UsageError, match="holds none of the 1 documents of beir"):
        golden.import_file(library, folder)
    with pytest.raises(NotFound, match="no set of golden questions nothing"):
        golden.questions(library, "nothing")


def test_the_command_line_takes_questions_in_and_out(quoth: Quoth, notes: Path, tmp_path: Path) -> None:
    quoth("add", str(notes))
    added = quoth("golden", "add", "When is the boiler serviced?", "--quote", "each October")
    assert (added.code, added.out.splitlines()[-1]) == (0, "1 question")
    refused = quoth("golden", "add", "Who?", "--quote", "nobody at all")
    assert refused.code == 1
    assert refused.err.splitlines()[1] == "  try: copy it from quoth show FILE"
    assert quoth("golden", "export", str(tmp_path / "out.jsonl")).code == 0
    key = quoth("golden", "list", "--json").json["questions"][0]["key"]  # type: ignore[index]
    assert quoth("golden", "remove", str(key)).out == "removed: 1 question\n"
    assert quoth("golden", "import", str(tmp_path / "out.jsonl")).out == "added: 1 question\n"


def test_suggestions_come_from_headings_and_rated_answers_and_count_for_nothing(library: Library, notes: Path) -> None:
    library.ask("When is the boiler serviced?")
    feedback.rate(library, "right")
    found = suggest(library)
    assert (found[0].question, found[0].source) == ("When is the boiler serviced?", "rated")
    headings = {one.question: one for one in found if one.source == "heading"}
    compost = headings["What does “Garden” say about Compost?"]
    assert compost.quote == "Turn the compost every second Sunday."
    assert golden.kept(library) == []
    golden.add(library, found[0].question, found[0].quote, place=found[0].document)
    assert found[0].question not in [one.question for one in suggest(library)]


def test_suggestions_can_be_taken_in_as_they_are_written(quoth: Quoth, notes: Path, tmp_path: Path) -> None:
    quoth("add", str(notes))
    file = tmp_path / "suggested.jsonl"
    assert quoth("golden", "suggest", "--out", str(file)).code == 0
    count = len(file.read_text().splitlines())
    assert count == 4
    assert quoth("golden", "import", str(file)).out == f"added: {count} questions\n"
