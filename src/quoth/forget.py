"""Forget a document so that no byte of it stays in the library, and prove it.

What goes: its text, places and names in the catalog (with secure delete, then a vacuum and an emptied
write-ahead log), its words (the index is made anew), its vectors and codes, also those of another encoder
(rewritten without them), and its paths in the records of jobs. What stays is a keyed hash of the path, so
that the next sync does not bring it back.

The proof is a search of every file of the library folder, byte by byte, for canaries: stretches of the
document's text and headings, its paths and its vectors, of those that no other document shares. They
are looked for before as well, so that the search is known to find them.

Not covered: backups and exports made before, the file itself, what the file system or the disk keep of
overwritten blocks, and the memory of processes that have the library open.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from quoth.catalog import Catalog, File, Source, erase, golden, jobs, journal, runs, threads
from quoth.errors import LibraryError
from quoth.lock import writer
from quoth.parts import Parts, disk
from quoth.rebuild import erase_removed
from quoth.types import Document, Progress, Watcher

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CANARIES, DOCUMENTS = 64, 100
"""Most stretches taken from the text of a document, and most documents that they are taken from."""
LENGTH, SHORTEST = 24, 8
"""Characters of a stretch; bytes that a canary has at least."""
PIECE = 1 << 24
"""Bytes of a file that are searched at once."""


@dataclass(frozen=True, slots=True)
class Canary:
    """Bytes by which something is known again: what they are, and the words that they stand for."""

    what: str
    data: bytes
    words: bytes

    def __str__(self) -> str:
        shown = repr(self.words[:40].decode("utf-8", "replace"))
        return f"{self.what} ({shown})"


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was forgotten, and the proof.

    Of `canaries`, `found_before` were found in the library's files and `found_after` still are, each of them
    in a document that stays (`shared`).
    """

    files: int
    documents: int
    passages: int
    job_records: int
    canaries: int
    found_before: int
    found_after: int
    shared: int
    verified: bool
    notes: tuple[str, ...]
    seconds: float


def forget(
    parts: Parts, place: str, source: Source | None, files: Sequence[File], verify: bool, watch: Watcher
) -> Forgotten:
    """Erase everything of these files, which are all that lies at `place`; with `verify`, prove it.

    Raises `LibraryError` when something is found afterwards, `Locked` when another process writes.
    """
    started = time.monotonic()
    with writer(parts.folder), disk(parts.folder):
        watch(Progress("collecting", 0, len(files)))
        numbers = [file.id for file in files]
        count, documents = erase.documents_of(parts.catalog, numbers, DOCUMENTS)
        paths = [place, *(file.path for file in files), *(one.path for one in documents)]
        canaries = _canaries(parts, documents, paths, erase.passages_of(parts.catalog, numbers)) if verify else []
        before = _search(parts.folder, canaries, watch)
        # so that whoever writes next finishes what a kill cuts off, and nothing comes back meanwhile
        parts.catalog.note({"erasing": "1"})
        if not source:
            jobs.bury(parts.catalog, [place])
        records = jobs.scrub(parts.catalog, place, paths)
        erased = _forget_questions(parts.catalog, paths)
        gone = parts.catalog.remove(numbers)
        if source:
            parts.catalog.remove_source(source.id)
        notes = [*erased, *erase_removed(parts, watch)]
        after = _search(parts.folder, canaries, watch)
        shared = erase.held(parts.catalog, [one.words for one in after])
        parts.secure()
    left = [f"{one} in {where}" for one, where in after.items() if one.words not in shared]
    if left:
        hint = "close whatever else has the library open, and forget it again"
        raise LibraryError(f"not everything was erased: {'; '.join([*left[:3], *notes])}", hint)
    return Forgotten(
        len(files), count, len(gone), records, len(canaries), len(before), len(after), len(after), verify,
        tuple(notes), time.monotonic() - started,
    )  # fmt: skip


def _forget_questions(catalog: Catalog, paths: Sequence[str]) -> list[str]:
    """Take out what evaluations, the journal and threads say of these documents; what went, in sentences."""
    asked, found = golden.about(catalog, paths), runs.about(catalog, paths)
    golden.remove(catalog, asked)
    runs.remove(catalog, found)
    noted, said = journal.forget(catalog, paths), threads.forget(catalog, paths)
    counts = {"golden questions": len(asked), "runs of evaluations": len(found)}
    counts |= {"entries of the journal": noted, "messages of threads": said}
    return [f"with it went {count:,} {what} that named it" for what, count in counts.items() if count]


