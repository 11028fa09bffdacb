"""Copies of a catalog: a snapshot while others write, whether a copy is sound, and paths that moved as a whole."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

from quoth.catalog import trails
from quoth.catalog.damage import checked
from quoth.catalog.records import File, Source
from quoth.catalog.schema import MIGRATIONS
from quoth.catalog.sqlite import SCHEMA_VERSION, Catalog
from quoth.errors import LibraryError, TooNew

PAGES = 1024
"""Pages of a snapshot that are copied between two reports."""


@checked
def snapshot(catalog: Catalog, path: Path, watch: Callable[[int, int], None]) -> None:
    """Writes the catalog to a new file, as this thread sees it; inside `catalog.reading()` that is one state.

    `watch` is told how many pages are done, and of how many. Raises `LibraryError` when the catalog is damaged.
    """
    with closing(sqlite3.connect(path, isolation_level=None)) as target:
        target.execute("pragma journal_mode = off")
        target.execute("pragma synchronous = off")

        def told(_: int, left: int, pages: int) -> None:
            watch(pages - left, pages)

        try:
            catalog._connection.backup(target, pages=PAGES, progress=told, sleep=0.01)
            # who is logged in here is not logged in wherever the copy goes
            target.execute("pragma secure_delete = on")
            target.execute("delete from sessions")
            target.execute("pragma journal_mode = delete")  # the log is a matter of the library, not of its copy
            found = target.execute("pragma quick_check(1)").fetchone()[0]
        except sqlite3.DatabaseError as error:
            if "full" in str(error):
                raise
            found = str(error)
        if found != "ok":
            raise LibraryError(f"the catalog of this library is damaged ({found})", "quoth restore FILE")


def inspect(path: Path) -> dict[str, int]:
    """What the catalog in a file says of itself, after it was found sound: version, passages, documents.

    Nothing that a stranger may have put into it is run. Raises `TooNew`, or `LibraryError` with what is wrong.
    """
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
            connection.execute("pragma trusted_schema = off")
            version = int(connection.execute("pragma user_version").fetchone()[0])
            if version > SCHEMA_VERSION:
                raise TooNew(
                    f"the library in it was written by a newer Quoth (its format is {version}, ours {SCHEMA_VERSION})",
                    "pip install --upgrade quoth",
                )
            if not version or _shape(connection) != _expected(version):
                raise LibraryError(f"its catalog does not have the tables of format {version}")
            for check in ("pragma quick_check(1)", "pragma foreign_key_check"):
                found = connection.execute(check).fetchone()
                if found and found[0] != "ok":
                    raise LibraryError(f"its catalog is damaged ({found[0]})")
            documents, passages = connection.execute(
                "select (select count(*) from documents), (select count(*) from passages)"
            ).fetchone()
            return {"version": version, "documents": documents, "passages": passages}
    except sqlite3.DatabaseError as error:
        raise LibraryError(f"its catalog is damaged ({error})") from None


def encoder_of(path: Path) -> str:
    """The encoder that the catalog in a file names, "" if none; nothing is written, not even beside it."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
            row = connection.execute("select value from meta where key = 'encoder'").fetchone()
            return str(row[0]) if row else ""
    except sqlite3.DatabaseError:
        return ""


@checked
def reroot(catalog: Catalog, sources: Sequence[Source], old: str, new: str) -> int:
    """Gives these sources, which lie at or below `old`, and all that is below them their place below `new`.

    How many files moved; passages keep their ids.
    """
    start, cut = os.fsencode(new.rstrip(os.sep)), len(os.fsencode(old.rstrip(os.sep)))
    # `||` makes text of what it joins: its bytes stay as they are, whether they are text or not
    moved = "path = cast(? || substr(path, ?) as blob)"
    files = 0
    with catalog.writing() as connection:
        for source in sources:
            place = new if source.path == old else os.fsdecode(start + os.fsencode(source.path)[cut:])
            connection.execute("update sources set path = ? where id = ?", [os.fsencode(place), source.id])
            where = "where file in (select id from files where source = ?)"
            connection.execute(f"update documents set {moved} {where}", [start, cut + 1, source.id])
            files += connection.execute(
                f"update files set {moved} where source = ?", [start, cut + 1, source.id]
            ).rowcount
        trails.follow(connection, old.rstrip(os.sep), new.rstrip(os.sep))
    return files


@checked
def each_file(catalog: Catalog) -> Iterator[tuple[str, File]]:
    """(source, file) of every file, in the order of the paths of both."""
    rows = catalog._connection.execute(
        "select s.path, f.id, f.source, f.path, f.size, f.mtime_ns, f.sha256, f.state, f.reason, f.hint"
        " from files f join sources s on s.id = f.source order by s.path, f.path"
    )
    for source, number, owner, path, *rest in rows:
        yield os.fsdecode(source), File(number, owner, os.fsdecode(path), *rest)


@checked
def register(catalog: Catalog, path: str, added: float, archives: bool = False) -> Source:
    """The source of this path, as if it had been added then."""
    known = {one.path for one in catalog.sources()}
    source = catalog.add_source(path, archives)
    if path in known:
        return source
    with catalog.writing() as connection:
        connection.execute("update sources set added = ? where id = ?", [added, source.id])
    return Source(source.id, path, added, archives)


def _shape(connection: sqlite3.Connection) -> set[tuple[str, ...]]:
    """Tables with their columns, and everything else with its text."""
    shape: set[tuple[str, ...]] = set()
    rows = connection.execute(
        "select type, name, tbl_name, sql from sqlite_master where name not like 'sqlite\\_%' escape '\\'"
    )
    for kind, name, table, text in rows.fetchall():
        if kind == "table":
            columns = connection.execute("select name from pragma_table_xinfo(?) order by cid", [name])
            virtual = str("virtual" in str(text).lower().split()[:2])
            shape.add((kind, name, virtual, *(column for (column,) in columns)))
        else:
            shape.add((kind, name, table, "" if kind == "index" else str(text)))
    return shape


def _expected(version: int) -> set[tuple[str, ...]]:
    """The shape that the steps to this version lead to."""
    with closing(sqlite3.connect(":memory:")) as connection:
        for step in MIGRATIONS[:version]:
            connection.executescript(step)
        return _shape(connection)
