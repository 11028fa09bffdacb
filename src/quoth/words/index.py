"""Passage ids by BM25 (k1 1.2, b 0.75), in a tantivy index that stores no text.

Document frequencies count replaced passages until tantivy merges their segment away.
"""

from __future__ import annotations

import functools
import math
import shutil
import tempfile
import weakref
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import numpy as np
import tantivy

from quoth.errors import LibraryError, ReadOnly
from quoth.types import Ranked
from quoth.words import analysis

if TYPE_CHECKING:
    from quoth.types import Floats, Ids

HINT = "quoth reindex --words"
HEAP = 32_000_000
"""Memory of the writer in bytes; what does not fit is flushed to a segment of its own."""
TERMS = 96
"""A question's rarest words; BM25 hardly changes beyond, and its time grows with each."""
_Asked = tuple[list[str], int]
"""A word of a question: its stems that are in the index, and how often it was said."""
P = ParamSpec("P")
R = TypeVar("R")
READ = 200_000
"""Characters of a question that are read."""
NARROW = 0.2
"""Up to the square root of NARROW · k · passages ids, `within` is looked up id by id (4 µs each); above, more
hits are fetched than asked for (0.6 µs each) and the others left out."""
BATCH = 1_000
MUST, SHOULD = tantivy.Occur.Must, tantivy.Occur.Should


