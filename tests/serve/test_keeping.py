"""What is added, removed, watched and run in the background of a real server; and how servers begin and end."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import sqlite3
import subprocess
import threading
import time
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from conftest import write_notes
from quoth.errors import UsageError
from quoth.lock import writer
from quoth.serve.uploading import folders_of, name_of
from served import Served, run_quoth, serving

pytestmark = pytest.mark.slow

BOILER = {"question": "Who services the boiler?"}


def over(served: Served, client: httpx.Client, number: int) -> dict[str, object]:
    """A command of the background, once it is over."""
    served.wait(lambda: client.get(f"/api/queue/{number}").json()["state"] not in ("waiting", "running"))
    record: dict[str, object] = client.get(f"/api/queue/{number}").json()
    return record


def added(served: Served, client: httpx.Client, path: Path) -> dict[str, object]:
    done = client.post("/api/sources", json={"path": str(path)})
    assert done.status_code == 202, done.text
    return over(served, client, done.json()["queued"]["number"])


def paths(client: httpx.Client, **wanted: str) -> list[str]:
    return [one["path"] for one in client.get("/api/documents", params=wanted).json()["documents"]]


def many(folder: Path, count: int) -> Path:
    """A folder with so many files that take their time."""
    folder.mkdir()
    for number in range(count):
        words = " ".join(f"Room {number}-{line} has {line + 3} chairs and a lamp." for line in range(60))
        (folder / f"room{number}.txt").write_text(words)
    return folder


# -- sources ---------------------------------------------------------------------------------------


def test_a_folder_is_added_asked_and_taken_out_again(own: Served, tmp_path: Path) -> None:
    folder = tmp_path / "more"
    folder.mkdir()
    (folder / "moon.txt").write_text("The moon base opened in 2031 and has nine rooms.")
    (folder / "broken.pdf").write_bytes(b"%PDF-1.4 and nothing else")
    with own.client() as client:
        assert added(own, client, folder)["result"]["added"] == 1  # type: ignore[index]
        answer = client.post("/api/ask", json={"question": "When did the moon base open?"}).json()
        assert answer["quotes"][0]["document"] == str(folder / "moon.txt")
        failed = client.get("/api/documents?state=failed").json()["documents"]
        assert [(one["path"], bool(one["reason"]), one["source"]) for one in failed] == [
            (str(folder / "broken.pdf"), True, str(folder))
        ]
        known = {one["path"]: one["files"] for one in client.get("/api/sources").json()["sources"]}
        assert known[str(folder)] == {"failed": 1, "read": 1}
        gone = client.delete("/api/sources", params={"path": str(folder)})
        assert (gone.status_code, gone.json()["removed"]) == (200, 2)
        assert str(folder / "moon.txt") not in paths(client)
        assert (folder / "moon.txt").exists()


def test_try_again_reads_a_file_that_failed(own: Served, tmp_path: Path) -> None:
    file = own.notes / "list.json"
    with own.client() as client:
        client.post("/api/sync")
        own.idle()
        file.write_bytes(b"PK\x03\x04 no zip")
        own.wait(lambda: str(file) in paths(client, state="failed") + paths(client, state="skipped"))
        done = client.post("/api/documents/retry", params={"path": str(file)})
        assert over(own, client, done.json()["queued"]["number"])["state"] == "done"
        nowhere = client.post("/api/documents/retry", params={"path": "/nowhere"})
    assert nowhere.status_code == 404


@pytest.mark.parametrize(
    ("path", "status"),
    [("", 422), ("notes", 422), ("/nowhere/at/all", 404), ("/tmp/a\0b", 422), ("x" * 5_000, 422), ("library", 422)],
)
def test_what_cannot_be_added_is_said_at_once(server: Served, path: str, status: int) -> None:
    with server.client() as client:
        given = str(server.library) if path == "library" else path
        done = client.post("/api/sources", json={"path": given})
        assert done.status_code == status, done.text
        assert client.get("/api/jobs").json()["queued"] == []


def test_removing_a_file_says_that_it_comes_back_and_forgetting_it_that_it_does_not(own: Served) -> None:
    roof = str(own.notes / "house" / "roof.txt")
    with own.client() as client:
        gone = client.delete("/api/documents", params={"path": roof})
        assert gone.json()["removed"] == 1
        assert "the next sync reads it again" in gone.json()["notes"][0]
        over(own, client, client.post("/api/sync").json()["queued"]["number"])
        assert roof in paths(client)
        forgotten = client.delete("/api/documents", params={"path": roof, "forget": "true"})
        assert forgotten.json() == {"removed": 1, "notes": []}
        over(own, client, client.post("/api/sync").json()["queued"]["number"])
        assert roof not in paths(client)
        assert client.delete("/api/documents", params={"path": roof}).status_code == 404
        assert client.delete("/api/documents", params={"path": str(own.notes)}).status_code == 404
        assert Path(roof).exists()


def test_what_changes_on_disk_is_in_the_answers_soon(own: Served) -> None:
    with own.client() as client:
        own.wait(lambda: client.get("/api/jobs").json()["watching"] == "on")
        (own.notes / "sea.txt").write_text("The sea at Kiel had 19 degrees in August.")
        own.wait(lambda: str(own.notes / "sea.txt") in paths(client))


# -- jobs ------------------------------------------------------------------------------------------


def test_a_job_tells_how_far_it_is_and_stops_when_it_is_cancelled(own: Served, tmp_path: Path) -> None:
    folder = many(tmp_path / "rooms", 400)
    with own.client() as client:
        number = client.post("/api/sources", json={"path": str(folder)}).json()["queued"]["number"]

        def running() -> list[dict[str, object]]:
            return [one for one in client.get("/api/jobs").json()["jobs"] if one["state"] == "running"]

        own.wait(lambda: any(one["of_files"] == 400 for one in running()))
        job = running()[0]
        assert (job["command"], job["places"]) == ("add", [str(folder)])
        assert client.get("/api/status").json()["job"]["id"] == job["id"]
        assert client.post(f"/api/jobs/{job['id']}/cancel").status_code == 200
        assert over(own, client, number)["state"] == "cancelled"
        assert client.get(f"/api/jobs/{job['id']}").json()["state"] == "stopped"
        # what somebody cancelled is not taken up behind their back
        assert client.get("/api/jobs").json()["watching"].startswith("nothing is watched since")
        assert client.post(f"/api/jobs/{job['id']}/cancel").status_code == 404
        goes_on = client.post(f"/api/jobs/{job['id']}/resume").json()["queued"]["number"]
        assert over(own, client, goes_on)["state"] == "done"
        assert client.get("/api/documents?q=room").json()["total"] == 400
        assert client.post("/api/jobs/999/cancel").status_code == 404
        assert client.post("/api/jobs/999/resume").status_code == 404


def test_a_command_waits_while_somebody_else_writes_and_says_who(own: Served, tmp_path: Path) -> None:
    with own.client() as client:
        with writer(own.library):
            number = client.post("/api/sync").json()["queued"]["number"]
            own.wait(lambda: client.get(f"/api/queue/{number}").json()["said"])
            waiting = client.get(f"/api/queue/{number}").json()
            assert waiting["state"] in ("waiting", "running")
            assert f"process {os.getpid()}" in waiting["said"]
            dropped = client.post("/api/sources", json={"path": str(tmp_path / "notes" / "house")}).json()["queued"]
            assert client.post(f"/api/queue/{dropped['number']}/cancel").json()["state"] == "cancelled"
            assert client.post("/api/ask", json=BOILER).json()["answered"]
        assert over(own, client, number)["state"] == "done"
        assert client.get(f"/api/queue/{dropped['number']}").json()["state"] == "cancelled"
        assert client.post(f"/api/queue/{dropped['number']}/cancel").status_code == 404
        assert client.get("/api/queue/999").status_code == 404


# -- uploads ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("notes.txt", "notes.txt"),
        ("../../etc/passwd", "passwd"),
        ("/etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("C:\\Users\\me\\letter.doc", "letter.doc"),
        (".bashrc", "bashrc"),
        ("...", "upload"),
        ("", "upload"),
        ("a\0b.txt", "ab.txt"),
        ("a\nb\x1b[31m.txt", "ab[31m.txt"),
        ("con", "_con"),
        ("LPT1.txt", "_LPT1.txt"),
        ('a<b>:"|?*.md', "ab.md"),
        ("name. ", "name"),
        ("\u202etxt.exe", "txt.exe"),
        ("Straße 5 – Übersicht 日本.pdf", "Straße 5 – Übersicht 日本.pdf"),
    ],
)
def test_a_name_leads_nowhere_else(given: str, name: str) -> None:
    assert name_of(given) == name


def test_a_long_name_keeps_its_ending() -> None:
    assert len(name_of("é" * 300 + ".pdf").encode()) <= 200
    assert name_of("é" * 300 + ".pdf").endswith("é.pdf")
    assert len(name_of("x" * 300 + "." + "y" * 300).encode()) <= 200


def test_folders_stay_inside() -> None:
    assert folders_of("../a/./b//..\\c/") == ["a", "b", "c"]
    assert folders_of("") == []
    for wrong in ("a/" * 9, "a/.git/b/node_modules"):
        with pytest.raises(UsageError):
            folders_of(wrong)


def sent(client: httpx.Client, *files: tuple[str, bytes], **fields: str) -> httpx.Response:
    return client.post("/api/upload", files=[("files", one) for one in files], data=fields)


def test_uploads_land_beside_the_library_whatever_they_are_called(own: Served) -> None:
    place = own.library.with_name("library-uploads")
    with own.client() as client:
        text = b"The comet came back in 2061 and was seen by many."
        done = sent(client, ("../../comet.txt", text), ("comet.txt", b"Another comet."), folder="../sky/..")
        landed = [Path(one["path"]) for one in done.json()["files"]]
        assert landed == [place / "sky" / "comet.txt", place / "sky" / "comet (2).txt"]
        assert landed[0].read_bytes() == text
        again = sent(client, ("comet.txt", b"Another comet."), ("comet.txt", text), folder="sky").json()["files"]
        assert [one["path"] for one in again] == [str(landed[1]), str(landed[0])], "no copies of what is there"
        assert sorted(place.rglob("*.*")) == sorted(landed)
        assert sorted(place.rglob("*.part")) == []
        assert over(own, client, done.json()["queued"]["number"])["state"] == "done"
        answer = client.post("/api/ask", json={"question": "When did the comet come back?"}).json()
        assert answer["quotes"][0]["document"] == str(landed[0])
        assert [one["path"] for one in client.get("/api/sources").json()["sources"] if one["uploads"]] == [str(place)]
        # of an upload nobody else has a copy: it goes with its document, and may come again
        assert client.delete("/api/documents", params={"path": str(landed[0]), "forget": "true"}).status_code == 200
        own.wait(lambda: not landed[0].exists())
        again = sent(client, ("comet.txt", text), folder="sky").json()
        assert again["files"][0]["path"] == str(landed[0])
        over(own, client, again["queued"]["number"])
        assert str(landed[0]) in paths(client)


def test_what_is_not_read_is_refused_with_its_reason(own: Served) -> None:
    video = b"\0\0\0\x18ftypmp42" + b"\0" * 500
    with own.client() as client:
        done = sent(client, ("clip.mp4", video))
        assert (done.status_code, done.json()["detail"]) == (415, "clip.mp4 is a video, which Quoth does not read")
        assert sent(client, ("nothing.txt", b"")).json()["detail"] == "nothing.txt is empty"
        assert sent(client, ("~$letter.docx", b"x")).status_code == 415
        mixed = sent(client, ("clip.mp4", video), ("good.txt", b"The good one is read."))
        assert (mixed.status_code, len(mixed.json()["files"]), len(mixed.json()["refused"])) == (202, 1, 1)
        assert client.post("/api/upload").status_code == 422
        assert client.post("/api/upload", data={"folder": "x"}).status_code == 422
        odd = {"Content-Type": "multipart/form-data; boundary=x"}
        assert client.post("/api/upload", content=b"no parts at all", headers=odd).status_code in (400, 422)


def zipped(**members: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.txt", content)
    return packed.getvalue()


def test_an_archive_is_taken_only_when_asked_and_a_bomb_harms_nobody(own: Served) -> None:
    letters = zipped(letter=b"The ferry leaves at seven from pier nine.")
    with own.client() as client:
        plain = sent(client, ("letters.zip", letters))
        assert (plain.status_code, plain.json()["detail"]) == (
            415, "letters.zip is a zip archive, which Quoth does not read",
        )  # fmt: skip
        bomb = ("bomb.zip", zipped(bomb=b"0" * 600_000_000))
        done = sent(client, ("letters.zip", letters), bomb, archives="true")
        assert over(own, client, done.json()["queued"]["number"])["state"] == "done"
        answer = client.post("/api/ask", json={"question": "When does the ferry leave?"}).json()
        assert "pier nine" in answer["text"]
        refused = client.get("/api/documents?q=bomb").json()["documents"]
        assert [one["state"] for one in refused] == ["failed"], refused
        assert client.get("/healthz").text == "ok"


def test_an_upload_that_is_too_large_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    notes = write_notes(tmp_path / "notes")
    with serving(tmp_path / "library", notes, env={"QUOTH_MOST_UPLOAD": "1"}) as served, served.client() as client:
        done = sent(client, ("large.txt", b"word " * 2_000_000))
        assert (done.status_code, done.headers["content-type"]) == (413, "application/problem+json")
        assert not served.library.with_name("library-uploads").exists()
        assert sent(client, ("small.txt", b"word " * 100)).status_code == 202


# -- many at once ----------------------------------------------------------------------------------


def test_eight_ask_at_once_while_files_are_added(own: Served, tmp_path: Path) -> None:
    folder = many(tmp_path / "rooms", 150)
    asked = ["Who services the boiler?", "When were the tomatoes planted?", "How hot is the bread baked?", "nonsense?"]

    def ask(number: int) -> list[dict[str, object]]:
        found = []
        with own.client() as client:
            for turn in range(6):
                question = asked[(number + turn) % len(asked)]
                found.append(client.post("/api/ask", json={"question": question}).raise_for_status().json())
        return found

    with own.client() as client:
        number = client.post("/api/sources", json={"path": str(folder)}).json()["queued"]["number"]
        with ThreadPoolExecutor(8) as askers:
            answers = [one for some in askers.map(ask, range(8)) for one in some]
        assert over(own, client, number)["state"] == "done"
        assert client.get("/api/documents?q=room").json()["total"] == 150
    for answer in answers:
        for quote in answer["quotes"]:  # type: ignore[attr-defined]
            text = Path(quote["document"]).read_text(encoding="utf-8")
            assert text[quote["start"] : quote["end"]] == quote["text"]
        if answer["question"] == asked[0]:
            assert "Hartmann" in str(answer["text"])


def test_who_comes_when_there_is_no_room_is_asked_to_come_again(filled: tuple[Path, Path], tmp_path: Path) -> None:
    library, notes = filled
    question = {"question": "Who services the boiler? " + "Tell me all about the boiler, please. " * 200}
    with serving(library, notes, "--read-only", env={"QUOTH_MOST_ASKS": "1"}) as served:

        def ask(_: int) -> httpx.Response:
            with served.client() as client:
                return client.post("/api/ask", json=question)

        with ThreadPoolExecutor(12) as askers:
            done = list(askers.map(ask, range(36)))
        assert {one.status_code for one in done} == {200, 429}
        refused = next(one for one in done if one.status_code == 429)
        assert int(refused.headers["retry-after"]) >= 1
        assert refused.json()["hint"].startswith("ask again in")
        with served.client() as client:
            assert client.post("/api/ask", json=BOILER).json()["answered"]


# -- beginning and ending --------------------------------------------------------------------------


def children(process: int) -> list[int]:
    found = subprocess.run(["pgrep", "-P", str(process)], capture_output=True, text=True, check=False).stdout.split()
    return [each for one in map(int, found) for each in (one, *children(one))]


def alive(process: int) -> bool:
    try:
        return "zombie" not in Path(f"/proc/{process}/status").read_text()
    except FileNotFoundError:
        return False


def test_told_to_end_a_server_finishes_what_it_is_saying(own: Served) -> None:
    question = "Who services the boiler? " + "Tell me all about the boiler, please. " * 250
    begun = threading.Semaphore(0)

    def ask(_: int) -> str:
        with own.client() as client:
            stream = client.stream(
                "POST", "/api/ask", json={"question": question}, headers={"Accept": "text/event-stream"}
            )
            begun.release()
            with stream as answer:
                return "".join(answer.iter_text())

    with ThreadPoolExecutor(12) as askers:
        asked = [askers.submit(ask, number) for number in range(12)]
        for _ in asked:
            begun.acquire()
        with own.client() as client:
            own.wait(lambda: client.get("/healthz").text == "ok")
        time.sleep(0.2)  # so that all have been taken up
        own.process.send_signal(signal.SIGTERM)
        streams = [one.result() for one in asked]
    assert own.process.wait(60) == 0
    for stream in streams:
        last = stream.strip().split("\n\n")[-1]
        assert last.startswith("event: done\n")
        assert json.loads(last.split("data: ", 1)[1])["question"] == question
    with sqlite3.connect(own.library / "catalog.sqlite") as catalog:
        assert catalog.execute("pragma integrity_check").fetchone() == ("ok",)
    catalog.close()
    assert not (own.library / "catalog.sqlite-wal").exists()
    assert not (own.library / "server.json").exists()


def test_told_to_end_while_files_are_added_a_server_ends_that_too(own: Served, tmp_path: Path) -> None:
    folder = many(tmp_path / "rooms", 400)
    with own.client() as client:
        client.post("/api/sources", json={"path": str(folder)})
        own.wait(lambda: (client.get("/api/status").json()["job"] or {}).get("of_files") == 400)
    processes = children(own.process.pid)
    assert len(processes) >= 2
    assert own.stop() == 0
    assert [one for one in processes if alive(one)] == []
    jobs = json.loads(run_quoth(own.library, "jobs", "--json"))["jobs"]
    assert jobs[0]["state"] == "stopped"


def test_a_server_that_is_killed_leaves_no_process_behind(own: Served, tmp_path: Path) -> None:
    folder = many(tmp_path / "rooms", 400)
    with own.client() as client:
        own.wait(lambda: client.get("/api/jobs").json()["watching"] == "on")
        client.post("/api/sources", json={"path": str(folder)})
        own.wait(lambda: (client.get("/api/status").json()["job"] or {}).get("of_files") == 400)
    processes = children(own.process.pid)
    assert len(processes) >= 3
    own.process.kill()
    own.process.wait()
    end = time.monotonic() + 30
    while any(map(alive, processes)):
        assert time.monotonic() < end, [one for one in processes if alive(one)]
        time.sleep(0.1)
    with serving(own.library, own.notes) as again, again.client() as client:
        assert client.post("/api/ask", json=BOILER).json()["answered"]


def test_a_second_server_says_where_the_first_one_is(own: Served) -> None:
    with pytest.raises(AssertionError, match="is served already") as refused, serving(own.library, own.notes):
        pass
    assert f"at {own.address} (process {own.process.pid})" in str(refused.value)
    assert "quoth serve --read-only" in str(refused.value)
    with serving(own.library, own.notes, "--read-only") as reader, reader.client() as client:
        assert client.post("/api/ask", json=BOILER).json()["answered"]
        for method, path, body in (
            ("POST", "/api/sync", None),
            ("POST", "/api/sources", {"path": "/tmp"}),
            ("POST", "/api/threads", {}),
            ("POST", "/api/ratings", {"rating": "right"}),
            ("POST", "/api/tokens", {"name": "x", "scope": "ask"}),
        ):
            done = client.request(method, path, json=body)
            assert (done.status_code, done.json()["type"]) == (409, "urn:quoth:read-only"), path
        assert client.get("/api/status").json()["readonly"]
        assert client.get("/api/threads").json() == {"threads": []}
    assert own.stop() == 0
    with serving(own.library, own.notes) as third:  # nothing of the first one is in the way
        assert third.address != own.address


def test_a_port_that_is_taken_is_told_with_one_that_is_free(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with (
            pytest.raises(AssertionError, match=f"port {port} is taken") as refused,
            serving(tmp_path / "library", tmp_path, "--port", str(port)),
        ):
            pass
    assert "try: quoth serve --port " in str(refused.value)


def test_a_library_of_a_newer_version_is_not_served(fill: Callable[[Path], Path], tmp_path: Path) -> None:
    catalog = sqlite3.connect(fill(tmp_path) / "catalog.sqlite")
    catalog.execute("pragma user_version = 999")
    catalog.close()
    with pytest.raises(AssertionError, match="written by a newer Quoth"), serving(tmp_path / "library", tmp_path):
        pass


def test_an_empty_library_is_served_and_filled(tmp_path: Path) -> None:
    notes = write_notes(tmp_path / "notes")
    with serving(tmp_path / "new" / "library", notes) as served, served.client() as client:
        empty = client.post("/api/ask", json=BOILER).json()
        assert (empty["answered"], empty["searched"]) == (False, {"documents": 0, "passages": 0})
        added(served, client, notes)
        assert client.post("/api/ask", json=BOILER).json()["answered"]


def test_who_goes_away_makes_room_for_others(filled: tuple[Path, Path]) -> None:
    library, notes = filled
    with serving(library, notes, "--read-only", env={"QUOTH_MOST_ASKS": "1"}) as served, served.client() as client:
        for _ in range(5):
            asked = {"question": "list all files about the boiler", "everything": True}
            with client.stream("POST", "/api/ask", json=asked, headers={"Accept": "text/event-stream"}) as stream:
                assert stream.status_code == 200
        done = client.post("/api/ask", json=BOILER)
        assert (done.status_code, done.json()["answered"]) == (200, True)


def test_where_there_is_no_language_model_it_says_so_and_quotes(filled: tuple[Path, Path]) -> None:
    library, notes = filled
    with serving(library, notes, "--read-only", "--llm", "/no/such/model.gguf") as served, served.client() as client:
        status = client.get("/api/status").json()
        assert status["model"] is None
        assert status["notes"][0].startswith("no language model writes: ")
        assert client.post("/api/ask", json=BOILER).json()["answered"]
