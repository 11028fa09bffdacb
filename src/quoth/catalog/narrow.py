"""Filters → the passages that they leave, in SQL; and the texts of passages, to be looked through."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from quoth.types import Filters

if TYPE_CHECKING:
    from quoth.types import Ids

SEGMENT = 8192
"""Characters of text a row of `texts` holds; part of the schema."""


class Text(NamedTuple):
    """What a passage says, and of its document the number, kind and language."""

    id: int
    document: int
    kind: str
    language: str
    context: str
    text: str


def texts(connection: sqlite3.Connection, ids: Ids) -> Iterator[Text]:
    """The texts of these passages in order of id; a document is read once for all of its neighbours."""
    for first in range(0, len(ids), 512):
        rows = connection.execute(
            'select p.id, p.document, d.kind, d.language, p.context, p.start, p."end" from json_each(?) j'
            " join passages p on p.id = j.value join documents d on d.id = p.document order by p.id",
            [json.dumps(ids[first : first + 512].tolist())],
        ).fetchall()
        for document, some in groupby(rows, key=lambda row: row[1]):
            mine = list(some)
            segment = min(row[5] for row in mine) // SEGMENT
            pieces = connection.execute(
                "select text from texts where document = ? and number between ? and ? order by number",
                [document, segment, (max(row[6] for row in mine) - 1) // SEGMENT],
            )
            text, before = "".join(piece for (piece,) in pieces), segment * SEGMENT
            for number, _, kind, language, context, start, end in mine:
                yield Text(number, document, kind, language, context, text[start - before : end - before])


def documents_with(connection: sqlite3.Connection, ids: Ids) -> dict[int, int]:
    """The documents of these passages, by number, and how many of the passages each has."""
    rows = connection.execute(
        "select p.document, count(*) from json_each(?) j join passages p on p.id = j.value group by p.document",
        [json.dumps(ids.tolist())],
    )
    return dict(rows.fetchall())


def passage_ids(connection: sqlite3.Connection, filters: Filters) -> Ids:
    """The ids of the passages that the filters leave, sorted.

    SQLite hands out one text of numbers: a row a document costs Python ten times as much.
    """
    import numpy as np

    clause, values = where(filters)
    query = (
        "select group_concat(d.id || ' ' || d.first || ' ' || d.last || ' ' || d.passages, ' ')"
        f" from documents d {clause or 'where 1'} and d.passages > 0"
    )
    text = connection.execute(query, values).fetchone()[0]
    if text is None:
        return np.empty(0, dtype=np.int64)
    spans = np.fromstring(text, dtype=np.int64, sep=" ").reshape(-1, 4)
    document, first, last, count = spans[np.argsort(spans[:, 1])].T
    whole = last - first + 1 == count
    first, count = first[whole], count[whole]
    # one step from id to id, and from a document's last to the next one's first
    steps = np.ones(count.sum(), dtype=np.int64)
    starts = np.cumsum(count) - count
    steps[starts] = first - np.append(0, first + count - 1)[:-1]
    ids = np.cumsum(steps)
    if whole.all():
        return ids
    strewn = [
        row[0]
        for one in document[~whole].tolist()
        for row in connection.execute("select id from passages where document = ?", [one])
    ]
    return np.sort(np.concatenate([ids, np.array(strewn, dtype=np.int64)]))


def where(filters: Filters) -> tuple[str, list[object]]:
    """The filters as a WHERE clause over documents d, and its values; what stands in passages is not looked at."""
    clauses: list[str] = []
    values: list[object] = []
    folders: list[str] = []
    for folder in filters.folders:
        pattern = folder.rstrip(os.sep).replace("[", "[[]")  # only * and ? have a meaning here
        if os.sep in folder and not ("*" in folder or "?" in folder):
            inside = os.fsencode(folder.rstrip(os.sep))
            # "/a/b" covers itself, "/a/b/…" and "/a/b#…" (messages and attachments), each a stretch of the index
            folders.append("d.path = ? or (d.path >= ? and d.path < ?) or (d.path >= ? and d.path < ?)")
            values.append(inside)
            for sign in (os.fsencode(os.sep), b"#"):
                values += [inside + sign, inside + bytes([sign[0] + 1])]
        else:
            start = "" if os.sep in folder else "*/"
            folders.append(" or ".join(["cast(d.path as text) glob ?"] * 3))
            values += [f"{start}{pattern}{below}" for below in ("", "/*", "#*")]
    if folders:
        clauses.append("(" + " or ".join(folders) + ")")
    if filters.kinds:
        kinds = [kind.lower().lstrip(".") for kind in filters.kinds]
        clauses.append("(" + " or ".join(["d.kind = ? or lower(cast(d.path as text)) glob ?"] * len(kinds)) + ")")
        for kind in kinds:
            values += [kind, f"*.{kind}"]
    if filters.after is not None:
        clauses.append("d.modified >= ?")
        values.append(filters.after)
    if filters.before is not None:
        clauses.append("d.modified < ?")
        values.append(filters.before)
    if filters.besides:
        clause, more = where(filters.besides)
        clauses += [clause.removeprefix("where ")] if clause else []
        values += more
    return ("where " + " and ".join(clauses) if clauses else ""), values


def text(connection: sqlite3.Connection, path: bytes) -> str:
    """The text of the document at a path, "" without one."""
    number = "select id from documents where path = ? order by id limit 1"
    rows = connection.execute(f"select text from texts where document = ({number}) order by number", [path])
    return "".join(piece for (piece,) in rows)
