"""Numbers, dates and months of a sentence → those that its quotes do not say.

A number is its digits with all that makes it another one: a minus, a power, "million", "%", and the "kilo" of its
unit. Digits may be of any script, circled, or spelt in English.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_DIGITS = r"\d{1,3}(?:[.,'’ \u00a0\u202f]\d{3})+(?!\d)(?:[.,]\d+)?|\d+(?:[.,]\d+)?"
_UNITS = (  # noqa: SIM905
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
    " seventeen eighteen nineteen"
).split()
_TENS = {
    word: 10 * tens
    for tens, word in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), 2)  # noqa: SIM905
}
_SCALES = {
    "hundred": 2, "thousand": 3, "tausend": 3, "mille": 3, "mil": 3, "million": 6, "millions": 6, "millionen": 6,
    "mio": 6, "mn": 6, "mln": 6, "millón": 6, "millones": 6, "billion": 9, "billions": 9, "bn": 9, "milliard": 9,
    "milliards": 9, "milliarde": 9, "milliarden": 9, "mrd": 9, "billionen": 12, "trillion": 12, "trillions": 12,
}  # fmt: skip
"""Words after a number that move its point by so many places."""
_LETTERS = {"k": 3, "K": 3, "M": 6, "B": 9}
"""The same as a letter that stands at the number: 4k."""
_WORDS = (
    {word: value for value, word in enumerate(_UNITS)}
    | _TENS
    | {"dozen": 12}
    | {word: 10 ** _SCALES[word] for word in ("hundred", "thousand", "million", "billion", "trillion")}
)
_POWERS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")
_FIGURE = re.compile(
    rf"(?P<minus>(?<![\w.,)\]%°])(?<!\d )[-−–‐‑﹣－](?=\d)|\b(?:minus|moins|menos)\s+)?"
    rf"(?:(?P<digits>{_DIGITS})(?P<power>[⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺]+|\^[-+]?\d+|e[-+]?\d+\b)?"
    rf"|\b(?P<tens>{'|'.join(_TENS)})[- ](?P<unit>{'|'.join(_UNITS[1:10])})\b|\b(?P<word>{'|'.join(_WORDS)})\b)",
    re.I,
)
_SCALE = re.compile(
    rf"(?P<letter>(?-i:[{''.join(_LETTERS)}]))\b"
    rf"|[\s-]?(?P<word>{'|'.join(sorted(_SCALES, key=len, reverse=True))})\b\.?",
    re.I,
)
_SHARE = re.compile(
    r"[\s-]?(?:(?P<mille>‰|per mill?e\b)|[%٪％]|per ?cent\w*|pro[zc]ent\w*|pour cent\b|por ciento\b)", re.I
)
_PREFIXES = {
    "k": "kilo", "M": "mega", "G": "giga", "T": "tera", "m": "milli", "µ": "micro", "μ": "micro", "n": "nano",
    "c": "centi", "d": "deci", "h": "hecto",
}  # fmt: skip
_PREFIX = re.compile(
    rf"[\s-]?(?:(?P<word>{'|'.join(dict.fromkeys(_PREFIXES.values()))})\w*"
    rf"|(?-i:(?P<letter>[{''.join(_PREFIXES)}])(?:g|m|Wh?|Pa|bar|Hz|VA?|A|J|l|L|s|B|b|N|mol|eV|cal)\b))",
    re.I,
)
_RANGE = re.compile(rf"\s*(?:[-–—,/]|\b(?:to|and|or|bis|und|oder|et|à|y|a)\b)\s*(?:{_DIGITS})", re.I)
"""A number after a number, which may lend it its "%" or "million"."""
_HEADED = re.compile(r"(?:^|[^\d\s])\s*(?:%|per ?cent\b|prozent\b)", re.I)
_BELOW = re.compile(r"\b(?:below|under|negative|unter|sous|bajo)\b", re.I)
"""Words with which a sentence says a minus."""
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


@dataclass(frozen=True, slots=True)
class Figure:
    """A number as it is written, what it may mean, and what it may mean where a document says it.

    A document's number may be followed by a footnote or a unit that a sentence leaves out.
    """

    written: str
    meant: frozenset[str]
    said: frozenset[str]


def unsaid(sentence: str, quotes: Sequence[str]) -> str:
    """A number, date or month of the sentence that none of the quotes has, or ""."""
    known = {reading for quote in quotes for one in figures(quote, 0) for reading in one.said}
    together = " ".join(quotes)
    # a unit may stand at the head of a table, away from its numbers
    bare = [one for one in known if re.fullmatch(r"\d+(?:\.\d+)?", one)]
    known |= {_moved(one, places) for places in _loose(together) for one in bare}
    known |= {f"{one}%" for one in bare} if _HEADED.search(together) else set()
    below = _BELOW.search(sentence)
    for one in figures(sentence, _SMALL):
        if not known & (one.meant | {f"-{reading}" for reading in one.meant if below}):
            return one.written
    return ""


def figures(text: str, small: int = _SMALL) -> Iterator[Figure]:
    """Each number of a text, number words over `small` and months included."""
    text = _in_digits(text)
    at = 0
    while match := _FIGURE.search(text, at):
        figure, at = _figure(text, match, small)
        if figure:
            yield figure
    for match in _NAMED.finditer(text):
        low = match[0].lower()
        dated = _DATED.search(text[max(0, match.start() - 20) : match.start()])
        if low not in _ALSO_WORDS or dated or re.match(r"[ ,.-]*\d", text[match.end() : match.end() + 20]):
            month = frozenset({str(_MONTH[low])})
            yield Figure(match[0], month, month)


def _figure(text: str, match: re.Match[str], small: int) -> tuple[Figure | None, int]:
    """The number that begins here, and where it ends; None for a small number word that counts nothing."""
    end = match.end()
    value = 0
    if match["digits"]:
        readings = set(_readings(match["digits"]))
    else:
        value = _TENS[match["tens"].lower()] + _WORDS[match["unit"].lower()] if match["tens"] else 0
        value = value or _WORDS[(match["word"] or "zero").lower()]
        readings = {str(value)}
    plain, scaled, end = frozenset(readings), *_scaled(text, end, readings)
    readings = {f"-{one}" for one in scaled} if match["minus"] else scaled
    meant = said = frozenset(readings)
    if power := (match["power"] or "").lower().translate(_POWERS).lstrip("^").replace("+", ""):
        meant = frozenset(one + (power if power[0] == "e" else f"^{power}") for one in readings)
        # a raised number may be that of a footnote
        said = meant if power[0] == "e" else meant | said
    if prefix := _PREFIX.match(text, end):
        name = (prefix["word"] or _PREFIXES[prefix["letter"]]).lower()
        meant, end = frozenset(f"{one} {name}" for one in meant), prefix.end()
        said |= meant
    if scaled == plain and (lent := _lent(text, end, set(plain))):
        meant, said = meant | lent, said | lent
    if not match["digits"] and 0 < value <= small and scaled == plain:
        return None, end
    if not match["digits"] and value == 0 and small:
        return None, end
    return Figure(text[match.start() : end].strip(), meant, said), end


def _scaled(text: str, end: int, readings: set[str]) -> tuple[set[str], int]:
    """The readings with "million" and "%" after them, and where those end."""
    while found := _SCALE.match(text, end):
        places = _LETTERS[found["letter"]] if found["letter"] else _SCALES[found["word"].lower()]
        readings, end = {_moved(one, places) for one in readings}, found.end()
    if share := _SHARE.match(text, end):
        readings, end = {one + ("‰" if share["mille"] else "%") for one in readings}, share.end()
    return readings, end


def _lent(text: str, end: int, readings: set[str]) -> frozenset[str]:
    """What a number means if the "%" or "million" of the next one is its own too: 4 to 5 million."""
    for _ in range(3):
        following = _RANGE.match(text, end)
        if not following:
            break
        end = following.end()
        scaled = _scaled(text, end, readings)[0]
        if scaled != readings:
            return frozenset(scaled)
    return frozenset()


def _loose(text: str) -> set[int]:
    """The "thousand" and "million" of a text that belong to no number."""
    words = (match for match in _SCALE.finditer(text) if match["word"] and not _counted(text, match))
    return {_SCALES[match["word"].lower()] for match in words}


def _counted(text: str, scale: re.Match[str]) -> bool:
    words = text[max(0, scale.start() - 20) : scale.start("word")].replace("-", " ").split()
    return bool(words) and (words[-1].lower() in _WORDS or words[-1].lower() in _SCALES or words[-1][-1].isdigit())


def _in_digits(text: str) -> str:
    """The text with circled digits, fractions and the like as usual ones; raised and lowered digits stay."""
    if text.isascii():
        return text
    shown: list[str] = []
    for one in text:
        kind = unicodedata.category(one)
        if kind == "Cf":
            continue
        value = unicodedata.numeric(one, None) if kind == "No" else None
        if value is None or unicodedata.decomposition(one).startswith(("<super>", "<sub>")):
            shown.append(one)
        elif value == int(value):
            shown.append(str(int(value)))
        else:
            after = bool(shown) and shown[-1][-1:].isdigit()
            shown.append(f"{value:.4f}".rstrip("0").removeprefix("0" if after else ""))
    return "".join(shown)


def _readings(number: str) -> Iterator[str]:
    """What a number may mean: 1.500 is a thousand and a half, or one and a half."""
    digits = "".join(str(unicodedata.digit(one)) if one.isdigit() else one for one in number)
    digits = re.sub(r"['’\s]", "", digits)
    marks = re.findall(r"[.,]", digits)
    if not marks or re.fullmatch(r"\d{1,3}(?:([.,])\d{3})(?:\1\d{3})*", digits):
        yield _whole(re.sub(r"[.,]", "", digits))
    if len(marks) == 1 or len(set(marks)) == 2:
        whole, _, rest = digits.replace(",", ".").rpartition(".")
        rest = rest.rstrip("0")
        yield _whole(whole.replace(".", "")) + (f".{rest}" if rest else "")


def _moved(reading: str, places: int) -> str:
    """The number with its point moved to the right."""
    whole, _, rest = reading.partition(".")
    rest = rest.ljust(places, "0")
    after = rest[places:].rstrip("0")
    return _whole(whole + rest[:places]) + (f".{after}" if after else "")


def _whole(digits: str) -> str:
    return digits.lstrip("0") or "0"
