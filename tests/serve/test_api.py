"""The REST doors of a real server, through a real client."""

from __future__ import annotations

import json

from served import Served


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
