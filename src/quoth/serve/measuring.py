"""Is it better: golden questions, runs, their comparison as a record and as a page."""

from __future__ import annotations

import dataclasses
import importlib.util
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import HTMLResponse, Response

from quoth.catalog import runs as kept
from quoth.catalog.golden import GoldenQuestion
from quoth.errors import NotFound, UsageError
from quoth.library import Library
from quoth.serve.doing import Told, queued
from quoth.serve.gate import require
from quoth.serve.replies import reply
from quoth.serve.state import server_of

if TYPE_CHECKING:
    from quoth.evaluate import Compared

router = APIRouter(prefix="/api", tags=["evaluate"])
MAY_ADD = [Depends(require("add"))]
NAME = r"^\w[\w .+-]*$"
ALONE = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; frame-ancestors 'self'; sandbox"
"""What the page of a report may do: show itself."""
CHARTS = ("altair", "vl_convert")
"""What the extra `report` brings."""
Set = Annotated[str, Field(max_length=64, pattern=NAME)]
RunName = Annotated[str, Query(max_length=64, pattern=NAME)]


@dataclasses.dataclass(frozen=True, slots=True)
class Asked(GoldenQuestion):
    """A golden question; `stale` says that the words that answered it are gone."""

    stale: bool = False


class Golden(BaseModel):
    """The golden questions, in the order in which they were added."""

    questions: list[Asked]


class NewGolden(BaseModel):
    """A question with the characters of a document that answer it, or one that must not be answered (`none`)."""

    model_config = ConfigDict(extra="forbid")
    question: str = Field(max_length=10_000)
    path: str = Field(default="", max_length=4_096)
    start: int = Field(default=0, ge=0, le=2**53)
    end: int = Field(default=0, ge=0, le=2**53)
    none: bool = False
    set: Set = "golden"


class Runs(BaseModel):
    """The runs that were kept, the oldest first."""

    runs: list[dict[str, object]]


class Recipe(BaseModel):
    """A recipe of the library; `used` says that questions are answered by it."""

    name: str
    hash: str
    used: bool


class Recipes(BaseModel):
    """The recipes that the library remembers, the default one first."""

    recipes: list[Recipe]


class Wanted(BaseModel):
    """What is to be measured; by default the recipe that counts, by the set "golden"."""

    model_config = ConfigDict(extra="forbid")
    set: Set = "golden"
    recipe: str = Field(default="", max_length=64, pattern=r"^(\w[\w .+-]*)?$")
    name: str = Field(default="", max_length=64, pattern=r"^(\w[\w.+-]*)?$")


class Removed(BaseModel):
    """How many went."""

    removed: int


@router.get("/golden", summary="Questions whose answers are known", responses={200: {"model": Golden}})
async def golden(request: Request) -> Response:
    """What the library is measured by."""
    server = server_of(request)
    return reply({"questions": await server.run(_golden, server.library)})


def _golden(library: Library) -> list[dict[str, object]]:
    from quoth.evaluate import golden

    stale = {one.key for one in golden.questions(library) if one.stale}
    return [dataclasses.asdict(one) | {"stale": one.key in stale} for one in golden.kept(library)]


@router.post(
    "/golden", status_code=201, summary="Add a golden question", responses={201: {"model": GoldenQuestion}},
    dependencies=MAY_ADD,
)  # fmt: skip
async def add(request: Request, body: NewGolden) -> Response:
    """A question with what answers it, or one that must not be answered."""
    server = server_of(request)
    server.writable()
    return reply(await server.run(_add, server.library, body), 201)


def _add(library: Library, body: NewGolden) -> GoldenQuestion:
    from quoth.evaluate import golden

    if body.none:
        if body.path:
            raise UsageError("a question that must not be answered has no place", "leave out path or none")
        return golden.add(library, body.question, none=True, set_=body.set)
    return golden.add_place(library, body.question, body.path, body.start, body.end, set_=body.set)


@router.delete("/golden/{key}", summary="Take a golden question out", responses={200: {"model": Removed}},
               dependencies=MAY_ADD)  # fmt: skip
