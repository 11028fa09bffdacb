"""What every request uses: the library, threads to work in, room for questions, the background writer."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from fastapi import Request

from quoth import access
from quoth.access import Attempts
from quoth.config import Config
from quoth.errors import QuothError, ReadOnly
from quoth.library import Library
from quoth.serve.keeper import Keeper
from quoth.serve.problems import Refused

if TYPE_CHECKING:
    from quoth.types import LanguageModel

R = TypeVar("R")
log = logging.getLogger("quoth.serve")
QUICK = 4
"""Threads for what takes milliseconds, beside those that compute: a look into the catalog waits for no question."""
FRESH = 1.0
"""Seconds for which it is remembered whether visitors need to say who they are."""
LATER = 2
"""Seconds after which a visitor who was turned away may try again."""


@dataclass(frozen=True, slots=True)
class Bound:
    """Where the server listens: `names` are the hosts it answers to, `open` says that no other machine gets in."""

    address: str = "http://127.0.0.1:8777"
    names: frozenset[str] = frozenset(("127.0.0.1", "localhost", "[::1]"))
    open: bool = True
    numbers: bool = False
    """Whether any address in numbers will do as a host, because it listens on all that the machine has."""
    proxied: bool = False
    """Whether a proxy on this machine passes on what others ask, and says who they are."""


@dataclass(slots=True)
class Room:
    """Room for questions: so many are answered at once, as many wait, the others are turned away."""

    most: int
    answering: asyncio.Semaphore
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class Ways:
    """How a server is run: whether it may write, whether it keeps the sources watched, who is told that it listens."""

    readonly: bool = False
    watching: bool = True
    listening: Callable[[], None] = field(default=lambda: None)


class Server:
    """A library that is served. `request.app.state.server` holds it; `running` is its life."""

    def __init__(self, library: Library, config: Config, bound: Bound = Bound(), ways: Ways = Ways()) -> None:
        self.library = library
        self.config = config
        self.bound = bound
        self.ways = ways
        self.model: LanguageModel | None = None
        self.failure: QuothError | None = None
        self.notes: list[str] = []
        self.ready = False
        self.closing = asyncio.Event()
        self.on_start: list[Callable[[], None]] = []
        self.attempts = Attempts()
        self.keeper = Keeper(library._parts.folder, ways.watching and not ways.readonly)
        self._needed = (False, -FRESH)
        # one more than there are cores: while one waits for the lock of Python, or for vectors, another goes on
        self._compute = ThreadPoolExecutor((os.cpu_count() or 1) + 1, thread_name_prefix="quoth-ask")
        self._quick = ThreadPoolExecutor(QUICK, thread_name_prefix="quoth-quick")
        self._slow = ThreadPoolExecutor(1, thread_name_prefix="quoth-password")
        self._room = Room(max(1, config.most_asks), asyncio.Semaphore(max(1, config.most_asks)))
        self._warming: asyncio.Future[None] | None = None

    @property
    def readonly(self) -> bool:
        """Whether nothing of the library is changed by this server."""
        return self.ways.readonly

    @property
    def uploads(self) -> Path:
        """Where uploads land: beside the library, for what lies in it is no source."""
        folder = self.library._parts.folder
        return folder.with_name(f"{folder.name}-uploads")

    def writable(self) -> None:
        """Raise `ReadOnly` where nothing may be changed, `LibraryError` where the library is not there any more."""
        if self.readonly:
            raise ReadOnly("this server only reads the library", "start quoth serve without --read-only")
        self.library._parts.check_there()

    async def needed(self) -> bool:
        """Whether everybody must say who they are."""
        needed, at = self._needed
        if time.monotonic() - at > FRESH:
            needed = await self.quick(access.needed, self.library)
            self._needed = needed, time.monotonic()
        return needed

    async def run(self, function: Callable[..., R], /, *arguments: object) -> R:
        """What a function that computes returns; as many run at once as there are cores, and one."""
        await self.warmed()
        return await self._in(self._compute, partial(function, *arguments))

    async def warmed(self) -> None:
        """Wait until everything is loaded, so that two requests do not load it twice."""
        if self._warming is not None:
            await asyncio.shield(self._warming)

    async def quick(self, function: Callable[..., R], /, *arguments: object) -> R:
        """What a function returns that takes milliseconds: it waits for no question."""
        return await self._in(self._quick, partial(function, *arguments))

    async def slow(self, function: Callable[..., R], /, *arguments: object) -> R:
        """What a function returns that hashes a password: one at a time, and nothing else waits for it."""
        return await self._in(self._slow, partial(function, *arguments))

    @staticmethod
    async def _in(threads: ThreadPoolExecutor, function: Callable[[], R]) -> R:
        return await asyncio.get_running_loop().run_in_executor(threads, function)

    @asynccontextmanager
    async def question(self) -> AsyncIterator[None]:
        """A block in which a question is answered. Raises `Refused` (429) when too many wait already."""
        room = self._room
        if room.waiting >= room.most and room.answering.locked():
            raise Refused(
                429,
                f"{2 * room.most} questions are being answered or wait already",
                f"ask again in {LATER} seconds",
                {"Retry-After": str(LATER)},
            )
        room.waiting += 1
        try:
            await room.answering.acquire()
        finally:
            room.waiting -= 1
        try:
            yield
        finally:
            room.answering.release()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The server's life: the library is made ready in the background, and closed at the end."""
        self._warming = asyncio.ensure_future(self._warm())
        for begin in self.on_start:
            begin()
        self.keeper.start(self._warming)
        try:
            yield
        finally:
            self.closing.set()
            await self.keeper.close()
            await asyncio.wait([self._warming])
            for threads in (self._compute, self._quick, self._slow):
                await asyncio.to_thread(threads.shutdown, wait=True, cancel_futures=True)
            if self.model is not None:
                await self.model.close()
            self.library.close()

    async def _warm(self) -> None:
        """Load what a first question would wait for."""
        try:
            await self._in(self._compute, self._load)
            self.ready = True
        except QuothError as error:
            self.failure = error
            log.error("the library is not ready: %s", error)

    def _load(self) -> None:
        self.model = self._open_model()
        # a first question imports, opens and compiles everything that later ones use
        self.library.explain("Is everything ready?", noted=False)
        gc.freeze()  # what is loaded now stays, and need not be looked through for garbage at every turn

    def _open_model(self) -> LanguageModel | None:
        """The language model of the settings; where it cannot be had, answers are plain quotes and a note says why."""
        from quoth import llm

        config = self.config
        if config.llm in ("", "none"):
            return None
        prices = (config.llm_price_in, config.llm_price_out)
        try:
            return llm.open(
                config.llm, key=config.llm_key, context=config.llm_context, timeout=config.llm_timeout, prices=prices
            )
        except QuothError as error:
            self.notes.append(f"no language model writes: {error}" + (f" ({error.hint})" if error.hint else ""))
            log.error(self.notes[-1])
            return None
        except Exception as error:  # whatever it is, answers in quotes need no model
            self.notes.append(f"no language model writes: {type(error).__name__} (see quoth models)")
            log.exception(self.notes[-1])
            return None


def server_of(request: Request) -> Server:
    """The server that a request came to."""
    server: Server = request.app.state.server
    return server
