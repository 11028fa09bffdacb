"""What a person types → the question and its filters: in:folder type:pdf after:2024-01-01 "exact words" -word.

What is no operator stays as it was typed: "e-mail", "-5 degrees", "12:30", "type: safety", a lone "-".
"""

from __future__ import annotations

import datetime
import os
import re
from dataclasses import dataclass, replace

from quoth.errors import UsageError
from quoth.types import Filters

OPERATOR = re.compile(r"(in|type|after|before):(?=\S)", re.I)
QUOTED = re.compile(
    r'(?<!\w)"([^"]*)"(?!\w)|“([^“”]*)”|„([^„“”]*)[“”]|”([^“”]*)”|«([^«»]*)»|»([^«»]*)[«»]|「([^「」]*)」|『([^『』]*)』'
)
QUOTES = frozenset('"“„”«»「『')
VALUE = re.compile(r"\S+")
LEFT_OUT = re.compile(r"-([^\W\d_](?:[\w'’.&+#@/-]*[\w+#])?)(?=[?!.,;:)]*(?:\s|$))")
SUSPENDED = re.compile(r"\w-(?:\s|$)")
KINDS = re.compile(r"\.?[\w+-]+(?:,\.?[\w+-]+)*")
ENDING = re.compile(r"[?!,;]+$|(?<![./])\.$")
BEFORE_MARK = re.compile(r"\s+(?=[?!.,;]+(?:\s|$))")


@dataclass(frozen=True, slots=True)
class Query:
    """A question without its operators, the filters that they stand for, and what was not understood."""

    text: str
    filters: Filters
    notes: tuple[str, ...] = ()


def parse(text: str) -> Query:
    """The question and its filters; a text without operators comes back as it is.

    Exact words stay in the question: they are searched for as well. Raises `UsageError` when operators are all.
    """
    filters, notes, kept, at = Filters(), [], [""], 0
    while at < len(text):
        begins = at == 0 or text[at - 1].isspace()
        found = _operator(text, at) if begins else None
        if not found and text[at] in QUOTES:
            found = _exact(text, at)
        if found is None:
            empty = QUOTED.match(text, at) if text[at] in QUOTES else None
            stop = empty.end() if empty else at + 1
            kept[-1] += text[at:stop]
            at = stop
            continue
        stop, said, narrowing = found
        if isinstance(narrowing, str):
            notes.append(narrowing)
        else:
            filters = _joined(filters, narrowing)
        kept += [said, ""]
        at = stop
    if len(kept) == 1:
        return Query(text, filters)
    question = BEFORE_MARK.sub("", " ".join("".join(kept).split()))
    if not any(one.isalnum() for one in question):
        raise UsageError("the question holds only filters, no words", "add what you want to know: roof cost in:notes")
    return Query(question, filters, tuple(notes))


def merged(one: Filters | None, other: Filters | None) -> Filters:
    """The filters that leave what both leave."""
    if one is None or one == Filters():
        return other or Filters()
    if other is None or other == Filters():
        return one
    if (one.folders and other.folders) or (one.kinds and other.kinds) or (one.besides and other.besides):
        return replace(other, besides=merged(one, other.besides))
    return _joined(one, other)


def _joined(one: Filters, other: Filters) -> Filters:
    """Both as if they were given together: of several folders, or of several kinds, one is enough."""
    after = [day for day in (one.after, other.after) if day is not None]
    before = [day for day in (one.before, other.before) if day is not None]
    exact, without = dict.fromkeys(one.exact + other.exact), dict.fromkeys(one.without + other.without)
    return Filters(
        one.folders + other.folders, one.kinds + other.kinds, max(after, default=None),
        min(before, default=None), tuple(exact), tuple(without), one.besides or other.besides,
    )  # fmt: skip


def day(text: str | None) -> float | None:
    """The start of a day, month or year as POSIX seconds, local time."""
    if text is None:
        return None
    for form in ("%Y-%m-%d", "%Y-%m", "%Y"):
        try:
            return datetime.datetime.strptime(text, form).astimezone().timestamp()
        except (ValueError, OverflowError):
            continue
    raise UsageError(f"{text!r} is not a date", "write it as 2024-01-31, 2024-01 or 2024")


_Found = tuple[int, str, Filters | str]
"""Where an operator ends, what of it stays in the question, and its filters or what is wrong with it."""


def _operator(text: str, at: int) -> _Found | None:
    """The operator that begins here."""
    if text[at] == "-":
        return _without(text, at)
    begin = OPERATOR.match(text, at)
    if begin is None:
        return None
    name, quoted = begin[1].lower(), QUOTED.match(text, begin.end())
    if quoted:
        value, stop, rest = (quoted[quoted.lastindex or 0] or "").strip(), quoted.end(), ""
    else:
        whole = VALUE.match(text, begin.end())
        assert whole is not None, "an operator is followed by its value"
        value = ENDING.sub("", whole[0])
        stop, rest = whole.end(), whole[0][len(value) :]
    if not value:
        return None
    if name == "in":
        return stop, rest, Filters(folders=(place(value),))
    if name == "type":
        kinds = tuple(value.split(","))
        return (stop, rest, Filters(kinds=kinds)) if KINDS.fullmatch(value) else None
    try:
        moment = day(value)
    except UsageError as error:
        return stop, text[at:stop], f"{name}:{value} was searched as text: {error} ({error.hint})"
    return stop, rest, Filters(after=moment) if name == "after" else Filters(before=moment)


def _without(text: str, at: int) -> _Found | None:
    """The word or words that are to be left out; "-5" is a number, "-k" an option, "in- and -out" one word."""
    if quoted := QUOTED.match(text, at + 1):
        words = _words(quoted)
        return (quoted.end(), "", Filters(without=(words,))) if words else None
    word = LEFT_OUT.match(text, at)
    if word is None or (len(word[1]) == 1 and word[1].isascii()) or SUSPENDED.search(text, 0, at):
        return None
    if OPERATOR.match(text, at + 1):
        return None
    return word.end(), "", Filters(without=(word[1],))


def _exact(text: str, at: int) -> _Found | None:
    """The words between quotation marks, which stay in the question."""
    quoted = QUOTED.match(text, at)
    words = _words(quoted) if quoted else ""
    if not quoted or not words:
        return None
    said = quoted[quoted.lastindex or 0]
    before = "" if not at or text[at - 1].isspace() or not text[at - 1].isalnum() else " "
    after = " " if text[quoted.end() : quoted.end() + 1].isalnum() else ""
    return quoted.end(), f"{before}{said.strip()}{after}", Filters(exact=(words,))


def _words(quoted: re.Match[str]) -> str:
    """What stands between the marks, without a comma or full stop that belongs to the sentence around them."""
    said = " ".join((quoted[quoted.lastindex or 0] or "").split())
    return said.rstrip(".,;:!?…").strip() if any(one.isalnum() for one in said) else ""


def place(text: str) -> str:
    """What `in:` names, as `Filters.folders` has it: a whole path, or a name, or the end of a path."""
    path = os.path.expanduser(text)
    if path.startswith((os.sep, f".{os.sep}", f"..{os.sep}")) or path in (".", ".."):
        return os.path.abspath(path)
    return f"*{os.sep}{os.path.normpath(path)}" if os.sep in path else path
