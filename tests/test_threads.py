"""Conversations: kept whole, each person's own, followed when files move, erased with what is forgotten."""

from __future__ import annotations

import dataclasses
import json
import re
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from quoth import Library, threads, writing
from quoth.errors import NotFound, ReadOnly, TooNew, UsageError
from quoth.parts import Parts
from quoth.types import Answer, Claim, Filters, Quote, Searched

TOMATOES = "When were the tomatoes planted?"


@pytest.fixture
def library(added: Path) -> Iterator[Library]:
    with Library.open(added) as opened:
        yield opened


def bytes_of(library: Library) -> bytes:
    return b"\0".join(path.read_bytes() for path in sorted(library._parts.folder.rglob("*")) if path.is_file())


def talk(library: Library, *questions: str, person: str = "") -> int:
    """A thread in which these were asked, and answered."""
    thread = threads.create(library, person).id
    for question in questions:  # the journal keeps questions of its own
        threads.append(library, thread, question, library.explain(question, noted=False)[0], person)
    return thread


def made(text: str = "", quotes: tuple[Quote, ...] = (), claims: tuple[Claim, ...] = (), **more: object) -> Answer:
    """An answer as it may come."""
    plain = Answer("?", bool(quotes), text, 0.5, quotes, (), (), "r", Searched(1, 1), 0.1, claims=claims)
    return dataclasses.replace(plain, **more)  # type: ignore[arg-type]


def test_a_thread_keeps_questions_and_answers_as_they_were(library: Library) -> None:
    thread = threads.create(library, "Ada")
    answer = library.ask(TOMATOES)
    first = threads.append(library, thread.id, "and the tomatoes,\n when?", dataclasses.replace(answer, asked=TOMATOES))
    second = threads.append(library, thread.id, "Who flew to the moon?", library.ask("Who flew to the moon?"))
    assert threads.messages(library, thread.id, "Ada") == [first, second]
    assert (first.question, first.asked) == ("and the tomatoes, when?", TOMATOES)
    assert first.answer == json.loads(json.dumps(dataclasses.asdict(dataclasses.replace(answer, asked=TOMATOES))))
    assert second.answer["answered"] is False
    (found,) = threads.every(library)
    assert (found.id, found.person, found.messages, found.changed) == (thread.id, "Ada", 2, second.at)


def test_a_thread_is_called_by_its_first_question_until_it_gets_a_title(library: Library) -> None:
    thread = threads.create(library)
    assert thread.title == f"Thread {thread.id}"
    long = "When exactly were the tomatoes in the garden behind the house planted, and by whom?"
    threads.append(library, thread.id, long, library.ask(long))
    threads.append(library, thread.id, "why?", library.ask("why?"))
    assert threads.one(library, thread.id).title == "When exactly were the tomatoes in the garden behind the…"
    assert threads.rename(library, thread.id, "  My\n garden ").title == "My garden"
    assert threads.rename(library, thread.id, "").title.startswith("When exactly")
    with pytest.raises(UsageError, match="at most 200 characters"):
        threads.rename(library, thread.id, "x" * 201)


@pytest.mark.parametrize(
    ("question", "title"),
    [
        ("short", "short"), ("x" * 60, "x" * 60), ("x" * 61, "x" * 59 + "…"),
        ("word " * 12 + "longer", "word " * 11 + "word…"),
        (
            "A first part, and then, of all things - another one of the kind",
            "A first part, and then, of all things - another one of the…",
        ),
        ("屋" * 100, "屋" * 59 + "…"),
    ],
)  # fmt: skip
def test_a_title_is_cut_at_a_word(question: str, title: str) -> None:
    assert threads.shortened(question) == title


def test_threads_are_each_persons_own(library: Library) -> None:
    ada, bob = talk(library, TOMATOES, person="Ada"), talk(library, TOMATOES, person="Bob")
    assert [one.id for one in threads.every(library, "Ada")] == [ada]
    assert [one.id for one in threads.every(library)] == [bob, ada]
    answer = library.ask(TOMATOES)
    for call in (
        lambda: threads.messages(library, ada, "Bob"),
        lambda: threads.one(library, ada, "Bob"),
        lambda: threads.rename(library, ada, "mine", "Bob"),
        lambda: threads.delete(library, ada, "Bob"),
        lambda: threads.append(library, ada, "?", answer, "Bob"),
        lambda: threads.export(library, ada, person="Bob"),
        lambda: threads.messages(library, ada, ""),
    ):
        with pytest.raises(NotFound, match=f"there is no thread {ada}"):
            call()
    assert len(threads.messages(library, ada, "Ada")) == 1


