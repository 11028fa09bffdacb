"""Sentences of the best passages, and what can be told about each: one row of numbers a sentence.

Everything is relative to the question (shares of its weight, differences to the best) so that the
numbers mean the same in a library of three notes and in one of a million passages.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from quoth.answer.question import KINDS, Question, content, stems, tokens
from quoth.answer.sentences import Span, bare, is_heading, sentences
from quoth.types import Hit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from quoth.types import Floats

    Matrix = NDArray[np.float64]

PASSAGES = 8
"""Passages whose sentences are looked at."""
SENTENCES = 8
"""Sentences that are encoded, the most promising ones: this is most of the time that an answer takes. More of them
make no first quote better on SQuAD 2.0 dev (benchmarks/answers.py), whose articles nothing was trained on."""
BY_STANDING, IF_FIRST, IF_SHORT = 0.45, 0.12, 0.05
"""What the score of a passage, being the first one and, against it, being short count beside a share of the question's
words, to be promising; from a regression on questions about articles that are not in SQuAD 2.0 dev."""
SHORT = 40
"""Characters below which a sentence is short."""
EACH = 3
"""The best passages of which a sentence is encoded whatever it holds: a refusal shows the nearest of each."""
BESIDE = 200
"""Characters before and after a passage in which its first and last sentence may go on."""

LINKS = re.compile(r"^[ \t]*\[?[^\]\n]+\]:[ \t]*\S*[ \t]*$", re.M)
"""Lines of Markdown that only say where a link leads."""

_MONTH = (
    r"jan(?:uary|uar)?|feb(?:ruary|ruar)?|mar(?:ch)?|märz|apr(?:il)?|may|mai|june?|juni|july?|juli|aug(?:ust)?"
    r"|sept?(?:ember)?|o[ck]t(?:ober)?|nov(?:ember)?|de[cz](?:ember)?"
)
_TIME = re.compile(
    rf"\b(?:1\d{{3}}|20\d{{2}})(?:s|\b)|\b\d{{1,2}}[./-]\d{{1,2}}[./-]\d{{2,4}}\b|\b(?:{_MONTH})\b\.? ?\d"
    rf"|\b\d{{1,2}}(?:st|nd|rd|th|\.)? (?:of )?(?:{_MONTH})\b|\bcentur|\b\d{{1,4}} ?(?:bc|ad|bce|ce|a\.d)\b"
    r"|\b(?:mon|tues|wednes|thurs|fri|satur|sun)day\b|\b\d{1,2}:\d{2}\b|\b(?:today|tomorrow|yesterday|tonight)\b"
    r"|\b(?:spring|summer|autumn|winter|midnight|noon|decade)\b",
    re.I,
)
_AMOUNT = re.compile(
    r"\d|\b(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fifteen|twenty|thirty|forty|fifty"
    r"|sixty|seventy|eighty|ninety|hundreds?|thousands?|millions?|billions?|dozens?|half|third|quarter|twice|once"
    r"|percent|zero|majority|double|triple)\b",
    re.I,
)
_REASON = re.compile(
    r"\b(?:because|due to|owing|since|so that|in order to|caus\w+|result\w*|led to|lead(?:s|ing)? to|therefore|thus"
    r"|reasons?|attributed|thanks to|for fear|to (?:avoid|prevent|allow|ensure|protect|gain|make|keep|increase)"
    r"|weil|wegen|denn|damit|parce|car|porque|debido|perché)\b",
    re.I,
)
_PLACE = re.compile(r"\b(?:in|at|near|from|to|into|of|outside|across|throughout|im|à|en|von)\s+(?:the\s+)?[A-Z]\w+")
_MEANING = re.compile(r"\b(?:is|are|was|were|means?|refers?|defined|called|known as|ist|sind|est|es)\b", re.I)
_MANNER = re.compile(r"\b(?:by|through|using|via|with|first|then|must|can|should|click|run|use|select|steps?)\b", re.I)
_PERSON = re.compile(
    r"\b(?:[A-Z][\w'’-]+|[A-Z]\.)(?:\s+(?:[A-Z][\w'’-]+|[A-Z]\.|de|van|von|of|the|bin|al))*\s+[A-Z][\w'’-]+"
)
_CAPITAL = re.compile(r"(?<![.!?]\s)(?<!^)\b[A-Z][\w'’-]+")
_PRONOUN = re.compile(
    r"\W*(?:he|she|it|they|his|her|its|their|this|these|that|those|such|er|sie|es|il|elle|ils)\b", re.I
)
_NUMBER = re.compile(r"\d[\d.,]*")

NAMES = (
    "cosine", "cosine below best", "cosine rank", "passage cosine", "passage cosine below best", "passage words",
    "passage score below best", "passage rank", "first passage", "covered", "covered with neighbours",
    "covered by passage", "covered by title", "covered beyond title", "covered below best", "pairs", "names covered",
    "numbers covered", "cosine before", "cosine after", "covered before", "covered after", "length", "short", "long",
    "asks", "heading", "starts with pronoun", "position", "first of passage", "new words", "new capitals",
    "new numbers", "kind fits", "kind misses", *(f"{kind} fits" for kind in KINDS if kind != "other"),
    *(f"{kind} misses" for kind in KINDS if kind != "other"),
)  # fmt: skip
"""The columns of `describe`, in order."""


@dataclass(slots=True)
class Candidate:
    """A sentence that could be quoted, and where it stands.

    `hit` is the place of its passage among the hits; `order` its own among the sentences around that
    passage; `inside` says that it lies in the passage and not beside it.
    """

    document: str
    start: int
    end: int
    text: str
    hit: int
    order: int
    heading: bool
    covered: float = 0.0


@dataclass(slots=True)
class Stretch:
    """All sentences around one passage, those that are not candidates too."""

    spans: list[Span]
    covered: list[float]


def candidates(
    question: Question, hits: Sequence[Hit], texts: Callable[[str], str]
) -> tuple[list[Candidate], list[Stretch]]:
    """Sentences of the best passages, each once, and for every hit the stretch that they stand in.

    At most SENTENCES of them, by the share of the question that they cover and how well their passage was found.
    """
    found: list[Candidate] = []
    stretches: list[Stretch] = []
    seen: set[tuple[str, int, int]] = set()
    for place, hit in enumerate(hits[:PASSAGES]):
        text = texts(hit.document)
        spans = around(text, hit.start, hit.end)
        covered = [cover(question, stems(text[start:end])) for start, end in spans]
        stretches.append(Stretch(spans, covered))
        for order, span in enumerate(spans):
            start, end = bare(text, *span)
            if (hit.document, start, end) in seen or LINKS.sub("", text[start:end]).strip(" |-=_*#:+\t\n") == "":
                continue
            seen.add((hit.document, start, end))
            heading = is_heading(text, *span)
            words = text[start:end]
            found.append(Candidate(hit.document, start, end, words, place, order, heading, covered[order]))
    return _promising(found, hits), stretches


def _promising(found: Sequence[Candidate], hits: Sequence[Hit]) -> list[Candidate]:
    """At most SENTENCES of the candidates, in their order; of each of the EACH best passages at least one."""
    worth = [BY_STANDING * _standing(hit, hits) + IF_FIRST * (hit is hits[0]) for hit in hits[:PASSAGES]]
    promise = [worth[one.hit] + one.covered - IF_SHORT * (len(one.text) < SHORT) for one in found]
    ranked = sorted(range(len(found)), key=lambda at: -promise[at])
    best: dict[int, int] = {}
    for at in ranked:
        best.setdefault(found[at].hit, at)
    shown = [best[hit] for hit in sorted(best)[:EACH]]
    promising = [*shown, *(at for at in ranked if at not in shown)][:SENTENCES]
    return [found[at] for at in sorted(promising)]


def around(text: str, start: int, end: int) -> list[Span]:
    """The sentences that touch text[start:end], whole."""
    first = max(text.rfind("\n\n", max(0, start - BESIDE), start), 0) or max(0, start - BESIDE)
    if first == start - BESIDE and first > 0:
        first = text.find(" ", first, start) + 1 or start
    last = text.find("\n\n", end, end + BESIDE)
    last = min(len(text), end + BESIDE) if last < 0 else last
    return [span for span in sentences(text, first, last) if span[1] > start and span[0] < end]


def cover(question: Question, held: frozenset[str]) -> float:
    """The share of the question's weight that is in a set of stems."""
    return sum(weight for term, weight in question.weights.items() if term in held)


