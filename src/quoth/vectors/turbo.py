"""Nearest vectors by TurboQuant codes, rescored exactly.

Codes of 4 bits a dimension (turbovec; TurboQuant, arXiv 2504.19874) name 2 k candidates, and the
half-precision rows of `exact` give them their cosines, so scores and order are exact among the
candidates. The code in slot n is that of row n; filters, and rows that are dead, are a mask over the slots,
which costs a search little (100 to 140 % of one without, at 1 M rows and any width of the filter).
The codes are a cache of the rows: a file that is missing, torn or behind is made good
from the rows when it is needed. Small libraries and narrow filters are scanned exactly.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from quoth.types import Ranked
from quoth.vectors.exact import ExactRows, Held, checked

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from turbovec import TurboQuantIndex

    from quoth.types import Floats, Ids
    from quoth.vectors.exact import Places

SCAN = 1_000
"""Up to so many rows are scanned exactly: no slower than the codes, and no index to load."""
BEHIND = 1_024
"""Rows that the codes on disk may lag behind; a reader catches them up in about 5 ms."""
BATCH = 16_384


class TurboVectors:
    """`quoth.types.Vectors` in a folder: one writer at a time, any number of readers and threads.

    Scores are cosines of half-precision vectors (off by at most 5e-4). Raises LibraryError when the
    folder is damaged, ReadOnly when a read-only one is written to.
    """

    def __init__(self, folder: Path, dimensions: int, readonly: bool = False) -> None:
        self._exact = ExactRows(folder, dimensions, readonly)
        self._codes: TurboQuantIndex | None = None
        self._generation = 0
        self._turn = threading.RLock()

    def add(self, ids: Ids, vectors: Floats) -> None:
        ids = np.asarray(ids, dtype=np.int64)
        if vectors.shape != (len(ids), self._exact.dimensions):
            raise ValueError(f"{len(ids)} ids, but vectors of shape {vectors.shape}")
        if len(ids) and ids.min() < 0:
            raise ValueError("ids are not negative")
        with self._turn:
            self._exact.refresh()
            self._exact.append(ids, vectors)
            self._keep_up()

    def remove(self, ids: Ids) -> None:
        with self._turn:
            self._exact.refresh()
            self._exact.drop(np.unique(np.asarray(ids, dtype=np.int64)))
            self._keep_up()

    def search(self, vector: Floats, k: int, within: Ids | None = None) -> Ranked:
        with self._turn:
            held = self._exact.refresh()
        rows = held.rows if within is None else held.locate(within)[1]
        k = min(k, len(rows))
        if k <= 0:
            return Ranked(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32))
        query = np.asarray(vector, dtype=np.float32).reshape(-1)
        depth = max(128, 2 * k)
        codes = None
        if len(rows) > max(SCAN, 2 * depth):
            with self._turn:
                codes = self._index(held)
        mask = None if codes is None else held.living if within is None else held.mask(rows)
        while codes is not None and len(rows) > max(SCAN, 2 * depth):
            best = self._rescore(held, query, _nearest(codes, query, depth, mask), depth)
            # Copies of one vector may go on behind the last candidate: look deeper until they end.
            if len(best.ids) > k and best.scores[k - 1] > best.scores[-1]:
                return Ranked(best.ids[:k], best.scores[:k])
            depth *= 4
        return self._rescore(held, query, rows, k)

    def fetch(self, ids: Ids) -> Floats:
        with self._turn:
            self._exact.refresh()
            return self._exact.get(np.asarray(ids, dtype=np.int64))

    def ids(self) -> Ids:
        with self._turn:
            return self._exact.refresh().ids.copy()

    def erase(self) -> None:
        """Rewrites all files without what was removed: no byte of it stays in them."""
        with self._turn:
            self._exact.refresh()
            self._exact.compact()
            self._keep_up(behind=1)

    def close(self) -> None:
        """Brings the codes on disk up to date, so that the next reader starts at once."""
        if not self._exact.readonly:
            with self._turn:
                self._keep_up(behind=1)

    @staticmethod
    def _rescore(held: Held, query: Floats, rows: Places, k: int) -> Ranked:
        """The best k of the rows by exact score; equal vectors get equal scores, whatever their rows."""
        rows = rows[rows < len(held.owners)]  # the codes may know of later ones
        ids = held.owners[rows]
        scores = np.concatenate(
            [np.einsum("ij,j->i", held.read(rows[at : at + BATCH]), query) for at in range(0, max(1, len(rows)), BATCH)]
        )
        if k < len(ids):
            floor = np.partition(scores, len(scores) - k)[len(scores) - k]
            kept = scores >= floor
            ids, scores = ids[kept], scores[kept]
        order = np.lexsort((ids, -scores))[:k]
        return Ranked(ids[order], scores[order])

    def _index(self, held: Held) -> TurboQuantIndex | None:
        """The codes of at least these rows, or None when there are too few to need any or others took their place."""
        if len(held.owners) <= SCAN or held.generation != self._exact.state.generation:
            return None
        if self._codes is None or self._generation != held.generation:
            self._codes, self._generation = self._load(held), held.generation
        for at in range(len(self._codes), len(held.owners), BATCH):
            self._codes.add(checked(held.read(np.arange(at, min(at + BATCH, len(held.owners))))))
        return self._codes

    def _load(self, held: Held) -> TurboQuantIndex:
        """The codes on disk, or none if they do not load."""
        from turbovec import TurboQuantIndex

        try:
            codes = TurboQuantIndex.load(str(self._exact.codes_path())) if self._written() else None
        except (OSError, ValueError):
            # Torn: a cache of the rows, made again from them.
            codes = None
        if codes is None or codes.dim != self._exact.dimensions or len(codes) > len(held.owners):
            return TurboQuantIndex(self._exact.dimensions, 4)
        return codes

    def _written(self) -> int:
        """How many rows the codes on disk hold."""
        return self._exact.state.applied if self._exact.codes_path().exists() else 0

    def _keep_up(self, behind: int = BEHIND) -> None:
        """Writes the codes when they lag by `behind` rows, and drops dead rows when there are many."""
        if self._exact.wasteful():
            self._exact.compact()
        held = self._exact.held
        if len(held.owners) - self._written() >= behind and (codes := self._index(held)) is not None:
            path = self._exact.codes_path()
            if not self._written():
                # What lies there belongs to no state: written whole instead of appended to.
                path.unlink(missing_ok=True)
            codes.sync(str(path))
            path.chmod(0o600)
            self._exact.save(replace(self._exact.state, applied=len(codes)))
            self._exact.old_codes.unlink(missing_ok=True)


def _nearest(codes: TurboQuantIndex, query: Floats, k: int, mask: NDArray[np.bool_] | None) -> Places:
    """The rows of the k best codes, of those that the mask lets through."""
    while True:
        if mask is not None and len(mask) < len(codes):
            # another thread has added rows meanwhile
            mask = np.append(mask, np.zeros(len(codes) - len(mask), dtype=bool))
        try:
            found: Places = codes.search(query[None, :], k=k, mask=mask)[1][0].astype(np.int64)
            return found
        except ValueError:
            if mask is None or len(mask) >= len(codes):
                raise
