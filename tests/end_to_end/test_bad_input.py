"""What people and machines do wrong: each has one clear error or a true answer."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from conftest import Quoth
from quoth import Library, Options, lock
from quoth.embed.packaged import FOLDER as MODEL


def test_an_empty_question_is_wrong_usage(quoth: Quoth, notes: Path) -> None:
    quoth("add", str(notes))
    done = quoth("ask", "  \n ")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: the question holds no words\n  try: ")
    assert quoth("search", "").code == 2


def test_a_question_of_100_kb_is_cut_and_said_so(notes: Path, tmp_path: Path) -> None:
    with Library.open(tmp_path / "library") as library:
        library.add([notes])
        answer = library.ask("When is the boiler serviced? " * 3_500)
        assert answer.notes[0] == "only the first 10,000 of the question's 101,499 characters were used"
        assert library.search("boiler " * 15_000).hits[0].document == str(notes / "house" / "boiler.txt")


def test_a_binary_question_does_no_harm(notes: Path, tmp_path: Path) -> None:
    with Library.open(tmp_path / "library") as library:
        library.add([notes])
        for question in ("\x00\x01\xff boiler \x7f", "\ud800 boiler", '(boiler AND [OR "* ~^:', "boiler\0serviced"):
            assert library.search(question).hits[0].document == str(notes / "house" / "boiler.txt")
        for number in range(50):
            noise = os.urandom(64).decode("latin-1")
            answer = library.ask(f"x{number}{noise}")
            assert all(library.show(q.document).text[q.start : q.end] == q.text for q in answer.quotes)


def test_a_question_in_arabic_finds_arabic_and_refuses_the_rest(notes: Path, tmp_path: Path) -> None:
    text = "تم إصلاح سقف المنزل في عام ٢٠١٩. يقع المفتاح تحت الحجر الأبيض بجانب الباب.\n"
    (notes / "arabic.txt").write_text(text, encoding="utf-8")
    with Library.open(tmp_path / "library") as library:
        library.add([notes])
        hit = library.search("أين يقع المفتاح؟").hits[0]
        assert hit.document == str(notes / "arabic.txt")
        assert library.show(hit.document).text[hit.start : hit.end] == hit.text
        assert not library.ask("ما هي عاصمة منغوليا؟").answered


def test_an_empty_library_says_so(quoth: Quoth, tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    assert quoth("add", str(tmp_path / "nothing")).code == 0
    done = quoth("ask", "--json", "When is the boiler serviced?")
    assert (done.code, done.json["answered"], done.json["quotes"]) == (0, False, [])
    assert done.json["searched"] == {"documents": 0, "passages": 0}
    assert done.json["notes"] == ["the library is empty: quoth add FOLDER"]
    assert quoth("search", "--json", "boiler").json["hits"] == []


def test_no_library_is_an_error_with_the_next_command(quoth: Quoth, tmp_path: Path) -> None:
    for command in (["ask", "what?"], ["search", "what"], ["status"], ["sync"], ["sources"], ["remove", "x"]):
        done = quoth(*command)
        assert (done.code, done.err) == (
            1,
            f"error: there is no library in {tmp_path / 'library'}\n  try: quoth add FOLDER\n",
        )
    assert not (tmp_path / "library").exists()


def test_an_unknown_path_names_itself(quoth: Quoth, tmp_path: Path) -> None:
    done = quoth("add", str(tmp_path / "nowhere"))
    assert (done.code, done.err) == (
        1,
        f"error: there is no file or folder {tmp_path / 'nowhere'}\n  try: check the name\n",
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read every file")
def test_an_unreadable_file_fails_alone(notes: Path, tmp_path: Path) -> None:
    (notes / "garden.md").chmod(0)
    with Library.open(tmp_path / "library") as library:
        report = library.add([notes])
        assert (report.added, [failure.path for failure in report.failed]) == (4, [str(notes / "garden.md")])


def test_a_second_writer_is_told_who_is_first(quoth: Quoth, notes: Path, tmp_path: Path) -> None:
    quoth("add", str(notes))
    with lock.writer(tmp_path / "library"):
        done = quoth("add", str(notes))
        assert done.code == 1
        assert f"is being written to by process {os.getpid()} (" in done.err
        assert quoth("search", "boiler").code == 0
        assert f"being written to by process {os.getpid()}" in quoth("status").out
    assert quoth("add", str(notes)).code == 0


def mount(*arguments: str) -> bool:
    return os.geteuid() == 0 and subprocess.run(["mount", *arguments], capture_output=True, check=False).returncode == 0


def test_a_library_on_a_read_only_disk_can_be_searched(quoth: Quoth, notes: Path, tmp_path: Path) -> None:
    quoth("add", str(notes))
    library = tmp_path / "library"
    if os.geteuid() == 0:
        if not mount("--bind", str(library), str(library)) or not mount("-o", "remount,bind,ro", str(library)):
            pytest.skip("this superuser may not mount")
    else:
        for path in [*library.rglob("*"), library]:
            path.chmod(0o500 if path.is_dir() else 0o400)
    try:
        hits = quoth("search", "--json", "boiler serviced").json["hits"]
        assert isinstance(hits, list)
        assert hits[0]["document"] == str(notes / "house" / "boiler.txt")
        assert quoth("ask", "--json", "When is the boiler serviced?").json["answered"] is True
        done = quoth("add", str(notes))
        assert (done.code, "read-only" in done.err) == (1, True)
    finally:
        if os.geteuid() == 0:
            subprocess.run(["umount", str(library)], check=True)
        else:
            for path in [library, *library.rglob("*")]:
                path.chmod(0o700 if path.is_dir() else 0o600)


@pytest.mark.slow
def test_a_full_disk_is_one_clear_error_and_loses_nothing(quoth: Quoth, tmp_path: Path) -> None:
    many, disk = tmp_path / "many", tmp_path / "disk"
    many.mkdir(), disk.mkdir()
    for number in range(700):
        (many / f"{number:03}.txt").write_text(f"Note {number}. " + f"The token of note {number} is fox{number}. " * 60)
    if not mount("-t", "tmpfs", "-o", "size=3m", "tmpfs", str(disk)):
        pytest.skip("only a superuser may mount a small disk")
    try:
        done = quoth("add", str(many), library=disk / "library")
        assert done.code == 1
        assert f"error: the disk with the library {disk / 'library'} is full\n  try: free some space" in done.err
        kept = quoth("status", "--json", library=disk / "library").json["files"]
        assert isinstance(kept, int)
        assert 0 < kept < 700
        mount("-o", "remount,size=60m", str(disk))
        report = quoth("sync", "--json", library=disk / "library").json
        assert (report["unchanged"], report["added"]) == (kept, 700 - kept)
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_an_altered_model_is_refused_by_its_hash(tmp_path: Path) -> None:
    copy = tmp_path / "minilm"
    shutil.copytree(MODEL, copy)
    weights = bytearray((copy / "model.bin").read_bytes())
    weights[1000] ^= 1
    (copy / "model.bin").write_bytes(weights)
    code = f"from pathlib import Path; from quoth.embed.packaged import PackagedEncoder as E; E(Path({str(copy)!r}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "model.bin was altered" in done.stderr


@pytest.mark.parametrize("name", ["words", "vectors"])
def test_a_deleted_index_is_rebuilt(name: str, quoth: Quoth, notes: Path, tmp_path: Path) -> None:
    quoth("add", str(notes))
    before = quoth("search", "--json", "boiler serviced").json["hits"]
    shutil.rmtree(tmp_path / "library" / name)
    found = quoth("search", "--json", "boiler serviced").json
    assert found["hits"] == before
    assert found["notes"] == [f"the index of {name} was missing and has been rebuilt from the catalog"]
    assert quoth("doctor").code == 0


@pytest.mark.parametrize("name", ["words", "vectors"])
def test_a_damaged_index_is_one_clear_error_that_doctor_finds_too(
    name: str, quoth: Quoth, notes: Path, tmp_path: Path
) -> None:
    for number in range(300):
        (notes / f"{number}.txt").write_text(f"Note {number} is about animal{number % 7} and plant{number % 11}.\n")
    quoth("add", str(notes))
    pattern = "*.term" if name == "words" else "**/rows-*"
    for file in (tmp_path / "library" / name).glob(pattern):
        file.write_bytes(b"\xff" * file.stat().st_size)
    done = quoth("search", "animal3 plant4")
    assert (done.code, done.err.splitlines()[-1]) == (1, f"  try: quoth reindex --{name}")
    assert "Traceback" not in done.err
    assert quoth("doctor").code == 1
    assert quoth("reindex", f"--{name}").code == 0
    assert quoth("search", "animal3 plant4").code == 0


def test_a_file_cannot_command_the_terminal(quoth: Quoth, notes: Path) -> None:
    (notes / "evil.txt").write_text("The parrot of Paul says \x1b]0;owned\x07 hello \u202e there.\n")
    quoth("add", str(notes))
    out = quoth("ask", "What does the parrot of Paul say?").out
    assert "\\x1b]0;owned\\x07 hello \\u202e there" in out
    assert not any(one in out for one in "\x1b\x07\u202e")


def test_a_question_of_one_endless_word_is_cut(notes: Path, tmp_path: Path) -> None:
    with Library.open(tmp_path / "library") as library:
        library.add([notes])
        assert not library.ask("w" * 50_000).answered


def test_a_refused_add_registers_nothing(quoth: Quoth, notes: Path, tmp_path: Path) -> None:
    quoth("add", str(notes / "house"))
    with lock.writer(tmp_path / "library"):
        assert quoth("add", str(notes / "recipes")).code == 1
    assert len(quoth("sources", "--json").json["sources"]) == 1  # type: ignore[arg-type]


def test_a_file_that_changes_while_it_is_read_is_read_again(notes: Path, tmp_path: Path) -> None:
    growing = notes / "growing.log"
    growing.write_text("A line of the log.\n" * 2_000)
    code = (
        "import sys, time\nend = time.time() + 3\n"
        "with open(sys.argv[1], 'a') as f:\n"
        " while time.time() < end:\n  f.write('more\\n'); f.flush(); time.sleep(0.002)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(growing)]), Library.open(tmp_path / "library") as library:
        report = library.add([notes])
        assert report.added + len(report.failed) == 6
        assert [failure.path for failure in report.failed] in ([], [str(growing)])
        time.sleep(3)
    with Library.open(tmp_path / "library") as library:
        library.sync(options=Options(retry=True))
        assert library.show(growing).text == growing.read_text()


@pytest.mark.slow
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_a_run_that_is_stopped_keeps_what_it_has_and_the_next_one_goes_on(
    sent: signal.Signals, quoth: Quoth, tmp_path: Path
) -> None:
    many = tmp_path / "many"
    many.mkdir()
    for number in range(600):
        text = f"Note {number}. " + f"The token of note {number} is fox{number}. " * 12
        (many / f"{number:03}.txt").write_text(text)
    environment = os.environ | {"QUOTH_LIBRARY": str(tmp_path / "library")}
    run = subprocess.Popen(
        [sys.executable, "-m", "quoth", "add", str(many)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    done = 0
    while run.poll() is None and not done:
        time.sleep(0.05)
        if (tmp_path / "library" / "catalog.sqlite").exists():
            with Library.open(tmp_path / "library") as library:
                done = library.status().files
    run.send_signal(sent)
    _, err = run.communicate()
    assert run.returncode == (130 if sent == signal.SIGINT else -signal.SIGKILL)
    assert b"Traceback" not in err
    with Library.open(tmp_path / "library") as library:
        assert done <= library.status().files < 600
        kept = library.status().files
        report = library.sync()
        assert (report.unchanged, report.added) == (kept, 600 - kept)
        assert all(check.ok for check in library.doctor())
        for number in (0, 300, 599):
            assert library.search(f"fox{number}", 1).hits[0].document == str(many / f"{number:03}.txt")
