"""What a user sets once: a file `quoth.toml`, and environment variables that win over it.

The file is `$QUOTH_CONFIG`, or `quoth.toml` in the user's folder for settings. An unknown key is an error.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from quoth.errors import UsageError

MIB = 2**20


@dataclass(frozen=True, slots=True)
class Config:
    """Every setting, with its value when nobody sets it; `QUOTH_` and the name in capitals is its variable.

    library        the library's folder ("" is that of the user's data)
    llm            the language model that writes prose: "none", "http://host:port/v1#model", "anthropic#model"
                   or the path of a GGUF file
    llm_key        the key of its endpoint
    llm_context    tokens that it takes, prompt and answer together (0 asks the endpoint, or takes 8,192)
    llm_timeout    seconds that one request to it may take; an answer needs one, at most two
    llm_price_in   US dollars for a million tokens read
    llm_price_out  US dollars for a million tokens written
    host, port     where `quoth serve` listens
    most_asks      questions that are answered at once; more wait in a line of as many, then are turned away
    most_upload    MiB of one upload
    """

    library: str = ""
    llm: str = "none"
    llm_key: str = ""
    llm_context: int = 0
    llm_timeout: float = 120.0
    llm_price_in: float = 0.0
    llm_price_out: float = 0.0
    host: str = "127.0.0.1"
    port: int = 8777
    most_asks: int = 16
    most_upload: int = 256


def place() -> Path:
    """Where the file of settings is looked for."""
    from platformdirs import user_config_path

    named = os.environ.get("QUOTH_CONFIG")
    return Path(named).expanduser() if named else user_config_path("quoth", appauthor=False) / "quoth.toml"


def read(environment: Mapping[str, str] | None = None) -> Config:
    """The settings that count. Raises `UsageError` for a file that is no TOML, an unknown key or an odd value."""
    variables = os.environ if environment is None else environment
    file, named = place(), bool(variables.get("QUOTH_CONFIG"))
    try:
        given = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if named:
            raise UsageError(f"there is no file {file}", "unset QUOTH_CONFIG, or write the file") from None
        given = {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{file} cannot be read: {error}", "correct it; docs/settings.md shows one") from None
    known = {one.name: one.default for one in fields(Config)}
    for name in given:
        if name not in known:
            raise UsageError(f"{file} sets {name}, which there is not", f"one of: {', '.join(known)}")
    for name in known:
        if value := variables.get(f"QUOTH_{name.upper()}"):
            given[name] = value
    return Config(**{name: _fitting(name, value, known[name]) for name, value in given.items()})  # type: ignore[arg-type]


def _fitting(name: str, value: object, before: object) -> object:
    """The value in the type of its default."""
    example = f"{name} = {json.dumps(before)}"
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise UsageError(f"{name} is {value!r}, which it cannot be", example)
    if isinstance(before, str):
        if not isinstance(value, str):
            raise UsageError(f"{name} is {value!r}, not a text", example)
        return value
    try:
        number = float(value)
    except ValueError:
        raise UsageError(f"{name} is {value!r}, not a number", example) from None
    if not 0 <= number < 2**40:
        raise UsageError(f"{name} cannot be {value}", example)
    if isinstance(before, int) and number != int(number):
        raise UsageError(f"{name} is {value}, not a whole number", example)
    return int(number) if isinstance(before, int) else number
