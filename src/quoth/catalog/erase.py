"""What forgetting needs of the catalog: what is in some files, what is still held, and a rewritten database."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence

from quoth.catalog.damage import checked
from quoth.catalog.sqlite import Catalog
from quoth.types import Document


@checked
def documents_of(catalog: Catalog, files: Sequence[int], most: int) -> tuple[int, list[Document]]:
    """How many documents these files hold, and `most` of them, evenly chosen."""
    query = "select d.path from json_each(?) j join documents d on d.file = j.value order by d.path"
    paths = [os.fsdecode(path) for (path,) in catalog.connection.execute(query, [json.dumps(list(files))])]
    some = paths[:: max(1, -(-len(paths) // most))]
    return len(paths), [document for path in some if (document := catalog.document(path))]


@checked
def passages_of(catalog: Catalog, files: Sequence[int]) -> list[int]:
    """The ids of all passages of these files."""
    query = (
        "select p.id from json_each(?) j join documents d on d.file = j.value join passages p on p.document = d.id"
        " order by p.id"
    )
    return [row[0] for row in catalog.connection.execute(query, [json.dumps(list(files))])]


@checked
def held(catalog: Catalog, pieces: Sequence[bytes]) -> set[bytes]:
    """Which of these bytes, in whatever case, stand in what the catalog holds now."""
    wanted = {piece: piece.decode("utf-8", "replace").casefold() for piece in pieces}
    found: set[bytes] = set()
    for text in _everything(catalog) if wanted else ():
        folded = text.casefold()
        found |= {piece for piece, words in wanted.items() if piece not in found and words in folded}
        if len(found) == len(wanted):
            break
    return found


def _everything(catalog: Catalog) -> Iterator[str]:
    """Every text, name and path of the catalog; of long texts, with what follows a cut."""
    for query in (
        "select text from texts",
        # a passage may straddle two rows of texts
        "select substr(a.text, -200) || substr(b.text, 1, 200) from texts a join texts b"
        " on b.document = a.document and b.number = a.number + 1",
        "select title || char(10) || hidden || char(10) || notes from documents",
        "select context from passages",
        "select path from documents union select path from files union select path from sources",
        "select places || reason from jobs",
        "select path from job_failures",
        "select question || answers from golden",
        "select path from golden_spans",
        "select text || char(10) || before || after from golden_spans",
        "select record from run_outcomes",
        "select record from journal",
        "select question || char(10) || asked || char(10) || record from messages",
        "select path from message_documents",
        "select title from threads",
    ):
        for (value,) in catalog.connection.execute(query):
            yield value.decode("utf-8", "replace") if isinstance(value, bytes) else value


@checked
def compact(catalog: Catalog, wait: float) -> bool:
    """Rewrite the database without what was deleted and empty its log; whether no reader held that up for `wait` s."""
    catalog.connection.execute("vacuum")
    until = time.monotonic() + wait
    while True:
        try:
            busy = catalog.connection.execute("pragma wal_checkpoint(truncate)").fetchone()[0]
        except sqlite3.OperationalError:
            busy = True
        if not busy or time.monotonic() > until:
            return not busy
        time.sleep(0.1)
