"""How the library and the server stand, and which language models there are."""

from __future__ import annotations

import dataclasses
from typing import Literal

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel
from starlette.responses import Response

from quoth import __version__, llm
from quoth.serve.doing import Ongoing, record
from quoth.serve.gate import require
from quoth.serve.replies import reply
from quoth.serve.state import Server, server_of
from quoth.types import Status

router = APIRouter(prefix="/api", tags=["status"])


class Who(BaseModel):
    """Whoever asks."""

    name: str
    scope: Literal["ask", "add", "admin"]


@dataclasses.dataclass(frozen=True, slots=True)
class Standing(Status):
    """What is in the library, and how the server stands."""

    version: str = ""
    model: str | None = None
    readonly: bool = False
    ready: bool = False
    watching: str = ""
    notes: tuple[str, ...] = ()
    visitor: Who | None = None
    job: Ongoing | None = None


class Reachable(BaseModel):
    """Language models, and the one that writes here (null: none does)."""

    models: list[dict[str, object]]
    current: str | None


@router.get("/status", summary="What is in the library", responses={200: {"model": Standing}})
async def status(request: Request) -> Response:
    """The library in numbers, the visitor, and the job that runs now."""
    server = server_of(request)
    visitor = request.state.visitor
    await server.warmed()
    found = await server.quick(_standing, server)
    who = {"name": visitor.name, "scope": visitor.scope}
    return reply(found | {"watching": server.keeper.watch, "visitor": who})


def _standing(server: Server) -> dict[str, object]:
    running = next((one for one in server.library.jobs() if one.state == "running"), None)
    return dataclasses.asdict(server.library.status()) | {
        "version": __version__,
        "model": server.model.name if server.model else None,
        "readonly": server.readonly,
        "ready": server.ready,
        "notes": list(server.notes),
        "job": record(running) if running else None,
    }


@router.get(
    "/models", summary="Language models that can be reached", responses={200: {"model": Reachable}},
    dependencies=[Depends(require("admin"))],
)  # fmt: skip
async def models(request: Request) -> Response:
    """Asks the endpoint of the settings, and Ollama on this machine."""
    server = server_of(request)
    named = [] if server.config.llm == "none" else [server.config.llm]
    found = await server.quick(llm.reachable, named, server.config.llm_key)
    current = server.model.name if server.model else None
    return reply({"models": [dataclasses.asdict(one) for one in found], "current": current})
