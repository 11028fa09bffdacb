"""Operators in a question: what they are, what they are not, and that they leave exactly what they say."""

from __future__ import annotations

import json
import os
import re
import shutil
import unicodedata
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import Quoth
from quoth import Library, exact
from quoth.errors import UsageError
from quoth.evaluate import Golden, Question, evaluate
from quoth.ingest.split import shown
from quoth.lock import writer
from quoth.query import day, merged, parse
from quoth.types import Filters

OPERATOR = re.compile(r'(?:in|type|after|before):\S|-\S|["“”„«»「『]', re.I)


def stamp(year: int, month: int = 1, date: int = 1) -> float:
    return datetime(year, month, date).astimezone().timestamp()


@pytest.mark.parametrize(
    ("text", "question", "filters"),
    [
        ("roof cost in:house", "roof cost", Filters(folders=("house",))),
        ('roof in:"my notes" cost', "roof cost", Filters(folders=("my notes",))),
        ("roof in:„my notes“ cost", "roof cost", Filters(folders=("my notes",))),
        ("roof in:a/b", "roof", Filters(folders=("*/a/b",))),
        ("roof in:/a/../b/", "roof", Filters(folders=("/b",))),
        ("what did the roof cost in:house?", "what did the roof cost?", Filters(folders=("house",))),
        ("IN:a in:b roof Type:PDF,md type:csv", "roof", Filters(folders=("a", "b"), kinds=("PDF", "md", "csv"))),
        ("roof after:2024-02-03 before:2025", "roof", Filters(after=stamp(2024, 2, 3), before=stamp(2025))),
        ("roof after:2023 after:2024-02 before:2030, before:2025", "roof,",
         Filters(after=stamp(2024, 2), before=stamp(2025))),
        ('what is "heat pump"?', "what is heat pump?", Filters(exact=("heat pump",))),
        ('who said "No." then', "who said No. then", Filters(exact=("No",))),
        ("„Luft-Wasser“ »Pumpe« «pompe» “pump” ”pumpen”", "Luft-Wasser Pumpe pompe pump pumpen",
         Filters(exact=("Luft-Wasser", "Pumpe", "pompe", "pump", "pumpen"))),
        ("什么是“人工智能”？", "什么是 人工智能？", Filters(exact=("人工智能",))),
        ("roof -gutter, -e-mail", "roof,", Filters(without=("gutter", "e-mail"))),
        ('roof -"flat roof" -C++', "roof", Filters(without=("flat roof", "C++"))),
    ],
)  # fmt: skip
def test_operators_become_filters(text: str, question: str, filters: Filters) -> None:
    found = parse(text)
    assert (found.text, found.filters, found.notes) == (question, filters, ())


@pytest.mark.parametrize(
    "text",
    [
        "e-mail from a co-worker", "a - b", "a -- b", "is it -5 degrees or -.5", "in: house", "type: safety",
        "roof in:",
        "at 12:30 or 2024-01-31", "https://example.org/in:house?a=-b", "login:house", "it's 'quoted', isn't it",
        'a 5" pipe and a 3" pipe', 'an open "quote', '"" and "…"', "what does -k do", "Ein- und -ausgang", "-and- so",
        "see (in:house)", "roof -in:house", "   two  blanks stay ",
    ],
)  # fmt: skip
def test_text_that_only_looks_like_operators_stays_text(text: str) -> None:
    assert parse(text) == (parse(text).__class__)(text, Filters())


@pytest.mark.parametrize("value", ["2024-13", "soon", "2024-02-30", "0000", "99999"])
def test_a_date_that_is_none_is_text_and_is_told(value: str) -> None:
    found = parse(f"roof after:{value}")
    assert found.text == f"roof after:{value}"
    assert found.filters == Filters()
    assert "2024-01-31" in found.notes[0]
    assert f"after:{value}" in found.notes[0]


@pytest.mark.parametrize("text", ["in:house type:pdf", "-gutter", "after:2024 ?"])
def test_a_question_of_operators_only_says_what_is_missing(text: str) -> None:
    with pytest.raises(UsageError, match="no words") as raised:
        parse(text)
    assert raised.value.hint


WORDS = st.sampled_from(
    [
        "in:",
        "type:",
        "after:",
        "before:2024",
        '"',
        "-",
        "“",
        "”",
        "„",
        " ",
        "roof",
        "2024",
        "é",
        "?",
        ".",
        "/",
        "~",
        "人",
    ]
)


@given(st.one_of(st.text(max_size=60), st.lists(WORDS, max_size=12).map("".join)))
def test_parsing_never_fails_and_leaves_text_without_operators_alone(text: str) -> None:
    try:
        found = parse(text)
    except UsageError:
        assert OPERATOR.search(text)
        return
    if not OPERATOR.search(text):
        assert found.text == text
        assert found.filters == Filters()
    if found.text != text:
        assert any(one.isalnum() for one in found.text)
    for phrase in found.filters.exact:
        assert phrase in " ".join(found.text.split())