def finish(parts: Parts, watch: Watcher) -> None:
    """Erase what an earlier forget had taken out of the catalog when it was cut off."""
    if parts.catalog.get("erasing") == "1":
        with writer(parts.folder), disk(parts.folder):
            erase_removed(parts, watch)


# -- the proof -------------------------------------------------------------------------------------


def _canaries(parts: Parts, documents: Sequence[Document], paths: Sequence[str], ids: Sequence[int]) -> list[Canary]:
    """Bytes by which what is to be forgotten would be known again."""
    import numpy as np

    found: dict[bytes, Canary] = {}

    def take(what: str, data: bytes, words: bytes = b"") -> None:
        if len(data) >= SHORTEST:
            found[data] = Canary(what, data, words or data)

    most = max(4, CANARIES * 4 // max(1, len(documents)))
    for document in documents:
        for what, text in (("text", document.text), ("hidden text", document.hidden), ("title", document.title)):
            for piece in _pieces(text, min(most, CANARIES)):
                take(what, piece)
        for heading in list(dict.fromkeys(mark.value for mark in document.marks if mark.kind == "heading"))[:most]:
            take("heading", heading.encode("utf-8", "surrogatepass"))
    for path in paths:
        take("path", os.fsencode(path))
        take("path", json.dumps(path)[1:-1].encode())
    some = parts.catalog.passages(list(ids[:: max(1, len(ids) // CANARIES)]))
    for index in (parts.vectors, *parts.other_vectors()):
        for one, vector in zip(some.values(), index.fetch(np.array(list(some), np.int64)), strict=True):
            if vector.any():
                words = one.text.strip()[: 4 * LENGTH].encode("utf-8", "surrogatepass")
                take("vector", vector.astype(np.float16).tobytes(), words)
    return list(found.values())


def _pieces(text: str, most: int) -> Iterator[bytes]:
    """Up to `most` stretches of a text, evenly spread; a short text as a whole."""
    text = text.strip()
    for at in range(0, max(1, len(text) - LENGTH), max(LENGTH, -(-len(text) // most))):
        yield text[at : at + LENGTH].strip().encode("utf-8", "surrogatepass")


def _search(folder: Path, canaries: Sequence[Canary], watch: Watcher) -> dict[Canary, str]:
    """Where canaries stand in the files of a folder: for each that is found, one file and offset."""
    import numpy as np

    found: dict[Canary, str] = {}
    starts: dict[int, list[Canary]] = {}
    for one in canaries:
        starts.setdefault(int.from_bytes(one.data[:SHORTEST], "little"), []).append(one)
    keys = np.array(sorted(starts), np.uint64)
    longest = max((len(one.data) for one in canaries), default=0)
    for root, _, names in os.walk(folder) if canaries else ():
        for path in (Path(root, name) for name in sorted(names)):
            watch(Progress("searching for what is left", 0, 0))
            with path.open("rb") as file:
                for start in range(0, max(1, path.stat().st_size), PIECE):
                    file.seek(start)
                    data = file.read(PIECE + longest)
                    for at in _starts(data, keys):
                        key = int.from_bytes(data[at : at + SHORTEST], "little")
                        here = [one for one in starts[key] if data.startswith(one.data, at)]
                        found |= {one: f"{path.relative_to(folder)}, byte {start + at:,}" for one in here}
    return found


def _starts(data: bytes, keys: NDArray[np.uint64]) -> list[int]:
    """Where any of these eight bytes begin: eight views of the data, each shifted by one byte, looked up at once."""
    import numpy as np

    places: list[int] = []
    for shift in range(SHORTEST):
        words = np.frombuffer(data, "<u8", (len(data) - shift) // SHORTEST, shift) if len(data) - shift >= 8 else None
        if words is not None:
            near = np.minimum(np.searchsorted(keys, words), len(keys) - 1)
            places += (np.nonzero(keys[near] == words)[0] * SHORTEST + shift).tolist()
    return places
