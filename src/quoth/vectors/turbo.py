"""Nearest vectors by TurboQuant codes, rescored exactly.

Codes of 4 bits a dimension (turbovec; TurboQuant, arXiv 2504.19874) name 4 k candidates, and the
half-precision rows of `exact` give them their cosines, so scores and order are exact among the
candidates. The codes are a cache of the rows: a file that is missing, torn or behind is made good
from the rows when it is needed. Small libraries and narrow filters are scanned exactly.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from quoth.types import Ranked
from quoth.vectors.exact import ExactRows

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from turbovec import IdMapIndex

    from quoth.types import Floats, Ids

SCAN = 1_000
"""Up to so many rows are scanned exactly: no slower than the codes, and no index to load."""
ONCE = 32_768
"""Up to so many rows the first search of a process scans them (35 ms): the codes wake in 120 ms."""
BEHIND = 1_024
"""Log entries that the codes on disk may lag behind; a reader catches them up in about 5 ms."""
BATCH = 16_384


class TurboVectors:
    """`quoth.types.Vectors` in a folder: one writer at a time, any number of readers.

    Scores are cosines of half-precision vectors (off by at most 5e-4). Raises LibraryError when the
    folder is damaged, ReadOnly when a read-only one is written to.
    """

    def __init__(self, folder: Path, dimensions: int, readonly: bool = False) -> None:
        self._exact = ExactRows(folder, dimensions, readonly)
        self._codes: IdMapIndex | None = None
        self._applied = (0, 0)
        self._scanned = False

    def add(self, ids: Ids, vectors: Floats) -> None:
        self._exact.refresh()
        ids = np.asarray(ids, dtype=np.int64)
        if vectors.shape != (len(ids), self._exact.dimensions):
            raise ValueError(f"{len(ids)} ids, but vectors of shape {vectors.shape}")
        if len(ids) and ids.min() < 0:
            raise ValueError("ids are not negative")
        self._exact.append(ids, vectors)
        self._keep_up()

    def remove(self, ids: Ids) -> None:
        self._exact.refresh()
        self._exact.drop(np.unique(np.asarray(ids, dtype=np.int64)))
        self._keep_up()

    def search(self, vector: Floats, k: int, within: Ids | None = None) -> Ranked:
        self._exact.refresh()
        codes = None if within is not None and len(within) <= SCAN else self._awake()
        among = None if within is None else self._exact.living(within)
        count = len(self._exact.ids) if among is None else len(among)
        k = min(k, count)
        if k <= 0:
            return Ranked(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32))
        query = np.asarray(vector, dtype=np.float32).reshape(-1)
        depth = max(64, 4 * k)
        while codes is not None and count > max(SCAN, 2 * depth):
            best = self._rescore(query, self._candidates(codes, query, depth, among), depth)
            # Copies of one vector may go on behind the last candidate: look deeper until they end.
            if best.scores[k - 1] > best.scores[-1]:
                return Ranked(best.ids[:k], best.scores[:k])
            depth *= 4
        return self._rescore(query, self._exact.ids if among is None else among, k)

    def fetch(self, ids: Ids) -> Floats:
        self._exact.refresh()
        return self._exact.get(np.asarray(ids, dtype=np.int64))

    def ids(self) -> Ids:
        self._exact.refresh()
        return self._exact.ids.copy()

    def erase(self) -> None:
        """Rewrites all files without what was removed: no byte of it stays in them."""
        self._exact.refresh()
        self._exact.compact(applied=False)
        self._codes, self._applied = None, (0, 0)
        self._path().unlink(missing_ok=True)
        self._write_codes()

    def close(self) -> None:
        """Brings the codes on disk up to date, so that the next reader starts at once."""
        if not self._exact.readonly:
            self._keep_up(behind=1)

    def _candidates(self, codes: IdMapIndex, query: Floats, depth: int, among: Ids | None) -> Ids:
        """`depth` ids near the query by their codes, of those `among`.

        An allow-list costs more than none when it holds much of the library: then the ids that are
        not wanted are searched along and left out, unless too few remain.
        """
        if among is None:
            return self._nearest(codes, query, depth, None)
        if 2 * len(among) >= len(codes):
            found = self._nearest(codes, query, min(len(codes), 3 * depth), None)
            at = np.minimum(np.searchsorted(among, found), len(among) - 1)
            kept: Ids = found[among[at] == found]
            if len(kept) >= depth:
                return kept[:depth]
        return self._nearest(codes, query, depth, among.astype(np.uint64))

    @staticmethod
    def _nearest(codes: IdMapIndex, query: Floats, k: int, allowed: NDArray[np.uint64] | None) -> Ids:
        found: NDArray[np.uint64] = codes.search(query[None, :], k=k, allowlist=allowed)[1][0]
        return found.view(np.int64)

    def _rescore(self, query: Floats, ids: Ids, k: int) -> Ranked:
        """The best k of `ids` by exact score; equal vectors get equal scores, whatever their rows."""
        rows = self._exact.locate(ids)[1]
        scores = np.concatenate(
            [
                np.einsum("ij,j->i", self._exact.read(rows[at : at + BATCH]), query)
                for at in range(0, max(1, len(rows)), BATCH)
            ]
        )
        if k < len(ids):
            floor = np.partition(scores, len(scores) - k)[len(scores) - k]
            kept = scores >= floor
            ids, scores = ids[kept], scores[kept]
        order = np.lexsort((ids, -scores))[:k]
        return Ranked(ids[order], scores[order])

    def _awake(self) -> IdMapIndex | None:
        """The codes, but for a first search that does without them sooner."""
        if self._codes is None and not self._scanned and len(self._exact.ids) <= ONCE:
            self._scanned = True
            return None
        return self._index()

    def _index(self) -> IdMapIndex | None:
        """The codes of exactly the living ids, or None when there are too few to need any."""
        exact = self._exact
        if len(exact.ids) <= SCAN:
            return None
        while self._codes is None or self._applied[0] != exact.state.generation:
            generation = exact.state.generation
            self._codes, applied = self._load()
            self._applied = generation, applied
            # The codes may be newer than what we knew of the log when we looked for them.
            exact.refresh()
        if self._applied[1] < len(exact.log):
            here, gone = exact.since(self._applied[1])
            for id in np.concatenate([here, gone]).tolist() if len(self._codes) else ():
                self._codes.remove(id)
            self._encode(self._codes, here)
            self._applied = exact.state.generation, len(exact.log)
        if len(self._codes) != len(exact.ids):
            self._codes = self._encode(self._none(), exact.ids)
        return self._codes

    def _load(self) -> tuple[IdMapIndex, int]:
        """The codes on disk and the log entries they have seen, or none of both if they do not load."""
        from turbovec import IdMapIndex

        if self._exact.state.applied:
            try:
                return IdMapIndex.load(str(self._path())), self._exact.state.applied
            except (OSError, ValueError):
                # Torn or missing: a cache of the rows, made again from them.
                pass
        return self._none(), 0

    def _none(self) -> IdMapIndex:
        from turbovec import IdMapIndex

        return IdMapIndex(self._exact.dimensions, 4)

    def _encode(self, codes: IdMapIndex, ids: Ids) -> IdMapIndex:
        for at in range(0, len(ids), BATCH):
            some = ids[at : at + BATCH]
            codes.add_with_ids(self._exact.get(some), some.astype(np.uint64))
        return codes

    def _keep_up(self, behind: int = BEHIND) -> None:
        """Writes the codes when they lag by `behind` entries, and drops dead rows when there are many."""
        exact = self._exact
        wasteful = exact.wasteful()
        if len(exact.log) - exact.state.applied >= (1 if wasteful else behind):
            self._write_codes()
        if wasteful:
            applied = 0 < exact.state.applied == len(exact.log)
            exact.compact(applied=applied)
            self._applied = (exact.state.generation, exact.state.applied) if applied else (0, 0)

    def _write_codes(self) -> None:
        codes, exact, path = self._index(), self._exact, self._path()
        if codes is None:
            return
        if not exact.state.applied:
            # What lies there belongs to no state: written whole instead of appended to.
            path.unlink(missing_ok=True)
        codes.sync(str(path))
        path.chmod(0o600)
        exact.save(replace(exact.state, applied=len(exact.log)))

    def _path(self) -> Path:
        return self._exact.folder / "codes.tv"