def test_a_day_is_the_start_of_its_day_month_or_year() -> None:
    assert (day(None), day("2024"), day("2024-03"), day("2024-03-04")) == (
        None, stamp(2024), stamp(2024, 3), stamp(2024, 3, 4),
    )  # fmt: skip
    with pytest.raises(UsageError, match="not a date"):
        day("0001-01-01")


# -- what they leave -------------------------------------------------------------------------------

TEXTS = {
    "house/roof.txt": "The roof was repaired in 2019 for 4,200 euros.",
    "house/flat.txt": "The flat   roof\nwas sealed. The roofer's bill came by e-mail.",
    "house/boiler.md": "# Boiler\n\nThe **boiler** pressure is 1.5 bar, see [the roof](https://example.org/gutter).",
    "house/strasse.txt": "Die Straße vor dem Haus ist lang. Wir fahren mit dem Maßband.",
    "house/caps.txt": "DIE STRASSE WAR GESPERRT, UND DER PASSWORT-ZETTEL LAG IN IHREM BÜRO.",
    "other/soft.txt": "The foot\u00adball lay on the roof\u2011top beside the o\ufb03ce, don\u2019t ask.",
    "other/tokyo.txt": "昨日は東京都庁に行きました。天気が良かった。",
    "other/hindi.txt": "यह कमल का फूल है।",
    "other/code.py": "def roof_cost(user_name):\n    return getUserName(user_name)  # boiler's password\n",
    "other/stop.txt": "To be, or not to be, that is the question.",
    "other/greek.txt": "Ο ΔΡΟΜΟΣ ήταν μακρύς, ο δρόμος.",
}
PHRASES = (
    "roof", "flat roof", "ROOF", "boiler", "the boiler pressure", "gutter", "1.5", "5", "straße", "STRASSE", "Maßband",
    "massband", "football", "office", "don't", "東京", "京都", "北京", "कम", "कमल", "user", "roof_cost", "name",
    "to be", "or not", "the", "in ihrem", "δρόμος", "δρομος", "dromos", "e-mail", "mail", "s", "roof-top", "**boiler**",
)  # fmt: skip


def brute(library: Library, phrase: str) -> set[int]:
    """The passages that say a phrase, by a plain expression over all of them."""

    def flat(text: str) -> str:
        text = unicodedata.normalize("NFKC", text).replace("\u00ad", "").replace("’", "'").replace("\u2010", "-")
        return " ".join(text.casefold().split())

    bound = r"[\w\u0900-\u0903\u093a-\u094f]"
    found = set()
    catalog = library._parts.catalog
    for one in catalog.texts(catalog.passage_ids()):
        wanted = flat(shown(one.kind, phrase))
        inner = re.escape(wanted)
        if not re.match("[\u3040-\u9fff]", wanted):
            inner = f"(?<!{bound}){inner}(?!{bound})"
        if re.search(inner, flat(shown(one.kind, one.text))):
            found.add(one.id)
    return found


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    folder = tmp_path_factory.mktemp("query")
    for name, text in TEXTS.items():
        path = folder / "files" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    for number in range(60):
        (folder / "files" / f"{number}.txt").write_text(f"Note {number} of the roof" + " and the boiler" * (number % 2))
    opened = Library.open(folder / "library")
    opened.add([folder / "files"])
    return opened


@pytest.mark.parametrize("few", [0, 1_000_000], ids=["looked up", "read"])
@pytest.mark.parametrize("phrase", PHRASES)
def test_exact_words_leave_the_passages_that_say_them(
    library: Library, monkeypatch: pytest.MonkeyPatch, phrase: str, few: int
) -> None:
    monkeypatch.setattr(exact, "FEW", few)
    parts = library._parts
    parts.catalog._filtered.clear()
    every, saying = set(parts.catalog.passage_ids().tolist()), brute(library, phrase)
    for filters, wanted in ((Filters(exact=(phrase,)), saying), (Filters(without=(phrase,)), every - saying)):
        ids = exact.within(parts, filters)
        assert ids is not None
        assert ids.tolist() == sorted(wanted)
        found = exact.searched(parts, filters)
        assert found.passages == len(wanted)


def test_the_examples_are_told_apart(library: Library) -> None:
    said = {phrase: len(brute(library, phrase)) for phrase in PHRASES}
    assert said["roof"] == 60 + 4
    assert said["flat roof"] == said["football"] == said["office"] == said["東京"] == said["don't"] == 1
    assert said["straße"] == said["STRASSE"] == 2
    assert said["gutter"] == said["कम"] == said["user"] == said["北京"] == said["dromos"] == 0


