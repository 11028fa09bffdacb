"""An answer as a message of a chat: text in Markdown, and each quote as an annotation."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import asdict, dataclass
from urllib.parse import urlencode

from quoth import tools, writing
from quoth.asking import claims
from quoth.types import Answer, Claim, Quote, Usage

ACTIVE = re.compile(r"[\\`*\[\]<~|$]|(?<![^\W_])_|_(?![^\W_])|&(?=#?\w+;)|^\s*(?:[#+=>-]|\d+[.)])", re.M)
"""What a chat program that renders Markdown would make something of: an image to load, a link, a format."""

CUT = "\n\nThe sentences above were not finished. This is the answer in quotes:"
"""Said in a stream when a language model fails half-way."""


@dataclass(frozen=True, slots=True)
class Written:
    """A stretch of a message, and the quote that it shows, with where its words begin and end in it."""

    text: str
    quote: Quote | None = None
    start: int = 0
    end: int = 0


class Reply:
    """A completion in the making: its name, its model, and where links lead."""

    def __init__(self, model: str, source: str) -> None:
        self.frame = {"id": f"chatcmpl-{uuid.uuid4().hex}", "created": int(time.time()), "model": model}
        self.source = source

    def whole(self, answer: Answer) -> dict[str, object]:
        """The completion as one object."""
        parts = [*prose(answer.claims, answer), *listed(answer, self.source)]
        text = "".join(part.text for part in parts).strip("\n")
        message = {"role": "assistant", "content": text, "refusal": None, "annotations": self.annotations(parts)}
        choice = {"index": 0, "finish_reason": "stop", "logprobs": None, "message": message}
        return self._object("chat.completion", [choice]) | {"usage": usage(answer.usage), "quoth": about(answer)}

    async def pieces(
        self, first: writing.Event, events: AsyncIterator[writing.Event], with_usage: bool
    ) -> AsyncGenerator[dict[str, object], None]:
        """The completion as pieces: sentences as they are checked, then the quotes with their annotations."""
        yield self._piece({"role": "assistant", "content": ""})
        said: list[Claim] = []
        length = 0
        event = first
        while not isinstance(event, writing.Done):
            if isinstance(event, writing.Said):
                text = sentence_of(event.claim)
                said.append(event.claim)
                length += len(text)
                yield self._piece({"content": text})
            event = await anext(events)
        answer = event.answer
        missing = [claim for claim in answer.claims if claim not in said]
        cut = [Written(CUT)] if said and answer.claims == claims(answer.quotes) else []
        for number, part in enumerate([*cut, *prose(missing, answer), *listed(answer, self.source)]):
            text = part.text if said or number else part.text.lstrip("\n")
            delta: dict[str, object] = {"content": text}
            if part.quote is not None:
                shift = length - (len(part.text) - len(text))
                delta["annotations"] = [self._annotation(part, part.quote, shift)]
            length += len(text)
            yield self._piece(delta)
        yield self._piece({}, "stop") | {"quoth": about(answer)}
        if with_usage:
            yield self._object("chat.completion.chunk", []) | {"usage": usage(answer.usage)}

    def annotations(self, parts: Sequence[Written]) -> list[dict[str, object]]:
        """Each quote in the text, with the link that opens it and the exact words in its document."""
        found = []
        whole = "".join(part.text for part in parts)
        offset = len(whole.lstrip("\n")) - len(whole)
        for part in parts:
            if part.quote is not None:
                found.append(self._annotation(part, part.quote, offset))
            offset += len(part.text)
        return found

    def _annotation(self, part: Written, quote: Quote, offset: int) -> dict[str, object]:
        link = {"start_index": offset + part.start, "end_index": offset + part.end}
        cited = tools.plain(asdict(quote))
        return {
            "type": "url_citation",
            "url_citation": link | {"title": label(quote), "url": opened(self.source, quote)},
            "file_citation": cited,
        }

    def _piece(self, delta: dict[str, object], end: str | None = None) -> dict[str, object]:
        choice = {"index": 0, "delta": delta, "finish_reason": end, "logprobs": None}
        return self._object("chat.completion.chunk", [choice])

    def _object(self, kind: str, choices: list[dict[str, object]]) -> dict[str, object]:
        return self.frame | {"object": kind, "choices": choices}


def prose(said: Sequence[Claim], answer: Answer) -> list[Written]:
    """Sentences of a language model, or what was counted or refused; nothing where quotes speak for themselves."""
    if not answer.answered or (answer.usage is None and answer.claims != claims(answer.quotes)):
        return [Written("\n\n" + "  \n".join(map(passive, answer.text.splitlines())))]
    if answer.claims == claims(answer.quotes):
        return []
    return [Written(sentence_of(claim)) for claim in said]


def sentence_of(claim: Claim) -> str:
    """A sentence of an answer with the numbers of its quotes, or a mark that none carries it."""
    text = passive(" ".join(claim.text.split()))
    marks = "".join(f"[{number}]" for number in claim.quotes)
    if not claim.quotes:
        marks = "(general knowledge, not from your files)" if claim.general else "(not supported by your files)"
    return f"{text} {marks} "


def listed(answer: Answer, source: str) -> list[Written]:
    """The quotes as a numbered list in Markdown, and what there is to note."""
    parts = []
    for number, one in enumerate(answer.quotes if answer.answered else (), 1):
        begin = f"\n\n{number}. > "
        lines = "\n   > ".join(passive(tools.holdable(one.text)).splitlines())
        link = f"\n\n   [{passive(label(one))}]({opened(source, one)})"
        parts.append(Written(begin + lines + link, one, len(begin), len(begin) + len(lines)))
    return [*parts, *(Written(f"\n\nNote: {passive(tools.one_line(one))}") for one in answer.notes)]


def passive(text: str) -> str:
    """The text so that Markdown shows it as it is: words of a file load no image and make no link."""
    return ACTIVE.sub(lambda found: found[0][:-1] + "\\" + found[0][-1], text)


def label(quote: Quote) -> str:
    """A quote's file and place in words."""
    name = tools.one_line(quote.document.rsplit("/", 1)[-1])
    place = tools.details(quote)
    return f"{name}, {place}" if place else name


def opened(source: str, quote: Quote) -> str:
    """The address of the page that shows a quote in its document."""
    place = {"path": quote.document, "start": quote.start, "end": quote.end}
    return f"{source}?{urlencode(place, errors='surrogateescape')}"


def usage(used: Usage | None) -> dict[str, int]:
    """Tokens of the language model; quotes alone cost none."""
    read, written = (used.input_tokens, used.output_tokens) if used else (0, 0)
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}


def about(answer: Answer) -> dict[str, object]:
    """What an answer says of itself, for programs that know Quoth."""
    names = ("answered", "confidence", "threshold", "asked", "recipe", "entry")
    record: dict[str, object] = {name: getattr(answer, name) for name in names}
    return record | {"searched": asdict(answer.searched), "notes": list(answer.notes)}