def _undamaged(method: Callable[P, R]) -> Callable[P, R]:
    """The method, with one clear error for damaged files.

    They show as ValueError, or as a panic of the Rust below, which is no Exception.
    """

    @functools.wraps(method)
    def _checked(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return method(*args, **kwargs)
        except BaseException as error:
            if isinstance(error, ValueError) or type(error).__name__ == "PanicException":
                raise LibraryError(f"The word index is damaged ({error})", HINT) from None
            raise

    return _checked


class TantivyWords:
    """`quoth.types.Words` in a folder: one writer at a time, any number of readers.

    A folder that is missing or empty becomes an empty index, unless `readonly`. Raises LibraryError
    when the folder cannot be read, ReadOnly when a read-only one is written to.
    """

    def __init__(self, folder: Path, readonly: bool = False) -> None:
        self.folder = folder
        self.readonly = readonly
        self._mirrored = False
        self._version = b""
        self._languages: dict[str, int] = {}
        self._last: tuple[bytes, str, list[_Asked]] = (b"", "", [])
        if not readonly and not (folder.exists() and any(folder.iterdir())):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            tantivy.Index(_schema(), path=str(folder))
        self._index = self._open()
        self._schema = self._index.schema

    def add(self, ids: Ids, texts: Sequence[str], languages: Sequence[str]) -> None:
        if not len(ids) == len(texts) == len(languages):
            raise ValueError(f"{len(ids)} ids, {len(texts)} texts, {len(languages)} languages")
        last = {int(id_): place for place, id_ in enumerate(ids)}
        if not last:
            return
        if min(last) < 0:
            raise ValueError("ids are not negative")
        writer = self._writer()
        self._delete(writer, np.fromiter(last, np.int64))
        for id_, place in last.items():
            document = tantivy.Document()
            document.add_unsigned("id", id_)
            document.add_text("language", languages[place] or "en")
            document.add_text("text", " ".join(analysis.terms(texts[place], languages[place])))
            writer.add_document(document)
        _commit(writer)

    def remove(self, ids: Ids) -> None:
        if len(ids):
            writer = self._writer()
            self._delete(writer, ids)
            _commit(writer)

    @_undamaged
    def search(self, query: str, k: int, within: Ids | None = None) -> Ranked:
        searcher, asked = self._asked(query)
        total = searcher.num_docs
        k = min(k, total if within is None else len(within))
        if not asked or k <= 0:
            return _ranked([], [])
        if within is not None and (len(within) <= k or len(within) ** 2 <= NARROW * k * total):
            ids, scores = self._scored(searcher, asked, within)
            order = np.lexsort((ids, -scores))[:k]
            return Ranked(ids[order], scores[order])
        limit = k + 16 if within is None else int(1.5 * k * total / len(within)) + 16
        while True:
            ids, scores, lowest = self._best(searcher, asked, min(limit, total), within)
            order = np.lexsort((ids, -scores))[:k]
            # Equal scores may go on behind the last hit: look deeper until they end.
            if limit >= total or lowest == 0.0 or (len(order) == k and scores[order[-1]] > lowest):
                return Ranked(ids[order], scores[order])
            limit *= 2

    @_undamaged
    def score(self, query: str, ids: Ids) -> Floats:
        scores = np.zeros(len(ids), np.float32)
        searcher, asked = self._asked(query)
        if not asked or not len(ids):
            return scores
        found, values = self._scored(searcher, asked, ids)
        if len(found):
            order = np.argsort(found)
            found, values = found[order], values[order]
            place = np.minimum(np.searchsorted(found, ids), len(found) - 1)
            hit = found[place] == ids
            scores[hit] = values[place[hit]]
        return scores

    @_undamaged
    def ids(self) -> Ids:
        searcher = self._searcher()
        if not searcher.num_docs:
            return np.empty(0, np.int64)
        return np.sort(_found(searcher, tantivy.Query.all_query(), searcher.num_docs)[0])

    def _asked(self, text: str) -> tuple[tantivy.Searcher, list[_Asked]]:
        """What is committed now, and the words of a question in it; those of the last one are kept for its scores."""
        searcher, version = self._searcher(), self._version
        before, last, asked = self._last
        if before != version or last != text:
            asked = self._looked_up(searcher, text)
            self._last = (version, text, asked)
        return searcher, asked

    def _looked_up(self, searcher: tantivy.Searcher, text: str) -> list[_Asked]:
        """The question's words, rarest first; none when no word is in the library.

        A word matches by its stem in each language of the library, and counts by the best of them; said n
        times it weighs 1 + log n (nDCG@10 +0.004 on SciFact's and FeedbackQA's training questions).
        """
        counts = Counter(analysis.words(text[:READ]))
        languages = sorted(self._languages)
        chosen = _alternatives(counts, languages, stop=True)
        chosen = {word: stems for word, stems in chosen.items() if not self._empty(searcher, word)}
        chosen = chosen or _alternatives(counts, languages, stop=False)
        held: list[tuple[int, int, str, list[str]]] = []
        for word, stems in chosen.items():
            present = {stem: frequency for stem in stems if (frequency := searcher.doc_freq("text", stem))}
            if not present and len(word) == 1 and not word.isascii():
                # Spaceless scripts are indexed in pairs: a lone character finds the pairs it begins.
                present = dict(searcher.terms_with_prefix("text", word, limit=32))
            if present:
                held.append((min(present.values()), -counts[word], word, sorted(present)))
        return [(stems, -count) for _, count, _, stems in sorted(held)[:TERMS]]

    def _empty(self, searcher: tantivy.Searcher, word: str) -> bool:
        """Whether most passages with this word must be in a language that it says nothing in.

        A few German files would keep "the" in every question otherwise: no German list stops it.
        """
        silent = {language for language in self._languages if analysis.stopped(word, language)}
        telling = sum(count for language, count in self._languages.items() if language not in silent)
        return any(searcher.doc_freq("text", analysis.stem(word, language)) > telling for language in silent)

    def _best(
        self, searcher: tantivy.Searcher, asked: Sequence[_Asked], limit: int, within: Ids | None
    ) -> tuple[Ids, Floats, float]:
        """The passages of high scores, and the score that no other one exceeds: 0 when there is no other one.

        tantivy skips what cannot be among the best only where a question is a plain sum of terms. A sum over all
        stems is never less than the sum of each word's best one, so the best by it are scored anew.
        """
        every = [(SHOULD, self._word([stem], count)) for stems, count in asked for stem in stems]
        ids, scores = _found(searcher, tantivy.Query.boolean_query(every), limit)
        lowest = float(scores[-1]) if len(scores) == limit else 0.0
        if within is not None:
            kept = within[np.minimum(np.searchsorted(within, ids), len(within) - 1)] == ids
            ids, scores = ids[kept], scores[kept]
        if any(len(stems) > 1 for stems, _ in asked):
            ids, scores = self._scored(searcher, asked, ids)
        return ids, scores, lowest

    def _scored(self, searcher: tantivy.Searcher, asked: Sequence[_Asked], ids: Ids) -> tuple[Ids, Floats]:
        """Those of the ids that have a word of the question, and their scores.

        The ids lead, and a word after the other is looked up at their places: asking for all words at once
        would score everything in between. A lookup by single terms is five times faster than a set of terms.
        """
        each = [(SHOULD, tantivy.Query.term_query(self._schema, "id", one)) for one in ids.tolist()]
        query = tantivy.Query.const_score_query(tantivy.Query.boolean_query(each), 0.0)
        for stems, count in asked:
            query = tantivy.Query.boolean_query([(MUST, query), (SHOULD, self._word(stems, count))])
        found, scores = _found(searcher, query, max(1, len(ids)))
        return found[scores > 0], scores[scores > 0]

    def _word(self, stems: list[str], count: int) -> tantivy.Query:
        each = [tantivy.Query.term_query(self._schema, "text", stem, "freq") for stem in stems]
        query = each[0] if len(each) == 1 else tantivy.Query.disjunction_max_query(each)
        return query if count == 1 else tantivy.Query.boost_query(query, 1.0 + math.log(count))

    def _writer(self) -> tantivy.IndexWriter:
        if self.readonly:
            raise ReadOnly("This library was opened for reading only", "open it without readonly")
        try:
            return self._index.writer(HEAP, 1)
        except ValueError as error:
            raise LibraryError(f"The word index in {self.folder} cannot be written ({error})", HINT) from error

    def _delete(self, writer: tantivy.IndexWriter, ids: Ids) -> None:
        # delete_documents_by_term takes a Python int for a signed term and finds nothing.
        for start in range(0, len(ids), BATCH):
            some = ids[start : start + BATCH].tolist()
            writer.delete_documents_by_query(tantivy.Query.term_set_query(self._schema, "id", some))

    def _searcher(self) -> tantivy.Searcher:
        """What is committed now, by whichever process."""
        version = self._meta()
        if version != self._version:
            if self._mirrored:
                self._index = self._open()
            try:
                self._index.reload()
            except ValueError as error:
                raise LibraryError(f"The word index in {self.folder} cannot be read ({error})", HINT) from error
            self._version = version
            self._languages = dict(self._index.searcher().terms_with_prefix("language", ""))
        return self._index.searcher()

    def _meta(self) -> bytes:
        try:
            return (self.folder / "meta.json").read_bytes()
        except FileNotFoundError:
            raise LibraryError(f"There is no word index in {self.folder}", HINT) from None
        except OSError as error:
            raise LibraryError(f"The word index in {self.folder} cannot be read ({error})", HINT) from error

    def _open(self) -> tantivy.Index:
        meta = self._meta()
        try:
            return tantivy.Index.open(str(self.folder))
        except ValueError as error:
            if "lock" not in str(error).lower():
                raise LibraryError(f"The word index in {self.folder} cannot be read ({error})", HINT) from error
        return self._open_mirror(meta)

    def _open_mirror(self, meta: bytes) -> tantivy.Index:
        """The index through links in a folder of ours: tantivy wants to make a lock file even to read."""
        mirror = Path(tempfile.mkdtemp(prefix="quoth-words-"))
        weakref.finalize(self, shutil.rmtree, mirror, ignore_errors=True)
        self._mirrored = True
        for file in self.folder.iterdir():
            if file.name == "meta.json":
                (mirror / file.name).write_bytes(meta)
            elif not file.name.endswith(".lock"):
                (mirror / file.name).symlink_to(file.resolve())
        try:
            return tantivy.Index.open(str(mirror))
        except ValueError as error:
            raise LibraryError(f"The word index in {self.folder} cannot be read ({error})", HINT) from error


def _schema() -> tantivy.Schema:
    build = tantivy.SchemaBuilder()
    build.add_unsigned_field("id", indexed=True, fast=True)
    build.add_text_field("language", tokenizer_name="raw", index_option="basic")
    build.add_text_field("text", tokenizer_name="whitespace", index_option="freq")
    return build.build()


def _commit(writer: tantivy.IndexWriter) -> None:
    writer.commit()
    writer.wait_merging_threads()


def _found(searcher: tantivy.Searcher, query: tantivy.Query, limit: int) -> tuple[Ids, Floats]:
    hits = searcher.search(query, limit, count=False).hits
    ids = searcher.fast_field_values("id", [address for _, address in hits])
    return np.array(ids, np.int64), np.array([score for score, _ in hits], np.float32)


def _ranked(ids: list[int], scores: list[float]) -> Ranked:
    return Ranked(np.array(ids, np.int64), np.array(scores, np.float32))


def _alternatives(counts: Counter[str], languages: list[str], stop: bool) -> dict[str, set[str]]:
    """The stems of each word in each of the languages, without the words that these stop."""
    found = {
        word: {
            analysis.stem(word, language) for language in languages if not (stop and analysis.stopped(word, language))
        }
        for word in counts
    }
    return {word: stems for word, stems in found.items() if stems}
