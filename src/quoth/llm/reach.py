"""What an endpoint tells of its models: which there are, and how many tokens each takes.

Only hosts that the user named and this machine are asked, for a few seconds in all; no redirect is followed, and
nothing that they answer is believed without a look.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from quoth.llm.names import ANTHROPIC, Where, is_loopback, where

USUAL = 8_192
"""Tokens that a model is taken to have where nothing tells."""
USUAL_ANTHROPIC = 200_000
USUAL_OLLAMA = 4_096
"""What Ollama gives a model that nobody set otherwise; it cuts longer prompts without a word."""
OLLAMA = "http://127.0.0.1:11434"
TIMEOUT = 1.0
"""Seconds that a part of a response may take to come."""
WHOLE = 4.0
"""Seconds for all that an endpoint is asked at a time."""
LONGEST = 2**20
"""Bytes of a response that are read."""
MOST_TOKENS = 2**24
"""A context that is said to be longer is not believed."""
MOST_MODELS = 200
"""Models of one endpoint that are listed."""
LONGEST_NAME = 300
FIELDS = ("max_model_len", "context_length", "context_window", "max_context_length", "max_input_tokens")
"""What servers call the tokens of a model in their list of models."""


@dataclass(frozen=True, slots=True)
class Reached:
    """A model that answers, by the name that opens it; with a `problem`, an endpoint that does not."""

    name: str
    where: str
    model: str = ""
    context: int = 0
    problem: str = ""


def reachable(endpoints: Sequence[str], key: str = "") -> list[Reached]:
    """The models of these endpoints ("http://host:port/v1", with or without "#model") and of Ollama on this machine."""
    found: list[Reached] = []
    for endpoint in dict.fromkeys(endpoints):
        place = where(endpoint if "#" in endpoint else f"{endpoint}#any", key)
        found += _of_endpoint(place, time.monotonic() + WHOLE)
    if not any(one.where.startswith(OLLAMA) for one in found):
        found += _of_ollama(OLLAMA, time.monotonic() + WHOLE)
    return found


def context(place: Where) -> int:
    """How many tokens the endpoint says that its model takes, prompt and answer together, or a careful guess."""
    if place.url == ANTHROPIC:
        return USUAL_ANTHROPIC
    until = time.monotonic() + WHOLE
    models = _asked(f"{_listing(place)}/models", until, place)
    entry = next((one for one in _entries(models) if place.model in (one.get("id"), one.get("name"))), {})
    return _context(place, entry, until)


def _of_endpoint(place: Where, until: float) -> Iterator[Reached]:
    prefix = "anthropic+" if place.kind == "anthropic" else ""
    answer = _asked(f"{_listing(place)}/models", until, place)
    if isinstance(answer, str):
        yield Reached(f"{prefix}{place.url}", place.url, problem=answer)
        return
    for entry in _entries(answer):
        model = str(entry["id"])
        context = _context(Where(place.kind, place.url, model, place.key), entry, until)
        yield Reached(f"{prefix}{place.url}#{model}", place.url, model, context)


def _of_ollama(root: str, until: float) -> Iterator[Reached]:
    answer = _asked(f"{root}/api/tags", until)
    for entry in _list(answer, "models"):
        model = entry.get("name", "")
        if _is_name(model):
            context = _of_show(root, Where("openai", root, str(model), ""), until)
            yield Reached(f"{root}/v1#{model}", f"{root}/v1", str(model), context)


def _context(place: Where, entry: Mapping[str, object], until: float) -> int:
    meta = entry.get("meta")
    told = [entry.get(name) for name in FIELDS] + ([meta.get("n_ctx")] if isinstance(meta, dict) else [])
    for value in told:
        if tokens := _tokens(value):
            return tokens
    if place.kind == "anthropic":
        return USUAL
    root = place.url.removesuffix("/v1")
    settings = _object(_asked(f"{root}/props", until, place)).get("default_generation_settings")
    value = settings.get("n_ctx") if isinstance(settings, dict) else None
    return _tokens(value) or _of_show(root, place, until) or USUAL


def _tokens(value: object) -> int:
    """A number of tokens as it is told, 0 where it is none that can be."""
    return value if type(value) is int and 0 < value < MOST_TOKENS else 0


def _is_name(value: object) -> bool:
    return isinstance(value, str) and len(value) <= LONGEST_NAME and value.isprintable()


def _of_show(root: str, place: Where, until: float) -> int:
    """The tokens that Ollama gives a model: as it runs now, as its file sets, or as it is usual; 0 where it is none."""
    shown = _object(_asked(f"{root}/api/show", until, place, {"model": place.model}))
    known = shown.get("model_info")
    if not isinstance(known, dict):
        return 0
    trained = max((_tokens(one) for name, one in known.items() if name.endswith(".context_length")), default=0)
    for running in _list(_asked(f"{root}/api/ps", until, place), "models"):
        given = _tokens(running.get("context_length"))
        if running.get("name") == place.model and given:
            return given
    for line in str(shown.get("parameters", "")).splitlines():
        name, _, value = line.partition(" ")
        value = value.strip()
        if name == "num_ctx" and value.isdecimal() and len(value) < 9 and (given := _tokens(int(value))):
            return given
    return min(trained or USUAL_OLLAMA, USUAL_OLLAMA)


def _listing(place: Where) -> str:
    """Below what the list of models is."""
    return f"{place.url}/v1" if place.kind == "anthropic" else place.url


def _entries(answer: object) -> list[dict[str, object]]:
    return [one for one in _list(answer, "data") if _is_name(one.get("id"))]


def _list(answer: object, name: str) -> list[dict[str, object]]:
    entries = _object(answer).get(name)
    return [one for one in entries if isinstance(one, dict)][:MOST_MODELS] if isinstance(entries, list) else []


def _object(answer: object) -> dict[str, object]:
    return answer if isinstance(answer, dict) else {}


def _asked(url: str, until: float, place: Where | None = None, body: Mapping[str, str] | None = None) -> object:
    """The JSON that an address answers with until then, or a sentence that says why there is none."""
    headers = {"Accept": "application/json", "User-Agent": "quoth"}
    if place and place.key:
        headers |= {"Authorization": f"Bearer {place.key}"}
        if place.kind == "anthropic":
            headers |= {"x-api-key": place.key, "anthropic-version": "2023-06-01"}
    data = json.dumps(body).encode() if body else None
    request = urllib.request.Request(url, data, headers | ({"Content-Type": "application/json"} if body else {}))
    left = until - time.monotonic()
    if left <= 0:
        return "it did not answer in time"
    held = _Held()
    # who sends a byte now and then is cut off too, in the middle of a header if need be
    cut = threading.Timer(left, held.cut)
    cut.start()
    try:
        with _opener(url, held).open(request, timeout=min(TIMEOUT, left)) as response:
            answer: object = json.loads(_read(response, until))
            return answer
    except urllib.error.HTTPError as error:
        error.close()
        return f"it answered {error.code} {_printable(error.reason)}".rstrip()
    except (OSError, http.client.HTTPException, ValueError, RecursionError) as error:
        if time.monotonic() >= until:
            return "it did not answer in time"
        if isinstance(error, ValueError | RecursionError):
            return "it answered with something that is not JSON"
        return f"it cannot be reached: {_printable(getattr(error, 'reason', None) or error)}"
    finally:
        cut.cancel()


def _read(response: http.client.HTTPResponse, until: float) -> bytes:
    """The body, or `OSError` for one that takes too long; more than `LONGEST` bytes of it are no JSON."""
    parts, size = [], 0
    while size <= LONGEST and (part := response.read1(65_536)):
        if time.monotonic() > until:
            raise TimeoutError("it takes too long")
        parts.append(part)
        size += len(part)
    return b"".join(parts) if size <= LONGEST else b""


def _printable(said: object) -> str:
    """What a server said, on one short line."""
    return "".join(one for one in str(said)[:LONGEST_NAME] if one.isprintable())


class _Held:
    """The connection of a request, so that it can be cut from outside."""

    def __init__(self) -> None:
        self._connections: list[http.client.HTTPConnection] = []

    def keep(self, connection: http.client.HTTPConnection) -> http.client.HTTPConnection:
        """The connection, remembered."""
        self._connections.append(connection)
        return connection

    def cut(self) -> None:
        """End what is still being waited for."""
        for one in self._connections:
            with contextlib.suppress(OSError, AttributeError):
                one.sock.shutdown(socket.SHUT_RDWR)


class _Plain(urllib.request.HTTPHandler):
    def __init__(self, held: _Held) -> None:
        super().__init__()
        self._held = held

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(lambda host, **how: self._held.keep(http.client.HTTPConnection(host, **how)), req)


class _Secure(urllib.request.HTTPSHandler):
    def __init__(self, held: _Held) -> None:
        super().__init__()
        self._held = held

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(lambda host, **how: self._held.keep(http.client.HTTPSConnection(host, **how)), req)


def _opener(url: str, held: _Held) -> urllib.request.OpenerDirector:
    """An opener that follows no redirect, and knows no proxy where this machine is asked."""
    opener = urllib.request.OpenerDirector()
    local = is_loopback(urllib.parse.urlsplit(url).hostname or "")
    for part in (
        urllib.request.ProxyHandler({} if local else None),
        _Plain(held),
        _Secure(held),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
    ):
        opener.add_handler(part)
    return opener
