"""What the command line prints: records as text for people, or as one JSON object for programs."""

from __future__ import annotations

import dataclasses
import datetime
import json
import os
import re
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from quoth.errors import UsageError
from quoth.ingest.kinds import pages

if TYPE_CHECKING:
    from quoth.asking import Explanation
    from quoth.backup import Backup, Moved
    from quoth.catalog import Source
    from quoth.doctor import Check
    from quoth.exchange import Exported
    from quoth.llm.reach import Reached
    from quoth.restore import Restored
    from quoth.types import (
        Answer,
        Box,
        Claim,
        Document,
        Hit,
        Hits,
        Place,
        Progress,
        Quote,
        Report,
        Status,
        Usage,
        Watcher,
    )

UNSAFE = re.compile("[\\0-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f-\\x9f\\u202a-\\u202e\\u2066-\\u2069]|\\r(?!\\n)")
"""Characters by which a file could move the cursor, set colours or turn text around on a terminal."""
AROUND = 400
"""Characters shown before and after the place that `show --at` names."""
KEPT = "  kept: the file itself; the library's files may hold its words for a while (quoth forget, instead, erases)"


def span(text: str | None) -> tuple[int, int] | None:
    """START[:END] as two character offsets."""
    if text is None:
        return None
    start, _, end = text.partition(":")
    if not start.isdecimal() or (end and not end.isdecimal()):
        raise UsageError(f"{text!r} is not a place", "write it as START or START:END, in characters")
    if end and int(end) <= int(start):
        raise UsageError(f"{text!r} is no place: it ends before it starts", "write it as START:END, in characters")
    return int(start), int(end or int(start) + 1)


def passwords(one: str | None, file: str | None) -> tuple[str, ...]:
    """The passwords to try: the one given, then the lines of the file."""
    lines: list[str] = []
    if file is not None:
        try:
            lines = Path(file).expanduser().read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
            raise UsageError(f"the password file {file} cannot be read: {why}", "one password a line") from None
    return tuple(dict.fromkeys(([one] if one else []) + [line for line in lines if line]))


@contextmanager
def progress(shown: bool) -> Iterator[Watcher]:
    """A watcher that shows what takes over a second: a bar on a terminal, plain lines elsewhere."""
    if not shown:
        yield lambda _: None
        return
    watch = _Bar() if sys.stderr.isatty() else _Lines()
    try:
        yield watch
    finally:
        watch.close()


class _Lines:
    """Progress as a line every few seconds."""

    def __init__(self, every: float = 5.0) -> None:
        self._every = every
        self._started = time.monotonic()
        self._next = self._started + 1.0

    def __call__(self, now: Progress) -> None:
        at = time.monotonic()
        if at >= self._next:
            self._next = at + self._every
            left = _left(now, at - self._started)
            click.echo(f"{now.doing}: {_counts(now)}{f', about {duration(left)} left' if left else ''}", err=True)

    def close(self) -> None:
        pass


