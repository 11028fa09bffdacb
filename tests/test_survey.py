"""Questions about the whole library: told from others, counted exactly, each document listed with its own words."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pytest

from conftest import Quoth
from quoth import Library, llm, survey, writing
from quoth.ingest.split import shown
from quoth.survey import digest, mentions, wanted
from quoth.survey.reading import Budget
from quoth.testing import Fault, ScriptedEndpoint
from quoth.types import Answer, Cited, Filters, Progress, Written
from quoth.words import analysis

WHOLE = (
    "how many documents mention heat pumps?", "How many PDFs are there?", "how many PDFs are there in the library",
    "list all documents that mention heat pumps", "which mails are from 2023?",
    "how many files changed after 2024-01-01",
    "count the documents about roofs", "Please list all invoices from Hartmann", "list all invoices",
    "how many invoices do I have", "how many invoices are there", "summarise the folder", "summarize everything",
    "Summarise everything about heat pumps", "summarise my notes on the garden", "summarise in:notes",
    "give me an overview of the library", "every document that mentions the roof", "what documents mention compost",
    "list all recipes with garlic", "count my mails", "list the PDFs from 2023", "list all mentions of Hartmann",
    "how often is Hartmann mentioned", "how many mails were sent between 2021 and 2023", "which papers cite Smith",
    "which documents were changed last month", "list all documents in my recipes folder", "how many pages mention soup",
    "how many spreadsheets mention costs before 2024", "show me all documents in which the boiler is mentioned",
    "can you list all contracts that include a penalty clause?", 'list all documents that say "by hand" in:house',
)  # fmt: skip
ORDINARY = (
    "how many legs does a spider have?", "how many pages does the contract have?", "how many files can the server open",
    "how many documents does the API accept per request?", "how many notes are in an octave", "list all planets",
    "how many notes does a piano have", "how many letters are there in the alphabet", "count Dracula", "count to ten",
    "how many letters does the word cat contain", "how many emails are sent every day", "all files", "which files",
    "how many books are there in the Bible", "how many papers did Einstein publish", "summarise the roof report",
    "what documents are needed for a passport", "which documents do I need for a visa", "summarise chapter 2",
    "what files contain the configuration of nginx", "which file contains the boiler pressure", "find documents",
    "which letters are vowels", "list the steps to bake bread", "every dog has its day", "what does the roof cost",
    "how many images are in the ImageNet dataset", "how many documents are in the TREC collection", "in:house", "???",
    "how many reports were published by the IPCC", "how many files have been lost in the fire", "how many people came",
    "list the documents required for a visa", "how many articles does the constitution have", "who wrote the letters",
    "how many documents were signed in Versailles in 1919", "what is the number of employees", "",
)  # fmt: skip


@pytest.mark.parametrize("question", WHOLE)
def test_questions_about_the_whole_library_are_recognised(question: str) -> None:
    assert survey.wants(question)


@pytest.mark.parametrize("question", ORDINARY)
def test_ordinary_questions_are_not_misrouted(question: str) -> None:
    assert not survey.wants(question)


def stamp(year: int, month: int = 1, day: int = 1) -> float:
    return datetime(year, month, day).astimezone().timestamp()


@pytest.mark.parametrize(
    ("said", "after", "before"),
    [
        ("from 2023", stamp(2023), stamp(2024)),
        ("from May 2023", stamp(2023, 5), stamp(2023, 6)),
        ("changed in 2023-12", stamp(2023, 12), stamp(2024)),
        ("dated 3 May 2023", stamp(2023, 5, 3), stamp(2023, 5, 4)),
        ("since 2023", stamp(2023), None),
        ("after 2023", stamp(2024), None),
        ("after 2023-05-03", stamp(2023, 5, 3), None),
        ("older than March 2022", None, stamp(2022, 3)),
        ("until 2022", None, stamp(2023)),
        ("between 2021 and 2022-06", stamp(2021), stamp(2022, 7)),
        ("sent this year", stamp(date.today().year), stamp(date.today().year + 1)),
    ],
)
def test_days_in_words_become_filters(said: str, after: float | None, before: float | None) -> None:
    found = wanted.wanted(f"how many mails are {said}")
    assert found
    assert (found.filters.after, found.filters.before, found.topic) == (after, before, "")


# -- counted, listed, summed up --------------------------------------------------------------------

PUMPS = ("The heat pump was installed in {year}.", "Heat-pumps need service.", "The pump is loud; heat is dear.")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """80 notes and tables in three folders, and a mailbox of three messages."""
    place = tmp_path_factory.mktemp("survey") / "files"
    for number in range(80):
        year = 2018 + number % 6
        text = f"Note number {number} of the house. The {('roof', 'garden', 'cellar')[number % 3]} was painted.\n"
        if number % 10 == 0:
            text += "\n" + PUMPS[number // 10 % 3].format(year=year) + "\n"
        if number % 16 == 5:
            text += "\nInvoice of Hartmann and Sons over 200 euros.\n"
        path = place / ("house", "garden", "old house")[number % 3] / f"{number}.{'md' if number % 4 else 'txt'}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        os.utime(path, (stamp(year, 6), stamp(year, 6)))
    (place / "invoice-7.csv").write_text("part,euros\nvalve,12\n", encoding="utf-8")
    (place / "empty.txt").write_text("\n", encoding="utf-8")
    mails = [
        f"From a@example.org Mon Jan  1 00:00:00 2023\nFrom: Anna <a@example.org>\nSubject: {subject}\n"
        f"Date: Mon, 02 Jan {year} 10:00:00 +0000\n\n{text}\n\n"
        for subject, year, text in (
            ("Roof", 2022, "The roof is leaking again."),
            ("Pump", 2023, "Our heat pumps are running."),
            ("Lunch", 2023, "See you on Tuesday at noon."),
        )
    ]
    (place / "all.mbox").write_text("".join(mails), encoding="utf-8")
    return place


@pytest.fixture(scope="module")
def library(folder: Path) -> Iterator[Library]:
    with Library.open(folder.parent / "library") as opened:
        opened.add([folder])
        yield opened


def passages(library: Library) -> list[tuple[str, str, str]]:
    """(document, language, what the index sees) of every passage, straight from the catalog's tables."""
    catalog, found = library._parts.catalog, []
    ids = catalog.passage_ids()
    paths = {number: one.path for number, one in catalog.passages(ids.tolist()).items()}
    for one in catalog.texts(ids):
        found.append((paths[one.id], one.language, f"{one.context}\n{shown(one.kind, one.text)}"))
    return found


