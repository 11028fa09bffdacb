"""The least that serves a library: one route that calls `Library.ask` in FastAPI's own threads.

    python bare_server.py LIBRARY

Prints its address as JSON once it listens. No gate, no limits, no stream, no journal of its own.
"""

from __future__ import annotations

import dataclasses
import json
import socket
import sys

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from starlette.responses import JSONResponse, PlainTextResponse

from quoth import Library


class Question(BaseModel):
    question: str


def create(library: Library) -> FastAPI:
    """The application."""
    app = FastAPI()

    @app.post("/api/ask")
    def ask(body: Question) -> JSONResponse:
        return JSONResponse(dataclasses.asdict(library.ask(body.question)))

    @app.get("/healthz")
    async def healthz() -> PlainTextResponse:
        return PlainTextResponse("ok")

    @app.get("/readyz")
    async def readyz() -> JSONResponse:
        return JSONResponse({"ready": True})

    return app


def main() -> None:
    with Library.open(sys.argv[1], create=False) as library:
        library.explain("Is everything ready?", noted=False)
        # a socket that says what it is: only then do answers leave at once, and not 40 ms later
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listening.bind(("127.0.0.1", 0))
        listening.listen(256)
        print(json.dumps({"address": f"http://127.0.0.1:{listening.getsockname()[1]}"}), flush=True)
        uvicorn.Server(uvicorn.Config(create(library), log_level="warning")).run([listening])


if __name__ == "__main__":
    main()
