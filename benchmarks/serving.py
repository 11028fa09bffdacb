"""How a server answers: its start, questions over REST, health checks while a folder is added, the page, memory.

    python benchmarks/serving.py --library FOLDER [--questions FILE] --json OUT

`--library` is one of real files (adding.py keeps one), or `--data` names a folder to make it of; it is copied, and
only the copy is written to. Servers are `quoth serve` as people start it, on a free port of 127.0.0.1; the clients
are threads of this process that keep their connection. Questions are headings of the library put as questions, runs
of 4 to 10 words cut from its passages, and the "question" of each line of `--questions` (JSON lines, also .gz), all
different and mixed by chance.

    start     seconds from the start of the process to the first "ready", and from SIGTERM to its end; five times
    asking    1, 2 and 8 askers, each asking on once answered: milliseconds of an answer, answers a second, seconds of
              the server on all cores for an answer. "cold" are questions that the server has not been asked, though
              sentences that other answers weighed may come again; "warm" are the same ones a second time
    overhead  one asker: a question put to `Library.ask` in this process and to the server in turn, both having been
              asked it before; the difference for each question. Answers must be equal but for their time and number
    adding    while the server adds a folder of files whose text is new: every sentence is mixed of passages. Eight
              askers read their answers as streams meanwhile, another process asks /healthz every 20 ms; the longest
              time that a stream was silent, and what the queue had done by the end
    page      what a browser loads to show the first view, one after the other on one connection
    memory    MiB of the server and of its children, after the questions and while a folder was added

The peer in the same run is the least that serves a library: FastAPI with one route that calls `Library.ask` in
FastAPI's own threads (peers/bare_server.py).
"""

from __future__ import annotations

import argparse
import gzip
import http.client
import itertools
import json
import os
import random
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import memory
import numpy as np
import record
from health import check

from quoth import Library

HEALTH = Path(__file__).with_name("health.py")
BARE = Path(__file__).parent / "peers" / "bare_server.py"
STARTS = 5
ASKERS = (1, 2, 8)
QUESTIONS = 200
"""Questions for each number of askers."""
PAIRED = 100
VIEWS = 20
FORMS = ("what is {}", "how does {} work", "{}?", "why {}", "what about {}", "who decides on {}")
LINKED = re.compile(rb'<(?:link|script|img)\b[^>]*?(?:href|src)="([^"]+)"')
IMPORTED = re.compile(rb'(?:from|import)\s*\(?\s*"(\.[^"]+)"|url\(\s*"?([^")]+)')


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    source = options.add_mutually_exclusive_group(required=True)
    source.add_argument("--library", type=Path, metavar="DIR", help="a library of real files")
    source.add_argument("--data", type=Path, metavar="DIR", help="a folder of files to make that library of")
    options.add_argument("--questions", type=Path, metavar="FILE", help="questions to mix in")
    options.add_argument("--files", type=int, default=5_000, help="files that are added while eight ask")
    options.add_argument("--seconds", type=int, default=60, help="how long they ask meanwhile, at most")
    options.add_argument("--json", metavar="OUT")
    given = options.parse_args()
    report = {"benchmark": "serving"} | record.environment(["fastapi", "starlette", "uvicorn"])
    with tempfile.TemporaryDirectory(prefix="quoth-serving-") as scratch:
        place = Path(scratch)
        folder = copied(given.library, given.data, place)
        asked = questions(folder, given.questions)
        with Library.open(folder) as library:
            status = library.status()
        report |= {"files": status.files, "passages": status.passages, "questions": len(asked)}
        say("starting")
        report["start"] = starts(folder)
        report["servers"] = [served(name, folder, asked) for name in ("quoth", "bare FastAPI")]
        say("overhead")
        report["overhead"] = overhead(folder, asked[-PAIRED:])
        say("adding")
        report["adding"] = adding(folder, place / "added", asked, given.files, given.seconds)
    record.write(given.json, report)


def copied(library: Path | None, data: Path | None, place: Path) -> Path:
    """A library in `place` that may be written to."""
    folder = place / "library"
    if library:
        shutil.copytree(library, folder)
    else:
        command = [sys.executable, "-m", "quoth", "--library", str(folder), "add", str(data)]
        subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
    return folder


