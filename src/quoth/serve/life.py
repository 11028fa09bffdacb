"""The life of a server: listen, answer, and on being told to end, finish what is running first."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import sys
from contextlib import suppress

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from quoth.config import Config
from quoth.library import Library
from quoth.serve import uploading
from quoth.serve.app import create
from quoth.serve.state import Bound, Server, Ways

GRACE = 30
"""Seconds that running requests have when the server is told to end; the longest answer of a model comes on top."""
FIRST = 30.0
"""Seconds in which a new connection sends the head of a request, or it is closed."""
FILES = 65_536
"""Files and connections that may be open at once, where the system lets a process have so many."""
WAITING = 256
"""Connections that may wait to be taken up."""
SWITCH = 0.001
"""Seconds after which a thread that computes lets another one go on: health checks and streams are short."""


def run(library: Library, config: Config, bound: Bound, ways: Ways, listening: socket.socket) -> None:
    """Serve a library on a socket until SIGTERM or Ctrl-C; a second Ctrl-C waits for nothing."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    server = Server(library, config, bound, ways)
    settings = uvicorn.Config(
        create(server),
        log_config=None,
        access_log=False,
        server_header=False,
        # what a header says of who asks is believed only where a proxy was named: others would guess passwords by it
        proxy_headers=bound.proxied,
        http=Prompt,
        lifespan="on",
        timeout_graceful_shutdown=GRACE + (0 if config.llm in ("", "none") else int(config.llm_timeout)),
    )
    running = uvicorn.Server(settings)

    def end() -> None:
        running.force_exit = running.should_exit
        running.should_exit = True
        server.closing.set()

    def begun() -> None:
        # in the place of uvicorn's own, which would raise the signal again at the end
        for one in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(one, end)

    server.on_start.append(begun)
    if not ways.readonly:
        server.on_start.append(lambda: uploading.sweep(server.uploads))
    _open_many()
    listening.listen(WAITING)
    ways.listening()
    sys.setswitchinterval(SWITCH)
    running.run([listening])


class Prompt(H11Protocol):
    """A connection that is closed when no request comes by it: many idle ones would use up all that may be open."""

    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a request, for a while."""
        super().connection_made(transport)
        self._late = self.loop.call_later(FIRST, self._close_idle)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        if self._late:
            self._late.cancel()
        super().connection_lost(exc)

    def _close_idle(self) -> None:
        if not self.cycle:  # there is one from the first request on
            self.transport.close()


def _open_many() -> None:
    """Raise the number of files that may be open to what the system allows."""
    try:
        import resource
    except ModuleNotFoundError:  # Windows has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(hard, FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
