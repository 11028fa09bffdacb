"""The commands that open a library to a browser and to other programs: `quoth serve`, `quoth mcp`."""

from __future__ import annotations

import errno
import ipaddress
import json
import os
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from quoth.commands import as_json, open_library
from quoth.errors import UsageError

if TYPE_CHECKING:
    from quoth.config import Config
    from quoth.library import Library
    from quoth.serve.state import Bound

EVERYWHERE = ("0.0.0.0", "::")
"""Addresses by which all that the machine has are meant."""
HERE = frozenset(("127.0.0.1", "localhost", "[::1]"))
TRIED = 20
"""Ports that are tried for one to suggest."""


@click.command()
@click.option("--host", metavar="ADDRESS", default=None, help="Listen here; by default only this machine gets in.")
@click.option("--port", type=click.IntRange(0, 65_535), default=None, help="By default 8777; 0 takes any free one.")
@click.option("--name", "names", multiple=True, metavar="HOST", help="A name that others know this server by.")
@click.option("--read-only", "readonly", is_flag=True, help="Answer, but add, change and note nothing.")
@click.option("--no-watch", "still", is_flag=True, help="Do not keep in step with the sources.")
@click.option("--llm", metavar="MODEL", default=None, help="The language model that writes prose; none is the default.")
@click.option("--open", "show", is_flag=True, help="Open the page in a browser.")
@click.option("--background", "behind", is_flag=True, help="Go on in the background; --stop ends it.")
@click.option("--stop", is_flag=True, help="End the server of this library that runs in the background.")
@as_json
@click.pass_obj
def serve(
    folder: str | None,
    host: str | None,
    port: int | None,
    names: Sequence[str],
    readonly: bool,
    still: bool,
    llm: str | None,
    show: bool,
    behind: bool,
    stop: bool,
    json_: bool,
) -> None:
    """Open the library to a browser and to other programs; a page, REST, OpenAI's API and MCP."""
    from quoth import config

    if behind or stop:
        return _behind(folder, stop, show, json_)
    read = config.read()
    settings = replace(
        read,
        host=read.host if host is None else host,
        port=read.port if port is None else port,
        llm=read.llm if llm is None else llm,
    )
    with ExitStack() as held:
        library = _library(folder or settings.library, readonly)
        held.callback(library.close)
        readonly = readonly or library._parts.readonly
        bound = _bound(library, settings, names)
        tell = held.enter_context(_alone(library, readonly))
        chosen = port is not None or read.port != type(read)().port
        listening = held.enter_context(_listening(settings.host, settings.port, chosen))
        address = f"http://{_written(settings.host)}:{listening.getsockname()[1]}"
        tell(address)
        from quoth.serve import life
        from quoth.serve.state import Ways

        ways = Ways(readonly, not still, lambda: _say(address, library, json_, show))
        life.run(library, settings, replace(bound, address=address), ways, listening)
    return None


@click.command()
@click.pass_obj
def mcp(folder: str | None) -> None:
    """Open the library to one assistant, by the Model Context Protocol on standard input and output."""
    from quoth.serve import mcp as door

    door.over_stdio(lambda: open_library(folder))


def _behind(folder: str | None, stop: bool, show: bool, json_: bool) -> None:
    """Start a server that stays, with the options that were given, or end it."""
    from pathlib import Path

    from quoth.library import default_folder
    from quoth.serve import behind

    place = Path(os.path.abspath(os.path.expanduser(folder))) if folder else default_folder()
    if stop:
        address = behind.stop(place)
        click.echo(json.dumps({"stopped": address}) if json_ else f"the server at {address} has ended")
        return
    arguments = [one for one in sys.argv[1:] if one not in ("--background", "--open", "--json")]
    address, started = behind.start(place, [*arguments, "--json"])
    if not started and arguments[arguments.index("serve") + 1 :]:
        click.echo("note: it ran already, as it was started then; to change its options, end it first", err=True)
    library = "" if folder is None else f"--library {folder} "
    ended = f"quoth {library}serve --stop ends it"
    click.echo(json.dumps({"address": address}) if json_ else f"Quoth is at {address}  ({ended})")
    if show:
        import webbrowser

        webbrowser.open(address)


