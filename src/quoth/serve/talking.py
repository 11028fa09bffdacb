"""Threads, and what people say of answers. Each person has their own threads."""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from quoth import feedback, threads
from quoth.errors import UsageError
from quoth.library import Library
from quoth.serve.replies import reply
from quoth.serve.state import server_of
from quoth.threads import Message, Thread

router = APIRouter(prefix="/api", tags=["threads"])
Number = Annotated[int, Path(ge=1, le=2**53)]
Title = Annotated[str, Field(max_length=threads.LONGEST_TITLE)]
Place = Annotated[int, Field(ge=0, le=2**53)]


class Threads(BaseModel):
    """Threads, those that were last used first."""

    threads: list[Thread]


class Whole(BaseModel):
    """A thread with all that was said."""

    id: int
    title: str
    person: str
    created: float
    changed: float
    messages: list[Message]


class Named(BaseModel):
    """A title; with "" the first question is it."""

    model_config = ConfigDict(extra="forbid")
    title: Title = ""


class Rated(BaseModel):
    """What somebody says of an answer: `entry` is the answer's, `quote` the number of one of its quotes.

    With "place" these characters of a document are said to be what answers the question.
    """

    model_config = ConfigDict(extra="forbid")
    rating: Literal["right", "wrong", "place"]
    entry: int | None = Field(default=None, ge=1, le=2**53)
    quote: int | None = Field(default=None, ge=1, le=10_000)
    question: str = Field(default="", max_length=10_000)
    path: str = Field(default="", max_length=4_096)
    start: Place = 0
    end: Place = 0


class Noted(BaseModel):
    """That it stands in the journal."""

    noted: bool


class Deleted(BaseModel):
    """What was deleted."""

    deleted: int


@router.get("/threads", summary="Your threads", responses={200: {"model": Threads}})
async def every(request: Request) -> Response:
    """Conversations that are kept."""
    server = server_of(request)
    found = await server.quick(threads.every, server.library, person(request))
    return reply({"threads": [dataclasses.asdict(one) for one in found]})


@router.post("/threads", status_code=201, summary="Begin a thread", responses={201: {"model": Thread}})
async def create(request: Request, body: Named | None = None) -> Response:
    """A thread without messages; ask with its number."""
    server = server_of(request)
    server.writable()
    made = await server.quick(threads.create, server.library, person(request), body.title if body else "")
    return reply(made, 201)


@router.get("/threads/{number}", summary="A thread", responses={200: {"model": Whole}})
async def one(request: Request, number: Number) -> Response:
    """All that was said in it."""
    server = server_of(request)
    found = await server.quick(threads.one, server.library, number, person(request))
    said = await server.quick(threads.messages, server.library, number, person(request))
    return reply(dataclasses.asdict(found) | {"messages": [dataclasses.asdict(message) for message in said]})


@router.patch("/threads/{number}", summary="Give a thread a title", responses={200: {"model": Thread}})
async def rename(request: Request, number: Number, body: Named) -> Response:
    """Its first question is its title until then."""
    server = server_of(request)
    server.writable()
    return reply(await server.quick(threads.rename, server.library, number, body.title, person(request)))


@router.delete("/threads/{number}", summary="Delete a thread", responses={200: {"model": Deleted}})
async def delete(request: Request, number: Number) -> Response:
    """With all its messages."""
    server = server_of(request)
    server.writable()
    await server.quick(threads.delete, server.library, number, person(request))
    return reply({"deleted": number})


@router.get(
    "/threads/{number}/export", summary="A thread as a file",
    responses={200: {"content": {"text/markdown": {}, "application/json": {}}}},
)  # fmt: skip
async def export(
    request: Request, number: Number, form: Annotated[Literal["markdown", "json"], Query(alias="format")] = "markdown"
) -> Response:
    """Markdown with its quotes, or JSON with everything."""
    server = server_of(request)
    text = await server.quick(threads.export, server.library, number, form, person(request))
    media, ending = ("application/json", "json") if form == "json" else ("text/markdown; charset=utf-8", "md")
    named = {"Content-Disposition": f'attachment; filename="quoth-{number}.{ending}"'}
    return Response(text.encode("utf-8", "replace"), 200, named, media)


@router.post("/ratings", summary="Say whether an answer was right", responses={200: {"model": Noted}})
async def rate(request: Request, body: Rated) -> Response:
    """It goes to the journal, which never leaves this machine."""
    server = server_of(request)
    server.writable()
    await server.quick(_rate, server.library, body, person(request))
    return reply({"noted": True})


def _rate(library: Library, body: Rated, who: str) -> None:
    if body.rating != "place":
        feedback.rate(library, body.rating, body.quote or 0, entry=body.entry or 0, person=who)
        return
    if not body.question.strip():
        raise UsageError("which question does this place answer?", "send it as question")
    document = library.show(body.path)
    if not body.start < body.end <= len(document.text):
        raise UsageError(
            f"{document.path} has no characters {body.start} to {body.end}", f"it has {len(document.text):,}"
        )
    place = partial(feedback.rate_place, library, body.question, document, body.start, body.end)
    place(entry=body.entry or 0, person=who)


def person(request: Request) -> str:
    """The name of whoever asks, "" where nobody needs one."""
    name: str = request.state.visitor.name
    return name
