"""Texts or notes into txtai with content and a hybrid index (BM25 and dense), written to disk at the end.

Run by benchmarks/adding.py in an environment of its own: `with_txtai.py JOB`, a JSON object with `index`
(where to) and either

    texts   a file of JSON strings, a line each: encoded by Quoth's packaged encoder, as external vectors
    notes   a folder of Markdown notes: cut by txtai's own Segmentation into paragraphs, encoded by the
            transformers model in the folder `model`, all else as it is by default

Prints one JSON object. `seconds` counts from the constructor to the closed index, imports not.
"""

from __future__ import annotations

import importlib.metadata
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

BEGUN = time.perf_counter()

from txtai import Embeddings  # noqa: E402
from txtai.pipeline import Segmentation  # noqa: E402

PACKAGES = ("txtai", "torch", "transformers", "faiss-cpu")


def main() -> None:
    job = json.loads(sys.argv[1])
    if "texts" in job:
        from quoth.embed.packaged import PackagedEncoder
    imported = time.perf_counter()
    spent: list[float] = []
    if "texts" in job:
        encoder = PackagedEncoder()
        options = {"method": "external", "transform": lambda texts: encoder.encode(texts)}
    else:
        options = {"path": job["model"]}
    with Embeddings(content=True, hybrid=True, **options) as embeddings:
        embeddings.model.encode = timed(embeddings.model.encode, spent)
        embeddings.index(texts(Path(job["texts"])) if "texts" in job else paragraphs(Path(job["notes"])))
        count = embeddings.count()
        embeddings.config.pop("transform", None)  # a function cannot be saved
        embeddings.save(job["index"])
    report = {
        "passages": count,
        "seconds": time.perf_counter() - imported,
        "encoder_seconds": sum(spent),
        "import_seconds": imported - BEGUN,
        "versions": {
            name: importlib.metadata.version(name) for name in ("txtai", "torch", "transformers", "faiss-cpu")
        },
    }
    print(json.dumps(report))


def texts(file: Path) -> list[str]:
    """The texts that were cut beforehand."""
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def paragraphs(folder: Path) -> list[str]:
    """Every note in paragraphs."""
    segmentation = Segmentation(paragraphs=True)
    notes = [note.read_text(encoding="utf-8", errors="replace") for note in sorted(folder.rglob("*.md"))]
    return [paragraph for note in notes for paragraph in segmentation(note)]


def timed(encode: Callable[..., object], spent: list[float]) -> Callable[..., object]:
    """The same function, with what it takes noted down."""

    def noted(*arguments: object, **named: object) -> object:
        started = time.perf_counter()
        try:
            return encode(*arguments, **named)
        finally:
            spent.append(time.perf_counter() - started)

    return noted


if __name__ == "__main__":
    main()
