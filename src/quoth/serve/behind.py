"""A server in the background: started as a process of its own that stays, and ended again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from quoth.errors import LibraryError, NotFound
from quoth.serve import alone

LOG = "server.log"
"""In the library: what the server says after it has started."""
PATIENCE = 60.0
"""Seconds that a server may take to come up, and to end."""


def start(folder: Path, arguments: Sequence[str]) -> tuple[str, bool]:
    """The address of the server of this library, and whether it was started now, with these arguments.

    Raises `LibraryError` with what the new one said when it does not come up.
    """
    running = alone.where(folder)
    if running:
        return running[0], False
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOG).open("w+b") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", "quoth", *arguments],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            said = (folder / LOG).read_text(encoding="utf-8", errors="replace")
            first = next((line for line in said.splitlines(keepends=True) if line.startswith("{")), "")
            if first.endswith("\n"):
                return str(json.loads(first)["address"]), True
            if child.poll() is not None:
                raise _failed(said)
            time.sleep(0.05)
    child.kill()
    raise LibraryError(f"the server did not come up within {PATIENCE:.0f} seconds", f"see {folder / LOG}")


def stop(folder: Path) -> str:
    """End the server of this library, as by Ctrl-C; the address where it was. Raises `NotFound` if there is none."""
    running = alone.where(folder)
    if not running:
        raise NotFound(f"no server runs for the library in {folder}", "quoth serve starts one")
    address, process = running
    os.kill(process, signal.SIGTERM)
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if not alone.where(folder):
            return address
        time.sleep(0.05)
    raise LibraryError(f"the server (process {process}) has not ended within {PATIENCE:.0f} seconds", f"kill {process}")


def _failed(said: str) -> LibraryError:
    """What the server said before it ended, with its own hint."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    hints = [line.removeprefix("try: ") for line in lines if line.startswith("try: ")]
    return LibraryError(errors[0] if errors else "the server ended at once", hints[0] if hints else "quoth serve")
