"""An answer as it is made: first in quotes, then, with a language model, in sentences that quotes carry.

Whatever a model does, an answer comes: when it fails, the quotes that were found without it are the answer,
and `notes` says why.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeVar

from quoth import recipe, survey
from quoth.answer import prose
from quoth.answer.prose import Checked, Stretch
from quoth.asking import LONGEST_QUESTION, note
from quoth.errors import ModelError, QuothError, UsageError
from quoth.library import Library, unwatched
from quoth.types import Answer, Claim, Document, Filters, Hit, LanguageModel, Quote, Usage, Watcher

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Wish:
    """How an answer is wanted.

    strict      sentences that no quote carries are dropped, not shown marked as such
    general     the model may say what it knows itself; each such sentence is marked
    everything  go over all documents (True), or never (False), or as the question asks for it (None)
    noted       enter it in the journal, if the library keeps one
    person      whose question it is, "" where nobody has a name
    """

    strict: bool = False
    general: bool = False
    everything: bool | None = None
    noted: bool = True
    person: str = ""


@dataclass(frozen=True, slots=True)
class Quoted:
    """The answer in quotes, without a language model: at once, and what remains when the model fails."""

    answer: Answer


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence that was checked; its numbers, from 1, count in `quotes`, which holds all quotes so far."""

    claim: Claim
    quotes: tuple[Quote, ...]


@dataclass(frozen=True, slots=True)
class Done:
    """The answer as it stays: claims in the order in which they were written, quotes, usage and notes."""

    answer: Answer


Event = Quoted | Said | Done


class Run(Protocol):
    """Awaits a blocking function elsewhere, as `asyncio.to_thread` does."""

    def __call__(self, function: Callable[..., T], /, *arguments: object) -> Awaitable[T]: ...


async def stream(
    library: Library,
    question: str,
    filters: Filters | None = None,
    *,
    model: LanguageModel | None = None,
    wish: Wish = Wish(),
    run: Run = asyncio.to_thread,
    watch: Watcher = unwatched,
) -> AsyncGenerator[Event, None]:
    """Quoted first, then a Said for each sentence of the model, and at the end, always, Done.

    A sentence that no quote carries is asked for once more, so it comes after those that one does; Done has all in the
    order in which they were written. Where the files hold no answer, the model is asked only for what it knows itself.
    A question about all documents is answered by going over them; `watch` is told how far that is.
    """
    if wish.strict and wish.general:
        raise UsageError("strict leaves out what no quote carries, general asks for it", "choose one of the two")
    started = time.perf_counter()
    if survey.wants(question[:LONGEST_QUESTION]) if wish.everything is None else wish.everything:
        async with aclosing(_over_all(library, question, filters, model, wish, run, watch)) as events:
            async for event in events:
                yield event
        return
    plain = await run(_plain, library, question, filters, watch)
    yield Quoted(plain)
    final = plain
    if model and (plain.answered or wish.general):
        draft = await run(_prepared, library, plain, filters, model, wish)
        try:
            async with aclosing(_said(draft, model, wish)) as said:
                async for event in said:
                    yield event
            final = _answer(plain, draft, wish)
        except QuothError as error:
            why = f"the language model failed, so these are quotes alone: {error}"
            used = draft.usage if draft.usage.requests else None
            final = replace(plain, notes=(*plain.notes, *draft.notes, why), usage=used)
    elif model:
        final = replace(plain, notes=(*plain.notes, "the language model was not asked: no passage is near enough"))
    final = replace(final, seconds=time.perf_counter() - started)
    yield Done(await run(_noted, library, final, wish.person) if wish.noted else final)


def ask(
    library: Library,
    question: str,
    filters: Filters | None = None,
    *,
    model: LanguageModel | None = None,
    wish: Wish = Wish(),
    watch: Watcher = unwatched,
) -> Answer:
    """The whole answer, for those who wait for it; a model's connections and memory are let go."""

    async def last() -> Answer:
        answer: Answer | None = None
        try:
            events = stream(library, question, filters, model=model, wish=wish, run=_here, watch=watch)
            async with aclosing(events):
                async for event in events:
                    if isinstance(event, Done):
                        answer = event.answer
        finally:
            if model:
                await model.close()
        assert answer is not None, "a stream ends with Done"
        return answer

    return asyncio.run(last()) if model else _unwaited(last())


