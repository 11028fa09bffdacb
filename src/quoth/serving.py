"""The commands that open a library to a browser and to other programs: `quoth serve`, `quoth mcp`."""

from __future__ import annotations

import json
import signal
import socket
import sys
from dataclasses import replace

import click

from quoth.commands import as_json, open_library
from quoth.errors import UsageError


@click.command()
@click.option("--host", metavar="ADDRESS", default=None, help="Listen here; by default only this machine gets in.")
@click.option("--port", type=click.IntRange(0, 65_535), default=None, help="By default 8777; 0 takes any free one.")
@click.option("--read-only", "readonly", is_flag=True, help="Answer, but add, change and note nothing.")
@click.option("--no-watch", "still", is_flag=True, help="Do not keep in step with the sources.")
@click.option("--llm", metavar="NAME", default=None, help="The language model that writes prose (none).")
@as_json
@click.pass_obj
def serve(
    folder: str | None, host: str | None, port: int | None, readonly: bool, still: bool, llm: str | None, json_: bool
) -> None:
    """Open the library: a page for people, doors for programs."""
    from quoth import config

    settings = config.read()
    settings = replace(
        settings,
        host=host or settings.host,
        port=settings.port if port is None else port,
        llm=settings.llm if llm is None else llm,
    )
    listening = _listen(settings.host, settings.port)
    library = open_library(folder, create=True)
    import asyncio

    import uvicorn

    from quoth.serve import app, state

    number = listening.getsockname()[1]
    address = f"http://{settings.host}:{number}"

    def begun() -> None:
        loop = asyncio.get_running_loop()
        for one in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(one, end)

    def end() -> None:
        running.force_exit = running.should_exit
        running.should_exit = True
        server.closing.set()

    server = state.Server(library, settings, state.Bound(address), state.Ways(readonly, not still, begun))
    running = uvicorn.Server(
        uvicorn.Config(app.create(server), log_config=None, access_log=False, server_header=False, lifespan="on")
    )
    listening.listen(128)
    click.echo(json.dumps({"address": address}) if json_ else f"Quoth is at {address}")
    sys.stdout.flush()
    sys.setswitchinterval(0.001)
    running.run([listening])


@click.command()
@click.pass_obj
def mcp(folder: str | None) -> None:
    """Open the library to one assistant, by the Model Context Protocol on standard input and output."""
    from quoth.serve import mcp as door

    door.over_stdio(lambda: open_library(folder))


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        raise UsageError(f"{host}:{port} cannot be listened on: {error.strerror}", "quoth serve --port 0") from None
    return listening
