"""Golden questions, as an evaluation sees them, and those of published sets.

A set from outside builds a library of its own: its documents become files in a folder, its judgements name those
files. Anyone can so check a published figure with one command.
"""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, cast

from quoth.errors import UsageError


@dataclass(frozen=True, slots=True)
class Golden:
    """Where an answer stands: characters of a document, or the whole of it where `start` is None; what it is worth."""

    path: str
    start: int | None = None
    end: int | None = None
    text: str = ""
    gain: int = 1


@dataclass(frozen=True, slots=True)
class Question:
    """A question whose right answer is known; `none` when the library must not answer it.

    `key` names it within its set. `answers` are texts that are right. A stale question's document has changed so
    that its place is not found any more: it is left out of evaluations, and named. In a `plain` one, as those of
    published sets are, quotation marks and hyphens are text and narrow nothing.
    """

    key: str
    text: str
    golden: tuple[Golden, ...] = ()
    answers: tuple[str, ...] = ()
    none: bool = False
    stale: bool = False
    plain: bool = False

    @property
    def cluster(self) -> str:
        """What its chance hangs together with: its source document."""
        return self.golden[0].path if self.golden else self.key


@dataclass(frozen=True, slots=True)
class Published:
    """A set from outside: its files by name, and its questions, whose golden paths are those names.

    `ids` are what the set itself calls its documents, where that is not the name.
    """

    name: str
    files: Mapping[str, str]
    questions: tuple[Question, ...]
    ids: Mapping[str, str] = field(default_factory=dict)

    def written(self, folder: Path) -> tuple[Question, ...]:
        """The questions with the paths of the files, which are written into the folder unless they are there."""
        for name, text in self.files.items():
            path = folder / name
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8", newline="")
        return tuple(
            Question(
                one.key, one.text,
                tuple(Golden(str(folder / at.path), at.start, at.end, at.text, at.gain) for at in one.golden),
                one.answers, one.none, plain=True,
            )
            for one in self.questions
        )  # fmt: skip


def beir(folder: Path, split: str = "") -> Published:
    """A collection in the layout of BEIR: corpus.jsonl[.gz], queries.jsonl[.gz], qrels/SPLIT.tsv.

    Unless `split` says otherwise it is the only one, else "test", else "dev". A document is a Markdown file: its
    title as a heading, then its text. Questions that nobody judged in the split are left out.
    """
    splits = sorted(path.stem for path in (folder / "qrels").glob("*.tsv"))
    chosen = split or (splits[0] if len(splits) == 1 else next((one for one in ("test", "dev") if one in splits), ""))
    if chosen not in splits:
        have = f"it has {', '.join(splits)}" if splits else "a folder has corpus.jsonl, queries.jsonl and qrels/*.tsv"
        raise UsageError(f"{folder} has no judgements{f' of {chosen}' if chosen else ''}", have)
    names: dict[str, str] = {}
    files: dict[str, str] = {}
    for place, (where, row) in enumerate(_rows(folder, "corpus")):
        title, text = str(row.get("title") or ""), _said(row, "text", where)
        names[_said(row, "_id", where)] = f"{place:06}.md"
        files[f"{place:06}.md"] = f"# {' '.join(title.split())}\n\n{text}" if title.strip() else text
    judged = qrels(folder / "qrels" / f"{chosen}.tsv", names)
    questions = []
    for where, row in _rows(folder, "queries"):
        key = _said(row, "_id", where)
        if key in judged:
            golden = tuple(Golden(path, gain=gain) for path, gain in judged[key].items())
            questions.append(Question(key, _said(row, "text", where), golden))
    if not questions:
        raise UsageError(f"no question of {folder} is judged in {chosen}", "choose another with --split")
    ids = {name: id_ for id_, name in names.items()}
    return Published(f"{folder.name} ({chosen})", files, tuple(questions), ids)


