"""Vectors of texts that were encoded before: the sentences of the passages that people ask for come again."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from quoth.types import Floats

MOST = 16_000
"""Vectors that are kept, those used last: 27 MB."""


class Known:
    """The last vectors, by a digest of their text: the text itself is not kept. Threads may share it."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._vectors: OrderedDict[bytes, Floats] = OrderedDict()
        self._turn = threading.Lock()

    def __len__(self) -> int:
        return len(self._vectors)

    def find(self, texts: Sequence[str]) -> list[Floats | None]:
        """The vector of each text, or None where it is not known."""
        digests = [_digest(text) for text in texts]
        found: list[Floats | None] = []
        with self._turn:
            for digest in digests:
                vector = self._vectors.get(digest)
                if vector is not None:
                    self._vectors.move_to_end(digest)
                found.append(vector)
        return found

    def keep(self, texts: Sequence[str], vectors: Floats) -> None:
        """Remember the vectors of these texts, and forget those used longest ago beyond the most."""
        digests = [_digest(text) for text in texts]
        with self._turn:
            for digest, vector in zip(digests, vectors, strict=True):
                self._vectors[digest] = vector.copy()  # a row alone, not the matrix that it is part of
                self._vectors.move_to_end(digest)
            while len(self._vectors) > self._most:
                self._vectors.popitem(last=False)


def _digest(text: str) -> bytes:
    # lone surrogates, which file names may hold, are texts too
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
