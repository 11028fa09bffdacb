"""Documents to passages: short enough for the encoder, cut where the text itself pauses.

The text is cut into atoms at every border (headings, paragraphs, list items, rows, sentences), each
atom's word pieces are counted once, and dynamic programming picks the cuts of least cost. A splitter
that tries candidates asks the tokenizer about every character many times.
"""

from __future__ import annotations

import bisect
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

from quoth.ingest import asciidoc, latex, markdown, org, rst
from quoth.types import Document, Mark, Passage

if TYPE_CHECKING:
    from tokenizers import Tokenizer

WINDOW = 256
"""Word pieces that the encoder sees, its two special ones included."""
CONTEXT = 48
"""Word pieces that a context may have."""
LONGEST = 2_400
"""Characters that a passage may have, however few its word pieces (a word too long for the tokenizer is one)."""
COARSE = 320
"""Characters of a paragraph that is not looked into for sentences."""
COUNTED = 20_000
"""Characters beyond which a stretch is cut finer without its word pieces being counted: the count takes memory."""
AT_ONCE = 1_000_000
"""Characters whose word pieces are counted at once."""
STEP = 64
"""Characters between cuts in a run without any border."""
ASIDE = 80
"""A comment longer than this parts the text around it and is in no passage."""

# What a cut costs: below 0 it is welcome. A passage of t word pieces, target T, costs
# SMALL * ((T - t) / T)² and below TINY pieces up to 0.3 more: two sections of 48 pieces each are
# just better apart than together when a heading of level 2 lies between them.
HEADINGS = {1: -0.40, 2: -0.25, 3: -0.12}
DEEP_HEADING, CODE_HEADING = -0.06, -0.12
PARAGRAPH, ROW, ITEM, LINE, SENTENCE, FENCED, WRAPPED, CLAUSE, WORD, CHARACTER = (
    0.0,
    0.03,
    0.08,
    0.10,
    0.15,
    0.20,
    0.35,
    0.40,
    0.60,
    1.00,
)
AFTER_HEADING, AFTER_COLON = 0.50, 0.15
SMALL, TINY, LONELY = 0.25, 48, 0.30

BLOB = re.compile(r"[A-Za-z0-9+/](?<![A-Za-z0-9+/]{2})[A-Za-z0-9+/]{399,}={0,2}")
MIXED = re.compile(r"(?=.*[0-9])(?=.*[a-z]).*[A-Z]")
DATA_URI = re.compile(r"data:[\w/+.-]{1,80};base64,\Z")
"""Embedded data such as an image in base64: it parts the text around it and is in no passage."""
ASIDES: dict[str, Callable[[str], list[tuple[int, int]]]] = {
    "markdown": markdown.comments,
    "rst": rst.comments,
    "org": org.comments,
    "asciidoc": asciidoc.comments,
    "latex": latex.asides,
}
"""Where a text of this kind says what is not for its readers."""
BREAK = re.compile(r"\r\n?|[\n\x0b\x0c\x85\u2028\u2029]")
ITEMS = re.compile(r"[ \t]*(?:[-*+•◦‣·][ \t]|\(?(?:\d{1,3}|[A-Za-z])[.)][ \t]|\||#{1,6}[ \t]|\[[ xX\d])")
RULE = re.compile(r"\s*([^\w\s])\1{2,}\s*\Z")
STOP = re.compile(r"[.!?…:;。！？؟।]['\")\]’”»*_`]*\s*\Z")
SHORT = "".join(rf"(?<!\b{word}\.)" for word in ("[A-Za-z]", "Mr", "Mrs", "Dr", "St", "No", "vs", "cf", "Fig", "etc"))
SENTENCES = re.compile(rf"[.!?…؟।]{SHORT}['\")\]’”»*_]*\s+(?=[^\sa-z])|[。！？]['\"」』”）]*")
CLAUSES = re.compile(r"[,;:)\]}—–、，；：]\s+|[、，；：]")
WORDS = re.compile(r"\s+")
APART = frozenset(" \t\n\r\xa0\u2028\u2029\u3000。！？、，；：")
"""Characters after which the tokenizer begins a new word for certain."""
LINED = frozenset(("code", "csv", "xlsx", "xls", "ods", "notebook", "json", "yaml", "toml", "xml"))
BLOCKS = frozenset(("html", "docx", "doc", "pptx", "ppt", "odt", "odp", "rtf", "epub", "fb2"))