def test_k_hits_come_back_of_what_the_words_leave(library: Library) -> None:
    recipe = library.recipe()
    unfolded = recipe.__class__(encoder=recipe.encoder, fusion=recipe.fusion.__class__(alike=2.0))
    for query, saying, count in (('note "the boiler"', True, 31), ("note -boiler", False, 39)):
        for k in (1, 10, 100):
            hits = library.search(query, k, recipe=unfolded).hits
            assert len(hits) == min(k, count)
            assert all(("boiler" in exact.plain(hit.text)) is saying for hit in hits)


def test_filters_given_and_typed_hold_both(library: Library) -> None:
    house = str(Path(library.sources()[0].path) / "house")
    hits = library.search("roof in:boiler.md", 10, Filters(folders=(house,))).hits
    assert [Path(hit.document).name for hit in hits] == ["boiler.md"]
    assert library.search("roof in:other", 10, Filters(folders=(house,))).hits == ()
    assert library.search("roof type:md", 10, Filters(kinds=("txt",))).hits == ()
    both = merged(Filters(after=1.0, exact=("a",)), Filters(after=2.0, before=9.0, without=("b",)))
    assert both == Filters(after=2.0, before=9.0, exact=("a",), without=("b",))
    assert merged(None, Filters()) == Filters()


@pytest.mark.parametrize(
    ("question", "told"),
    [
        ('the roof "nowhere at all"', "“nowhere at all” stand nowhere"),
        ("the roof type:pdf", "Nothing is of the kind pdf"),
        ("the roof in:cellar", "Nothing lies in cellar"),
        ("the roof after:2990", "Nothing is from 2990-01-01 or later"),
        ("the roof before:1990", "Nothing is from before 1990-01-01"),
        ('"flat roof" in:other', "“flat roof” stand nowhere, in 6 passages"),
        ("Tokyo in:tokyo.txt -東京", "“東京” stand everywhere"),
    ],
)
def test_a_filter_that_leaves_nothing_is_named(library: Library, question: str, told: str) -> None:
    answer = library.ask(question)
    assert not answer.answered
    assert told in answer.text
    assert answer.searched.passages == 0
    assert any(told in note for note in library.search(question).notes)


def test_an_answer_says_what_was_searched(library: Library) -> None:
    answer = library.ask('what did the "roof" cost in:house -flat')
    assert (answer.question, answer.asked) == (
        'what did the "roof" cost in:house -flat', "what did the roof cost",
    )  # fmt: skip
    assert answer.quotes[0].text.startswith("The roof was repaired in 2019")
    assert answer.searched.documents == 2  # roof.txt and boiler.md
    plain = library.ask('what did the "roof" cost in:house -flat', plain=True)
    assert plain.asked == plain.question
    assert plain.searched.documents == library.status().documents


def test_without_the_word_index_the_same_passages_are_left(library: Library, tmp_path: Path) -> None:
    shutil.copytree(library._parts.folder, tmp_path / "library")
    shutil.rmtree(tmp_path / "library" / "words")
    with Library.open(tmp_path / "library") as bare, writer(tmp_path / "library"):
        assert bare._parts.missing() == ["words"]
        for query in ('roof "flat roof"', "roof -boiler", 'x "東京"'):
            wanted, found = library.search(query, 100), bare.search(query, 100)
            assert {hit.document for hit in found.hits} == {hit.document for hit in wanted.hits}
            assert "words" in found.notes[0]


def test_golden_questions_are_read_as_typed_and_published_ones_are_not(library: Library) -> None:
    roof = Golden(str(Path(library.sources()[0].path) / "house" / "roof.txt"))
    text = 'what did the roof "cost nowhere" in 2019 for euros'
    run = evaluate(library, [Question("typed", text, (roof,)), Question("text", text, (roof,), plain=True)])
    assert [one.values["R@5"] for one in run.outcomes] == [0.0, 1.0]
    assert [len(one.ranked) > 0 for one in run.outcomes] == [False, True]


def test_words_to_leave_out_follow_the_commands_as_they_are(quoth: Quoth, notes: Path) -> None:
    assert quoth("add", str(notes)).code == 0
    done = quoth("search", "the", "boiler", "-october", "-k", "2", "--json")
    assert done.code == 0
    assert not any("October" in hit["text"] for hit in json.loads(done.out)["hits"])  # type: ignore[index,union-attr]
    whole = quoth("ask", 'roof cost in:house type:txt -boiler "4,200 euros"', "--json").json
    assert [Path(one["document"]).name for one in whole["quotes"]] == ["roof.txt"]  # type: ignore[index,attr-defined]
    assert whole["searched"] == {"documents": 1, "passages": 1}
    assert quoth("search", "is", "it", "-5", "degrees").code == 0
    assert quoth("search", "-kitchen", "boiler", "-k1").out.count("\n") >= 2
    typo = quoth("ask", "roof", "--explan")
    assert typo.code == 2
    assert "--explain" in typo.err
    none = quoth("ask", "type:pdf")
    assert none.code == 2
    assert "no words" in none.err
    assert os.sep not in none.err