def echoes(question: Question, found: Sequence[Candidate]) -> NDArray[np.bool_]:
    """Which sentences are little but the question, as in a transcript: they are followed by the answer at best."""
    asked = tokens(question.text)

    def again(said: list[str]) -> bool:
        starts = range(len(said) - len(asked) + 1) if len(asked) >= 4 and len(said) < 2 * len(asked) else ()
        return any(said[at : at + len(asked)] == asked for at in starts)

    return np.array([again(tokens(one.text)) for one in found], dtype=bool)


def describe(
    question: Question,
    hits: Sequence[Hit],
    found: Sequence[Candidate],
    stretches: Sequence[Stretch],
    vectors: Floats,
    asked: Floats,
) -> Matrix:
    """One row of NAMES for every candidate; `vectors` are theirs, `asked` is the question's."""
    cosines = (vectors @ asked).astype(np.float64)
    ranks = np.empty(len(found))
    ranks[np.argsort(-cosines, kind="stable")] = np.arange(len(found))
    beside = {(one.hit, one.order): cosine for one, cosine in zip(found, cosines.tolist(), strict=True)}
    passages = [_passage(question, hit, hits) for hit in hits[: len(stretches)]]
    best, most = float(cosines.max()), max(one.covered for one in found)
    rows = []
    for one, cosine, rank in zip(found, cosines.tolist(), ranks.tolist(), strict=True):
        passage = passages[one.hit]
        rows.append(
            [cosine, cosine - best, 1 / (1 + rank)]
            + passage.numbers
            + _lexical(question, one, stretches[one.hit], passage, most)
            + [beside.get((one.hit, one.order + step), 0.0) for step in (-1, 1)]
            + [_at(stretches[one.hit].covered, one.order + step) for step in (-1, 1)]
            + _shape(one, stretches[one.hit])
            + _fit(question, one.text)
        )
    return np.array(rows, dtype=np.float64)


