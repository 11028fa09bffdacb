"""Words that a language model cites → where they stand in a passage, or nowhere.

Both sides are normalised in the same declared way, and in no other:
- white space of any length is one space;
- format characters (zero-width and direction marks) are nothing;
- a hyphen, soft hyphen or dash between two letters is nothing, with a line break after it or without;
- quote marks are " or ', dashes are -, ligatures, wide forms and accents are taken apart (NFKD, one character at
  a time; no superscripts, so that 10² is not 102).
What is shown is the document's own text between the two places, never the model's.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

from quoth.answer.figures import figures
from quoth.answer.question import stems, tokens
from quoth.answer.sentences import LONGEST, Span, bare, sentences

FEWEST_WORDS = 2
FEWEST_CHARACTERS = 8
"""Words and characters that a citation must have; one with a number, or in a script without spaces, needs fewer."""
WIDEST = 2 * LONGEST
"""Characters up to which a citation is widened to whole sentences."""
LONGEST_CITE = 2_000
"""Characters of a citation at most; longer ones are placed nowhere."""

_SINGLE = dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u02bc\u02b9\u00b4`\u2039\u203a", "'")
_DOUBLE = dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb\u300c\u300d\u300e\u300f\u301d\u301e", '"')
_DASHES = dict.fromkeys("\u00ad\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u2043\ufe58\ufe63\uff0d", "-")
_SAME = {**_SINGLE, **_DOUBLE, **_DASHES, "\u2026": "..."}
_EDGES = re.compile(r"""^(?:[\s"'.,;:!?*_#>|()\[\]{}]|-(?!\d))+|[\s"'.,;:!?*_#>|()\[\]{}-]+$""")
"""What may stand around a citation without belonging to it."""
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
"""Letters of scripts that put no space between words."""


def normal(text: str) -> tuple[str, list[int]]:
    """The text as it is compared, and for each of its characters the place in `text` that it comes from."""
    letters: list[str] = []
    places: list[int] = []
    for at, one in enumerate(text):
        for letter in _apart(one):
            if letter == " " and (not letters or letters[-1] == " "):
                continue
            letters.append(letter)
            places.append(at)
    kept = [at for at, letter in enumerate(letters) if not _joins(letters, at)]
    kept = [at for at in kept if letters[at] != " " or not _broken(letters, at)]
    return "".join(letters[at] for at in kept), [places[at] for at in kept]


_known = lru_cache(maxsize=128)(normal)
"""A model cites the same few passages again and again."""


def place(words: str, passage: str) -> Span | None:
    """(start, end) of the cited words in the passage, or None where they do not stand there as they are cited.

    Neither end lies inside a word or a number of the passage. More than `LONGEST_CITE` characters are not looked for.
    """
    if len(words) > LONGEST_CITE:
        return None
    wanted = _EDGES.sub("", _known(words)[0])
    if not enough(wanted):
        return None
    text, places = _known(passage)
    at = text.find(wanted)
    while at >= 0:
        end = at + len(wanted)
        if not _cuts(text, at) and not _cuts(text, end):
            return places[at], places[end - 1] + 1
        at = text.find(wanted, at + 1)
    return None


def enough(words: str) -> bool:
    """Whether a citation is long enough to carry anything."""
    if any(one.isdigit() for one in words) or len(_UNSPACED.findall(words)) >= 4:
        return True
    long = len(words) >= FEWEST_CHARACTERS and any(one.isalpha() for one in words)
    return long and len(words.split()) >= FEWEST_WORDS


def widened(text: str, span: Span, within: Span) -> Span:
    """The span, made to hold whole sentences of text[within], so that a quote keeps its "not"."""
    touched = [one for one in sentences(text, *within) if one[0] < span[1] and span[0] < one[1]]
    if not touched:
        return span
    start = min(span[0], bare(text, *touched[0])[0])
    end = max(span[1], touched[-1][1])
    return (start, end) if end - start <= WIDEST else span


def _apart(one: str) -> str:
    """A character as it is compared."""
    if one in _SAME:
        return _SAME[one]
    if one.isspace():
        return " "
    if one < "\x7f":
        return one
    kind = unicodedata.category(one)
    if kind in ("Cf", "Cc"):
        return ""
    if kind == "No":
        return one
    return "".join(" " if part.isspace() else _SAME.get(part, part) for part in unicodedata.normalize("NFKD", one))


def _joins(letters: Sequence[str], at: int) -> bool:
    """Whether a dash stands between two letters, a line break after it or none."""
    if letters[at] != "-" or at == 0 or not _is_letter(letters[at - 1]):
        return False
    after = letters[at + 1 : at + 3]
    return bool(after) and (_is_letter(after[0]) or (after[0] == " " and len(after) == 2 and after[1].islower()))


def _broken(letters: Sequence[str], at: int) -> bool:
    """Whether a space follows a dash that joins."""
    return at > 0 and _joins(letters, at - 1)


def _is_letter(one: str) -> bool:
    return one.isalpha() or unicodedata.category(one) == "Mn"


def _cuts(text: str, at: int) -> bool:
    """Whether the text falls apart inside a word or a number when it is cut here."""
    if at in (0, len(text)):
        return False
    before, after = text[at - 1], text[at]
    if unicodedata.category(after) == "Mn":
        return True
    if before.isalnum() and after.isalnum():
        return not (_UNSPACED.match(before) or _UNSPACED.match(after)) or (before.isdigit() and after.isdigit())
    if after.isdigit():
        # 5 in 1.5 and in -5, but not in 10-15
        return bool(re.search(r"\d[.,]$|(?:^|[\s(])[-+]$", text[max(0, at - 3) : at]))
    return before.isdigit() and bool(re.match(r"[.,]\d", text[at:]))


# -- has a quote to do with its sentence? ----------------------------------------------------------

_NOT = re.compile(
    r"\b(?:not|no(?!\.|\s*\d)|never|none|nobody|nothing|neither|nor|without|cannot|nicht|kein\w*|nie|niemals|ohne|weder"
    r"|niemand|nichts|pas|jamais|sans|aucune?|nunca|ningun\w*|ningún|nadie|tampoco)\b|n['’]t\b",
    re.I,
)
_AVOIDS = re.compile(
    r"\b(?:avoid|prohibit|forb[ia]d|prevent|refus|refrain|instead|unless|except|only|stop|bann?|fail|lack|verb[io]|vermeid"
    r"|verhind|außer|statt|nur|interdi|évit|sauf|seul|prohíb|proh[ií]b|evit|salvo|sólo|solo)",
    re.I,
)
"""Beginnings of words that say "not" in another way, or where it does not hold."""
_MEASURES = re.compile(
    r"\W*(?:\w+\W+)?(?:exceed|more|less|fewer|later|earlier|before|until|only|greater|longer|over)", re.I
)
ALIKE = 0.8
"""The share of a sentence's words that a quote must have before their "not" are compared."""


def contradicts(sentence: str, quotes: Sequence[str]) -> bool:
    """Whether one of sentence and quotes says in nearly the same words "not" to what the other one says.

    Nearly the same are words of which the quotes have most, and parts of a sentence that hold most words of a sentence
    of the quotes. Knows the negations of four languages, and no other way to deny something.
    """
    together = " ".join(quotes)
    words = stems(sentence)
    mine, theirs = _denied(sentence), _denied(together)
    own = words - _negations(sentence)
    if words and bool(mine) != bool(theirs) and len(own & stems(together)) >= ALIKE * len(own):
        other = stems(together) if mine else words
        if any(denied <= other for denied in (mine or theirs) if denied):
            return True
    parts = [part for part in re.split(r"[;.!?]\s", sentence) if not _AVOIDS.search(part)]
    said = [quote[slice(*span)] for quote in quotes for span in sentences(quote)]
    return any(_holds(part, one) for part in parts for one in said if not _AVOIDS.search(one))


def _holds(part: str, quote: str) -> bool:
    """Whether a part of a sentence holds the words of a sentence of a quote, but only one of them denies them."""
    mine, theirs = _denied(part), _denied(quote)
    if bool(_NOT.search(part)) == bool(_NOT.search(quote)):
        return False
    words, known = stems(part), stems(quote) - _negations(quote)
    if len(known) < FEWEST_WORDS or len(known & words) < ALIKE * len(known):
        return False
    other = stems(quote) if mine else words
    return any(denied <= other for denied in (mine or theirs) if denied)


def _negations(text: str) -> set[str]:
    return {stem for one in _NOT.findall(text) for stem in stems(one)}


def _denied(text: str) -> list[frozenset[str]]:
    """For each "not" in a text that compares no measures, the words right after it."""
    found = [match.end() for match in _NOT.finditer(text) if not _MEASURES.match(text, match.end())]
    return [stems(" ".join(text[at : at + 200].split()[:3])) for at in found]


_TONGUES = {
    "en": "the of and are were to it from by with for has this that their",
    "de": "der das und ist ein eine nicht mit von wird im den dem zu auf für",
    "fr": "le les et est une des du dans pour par sur avec qui au",
    "es": "el los y es una del por para con las se",
    "it": "il gli è di della che per una nel sono",
    "pt": "os é do da em não uma para com ao",
    "nl": "het een zijn van met op voor wordt niet",
}
"""Function words by which a language is known, as far as it must be."""
_TONGUE = {language: frozenset(words.split()) for language, words in _TONGUES.items()}
_ASSENT = frozenset("yes no ja nein oui non sí sì sim não nee".split())  # noqa: SIM905
SHARED = 5
"""Letters by which two words are taken for the same: serviced and service, operator and operate."""


def unrelated(sentence: str, shown: Sequence[str]) -> bool:
    """Whether a sentence and what carries it, with titles and headings, share no word that means anything.

    A sentence without such words, or in another script or language than the quotes, is not judged; a number that the
    sentence shares with them is enough.
    """
    together = " ".join(shown)
    scripts = {_script(word) for word in stems(together)}
    words = stems(sentence) - _ASSENT
    own = {word for word in words if _script(word) in scripts}
    if not own or 2 * len(own) < len(words) or any(figures(sentence)):
        return False
    theirs = {word[:SHARED] for word in stems(together)}
    if any(word[:SHARED] in theirs for word in own):
        return False
    mine, other = _tongue(sentence), _tongue(together)
    return not (mine and other and mine != other)


def _script(word: str) -> str:
    """The script of a word's first character; digits are of every script."""
    name = unicodedata.name(word[0], "").split(" ")[0]
    return "CJK" if name in ("HIRAGANA", "KATAKANA") else name


def _tongue(text: str) -> str:
    """The language that a text's function words tell, or ""."""
    words = set(tokens(text))
    counts = sorted(((len(words & known), language) for language, known in _TONGUE.items()), reverse=True)
    return counts[0][1] if counts[0][0] > counts[1][0] else ""


# -- the model's sentences as plain text -----------------------------------------------------------

_IMAGE = re.compile(r"!\[([^\[\]]*)\]\s*(?:\([^()]*(?:\([^()]*\)[^()]*)*\)|\[[^\[\]]*\])")
_LINK = re.compile(r"\[([^\[\]]*)\]\([^()]*(?:\([^()]*\)[^()]*)*\)|\[([^\[\]]*[^\d\[\],; ][^\[\]]*)\]\[[^\[\]]*\]")
_TAGS = (
    "a abbr audio b base blockquote body br button code div em embed font form h[1-6] head hr html i iframe img input"
    " li link math meta object ol p pre q s script small source span strong style sub sup svg table tbody td th thead"
    " title tr u ul video"
).replace(" ", "|")
_TAG = re.compile(rf"<!--[^<>]*-->|</?(?:{_TAGS})\b[^<>]*>", re.I)
_OPENS = re.compile(r"<(?=[A-Za-z/!?])")
_SCHEME = re.compile(
    r"\b[a-z][a-z0-9+.-]{0,20}:/{2,}(?:www\.)?|\bwww\.|\b(?:javascript|vbscript):|\bdata:(?=\w+/)", re.I
)
_MARKS = re.compile(r" *\[\d+(?:\s*[,;–-]\s*\d+)*\](?!\w)")
_UNSEEN = ("Cc", "Cf", "Cs", "Co", "Cn")


MOST_ROUNDS = 8
"""How deep links and tags within each other are taken apart; beyond, their marks go."""


def plain(text: str) -> str:
    """A model's sentence as plain text: links are their words, images their descriptions, addresses lose what makes
    a program follow them, HTML goes, and so do numbers in brackets, which only code may give.
    """
    line = "".join(" " if one.isspace() else one for one in text)
    line = "".join(one for one in line if unicodedata.category(one) not in _UNSEEN or one == "\u200d")
    line = " ".join(line.split())
    for _ in range(MOST_ROUNDS):
        before = line
        line = _LINK.sub(lambda match: match[1] or match[2] or "", _IMAGE.sub(r"\1", line))
        line = _SCHEME.sub("", _OPENS.sub("‹", _TAG.sub("", line)))
        line = " ".join(_MARKS.sub("", line).split())
        if line == before:
            return line
    return " ".join(_SCHEME.sub(" ", re.sub(r"[\[\]<>:]", " ", line)).split())
