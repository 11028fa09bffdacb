"""Who may come in: hosts, origins, tokens, sessions, sizes; and the headers that keep a page to itself.

A page of another site that a browser has open can send requests here, and by a name of its own that it points at
this machine (DNS rebinding) even read the answers. So the Host header must be a name of this server, and whatever
changes something must come from its own page or from a program, which sends no Origin.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
from collections.abc import Callable
from contextlib import suppress
from http.cookies import CookieError, SimpleCookie
from urllib.parse import quote, urlsplit

from fastapi import Request
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from quoth import access
from quoth.access import Visitor
from quoth.catalog.people import Scope as May
from quoth.config import MIB
from quoth.errors import QuothError
from quoth.serve.problems import Refused, told, unexpected
from quoth.serve.state import Server

COOKIE = "quoth"
"""The cookie that holds a session."""
OPEN = ("/healthz", "/readyz", "/login", "/api/login", "/web/", "/favicon.ico")
"""What anybody may ask for: the beginnings of paths that end in "/", whole paths else."""
PROGRAMS = ("/api/", "/v1/", "/mcp")
"""What programs use, also those of the page: nothing that a browser goes to from another site."""
FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")
"""Headers by which a proxy gives itself away."""
SAFE = ("GET", "HEAD", "OPTIONS")
PORT = re.compile(r":[0-9]{1,5}$")
MOST_BODY = 4 * MIB
"""Bytes of a request that is no upload."""
DRAINED = 64 * MIB
"""Bytes of a request that is too large which are read all the same, so that its sender reads the answer."""
PATIENCE = 10.0
"""Seconds for that."""
POLICY = (
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'; img-src 'self'"
)
SECURE = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # with no-referrer a browser would hide the origin of the page's own forms
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
EVERYBODY = Visitor("", "admin", "loopback")
"""Whoever is at this machine, where the library has no tokens and no people."""


def require(scope: May) -> Callable[[Request], Visitor]:
    """A dependency: the visitor, who may do this."""

    def visitor(request: Request) -> Visitor:
        found: Visitor | None = request.state.visitor
        if found is None:
            raise _unknown()
        if not found.may(scope):
            raise Refused(403, f"{found.name} may not do this: it needs {scope}, not {found.scope}", "ask an owner")
        return found

    return visitor


class Gate:
    """The one way into the application."""

    def __init__(self, app: ASGIApp, server: Server) -> None:
        self.app = app
        self.server = server

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or answer why not."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        leaving = _Leaving(scope["path"], send)
        body = _Body(receive, self._most(scope["path"]))
        try:
            refused = await self._checked(scope, body)
            if refused is None:
                await self.app(scope, body.receive, lambda message: leaving.send(message, body.over))
            if refused is None and not body.over:
                return None
            refused = refused or told(body.refusal(), scope["path"])
        except QuothError as error:
            refused = told(error, scope["path"])
        except Exception as error:
            problem = unexpected(f"{scope['method']} {scope['path']}", error)
            if leaving.begun:
                raise
            refused = told(problem, scope["path"])
        if Headers(scope=scope).get("expect") is None:
            await body.drain()
        return await refused(scope, receive, leaving.send)

    def _most(self, path: str) -> int:
        return MOST_BODY + (self.server.config.most_upload * MIB if path == "/api/upload" else 0)

    async def _checked(self, scope: Scope, body: _Body) -> Response | None:
        """The answer to a request that is not let in; raises `Refused` for most."""
        headers = Headers(scope=scope)
        host = self._host(headers)
        self._origin(scope, headers, host)
        scope["state"]["visitor"] = visitor = await self._visitor(headers)
        path, method = scope["path"], scope["method"]
        if visitor is None and not any(path == one or (one[-1] == "/" and path.startswith(one)) for one in OPEN):
            if method in SAFE and "text/html" in headers.get("accept", "") and not path.startswith(PROGRAMS):
                wanted = path + (f"?{scope['query_string'].decode('latin-1')}" if scope["query_string"] else "")
                return RedirectResponse(f"/login?next={quote(wanted, safe='')}", 303)
            raise _unknown()
        if visitor is not None and visitor.via == "session" and method not in SAFE and path not in OPEN:
            mine = headers.get("x-quoth") == "1" or not path.startswith(PROGRAMS)
            if not mine or "origin" not in headers:
                raise Refused(403, "a session is only good for the page itself", "programs use a token")
        body.check(headers)
        return None

    def _host(self, headers: Headers) -> str:
        """The host that the request names, which must be ours."""
        named = headers.get("host", "").lower()
        name = PORT.sub("", named)
        bound = self.server.bound
        if name in bound.names or (bound.numbers and _is_number(name)):
            return named
        hint = f"quoth serve --name {name}" if name.replace(".", "").replace("-", "").isalnum() else ""
        raise Refused(421, "this server does not go by the name in the Host header", hint)

    def _origin(self, scope: Scope, headers: Headers, host: str) -> None:
        """Raise `Refused` when a page of another site is behind a request; a link that it leads here by is marked."""
        origin = headers.get("origin")
        from_elsewhere = origin is not None and _netloc(origin) != host
        led = headers.get("sec-fetch-site") in ("cross-site", "same-site")
        if led:
            # somebody may follow a link to the page, and nothing else: no picture, no script, no style either
            going = headers.get("sec-fetch-mode") == "navigate" and not scope["path"].startswith(PROGRAMS)
            from_elsewhere = from_elsewhere or not (scope["method"] in SAFE and going)
        scope.setdefault("state", {})["led"] = led
        if from_elsewhere:
            raise Refused(
                403, "a page of another site sent this request", f"use the page at {self.server.bound.address}"
            )

    async def _visitor(self, headers: Headers) -> Visitor | None:
        """Whoever asks, as far as it is known."""
        server = self.server
        if server.bound.open and not await server.needed():
            if any(one in headers for one in FORWARDED):
                raise Refused(
                    403, "a proxy passes on what others ask, and this library has neither tokens nor people",
                    "quoth people add NAME --role owner, or: quoth token new --scope ask --name NAME",
                )  # fmt: skip
            return EVERYBODY
        kind, _, secret = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer":
            found = await server.quick(access.check_token, server.library, secret.strip())
            if found is None:
                raise _unknown("this token is not known here, or it has expired")
            return found
        session = session_of(headers)
        return await server.quick(access.check_session, server.library, session) if session else None


def led(request: Request) -> bool:
    """Whether a page of another site led here: what is asked by its link, nobody asked, so it is not noted."""
    found: bool = request.state.led
    return found


def session_of(headers: Headers) -> str:
    """The secret of the session that a request carries, "" without one."""
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found else ""


def remember(response: Response, request: Request, secret: str) -> None:
    """Have the browser keep a session; "" has it forget the one that it has."""
    response.set_cookie(
        COOKIE,
        secret,
        max_age=int(access.IDLE) if secret else 0,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )


class _Body:
    """The body of a request, of which no more is passed on than it may have."""

    def __init__(self, receive: Receive, most: int) -> None:
        self._receive = receive
        self._most = most
        self._seen = 0
        self._more = True
        self.over = False

    def check(self, headers: Headers) -> None:
        """Raise `Refused` for a body that says itself that it is too large."""
        said = headers.get("content-length", "0")
        if said.isdecimal() and int(said) > self._most:
            raise self.refusal()

    def refusal(self) -> Refused:
        """What is said of a body that is too large."""
        return Refused(413, f"a request here has at most {self._most // MIB:,} MiB", "send less at once")

    async def receive(self) -> Message:
        """The next piece. Raises `Refused` when there were too many."""
        message = await self._receive()
        if message["type"] == "http.request":
            self._seen += len(message.get("body", b""))
            self._more = message.get("more_body", False)
            if self._seen > self._most:
                self.over = True
                raise self.refusal()
        return message

    async def drain(self) -> None:
        """Read what is left, for a while: a sender that is cut off may never see the answer."""
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                while self._more and self._seen <= DRAINED + self._most:
                    message = await self._receive()
                    self._seen += len(message.get("body", b""))
                    self._more = message["type"] == "http.request" and message.get("more_body", False)


class _Leaving:
    """What is sent, with the headers that a browser is to keep to."""

    def __init__(self, path: str, send: Send) -> None:
        self._send = send
        self._private = path.startswith(PROGRAMS)
        self.begun = False

    async def send(self, message: Message, dropped: bool = False) -> None:
        """Send one message on; `dropped` when another answer takes its place."""
        if dropped and not self.begun:
            return
        if message["type"] == "http.response.start":
            self.begun = True
            headers = MutableHeaders(scope=message)
            for name, value in SECURE.items():
                headers.setdefault(name, value)
            if self._private:
                headers.setdefault("Cache-Control", "no-store")
        await self._send(message)


def _unknown(said: str = "a token or a login is needed") -> Refused:
    return Refused(401, said, "quoth token new --name NAME --scope ask", {"WWW-Authenticate": "Bearer"})


def _netloc(origin: str) -> str | None:
    """Host and port of an origin, None where it has none."""
    try:
        return urlsplit(origin).netloc.lower() or None
    except ValueError:
        return None


def _is_number(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
