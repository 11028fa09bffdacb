"""A library as lines of JSON and back again."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from conftest import Quoth, copied, write_notes
from quoth import Library, exchange
from quoth.errors import NotFound, ReadError, UsageError

EXAMPLES = Path(__file__).parent.parent / "examples"
MAILBOX = (
    "From ada@example.org Mon Jan  1 00:00:00 2024\nFrom: ada@example.org\nDate: Mon, 1 Jan 2024 00:00:00 +0000\n"
    "Message-ID: <{0}@example.org>\nSubject: {0}\n\nThe key of the {0} is under the {1}.\n\n"
)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of many kinds, several documents in one, a broken one, a name that is no text; a library of them beside."""
    place = tmp_path_factory.mktemp("many")
    notes = write_notes(place / "notes")
    for path in EXAMPLES.iterdir():
        shutil.copy(path, notes)
    (notes / "keys.mbox").write_text(MAILBOX.format("shed", "stone") + MAILBOX.format("car", "mat"))
    (notes / "broken.pdf").write_bytes(b"%PDF-1.4 broken")
    (notes / "program").write_bytes(b"\x7fELF\x02\x01\x01" + bytes(200))
    Path(os.fsdecode(os.fsencode(notes) + b"/caf\xe9.txt")).write_text("The café opens at nine.\u2028It closes late.\n")
    with Library.open(place / "library") as library:
        library.add([notes])
    return place


@pytest.fixture
def filled(many: Path, notes: Path, tmp_path: Path) -> Path:
    """A library of these files, moved to the test's own folder, and what it exports."""
    with Library.open(copied(many, tmp_path)) as library:
        done = library.export(str(tmp_path / "export.jsonl"))
        assert done.documents == library.status().documents > 10
        assert done.bytes == (tmp_path / "export.jsonl").stat().st_size
    return tmp_path / "library"


def lines(file: Path) -> list[bytes]:
    """The lines of an export, without the time of the first."""
    first, *others = file.read_bytes().splitlines(keepends=True)
    return [json.dumps(json.loads(first) | {"created": 0}).encode(), *others]


def test_an_export_of_an_import_is_the_same(filled: Path, tmp_path: Path) -> None:
    with Library.open(tmp_path / "other") as library:
        report = library.import_(str(tmp_path / "export.jsonl"))
        assert [Path(one.path).name for one in report.failed] == ["broken.pdf"]
        assert report.added == len(library._parts.catalog.files()) - len(report.failed) - len(report.skipped)
        library.export(str(tmp_path / "again.jsonl"))
    assert lines(tmp_path / "again.jsonl") == lines(tmp_path / "export.jsonl")


def test_what_was_imported_answers_as_the_original(filled: Path, notes: Path, tmp_path: Path) -> None:
    asked = (
        "When were the tomatoes planted?",
        "How long does the warranty of the inverter last?",
        "Where is the car key?",
    )
    with Library.open(tmp_path / "other") as other, Library.open(filled) as library:
        other.import_(str(tmp_path / "export.jsonl"))
        for question in asked:
            quotes = library.ask(question).quotes
            assert quotes
            assert [replaced(one) for one in other.ask(question).quotes] == [replaced(one) for one in quotes]
        report = other.sync()  # on the same machine: all files are as they were
        assert (report.added, report.updated, report.removed, report.passages) == (0, 0, 0, 0)
        assert [check.name for check in other.doctor() if not check.ok] == []
        notes.rename(tmp_path / "elsewhere")  # on another machine: they are not there
        report = other.sync()
        assert [(one.path, one.reason) for one in report.failed] == [
            (str(notes), "the source is not there; nothing of it was removed")
        ]
        assert other.status().documents == library.status().documents


def replaced(quote: object) -> tuple[object, ...]:
    return tuple(
        getattr(quote, name) for name in ("text", "document", "start", "end", "page", "line", "heading", "cells")
    )


