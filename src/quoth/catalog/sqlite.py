"""The catalog in one SQLite file (write-ahead log), through the standard library."""

from __future__ import annotations

import itertools
import json
import os
import sqlite3
import threading
import time
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from quoth.catalog import narrow, trails
from quoth.catalog.damage import damaged, undamaged
from quoth.catalog.narrow import SEGMENT
from quoth.catalog.records import Candidate, File, FoundPassage, Source, WrittenFile
from quoth.catalog.schema import MIGRATIONS
from quoth.errors import LibraryError, ReadOnly, TooNew
from quoth.types import Document, Filters, Mark, Passage, Searched

if TYPE_CHECKING:
    from quoth.types import Ids

T = TypeVar("T")
SCHEMA_VERSION = len(MIGRATIONS)
FILTERED = 4
"""Filters whose passages, and how many, are remembered until something is written: people ask on."""
CACHE = 16_000
"""KiB of pages that a connection keeps; SQLite's own 2,000 make a search in a million passages read twice as long."""

_PASSAGE_COLUMNS = 'p.document, p.start, p."end", p.context, p.page, p.line, p.heading, p.cells'


@undamaged
class Catalog:
    """The catalog of one library folder. Safe to share between threads: each gets its own connection."""

    def __init__(self, path: Path, readonly: bool = False) -> None:
        self.path = path
        self.readonly = readonly
        self._local = threading.local()
        self._open: list[sqlite3.Connection] = []
        self._filtered: dict[Filters, tuple[str, Ids]] = {}
        self._counted: dict[Filters, tuple[str, Searched]] = {}
        version = self._connection.execute("pragma user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            raise TooNew(
                f"this library was written by a newer Quoth (its format is {version}, ours {SCHEMA_VERSION})",
                "pip install --upgrade quoth",
            )
        if version < SCHEMA_VERSION:
            self._migrate(version)

    @property
    def _connection(self) -> sqlite3.Connection:
        if not hasattr(self._local, "connection"):
            self._local.connection = _connect(self.path, self.readonly)
            self._open.append(self._local.connection)
        connection: sqlite3.Connection = self._local.connection
        return connection

    @property
    def connection(self) -> sqlite3.Connection:
        """This thread's connection, for the other files of this part."""
        return self._connection

    def release(self) -> None:
        """Close the connection of this thread, which is about to end."""
        connection = self._local.__dict__.pop("connection", None)
        if connection is not None:
            self._open.remove(connection)
            connection.close()

    def close(self) -> None:
        """Close every connection; the last writer leaves no write-ahead log behind."""
        for connection in self._open:
            connection.close()
        self._open.clear()
        self._local = threading.local()

    def _migrate(self, version: int) -> None:
        if self.readonly:
            raise ReadOnly("this library has an older format and cannot be brought up to date here", "make it writable")
        with self.writing() as connection:
            # another process may have been first
            version = connection.execute("pragma user_version").fetchone()[0]
            for step in MIGRATIONS[version:]:
                for statement in _statements(step):
                    connection.execute(statement)
            connection.execute(f"pragma user_version = {SCHEMA_VERSION}")

    @contextmanager
    def reading(self) -> Iterator[None]:
        """A block whose queries all see the same state, whatever is written meanwhile."""
        connection = self._connection
        if connection.in_transaction:
            yield
            return
        connection.execute("begin")
        try:
            yield
        finally:
            connection.execute("rollback")

    @contextmanager
    def writing(self, aside: bool = False) -> Iterator[sqlite3.Connection]:
        """A block that is written whole or not at all; `aside` when nothing that a search sees changes in it."""
        if self.readonly:
            raise ReadOnly("the library is read-only", "copy it to a writable folder, or choose another with --library")
        connection = self._connection
        connection.execute("begin immediate")
        try:
            yield connection
            if not aside:
                connection.execute("update meta set value = value + 1 where key = 'generation'")
            connection.execute("commit")
        except BaseException:
            if connection.in_transaction:  # a full disk may have ended it
                connection.execute("rollback")
            raise

    # -- small facts ---------------------------------------------------------------------------

    def get(self, key: str) -> str | None:
        """A fact noted under `key`, or None."""
        row = self._connection.execute("select value from meta where key = ?", [key]).fetchone()
        return str(row[0]) if row else None

    def set(self, key: str, value: str) -> None:
        """Note a fact under `key`."""
        self.note({key: value})

    def note(self, facts: Mapping[str, str]) -> None:
        """Note facts under their keys, all of them or none."""
        with self.writing() as connection:
            connection.executemany("insert or replace into meta values (?, ?)", list(facts.items()))

    def reserve(self, count: int) -> int:
        """The first of `count` passage ids that nobody gets again, even when this process dies."""
        with self.writing() as connection:
            first = int(connection.execute("select value from meta where key = 'next_passage'").fetchone()[0])
            connection.execute("update meta set value = ? where key = 'next_passage'", [str(first + count)])
        return first

    def counts(self) -> dict[str, int]:
        """How many sources, files, failed files, documents and passages there are."""
        row = self._connection.execute(
            "select (select count(*) from sources), (select count(*) from files where state = 'read'),"
            " (select count(*) from files where state = 'failed'), (select count(*) from documents),"
            " (select ifnull(sum(passages), 0) from documents)"
        ).fetchone()
        return dict(zip(("sources", "files", "failed", "documents", "passages"), row, strict=True))

    def kinds(self) -> dict[str, int]:
        """Documents by kind, most frequent first."""
        return dict(
            self._connection.execute("select kind, count(*) n from documents group by kind order by n desc, kind")
        )

    def languages(self) -> dict[str, int]:
        """Documents by language ("" where it is not known), most frequent first."""
        query = "select language, count(*) n from documents group by language order by n desc, language"
        return dict(self._connection.execute(query))

    # -- sources and files ---------------------------------------------------------------------

    def sources(self) -> list[Source]:
        """All sources, in the order of their paths."""
        rows = self._connection.execute("select id, path, added, archives from sources order by path")
        return [Source(row[0], os.fsdecode(row[1]), row[2], bool(row[3])) for row in rows]

    def add_source(self, path: str, archives: bool = False) -> Source:
        """The source of this path; sources inside it are merged into it, with their files."""
        with self.writing() as connection:
            connection.execute(
                "insert into sources (path, added, archives) values (?, ?, ?)"
                " on conflict (path) do update set archives = max(archives, excluded.archives)",
                [os.fsencode(path), time.time(), archives],
            )
            source = next(one for one in self.sources() if one.path == path)
            below = path.rstrip(os.sep) + os.sep
            for inner in self.sources():
                if inner.id != source.id and inner.path.startswith(below):
                    connection.execute("update or ignore files set source = ? where source = ?", [source.id, inner.id])
                    connection.execute("delete from sources where id = ?", [inner.id])
        return source

    def remove_source(self, source: int) -> None:
        """Forget a source that has no files left."""
        with self.writing() as connection:
            connection.execute("delete from sources where id = ?", [source])

    def files(self, source: int | None = None) -> list[File]:
        """The files of one source, or of all, in the order of their paths."""
        where = "" if source is None else "where source = ?"
        rows = self._connection.execute(
            f"select id, source, path, size, mtime_ns, sha256, state, reason, hint from files {where} order by path",
            [] if source is None else [source],
        )
        return [File(row[0], row[1], os.fsdecode(row[2]), *row[3:]) for row in rows]

    def write(self, source: int, files: Sequence[WrittenFile]) -> list[int]:
        """Write files with all their documents, replacing what was there; the passage ids that went."""
        gone: list[int] = []
        with self.writing() as connection:
            for file in files:
                gone += _remove_documents(connection, source, file.path)
                row = connection.execute(
                    "insert into files (source, path, size, mtime_ns, sha256) values (?, ?, ?, ?, ?)"
                    " on conflict (source, path) do update set size = excluded.size,"
                    " mtime_ns = excluded.mtime_ns, sha256 = excluded.sha256, state = 'read', reason = '', hint = ''"
                    " returning id",
                    [source, os.fsencode(file.path), *_stamp(file)],
                ).fetchone()
                for document, passages in file.documents:
                    _insert_document(connection, row[0], document, passages)
        return gone

    def remember(self, source: int, files: Sequence[File]) -> list[int]:
        """Remember files that failed or were skipped, with their reasons; the passage ids that went."""
        gone: list[int] = []
        with self.writing() as connection:
            for file in files:
                gone += _remove_documents(connection, source, file.path)
                connection.execute(
                    "insert or replace into files (source, path, size, mtime_ns, sha256, state, reason, hint)"
                    " values (?, ?, ?, ?, ?, ?, ?, ?)",
                    [source, os.fsencode(file.path), *_stamp(file), file.state, file.reason, file.hint],
                )
        return gone

    def move(self, file: File, path: str, mtime_ns: int) -> None:
        """Give a file, its documents and attachments a new path; passages keep their ids."""
        old, new = os.fsencode(file.path), os.fsencode(path)
        with self.writing() as connection:
            connection.execute(
                "delete from files where source = ? and path = ? and id <> ?", [file.source, new, file.id]
            )
            connection.execute("update files set path = ?, mtime_ns = ? where id = ?", [new, mtime_ns, file.id])
            for number, name in connection.execute(
                "select id, path from documents where file = ?", [file.id]
            ).fetchall():
                connection.execute("update documents set path = ? where id = ?", [new + name[len(old) :], number])
            trails.follow(connection, file.path, path)

    def touch(self, file: File, size: int, mtime_ns: int) -> None:
        """Note that a file has another time but the same content."""
        with self.writing() as connection:
            connection.execute("update files set size = ?, mtime_ns = ? where id = ?", [size, mtime_ns, file.id])
            # a document without a date of its own has its file's
            connection.execute(
                "update documents set modified = ? where file = ? and abs(modified - ?) < 0.001",
                [mtime_ns / 1e9, file.id, file.mtime_ns / 1e9],
            )

    def remove(self, files: Sequence[int]) -> list[int]:
        """Take files out with all that was read from them; the passage ids that went."""
        gone: list[int] = []
        with self.writing() as connection:
            for file in files:
                gone += _passages_of(connection, "d.file = ?", [file])
                connection.execute("delete from files where id = ?", [file])
        return gone

    # -- documents and passages ----------------------------------------------------------------

    def document(self, path: str) -> Document | None:
        """The document at this path, whole."""
        return next(self._documents("path = ? order by id limit 1", os.fsencode(path)), None)

    def text(self, path: str) -> str:
        """The text of the document at this path, "" without one; its marks, which cost more, stay where they are."""
        return narrow.text(self._connection, os.fsencode(path))

    def documents_of(self, file: int) -> Iterator[Document]:
        """The documents that were read from a file, in their order in it, one at a time."""
        return self._documents("file = ? order by id", file)

    def _documents(self, where: str, value: bytes | int) -> Iterator[Document]:
        rows = self._connection.execute(
            "select id, path, kind, title, marks, lines, language, modified, hidden, notes from documents"
            f" where {where}",
            [value],
        )
        for number, path, kind, title, marks, lines, language, modified, hidden, notes in rows.fetchall():
            texts = self._connection.execute("select text from texts where document = ? order by number", [number])
            text = "".join(piece for (piece,) in texts)
            notes = tuple(json.loads(notes))
            yield Document(
                os.fsdecode(path), kind, title, text, _marks(marks), bool(lines), language, modified, hidden, notes
            )

    def paths(self) -> list[str]:
        """The paths of all documents, sorted."""
        return [os.fsdecode(path) for (path,) in self._connection.execute("select path from documents order by path")]

    def passage_ids(self, filters: Filters | None = None, spoken: Callable[[Ids], Ids] | None = None) -> Ids:
        """The ids of the passages that the filters leave, sorted; all of them without filters.

        `spoken` keeps those that also say what the filters want said: the catalog itself knows no words.
        """
        wanted = filters or Filters()
        if wanted == Filters():
            return narrow.passage_ids(self._connection, wanted)

        def narrowed() -> Ids:
            ids = narrow.passage_ids(self._connection, wanted)
            ids = spoken(ids) if spoken else ids
            ids.flags.writeable = False
            return ids

        return self._remembered(self._filtered, wanted, narrowed)

    def searched(self, filters: Filters | None = None) -> Searched:
        """How many documents and passages the filters leave."""
        clause, values = narrow.where(filters or Filters())
        query = f"select count(*), ifnull(sum(d.passages), 0) from documents d {clause or 'where 1'} and d.passages > 0"
        wanted, run = filters or Filters(), self._connection.execute
        return self._remembered(self._counted, wanted, lambda: Searched(*run(query, values).fetchone()))

    def _remembered(self, known: dict[Filters, tuple[str, T]], filters: Filters, make: Callable[[], T]) -> T:
        """What `make` gives for these filters, made anew when something was written since."""
        with self.reading():
            generation = self.get("generation") or ""
            kept = known.get(filters)
            if kept and kept[0] == generation:
                return kept[1]
            made = make()
        while len(known) >= FILTERED:
            known.pop(next(iter(known), filters), None)
        known[filters] = generation, made
        return made

    def texts(self, ids: Ids) -> Iterator[narrow.Text]:
        """What these passages say, in order of id, without those that the catalog does not know."""
        yield from narrow.texts(self._connection, ids)

    def documents_with(self, ids: Ids) -> dict[int, int]:
        """The documents of these passages, by number, and how many of the passages each has."""
        return narrow.documents_with(self._connection, ids)

    def files_of(self, documents: Collection[str]) -> list[File]:
        """The files that these documents were read from, in the order of their paths."""
        rows = self._connection.execute(
            "select distinct f.id, f.source, f.path, f.size, f.mtime_ns, f.sha256, f.state, f.reason, f.hint"
            " from files f join documents d on d.file = f.id where d.path in"
            f" ({', '.join('?' * len(documents))}) order by f.path",
            [os.fsencode(path) for path in documents],
        )
        return [File(row[0], row[1], os.fsdecode(row[2]), *row[3:]) for row in rows]

    def candidates(self, ids: Sequence[int]) -> list[Candidate]:
        """What is ranked by of the passages with these ids, in order of id, without those it does not know."""
        rows = self._connection.execute(
            "select p.id, p.context, d.path from json_each(?) j cross join passages p on p.id = j.value"
            " join documents d on d.id = p.document order by p.id",
            [json.dumps(ids)],
        )
        return [Candidate(number, context, os.fsdecode(path)) for number, context, path in rows]

    def passages(self, ids: Sequence[int]) -> dict[int, FoundPassage]:
        """The passages with these ids; ids that the catalog does not know are left out."""
        rows = self._connection.execute(
            f"select p.id, d.path, d.kind, d.title, {_PASSAGE_COLUMNS}, t.number, t.text"
            " from json_each(?) j join passages p on p.id = j.value join documents d on d.id = p.document"
            " join texts t on t.document = p.document"
            f' and t.number between p.start / {SEGMENT} and (p."end" - 1) / {SEGMENT}'
            " order by p.id, t.number",
            [json.dumps([int(one) for one in ids])],
        )
        found: dict[int, FoundPassage] = {}
        pieces: dict[int, list[str]] = {}
        for number, path, kind, title, _, start, end, *rest, segment, text in rows:
            first = segment * SEGMENT
            pieces.setdefault(number, []).append(text[max(0, start - first) : end - first])
            found[number] = FoundPassage(
                number, os.fsdecode(path), kind, title, start, end, "".join(pieces[number]), *rest
            )
        return found

    def alike(self, hashes: Sequence[int]) -> dict[int, int]:
        """The newest passage of each of these hashes that has any."""
        rows = self._connection.execute(
            "select p.hash, max(p.id) from json_each(?) j join passages p on p.hash = j.value group by p.hash",
            [json.dumps(list(hashes))],
        )
        return dict(rows.fetchall())

    def each_passage(self, ids: Sequence[int]) -> Iterator[tuple[FoundPassage, str]]:
        """(passage, language of its document) for these ids, to rebuild an index from."""
        languages: dict[str, str] = {}
        for path, language in self._connection.execute("select path, language from documents"):
            languages[os.fsdecode(path)] = language
        for first in range(0, len(ids), 512):
            for passage in self.passages(ids[first : first + 512]).values():
                yield passage, languages[passage.path]

    def check(self) -> str:
        """ "ok", or what SQLite found wrong with its file."""
        return str(self._connection.execute("pragma quick_check(1)").fetchone()[0])


