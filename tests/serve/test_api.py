"""The REST doors of a real server, through a real client."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
from pathlib import Path
from urllib.parse import quote

import pytest
import uvicorn
from fastapi import FastAPI
from uvicorn.server import ServerState

from quoth import Library, threads
from quoth.config import Config
from quoth.errors import ReadError
from quoth.serve import drawing, life, source, uploading
from quoth.serve.app import create
from quoth.serve.problems import unexpected
from quoth.serve.state import Server
from served import Served, run_quoth

BOILER = {"question": "Who services the boiler?"}


def events(text: str) -> list[tuple[str, dict[str, object]]]:
    """The events of a stream, each with its record."""
    found = []
    for block in text.strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if fields:
            found.append((fields["event"], json.loads(fields["data"])))
    return found


def test_a_question_is_answered_in_verbatim_quotes(server: Served) -> None:
    with server.client() as client:
        answer = client.post("/api/ask", json={"question": "Who services the boiler?"}).json()
    quote = answer["quotes"][0]
    text = (server.notes / "house" / "boiler.txt").read_text(encoding="utf-8")
    assert answer["answered"]
    assert "Hartmann and Sons" in quote["text"]
    assert text[quote["start"] : quote["end"]] == quote["text"]
    assert answer["thread"] is None


def test_an_answer_comes_as_a_stream_of_events(server: Served) -> None:
    with server.client() as client:
        done = client.post(
            "/api/ask", json={"question": "Who services the boiler?"}, headers={"Accept": "text/event-stream"}
        )
    assert done.headers["content-type"].startswith("text/event-stream")
    found = events(done.text)
    assert [name for name, _ in found] == ["quoted", "done"]
    assert found[-1][1]["quotes"] == found[0][1]["quotes"]


def test_rest_and_the_command_line_give_the_same_quotes(server: Served) -> None:
    printed = json.loads(run_quoth(server.library, "ask", BOILER["question"], "--json"))
    with server.client() as client:
        answer = client.post("/api/ask", json=BOILER).json()
    different = {name for name in printed if answer[name] != printed[name]}
    assert different <= {"seconds", "entry"}


@pytest.mark.parametrize(
    ("question", "status"),
    [
        ("", 422),
        ("?!", 422),
        ("🔥🔥🔥", 422),
        ("\x00\x01", 422),
        ("Wer wartet den Kessel? 🔥", 200),
        ("متى زرعت الطماطم؟", 200),
        ("boiler\x00 service\x1b[31m", 200),
        ("boiler " * 150_000, 200),
        ("x" * 1_000_000, 200),
        ('in:house type:text "pressure" -roof boiler', 200),
        ("in: type: after:never", 200),
    ],
)
def test_an_odd_question_gets_an_answer_or_a_sentence(server: Served, question: str, status: int) -> None:
    with server.client() as client:
        done = client.post("/api/ask", json={"question": question})
        found = client.get("/api/search", params={"q": question[:2_000]})
    assert done.status_code == status, done.text[:500]
    assert found.status_code == status
    if status != 200:
        assert done.headers["content-type"] == "application/problem+json"
        assert set(done.json()) == {"type", "title", "status", "detail", "hint"}
        assert done.json()["hint"]
    if question.startswith("boiler ") and len(question) > 10_000:
        assert any("of the question's" in note for note in done.json()["notes"])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the body is missing"),
        (b"no json", "the body is no JSON"),
        (b'{"question": "a', "the body is no JSON"),
        (b"[]", "the body is not as it should be"),
        (b"{}", "question is missing"),
        (b'{"question": 7}', "question is not as it should be"),
        (b'{"question": "a", "more": 1}', "more is not as it should be"),
        (b'{"question": "a", "thread": -1}', "thread is not as it should be"),
        (b'{"question": "\\ud800"}', "the question holds no words"),
        (b'{"question": "a", "filters": {"after": NaN}}', "filters.after"),
        (b'{"question": "a", "filters": {"after": "tomorrow"}}', "'tomorrow' is not a date"),
        (b'{"question": "a", "strict": true, "general": true}', "strict leaves out"),
        (b"\xff\xfe\x00", "the body"),
        (b"[" * 100_000, "the body"),
    ],
)
def test_what_is_no_question_is_said_in_a_sentence(server: Served, content: bytes, said: str) -> None:
    with server.client() as client:
        done = client.post("/api/ask", content=content, headers={"Content-Type": "application/json"})
    assert done.status_code in (400, 422), done.text
    assert done.json()["detail"].startswith(said)
    assert "Traceback" not in done.text


def test_filters_narrow_a_question_and_a_search(server: Served) -> None:
    asked = {"question": "pressure boiler", "filters": {"folders": ["garden.md"], "after": "2001", "before": "2999-12"}}
    with server.client() as client:
        assert client.post("/api/ask", json=asked).json()["searched"]["documents"] == 1
        hits = client.get("/api/search", params={"q": "pressure", "type": ["code"], "k": 3}).json()["hits"]
        assert {Path(one["document"]).name for one in hits} == {"tools.py"}
        exact = {"question": "bar", "filters": {"exact": ["1.5 bar"]}}
        assert client.post("/api/ask", json=exact).json()["searched"]["documents"] == 1
        assert client.get("/api/search", params={"q": "pressure", "k": 0}).status_code == 422
        assert client.get("/api/search", params={"q": "a", "after": "0001"}).status_code in (200, 422)


def test_documents_are_listed_and_shown_as_they_were_read(server: Served) -> None:
    with server.client() as client:
        every = client.get("/api/documents").json()
        assert [Path(one["path"]).name for one in every["documents"]] == [
            "garden.md", "boiler.txt", "roof.txt", "bread.md", "tools.py",
        ]  # fmt: skip
        page = client.get("/api/documents?start=1&count=2").json()
        assert (page["total"], page["documents"]) == (5, every["documents"][1:3])
        assert client.get("/api/documents?q=HOUSE%20boil").json()["total"] == 1
        assert client.get("/api/documents?state=failed").json() == {"total": 0, "documents": []}
        path = str(server.notes / "garden.md")
        document = client.get("/api/document", params={"path": path}).json()
        assert (document["text"], document["kind"], document["lines"]) == (
            Path(path).read_text(encoding="utf-8"), "markdown", True,
        )  # fmt: skip
        for passage in client.get("/api/passages", params={"path": path}).json()["passages"]:
            assert document["text"][passage["start"] : passage["end"]] == passage["text"]


def test_a_place_says_where_it_is(server: Served) -> None:
    path = str(server.notes / "garden.md")
    start = Path(path).read_text(encoding="utf-8").index("Turn the compost")
    with server.client() as client:
        place = client.get("/api/place", params={"path": path, "start": start, "end": start + 16}).json()
        assert (place["text"], place["line"], place["heading"]) == ("Turn the compost", 9, "Garden › Compost")
        assert place["boxes"] == []
        for start, end in ((5, 5), (9, 5), (0, 10**6)):
            wrong = client.get("/api/place", params={"path": path, "start": start, "end": end})
            assert wrong.status_code == 422


@pytest.mark.parametrize("path", ["/etc/passwd", "../../../etc/passwd", "/nowhere", "%00", "", "garden", "~/.bashrc"])
@pytest.mark.parametrize("door", ["document", "passages", "place?start=0&end=1", "page.png", "pages"])
def test_a_path_can_only_name_documents(server: Served, door: str, path: str) -> None:
    sign = "&" if "?" in door else "?"
    with server.client() as client:
        done = client.get(f"/api/{door}{sign}path={path}")
    assert done.status_code in (404, 422), done.text
    assert "root:" not in done.text


def test_a_name_that_is_no_text_is_found_by_its_bytes(own: Served) -> None:
    name = os.fsencode(own.notes) + b"/caf\xe9.txt"
    Path(os.fsdecode(name)).write_text("The café opens at nine.")
    with own.client() as client:
        own.wait(lambda: client.get("/api/documents?q=caf").json()["total"])
        shown = client.get("/api/documents?q=caf").json()["documents"][0]["path"]
        assert os.fsencode(shown) == name
        done = client.get(f"/api/document?path={quote(name)}")
        assert done.json()["text"] == "The café opens at nine."
        assert client.post("/api/ask", json={"question": "When does the café open?"}).json()["answered"]


def test_a_thread_keeps_what_was_asked_and_completes_what_comes_next(own: Served) -> None:
    with own.client() as client:
        thread = client.post("/api/threads", json={}).json()["id"]
        first = client.post("/api/ask", json=BOILER | {"thread": thread}).json()
        assert first["thread"] == thread
        second = client.post("/api/ask", json={"question": "And what is its pressure?", "thread": thread}).json()
        assert "boiler" in second["asked"]
        assert second["question"] == "And what is its pressure?"
        assert "1.5 bar" in second["text"]
        kept = client.get(f"/api/threads/{thread}").json()
        assert [one["question"] for one in kept["messages"]] == [BOILER["question"], "And what is its pressure?"]
        assert kept["messages"][0]["answer"]["quotes"] == first["quotes"]
        assert kept["title"] == BOILER["question"]
        assert client.patch(f"/api/threads/{thread}", json={"title": "Heating"}).json()["title"] == "Heating"
        markdown = client.get(f"/api/threads/{thread}/export")
        assert "Hartmann and Sons" in markdown.text
        assert markdown.headers["content-disposition"].endswith('.md"')
        whole = client.get(f"/api/threads/{thread}/export?format=json").json()
        assert len(whole["messages"]) == 2
        assert client.delete(f"/api/threads/{thread}").json() == {"deleted": thread}
        for method, path in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("GET", "/export")):
            gone = client.request(method, f"/api/threads/{thread}{path}", json={} if method == "PATCH" else None)
            assert (gone.status_code, gone.json()["type"]) == (404, "urn:quoth:not-found")
        for headers in ({}, {"Accept": "text/event-stream"}):
            asked = client.post("/api/ask", json=BOILER | {"thread": thread}, headers=headers)
            assert (asked.status_code, asked.json()["detail"]) == (404, f"there is no thread {thread}")


def test_ratings_stand_in_the_journal(own: Served) -> None:
    path = str(own.notes / "house" / "roof.txt")
    with own.client() as client:
        answer = client.post("/api/ask", json=BOILER).json()
        client.post("/api/ask", json={"question": "When was the roof repaired?"})
        assert client.post("/api/ratings", json={"entry": answer["entry"], "rating": "right"}).json() == {"noted": True}
        client.post("/api/ratings", json={"entry": answer["entry"], "rating": "wrong", "quote": 1})
        place = {"rating": "place", "question": "How much did it cost?", "path": path, "start": 4, "end": 8}
        assert client.post("/api/ratings", json=place).status_code == 200
        assert client.post("/api/ratings", json={"entry": 999, "rating": "right"}).status_code == 404
        assert (
            client.post("/api/ratings", json={"entry": answer["entry"], "rating": "wrong", "quote": 99}).status_code
            == 404
        )
        assert client.post("/api/ratings", json=place | {"end": 10**9}).status_code == 422
        assert client.post("/api/ratings", json=place | {"path": "/nowhere"}).status_code == 404
        assert client.post("/api/ratings", json={"rating": "great"}).status_code == 422
    rated = [
        one for one in json.loads(run_quoth(own.library, "journal", "--json"))["entries"] if one["kind"] == "rated"
    ]
    assert [one["record"]["rating"] for one in rated] == ["right", "wrong", "place"]
    assert [one["record"]["question"] for one in rated] == [BOILER["question"]] * 2 + ["How much did it cost?"]
    assert rated[2]["record"]["document"] == path


def test_golden_questions_are_measured_and_runs_compared(own: Served) -> None:
    path = str(own.notes / "house" / "boiler.txt")
    with own.client() as client:
        asked = {"question": "Who services it?", "path": path, "start": 36, "end": 55}
        made = client.post("/api/golden", json=asked)
        assert (made.status_code, made.json()["spans"][0]["text"]) == (201, "by Hartmann and Son")
        assert client.post("/api/golden", json={"question": "Who is king?", "none": True}).status_code == 201
        assert (
            client.post("/api/golden", json={"question": "Who?", "path": path, "start": 9, "end": 9}).status_code == 422
        )
        assert client.post("/api/golden", json={"question": "Who?"}).status_code in (404, 422)
        assert [one["stale"] for one in client.get("/api/golden").json()["questions"]] == [False, False]
        assert client.post("/api/evaluate", json={"set": "nothing"}).status_code == 404
        assert client.post("/api/evaluate", json={"recipe": "nothing"}).status_code == 404
        for name in ("one", "two"):
            queued = client.post("/api/evaluate", json={"name": name}).json()["queued"]
            own.wait(lambda number=queued["number"]: client.get(f"/api/queue/{number}").json()["state"] == "done")
        runs = client.get("/api/runs").json()["runs"]
        assert [(one["name"], one["questions"]) for one in runs] == [("one", 2), ("two", 2)]
        compared = client.get("/api/compare?first=one&second=two").json()
        assert (compared["first"], compared["second"]) == ("one", "two")
        report = client.get("/api/report?first=one&second=two")
        assert report.headers["content-type"].startswith("text/html")
        assert "default-src 'none'" in report.headers["content-security-policy"]
        assert "<svg" in report.text
        for wrong in ("three", str(own.notes / "garden.md"), "../x"):
            assert client.get("/api/compare", params={"first": "one", "second": wrong}).status_code in (404, 422)
        key = made.json()["key"]
        assert client.delete(f"/api/golden/{key}").json() == {"removed": 1}
        assert client.delete(f"/api/golden/{key}").status_code == 404


def test_what_there_is_not_is_a_problem_too(server: Served) -> None:
    with server.client() as client:
        for method, path, status in (("GET", "/api/nothing", 404), ("PUT", "/api/ask", 405), ("GET", "/api/ask", 405)):
            done = client.request(method, path)
            assert (done.status_code, done.headers["content-type"]) == (status, "application/problem+json")
            assert done.json()["status"] == status
        assert client.get("/api/docs").status_code == 404
        assert client.get("/api/jobs/99999999999999999999").status_code == 422


def test_the_status_says_how_library_and_server_stand(server: Served) -> None:
    with server.client() as client:
        status = client.get("/api/status").json()
        assert (status["documents"], status["readonly"], status["ready"], status["model"]) == (5, False, True, None)
        assert status["visitor"] == {"name": "", "scope": "admin"}
        assert client.get("/api/models").json()["current"] is None
        assert client.get("/readyz").json() == {"ready": True}


@pytest.mark.parametrize("moment", [1e308, -1e308, "9" * 300, "9" * 400, 1e12])
def test_a_time_in_no_year_is_one_sentence(server: Served, moment: float | str) -> None:
    with server.client() as client:
        for name in ("after", "before"):
            done = client.post("/api/ask", json=BOILER | {"filters": {name: moment}})
            assert (done.status_code, "in no year" in done.json()["detail"]) == (422, True)


def test_a_library_that_is_moved_away_is_not_asked_or_written_to(own: Served) -> None:
    own.library.rename(own.library.with_name("elsewhere"))
    with own.client() as client:
        for done in (client.post("/api/ask", json=BOILER), client.post("/api/threads", json={}), client.get("/readyz")):
            assert (done.status_code, "was moved, deleted" in done.json()["detail"]) == (503, True)


def test_a_full_disk_is_told_and_leaves_the_library_whole(tmp_path: Path) -> None:
    with Library.open(tmp_path / "library") as library:
        connection = library._parts.catalog.connection
        pages = connection.execute("pragma page_count").fetchone()[0]
        connection.execute(f"pragma max_page_count = {pages}")
        with pytest.raises(sqlite3.OperationalError) as full:
            for _ in range(100):
                threads.create(library, title="x" * 200)
        told = unexpected("POST /api/threads", full.value)
        assert (told.status, "disk" in str(told)) == (507, True)
        kept = len(threads.every(library))
        connection.execute("pragma max_page_count = 1000000")
        threads.create(library, title="there is room again")
        assert len(threads.every(library)) == kept + 1


def test_what_a_cut_off_upload_left_is_cleared_away(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    left, others = tmp_path / "deep" / f".{'0a' * 16}.part", [tmp_path / ".a.part", tmp_path / "b.part"]
    for one in (left, *others):
        one.write_text("x")
    uploading.sweep(tmp_path)
    assert not left.exists()
    assert all(one.exists() for one in others)


def test_a_page_that_cannot_be_drawn_costs_its_time_once(tmp_path: Path) -> None:
    calls = []

    def fails() -> bytes:
        calls.append(1)
        return drawing.draw(str(path), 1, 1.0)

    path = tmp_path / "broken.pdf"
    path.write_bytes(b"%PDF-1.7 and nothing else")
    for _ in range(2):
        with pytest.raises(ReadError, match="the page cannot be drawn"):
            source._once((str(path), 1, 1), fails)
    assert len(calls) == 1


def test_a_connection_by_which_no_request_comes_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(life, "FIRST", 0.05)

    async def connect(app: FastAPI, sent: bytes) -> bytes:
        settings = uvicorn.Config(app, log_config=None)
        settings.load()
        state = ServerState()
        listening = await asyncio.get_running_loop().create_server(
            lambda: life.Prompt(settings, state, {}), "127.0.0.1", 0
        )
        async with listening:
            reader, writer = await asyncio.open_connection(*listening.sockets[0].getsockname())
            writer.write(sent)
            found = await reader.read()
            writer.close()
            return found

    with Library.open(tmp_path / "library") as library:
        app = create(Server(library, Config()))
        for sent in (b"", b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"):
            assert asyncio.run(connect(app, sent)) == b""


def test_as_many_connections_may_be_open_as_the_system_allows(server: Served) -> None:
    limits = Path(f"/proc/{server.process.pid}/limits")
    if not limits.exists():
        pytest.skip("this system does not say what a process may open")
    soft, hard = next(
        line.split()[3:5] for line in limits.read_text().splitlines() if line.startswith("Max open files")
    )
    assert soft == "unlimited" or int(soft) >= min(int(hard), life.FILES)
