"""Ask and search: as one JSON object, or as a stream of events while the answer is made."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response, StreamingResponse

from quoth import commands, threads, writing
from quoth.asking import LONGEST_QUESTION
from quoth.errors import QuothError, Stopped, UsageError
from quoth.followups import completed, completed_by
from quoth.query import day
from quoth.serve.problems import problem, unexpected
from quoth.serve.replies import SILENCE, as_json, reply, unsilenced
from quoth.serve.state import Server, server_of
from quoth.types import Answer, Filters, Hits, Progress

router = APIRouter(prefix="/api", tags=["ask"])
OFTEN = 0.25
"""Seconds between two events that tell how far a long answer is."""
EARLIEST, LATEST = -62_000_000_000, 253_000_000_000
"""POSIX seconds of a filter: within the years 5 and 9987."""
MOST = 100
"""Entries of one filter."""
Text = Annotated[str, Field(max_length=4_096)]
Moment = Annotated[float, Field(allow_inf_nan=False)]


class Narrowed(BaseModel):
    """What a question is narrowed to; times are POSIX seconds or days (2024-01-31, 2024-01, 2024)."""

    model_config = ConfigDict(extra="forbid")
    folders: list[Text] = Field(default=[], max_length=MOST, description="Paths, or names with * and ?.")
    kinds: list[Text] = Field(default=[], max_length=MOST, description="Kinds or file endings: pdf, md, mail.")
    after: Moment | Text | None = None
    before: Moment | Text | None = None
    exact: list[Text] = Field(default=[], max_length=MOST, description="Words that must stand so in the text.")
    without: list[Text] = Field(default=[], max_length=MOST, description="Words that must not.")

    def filters(self) -> Filters:
        """As the library takes them. Raises `UsageError` for what is no date."""
        found = commands.filters(self.folders, self.kinds, None, None)
        found = dataclasses.replace(found, after=moment(self.after), before=moment(self.before))
        return dataclasses.replace(found, exact=tuple(self.exact), without=tuple(self.without))


class Question(BaseModel):
    """A question, and how its answer is wanted."""

    model_config = ConfigDict(extra="forbid")
    question: str
    filters: Narrowed = Narrowed()
    thread: int | None = Field(default=None, ge=1, le=2**53, description="The thread that it goes on with.")
    model: bool = Field(default=True, description="Have the language model write, where there is one.")
    strict: bool = Field(default=False, description="Leave out sentences that no quote carries.")
    general: bool = Field(default=False, description="Let the model say what it knows itself; it is marked.")
    everything: bool | None = Field(default=None, description="Go over all documents; by default as the question asks.")


@dataclasses.dataclass(frozen=True, slots=True)
class Answered(Answer):
    """An answer, and the thread that it was entered in."""

    thread: int | None = None


STREAM: dict[int | str, dict[str, object]] = {
    200: {
        "model": Answered,
        "description": "The answer; with Accept: text/event-stream the events quoted, said, progress, done and error.",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}
UNBUFFERED = {"X-Accel-Buffering": "no"}
"""Asks a proxy to pass every event on at once."""


@router.post("/ask", summary="Answer a question in verified quotes", responses=STREAM)
async def ask(request: Request, body: Question) -> Response:
    """Answers from the library. A question may hold filters itself: in:folder type:pdf "exact words" -word."""
    server = server_of(request)
    if body.thread is not None:
        server.writable()
    events = _events(server, body, body.filters.filters(), request.state.visitor.name)
    # what goes wrong before there is anything to show has a status of its own
    first = await anext(events)
    if "text/event-stream" in request.headers.get("accept", ""):
        return StreamingResponse(_stream(first, events), media_type="text/event-stream", headers=UNBUFFERED)
    return reply([first, *[event async for event in events]][-1][1])


@router.get("/search", summary="The passages that fit best", responses={200: {"model": Hits}})
async def search(
    request: Request,
    q: str,
    k: Annotated[int, Query(ge=1, le=1_000)] = 10,
    folders: Annotated[list[Text], Query(alias="in", max_length=MOST)] = [],  # noqa: B006
    kinds: Annotated[list[Text], Query(alias="type", max_length=MOST)] = [],  # noqa: B006
    after: Text | None = None,
    before: Text | None = None,
) -> Response:
    """Passages, best first, near-duplicates folded."""
    server = server_of(request)
    filters = Narrowed(folders=folders, kinds=kinds, after=after, before=before).filters()
    async with server.question():
        return reply(await server.run(server.library.search, q, k, filters))


def moment(given: float | str | None) -> float | None:
    """A time in POSIX seconds, or the start of a day, month or year."""
    if isinstance(given, str):
        if len(given) <= 4 or not given.replace(".", "", 1).isdecimal():
            return day(given)
        given = float(given)
    if given is not None and not EARLIEST <= given <= LATEST:
        raise UsageError(f"{given:g} seconds from 1970 on are in no year that a calendar has", "write it as 2024-01-31")
    return given


# -- events ----------------------------------------------------------------------------------------

Event = tuple[str, Mapping[str, object]]
"""The name of an event, and its record."""


async def _events(server: Server, body: Question, filters: Filters, person: str) -> AsyncGenerator[Event, None]:
    """The events of one question; the last one is its answer."""
    wish = writing.Wish(body.strict, body.general, body.everything, person=person)
    model = server.model if body.model else None
    async with server.question():
        asked = body.question
        if body.thread is not None:
            before = await server.quick(threads.messages, server.library, body.thread, person)
            asked, earlier = asked[:LONGEST_QUESTION], [one.question[:LONGEST_QUESTION] for one in before]
            asked = await (completed_by(model, asked, earlier) if model else server.run(completed, asked, earlier))
        ahead = Ahead()
        made = writing.stream(
            server.library, asked, filters, model=model, wish=wish, run=server.run, watch=ahead.watch
        )  # fmt: skip
        async with aclosing(ahead.of(made)) as events:
            async for event in events:
                match event:
                    case writing.Quoted(answer):
                        yield "quoted", _record(answer, body)
                    case writing.Said(claim, quotes):
                        every = [dataclasses.asdict(one) for one in quotes]
                        yield "said", dataclasses.asdict(claim) | {"all_quotes": every}
                    case writing.Done(answer):
                        if body.thread is not None:
                            await server.quick(_append, server, body, answer, person)
                        yield "done", _record(answer, body)
                    case Progress():
                        yield "progress", dataclasses.asdict(event)


class Ahead:
    """Events as they come, and between them how far a long answer is, which another thread tells."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._coming: asyncio.Queue[writing.Event | Progress | None] = asyncio.Queue()
        self._gone = False
        self._told = time.monotonic()

    def watch(self, at: Progress) -> None:
        """Take up how far it is, a few times a second. Raises `Stopped` when nobody waits for the answer any more."""
        if self._gone:
            raise Stopped("nobody waits for this answer any more")
        if time.monotonic() - self._told >= OFTEN:
            self._told = time.monotonic()
            self._loop.call_soon_threadsafe(self._coming.put_nowait, at)

    async def of(self, events: AsyncGenerator[writing.Event, None]) -> AsyncGenerator[writing.Event | Progress, None]:
        """The events, and what `watch` was told meanwhile."""
        making = asyncio.ensure_future(self._make(events))
        try:
            while (event := await self._coming.get()) is not None:
                yield event
            await making
        finally:
            self._gone = True
            making.cancel()
            await asyncio.gather(making, return_exceptions=True)

    async def _make(self, events: AsyncGenerator[writing.Event, None]) -> None:
        try:
            async with aclosing(events):
                async for event in events:
                    self._coming.put_nowait(event)
        finally:
            self._coming.put_nowait(None)


def _append(server: Server, body: Question, answer: Answer, person: str) -> None:
    """Enter an answer in its thread."""
    assert body.thread is not None
    shown = dataclasses.replace(answer, question=body.question)
    threads.append(server.library, body.thread, body.question, shown, person)


def _record(answer: Answer, body: Question) -> dict[str, object]:
    """An answer to the question as it was put; `asked` says what was searched."""
    return dataclasses.asdict(answer) | {"question": body.question, "thread": body.thread}


async def _stream(first: Event, events: AsyncGenerator[Event, None]) -> AsyncIterator[bytes]:
    """The events as server-sent ones; silence is broken by comments, an error is the last event."""
    yield _sent(first)
    try:
        async with aclosing(unsilenced(events)) as lasting:
            async for event in lasting:
                yield SILENCE if event is None else _sent(event)
    except QuothError as error:
        yield _sent(("error", problem(error)))
    except Exception as error:
        yield _sent(("error", problem(unexpected("a question", error))))


def _sent(event: Event) -> bytes:
    name, record = event
    return b"event: %s\ndata: %s\n\n" % (name.encode("ascii"), as_json(record))
