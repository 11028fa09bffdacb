"""The one background writer: commands in a process of their own, one after the other, and the sources watched.

A command waits while somebody else writes to the library, and says who. The watcher holds the writer's lock
only while it writes, so it goes on beside a command; where it is in a command's way, it is ended and begun
again afterwards. When somebody cancels a job, nothing is watched until the next command: what was cancelled
would be taken up again at once. Evaluations write to no index: they run beside.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from quoth.errors import NotFound
from quoth.serve.problems import Refused

log = logging.getLogger("quoth.serve")
State = Literal["waiting", "running", "done", "failed", "cancelled"]
KEPT, MOST = 50, 500
"""Commands that are remembered when they are over; commands that may wait."""
AGAIN = 1.0
"""Seconds until a command that somebody else's writing kept out is tried again."""
SOONEST, LATEST = 2.0, 60.0
"""Seconds until a watcher that ended by itself is begun again: doubled each time."""
TOLD = 130
"""The code that a command ends with when it is told to end."""
END = 30.0
"""Seconds that a process has to end when it is told to."""
BUSY = " is being written to by "
"""By these words of its error a command is known that another one kept out."""
STOPPED = " was cancelled; "
"""By these words one that somebody cancelled."""
READING = ("add", "sync")
"""Commands that read files, and leave the machine to those who ask."""
COUNTED = ("failed", "skipped", "outcomes")
"""Lists of a result of which only the length is kept."""


@dataclass(slots=True)
class Queued:
    """A command of the background: what it is, how it stands, and what came of it."""

    number: int
    command: str
    places: tuple[str, ...]
    queued: float
    state: State = "waiting"
    said: str = ""
    hint: str = ""
    result: dict[str, object] = field(default_factory=dict)

    @property
    def over(self) -> bool:
        """Whether nothing of it is to come."""
        return self.state not in ("waiting", "running")


@dataclass(slots=True)
class _Work:
    """A command with what is needed to run it."""

    told: Queued
    arguments: Sequence[str]
    then: Callable[[], None] | None = None
    process: asyncio.subprocess.Process | None = None
    dropped: bool = False
    over: asyncio.Event = field(default_factory=asyncio.Event)


class _Lane:
    """Commands of which one runs at a time."""

    def __init__(self) -> None:
        self.waiting: list[_Work] = []
        self.now: _Work | None = None
        self.news = asyncio.Event()


