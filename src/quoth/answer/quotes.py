"""Sentences → quotes: readable borders, nothing twice, and every character checked."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from quoth.answer.features import Candidate, Stretch
from quoth.answer.question import stems
from quoth.answer.sentences import LONGEST, Span, bare, is_heading

SHORT = 32
"""A sentence shorter than this says too little alone; the one before it is quoted along."""
ALIKE = 0.8
"""Quotes that share more of their words than this (Jaccard) are the same quote."""
OPEN = ("?", ":", "？", "：", "؟")
"""A sentence that ends so says little without the next one."""

_LEANS = re.compile(
    r"\W*(?:he|she|it|they|his|her|its|their|this|these|those|such|however|but|therefore|thus|then"
    r"|er|sie|es|diese[rs]?|il|elle|ils|elles|él|ella|ellos)\b",
    re.I,
)


@dataclass(frozen=True, slots=True)
class Chosen:
    """A stretch of a document to be quoted: `text` is what the document says from start to end.

    `score` is the chance that it answers; `hit` is the place, among the hits, of its passage.
    """

    document: str
    start: int
    end: int
    text: str
    score: float
    hit: int


def choose(
    ranked: Sequence[tuple[Candidate, float]],
    stretches: Sequence[Stretch],
    texts: Callable[[str], str],
    most: int,
    notes: list[str],
) -> list[Chosen]:
    """The first `most` of `ranked` as verified quotes that neither overlap nor repeat each other."""
    chosen: list[Chosen] = []
    for one, score in ranked:
        if len(chosen) == most:
            break
        text = texts(one.document)
        start, end = readable(text, one, stretches[one.hit].spans)
        quote = Chosen(one.document, start, end, text[start:end], score, one.hit)
        if not any(map(str.isalpha, quote.text)) or any(_same(quote, other) for other in chosen):
            continue
        if not verified(one, quote, texts):
            notes.append(f"A quote from {one.document} was dropped: the text there is not the text that was searched.")
            continue
        chosen.append(quote)
    return chosen


def verified(one: Candidate, quote: Chosen, texts: Callable[[str], str]) -> bool:
    """Whether the document, asked for again, says exactly the quote, and the quote holds the sentence."""
    again = texts(quote.document)
    return again[quote.start : quote.end] == quote.text and one.text in quote.text


def readable(text: str, one: Candidate, spans: Sequence[Span]) -> Span:
    """The sentence with what it cannot be understood without, at most LONGEST characters.

    A sentence that leans on the one before it ("It was …") or is very short takes it along, a
    heading, a question or one that ends in a colon takes the next one; never across an empty line backwards.
    """
    start, end = one.start, one.end
    before, after = one.order - 1, one.order + 1
    if (one.heading or one.text.rstrip().endswith(OPEN)) and after < len(spans):
        stop = bare(text, *spans[after])[1]
        return (start, stop) if stop - start <= LONGEST else (start, end)
    if (_LEANS.match(one.text) or end - start < SHORT) and before >= 0:
        begin = bare(text, *spans[before])[0]
        between = text[spans[before][1] : start]
        if "\n\n" not in between and end - begin <= LONGEST and not is_heading(text, *spans[before]):
            return begin, end
    return start, end


def _same(quote: Chosen, other: Chosen) -> bool:
    if quote.document == other.document and quote.start < other.end and other.start < quote.end:
        return True
    mine, theirs = stems(quote.text), stems(other.text)
    if not mine or not theirs:
        return quote.text.split() == other.text.split()
    return len(mine & theirs) > ALIKE * len(mine | theirs)
