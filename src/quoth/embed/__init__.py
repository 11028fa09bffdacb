"""Encoders: texts → unit vectors. `open` turns one string into the encoder it names."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, cast

from quoth.errors import UsageError

if TYPE_CHECKING:
    from quoth.types import Encoder

PACKAGED = "minilm"
pulse: ContextVar[Callable[[], None]] = ContextVar("pulse", default=lambda: None)
"""What an encoder calls between two inferences: raising from it ends a long `encode` within a moment."""


def open(spec: str = PACKAGED, threads: int = 0) -> Encoder:
    """The encoder that `spec` names.

    "minilm"                       the packaged one, on `threads` threads (0 takes every core)
    "http://host:port/v1#model"    a server that speaks OpenAI's /v1/embeddings
    "package.module:Class"         anyone's own; called without arguments

    A spec that is none of these raises `UsageError`.
    """
    if spec == PACKAGED:
        from quoth.embed.packaged import PackagedEncoder

        return PackagedEncoder(threads=threads)
    if spec.startswith(("http://", "https://")):
        from quoth.embed.endpoint import EndpointEncoder

        url, _, model = spec.partition("#")
        return EndpointEncoder(url, model)
    module, colon, name = spec.partition(":")
    if not (module and colon and name):
        raise UsageError(f"{spec!r} names no encoder", "use minilm, http://host:port/v1#model or package.module:Class")
    try:
        made = cast("Callable[[], Encoder]", getattr(importlib.import_module(module), name))
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise
        raise UsageError(f"there is no module {module!r} for the encoder {spec!r}", "install it") from None
    except AttributeError:
        raise UsageError(f"module {module!r} has no {name!r}", "check the encoder's name") from None
    return made()