def test_the_lines_are_what_the_documentation_says(filled: Path, notes: Path, tmp_path: Path) -> None:
    head, *records = (json.loads(line) for line in (tmp_path / "export.jsonl").read_bytes().splitlines())
    assert set(head) == {"quoth", "format", "version", "created", "documents", "sources"}
    assert [one["path"] for one in head["sources"]] == [str(notes)]
    garden = next(one for one in records if one["file"] == str(notes / "garden.md"))
    assert set(garden) == {
        "source", "file", "size", "mtime_ns", "sha256",
        "path", "kind", "title", "text", "marks", "lines", "language", "modified", "hidden", "notes",
    }  # fmt: skip
    assert garden["text"] == (notes / "garden.md").read_text()
    assert garden["marks"][0] == [0, "heading", "Garden", 1]
    assert [one["file"] for one in records] == sorted((one["file"] for one in records), key=os.fsencode)
    assert [one["path"] for one in records if one["file"].endswith("mbox")] == [
        str(notes / "keys.mbox#1"), str(notes / "keys.mbox#2"),
    ]  # fmt: skip
    broken = next(one for one in records if one["file"] == str(notes / "broken.pdf"))
    assert (broken["state"], "text" in broken) == ("failed", False)


def garden(content: list[bytes]) -> int:
    """The place of a line with a document that has everything."""
    return next(place for place, line in enumerate(content) if b'garden.md"' in line)


def changed(**fields: object) -> Callable[[list[bytes]], None]:
    def change(content: list[bytes]) -> None:
        place = garden(content)
        record = json.loads(content[place])
        content[place] = json.dumps({**record, **fields}).encode() + b"\n"

    return change


def without(name: str) -> Callable[[list[bytes]], None]:
    def change(content: list[bytes]) -> None:
        place = garden(content)
        record = json.loads(content[place])
        del record[name]
        content[place] = json.dumps(record).encode() + b"\n"

    return change


def put(line: int, text: bytes) -> Callable[[list[bytes]], None]:
    def change(content: list[bytes]) -> None:
        content[line - 1] = text + b"\n"

    return change


def cut(content: list[bytes]) -> None:
    content[-1] = content[-1][:40]


def fewer(content: list[bytes]) -> None:
    content.pop()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (put(4, b"{"), "line 4 of .*: it is not JSON"),
        (put(4, b"\xff\xfe"), "line 4 of .*: it is not JSON"),
        (put(4, b"[" * 100_000), "line 4 of .*: it is not JSON"),
        (put(4, b"[1]"), "line 4 of .*: it is not an object"),
        (put(4, b""), "line 4 of .*: it is not JSON"),
        (without("title"), "line GARDEN of .*: its title is missing"),
        (changed(size="7"), "line GARDEN of .*: its size is not of type int"),
        (changed(size=-1), "line GARDEN of .*: its stamp is out of range"),
        (changed(lines=1), "line GARDEN of .*: its lines is not of type bool"),
        (changed(modified="now"), "line GARDEN of .*: its modified is no number"),
        (changed(modified=float("nan")), "line GARDEN of .*: its modified is no number"),
        (changed(sha256="../../x"), "line GARDEN of .*: its sha256 is no hash"),
        (changed(file="notes.txt"), "line GARDEN of .*: its file is no absolute path"),
        (changed(path="/etc/passwd"), "line GARDEN of .*: the path of its document is not that of its file"),
        (changed(source="/nowhere"), "line GARDEN of .*: the source /nowhere is not in the first line"),
        (changed(title="a\0b"), "line GARDEN of .*: it holds characters that no text may hold"),
        (changed(marks=[[0, "place", "", 0]]), "line GARDEN of .*: it holds a mark that is none"),
        (changed(marks=[[9_999_999, "page", "", 1]]), "line GARDEN of .*: its marks are not in order"),
        (changed(marks=[[5, "page", "", 1], [0, "page", "", 2]]), "line GARDEN of .*: its marks are not in order"),
        (cut, "line .*: it is not JSON"),
        (fewer, "line .*: the file ends here, with .* documents"),
    ],
)
def test_a_line_that_is_wrong_is_named(
    change: Callable[[list[bytes]], None], said: str, filled: Path, tmp_path: Path
) -> None:
    content = (tmp_path / "export.jsonl").read_bytes().splitlines(keepends=True)
    number = garden(content) + 1
    change(content)
    (tmp_path / "wrong.jsonl").write_bytes(b"".join(content))
    with Library.open(tmp_path / "other") as library:
        with pytest.raises(ReadError, match=said.replace("GARDEN", str(number))):
            library.import_(str(tmp_path / "wrong.jsonl"))
        assert library.status().documents == 0  # one batch: all of it or nothing
        assert library.import_(str(tmp_path / "export.jsonl")).added > 8
        assert [check.name for check in library.doctor() if not check.ok] == []


