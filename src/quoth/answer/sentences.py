"""Sentences of a text, by character offsets.

Rules, no model: a text falls into blocks (paragraphs, list items, table rows, headings, lines of
code), a block into sentences. A single line break inside a paragraph is a space, as in the text of a
PDF, unless the lines look like lines: short ones, `key: value`, code. Unspaced endings (。！？؟ ।) end
a sentence at once; a dot ends none after an abbreviation, an initial, or inside a number. A stretch
without any ending is cut at a comma or a space, so that no sentence is longer than `LONGEST`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

LONGEST = 400

Span = tuple[int, int]

_ENDING = re.compile(
    r"[.!?…‼⁇⁈⁉]+[\"'”’»)\]}*_]*(?=\s|\[\d|$)"
    r"|[。！？｡؟۔।॥։]+[\"'”’»」』）)\]]*"
)
_WORD_BEFORE = re.compile(r"[^\s(\[\"'“‘«]+$")
_NEXT_WORD = re.compile(r"\s*(?:\[\d+\]\s*)*[\"'“‘«(\[*_]*(\w+|\S)?")
_NOTES = re.compile(r"(?:\[\d{1,3}\])+")
_ABBREVIATIONS = frozenset(
    """mr mrs ms dr prof st sr jr rev hon gen col capt lt sgt maj cmdr adm gov sen rep pres messrs mme mlle
    vs etc eg ie e.g i.e cf al ca approx appt apt ave blvd dept est ext fig figs eq eqs ref refs sec ch
    vol vols ed eds pp nr no nos art op resp tel inc ltd co corp bros mt ft sq min max
    jan feb mar apr jun jul aug sep sept oct nov dec mon tue tues wed thu thurs fri sat
    bzw usw z.b d.h u.a o.ä vgl evtl ggf inkl zzgl abs str sog p.ex sra srta sres ud uds
    núm pág págs av avda""".split()  # noqa: SIM905
)
_BEFORE_NUMBER = frozenset("no nos nr fig figs eq eqs sec ch vol art p pp par abs op núm pág ref".split())  # noqa: SIM905
_MAY_END = frozenset("etc inc ltd co corp al jr sr".split())  # noqa: SIM905
_STARTERS = frozenset(
    """the a an in on at it he she they we you i this that these those there however and but as for from by
    after before during while when if its his her their our my most many some all no not one two both
    since although though because with to under over between among another other such what who where
    how why is are was were""".split()  # noqa: SIM905
)
_ITEM = re.compile(r"[ \t]*(?:[-*+•‣▪◦·–]|\(?\d{1,3}[.)]|\(?[a-zA-Z]\)|>+|#{1,6}|\|)(?=\s|\|)")
_ALONE = re.compile(r"[ \t]*(?:\||#{1,6}\s|```|~~~|[-*_=]{3,}\s*$|[\w .()/-]{1,40}:(?:\s|$))|.*\t")
_CODE_END = re.compile(r"(?:[{};\\]|\)[:,]?|\],?)\s*$")
_CUT = re.compile(r"[;:,—–]\s|[、，；：]|\s")


def sentences(text: str, start: int = 0, end: int | None = None) -> list[Span]:
    """(start, end) of every sentence of `text[start:end]`, in order, without the space around it.

    They do not overlap, and every character that is not space is in one of them.
    """
    stop = len(text) if end is None else end
    return [
        piece
        for block in _blocks(text, start, stop)
        for sentence in _in_block(text, *block)
        for piece in _cut(text, *sentence)
    ]


def trimmed(text: str, start: int, end: int) -> Span:
    """The span without the space at its ends."""
    stretch = text[start:end]
    return start + len(stretch) - len(stretch.lstrip()), end - (len(stretch) - len(stretch.rstrip()))


def bare(text: str, start: int, end: int) -> Span:
    """The span without bullet, number, heading sign and space before it, and without space after it."""
    start, end = trimmed(text, start, end)
    while (mark := _ITEM.match(text, start, end)) and text[mark.end() : end].strip() and text[start] != "|":
        start, end = trimmed(text, mark.end(), end)
    return start, end


def is_heading(text: str, start: int, end: int) -> bool:
    """Whether the span is a heading: marked as one, or a short line of its own that ends like none."""
    line = text[start:end]
    if re.match(r"\s*#{1,6}\s", line):
        return True
    alone = text[max(0, start - 9) : start].rstrip(" \t")[-1:] in ("", "\n") and text[end : end + 1] in ("", "\n")
    return (
        alone and not _ITEM.match(line) and len(line) < 60 and not re.search(r"[.!?:;,。！？؟।\d|)}]\s*$|: |\t", line)
    )


def _blocks(text: str, start: int, end: int) -> Iterator[Span]:
    """Stretches that no sentence crosses."""
    begin: int | None = None
    above, widest, fenced, closed = "", 0, False, False
    for at, stop in _lines(text, start, end):
        line = text[at:stop].rstrip()
        fence = line.lstrip().startswith(("```", "~~~"))
        ends = begin is not None and (not line or fenced or fence or closed or not _goes_on(above, line, widest))
        if ends and begin is not None:
            yield begin, at
        if not line.strip():
            begin = None
        elif begin is None or ends:
            begin, widest = at, _widest(text, at, end)
        above = line
        fenced, closed = fenced ^ fence, fence
    if begin is not None:
        yield begin, end


def _lines(text: str, start: int, end: int) -> Iterator[Span]:
    while start < end:
        stop = text.find("\n", start, end)
        stop = end if stop < 0 else stop + 1
        yield start, stop
        start = stop


def _widest(text: str, start: int, end: int) -> int:
    """The length of the longest of the next dozen lines, up to an empty one."""
    lines = text[start : min(end, start + 2_000)].split("\n")[:12]
    full = next((index for index, line in enumerate(lines) if not line.strip()), len(lines))
    return max((len(line.strip()) for line in lines[:full]), default=0)


def _goes_on(above: str, line: str, widest: int) -> bool:
    """Whether `line` continues the paragraph of the line above it: that one is full, or was cut mid-sentence."""
    if _ITEM.match(line) or _ALONE.match(line) or above.lstrip().startswith(("|", "#")) or "\t" in above:
        return False
    if _CODE_END.search(above):
        return False
    if line.lstrip()[:1].islower() and above[-1:] not in ".!?:;":
        return True
    return widest >= 40 and len(above.strip()) >= max(25, 0.6 * widest)


def _in_block(text: str, start: int, end: int) -> Iterator[Span]:
    at = start
    for ending in _ENDING.finditer(text, start, end):
        if ending.start() < at or not _ends(text, at, *ending.span(), end):
            continue
        notes = _NOTES.match(text, ending.end(), end)
        stop = notes.end() if notes else ending.end()
        yield trimmed(text, at, stop)
        at = stop
    if text[at:end].strip():
        yield trimmed(text, at, end)


def _ends(text: str, begin: int, mark: int, stop: int, end: int) -> bool:
    """Whether the punctuation text[mark:stop] ends the sentence that began at `begin`."""
    following = _NEXT_WORD.match(text, stop, end)
    after = following[1] or "" if following else ""
    if after[:1].islower() and text[mark] in ".!?…":
        return False
    if text[mark] != "." or text[mark:stop].startswith(".."):
        return True
    if not text[begin:mark].strip(" \t\n\"'“‘«([*_-•#>0123456789"):
        # "1." begins a list item.
        return False
    word = _WORD_BEFORE.search(text[max(begin, mark - 30) : mark])
    return not after or not _shortened(word[0] if word else "", after)


def _shortened(before: str, after: str) -> bool:
    """Whether the dot after `before` belongs to an abbreviation or an initial, given the word after."""
    low = before.lower()
    new = after[:1].isupper() and after.lower() in _STARTERS
    if low in _BEFORE_NUMBER:
        return after[:1].isdigit()
    if low in _ABBREVIATIONS:
        return not (low in _MAY_END and new)
    if len(before) == 1 and before.isupper():
        return before != "I" and not new
    return bool(re.fullmatch(r"(?:\w\.)+\w", before)) and not new


def _cut(text: str, start: int, end: int) -> Iterator[Span]:
    """The span, in pieces of at most LONGEST characters."""
    while end - start > LONGEST:
        places = list(_CUT.finditer(text, start + LONGEST // 4, start + LONGEST))
        stop = max(places, key=_goodness).end() if places else start + LONGEST
        yield trimmed(text, start, stop)
        start = trimmed(text, stop, end)[0]
    if start < end:
        yield start, end


def _goodness(place: re.Match[str]) -> int:
    """How good a place to cut is: late, better at a comma than a space, best at a semicolon."""
    mark = place[0][0]
    return place.end() + (0 if mark.isspace() else LONGEST // 3) + (LONGEST // 3 if mark in ";；" else 0)
