"""Everything that can change an answer, as one frozen record with a content hash."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field

from quoth import answer, rank


@dataclass(frozen=True, slots=True)
class Recipe:
    """Equal recipe and equal catalog give equal results.

    `words` and `vectors` name how the indexes are made (the number rises when that changes), `depth` is how
    many candidates each of them brings at least, `passages` how many of the ranked ones the answer looks at,
    and `answer` is the hash of the model that quotes and decides, and of its numbers.
    """

    encoder: str
    words: str = "tantivy-1"
    vectors: str = "turbovec-4bit-1"
    depth: int = 100
    passages: int = answer.HITS
    weights: rank.Weights = field(default_factory=rank.Weights)
    answer: str = field(default_factory=answer.fingerprint)

    @property
    def hash(self) -> str:
        """Twelve hexadecimal digits that name this recipe."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:12]