# -- inside ----------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Draft:
    """What the model is given, and what has come of it so far.

    `sentences` holds the claims in the order of writing, None for one that waits to be given again; `waiting` has
    those by their place.
    """

    question: str
    system: str
    hits: tuple[Hit, ...]
    documents: dict[str, Document]
    recipe: str
    usage: Usage
    notes: list[str] = field(default_factory=list)
    quotes: list[Quote] = field(default_factory=list)
    sentences: list[Claim | None] = field(default_factory=list)
    waiting: dict[int, Checked] = field(default_factory=dict)

    def text(self, path: str) -> str:
        """The text of a document that a hit is in."""
        return self.documents[path].text

    def say(self, place: int, claim: Claim) -> Said:
        """Put a claim in its place."""
        self.sentences[place] = claim
        return Said(claim, tuple(self.quotes))

    def carried(self, one: Checked) -> Claim:
        """The sentence with the numbers of its quotes; each quote has one number, however often it is cited."""
        numbers = []
        for stretch in one.stretches:
            quote = self._quote(stretch)
            if quote not in self.quotes:
                self.quotes.append(quote)
            numbers.append(self.quotes.index(quote) + 1)
        return Claim(one.text, tuple(dict.fromkeys(numbers)))

    def _quote(self, stretch: Stretch) -> Quote:
        hit = self.hits[stretch.hit]
        document = self.documents[hit.document]
        place = document.place(stretch.start)
        return Quote(
            document.text[stretch.start : stretch.end], document.path, document.title, stretch.start, stretch.end,
            place.page, place.line, place.heading, hit.score, place.cells,
        )  # fmt: skip


def _plain(library: Library, question: str, filters: Filters | None, watch: Watcher) -> Answer:
    return library.explain(question, filters, noted=False, watch=watch)[0]


async def _over_all(
    library: Library,
    question: str,
    filters: Filters | None,
    model: LanguageModel | None,
    wish: Wish,
    run: Run,
    watch: Watcher,
) -> AsyncGenerator[Event, None]:
    """The same for a question about the whole library; a model's sentences come when it has read everything."""
    known = await run(survey.prepared, library, question, filters, watch)
    yield Quoted(known.answer)
    final = known.answer
    if model:
        final = await survey.prose(library, known, model, run=run, watch=watch)
        for claim in final.claims if final.usage else ():
            yield Said(claim, final.quotes)
    yield Done(await run(_noted, library, final, wish.person) if wish.noted else final)


def _unwaited(steps: Coroutine[object, None, T]) -> T:
    """What steps return that wait for nothing: without an event loop, which would open a pair of sockets."""
    try:
        steps.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    steps.close()
    raise AssertionError("without a model nothing is waited for")


async def _here(function: Callable[..., T], /, *arguments: object) -> T:
    """Calls a blocking function at once: nobody else waits."""
    return function(*arguments)


def _noted(library: Library, answer: Answer, person: str) -> Answer:
    return note(library._parts.catalog, answer, person)


def _prepared(library: Library, plain: Answer, filters: Filters | None, model: LanguageModel, wish: Wish) -> _Draft:
    """The passages of the answer, as many as fit into the model's context, with their documents."""
    used = library.recipe()
    system = prose.prompt("general" if wish.general else "answer")
    hits = library.search(plain.question, used.passages, filters).hits
    count = prose.fitting(plain.asked, hits, model.context, system)
    named = recipe.written(used, model.name, prose.version()).hash
    draft = _Draft(plain.asked, system, hits[:count], {}, named, Usage(model.name))
    draft.documents = {path: library.show(path) for path in {hit.document for hit in draft.hits}}
    if count < len(hits):
        draft.notes.append(
            f"of {len(hits)} passages the last {len(hits) - count} did not fit into the {model.context:,} tokens of"
            " the language model"
        )
    return draft


