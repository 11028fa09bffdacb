"""The encoder behind HTTP, against a real server on loopback that the packaged encoder answers for."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from quoth import embed
from quoth.embed.endpoint import EndpointEncoder
from quoth.embed.packaged import PackagedEncoder
from quoth.errors import EndpointError, UsageError
from quoth.testing import check_encoder

TEXTS = ["rain and wind", "", "a boiler", *(f"note {number}" for number in range(100))]


@dataclass
class Server:
    """What the server is to do wrong, and what it was asked."""

    url: str = ""
    refusals: list[int] = field(default_factory=list)
    spoil: str = ""
    keys: list[str | None] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)


def answer(server: Server, encoder: PackagedEncoder, asked: dict[str, list[str]]) -> bytes:
    """The body of a response, spoilt as the test wishes."""
    vectors = encoder.encode(asked["input"]) * 3
    rows = [{"object": "embedding", "index": place, "embedding": row.tolist()} for place, row in enumerate(vectors)]
    if server.spoil == "count":
        rows.pop()
    if server.spoil == "index":
        rows[0]["index"] = 7_000
    if server.spoil == "zeros":
        rows[0]["embedding"] = [0.0] * 384
    if server.spoil == "nan":
        rows[0]["embedding"] = [float("nan")] * 384
    if server.spoil == "length" and len(rows) > 1:
        rows[1]["embedding"] = [1.0] * 10
    if server.spoil == "text":
        return b"<html>not JSON</html>"
    return json.dumps({"object": "list", "data": rows[::-1], "model": "minilm"}).encode()


@pytest.fixture
def server() -> Iterator[Server]:
    encoder, state = PackagedEncoder(threads=1), Server()

    class Respond(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            state.keys.append(self.headers["Authorization"])
            state.sizes.append(len(asked["input"]))
            assert self.path == "/v1/embeddings"
            code = state.refusals.pop(0) if state.refusals else 200
            body = answer(state, encoder, asked) if code == 200 else b'{"error": "no"}'
            self.send_response(code)
            if code == 302:
                self.send_header("Location", state.url + "/elsewhere")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Respond)
    state.url = f"http://127.0.0.1:{http.server_port}/v1"
    thread = threading.Thread(target=http.serve_forever)
    thread.start()
    yield state
    http.shutdown()
    thread.join()
    http.server_close()


def test_an_endpoint_keeps_the_contract(server: Server) -> None:
    check_encoder(lambda: embed.open(f"{server.url}#minilm"))


def test_vectors_of_an_endpoint_are_its_encoders_in_unit_length(server: Server) -> None:
    vectors = EndpointEncoder(server.url, "minilm").encode(TEXTS)
    expected = PackagedEncoder(threads=1).encode(TEXTS)
    assert (vectors * expected).sum(axis=1)[2:].min() >= 0.9999
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert server.sizes == [1, 64, 39]


def test_a_passing_failure_is_tried_again(server: Server) -> None:
    server.refusals = [503, 429]
    assert EndpointEncoder(server.url, "minilm", pauses=(0, 0)).encode(["rain"]).shape == (1, 384)


def test_a_lasting_failure_ends_after_the_last_pause(server: Server) -> None:
    server.refusals = [503] * 10
    with pytest.raises(EndpointError, match="answered 503"):
        EndpointEncoder(server.url, "minilm", 384, pauses=(0, 0)).encode(["rain"])
    assert len(server.sizes) == 3


@pytest.mark.parametrize("code", [302, 400, 401, 404])
def test_a_refusal_is_not_tried_again(server: Server, code: int) -> None:
    server.refusals = [code]
    with pytest.raises(EndpointError, match=f"answered {code}"):
        EndpointEncoder(server.url, "minilm", 384).encode(["rain"])
    assert len(server.sizes) == 1


@pytest.mark.parametrize("spoil", ["count", "index", "zeros", "nan", "length", "text"])
def test_a_wrong_response_is_an_endpoint_error(server: Server, spoil: str) -> None:
    server.spoil = spoil
    with pytest.raises(EndpointError, match="sent") as refused:
        EndpointEncoder(server.url, "minilm", 384).encode(["rain", "wind"])
    assert refused.value.hint


def test_the_key_comes_from_the_environment_only(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "for-openai-alone")
    EndpointEncoder(server.url, "minilm", 384).encode(["rain"])
    monkeypatch.setenv("QUOTH_EMBED_KEY", "secret")
    EndpointEncoder(server.url, "minilm", 384).encode(["rain"])
    assert server.keys == [None, "Bearer secret"]
    with pytest.raises(UsageError):
        EndpointEncoder("http://someone:secret@127.0.0.1/v1", "minilm")


def test_nobody_listening_is_an_endpoint_error() -> None:
    with pytest.raises(EndpointError, match="cannot be reached"):
        EndpointEncoder("http://127.0.0.1:9/v1", "minilm", 384, pauses=()).encode(["rain"])


def test_the_fingerprint_follows_address_model_and_dimensions() -> None:
    makes = [("http://a/v1", "m", 8), ("http://a/v1/", "m", 8), ("http://b/v1", "m", 8), ("http://a/v1", "n", 8)]
    prints = [EndpointEncoder(*make).fingerprint for make in [*makes, ("http://a/v1", "m", 9)]]
    assert prints[0] == prints[1]
    assert len(set(prints)) == 4
