"""How long people wait: help, a cold search, a cold question, and what the install weighs.

    python benchmarks/start.py --library DIR --json OUT

Every command is a process of its own, run `--runs` times after one warm-up; medians and ranges of wall
seconds. The floor beside them is a bare interpreter that imports nothing. The library is one that
`adding.py --keep` left, or any other.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import statistics
import subprocess
import sys
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
    parser.add_argument("--library", type=Path, required=True, metavar="DIR")
    parser.add_argument("--json", metavar="OUT")
    parser.add_argument("--runs", type=int, default=10)
    options = parser.parse_args()
    quoth = [sys.executable, "-m", "quoth"]
    environment = os.environ | {"QUOTH_LIBRARY": str(options.library)}
    status = json.loads(subprocess.check_output([*quoth, "status", "--json"], env=environment))
    searches = [seconds([*quoth, "search", query], environment, options.runs) for query in QUERIES]
    questions = [seconds([*quoth, "ask", query], environment, options.runs) for query in QUERIES]
    result = {
        **record.environment(),
        "passages": status["passages"],
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
