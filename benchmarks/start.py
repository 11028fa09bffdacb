"""How long people wait: help, adding a folder, a cold search, a cold question, and what the install weighs.

    python benchmarks/start.py --data FOLDER_OR_TAR --json OUT

Every command is a process of its own, run `--runs` times after one warm-up; medians and ranges of wall
seconds. The floor beside them is a bare interpreter that imports nothing. Adding runs once on an empty
library; `encoder_share` is the time that the encoder alone needs for the same word pieces (measured on
8,192 passages spread evenly over the library) over the time of adding. `--keep DIR` keeps the library.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import resource
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import record

QUERIES = (
    "how do I undo the last commit",
    "why was the walrus operator added",
    "net sales of the quarter",
    "special interest group meeting notes",
    "borrow checker lifetimes",
)


def seconds(command: Sequence[str], environment: dict[str, str], runs: int) -> dict[str, float]:
    """Median, least and most wall seconds of a command, over `runs` runs after a warm-up."""
    times = []
    for _ in range(runs + 1):
        started = time.perf_counter()
        subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)
        times.append(time.perf_counter() - started)
    times = times[1:]
    return {name: round(of(times), 3) for name, of in (("median", statistics.median), ("min", min), ("max", max))}


def unpacked(data: Path, where: Path) -> Path:
    """The folder to add: the given one, or the archive in it unpacked."""
    archives = [data] if data.is_file() else sorted(data.glob("*.tar.xz"))
    if not archives:
        return data
    with tarfile.open(archives[0], "r:xz") as archive:
        archive.extractall(where, filter="data")
    return where


def encoding(library: str) -> dict[str, float]:
    """How long the encoder alone needs for every passage of the library, and how many word pieces that is."""
    from quoth import Library
    from quoth.ingest.split import encoded
    from quoth.types import Passage

    with Library.open(library) as opened:
        parts = opened._parts
        texts = [
            encoded(row.kind, Passage(row.start, row.end, row.text, row.context))
            for row, _ in parts.catalog.each_passage(parts.catalog.passage_ids().tolist())
        ]
        count = parts.encoder.count  # type: ignore[attr-defined]
        pieces = sum(count(texts))
        some = texts[:: max(1, len(texts) // 8192)]
        parts.encoder.encode(some[:256])
        started = time.perf_counter()
        for first in range(0, len(some), 1024):
            parts.encoder.encode(some[first : first + 1024])
        speed = sum(count(some)) / (time.perf_counter() - started)
    return {"seconds": round(pieces / speed, 1), "word_pieces": pieces, "word_pieces_per_second": round(speed)}


def installed() -> dict[str, int]:
    """Packages and bytes of the default install, resolved from this environment's metadata."""
    seen: set[str] = set()
    waiting = ["quoth"]
    while waiting:
        name = waiting.pop().lower().replace("_", "-")
        if name in seen:
            continue
        try:
            requires = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        seen.add(name)
        waiting += [
            one.replace(";", " ").replace("[", " ").split()[0].rstrip("<>=!~,") for one in map(bare, requires) if one
        ]
    files = [file for name in seen for file in importlib.metadata.files(name) or []]
    size = sum(path.stat().st_size for file in files if (path := Path(str(file.locate()))).is_file())
    return {"packages": len(seen), "bytes": size}


def bare(requirement: str) -> str:
    """The name of a requirement that holds here, or "" for one of an extra or another platform."""
    from packaging.requirements import Requirement

    parsed = Requirement(requirement)
    return parsed.name if not parsed.marker or parsed.marker.evaluate({"extra": ""}) else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--json", metavar="OUT")
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the files and the library here")
    options = parser.parse_args()
    quoth = [sys.executable, "-m", "quoth"]
    with tempfile.TemporaryDirectory(prefix="quoth-start-") as scratch:
        place = str(options.keep or scratch)
        environment = os.environ | {"QUOTH_LIBRARY": f"{place}/library"}
        folder = unpacked(options.data, Path(place, "files"))
        started = time.perf_counter()
        done = subprocess.run([*quoth, "add", "--json", str(folder)], env=environment, capture_output=True, check=True)
        adding = time.perf_counter() - started
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        report = json.loads(done.stdout)
        again = seconds([*quoth, "add", "--json", str(folder)], environment, 1)
        encoder = encoding(f"{place}/library")
        searches = [seconds([*quoth, "search", query], environment, options.runs) for query in QUERIES]
        questions = [seconds([*quoth, "ask", query], environment, options.runs) for query in QUERIES]
        size = sum(file.stat().st_size for file in Path(place, "library").rglob("*") if file.is_file())
        bytes_read = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        result = {
            **record.environment(),
            "add": {
                "files": report["added"],
                "failed": len(report["failed"]),
                "skipped": len(report["skipped"]),
                "passages": report["passages"],
                "seconds": round(adding, 1),
                "files_per_second": round(report["added"] / adding, 1),
                "encoder": encoder,
                "encoder_share": round(encoder["seconds"] / adding, 3),
                "peak_bytes_of_largest_process": peak * 1024,
                "bytes_of_files": bytes_read,
                "bytes_of_library": size,
                "again_seconds": again["median"],
            },
            "interpreter": seconds([sys.executable, "-c", "pass"], environment, options.runs),
            "help": seconds([*quoth, "--help"], environment, options.runs),
            "search": middle(searches),
            "ask": middle(questions),
            "install": installed(),
        }
    record.write(options.json, result)


def middle(runs: Sequence[dict[str, float]]) -> dict[str, float]:
    """The median of medians, the least and the most of several queries' runs."""
    return {
        "median": statistics.median(run["median"] for run in runs),
        "min": min(run["min"] for run in runs),
        "max": max(run["max"] for run in runs),
    }


if __name__ == "__main__":
    main()
