"""The catalog: what goes in comes out, whole or not at all, and readers see one state."""

from __future__ import annotations

import os
import sqlite3
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quoth.catalog import SCHEMA_VERSION, Candidate, Catalog, File, WrittenFile, people, schema, threads
from quoth.catalog.sqlite import FILTERED
from quoth.errors import LibraryError, ReadOnly, TooNew
from quoth.types import Document, Filters, Mark, Passage, Searched


def written(path: str, text: str, kind: str = "text", modified: float = 0.0, first: int = 1) -> WrittenFile:
    document = Document(path, kind, "A title", text, (Mark(0, "page", "", 1),), modified=modified, notes=("a note",))
    half = len(text) // 2
    spans = [(0, half), (half, len(text))]
    passages = [Passage(a, b, text[a:b], "A title", first + n) for n, (a, b) in enumerate(spans)]
    return WrittenFile(
        path, len(text), 7, "hash of " + Path(path).name.encode("ascii", "replace").decode(), [(document, passages)]
    )


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog(tmp_path / "catalog.sqlite")


def test_a_document_comes_back_as_it_was_written(catalog: Catalog) -> None:
    source = catalog.add_source("/notes")
    file = written("/notes/a.txt", "first half, second half")
    assert catalog.write(source.id, [file]) == []
    assert catalog.document("/notes/a.txt") == file.documents[0][0]
    assert catalog.document("/notes/b.txt") is None
    assert catalog.counts() == {"sources": 1, "files": 1, "failed": 0, "documents": 1, "passages": 2}
    assert catalog.files(source.id) == [File(1, source.id, "/notes/a.txt", 23, 7, "hash of a.txt")]


