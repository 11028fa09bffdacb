"""Prose by a language model: what it is asked, and which of its sentences the documents really carry.

The passages reach the model as data, in the user's message, between marks that nobody could guess. Nothing that it
answers is believed: a quote is shown only where the cited words stand in the passage, and what is shown is the
document's own text there.

prompts/answer.txt    what the model is told when only the files count
prompts/general.txt   the same when it may say what it knows itself
prompts/again.txt     what is asked once for sentences without a quote
"""

from __future__ import annotations

import hashlib
import math
import secrets
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from quoth.answer.figures import unsaid
from quoth.answer.placing import contradicts, place, plain, unrelated, widened
from quoth.answer.question import stems
from quoth.answer.sentences import Span
from quoth.types import Cited, Claim, Hit, Written

PROMPTS = Path(__file__).parent / "prompts"
ANSWER_SHARE = 0.25
"""The share of a model's context that is left to its answer."""
FORM = 300
"""Tokens that a request has beside its texts: roles, and the form of the answer."""
MOST_CITES = 8
"""Cites of one sentence that are looked at."""
LONGEST_SENTENCE = 2_000
"""Characters of one sentence that are shown."""
MOST_SENTENCES = 200
"""Sentences of one answer that are looked at."""
SAME = 0.5
"""The share of its words by which a sentence that was given again is known."""
UNSUPPORTED = "not supported by your files"
GENERAL = "the model's general knowledge, not from your files"


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of a document that carries a sentence, and the number of its hit, from 0."""

    hit: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Checked:
    """A sentence as plain text, what carries it, and if nothing does, why not, told so that a model understands."""

    text: str
    stretches: tuple[Stretch, ...]
    wrong: str = ""
    cited: bool = True


@cache
def prompt(name: str) -> str:
    """The text of a prompt."""
    return (PROMPTS / f"{name}.txt").read_text(encoding="utf-8")


@cache
def version() -> str:
    """Twelve hexadecimal digits that name the wording of all prompts and the form in which passages are given."""
    told = [prompt(name) for name in ("answer", "general", "again")]
    return hashlib.sha256("\0".join([*told, asked("?", [], "mark")]).encode()).hexdigest()[:12]


def tokens(text: str) -> int:
    """About how many tokens a text has at most: no tokenizer is known, so three bytes are taken for one."""
    return math.ceil(len(text.encode("utf-8", "replace")) / 3)


def fitting(question: str, hits: Sequence[Hit], context: int, system: str) -> int:
    """How many of the hits, from the first on, fit into so many tokens with everything else."""
    left = context * (1 - ANSWER_SHARE) - FORM - tokens(system) - tokens(asked(question, [], "m" * 16))
    for number, hit in enumerate(hits):
        left -= tokens(_delimited(number + 1, hit, "m" * 16))
        if left < 0:
            return number
    return len(hits)


def mark() -> str:
    """A mark for one request, which no text can know beforehand."""
    return secrets.token_hex(8)


def asked(question: str, hits: Sequence[Hit], with_mark: str) -> str:
    """The user's message: the numbered passages between marks, then the question."""
    passages = "".join(_delimited(number, hit, with_mark) for number, hit in enumerate(hits, 1))
    return f"Passages:\n\n{passages}End of the passages.\n\nQuestion: {_sealed(question, with_mark)}\n"


def asked_again(question: str, hits: Sequence[Hit], with_mark: str, wrong: Sequence[Checked]) -> str:
    """The user's message that asks once more for sentences that nothing carried."""
    listed = "\n".join(f"- {_sealed(one.text, with_mark)} ({_sealed(one.wrong, with_mark)})" for one in wrong)
    return asked(question, hits, with_mark) + "\n" + prompt("again").replace("{sentences}", listed)


def _delimited(number: int, hit: Hit, with_mark: str) -> str:
    head = " › ".join(part for part in (hit.title, hit.heading or "") if part)
    body = _sealed(f"{head}\n{hit.text}" if head else hit.text, with_mark)
    return f"<<< {with_mark} passage {number}\n{body}\n{with_mark} end of passage {number} >>>\n\n"


