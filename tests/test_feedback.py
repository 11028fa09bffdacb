"""The journal: what is entered, what is not, and how it goes away."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from conftest import Quoth
from quoth import Library, feedback
from quoth.catalog import journal
from quoth.errors import NotFound
from quoth.evaluate import Wanted, evaluate, golden, kept_runs, measure


@pytest.fixture
def library(added: Path) -> Library:
    return Library.open(added)


def kinds(library: Library) -> list[str]:
    return [one.kind for one in feedback.entries(library)]


def test_a_question_and_what_was_shown_are_entered_with_their_recipe(library: Library) -> None:
    answer = library.ask("When is the boiler serviced?")
    asked, shown = feedback.entries(library)
    assert (asked.kind, asked.recipe, asked.record["question"]) == ("asked", answer.recipe, answer.question)
    (quote, *_) = shown.record["quotes"]  # type: ignore[misc]
    assert library.show(quote["document"]).text[quote["start"] : quote["end"]] == answer.quotes[0].text
    feedback.rate(library, "wrong", 1)
    rated = feedback.entries(library, 1)[0]
    assert (rated.record["rating"], rated.record["quote"], rated.record["shown"]) == ("wrong", 1, shown.id)
    with pytest.raises(NotFound, match="has no quote 9"):
        feedback.rate(library, "right", 9)


def test_a_person_rates_what_was_shown_to_them(library: Library) -> None:
    hers = library.explain("When is the boiler serviced?", person="Ada")[0]
    his = library.explain("When were the tomatoes planted?", person="Bob")[0]
    assert feedback.rate(library, "right", person="Ada").id == hers.entry
    with pytest.raises(NotFound, match="no answer of the number"):
        feedback.rate(library, "wrong", entry=his.entry, person="Ada")
    assert feedback.rate(library, "wrong", entry=hers.entry).id == hers.entry  # the owner of the files may


def test_evaluations_are_no_questions_of_people(library: Library) -> None:
    golden.add(library, "When is the boiler serviced?", "each October")
    evaluate(library, golden.questions(library))
    assert kinds(library) == []


def test_nothing_is_entered_when_none_is_wanted(library: Library) -> None:
    feedback.switch(library, False)
    library.ask("When is the boiler serviced?")
    library.use_recipe("default")
    assert kinds(library) == []
    feedback.switch(library, True)
    library.use_recipe("default")
    assert kinds(library) == ["promoted"]


def test_what_is_pruned_is_gone_from_every_file(library: Library, tmp_path: Path) -> None:
    library.ask("Where does the wolverine zanzibar sleep?")
    before = b"".join(file.read_bytes() for file in (tmp_path / "library").glob("catalog*"))
    assert b"wolverine zanzibar" in before
    assert feedback.prune(library, 1) == 0
    assert feedback.prune(library, 0) == 2
    after = b"".join(file.read_bytes() for file in (tmp_path / "library").glob("catalog*"))
    assert b"wolverine zanzibar" not in after
    assert kinds(library) == []


def test_a_forgotten_document_is_forgotten_by_questions_runs_and_journal(library: Library, notes: Path) -> None:
    golden.add(library, "When is the boiler serviced?", "each October")
    golden.add(library, "When were the tomatoes planted?", "12 May 2023")
    library.ask("When is the boiler serviced?")
    library.ask("When were the tomatoes planted?")
    done = library.forget(notes / "house" / "boiler.txt", verify=True)
    assert [one.text for one in golden.questions(library)] == ["When were the tomatoes planted?"]
    assert any("1 golden questions" in note for note in done.notes)
    shown = [one.record for one in feedback.entries(library) if one.kind == "shown"]
    assert "boiler.txt" not in json.dumps(shown)


def test_what_moved_is_forgotten_by_its_new_name(library: Library, notes: Path, tmp_path: Path) -> None:
    golden.add(library, "When is the boiler serviced?", "each October")
    library.ask("When is the boiler serviced?")
    measure(library, Wanted(name="kept"))
    (notes / "house" / "boiler.txt").rename(notes / "heating.txt")
    assert library.sync().moved == 1
    assert library.move(notes, tmp_path / "elsewhere", force=True).sources == 1
    shown = next(one for one in feedback.entries(library) if one.kind == "shown")
    place = str(tmp_path / "elsewhere" / "heating.txt")
    assert place in json.dumps(shown.record)
    notes.rename(tmp_path / "elsewhere")
    library.forget(place, verify=True)
    assert "boiler" not in json.dumps([one.record for one in feedback.entries(library) if one.kind == "shown"])
    assert kept_runs(library) == []


def test_an_answer_comes_also_where_nothing_can_be_entered(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "PATIENCE", 50)
    with Library.open(library._parts.folder) as other, other._parts.catalog.writing():
        started = time.monotonic()
        assert library.ask("When is the boiler serviced?").answered
        assert time.monotonic() - started < 20
    assert kinds(library) == []


def test_a_kill_leaves_whole_entries_only(library: Library, tmp_path: Path) -> None:
    program = (
        "import sys; from quoth import Library; library = Library.open(sys.argv[1])\n"
        "while True: library.ask('When is the boiler serviced?'); print(flush=True)"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(tmp_path / "library")], stdout=subprocess.PIPE) as asking:
        assert asking.stdout is not None
        for _ in range(5):
            asking.stdout.readline()
        asking.send_signal(signal.SIGKILL)
    found = feedback.entries(library)
    assert len(found) >= 10
    assert {one.record["question"] for one in found} == {"When is the boiler serviced?"}


def test_the_command_line_shows_exports_and_rates(quoth: Quoth, notes: Path) -> None:
    quoth("add", str(notes))
    assert quoth("journal").out == "the journal is empty\n"
    assert quoth("rate", "right").err.splitlines()[0] == "error: the journal holds no answer to rate"
    quoth("ask", "When is the boiler serviced?")
    quoth("show", "house/boiler.txt", "--at", "0:10")
    assert quoth("rate", "right").out == "right: When is the boiler serviced?\n"
    assert [line.split()[2] for line in quoth("journal").out.splitlines()] == ["asked", "shown", "opened", "rated"]
    lines = [json.loads(line) for line in quoth("journal", "export").out.splitlines()]
    assert [line["kind"] for line in lines] == ["asked", "shown", "opened", "rated"]
    assert quoth("journal", "prune", "--days", "0").out == "removed: 4 entries\n"
    assert quoth("journal", "off").code == 0
    quoth("ask", "When is the boiler serviced?")
    assert quoth("journal").out == "the journal is empty\n"
