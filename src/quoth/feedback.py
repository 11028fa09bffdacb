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


def rate(library: Library, rating: Rating, quote: int = 0, *, entry: int = 0, person: str = "") -> Entry:
    """Note that an answer, or its n-th quote, is right or wrong; the entry of the answer that was rated.

    `entry` is `Answer.entry`; without it the last answer is meant. `person` is who says so, where that is known: of
    answers to others there is none then.
    """
    shown = _shown(library, entry, person)
    quotes = shown.record["quotes"]
    if quote and not (isinstance(quotes, list) and 1 <= quote <= len(quotes)):
        count = len(quotes) if isinstance(quotes, list) else 0
        which = "this answer" if entry else "the last answer"
        raise NotFound(f"{which} has no quote {quote}: it has {count}", "quoth journal shows it")
    record = {"question": shown.record["question"], "shown": shown.id, "rating": rating, "quote": quote or None}
    _note(library, shown.recipe, record, person)
    return shown


def rate_place(
    library: Library, question: str, document: Document, start: int, end: int, *, entry: int = 0, person: str = ""
) -> None:
    """Note that these characters of a document are what answers a question."""
    shown = _shown(library, entry, person) if entry else None
    at = {"document": document.path, "start": start, "end": end}
    record = {"question": question, "shown": shown.id if shown else None, "rating": "place", **at}
    _note(library, library.recipe().hash, record, person)


def _shown(library: Library, entry: int, person: str) -> Entry:
    """The answer of this entry, or the last one; to this person, if there is a name."""
    catalog = library._parts.catalog
    some = [journal.entry(catalog, entry)] if entry else reversed(journal.entries(catalog))
    found = next((one for one in some if one and one.kind == "shown" and _is_of(one, person)), None)
    if found is None:
        what = f"no answer of the number {entry}" if entry else "no answer to rate"
        raise NotFound(f"the journal holds {what}", 'quoth ask "your question"; quoth journal on')
    return found


def _is_of(shown: Entry, person: str) -> bool:
    return not person or shown.record.get("person") == person


def _note(library: Library, recipe: str, record: dict[str, object], person: str) -> None:
    journal.append(library._parts.catalog, "rated", recipe, record | ({"person": person} if person else {}))


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
