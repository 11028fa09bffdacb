"""The recipes that a library remembers, as records of JSON."""

from __future__ import annotations

from quoth.catalog.damage import checked
from quoth.catalog.sqlite import Catalog


@checked
def every(catalog: Catalog) -> list[tuple[str, float, str]]:
    """(name, when it was added, record) of each recipe, the oldest first."""
    query = "select name, added, record from recipes order by added, name"
    return [(name, added, record) for name, added, record in catalog.connection.execute(query)]


@checked
def record(catalog: Catalog, name: str) -> str | None:
    """The record of the recipe of this name."""
    row = catalog.connection.execute("select record from recipes where name = ?", [name]).fetchone()
    return None if row is None else str(row[0])


@checked
def keep(catalog: Catalog, name: str, added: float, record: str) -> None:
    """Remember a recipe by a name that is free."""
    with catalog.writing() as connection:
        connection.execute("insert into recipes values (?, ?, ?)", [name, added, record])
