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
from collections.abc import Iterator, Sequence

from quoth.answer.question import stems
from quoth.answer.sentences import LONGEST, Span, bare, sentences

FEWEST_WORDS = 2
FEWEST_CHARACTERS = 8
"""Words and characters that a citation must have; one with a number, or in a script without spaces, needs fewer."""
WIDEST = 2 * LONGEST
"""Characters up to which a citation is widened to whole sentences."""

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


def place(words: str, passage: str) -> Span | None:
    """(start, end) of the cited words in the passage, or None where they do not stand there as they are cited.

    Neither end lies inside a word or a number of the passage.
    """
    wanted = _EDGES.sub("", normal(words)[0])
    if not enough(wanted):
        return None
    text, places = normal(passage)
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

_NUMBER = re.compile(r"\d{1,3}(?:[.,'’ \u00a0\u202f]\d{3})+(?!\d)(?:[.,]\d+)?|\d+(?:[.,]\d+)?")
_UNITS = (  # noqa: SIM905
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
    " seventeen eighteen nineteen"
).split()
_TENS = {
    word: 10 * tens
    for tens, word in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), 2)  # noqa: SIM905
}
_WORDS = {word: value for value, word in enumerate(_UNITS)} | _TENS | {"dozen": 12, "hundred": 100, "thousand": 1000}
_SPELT = re.compile(
    rf"\b(?:(?P<tens>{'|'.join(_TENS)})[- ](?P<unit>{'|'.join(_UNITS[1:10])})|(?P<word>{'|'.join(_WORDS)}))\b", re.I
)
_SMALL = 3
"""Number words up to this one are said of anything ("two of them") and need not stand in the quote."""
_MONTHS = (
    "january januar janvier enero", "february februar février febrero", "march märz mars marzo",
    "april avril abril", "may mai mayo", "june juni juin junio", "july juli juillet julio",
    "august août agosto", "september septembre septiembre", "october oktober octobre octubre",
    "november novembre noviembre", "december dezember décembre diciembre",
)  # fmt: skip
_MONTH = {name: number for number, names in enumerate(_MONTHS, 1) for name in names.split()}
_NAMED = re.compile(rf"\b(?:{'|'.join(sorted(_MONTH, key=len, reverse=True))})\b", re.I)
_ALSO_WORDS = frozenset({"may", "march", "mars"})
"""Months that are words too: they count as months only beside a number or after a word like "in"."""
_DATED = re.compile(r"(?:\d\.?|\b(?:in|of|since|until|by|last|next|early|late|mid))[ ,-]*$", re.I)


def unsaid(sentence: str, quotes: Sequence[str]) -> str:
    """A number, date or month of the sentence that none of the quotes has, or ""."""
    known = {reading for quote in quotes for _, readings in _numbers(quote, 0) for reading in readings}
    for written, readings in _numbers(sentence, _SMALL):
        if not readings & known:
            return written
    return ""


def _numbers(text: str, small: int) -> Iterator[tuple[str, frozenset[str]]]:
    """Each number of a text and what it may mean, number words over `small` and months included."""
    for match in _NUMBER.finditer(text):
        yield match[0], frozenset(_readings(match[0]))
    for match in _SPELT.finditer(text):
        value = _TENS[match["tens"].lower()] + _WORDS[match["unit"].lower()] if match["tens"] else 0
        value = value or _WORDS[(match["word"] or "zero").lower()]
        if value > small or not small:
            yield match[0], frozenset({str(value)})
    for match in _NAMED.finditer(text):
        low = match[0].lower()
        dated = _DATED.search(text[: match.start()]) or re.match(r"[ ,.-]*\d", text[match.end() :])
        if low not in _ALSO_WORDS or dated:
            yield match[0], frozenset({str(_MONTH[low])})