def qrels(file: Path, names: Mapping[str, str]) -> dict[str, dict[str, int]]:
    """Judgements by question, then by the name that `names` gives a document; in BEIR's layout or TREC's.

    Raises `UsageError` for a line that is none, and for documents that are not there.
    """
    judged: dict[str, dict[str, int]] = {}
    with _opened(file) as lines:
        for number, line in enumerate(lines, 1):
            row = next(csv.reader([line], delimiter="\t")) if "\t" in line else line.split()
            if not row or (number == 1 and row[-1] == "score"):
                continue
            try:
                question, document, gain = row[0], row[-2], int(row[-1])
            except (IndexError, ValueError):
                raise UsageError(
                    f"{file}, line {number}: no judgement", "a line is: question, document, gain"
                ) from None
            if document not in names:
                raise UsageError(
                    f"{file}, line {number}: there is no document {document}",
                    "are these the corpus and its judgements?",
                )
            judged.setdefault(question, {})[names[document]] = gain
    return judged


def queries(file: Path) -> Iterator[tuple[str, str]]:
    """(number, question) of each line of a file: parted by a tab, or records with _id and text."""
    with _opened(file) as lines:
        for place, line in enumerate(lines, 1):
            where = f"{file}, line {place}"
            if line.lstrip().startswith("{"):
                row = record(line, where)
                yield _said(row, "_id", where), storable(_said(row, "text", where))
            elif line.strip():
                number, tab, text = line.partition("\t")
                if not tab or not text.strip():
                    raise UsageError(f"{where}: no question", "a line is: number, tab, question")
                yield number.strip(), storable(text.strip())


def squad(file: Path) -> Published:
    """A set in the layout of SQuAD 1.1 or 2.0: a text file a paragraph, in a folder for each article."""
    try:
        with _opened(file) as opened:
            articles = json.load(opened)["data"]
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{file} is not in the layout of SQuAD ({error})", "it holds data, paragraphs and qas"
        ) from None
    files: dict[str, str] = {}
    questions: list[Question] = []
    for number, article in enumerate(articles):
        title = str(article.get("title", f"article-{number}")).replace("/", "_")
        for place, paragraph in enumerate(article["paragraphs"]):
            name, text = f"{title}/{place:03}.txt", paragraph["context"]
            files[name] = text
            for asked in paragraph["qas"]:
                right = [] if asked.get("is_impossible") else asked["answers"]
                golden = dict.fromkeys(
                    Golden(name, one["answer_start"], one["answer_start"] + len(one["text"]), one["text"])
                    for one in right
                    if text.startswith(one["text"], one["answer_start"])
                )
                answers = tuple(dict.fromkeys(str(one["text"]) for one in right))
                if golden or not right:
                    questions.append(Question(str(asked["id"]), asked["question"], tuple(golden), answers, not right))
    if not questions:
        raise UsageError(f"{file} holds no questions", "it holds data, paragraphs and qas")
    return Published(file.name.removesuffix(".gz").removesuffix(".json"), files, tuple(questions))


def _rows(folder: Path, name: str) -> Iterator[tuple[str, dict[str, object]]]:
    """(file and line, record) of each line of NAME.jsonl or NAME.jsonl.gz."""
    packed = folder / f"{name}.jsonl.gz"
    file = packed if packed.exists() else folder / f"{name}.jsonl"
    with _opened(file) as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield f"{file}, line {number}", record(line, f"{file}, line {number}")


def record(line: str, where: str) -> dict[str, object]:
    """A line of JSON that holds a record, or `UsageError` that says where it stands."""
    try:
        value = json.loads(line)
    except ValueError as error:
        raise UsageError(f"{where}: no JSON ({error})", "every line is one record") from None
    if not isinstance(value, dict):
        raise UsageError(f"{where}: no record", "every line is one record")
    return value


def storable(text: str) -> str:
    """The text, with what no UTF-8 can hold replaced: the name of a file may hold such bytes, a question need not."""
    return text.encode("utf-8", "replace").decode("utf-8")


def to_line(values: Mapping[str, object]) -> str:
    """A record as a line of JSON that people can read, escaped where a path holds what no UTF-8 can."""
    line = json.dumps(values, ensure_ascii=False)
    return line if storable(line) == line else json.dumps(values)


def _said(row: dict[str, object], name: str, where: str) -> str:
    if not isinstance(row.get(name), str):
        raise UsageError(f"{where}: it has no {name}", "every line is one record of BEIR's layout")
    return str(row[name])


def _opened(file: Path) -> IO[str]:
    try:
        if file.suffix == ".gz":
            return cast("IO[str]", gzip.open(file, "rt", encoding="utf-8"))
        return file.open(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}", "check the name") from None
