"""One search engine, measured on prepared passages; run by searching.py in the engine's own environment.

    python searching_with.py lancedb|chroma|sqlite PASSAGES SCRATCH SECONDS

PASSAGES is a folder that passages.py has written, with queries.json, query_vectors.npy and exact.npy. The record
goes to standard output as one line of JSON. Building stops after SECONDS, and so does measuring.

lancedb   hybrid search of a table with an IVF_PQ index (cosine, refine factor 10), a full-text index and a
          bitmap index on the level; fused by LanceDB's own reciprocal ranks
chroma    HNSW (cosine) as it comes: vectors only, for the local Chroma does not rank by words
sqlite    FTS5 (porter) and a matrix of single-precision vectors in NumPy, fused by reciprocal ranks
"""

from __future__ import annotations

import json
import re
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

K = 10
BATCH = 5_000
Search = Callable[[str, np.ndarray, int], list[int]]
"""(question, its vector, least level) → the ids of the ten best passages; by vectors alone for the question ""."""


class OutOfTime(Exception):
    """The time that was given is over."""


def batches(folder: Path, until: float) -> Iterator[tuple[np.ndarray, list[str], np.ndarray, np.ndarray]]:
    """(ids, texts, vectors, levels) of some passages after the other."""
    vectors, levels = np.load(folder / "vectors.npy", mmap_mode="r"), np.load(folder / "levels.npy")
    with (folder / "texts.jsonl").open(encoding="utf-8") as lines:
        for first in range(0, len(vectors), BATCH):
            if time.monotonic() > until:
                raise OutOfTime(f"{first:,} of {len(vectors):,} passages were added")
            some = slice(first, min(first + BATCH, len(vectors)))
            texts = [json.loads(next(lines)) for _ in range(some.stop - first)]
            yield np.arange(first + 1, some.stop + 1), texts, vectors[some].astype(np.float32), levels[some]


def lancedb(folder: Path, scratch: Path, until: float) -> Search:
    import lancedb
    import pyarrow as pa

    table = None
    for ids, texts, vectors, levels in batches(folder, until):
        flat = pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), vectors.shape[1])
        rows = pa.table({"id": ids, "text": texts, "vector": flat, "level": levels})
        if table is None:
            table = lancedb.connect(str(scratch)).create_table("passages", rows)
        else:
            table.add(rows)
    assert table is not None
    table.optimize()
    table.create_index(metric="cosine", vector_column_name="vector", index_type="IVF_PQ")
    table.create_scalar_index("level", index_type="BITMAP")
    table.create_fts_index("text")
    made = table

    def search(question: str, vector: np.ndarray, level: int) -> list[int]:
        # its full-text language takes some signs for orders
        words = " ".join(re.findall(r"\w+", question))
        query = made.search(query_type="hybrid").vector(vector).text(words) if words else made.search(vector)
        query = query.refine_factor(10).limit(K)
        query = query.where(f"level >= {level}", prefilter=True) if level else query
        return [int(one) for one in query.select(["id"]).to_arrow()["id"].to_pylist()]

    return search


def chroma(folder: Path, scratch: Path, until: float) -> Search:
    import chromadb
    from chromadb.config import Settings

    client = chromadb.PersistentClient(str(scratch), Settings(anonymized_telemetry=False))
    made = client.create_collection("passages", metadata={"hnsw:space": "cosine"}, embedding_function=None)
    for ids, texts, vectors, levels in batches(folder, until):
        made.add([str(one) for one in ids], vectors, [{"level": int(one)} for one in levels], texts)

    def search(question: str, vector: np.ndarray, level: int) -> list[int]:
        where = {"level": {"$gte": level}} if level else None
        return [int(one) for one in made.query(vector[None, :], n_results=K, where=where, include=[])["ids"][0]]

    return search


