"""The truth of a library: sources, files, documents, passages.

Text, positions and file states live here; word and vector indexes are derived from it and can be
thrown away. One writer at a time, any number of readers; a reader inside `reading()` sees one state.
"""

from __future__ import annotations

from quoth.catalog.records import Candidate, File, FoundPassage, Job, Source, State, WrittenFile
from quoth.catalog.sqlite import SCHEMA_VERSION, Catalog

__all__ = ["SCHEMA_VERSION", "Candidate", "Catalog", "File", "FoundPassage", "Job", "Source", "State", "WrittenFile"]