@pytest.mark.parametrize("number", [0, -1, 99, 1 << 63, 1 << 70])
def test_an_unknown_thread_is_not_found(library: Library, number: int) -> None:
    with pytest.raises(NotFound, match=f"there is no thread {number}") as caught:
        threads.messages(library, number)
    assert caught.value.hint == "quoth threads list"
    with pytest.raises(NotFound):
        threads.delete(library, number)
    with pytest.raises(NotFound):
        threads.append(library, number, "?", made())


def test_a_deleted_thread_leaves_no_message(library: Library) -> None:
    gone, stays = talk(library, TOMATOES), talk(library, "How is the boiler serviced?")
    threads.delete(library, gone)
    assert [one.id for one in threads.every(library)] == [stays]
    tables = ("messages", "message_documents")
    counts = [library._parts.catalog.connection.execute(f"select count(*) from {one}").fetchone()[0] for one in tables]
    assert counts[0] == 1
    assert counts[1] > 0
    connection = library._parts.catalog.connection
    assert connection.execute("select count(*) from message_documents where message = 1").fetchone() == (0,)


@pytest.mark.parametrize(
    "question", ["", "x" * 100_000, "\ud800 lone", "a\0b", "‮right to left", "👩‍👩‍👧 family", "</script>"]
)
def test_any_question_can_be_kept(library: Library, question: str) -> None:
    thread = threads.create(library).id
    threads.append(library, thread, question, made("nothing", notes=("\ud800",)))
    (kept,) = threads.messages(library, thread)
    assert len(kept.question) <= 10_000
    assert "\0" not in kept.question
    threads.export(library, thread).encode()
    assert json.loads(threads.export(library, thread, "json"))["messages"][0]["answer"]["notes"] == ["\ud800"]


def test_a_message_waits_for_whoever_writes(library: Library) -> None:
    thread, answer = threads.create(library).id, library.ask(TOMATOES)
    with closing(sqlite3.connect(library._parts.catalog.path, check_same_thread=False)) as other:
        other.execute("begin immediate")
        threading.Timer(0.3, lambda: other.execute("commit")).start()
        threads.append(library, thread, TOMATOES, answer)
    assert len(threads.messages(library, thread)) == 1


def test_messages_of_many_threads_at_once_are_all_kept(library: Library) -> None:
    thread, answer = threads.create(library).id, library.ask(TOMATOES)

    def write(number: int) -> None:
        for step in range(5):
            threads.append(library, thread, f"{number} {step}", answer)
        library._parts.catalog.release()

    writers = [threading.Thread(target=write, args=[number]) for number in range(4)]
    for one in writers:
        one.start()
    for one in writers:
        one.join()
    kept = [one.question for one in threads.messages(library, thread)]
    assert sorted(kept) == sorted(f"{number} {step}" for number in range(4) for step in range(5))


def test_keeping_a_message_is_no_change_of_what_is_searched(library: Library, notes: Path) -> None:
    filters = Filters(folders=(str(notes / "house"),))
    before = library._parts.catalog.passage_ids(filters)
    talk(library, TOMATOES)
    assert library._parts.catalog.passage_ids(filters) is before


def test_a_read_only_library_keeps_no_thread(tmp_path: Path, notes: Path) -> None:
    with Library.open(tmp_path / "library") as library:
        library.add([notes])
        thread = talk(library, TOMATOES)
    with Library(Parts(tmp_path / "library", readonly=True)) as library:
        assert len(threads.messages(library, thread)) == 1
        for call in (
            lambda: threads.create(library),
            lambda: threads.append(library, thread, "?", made()),
            lambda: threads.rename(library, thread, "x"),
            lambda: threads.delete(library, thread),
        ):
            with pytest.raises(ReadOnly, match="read-only"):
                call()


def test_a_library_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    Library.open(tmp_path / "library").close()
    with closing(sqlite3.connect(tmp_path / "library" / "catalog.sqlite")) as connection:
        connection.execute("pragma user_version = 99")
    with pytest.raises(TooNew, match="newer Quoth"):
        Library.open(tmp_path / "library")


# -- files that move, and files that are forgotten ---------------------------------------------------


def documents(library: Library, thread: int) -> set[str]:
    """The documents that the quotes of a thread name."""
    found = set()
    for one in threads.messages(library, thread):
        for name in ("quotes", "also"):
            found |= {quote["document"] for quote in one.answer[name]}  # type: ignore[attr-defined]
    return found


def test_quotes_in_a_thread_follow_a_file_that_moves(library: Library, notes: Path) -> None:
    thread = talk(library, TOMATOES)
    assert str(notes / "garden.md") in documents(library, thread)
    (notes / "garden.md").rename(notes / "house" / "beds.md")
    assert library.sync().moved == 1
    assert str(notes / "house" / "beds.md") in documents(library, thread)
    assert str(notes / "garden.md") not in documents(library, thread)
    notes.rename(notes.with_name("elsewhere"))
    library.move(notes, notes.with_name("elsewhere"))
    assert str(notes.with_name("elsewhere") / "house" / "beds.md") in documents(library, thread)
    assert str(notes) + "/" not in json.dumps([one.answer for one in threads.messages(library, thread)])


