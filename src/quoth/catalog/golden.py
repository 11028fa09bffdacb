"""Golden questions in the catalog: what is asked, and the stretches of documents that answer it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass

from quoth.catalog.damage import checked
from quoth.catalog.sqlite import Catalog


@dataclass(frozen=True, slots=True)
class GoldenSpan:
    """A stretch of a document, or the whole of it where `start` is None, with what stands around it."""

    path: str
    start: int | None = None
    end: int | None = None
    text: str = ""
    before: str = ""
    after: str = ""
    gain: int = 1


@dataclass(frozen=True, slots=True)
class GoldenQuestion:
    """A question of a set; `none` when the library must not answer it."""

    set: str
    key: str
    question: str
    none: bool
    answers: tuple[str, ...]
    spans: tuple[GoldenSpan, ...]
    id: int = 0
    added: float = 0.0


@checked
def every(catalog: Catalog, set_: str | None = None) -> list[GoldenQuestion]:
    """The questions of a set, or of all, in the order in which they were added."""
    connection = catalog.connection
    spans: dict[int, list[GoldenSpan]] = {}
    query = 'select golden, path, start, "end", text, before, after, gain from golden_spans order by golden, rowid'
    for golden, path, *rest in connection.execute(query):
        spans.setdefault(golden, []).append(GoldenSpan(os.fsdecode(path), *rest))
    rows = connection.execute(
        'select id, "set", key, question, none, answers, added from golden where ? is null or "set" = ? order by id',
        [set_, set_],
    )
    return [
        GoldenQuestion(
            name, key, question, bool(none), tuple(json.loads(answers)), tuple(spans.get(id_, ())), id_, added
        )
        for id_, name, key, question, none, answers, added in rows
    ]


@checked
def write(catalog: Catalog, questions: Sequence[GoldenQuestion]) -> None:
    """Add questions, all or none; one whose set and key are there already is replaced."""
    with catalog.writing() as connection:
        for one in questions:
            connection.execute('delete from golden where "set" = ? and key = ?', [one.set, one.key])
            added = connection.execute(
                'insert into golden ("set", key, question, none, answers, added) values (?, ?, ?, ?, ?, ?)',
                [one.set, one.key, one.question, one.none, json.dumps(one.answers), one.added or time.time()],
            )
            connection.executemany(
                "insert into golden_spans values (?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (added.lastrowid, os.fsencode(at.path), at.start, at.end, at.text, at.before, at.after, at.gain)
                    for at in one.spans
                ],
            )


@checked
def move(catalog: Catalog, question: int, place: int, start: int, end: int) -> None:
    """Say where a question's span, the n-th of them, stands now."""
    with catalog.writing() as connection:
        rows = connection.execute("select rowid from golden_spans where golden = ? order by rowid", [question])
        row = rows.fetchall()[place][0]
        connection.execute('update golden_spans set start = ?, "end" = ? where rowid = ?', [start, end, row])


@checked
def remove(catalog: Catalog, ids: Sequence[int]) -> None:
    """Take questions out."""
    with catalog.writing() as connection:
        connection.execute("delete from golden where id in (select value from json_each(?))", [json.dumps(list(ids))])


@checked
def about(catalog: Catalog, paths: Sequence[str]) -> list[int]:
    """The questions whose answers stand in any of these documents."""
    found: set[int] = set()
    for path in paths:
        rows = catalog.connection.execute("select golden from golden_spans where path = ?", [os.fsencode(path)])
        found.update(row[0] for row in rows)
    return sorted(found)
