"""Words that must stand in a passage, or must not: looked up in the word index, then read in the text.

A passage says a phrase when its text, as the indexes see it (without Markdown's marks), holds the phrase as whole
words. Case, the kind of blanks, quotation marks and ligatures count for nothing; endings do count. Scripts that put
no spaces between words have no whole words. The index only spares reading what cannot say it: without it the same
passages are found, a few hundred thousand a second less quickly.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from functools import cache, lru_cache, partial
from itertools import groupby, product
from typing import TYPE_CHECKING

from quoth.types import Filters, Searched

if TYPE_CHECKING:
    from quoth.parts import Parts
    from quoth.types import Ids

FEW = 2_000
"""Passages that are read sooner than another of their words is looked up."""
VARIANTS = 3
"""Pairs of s in a word that may be ß; a word with more is not looked up."""
UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3041-\u3096\u30a1-\u30fa\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3"

_DROPPED = re.compile("[\u00ad\u034f\u200b-\u200f\u2060\ufeff]")
_SAME = str.maketrans(dict.fromkeys("‘’‚‛′ʼ", "'") | dict.fromkeys("“”„‟″«»", '"') | dict.fromkeys("\u2010\u2212", "-"))
_UNSPACED = re.compile(f"[{UNSPACED}]")
_PAIR = re.compile(f"(?=([{UNSPACED}]{{2}}))")
_KNOWN = re.compile("[0-9a-zß-öø-ɏа-яёѐ-џ]{2,60}")
"""Words whose letters have one small form, so that the index has them as they are written here."""


def plain(text: str) -> str:
    """The text as words are compared in it."""
    if not text.isascii():
        text = _DROPPED.sub("", unicodedata.normalize("NFKC", text)).translate(_SAME).casefold()
    return " ".join(text.lower().split())


def says(text: str, phrase: str) -> bool:
    """Whether the phrase stands in the text as whole words; both are `plain`."""
    at = text.find(phrase)
    while at >= 0:
        if _border(text, at) and _border(text, at + len(phrase)):
            return True
        at = text.find(phrase, at + 1)
    return False


def within(parts: Parts, filters: Filters | None) -> Ids | None:
    """The ids of the passages that the filters leave, sorted; None when they narrow nothing."""
    if filters is None or filters == Filters():
        return None
    exact, without = spoken(filters)
    if not exact and not without:
        return parts.catalog.passage_ids(filters)
    return parts.catalog.passage_ids(filters, partial(_kept, parts, exact, without))


def spoken(filters: Filters) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The words that must stand in a passage, and those that must not."""
    exact, without = spoken(filters.besides) if filters.besides else ((), ())
    return tuple(filter(plain, exact + filters.exact)), tuple(filter(plain, without + filters.without))


def searched(parts: Parts, filters: Filters | None) -> Searched:
    """How many documents and passages the filters leave."""
    if filters is None or not any(spoken(filters)):
        return parts.catalog.searched(filters)
    ids = within(parts, filters)
    assert ids is not None, "words narrow"
    return Searched(len(parts.catalog.documents_with(ids)), len(ids))


def emptied(parts: Parts, filters: Filters | None) -> str:
    """Which filter left nothing to search, in a sentence, and how to search without it; "" if something is left."""
    if filters is None or searched(parts, filters).passages or not (before := parts.catalog.searched()).passages:
        return ""
    so_far = Filters()
    for told, hint, next_ in _steps(filters):
        so_far = next_ if so_far == Filters() else replace(next_, besides=so_far)
        left = searched(parts, so_far)
        if not left.passages:
            return f"{told}, in {_some(before.passages, 'passage')} of {_some(before.documents, 'document')}. {hint}"
        before = left
    return ""