async def remove(request: Request, key: Annotated[str, Path(max_length=200)]) -> Response:
    """By its key or number."""
    server = server_of(request)
    server.writable()
    return reply({"removed": await server.run(_remove, server.library, key)})


def _remove(library: Library, key: str) -> int:
    from quoth.evaluate import golden

    return golden.remove(library, [golden.find(library, key).key])


@router.get("/runs", summary="The runs that were kept", responses={200: {"model": Runs}})
async def runs(request: Request) -> Response:
    """What was measured so far."""
    server = server_of(request)
    return reply({"runs": await server.run(_runs, server.library)})


def _runs(library: Library) -> list[dict[str, object]]:
    from quoth.evaluate import kept_runs, summary

    return [finite(dict(summary.of(one))) for one in kept_runs(library)]


@router.get("/recipes", summary="The recipes that can be measured", responses={200: {"model": Recipes}})
async def recipes(request: Request) -> Response:
    """Every way to answer that has a name."""
    server = server_of(request)
    some = await server.run(server.library.recipes)
    return reply({"recipes": [{"name": one.name, "hash": one.recipe.hash, "used": one.used} for one in some]})


@router.post(
    "/evaluate", status_code=202, summary="Measure a recipe", responses={202: {"model": Told}}, dependencies=MAY_ADD
)  # fmt: skip
async def evaluate(request: Request, body: Wanted | None = None) -> Response:
    """Asks the golden questions in the background; the run is kept."""
    server = server_of(request)
    server.writable()
    wanted = body or Wanted()
    await server.run(_possible, server.library, wanted)
    given = {"--set": wanted.set, "--recipe": wanted.recipe, "--name": wanted.name}
    return queued(server.keeper.put("evaluate", [], [f"{name}={value}" for name, value in given.items() if value]))


def _possible(library: Library, wanted: Wanted) -> None:
    """Raise `NotFound` for a set or a recipe that is not there."""
    from quoth.evaluate import golden

    golden.questions(library, wanted.set)
    library.recipe_named(wanted.recipe)


@router.get("/compare", summary="Is the second run better than the first?")
async def compare(request: Request, first: RunName, second: RunName) -> Response:
    """Every difference with its interval and p, and what may be said of it; `report`: charts can be drawn."""
    server = server_of(request)
    done = await server.run(_compared, server.library, first, second)
    drawn = all(importlib.util.find_spec(one) for one in CHARTS)
    return reply(finite(dataclasses.asdict(done.found)) | {"report": drawn})


@router.get(
    "/report", summary="A comparison as a page", response_class=HTMLResponse,
    responses={501: {"description": "The extra report is not installed."}},
)  # fmt: skip
async def report(request: Request, first: RunName, second: RunName) -> Response:
    """Self-contained, with charts. Needs the extra report."""
    server = server_of(request)
    page = await server.run(_report, server.library, first, second)
    return HTMLResponse(page, headers={"Content-Security-Policy": ALONE, "X-Frame-Options": "SAMEORIGIN"})


def _compared(library: Library, first: str, second: str) -> Compared:
    from quoth.evaluate import compared
    from quoth.evaluate.run import PRIMARY

    known = kept.names(library._parts.catalog)
    for name in (first, second):
        if name not in known:  # the command line takes files as well
            raise NotFound(f"there is no run {name}", f"there are: {', '.join(known)}" if known else "quoth evaluate")
    return compared(library, first, second, primary=PRIMARY, margin=0.02)


def _report(library: Library, first: str, second: str) -> str:
    from quoth.evaluate.report import page

    done = _compared(library, first, second)
    return page(done.found, done.first, done.second)


def finite(record: Mapping[str, object]) -> dict[str, object]:
    """The record with null for numbers that JSON has no words for."""
    return {name: _finite(value) for name, value in record.items()}


def _finite(value: object) -> object:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return finite(value)
    return [_finite(one) for one in value] if isinstance(value, list | tuple) else value