def test_what_is_forgotten_goes_from_threads_too(library: Library, notes: Path) -> None:
    secret = notes / "house" / "heirloom.md"
    secret.write_text("# Whereabouts\n\nThe emerald necklace lies under the seventh flagstone of the cellar.\n")
    library.add([notes])
    only = talk(library, "Where does the emerald necklace lie?", TOMATOES)
    named = talk(library, TOMATOES)
    threads.rename(library, named, f"about {secret}")
    both = talk(library, "Under which flagstone is the necklace?")
    before = bytes_of(library)
    assert b"seventh flagstone" in before
    done = library.forget(secret, verify=True)
    assert (done.found_after, done.shared) == (0, 0)
    after = bytes_of(library)
    assert [word for word in (b"emerald", b"flagstone", b"heirloom", b"Whereabouts") if word in after] == []
    assert [one.id for one in threads.every(library)] == [named, only] or [
        one.id for one in threads.every(library)
    ] == [only, named]
    assert [one.question for one in threads.messages(library, only)] == [TOMATOES]
    assert {one.title for one in threads.every(library)} == {TOMATOES}
    with pytest.raises(NotFound):
        threads.one(library, both)


def test_a_file_that_moved_is_forgotten_from_threads_by_its_new_name(library: Library, notes: Path) -> None:
    """Also from sentences, whose words stay as they were said."""
    roof = notes / "house" / "roof.txt"
    listed = threads.create(library).id
    threads.append(library, listed, "list all files", made(f"There are two:\n- {notes / 'garden.md'}\n- {roof}, 2019."))
    asked = threads.create(library).id
    threads.append(library, asked, f"what stands in {roof}?", made("I do not know."))
    roof.rename(notes / "attic.txt")
    assert library.sync().moved == 1
    done = library.forget(notes / "attic.txt", verify=True)
    assert (done.found_after, done.shared) == (0, 0)
    assert threads.every(library) == []
    assert b"roof.txt" not in bytes_of(library)


def test_a_list_of_documents_goes_with_each_of_them(library: Library, notes: Path) -> None:
    """A question about everything is answered with titles and names of files, without their folders."""
    whole = threads.create(library).id
    answer = writing.ask(library, "List all text files", wish=writing.Wish(everything=True, noted=False))
    assert "roof.txt" in answer.text + "".join(one.text for one in answer.claims)
    threads.append(library, whole, "list all", dataclasses.replace(answer, quotes=(), also=()))
    other = threads.create(library).id
    threads.append(
        library, other, "?", made("my-garden.md, sunroof.txt, roof.txt.bak and roof.txtual are no files of yours.")
    )
    (notes / "house" / "roof.txt").rename(notes / "attic.txt")
    library.sync()
    library.forget(notes / "attic.txt")
    assert [one.id for one in threads.every(library)] == [other]


def test_a_name_that_only_begins_like_a_forgotten_one_stays(library: Library, notes: Path) -> None:
    for name in ("garden.md.bak", "garden.md-old.txt", "house2.txt"):
        (notes / name).write_text("The fountain was built by Leonardo in 1999 out of marble.\n")
    library.add([notes])
    thread = threads.create(library).id
    for name in ("garden.md.bak", "garden.md-old.txt", "house2.txt"):
        quote = Quote("The fountain", str(notes / name), "", 0, 12, None, 1, None, 0.5)
        threads.append(library, thread, name, made(f"It stands in {notes / name}.", (quote,)))
    library.forget(notes / "garden.md")
    library.forget(notes / "house")
    assert [one.question for one in threads.messages(library, thread)] == [
        "garden.md.bak", "garden.md-old.txt", "house2.txt"
    ]  # fmt: skip


def test_a_forgotten_folder_takes_the_messages_on_all_below_it(library: Library, notes: Path) -> None:
    thread = talk(library, TOMATOES, "How often is the boiler serviced?", "For how much was the roof repaired?")
    library.forget(notes / "house", verify=True)
    left = {one.question for one in threads.messages(library, thread)} if threads.every(library) else set()
    assert left <= {TOMATOES}
    assert b"Hartmann" not in bytes_of(library)


def test_the_words_of_a_document_that_stays_stay_with_it(library: Library, notes: Path) -> None:
    """A quote that mentions another file is not about that file."""
    (notes / "index.md").write_text(f"# Index\n\nThe bread is described in {notes / 'recipes' / 'bread.md'} by Ada.\n")
    library.add([notes])
    quote = Quote(
        f"The bread is described in {notes / 'recipes' / 'bread.md'} by Ada.", str(notes / "index.md"), "Index", 9, 90,
        None, 3, None, 0.9,
    )  # fmt: skip
    thread = threads.create(library).id
    threads.append(library, thread, "Who describes it?", made(quote.text, (quote,), (Claim(quote.text, (1,)),)))
    library.forget(notes / "recipes")
    assert len(threads.messages(library, thread)) == 1


