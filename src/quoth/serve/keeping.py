"""What is in the library: documents, their passages and places, sources; adding, retrying, removing."""

from __future__ import annotations

import dataclasses
import logging
import os
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from quoth import feedback
from quoth.catalog import browse, listing
from quoth.errors import NotFound, UsageError
from quoth.library import Library
from quoth.parts import inside
from quoth.serve.doing import Told, queued
from quoth.serve.gate import require
from quoth.serve.problems import Refused
from quoth.serve.replies import Named, reply
from quoth.serve.state import Server, server_of
from quoth.types import Box

log = logging.getLogger("quoth.serve")
router = APIRouter(prefix="/api", tags=["library"])
SOON = 10.0
"""Seconds for which a removal is waited for; after that it is told as one that is queued."""
LAST = 2**53
MAY_ADD, MAY_DO_ALL = [Depends(require("add"))], [Depends(require("admin"))]


class Documents(BaseModel):
    """A page of the documents, and of the files that none was read from."""

    total: int
    documents: list[browse.Seen]


class Text(BaseModel):
    """A document as it was read: what every quote is cut from."""

    path: str
    kind: str
    title: str
    text: str
    lines: bool = Field(description="Whether the text is the file's own, so that lines are counted in it.")
    pages: list[tuple[int, int]] | None = Field(description="Start and end of each page in the text.")
    language: str
    modified: float
    notes: list[str]


class Piece(BaseModel):
    """A passage: what is found and ranked."""

    start: int
    end: int
    text: str
    page: int | None
    line: int | None
    heading: str | None
    cells: str | None


class Passages(BaseModel):
    """The passages of a document, in their order."""

    passages: list[Piece]


class Spot(Piece):
    """Where characters of a document stand, also on its pages."""

    path: str
    boxes: list[Box]


class Kept(BaseModel):
    """A source, whether it is on disk, and how many of its files are in each state."""

    path: str
    added: float
    archives: bool
    there: bool
    uploads: bool = Field(description="Whether it is where uploads land.")
    files: dict[str, int]


class Sources(BaseModel):
    """What was added."""

    sources: list[Kept]


class Added(BaseModel):
    """A folder or file to add."""

    model_config = ConfigDict(extra="forbid")
    path: str = Field(min_length=1, max_length=4_096)
    archives: bool = Field(default=False, description="Look into zip and tar files.")


class Removed(BaseModel):
    """How many files left the library."""

    removed: int
    notes: list[str]


REMOVAL: dict[int | str, dict[str, object]] = {200: {"model": Removed}, 202: {"model": Told}}


# -- documents -------------------------------------------------------------------------------------


@router.get("/documents", summary="Documents and what became of each file", responses={200: {"model": Documents}})
async def documents(
    request: Request,
    q: Annotated[str, Query(max_length=1_000, description="Letters of the path or the title.")] = "",
    state: Literal["read", "failed", "skipped", ""] = "",
    start: Annotated[int, Query(ge=0, le=LAST)] = 0,
    count: Annotated[int, Query(ge=1, le=1_000)] = 100,
) -> Response:
    """A page of them, in the order of their paths."""
    server = server_of(request)
    total, found = await server.quick(browse.seen, server.library._parts.catalog, q, state or None, start, count)
    return reply({"total": total, "documents": [dataclasses.asdict(one) for one in found]})


@router.get("/document", summary="A document's text", responses={200: {"model": Text}})
async def document(request: Request, path: Named) -> Response:
    """The text as it was read, and what is known of it."""
    server = server_of(request)
    found = await server.quick(server.library.show, path)
    named = ("path", "kind", "title", "text", "lines", "language", "modified", "notes")
    return reply({name: getattr(found, name) for name in named} | {"pages": found.pages()})


@router.get("/passages", summary="A document's passages", responses={200: {"model": Passages}})
async def passages(request: Request, path: Named) -> Response:
    """What of a document is found and ranked."""
    server = server_of(request)
    return reply({"passages": await server.quick(_passages, server.library, path)})


def _passages(library: Library, path: str) -> list[dict[str, object]]:
    catalog = library._parts.catalog
    path = library.show(path).path
    with catalog.reading():
        ids = browse.passage_ids(catalog, path)
        found = catalog.passages(ids)
    rows = [found[one] for one in ids]
    return [{name: getattr(one, name) for name in Piece.model_fields} for one in rows]


@router.get("/place", summary="Where characters of a document stand", responses={200: {"model": Spot}})
async def place(
    request: Request,
    path: Named,
    start: Annotated[int, Query(ge=0, le=LAST)],
    end: Annotated[int, Query(ge=1, le=LAST)],
) -> Response:
    """The page, line, heading or cells, and boxes on the page. It is noted in the journal as opened."""
    server = server_of(request)
    return reply(await server.quick(_place, server.library, path, start, end))


def _place(library: Library, path: str, start: int, end: int) -> dict[str, object]:
    found = library.show(path)
    if not start < end <= len(found.text):
        raise UsageError(f"{found.path} has no characters {start} to {end}", f"it has {len(found.text):,}")
    boxes = library.boxes(found, start, end)
    feedback.opened(library, found, start, end)
    at = dataclasses.asdict(found.place(start))
    text = found.text[start:end]
    return {"path": found.path, "start": start, "end": end, "text": text, **at, "boxes": list(map(_box, boxes))}


