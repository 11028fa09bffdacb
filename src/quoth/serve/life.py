"""The life of a server: listen, answer, and on being told to end, finish what is running first."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import sys

import uvicorn

from quoth.config import Config
from quoth.library import Library
from quoth.serve.app import create
from quoth.serve.state import Bound, Server, Ways

GRACE = 30
"""Seconds that running requests have when the server is told to end; the longest answer of a model comes on top."""
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
    listening.listen(WAITING)
    ways.listening()
    sys.setswitchinterval(SWITCH)
    running.run([listening])