@dataclass(frozen=True, slots=True)
class Atoms:
    """A document cut at every border: starts (n), what a cut before each costs, word pieces before each (n + 1)."""

    starts: list[int]
    costs: list[float]
    before: list[int]
    end: int


def split(document: Document, tokenizer: Tokenizer, size: tuple[int, int] = (200, 240)) -> list[Passage]:
    """The passages of a document, in order, without overlap, covering every visible character.

    `size` is the wished and the largest number of word pieces of what is encoded of the text; with
    its context a passage never exceeds the encoder's window. The tokenizer must not truncate.
    """
    if tokenizer.truncation is not None or tokenizer.padding is not None:
        raise ValueError("split needs a tokenizer that neither truncates nor pads")
    visible = _visible(document)
    found: list[Passage] = []
    unsure: list[Passage] = []
    contexts = _Contexts(document, tokenizer)
    for start, end in _regions(document):
        atoms = _atoms(document, start, end, tokenizer, visible, size[0])
        exact = _is_exact(document.text, atoms)
        for first, last in _cuts(atoms, contexts, size):
            for passage in _passage(document, contexts, first, last):
                body = shown(document.kind, passage.text)
                if body.strip():
                    sure = exact and (body is passage.text or body == visible(passage.start, passage.end))
                    (found if sure else unsure).append(passage)
    found.extend(_verified(document.kind, unsure, tokenizer))
    return sorted(found, key=lambda passage: passage.start)


def encoded(kind: str, passage: Passage) -> str:
    """What the encoder and the word index see of a passage of a document of this kind."""
    body = shown(kind, passage.text)
    return f"{passage.context}\n{body}" if passage.context else body


def shown(kind: str, text: str) -> str:
    """The text without marks that are not for the reader, as in Markdown."""
    return {"markdown": markdown.plain, "latex": latex.plain}.get(kind, str)(text)


