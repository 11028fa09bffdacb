"""The page that people open: a question can be asked at once, with scripts or without.

GET /           ask; with q=… the answer is in the page, with links to /source
GET /library    what is in the library, adding, jobs
GET /evaluate   golden questions, runs and their comparison
GET /login      where a name and a password are asked for
GET /web/…      style sheets and modules, which a browser keeps until they change
GET /examples   questions that this library answers, for a first visit
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict
from functools import lru_cache
from html import escape
from operator import itemgetter
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from quoth.errors import QuothError
from quoth.library import Library
from quoth.serve import entering, gate, shell
from quoth.serve.answers import answer
from quoth.serve.asking import Narrowed
from quoth.serve.problems import status_of
from quoth.serve.replies import as_json, reply
from quoth.serve.state import Server, server_of
from quoth.types import Answer, Filters

router = APIRouter(include_in_schema=False)
EXAMPLES = 3
"""Questions that an empty conversation offers."""
TRIED, LOOKED_AT = 12, 2_000
"""Headings that are tried for them; that are looked at."""
SHORTEST, LONGEST = 4, 48
"""Characters of a heading that may be asked for."""
ASKS = re.compile(
    r"(what|who|when|where|why|how|which|is|are|can|does|do)\b.*\?$|(what|who|where|when) (is|are)\b", re.I
)
Given = Annotated[str, Query(max_length=4_096)]


@router.get("/")
async def ask(
    request: Request,
    q: str = "",
    folder: Given = "",
    kind: Annotated[str, Query(alias="type", max_length=100)] = "",
    after: Given = "",
    before: Given = "",
) -> HTMLResponse:
    """The page to ask in, with an answer where a question comes with it."""
    server = server_of(request)
    fields = {"folder": folder, "type": kind, "after": after, "before": before}
    if not q.strip():
        return await _asking(request, server, _empty(), "", fields)
    try:
        narrowed = Narrowed(
            folders=[folder] if folder else [], kinds=[kind] if kind else [], after=after or None, before=before or None
        )
        filters = narrowed.filters()
        async with server.question():
            made = await server.run(
                _made, server.library, q, filters, not gate.led(request), request.state.visitor.name
            )
    except QuothError as error:
        hint = f"<br><small>{escape(error.hint)}</small>" if error.hint else ""
        said = f'<p class="problem" role="alert">{escape(str(error))}{hint}</p>'
        return await _asking(request, server, said, q, fields, status_of(error))
    return await _asking(request, server, answer(made) + _data(made), q, fields)


@router.get("/library")
async def library(request: Request) -> HTMLResponse:
    """What is in the library."""
    return await _scripted(request, "library", "Library", "What Quoth reads, and what became of each file.")


@router.get("/evaluate")
async def evaluate(request: Request) -> HTMLResponse:
    """Golden questions, runs and their comparison."""
    return await _scripted(
        request, "evaluate", "Evaluate", "Is it better? Golden questions, runs, and their comparison."
    )


@router.get("/login")
async def login(request: Request, next_: Annotated[str, Query(alias="next", max_length=8_192)] = "/") -> HTMLResponse:
    """A form for a name and a password."""
    return _door(request, next_)


@router.post("/login")
async def enter(
    request: Request,
    name: Annotated[str, Form(max_length=200)] = "",
    password: Annotated[str, Form(max_length=4_096)] = "",
    next_: Annotated[str, Form(alias="next", max_length=8_192)] = "/",
) -> Response:
    """Begin a session and go on to the page that was wanted."""
    try:
        secret = await entering.enter(request, name, password)
    except QuothError as error:
        return _door(request, next_, error)
    inside = re.match(r"/(?![/\\])[^\x00-\x20\x7f]*$", next_) is not None and next_.isascii()
    response = RedirectResponse(next_ if inside else "/", 303)
    gate.remember(response, request, secret)
    return response


def _door(request: Request, wanted: str, error: QuothError | None = None) -> HTMLResponse:
    """The form, with what was wrong the last time."""
    said = (
        f'<p class="problem" role="alert">{escape(str(error))}<small>{escape(error.hint)}</small></p>' if error else ""
    )
    body = (
        '<main class="door"><form class="card" method="post" action="/login"><h1>Quoth</h1>'
        f'<p>Sign in to ask this library.</p>{said}<input type="hidden" name="next" value="{escape(wanted)}">'
        '<label for="name">Name</label><input id="name" name="name" autocomplete="username" required autofocus>'
        '<label for="password">Password</label>'
        '<input id="password" name="password" type="password" autocomplete="current-password" required>'
        '<button class="first" type="submit">Sign in</button>'
        "<p class=quiet>Whoever runs this server gives you both: <code>quoth people add</code>.</p></form></main>"
    )
    return shell.page(request, "Sign in", body, name="login", status=status_of(error) if error else 200)


@router.get("/web/{version}/{name}")
async def asset(version: str, name: str) -> Response:
    """A file of the page; the version in its address changes with any of them."""
    del version
    return shell.asset(name)


@router.get("/examples")
async def examples(request: Request) -> Response:
    """Questions made of headings, each of which was tried: the library answers it."""
    server = server_of(request)
    catalog = server.library._parts.catalog
    generation = await server.quick(catalog.get, "generation")
    return reply({"examples": await server.run(_examples, server.library, generation or "")})


def _made(library: Library, question: str, filters: Filters, noted: bool, person: str) -> Answer:
    return library.explain(question, filters, noted=noted, person=person)[0]


async def _asking(
    request: Request, server: Server, turns: str, q: str, fields: dict[str, str], status: int = 200
) -> HTMLResponse:
    """The page to ask in around what was said so far."""
    catalog = server.library._parts.catalog
    counts = await server.quick(catalog.counts)
    kinds = await server.quick(catalog.kinds)
    model = getattr(server.model, "name", "") or ""
    said = _counted(counts)
    main = (
        f'<div id="turns">{turns}</div>{_form(q, fields, list(kinds))}<div id="examples"></div>'
        if counts["documents"]
        else f'<div id="turns">{turns if q else _nothing()}</div>{_form(q, fields, [])}'
    )
    facts = {"model": model, "documents": str(counts["documents"]), "readonly": "yes" if server.readonly else ""}
    return shell.page(request, q, shell.frame("ask", main, said), name="ask", facts=facts, status=status)


async def _scripted(request: Request, name: str, title: str, about: str) -> HTMLResponse:
    """A page that its modules fill."""
    server = server_of(request)
    counts = await server.quick(server.library._parts.catalog.counts)
    without = "<noscript><p>This page needs JavaScript; asking does not: <a href='/'>ask</a>.</p></noscript>"
    main = f'<div class="sheetlike"><h1>{title}</h1><p class="quiet">{about}</p>{without}<div id="{name}"></div></div>'
    facts = {"documents": str(counts["documents"]), "readonly": "yes" if server.readonly else ""}
    return shell.page(request, title, shell.frame(name, main, _counted(counts)), name=name, facts=facts)


def _counted(counts: dict[str, int]) -> str:
    return f"{counts['documents']:,} documents, {counts['passages']:,} passages"


def _empty() -> str:
    return (
        '<section class="welcome"><h1>Ask your files</h1><p>Every answer is a quote, word for word, with the place it'
        " comes from.</p></section>"
    )


def _nothing() -> str:
    return (
        '<section class="welcome"><h1>Ask your files</h1><p>There is nothing to ask yet. Add a folder, and Quoth reads'
        " what is in it; nothing leaves this machine.</p><div id='start'></div>"
        "<noscript><p>On the command line: <code>quoth add FOLDER</code></p></noscript></section>"
    )


def _form(q: str, fields: dict[str, str], kinds: list[str]) -> str:
    """The box for a question, and what it may be narrowed to."""
    options = "".join(
        f"<option{' selected' if one == fields['type'] else ''}>{escape(one)}</option>" for one in sorted(kinds)
    )
    opened = " open" if any(fields.values()) else ""
    value = {name: escape(given) for name, given in fields.items()}
    return (
        '<form id="ask" class="ask" action="/" method="get" role="search"><div class="box">'
        '<label class="away" for="q">Question</label>'
        f'<textarea id="q" name="q" rows="1" placeholder="Ask a question" autocomplete="off">{escape(q)}</textarea>'
        '<button class="first" type="submit">Ask</button></div>'
        f'<details class="filters"{opened}><summary>Filters</summary><div class="row">'
        f'<label>Folder <input name="folder" list="folders" value="{value["folder"]}" placeholder="anywhere"></label>'
        '<datalist id="folders"></datalist>'
        f'<label>Type <select name="type"><option value="">any</option>{options}</select></label>'
        f'<label>From <input type="date" name="after" value="{value["after"]}"></label>'
        f'<label>Before <input type="date" name="before" value="{value["before"]}"></label></div>'
        '<p class="quiet">Or in the question: <code>in:folder</code> <code>type:pdf</code>'
        ' <code>after:2024-01-01</code> <code>"exact words"</code> <code>-word</code></p></details></form>'
    )


def _data(made: Answer) -> str:
    """The record of an answer for the modules, as data that no browser runs."""
    text = as_json(asdict(made)).decode("ascii").replace("<", "\\u003c")
    return f'<script type="application/json" id="answer">{text}</script>'


@lru_cache(4)
def _examples(library: Library, generation: str) -> list[str]:
    """Questions from headings that the library answers with a quote; the generation says when they are old."""
    del generation
    found: list[str] = []
    for question in _headings(library):
        made, _ = library.explain(question, noted=False)
        if made.answered:
            found.append(question)
        if len(found) == EXAMPLES:
            break
    return found


def _headings(library: Library) -> Iterator[str]:
    """Headings of different documents that may be asked for: those first that are questions, titles of all last."""
    rows = library._parts.catalog.connection.execute(
        "select p.document, p.heading from passages p join documents d on d.id = p.document where p.heading <> ''"
        " and d.kind <> 'code' group by p.document, p.heading order by min(p.id) limit ?",
        [LOOKED_AT],
    )
    each: dict[int, tuple[int, str]] = {}
    for number, heading in rows:
        above, _, last = str(heading).rpartition(" › ")
        words = " ".join(last.split()).strip(" .:#")
        if not SHORTEST <= len(words) <= LONGEST:
            continue
        asks = ASKS.match(words) is not None
        found = (0 if asks else 1 if above else 2), f"{words.rstrip('?')}?" if asks else words
        each[number] = min(each.get(number, found), found, key=itemgetter(0))
    some = list(each.values())
    spread = some[:: max(1, len(some) // TRIED)][:TRIED]
    yield from dict.fromkeys(words for _, words in sorted(spread, key=itemgetter(0)))