def _some(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _steps(filters: Filters) -> Iterator[tuple[str, str, Filters]]:
    """The filters one by one: what nothing fits if one leaves nothing, how to go on, and the filter itself."""
    if filters.besides:
        yield from _steps(filters.besides)
    if filters.folders:
        told = f"Nothing lies in {', '.join(filters.folders)}"
        yield told, "quoth sources lists the folders; * and ? stand for anything.", Filters(folders=filters.folders)
    if filters.kinds:
        told = f"Nothing is of the kind {', '.join(filters.kinds)}"
        yield told, "quoth status lists the kinds.", Filters(kinds=filters.kinds)
    if filters.after is not None:
        told = f"Nothing is from {date.fromtimestamp(filters.after)} or later"
        yield told, "Leave out after:, or name an earlier day.", Filters(after=filters.after)
    if filters.before is not None:
        told = f"Nothing is from before {date.fromtimestamp(filters.before)}"
        yield told, "Leave out before:, or name a later day.", Filters(before=filters.before)
    for words in filters.exact:
        hint = "Without quotation marks the words are searched for in any order."
        yield f"The words “{words}” stand nowhere", hint, Filters(exact=(words,))
    for words in filters.without:
        hint = f"Leave out -{words} to search all the same."
        yield f"The words “{words}” stand everywhere", hint, Filters(without=(words,))


def _kept(parts: Parts, exact: tuple[str, ...], without: tuple[str, ...], ids: Ids) -> Ids:
    """Those of the ids whose passages say all of the one and none of the other."""
    import numpy as np

    for phrase in exact:
        ids = _saying(parts, phrase, ids)
    for phrase in without:
        ids = np.setdiff1d(ids, _saying(parts, phrase, ids), assume_unique=True)
    return ids


def _saying(parts: Parts, phrase: str, ids: Ids) -> Ids:
    """Those of the ids whose passages say the phrase."""
    import numpy as np

    from quoth.ingest.split import shown

    wanted = plain(phrase)
    found = [
        one.id
        for one in parts.catalog.texts(candidates(parts, [wanted], ids))
        if any(says(plain(shown(one.kind, one.text)), form) for form in _forms(one.kind, phrase))
    ]
    return np.array(found, dtype=np.int64)


def candidates(parts: Parts, phrases: list[str], ids: Ids) -> Ids:
    """The ids without those that, by the word index, lack a word of the phrases; all without an index."""
    import numpy as np

    words = {word for phrase in phrases for word in _looked_up(phrase)}
    if not words or not len(ids) or "words" in parts.missing():
        return ids
    for word in sorted(words, key=lambda word: (-len(word), word)):
        if len(ids) <= FEW:
            break
        every = parts.catalog.counts()["passages"]
        found = parts.words.search(" ".join(_spellings(word)), every).ids
        ids = np.intersect1d(ids, found, assume_unique=True)
    return ids


@lru_cache(maxsize=64)
def _forms(kind: str, phrase: str) -> tuple[str, ...]:
    """The phrase as it stands in a document of this kind: as it was typed, and without marks that were copied."""
    from quoth.ingest.split import shown

    forms = (plain(phrase), plain(shown(kind, phrase)))
    return tuple(dict.fromkeys(form for form in forms if form))


def _looked_up(phrase: str) -> Iterator[str]:
    """The words of a plain phrase that every passage with it has in the index, whatever its language."""
    yield from _PAIR.findall(phrase)
    for word, letters in groupby(phrase, key=_of_words):
        whole = "".join(letters)
        if word and _KNOWN.fullmatch(whole) and whole.count("ss") <= VARIANTS and not _stopped(whole):
            yield whole


@cache
def _stopped(word: str) -> bool:
    """Whether the word is a stop word in any language: the index leaves those out of questions."""
    from quoth.words import analysis

    return any(analysis.stopped(one, language) for language in analysis.STEMMERS for one in _spellings(word))


def _spellings(word: str) -> list[str]:
    """The word with every "ss" also as "ß", which is the same when case counts for nothing."""
    parts = word.split("ss")
    return [
        "".join(part + joint for part, joint in zip(parts, (*joints, ""), strict=True))
        for joints in product(("ss", "ß"), repeat=len(parts) - 1)
    ]


def _of_words(letter: str) -> bool:
    return unicodedata.category(letter)[0] in "LNM"


def _border(text: str, at: int) -> bool:
    """Whether a word may begin or end here."""
    if at in (0, len(text)):
        return True
    before, after = text[at - 1], text[at]
    if _UNSPACED.match(before) or _UNSPACED.match(after):
        return True
    return not (_joined(before) and _joined(after))


def _joined(letter: str) -> bool:
    return letter.isalnum() or letter == "_" or unicodedata.category(letter)[0] == "M"
