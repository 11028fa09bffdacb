"""A library as lines of JSON, for other programs and other libraries.

The first line says what the file is: format, counts, sources. Every other line is a document: its text
and marks as they were read, and the file, with its stamp, that it was read from; or a file without
documents, and why it has none. Lines are in the order of source, file and place in the file, and keys are sorted, so
that equal libraries give equal lines. An import cuts and encodes the texts anew; it reads no other file.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Container, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeVar, cast, get_args

from quoth import __version__
from quoth.backup import new_file
from quoth.catalog import Source
from quoth.catalog.copies import each_file, register
from quoth.errors import NotFound, ReadError, UsageError
from quoth.flow import Flow
from quoth.ingest import UNSTORABLE
from quoth.ingest.worker import TEXT
from quoth.lock import writer
from quoth.parts import Parts, check_encoder, disk, inside
from quoth.rebuild import recover
from quoth.sync import FILES, PASSAGES, Plan, is_same, write_batch
from quoth.types import Document, Mark, MarkKind, Progress, Report, Watcher

if TYPE_CHECKING:
    from quoth.catalog import File
    from quoth.ingest.worker import Outcome

FORMAT = 1
LONGEST = 1 << 28
"""Bytes of a line that are read."""
HASH = re.compile("[0-9a-f]{64}|")
T = TypeVar("T")
Record = dict[str, object]


@dataclass(frozen=True, slots=True)
class Exported:
    """How much was written to which file."""

    file: str
    documents: int
    bytes: int
    seconds: float


class _Wrong(Exception):
    """What is wrong with a line, in words."""


# -- out -----------------------------------------------------------------------------------------


def export(parts: Parts, file: str, force: bool, watch: Watcher) -> Exported:
    """Writes every document of the library, in one state of it, to a file ("-" is standard output)."""
    started = time.monotonic()
    with ExitStack() as held:
        out = sys.stdout.buffer if file == "-" else held.enter_context(new_file(Path(file), force))
        held.enter_context(parts.catalog.reading())
        counts, done, size = parts.catalog.counts(), 0, 0
        sources = [{key: value for key, value in asdict(one).items() if key != "id"} for one in parts.catalog.sources()]
        head = {"quoth": "export", "format": FORMAT, "version": __version__, "created": time.time()}
        size += _line(out, head | {"documents": counts["documents"], "sources": sources})
        for source, one in each_file(parts.catalog):
            stamp = _stamp(source, one)
            written = done
            for document in parts.catalog.documents_of(one.id):
                size += _line(out, stamp | _record(document))
                done += 1
                watch(Progress("writing", done, counts["documents"], 0, done, counts["documents"]))
            if done == written:
                size += _line(out, stamp | {"state": one.state, "reason": one.reason, "hint": one.hint})
        out.flush()
    return Exported(file, done, size, time.monotonic() - started)


def _stamp(source: str, file: File) -> Record:
    return {
        "source": source, "file": file.path, "size": file.size, "mtime_ns": file.mtime_ns, "sha256": file.sha256,
    }  # fmt: skip


def _record(document: Document) -> Record:
    record: Record = {name: getattr(document, name) for name in ("path", "kind", "title", "text", "lines", "language")}
    record |= {name: getattr(document, name) for name in ("modified", "hidden", "notes")}
    return record | {"marks": [[one.start, one.kind, one.value, one.number] for one in document.marks]}


def _line(out: BinaryIO, record: Record) -> int:
    """Writes a record as one line; readable where it can be, escaped where a path is no text."""
    try:
        line = json.dumps(record, ensure_ascii=False, sort_keys=True).encode() + b"\n"
    except UnicodeEncodeError:
        line = json.dumps(record, sort_keys=True).encode() + b"\n"
    out.write(line)
    return len(line)


# -- in ------------------------------------------------------------------------------------------


def import_(parts: Parts, file: str, watch: Watcher) -> Report:
    """Brings the documents of an export ("-" is standard input) into the library; files that are there stay.

    Raises `ReadError`, naming the line, when one is not as it should be: what came before it is kept,
    in whole batches, and the next import goes on there.
    """
    report, started = Report(), time.monotonic()
    with ExitStack() as held:
        stream = sys.stdin.buffer if file == "-" else held.enter_context(_opened(file))
        taken = held.enter_context(writer(parts.folder))
        held.enter_context(disk(parts.folder))
        parts.follow()
        check_encoder(parts)
        report.notes += [*([taken] if taken else []), *recover(parts, False, watch)]
        facts = {"writing": "1", "encoder": parts.encoder_spec, "fingerprint": parts.encoder.fingerprint}
        parts.catalog.note(facts)
        _documents(parts, stream, "standard input" if file == "-" else file, report, watch)
        parts.catalog.note({"writing": "0"})
    parts.secure()
    report.seconds = time.monotonic() - started
    return report


def _documents(parts: Parts, stream: BinaryIO, name: str, report: Report, watch: Watcher) -> None:
    """Cuts, encodes and writes what the lines say, a batch at a time."""
    lines = _Lines(stream, name)
    wrong = None
    with Flow[Plan](parts, lambda batch: write_batch(parts, batch, report, flow.vectors)) as flow:
        try:
            _batches(parts, lines, flow, report, watch)
        except _Wrong as error:
            wrong = error  # what is on its way is still written
    if wrong:
        hint = "what came before it is in the library; mend it and import the file again"
        raise ReadError(f"line {lines.number} of {name}: {wrong}", hint)


def _batches(parts: Parts, lines: _Lines, flow: Flow[Plan], report: Report, watch: Watcher) -> None:
    """Hands over what the lines say, in batches of whole files."""
    head = lines.head()
    plans = _plans(parts, head)
    batch: list[tuple[Plan, Outcome]] = []
    documents = waiting = 0
    of = _field(head, "documents", int)
    at = Progress("importing", 0, of, 0, 0, of)
    for source, outcome in _outcomes(lines, plans):
        documents += len(outcome.documents)
        if is_same(plans[source], outcome):
            outcome = replace(outcome, documents=())
        batch.append((plans[source], outcome))
        waiting += sum(len(passages) for _, passages in outcome.documents)
        at = replace(at, files=documents, bytes=documents, passages=report.passages)
        watch(at)
        if waiting >= PASSAGES or len(batch) >= FILES:
            flow.put(batch, partial(watch, at))
            batch, waiting = [], 0
    if documents < of:
        raise _Wrong(f"the file ends here, with {documents:,} of {of:,} documents")
    flow.put(batch, partial(watch, at))


class _Lines:
    """The records of an export, and the number of the line that was read last."""

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self._stream = stream
        self._name = name
        self.number = 0

    def head(self) -> Record:
        """The first line."""
        try:
            head = next(self, {})
        except _Wrong:
            head = {}
        if head.get("quoth") != "export":
            raise UsageError(f"{self._name} is no export of a library", "quoth export FILE makes one")
        if _field(head, "format", int) > FORMAT:
            raise UsageError(f"{self._name} was written by a newer Quoth", "pip install --upgrade quoth")
        return head

    def __iter__(self) -> Iterator[Record]:
        return self

    def __next__(self) -> Record:
        line = self._stream.readline(LONGEST)
        if not line:
            raise StopIteration
        self.number += 1
        if len(line) == LONGEST:
            raise _Wrong(f"it is longer than {LONGEST:,} bytes")
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise _Wrong(f"it is not JSON ({error})") from None
        if not isinstance(record, dict):
            raise _Wrong("it is not an object")
        return record


def _plans(parts: Parts, head: Record) -> dict[str, Plan]:
    """What is known of each source of an export; sources are registered as they were."""
    plans = {}
    for one in _field(head, "sources", list):
        if not isinstance(one, dict):
            raise _Wrong("a source is not an object")
        path, added = _path(one, "path"), _number(one, "added")
        found = next((known for known in parts.catalog.sources() if inside(path, known.path)), None)
        source: Source = found or register(parts.catalog, path, added, one.get("archives") is True)
        plans[path] = Plan(source, {file.path: file for file in parts.catalog.files(source.id)})
    return plans


def _outcomes(lines: _Lines, sources: Container[str]) -> Iterator[tuple[str, Outcome]]:
    """(source, file with all its documents), in the order of the lines."""
    from tokenizers import Tokenizer

    from quoth.embed.packaged import FOLDER
    from quoth.ingest.split import split

    tokenizer = Tokenizer.from_file(str(FOLDER / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    seen: set[int] = set()
    source, found = "", None
    for record in lines:
        mine, (outcome, document) = _path(record, "source"), _read(record)
        if mine not in sources:
            raise _Wrong(f"the source {mine} is not in the first line")
        if found and (source, found.path) == (mine, outcome.path):
            if document is None:
                raise _Wrong("its file has documents, and has none")
        else:
            if found:
                yield source, found
            if hash((mine, outcome.path)) in seen:
                raise _Wrong(f"documents of {outcome.path} stand apart from each other")
            seen.add(hash((mine, outcome.path)))
            source, found = mine, outcome
        if document:
            found = replace(found, documents=(*found.documents, (document, split(document, tokenizer))))
            if sum(len(one.text) for one, _ in found.documents) > TEXT:
                raise _Wrong(f"the text of {found.path} is longer than {TEXT:,} characters")
    if found:
        yield source, found


def _read(record: Record) -> tuple[Outcome, Document | None]:
    """The file of a line, still without documents, and its document, if it has one."""
    from quoth.ingest.worker import Outcome

    file, sha256 = _path(record, "file"), _field(record, "sha256", str)
    if not HASH.fullmatch(sha256):
        raise _Wrong("its sha256 is no hash")
    size, mtime_ns = _field(record, "size", int), _field(record, "mtime_ns", int)
    if not (0 <= size < 1 << 63 and abs(mtime_ns) < 1 << 63):
        raise _Wrong("its stamp is out of range")
    if "text" in record:
        return Outcome(file, (), "", "", False, sha256, size, mtime_ns), _document(record, file)
    state, reason, hint = (_field(record, name, str) for name in ("state", "reason", "hint"))
    if state not in ("read", "failed", "skipped") or (state == "read") == bool(reason):
        raise _Wrong("its state does not fit its reason")
    return Outcome(file, (), reason, hint, state == "skipped", sha256, size, mtime_ns), None


def _document(record: Record, file: str) -> Document:
    """The document of a line, checked: everything that later steps rely on."""
    path = _path(record, "path")
    if path != file and not path.startswith(file + "#"):
        raise _Wrong("the path of its document is not that of its file")
    kind, title, text, language, hidden = (
        _field(record, name, str) for name in ("kind", "title", "text", "language", "hidden")
    )
    marks = tuple(_mark(one) for one in _field(record, "marks", list))
    starts = [mark.start for mark in marks]
    if starts != sorted(starts) or (starts and not 0 <= starts[0] <= starts[-1] <= len(text)):
        raise _Wrong("its marks are not in order, or outside of its text")
    notes = _field(record, "notes", list)
    words = [title, text, hidden, kind, language, *(mark.value for mark in marks), *map(str, notes)]
    if any(UNSTORABLE.search(one) for one in words):
        raise _Wrong("it holds characters that no text may hold")
    lines, modified = _field(record, "lines", bool), _number(record, "modified")
    return Document(path, kind, title, text, marks, lines, language, modified, hidden, tuple(map(str, notes)))


def _mark(found: object) -> Mark:
    match found:
        case [int(start), str(kind), str(value), int(number)] if kind in get_args(MarkKind) and abs(number) < 1 << 63:
            return Mark(start, cast("MarkKind", kind), value, number)
    raise _Wrong("it holds a mark that is none")


def _field(record: Record, name: str, kind: type[T]) -> T:
    value = record.get(name)
    if type(value) is not kind:
        raise _Wrong(f"its {name} is missing" if value is None else f"its {name} is not of type {kind.__name__}")
    return value


def _number(record: Record, name: str) -> float:
    value = record.get(name)
    if type(value) not in (int, float) or not abs(cast("float", value)) < 1e15:
        raise _Wrong(f"its {name} is no number")
    return float(cast("float", value))


def _path(record: Record, name: str) -> str:
    path = _field(record, name, str)
    try:
        os.fsencode(path)
    except UnicodeEncodeError:
        raise _Wrong(f"its {name} is no path") from None
    if not path.startswith(os.sep) or "\0" in path:
        raise _Wrong(f"its {name} is no absolute path")
    return path


def _opened(file: str) -> BinaryIO:
    try:
        return Path(file).open("rb")
    except OSError as error:
        raise NotFound(f"{file} cannot be opened: {error.strerror}", "check the name") from None
