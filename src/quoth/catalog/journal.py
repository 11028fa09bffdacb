"""What was asked, shown, opened, rated, evaluated and promoted: rows that are only ever appended.

An entry is written whole or not at all; nothing but `prune` and `forget` takes entries out. Nothing leaves the
machine, and a library may be told to keep none.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from quoth.catalog import erase
from quoth.catalog.damage import checked
from quoth.catalog.sqlite import Catalog

Kind = Literal["asked", "shown", "opened", "rated", "evaluated", "promoted"]
KEY = "journal"
"""What the catalog notes here is "off" where no journal is wanted."""
PATIENCE = 500
"""Milliseconds that an entry waits for another process that writes; after that it is lost."""
WAIT = 5.0
"""Seconds that taking entries out waits for readers that still see them."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened, under the recipe that counted then."""

    id: int
    at: float
    kind: Kind
    recipe: str
    record: dict[str, object]


def append(catalog: Catalog, kind: Kind, recipe: str, record: Mapping[str, object]) -> int:
    """Append an entry; its number, or 0 where none is wanted or the disk does not let it: an answer is worth more."""
    if catalog.readonly or catalog.get(KEY) == "off":
        return 0
    row = (time.time(), kind, recipe, json.dumps(record))  # a path may hold what no UTF-8 can
    connection = catalog.connection
    try:
        # an answer waits neither for the disk nor for a run that writes
        connection.execute(f"pragma busy_timeout = {PATIENCE}")
        connection.execute("pragma synchronous = normal")
        added = connection.execute("insert into journal (at, kind, recipe, record) values (?, ?, ?, ?)", row)
    except (sqlite3.OperationalError, OSError):
        return 0
    finally:
        connection.execute("pragma synchronous = full")
        connection.execute("pragma busy_timeout = 30000")
    return added.lastrowid or 0


@checked
def entries(catalog: Catalog, since: float = 0.0) -> list[Entry]:
    """The entries from a time on, the oldest first."""
    query = "select id, at, kind, recipe, record from journal where at >= ? order by id"
    rows = catalog.connection.execute(query, [since])
    return [Entry(id_, at, kind, recipe, json.loads(record)) for id_, at, kind, recipe, record in rows]


@checked
def entry(catalog: Catalog, number: int) -> Entry | None:
    """The entry of this number."""
    rows = catalog.connection.execute("select id, at, kind, recipe, record from journal where id = ?", [number])
    return next((Entry(id_, at, kind, recipe, json.loads(record)) for id_, at, kind, recipe, record in rows), None)


@checked
def prune(catalog: Catalog, before: float) -> int:
    """Take out what is older, so that no byte of it stays; how many entries went."""
    with catalog.writing() as connection:
        gone = connection.execute("delete from journal where at < ?", [before]).rowcount
    if gone:
        erase.compact(catalog, WAIT)
    return gone


@checked
def forget(catalog: Catalog, paths: Sequence[str]) -> int:
    """Take out every entry that names one of these documents; how many went. The pages are not rewritten yet."""
    gone = 0
    with catalog.writing() as connection:
        for path in paths:
            name = json.dumps(path)[1:-1]
            gone += connection.execute("delete from journal where instr(record, ?)", [name]).rowcount
    return gone


def switch(catalog: Catalog, on: bool) -> None:
    """Keep a journal from now on, or none."""
    catalog.note({KEY: "on" if on else "off"})
