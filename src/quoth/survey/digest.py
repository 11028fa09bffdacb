"""What many documents say, in a few of their own sentences: without a language model, and nothing made up.

Each document is stood for by the passage whose vector lies nearest to the middle of its passages (centroid-based
summarization: Radev et al., Information Processing & Management 40, 2004, with embeddings as in Rossiello et al.,
MultiLing 2017). Of these, and then of their sentences, those are chosen that lie near the middle of all and far from
what was chosen before (maximal marginal relevance: Carbonell & Goldstein, SIGIR 1998).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from quoth.answer.sentences import bare, is_heading, sentences
from quoth.catalog import FoundPassage, whole
from quoth.parts import Parts
from quoth.types import Progress, Watcher

if TYPE_CHECKING:
    from quoth.types import Floats, Ids

SENTENCES = 12
"""Sentences of a digest."""
MOST = 4
"""The most of them from one document."""
POOL = 1_024
"""Documents that are held against each other; of more, the most central one of every stretch of neighbours."""
NEAR = 0.6
"""How much being near the middle weighs against repeating what was chosen."""
BATCH = 4_096
LEAST, LONGEST, WORDS = 25, 400, 4
"""Characters, and words, of a sentence that can stand alone."""

Span = tuple[int, int]


def digest(parts: Parts, ids: Ids, towards: Floats | None, watch: Watcher) -> list[tuple[FoundPassage, Span]]:
    """Sentences (their passage, start and end in the document) of these passages, which are sorted.

    `towards` is the vector of a topic: then being near it counts, not being near the middle.
    """
    import numpy as np

    if not len(ids):
        return []
    owners = whole.owners(parts.catalog, ids)
    count = len(np.unique(owners))
    middle = _middle(parts, ids) if towards is None else towards
    each = max(1, min(MOST, SENTENCES // count))
    chosen, vectors = _representatives(parts, ids, owners, middle, each, watch)
    order = marginal(vectors, middle, SENTENCES)
    passages = parts.catalog.passages(chosen[order].tolist())
    return _sentences(parts, [passages[one] for one in chosen[order].tolist()], vectors[order])


def marginal(vectors: Floats, middle: Floats, count: int) -> list[int]:
    """The places of at most so many vectors: near the middle, and unlike each other; the first is the nearest."""
    import numpy as np

    near = vectors @ middle
    chosen: list[int] = []
    repeated = np.full(len(vectors), -1.0, np.float32)
    while len(chosen) < min(count, len(vectors)):
        worth = NEAR * near - (1 - NEAR) * np.maximum(repeated, 0)
        worth[chosen] = -np.inf
        chosen.append(int(np.argmax(worth)))
        repeated = np.maximum(repeated, vectors @ vectors[chosen[-1]])
    return chosen


def _middle(parts: Parts, ids: Ids) -> Floats:
    """The mean of all vectors, at unit length."""
    import numpy as np

    total = np.zeros(parts.encoder.dimensions, np.float64)
    for first in range(0, len(ids), BATCH):
        total += parts.vectors.fetch(ids[first : first + BATCH]).sum(axis=0, dtype=np.float64)
    return _unit(total.astype(np.float32))


def _representatives(
    parts: Parts, ids: Ids, owners: Ids, middle: Floats, each: int, watch: Watcher
) -> tuple[Ids, Floats]:
    """The passages that stand for the documents, at most POOL of them, and their vectors."""
    import numpy as np

    order = np.argsort(owners, kind="stable")
    starts = np.flatnonzero(np.append(True, np.diff(owners[order]) != 0))
    ends = np.append(starts[1:], len(order))
    best: dict[int, tuple[float, list[int], Floats]] = {}
    for number, (start, end) in enumerate(zip(starts.tolist(), ends.tolist(), strict=True)):
        if number % 256 == 0:
            watch(Progress("reading", number, len(starts)))
        mine = np.sort(ids[order[start:end]])
        own = _middle(parts, mine)
        some, vectors = _nearest(parts, mine, own, 4 * each)
        places = marginal(vectors, own, each)
        near = float(own @ middle)
        slot = number * POOL // max(len(starts), POOL)
        if slot not in best or near > best[slot][0]:
            best[slot] = (near, some[places].tolist(), vectors[places])
    chosen = np.array([one for _, mine, _ in best.values() for one in mine], np.int64)
    return chosen, np.vstack([vectors for _, _, vectors in best.values()])


def _nearest(parts: Parts, ids: Ids, middle: Floats, count: int) -> tuple[Ids, Floats]:
    """The ids whose vectors lie nearest to the middle, and these."""
    import numpy as np

    kept, vectors = np.empty(0, np.int64), np.empty((0, len(middle)), np.float32)
    for first in range(0, len(ids), BATCH):
        kept = np.append(kept, ids[first : first + BATCH])
        vectors = np.vstack([vectors, parts.vectors.fetch(ids[first : first + BATCH])])
        places = np.argsort(-(vectors @ middle), kind="stable")[:count]
        kept, vectors = kept[places], vectors[places]
    return kept, vectors


def _sentences(parts: Parts, passages: Sequence[FoundPassage], vectors: Floats) -> list[tuple[FoundPassage, Span]]:
    """Of each passage the sentence that is nearest to its vector and repeats no other one."""
    import numpy as np

    every = [(place, span) for place, one in enumerate(passages) for span in standing(one)]
    if not every:
        return []
    texts = [passages[place].text[span[0] : span[1]] for place, span in every]
    encoded = parts.encoder.encode(texts)
    chosen: list[tuple[FoundPassage, Span]] = []
    said = np.empty((0, encoded.shape[1]), np.float32)
    for place, one in enumerate(passages):
        mine = [at for at, (owner, _) in enumerate(every) if owner == place]
        if not mine:
            continue
        repeated = (encoded[mine] @ said.T).max(axis=1, initial=0.0)
        worth = NEAR * (encoded[mine] @ vectors[place]) - (1 - NEAR) * repeated
        best = mine[int(np.argmax(worth))]
        if float(repeated[mine.index(best)]) < 0.95:
            start, end = every[best][1]
            chosen.append((one, (one.start + start, one.start + end)))
            said = np.vstack([said, encoded[best]])
    return chosen


def standing(passage: FoundPassage) -> list[Span]:
    """The sentences of a passage that can stand alone, by offset in it; the first one if none can."""
    from quoth.ingest.split import shown

    text = passage.text
    spans = [bare(text, *one) for one in sentences(text) if not is_heading(text, *one)]
    alone = [
        one
        for one in spans
        if LEAST <= one[1] - one[0] <= LONGEST and _says(shown(passage.kind, text[one[0] : one[1]]))
    ]
    return alone or list(_any(text, spans))


def _any(text: str, spans: Sequence[Span]) -> Iterator[Span]:
    if spans:
        yield spans[0]
    elif text.strip():
        yield bare(text, *sentences(text)[0])


def _says(text: str) -> bool:
    """Whether it reads like a sentence: of words, in most of its characters; scripts without spaces have few."""
    letters = sum(map(str.isalpha, text))
    return 2 * letters > len(text) and (len(text.split()) >= WORDS or not text.isascii())


def _unit(vector: Floats) -> Floats:
    import numpy as np

    length = float(np.linalg.norm(vector))
    return vector / length if length > 1e-9 else vector