def _box(box: Box) -> dict[str, object]:
    return dataclasses.asdict(box)


@router.post(
    "/documents/retry", status_code=202, summary="Read a file again", responses={202: {"model": Told}},
    dependencies=MAY_ADD,
)  # fmt: skip
async def retry(request: Request, path: Named) -> Response:
    """Tries again what failed in the source of this file."""
    server = server_of(request)
    server.writable()
    source = await server.quick(_source_of, server.library, path)
    return queued(server.keeper.put("sync", [source], ["--retry"]))


@router.delete(
    "/documents", summary="Take a file out of the library", responses=REMOVAL, dependencies=MAY_ADD
)  # fmt: skip
async def remove(request: Request, path: Named, forget: bool = False) -> Response:
    """Takes a file out; with `forget`, which an owner may, no byte of it stays and later syncs leave it out.

    The file itself stays where it is, unless it is an upload.
    """
    server = server_of(request)
    if forget:
        require("admin")(request)
    found = await server.quick(_file, server.library, path)
    return await _removed(server, found, forget)


# -- sources ---------------------------------------------------------------------------------------


@router.get("/sources", summary="The folders and files that were added", responses={200: {"model": Sources}})
async def sources(request: Request) -> Response:
    """All sources, in the order of their paths."""
    server = server_of(request)
    return reply({"sources": await server.quick(_sources, server)})


def _sources(server: Server) -> list[dict[str, object]]:
    catalog = server.library._parts.catalog
    counts = listing.files(catalog)
    return [
        {
            "path": one.path, "added": one.added, "archives": one.archives, "there": os.path.lexists(one.path),
            "uploads": one.path == str(server.uploads), "files": counts.get(one.id, {}),
        }
        for one in server.library.sources()
    ]  # fmt: skip


@router.post(
    "/sources", status_code=202, summary="Add a folder or file", responses={202: {"model": Told}},
    dependencies=MAY_DO_ALL,
)  # fmt: skip
async def add(request: Request, body: Added) -> Response:
    """Has it read in the background; /api/jobs tells how far it is."""
    server = server_of(request)
    server.writable()
    path = await server.quick(_addable, server.library, body.path)
    return queued(server.keeper.put("add", [path], ["--archives"] if body.archives else []))


@router.delete("/sources", summary="Take a source out of the library", responses=REMOVAL, dependencies=MAY_DO_ALL)
async def leave(request: Request, path: Named, forget: bool = False) -> Response:
    """Takes out a source with all its files, which stay where they are; with `forget` no byte of them stays here."""
    server = server_of(request)
    known = await server.quick(server.library.sources)
    if path not in [one.path for one in known]:
        raise NotFound(f"{path} is no source of this library", "/api/sources lists them")
    return await _removed(server, path, forget)


# -- inside ----------------------------------------------------------------------------------------


async def _removed(server: Server, path: str, forget: bool) -> Response:
    """Have a path taken out, and say what came of it if that is soon."""
    server.writable()
    upload = inside(path, str(server.uploads)) and path != str(server.uploads)
    task = server.keeper.put("forget" if forget else "remove", [path], then=partial(_delete, path) if upload else None)
    task = await server.keeper.wait(task.number, SOON)
    if task.state == "failed":
        raise Refused(409, task.said, task.hint)
    if task.state != "done":
        return queued(task)
    gone = task.result.get("files") if forget else task.result.get("removed")
    count = gone.get(path, 0) if isinstance(gone, dict) else gone
    stays = not forget and not upload and await server.quick(_comes_back, server.library, path)
    notes = [f"{path} is still in its folder: the next sync reads it again; forget leaves it out"] if stays else []
    return reply({"removed": count, "notes": notes})


def _delete(path: str) -> None:
    """Delete an upload, which nobody has but the server."""
    try:
        Path(path).unlink(missing_ok=True)
    except OSError as error:
        log.error("%s cannot be deleted: %s", path, error.strerror)


def _comes_back(library: Library, path: str) -> bool:
    return os.path.lexists(path) and any(inside(path, one.path) for one in library.sources())


def _file(library: Library, path: str) -> str:
    """The path, if a file of the library lies there."""
    if all(one.path != path for one in library._parts.catalog.files()):
        raise NotFound(f"{path} is no file of this library", "/api/documents lists them")
    return path


def _source_of(library: Library, path: str) -> str:
    """The source that holds a path."""
    for one in library.sources():
        if inside(path, one.path):
            return one.path
    raise NotFound(f"{path} is in no source of this library", "/api/sources lists them")


def _addable(library: Library, given: str) -> str:
    """The full path of what is to be added."""
    path = os.path.expanduser(given)
    if "\0" in path or not path.startswith(os.sep):
        raise UsageError(f"{given!r} is no full path", "write it from the root on, or from ~ on")
    path = os.path.abspath(path)
    if not os.path.lexists(path):
        raise NotFound(f"there is no file or folder {path}", "check the name")
    if not os.access(path, os.R_OK):
        raise Refused(403, f"{path} may not be read by the server", "change its rights, or copy it elsewhere")
    if inside(path, str(library._parts.folder)):
        raise UsageError(f"{path} is the library itself", "add the folder with your files")
    return path
