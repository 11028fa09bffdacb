"""Questions about the whole library: every document that the filters leave is gone over, and numbers are exact.

wanted.py    what the question wants: to count, to list or to sum up, and by which words
mentions.py  the passages in which these words stand
matched.py   the documents that are meant, all of them
digest.py    what many documents say, in some of their own sentences
reading.py   the same with a language model: batch by batch, then over what it found
"""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Protocol, TypeVar

from quoth import exact
from quoth.asking import Asked, Documents, claims, clean, quote, understood
from quoth.catalog import FoundPassage, whole
from quoth.catalog.whole import Entry
from quoth.errors import QuothError, UsageError
from quoth.library import Library, unwatched
from quoth.query import parse
from quoth.survey import wanted
from quoth.survey.matched import Matched, matched
from quoth.survey.reading import Budget, Read, read
from quoth.types import Answer, Claim, Filters, Hit, LanguageModel, Quote, Searched, Watcher

if TYPE_CHECKING:
    from quoth.survey.mentions import Word

T = TypeVar("T")

LISTED = 50
"""Documents that a list shows, each with a quote; counted are all."""
SHOWN = 10
"""Documents that a count shows."""
BUDGET = Budget()
"""What a language model may cost for one answer, if nobody says otherwise."""
LEAST_TOKENS = 60
"""Tokens that a passage has at least, about: no more passages are fetched than the budget could hold."""
EACH = 40
"""The most passages of one document that a model is given."""


def wants(question: str) -> bool:
    """Whether a question is about the whole library: how many, list all, which documents mention, summarise."""
    try:
        query = parse(clean(question)[0])
    except UsageError:
        return False
    return wanted.wanted(query.text, query.filters != Filters()) is not None


def answer(
    library: Library, question: str, filters: Filters | None = None, *, watch: Watcher = unwatched
) -> Answer:  # fmt: skip
    """The answer without a language model: an exact number or a list, each document with a quote, or a digest."""
    asked = understood(question, filters)
    asked.notes.extend(library._look_after(watch))
    with library._parts.catalog.reading():
        return _told(library, asked, matched(library, asked, watch), watch)


class Run(Protocol):
    """Awaits a blocking function elsewhere, as `asyncio.to_thread` does."""

    def __call__(self, function: Callable[..., T], /, *arguments: object) -> Awaitable[T]: ...


@dataclass(frozen=True, slots=True)
class Prepared:
    """The answer without a language model, what it rests on, and the passages that a model may read, the best first."""

    answer: Answer
    found: Matched
    hits: tuple[Hit, ...]


async def written(
    library: Library,
    question: str,
    filters: Filters | None,
    model: LanguageModel,
    *,
    run: Run,
    watch: Watcher = unwatched,
    budget: Budget = BUDGET,
) -> Answer:
    """The answer with a language model, which reads as many of the documents as the budget allows.

    Numbers are counted without it. When it fails in any way, the answer is that without one, and `notes` says why.
    """
    known = await run(prepared, library, question, filters, watch, budget)
    return await prose(library, known, model, run=run, watch=watch, budget=budget)


async def prose(
    library: Library,
    known: Prepared,
    model: LanguageModel,
    *,
    run: Run,
    watch: Watcher = unwatched,
    budget: Budget = BUDGET,
) -> Answer:
    """The answer that was prepared, with what a language model writes about it."""
    started = time.perf_counter()
    plain, hits = known.answer, known.hits
    if known.found.wanted.does == "count" or not hits:
        why = "documents are counted without the language model" if hits else "there was nothing for the language model"
        return replace(plain, notes=(*plain.notes, why))

    async def fetch(paths: Sequence[str]) -> dict[str, str]:
        return await run(_texts, library, paths)

    try:
        done = await read(model, plain.asked, hits, fetch, budget, watch)
        made = await run(_prose, library, known, done, budget)
    except QuothError as error:
        why = f"the language model failed, so this is the answer without it: {error}"
        made = replace(plain, notes=(*plain.notes, why))
    return replace(made, seconds=plain.seconds + time.perf_counter() - started)


# -- in words --------------------------------------------------------------------------------------