# -- exports ---------------------------------------------------------------------------------------

NASTY = (
    "![x](http://evil.example/a.png) [click](http://evil.example) <img src=http://evil.example/b.png> `code`"
    " <script>alert(1)</script> http://evil.example/c https://evil.example www.evil.example *bold* _it_ # no"
    " a@evil.example &lt; | table | \\ $x$ ~~gone~~ ![[wiki]]"
)
LINES = "# heading\n> quote\n- item\n1. one\n1) one\n    indented\n\ttabbed\n---\n===\n+ plus\n```\ncode\n[a]: http://evil.example"


def rendered(markdown: str) -> str:
    """The HTML of a Markdown text, with tables and lines through words as GitHub has them."""
    # GitHub makes links of bare addresses too: of these there may be none
    assert re.search(r"\w://|www\.\w", markdown) is None, markdown
    return MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(markdown)


def test_markdown_shows_questions_claims_and_quotes(library: Library) -> None:
    thread = threads.create(library).id
    quotes = library.ask(TOMATOES).quotes
    claims = (Claim("They were planted in May.", (1,)), Claim("They are red.", (), True), Claim("They are blue."))
    answer = made("", quotes, claims, asked=TOMATOES, notes=("the index was rebuilt",), answered=True)
    threads.append(library, thread, "and when?", answer)
    threads.append(library, thread, "Who flew to the moon?", made("Your files do not seem to hold the answer."))
    assert threads.export(library, thread) == (
        "# and when?\n\n## and when?\n\n"
        "Searched as: When were the tomatoes planted?\n\n"
        "They were planted in May. \\[1\\]\n\n"
        "They are red. (general knowledge, not from your files)\n\n"
        "They are blue. (not supported by your files)\n\n"
        "> The tomatoes were planted on 12 May 2023.\n>\n"
        f"> \\[1\\] {str(quotes[0].document).replace('_', chr(92) + '_')}, line 5, Garden › Tomatoes\n\n"
        "Note: the index was rebuilt\n\n"
        "## Who flew to the moon?\n\n"
        "Your files do not seem to hold the answer.\n"
    )


@pytest.mark.parametrize("nasty", [NASTY, LINES, "\\![x](http://evil.example/a.png)", "a\n\n![b](http://evil.example)"])
def test_no_mark_link_picture_or_html_comes_out_of_an_exported_text(library: Library, nasty: str) -> None:
    thread = threads.create(library, title=nasty[:150]).id
    quote = Quote(nasty, f"/tmp/{nasty[:60]}", nasty, 0, len(nasty), 1, 1, nasty, 0.5, nasty)
    threads.append(library, thread, nasty, made(nasty, (), (Claim(nasty, (1,)), Claim(nasty)), notes=(nasty,)))
    threads.append(library, thread, nasty, made(nasty, (quote,), asked=nasty + " more"))
    threads.append(library, thread, nasty, made(nasty))
    html = rendered(threads.export(library, thread))
    for tag in ("<a ", "<img", "<script", "<code", "<pre", "<em", "<strong", "<s>", "<li", "<hr", "<table", "<h3"):
        assert tag not in html, html
    assert html.count("<h1>") == 1
    assert html.count("<h2>") == 3
    assert html.count("<blockquote>") == 1
    # and its words are all there
    assert "evil.example" in html or "heading" in html


def test_a_quote_is_exported_character_for_character(library: Library) -> None:
    """Taken from the rendered page, it is what stands in the document."""
    from selectolax.lexbor import LexborHTMLParser

    text = "a *b* [c](d) <e> & `f` \\ _g_ https://h.example 1. #i $j$ a@b.example x_y_z"
    thread = threads.create(library).id
    threads.append(library, thread, "?", made(text, (Quote(text, "/d", "", 0, len(text), None, None, None, 0.5),)))
    block = LexborHTMLParser(rendered(threads.export(library, thread))).css_first("blockquote p")
    assert block is not None
    assert block.text() == text


def test_json_has_everything(library: Library) -> None:
    thread = talk(library, TOMATOES, person="Ada")
    record = json.loads(threads.export(library, thread, "json"))
    assert record["title"] == TOMATOES
    assert record["person"] == "Ada"
    assert record["messages"] == [dataclasses.asdict(one) for one in threads.messages(library, thread)]
    with pytest.raises(UsageError, match="cannot be exported as pdf"):
        threads.export(library, thread, "pdf")  # type: ignore[arg-type]
