"""Runs of evaluations: a row a run, a row an outcome, both kept from the first question on.

A run without its record is not finished: what a kill leaves is taken up again by a run of the same name over the
same questions under the same recipe.
"""

from __future__ import annotations

import json
import re
import sqlite3
import time
from collections.abc import Iterable, Mapping, Sequence

from quoth.catalog.damage import checked
from quoth.catalog.sqlite import Catalog
from quoth.errors import NotFound, UsageError

NAMED = re.compile(r"\w[\w.+-]{0,63}")


class Saved:
    """One run's place: `begin`, `add` what is done, `finish`; or left by an exception, to be taken up again."""

    def __init__(self, catalog: Catalog, name: str) -> None:
        if not NAMED.fullmatch(name):
            raise UsageError(f"a run cannot be named {name!r}", "letters, digits and . _ + -")
        self._catalog, self._name = catalog, name

    def begin(self, header: Mapping[str, object]) -> list[dict[str, object]]:
        """What an earlier try with the same header, which was not finished, had done already; it is gone on with."""
        said = json.dumps(header, sort_keys=True)
        found = self._catalog.connection.execute(
            "select header from runs where name = ? and record is null", [self._name]
        ).fetchone()
        if found and found[0] == said:
            return _outcomes(self._catalog, self._name)
        with self._catalog.writing() as connection:
            connection.execute("delete from runs where name = ?", [self._name])
            connection.execute("insert into runs (name, at, header) values (?, ?, ?)", [self._name, time.time(), said])
        return []

    def add(self, outcome: Mapping[str, object]) -> None:
        """Keep one outcome."""
        with self._catalog.writing() as connection:
            _append(connection, self._name, [outcome])

    def finish(self, record: Mapping[str, object], outcomes: Iterable[Mapping[str, object]]) -> None:
        """Keep the whole run, all or nothing."""
        with self._catalog.writing() as connection:
            connection.execute("delete from run_outcomes where run = ?", [self._name])
            _append(connection, self._name, outcomes)
            connection.execute("update runs set record = ? where name = ?", [json.dumps(record), self._name])


@checked
def load(catalog: Catalog, name: str) -> tuple[dict[str, object], list[dict[str, object]]]:
    """A finished run: its record and its outcomes."""
    query = "select record from runs where name = ? and record is not null"
    found = catalog.connection.execute(query, [name]).fetchone()
    if found is None:
        raise NotFound(f"there is no run {name}", "quoth evaluate --name NAME makes one; quoth runs lists them")
    return json.loads(found[0]), _outcomes(catalog, name)


@checked
def names(catalog: Catalog) -> list[str]:
    """The finished runs, the oldest first."""
    return [
        name for (name,) in catalog.connection.execute("select name from runs where record is not null order by at")
    ]


@checked
def remove(catalog: Catalog, some: Sequence[str]) -> None:
    """Take runs out."""
    with catalog.writing() as connection:
        connection.executemany("delete from runs where name = ?", [(name,) for name in some])


@checked
def about(catalog: Catalog, paths: Sequence[str]) -> list[str]:
    """The runs, finished or not, in which any of these documents was found."""
    found: set[str] = set()
    for path in paths:
        query = "select distinct run from run_outcomes where instr(record, ?)"
        found.update(name for (name,) in catalog.connection.execute(query, [json.dumps(path)[1:-1]]))
    return sorted(found)


def _append(connection: sqlite3.Connection, name: str, outcomes: Iterable[Mapping[str, object]]) -> None:
    connection.executemany("insert into run_outcomes values (?, ?)", ((name, json.dumps(one)) for one in outcomes))


@checked
def _outcomes(catalog: Catalog, name: str) -> list[dict[str, object]]:
    rows = catalog.connection.execute("select record from run_outcomes where run = ? order by rowid", [name])
    return [json.loads(record) for (record,) in rows]