def saying(library: Library, *words: str) -> set[str]:
    """The documents with a passage that has all the words, by going over every passage."""
    return {
        path
        for path, language, text in passages(library)
        if {analysis.stem(word, language) for word in words} <= set(analysis.terms(text, language))
    }


def verbatim(library: Library, answer: Answer) -> bool:
    return all(library.show(one.document).text[one.start : one.end] == one.text for one in answer.quotes)


@pytest.mark.parametrize(
    ("question", "words", "below"),
    [
        ("how many documents mention heat pumps?", ("heat", "pumps"), ""),
        ("list all documents that mention heat pumps", ("heat", "pump"), ""),
        ("list all documents about the painted roofs", ("painted", "roof"), ""),
        ("how many documents mention pumping in:house", ("pump",), "/house/"),
        ('list all notes about pumps in:"old house"', ("pump",), "/old house/"),
        ("how often is Hartmann mentioned", ("hartmann",), ""),
        ("how many documents mention zebras", ("zebra",), ""),
    ],
)
def test_documents_are_counted_and_listed_exactly(
    library: Library, question: str, words: tuple[str, ...], below: str
) -> None:
    answer = survey.answer(library, question)
    meant = {path for path in saying(library, *words) if below in path}
    assert answer.answered
    assert answer.text.startswith(f"{len(meant)} document{'' if len(meant) == 1 else 's'} with a passage in which “")
    total = len([path for path in library._parts.catalog.paths() if below in path])
    assert f"Read {total} of {total} documents." in answer.text
    assert f"read {total} of {total} documents" in answer.notes
    listed = {quote.document for quote in answer.quotes}
    assert listed <= meant
    assert len(listed) == len(answer.quotes) == min(len(meant), 10 if question.startswith("how") else 50)
    assert verbatim(library, answer)
    assert answer.claims[0].quotes == tuple(range(1, len(answer.quotes) + 1))
    assert [one.quotes for one in answer.claims[1:]] == [(number,) for number in range(1, len(answer.quotes) + 1)]
    for quote in answer.quotes:
        assert {analysis.stem(words[-1], "en")} & set(analysis.terms(quote.text, "en"))


