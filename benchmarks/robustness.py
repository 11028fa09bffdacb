"""Hostile and broken files: each alone, then all of them together.

    python benchmarks/robustness.py --data FOLDER_OR_TAR [--passwords FILE] --json OUT

FOLDER holds files, or `files.tar.xz` with an optional `manifest.jsonl.gz` (one record a file: `path`, and
where known `chars_first5`, `encrypted`, `password`, `pypdf_error`). Alone: every file is read, by content, in a
worker process that has read one tiny note before, with the limits of the product (60 s, 1 GiB of address
space); seconds are those of that file, memory is the peak that the kernel saw of that worker. Together:
`quoth add` of the folder into an empty library, as a process. Passwords are those of FILE, or the manifest's.

Beside it, unless `--alone`, pypdf reads the same PDFs (text of the first five pages, the same passwords, 30 s each).
A file counts as: read (documents with text), blank (nothing in it, and that is said or true), failed (with a
reason), skipped (of a kind that is not read, with a reason), crashed (the reader died or stumbled), hung.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import memory
import record

PEER = "pypdf==6.14.2"
PEER_CODE = """
import json, logging, signal, sys, warnings
logging.disable(), warnings.simplefilter("ignore")
from pypdf import PdfReader
def late(*_): raise TimeoutError("30 s")
signal.signal(signal.SIGALRM, late)
passwords = json.loads(sys.argv[1])
for line in sys.stdin:
    path = line.rstrip("\\n")
    try:
        signal.alarm(30)
        reader = PdfReader(path)
        if reader.is_encrypted:
            any(reader.decrypt(one) for one in ["", *passwords])
        said = len("".join(page.extract_text() for _, page in zip(range(5), reader.pages)).strip())
    except BaseException as error:
        said = type(error).__name__
    finally:
        signal.alarm(0)
    print(json.dumps([path, said]), flush=True)
