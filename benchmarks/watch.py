"""How soon a change on disk is in the answers while `quoth sync --watch` runs.

    python benchmarks/watch.py --data FOLDER_OR_TAR --json OUT [--notes N] [--changes N]

A library of N Markdown notes (1,000), evenly spread over the sorted paths. One process watches; this one
changes a note, every other time a new one, waits until its own search finds the words that were written, and
rests two seconds. `seconds` run from the end of the last write to the end of that search: the 0.4 seconds for
which the disk has to be quiet, and up to 0.05 between two searches, are in them.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import record
from adding import spread, unpacked

from quoth import Library

PATIENCE = 60.0
"""Seconds after which a change counts as lost."""


def found_after(library: Library, note: Path, number: int) -> float:
    """Seconds from the last write to being found."""
    word = f"quokka{number:03}"
    before = note.read_text("utf-8", "replace") if note.exists() else "# New\n"
    note.write_text(f"{before}\n\nThe parcel {word} was sent to the lighthouse.\n", encoding="utf-8")
    written = time.perf_counter()
    while time.perf_counter() - written < PATIENCE:
        # fifty, for every change before said nearly the same
        if any(word in hit.text for hit in library.search(f"parcel {word}", 50).hits):
            return time.perf_counter() - written
        time.sleep(0.05)
    sys.exit(f"error: {note} was not found within {PATIENCE:.0f} seconds")


def measured(folder: Path, place: Path, changes: int) -> list[float]:
    """Seconds of each change."""
    notes = spread(sorted(folder.rglob("*.md")), changes)
    targets = [note.with_name(f"new {note.name}") if n % 2 else note for n, note in enumerate(notes)]
    command = [sys.executable, "-m", "quoth", "--library", str(place), "sync", "--watch"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as watching:
        try:
            with Library.open(place) as library:
                time.sleep(5.0)
                found_after(library, folder / "warm up.md", 999)
                seconds = []
                for number, note in enumerate(targets):
                    time.sleep(2.0)
                    seconds.append(found_after(library, note, number))
        finally:
            watching.kill()
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER_OR_TAR")
    parser.add_argument("--json", metavar="OUT")
    parser.add_argument("--notes", type=int, default=1000)
    parser.add_argument("--changes", type=int, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as kept:
        whole = unpacked(options.data, Path(kept, "all"))
        folder = Path(kept, "notes")
        for number, note in enumerate(spread(sorted(whole.rglob("*.md")), options.notes)):
            target = folder / f"{number % 20:02}" / f"{number:04}.md"
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(note, target)
        place = Path(kept, "library")
        with Library.open(place) as library:
            report = library.add([folder])
        seconds = sorted(measured(folder, place, options.changes))
    result = {
        **record.environment(["watchfiles"]),
        "notes": report.added,
        "passages": report.passages,
        "changes": len(seconds),
        "seconds": {
            "median": round(statistics.median(seconds), 3),
            "p95": round(seconds[-(-len(seconds) * 95 // 100) - 1], 3),
            "max": round(seconds[-1], 3),
        },
    }
    record.write(options.json, result)


if __name__ == "__main__":
    main()