def _told(library: Library, asked: Asked, found: Matched, watch: Watcher) -> Answer:
    """The answer in words and quotes."""
    catalog = library._parts.catalog
    read = f"Read {found.gone_over:,} of {found.gone_over:,} documents."
    answered = bool(catalog.counts()["documents"])
    if not answered:
        made = _Words("There is nothing to search.", (), (), ("the library is empty: quoth add FOLDER",))
    elif found.wanted.does == "sum up" and len(found.documents):
        made = _digested(library, found, read, watch)
    else:
        made = _counted(library, found, read)
    notes = [*asked.notes, read.rstrip(".").replace("Read", "read"), *made.notes]
    searched = Searched(found.gone_over, catalog.searched(found.filters).passages)
    return Answer(
        asked.question, answered, made.text, float(answered), made.quotes, (), tuple(dict.fromkeys(notes)),
        library.recipe().hash, searched, time.perf_counter() - asked.started, 0.0, asked.text, made.claims,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Words:
    text: str
    quotes: tuple[Quote, ...]
    claims: tuple[Claim, ...]
    notes: tuple[str, ...] = ()


def _counted(library: Library, found: Matched, read: str) -> _Words:
    """How many documents there are, and the first of them."""
    most = SHOWN if found.wanted.does == "count" else LISTED
    quotes, entries = _listed(library, found, most)
    head = f"{headline(library, found)} {read}{_more(len(found.documents), entries, found)}"
    numbers = {one.document: number for number, one in enumerate(quotes, 1)}
    each = [Claim(_named(one), (numbers[one.path],) if one.path in numbers else ()) for one in entries]
    lines = [f"{one.text} [{one.quotes[0]}]" if one.quotes else one.text for one in each]
    said = (Claim(head, tuple(range(1, len(quotes) + 1))), *(one for one in each if one.quotes))
    notes = _nothing(library, found) if not len(found.documents) else []
    if len(quotes) < len(entries):
        notes.append(f"{len(entries) - len(quotes)} of the documents shown hold no text that could be quoted")
    return _Words("\n".join([head, *lines]), quotes, said, tuple(notes))


def headline(library: Library, found: Matched) -> str:
    """How many documents there are, and by what they were chosen."""
    catalog, (one, many) = library._parts.catalog, found.wanted.noun
    count = len(found.documents)
    number = whole.files(catalog, found.documents) if one == "file" else count
    head = f"{number:,} {one if number == 1 else many}"
    if number != count:
        head += f" ({count:,} documents were read from {'it' if number == 1 else 'them'})"
    kinds = whole.kinds(catalog, found.documents) if found.saying is None else {}
    of_kinds = ", ".join(f"{number:,} {kind}" for kind, number in kinds.items())
    return f"{head}{_criteria(found)}{f': {of_kinds}' if len(kinds) > 1 else ''}."


def _criteria(found: Matched) -> str:
    """By what documents were chosen, as the end of a sentence about them."""
    parts = []
    sort, topic = found.wanted.sort, found.wanted.topic
    if sort:
        parts.append(f" that say “{sort}” in their text, title or file name")
    if topic and found.words and not (sort and found.words[0].shown == sort):
        shown = " and ".join(f"“{one.shown}”" for one in found.words)
        stand = "stands" if len(found.words) == 1 else "stand"
        parts.append(f" with a passage in which {shown} {stand}, in any inflection")
    wanted_, unwanted = exact.spoken(found.filters)
    if wanted_:
        parts.append(f" with a passage that says {' and '.join(f'“{one}”' for one in wanted_)} word for word")
    if unwanted:
        parts.append(f" with a passage that does not say {' or '.join(f'“{one}”' for one in unwanted)}")
    narrowed = _narrowings(found.filters, found.wanted.filters.kinds)
    return ",".join(parts) + (f" ({'; '.join(narrowed)})" if narrowed else "")


def _narrowings(filters: Filters, known: tuple[str, ...]) -> list[str]:
    """Folders, kinds and days in words; not the kinds that are known from what is counted."""
    found = _narrowings(filters.besides, known) if filters.besides else []
    if filters.folders:
        found.append(f"in {', '.join(filters.folders)}")
    if filters.kinds and filters.kinds != known:
        found.append(f"of the kind {' or '.join(filters.kinds)}")
    first = date.fromtimestamp(filters.after) if filters.after is not None else None
    last = date.fromtimestamp(filters.before - 1) if filters.before is not None else None
    if first and last:
        found.append(f"changed or sent on {first}" if first == last else f"changed or sent from {first} to {last}")
    elif first or last:
        found.append(f"changed or sent on {first} or later" if first else f"changed or sent on {last} or earlier")
    return found


def _nothing(library: Library, found: Matched) -> list[str]:
    """Why nothing was found, where more can be said than that."""
    from quoth.survey import mentions

    parts = library._parts
    if found.wanted.filters == Filters() and (emptied := exact.emptied(parts, found.filters)):
        return [emptied]
    if len(found.words) < 2 or len(found.words) > 8:
        return []
    within = exact.within(parts, found.filters)
    ids = parts.catalog.passage_ids() if within is None else within
    each = []
    for word in found.words:
        saying = mentions.saying(parts, [word], ids, unwatched)
        each.append(f"“{word.shown}” in {len(set(whole.owners(parts.catalog, saying).tolist())):,}")
    return [f"no passage has all of the words, but some documents have one: {', '.join(each)}"]


def _more(count: int, entries: Sequence[Entry], found: Matched) -> str:
    if not entries:
        return ""
    order = "the newest" if found.saying is None else "the most relevant"
    if count > len(entries):
        return f" {order.capitalize()} {len(entries):,} are shown, {count - len(entries):,} more are not."
    return f" {order.capitalize()} come first." if count > 1 else ""


def _named(entry: Entry) -> str:
    name = entry.path.rpartition(os.sep)[2]
    title = f"{entry.title} — " if entry.title and entry.title not in (name, name.rpartition(".")[0]) else ""
    return f"{title}{name}, {date.fromtimestamp(entry.modified)}"


# -- quotes ----------------------------------------------------------------------------------------


def _listed(library: Library, found: Matched, most: int) -> tuple[tuple[Quote, ...], list[Entry]]:
    """The first documents, and a quote of each that has any text."""
    catalog = library._parts.catalog
    entries = whole.entries(catalog, found.documents[:most].tolist())
    best = dict(zip(found.documents[:most].tolist(), found.passages[:most].tolist(), strict=True))
    chosen = {one.id: best[one.id] or one.first for one in entries}
    passages = catalog.passages([one for one in chosen.values() if one])
    quotes = []
    for one in entries:
        passage = passages.get(chosen[one.id])
        if passage and (made := verified(library, passage, _best(passage, found.words))):
            quotes.append(made)
    return tuple(quotes), entries


def _best(passage: FoundPassage, words: Sequence[Word]) -> tuple[int, int]:
    """The sentence of a passage that has most of the words, the first of several; offsets in the document."""
    from quoth.answer.sentences import bare, is_heading, sentences
    from quoth.ingest.split import shown
    from quoth.survey import mentions
    from quoth.survey.digest import standing
    from quoth.words import analysis

    text, alone = passage.text, frozenset(standing(passage))

    def having(span: tuple[int, int]) -> tuple[int, bool]:
        terms = frozenset(analysis.terms(shown(passage.kind, text[span[0] : span[1]]), ""))
        return sum(mentions.stands(word, terms, "") for word in words), span in alone

    spans = [bare(text, *one) for one in sentences(text) if not words or not is_heading(text, *one)]
    start, end = max(spans or alone, key=having, default=(0, 0))
    return passage.start + start, passage.start + end


def verified(library: Library, passage: FoundPassage, span: tuple[int, int]) -> Quote | None:
    """The quote of these characters, None when the document does not hold the passage any more."""
    from quoth.answer import Chosen

    documents, (start, end) = Documents(library._parts.catalog), span
    text = documents.text(passage.path)
    if text[passage.start : passage.end] != passage.text or start >= end:
        return None
    return quote(Chosen(passage.path, start, end, text[start:end], 1.0, 0), documents)


def _digested(library: Library, found: Matched, read: str, watch: Watcher) -> _Words:
    """The sentences of a digest as quotes, and how they were chosen."""
    from quoth.survey.digest import digest

    parts, towards = library._parts, None
    within = exact.within(parts, found.filters) if found.saying is None else found.saying
    ids = parts.catalog.passage_ids() if within is None else within
    if "vectors" in parts.missing():
        return _counted(library, found, read)
    if found.wanted.topic:
        towards = parts.encoder.encode([found.wanted.topic])[0]
    made = [verified(library, passage, span) for passage, span in digest(parts, ids, towards, watch)]
    quotes = tuple(one for one in made if one)
    count, from_ = len(quotes), len({one.document for one in quotes})
    middle = "what was asked for" if found.wanted.topic else "the middle of what all of them say"
    head = (
        f"{count} {'sentence' if count == 1 else 'sentences'} of {from_:,} of {len(found.documents):,} documents"
        f"{_criteria(found)}, word for word: those that lie nearest to {middle} and repeat each other least. {read}"
    )
    lines = [f"{one.text} [{number}]" for number, one in enumerate(quotes, 1)]
    return _Words("\n\n".join([head, *lines]), quotes, (Claim(head, tuple(range(1, count + 1))), *claims(quotes)))


# -- with a language model -------------------------------------------------------------------------


def prepared(
    library: Library,
    question: str,
    filters: Filters | None = None,
    watch: Watcher = unwatched,
    budget: Budget = BUDGET,
) -> Prepared:
    """The answer without a language model, and no more passages for one than the budget could hold."""
    asked = understood(question, filters)
    asked.notes.extend(library._look_after(watch))
    parts = library._parts
    with parts.catalog.reading():
        found = matched(library, asked, watch)
        plain = _told(library, asked, found, watch)
        most = max(1, budget.tokens // LEAST_TOKENS)
        each = max(1, min(most // max(1, len(found.documents)), EACH))
        ids = [one for one in _passages(library, found, most, each) if one]
        known = parts.catalog.passages(ids)
    hits = [
        Hit(
            rank,
            0.0,
            one.id,
            one.path,
            one.title,
            one.text,
            one.start,
            one.end,
            one.page,
            one.line,
            one.heading,
            one.cells,
        )
        for rank, one in enumerate((known[number] for number in ids if number in known), 1)
    ]
    return Prepared(plain, found, tuple(hits))


def _passages(library: Library, found: Matched, most: int, each: int) -> list[int]:
    """The passages of the first documents, at most so many, of each the best ones, in their order in it."""
    import numpy as np

    catalog = library._parts.catalog
    entries = whole.entries(catalog, found.documents[:most].tolist())
    if each == 1:
        best = dict(zip(found.documents.tolist(), found.passages.tolist(), strict=True))
        return [best[one.id] or one.first for one in entries]
    within = exact.within(library._parts, found.filters) if found.saying is None else found.saying
    ids = catalog.passage_ids() if within is None else within
    owners = whole.owners(catalog, ids)
    chosen: list[int] = []
    for one in entries:
        mine = ids[owners == one.id]
        spread = np.unique(np.linspace(0, len(mine) - 1, min(each, len(mine))).astype(np.int64))
        chosen += mine[spread].tolist() if len(mine) else []
    return chosen[:most]


def _texts(library: Library, paths: Sequence[str]) -> dict[str, str]:
    return {path: library._parts.catalog.text(path) for path in paths}


def _prose(library: Library, known: Prepared, done: Read, budget: Budget) -> Answer:
    """The answer with the sentences of the model, each carried by its quotes."""
    from quoth import recipe
    from quoth.answer import Chosen
    from quoth.answer.prose import told, version

    plain, found, hits = known.answer, known.found, known.hits
    documents = Documents(library._parts.catalog)
    quotes: list[Quote] = []
    said: list[Claim] = []
    for text, stretches in done.sentences:
        numbers = []
        for path, start, end in stretches:
            made = quote(Chosen(path, start, end, documents.text(path)[start:end], 1.0, 0), documents)
            quotes += [] if made in quotes else [made]
            numbers.append(quotes.index(made) + 1)
        said.append(Claim(text, tuple(dict.fromkeys(numbers))))
    count = len({hit.document for hit in hits[: done.hits]})
    within = f" within the budget of {budget}" if done.hits < len(hits) or count < len(found.documents) else ""
    notes = [*plain.notes, f"the language model read {count:,} of {len(found.documents):,} documents{within}"]
    if done.dropped:
        notes.append(f"{done.dropped} of its sentences were left out: nothing in the files carries them")
    if not said:
        notes.append("no sentence of the language model is supported by your files")
        return replace(plain, notes=tuple(notes), usage=done.usage)
    used = library.recipe()
    named = recipe.written(used, done.usage.model, version()).hash
    prose_ = told(said)
    if found.wanted.does == "list":
        others = [one for one in plain.quotes if one not in quotes]
        place = {one: number for number, one in enumerate([*quotes, *others], 1)}
        listed = [Claim(one.text, tuple(place[plain.quotes[at - 1]] for at in one.quotes)) for one in plain.claims]
        lines = [one.text + "".join(f" [{number}]" for number in one.quotes) for one in listed[1:]]
        text = "\n".join([listed[0].text, "", prose_, "", *lines])
        quotes, said = [*quotes, *others], [listed[0], *said, *listed[1:]]
    else:
        text = prose_
    return replace(
        plain, text=text, quotes=tuple(quotes), claims=tuple(said), notes=tuple(notes), usage=done.usage, recipe=named
    )
