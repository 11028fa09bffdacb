"""What endpoints tell of their models. Ollama cannot be had here: a small server gives its three answers."""

from __future__ import annotations

import contextlib
import http.server
import json
import socketserver
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from quoth import llm
from quoth.llm import reach


@dataclass
class Server:
    """Paths with what they answer, and the paths that were asked for."""

    url: str = ""
    answers: dict[str, object] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    state = Server()

    class Respond(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.asked.append(self.path)
            answer = state.answers.get(self.path)
            body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(200 if answer is not None else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.do_GET()

        def log_message(self, format: str, *args: object) -> None:
            pass

    listening = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Respond)
    state.url = f"http://127.0.0.1:{listening.server_port}"
    monkeypatch.setattr(reach, "OLLAMA", state.url)
    thread = threading.Thread(target=listening.serve_forever)
    thread.start()
    yield state
    listening.shutdown()
    thread.join()
    listening.server_close()


SHOWN = {"model_info": {"general.architecture": "qwen3", "qwen3.context_length": 40_960}, "parameters": ""}


def test_ollamas_models_are_listed_with_what_it_gives_them(server: Server) -> None:
    server.answers = {"/api/tags": {"models": [{"name": "qwen3:4b"}]}, "/api/show": SHOWN, "/api/ps": {"models": []}}
    (one,) = llm.reachable([])
    assert (one.name, one.model, one.context) == (f"{server.url}/v1#qwen3:4b", "qwen3:4b", reach.USUAL_OLLAMA)
    server.answers["/api/show"] = {**SHOWN, "parameters": 'stop "<|im_end|>"\nnum_ctx    16384\ntemperature 0.6'}
    assert llm.reachable([])[0].context == 16_384
    server.answers["/api/ps"] = {"models": [{"name": "qwen3:4b", "context_length": 12_000}]}
    assert llm.reachable([])[0].context == 12_000
    assert llm.open(f"{server.url}/v1#qwen3:4b").context == 12_000


def test_no_ollama_is_no_error(server: Server) -> None:
    assert llm.reachable([]) == []


@pytest.mark.parametrize(
    ("entry", "props", "tokens"),
    [
        ({"id": "m", "max_model_len": 32_768}, None, 32_768),
        ({"id": "m", "meta": {"n_ctx": 2_048, "n_ctx_train": 131_072}}, None, 2_048),
        ({"id": "m", "context_length": 1_000}, None, 1_000),
        ({"id": "m"}, {"default_generation_settings": {"n_ctx": 3_000}}, 3_000),
        ({"id": "m", "max_model_len": None, "meta": None}, {"default_generation_settings": []}, reach.USUAL),
        ({"id": "m", "max_model_len": -1}, None, reach.USUAL),
        ({"id": "another", "max_model_len": 99}, None, reach.USUAL),
        ({}, None, reach.USUAL),
        ({"id": "m", "max_model_len": 10**400}, None, reach.USUAL),
        ({"id": "m", "max_model_len": 2**24}, None, reach.USUAL),
        ({"id": "m", "max_model_len": True}, None, reach.USUAL),
        ({"id": "m", "max_model_len": 4096.0, "context_length": 5_000}, None, 5_000),
        ({"id": "m"}, {"default_generation_settings": {"n_ctx": True}}, reach.USUAL),
        ({"id": "m" * 1_000}, None, reach.USUAL),
    ],
)
def test_an_endpoint_tells_its_context_in_one_of_many_ways(
    server: Server, entry: dict[str, object], props: object, tokens: int
) -> None:
    server.answers = {"/v1/models": {"data": [entry]}, "/props": props}
    assert llm.open(f"{server.url}/v1#m").context == tokens


@pytest.mark.parametrize(
    "answer",
    [b"<html>", b"[]", b"7", b'{"data": 3}', b'{"data": [1, {"x": 2}]}', b"\xff",
     b"[" * 200_000, b'{"data": [{"id": ' + b"[" * 100_000, b'[' + b" " * reach.LONGEST + b"]", b"9" * 9_000],
)  # fmt: skip
def test_an_odd_list_of_models_is_no_crash(server: Server, answer: bytes) -> None:
    server.answers = {"/v1/models": answer, "/api/tags": answer, "/props": answer}
    assert llm.open(f"{server.url}/v1#m").context == reach.USUAL
    assert [one.model for one in llm.reachable([f"{server.url}/v1"])] in ([], [""])


def test_a_models_own_entry_asks_for_nothing_else(server: Server) -> None:
    server.answers = {"/v1/models": {"data": [{"id": "m", "max_model_len": 5_000}]}}
    llm.open(f"{server.url}/v1#m")
    assert server.asked == ["/v1/models"]


@pytest.mark.parametrize("start", [b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n"])
def test_who_drips_is_cut_off(start: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reach, "WHOLE", 0.4)
    ended = threading.Event()

    class Drip(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(65_536)
            self.request.sendall(start)
            # each part comes long before the second is over that it may take
            with contextlib.suppress(OSError):
                for _ in range(500):
                    if ended.wait(0.02):
                        break
                    self.request.sendall(b" ")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Drip) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        port = server.server_address[1]
        assert llm.open(f"http://127.0.0.1:{port}/v1#m").context == reach.USUAL
        (one,) = [found for found in llm.reachable([f"http://127.0.0.1:{port}/v1"]) if str(port) in found.where]
        assert one.problem == "it did not answer in time"
        ended.set()
        server.shutdown()
        thread.join()
