"""Kill -9 at random moments of add, remove, reindex, a change of encoder and forget: what is lost or doubled.

    python benchmarks/crash.py --kills 200 --json OUT

A folder of generated notes, a library of it, and one command after the other, each a process `quoth …` of its
own that gets SIGKILL at a moment drawn evenly from the time that the command takes when it is let be (measured
first, three times). Before each add some notes are changed, some are new, some moved, some deleted.

After each kill, before any repair, the library is opened and asked: every hit and quote must be where it says.
Then the command is given once more, or a sync, as a person would, and everything is compared with the files:

    lost        files that are not in the catalog as they are on disk, or passages that an index lacks
    doubled     files, documents or passages that are there twice, or more in an index than in the catalog
    half        texts or passages that are not as they should be, checks of `quoth doctor` that fail
    unreadable  the library cannot be opened, searched or repaired
    remembered  words of a forgotten note that still stand in any file of the library, or a forgotten note back
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import record

from quoth import Library
from quoth.errors import NotFound, QuothError

NOTES = 48
COMMANDS = ("add", "remove", "reindex", "encoder", "forget")
ENCODER = "other_encoder:Shorter"
OUTCOMES = ("lost", "doubled", "half", "unreadable", "remembered")


@dataclass
class Trial:
    """The folder of notes, its library, and what was found wrong with it."""

    folder: Path
    library: Path
    draw: random.Random
    version: int = 0
    forgotten: list[Path] = field(default_factory=list)
    canaries: list[bytes] = field(default_factory=list)
    wrong: Counter[str] = field(default_factory=Counter)
    stories: list[str] = field(default_factory=list)

    def note(self, what: str, story: str) -> None:
        """Count something that is wrong, and keep what it was."""
        self.wrong[what] += 1
        self.stories.append(f"{what}: {story}")


def text(name: str, version: int) -> str:
    """A note of three passages or so, unlike any other note or version."""
    words = [f"{name}v{version}", "granite", "harbour", "lantern", "meadow", "orchard", "quarry", "willow"]
    return f"# Note {name}\n\n" + "\n\n".join(
        " ".join(f"{words[(line * step) % 8]} {words[0]}x{line * 40 + step}." for step in range(1, 40))
        for line in range(1, 5)
    )


def disturb(trial: Trial) -> None:
    """Change, add, move and delete some notes."""
    trial.version += 1
    notes = [path for path in sorted(trial.folder.rglob("*.md")) if path not in trial.forgotten]
    for path in trial.draw.sample(notes, 8):
        path.write_text(text(path.stem, trial.version))
    for path in trial.draw.sample(notes, 2):
        path.rename(path.with_name(f"{path.stem.partition('-')[0]}-{trial.version}.md"))
    for number in range(2):
        (trial.folder / "new" / f"n{trial.version}x{number}.md").write_text(text(f"n{number}", trial.version))
    for path in sorted((trial.folder / "new").glob("*.md"))[:-12]:
        path.unlink()


def commands(trial: Trial, name: str) -> list[str]:
    """The arguments of a command that has something to do."""
    if name == "add":
        disturb(trial)
        return ["add", str(trial.folder)]
    if name == "remove":
        return ["remove", str(trial.folder / "old")]
    if name == "reindex":
        return ["reindex"]
    if name == "encoder":
        return ["reindex", "--encoder", trial.draw.choice([ENCODER, "minilm"])]
    secret = trial.folder / f"secret{trial.version}-{len(trial.forgotten)}.md"
    canary = f"zanzibar{trial.draw.randrange(10**12):012}"
    secret.write_text(f"# A secret {canary}\n\n" + f"The {canary} is under the {canary} stone. " * 30)
    with Library.open(trial.library) as library:
        library.sync()
    trial.canaries.append(canary.encode())
    trial.forgotten.append(secret)
    return ["forget", str(secret)]


def start(trial: Trial, arguments: list[str]) -> subprocess.Popen[bytes]:
    environment = os.environ | {"QUOTH_LIBRARY": str(trial.library)}
    return subprocess.Popen(
        [sys.executable, "-m", "quoth", *arguments],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def readable(trial: Trial) -> None:
    """Open, search and ask before any repair; whatever is shown must be where it says."""
    try:
        with Library.open(trial.library) as library:
            hits = library.search("granite harbour lantern", 20).hits
            answer = library.ask("Where is the meadow of the orchard?")
            for one in (*hits, *answer.quotes, *answer.also):
                if library.show(one.document).text[one.start : one.end] != one.text:
                    trial.note("half", f"{one.document} {one.start}:{one.end} is not what was shown")
    except QuothError as error:
        trial.note("unreadable", str(error))


def again(trial: Trial, name: str, arguments: list[str]) -> None:
    """What a person does after a crash: the same once more, then a sync."""
    try:
        with Library.open(trial.library) as library:
            try:
                if name == "add":
                    library.add([trial.folder])
                elif name == "remove":
                    library.remove(arguments[1])
                elif name == "forget":
                    library.forget(arguments[1])
                else:
                    library.reindex(encoder=arguments[2] if name == "encoder" else "")
            except NotFound:
                pass  # it had been done
            library.sync()
    except QuothError as error:
        trial.note("unreadable", f"{name} again: {error}")


def compare(trial: Trial) -> None:
    """Hold the library against the files."""
    with Library.open(trial.library) as library:
        parts = library._parts
        files = [file for file in parts.catalog.files() if file.state == "read"]
        on_disk = {str(path) for path in trial.folder.rglob("*.md")} - set(map(str, trial.forgotten))
        known = Counter(file.path for file in files)
        for path in sorted(on_disk - set(known)):
            trial.note("lost", path)
        for path in sorted(set(known) - on_disk):
            trial.note("remembered" if Path(path) in trial.forgotten else "half", f"{path} is not on disk")
        documents = Counter(parts.catalog.paths())
        for path, count in (known + documents).items():
            if count != 2:
                trial.note(
                    "doubled" if count > 2 else "half", f"{path}: {known[path]} files, {documents[path]} documents"
                )
        ids = parts.catalog.passage_ids()
        for path in sorted(on_disk & set(known)):
            if library.show(path).text != Path(path).read_text():
                trial.note("half", f"{path}: the text is not the file's")
        spans = Counter((row.path, row.start, row.end) for row in parts.catalog.passages(ids.tolist()).values())
        doubled = [span for span, count in spans.items() if count > 1]
        if doubled:
            trial.note("doubled", f"passages {doubled[:3]}")
        for label, index in (("words", parts.words), ("vectors", parts.vectors)):
            held = index.ids()
            if len(np.setdiff1d(ids, held)):
                trial.note("lost", f"{len(np.setdiff1d(ids, held))} passages of the {label}")
            if len(np.setdiff1d(held, ids)) or len(np.unique(held)) != len(held):
                trial.note("doubled", f"{len(np.setdiff1d(held, ids))} passages more in the {label}")
        for check in library.doctor():
            if not check.ok:
                trial.note("half", f"doctor: {check.name}: {check.found}")
    held_bytes = b"".join(path.read_bytes() for path in trial.library.rglob("*") if path.is_file())
    for canary in trial.canaries:
        if canary in held_bytes:
            trial.note("remembered", canary.decode())


def durations(trial: Trial) -> dict[str, float]:
    """Seconds that each command takes when it is let be, the median of three."""
    taken: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(3):
        for name in COMMANDS:
            arguments = commands(trial, name)
            started = time.perf_counter()
            start(trial, arguments).wait()
            taken[name].append(time.perf_counter() - started)
            again(trial, name, arguments)
    compare(trial)
    return {name: round(statistics.median(times), 2) for name, times in taken.items()}


def kills(trial: Trial, count: int, seconds: dict[str, float]) -> Iterator[tuple[str, bool]]:
    """(command, whether it was still running) of each kill, with everything checked after it."""
    for number in range(count):
        name = COMMANDS[number % len(COMMANDS)]
        arguments = commands(trial, name)
        process = start(trial, arguments)
        time.sleep(trial.draw.uniform(0.1, seconds[name]))
        running = process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.wait()
        readable(trial)
        again(trial, name, arguments)
        compare(trial)
        yield name, running


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", metavar="OUT")
    options = parser.parse_args()
    sys.path.append(str(record.ROOT / "tests" / "data"))
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), sys.path[-1]]))
    with tempfile.TemporaryDirectory(prefix="quoth-crash-") as scratch:
        trial = Trial(Path(scratch, "notes"), Path(scratch, "library"), random.Random(options.seed))
        for folder in ("old", "kept", "new"):
            (trial.folder / folder).mkdir(parents=True)
        for number in range(NOTES):
            path = trial.folder / ("old" if number < 8 else "kept") / f"{number}.md"
            path.write_text(text(path.stem, 0))
        with Library.open(trial.library) as library:
            library.add([trial.folder])
        seconds = durations(trial)
        killed: Counter[str] = Counter()
        running: Counter[str] = Counter()
        for name, alive in kills(trial, options.kills, seconds):
            killed[name] += 1
            running[name] += alive
            done = sum(killed.values())
            print(f"\r{done} of {options.kills} kills, wrong: {sum(trial.wrong.values())}", end="", file=sys.stderr)
        print(file=sys.stderr)
        result = {
            **record.environment(),
            "seed": options.seed,
            "kills": sum(killed.values()),
            "commands": {
                name: {"seconds": seconds[name], "kills": killed[name], "while_running": running[name]}
                for name in COMMANDS
            },
            **{name: trial.wrong[name] for name in OUTCOMES},
            "stories": trial.stories[:50],
        }
    record.write(options.json, result)


if __name__ == "__main__":
    main()
