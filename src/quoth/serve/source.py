"""A document as a person looks at it: its text, cells or message with the quote marked, or the pictures of its pages.

GET /source         a page of HTML, or with `part=1` only the document, which the page puts into its third pane
GET /api/pages      the pages of a PDF or an image, with their sizes
GET /api/page.png   one of them as a picture

Pictures are only of documents of the library, as they were when they were read: a PDF is drawn anew, an image
is sent as it is when it is of a kind that a browser only ever paints. Everything else is shown as its text.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from html import escape
from pathlib import Path
from typing import Annotated, TypeVar
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse, Response

from quoth import feedback
from quoth.errors import NotFound, ReadError
from quoth.ingest import images
from quoth.library import Library
from quoth.parts import inside
from quoth.serve import drawing, gate, shell, views
from quoth.serve.drawing import Sheet
from quoth.serve.problems import DECLARED, Refused
from quoth.serve.replies import Named, reply
from quoth.serve.state import Server, server_of
from quoth.serve.views import Spot
from quoth.types import Box, Document, Place

R = TypeVar("R")
router = APIRouter()
PAINTED = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"BM", "image/bmp"),
    (b"RIFF", "image/webp"),
)
"""How the images begin that a browser paints and never runs, and what they are."""
LARGEST = 32 * 2**20
"""Bytes of an image that is shown."""
PAGED = ("pdf", "image")
DRAWN = 24
"""Pictures that are remembered."""
DRAWERS = 2
"""Pages that are drawn at once."""
QUEUE = 64
"""Calls that draw or wait to; more are turned away."""
FAILED = 1_000
"""Failures that are remembered."""
SCALES = (0.25, 4.0)


@dataclass(frozen=True, slots=True)
class Look:
    """What somebody wants to see of a document: the characters marked, how, and from which offset or page on."""

    spot: Spot
    view: str = ""
    first: int | None = None
    page: int | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """The sheets of a document that are shown, how many it has, and the boxes over the marked characters."""

    sheets: Sequence[Sheet]
    of: int
    boxes: Sequence[Box]


_waiting: set[object] = set()
"""Calls that draw or wait to."""
_failed: dict[tuple[str, int, int], ReadError] = {}
"""What cannot be drawn, by path, stamp and page (0 for the sizes of all), so that it costs its time once."""
PICTURE: dict[int | str, dict[str, object]] = DECLARED | {200: {"content": {"image/*": {}}}}
Page = Annotated[int, Query(ge=1, le=10**6)]
Offset = Annotated[int, Query(ge=0, le=10**9)]


@router.get("/api/pages", tags=["documents"], responses=DECLARED)
async def pages(
    request: Request, path: Named, first: Page = 1, count: Annotated[int, Query(ge=1, le=100)] = 20
) -> Response:
    """The pages of a PDF or an image: `of` in all, and the width and height in points (pixels) of some."""
    server = server_of(request)
    document = await server.quick(_document, server.library, path)
    of, some = await _aside(partial(_sheets, _unchanged(server.library, document), document.kind, first, count))
    told = [{"page": one.page, "width": one.width, "height": one.height} for one in some]
    return reply({"path": document.path, "of": of, "pages": told})


@router.get(
    "/api/page.png",
    tags=["documents"],
    responses=DECLARED | {200: {"content": {"image/*": {}}}},
    response_class=Response,
)
async def picture(request: Request, path: Named, page: Page = 1, scale: float = 2.0) -> Response:
    """A page of a PDF, `scale` pixels a point, or an image of the library itself."""
    server = server_of(request)
    document = await server.quick(_document, server.library, path)
    file = await server.quick(_unchanged, server.library, document)
    size = min(max(scale, SCALES[0]), SCALES[1]) if scale == scale else 1.0
    media, data = await _aside(partial(_picture, file, _stamp(file), document.kind, page, round(size, 2)))
    safe = {
        "Cache-Control": "private, max-age=300",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(data, media_type=media, headers=safe)


@router.get("/source", include_in_schema=False)
async def source(
    request: Request,
    path: Named,
    start: Offset = 0,
    end: Offset = 0,
    view: str = "",
    first: Offset | None = None,
    page: Page | None = None,
) -> HTMLResponse:
    """A document with the characters between two offsets marked."""
    server = server_of(request)
    document = await server.quick(_document, server.library, path)
    start = min(start, len(document.text))
    look = Look(Spot(start, min(max(start, end), len(document.text))), view, first, page)
    seen: Seen | str = ""
    if look.view != "text" and document.kind in PAGED:
        seen = await _seen(server, document, look)
    home = await server.quick(_home, server.library, document.path)
    shown = await server.quick(_article, document, look, seen, home)
    if first is None and page is None and look.spot.end > start and not (server.readonly or gate.led(request)):
        await server.quick(feedback.opened, server.library, document, start, look.spot.end)
    if "part" in request.query_params:
        return shell.html(shown)
    return shell.page(request, document.title, f'<main class="alone" id="source">{shown}</main>', name="source")


def _document(library: Library, path: str) -> Document:
    document = library._parts.catalog.document(path)
    if document is None:
        raise NotFound(f"{path} is not in this library", "quoth search shows paths; quoth sync reads new files")
    return document


async def _seen(server: Server, document: Document, look: Look) -> Seen | str:
    """The sheets to show, or why there are none."""
    try:
        file = await server.quick(_unchanged, server.library, document)
        boxes = await server.quick(server.library.boxes, document, look.spot.start, look.spot.end)
        at = next((box.page for box in boxes), document.place(look.spot.start).page or 1)
        first = look.page or max(1, at - views.SHEETS // 2)
        of, some = await _aside(partial(_sheets, file, document.kind, first, views.SHEETS))
        return Seen(some, of, boxes) if some else "this file has no such page"
    except (ReadError, NotFound, Refused) as error:
        return f"{error}; this is the text as it was read"


async def _aside(work: Callable[[], R]) -> R:
    """What a call returns that waits for another process, while questions go on."""
    if len(_waiting) >= QUEUE:
        hint = {"Retry-After": "5"}
        raise Refused(429, "too many pages wait to be drawn", "try again in a few seconds", hint)
    mine = object()
    _waiting.add(mine)
    try:
        return await asyncio.get_running_loop().run_in_executor(_drawers(), work)
    finally:
        _waiting.discard(mine)


@cache
def _drawers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(DRAWERS, thread_name_prefix="quoth-draw")


def _unchanged(library: Library, document: Document) -> str:
    """The file of a document with pages, if it is as it was when it was read. Raises NotFound and ReadError."""
    file = next(iter(library._parts.catalog.files_of({document.path})), None)
    if document.kind not in PAGED or file is None or file.path != document.path:
        raise NotFound(f"{document.path} has no pages to show", "look at its text")
    try:
        now = Path(file.path).stat()
    except OSError:
        raise ReadError("the file is not there any more", "quoth sync") from None
    if (now.st_size, now.st_mtime_ns) != (file.size, file.mtime_ns):
        raise ReadError("the file has changed since it was read", "quoth sync")
    return file.path


def _stamp(path: str) -> int:
    try:
        return Path(path).stat().st_mtime_ns
    except OSError:
        raise ReadError("the file is not there any more", "quoth sync") from None


def _sheets(path: str, kind: str, first: int, count: int) -> tuple[int, list[Sheet]]:
    """How many sheets a file has, and some of them."""
    if kind == "pdf":
        return _sizes(path, _stamp(path), first, count)
    _, data = _image(path)
    frame = images.measure(data)[0]
    turn = (1.0, 0.0, 0.0, -1.0, 0.0, float(frame.height))
    return 1, [Sheet(1, frame.width, frame.height, turn)] if first == 1 else []


def _once(key: tuple[str, int, int], work: Callable[[], R]) -> R:
    """What a call gives; a file that failed is not tried again until it changes."""
    if key in _failed:
        raise ReadError(str(_failed[key]), _failed[key].hint)
    try:
        return work()
    except ReadError as error:
        while len(_failed) >= FAILED:
            _failed.pop(next(iter(_failed)), None)
        _failed[key] = error
        raise


@lru_cache(DRAWN)
def _sizes(path: str, stamp: int, first: int, count: int) -> tuple[int, list[Sheet]]:
    return _once((path, stamp, 0), lambda: drawing.sheets(path, first, count))


@lru_cache(DRAWN)
def _picture(path: str, stamp: int, kind: str, page: int, scale: float) -> tuple[str, bytes]:
    if kind == "pdf":
        return "image/png", _once((path, stamp, page), lambda: drawing.draw(path, page, scale))
    return _image(path)


def _image(path: str) -> tuple[str, bytes]:
    """What kind of image a file is, and its bytes."""
    if Path(path).stat().st_size > LARGEST:
        raise ReadError("the image is too large to be shown", "look at its text")
    data = Path(path).read_bytes()
    media = next((name for begins, name in PAINTED if data.startswith(begins)), "")
    if not media or (media == "image/webp" and data[8:12] != b"WEBP") or not images.measure(data):
        raise ReadError("browsers do not show this kind of image", "look at its text")
    return media, data


def _home(library: Library, path: str) -> str:
    """The path as people know it: from the name of its source on."""
    source = next((one.path for one in library.sources() if inside(path, one.path)), path)
    return os.path.relpath(path, Path(source).parent)


def _article(document: Document, look: Look, seen: Seen | str, home: str) -> str:
    """The document as an element: what it is, where the mark is, ways to look at it, and itself."""
    spot = look.spot
    if isinstance(seen, Seen):
        body = views.sheets_view(document, spot, seen.sheets, seen.of, seen.boxes)
    elif document.kind in views.TABLES:
        body = views.table_view(document, spot, look.first)
    elif document.kind in views.MAILS:
        body = views.mail_view(document, spot, look.first)
    else:
        body = views.text_view(document, spot, look.first)
    notes = [*([seen] if isinstance(seen, str) and seen else []), *document.notes]
    noted = "".join(f"<li>{escape(one)}</li>" for one in notes)
    folder, name = os.path.split(home)
    above = f"<bdi>{escape(folder)}{os.sep}</bdi>" if folder else ""
    path = escape(quote(document.path, errors="surrogateescape"))
    title = f'<h2 tabindex="-1">{escape(document.title or name)}</h2>'
    return (
        f'<article class="document" data-path="{path}" data-start="{spot.start}" data-end="{spot.end}">'
        f"<header>{title}"
        f'<p class="place">{escape(where(document.place(spot.start), document.title))}</p>'
        f'<p class="path" title="{escape(document.path)}">{above}<b><bdi>{escape(name)}</bdi></b></p>'
        f'{_ways(document, look, seen)}{f"""<ul class="notes">{noted}</ul>""" if noted else ""}</header>'
        f'<div class="body" tabindex="0" role="region" aria-label="Text of the document">{body}</div></article>'
    )


def _ways(document: Document, look: Look, seen: Seen | str) -> str:
    """Links between the picture of a page and its text."""
    if document.kind not in PAGED:
        return ""
    current = ' aria-current="true"'
    ways = (("sheets", "Page", isinstance(seen, Seen)), ("text", "Text", not isinstance(seen, Seen)))
    links = "".join(
        f'<a class="swap" href="{views.link(document.path, look.spot, {"view": name})}"'
        f"{current if on else ''}>{words}</a>"
        for name, words, on in ways
    )
    return f'<nav class="ways" aria-label="Ways to look at it">{links}</nav>'


def where(place: Place, title: str = "") -> str:
    """A place in words; a heading that only says the title again is left out."""
    heading = "" if place.heading == title else (place.heading or "").removeprefix(f"{title} › ")
    parts = [
        place.cells or "",
        f"page {place.page}" if place.page else "",
        f"line {place.line}" if place.line else "",
        heading,
    ]
    return " · ".join(part for part in parts if part)
