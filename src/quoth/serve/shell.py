"""What all pages have around them, and the files of the page: style sheets and modules, packaged as they are."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from html import escape
from importlib import resources
from pathlib import PurePath

from fastapi import Request
from starlette.responses import HTMLResponse, Response

from quoth.errors import NotFound

MEDIA = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
PLACES = (("ask", "/", "Ask"), ("library", "/library", "Library"), ("evaluate", "/evaluate", "Evaluate"))
FOREVER = {"Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}


@cache
def files() -> Mapping[str, bytes]:
    """The files of the page by their names."""
    folder = resources.files("quoth.serve").joinpath("web")
    return {one.name: one.read_bytes() for one in folder.iterdir() if PurePath(one.name).suffix in MEDIA}


@cache
def version() -> str:
    """A name for these files as they are, so that a browser may keep them for ever."""
    told = hashlib.sha256()
    for name, data in sorted(files().items()):
        told.update(name.encode() + b"\0" + data)
    return told.hexdigest()[:12]


def asset(name: str) -> Response:
    """One of the files of the page. Raises NotFound."""
    data = files().get(name)
    if data is None:
        raise NotFound(f"the page has no file {name}")
    return Response(data, media_type=MEDIA[PurePath(name).suffix], headers=FOREVER)


def html(text: str, status: int = 200) -> HTMLResponse:
    """A response of HTML; bytes of file names that are no text are shown as such."""
    return HTMLResponse(text.encode("utf-8", "replace"), status, {"Cache-Control": "no-store"})


def _needed(file: str, name: str) -> bool:
    """Whether a page needs a module from the start."""
    return {"ask.js": "ask", "evaluate.js": "evaluate"}.get(file, name) == name


def page(
    request: Request,
    title: str,
    body: str,
    *,
    name: str = "",
    facts: Mapping[str, str] | None = None,
    status: int = 200,
) -> HTMLResponse:
    """A whole page: `body` inside, `facts` as data for the modules, `name` says which page it is."""
    where = f"/web/{version()}"
    scripts = ""
    if name in {one for one, _, _ in PLACES}:
        wanted = [one for one in files() if one.endswith(".js") and one not in ("app.js", "theme.js")]
        # all at once, instead of one after the other as each names the next
        ahead = "".join(
            f'<link rel="modulepreload" href="{where}/{one}">' for one in sorted(wanted) if _needed(one, name)
        )
        scripts = f'{ahead}<script type="module" src="{where}/app.js"></script>'
    visitor = getattr(request.state, "visitor", None)
    told = {"page": name, "scope": getattr(visitor, "scope", ""), "name": getattr(visitor, "name", "")} | dict(
        facts or {}
    )
    data = "".join(f' data-{key}="{escape(value)}"' for key, value in told.items())
    shown = f"{title} · Quoth" if title else "Quoth"
    return html(
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><meta name="referrer" content="same-origin">'
        f"<title>{escape(shown)}</title>"
        f'<link rel="icon" href="{where}/icon.svg" type="image/svg+xml">'
        f'<link rel="stylesheet" href="{where}/style.css">'
        f'<script src="{where}/theme.js"></script>{scripts}</head>'
        f"<body{data}>{body}</body></html>\n",
        status,
    )


def frame(name: str, main: str, said: str) -> str:
    """The three panes: places, threads and sources | `main` | the source. `said` stands below the first."""
    links = "".join(
        f'<li><a href="{where}"{""" aria-current="page" """ if name == one else ""}>{words}</a></li>'
        for one, where, words in PLACES
    )
    return (
        '<a class="skip" href="#talk">Skip to the content</a><div class="frame">'
        '<nav class="side" id="side" aria-label="Quoth"><a class="brand" href="/">Quoth</a>'
        f'<ul class="places">{links}</ul><div id="threads"></div><div id="sources"></div>'
        f'<footer><p class="said">{said}</p><div id="person"></div><div id="switches"></div></footer></nav>'
        f'<main class="talk" id="talk" tabindex="-1">{main}</main>'
        '<aside class="source" id="source" aria-label="Source" hidden></aside></div>'
        '<div id="tabs"></div><div id="told" class="away" role="status"></div>'
    )
