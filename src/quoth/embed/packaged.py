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
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from tokenizers import Tokenizer

from quoth.embed import pulse
from quoth.embed.known import Known
from quoth.embed.runtime import ov
from quoth.embed.together import Together, inputs, padded
from quoth.errors import ModelError

if TYPE_CHECKING:
    from quoth.types import Floats

FOLDER = Path(__file__).parent / "minilm"
TOKENS = 2048
"""Tokens in one inference of many texts, padding included: more gains no speed, only memory."""
SHAPES = 32
"""Input shapes whose kernels OpenVINO keeps; its own 5,000 let a long run grow by megabytes a shape."""
FEW = 64
"""Up to so many texts are those of somebody who waits: threads that ask are served together, and vectors kept."""


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
        self._known = Known()

    def encode(self, texts: Sequence[str]) -> Floats:
        """Unit vectors, shape (len(texts), 384), in the order of the texts."""
        if len(texts) > FEW:
            return self._many(self._ids(texts))
        known = self._known.find(texts)
        new = list(dict.fromkeys(text for text, vector in zip(texts, known, strict=True) if vector is None))
        fresh: dict[str, Floats] = {}
        if new:
            vectors = self._together.run(self._ids(new))
            self._known.keep(new, vectors)
            fresh = dict(zip(new, vectors, strict=True))
        each = [fresh[text] if vector is None else vector for text, vector in zip(texts, known, strict=True)]
        return np.array(each, np.float32).reshape(len(texts), self.dimensions)

    def _many(self, rows: list[list[int]]) -> Floats:
        vectors = np.empty((len(rows), self.dimensions), np.float32)
        model = self._model
        # Requests are waited for here and not in callbacks: a callback lives in a thread of OpenVINO's, and
        # letting go of a model while that thread wants Python's lock never ends.
        count = model.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
        # twice as many as run at once, so that none of them waits for Python's lock while another thread has it
        idle = deque(model.create_infer_request() for _ in range(2 * count))
        running: deque[tuple[ov.InferRequest, list[int]]] = deque()
        try:
            for places, given in batches(rows):
                pulse.get()()
                if not idle:
                    idle.append(_collected(*running.popleft(), vectors))
                idle[0].start_async(given)
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

    @cached_property
    def _together(self) -> Together:
        return Together(self._model, self.dimensions)

    @cached_property
    def _model(self) -> ov.CompiledModel:
        core = ov.Core()
        weights = np.frombuffer(self._graph[1], np.uint8)
        graph = core.read_model(self._graph[0], ov.Tensor(weights, ov.Shape([len(weights)])))
        options: dict[str, object] = {
            "PERFORMANCE_HINT": "THROUGHPUT",
            "INFERENCE_PRECISION_HINT": "f32",
            "INFERENCE_NUM_THREADS": self._threads,
            "CPU_RUNTIME_CACHE_CAPACITY": SHAPES,
        }
        return core.compile_model(graph, "CPU", options)


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
    order = sorted(range(len(rows)), key=lambda place: -padded(rows[place]))
    for length, alike in itertools.groupby(order, key=lambda place: padded(rows[place])):
        group = list(alike)
        size = max(1, TOKENS // length)
        for start in range(0, len(group), size):
            places = group[start : start + size]
            yield places, inputs([rows[place] for place in places])


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