def test_kinds_days_and_files_are_counted_by_what_the_files_are(library: Library, folder: Path) -> None:
    files = [path for path in folder.rglob("*") if path.is_file()]
    for question, number in (
        ("how many markdown files are there?", f"{sum(path.suffix == '.md' for path in files)} markdown files"),
        ("how many mails are there", "3 mails"),
        ("how many mails are from 2023", "2 mails"),
        ("how many PDFs are there", "0 PDFs"),
        ("how many files are there", f"{len(files)} files ({len(files) + 2} documents were read from them)"),
        ("how many files changed before 2020", f"{sum(p.stat().st_mtime < stamp(2020) for p in files)} files"),
        ("how many documents are in the folder garden", f"{len(list((folder / 'garden').iterdir()))} documents"),
        ("how many spreadsheets do I have", "1 spreadsheet"),
    ):
        answer = survey.answer(library, question)
        assert answer.text.split(". Read")[0].split(" (changed")[0].split(" (in")[0].split(":")[0] == number
        assert verbatim(library, answer)


def test_a_sort_of_document_says_so_in_its_text_or_its_name(library: Library, folder: Path) -> None:
    answer = survey.answer(library, "list all invoices")
    meant = saying(library, "invoice") | {str(folder / "invoice-7.csv")}
    assert {one.document for one in answer.quotes} == meant
    assert answer.text.startswith(f"{len(meant)} invoices that say “invoice” in their text, title or file name.")
    from_him = survey.answer(library, "list all invoices from Hartmann")
    assert {one.document for one in from_him.quotes} == saying(library, "invoice") & saying(library, "hartmann")


def test_exact_words_and_words_left_out_narrow_a_count(library: Library) -> None:
    said = {path for path, _, text in passages(library) if re.search(r"heat pump\b", text, re.I)}
    answer = survey.answer(library, 'how many documents mention "heat pump"')
    assert answer.text.startswith(f"{len(said)} documents with a passage that says “heat pump” word for word.")
    without = survey.answer(library, "list all documents that mention pumps -loud -service")
    left = {path for path, _, text in passages(library) if "pump" in text.lower()
            and "loud" not in text and "service" not in text}  # fmt: skip
    assert {one.document for one in without.quotes} == left


def test_more_documents_than_are_shown_are_counted_all_the_same(library: Library) -> None:
    answer = survey.answer(library, "how many documents were changed since 2018", Filters(kinds=("md", "txt")))
    assert answer.text.startswith("81 documents (of the kind md or txt; changed or sent on 2018-01-01 or later): ")
    answer = survey.answer(library, "list all documents about the house")
    assert answer.text.startswith("80 documents")
    assert len(answer.quotes) == 50
    assert "The most relevant 50 are shown, 30 more are not." in answer.text


def test_nothing_found_says_what_there_is_of_each_word(library: Library) -> None:
    answer = survey.answer(library, "list all documents that mention zebras and pumps")
    assert answer.answered and not answer.quotes
    assert any(f"“zebras” in 0, “pumps” in {len(saying(library, 'pump'))}" in note for note in answer.notes)
    empty = survey.answer(library, 'how many documents mention "purple roof"')
    assert any("“purple roof” stand nowhere" in note for note in empty.notes)


def test_a_document_without_text_is_counted_and_told(library: Library, folder: Path) -> None:
    answer = survey.answer(library, "list all documents in:empty.txt")
    assert answer.text.startswith("1 document (in empty.txt): 1 text.") or answer.text.startswith("1 document")
    assert not answer.quotes
    assert any("no text that could be quoted" in note for note in answer.notes)


