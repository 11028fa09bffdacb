"""A real server: `quoth serve` in a process of its own, on a free port, with a small real library."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest


@dataclass
class Served:
    """A running server, its library and the folder of notes that it was filled with."""

    address: str
    library: Path
    notes: Path
    process: subprocess.Popen[str]

    def client(self, **options: object) -> httpx.Client:
        """A client of this server."""
        return httpx.Client(base_url=self.address, timeout=60, **options)

    def wait(self, done: Callable[[], object], seconds: float = 180) -> None:
        """Wait until something is so."""
        end = time.monotonic() + seconds
        while not done():
            assert time.monotonic() < end, "it did not come about"
            assert self.process.poll() is None, "the server has ended"
            time.sleep(0.05)

    def idle(self) -> None:
        """Wait until nothing is queued or running."""
        with self.client() as client:
            self.wait(lambda: not client.get("/api/jobs").json()["queued"])

    def stop(self) -> int:
        """End it as a system does, and the code that it ended with."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


def run_quoth(library: Path, *arguments: str) -> str:
    """What a command printed; it must succeed."""
    command = [sys.executable, "-m", "quoth", "--library", str(library), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextmanager
def serving(
    library: Path, notes: Path, *options: str, env: Mapping[str, str] | None = None, ready: bool = True
) -> Iterator[Served]:
    """A server on a free port, which ends with the block; `ready` waits until a question is answered at once."""
    log = notes.parent / "serve.err"
    command = [sys.executable, "-m", "quoth", "--library", str(library), "serve", "--port", "0", "--json", *options]
    with log.open("w", encoding="utf-8") as errors:
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=os.environ | {"QUOTH_LLM": "none"} | (env or {}),
        )
    assert process.stdout
    line = process.stdout.readline()
    if not line:
        process.stdout.close()
        process.wait(30)
        raise AssertionError(f"quoth serve did not start: {log.read_text(encoding='utf-8')}")
    served = Served(json.loads(line)["address"], library, notes, process)
    try:
        if ready:
            served.wait(lambda: httpx.get(f"{served.address}/readyz").status_code == 200)
        yield served
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        process.stdout.close()


@pytest.fixture(scope="session")
def filled(fill: Callable[[Path], Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A library with the notes in it, and their folder; for tests that only copy it or read."""
    place = tmp_path_factory.mktemp("served")
    return fill(place), place / "notes"


@pytest.fixture(scope="session")
def server(filled: tuple[Path, Path]) -> Iterator[Served]:
    """One server for all tests that leave it as they found it."""
    with serving(*filled) as served:
        yield served


@pytest.fixture
def own(added: Path, tmp_path: Path) -> Iterator[Served]:
    """A server of the test's own, with a library that it may change."""
    with serving(added, tmp_path / "notes") as served:
        yield served
