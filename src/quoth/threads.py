"""Conversations that are kept: threads of questions with their answers, and what a follow-up question means.

`person` is the name of whoever has the thread, "" where nobody has one; None, as the command line has it, sees all.
On a read-only disk none are kept: whatever would write raises `ReadOnly`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Literal

from quoth.asking import LONGEST_QUESTION
from quoth.catalog import threads as rows
from quoth.catalog.threads import Message, ThreadRow
from quoth.errors import NotFound, UsageError
from quoth.followups import completed, completed_by
from quoth.library import Library
from quoth.types import Answer

__all__ = [
    "Message", "Thread", "append", "completed", "completed_by", "create", "delete", "every", "export", "messages",
    "one", "rename", "shortened",
]  # fmt: skip
Format = Literal["markdown", "json"]
TITLE, LONGEST_TITLE = 60, 200
"""Characters of a title that is made from a question; of one that a person gives."""

MARKS = re.compile(r"[\\`*_{}\[\]<>#|~$&!]|(?<=\w):(?=//)|(?<=www)\.|@")
"""What means something in Markdown, with what makes links of bare addresses."""
BULLET = re.compile(r"^([0-9]*)([-+=.)])")
"""What begins a list, or underlines a heading, at the beginning of a line."""


@dataclass(frozen=True, slots=True)
class Thread:
    """A conversation. Its title is the beginning of its first question until somebody gives it another one."""

    id: int
    title: str
    person: str
    created: float
    changed: float
    messages: int


def create(library: Library, person: str = "", title: str = "") -> Thread:
    """A new thread without messages."""
    return one(library, rows.create(library._parts.catalog, person, _title(title)))


def every(library: Library, person: str | None = None) -> list[Thread]:
    """The threads of a person, those that were last used first."""
    return [_thread(found) for found in rows.every(library._parts.catalog, person)]


def one(library: Library, thread: int, person: str | None = None) -> Thread:
    """A thread. Raises `NotFound` where this person has no such one."""
    found = rows.every(library._parts.catalog, person, _number(thread))
    if not found:
        raise _missing(thread)
    return _thread(found[0])


def messages(library: Library, thread: int, person: str | None = None) -> list[Message]:
    """The messages of a thread, in order."""
    one(library, thread, person)
    return rows.messages(library._parts.catalog, thread)


def append(library: Library, thread: int, question: str, answer: Answer, person: str | None = None) -> Message:
    """Add a question and its answer to a thread; `answer.asked` is the question as it was searched."""
    put, asked = (_storable(text)[:LONGEST_QUESTION] for text in (question, answer.asked or question))
    made = rows.append(library._parts.catalog, _number(thread), put, asked, asdict(answer), person)
    if made is None:
        raise _missing(thread)
    return made


def rename(library: Library, thread: int, title: str, person: str | None = None) -> Thread:
    """Give a thread a title; with "" its first question is it again."""
    if not rows.rename(library._parts.catalog, _number(thread), _title(title), person):
        raise _missing(thread)
    return one(library, thread, person)


def delete(library: Library, thread: int, person: str | None = None) -> None:
    """Take a thread out, with all its messages."""
    if not rows.delete(library._parts.catalog, _number(thread), person):
        raise _missing(thread)


def export(library: Library, thread: int, format_: Format = "markdown", person: str | None = None) -> str:
    """A thread as a file: Markdown with its quotes, or JSON with everything."""
    about, said = one(library, thread, person), messages(library, thread, person)
    if format_ == "json":
        record = asdict(about) | {"messages": [asdict(message) for message in said]}
        return json.dumps(record, indent=1) + "\n"
    if format_ != "markdown":
        raise UsageError(f"a thread cannot be exported as {format_}", "markdown or json")
    return "\n\n".join([f"# {_plain(about.title)}", *(part for message in said for part in _markdown(message))]) + "\n"


# -- inside ----------------------------------------------------------------------------------------


def _thread(row: ThreadRow) -> Thread:
    title = row.title or shortened(row.first) or f"Thread {row.id}"
    return Thread(row.id, title, row.person, row.created, row.changed, row.messages)


def _number(thread: int) -> int:
    """A number that SQLite takes; there is no thread of another one."""
    return thread if 0 < thread < 1 << 63 else 0


def _missing(thread: int) -> NotFound:
    return NotFound(f"there is no thread {thread}", "quoth threads list")


def _storable(text: str) -> str:
    """A text without what SQLite and JSON do not take, in one line."""
    return " ".join("".join(one if one.isprintable() else " " for one in text).split())


def _title(title: str) -> str:
    title = _storable(title)
    if len(title) > LONGEST_TITLE:
        raise UsageError(f"a title has at most {LONGEST_TITLE} characters", "shorten it")
    return title


def shortened(question: str, most: int = TITLE) -> str:
    """The beginning of a question, cut at a word."""
    if len(question) <= most:
        return question
    cut = question[:most].rsplit(" ", 1)[0] if " " in question[:most] else question[: most - 1]
    return cut.rstrip(" ,;:-–—.") + "…"


# -- Markdown --------------------------------------------------------------------------------------


def _markdown(message: Message) -> list[str]:
    """A question with its answer: claims with the numbers of quotes, the quotes with their places, notes."""
    answer = message.answer
    parts = [f"## {_plain(message.question)}"]
    if message.asked != message.question:
        parts.append(f"Searched as: {_plain(message.asked)}")
    quotes = _records(answer, "quotes")
    said = [one for one in _records(answer, "claims") if one.get("text") not in {two.get("text") for two in quotes}]
    if not answer.get("answered") and not said:
        parts.append(_plain(str(answer.get("text", ""))))
    parts += [_claim(one) for one in said]
    parts += [_quote(number, one) for number, one in enumerate(quotes, 1)]
    notes = answer.get("notes")
    parts += [f"Note: {_plain(str(one))}" for one in notes] if isinstance(notes, list) else []
    return parts


def _claim(claim: Mapping[str, object]) -> str:
    numbers = claim.get("quotes")
    marks = "".join(f" \\[{one}\\]" for one in numbers) if isinstance(numbers, list) else ""
    if not marks:
        general = "general knowledge, not from your files" if claim.get("general") else "not supported by your files"
        marks = f" ({general})"
    return _plain(str(claim.get("text", ""))) + marks


def _quote(number: int, quote: Mapping[str, object]) -> str:
    """A quote as a block, below it where it stands."""
    lines = [f"> {_line(line)}".rstrip() for line in str(quote.get("text", "")).splitlines()]
    place = [f"page {quote['page']}" if quote.get("page") else "", f"line {quote['line']}" if quote.get("line") else ""]
    place += [str(quote.get("cells") or ""), str(quote.get("heading") or "")]
    where = ", ".join(_plain(one) for one in (str(quote.get("document", "")), *place) if one)
    return "\n".join([*lines, ">", f"> \\[{number}\\] {where}"])


def _records(answer: Mapping[str, object], name: str) -> list[dict[str, object]]:
    found = answer.get(name)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _plain(text: str) -> str:
    """Any text as one line of Markdown that shows it as it is: no mark, link, picture or HTML comes of it."""
    return _line(_storable(text))


def _line(line: str) -> str:
    """A line of a text, whose blanks at the beginning stay."""
    words = line.lstrip()
    escaped = MARKS.sub(r"\\\g<0>", words)
    return "\u00a0" * len(line[: len(line) - len(words)].expandtabs(4)) + BULLET.sub(r"\1\\\2", escaped)
