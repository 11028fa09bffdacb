"""Commands about language models: which answer, and the options of `quoth ask` that need one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import click

from quoth.commands import as_json

if TYPE_CHECKING:
    from quoth.types import LanguageModel

Command = TypeVar("Command", bound=Callable[..., object])
NONE = "none"
"""The name for no language model."""


def with_prose(command: Command) -> Command:
    """Add the options of answers in prose."""
    for option in reversed(
        [
            click.option("--llm", metavar="MODEL", help="The language model that writes prose, or none: quoth models."),
            click.option("--strict", is_flag=True, help="Leave out sentences that no quote carries."),
            click.option("--general", is_flag=True, help="Let the model say what it knows itself, marked as such."),
            click.option(
                "--all/--not-all", "everything", default=None, help="Go over all documents, not only the best passages."
            ),
        ]
    ):
        command = option(command)
    return command


def opened(name: str | None) -> LanguageModel | None:
    """The language model of this name, or without one that of the settings; None where there is to be none."""
    from quoth import config

    settings = config.read()
    chosen = name or settings.llm
    if chosen in ("", NONE):
        return None
    from quoth import llm

    return llm.open(
        chosen,
        key=settings.llm_key,
        context=settings.llm_context,
        timeout=settings.llm_timeout,
        prices=(settings.llm_price_in, settings.llm_price_out),
    )


@click.command()
@click.argument("endpoints", nargs=-1)
@as_json
def models(endpoints: tuple[str, ...], json_: bool) -> None:
    """List the language models that answer: of the settings, of ENDPOINTS, and of Ollama on this computer."""
    from quoth import config, llm, terminal

    settings = config.read()
    used = settings.llm
    asked = [one for one in (used, *endpoints) if one not in ("", NONE)]
    terminal.show_models(llm.reachable(asked, settings.llm_key), used, json_)
