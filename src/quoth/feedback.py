"""What people do with answers, kept in the library's journal: quotes opened, answers rated; and the journal itself."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Iterator
from typing import Literal

from quoth.catalog import journal
from quoth.catalog.journal import Entry
from quoth.errors import NotFound
from quoth.library import Library
from quoth.types import Document

DAY = 86_400
Rating = Literal["right", "wrong"]


def opened(library: Library, document: Document, start: int, end: int) -> bool:
    """Note that these characters of a document were looked at."""
    record = {"document": document.path, "start": start, "end": end}
    return journal.append(library._parts.catalog, "opened", library.recipe().hash, record) > 0


def rate(library: Library, rating: Rating, quote: int = 0) -> Entry:
    """Note that the last answer, or its n-th quote, is right or wrong; the entry of the answer that was rated."""
    shown = [one for one in journal.entries(library._parts.catalog) if one.kind == "shown"]
    if not shown:
        raise NotFound("the journal holds no answer to rate", 'quoth ask "your question"; quoth journal on')
    last = shown[-1]
    quotes = last.record["quotes"]
    if quote and not (isinstance(quotes, list) and 1 <= quote <= len(quotes)):
        count = len(quotes) if isinstance(quotes, list) else 0
        raise NotFound(f"the last answer has no quote {quote}: it has {count}", "quoth journal shows it")
    record = {"question": last.record["question"], "shown": last.id, "rating": rating, "quote": quote or None}
    journal.append(library._parts.catalog, "rated", last.recipe, record)
    return last


def entries(library: Library, last: int | None = None) -> list[Entry]:
    """The entries of the journal, the oldest first, or the last of them."""
    found = journal.entries(library._parts.catalog)
    return found[-last:] if last else found


def export(library: Library) -> Iterator[str]:
    """The journal as lines of JSON."""
    for one in journal.entries(library._parts.catalog):
        yield json.dumps(dataclasses.asdict(one))


def prune(library: Library, days: float) -> int:
    """Take out what is older than so many days; how many entries went."""
    return journal.prune(library._parts.catalog, time.time() - days * DAY)


def switch(library: Library, on: bool) -> None:
    """Keep a journal from now on, or none; what is there stays until it is pruned."""
    journal.switch(library._parts.catalog, on)