async def _said(draft: _Draft, model: LanguageModel, wish: Wish) -> AsyncGenerator[Said, None]:
    """Every sentence as soon as something carries it, then those that nothing does."""
    if not draft.hits and not wish.general:
        raise ModelError(
            f"no passage fits into its {model.context:,} tokens", "choose a model that takes more, or set llm_context"
        )
    mark = prose.mark()
    async with aclosing(_checked(draft, model, prose.asked(draft.question, draft.hits, mark))) as first:
        async for one in first:
            if not one.text or any(one.text == other.text for other in _seen(draft)):
                continue
            draft.sentences.append(None)
            place = len(draft.sentences) - 1
            if one.stretches:
                yield draft.say(place, draft.carried(one))
            elif wish.general and not one.cited:
                yield draft.say(place, Claim(one.text, general=True))
            else:
                draft.waiting[place] = one
    if draft.waiting:
        places, wrong = list(draft.waiting), list(draft.waiting.values())
        for at, one in (await _given_again(draft, model, wrong)).items():
            del draft.waiting[places[at]]
            yield draft.say(places[at], draft.carried(one))
    for place, one in draft.waiting.items():
        if not wish.strict:
            yield draft.say(place, Claim(one.text))


async def _checked(draft: _Draft, model: LanguageModel, prompt: str) -> AsyncGenerator[Checked, None]:
    """What the model writes, each sentence held against the documents; its usage is added up."""
    draft.usage = replace(draft.usage, requests=draft.usage.requests + 1)
    count = 0
    async with aclosing(model.sentences(draft.system, prompt)) as items:
        async for item in items:
            if isinstance(item, Usage):
                draft.usage = _sum(draft.usage, item)
                continue
            if count >= prose.MOST_SENTENCES:
                why = f"the language model wrote on after {count} sentences, which nobody reads"
                draft.notes += [why] if why not in draft.notes else []
                break
            count += 1
            yield prose.check(item, draft.hits, draft.text)


async def _given_again(draft: _Draft, model: LanguageModel, wrong: list[Checked]) -> dict[int, Checked]:
    """Those of the sentences that the model, asked once more, gave with words that carry them, by their place."""
    prompt = prose.asked_again(draft.question, draft.hits, prose.mark(), wrong)
    try:
        async with aclosing(_checked(draft, model, prompt)) as again:
            return prose.paired(wrong, [one async for one in again])
    except QuothError as error:
        draft.notes.append(f"the language model could not be asked a second time: {error}")
        return {}


def _seen(draft: _Draft) -> list[Claim | Checked]:
    return [*(one for one in draft.sentences if one), *draft.waiting.values()]


def _answer(plain: Answer, draft: _Draft, wish: Wish) -> Answer:
    """The answer in the model's sentences, as far as anything carries them."""
    claims = tuple(one for one in draft.sentences if one)
    quotes = tuple(draft.quotes)
    used = replace(plain, usage=draft.usage, recipe=draft.recipe, notes=(*plain.notes, *draft.notes))
    if quotes:
        others = [one for one in (*plain.quotes, *plain.also) if not any(_overlap(one, mine) for mine in quotes)]
        return replace(used, answered=True, text=prose.told(claims), quotes=quotes, also=tuple(others), claims=claims)
    if draft.sentences and not wish.general:
        why = "no sentence of the language model is supported by your files, so the answer is the quotes"
        used = replace(used, notes=(*used.notes, why))
    elif not draft.sentences:
        used = replace(used, notes=(*used.notes, "the language model found no answer in the passages"))
    text = "\n\n".join(part for part in (plain.text, prose.told(claims)) if part)
    return replace(used, text=text, claims=(*plain.claims, *claims))


def _overlap(one: Quote, other: Quote) -> bool:
    return one.document == other.document and one.start < other.end and other.start < one.end


def _sum(before: Usage, more: Usage) -> Usage:
    """The usage with that of a request added, whose beginning has been counted."""
    cost = None if before.cost is more.cost is None else (before.cost or 0.0) + (more.cost or 0.0)
    requests = before.requests + max(0, more.requests - 1)
    tokens = before.input_tokens + more.input_tokens, before.output_tokens + more.output_tokens
    return Usage(before.model, requests, *tokens, cost)
