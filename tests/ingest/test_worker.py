import hashlib
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from quoth.errors import QuothError, ReadError
from quoth.ingest.worker import Outcome, ReadPool, ToRead

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
TOKENIZER = ROOT / "src" / "quoth" / "embed" / "minilm" / "tokenizer.json"
posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX")
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux")


@pytest.fixture(autouse=True)
def bad_readers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "tests" / "data" / "ingest_binary"))


@pytest.fixture
def note(tmp_path: Path) -> str:
    path = tmp_path / "note.txt"
    path.write_text("The key is under the mat.\n")
    return str(path)


def outcomes(*jobs: ToRead, timeout: float = 60.0, workers: int = 1) -> list[Outcome]:
    with ReadPool(workers=workers, timeout=timeout) as pool:
        return list(pool.map(jobs))


def reason(job: ToRead, good: str, timeout: float = 60.0) -> str:
    """Why a job failed; the good file after it must still be read."""
    failed, after = outcomes(job, ToRead(good), timeout=timeout)
    assert after.documents, after.reason
    assert failed.documents == ()
    return failed.reason


def test_a_file_comes_back_with_its_stamp(note: str) -> None:
    (outcome,) = outcomes(ToRead(note))
    ((document, passages),) = outcome.documents
    data, state = Path(note).read_bytes(), Path(note).stat()
    assert (document.path, document.text, passages) == (note, "The key is under the mat.\n", [])
    assert (outcome.sha256, outcome.size) == (hashlib.sha256(data).hexdigest(), len(data))
    assert (outcome.mtime_ns, outcome.changed, outcome.reason) == (state.st_mtime_ns, False, "")
    assert document.modified == state.st_mtime_ns / 1e9


def test_documents_come_back_whole_and_split() -> None:
    from quoth.ingest import read

    path = str(EXAMPLES / "inverter-warranty.pdf")
    with ReadPool(TOKENIZER, workers=1) as pool:
        (outcome,) = pool.map([ToRead(path)])
    ((document, passages),) = outcome.documents
    assert (document,) == read(path)
    assert passages
    assert all(document.text[one.start : one.end] == one.text for one in passages)


def test_attachments_come_along() -> None:
    (outcome,) = outcomes(ToRead(str(EXAMPLES / "boiler-appointment.eml")))
    assert [document.path.partition("#")[2] for document, _ in outcome.documents] == ["", "checklist.txt"]


def test_outcomes_keep_the_order_of_the_jobs(tmp_path: Path) -> None:
    jobs = []
    for number in range(12):
        path = tmp_path / f"{number}.txt"
        path.write_text("0.3" if number % 4 == 0 else "0")
        jobs.append(ToRead(str(path), kind="bad_readers:slow"))
    assert [outcome.path for outcome in outcomes(*jobs, workers=2)] == [job.path for job in jobs]


def test_jobs_are_drawn_only_a_little_ahead(note: str) -> None:
    drawn = 0

    def jobs() -> Iterator[ToRead]:
        nonlocal drawn
        for _ in range(1000):
            drawn += 1
            yield ToRead(note)

    with ReadPool(workers=2) as pool:
        next(pool.map(jobs()))
        assert drawn <= 16


def test_a_password_reaches_the_reader() -> None:
    (outcome,) = outcomes(ToRead(str(EXAMPLES / "inverter-warranty.pdf"), ("sesame",)))
    assert outcome.documents


@linux
def test_a_crash_fails_that_file_alone(note: str) -> None:
    assert reason(ToRead(note, kind="bad_readers:crash"), note) == "the reader crashed (signal 11)"


def test_a_crash_still_tells_which_bytes_were_read(note: str) -> None:
    (outcome,) = outcomes(ToRead(note, kind="bad_readers:leave"))
    assert outcome.reason == "the reader crashed (status 3)"
    assert outcome.sha256 == hashlib.sha256(Path(note).read_bytes()).hexdigest()


def test_a_hang_fails_that_file_alone(note: str) -> None:
    assert reason(ToRead(note, kind="bad_readers:hang"), note, timeout=4) == "reading took longer than 4 s"


@linux
@pytest.mark.parametrize("reader", ["eat", "eat_deep"])
def test_eating_memory_fails_that_file_alone(note: str, reader: str) -> None:
    assert reason(ToRead(note, kind=f"bad_readers:{reader}"), note) == "reading needs more than 1 GiB of memory"


def test_recursion_without_end_fails_that_file_alone(note: str) -> None:
    assert reason(ToRead(note, kind="bad_readers:recurse"), note) == "the file is nested too deeply"


def test_a_reader_that_refuses_is_quoted(note: str) -> None:
    (outcome,) = outcomes(ToRead(note, kind="bad_readers:refuse"))
    assert (outcome.reason, outcome.hint) == ("it is written in invisible ink", "hold it over a candle")


