"""The documents that a question about the whole library is about: all of them, by words, kinds, folders and days."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from quoth import exact
from quoth.asking import Asked
from quoth.catalog import whole
from quoth.library import Library
from quoth.query import merged
from quoth.survey import mentions, wanted
from quoth.types import Filters, Progress, Watcher

if TYPE_CHECKING:
    from quoth.survey.mentions import Word
    from quoth.types import Ids


@dataclass(frozen=True, slots=True)
class Matched:
    """What a question about the whole library found.

    `documents` are their numbers, best first, and `passages` the best passage of each (0 where it has none);
    `saying` are all passages in which the words stand, None when documents were chosen by kind, folder and day alone.
    `gone_over` is how many documents were looked at: those that the filters leave that were given or typed.
    """

    wanted: wanted.Wanted
    filters: Filters
    words: tuple[Word, ...]
    documents: Ids
    passages: Ids
    saying: Ids | None
    gone_over: int


def matched(library: Library, asked: Asked, watch: Watcher) -> Matched:
    """The documents that a question is about. Call it in a block that sees one state of the catalog."""
    import numpy as np

    parts, catalog = library._parts, library._parts.catalog
    task = wanted.wanted(asked.text, (asked.filters or Filters()) != Filters(), forced=True)
    assert task is not None, "a forced question is always taken apart"
    filters = merged(asked.filters, task.filters)
    documents = whole.newest(catalog, filters)
    gone_over = len(whole.newest(catalog, asked.filters or Filters()))
    watch(Progress("reading", 0, gone_over))
    phrases = " ".join(map(exact.plain, exact.spoken(filters)[0]))
    words = [one for one in mentions.words(task.topic) if not exact.says(phrases, exact.plain(one.shown))]
    sort = mentions.words(task.sort)
    saying: Ids | None = None
    passages = np.zeros(len(documents), np.int64)
    if words or sort or any(exact.spoken(filters)):
        within = exact.within(parts, filters)
        ids = catalog.passage_ids() if within is None else within
        saying = mentions.saying(parts, words, ids, watch) if words else ids
        if sort:
            known = _of_sort(library, sort, ids, documents, watch)
            saying = saying[np.isin(whole.owners(catalog, saying), known)]
            words = words or sort
        documents, passages = _ranked(library, saying, " ".join(one.shown for one in words))
    watch(Progress("reading", gone_over, gone_over))
    return Matched(task, filters, tuple(words), documents, passages, saying, gone_over)


def _of_sort(library: Library, sort: Sequence[Word], ids: Ids, documents: Ids, watch: Watcher) -> Ids:
    """The documents that say in their text, their title or their file's name of which sort they are."""
    import numpy as np

    from quoth.words import analysis

    catalog = library._parts.catalog
    said = whole.owners(catalog, mentions.saying(library._parts, sort, ids, watch))
    named = [
        number
        for number, name in whole.names(catalog, documents)
        if all(mentions.stands(one, analysis.terms(name, ""), "") for one in sort)
    ]
    return np.union1d(said, np.array(named, np.int64))


def _ranked(library: Library, passages: Ids, words: str) -> tuple[Ids, Ids]:
    """The documents of these passages, the one with the best passage first, and this passage of each."""
    import numpy as np

    parts = library._parts
    owners = whole.owners(parts.catalog, passages)
    scores = np.zeros(len(passages), np.float32)
    if words and "words" not in parts.missing():
        scores = parts.words.score(words, passages)
    order = np.lexsort((passages, -scores))
    _, first = np.unique(owners[order], return_index=True)
    best = order[np.sort(first)]
    return owners[best], passages[best]
