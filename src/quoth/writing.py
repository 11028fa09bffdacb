"""An answer as it is made: first in quotes, then, with a language model, in sentences that quotes carry.

Whatever a model does, an answer comes: when it fails, the quotes that were found without it are the answer,
and `notes` says why.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from quoth.asking import note
from quoth.library import Library
from quoth.types import Answer, Claim, Filters, LanguageModel, Quote

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Wish:
    """How an answer is wanted.

    strict      sentences that no quote carries are dropped, not shown marked as such
    general     the model may say what it knows itself; each such sentence is marked
    everything  go over all documents (True), or never (False), or as the question asks for it (None)
    noted       enter it in the journal, if the library keeps one
    """

    strict: bool = False
    general: bool = False
    everything: bool | None = None
    noted: bool = True


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
) -> AsyncIterator[Event]:
    """Quoted first, then a Said for each sentence of the model, and at the end, always, Done."""
    started = time.perf_counter()
    plain = await run(_plain, library, question, filters)
    yield Quoted(plain)
    final = replace(plain, seconds=time.perf_counter() - started)
    yield Done(await run(_noted, library, final) if wish.noted else final)


def ask(
    library: Library,
    question: str,
    filters: Filters | None = None,
    *,
    model: LanguageModel | None = None,
    wish: Wish = Wish(),
) -> Answer:
    """The whole answer, for those who wait for it."""
    return asyncio.run(_last(stream(library, question, filters, model=model, wish=wish)))


async def _last(events: AsyncIterator[Event]) -> Answer:
    answer: Answer | None = None
    async for event in events:
        if isinstance(event, Done):
            answer = event.answer
    assert answer is not None, "a stream ends with Done"
    return answer


def _plain(library: Library, question: str, filters: Filters | None) -> Answer:
    return library.explain(question, filters, noted=False)[0]


def _noted(library: Library, answer: Answer) -> Answer:
    return note(library._parts.catalog, answer)
