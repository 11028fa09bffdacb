"""What an endpoint tells of its models: which there are, and how many tokens each takes.

Only hosts that the user named and this machine are asked, for a second each; no redirect is followed.
"""

from __future__ import annotations

import http.client
import json
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
LONGEST = 16 * 2**20
"""Bytes of a response that are read."""
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
        found += _of_endpoint(place)
    if not any(one.where.startswith(OLLAMA) for one in found):
        found += _of_ollama(OLLAMA)
    return found


def context(place: Where) -> int:
    """How many tokens the endpoint says that its model takes, prompt and answer together, or a careful guess."""
    if place.url == ANTHROPIC:
        return USUAL_ANTHROPIC
    models = _asked(f"{_listing(place)}/models", place)
    entry = next((one for one in _entries(models) if place.model in (one.get("id"), one.get("name"))), {})
    return _context(place, entry)


def _of_endpoint(place: Where) -> Iterator[Reached]:
    prefix = "anthropic+" if place.kind == "anthropic" else ""
    answer = _asked(f"{_listing(place)}/models", place)
    if isinstance(answer, str):
        yield Reached(f"{prefix}{place.url}", place.url, problem=answer)
        return
    for entry in _entries(answer):
        model = str(entry["id"])
        context = _context(Where(place.kind, place.url, model, place.key), entry)
        yield Reached(f"{prefix}{place.url}#{model}", place.url, model, context)


def _of_ollama(root: str) -> Iterator[Reached]:
    answer = _asked(f"{root}/api/tags")
    for entry in _list(answer, "models"):
        model = str(entry.get("name", ""))
        yield Reached(f"{root}/v1#{model}", f"{root}/v1", model, _of_show(root, Where("openai", root, model, "")))


def _context(place: Where, entry: Mapping[str, object]) -> int:
    meta = entry.get("meta")
    told = [entry.get(name) for name in FIELDS] + ([meta.get("n_ctx")] if isinstance(meta, dict) else [])
    for value in told:
        if isinstance(value, int) and value > 0:
            return value
    if place.kind == "anthropic":
        return USUAL
    root = place.url.removesuffix("/v1")
    settings = _object(_asked(f"{root}/props", place)).get("default_generation_settings")
    value = settings.get("n_ctx") if isinstance(settings, dict) else None
    return value if isinstance(value, int) and value > 0 else _of_show(root, place) or USUAL


def _of_show(root: str, place: Where) -> int:
    """The tokens that Ollama gives a model: as it runs now, as its file sets, or as it is usual; 0 where it is none."""
    shown = _object(_asked(f"{root}/api/show", place, {"model": place.model}))
    known = shown.get("model_info")
    if not isinstance(known, dict):
        return 0
    trained = next((one for name, one in known.items() if name.endswith(".context_length") and isinstance(one, int)), 0)
    for running in _list(_asked(f"{root}/api/ps", place), "models"):
        given = running.get("context_length")
        if running.get("name") == place.model and isinstance(given, int) and given > 0:
            return given
    for line in str(shown.get("parameters", "")).splitlines():
        name, _, value = line.partition(" ")
        if name == "num_ctx" and value.strip().isdecimal():
            return int(value)
    return min(trained or USUAL_OLLAMA, USUAL_OLLAMA)


def _listing(place: Where) -> str:
    """Below what the list of models is."""
    return f"{place.url}/v1" if place.kind == "anthropic" else place.url


def _entries(answer: object) -> list[dict[str, object]]:
    return [one for one in _list(answer, "data") if "id" in one]


def _list(answer: object, name: str) -> list[dict[str, object]]:
    entries = _object(answer).get(name)
    return [one for one in entries if isinstance(one, dict)] if isinstance(entries, list) else []


def _object(answer: object) -> dict[str, object]:
    return answer if isinstance(answer, dict) else {}


def _asked(url: str, place: Where | None = None, body: Mapping[str, str] | None = None) -> object:
    """The JSON that an address answers with, or a sentence that says why there is none."""
    headers = {"Accept": "application/json", "User-Agent": "quoth"}
    if place and place.key:
        headers |= {"Authorization": f"Bearer {place.key}"}
        if place.kind == "anthropic":
            headers |= {"x-api-key": place.key, "anthropic-version": "2023-06-01"}
    data = json.dumps(body).encode() if body else None
    request = urllib.request.Request(url, data, headers | ({"Content-Type": "application/json"} if body else {}))
    try:
        with _opener(url).open(request, timeout=TIMEOUT) as response:
            answer: object = json.loads(response.read(LONGEST))
            return answer
    except urllib.error.HTTPError as error:
        return f"it answered {error.code} {error.reason}"
    except (OSError, http.client.HTTPException) as error:
        return f"it cannot be reached: {getattr(error, 'reason', None) or error}"
    except ValueError:
        return "it answered with something that is not JSON"


def _opener(url: str) -> urllib.request.OpenerDirector:
    """An opener that follows no redirect, and knows no proxy where this machine is asked."""
    opener = urllib.request.OpenerDirector()
    local = is_loopback(urllib.parse.urlsplit(url).hostname or "")
    for part in (
        urllib.request.ProxyHandler({} if local else None),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
    ):
        opener.add_handler(part)
    return opener