def test_an_empty_library_has_no_answer(tmp_path: Path) -> None:
    with Library.open(tmp_path / "library") as library:
        for question in ("how many documents are there", "summarise everything", "list all files about roofs"):
            answer = survey.answer(library, question)
            assert (answer.answered, answer.text) == (False, "There is nothing to search.")


def test_without_indexes_the_numbers_are_the_same(library: Library, tmp_path: Path) -> None:
    shutil.copytree(library._parts.folder, tmp_path / "library")
    shutil.rmtree(tmp_path / "library" / "words")
    with Library.open(tmp_path / "library") as bare:
        parts = bare._parts
        assert parts.missing() == ["words"]
        ids = parts.catalog.passage_ids()
        for topic in ("heat pumps", "Hartmann", "the painted roof", "wi-fi", "is"):
            words = mentions.words(topic)
            found = mentions.saying(parts, words, ids, lambda _: None).tolist()
            assert found == mentions.saying(library._parts, words, ids, lambda _: None).tolist()


def test_progress_is_told_and_can_stop_the_run(library: Library) -> None:
    seen: list[Progress] = []
    survey.answer(library, "summarise everything", watch=seen.append)
    assert {one.doing for one in seen} == {"reading"}
    assert max(one.files for one in seen) == len(library._parts.catalog.paths())

    def stop(_: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        survey.answer(library, "list all documents about the roof", watch=stop)


def test_a_digest_is_made_of_sentences_that_repeat_no_other(library: Library) -> None:
    answer = survey.answer(library, "summarise everything")
    assert answer.answered and verbatim(library, answer)
    assert 2 <= len(answer.quotes) <= digest.SENTENCES
    assert len({one.text for one in answer.quotes}) == len(answer.quotes)
    assert answer.text.startswith(f"{len(answer.quotes)} sentences of ")
    total = len(library._parts.catalog.paths())
    assert f"Read {total} of {total} documents." in answer.text
    about = survey.answer(library, "summarise everything about heat pumps in:house")
    assert {one.document for one in about.quotes} <= saying(library, "heat", "pump")
    assert all("/house/" in one.document for one in about.quotes)


def test_marginal_relevance_is_that_of_the_paper() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(40, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    middle = vectors.mean(axis=0)
    middle /= np.linalg.norm(middle)
    chosen: list[int] = []
    for _ in range(6):

        def worth(at: int) -> float:
            repeated = max((float(vectors[at] @ vectors[one]) for one in chosen), default=0.0)
            return digest.NEAR * float(vectors[at] @ middle) - (1 - digest.NEAR) * max(repeated, 0.0)

        chosen.append(max((at for at in range(40) if at not in chosen), key=worth))
    assert digest.marginal(vectors, middle, 6) == chosen


# -- with a language model -------------------------------------------------------------------------


async def here(function, /, *arguments):  # type: ignore[no-untyped-def]
    return function(*arguments)


def written(
    library: Library, question: str, *answers: str | Sequence[Written] | Fault, budget: Budget = survey.BUDGET
) -> tuple[Answer, list[dict[str, object]]]:
    """The answer when the model says this, and what it was sent."""
    with ScriptedEndpoint(*answers) as endpoint:
        model = llm.open(endpoint.name, timeout=20)

        async def run() -> Answer:
            try:
                return await survey.written(library, question, None, model, run=here, budget=budget)
            finally:
                await model.close()

        return asyncio.run(run()), endpoint.asked


TRUE = Written("The heat pumps run.", (Cited(1, "Our heat pumps are running"),))
LIE = Written("The pump was sold to Mars.", (Cited(1, "the pump was sold to Mars yesterday"),))


def test_a_model_reads_in_batches_and_only_carried_sentences_stay(library: Library) -> None:
    answer, asked = written(library, "summarise everything about pumps", [TRUE, LIE])
    pumps = saying(library, "pumps")
    assert len(asked) == 1
    assert answer.text == "The heat pumps run. [1]"
    assert [one.text for one in answer.quotes] == ["Our heat pumps are running."]
    assert verbatim(library, answer)
    assert any(note == f"the language model read {len(pumps)} of {len(pumps)} documents" for note in answer.notes)
    assert any("1 of its sentences" in note for note in answer.notes)
    assert answer.usage and answer.usage.requests == 1


def test_more_than_a_batch_is_read_twice_and_the_budget_is_told(library: Library) -> None:
    house = Written("A note of the house.", tuple(Cited(number, "of the house") for number in range(6, 13)))
    answer, asked = written(library, "summarise everything", [house])
    total = len(library._parts.catalog.paths()) - 1  # one has no text
    assert len(asked) == -(-total // 24) + 1
    assert answer.usage and answer.usage.requests == len(asked)
    assert "of the house" in json.dumps(asked[-1])
    short, few = written(library, "summarise everything", [house], budget=Budget(requests=3))
    assert len(few) == 3
    told = "the language model read 48 of 85 documents within the budget of 60,000 tokens and 3 requests"
    assert told in short.notes
    assert verbatim(library, answer) and verbatim(library, short)


def test_a_list_keeps_its_number_and_its_documents(library: Library) -> None:
    plain = survey.answer(library, "list all documents that mention heat pumps")
    answer, _ = written(library, "list all documents that mention heat pumps", [TRUE])
    assert answer.claims[0].text == plain.claims[0].text
    assert any(one.text == TRUE.text for one in answer.claims)
    assert {one.document for one in answer.quotes} == {one.document for one in plain.quotes}
    names = {one.document: number for number, one in enumerate(answer.quotes, 1)}
    for claim in answer.claims[1:]:
        assert claim.quotes and all(1 <= number <= len(names) + 1 for number in claim.quotes)


def test_numbers_are_never_asked_of_a_model(library: Library) -> None:
    answer, asked = written(library, "how many documents mention heat pumps", [TRUE])
    assert asked == []
    assert answer.text == survey.answer(library, "how many documents mention heat pumps").text


@pytest.mark.parametrize("fault", [Fault("dies", '{"sent'), Fault("broken"), Fault("refuses"), "no form"])
def test_a_model_that_fails_leaves_the_answer_without_it(library: Library, fault: Fault | str) -> None:
    plain = survey.answer(library, "summarise everything about pumps")
    answer, _ = written(library, "summarise everything about pumps", fault)
    assert answer.text == plain.text
    assert answer.quotes == plain.quotes
    assert any("language model failed" in note for note in answer.notes)


def test_lies_leave_the_answer_without_them(library: Library) -> None:
    plain = survey.answer(library, "summarise everything about pumps")
    answer, _ = written(library, "summarise everything about pumps", [LIE, LIE])
    assert (answer.text, answer.quotes) == (plain.text, plain.quotes)
    assert any("no sentence of the language model" in note for note in answer.notes)


# -- wired in --------------------------------------------------------------------------------------


def test_asking_goes_over_everything_when_the_question_wants_it(library: Library) -> None:
    question = "how many documents mention heat pumps"
    answer = writing.ask(library, question)
    assert answer.text == survey.answer(library, question).text
    assert answer.entry
    ordinary = writing.ask(library, question, wish=writing.Wish(everything=False))
    assert "Read" not in ordinary.text
    forced = writing.ask(library, "the painted roof", wish=writing.Wish(everything=True))
    assert forced.text.startswith(f"{len(saying(library, 'painted', 'roof'))} documents")


def test_the_command_line_counts(quoth: Quoth, notes: Path) -> None:
    assert quoth("add", str(notes)).code == 0
    done = quoth("ask", "how", "many", "files", "are", "there?")
    assert done.code == 0
    assert "5 files: " in done.out and "Read 5 of 5 documents." in done.out
    record = quoth("ask", "--all", "boiler pressure in:house", "--json").json
    assert str(record["text"]).startswith("0 documents with a passage in which “boiler” and “pressure” stand") or str(
        record["text"]
    ).startswith("1 document with a passage in which “boiler” and “pressure” stand")
    assert quoth("ask", "--not-all", "how many files are there").out.count("Read 5 of 5") == 0
