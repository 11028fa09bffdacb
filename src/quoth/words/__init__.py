"""Passage ids by words, derived from the catalog and rebuilt from it at any time."""

from quoth.words.analysis import VERSION as ANALYSIS
from quoth.words.index import TantivyWords

__all__ = ["ANALYSIS", "TantivyWords"]
