"""The packaged encoder: all-MiniLM-L6-v2 in static int8, run on the CPU by OpenVINO.

How the files in `minilm/` were made, and what that costs in quality, is in `models/README.md`.
Static ranges and padding that a text alone decides keep a vector independent of its batch mates.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from tokenizers import Tokenizer

from quoth.embed import pulse
from quoth.embed.runtime import ov
from quoth.errors import ModelError

if TYPE_CHECKING:
    from quoth.types import Floats

FOLDER = Path(__file__).parent / "minilm"
TOKENS = 2048
"""Tokens in one inference, padding included: more gains no speed, only memory."""
STEP = 8
"""Lengths are rounded up to this, so that few shapes need kernels of their own."""
SHAPES = 32
"""Input shapes whose kernels OpenVINO keeps; its own 5,000 let a long run grow by megabytes a shape."""
FEW = 64
"""Up to so many texts all threads work on one inference; above, each thread has its own."""


class PackagedEncoder:
    """Unit vectors of texts, 384 numbers each; text beyond 256 word pieces is not read.

    `threads` 0 takes every core. Files that differ from their card raise `ModelError`.
    """

    def __init__(self, folder: Path = FOLDER, threads: int = 0) -> None:
        card = json.loads(read(folder, "card.json"))
        files = {name: verified(folder, name, expected) for name, expected in card["files"].items()}
        self.dimensions: int = card["dimensions"]
        self.window: int = card["window"]
        self.tokenizer: Tokenizer = Tokenizer.from_buffer(files["tokenizer.json"])
        content = [*sorted(card["files"].items()), card["pooling"], card["window"]]
        self.fingerprint: str = "minilm-" + hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]
        self._graph = (files["model.xml"], files["model.bin"])
        self._threads = threads
        self._compiled: dict[bool, ov.CompiledModel] = {}

    def encode(self, texts: Sequence[str]) -> Floats:
        """Unit vectors, shape (len(texts), 384), in the order of the texts."""
        rows = self._ids(texts)
        vectors = np.empty((len(rows), self.dimensions), np.float32)
        if len(rows) <= FEW:
            request = self._model(bulk=False).create_infer_request()
            for places, inputs in batches(rows):
                # `infer` works in this thread and waits for the others: twice as slow for a question, and ten
                # times where another process keeps a core busy
                request.start_async(inputs)
                _collected(request, places, vectors)
            return vectors
        model = self._model(bulk=True)
        # Requests are waited for here and not in callbacks: a callback lives in a thread of OpenVINO's, and
        # letting go of a model while that thread wants Python's lock never ends.
        count = model.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
        # twice as many as run at once, so that none of them waits for Python's lock while another thread has it
        idle = deque(model.create_infer_request() for _ in range(2 * count))
        running: deque[tuple[ov.InferRequest, list[int]]] = deque()
        try:
            for places, inputs in batches(rows):
                pulse.get()()
                if not idle:
                    idle.append(_collected(*running.popleft(), vectors))
                idle[0].start_async(inputs)
                running.append((idle.popleft(), places))
        finally:
            for request, places in running:
                _collected(request, places, vectors)
        return vectors

    def count(self, texts: Sequence[str]) -> list[int]:
        """Word pieces of each text, without the two that the encoder adds and without a limit."""
        encoded = self.tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        return [len(one.ids) for one in encoded]

    def _ids(self, texts: Sequence[str]) -> list[list[int]]:
        encoded = self.tokenizer.encode_batch_fast(list(texts))
        last = self.window - 1
        return [ids if len(ids) <= self.window else [*ids[:last], ids[-1]] for ids in (one.ids for one in encoded)]

    def _model(self, bulk: bool) -> ov.CompiledModel:
        if bulk not in self._compiled:
            core = ov.Core()
            weights = np.frombuffer(self._graph[1], np.uint8)
            graph = core.read_model(self._graph[0], ov.Tensor(weights, ov.Shape([len(weights)])))
            options: dict[str, object] = {
                "PERFORMANCE_HINT": "THROUGHPUT" if bulk else "LATENCY",
                "INFERENCE_PRECISION_HINT": "f32",
                "INFERENCE_NUM_THREADS": self._threads,
                "CPU_RUNTIME_CACHE_CAPACITY": SHAPES,
            }
            self._compiled[bulk] = core.compile_model(graph, "CPU", options)
        return self._compiled[bulk]


def _collected(request: ov.InferRequest, places: list[int], vectors: Floats) -> ov.InferRequest:
    """The request, done, after its vectors were put into their places."""
    request.wait()
    vectors[places] = request.get_output_tensor(0).data
    return request


def batches(rows: list[list[int]]) -> Iterator[tuple[list[int], dict[str, np.ndarray]]]:
    """Places of the rows and model inputs, the longest first; a batch holds rows of one padded length.

    A row is thus padded alike whatever its batch mates are: sums over another padded length end in
    other last bits, which rounding to int8 enlarges (cosine down to 0.9998).
    """
    padded = [-(-len(row) // STEP) * STEP for row in rows]
    order = sorted(range(len(rows)), key=lambda place: -padded[place])
    for length, alike in itertools.groupby(order, key=lambda place: padded[place]):
        group = list(alike)
        size = max(1, TOKENS // length)
        for start in range(0, len(group), size):
            places = group[start : start + size]
            ids = np.zeros((len(places), length), np.int32)
            for line, place in enumerate(places):
                ids[line, : len(rows[place])] = rows[place]
            yield places, {"ids": ids, "lengths": np.array([len(rows[place]) for place in places], np.int32)}


def read(folder: Path, name: str) -> bytes:
    """The bytes of a model file, or `ModelError`."""
    try:
        return (folder / name).read_bytes()
    except OSError as error:
        raise ModelError(f"{folder / name} cannot be read: {error.strerror}", "reinstall quoth") from None


def verified(folder: Path, name: str, expected: str) -> bytes:
    """The bytes of a model file whose SHA-256 is `expected`, or `ModelError`."""
    content = read(folder, name)
    if hashlib.sha256(content).hexdigest() != expected:
        raise ModelError(f"{folder / name} was altered: its SHA-256 is not the one in card.json", "reinstall quoth")
    return content
