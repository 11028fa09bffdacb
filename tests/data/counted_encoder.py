"""Two quick encoders that write down what they encode, and wait where a test wants to kill them."""

from __future__ import annotations

import os
import time
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

HELD = 1
"""Calls that are done while the hold is there; the next one waits."""


class First:
    """Words thrown into as many numbers as there are dimensions."""

    dimensions = 96
    fingerprint = "counted-first"

    def __init__(self) -> None:
        self._calls = 0

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        self._tell(len(texts))
        found = np.zeros((len(texts), self.dimensions), np.float32)
        for row, text in zip(found, texts, strict=True):
            for word in text.lower().split():
                seed = zlib.crc32(f"{self.fingerprint} {word.strip('.?')}".encode())
                row[seed % self.dimensions] += 1 if seed & 0x10000 else -1
        found[:, 0] += 1e-3
        return found / np.linalg.norm(found, axis=1, keepdims=True)

    def _tell(self, count: int) -> None:
        """Append a line to the log: the encoder and how many texts it was given."""
        if os.environ.get("QUOTH_TEST_LOG"):
            with Path(os.environ["QUOTH_TEST_LOG"]).open("a") as log:
                log.write(f"{self.fingerprint} {count}\n")
        self._calls += 1
        hold = os.environ.get("QUOTH_TEST_HOLD")
        while hold and self._calls > HELD and Path(hold).exists():
            time.sleep(0.02)


class Second(First):
    """Another one, which cannot be mixed with the first."""

    dimensions = 128
    fingerprint = "counted-second"
