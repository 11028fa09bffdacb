"""Who may come in: hosts, origins, tokens, sessions, sizes; and the headers that keep a page to itself."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from quoth.serve.state import Server


class Gate:
    """The one way into the application."""

    def __init__(self, app: ASGIApp, server: Server) -> None:
        self.app = app
        self.server = server

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)
