"""Between a question and its answer: the question cleaned, documents fetched once, quotes placed, refusals worded."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING
from unicodedata import category

from quoth.catalog import Catalog, File, journal
from quoth.errors import NotFound, UsageError
from quoth.parts import Parts
from quoth.query import merged, parse
from quoth.recipe import Recipe
from quoth.types import Answer, Claim, Document, Filters, Hit, Quote, Ranked, Searched

if TYPE_CHECKING:
    from quoth.answer import Chosen, Draft, Sentence
    from quoth.find import Found

LONGEST_WORD = 1_000
"""Characters without a space of a question that are used; languages without spaces write sentences so."""
LONGEST_QUESTION = 10_000
"""Characters of a question that are used."""
SETTLED = 3.0
"""Seconds after which a file that changes gets another time than before, whatever the file system."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """How an answer came about: the first hits of each index and of both, sentences, and the decision."""

    by_words: tuple[Hit, ...]
    by_vectors: tuple[Hit, ...]
    fused: tuple[Hit, ...]
    sentences: tuple[Sentence, ...]
    decision: dict[str, float]


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as it is searched: its text without operators, its filters, what is to be said of it, since when."""

    question: str
    text: str
    filters: Filters | None
    notes: list[str]
    started: float


def understood(question: str, filters: Filters | None = None, plain: bool = False) -> Asked:
    """The question cleaned and taken apart; `plain` reads no operators in it."""
    started = time.perf_counter()
    text, notes = clean(question)
    if plain:
        return Asked(question, text, filters, notes, started)
    query = parse(text)
    return Asked(question, query.text, merged(filters, query.filters), [*notes, *query.notes], started)


def explained(parts: Parts, asked: Asked, recipe: Recipe) -> tuple[Answer, Explanation]:
    """The answer in quotes, or a refusal, and how it came about."""
    from quoth import exact
    from quoth.answer import answer
    from quoth.find import find

    catalog, notes = parts.catalog, asked.notes
    with catalog.reading():
        found = find(parts, asked.text, recipe.passages, asked.filters, recipe)
        read = Documents(catalog)
        hits, encode = found.hits[: recipe.passages], parts.encoder.encode
        draft = answer(asked.text, hits, read.text, encode, found.asked, recipe.quoting)
        quotes = tuple(quote(one, read) for one in draft.quotes)
        also = tuple(quote(one, read) for one in draft.also)
        searched = exact.searched(parts, asked.filters)
        emptied = "" if searched.passages else exact.emptied(parts, asked.filters)
        notes += changed(catalog.files_of({one.document for one in quotes}))
    text = "\n\n".join(one.text for one in quotes) if draft.answered else emptied or refusal(searched, draft)
    empty = not (searched.passages or catalog.counts()["passages"])
    notes += [*draft.notes, *(["the library is empty: quoth add FOLDER"] if empty else [])]
    made = Answer(
        asked.question, draft.answered, text, round(draft.confidence, 6), quotes, also, tuple(dict.fromkeys(notes)),
        recipe.hash, searched, time.perf_counter() - asked.started, draft.threshold, asked.text, claims(quotes),
    )  # fmt: skip
    return made, _explanation(found, draft)


def _explanation(found: Found, draft: Draft, most: int = 5) -> Explanation:
    """The first hits of each index and of both, and what the decision rested on."""
    place = {hit.passage: hit for hit in found.hits}

    def hits(ranked: Ranked) -> tuple[Hit, ...]:
        return tuple(place[one] for one in ranked.ids.tolist() if one in place)[:most]

    decision = {"confidence": draft.confidence, "threshold": draft.threshold} | draft.signals
    return Explanation(hits(found.by_words), hits(found.by_vectors), found.hits[:most], draft.sentences, decision)


class Documents:
    """Documents by path, each fetched once, and as little of it as is asked for."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._known: dict[str, Document] = {}
        self._texts: dict[str, str] = {}

    def __getitem__(self, path: str) -> Document:
        if path not in self._known:
            document = self._catalog.document(path)
            if document is None:
                raise NotFound(f"{path} is not in this library")
            self._known[path] = document
        return self._known[path]

    def text(self, path: str) -> str:
        """The text of the document at a path, "" where it is not in the library."""
        if path not in self._texts:
            self._texts[path] = self._catalog.text(path)
        return self._texts[path]


def quote(chosen: Chosen, documents: Documents) -> Quote:
    document = documents[chosen.document]
    place = document.place(chosen.start)
    return Quote(
        chosen.text, document.path, document.title, chosen.start, chosen.end, place.page, place.line, place.heading,
        round(chosen.score, 6), place.cells,
    )  # fmt: skip


def claims(quotes: Sequence[Quote]) -> tuple[Claim, ...]:
    """An answer in quotes says what they say, each for itself."""
    return tuple(Claim(one.text, (number,)) for number, one in enumerate(quotes, 1))


def note(catalog: Catalog, made: Answer, person: str = "") -> Answer:
    """The answer with its number in the journal, where the question and what was shown, and to whom, are entered."""
    asked = {"question": made.question, "answered": made.answered, "confidence": made.confidence}
    if made.usage:
        asked["model"] = made.usage.model
    places = [
        [{"document": one.document, "start": one.start, "end": one.end} for one in some]
        for some in (made.quotes, made.also)
    ]
    if not journal.append(catalog, "asked", made.recipe, asked | {"seconds": round(made.seconds, 4)}):
        return made
    shown = {"question": made.question, "quotes": places[0], "also": places[1]} | ({"person": person} if person else {})
    return replace(made, entry=journal.append(catalog, "shown", made.recipe, shown))


def refusal(searched: Searched, draft: Draft) -> str:
    """Why there is no answer, in words."""
    if not searched.passages:
        return "There is nothing to search."
    best = f"The best evidence has a confidence of {draft.confidence:.2f}, an answer needs {draft.threshold:.2f}."
    return (
        f"Your files do not seem to hold the answer. {searched.documents:,} documents ({searched.passages:,} passages)"
        f" were searched. {best}"
    )


def changed(files: Sequence[File]) -> list[str]:
    """A sentence for each file that is not on disk as it was read; quoted files are few, so they are hashed."""
    notes = []
    for file in files:
        try:
            seen = Path(file.path).stat()
            stamps = (seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns)
            # within the grain of a file system's clock, a file may change and keep its times
            settled = abs(time.time() - max(seen.st_mtime, seen.st_ctime)) > SETTLED
            if (_digest if settled else _digest.__wrapped__)(file.path, stamps) != file.sha256:
                notes.append(f"{file.path} has changed since it was read: quoth sync")
        except OSError:
            notes.append(f"{file.path} is not there any more: quoth sync")
    return notes


@lru_cache(maxsize=1024)
def _digest(path: str, _: tuple[int, ...]) -> str:
    """The SHA-256 of a file, read once as long as its stamps stay the same."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def clean(text: str) -> tuple[str, list[str]]:
    """The question without control characters and beyond measure, and what was left out of it."""
    # control characters and lone surrogates are no words; format characters join words in many scripts
    clean = " ".join("".join(" " if category(one) in ("Cc", "Cs") else one for one in text).split())
    clean = " ".join(word[:LONGEST_WORD] for word in clean.split())
    if not any(one.isalnum() for one in clean):
        raise UsageError("the question holds no words", 'quoth ask "what you want to know"')
    if len(clean) <= LONGEST_QUESTION:
        return clean, []
    note = f"only the first {LONGEST_QUESTION:,} of the question's {len(clean):,} characters were used"
    return clean[:LONGEST_QUESTION], [note]
