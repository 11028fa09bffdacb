"""The packaged encoder behind OpenAI's `POST /v1/embeddings` on loopback, for peers that ask a server."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np

from quoth.embed.packaged import PackagedEncoder


@dataclass(slots=True)
class Served:
    """Where the endpoint is, and what it has done."""

    url: str = ""
    texts: int = 0
    word_pieces: int = 0
    seconds: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)


@contextmanager
def endpoint() -> Iterator[Served]:
    """A running endpoint; `seconds` counts the time in the encoder alone, one request at a time."""
    encoder, served = PackagedEncoder(), Served()
    encoder.encode(["the first call compiles the model"])

    class Answer(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            texts = [asked["input"]] if isinstance(asked["input"], str) else asked["input"]
            with served.lock:
                started = time.perf_counter()
                vectors = encoder.encode(texts)
                served.seconds += time.perf_counter() - started
            served.texts += len(texts)
            served.word_pieces += sum(encoder.count(texts))
            body = json.dumps(_answer(asked, vectors)).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing is printed."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    served.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _answer(asked: dict[str, object], vectors: np.ndarray) -> dict[str, object]:
    """An embeddings response, the vectors as numbers or in base64 as they were asked for."""
    packed = asked.get("encoding_format") == "base64"
    rows = [base64.b64encode(row.tobytes()).decode() if packed else row.tolist() for row in vectors]
    return {
        "object": "list",
        "model": asked.get("model", ""),
        "data": [{"object": "embedding", "index": place, "embedding": row} for place, row in enumerate(rows)],
        "usage": {"prompt_tokens": 0, "total_tokens": 0},
    }
