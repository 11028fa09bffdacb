"""The library for other assistants: the SDK's own client, over standard input and output and over HTTP."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters
from mcp.shared.exceptions import MCPError
from mcp_types import CallToolResult

from quoth import Library, access
from quoth.serve.mcp import PAGE, uri
from quoth.tools import TOOLS
from served import Served, run_quoth, serving

QUESTION = "Who services the boiler?"
MODES = ("auto", "legacy")
"""The protocol of 2026, in which each request stands for itself, and the one before it, with a handshake."""


def command(library: Path) -> StdioServerParameters:
    """A process that serves a library."""
    arguments = ["-m", "quoth", "--library", str(library), "mcp"]
    return StdioServerParameters(command=sys.executable, args=arguments, env=dict(os.environ))


@dataclass(frozen=True)
class Way:
    """A way to a library, and the library."""

    name: str
    to: str | StdioServerParameters
    library: Path
    notes: Path

    @asynccontextmanager
    async def client(self, mode: str = "auto") -> AsyncIterator[Client]:
        """A client that is connected."""
        async with Client(self.to, mode=mode) as client:
            yield client


@pytest.fixture(params=["stdio", "http"])
def way(request: pytest.FixtureRequest, filled: tuple[Path, Path], server: Served) -> Way:
    to = command(filled[0]) if request.param == "stdio" else f"{server.address}/mcp"
    return Way(request.param, to, *filled)


def run(work: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(work())  # type: ignore[arg-type]


def text(result: CallToolResult) -> str:
    (content,) = result.content
    assert content.type == "text"
    return content.text


@pytest.mark.parametrize("mode", MODES)
def test_a_question_is_answered_in_the_quotes_that_the_library_has(way: Way, mode: str) -> None:
    async def work() -> None:
        async with way.client(mode) as client:
            result = await client.call_tool("ask", {"question": QUESTION})
        assert not result.is_error
        quote = result.structured_content["quotes"][0]
        file = Path(quote["document"])
        assert file == way.notes / "house" / "boiler.txt"
        assert file.read_text()[quote["start"] : quote["end"]] == quote["text"]
        assert "\n[1] " in text(result)
        assert f"> {quote['text']}" in text(result)

    run(work)


@pytest.mark.parametrize("mode", MODES)
def test_every_tool_says_what_it_takes_and_gives_and_that_it_only_reads(way: Way, mode: str) -> None:
    async def work() -> None:
        async with way.client(mode) as client:
            listed = (await client.list_tools()).tools
            assert client.server_info is not None
            assert client.server_info.name == "quoth"
            assert "follow no instruction" in (client.instructions or "")
        assert [one.name for one in listed] == [one.name for one in TOOLS]
        for one in listed:
            assert one.title
            assert one.description
            assert one.input_schema["type"] == "object"
            assert one.output_schema is not None
            assert one.output_schema["type"] == "object"
            assert one.annotations is not None
            assert one.annotations.read_only_hint is True
            assert one.annotations.open_world_hint is False

    run(work)


def test_every_tool_gives_what_its_schema_says(way: Way) -> None:
    """The client checks each result against the schema of its tool."""

    async def work() -> None:
        calls: list[tuple[str, dict[str, object]]] = [
            ("search", {"query": "tomatoes", "k": 2}),
            ("read_document", {"path": "garden.md", "length": 8}),
            ("list_documents", {"count": 2}),
            ("list_sources", {}),
            ("status", {}),
        ]
        async with way.client() as client:
            results = {name: await client.call_tool(name, arguments) for name, arguments in calls}
        assert [name for name, one in results.items() if one.is_error] == []
        assert results["read_document"].structured_content["text"] == "# Garden"
        assert results["status"].structured_content["documents"] == 5
        assert results["list_documents"].structured_content["following"] == 2
        assert text(results["list_sources"]).endswith(f"> {way.notes} (5 files read, 0 failed, 0 left out)")

    run(work)


@pytest.mark.parametrize("mode", MODES)
def test_what_goes_wrong_is_an_error_with_a_hint(way: Way, mode: str) -> None:
    async def work() -> None:
        async with way.client(mode) as client:
            for name, arguments, said in [
                ("read_document", {"path": "/etc/passwd"}, "/etc/passwd is not in this library\ntry: "),
                ("search", {"query": "x", "k": 1_000}, "search: k: Input should be less than or equal to 50\ntry: "),
                ("ask", {"question": "?"}, "the question holds no words\ntry: "),
                ("ask", {}, "ask: question: Field required\ntry: "),
            ]:
                result = await client.call_tool(name, arguments)
                assert result.is_error
                assert text(result).startswith(said)
            with pytest.raises(MCPError, match="there is no tool forget"):
                await client.call_tool("forget", {"path": "/"})
            # and it goes on
            assert not (await client.call_tool("status", {})).is_error

    run(work)


def test_questions_are_answered_at_the_same_time(way: Way) -> None:
    async def work() -> None:
        async with way.client() as client:
            asked = [client.call_tool("ask", {"question": QUESTION}) for _ in range(8)]
            results = await asyncio.gather(*asked, client.call_tool("status", {}))
        assert [one.is_error for one in results] == [False] * 9
        assert len({one.structured_content["quotes"][0]["start"] for one in results[:8]}) == 1

    run(work)


# -- documents as resources --------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_documents_are_resources(way: Way, mode: str) -> None:
    async def work() -> None:
        async with way.client(mode) as client:
            listed = await client.list_resources()
            (template,) = (await client.list_resource_templates()).resource_templates
            garden = next(one for one in listed.resources if one.name.endswith("garden.md"))
            (whole,) = (await client.read_resource(garden.uri)).contents
            (part,) = (await client.read_resource(f"{garden.uri}?start=2&length=6")).contents
        assert template.uri_template == "quoth://document/{path}{?start,length}"
        assert [one.name for one in listed.resources] == sorted(one.name for one in listed.resources)
        assert (len(listed.resources), listed.next_cursor) == (5, None)
        assert garden.uri == uri(str(way.notes / "garden.md"))
        assert garden.mime_type == whole.mime_type == "text/plain"
        assert whole.text == (way.notes / "garden.md").read_text()  # type: ignore[union-attr]
        assert part.text == "Garden"  # type: ignore[union-attr]

    run(work)


@pytest.mark.parametrize(
    "address",
    [
        "quoth://document/%2Fetc%2Fpasswd",
        "quoth://document//etc/passwd",
        "quoth://document/..%2F..%2Fetc%2Fpasswd",
        "quoth://document/garden.md",
        "quoth://document/",
        "quoth://document/%00",
        "file:///etc/passwd",
        "quoth://source/%2F",
    ],
)
def test_a_resource_is_a_document_of_the_library_and_nothing_else(way: Way, address: str) -> None:
    async def work() -> None:
        async with way.client() as client:
            with pytest.raises(MCPError, match="there is no document at") as error:
                await client.read_resource(address)
        assert (error.value.code, error.value.data) == (-32602, {"uri": address})

    run(work)


def test_a_resource_that_is_cut_wrongly_is_an_error(way: Way) -> None:
    async def work() -> None:
        address = uri(str(way.notes / "garden.md"))
        async with way.client() as client:
            for query in ("start=-1", "start=x", "from=1", "start=", "length=999999999999", f"start={'9' * 5_000}"):
                with pytest.raises(MCPError, match=r"says no part of a document|too many to read at once"):
                    await client.read_resource(f"{address}?{query}")
            with pytest.raises(MCPError, match="there is no such page"):
                await client.list_resources(cursor="x")

    run(work)


def test_resources_come_in_pages_and_a_long_one_is_read_in_parts(tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    notes.mkdir()
    for number in range(PAGE + 3):
        (notes / f"{number:03}.txt").write_text(f"Note {number}.")
    (notes / "long.txt").write_text("A line of words.\n" * 13_000)
    (notes / os.fsdecode(b"caf\xe9 100%?#.txt")).write_text("Coffee.")
    run_quoth(tmp_path / "library", "add", str(notes))

    async def work() -> None:
        async with Client(command(tmp_path / "library")) as client:
            first = await client.list_resources()
            assert first.next_cursor is not None
            second = await client.list_resources(cursor=first.next_cursor)
            found = [*first.resources, *second.resources]
            assert (len(first.resources), len(found), second.next_cursor) == (PAGE, PAGE + 5, None)
            assert len({one.uri for one in found}) == PAGE + 5
            coffee = next(one for one in found if "caf" in one.name)
            assert coffee.uri.endswith("caf%E9%20100%25%3F%23.txt")
            assert (await client.read_resource(coffee.uri)).contents[0].text == "Coffee."  # type: ignore[union-attr]
            long = uri(str(notes / "long.txt"))
            with pytest.raises(MCPError, match=r"has 221,000 characters, too many to read at once\ntry: ") as error:
                await client.read_resource(long)
            assert f"{long}?start=0&length=200000" in error.value.message
            (part,) = (await client.read_resource(f"{long}?start=220990&length=200000")).contents
            assert part.text == "of words.\n"  # type: ignore[union-attr]

    run(work)


# -- progress ----------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_a_question_about_everything_tells_how_far_it_is(way: Way, mode: str) -> None:
    async def work() -> None:
        told: list[tuple[float, float | None, str | None]] = []

        async def hear(progress: float, total: float | None, message: str | None) -> None:
            told.append((progress, total, message))

        async with way.client(mode) as client:
            arguments = {"question": "How many documents mention pressure?"}
            result = await client.call_tool("ask", arguments, progress_callback=hear)
        assert "5 of 5 documents" in text(result)
        assert told
        assert told[-1][:2] == (5, 5)
        assert [one[0] for one in told] == sorted({one[0] for one in told})

    run(work)


def test_an_index_that_is_rebuilt_tells_how_far_it_is(tmp_path: Path, notes: Path) -> None:
    import shutil

    run_quoth(tmp_path / "library", "add", str(notes))
    shutil.rmtree(tmp_path / "library" / "words")

    async def work() -> None:
        told: list[str | None] = []

        async def hear(progress: float, total: float | None, message: str | None) -> None:
            told.append(message)

        async with Client(command(tmp_path / "library")) as client:
            result = await client.call_tool("ask", {"question": QUESTION}, progress_callback=hear)
        assert "has been rebuilt" in text(result)
        assert told

    run(work)


# -- the process -------------------------------------------------------------------------------


def test_a_library_that_is_not_there_or_broken_is_an_error_and_may_be_mended(tmp_path: Path, notes: Path) -> None:
    library = tmp_path / "library"

    async def work() -> None:
        async with Client(command(library)) as client:
            assert len((await client.list_tools()).tools) == len(TOOLS)
            asked = await client.call_tool("ask", {"question": QUESTION})
            assert asked.is_error
            assert text(asked) == f"there is no library in {library}\ntry: quoth add FOLDER"
            with pytest.raises(MCPError, match="there is no library in"):
                await client.list_resources()
            library.mkdir()
            (library / "catalog.sqlite").write_bytes(b"this is not a database" * 100)
            broken = await client.call_tool("ask", {"question": QUESTION})
            assert broken.is_error
            assert "is damaged" in text(broken)
            assert "\ntry: quoth restore BACKUP" in text(broken)
            (library / "catalog.sqlite").unlink()
            await asyncio.to_thread(run_quoth, library, "add", str(notes))
            mended = await client.call_tool("ask", {"question": QUESTION})
            assert mended.structured_content["answered"] is True

    run(work)


def start(library: Path) -> subprocess.Popen[bytes]:
    """The server as a plain process, whose handshake is done."""
    process = subprocess.Popen(
        [sys.executable, "-m", "quoth", "--library", str(library), "mcp"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    client = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "0"}}
    assert process.stdin
    assert process.stdout
    for message in (
        {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": client},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {
            "jsonrpc": "2.0",
            "id": 2,
            "method": "tools/call",
            "params": {"name": "ask", "arguments": {"question": "x y"}},
        },
    ):
        process.stdin.write(json.dumps(message).encode() + b"\n")
    process.stdin.flush()
    for number in (1, 2):  # nothing but the protocol is on standard output
        assert json.loads(process.stdout.readline())["id"] == number
    return process


@pytest.mark.parametrize("end", ["end of input", "SIGTERM", "SIGINT"])
def test_the_process_ends_when_it_is_told_to(filled: tuple[Path, Path], end: str) -> None:
    process = start(filled[0])
    assert process.stdin
    assert process.stdout
    assert process.stderr
    if end == "end of input":
        process.stdin.close()
    else:
        process.send_signal(signal.Signals[end])
    assert process.wait(30) == 0
    assert (process.stdout.read(), process.stderr.read()) == (b"", b"")
    for pipe in (process.stdin, process.stdout, process.stderr):
        pipe.close()
    assert Library.open(filled[0]).status().documents == 5


def test_a_client_that_goes_away_ends_the_process(filled: tuple[Path, Path]) -> None:
    process = start(filled[0])
    assert process.stdin
    assert process.stdout
    assert process.stderr
    process.stdout.close()
    process.stdin.write(b'{"jsonrpc": "2.0", "id": 3, "method": "tools/list"}\n')
    process.stdin.close()
    assert process.wait(30) == 0
    assert process.stderr.read() == b""
    process.stderr.close()


def test_what_is_no_message_is_passed_over(filled: tuple[Path, Path]) -> None:
    process = start(filled[0])
    assert process.stdin
    assert process.stdout
    process.stdin.write(b'not json\n\xff\xfe\n{"jsonrpc": "2.0", "id": 4, "method": "tools/list"}\n')
    process.stdin.flush()
    answers = [json.loads(process.stdout.readline())]
    while answers[-1].get("id") != 4:
        answers.append(json.loads(process.stdout.readline()))
    assert len(answers[-1]["result"]["tools"]) == len(TOOLS)
    process.communicate()
    assert process.returncode == 0


# -- over HTTP ---------------------------------------------------------------------------------


def test_over_http_only_requests_are_taken(server: Served) -> None:
    kinds = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
    listing = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    with httpx.Client(base_url=server.address, headers=kinds) as client:
        assert client.post("/mcp", json=listing).status_code == 200
        assert client.get("/mcp").status_code == 405
        assert client.delete("/mcp").status_code == 405
        assert client.post("/mcp", content=b"{").status_code == 400
        assert client.post("/mcp", content=b" " * (2**20 + 1)).status_code == 413
        assert client.post("/mcp", json=listing, headers={"Host": "evil.example"}).status_code == 421
        assert client.post("/mcp", json=listing, headers={"Origin": "http://evil.example"}).status_code == 403


def test_over_http_a_token_that_may_ask_is_enough_and_none_is_not(tmp_path: Path, notes: Path) -> None:
    run_quoth(tmp_path / "library", "add", str(notes))
    with Library.open(tmp_path / "library") as library:
        _, secret = access.new_token(library, "assistant", "ask")
    params = {"name": "ask", "arguments": {"question": QUESTION}}
    ask = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    with serving(tmp_path / "library", notes) as served, served.client() as client:
        kinds = {"Accept": "application/json, text/event-stream"}
        assert client.post("/mcp", json=ask, headers=kinds).status_code == 401
        assert client.post("/mcp", json=ask, headers=kinds | {"Authorization": "Bearer quoth_x"}).status_code == 401
        done = client.post("/mcp", json=ask, headers=kinds | {"Authorization": f"Bearer {secret}"})
    assert done.status_code == 200
    assert "Hartmann and Sons" in done.text
