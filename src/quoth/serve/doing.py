"""What goes on in the background: jobs, the commands that wait for their turn, watching."""

from __future__ import annotations

import dataclasses
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from quoth.catalog import Job
from quoth.library import Library
from quoth.records import left
from quoth.serve.gate import require
from quoth.serve.keeper import Queued
from quoth.serve.replies import reply
from quoth.serve.state import server_of
from quoth.types import Failure

router = APIRouter(prefix="/api", tags=["background"])
Number = Annotated[int, Path(ge=1, le=2**53)]
MAY_ADD = [Depends(require("add"))]


class Told(BaseModel):
    """A command that is run in the background when its turn comes."""

    queued: Queued


@dataclasses.dataclass(frozen=True, slots=True)
class Ongoing(Job):
    """A long run, and the seconds that it still needs, as far as that can be told."""

    left: float | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Looked(Ongoing):
    """A long run with the files that failed in it."""

    failed: tuple[Failure, ...] = ()


class Jobs(BaseModel):
    """The long runs that are remembered, the newest first, and the commands of this server."""

    jobs: list[Ongoing] = Field(description="As quoth jobs --json prints them.")
    queued: list[Queued] = Field(description="Commands that run or wait.")
    over: list[Queued] = Field(description="Commands that are over, the newest first.")
    watching: str = Field(description='"on", "off", or why nothing is watched just now.')


def queued(task: Queued) -> Response:
    """The response that says that a command will be run."""
    return reply({"queued": dataclasses.asdict(task)}, 202)


@router.get("/jobs", summary="Long runs, and commands that wait", responses={200: {"model": Jobs}})
async def jobs(request: Request) -> Response:
    """What is going on, what is to come and what is over."""
    server = server_of(request)
    found = await server.quick(server.library.jobs)
    return reply(
        {
            "jobs": [record(one) for one in found],
            "queued": [dataclasses.asdict(one) for one in server.keeper.queued()],
            "over": [dataclasses.asdict(one) for one in server.keeper.over()],
            "watching": server.keeper.watch,
        }
    )


@router.get("/jobs/{number}", summary="A job, and the files that failed in it", responses={200: {"model": Looked}})
async def job(request: Request, number: Number) -> Response:
    """One long run."""
    server = server_of(request)
    found, failed = await server.quick(server.library.job, number)
    return reply(record(found) | {"failed": [dataclasses.asdict(one) for one in failed]})


@router.post(
    "/jobs/{number}/cancel", summary="Stop a running job", responses={200: {"model": Ongoing}}, dependencies=MAY_ADD
)
async def cancel(request: Request, number: Number) -> Response:
    """It stops within seconds; what it had written is kept. Nothing is watched until the next command."""
    server = server_of(request)
    server.writable()
    await server.quick(_running, server.library, number)
    await server.keeper.hush(f"nothing is watched since job {number} was cancelled")
    found, _ = await server.quick(server.library.job, number)
    if found.state == "running":  # else it was the watcher's
        await server.quick(server.library.cancel, number)
        found, _ = await server.quick(server.library.job, number)
    return reply(record(found))


@router.post(
    "/jobs/{number}/resume", status_code=202, summary="Do what a job had left", responses={202: {"model": Told}},
    dependencies=MAY_ADD,
)  # fmt: skip
async def resume(request: Request, number: Number) -> Response:
    """Goes on with a job that was cut off, stopped or failed."""
    server = server_of(request)
    server.writable()
    await server.quick(_unfinished, server.library, number)
    return queued(server.keeper.put("jobs resume", [str(number)]))


@router.post(
    "/sync", status_code=202, summary="Bring all sources into step", responses={202: {"model": Told}},
    dependencies=MAY_ADD,
)  # fmt: skip
async def sync(request: Request) -> Response:
    """Reads what changed."""
    server = server_of(request)
    server.writable()
    return queued(server.keeper.put("sync"))


@router.get("/queue/{number}", summary="A command of the background", responses={200: {"model": Queued}})
async def command(request: Request, number: Number) -> Response:
    """How it stands, and what came of it."""
    return reply(server_of(request).keeper.one(number))


@router.post(
    "/queue/{number}/cancel", summary="Stop a command, or have it never begin", responses={200: {"model": Queued}},
    dependencies=MAY_ADD,
)  # fmt: skip
async def drop(request: Request, number: Number) -> Response:
    """What it had written is kept."""
    return reply(await server_of(request).keeper.cancel(number))


def record(job: Job) -> dict[str, object]:
    """A job as the command line prints it."""
    return dataclasses.asdict(job) | {"left": left(job)}


def _running(library: Library, number: int) -> None:
    from quoth.jobs import chosen

    chosen(library.jobs(), number, ["running"])


def _unfinished(library: Library, number: int) -> None:
    from quoth.jobs import chosen

    chosen(library.jobs(), number, ("cut off", "stopped", "failed"))