def _sealed(text: str, with_mark: str) -> str:
    """The text without characters that nobody sees, and without the mark."""
    seen = "".join(one for one in text if one in "\n\t" or unicodedata.category(one) not in ("Cc", "Cf", "Cs", "Co"))
    return seen.replace(with_mark, " ".join(with_mark))


# -- is it so? -------------------------------------------------------------------------------------


def check(written: Written, hits: Sequence[Hit], texts: Callable[[str], str]) -> Checked:
    """The sentence with what carries it in the documents, or with nothing and why.

    `texts` gives the text of a document by its path. All cites that stand where they are said to stand count, widened
    to whole sentences; the sentence must share a word with them, hold no number that they lack, and not deny what they
    say.
    """
    text = plain(written.text[: 2 * LONGEST_SENTENCE])[:LONGEST_SENTENCE]
    found: list[Stretch] = []
    wrong = "" if written.cites else "it cites nothing"
    for cite in written.cites[:MOST_CITES]:
        stretch = _placed(cite, hits, texts)
        if stretch is None:
            wrong = f'the words "{cite.words[:200]}" do not stand in passage {cite.passage}'
        elif stretch not in found:
            found.append(stretch)
    if not found:
        return Checked(text, (), wrong, bool(written.cites))
    quotes = [texts(hits[one.hit].document)[one.start : one.end] for one in found]
    shown = [*quotes, *(f"{hits[one.hit].title} {hits[one.hit].heading or ''}" for one in found)]
    if number := unsaid(text, shown):
        return Checked(text, (), f'the cited words do not say "{number}"')
    if unrelated(text, shown):
        return Checked(text, (), "the cited words speak of something else")
    if contradicts(text, quotes):
        return Checked(text, (), "it denies what the cited words say, or the other way round")
    return Checked(text, tuple(found))


def _placed(cite: Cited, hits: Sequence[Hit], texts: Callable[[str], str]) -> Stretch | None:
    """Where the cited words stand: in their passage, or, when its number is wrong, in the one other that has them."""
    if 1 <= cite.passage <= len(hits) and (span := _span(cite.words, hits[cite.passage - 1], texts)):
        return Stretch(cite.passage - 1, *span)
    others = [(number, span) for number, hit in enumerate(hits) if (span := _span(cite.words, hit, texts))]
    return Stretch(others[0][0], *others[0][1]) if len(others) == 1 else None


def _span(words: str, hit: Hit, texts: Callable[[str], str]) -> Span | None:
    """The stretch of the document that holds the words, in whole sentences; None unless every character is as read."""
    inside = place(words, hit.text)
    text = texts(hit.document)
    if inside is None or text[hit.start : hit.end] != hit.text:
        return None
    return widened(text, (hit.start + inside[0], hit.start + inside[1]), (hit.start, hit.end))


def paired(wrong: Sequence[Checked], again: Sequence[Checked]) -> dict[int, Checked]:
    """Which sentences that nothing carried were given again with something that does, by their place in `wrong`."""
    pairs: dict[int, Checked] = {}
    for one in again:
        mine = stems(one.text)
        likeness = {
            at: len(mine & stems(other.text)) / len(mine | stems(other.text) or {""})
            for at, other in enumerate(wrong)
            if at not in pairs
        }
        best = max(likeness, key=lambda at: likeness[at], default=None)
        if one.stretches and best is not None and likeness[best] >= SAME:
            pairs[best] = one
    return pairs


def told(claims: Sequence[Claim]) -> str:
    """The claims as one text: numbers of quotes in brackets, and what no quote carries marked as such."""
    parts = []
    for one in claims:
        marks = "".join(f"[{number}]" for number in one.quotes)
        why = "" if marks else f"({GENERAL if one.general else UNSUPPORTED})"
        parts.append(f"{one.text} {marks or why}")
    return " ".join(parts)
