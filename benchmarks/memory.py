"""A command run while the memory of each of its processes is watched (Linux)."""

from __future__ import annotations

import re
import resource
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

PAUSE = 0.1
"""Seconds between two looks."""
LINES = re.compile(r"^(VmHWM|RssAnon):\s+(\d+) kB$", re.M)


@dataclass(slots=True)
class Peak:
    """The most memory of one process in bytes: resident, and that part of it which no file backs."""

    resident: int = 0
    anonymous: int = 0

    def look(self, process: int) -> None:
        """Take in what the kernel says now; its own peak, `resident`, misses nothing between two looks."""
        status = dict(LINES.findall(_text(process, "status")))
        self.resident = max(self.resident, 1024 * int(status.get("VmHWM", 0)))
        self.anonymous = max(self.anonymous, 1024 * int(status.get("RssAnon", 0)))

    def record(self) -> dict[str, int]:
        """The two figures for a result file."""
        return {"peak_bytes": self.resident, "anonymous_bytes": self.anonymous}


@dataclass(slots=True)
class Watched:
    """What a command printed, its seconds by the clock and on all cores, the peak of each of its processes."""

    output: str
    seconds: float
    cpu_seconds: float
    main: Peak = field(default_factory=Peak)
    below: list[Peak] = field(default_factory=list)

    def memory(self) -> dict[str, object]:
        """The peaks for a result file, the largest first."""
        below = sorted(self.below, key=lambda one: -one.resident)
        return {"main": self.main.record(), "workers": [one.record() for one in below]}


def watched(command: Sequence[str], environment: Mapping[str, str]) -> Watched:
    """Run a command to its end; one that fails ends the benchmark with what it said."""
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        before, started = _cpu(), time.perf_counter()
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=errors, text=True)
        peaks: dict[int, Peak] = {process.pid: Peak()}
        done = threading.Event()
        watcher = threading.Thread(target=_watch, args=(process.pid, peaks, done))
        watcher.start()
        status = process.wait()
        seconds = time.perf_counter() - started
        done.set()
        watcher.join()
        output.seek(0)
        errors.seek(0)
        if status:
            raise SystemExit(f"{' '.join(command)[:300]}\nended with {status}:\n{errors.read()[-4000:]}")
        return Watched(output.read(), seconds, _cpu() - before, peaks.pop(process.pid), list(peaks.values()))


def _cpu() -> float:
    """Seconds on all cores of every process that was started here and has ended, with what it started."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _watch(main: int, peaks: dict[int, Peak], done: threading.Event) -> None:
    while not done.wait(PAUSE):
        peaks[main].look(main)
        for process in below(main):
            # between fork and exec a child still shows its parent's memory
            if _text(process, "cmdline") not in ("", _text(main, "cmdline")):
                peaks.setdefault(process, Peak()).look(process)


def below(process: int) -> list[int]:
    """Children, their children and so on."""
    try:
        threads = [one.name for one in Path(f"/proc/{process}/task").iterdir()]
    except OSError:
        return []
    children = [int(one) for thread in threads for one in _text(process, f"task/{thread}/children").split()]
    return children + [one for child in children for one in below(child)]


def mebibytes(process: int) -> dict[str, float]:
    """What the kernel says of a process; nothing once it has ended."""
    lines = dict(line.split(":", 1) for line in _text(process, "status").splitlines())
    if "VmRSS" not in lines:
        return {}
    named = (("resident", "VmRSS"), ("anonymous", "RssAnon"), ("peak", "VmHWM"))
    return {name: round(int(lines[key].split()[0]) / 1024) for name, key in named}


def _text(process: int, name: str) -> str:
    """A file about a process, "" when it has ended."""
    try:
        return Path(f"/proc/{process}/{name}").read_text()
    except OSError:
        return ""
