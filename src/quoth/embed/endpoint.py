"""An encoder behind HTTP: any server that speaks OpenAI's `POST /v1/embeddings`.

The key, if one is needed, comes from the environment variable QUOTH_EMBED_KEY, else OPENAI_API_KEY
(that one only for api.openai.com), and goes to no other address: redirects are not followed.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from quoth.errors import EndpointError, UsageError

if TYPE_CHECKING:
    from quoth.types import Floats

KEY = "QUOTH_EMBED_KEY"
BATCH = 64
"""Texts in one request."""
TIMEOUT = 60.0
"""Seconds that a server may be silent."""
PAUSES = (0.5, 2.0, 8.0)
"""Seconds to wait before each retry."""
AGAIN = frozenset({408, 429, 500, 502, 503, 504})
"""HTTP statuses that may pass by themselves."""
LONGEST = 256 * 2**20
"""Bytes of a response that are read; a longer one is an error."""


class EndpointEncoder:
    """Unit vectors from a server at `url` (".../v1"), made by its model `model`.

    `dimensions` 0 takes the model's own, learned by a request here; another number is asked for.
    What the server does with long texts is its own affair.
    """

    def __init__(self, url: str, model: str, dimensions: int = 0, pauses: Sequence[float] = PAUSES) -> None:
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or not model:
            raise UsageError(f"{url!r} with model {model!r} names no endpoint", "write http://host:port/v1#model")
        if parts.username or parts.password:
            raise UsageError("a key does not belong into the address of an endpoint", f"set {KEY} instead")
        self._url = url.rstrip("/") + "/embeddings"
        self._host = parts.hostname
        self._model = model
        self._asked = dimensions
        self._pauses = tuple(pauses)
        self.dimensions: int = dimensions or len(self._batch(["dimensions"])[0])
        # address, model and dimensions: all that can be known of a server's model
        content = json.dumps([self._url, model, self.dimensions])
        self.fingerprint: str = "endpoint-" + hashlib.sha256(content.encode()).hexdigest()[:16]

    def encode(self, texts: Sequence[str]) -> Floats:
        """Unit vectors, shape (len(texts), dimensions), in the order of the texts."""
        vectors = np.zeros((len(texts), self.dimensions), np.float32)
        for start in range(0, len(texts), BATCH):
            for place, row in enumerate(self._batch(texts[start : start + BATCH]), start):
                if len(row) != self.dimensions:
                    raise self._wrong(f"a vector of {len(row)} numbers instead of {self.dimensions}")
                vectors[place] = row
        if not np.isfinite(vectors).all():
            raise self._wrong("a vector with a number that is not finite")
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        if not lengths.all():
            raise self._wrong("a vector of zeros")
        unit: Floats = vectors / lengths
        return unit

    def _batch(self, texts: Sequence[str]) -> list[list[float]]:
        """One request's vectors, put in order by the index that the server gives with each."""
        # some servers refuse an empty text; a space is as empty
        body: dict[str, object] = {"model": self._model, "input": [text or " " for text in texts]}
        body["encoding_format"] = "float"
        if self._asked:
            body["dimensions"] = self._asked
        try:
            rows = json.loads(self._post(json.dumps(body).encode()))["data"]
            placed = {row["index"]: [float(number) for number in row["embedding"]] for row in rows}
        except (ValueError, KeyError, TypeError):
            raise self._wrong("something that is not an embeddings response") from None
        if len(rows) != len(texts) or sorted(placed) != list(range(len(texts))):
            raise self._wrong(f"{len(rows)} vectors, not one for each of {len(texts)} texts")
        return [placed[place] for place in range(len(texts))]

    def _post(self, body: bytes) -> bytes:
        """The response to `body`; failures that may pass are tried again after each pause."""
        for pause in (*self._pauses, None):
            try:
                with _opener().open(self._request(body), timeout=TIMEOUT) as response:
                    content: bytes = response.read(LONGEST + 1)
                if len(content) > LONGEST:
                    raise self._wrong("more than 256 MiB")
                return content
            except urllib.error.HTTPError as error:
                if pause is None or error.code not in AGAIN:
                    raise self._refused(error) from None
            except (OSError, http.client.HTTPException) as error:
                if pause is None:
                    reason = getattr(error, "reason", None) or error
                    hint = "start the server, or check the address"
                    raise EndpointError(f"{self._url} cannot be reached: {reason}", hint) from None
            time.sleep(pause)
        raise AssertionError("the last try returns or raises")

    def _request(self, body: bytes) -> urllib.request.Request:
        headers = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "quoth"}
        key = os.environ.get(KEY) or (os.environ.get("OPENAI_API_KEY") if self._host == "api.openai.com" else None)
        if key:
            headers["Authorization"] = f"Bearer {key}"
        return urllib.request.Request(self._url, body, headers, method="POST")

    def _refused(self, error: urllib.error.HTTPError) -> EndpointError:
        said = error.read(300).decode("utf-8", "replace").strip()
        hint = f"set {KEY}" if error.code in (401, 403) else "check the address and the model's name"
        return EndpointError(f"{self._url} answered {error.code} {error.reason}: {said}", hint)

    def _wrong(self, what: str) -> EndpointError:
        return EndpointError(f"{self._url} sent {what}", "check that it speaks OpenAI's /v1/embeddings")


def _opener() -> urllib.request.OpenerDirector:
    """An opener that knows proxies and TLS but follows no redirect: the key stays with its address."""
    opener = urllib.request.OpenerDirector()
    for part in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
    ):
        opener.add_handler(part)
    return opener