def test_a_reader_that_stumbles_names_its_error(note: str) -> None:
    assert reason(ToRead(note, kind="bad_readers:stumble"), note) == "the reader stumbled over it (KeyError: 'hinge')"


def test_a_result_beyond_measure_is_refused(note: str) -> None:
    assert reason(ToRead(note, kind="bad_readers:swell"), note) == "its text is longer than 64,000,000 characters"


def test_noise_on_the_standard_streams_does_not_get_in_the_way(note: str) -> None:
    (outcome,) = outcomes(ToRead(note, kind="bad_readers:chatter"))
    assert outcome.documents[0][0].text == "said"


def test_code_on_the_pipe_is_refused(note: str) -> None:
    assert reason(ToRead(note, kind="bad_readers:pickled"), note) == "the reader gave an answer that makes no sense"


@linux
def test_a_worker_holds_none_of_the_callers_files(note: str) -> None:
    with socket.socket() as ours, open(note) as held:  # noqa: PTH123
        os.set_inheritable(ours.fileno(), True)
        os.set_inheritable(held.fileno(), True)
        (outcome,) = outcomes(ToRead(note, kind="bad_readers:report"))
    opened = outcome.documents[0][0].text.splitlines()[1:]
    assert not [one for one in opened if one.startswith("socket:") or one == note]


@posix
def test_a_worker_does_not_fill_the_disk(note: str) -> None:
    assert "File too large" in reason(ToRead(note, kind="bad_readers:write"), note)
    assert Path(f"{note}.big").stat().st_size <= 256 * 2**20


@linux
def test_a_worker_killed_from_outside_fails_only_its_file(note: str, tmp_path: Path) -> None:
    path = tmp_path / "slow.txt"
    path.write_text("30")
    with ReadPool(workers=1) as pool:
        (first,) = pool.map([ToRead(note, kind="bad_readers:report")])
        worker = int(first.documents[0][0].text.splitlines()[0])
        threading.Timer(0.5, os.kill, (worker, signal.SIGKILL)).start()
        bad, good = pool.map([ToRead(str(path), kind="bad_readers:slow"), ToRead(note)])
    assert bad.reason == "the reader was killed (signal 9)"
    assert good.documents


@linux
def test_a_worker_killed_between_files_is_replaced_unseen(note: str) -> None:
    with ReadPool(workers=1) as pool:
        (first,) = pool.map([ToRead(note, kind="bad_readers:report")])
        worker = int(first.documents[0][0].text.splitlines()[0])
        os.kill(worker, signal.SIGKILL)
        while Path(f"/proc/{worker}/stat").exists() and ") Z " not in Path(f"/proc/{worker}/stat").read_text():
            time.sleep(0.01)
        (second,) = pool.map([ToRead(note)])
    assert second.documents