@settings(max_examples=25, deadline=None)
@given(text=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=2, max_size=100))
def test_passages_are_cut_where_they_were(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    catalog = Catalog(tmp_path_factory.mktemp("catalog") / "catalog.sqlite")
    long = text * (20_000 // len(text))
    file = written("/a", long)
    catalog.write(catalog.add_source("/").id, [file])
    found = catalog.passages([1, 2, 3])
    assert {number: (one.start, one.end, one.text) for number, one in found.items()} == {
        one.id: (one.start, one.end, one.text) for one in file.documents[0][1]
    }
    catalog.close()


def test_writing_a_file_again_replaces_it_and_names_the_old_passages(catalog: Catalog) -> None:
    source = catalog.add_source("/notes").id
    catalog.write(source, [written("/notes/a.txt", "the old text")])
    assert catalog.write(source, [written("/notes/a.txt", "the new text", first=3)]) == [1, 2]
    document = catalog.document("/notes/a.txt")
    assert document and document.text == "the new text"
    assert catalog.passage_ids().tolist() == [3, 4]


def test_a_file_that_fails_later_is_remembered_and_its_text_goes(catalog: Catalog) -> None:
    source = catalog.add_source("/notes").id
    catalog.write(source, [written("/notes/a.txt", "the old text")])
    broken = File(0, source, "/notes/a.txt", 5, 8, "other hash", "failed", "it is broken", "mend it")
    assert catalog.remember(source, [broken]) == [1, 2]
    assert catalog.document("/notes/a.txt") is None
    kept = catalog.files(source)[0]
    assert (kept.state, kept.reason, kept.hint, kept.sha256) == ("failed", "it is broken", "mend it", "other hash")


def test_a_moved_file_keeps_its_passages_and_moves_its_attachments(catalog: Catalog) -> None:
    source = catalog.add_source("/mail").id
    mail, attachment = written("/mail/a.eml", "a mail"), written("/mail/a.eml#plan.txt", "a plan", first=3)
    catalog.write(source, [WrittenFile("/mail/a.eml", 1, 1, "h", [*mail.documents, *attachment.documents])])
    catalog.move(catalog.files(source)[0], "/mail/old/b.eml", 9)
    assert catalog.paths() == ["/mail/old/b.eml", "/mail/old/b.eml#plan.txt"]
    assert catalog.passage_ids().tolist() == [1, 2, 3, 4]


def test_a_source_takes_in_the_sources_inside_it(catalog: Catalog) -> None:
    inner = catalog.add_source("/notes/work")
    catalog.write(inner.id, [written("/notes/work/a.txt", "some text")])
    outer = catalog.add_source("/notes")
    assert [one.path for one in catalog.sources()] == ["/notes"]
    assert [file.path for file in catalog.files(outer.id)] == ["/notes/work/a.txt"]
    assert catalog.passage_ids().tolist() == [1, 2]


def test_reserved_ids_are_never_given_again_even_if_nothing_was_written(tmp_path: Path) -> None:
    first = Catalog(tmp_path / "catalog.sqlite")
    assert first.reserve(10) == 1
    first.close()
    assert Catalog(tmp_path / "catalog.sqlite").reserve(1) == 11


def test_filters_narrow_by_folder_name_kind_and_date(catalog: Catalog) -> None:
    source = catalog.add_source("/").id
    files = [
        written("/a/one.txt", "text one", modified=100.0, first=1),
        written("/a/b/two.pdf", "text two", "pdf", 200.0, first=3),
        written("/ab/three.py", "text three", "code", 300.0, first=5),
        written("/a/box.mbox#2", "text four", "mail", 400.0, first=7),
        written("/a/100%_[x]/five.txt", "text five", modified=500.0, first=9),
    ]
    catalog.write(source, files)

    def ids(**fields: object) -> list[int]:
        return catalog.passage_ids(Filters(**fields)).tolist()  # type: ignore[arg-type]

    assert ids(folders=("/a",)) == [1, 2, 3, 4, 7, 8, 9, 10]
    assert ids(folders=("/a/box.mbox",)) == [7, 8]
    assert ids(folders=("/a/100%_[x]",)) == [9, 10]
    assert ids(folders=("*.py", "b")) == [3, 4, 5, 6]
    assert ids(folders=("/a/*/two*",)) == [3, 4]
    assert ids(folders=("100%_[x]",)) == [9, 10]
    assert ids(kinds=("pdf", ".PY")) == [3, 4, 5, 6]
    assert ids(after=200.0, before=400.0) == [3, 4, 5, 6]
    assert ids(folders=("/a",), kinds=("text",), before=200.0) == [1, 2]
    assert ids(folders=("/nowhere",)) == []


def test_paths_may_hold_newlines_and_bytes_that_are_no_text(catalog: Catalog) -> None:
    name = os.fsdecode(b"/notes/line\nbreak \xff.txt")
    source = catalog.add_source("/notes").id
    catalog.write(source, [written(name, "some text")])
    assert catalog.paths() == [name]
    assert catalog.passages([1])[1].path == name
    assert catalog.passage_ids(Filters(folders=("*.txt",))).tolist() == [1, 2]


def test_a_reader_sees_one_state_while_another_writes(catalog: Catalog) -> None:
    source = catalog.add_source("/notes").id
    catalog.write(source, [written("/notes/a.txt", "some text")])
    with catalog.reading():
        assert catalog.counts()["passages"] == 2
        thread = threading.Thread(target=lambda: catalog.write(source, [written("/notes/b.txt", "more", first=3)]))
        thread.start()
        thread.join()
        assert catalog.counts()["passages"] == 2
    assert catalog.counts()["passages"] == 4


def test_a_failed_write_leaves_nothing_behind(catalog: Catalog) -> None:
    source = catalog.add_source("/notes").id
    twice = [written("/notes/a.txt", "some text"), written("/notes/b.txt", "same ids")]
    with pytest.raises(sqlite3.IntegrityError):
        catalog.write(source, twice)
    assert catalog.counts() == {"sources": 1, "files": 0, "failed": 0, "documents": 0, "passages": 0}


def test_a_newer_library_is_refused_with_a_clear_sentence(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite"
    Catalog(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute(f"pragma user_version = {SCHEMA_VERSION + 1}")
    with pytest.raises(
        TooNew, match=rf"newer Quoth \(its format is {SCHEMA_VERSION + 1}, ours {SCHEMA_VERSION}\)"
    ) as caught:
        Catalog(path)
    assert caught.value.hint == "pip install --upgrade quoth"


def test_an_older_library_is_brought_up_to_date(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "catalog.sqlite"
    old = Catalog(path)
    old.write(old.add_source("/notes").id, [written("/notes/a.txt", "some text")])
    old.close()
    step = (
        "alter table documents add column pinned integer not null default 0;\ncreate index pins on documents(pinned);"
    )
    monkeypatch.setattr("quoth.catalog.sqlite.MIGRATIONS", (*schema.MIGRATIONS, step))
    monkeypatch.setattr("quoth.catalog.sqlite.SCHEMA_VERSION", SCHEMA_VERSION + 1)
    assert Catalog(path).paths() == ["/notes/a.txt"]
    with sqlite3.connect(path) as connection:
        assert connection.execute("select pinned from documents").fetchall() == [(0,)]
        assert connection.execute("pragma user_version").fetchone() == (SCHEMA_VERSION + 1,)


def test_a_library_of_version_1_learns_which_passages_its_documents_have(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite"
    with sqlite3.connect(path) as connection:
        connection.executescript(schema.MIGRATIONS[0])
        connection.execute("insert into sources values (1, ?, 0)", [b"/notes"])
        for number, name in enumerate((b"/notes/a.txt", b"/notes/b.txt", b"/notes/empty.txt"), 1):
            connection.execute("insert into files values (?, 1, ?, 1, 1, 'x', 'read', '', '')", [number, name])
            connection.execute(
                "insert into documents values (?, ?, ?, 'text', '', x'', 1, '', 0, '', '[]', 4)", [number, number, name]
            )
        for id_, document in ((1, 1), (2, 1), (4, 2), (5, 2), (3, 1)):
            connection.execute("insert into passages values (?, ?, 0, 4, '', null, null, null, null)", [id_, document])
        connection.execute("pragma user_version = 1")
    connection.close()
    catalog = Catalog(path)
    assert catalog.passage_ids(Filters(folders=("/notes/a.txt",))).tolist() == [1, 2, 3]
    assert catalog.passage_ids(Filters(folders=("/notes/b.txt",))).tolist() == [4, 5]
    assert catalog.passage_ids().tolist() == [1, 2, 3, 4, 5]
    assert catalog.searched() == Searched(2, 5)
    assert catalog.counts()["passages"] == 5


@settings(max_examples=40, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 4), min_size=1, max_size=12),
    gaps=st.lists(st.integers(1, 3), min_size=60, max_size=60),
    wanted=st.sets(st.sampled_from("xyz")),
)
def test_filtered_ids_are_those_of_the_documents_however_ids_lie(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], gaps: list[int], wanted: set[str]
) -> None:
    catalog = Catalog(tmp_path_factory.mktemp("catalog") / "catalog.sqlite")
    source, number, expected = catalog.add_source("/").id, 0, []
    for place, size in enumerate(sizes):
        folder = "xyz"[place % 3]
        passages = []
        for _ in range(size):
            number += gaps[number % len(gaps)]
            passages.append(Passage(0, 4, "text", "", number))
        expected += [one.id for one in passages if not wanted or folder in wanted]
        path = f"/{folder}/{place}.txt"
        catalog.write(source, [WrittenFile(path, 4, 0, path, [(Document(path, "text", "", "text"), passages)])])
    filters = Filters(folders=tuple(f"/{folder}" for folder in sorted(wanted)))
    for _ in range(2):  # the second time from memory
        assert catalog.passage_ids(filters).tolist() == expected
    assert catalog.searched(filters).passages == len(expected)
    catalog.close()


def test_remembered_filters_are_forgotten_when_something_is_written(catalog: Catalog) -> None:
    source, filters = catalog.add_source("/notes").id, Filters(folders=("/notes",))
    catalog.write(source, [written("/notes/a.txt", "some text")])
    assert catalog.passage_ids(filters).tolist() == [1, 2]
    assert catalog.searched() == catalog.searched(filters) == Searched(1, 2)
    other = Catalog(catalog.path)
    other.write(source, [written("/notes/b.txt", "more text", first=3)])
    other.close()
    assert catalog.passage_ids(filters).tolist() == [1, 2, 3, 4]
    assert catalog.searched() == catalog.searched(filters) == Searched(2, 4)
    for number in range(50):
        catalog.searched(Filters(folders=(f"/{number}",)))
    assert len(catalog._counted) == FILTERED


def test_the_text_of_a_document_comes_without_the_rest_of_it(catalog: Catalog) -> None:
    long = "A long text. " * 2_000  # several rows of it
    catalog.write(catalog.add_source("/notes").id, [written("/notes/a.txt", long)])
    assert catalog.text("/notes/a.txt") == long
    assert catalog.text("/notes/b.txt") == ""


def test_candidates_are_the_known_ones_in_order_of_id(catalog: Catalog) -> None:
    catalog.write(catalog.add_source("/notes").id, [written("/notes/a.txt", "some text")])
    assert catalog.candidates([9, 2, 1]) == [
        Candidate(1, "A title", "/notes/a.txt"),
        Candidate(2, "A title", "/notes/a.txt"),
    ]


def test_reading_only_neither_creates_nor_writes(tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match="there is no library in"):
        Catalog(tmp_path / "catalog.sqlite", readonly=True)
    Catalog(tmp_path / "catalog.sqlite").close()
    with pytest.raises(ReadOnly):
        Catalog(tmp_path / "catalog.sqlite", readonly=True).reserve(1)


def test_a_file_that_is_no_catalog_is_refused(tmp_path: Path) -> None:
    (tmp_path / "catalog.sqlite").write_bytes(b"this is not a database" * 100)
    with pytest.raises(LibraryError, match="is damaged"):
        Catalog(tmp_path / "catalog.sqlite")


def test_removed_text_is_wiped_from_the_file(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path / "catalog.sqlite")
    source = catalog.add_source("/notes").id
    catalog.write(source, [written("/notes/a.txt", "canary-5f2c " * 50)])
    catalog.remove([file.id for file in catalog.files()])
    catalog.close()
    assert b"canary-5f2c" not in (tmp_path / "catalog.sqlite").read_bytes()


def test_whatever_the_catalog_holds_its_file_is_sound(catalog: Catalog) -> None:
    """SQLite's quick check, by which a damaged catalog is told, misreads some orders of columns."""
    person = people.PersonRow("Ada", "owner", "hash", 1.0)
    assert people.add_person(catalog, person)
    assert people.add_token(catalog, people.TokenRow("phone", "ask", b"secret", 1.0, None, None))
    assert people.begin_session(catalog, people.SessionRow(b"other", person, 2.0, 2.0), 10, 10)
    thread = threads.create(catalog, "Ada", "")
    assert threads.append(catalog, thread, "?", "?", {"quotes": [{"document": "/notes/a.txt", "text": "a"}]}, "Ada")
    filled = {
        name: catalog.connection.execute(f"select count(*) from {name}").fetchone()[0]
        for name in ("people", "tokens", "sessions", "threads", "messages", "message_documents")
    }
    assert set(filled.values()) == {1}, filled
    assert catalog.check() == "ok"


def test_a_session_begins_only_while_its_person_is_there_with_that_password(catalog: Catalog) -> None:
    """Between the hashing of a password and the session somebody may have changed it."""
    person = people.PersonRow("Ada", "owner", "hash", 1.0)
    people.add_person(catalog, person)
    people.set_password(catalog, "ada", "another hash")
    assert not people.begin_session(catalog, people.SessionRow(b"x", person, 2.0, 2.0), 10, 10)
    people.remove_person(catalog, "Ada")
    assert not people.begin_session(catalog, people.SessionRow(b"x", person, 2.0, 2.0), 10, 10)
    assert people.session(catalog, b"x") is None


@settings(max_examples=200, deadline=None)
@given(name=st.text(max_size=20))
def test_the_form_of_a_name_is_its_own_form(name: str) -> None:
    assert people.key(people.key(name)) == people.key(name)
    assert people.key(name.upper()) == people.key(people.key(name.upper()))


def test_messages_name_the_documents_that_they_mention_and_follow_them(catalog: Catalog) -> None:
    source = catalog.add_source("/notes").id
    names = ["/notes/a.txt", "/notes/a b (1).txt", "/notes/a.txt.old", "/notes/c.txt"]
    catalog.write(source, [written(name, "some text", first=1 + 2 * n) for n, name in enumerate(names)])
    thread = threads.create(catalog, "", "")
    threads.append(
        catalog, thread, "in /notes/c.txt?", "", {"text": "see /notes/a.txt, or '/notes/a b (1).txt'."}, None
    )

    def named() -> list[str]:
        rows = catalog.connection.execute("select path from message_documents order by path")
        return [os.fsdecode(path) for (path,) in rows]

    assert named() == ["/notes/a b (1).txt", "/notes/a.txt", "/notes/c.txt"]
    file = next(one for one in catalog.files() if one.path == "/notes/a.txt")
    catalog.move(file, "/notes/z.txt", 7)
    assert named() == ["/notes/a b (1).txt", "/notes/c.txt", "/notes/z.txt"]
    assert threads.forget(catalog, ["/notes/z.txt"]) == 1
    assert (named(), threads.every(catalog)) == ([], [])