def _connect(path: Path, readonly: bool) -> sqlite3.Connection:
    if readonly and not path.is_file():
        raise LibraryError(f"there is no library in {path.parent}", "quoth add FOLDER")
    # On a read-only disk SQLite cannot make the shared-memory file that a write-ahead log needs;
    # `immutable` reads without it, which is safe because nobody can write there.
    log = path.with_name(path.name + "-wal")
    frozen = readonly and not os.access(path.parent, os.W_OK) and not (log.exists() and log.stat().st_size)
    mode = "ro&immutable=1" if frozen else "ro" if readonly else "rwc"
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    try:
        connection = sqlite3.connect(uri, uri=True, timeout=30, isolation_level=None, check_same_thread=False)
        connection.execute("pragma foreign_keys = on")
        connection.execute(f"pragma cache_size = -{CACHE}")
        if not readonly:
            connection.execute("pragma journal_mode = wal")
            connection.execute("pragma synchronous = full")
            connection.execute("pragma secure_delete = on")
        connection.execute("pragma user_version").fetchone()
    except sqlite3.DatabaseError as error:
        raise damaged(path, error) from error
    return connection


def _stamp(file: File | WrittenFile) -> tuple[int, int, str]:
    return file.size, file.mtime_ns, file.sha256


def _statements(script: str) -> Iterator[str]:
    """The statements of a migration one by one, so that they run inside one transaction."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _passages_of(connection: sqlite3.Connection, where: str, values: list[object]) -> list[int]:
    query = f"select p.id from passages p join documents d on d.id = p.document where {where}"
    return [row[0] for row in connection.execute(query, values)]


def _remove_documents(connection: sqlite3.Connection, source: int, path: str) -> list[int]:
    """Take out all documents of a file that stays; the passage ids that went."""
    row = connection.execute(
        "select id from files where source = ? and path = ?", [source, os.fsencode(path)]
    ).fetchone()
    if row is None:
        return []
    gone = _passages_of(connection, "d.file = ?", [row[0]])
    connection.execute("delete from documents where file = ?", [row[0]])
    return gone


def _insert_document(
    connection: sqlite3.Connection, file: int, document: Document, passages: Sequence[Passage]
) -> None:
    cursor = connection.execute(
        "insert into documents (file, path, kind, title, marks, lines, language, modified, hidden, notes, length,"
        " first, last, passages) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            file,
            os.fsencode(document.path),
            document.kind,
            document.title,
            zlib.compress(json.dumps([[m.start, m.kind, m.value, m.number] for m in document.marks]).encode(), 1),
            document.lines,
            document.language,
            document.modified,
            document.hidden,
            json.dumps(document.notes),
            len(document.text),
            min((one.id for one in passages), default=None),
            max((one.id for one in passages), default=None),
            len(passages),
        ],
    )
    number = cursor.lastrowid
    cuts = range(0, len(document.text), SEGMENT)
    connection.executemany(
        "insert into texts values (?, ?, ?)",
        [(number, cut // SEGMENT, document.text[cut : cut + SEGMENT]) for cut in cuts],
    )
    places = document.places([passage.start for passage in passages])
    rows = [
        (passage.id, number, passage.start, passage.end, passage.context, *astuple(place), passage.hash)
        for passage, place in zip(passages, places, strict=True)
    ]
    connection.executemany("insert into passages values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)


def _marks(blob: bytes) -> tuple[Mark, ...]:
    return tuple(itertools.starmap(Mark, json.loads(zlib.decompress(blob))))