def questions(folder: Path, more: Path | None) -> list[str]:
    """Different questions, in an order that is the same each time."""
    draw = random.Random(0)
    with Library.open(folder) as library:
        connection = library._parts.catalog.connection
        rows = connection.execute("select distinct heading from passages where heading is not null order by 1")
        headings = [row[0].split(" › ")[-1] for row in rows]
        texts = passages_of(library)
    made = {draw.choice(FORMS).format(one) for one in headings if 8 < len(one) < 70 and '"' not in one}
    found = draw.sample(sorted(made), min(len(made), 500))
    for text in draw.sample(texts, 700):
        words = re.findall(r"\w+", text)
        first = draw.randrange(max(1, len(words) - 10))
        cut = " ".join(words[first : first + draw.randint(4, 10)])
        if sum(map(str.isalpha, cut)) > 12 and len(cut) < 120:
            found.append(cut)
    if more:
        with gzip.open(more, "rt", encoding="utf-8") if more.suffix == ".gz" else more.open(encoding="utf-8") as lines:
            found += [json.loads(line)["question"] for line in lines]
    found = list(dict.fromkeys(found))
    draw.shuffle(found)
    return found


def passages_of(library: Library) -> list[str]:
    """The texts of some thousand passages, strewn over the library."""
    catalog = library._parts.catalog
    ids = catalog.passage_ids()
    some = ids[:: max(1, len(ids) // 8_000)].tolist()
    return [found.text for at in range(0, len(some), 500) for found in catalog.passages(some[at : at + 500]).values()]


# -- a server and its clients ----------------------------------------------------------------------


@dataclass
class Served:
    """A server that runs."""

    address: str
    process: subprocess.Popen[str]
    started: float
    """When it was started, by time.perf_counter."""

    def client(self) -> http.client.HTTPConnection:
        """A connection that is kept."""
        where = urlsplit(self.address)
        client = http.client.HTTPConnection(where.hostname or "", where.port, timeout=120)
        client.connect()
        assert client.sock is not None
        client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # as browsers and httpx do
        return client

    def cpu(self) -> float:
        """Seconds of the server, without its children, on all cores."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> dict[str, object]:
        """MiB: resident, and the part of it that no file backs, of the server and each process below it."""
        every = [one for one in map(memory.mebibytes, [self.process.pid, *memory.below(self.process.pid)]) if one]
        return {"server": every[0], "children": every[1:]}


@contextmanager
def running(command: Sequence[str]) -> Iterator[Served]:
    """A block in which a server runs that has said where it listens."""
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            yield Served(json.loads(process.stdout.readline())["address"], process, started)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def quoth(folder: Path) -> list[str]:
    return [sys.executable, "-m", "quoth", "--library", str(folder), "serve", "--port", "0", "--json"]


def bare(folder: Path) -> list[str]:
    return [sys.executable, str(BARE), str(folder)]


def ready(server: Served) -> float:
    """Waits until a question would be answered at once; seconds since the start."""
    client = server.client()
    while True:
        client.request("GET", "/readyz")
        answer = client.getresponse()
        answer.read()
        if answer.status == 200:
            return time.perf_counter() - server.started
        time.sleep(0.005)


def settled(server: Served) -> None:
    """Waits until it is ready, and has nothing to do in the background."""
    ready(server)
    client = server.client()
    for _ in range(600):
        client.request("GET", "/api/status")
        answer = client.getresponse()
        told = json.loads(answer.read())
        if answer.status == 404 or not told.get("job"):
            return
        time.sleep(0.5)


def ask(client: http.client.HTTPConnection, question: str) -> dict[str, object]:
    """The answer as the server says it."""
    client.request("POST", "/api/ask", json.dumps({"question": question}), {"content-type": "application/json"})
    answer = client.getresponse()
    told = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"{question!r}: {answer.status} {told!r}")
    made: dict[str, object] = json.loads(told)
    return made


def starts(folder: Path) -> dict[str, object]:
    """Seconds to the first "ready" and to the end; the first time warms the disk's cache."""
    began, ended = [], []
    for _ in range(STARTS + 1):
        with running(quoth(folder)) as server:
            began.append(ready(server))
            told = time.perf_counter()
        ended.append(time.perf_counter() - told)
    return {"ready seconds": spread(began[1:]), "end seconds": spread(ended[1:])}


def served(name: str, folder: Path, asked: Sequence[str]) -> dict[str, object]:
    """The record of one server: questions by numbers of askers, and for ours the page."""
    say(f"asking {name}")
    found: dict[str, object] = {"server": name}
    with running(quoth(folder) if name == "quoth" else bare(folder)) as server:
        settled(server)
        for place, askers in enumerate(ASKERS):
            some = asked[place * QUESTIONS : (place + 1) * QUESTIONS]
            found[f"{askers} askers"] = {"cold": asking(server, some, askers), "warm": asking(server, some, askers)}
        found["memory"] = server.memory()
        probing = server.client()
        found["healthz ms"] = quantiles([milliseconds(check, probing) for _ in range(200)])
        if name == "quoth":
            found["page"] = page(server)
    return found


def asking(server: Served, asked: Sequence[str], askers: int) -> dict[str, object]:
    """So many askers put these questions, each going on once it is answered."""
    left, times = iter(asked), []
    turn = threading.Lock()

    def work() -> None:
        client = server.client()
        while True:
            with turn:
                question = next(left, None)
            if question is None:
                return
            times.append(milliseconds(ask, client, question))

    before, began = server.cpu(), time.perf_counter()
    at_once([work] * askers)
    seconds = time.perf_counter() - began
    cpu = 1000 * (server.cpu() - before) / len(asked)
    return {"ms": quantiles(times), "a second": round(len(asked) / seconds, 1), "cpu ms": round(cpu, 1)}


def overhead(folder: Path, asked: Sequence[str]) -> dict[str, object]:
    """What each server adds to `Library.ask`, question by question, and whether the answers are the same."""
    found: dict[str, object] = {"questions": len(asked)}
    with Library.open(folder) as library, running(quoth(folder)) as ours, running(bare(folder)) as peer:
        clients = {"quoth": ours, "bare FastAPI": peer}
        for server in clients.values():
            settled(server)
        alone = {question: asdict(library.ask(question)) for question in asked}
        direct = dict.fromkeys(asked, float("inf"))
        for name, server in clients.items():
            client = server.client()
            equal = sum(same(alone[question], ask(client, question)) for question in asked)
            over: list[float] = []
            for question in asked:
                pairs = []
                for _ in range(3):
                    here = milliseconds(library.ask, question)
                    direct[question] = min(direct[question], here)
                    pairs.append(milliseconds(ask, client, question) - here)
                over.append(statistics.median(pairs))
            found[name] = {"ms more": quantiles(over), "equal answers": equal}
        found["Library.ask ms"] = quantiles(list(direct.values()))
    return found


def same(mine: dict[str, object], theirs: dict[str, object]) -> bool:
    """Whether two answers are equal but for what a second asking changes."""
    other = {"seconds", "entry", "thread"}
    plain = json.loads(json.dumps({name: value for name, value in mine.items() if name not in other}))
    return bool(plain == {name: value for name, value in theirs.items() if name not in other})


# -- while a folder is added -----------------------------------------------------------------------


@dataclass
class Seen:
    """What eight askers and the health checks saw."""

    health: list[float] = field(default_factory=list)
    answers: list[float] = field(default_factory=list)
    silent: list[float] = field(default_factory=list)
    late: list[float] = field(default_factory=list)
    """Milliseconds beyond its turn that the checking process came to a health check: how busy the machine is."""


def adding(folder: Path, place: Path, asked: Sequence[str], files: int, seconds: int) -> dict[str, object]:
    """Ask while the server adds a folder, for as long as that lasts or so many seconds."""
    write_files(folder, place, files)
    seen, over = Seen(), threading.Event()
    with running(quoth(folder)) as server:
        settled(server)
        client = server.client()
        client.request("POST", "/api/sources", json.dumps({"path": str(place)}), {"content-type": "application/json"})
        answer = client.getresponse()
        answer.read()
        assert answer.status == 202, answer.status
        while (job := job_of(server, place)).get("state") != "running":
            time.sleep(0.05)
        began, left = time.perf_counter(), itertools.cycle(asked)
        memory: dict[str, object] = {}

        def until_done() -> None:
            nonlocal job, memory
            while time.perf_counter() - began < seconds and (job := job_of(server, place))["state"] == "running":
                memory = server.memory()
                time.sleep(1)
            over.set()

        eight = [partial(streams, server, left, seen, over)] * 8
        with probed(server, seen):
            at_once(eight, until_done)
        lasted = time.perf_counter() - began
    return {
        "files": files, "seconds": round(lasted, 1), "files read": job["files"], "passages": job["passages"],
        "state": job["state"], "healthz ms": quantiles(seen.health), "healthz late ms": quantiles(seen.late),
        "answers": len(seen.answers), "answer ms": quantiles(seen.answers), "silent ms": quantiles(seen.silent),
        "memory": memory,
    }  # fmt: skip


def write_files(folder: Path, place: Path, files: int) -> None:
    """Files of new texts: each a few paragraphs of sentences from all over the library."""
    place.mkdir()
    draw = random.Random(1)
    with Library.open(folder) as library:
        sentences = [one for text in passages_of(library) for one in re.split(r"(?<=[.!?])\s+", text) if len(one) > 20]
    for number in range(files):
        paragraphs = [" ".join(draw.sample(sentences, 5)) for _ in range(draw.randint(1, 6))]
        (place / f"{number:05}.txt").write_text("\n\n".join(paragraphs), encoding="utf-8", errors="replace")


def job_of(server: Served, place: Path) -> dict[str, object]:
    """The job that adds this folder; empty before it has begun."""
    client = server.client()
    client.request("GET", "/api/jobs")
    jobs: list[dict[str, object]] = json.loads(client.getresponse().read())["jobs"]
    client.close()
    return next((one for one in jobs if one["places"] == [str(place)]), {})


def streams(server: Served, left: Iterator[str], seen: Seen, over: threading.Event) -> None:
    """One asker who reads events as they come."""
    client = server.client()
    headers = {"content-type": "application/json", "accept": "text/event-stream"}
    while not over.is_set():
        began = last = time.perf_counter()
        client.request("POST", "/api/ask", json.dumps({"question": next(left)}), headers)
        answer = client.getresponse()
        if answer.status != 200:
            raise RuntimeError(f"{answer.status} {answer.read()!r}")
        silent = 0.0
        for line in answer:
            if line.startswith(b"event:"):
                now = time.perf_counter()
                silent, last = max(silent, now - last), now
        seen.answers.append(1000 * (time.perf_counter() - began))
        seen.silent.append(1000 * silent)


@contextmanager
def probed(server: Served, seen: Seen) -> Iterator[None]:
    """Health checks by a process of its own while the block lasts."""
    where = urlsplit(server.address)
    command = [sys.executable, str(HEALTH), str(where.hostname), str(where.port)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as probe:
        yield
        told = json.loads(probe.communicate()[0])
    seen.health, seen.late = told["ms"], told["late"]


# -- the page --------------------------------------------------------------------------------------


def page(server: Served) -> dict[str, object]:
    """Bytes and milliseconds of everything that the first view needs, from the second view on."""
    times, sizes = [], {}
    for _ in range(VIEWS + 1):
        began = time.perf_counter()
        sizes = view(server)
        times.append(1000 * (time.perf_counter() - began))
    largest = dict(sorted(sizes.items(), key=lambda one: -one[1])[:5])
    return {"requests": len(sizes), "bytes": sum(sizes.values()), "largest": largest, "ms": quantiles(times[1:])}


def view(server: Served) -> dict[str, int]:
    """Bytes of the page and of all that it names, by path, as they were sent."""
    client = server.client()
    sizes: dict[str, int] = {}
    waiting = ["/"]
    while waiting:
        path = waiting.pop(0)
        if path in sizes or path.startswith(("data:", "#")) or urlsplit(path).netloc:
            continue
        client.request("GET", path, headers={"accept-encoding": "identity"})
        answer = client.getresponse()
        content = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status}")
        sizes[path] = len(content)
        kind = (answer.getheader("content-type") or "").partition(";")[0]
        pattern = LINKED if kind == "text/html" else IMPORTED if kind.endswith(("javascript", "css")) else None
        for match in pattern.finditer(content) if pattern else ():
            named = next(one for one in match.groups() if one)
            waiting.append(urljoin(path, named.decode()))
    return sizes


# -- figures ---------------------------------------------------------------------------------------


def at_once(works: Sequence[Callable[[], None]], meanwhile: Callable[[], None] = lambda: None) -> None:
    """Run each in a thread of its own, and `meanwhile` here; what one of them raises is raised here."""
    failed: list[BaseException] = []

    def guarded(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=guarded, args=(one,)) for one in works]
    for one in threads:
        one.start()
    meanwhile()
    for one in threads:
        one.join()
    if failed:
        raise failed[0]


def milliseconds(call: Callable[..., object], *arguments: object) -> float:
    started = time.perf_counter()
    call(*arguments)
    return 1000 * (time.perf_counter() - started)


def quantiles(values: Sequence[float]) -> dict[str, float]:
    p50, p99 = np.percentile(values, [50, 99])
    return {"p50": round(float(p50), 2), "p99": round(float(p99), 2), "max": round(max(values), 2), "n": len(values)}


def spread(values: Sequence[float]) -> dict[str, float]:
    return {name: round(of(values), 3) for name, of in (("median", statistics.median), ("min", min), ("max", max))}


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
