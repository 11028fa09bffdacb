"""How fast a question is answered with passages, beside LanceDB, Chroma and SQLite FTS5 with NumPy.

    python benchmarks/searching.py --library FOLDER --passages 50000 1000000 --peers-at 100000 --json OUT

`--library` is one that holds real files (adding.py keeps one), or `--data` names a folder to make it of. Its
passages are written to libraries of as many passages as wanted: the real ones first, then mixed copies whose
vectors are jittered, exactly as passages.py says. `--keep DIR` keeps them and the peers' environments.

Every engine is a process of its own, gets the same texts, vectors and questions, and answers k = 10. Questions
are runs of 4 to 10 words cut from passages, with the packaged encoder's vectors. One figure of Quoth is
`Library.search` as people call it, the encoding of the question included; "without encoding" takes the vectors
as the peers do, beforehand. Filters are folders that hold 50, 10, 1 and 0.1 % of the passages, strewn over the
library (for peers a number beside each passage, indexed where they can); "first" is the first search with a
filter, "p50" and "p99" those after it. Recall is that of ten vectors against exact cosines. Cold is a process
`quoth search QUESTION`, the median of five after one warm-up. Memory is resident and anonymous, after all that:
the half-precision rows of vectors are mapped from their file, and count as resident where they were touched.
A peer that does not finish building or searching in `--seconds` is recorded as such.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import environments
import numpy as np
import passages
import record

PEERS = Path(__file__).parent / "peers"
sys.path.insert(0, str(PEERS))
import searching_with  # noqa: E402

QUESTIONS = 200
PACKAGES = {"lancedb": ["lancedb==0.40.0"], "chroma": ["chromadb==1.5.9"], "sqlite": []}
ORDER = ("quoth", "quoth without encoding", *PACKAGES)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    source = options.add_mutually_exclusive_group(required=True)
    source.add_argument("--library", type=Path, metavar="DIR", help="a library of real files")
    source.add_argument("--data", type=Path, metavar="DIR", help="a folder of files to make that library of")
    options.add_argument("--passages", type=int, nargs="+", default=[50_000, 100_000, 1_000_000], metavar="N")
    options.add_argument("--peers-at", type=int, nargs="*", default=[100_000], metavar="N")
    options.add_argument("--seconds", type=int, default=180, help="for building, and again for searching, of a peer")
    options.add_argument("--keep", type=Path, metavar="DIR")
    options.add_argument("--json", metavar="OUT")
    options.add_argument("--measure", type=Path, metavar="DIR", help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.measure:
        print(json.dumps(quoth(given.measure)))
        return
    report = {"benchmark": "searching"} | record.environment() | {"peers": PACKAGES, "sizes": []}
    with tempfile.TemporaryDirectory(prefix="quoth-searching-") as scratch:
        place = given.keep or Path(scratch)
        prepared = [prepare(given.library or place / "real", given.data, place, count) for count in given.passages]
        for count, folder in zip(given.passages, prepared, strict=True):
            report["sizes"].append(one_size(count, folder, place, given.seconds if count in given.peers_at else 0))
            if given.json:
                record.write(given.json, report)
    record.write(given.json, report)


def prepare(library: Path, data: Path | None, place: Path, count: int) -> Path:
    """The folder with a library of so many passages, made unless it is there."""
    folder = place / f"passages-{count}"
    if (folder / "exact.npy").exists():
        return folder
    say(f"making a library of {count:,} passages")
    given = passages.real(data, library)
    built = passages.build(given, count, folder)
    (folder / "built.json").write_text(json.dumps(built | {"real": min(count, len(given.texts))}))
    ask(folder)
    return folder


def ask(folder: Path) -> None:
    """Write questions, their vectors, and their ten nearest by exact cosine."""
    from quoth.embed.packaged import PackagedEncoder

    draw = random.Random(0)
    lines = (folder / "texts.jsonl").read_text(encoding="utf-8").splitlines()
    questions: list[str] = []
    while len(questions) < QUESTIONS:
        words = json.loads(draw.choice(lines)).split()
        first = draw.randrange(max(1, len(words) - 10))
        question = " ".join(words[first : first + draw.randint(4, 10)])
        if sum(one.isalpha() for one in question) > 12 and len(question) < 120:
            questions.append(question)
    asked = PackagedEncoder().encode(questions)
    vectors = np.load(folder / "vectors.npy", mmap_mode="r")
    ids, scores = np.zeros((QUESTIONS, 0), np.int64), np.zeros((QUESTIONS, 0), np.float32)
    for first in range(0, len(vectors), 100_000):
        some = asked @ vectors[first : first + 100_000].astype(np.float32).T
        scores = np.hstack([scores, some])
        ids = np.hstack([ids, np.broadcast_to(np.arange(first + 1, first + 1 + some.shape[1]), some.shape)])
        best = np.argsort(-scores, axis=1, kind="stable")[:, :10]
        ids, scores = np.take_along_axis(ids, best, 1), np.take_along_axis(scores, best, 1)
    (folder / "queries.json").write_text(json.dumps(questions), encoding="utf-8")
    np.save(folder / "query_vectors.npy", asked)
    np.save(folder / "exact.npy", ids)


def one_size(count: int, folder: Path, place: Path, seconds: int) -> dict[str, object]:
    """The record of one number of passages."""
    say(f"{count:,} passages: quoth")
    built = json.loads((folder / "built.json").read_text())
    done = subprocess.run(
        [sys.executable, __file__, "--data", ".", "--measure", str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    engines = json.loads(done.stdout.splitlines()[-1])
    engines[0] |= {"build seconds": round(built["words"] + built["vectors"] + built["catalog"], 1), "built": built}
    engines[0] |= {"cold seconds": cold(folder), "MB on disk": megabytes(folder / "library")}
    for name in PACKAGES if seconds else ():
        say(f"{count:,} passages: {name}")
        engines.append(peer(name, folder, place, seconds))
    return {"passages": count, "real": built["real"], "engines": engines}


def quoth(folder: Path) -> list[dict[str, object]]:
    """Two records of this process: searches as people call them, and with the vectors of the questions given."""
    from quoth import Library
    from quoth.embed.known import Known as Kept
    from quoth.types import Filters

    given = [None, *(Filters(folders=(name,)) for name in passages.FOLDERS)]
    questions = json.loads((folder / "queries.json").read_text(encoding="utf-8"))
    vectors = np.load(folder / "query_vectors.npy")
    with Library.open(folder / "library") as library:
        encoder = library._parts.encoder
        encoder._known = Kept(most=0)  # each question comes several times: its vector is made each time

        def search(question: str, _: np.ndarray, level: int) -> list[int]:
            return [hit.passage for hit in library.search(question, 10, given[level], plain=True).hits]

        whole = {"engine": "quoth"} | searching_with.measured(search, folder, time.monotonic() + 600)
        index = library._parts.vectors
        whole["recall of vectors"] = searching_with.recall(
            [index.search(one, 10).ids.tolist() for one in vectors], folder
        )
        times = []
        for question in questions:
            started = time.perf_counter()
            encoder.encode([question])
            times.append(1000 * (time.perf_counter() - started))
        whole["encoding p50"] = round(statistics.median(times), 2)
        library._parts.__dict__["encoder"] = Known(encoder.fingerprint, dict(zip(questions, vectors, strict=True)))
        bare = {"engine": "quoth without encoding"}
        return [whole, bare | searching_with.measured(search, folder, time.monotonic() + 600)]


class Known:
    """`quoth.types.Encoder` of texts whose vectors are there already."""

    def __init__(self, fingerprint: str, vectors: dict[str, np.ndarray]) -> None:
        self.fingerprint = fingerprint
        self.vectors = {" ".join(text.split()): vector for text, vector in vectors.items()}
        self.dimensions = len(next(iter(vectors.values())))

    def encode(self, texts: list[str]) -> np.ndarray:
        return np.stack([self.vectors[text] for text in texts])


def cold(folder: Path) -> dict[str, float]:
    """Wall seconds of `quoth search` as a process of its own."""
    questions = json.loads((folder / "queries.json").read_text(encoding="utf-8"))
    times = []
    for question in questions[:6]:
        started = time.perf_counter()
        command = [sys.executable, "-m", "quoth", "--library", str(folder / "library"), "search", "--", question]
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        times.append(time.perf_counter() - started)
    return {name: round(of(times[1:]), 3) for name, of in (("median", statistics.median), ("min", min), ("max", max))}


def peer(name: str, folder: Path, place: Path, seconds: int) -> dict[str, object]:
    """The record of another engine, built and measured in its own environment."""
    python = (
        environments.environment(place / "peers" / name, sys.executable, PACKAGES[name])
        if PACKAGES[name]
        else sys.executable
    )
    with tempfile.TemporaryDirectory(dir=place) as scratch:
        command = [python, str(PEERS / "searching_with.py"), name, str(folder), scratch, str(seconds)]
        try:
            # building an index cannot be stopped from inside: such a peer is ended from here
            done = subprocess.run(
                command, stdout=subprocess.PIPE, text=True, timeout=2.5 * seconds, check=False, env=quiet()
            )
        except subprocess.TimeoutExpired:
            return {"engine": name, "not finished": f"in {2.5 * seconds:.0f} s"}
        if done.returncode:
            return {"engine": name, "not finished": f"it ended with exit code {done.returncode}"}
        return json.loads(done.stdout.splitlines()[-1]) | {"MB on disk": megabytes(Path(scratch))}


def quiet() -> dict[str, str]:
    """The environment, without anything that lets a peer call home."""
    return os.environ | {"ANONYMIZED_TELEMETRY": "False", "HF_HUB_OFFLINE": "1", "LANCE_LOG": "error"}


def megabytes(folder: Path) -> int:
    return round(sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6)


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
