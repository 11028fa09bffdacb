"""Records as JSON, the same that the command line prints with --json."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import AsyncGenerator, Mapping
from typing import TYPE_CHECKING, Annotated, TypeVar
from urllib.parse import parse_qsl

from fastapi import Depends, Query, Request
from starlette.responses import Response

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T")
PING = 15.0
"""Seconds of silence after which a stream says that it is alive."""
SILENCE = b": still here\n\n"
"""A comment among server-sent events, which says so."""


def reply(
    record: Mapping[str, object] | DataclassInstance,
    status: int = 200,
    *,
    media: str = "application/json",
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A response that holds one record."""
    return Response(as_json(record), status, headers, media)


def as_json(record: Mapping[str, object] | DataclassInstance) -> bytes:
    """A record as JSON; ASCII only, since a file's name may hold bytes that are no text."""
    plain = record if isinstance(record, Mapping) else dataclasses.asdict(record)
    return json.dumps(plain, allow_nan=False, separators=(",", ":")).encode("ascii")


async def unsilenced(events: AsyncGenerator[T, None]) -> AsyncGenerator[T | None, None]:
    """The events as they come, and None whenever none came for PING seconds; they are closed at the end."""
    coming = asyncio.ensure_future(anext(events))
    try:
        while True:
            done, _ = await asyncio.wait({coming}, timeout=PING)
            if not done:
                yield None
                continue
            yield coming.result()
            coming = asyncio.ensure_future(anext(events))
    except StopAsyncIteration:
        return
    finally:
        coming.cancel()
        await asyncio.gather(coming, return_exceptions=True)
        await events.aclose()


def _named(request: Request, path: Annotated[str, Query(description="A document or place by its full path.")]) -> str:
    """The path that a request names; its bytes need not be UTF-8."""
    del path  # declared for the document and checked to be there; Starlette has lost what is no UTF-8
    raw: str = request.scope["query_string"].decode("latin-1")
    return dict(parse_qsl(raw, keep_blank_values=True, errors="surrogateescape"))["path"]


Named = Annotated[str, Depends(_named)]
"""The query parameter `path`, as the library writes it."""
