"""Filters → the passages that they leave, in SQL."""

from __future__ import annotations

import os
import sqlite3
from typing import TYPE_CHECKING

from quoth.types import Filters

if TYPE_CHECKING:
    from quoth.types import Ids


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
    """The filters as a WHERE clause over documents d, and its values."""
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
            folders.append("cast(d.path as text) glob ? or cast(d.path as text) glob ?")
            values += [f"{start}{pattern}", f"{start}{pattern}/*"]
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
    return ("where " + " and ".join(clauses) if clauses else ""), values
