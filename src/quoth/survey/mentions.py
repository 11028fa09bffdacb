"""Passages in which words stand, in whatever inflection: by the word index's own analysis, read in the text.

A word stands in a passage when its stem, in the language of the passage's document, is among the stems of the
passage, its title or its headings. The index only spares reading passages that cannot have it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from quoth import exact
from quoth.parts import Parts
from quoth.types import Progress, Watcher

if TYPE_CHECKING:
    from quoth.types import Ids

EVERY = 2_048
"""Passages after which it is told how far the reading is."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word as it was typed, the words that it consists of, and how it is written as one ("wi-fi": "wifi")."""

    shown: str
    parts: tuple[str, ...]
    joined: str = ""


def words(topic: str) -> list[Word]:
    """The words of a topic that say something; all of them when none does."""
    from quoth.words import analysis

    found = []
    for shown in dict.fromkeys(topic.split()):
        simple = tuple(dict.fromkeys(part for part in analysis.words(shown) if len(part) > 1 or part.isascii()))
        joined = "".join(one for one in shown.lower() if one.isalnum())
        whole = len(simple) > 1 and joined in simple
        if whole:
            simple = tuple(part for part in simple if part != joined and "_" not in part)
        if simple:
            found.append(Word(shown.strip(" .,;:!?'\"()[]"), simple, joined if whole else ""))
    telling = [one for one in found if not all(analysis.stopped(part, "en") for part in one.parts)]
    return telling or found


def stands(word: Word, terms: Iterable[str], language: str) -> bool:
    """Whether the word is among the terms of a text in this language."""
    stems = _stems(word, language)
    return stems[0] <= frozenset(terms) or (bool(stems[1]) and stems[1] in terms)


@cache
def _stems(word: Word, language: str) -> tuple[frozenset[str], str]:
    from quoth.words import analysis

    parts = frozenset(analysis.stem(part, language) for part in word.parts)
    return parts, analysis.stem(word.joined, language) if word.joined else ""


def saying(parts: Parts, wanted: Sequence[Word], ids: Ids, watch: Watcher) -> Ids:
    """Those of the ids whose passages have every one of the words."""
    import numpy as np

    from quoth.ingest.split import shown
    from quoth.words import analysis

    plain = [exact.plain(part) for word in wanted if not word.joined for part in word.parts]
    some = exact.candidates(parts, plain, ids)
    found = []
    for number, one in enumerate(parts.catalog.texts(some)):
        if number % EVERY == 0:
            watch(Progress("reading", 0, 0, number))
        terms = frozenset(analysis.terms(f"{one.context}\n{shown(one.kind, one.text)}", one.language))
        if all(stands(word, terms, one.language) for word in wanted):
            found.append(one.id)
    return np.array(found, np.int64)
