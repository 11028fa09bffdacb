"""Another encoder to change to: the packaged one, its vectors turned and cut to 128 numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from quoth.embed.packaged import PackagedEncoder


class Shorter:
    dimensions = 128

    def __init__(self) -> None:
        self._whole = PackagedEncoder()
        self.fingerprint = "shorter-" + self._whole.fingerprint
        turn = np.random.default_rng(7).normal(size=(self._whole.dimensions, self.dimensions))
        self._turn = np.linalg.qr(turn)[0].astype(np.float32)

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        vectors = self._whole.encode(texts) @ self._turn
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
