"""Documents in the order of their paths, a page at a time, without their text."""

from __future__ import annotations

import os
from dataclasses import dataclass

from quoth.catalog import narrow
from quoth.catalog.damage import checked
from quoth.catalog.sqlite import Catalog
from quoth.types import Filters


@dataclass(frozen=True, slots=True)
class Listed:
    """A document as a list shows it; `length` is its text's, in characters, `modified` POSIX seconds."""

    path: str
    kind: str
    title: str
    modified: float
    length: int


@checked
def documents(catalog: Catalog, filters: Filters, start: int, count: int) -> tuple[int, list[Listed]]:
    """How many documents the filters leave, and `count` of them from number `start` (from 0) on."""
    clause, values = narrow.where(filters)
    with catalog.reading():
        total = catalog.connection.execute(f"select count(*) from documents d {clause}", values).fetchone()[0]
        rows = catalog.connection.execute(
            f"select d.path, d.kind, d.title, d.modified, d.length from documents d {clause}"
            " order by d.path, d.id limit ? offset ?",
            [*values, count, start],
        ).fetchall()
    return total, [Listed(os.fsdecode(path), *others) for path, *others in rows]


@checked
def files(catalog: Catalog) -> dict[int, dict[str, int]]:
    """Of each source, by its id, how many files there are in each state."""
    found: dict[int, dict[str, int]] = {}
    query = "select source, state, count(*) from files group by source, state"
    for source, state, count in catalog.connection.execute(query):
        found.setdefault(source, {})[state] = count
    return found