def sqlite(folder: Path, scratch: Path, until: float) -> Search:
    path, local = scratch / "words.sqlite", threading.local()
    made = sqlite3.connect(path)
    made.execute("create virtual table texts using fts5(text, tokenize='porter unicode61', content='')")
    made.execute("create table levels (id integer primary key, level integer)")
    matrix, levels = np.empty(np.load(folder / "vectors.npy", mmap_mode="r").shape, np.float32), []
    for ids, texts, vectors, level in batches(folder, until):
        made.executemany("insert into texts (rowid, text) values (?, ?)", zip(ids.tolist(), texts, strict=True))
        made.executemany("insert into levels values (?, ?)", zip(ids.tolist(), level.tolist(), strict=True))
        matrix[ids[0] - 1 : ids[-1]] = vectors
        levels.append(level)
    made.execute("insert into texts (texts) values ('optimize')")
    made.commit()
    inside = [np.flatnonzero(np.concatenate(levels) >= level) for level in range(5)]

    def search(question: str, vector: np.ndarray, level: int) -> list[int]:
        if not hasattr(local, "connection"):
            local.connection = sqlite3.connect(path)
        words = " OR ".join(f'"{word}"' for word in re.findall(r"\w+", question))
        # the plus keeps FTS5 from looking up each of these ids
        within = "and +rowid in (select id from levels where level >= ?)" if level else ""
        rows = local.connection.execute(
            f"select rowid from texts where texts match ? {within} order by rank limit 100",
            [words, *([level] if level else [])],
        )
        by_words = [row[0] for row in rows]
        scores = matrix[inside[level]] @ vector if level else matrix @ vector
        best = np.argpartition(-scores, min(100, len(scores) - 1))[:100]
        best = best[np.argsort(-scores[best])]
        by_vectors = (inside[level][best] if level else best) + 1
        fused: dict[int, float] = {}
        for ranked in (by_words, by_vectors.tolist()):
            for rank, one in enumerate(ranked):
                fused[one] = fused.get(one, 0.0) + 1 / (60 + rank)
        return sorted(fused, key=lambda one: -fused[one])[:K]

    return search


def measured(search: Search, folder: Path, until: float, filtered: int = 60) -> dict[str, object]:
    """Milliseconds of single searches, searches a second with two threads, and memory."""
    questions = json.loads((folder / "queries.json").read_text(encoding="utf-8"))
    vectors = np.load(folder / "query_vectors.npy")
    asked = list(zip(questions, vectors, strict=True))
    for question, vector in asked[:20]:
        search(question, vector, 0)
    record: dict[str, object] = {"all": milliseconds(search, asked, 0, until)}
    for level, name in enumerate(("50 %", "10 %", "1 %", "0.1 %"), 1):
        record[name] = milliseconds(search, asked[:filtered], level, until)
    if time.monotonic() < until:
        started = time.perf_counter()
        with ThreadPoolExecutor(2) as threads:
            list(threads.map(lambda one: search(*one, 0), asked))
        record["searches a second, 2 threads"] = round(len(asked) / (time.perf_counter() - started), 1)
    return record | {"MiB": memory()}


def milliseconds(
    search: Search, asked: list[tuple[str, np.ndarray]], level: int, until: float
) -> dict[str, float | int]:
    """The first search, the median and the 99th percentile of the others; `short` had fewer than ten results."""
    times, short = [], 0
    for question, vector in asked:
        started = time.perf_counter()
        short += len(search(question, vector, level)) < K
        times.append(1000 * (time.perf_counter() - started))
        if time.monotonic() > until:
            break
    rest = times[1:] or times
    p50, p99 = np.quantile(rest, (0.5, 0.99))
    return {
        "first": round(times[0], 2), "p50": round(p50, 2), "p99": round(p99, 2), "searches": len(times), "short": short
    }  # fmt: skip


def memory() -> dict[str, int]:
    """Resident memory of this process in MiB, and what of it is no file's."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()[1:]
    kib = {name.rstrip(":"): int(value) for name, value, *_ in map(str.split, lines)}
    return {"resident": kib["Rss"] // 1024, "anonymous": kib["Anonymous"] // 1024}


def recall(found: list[list[int]], folder: Path) -> float:
    """The share of the exact ten nearest that were found."""
    exact = np.load(folder / "exact.npy")
    return round(sum(len(set(one) & set(ten.tolist())) for one, ten in zip(found, exact, strict=True)) / exact.size, 4)


def main() -> None:
    name, folder, scratch, seconds = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), float(sys.argv[4])
    started = time.monotonic()
    record: dict[str, object] = {"engine": name}
    try:
        make = {"lancedb": lancedb, "chroma": chroma, "sqlite": sqlite}[name]
        search = make(folder, scratch, started + seconds)
        record["build seconds"] = round(time.monotonic() - started, 1)
        record |= measured(search, folder, time.monotonic() + seconds)
        if name != "sqlite":  # which is exact
            vectors = np.load(folder / "query_vectors.npy")
            record["recall of vectors"] = recall([search("", one, 0) for one in vectors], folder)
    except OutOfTime as stopped:
        record["not finished"] = f"in {seconds:.0f} s: {stopped}"
    print(json.dumps(record))


if __name__ == "__main__":
    main()
