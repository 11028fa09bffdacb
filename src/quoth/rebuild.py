"""Indexes made from the catalog: lost ones made again, gaps filled, vectors of another encoder built beside.

Vectors of another encoder grow in a folder of their own, where a run that is cut off finds them again.
One pointer in the catalog says which encoder counts; it moves when the new vectors are whole, and back.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from quoth.catalog import FoundPassage, erase
from quoth.errors import NotFound
from quoth.jobs import running
from quoth.lock import writer
from quoth.parts import Parts, disk
from quoth.types import Options, Passage, Progress, Watcher

if TYPE_CHECKING:
    from quoth.types import Encoder, Ids, Vectors

WAIT = 10.0
"""Seconds to wait for readers that keep the write-ahead log in use."""
Write = Callable[["Ids", Sequence[str], Sequence[str]], None]
"""Writes passages to an index: their ids, what is encoded of each, and their languages."""
PASSAGES = 1024
"""How many are encoded and written at once: two of them are all that a kill can cost."""


def recover(parts: Parts, cut_off: bool, watch: Watcher) -> list[str]:
    """Repair what a killed run, a lost index folder or a power cut left behind; what was done, in sentences."""
    import numpy as np

    done = []
    if parts.catalog.get("erasing") == "1":
        done += ["what was being forgotten when a run was cut off is erased now", *erase_removed(parts, watch)]
    for name in parts.missing():
        rebuild(parts, name, watch)
        done.append(f"the {name.rstrip('s')} index was missing and has been rebuilt from the catalog")
    if not cut_off and parts.catalog.get("writing") != "1":
        return done
    known = parts.catalog.passage_ids()
    for index, write in ((parts.words, parts.words.add), (parts.vectors, _encoding(parts.vectors, parts.encoder))):
        held = index.ids()
        orphans = np.setdiff1d(held, known, assume_unique=True)
        if len(orphans):
            index.remove(orphans)
        lost = np.setdiff1d(known, held, assume_unique=True)
        if len(lost):
            _fill(parts, write, lost, watch)
            done.append(f"{len(lost):,} passages were missing from an index and were put back from the catalog")
    return done


def forget_passages(parts: Parts, ids: Sequence[int]) -> None:
    """Take passages out of the indexes, also those of another encoder, after the catalog let go of them."""
    import numpy as np

    if ids:
        gone = np.array(ids, dtype=np.int64)
        parts.words.remove(gone)
        for index in (parts.vectors, *parts.other_vectors()):
            index.remove(gone)


def erase_removed(parts: Parts, watch: Watcher) -> list[str]:
    """Rewrite all files without what the catalog does not hold any more; what could not be done, in sentences."""
    import numpy as np

    watch(Progress("erasing", 0, 0))
    known = parts.catalog.passage_ids()
    for index in (parts.vectors, *parts.other_vectors()):
        index.remove(np.setdiff1d(index.ids(), known, assume_unique=True))
        index.erase()
    rebuild(parts, "words", watch)
    for left in [*parts.folder.glob("*.new"), *parts.folder.glob("vectors/*.new")]:
        delete_folder(left)
    whole = erase.compact(parts.catalog, WAIT)
    parts.catalog.note({"erasing": "0" if whole else "1"})
    return [] if whole else ["another process reads the library and keeps its write-ahead log in use"]


def reindex(parts: Parts, names: Sequence[str], watch: Watcher) -> dict[str, int]:
    """Make these indexes anew; how many passages each holds."""
    with (
        writer(parts.folder),
        disk(parts.folder),
        running(parts.catalog, "reindex", names, Options(), watch) as run,
    ):
        parts.follow()
        return {name: rebuild(parts, name, run.watch) for name in names}


def rebuild(parts: Parts, name: str, watch: Watcher) -> int:
    """Make the index "words" or "vectors" anew from the catalog; the number of passages in it.

    The new index is built beside the old one and takes its place when it is whole.
    """
    parts.reopen(name)
    folder = parts.folder / "words" if name == "words" else parts.vectors_folder
    fresh = folder.with_name(folder.name + ".new")
    delete_folder(fresh)
    write = _into_words(fresh) if name == "words" else _into_vectors(fresh, parts.encoder)
    count = _fill(parts, write, parts.catalog.passage_ids(), watch)
    del write
    delete_folder(folder)
    fresh.rename(folder)
    if name == "vectors":
        parts.catalog.note({"encoder": parts.encoder_spec, "fingerprint": parts.encoder.fingerprint})
    parts.secure()
    return count


def change_encoder(parts: Parts, spec: str, watch: Watcher) -> dict[str, int]:
    """Build the vectors of the encoder that `spec` names and let them count; how many passages they hold.

    Until then, and in every other process, searches go on with the old ones. A run that is cut off or
    cancelled goes on where it stopped when it is started again.
    """
    from quoth import embed

    encoder = embed.open(spec)
    with ExitStack() as held:
        held.enter_context(writer(parts.folder))
        held.enter_context(disk(parts.folder))
        run = held.enter_context(running(parts.catalog, "reindex", [f"--encoder={spec}"], Options(), watch))
        old = parts.catalog.get("encoder") or parts.encoder_spec
        fingerprint = parts.catalog.get("fingerprint") or ""
        count = _bring_up(parts, encoder, run.watch)
        facts = {"encoder": spec, "fingerprint": encoder.fingerprint}
        if encoder.fingerprint != fingerprint:
            facts |= {"previous_encoder": old, "previous_fingerprint": fingerprint}
        parts.catalog.note(facts)
        run.report.passages = count
        parts.follow()
        parts.secure()
    return {"vectors": count}


def change_back(parts: Parts, watch: Watcher) -> dict[str, int]:
    """Let the encoder before the last change count again, its vectors brought up to date first."""
    spec = parts.catalog.get("previous_encoder")
    if not spec:
        raise NotFound("this library had no other encoder", "quoth reindex --encoder NAME changes it")
    return change_encoder(parts, spec, watch)


def _bring_up(parts: Parts, encoder: Encoder, watch: Watcher) -> int:
    """Make the vectors of an encoder those of the catalog's passages, keeping what is there; their number."""
    import numpy as np

    from quoth.vectors import TurboVectors

    index = TurboVectors(parts.folder / "vectors" / encoder.fingerprint, encoder.dimensions)
    known, held = parts.catalog.passage_ids(), index.ids()
    orphans = np.setdiff1d(held, known, assume_unique=True)
    if len(orphans):
        index.remove(orphans)
    _fill(parts, _encoding(index, encoder), np.setdiff1d(known, held, assume_unique=True), watch)
    index.close()
    return len(known)


