"""Golden questions for a person to accept: from answers that were rated right, and from the headings of documents.

Nothing here is ever used as it is: a suggestion becomes a golden question when somebody adds it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, zip_longest
from typing import Literal

from quoth.answer.sentences import sentences
from quoth.catalog import journal
from quoth.evaluate import golden
from quoth.evaluate.questions import to_line
from quoth.library import Library
from quoth.types import Document

SHORTEST, LONGEST = 30, 240
"""Characters of a sentence that may answer."""
TITLE = 4
"""Letters that a heading needs to be asked about."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A question with a quote that may answer it, and where it comes from."""

    question: str
    quote: str
    document: str
    source: Literal["rated", "heading"]

    def line(self) -> str:
        """The suggestion as a line that `quoth golden import` reads."""
        return to_line({"question": self.question, "quote": self.quote, "in": self.document})


def suggest(library: Library, most: int = 10) -> list[Suggestion]:
    """Suggestions without questions that are golden already, rated answers first, then headings, a document in turn."""
    known = {one.question.casefold() for one in golden.kept(library)}
    found: list[Suggestion] = []
    for one in (*_rated(library), *_in_turn(library)):
        if one.question.casefold() not in known:
            known.add(one.question.casefold())
            found.append(one)
        if len(found) == most:
            break
    return found


def _rated(library: Library) -> Iterator[Suggestion]:
    """Questions whose answer was rated right, the last first, with the quote that was meant."""
    entries = journal.entries(library._parts.catalog)
    shown = {one.id: one.record for one in entries if one.kind == "shown"}
    for one in reversed(entries):
        if one.kind != "rated" or one.record.get("rating") != "right":
            continue
        answer = shown.get(int(str(one.record["shown"])), {})
        quotes = answer.get("quotes")
        place = int(str(one.record.get("quote") or 1)) - 1
        if isinstance(quotes, list) and place < len(quotes):
            at = quotes[place]
            document = library._parts.catalog.document(at["document"])
            text = document.text[at["start"] : at["end"]].strip() if document else ""
            if text:
                yield Suggestion(str(answer["question"]), text, at["document"], "rated")


def _in_turn(library: Library) -> Iterator[Suggestion]:
    """The first heading of each document, then the second of each, and so on."""
    catalog = library._parts.catalog
    documents = (document for path in catalog.paths() if (document := catalog.document(path)))
    # a few hundred documents have more headings than anybody accepts
    each = [list(islice(_headings(document), 8)) for document in islice(documents, 400)]
    for turn in zip_longest(*each):
        yield from (one for one in turn if one)


def _headings(document: Document) -> Iterator[Suggestion]:
    """A question for each heading, answered by the first sentence below it."""
    marks = [mark for mark in document.marks if mark.kind == "heading"]
    for mark, following in zip_longest(marks, marks[1:]):
        words = " ".join(mark.value.split())
        if sum(letter.isalpha() for letter in words) < TITLE:
            continue
        end = following.start if following else len(document.text)
        below = document.text[mark.start : end]
        start = len(below) - len(below.lstrip("#=* \t").removeprefix(mark.value))
        for first, last in sentences(below[start:]):
            text = below[start:][first:last].strip()
            if SHORTEST <= len(text) <= LONGEST:
                asked = words if words.endswith("?") else f"What does “{document.title}” say about {words}?"
                yield Suggestion(asked, text, document.path, "heading")
                break