@dataclass(slots=True)
class _About:
    numbers: list[float]
    covered: float
    title: frozenset[str]


def _passage(question: Question, hit: Hit, hits: Sequence[Hit]) -> _About:
    """What every sentence of a passage shares."""
    words = max(1e-9, max(one.words for one in hits))
    numbers = [
        hit.vectors,
        hit.vectors - max(one.vectors for one in hits),
        max(0.0, hit.words) / words,
        _standing(hit, hits),
        math.log(1 + hits.index(hit)),
        float(hit is hits[0]),
    ]
    return _About(numbers, cover(question, stems(hit.text)), stems(f"{hit.title} {hit.heading or ''}"))


def _standing(hit: Hit, hits: Sequence[Hit]) -> float:
    """How far a passage is behind the best one: 0 for that, -1 where the hits end."""
    spread = max(1e-9, hits[0].score - hits[min(len(hits), 2 * PASSAGES) - 1].score)
    return max(-2.0, (hit.score - hits[0].score) / spread)


def _lexical(question: Question, one: Candidate, stretch: Stretch, passage: _About, most: float) -> list[float]:
    words = content(one.text)
    held = frozenset(words)
    outside = {term: weight for term, weight in question.weights.items() if term not in passage.title}
    whole = sum(outside.values())
    near = sum(_at(stretch.covered, one.order + step) for step in (-1, 1))
    pairs = question.pairs & set(pairwise(words))
    return [
        one.covered,
        min(1.0, one.covered + 0.5 * near),
        passage.covered,
        cover(question, passage.title),
        sum(weight for term, weight in outside.items() if term in held) / whole if whole > 0.02 else 1.0,
        one.covered - most,
        len(pairs) / max(1, len(question.pairs)),
        len(question.names & held) / len(question.names) if question.names else 1.0,
        sum(number in one.text for number in question.numbers) / len(question.numbers) if question.numbers else 1.0,
    ]


def _at(values: Sequence[float], place: int) -> float:
    return values[place] if 0 <= place < len(values) else 0.0


def _shape(one: Candidate, stretch: Stretch) -> list[float]:
    length = len(one.text)
    return [
        math.log(1 + length) / 5,
        float(length < SHORT),
        float(length > 300),
        float(one.text.rstrip()[-1:] in "?？؟"),
        float(one.heading),
        float(bool(_PRONOUN.match(one.text))),
        one.order / max(1, len(stretch.spans)),
        float(one.order == 0),
    ]


def _fit(question: Question, text: str) -> list[float]:
    """What is new in a sentence beside the question, and whether it is of the kind that is asked for."""
    fresh = [word for word in content(text) if word not in question.weights]
    capitals = [word for word in _CAPITAL.findall(text) if not stems(word) <= question.names | question.weights.keys()]
    numbers = [number for number in _NUMBER.findall(text) if number.rstrip(".,") not in question.numbers]
    fits = _fits(question, text, capitals, numbers)
    kinds = [kind for kind in KINDS if kind != "other"]
    return [
        min(2.0, math.log(1 + len(fresh)) / 2),
        min(1.0, len(capitals) / 3),
        min(1.0, len(numbers) / 2),
        float(fits),
        float(not fits),
        *(float(fits and question.kind == kind) for kind in kinds),
        *(float(not fits and question.kind == kind) for kind in kinds),
    ]


def _fits(question: Question, text: str, capitals: Sequence[str], numbers: Sequence[str]) -> bool:
    """Whether the sentence holds something of the kind that is asked for, beyond the question's own words."""
    if question.kind == "person":
        return any(not set(content(name)) & question.names for name in _PERSON.findall(text)) or len(capitals) > 0
    if question.kind == "time":
        return any(match[0] not in question.text for match in _TIME.finditer(text))
    if question.kind == "amount":
        return bool(numbers) or any(match[0].lower() not in question.text.lower() for match in _AMOUNT.finditer(text))
    if question.kind == "place":
        return bool(capitals) or bool(_PLACE.search(text))
    if question.kind == "name":
        return bool(capitals)
    pattern = {"reason": _REASON, "meaning": _MEANING, "manner": _MANNER}.get(question.kind)
    return bool(pattern.search(text)) if pattern else True