class Keeper:
    """Runs commands on the library in `folder`, and keeps its sources watched. For one event loop only."""

    def __init__(self, folder: Path, watching: bool) -> None:
        self._folder = folder
        self._watching = watching
        self._writing, self._beside = _Lane(), _Lane()
        self._over: list[_Work] = []
        self._last = 0
        self._tasks: list[asyncio.Task[None]] = []
        self._watcher: asyncio.subprocess.Process | None = None
        self._may_watch = asyncio.Event()
        self.watch = "off"
        """How watching stands, in words: "on", "off", or what keeps it from going on."""

    def start(self, after: asyncio.Future[None]) -> None:
        """Begin to work; to watch once `after` is done, so that the start is not held up."""
        self._tasks = [asyncio.create_task(self._work(lane)) for lane in (self._writing, self._beside)]
        if self._watching:
            self._may_watch.set()
            self._tasks.append(asyncio.create_task(self._follow(after)))

    async def close(self) -> None:
        """End what is running, and wait until it has ended."""
        for task in self._tasks:
            task.cancel()
        running = [lane.now.process for lane in (self._writing, self._beside) if lane.now]
        await asyncio.gather(*(_ended(one) for one in [*running, self._watcher]))
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # -- commands ------------------------------------------------------------------------------

    def put(
        self,
        command: str,
        places: Sequence[str] = (),
        options: Sequence[str] = (),
        then: Callable[[], None] | None = None,
    ) -> Queued:
        """Have a command run when its turn comes, and `then` something small once it is done.

        The same command is not queued twice.
        """
        lane = self._beside if command == "evaluate" else self._writing
        nice = ["--nice"] if command in READING else []
        arguments = [*command.split(), *nice, *options, *places, "--json"]
        for work in lane.waiting:
            if work.arguments == arguments and work.told.state == "waiting":
                return work.told
        if len(lane.waiting) >= MOST:
            raise Refused(
                429, f"{MOST} commands are waiting already", "wait until some are done", {"Retry-After": "10"}
            )
        self._last += 1
        work = _Work(Queued(self._last, command, tuple(places), time.time()), arguments, then)
        lane.waiting.append(work)
        lane.news.set()
        if self._watching:
            self._may_watch.set()
        return work.told

    def queued(self) -> list[Queued]:
        """The commands that run or wait, in their order."""
        lanes = (self._writing, self._beside)
        return [work.told for lane in lanes for work in ([lane.now] if lane.now else []) + lane.waiting]

    def over(self) -> list[Queued]:
        """The last commands that are over, the newest first."""
        return [work.told for work in reversed(self._over)]

    def one(self, number: int) -> Queued:
        """A command by its number."""
        return self._find(number).told

    async def wait(self, number: int, seconds: float) -> Queued:
        """A command once it is over, or as it is after so many seconds."""
        work = self._find(number)
        with suppress(TimeoutError):
            await asyncio.wait_for(work.over.wait(), seconds)
        return work.told

    async def cancel(self, number: int) -> Queued:
        """Stop a command, or have it never begin; what it had written is kept."""
        work = self._find(number)
        if work.told.over:
            raise NotFound(f"command {number} is over: it is {work.told.state}", "/api/jobs lists them")
        await self.hush(f"nothing is watched since {work.told.command} was cancelled")
        work.told.state, work.dropped = "cancelled", True
        if work.process is not None:
            await _ended(work.process)
        elif work not in (self._writing.now, self._beside.now):
            self._leave(work)
        return work.told

    async def hush(self, why: str) -> None:
        """Watch nothing until the next command."""
        self._may_watch.clear()
        if self._watching:
            self.watch = f"{why}; the next command goes on with it"
        await _ended(self._watcher)

    def _find(self, number: int) -> _Work:
        for lane in (self._writing, self._beside):
            for work in [*([lane.now] if lane.now else []), *lane.waiting, *self._over]:
                if work.told.number == number:
                    return work
        raise NotFound(f"there is no command {number}", "/api/jobs lists them")

    def _leave(self, work: _Work) -> None:
        for lane in (self._writing, self._beside):
            if work in lane.waiting:
                lane.waiting.remove(work)
        self._over = [*self._over[1 - KEPT :], work]
        work.over.set()

    # -- running -------------------------------------------------------------------------------

    async def _work(self, lane: _Lane) -> None:
        """Run the commands of a lane, one after the other."""
        while True:
            while not lane.waiting:
                lane.news.clear()
                await lane.news.wait()
            work = lane.now = lane.waiting.pop(0)
            try:
                while await self._kept_out(work):
                    await asyncio.sleep(AGAIN)
            except OSError as error:
                work.told.state, work.told.said = "failed", f"it could not be started: {error.strerror}"
            finally:
                lane.now = None
            self._leave(work)

    async def _kept_out(self, work: _Work) -> bool:
        """Run a command; whether it is to be tried again, because another process writes."""
        told = work.told
        if work.dropped:
            return False
        told.state = "running"
        work.process = process = await self._begin(work.arguments)
        out, err = await asyncio.gather(_all(process.stdout), _all(process.stderr))
        code = await process.wait()
        work.process = None
        if work.dropped:
            return False
        said, hint = _error(err)
        if code and BUSY in said:
            told.state, told.said, told.hint = "waiting", said, hint
            if self._watcher and f"process {self._watcher.pid} " in said:
                await _ended(self._watcher)
            return True
        told.result, told.said, told.hint = _result(out), said, hint
        if code == 0:
            told.state, told.said = "done", ""
            if work.then:
                work.then()
        elif STOPPED in said or code == TOLD:
            told.state = "cancelled"
        else:
            told.state, told.said = "failed", said or f"it ended with code {code}"
            log.error("quoth %s: %s", work.told.command, err.strip() or told.said)
        return False

    async def _begin(self, arguments: Sequence[str]) -> asyncio.subprocess.Process:
        """A process with the command, which ends when this one does."""
        pipe = asyncio.subprocess.PIPE
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "quoth.serve.leash", *arguments, stdin=pipe, stdout=pipe, stderr=pipe,
            start_new_session=True, env=os.environ | {"QUOTH_LIBRARY": str(self._folder)},
        )  # fmt: skip

    # -- watching ------------------------------------------------------------------------------

    async def _follow(self, after: asyncio.Future[None]) -> None:
        """Keep a watcher running."""
        await asyncio.wait([after])
        wait = SOONEST
        while True:
            await self._may_watch.wait()
            begun = time.monotonic()
            try:
                self._watcher = process = await self._begin(("sync", "--watch", "--nice", "--json"))
                self.watch = "on"
                _, err = await asyncio.gather(_drained(process.stdout), _all(process.stderr))
                await process.wait()
            finally:
                self._watcher = None
            if not self._may_watch.is_set():
                continue
            wait = SOONEST if time.monotonic() - begun > LATEST else min(2 * wait, LATEST)
            if (said := _error(err)[0]) and process.returncode != TOLD:
                self.watch = f"nothing is watched for {wait:.0f} seconds: {said}"
                log.warning("the watcher ended: %s", said)
            await asyncio.sleep(wait)


async def _ended(process: asyncio.subprocess.Process | None) -> None:
    """Have a process end: it is asked to by its leash, and killed when it does not."""
    if process is None or process.returncode is not None:
        return
    if process.stdin:
        process.stdin.close()
    try:
        await asyncio.wait_for(process.wait(), END)
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _all(stream: asyncio.StreamReader | None) -> str:
    return (await stream.read()).decode("utf-8", "replace") if stream else ""


async def _drained(stream: asyncio.StreamReader | None) -> None:
    while stream and await stream.read(65_536):
        pass


def _error(text: str) -> tuple[str, str]:
    """The sentence and the hint that a command ended with."""
    lines = text.splitlines()
    said = next((line.removeprefix("error: ") for line in lines if line.startswith("error: ")), "")
    hint = next((line.removeprefix("  try: ") for line in lines if line.startswith("  try: ")), "")
    return said or (lines[-1] if lines else ""), hint


def _result(text: str) -> dict[str, object]:
    """The object that a command printed, without long lists."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    shown: Callable[[str, object], object] = lambda name, value: (  # noqa: E731
        len(value) if name in COUNTED and isinstance(value, list) else value
    )
    return {name: shown(name, value) for name, value in found.items()} if isinstance(found, dict) else {}
