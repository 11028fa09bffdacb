"""Log in and out, and for owners: people and tokens."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from quoth import access
from quoth.access import Person, Token
from quoth.serve.gate import remember, require, session_of
from quoth.serve.problems import Refused
from quoth.serve.replies import reply
from quoth.serve.state import server_of

router = APIRouter(prefix="/api", tags=["people"])
Scope = Literal["ask", "add", "admin"]
Role = Literal["reader", "editor", "owner"]
Name = Annotated[str, Field(min_length=1, max_length=100)]
Secret = Annotated[str, Field(max_length=access.LONGEST_PASSWORD)]
Called = Annotated[str, Path(max_length=100)]
OWNER = [Depends(require("admin"))]


class Credentials(BaseModel):
    """Who somebody says they are."""

    model_config = ConfigDict(extra="forbid")
    name: Name
    password: Secret


class Me(BaseModel):
    """Who is asking, and whether anybody needs to say so."""

    name: str
    scope: Scope
    via: Literal["token", "session", "loopback"]
    needed: bool


class Out(BaseModel):
    """Whether there was a session."""

    ended: bool


class NewPerson(Credentials):
    """Somebody who may log in from now on."""

    role: Role


class People(BaseModel):
    """All who may log in."""

    people: list[Person]


class NewToken(BaseModel):
    """A token for a program; with `days` it expires."""

    model_config = ConfigDict(extra="forbid")
    name: Name
    scope: Scope
    days: float | None = Field(default=None, gt=0, lt=100_000, allow_inf_nan=False)


class Shown(BaseModel):
    """A new token with its secret, which is shown now and never again."""

    token: Token
    secret: str


class Tokens(BaseModel):
    """All tokens, without their secrets."""

    tokens: list[Token]


class Gone(BaseModel):
    """Who or what went."""

    removed: str


@router.post("/login", summary="Log in", responses={200: {"model": Me}})
async def login(request: Request, body: Credentials) -> Response:
    """Begins a session, which a cookie holds. Wrong passwords have to wait longer each time."""
    secret = await enter(request, body.name, body.password)
    server = server_of(request)
    visitor = await server.quick(access.check_session, server.library, secret)
    if visitor is None:
        raise Refused(401, "this person is not here any more", "log in anew")
    response = reply(dataclasses.asdict(visitor) | {"needed": True})
    remember(response, request, secret)
    return response


async def enter(request: Request, name: str, password: str) -> str:
    """The secret of a new session, for `gate.remember`. Raises `Refused` (401) and `Throttled`."""
    server = server_of(request)
    server.writable()
    address = request.client.host if request.client else ""
    server.attempts.begin(name, address)
    secret = await server.slow(access.login, server.library, name, password)
    if secret is None:
        raise Refused(401, "name or password is wrong", "try again, or have an owner set a new one")
    server.attempts.succeeded(name, address)
    return secret


@router.post("/logout", summary="Log out", responses={200: {"model": Out}})
async def logout(request: Request) -> Response:
    """Ends the session that the request carries."""
    server = server_of(request)
    session = session_of(request.headers)
    ended = bool(session) and await server.quick(access.logout, server.library, session)
    response = reply({"ended": ended})
    remember(response, request, "")
    return response


@router.get("/me", summary="Who is asking", responses={200: {"model": Me}})
async def me(request: Request) -> Response:
    """The name and what they may do."""
    needed = not server_of(request).bound.open or await server_of(request).needed()
    return reply(dataclasses.asdict(request.state.visitor) | {"needed": needed})


@router.get("/people", summary="Who may log in", responses={200: {"model": People}}, dependencies=OWNER)
async def people(request: Request) -> Response:
    """All people, with their roles."""
    server = server_of(request)
    found = await server.quick(access.people, server.library)
    return reply({"people": [dataclasses.asdict(one) for one in found]})


@router.post(
    "/people", status_code=201, summary="Let somebody log in", responses={201: {"model": Person}}, dependencies=OWNER
)  # fmt: skip
async def add_person(request: Request, body: NewPerson) -> Response:
    """A reader asks, an editor adds and removes files as well, an owner may do all."""
    server = server_of(request)
    server.writable()
    made = await server.slow(access.add_person, server.library, body.name, body.role, body.password)
    return reply(made, 201)


@router.delete("/people/{name}", summary="Take a person out", responses={200: {"model": Gone}}, dependencies=OWNER)
async def remove_person(request: Request, name: Called) -> Response:
    """With their sessions and threads."""
    server = server_of(request)
    server.writable()
    await server.quick(access.remove_person, server.library, name)
    return reply({"removed": name})


@router.get("/tokens", summary="Tokens for programs", responses={200: {"model": Tokens}}, dependencies=OWNER)
async def tokens(request: Request) -> Response:
    """All tokens, also expired ones."""
    server = server_of(request)
    found = await server.quick(access.tokens, server.library)
    return reply({"tokens": [dataclasses.asdict(one) for one in found]})


@router.post(
    "/tokens", status_code=201, summary="Make a token", responses={201: {"model": Shown}}, dependencies=OWNER
)  # fmt: skip
async def new_token(request: Request, body: NewToken) -> Response:
    """Its secret is in this answer and nowhere else."""
    server = server_of(request)
    server.writable()
    made, secret = await server.quick(access.new_token, server.library, body.name, body.scope, body.days)
    return reply({"token": dataclasses.asdict(made), "secret": secret}, 201)


@router.delete("/tokens/{name}", summary="Revoke a token", responses={200: {"model": Gone}}, dependencies=OWNER)
async def revoke(request: Request, name: Called) -> Response:
    """Nobody gets in by it from now on, and its threads are deleted."""
    server = server_of(request)
    server.writable()
    await server.quick(access.revoke, server.library, name)
    return reply({"removed": name})