def _library(folder: str, readonly: bool) -> Library:
    """The library to serve, made where there is none unless it is only to be read."""
    if not readonly:
        return open_library(folder or None, create=True)
    from pathlib import Path

    from quoth.library import Library, default_folder
    from quoth.parts import Parts

    return Library(Parts(Path(os.path.abspath(os.path.expanduser(folder))) if folder else default_folder(), "", True))


def _bound(library: Library, settings: Config, names: Sequence[str]) -> Bound:
    """Who the server answers to. Raises `UsageError` when others would get in without saying who they are."""
    from quoth import access
    from quoth.serve.state import Bound

    host = settings.host
    inside = host == "localhost" or _is_loopback(host)
    others = frozenset(one.lower().rstrip(".") for one in names)
    if inside and not others:
        return Bound(names=HERE | {_written(host).lower()})
    if not access.needed(library):
        by = f"as {', '.join(sorted(others))}" if inside else f"on {host}"
        raise UsageError(
            f"to be reached by others {by}, a server needs a token or a person first",
            "quoth token new --scope ask --name NAME, or: quoth people add NAME --role owner",
        )
    machine = socket.gethostname().lower()
    mine = {machine, f"{machine}.local", *(HERE if inside or host in EVERYWHERE else ())}
    return Bound(names=others | mine | {_written(host).lower()}, open=False, numbers=host in EVERYWHERE, proxied=inside)


@contextmanager
def _alone(library: Library, readonly: bool) -> Iterator[Callable[[str], None]]:
    """A block in which this is the only server that writes to the library."""
    if readonly:
        yield lambda address: None
        return
    from quoth.serve.alone import alone

    with alone(library._parts.folder) as tell:
        yield tell


@contextmanager
def _listening(host: str, port: int, chosen: bool) -> Iterator[socket.socket]:
    """A socket that nobody else has: at the next free port where this one is taken and nobody chose it.

    Raises `UsageError`, with a port that is free, where a port is taken that someone chose.
    """
    try:
        family, *_, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = _bind(family, place)
    except OverflowError:
        raise UsageError(f"{port} is no port", "quoth serve --port 8777") from None
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            why = error.strerror or str(error)
            raise UsageError(f"{host}:{port} cannot be listened on: {why}", "quoth serve --host 127.0.0.1") from None
        free = _free(host, port)
        if not chosen:
            with _listening(host, free, True) as listening:
                yield listening
            return
        raise UsageError(f"port {port} is taken by another program", f"quoth serve --port {free}") from None
    with listening:
        yield listening


def _bind(family: int, place: Sequence[object]) -> socket.socket:
    # with its protocol named, asyncio lets small answers go out at once; else they wait for 40 ms
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(tuple(place))
    except BaseException:
        listening.close()
        raise
    return listening


def _free(host: str, port: int) -> int:
    """A port above one that is taken; 0, which stands for any, where none is found."""
    for other in range(port + 1, min(port + TRIED, 65_536)):
        try:
            family, *_, place = socket.getaddrinfo(host, other, type=socket.SOCK_STREAM)[0]
            _bind(family, place).close()
        except OSError:
            continue
        return other
    return 0


def _say(address: str, library: Library, as_json: bool, show: bool) -> None:
    """Tell where the server is, now that it takes connections."""
    if as_json:
        click.echo(json.dumps({"address": address}))
    else:
        click.echo(f"Quoth is at {address}  (Ctrl-C ends it)")
        if not library.sources():
            click.echo("  the library is empty: add a folder on the page, or with quoth add FOLDER")
    if show:
        import threading
        import webbrowser

        threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()


def _written(host: str) -> str:
    """The host as it stands in an address that a browser on this machine can go to."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"[{host}]" if ":" in host else host


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
