"""What many tests use: a folder of small files, the command line in a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from quoth import Library

# A shell that runs the tests in the background has them ignore Ctrl-C, and so would every process they start.
signal.signal(signal.SIGINT, signal.default_int_handler)
pytest_plugins = ["served", "browsing"]

NOTES = {
    "garden.md": "# Garden\n\n## Tomatoes\n\nThe tomatoes were planted on 12 May 2023. They need water daily.\n\n"
    "## Compost\n\nTurn the compost every second Sunday.\n",
    "house/boiler.txt": "The boiler is serviced each October by Hartmann and Sons.\n\n"
    "Its pressure should be 1.5 bar.\n",
    "house/roof.txt": "The roof was repaired in 2019 for 4,200 euros after the storm.\n",
    "recipes/bread.md": "# Bread\n\nBake the bread at 230 degrees for forty minutes. Let it rest for an hour.\n",
    "tools.py": 'def pressure(bar):\n    """Convert bar to pascal."""\n    return bar * 100_000\n',
}


def write_notes(folder: Path) -> Path:
    """The folder, filled with small notes."""
    for name, text in NOTES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


@dataclass(frozen=True)
class Done:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, object]:
        record: dict[str, object] = json.loads(self.out)
        return record


Quoth = Callable[..., Done]


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """A folder of small notes."""
    return write_notes(tmp_path / "notes")


@pytest.fixture(scope="session")
def fill(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], Path]:
    """Writes `notes` and, in `library`, a library of them into a folder: copies, since filling one takes a second."""
    kept = tmp_path_factory.mktemp("filled")
    with Library.open(kept / "library") as library:
        library.add([write_notes(kept / "notes")])
    return partial(copied, kept)


def copied(kept: Path, place: Path) -> Path:
    """The copy in `place` of a kept `library` and of the `notes` in it, which are what it names."""
    shutil.copytree(kept / "notes", place / "notes", dirs_exist_ok=True)  # with the times that were seen then
    shutil.copytree(kept / "library", place / "library")
    with Library.open(place / "library") as library:
        library.move(kept / "notes", place / "notes")
    return place / "library"


@pytest.fixture
def added(fill: Callable[[Path], Path], notes: Path, tmp_path: Path) -> Path:
    """A library of the test's own, with the notes at `tmp_path / "notes"` in it."""
    return fill(tmp_path)


@pytest.fixture
def quoth(tmp_path: Path) -> Quoth:
    """The command line, run in a process of its own on a library of the test's own.

    `bound` takes the superuser's right to read everything away from it.
    """

    def run(
        *arguments: str | bytes,
        env: Mapping[str, str] | None = None,
        library: Path | None = None,
        bound: bool = False,
    ) -> Done:
        place = {"QUOTH_LIBRARY": str(library or tmp_path / "library")}
        command = [sys.executable, "-m", "quoth", *arguments]
        if bound and os.geteuid() == 0:
            command = ["setpriv", "--bounding-set=-all", *command]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, env=os.environ | place | (env or {})
        )
        return Done(done.returncode, done.stdout, done.stderr)

    return run
