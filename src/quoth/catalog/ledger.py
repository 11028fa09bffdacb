"""Every comparison that was made, in order: what an honest verdict after many looks needs to know."""

from __future__ import annotations

from quoth.catalog.damage import checked
from quoth.catalog.sqlite import Catalog


@checked
def enter(catalog: Catalog, at: float, set_: str, first: str, second: str, record: str) -> None:
    """Enter a comparison of two recipes on a set."""
    with catalog.writing() as connection:
        connection.execute(
            'insert into comparisons (at, "set", first, second, record) values (?, ?, ?, ?, ?)',
            [at, set_, first, second, record],
        )


@checked
def every(catalog: Catalog, set_: str) -> list[tuple[float, str, str, str]]:
    """(when, first recipe, second recipe, record) of the comparisons on a set, the oldest first."""
    query = 'select at, first, second, record from comparisons where "set" = ? order by id'
    return list(catalog.connection.execute(query, [set_]))
