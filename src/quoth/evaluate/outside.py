"""Published sets: a library of their own, and bm25s beside it over the same files."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from quoth.errors import LibraryError, need
from quoth.evaluate.questions import Published, Question
from quoth.evaluate.run import DEPTH, Outcome, Run, measured
from quoth.library import Library, unwatched
from quoth.types import Watcher

K1, B = 1.5, 0.75


@contextmanager
def library_of(
    published: Published, folder: Path | None = None, encoder: str = "", watch: Watcher = unwatched
) -> Iterator[tuple[Library, tuple[Question, ...]]]:
    """A library of a published set's documents, and its questions about them.

    It is in `folder`, where it stays and is used again, or in a temporary one.
    """
    with tempfile.TemporaryDirectory(prefix="quoth-") as scratch:
        place = (folder or Path(scratch)).resolve()
        questions = published.written(place / "files")
        with Library.open(place / "library", encoder=encoder) as library:
            report = library.add([place / "files"], watch=watch)
            if report.failed:
                first = report.failed[0]
                raise LibraryError(
                    f"{len(report.failed)} documents of {published.name} could not be read: {first.reason}"
                )
            yield library, questions


def named(published: Published, outcomes: Sequence[Outcome], folder: Path = Path()) -> list[Outcome]:
    """The outcomes with the set's own names of the documents, whose files are in the folder."""
    ids = {str(folder / name): published.ids.get(name, name) for name in published.files}
    return [
        replace(
            one, ranked=tuple(ids.get(unit, unit) for unit in one.ranked), cluster=ids.get(one.cluster, one.cluster)
        )
        for one in outcomes
    ]


def by_bm25s(published: Published) -> Run:
    """The run of bm25s (k1 1.5, b 0.75, Snowball's stemmer) over whole documents, whose ties it breaks as it likes."""
    bm25s, stemmers = need("bm25s", "peers"), need("Stemmer", "peers")
    stemmer = stemmers.Stemmer("english")

    def words(texts: list[str]) -> object:
        return bm25s.tokenize(texts, stopwords="en", stemmer=stemmer, show_progress=False, return_ids=False)

    names = list(published.files)
    index = bm25s.BM25(method="lucene", k1=K1, b=B)
    index.index(words([published.files[one].removeprefix("# ") for one in names]), show_progress=False)
    outcomes = []
    for question in published.questions:
        started = time.perf_counter()
        found, scores = index.retrieve(words([question.text]), k=min(DEPTH, len(names)), show_progress=False)
        milliseconds = round(1000 * (time.perf_counter() - started), 3)
        ranked = tuple(names[place] for place in found[0])
        outcomes.append(
            Outcome(
                question.key, question.text, question.cluster, question.none, ranked, tuple(map(float, scores[0])),
                False, 0.0, (), {}, milliseconds,
            )
        )  # fmt: skip
    outcomes = named(published, measured(published.questions, outcomes))
    return Run("bm25s", "bm25s", {"k1": K1, "b": B}, published.name, "", time.time(), tuple(outcomes), False)