def test_a_file_that_changes_once_is_read_again(note: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from quoth.ingest import reading

    states, real = iter([(1, 1, 1)]), reading._bytes

    def unsteady(path: str, most: int) -> tuple[tuple[int, int, int], bytes, tuple[int, int, int]]:
        before, data, after = real(path, most)
        return next(states, before), data, after

    monkeypatch.setattr(reading, "_bytes", unsteady)
    data, stamp = reading._load(note, 2**20)
    assert (data, stamp[3]) == (b"The key is under the mat.\n", True)


def test_a_file_that_keeps_changing_is_told(note: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from quoth.ingest import reading

    real = reading._bytes

    def growing(path: str, most: int) -> tuple[tuple[int, int, int], bytes, tuple[int, int, int]]:
        found = real(path, most)
        with Path(path).open("a") as file:
            file.write("and one more line\n")
        return found[0], found[1], reading._state(Path(path).stat())

    monkeypatch.setattr(reading, "_bytes", growing)
    with pytest.raises(ReadError, match="the file is being changed") as error:
        reading._load(note, 2**20)
    assert error.value.hint == "run quoth sync when it is finished"


def test_a_missing_file_is_told(tmp_path: Path, note: str) -> None:
    gone = tmp_path / "gone" / "note.txt"
    assert reason(ToRead(str(gone)), note) == "the file cannot be opened: No such file or directory"


@posix
@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_told(note: str) -> None:
    Path(note).chmod(0)
    assert reason(ToRead(note), note) == "the file cannot be opened: Permission denied"


@posix
def test_a_fifo_and_a_device_do_not_hold_the_run_up(tmp_path: Path, note: str) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    assert reason(ToRead(str(fifo)), note) == "it is no regular file"
    assert reason(ToRead("/dev/zero"), note) == "it is no regular file"
    assert reason(ToRead(str(tmp_path)), note) == "it is no regular file"


@linux
def test_names_may_hold_newlines_and_bytes_that_are_no_utf8(tmp_path: Path) -> None:
    names = [b"two\nlines.txt", b"caf\xe9.txt", "größe 😀.txt".encode()]
    paths = [str(tmp_path / os.fsdecode(name)) for name in names]
    for path in paths:
        Path(path).write_text("The key is under the mat.\n")
    found = outcomes(*(ToRead(path) for path in paths))
    assert [outcome.documents[0][0].path for outcome in found] == paths


def test_a_file_too_large_for_the_memory_is_told(tmp_path: Path) -> None:
    path = tmp_path / "huge.txt"
    with path.open("wb") as file:
        file.truncate(300 * 2**20)
    (outcome,) = outcomes(ToRead(str(path)))
    assert (outcome.reason, outcome.size) == ("the file is larger than 256 MiB", 300 * 2**20)


def test_a_kind_that_is_not_read_is_skipped(tmp_path: Path) -> None:
    path = tmp_path / "song.flac"
    path.write_bytes(b"fLaC" + bytes(100))
    (outcome,) = outcomes(ToRead(str(path)))
    assert (outcome.skipped, outcome.reason) == (True, "it is a FLAC recording, which Quoth does not read")


def test_a_pool_whose_workers_cannot_start_says_so(tmp_path: Path, note: str) -> None:
    with pytest.raises(QuothError, match="does not start"), ReadPool(tmp_path / "no.json", workers=1) as pool:
        list(pool.map([ToRead(note)]))


def test_leaving_the_pool_ends_what_is_still_being_read(tmp_path: Path) -> None:
    path = tmp_path / "slow.txt"
    path.write_text("50")
    begun = time.monotonic()
    with ReadPool(workers=2) as pool:
        stream = pool.map([ToRead(str(path), kind="bad_readers:slow")] * 4)
        threading.Thread(target=next, args=(stream, None), daemon=True).start()
        time.sleep(0.5)
    assert time.monotonic() - begun < 40


SCRIPT = """
from quoth.ingest.worker import ToRead, ReadPool
with ReadPool(workers=1) as pool:
    for outcome in pool.map([ToRead({path!r}, kind="bad_readers:report")]):
        print(outcome.reason or outcome.documents[0][0].text.split()[0], flush=True)
    {more}
"""


def started(tmp_path: Path, note: str, more: str, inline: bool) -> subprocess.Popen[str]:
    """A program without a __main__ guard that reads one file and then does `more`."""
    code = textwrap.dedent(SCRIPT).format(path=note, more=more)
    script = tmp_path / "script.py"
    script.write_text(code)
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests" / "data" / "ingest_binary")])
    return subprocess.Popen(
        [sys.executable, *(["-c", code] if inline else [str(script)])],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )


@pytest.mark.parametrize("inline", [True, False])
def test_it_works_in_programs_without_a_main_guard(tmp_path: Path, note: str, inline: bool) -> None:
    output, errors = started(tmp_path, note, "pass", inline).communicate(timeout=60)
    assert (output.strip().isdigit(), errors) == (True, "")


@linux
def test_workers_die_with_a_parent_that_is_killed(tmp_path: Path, note: str) -> None:
    program = started(tmp_path, note, "import time; time.sleep(60)", False)
    assert program.stdout is not None
    worker = Path(f"/proc/{int(program.stdout.readline())}/stat")
    program.kill()
    program.communicate()
    for _ in range(500):
        if not worker.exists() or ") Z " in worker.read_text():
            return
        time.sleep(0.01)
    raise AssertionError("the worker outlived its parent")


@posix
def test_an_interrupt_shows_no_traceback_of_a_worker(tmp_path: Path, note: str) -> None:
    more = "import time\n    try: time.sleep(60)\n    except KeyboardInterrupt: print('stopped')"
    program = started(tmp_path, note, more, False)
    assert program.stdout is not None
    program.stdout.readline()
    time.sleep(0.2)
    program.send_signal(signal.SIGINT)
    output, errors = program.communicate(timeout=30)
    assert (output, errors) == ("stopped\n", "")


def test_a_worker_of_a_large_program_is_not_taken_for_large_itself(tmp_path: Path) -> None:
    """The peak that a process reports starts with its parent's: an encoder in memory is no worker's fault."""
    for number in range(6):
        (tmp_path / f"{number}.txt").write_text(f"Note {number}.\n")
    code = (
        "import sys; from pathlib import Path; from quoth.ingest.worker import ToRead, ReadPool\n"
        "ballast = bytearray(b'x') * 500_000_000\n"
        "with ReadPool(workers=1) as pool:\n"
        "    jobs = [ToRead(str(path)) for path in sorted(Path(sys.argv[1]).iterdir())]\n"
        "    print(len({next(iter(pool._all))._process.pid for _ in pool.map(jobs)}))\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"
