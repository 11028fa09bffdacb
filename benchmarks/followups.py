"""Whether completing a follow-up question helps to find what it asks for, without a language model.

    python benchmarks/followups.py --data reference.jsonl.gz --json benchmarks/results/followups.json

The data are the conversations of MTRAG-UN (IBM/mt-rag-benchmark): questions of people, each with those before it
and the passages that answer it. Every passage becomes a text file in a temporary library, and each last question
that has passages and questions before it is searched for in four ways:

    raw        as it was put
    completed  as `quoth.followups.completed` completes it
    previous   behind the question before it
    all        behind all questions before it

Conversations fall into two halves by a hash of their first question: the rules of `completed` were chosen on one
(`chosen_on`), the other was not looked at. Reported for each: nDCG@10 and R@5 of each way, the difference to `raw`
with its 95 % interval (conversations with the same beginning are drawn together) and p of the sign-flip test, and
on which share of the questions `completed` changes anything.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from record import environment, write

from quoth import Library
from quoth.followups import completed
from quoth.stats.intervals import interval
from quoth.stats.measures import ndcg, recall, tables
from quoth.stats.paired import sign_flip

DEPTH = 10
DATA = Path(os.environ.get("QUOTH_DATA", "../shared/data")) / "qa" / "mtrag-un" / "reference.jsonl.gz"
WAYS: dict[str, Callable[[Sequence[str]], str]] = {
    "raw": lambda said: said[-1],
    "completed": lambda said: completed(said[-1], said[:-1]),
    "previous": lambda said: " ".join(said[-2:]),
    "all": lambda said: " ".join(said),
}


@dataclass(frozen=True, slots=True)
class Task:
    """The questions of a conversation up to one of them, and the passages that answer the last."""

    said: tuple[str, ...]
    passages: dict[str, str]

    @property
    def half(self) -> int:
        return int(hashlib.sha256(self.said[0].encode()).hexdigest(), 16) % 2


def tasks(data: Path) -> list[Task]:
    """The tasks of a file in MTRAG's layout that have passages and questions before the last one."""
    found = []
    with gzip.open(data, "rt", encoding="utf-8") as lines:
        for record in map(json.loads, lines):
            said = tuple(one["text"] for one in record["input"] if one["speaker"] == "user")
            passages = {name(one["document_id"]): one["text"] for one in record["contexts"]}
            found.append(Task(said, passages))
    return found


def name(document: str) -> str:
    return hashlib.sha256(document.encode()).hexdigest()[:16]


def found_by(library: Library, question: str) -> list[str]:
    """The names of the documents that a search puts first, each once."""
    hits = library.search(question, 3 * DEPTH).hits
    return list(dict.fromkeys(Path(one.document).stem for one in hits))[:DEPTH]


def measured(library: Library, asked: Sequence[Task]) -> dict[str, object]:
    """Every way's measures on these tasks, and how they differ from the raw question's."""
    qrels = {str(number): dict.fromkeys(one.passages, 1) for number, one in enumerate(asked)}
    beginnings = sorted({one.said[0] for one in asked})
    clusters = [beginnings.index(one.said[0]) for one in asked]
    values: dict[str, dict[str, np.ndarray]] = {}
    for way, put in WAYS.items():
        rankings = {str(number): found_by(library, put(one.said)) for number, one in enumerate(asked)}
        gains, ideal = tables(rankings, qrels, DEPTH)
        values[way] = {"nDCG@10": ndcg(gains, ideal, 10), "R@5": recall(gains, ideal, 5)}
    record: dict[str, object] = {"questions": len(asked), "conversations": len(beginnings)}
    record["changed"] = round(
        float(np.mean([completed(one.said[-1], one.said[:-1]) != one.said[-1] for one in asked])), 4
    )
    for way, measures in values.items():
        row: dict[str, object] = {}
        for measure, mine in measures.items():
            difference = mine - values["raw"][measure]
            row[measure] = round(float(mine.mean()), 4)
            if way != "raw":
                at = interval(difference, clusters=clusters)
                row[f"{measure} - raw"] = {
                    "difference": round(float(difference.mean()), 4),
                    "interval": [round(at.low, 4), round(at.high, 4)],
                    "p": round(sign_flip(difference).p, 6),
                    "better": int((difference > 0).sum()),
                    "worse": int((difference < 0).sum()),
                }
        record[way] = row
    return record


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--json", metavar="FILE")
    given = parser.parse_args()
    every = tasks(given.data)
    with tempfile.TemporaryDirectory() as place, Library.open(Path(place) / "library") as library:
        folder = Path(place) / "passages"
        folder.mkdir()
        for one in every:
            for key, text in one.passages.items():
                (folder / f"{key}.txt").write_text(text, encoding="utf-8")
        library.add([folder])
        asked = [one for one in every if len(one.said) > 1 and one.passages]
        halves = {
            title: measured(library, [one for one in asked if one.half == half])
            for title, half in (("chosen_on", 0), ("held_out", 1))
        }
        documents = library.status().documents
    write(given.json, environment() | {"set": "mtrag-un", "documents": documents} | halves)


if __name__ == "__main__":
    main()