class _Contexts:
    """The context of a passage that starts at an offset, and how many word pieces it has."""

    def __init__(self, document: Document, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        # "000017" says nothing about a text, and would be weighed like words that do
        self._title = _clean(document.title, 100) if any(map(str.isalpha, document.title)) else ""
        self._text = document.text
        self._marks = [mark for mark in document.marks if mark.kind == "heading"]
        self._starts = [mark.start for mark in self._marks]
        self._paths = list(_paths(self._marks))
        self._known: dict[tuple[str, ...], tuple[str, int]] = {}

    def at(self, offset: int) -> tuple[str, int]:
        """The context and its word pieces; a heading or title that the passage itself begins with is left out."""
        at = bisect.bisect_right(self._starts, offset)
        path = self._paths[at - 1] if at else ()
        own = ""
        if at and self._starts[at - 1] == offset and self._marks[at - 1].value:
            path, own = path[:-1], path[-1]
        parts = [] if own == self._title or self._text.startswith(self._title, offset) else [self._title]
        parts += [part for part in path if part.casefold() != self._title.casefold()]
        return self._joined(tuple(parts))

    def _joined(self, parts: tuple[str, ...]) -> tuple[str, int]:
        if parts not in self._known:
            context = " › ".join(part for part in parts if part)
            while (pieces := len(self._tokenizer.encode(context, add_special_tokens=False))) > CONTEXT:
                context = context[: min(len(context) - 1, len(context) * CONTEXT // pieces + 1)].rstrip()
            self._known[parts] = (context, pieces)
        return self._known[parts]


def _paths(marks: Iterable[Mark]) -> Iterator[tuple[str, ...]]:
    """The words of the headings above, for every heading mark, itself included; at most its last three."""
    above: list[tuple[int, str]] = []
    for mark in marks:
        above = [one for one in above if one[0] < mark.number]
        if mark.value:
            above.append((mark.number, _clean(mark.value, 80)))
        yield tuple(words for _, words in above[-3:])


def _clean(words: str, longest: int) -> str:
    return " ".join(words[: longest * 2].split())[:longest].rstrip()


def _visible(document: Document) -> Callable[[int, int], str]:
    """A function of (start, end) that returns what is encoded of that stretch of the text."""
    text = document.text
    if document.kind == "latex":
        return lambda start, end: latex.plain(text[start:end])
    if document.kind != "markdown":
        return lambda start, end: text[start:end]
    spans = markdown.markup(text)
    return lambda start, end: "".join(markdown.pieces(text, spans, start, end))


def _regions(document: Document) -> Iterator[tuple[int, int]]:
    """The stretches of text between long comments and embedded data."""
    text = document.text
    aside = []
    for match in BLOB.finditer(text):
        if not MIXED.match(match[0]):
            continue
        uri = DATA_URI.search(text, max(0, match.start() - 100), match.start())
        aside.append((uri.start() if uri else match.start(), match.end()))
    if document.kind in ASIDES:
        aside += [span for span in ASIDES[document.kind](text) if span[1] - span[0] > ASIDE]
    at = 0
    for start, end in sorted(aside):
        if start > at:
            yield (at, start)
        at = max(at, end)
    yield (at, len(text))


def _atoms(
    document: Document,
    start: int,
    end: int,
    tokenizer: Tokenizer,
    visible: Callable[[int, int], str],
    target: int,
) -> Atoms:
    """The region cut at its borders, and finer wherever an atom would be too long for a passage."""
    text = document.text
    borders = _borders(document, start, end)
    for first, last in pairwise([*sorted(borders), end]):
        if last - first > COARSE:
            _add(borders, ((at, SENTENCE) for at in _after(SENTENCES, text, first, last)))
    known: dict[tuple[int, int], int] = {}
    for finer, cost in FINER:
        spans = list(pairwise([*sorted(borders), end]))
        short = [span for span in spans if span not in known and span[1] - span[0] <= COUNTED]
        _count(short, known, tokenizer, visible)
        long = [
            span
            for span in spans
            if span not in known or known[span] > target or len(text[slice(*span)].strip()) > LONGEST // 2
        ]
        if not long:
            break
        for first, last in long:
            _add(borders, ((at, cost) for at in finer(text, first, last)))
    _join_blanks(borders, text, end)
    spans = list(pairwise([*sorted(borders), end]))
    _count([span for span in spans if span not in known], known, tokenizer, visible)
    # of a run without words, such as thousands of empty rows, one atom is left: weighing them all takes minutes
    empty = [not known[span] for span in spans]
    kept = [span for place, span in enumerate(spans) if not (place and empty[place] and empty[place - 1])]
    starts = [first for first, _ in kept]
    return Atoms(starts, [borders[at] for at in starts], [0, *accumulate(known[span] for span in kept)], end)


def _join_blanks(borders: dict[int, float], text: str, end: int) -> None:
    """Takes away the borders before blanks, whose cuts are those after them: weighing thousands takes minutes."""
    for first, last in pairwise([*sorted(borders), end]):
        if last < end and text[first:last].isspace():
            borders[last] = min(borders[last], borders.pop(first))


def _count(
    spans: list[tuple[int, int]],
    known: dict[tuple[int, int], int],
    tokenizer: Tokenizer,
    visible: Callable[[int, int], str],
) -> None:
    """Puts the word pieces of every span into `known`, a bounded number of texts at a time."""
    for some in _batches(spans):
        texts = [visible(*span).strip() for span in some]  # the tokenizer is slow on long runs of blanks
        batch = tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        known.update(zip(some, map(len, batch), strict=True))


def _batches(spans: list[tuple[int, int]]) -> Iterator[list[tuple[int, int]]]:
    """The spans in batches of so many, and of so many characters."""
    batch: list[tuple[int, int]] = []
    length = 0
    for span in spans:
        if batch and (len(batch) == 512 or length + span[1] - span[0] > AT_ONCE):
            yield batch
            batch, length = [], 0
        batch.append(span)
        length += span[1] - span[0]
    if batch:
        yield batch


def _add(borders: dict[int, float], more: Iterable[tuple[int, float]]) -> None:
    for at, cost in more:
        borders.setdefault(at, cost)


def _borders(document: Document, start: int, end: int) -> dict[int, float]:
    """Where a passage may begin, and what it costs: headings, rows, paragraphs, items, lines."""
    text = document.text
    borders = {start: 0.0}
    after: set[int] = set()
    for mark in document.marks:
        if start < mark.start < end and mark.kind == "cells" and document.kind != "subtitles":
            borders[mark.start] = ROW
        elif start <= mark.start < end and mark.kind == "heading" and mark.value:
            usual = HEADINGS.get(mark.number, DEEP_HEADING)
            borders[mark.start] = CODE_HEADING if document.kind == "code" else usual
            line = BREAK.search(text, mark.start, end)
            after.add(line.end() if line and document.kind != "code" else -1)
    rows = any(mark.kind == "cells" for mark in document.marks) and document.kind in ("csv", "xlsx", "xls", "ods")
    _add(borders, _line_borders(document, start, end, after, WRAPPED if rows else LINE))
    return borders


def _line_borders(
    document: Document, start: int, end: int, after: set[int], plain_line: float
) -> Iterator[tuple[int, float]]:
    text, kind = document.text, document.kind
    fences = markdown.fences(text) if kind == "markdown" else []
    blank, at, above = False, start, ""
    heading = False
    for match in BREAK.finditer(text, start, end):
        line = text[at : match.start()]
        if not line.strip(" \t\r>"):
            blank = True
        else:
            if at > start:
                fenced = bool(fences) and markdown.within(fences, at - 1)
                cost = _line_cost(kind, line, above, blank, fenced, plain_line)
                if heading:
                    cost = AFTER_HEADING
                if cost < WRAPPED or plain_line == WRAPPED:
                    yield at, cost
            heading = match.end() in after or (heading and bool(RULE.match(line) or RULE.match(above)))
            blank, above = False, line
        at = match.end()
    if at > start and text[at:end].strip():
        cost = AFTER_HEADING if heading else _line_cost(kind, text[at:end][:200], above, blank, False, plain_line)
        if cost < WRAPPED:
            yield at, cost


def _line_cost(kind: str, line: str, above: str, blank: bool, fenced: bool, plain_line: float) -> float:
    """What a cut before this line costs, by the line above it."""
    if fenced:
        return FENCED - 0.08 if blank else FENCED
    if blank:
        return PARAGRAPH + (AFTER_COLON if above.rstrip()[-1:] in (":", "：") else 0.0)
    if kind in LINED:
        return plain_line
    if kind in BLOCKS or ITEMS.match(line):
        return ITEM
    return SENTENCE if STOP.search(above[-12:]) else WRAPPED


def _after(pattern: re.Pattern[str], text: str, start: int, end: int) -> Iterator[int]:
    """The offsets where the matches of a pattern end, inside the stretch."""
    return (match.end() for match in pattern.finditer(text, start, end) if start < match.end() < end)


def _words(text: str, start: int, end: int) -> Iterator[int]:
    """Offsets of words, at least two steps apart."""
    last = start
    for at in _after(WORDS, text, start, end):
        if at - last >= 2 * STEP:
            yield at
            last = at


def _characters(text: str, start: int, end: int) -> Iterator[int]:
    """Offsets a step apart, but never between characters that are seen as one."""
    at = start + STEP
    while at < end:
        while at < end and _joins(text, at):
            at += 1
        if at < end:
            yield at
        at += STEP


def _joins(text: str, at: int) -> bool:
    """Whether the character at this offset belongs to the one before it."""
    one, before = text[at], text[at - 1]
    return (
        unicodedata.category(one)[0] == "M"
        or one in "\u200d\n"
        or before == "\u200d"
        or "\U0001f3fb" <= one <= "\U0001f3ff"
        or "\U0001f1e6" <= one <= "\U0001f1ff"
    )


FINER: tuple[tuple[Callable[[str, int, int], Iterator[int]], float], ...] = (
    (lambda text, start, end: _after(SENTENCES, text, start, end), SENTENCE),
    (lambda text, start, end: _after(BREAK, text, start, end), WRAPPED),
    (lambda text, start, end: _after(CLAUSES, text, start, end), CLAUSE),
    (_words, WORD),
    (_characters, CHARACTER),
)


def _cuts(atoms: Atoms, contexts: _Contexts, size: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """The stretches between the cuts of least cost."""
    starts, before, count = [*atoms.starts, atoms.end], atoms.before, len(atoms.starts)
    costs = [*atoms.costs, 0.0]
    best = [0.0] + [float("inf")] * count
    came = [0] * (count + 1)
    target, shape = size[0], _shape(size[0])
    for first in range(count):
        most = min(size[1], WINDOW - 2 - contexts.at(starts[first])[1])
        base, pieces, far = best[first], before[first], starts[first] + LONGEST
        for last in range(first + 1, count + 1):
            tokens = before[last] - pieces
            if (tokens > most or starts[last] > far) and last > first + 1:
                break
            total = base + costs[last] + (shape[tokens] if tokens < target else 0.0)
            if total < best[last]:
                best[last], came[last] = total, first
    path = [count]
    while path[-1]:
        path.append(came[path[-1]])
    return ((starts[first], starts[last]) for first, last in pairwise(reversed(path)))


def _shape(target: int) -> list[float]:
    """What a passage of 0 … target - 1 word pieces costs; from the wished number on it costs nothing."""
    return [
        SMALL * ((target - tokens) / target) ** 2 + LONELY * max(0.0, (TINY - tokens) / TINY)
        for tokens in range(target)
    ]


def _passage(document: Document, contexts: _Contexts, start: int, end: int) -> Iterator[Passage]:
    """The passage of this stretch without the blanks around it, if anything is left."""
    whole = document.text[start:end]
    text = whole.strip()
    if text:
        start += len(whole) - len(whole.lstrip())
        yield Passage(start, start + len(text), text, contexts.at(start)[0])


def _is_exact(text: str, atoms: Atoms) -> bool:
    """Whether the word pieces of atoms add up: no border inside a word, no atom too long for a passage."""
    fits = all(last - first <= WINDOW - CONTEXT - 2 for first, last in pairwise(atoms.before))
    return fits and all(not at or text[at - 1] in APART for at in atoms.starts)


def _verified(kind: str, passages: list[Passage], tokenizer: Tokenizer) -> Iterator[Passage]:
    """The passages that fit, counted as they will be encoded; one that does not is halved until it does."""
    for at in range(0, len(passages), 256):
        some = passages[at : at + 256]
        texts = [encoded(kind, passage) for passage in some]
        for passage, text, pieces in zip(some, texts, tokenizer.encode_batch_fast(texts), strict=True):
            if len(pieces) > WINDOW:
                yield from _verified(kind, list(_halves(passage)), tokenizer)
            elif text[len(passage.context) :].strip():
                yield passage


def _halves(passage: Passage) -> Iterator[Passage]:
    """A passage cut in two near its middle, between words if it has any."""
    text = passage.text
    middle = len(text) // 2
    blank = max(text.rfind(" ", 0, middle), text.rfind("\n", 0, middle))
    cut = blank + 1 if blank > len(text) // 4 else middle
    while cut < len(text) - 1 and cut > 1 and _joins(text, cut):
        cut += 1
    for start, end in ((0, cut), (cut, len(text))):
        whole = text[start:end]
        part = whole.strip()
        first = passage.start + start + len(whole) - len(whole.lstrip())
        if part:
            yield Passage(first, first + len(part), part, passage.context)
