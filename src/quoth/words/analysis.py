"""Text → the terms that stand in the index, by language.

All languages share one field, so that document frequencies and lengths are those of the whole
library. A term is a lower-case word without accents, stemmed where tantivy has a stemmer. Scripts
that put no spaces between words are cut into overlapping pairs of characters.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache

import tantivy

VERSION = "bm25-3"
"""Changes whenever the same text could get other terms."""
STEMMERS = {
    "ar": "arabic",
    "da": "danish",
    "de": "german",
    "el": "greek",
    "en": "english",
    "es": "spanish",
    "fi": "finnish",
    "fr": "french",
    "hu": "hungarian",
    "it": "italian",
    "nb": "norwegian",
    "nl": "dutch",
    "nn": "norwegian",
    "no": "norwegian",
    "pt": "portuguese",
    "ro": "romanian",
    "ru": "russian",
    "sv": "swedish",
    "ta": "tamil",
    "tr": "turkish",
}
STOPPED = frozenset(
    (
        "danish",
        "dutch",
        "english",
        "finnish",
        "french",
        "german",
        "hungarian",
        "italian",
        "norwegian",
        "portuguese",
        "russian",
        "spanish",
        "swedish",
    )
)
"""Languages whose stop words tantivy knows."""
# Words that make a sentence a question carry no topic; notes seldom hold them, so BM25 would take
# them for rare and telling. tantivy's English list lacks them.
_ASKING = (
    "what which who whom whose when where why how do does did can could should would may might must shall "
    "is are was were am be been being has have had having i me my we our us you your he him his she her its "
    "from about there than so any some"
)
QUESTION_WORDS = frozenset(_ASKING.split())
LONGEST = 100
"""Longer words (encoded data, mostly) are not indexed, in bytes."""

# Han, kana, bopomofo, hangul, Thai, Lao, Myanmar, Khmer.
_SPACELESS = (
    "\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u19e0-\u19ff\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029"
    "\u3031-\u3035\u3038-\u303b\u3040-\u30ff\u3100-\u312f\u3130-\u318f\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf"
    "\u4e00-\u9fff\ua960-\ua97f\uaa60-\uaa7f\uac00-\ud7ff\uf900-\ufaff\U0001b000-\U0001b16f\U00020000-\U0003134f"
)
_RUN = re.compile(f"[{_SPACELESS}]+")
# Invisible joiners and hyphens, and the vowel points that Arabic and Hebrew usually leave out.
_DROPPED = re.compile("[\u00ad\u034f\u0591-\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670\u200b-\u200f\u2060\ufeff]")
_POSSESSIVE = re.compile(r"(?<=\w)['\u2019][sS]\b")
_COMPOUND = re.compile(r"[^\W_]+(?:[-_.@][^\W_]+){1,5}")
_HYPHENED = re.compile(r"[^\W_]{3,}(?:-[^\W_]{3,})+")
_CAMEL = re.compile(r"[A-Za-z0-9]*[a-z0-9][A-Z][A-Za-z0-9]*")
_HUMP = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+")
_JOINT = re.compile("[-_.@]")
_WORD = r"[\p{L}\p{N}][\p{L}\p{M}\p{N}]*"


def terms(text: str, language: str) -> list[str]:
    """The index terms of a text in this language (ISO 639-1; "" counts as English), in order."""
    text, extra = _prepare(text)
    return _analyzer(language or "en", text.isascii()).analyze(text) + extra


def words(text: str) -> list[str]:
    """The words of a question before stemming, in order, repeats included."""
    text, extra = _prepare(text)
    return _analyzer("", text.isascii()).analyze(text) + extra


@lru_cache(maxsize=16_384)
def stem(word: str, language: str) -> str:
    """The index term of one word as `words` returns it."""
    return (_stemmer(language or "en").analyze(word) or [word])[0]


@cache
def _stop_words(language: str) -> tantivy.TextAnalyzer:
    """An analyzer that returns nothing for a stop word of the language."""
    build = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.raw())
    name = STEMMERS.get(language, "")
    if name in STOPPED:
        build = build.filter(tantivy.Filter.stopword(name))
    if name == "english":
        build = build.filter(tantivy.Filter.custom_stopword(sorted(QUESTION_WORDS)))
    return build.build()


@lru_cache(maxsize=16_384)
def stopped(word: str, language: str) -> bool:
    """Whether the word is a stop word of the language."""
    return not _stop_words(language or "en").analyze(word)


def _prepare(text: str) -> tuple[str, list[str]]:
    """The text made ready for the word analyzer, and terms that are added to its words.

    "get_user_name", "getUserName" and "get.user.name" all hold get, user, name and getusername.
    """
    if not text.isascii():
        text = text.encode("utf-8", "ignore").decode()  # lone surrogates, from names of files
        text = _DROPPED.sub("", unicodedata.normalize("NFKC", text))
        text = _RUN.sub(_pairs, text)
    text = _POSSESSIVE.sub("", text)
    added = [part for found in _CAMEL.findall(text) for part in _HUMP.findall(found) if len(part) > 1]
    whole = []
    for found in _COMPOUND.findall(text):
        joined = _JOINT.sub("", found)
        if joined.isalpha():
            # "wi-fi" is written in one word too; "boundary-layer" is not, and would count three times
            if not _HYPHENED.fullmatch(found):
                added.append(joined)
        elif len(found) < LONGEST:
            whole.append(_JOINT.sub("_", found).lower())
    return (f"{text} {' '.join(added)}" if added else text), whole


def _pairs(run: re.Match[str]) -> str:
    """Every pair of neighbours, and the last character alone so that a search for it finds it."""
    found = run.group()
    return f" {' '.join(found[at : at + 2] for at in range(len(found)))} "


@cache
def _analyzer(language: str, ascii_only: bool) -> tantivy.TextAnalyzer:
    # tantivy's simple tokenizer is faster but cuts Indic words at their vowel signs.
    cut = tantivy.Tokenizer.simple() if ascii_only else tantivy.Tokenizer.regex(_WORD)
    build = tantivy.TextAnalyzerBuilder(cut)
    build = build.filter(tantivy.Filter.remove_long(LONGEST)).filter(tantivy.Filter.lowercase())
    return _finish(build, language)


@cache
def _stemmer(language: str) -> tantivy.TextAnalyzer:
    return _finish(tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.raw()), language)


def _finish(build: tantivy.TextAnalyzerBuilder, language: str) -> tantivy.TextAnalyzer:
    if language in STEMMERS:
        build = build.filter(tantivy.Filter.stemmer(STEMMERS[language]))
    # "" keeps accents: stemming a question's word comes later and needs them.
    return (build.filter(tantivy.Filter.ascii_fold()) if language else build).build()