class _Bar:
    """Progress as a bar that goes away when it is done."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._bar: object = None

    def __call__(self, now: Progress) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        elapsed = time.monotonic() - self._started
        if self._bar is None and elapsed > 1.0:
            columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[counts]}"))
            bar = Progress(*columns, console=Console(stderr=True), transient=True)
            bar.start()
            self._bar, self._task = bar, bar.add_task(now.doing, counts="")
        if isinstance(self._bar, Progress):
            left = _left(now, elapsed)
            counts = _counts(now) + (f" · about {duration(left)} left" if left else "")
            self._bar.update(
                self._task,
                description=now.doing,
                completed=now.bytes,
                total=now.of_bytes or None,
                counts=counts,
            )

    def close(self) -> None:
        stop = getattr(self._bar, "stop", None)
        if stop:
            stop()


def _counts(now: Progress) -> str:
    if now.doing == "evaluating":
        return f"{now.bytes:,} of {some(now.of_bytes, 'question')}"
    files = f"{now.files:,} of {now.of:,} files · " if now.of else ""
    return f"{files}{some(now.passages, 'passage')}"


def _left(now: Progress, elapsed: float) -> float | None:
    share = now.bytes / now.of_bytes if now.of_bytes else 0
    return elapsed * (1 - share) / share if share > 0.02 else None


def duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def show_report(report: Report, as_json: bool) -> None:
    """Print what an add or a sync did."""
    if as_json:
        return print_json(dataclasses.asdict(report))
    names = ("added", "updated", "moved", "removed", "unchanged")
    done = [f"{count:,} {name}" for name in names if (count := getattr(report, name))]
    click.echo(f"{', '.join(done) or 'nothing to do'} · {report.passages:,} passages · {report.seconds:.1f} s")
    for note in report.notes:
        click.echo(safe(f"  {note}"))
    for failure in report.failed[:20]:
        hint = f" (try: {failure.hint})" if failure.hint else ""
        click.echo(safe(f"  failed: {failure.path}: {failure.reason}{hint}"))
    if len(report.failed) > 20:
        click.echo(f"  … and {len(report.failed) - 20:,} more failed; see --json")
    if report.skipped:
        reasons: dict[str, int] = {}
        for skip in report.skipped:
            reasons[skip.reason] = reasons.get(skip.reason, 0) + 1
        most = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
        listed = ", ".join(f"{count:,} {reason}" for reason, count in most[:6])
        click.echo(f"  skipped {len(report.skipped):,}: {listed}{', …' if len(most) > 6 else ''}")
    return None


def show_answer(answer: Answer, explanation: Explanation | None, as_json: bool) -> None:
    """Print an answer, and how it came about when asked."""
    if as_json:
        explained = {"explanation": dataclasses.asdict(explanation)} if explanation else {}
        return print_json(dataclasses.asdict(answer) | explained)
    if answer.answered:
        _show_claims_and_quotes(answer)
        others = "also" if answer.also else ""
    else:
        click.echo(safe(answer.text) + "\n")
        others = "nearest"
    for quote in answer.also:
        click.echo(click.style(f"  {others}: {_short(quote.text)}\n    {_where(quote)}", dim=True))
    for note in answer.notes:
        click.echo(f"  note: {note}")
    searched = f"{answer.searched.documents:,} documents, {answer.searched.passages:,} passages"
    click.echo(click.style(f"  confidence {answer.confidence:.2f} · {searched} · {answer.seconds:.2f} s", dim=True))
    if answer.usage:
        click.echo(click.style(f"  {_spent(answer.usage)}", dim=True))
    if explanation:
        _show_explanation(explanation)
    return None


def _show_claims_and_quotes(answer: Answer) -> None:
    """Print sentences with the numbers of their quotes, then the quotes; what no quote carries says so."""
    said = [one for one in answer.claims if one.text not in {quote.text for quote in answer.quotes}]
    written = any(one.quotes for one in said)
    if written:
        _show_claims(said)
    for number, quote in enumerate(answer.quotes, 1):
        mark = f"[{number}] " if written else ""
        click.echo(f"{mark}{click.style(_quoted(quote.text), bold=not written)}\n  {_where(quote)}\n")
    if said and not written:
        _show_claims(said)


def _show_claims(claims: Sequence[Claim]) -> None:
    for one in claims:
        marks = "".join(f"[{number}]" for number in one.quotes)
        why = "what the model knows, not from your files" if one.general else "not supported by your files"
        click.echo(f"{click.style(safe(one.text), bold=bool(marks))} {marks or click.style(f'({why})', fg='yellow')}")
    click.echo("")


def _spent(usage: Usage) -> str:
    """What the language model was asked for, in numbers."""
    tokens = f"{usage.input_tokens:,} tokens read, {usage.output_tokens:,} written"
    cost = "" if usage.cost is None else f" · ${usage.cost:.4f}"
    return safe(f"{usage.model} · {some(usage.requests, 'request')} · {tokens}{cost}")


def _show_explanation(explanation: Explanation) -> None:
    for title, hits, score in (
        ("by words (BM25)", explanation.by_words, "words"),
        ("by vectors (cosine)", explanation.by_vectors, "vectors"),
        ("fused", explanation.fused, "score"),
    ):
        click.echo(f"\n{title}")
        for hit in hits:
            click.echo(f"  {getattr(hit, score):8.3f}  {_name(hit)}  {_short(hit.text, 70)}")
    click.echo("\nsentences")
    for sentence in explanation.sentences:
        click.echo(f"  {sentence.score:8.3f}  {_short(sentence.text, 90)}")
        click.echo("            " + ", ".join(f"{name} {value:.2f}" for name, value in sentence.features.items()))
    click.echo("\ndecision")
    for name, value in explanation.decision.items():
        click.echo(f"  {name} {value:.3f}")


def show_hits(found: Hits, as_json: bool) -> None:
    """Print the hits of a search."""
    if as_json:
        return print_json(dataclasses.asdict(found))
    for hit in found.hits:
        click.echo(f"{hit.rank:3}. {click.style(_where(hit), bold=True)}  ({hit.score:.3f})")
        click.echo(f"     {_short(hit.text, 300)}")
    for note in found.notes:
        click.echo(f"  note: {note}")
    click.echo(click.style(f"  {len(found.hits)} passages · {found.seconds:.2f} s", dim=True))
    return None


def show_document(document: Document, place: tuple[int, int] | None, boxes: Sequence[Box], as_json: bool) -> None:
    """Print a document's text, whole or around one place."""
    if as_json:
        record: dict[str, object] = {
            "document": document.path,
            "title": document.title,
            "text": document.text,
            "pages": document.pages(),
            "notes": document.notes,
        }
        if place:
            record["at"] = dataclasses.asdict(document.place(place[0])) | {"start": place[0], "end": place[1]}
            record["boxes"] = [dataclasses.asdict(box) for box in boxes]
        return print_json(record)
    if place is None:
        click.echo(safe(document.text), nl=bool(document.text))
        for note in document.notes:
            click.echo(safe(note), err=bool(document.text))
        return None
    start, end = place
    at = document.place(start)
    click.echo(f"{safe(document.path)}\n{', '.join(_details(document.path, at))}\n")
    before, after = document.text[max(0, start - AROUND) : start], document.text[end : end + AROUND]
    click.echo(safe(before) + click.style(safe(document.text[start:end]), reverse=True) + safe(after))
    return None


