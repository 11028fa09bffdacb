"""nDCG@10, Recall@20 and RR@10 of the whole product on test collections in the BEIR layout.

    python benchmarks/retrieval.py --data DIR/scifact DIR/cranfield … --json benchmarks/results/retrieval.json

A set is a folder with corpus.jsonl[.gz], queries.jsonl[.gz] and qrels/SPLIT.tsv. Unless `--split`
says otherwise the split is the only one, else "test", else "dev". Every document becomes a Markdown
file: its title as the first heading, then its text; one without a title is its text alone, named by
a number. The files are added to a temporary library, every question is searched once with the default recipe,
and the document's rank is that of its best passage.

Reported runs, all from one pool (the best 100 by words and by vectors, each with both scores), by
a recipe whose weights differ in this alone:
    default   as the library ranks it
    words     by BM25 alone
    vectors   by cosine alone
    z-sum     the plain sum of both, standardised over the pool
    bm25s     whole documents by bm25s (k1 1.5, b 0.75, Snowball stemmer), for comparison

Differences are means over questions with 95 % intervals of a paired bootstrap (10,000 draws).
Needs bm25s, PyStemmer and ir_measures.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import bm25s
import ir_measures
import numpy as np
import record
import Stemmer
from ir_measures import RR, R, nDCG

from quoth import Library
from quoth.recipe import Recipe

MEASURES = (nDCG @ 10, R @ 20, RR @ 10)
K = 50
"""Passages asked for; more would look deeper into the indexes than a search for ten does."""
PLAIN = {"match": 0.0, "adapt": 0.0, "alike": 2.0}
RUNS = ("default", "words", "vectors", "z-sum", "bm25s")
Run = dict[str, dict[str, float]]


@dataclass(frozen=True, slots=True)
class Collection:
    """Documents (title, text), questions and judgements of one split."""

    name: str
    split: str
    documents: dict[str, tuple[str, str]]
    questions: dict[str, str]
    judgements: dict[str, dict[str, int]]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--data", nargs="+", type=Path, required=True, metavar="DIR")
    options.add_argument("--split")
    options.add_argument("--json", type=Path, metavar="OUT")
    options.add_argument(
        "--keep", type=Path, metavar="DIR", help="keep the libraries here, and use those that are there"
    )
    given = options.parse_args()
    report = {"benchmark": "retrieval"} | record.environment(("bm25s", "ir_measures")) | {"sets": []}
    for folder in given.data:
        collection = load(folder, given.split)
        with tempfile.TemporaryDirectory() as scratch:
            report["sets"].append(measure(collection, given.keep or Path(scratch)))
        print(table(report["sets"][-1]), flush=True)
        if given.json:
            given.json.parent.mkdir(parents=True, exist_ok=True)
            given.json.write_text(json.dumps(report, indent=2) + "\n")


def load(folder: Path, split: str | None) -> Collection:
    """The collection in a folder; questions without a judgement in the split are left out."""
    splits = sorted(path.stem for path in (folder / "qrels").glob("*.tsv"))
    chosen = split or (splits[0] if len(splits) == 1 else next(one for one in ("test", "dev") if one in splits))
    judgements: dict[str, dict[str, int]] = {}
    with (folder / "qrels" / f"{chosen}.tsv").open(newline="") as lines:
        for row in csv.DictReader(lines, delimiter="\t"):
            judgements.setdefault(row["query-id"], {})[row["corpus-id"]] = int(row["score"])
    return Collection(
        folder.name,
        chosen,
        {row["_id"]: (row.get("title") or "", row["text"]) for row in rows(folder, "corpus")},
        {row["_id"]: row["text"] for row in rows(folder, "queries") if row["_id"] in judgements},
        judgements,
    )


def rows(folder: Path, name: str) -> Iterator[dict[str, str]]:
    """The records of NAME.jsonl or NAME.jsonl.gz."""
    packed = folder / f"{name}.jsonl.gz"
    with gzip.open(packed, "rt") if packed.exists() else (folder / f"{name}.jsonl").open() as lines:
        yield from map(json.loads, lines)


def measure(collection: Collection, scratch: Path) -> dict[str, object]:
    """One set's record for the report."""
    files, folder = scratch / f"{collection.name}-files", scratch / f"{collection.name}-library"
    names = write(collection, files)
    with Library.open(folder) as library:
        say(f"{collection.name}: adding {len(names)} files")
        started = time.perf_counter()
        added = library.add([files])
        adding = time.perf_counter() - started
        if added.failed:
            raise SystemExit(f"{len(added.failed)} files failed, the first: {added.failed[0]}")
        runs, milliseconds = search(library, collection, names)
        recipe, passages = library.recipe().hash, library.status().passages
    runs["bm25s"] = by_bm25s(collection)
    values = {name: evaluate(collection, run) for name, run in runs.items()}
    return {
        "name": collection.name,
        "split": collection.split,
        "documents": len(collection.documents),
        "passages": passages,
        "questions": len(collection.questions),
        "recipe": recipe,
        "seconds": {"add": round(adding, 1), "search_p50_ms": round(float(np.median(milliseconds)), 2)},
        "measures": {
            name: {measured: round(float(each.mean()), 4) for measured, each in one.items()}
            for name, one in values.items()
        },
        "differences": {
            f"default - {name}": interval(values["default"]["nDCG@10"] - values[name]["nDCG@10"]) for name in RUNS[1:]
        },
    }


