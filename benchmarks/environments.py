"""Peers' own virtual environments, with pinned versions."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path


def environment(place: Path, python: str, packages: Sequence[str]) -> str:
    """The interpreter of a virtual environment that holds exactly what pip makes of these packages."""
    interpreter, made = place / "bin" / "python", place / "made-of.txt"
    wanted = "\n".join(packages) + "\n"
    if made.exists() and made.read_text() == wanted:
        return str(interpreter)
    print(f"installing {' '.join(packages)}", file=sys.stderr, flush=True)
    shutil.rmtree(place, ignore_errors=True)
    subprocess.run([python, "-m", "venv", str(place)], check=True)
    subprocess.run([str(interpreter), "-m", "pip", "install", "-qq", *packages], check=True)
    made.write_text(wanted)
    return str(interpreter)


def alone(place: Path, package: str) -> Path:
    """A folder with this package and nothing that it depends on."""
    made = place / "made-of.txt"
    if not (made.exists() and made.read_text() == package):
        print(f"installing {package}", file=sys.stderr, flush=True)
        shutil.rmtree(place, ignore_errors=True)
        pip = [sys.executable, "-m", "pip", "install", "-qq", "--no-deps", "--target", str(place), package]
        subprocess.run(pip, check=True)
        made.write_text(package)
    return place


def interpreter(*versions: str) -> str | None:
    """A Python of the first of these versions ("3.12") that this machine has, on the path or kept by pyenv."""
    kept = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for version in versions:
        places = [*kept.glob(f"{version}.*/bin/python{version}"), shutil.which(f"python{version}")]
        for place in filter(None, places):
            said = subprocess.run([place, "--version"], capture_output=True, text=True, check=False)
            if said.stdout.startswith(f"Python {version}."):
                return str(place)
    return None
