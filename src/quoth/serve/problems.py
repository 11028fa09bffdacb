"""Every error as an RFC 9457 problem: the sentence and the hint that the command line prints."""

from __future__ import annotations

import logging
import re
import sqlite3
from collections.abc import Mapping
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response

from quoth.errors import (
    EndpointError,
    LibraryError,
    Locked,
    MissingPart,
    ModelError,
    NotFound,
    QuothError,
    ReadError,
    ReadOnly,
    Stopped,
    Throttled,
    UsageError,
)
from quoth.serve.replies import reply

log = logging.getLogger("quoth.serve")
STATUS: Mapping[type[QuothError], int] = {
    NotFound: 404,
    UsageError: 422,
    ReadError: 422,
    Locked: 409,
    ReadOnly: 409,
    Stopped: 409,
    LibraryError: 503,
    ModelError: 503,
    EndpointError: 502,
    MissingPart: 501,
    Throttled: 429,
}
"""The status of an error, or of the nearest class above it."""
MEDIA = "application/problem+json"
WORDED = {
    "There was an error parsing the body": "the body cannot be read: it is no JSON and no form in UTF-8",
    "Method Not Allowed": "this address does not know this method",
}
"""What the frameworks below say, in our words."""
FULL = re.compile(r"database or disk is full|No space left on device|Disk quota exceeded")
"""What is said of a disk that holds no more."""
OPENAI = "/v1/"
FAULTS = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
"""The kinds of error that OpenAI's clients know, by status."""


class Problem(BaseModel):
    """What went wrong, and what to do about it."""

    type: str = Field(description="What kind of problem it is, for programs.")
    title: str = Field(description="The words of the status.")
    status: int
    detail: str = Field(description="One sentence for people.")
    hint: str = Field(description="What to do next; may be empty.")


class Refused(QuothError):
    """A request that is not let in or not taken up, with the status that says why."""

    def __init__(self, status: int, message: str, hint: str = "", headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message, hint)
        self.status = status
        self.headers = headers or {}


def status_of(error: QuothError) -> int:
    """The HTTP status that an error is told with."""
    if isinstance(error, Refused):
        return error.status
    return next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 500)


def problem(error: QuothError) -> dict[str, object]:
    """The error as the fields of a problem."""
    status = status_of(error)
    if isinstance(error, Refused):
        name = HTTPStatus(status).phrase.lower().replace(" ", "-")
    else:
        name = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", type(error).__name__).lower()
    return {
        "type": f"urn:quoth:{name}", "title": HTTPStatus(status).phrase, "status": status, "detail": str(error),
        "hint": error.hint,
    }  # fmt: skip


def told(error: QuothError, path: str = "") -> Response:
    """The response that tells of an error; at OpenAI's paths in the shape that its clients read."""
    headers = dict(error.headers) if isinstance(error, Refused) else {}
    if isinstance(error, Throttled):
        headers["Retry-After"] = str(error.seconds)
    if path.startswith(OPENAI):
        return reply(fault(error), fault_status(error), headers=headers)
    return reply(problem(error), status_of(error), media=MEDIA, headers=headers)


def fault(error: QuothError) -> dict[str, object]:
    """The error as OpenAI's clients read it; the message ends in what to do."""
    status = fault_status(error)
    kind = FAULTS.get(status, "server_error" if status >= 500 else "invalid_request_error")
    code = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(error).__name__).lower()
    message = f"{error} – try: {error.hint}" if error.hint else str(error)
    record = {"message": message, "type": kind, "param": None, "code": kind if type(error) is Refused else code}
    return {"error": record | {"hint": error.hint}}


def fault_status(error: QuothError) -> int:
    """Its status: OpenAI's own service answers 400 to what it does not understand."""
    status = status_of(error)
    return 400 if status == 422 else status


def unexpected(where: str, error: Exception) -> Refused:
    """What is said of a full disk, and of a bug: nothing of it but that it is in the log."""
    if isinstance(error, sqlite3.OperationalError | OSError) and FULL.search(str(error)):
        log.error("%s failed: the disk is full", where)
        return Refused(507, "the disk with the library is full, so nothing could be kept", "free some space")
    log.error("%s failed", where, exc_info=error)
    return Refused(500, "something went wrong in Quoth itself", "the server's log has the details; please report it")


def install(app: FastAPI) -> None:
    """Have the application tell every error as a problem."""

    async def known(request: Request, error: Exception) -> Response:
        assert isinstance(error, QuothError)
        return told(error, request.url.path)

    async def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        missing = error.status_code == 404 and error.detail == HTTPStatus.NOT_FOUND.phrase
        said = WORDED.get(error.detail) or ("there is nothing at this address" if missing else str(error.detail))
        hint = "/api/openapi.json lists what there is" if error.status_code in (404, 405) else ""
        return told(Refused(error.status_code, said, hint, error.headers), request.url.path)

    async def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return told(Refused(422, sentence(error), "/api/openapi.json says what is expected"), request.url.path)

    app.add_exception_handler(QuothError, known)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(RequestValidationError, invalid)


def sentence(error: RequestValidationError) -> str:
    """What is wrong with a request, in words: its first fault."""
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return f"the body is no JSON: {first['ctx']['error']}"
    name = ".".join(str(one) for one in first["loc"][1:]) or "the body"
    if first["type"] == "missing":
        return f"{name} is missing"
    said = str(first["msg"])
    return f"{name} is not as it should be: {said[:1].lower()}{said[1:]}"


DECLARED: dict[int | str, dict[str, object]] = {
    number: {"description": said, "content": {MEDIA: {"schema": {"$ref": "#/components/schemas/Problem"}}}}
    for number, said in {
        401: "A token or a session is needed.",
        403: "The visitor may not do this.",
        404: "There is no such thing.",
        409: "The library cannot be changed now.",
        413: "The request is too large.",
        422: "The request is not as it should be.",
        429: "Too many questions at once, or too many attempts.",
        500: "A bug.",
        503: "The library cannot be used now.",
        507: "The disk is full.",
    }.items()
}
"""The problems that any operation may answer with, for the OpenAPI document."""