def show_status(status: Status, as_json: bool) -> None:
    """Print what is in the library."""
    if as_json:
        return print_json(dataclasses.asdict(status))
    click.echo(f"{status.library}  ({status.bytes / 1e6:,.1f} MB)")
    click.echo(f"  {status.documents:,} documents, {status.passages:,} passages from {status.sources:,} sources")
    for name, counts in (("kinds", status.kinds), ("languages", status.languages)):
        if counts:
            listed = ", ".join(f"{key or 'not known'} {count:,}" for key, count in list(counts.items())[:8])
            click.echo(f"  {name}: {listed}")
    if status.failed:
        click.echo(f"  {some(status.failed, 'file')} could not be read: quoth sync lists them, --retry tries again")
    if status.writer:
        click.echo(f"  being written to by {status.writer}")
    click.echo(f"  encoder {status.encoder}")
    return None


def show_sources(sources: Sequence[Source], as_json: bool) -> None:
    """Print the sources."""
    if as_json:
        return print_json({"sources": [{"path": one.path, "added": one.added} for one in sources]})
    for one in sources:
        click.echo(f"{datetime.datetime.fromtimestamp(one.added).astimezone():%Y-%m-%d}  {one.path}")
    if not sources:
        click.echo("no sources yet: quoth add FOLDER")
    return None


def show_removed(removed: Mapping[str, int], as_json: bool) -> None:
    """Print how many files left the library for each path."""
    if as_json:
        return print_json({"removed": dict(removed)})
    for path, count in removed.items():
        click.echo(safe(f"{some(count, 'file')} left the library: {path}"))
    if removed:
        click.echo(KEPT)
    return None


def show_checks(checks: Sequence[Check], as_json: bool) -> None:
    """Print what the doctor found."""
    if as_json:
        return print_json({"ok": all(one.ok for one in checks), "checks": [dataclasses.asdict(one) for one in checks]})
    for one in checks:
        mark = click.style("ok  ", fg="green") if one.ok else click.style("FAIL", fg="red")
        click.echo(f"{mark}  {one.name}: {one.found}" + (f"\n        try: {one.repair}" if one.repair else ""))
    return None


