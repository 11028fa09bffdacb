"""As many passages as wanted: the real ones of a folder, extended by mixed copies. For searching.py.

The folder is added to a library once (that is the encoder's time); its passages, with their vectors, are the
real ones. Beyond them come copies of the documents in which every passage is the first half of itself and the
second half of another passage of the folder, under the vector of the first, moved: unit vectors plus a random
vector of length 0.5, so that a copy's cosine to its model is about 0.89. Words thus keep their frequencies and
no passage is a near-duplicate of another. Documents of more than 50 passages are cut into several.

Every document lies in a folder that says which share of the passages lies there: /half holds 50 %, and inside
it /half/tenth 10 %, /half/tenth/hundredth 1 % and /half/tenth/hundredth/thousandth 0.1 %. Their documents are
strewn over the library, which is the harder case: the files of a real folder are added one after another.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from quoth import Library
from quoth.catalog import WrittenFile
from quoth.ingest.split import encoded
from quoth.parts import Parts
from quoth.types import Document, Passage

SHARES = (0.5, 0.1, 0.01, 0.001)
FOLDERS = ("/half", "/half/tenth", "/half/tenth/hundredth", "/half/tenth/hundredth/thousandth")
LONGEST = 50
BATCH = 50_000
MOVED = 0.5


@dataclass(frozen=True, slots=True)
class Part:
    """Some passages of a document that follow each other: contexts and texts, and their rows of vectors."""

    kind: str
    title: str
    language: str
    contexts: list[str]
    texts: list[str]
    rows: np.ndarray


@dataclass(frozen=True, slots=True)
class Real:
    """The real passages of a folder."""

    parts: list[Part]
    texts: list[str]
    vectors: np.ndarray


@dataclass(frozen=True, slots=True)
class Made:
    """A document with its vectors; `level` is how many of FOLDERS hold it."""

    document: Document
    passages: list[Passage]
    vectors: np.ndarray
    level: int


def real(data: Path, library: Path) -> Real:
    """The passages of the files in `data`, through a library that is made in `library` unless it is there."""
    with Library.open(library) as opened:
        if not opened.sources():
            opened.add([data])
        parts = opened._parts
        ids = parts.catalog.passage_ids()
        vectors = parts.vectors.fetch(ids)
        texts: list[str] = []
        grouped: dict[str, list[tuple[int, str, str, str, str, str]]] = {}
        for row, (passage, language) in enumerate(parts.catalog.each_passage(ids.tolist())):
            one = (row, passage.kind, passage.title, language, passage.context, passage.text)
            grouped.setdefault(passage.path, []).append(one)
            texts.append(passage.text)
    cut = [group[first : first + LONGEST] for group in grouped.values() for first in range(0, len(group), LONGEST)]
    found = [
        Part(*some[0][1:4], [one[4] for one in some], [one[5] for one in some], np.array([one[0] for one in some]))
        for some in cut
    ]
    return Real(found, texts, vectors)


def made(given: Real, count: int) -> Iterator[Made]:
    """Documents with `count` passages together, the real ones first, in an order that is always the same."""
    rng = np.random.default_rng(0)
    total, held, number = 0, [0] * len(SHARES), 0
    while total < count:
        copy = number >= len(given.parts)
        if number % len(given.parts) == 0:
            order = rng.permutation(len(given.parts))
        part = given.parts[order[number % len(given.parts)]]
        size = min(len(part.texts), count - total)
        level = 0
        while level < len(SHARES) and held[level] + size / 2 <= SHARES[level] * (total + size):
            held[level] += size
            level += 1
        total += size
        number += 1
        yield _document(given, part, size, FOLDERS[level - 1] if level else "", (number, level, copy), rng)


def _document(
    given: Real, part: Part, size: int, folder: str, said: tuple[int, int, bool], rng: np.random.Generator
) -> Made:
    number, level, copy = said
    texts, vectors = part.texts[:size], given.vectors[part.rows[:size]]
    if copy:
        others = rng.integers(0, len(given.texts), size)
        texts = [_mixed(text, given.texts[other]) for text, other in zip(texts, others, strict=True)]
        away = rng.normal(size=vectors.shape).astype(np.float32)
        vectors = vectors + MOVED * away / np.linalg.norm(away, axis=1, keepdims=True)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    ends = np.cumsum([len(text) + 2 for text in texts]) - 2
    passages = [
        Passage(int(end) - len(text), int(end), text, context)
        for end, text, context in zip(ends, texts, part.contexts, strict=False)
    ]
    path = f"{folder}/rest/{number:07}.txt"
    document = Document(path, part.kind, part.title, "\n\n".join(texts), (), True, part.language, 1.7e9)
    return Made(document, passages, vectors, level)


def _mixed(text: str, other: str) -> str:
    """The first half of one text and the second half of another, cut between words."""
    return f"{text[: _middle(text)]} {other[_middle(other) :].lstrip()}"


def _middle(text: str) -> int:
    found = re.compile(r"\s").search(text, len(text) // 2)
    return found.start() if found else len(text)


def build(given: Real, count: int, folder: Path) -> dict[str, float]:
    """A library of `count` passages in `folder`, written through its parts; the seconds each part took.

    Beside the library lie texts.jsonl (what is indexed), vectors.npy (half precision) and levels.npy, in the
    order of the passage ids, which begin at 1.
    """
    folder.mkdir(parents=True)
    parts = Parts(folder / "library")
    source = parts.catalog.add_source("/")
    parts.catalog.set("fingerprint", parts.encoder.fingerprint)
    spent = {"catalog": 0.0, "words": 0.0, "vectors": 0.0}
    levels: list[np.ndarray] = []
    shape = (count, parts.encoder.dimensions)
    kept = np.lib.format.open_memmap(folder / "vectors.npy", mode="w+", dtype=np.float16, shape=shape)
    first = 1
    with (folder / "texts.jsonl").open("w", encoding="utf-8") as lines:
        for batch in _batches(made(given, count)):
            texts, first = _write(parts, source.id, batch, first, spent)
            lines.writelines(json.dumps(text) + "\n" for text in texts)
            levels += [np.full(len(one.passages), one.level, np.int8) for one in batch]
            kept[first - 1 - len(texts) : first - 1] = np.concatenate([one.vectors for one in batch])
    started = time.perf_counter()
    parts.vectors.close()
    spent["vectors"] += time.perf_counter() - started
    parts.close()
    np.save(folder / "levels.npy", np.concatenate(levels))
    return {name: round(seconds, 1) for name, seconds in spent.items()}


def _batches(documents: Iterator[Made]) -> Iterator[list[Made]]:
    batch: list[Made] = []
    for one in documents:
        batch.append(one)
        if sum(len(each.passages) for each in batch) >= BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _write(parts: Parts, source: int, batch: list[Made], first: int, spent: dict[str, float]) -> tuple[list[str], int]:
    """Write documents to catalog and indexes; the texts as they are indexed, and the next passage id."""
    started = time.perf_counter()
    files, texts, languages = [], [], []
    for one in batch:
        passages = [
            Passage(passage.start, passage.end, passage.text, passage.context, first + place)
            for place, passage in enumerate(one.passages)
        ]
        first += len(passages)
        texts += [encoded(one.document.kind, passage) for passage in passages]
        languages += [one.document.language] * len(passages)
        stamp = (len(one.document.text), 0, one.document.path)
        files.append(WrittenFile(one.document.path, *stamp, [(one.document, passages)]))
    parts.catalog.write(source, files)
    ids = np.arange(parts.catalog.reserve(len(texts)), first, dtype=np.int64)
    spent["catalog"] += time.perf_counter() - started
    started = time.perf_counter()
    parts.words.add(ids, texts, languages)
    spent["words"] += time.perf_counter() - started
    started = time.perf_counter()
    parts.vectors.add(ids, np.concatenate([one.vectors for one in batch]))
    spent["vectors"] += time.perf_counter() - started
    return texts, first
