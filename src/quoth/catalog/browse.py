"""What became of each file: documents that were read, files that failed or were skipped, a page at a time."""

from __future__ import annotations

import os
from dataclasses import dataclass

from quoth.catalog.damage import checked
from quoth.catalog.records import State
from quoth.catalog.sqlite import Catalog

EVERY = """
    select d.path path, d.kind kind, d.title title, d.modified modified, 'read' state, '' reason, '' hint, s.path source
    from documents d join files f on f.id = d.file join sources s on s.id = f.source
    union all
    select f.path, '', '', f.mtime_ns / 1e9, f.state, f.reason, f.hint, s.path
    from files f join sources s on s.id = f.source
    where not exists (select 1 from documents d where d.file = f.id)
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """A document, or a file that none was read from; `reason` and `hint` say why."""

    path: str
    source: str
    kind: str
    title: str
    modified: float
    state: State
    reason: str
    hint: str


@checked
def seen(catalog: Catalog, words: str, state: State | None, start: int, count: int) -> tuple[int, list[Seen]]:
    """How many there are, and `count` of them from number `start` (from 0) on, in the order of their paths.

    Of each of the `words` the path or the title has to hold the letters, small or large.
    """
    wanted = words.casefold().split()
    where = ["(? is null or state = ?)", *["instr(lower(cast(path as text) || ' ' || title), ?)"] * len(wanted)]
    values = [state, state, *wanted]
    query = f"from ({EVERY}) where {' and '.join(where)}"
    with catalog.reading():
        total = catalog.connection.execute(f"select count(*) {query}", values).fetchone()[0]
        rows = catalog.connection.execute(
            f"select path, source, kind, title, modified, state, reason, hint {query} order by path limit ? offset ?",
            [*values, count, start],
        ).fetchall()
    return total, [Seen(os.fsdecode(path), os.fsdecode(source), *rest) for path, source, *rest in rows]


@checked
def passage_ids(catalog: Catalog, path: str) -> list[int]:
    """The passages of a document, in their order in it."""
    query = "select p.id from passages p join documents d on d.id = p.document where d.path = ? order by p.start"
    return [row[0] for row in catalog.connection.execute(query, [os.fsencode(path)])]
