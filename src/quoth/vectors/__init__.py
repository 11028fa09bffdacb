"""Passage ids by meaning, derived from the catalog and rebuilt from it at any time."""

from quoth.vectors.exact import dimensions
from quoth.vectors.turbo import TurboVectors

__all__ = ["TurboVectors", "dimensions"]