def write(collection: Collection, folder: Path) -> dict[str, str]:
    """One file a document; the document of each path."""
    folder.mkdir(parents=True, exist_ok=True)
    names: dict[str, str] = {}
    for place, (id_, (title, text)) in enumerate(collection.documents.items()):
        path = folder / f"{place:06}.md"
        content = f"# {' '.join(title.split())}\n\n{text}" if title.strip() else text
        if not path.exists():
            path.write_text(content)
        names[str(path.resolve())] = id_
    return names


def search(library: Library, collection: Collection, names: dict[str, str]) -> tuple[dict[str, Run], list[float]]:
    """The runs of the library, and how long each question took."""
    recipes = variants(library.recipe())
    runs: dict[str, Run] = {name: {} for name in recipes}
    milliseconds = []
    for count, (id_, question) in enumerate(collection.questions.items()):
        if count % 200 == 0:
            say(f"{collection.name}: question {count} of {len(collection.questions)}")
        for name, recipe in recipes.items():
            started = time.perf_counter()
            hits = library.search(question, K, recipe=recipe, plain=True).hits
            if name == "default":
                milliseconds.append(1000 * (time.perf_counter() - started))
            runs[name][id_] = {}
            for hit in hits:
                runs[name][id_].setdefault(names[hit.document], 1.0 / hit.rank)
    return runs, milliseconds


def variants(recipe: Recipe) -> dict[str, Recipe]:
    """The recipe of each run; copies are folded only by default."""
    plain = replace(recipe.fusion, **PLAIN)
    return {
        "default": recipe,
        "words": replace(recipe, fusion=replace(plain, words=1.0, vectors=0.0)),
        "vectors": replace(recipe, fusion=replace(plain, words=0.0, vectors=1.0)),
        "z-sum": replace(recipe, fusion=replace(plain, words=1.0, vectors=1.0)),
    }


def by_bm25s(collection: Collection) -> Run:
    """Whole documents by bm25s."""
    stemmer = Stemmer.Stemmer("english")
    ids = list(collection.documents)
    texts = [f"{title} {text}" for title, text in collection.documents.values()]
    index = bm25s.BM25(method="lucene", k1=1.5, b=0.75)
    index.index(bm25s.tokenize(texts, stopwords="en", stemmer=stemmer, show_progress=False), show_progress=False)
    run: Run = {}
    for id_, question in collection.questions.items():
        tokens = bm25s.tokenize([question], stopwords="en", stemmer=stemmer, show_progress=False, return_ids=False)
        found, scores = index.retrieve(tokens, k=min(100, len(ids)), show_progress=False)
        run[id_] = {ids[place]: float(score) for place, score in zip(found[0], scores[0], strict=True)}
    return run


def evaluate(collection: Collection, run: Run) -> dict[str, np.ndarray]:
    """Values of each measure, shape (questions,), questions in the order of the collection; 0 without hits."""
    values = {str(measured): dict.fromkeys(collection.questions, 0.0) for measured in MEASURES}
    for one in ir_measures.iter_calc(MEASURES, collection.judgements, run):
        values[str(one.measure)][one.query_id] = one.value
    return {name: np.array(list(each.values())) for name, each in values.items()}


def interval(differences: np.ndarray, draws: int = 10_000) -> dict[str, float]:
    """Mean and 95 % interval of a paired bootstrap."""
    rng = np.random.default_rng(0)
    means = [differences[rng.integers(0, len(differences), len(differences))].mean() for _ in range(draws)]
    low, high = np.quantile(means, (0.025, 0.975))
    return {
        "mean": round(float(differences.mean()), 4),
        "low": round(float(low), 4),
        "high": round(float(high), 4),
    }


def table(one: dict[str, object]) -> str:
    """The set's figures as lines of text."""
    measures = one["measures"]
    lines = [f"{one['name']} {one['split']}: {one['documents']} documents, {one['questions']} questions"]
    for name in RUNS:
        lines.append(
            f"  {name:8} " + "  ".join(f"{measured} {value:.4f}" for measured, value in measures[name].items())
        )
    for name, each in one["differences"].items():
        lines.append(f"  {name}: {each['mean']:+.4f} [{each['low']:+.4f}, {each['high']:+.4f}]")
    return "\n".join(lines)


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