def show_models(found: Sequence[Reached], used: str, as_json: bool) -> None:
    """Print the language models that answer, the one of the settings marked."""
    if as_json:
        return print_json({"models": [dataclasses.asdict(one) for one in found], "used": used})
    for one in found:
        mark = click.style("*", fg="green") if one.name == used else " "
        said = one.problem or (f"{one.context:,} tokens" if one.context else "")
        click.echo(f"{mark} {safe(one.name)}" + (f"  {safe(said)}" if said else ""))
    if not any(one.model for one in found):
        click.echo("no language model answers; Quoth is complete without one (docs/models.md tells how to have one)")
    else:
        click.echo('use one: quoth ask --llm NAME, or llm = "NAME" in quoth.toml')
    return None


def show_reindexed(done: Mapping[str, int], as_json: bool) -> None:
    """Print how many passages each index was made anew with."""
    if as_json:
        return print_json({"reindexed": dict(done)})
    for name, count in done.items():
        click.echo(f"{name}: {some(count, 'passage')}")
    return None


def show_moved(done: Moved, as_json: bool) -> None:
    """Print how much has a new place."""
    if as_json:
        return print_json(dataclasses.asdict(done))
    verb = "has" if done.files == 1 else "have"
    click.echo(f"{some(done.files, 'file')} {verb} a new place; quoth sync compares them with the disk")
    return None


def show_exported(done: Exported, as_json: bool) -> None:
    """Print how much was exported, unless that is where the export went."""
    if done.file == "-":
        return None
    if as_json:
        return print_json(dataclasses.asdict(done))
    size = f"{done.bytes / 1e6:,.1f} MB · {done.seconds:.1f} s"
    click.echo(safe(f"{done.file}  {done.documents:,} documents · {size}"))
    return None


def show_backup(done: Backup, as_json: bool) -> None:
    """Print what was backed up."""
    if as_json:
        return print_json(dataclasses.asdict(done))
    counts = f"{done.documents:,} documents, {done.passages:,} passages"
    click.echo(safe(f"{done.file}  {counts} · {done.bytes / 1e6:,.1f} MB · {done.seconds:.1f} s"))
    for note in done.notes:
        click.echo(safe(f"  note: {note}"))
    return None


def show_restored(done: Restored, as_json: bool) -> None:
    """Print what was restored, and where the library is that was there."""
    if as_json:
        return print_json(dataclasses.asdict(done))
    counts = f"{done.documents:,} documents, {done.passages:,} passages"
    click.echo(safe(f"{done.library}  {counts} restored and checked · {done.seconds:.1f} s"))
    if done.encoded:
        click.echo(f"  {done.encoded:,} passages were encoded anew, because the backup lacked their vectors")
    for note in done.notes:
        click.echo(safe(f"  note: {note}"))
    if done.before:
        click.echo(safe(f"  the library that was there is now {done.before}: delete it when you need it no more"))
    return None


def print_json(record: Mapping[str, object]) -> None:
    click.echo(json.dumps(record))


def show_count(done: str, count: int, what: str, as_json: bool) -> None:
    """Print how many of something were added or removed."""
    if as_json:
        return print_json({done: count})
    click.echo(f"{done}: {some(count, what)}")
    return None


def some(count: int, what: str) -> str:
    """So many of something: "1 file", "2,000 files"."""
    return f"{count:,} {what if count == 1 else what[:-1] + 'ies' if what.endswith('ry') else what + 's'}"


def safe(text: str) -> str:
    """The text with characters that command a terminal written out."""
    return UNSAFE.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def _quoted(text: str) -> str:
    return f"“{safe(text)}”"


def _short(text: str, limit: int = 200) -> str:
    line = safe(" ".join(text.split()))
    return line if len(line) <= limit else line[: limit - 1] + "…"


def _name(hit: Hit) -> str:
    return hit.document.rsplit(os.sep, 1)[-1]


def _details(path: str, at: Place | Quote | Hit) -> list[str]:
    page = f"{pages(path)} {at.page}" if at.page else ""
    return [part for part in (page, f"line {at.line}" if at.line else "", at.cells or "", at.heading or "") if part]


def _where(found: Quote | Hit) -> str:
    details = _details(found.document, found)
    return safe(" · ".join([found.document, *details])).replace("\n", "\\n")
