"""What goes wrong with a language model, in one sentence each."""

from __future__ import annotations

import httpx2
from pydantic_ai.exceptions import (
    AgentRunError,
    ContentFilterError,
    ModelAPIError,
    ModelAuthenticationError,
    ModelConnectionError,
    ModelContextWindowExceededError,
    ModelHTTPError,
    ModelNotFoundError,
    ModelQuotaExceededError,
    ModelRateLimitError,
    ModelRequestRejectedError,
    ModelRequestTimeout,
    ModelTimeoutError,
    OutputTokenLimitExceeded,
    UnexpectedModelBehavior,
    UserError,
)

from quoth.errors import ModelError, QuothError
from quoth.llm.names import Where

LONGEST = 300
"""Characters of a server's own words that are repeated."""


FAILURES = (AgentRunError, UserError, httpx2.HTTPError, httpx2.InvalidURL)
"""What Pydantic AI and the connection below it raise."""


def is_refusal(error: Exception) -> bool:
    """Whether an endpoint said that it does not take a request of this kind."""
    return isinstance(error, ModelHTTPError) and error.status_code in (400, 415, 422, 501)


def may_lack_form(error: Exception) -> bool:
    """Whether an endpoint may have failed only because it was asked for JSON of a schema."""
    if isinstance(error, ModelAuthenticationError | ModelNotFoundError | ModelContextWindowExceededError):
        return False
    if isinstance(error, ContentFilterError | OutputTokenLimitExceeded):
        return False
    if is_refusal(error) or (isinstance(error, ModelHTTPError) and error.status_code == 500):
        return True
    return isinstance(error, ModelRequestRejectedError) or type(error) is UnexpectedModelBehavior


def in_words_of(error: Exception, place: Where) -> QuothError:
    """The failure as a sentence with what to do next."""
    who = f"{place.model} at {place.host}"
    cause: BaseException | None = error
    while cause:
        if isinstance(cause, QuothError):
            return cause
        cause = cause.__cause__
    match error:
        case ModelContextWindowExceededError():
            return ModelError(
                f"the question and its passages are more than {who} takes", "set llm_context to what it takes"
            )
        case ModelAuthenticationError():
            return ModelError(f"{who} refused the key", "set QUOTH_LLM_KEY")
        case ModelNotFoundError():
            return ModelError(f"there is no {who}", "quoth models shows which there are")
        case ModelQuotaExceededError():
            return ModelError(f"the account for {who} has nothing left", "see to its credit or quota")
        case ModelRateLimitError():
            return ModelError(f"{who} was asked too often", "ask again in a moment")
        case ModelTimeoutError() | ModelRequestTimeout():
            return ModelError(f"{who} did not answer in time", "ask again, or set llm_timeout higher")
        case ModelConnectionError(phase="connect"):
            return ModelError(f"{who} cannot be reached", "start it, or check its address: quoth models")
        case ModelConnectionError():
            return ModelError(f"{who} broke off", "ask again; see what its log says")
        case ContentFilterError():
            return ModelError(f"{who} refused to answer", "ask otherwise, or choose another model")
        case OutputTokenLimitExceeded():
            return ModelError(f"{who} did not come to an end", "choose another model")
        case ModelAPIError():
            return ModelError(f"{who} answered with an error: {_short(error)}", "see what its log says")
    if isinstance(error, httpx2.HTTPError | httpx2.InvalidURL):
        return ModelError(f"{who} cannot be spoken with: {error}", "check its address: quoth models")
    return ModelError(f"{who} did not answer in the form that it was asked for", "choose another model")


def _short(error: ModelAPIError) -> str:
    """What the server said, on one line."""
    body = error.body
    said = body.get("message") if isinstance(body, dict) else None
    if isinstance(body, dict) and isinstance(body.get("error"), dict):
        said = body["error"].get("message")
    code = f"{error.status_code} " if isinstance(error, ModelHTTPError) else ""
    line = " ".join(str(said or error).split())
    return code + (line if len(line) <= LONGEST else line[: LONGEST - 1] + "…")