def _fill(parts: Parts, write: Write, ids: Ids, watch: Watcher) -> int:
    """Put these passages of the catalog into an index; how many they are."""
    import numpy as np

    from quoth.ingest.split import encoded

    done = 0
    watch(Progress("rebuilding", 0, 0, 0, 0, len(ids)))
    for rows in _batches(parts.catalog.each_passage(ids.tolist())):
        held = np.array([row.id for row, _ in rows], dtype=np.int64)
        texts = [encoded(row.kind, Passage(row.start, row.end, row.text, row.context)) for row, _ in rows]
        write(held, texts, [language for _, language in rows])
        done += len(rows)
        watch(Progress("rebuilding", 0, 0, done, done, len(ids)))
    return len(ids)


def _batches(rows: Iterator[tuple[FoundPassage, str]]) -> Iterator[list[tuple[FoundPassage, str]]]:
    batch = []
    for row in rows:
        batch.append(row)
        if len(batch) == PASSAGES:
            yield batch
            batch = []
    if batch:
        yield batch


def _into_words(folder: Path) -> Write:
    """Writes passages to a new word index in a folder."""
    from quoth.words import TantivyWords

    return TantivyWords(folder).add


def _into_vectors(folder: Path, encoder: Encoder) -> Write:
    """Writes the vectors of passages to a new vector index in a folder."""
    from quoth.vectors import TurboVectors

    return _encoding(TurboVectors(folder, encoder.dimensions), encoder)


def _encoding(index: Vectors, encoder: Encoder) -> Write:
    """Writes the vectors of passages to a vector index."""
    return lambda ids, texts, _: index.add(ids, encoder.encode(texts))


def delete_folder(folder: Path) -> None:
    """Delete a folder with all that is in it, if it is there."""
    if os.path.lexists(folder):
        shutil.rmtree(folder)
