"""A folder of notes into haiku.rag, by the function behind `haiku-rag add-src FOLDER`.

Run by benchmarks/adding.py in an environment of its own: `with_haiku.py JOB`, a JSON object with `notes`
(a folder), `index` (where to), `endpoint` (an OpenAI-compatible address that makes the vectors) and
`tokenizer` (a local folder for its splitter). Nothing else differs from its defaults, except that it
fetches no pictures from the web.

Prints one JSON object. `seconds` counts from the opened database to the closed one, imports not.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.metadata
import json
import sys
import time
from pathlib import Path

BEGUN = time.perf_counter()

from haiku.rag.client import HaikuRAG  # noqa: E402
from haiku.rag.config.models import AppConfig  # noqa: E402

LATER = (
    "docling.document_converter",
    "docling_core.transforms.chunker.hybrid_chunker",
    "docling_core.transforms.chunker.tokenizer.huggingface",
    "transformers",
)
"""What it imports with the first file."""


def main() -> None:
    job = json.loads(sys.argv[1])
    for name in LATER:
        importlib.import_module(name)
    imported = time.perf_counter()
    files, passages = asyncio.run(add(job))
    report = {
        "files": files,
        "passages": passages,
        "seconds": time.perf_counter() - imported,
        "import_seconds": imported - BEGUN,
        "versions": {name: importlib.metadata.version(name) for name in ("haiku.rag-slim", "docling", "lancedb")},
    }
    print(json.dumps(report))


async def add(job: dict[str, str]) -> tuple[int, int]:
    """How many notes were added, and how many passages they became."""
    model = {"provider": "openai", "name": "minilm", "vector_dim": 384, "base_url": job["endpoint"], "api_key": "none"}
    config = AppConfig.model_validate(
        {
            "embeddings": {"model": model},
            "processing": {
                "chunking_tokenizer": job["tokenizer"],
                "conversion_options": {"fetch_remote_images": False},
            },
        }
    )
    async with HaikuRAG(Path(job["index"]), config, create=True) as client:
        added = await client.create_document_from_source(job["notes"])
        passages = await client._single_session("count").store.chunks_table.count_rows()
    return len(added), passages


if __name__ == "__main__":
    main()
