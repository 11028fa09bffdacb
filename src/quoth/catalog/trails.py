"""Names of documents in the records of runs, messages and the journal: they follow what moves; forget finds them."""

from __future__ import annotations

import json
import os
import sqlite3

ENDS = ('"', ":", "#", os.sep)
"""What follows the name of a document, or of a folder above it, in a record."""


def follow(connection: sqlite3.Connection, old: str, new: str) -> None:
    """Let every record name what lay at `old`, or below it, by its new place; the documents have theirs already."""
    before, after = (f'"{json.dumps(path)[1:-1]}' for path in (old, new))
    changed, values = "record", list[str]()
    for end in ENDS:
        tail = json.dumps(end)[1:-1] if end == os.sep else end
        changed, values = f"replace({changed}, ?, ?)", [*values, before + tail, after + tail]
    for table in ("run_outcomes", "journal"):
        connection.execute(f"update {table} set record = {changed} where instr(record, ?)", [*values, before])
    # messages are long, but of each it is known which documents it names
    place = os.fsencode(new)
    named = "id in (select message from message_documents where path >= ? and path < ?) and instr(record, ?)"
    connection.execute(
        f"update messages set record = {changed} where {named}", [*values, place, place + b"\xff", before]
    )