"""


@dataclass(frozen=True, slots=True)
class Reading:
    """What became of one file that was read alone."""

    path: str
    state: str
    reason: str
    characters: int
    hidden: int
    seconds: float
    peak_bytes: int


def unpacked(data: Path, where: Path) -> Path:
    """The folder of files: the given one, or the archive in it unpacked."""
    archives = [data] if data.is_file() else sorted(data.glob("*.tar.xz"))
    if not archives:
        return data
    with tarfile.open(archives[0], "r:xz") as archive:
        archive.extractall(where, filter="data")
    return where


def manifest(data: Path) -> dict[str, dict[str, object]]:
    """The records of the manifest beside the files, by path; none where there is no manifest."""
    place = (data.parent if data.is_file() else data) / "manifest.jsonl.gz"
    if not place.exists():
        return {}
    with gzip.open(place, "rt", encoding="utf-8") as lines:
        return {one["path"]: one for one in map(json.loads, lines)}


def read_alone(path: Path, root: Path, note: Path, passwords: Sequence[str]) -> Reading:
    """One file in a worker of its own."""
    from quoth.embed.packaged import FOLDER
    from quoth.ingest.worker import ReadPool, ToRead

    with ReadPool(FOLDER / "tokenizer.json", workers=1) as pool:
        next(iter(pool.map([ToRead(str(note))])))
        (worker,) = pool._all
        started = time.perf_counter()
        outcome = next(iter(pool.map([ToRead(str(path), tuple(passwords))])))
        seconds = time.perf_counter() - started
        peak = memory.Peak()
        peak.look(worker._process.pid)
    characters = sum(len(one.text.strip()) for one, _ in outcome.documents)
    hidden = sum(len(one.hidden) for one, _ in outcome.documents)
    state = state_of(outcome.reason, outcome.skipped) if outcome.reason else "read" if characters else "blank"
    return Reading(
        str(path.relative_to(root)), state, outcome.reason, characters, hidden, round(seconds, 3), peak.resident
    )


def state_of(reason: str, skipped: bool) -> str:
    """What a reason comes to."""
    if reason.startswith(("the reader crashed", "the reader was killed", "the reader stumbled", "the reader gave")):
        return "crashed"
    if reason.startswith("reading took longer"):
        return "hung"
    return "skipped" if skipped else "failed"


def alone(files: Sequence[Path], root: Path, passwords: Sequence[str]) -> list[Reading]:
    """Every file alone, as many at a time as there are cores."""
    with tempfile.TemporaryDirectory(prefix="quoth-robust-") as scratch:
        note = Path(scratch, "note.txt")
        note.write_text("The key is under the mat.\n")
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            return list(threads.map(lambda path: read_alone(path, root, note, passwords), files))


def together(folder: Path, passwords: Sequence[str]) -> dict[str, object]:
    """`quoth add` of the whole folder."""
    with tempfile.TemporaryDirectory(prefix="quoth-robust-") as scratch:
        secrets = Path(scratch, "passwords")
        secrets.write_text("".join(f"{one}\n" for one in passwords))
        command = [sys.executable, "-m", "quoth", "add", "--json", "--password-file", str(secrets), str(folder)]
        run = memory.watched(command, os.environ | {"QUOTH_LIBRARY": f"{scratch}/library"})
        report = json.loads(run.output)
    states = Counter(state_of(one["reason"], False) for one in report["failed"])
    return {
        "seconds": round(run.seconds, 1),
        "added": report["added"],
        "failed": states["failed"],
        "skipped": len(report["skipped"]),
        "crashed": states["crashed"],
        "hung": states["hung"],
        "passages": report["passages"],
        "memory": run.memory(),
    }


def pypdf(files: Sequence[Path], root: Path, passwords: Sequence[str]) -> dict[str, int | str]:
    """How many characters pypdf finds in the first five pages of each PDF, or the name of its error."""
    with tempfile.TemporaryDirectory(prefix="quoth-pypdf-") as place:
        pip = [sys.executable, "-m", "pip", "install", "-qq", "--target", place, PEER, "cryptography"]
        subprocess.run(pip, check=True)
        names = "".join(f"{path}\n" for path in files)
        done = subprocess.run(
            [sys.executable, "-c", PEER_CODE, json.dumps(list(passwords))],
            input=names,
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | {"PYTHONPATH": place},
        )
    said = dict(json.loads(line) for line in done.stdout.splitlines())
    return {str(path.relative_to(root)): said.get(str(path), "it crashed") for path in files}


def summary(readings: Sequence[Reading]) -> dict[str, object]:
    """The counts of the files that were read alone, the slowest and the largest of them, the reasons."""
    states = Counter(one.state for one in readings)
    slowest = max(readings, key=lambda one: one.seconds)
    largest = max(readings, key=lambda one: one.peak_bytes)
    reasons = Counter(f"{one.state}: {general(one.reason)}" for one in readings if one.reason)
    return {
        "files": len(readings),
        **{state: states[state] for state in ("read", "blank", "failed", "skipped", "crashed", "hung")},
        "without a reason": sum(one.state in ("failed", "skipped") and not one.reason for one in readings),
        "slowest": {"path": slowest.path, "seconds": slowest.seconds},
        "largest": {"path": largest.path, "peak_bytes": largest.peak_bytes},
        "median_seconds": sorted(one.seconds for one in readings)[len(readings) // 2],
        "reasons": dict(reasons.most_common()),
    }


def general(reason: str) -> str:
    """A reason without the numbers and names that differ from file to file."""
    return re.sub(r"'[^']*'|\"[^\"]*\"|\d[\d,.]*", "…", reason)


def checked(readings: Mapping[str, Reading], expected: Mapping[str, Mapping[str, object]]) -> dict[str, object]:
    """What the manifest says, and whether it came true; files that differ are named."""
    known = [(readings[path], one) for path, one in expected.items() if path in readings]
    with_text = [reading for reading, one in known if int(str(one.get("chars_first5") or 0)) > 0]
    locked = [reading for reading, one in known if one.get("password")]
    refused = [reading for reading, one in known if one.get("pypdf_error")]
    return {
        "with text": len(with_text),
        "of these read": sum(one.state == "read" for one in with_text),
        "with text, not read": {one.path: one.reason or one.state for one in with_text if one.state != "read"},
        "with a password": len(locked),
        "of these opened": sum(one.state == "read" for one in locked),
        "refused by pypdf": len(refused),
        "refused by pypdf, here": {one.path: one.reason or one.state for one in refused},
    }


def beside(readings: Mapping[str, Reading], peer: Mapping[str, int | str]) -> dict[str, object]:
    """Text in PDFs, here and by pypdf."""

    def names(wanted: Iterator[str]) -> list[str]:
        return sorted(wanted)

    theirs = {path for path, said in peer.items() if isinstance(said, int) and said > 0}
    ours = {path for path in peer if readings[path].state == "read"}
    return {
        "peer": PEER,
        "files": len(peer),
        "both": len(ours & theirs),
        "here only": names(iter(ours - theirs)),
        "pypdf only": names(iter(theirs - ours)),
        "neither": len(set(peer) - ours - theirs),
        "errors of pypdf": dict(Counter(said for said in peer.values() if isinstance(said, str)).most_common()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER_OR_TAR")
    parser.add_argument("--passwords", type=Path, metavar="FILE", help="one a line; the manifest's where left out")
    parser.add_argument("--alone", action="store_true", help="only each file alone, without pypdf")
    parser.add_argument("--each", metavar="OUT", help="also write what became of every file")
    parser.add_argument("--json", metavar="OUT")
    options = parser.parse_args()
    expected = manifest(options.data)
    passwords = [str(one["password"]) for one in expected.values() if one.get("password")]
    if options.passwords:
        passwords = options.passwords.read_text(encoding="utf-8").splitlines()
    with tempfile.TemporaryDirectory(prefix="quoth-robust-") as scratch:
        folder = unpacked(options.data, Path(scratch))
        files = sorted(path for path in folder.rglob("*") if path.is_file() and "manifest.jsonl" not in path.name)
        started = time.perf_counter()
        readings = alone(files, folder, passwords)
        by_path = {one.path: one for one in readings}
        result: dict[str, object] = {**record.environment(), "set": options.data.name, "alone": summary(readings)}
        result["alone_seconds"] = round(time.perf_counter() - started, 1)
        result["manifest"] = checked(by_path, expected)
        if not options.alone:
            result["together"] = together(folder, passwords)
            pdfs = [path for path in files if path.suffix.lower() == ".pdf"]
            result["pdf"] = beside(by_path, pypdf(pdfs, folder, passwords))
    if options.each:
        Path(options.each).write_text(json.dumps([asdict(one) for one in readings], indent=1))
    record.write(options.json, result)


if __name__ == "__main__":
    main()
