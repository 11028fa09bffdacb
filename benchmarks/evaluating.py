"""`quoth evaluate` and `quoth compare` on published sets, as anybody would call them, beside bm25s.

    python benchmarks/evaluating.py --data DIR/scifact DIR/cranfield … --json OUT [--keep DIR] [--html DIR]

Each set, in BEIR's layout, becomes a library of its own. Two recipes are measured on it, the default one and one
that ranks by words alone (fusion.words 1, vectors, adapt and match 0), and compared; bm25s ranks the same files.
Means come with 95 % intervals. `seconds` are wall seconds of the commands: `add` of the first evaluation, which makes
the library, less that of a second one; `evaluate` of that second one, start and bm25s included. `--html` keeps the
pages of the comparisons.

`chosen` says how the default fusion and depth were chosen: on the sets of `--choose`, by their folders' names,
candidates that move the weight of words and the depth are held against the default, all questions together, by a
max-T test over all candidates; only one that is significantly better would be taken, and the sets that are left
report it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import record

from quoth import Library
from quoth.evaluate import evaluate
from quoth.evaluate.outside import library_of
from quoth.evaluate.questions import beir
from quoth.recipe import changed
from quoth.stats import paired

WORDS = ("fusion.words=1", "fusion.vectors=0", "fusion.adapt=0", "fusion.match=0")
WEIGHTS, DEPTHS = (0.34, 0.44, 0.54), (50, 100, 200)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", type=Path, required=True, metavar="DIR")
    parser.add_argument("--choose", nargs="*", default=["cranfield", "cisi", "xquad-en"], metavar="NAME")
    parser.add_argument("--json", metavar="OUT")
    parser.add_argument(
        "--keep", type=Path, metavar="DIR", help="keep the libraries here, and use those that are there"
    )
    parser.add_argument("--html", type=Path, metavar="DIR")
    options = parser.parse_args()
    report: dict[str, object] = {"benchmark": "evaluating"} | record.environment(["bm25s"])
    with tempfile.TemporaryDirectory(prefix="quoth-evaluating-") as scratch:
        place = (options.keep or Path(scratch)).resolve()
        quoth(place, "recipe", "new", "words", *(part for one in WORDS for part in ("--set", one)), fresh=True)
        report["sets"] = [measured(place, folder, options.html) for folder in options.data]
        report["chosen"] = chosen(place, [one for one in options.data if one.name in options.choose])
    record.write(options.json, report)


def quoth(place: Path, *arguments: str, fresh: bool = False) -> dict[str, object]:
    """The record that a command prints, its library in `place`."""
    library = place / "library"
    if fresh:
        with Library.open(library):
            pass
    say(f"quoth {' '.join(arguments[:6])}")
    command = [sys.executable, "-m", "quoth", *arguments, "--json"]
    environment = os.environ | {"QUOTH_LIBRARY": str(library)}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    printed: dict[str, object] = json.loads(done.stdout)
    return printed


def measured(place: Path, folder: Path, html: Path | None) -> dict[str, object]:
    """A set's means under both recipes and by bm25s, and the comparison of the two."""
    base = ("evaluate", "--beir", str(folder), "--keep", str(place / folder.name))
    started = time.perf_counter()
    quoth(place, *base, "--name", f"{folder.name}-first")
    first = time.perf_counter() - started
    started = time.perf_counter()
    usual = quoth(place, *base, "--name", folder.name)
    second = time.perf_counter() - started
    words = quoth(place, *base, "--recipe", "words", "--name", f"{folder.name}-words")
    pages = ("--html", str(html / f"{folder.name}.html")) if html else ()
    compared = quoth(place, "compare", f"{folder.name}-words", folder.name, *pages)
    again = quoth(place, "compare", folder.name, f"{folder.name}-first")
    runs = [*usual["runs"], *words["runs"][:1]]  # type: ignore[misc, index]
    return {
        "name": folder.name,
        "set": usual["set"],
        "questions": len(usual["outcomes"]),  # type: ignore[arg-type]
        "seconds": {"add": round(max(0.0, first - second), 1), "evaluate": round(second, 1)},
        "runs": [rounded(one) for one in runs],
        "compared": {name: compared[name] for name in ("verdict", "words", "anytime", "not_worse")}
        | {"difference": next(one for one in compared["differences"] if one["measure"] == "nDCG@10")},  # type: ignore[attr-defined]
        "with itself": again["verdict"],
    }


def rounded(run: dict[str, object]) -> dict[str, object]:
    means = {
        name: {key: round(value, 4) for key, value in one.items()}
        for name, one in run["measures"].items()  # type: ignore[attr-defined]
    }
    return {"name": run["name"], "recipe": run["recipe"], "measures": means, "milliseconds": run["milliseconds"]}


def chosen(place: Path, folders: list[Path]) -> dict[str, object]:
    """What each candidate gains over the default on all questions of the sets, with p adjusted for all of them."""
    settings = [(weight, depth) for weight in WEIGHTS for depth in DEPTHS if (weight, depth) != (0.44, 100)]
    gains: list[list[float]] = [[] for _ in settings]
    for folder in folders:
        with library_of(beir(folder), place / folder.name) as (library, questions):
            usual = evaluate(library, questions, answers=False).values("nDCG@10")
            for row, (weight, depth) in zip(gains, settings, strict=True):
                say(f"{folder.name}: words {weight}, depth {depth}")
                fields = {"fusion.words": str(weight), "fusion.vectors": str(round(1 - weight, 2)), "depth": str(depth)}
                values = evaluate(library, questions, changed(library.recipe(), fields), answers=False).values(
                    "nDCG@10"
                )
                row += [values[key] - usual[key] for key in usual]
    adjusted = paired.step_down(np.array(gains))
    candidates = [
        {"words": weight, "depth": depth, "gain": round(float(np.mean(row)), 5), "adjusted_p": float(p)}
        for (weight, depth), row, p in zip(settings, gains, adjusted, strict=True)
    ]
    better = [one for one in candidates if one["adjusted_p"] <= 0.05 and one["gain"] > 0]
    return {
        "sets": [folder.name for folder in folders],
        "questions": len(gains[0]),
        "default": {"words": 0.44, "depth": 100},
        "candidates": candidates,
        "taken": max(better, key=lambda one: one["gain"]) if better else "the default: no candidate is better",
    }


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