def _readings(number: str) -> Iterator[str]:
    """What a number may mean: 1.500 is a thousand and a half, or one and a half."""
    digits = "".join(str(unicodedata.digit(one)) if one.isdigit() else one for one in number)
    digits = re.sub(r"['’\s]", "", digits)
    marks = re.findall(r"[.,]", digits)
    if not marks or re.fullmatch(r"\d{1,3}(?:([.,])\d{3})(?:\1\d{3})*", digits):
        yield str(int(re.sub(r"[.,]", "", digits)))
    if len(marks) == 1 or len(set(marks)) == 2:
        whole, _, rest = digits.replace(",", ".").rpartition(".")
        rest = rest.rstrip("0")
        yield str(int(whole.replace(".", ""))) + (f".{rest}" if rest else "")


_NOT = re.compile(
    r"\b(?:not|no(?!\.|\s*\d)|never|none|nobody|nothing|neither|nor|without|cannot|nicht|kein\w*|nie|niemals|ohne|weder"
    r"|niemand|nichts|pas|jamais|sans|aucune?|nunca|ningun\w*|ningún|nadie|tampoco)\b|n['’]t\b",
    re.I,
)
_MEASURES = re.compile(
    r"\W*(?:\w+\W+)?(?:exceed|more|less|fewer|later|earlier|before|until|only|greater|longer|over)", re.I
)
ALIKE = 0.8
"""The share of a sentence's words that a quote must have before their "not" are compared."""


def contradicts(sentence: str, quotes: Sequence[str]) -> bool:
    """Whether one of sentence and quotes says in nearly the same words "not" to what the other one says.

    Knows the negations of four languages, and no other way to deny something.
    """
    together = " ".join(quotes)
    words = stems(sentence)
    mine, theirs = _denied(sentence), _denied(together)
    if not words or bool(mine) == bool(theirs):
        return False
    own = words - {stem for one in _NOT.findall(sentence) for stem in stems(one)}
    if len(own & stems(together)) < ALIKE * len(own):
        return False
    other = stems(together) if mine else words
    return any(denied <= other for denied in (mine or theirs) if denied)


def _denied(text: str) -> list[frozenset[str]]:
    """For each "not" in a text that compares no measures, the words right after it."""
    found = [match.end() for match in _NOT.finditer(text) if not _MEASURES.match(text, match.end())]
    return [stems(" ".join(text[at : at + 200].split()[:3])) for at in found]


# -- the model's sentences as plain text -----------------------------------------------------------

_IMAGE = re.compile(r"!\[([^\[\]]*)\]\s*(?:\([^()]*(?:\([^()]*\)[^()]*)*\)|\[[^\[\]]*\])")
_LINK = re.compile(r"\[([^\[\]]*)\]\([^()]*(?:\([^()]*\)[^()]*)*\)|\[([^\[\]]*[^\d\[\],; ][^\[\]]*)\]\[[^\[\]]*\]")
_TAGS = (
    "a abbr audio b base blockquote body br button code div em embed font form h[1-6] head hr html i iframe img input"
    " li link math meta object ol p pre q s script small source span strong style sub sup svg table tbody td th thead"
    " title tr u ul video"
).replace(" ", "|")
_TAG = re.compile(rf"<!--.*?-->|</?(?:{_TAGS})\b[^<>]*>", re.I | re.S)
_OPENS = re.compile(r"<(?=[A-Za-z/!?])")
_SCHEME = re.compile(
    r"\b[a-z][a-z0-9+.-]{0,20}:/{2,}(?:www\.)?|\bwww\.|\b(?:javascript|vbscript):|\bdata:(?=\w+/)", re.I
)
_MARKS = re.compile(r"\s*\[\d+(?:\s*[,;–-]\s*\d+)*\](?!\w)")
_UNSEEN = ("Cc", "Cf", "Cs", "Co", "Cn")


def plain(text: str) -> str:
    """A model's sentence as plain text: links are their words, images their descriptions, addresses lose what makes
    a program follow them, HTML goes, and so do numbers in brackets, which only code may give.
    """
    line = "".join(" " if one.isspace() else one for one in text)
    line = "".join(one for one in line if unicodedata.category(one) not in _UNSEEN or one == "\u200d")
    before = None
    while line != before:
        before = line
        line = _LINK.sub(lambda match: match[1] or match[2] or "", _IMAGE.sub(r"\1", line))
        line = _SCHEME.sub("", _OPENS.sub("‹", _TAG.sub("", line)))
    return " ".join(_MARKS.sub("", line).split())
