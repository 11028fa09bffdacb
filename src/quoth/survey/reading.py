"""Many passages read by a language model, batch by batch, then once more over what it found (map and reduce).

Of what it writes only sentences stay that quotes carry, each checked as in an answer; the second time it reads those
quotes, so that nothing goes from one sentence into another without its words.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from quoth.answer import prose
from quoth.answer.prose import Checked
from quoth.errors import ModelError
from quoth.types import Hit, LanguageModel, Progress, Usage, Watcher

BATCH = 24
"""Passages that are read at once: a model with room for more overlooks what stands in the middle."""
KEPT = 12
"""Sentences that stay when there was no second reading."""


@dataclass(frozen=True, slots=True)
class Budget:
    """What may be asked of a language model for one answer; the last request reads what the others found."""

    tokens: int = 60_000
    requests: int = 16

    def __str__(self) -> str:
        return f"{self.tokens:,} tokens and {self.requests:,} requests"


Fetch = Callable[[Sequence[str]], Awaitable[Mapping[str, str]]]
"""Awaits the texts of documents by their paths."""


@dataclass(frozen=True, slots=True)
class Read:
    """Sentences, each with the stretches (document, start, end) that carry it, and how far the reading came."""

    sentences: tuple[tuple[str, tuple[tuple[str, int, int], ...]], ...]
    hits: int
    dropped: int
    usage: Usage


async def read(
    model: LanguageModel,
    question: str,
    hits: Sequence[Hit],
    fetch: Fetch,
    budget: Budget = Budget(),
    watch: Watcher = lambda _: None,
) -> Read:
    """What the passages say to the question, as far as the budget goes; raises `ModelError` for every failure.

    No more texts are held at a time than those of one batch.
    """
    system, at, spent = prose.prompt("answer"), 0, 0
    usage, dropped = Usage(model.name), 0
    found: list[tuple[Checked, Sequence[Hit]]] = []
    while at < len(hits):
        count = min(BATCH, prose.fitting(question, hits[at : at + BATCH], model.context, system))
        if not count:
            raise ModelError(
                f"a passage does not fit into its {model.context:,} tokens",
                "choose a model that takes more, or set llm_context",
            )
        batch = hits[at : at + count]
        prompt = prose.asked(question, batch, prose.mark())
        spent += prose.tokens(system) + prose.tokens(prompt)
        last = at + count >= len(hits) and not usage.requests
        if at and (spent > budget.tokens * 0.75 or usage.requests + 1 >= budget.requests) and not last:
            break
        watch(Progress("reading with the language model", at, len(hits)))
        checked, usage = await _asked(model, system, prompt, batch, await _texts(batch, fetch), usage)
        found += [(one, batch) for one in checked if one.stretches]
        dropped += sum(not one.stretches for one in checked)
        at += count
    watch(Progress("reading with the language model", at, len(hits)))
    if usage.requests > 1 and len(found) > 1:
        again, usage, wrong = await _reduced(model, question, found, fetch, usage)
        found, dropped = (again, dropped + wrong) if again else (found, dropped)
    return Read(tuple(_carried(*one) for one in found[:KEPT]), at, dropped, usage)


async def _reduced(
    model: LanguageModel,
    question: str,
    found: Sequence[tuple[Checked, Sequence[Hit]]],
    fetch: Fetch,
    usage: Usage,
) -> tuple[list[tuple[Checked, Sequence[Hit]]], Usage, int]:
    """The answer over the quotes that were found, as many as fit."""
    stretches = {
        (hits[one.hit].document, one.start, one.end): hits[one.hit]
        for checked, hits in found
        for one in checked.stretches
    }
    texts, system = await _texts(list(stretches.values()), fetch), prose.prompt("answer")
    quotes = [
        replace(hit, text=texts[path][start:end], start=start, end=end, rank=rank)
        for rank, ((path, start, end), hit) in enumerate(stretches.items(), 1)
    ]
    quotes = quotes[: prose.fitting(question, quotes, model.context, system)]
    prompt = prose.asked(question, quotes, prose.mark())
    checked, usage = await _asked(model, system, prompt, quotes, texts, usage)
    kept: list[tuple[Checked, Sequence[Hit]]] = [(one, quotes) for one in checked if one.stretches]
    return kept, usage, len(checked) - len(kept)


async def _asked(
    model: LanguageModel, system: str, prompt: str, hits: Sequence[Hit], texts: Mapping[str, str], usage: Usage
) -> tuple[list[Checked], Usage]:
    """The sentences of one request, each held against the documents, and the usage with it."""
    checked: list[Checked] = []
    used = Usage(model.name, 1)
    async with aclosing(model.sentences(system, prompt)) as items:
        async for item in items:
            if isinstance(item, Usage):
                used = item
                continue
            if len(checked) >= prose.MOST_SENTENCES:
                break
            checked.append(prose.check(item, hits, texts.__getitem__))
    cost = None if usage.cost is used.cost is None else (usage.cost or 0.0) + (used.cost or 0.0)
    tokens = usage.input_tokens + used.input_tokens, usage.output_tokens + used.output_tokens
    return checked, Usage(usage.model, usage.requests + max(1, used.requests), *tokens, cost)


async def _texts(hits: Sequence[Hit], fetch: Fetch) -> Mapping[str, str]:
    return await fetch(list(dict.fromkeys(hit.document for hit in hits)))


def _carried(one: Checked, hits: Sequence[Hit]) -> tuple[str, tuple[tuple[str, int, int], ...]]:
    return one.text, tuple((hits[each.hit].document, each.start, each.end) for each in one.stretches)
