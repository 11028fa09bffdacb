"""The application: every door to one library, behind one gate."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from starlette.responses import PlainTextResponse, Response

from quoth import __version__
from quoth.serve import (
    asking,
    doing,
    entering,
    keeping,
    mcp,
    measuring,
    openai,
    page,
    problems,
    source,
    talking,
    telling,
    uploading,
)
from quoth.serve.gate import Gate
from quoth.serve.problems import DECLARED, Problem
from quoth.serve.replies import reply
from quoth.serve.state import Server, server_of


def create(server: Server) -> FastAPI:
    """The application that serves a library; `server` lives as long as it does."""

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        async with server.running():
            yield

    app = FastAPI(
        title="Quoth",
        version=__version__,
        summary="Ask your own files and get verified quotes.",
        openapi_url="/api/openapi.json",
        docs_url=None,  # they would be loaded from another host
        redoc_url=None,
        lifespan=life,
        responses=DECLARED,
    )
    app.state.server = server
    problems.install(app)
    for one in (
        telling, asking, keeping, uploading, doing, talking, measuring, entering, openai, mcp, source, page,
    ):  # fmt: skip
        app.include_router(one.router)
    app.add_api_route("/healthz", healthy, include_in_schema=False)
    app.add_api_route("/readyz", ready, include_in_schema=False)
    app.add_middleware(Gate, server=server)
    _describe(app)
    return app


async def healthy() -> Response:
    """Answers as long as the process does."""
    return PlainTextResponse("ok")


async def ready(request: Request) -> Response:
    """Whether a question would be answered at once."""
    server = server_of(request)
    if server.failure is not None:
        raise server.failure
    server.library._parts.check_there()
    return reply({"ready": server.ready}, 200 if server.ready else 503)


def _describe(app: FastAPI) -> None:
    """Put the problem that every operation may answer with into the OpenAPI document."""
    make = app.openapi

    def openapi() -> dict[str, object]:
        document = make()
        document["components"].setdefault("schemas", {})["Problem"] = Problem.model_json_schema()
        return document

    app.openapi = openapi  # type: ignore[method-assign]
