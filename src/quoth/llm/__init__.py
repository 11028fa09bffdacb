"""Language models that write prose: endpoints, and files that run on this machine. `open` turns a name into one.

names.py      what a name means, and whose key goes where
endpoint.py   a model behind an endpoint (OpenAI's way, or Anthropic's), asked through Pydantic AI
local.py      a GGUF file, run by llama.cpp in a process beside this one
failures.py   what went wrong, in words
reach.py      which models answer, and how many tokens they take
form.py       the form of an answer

Nothing is imported before it is needed: Quoth is complete without any of this.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from quoth.errors import need

if TYPE_CHECKING:
    from quoth.llm.reach import Reached
    from quoth.types import LanguageModel

__all__ = ["open", "reachable"]


def open(
    name: str,
    *,
    key: str = "",
    context: int = 0,
    timeout: float = 120.0,
    prices: tuple[float, float] = (0.0, 0.0),
) -> LanguageModel:
    """The language model that `name` names.

    "http://host:port/v1#model"            an endpoint that speaks OpenAI's /v1/chat/completions
    "anthropic#model"                      Anthropic
    "anthropic+http://host:port#model"     an endpoint that speaks Anthropic's /v1/messages
    "folder/model.gguf"                    a file, run by llama.cpp on this machine

    `context` tokens are taken as given; 0 asks the endpoint, for a second, and takes 8,192 where it does not tell.
    `prices` are US dollars for a million tokens read and written. No endpoint has to be up yet. Raises `UsageError`
    for a name that is none, `MissingPart` when the extra is not installed.
    """
    from quoth.llm import names, reach

    for module in ("pydantic_ai", "openai", "anthropic"):
        need(module, "llm")
    if names.is_file(name):
        file = names.file(name)
        need("xllamacpp", "local")
        from quoth.llm.local import LocalModel

        return LocalModel(file, context, timeout)
    place = names.where(name, key)
    from quoth.llm.endpoint import EndpointModel

    return EndpointModel(name, place, context or reach.context(place), timeout, prices)


def reachable(endpoints: Sequence[str], key: str = "") -> list[Reached]:
    """The models that answer at these endpoints and, with Ollama, on this machine; an endpoint that does not has a
    `problem`. Asks for a second each.
    """
    from quoth.llm import reach

    return reach.reachable(endpoints, key)
