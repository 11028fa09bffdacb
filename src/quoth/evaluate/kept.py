"""What the command line asks for: a set measured and kept, and two kept runs compared and entered in the ledger."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from quoth.catalog import journal, ledger, runs
from quoth.errors import MissingPart, UsageError
from quoth.evaluate import golden, outside, summary
from quoth.evaluate.compare import Comparison, compare
from quoth.evaluate.questions import Published, beir, squad
from quoth.evaluate.run import Run, evaluate, read
from quoth.library import Library, unwatched
from quoth.types import Watcher

if TYPE_CHECKING:
    from quoth.recipe import Kept

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be measured, as the options of `quoth evaluate` say it."""

    recipe: str = ""
    set: str = golden.SET
    beir: Path | None = None
    split: str = ""
    squad: Path | None = None
    answers: bool | None = None
    limit: int | None = None
    keep: Path | None = None
    name: str = ""


def measure(library: Library, wanted: Wanted, watch: Watcher = unwatched) -> tuple[Run, list[Run]]:
    """The run, kept in the library's folder, and for a published set that of bm25s where it is installed."""
    if wanted.beir and wanted.squad:
        raise UsageError("--beir and --squad are two sets", "give one of them")
    kept = library.recipe_named(wanted.recipe)
    published = beir(wanted.beir, wanted.split) if wanted.beir else squad(wanted.squad) if wanted.squad else None
    set_ = published.name if published else wanted.set
    name = wanted.name or _named(f"{set_}-{kept.name}")
    saved = runs.Saved(library._parts.catalog, name)
    if published:
        published = replace(published, questions=tuple(spread(published.questions, wanted.limit)))
        run = _outside(library, published, wanted, kept, name, saved, watch)
    else:
        questions = spread(golden.questions(library, wanted.set), wanted.limit)
        run = evaluate(
            library,
            questions,
            kept.recipe,
            name=name,
            answers=wanted.answers is not False,
            saved=saved,
            watch=watch,
        )
    run = replace(run, set=set_)
    record = dataclasses.asdict(run)
    saved.finish(record, record.pop("outcomes"))
    means = {measure: one["mean"] for measure, one in summary.of(run)["measures"].items()}
    journal.append(library._parts.catalog, "evaluated", run.recipe, {"run": run.name, "set": run.set, "means": means})
    beside = []
    if published and wanted.beir:
        with suppress(MissingPart):
            beside.append(outside.by_bm25s(published))
    return run, beside


@dataclass(frozen=True, slots=True)
class Compared:
    """A comparison and its two runs."""

    found: Comparison
    first: Run
    second: Run


def compared(library: Library, first: str, second: str, *, primary: str, margin: float) -> Compared:
    """The comparison of two runs, each a name in this library or a file, entered in the ledger."""
    one, other = (_run(library, name) for name in (first, second))
    found = compare(one, other, primary=primary, margin=margin)
    catalog = library._parts.catalog
    pairs = {(one.recipe, other.recipe), *((before, after) for _, before, after, _ in ledger.every(catalog, found.set))}
    found = replace(found, looks=len({pair for pair in pairs if pair[0] != pair[1]}) or 1)
    if not catalog.readonly:
        ledger.enter(catalog, time.time(), found.set, one.recipe, other.recipe, json.dumps(_told(found)))
    return Compared(found, one, other)


def write_report(file: Path, done: Compared) -> None:
    """Write a comparison as a page, all or nothing."""
    from quoth.evaluate import report

    text = report.page(done.found, done.first, done.second)
    written = file.with_name(file.name + ".new")
    try:
        written.write_text(text, encoding="utf-8")
        written.replace(file)
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}", "choose another with --html") from None


def kept_runs(library: Library) -> list[Run]:
    """The runs that were kept, the oldest first."""
    return [_run(library, name) for name in runs.names(library._parts.catalog)]


def spread(items: Sequence[T], most: int | None) -> Sequence[T]:
    """At most so many of the items, evenly spread."""
    if not most or len(items) <= most:
        return items
    return [items[round(at)] for at in np.linspace(0, len(items) - 1, most)]


def _outside(
    library: Library, published: Published, wanted: Wanted, kept: Kept, name: str, saved: runs.Saved, watch: Watcher
) -> Run:
    answers = wanted.answers if wanted.answers is not None else wanted.squad is not None
    with outside.library_of(published, wanted.keep, library._parts.encoder_spec, watch) as (made, questions):
        run = evaluate(made, questions, kept.recipe, name=name, answers=answers, saved=saved, watch=watch)
        files = Path(made.sources()[0].path)
    return replace(run, outcomes=tuple(outside.named(published, run.outcomes, files)))


def _run(library: Library, name: str) -> Run:
    """A run of this library, or of a file that `quoth evaluate --out` wrote."""
    file = Path(name)
    if (runs.NAMED.fullmatch(name) and name in runs.names(library._parts.catalog)) or not file.is_file():
        record, outcomes = runs.load(library._parts.catalog, name)
        return read(record | {"outcomes": outcomes}, name)
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{name} is no run ({error})", "quoth evaluate --out FILE writes one") from None
    if not isinstance(record, dict):
        raise UsageError(f"{name} is no run", "quoth evaluate --out FILE writes one")
    return read(record, name)


def _named(text: str) -> str:
    """The text as the name of a run."""
    return "".join(one if one.isalnum() or one in "._+-" else "-" for one in text).strip("-.")[:64]


def _told(found: Comparison) -> dict[str, object]:
    """What the ledger keeps of a comparison: numbers, no questions."""
    at = found.decisive
    return {
        "primary": found.primary, "questions": at.questions, "difference": at.difference, "p": at.p,
        "anytime": found.anytime, "verdict": found.verdict,
    }  # fmt: skip