def test_documents_of_a_file_that_stand_apart_are_refused(filled: Path, tmp_path: Path) -> None:
    content = (tmp_path / "export.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "wrong.jsonl").write_bytes(b"".join([*content, content[1]]))
    with Library.open(tmp_path / "other") as library, pytest.raises(ReadError, match="stand apart from each other"):
        library.import_(str(tmp_path / "wrong.jsonl"))


def test_what_was_written_before_a_wrong_line_stays(
    filled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "FILES", 3)
    content = (tmp_path / "export.jsonl").read_bytes().splitlines(keepends=True)
    content[9] = b"{}\n"
    (tmp_path / "wrong.jsonl").write_bytes(b"".join(content))
    with Library.open(tmp_path / "other") as library:
        with pytest.raises(ReadError, match="line 10 of "):
            library.import_(str(tmp_path / "wrong.jsonl"))
        kept = len(library._parts.catalog.files())
        assert kept == 6
        report = library.import_(str(tmp_path / "export.jsonl"))
        assert report.unchanged + len(report.failed) + len(report.skipped) >= kept
        library.export(str(tmp_path / "again.jsonl"))
    assert lines(tmp_path / "again.jsonl") == lines(tmp_path / "export.jsonl")


def test_what_is_no_export_says_so(filled: Path, notes: Path, tmp_path: Path) -> None:
    (tmp_path / "newer.jsonl").write_text('{"quoth": "export", "format": 2}\n')
    (tmp_path / "empty.jsonl").touch()
    with Library.open(filled) as library:
        for name, said in (
            ("notes/garden.md", "is no export"), ("empty.jsonl", "is no export"), ("newer.jsonl", "by a newer Quoth")
        ):  # fmt: skip
            with pytest.raises(UsageError, match=said):
                library.import_(str(tmp_path / name))
        with pytest.raises(NotFound, match="No such file"):
            library.import_(str(tmp_path / "nowhere.jsonl"))
        with pytest.raises(UsageError, match="is there already"):
            library.export(str(tmp_path / "export.jsonl"))
        assert (tmp_path / "export.jsonl").stat().st_mode & 0o777 == 0o600


def test_an_export_goes_through_a_pipe(quoth: Quoth, notes: Path, tmp_path: Path) -> None:
    import subprocess
    import sys

    quoth("add", str(notes))
    command = [sys.executable, "-m", "quoth", "--library"]
    with subprocess.Popen([*command, str(tmp_path / "library"), "export", "-"], stdout=subprocess.PIPE) as source:
        done = subprocess.run(
            [*command, str(tmp_path / "other"), "import", "--json", "-"],
            stdin=source.stdout,
            capture_output=True,
            check=True,
        )
    assert source.returncode == 0
    assert json.loads(done.stdout)["added"] == 5
    exported = quoth("export", "--json", str(tmp_path / "export.jsonl")).json
    assert set(exported) == {"file", "documents", "bytes", "seconds"}
    assert exported["documents"] == 5
    (tmp_path / "wrong.jsonl").write_bytes((tmp_path / "export.jsonl").read_bytes()[:-9])
    wrong = quoth("import", str(tmp_path / "wrong.jsonl"))
    assert (wrong.code, "error: line 6 of " in wrong.err, "\n  try: what came before it" in wrong.err) == (
        1,
        True,
        True,
    )
    with closing((tmp_path / "export.jsonl").open("rb")) as file:
        assert file.readline().startswith(b'{"created": ')
