"""The names of language models, and where each of them is asked."""

from __future__ import annotations

import ipaddress
import os
import urllib.parse
from dataclasses import dataclass
from pathlib import Path

from quoth.errors import UsageError

ANTHROPIC = "https://api.anthropic.com"
OPENAI_HOST = "api.openai.com"
HINT = "write http://host:port/v1#model, anthropic#model or the path of a GGUF file; quoth models shows what answers"


@dataclass(frozen=True, slots=True)
class Where:
    """A model of an endpoint: `url` is where requests go below, `key` what they carry, "" for none."""

    kind: str
    url: str
    model: str
    key: str

    @property
    def host(self) -> str:
        """The host that alone is asked."""
        return urllib.parse.urlsplit(self.url).hostname or ""

    @property
    def loopback(self) -> bool:
        """Whether the host is this machine, so that no proxy may come between."""
        return is_loopback(self.host)


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def is_file(name: str) -> bool:
    """Whether a name is that of a GGUF file."""
    return name.lower().endswith(".gguf") and "#" not in name


def where(name: str, key: str = "") -> Where:
    """What "http://host:port/v1#model", "anthropic#model" or "anthropic+http://host:port#model" names.

    Without a key, `OPENAI_API_KEY` and `ANTHROPIC_API_KEY` are taken, each for the host of its firm alone.
    """
    address, _, model = name.partition("#")
    kind = "anthropic" if address == "anthropic" or address.startswith("anthropic+") else "openai"
    url = address.removeprefix("anthropic").removeprefix("+") if kind == "anthropic" else address
    url = url or ANTHROPIC
    try:
        parts = urllib.parse.urlsplit(url)
        named = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        named = False
    if not named or not model.strip():
        raise UsageError(f"{name!r} names no language model", HINT)
    if parts.username or parts.password or parts.query:
        raise UsageError("a key does not belong into the address of a language model", "set QUOTH_LLM_KEY instead")
    firm = {OPENAI_HOST: "OPENAI_API_KEY", "api.anthropic.com": "ANTHROPIC_API_KEY"}.get(parts.hostname or "")
    key = key or (os.environ.get(firm, "") if firm and parts.scheme == "https" else "")
    return Where(kind, url.rstrip("/"), model.strip(), key)


def file(name: str) -> Path:
    """The GGUF file of a name; `UsageError` when it is not there."""
    path = Path(name).expanduser()
    if not path.is_file():
        raise UsageError(f"there is no file {path}", "give the path of a GGUF file")
    return path.absolute()
