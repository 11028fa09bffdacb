"""Language models behind endpoints, asked by the real clients; each way to fail has a sentence."""

from __future__ import annotations

import asyncio
import gzip
import http.server
import threading
from collections.abc import Callable, Iterator
from contextlib import aclosing, contextmanager

import pytest

from quoth import llm
from quoth.errors import ModelError, UsageError
from quoth.llm import endpoint as endpoints
from quoth.llm import names, reach
from quoth.testing import Fault, ScriptedEndpoint, Trouble, check_llm, in_form
from quoth.types import Cited, Usage, Written

ANSWER = (
    Written("Hartmann services it.", (Cited(1, "serviced each October by Hartmann"),)),
    Written("Its pressure is 1.5 bar.", (Cited(1, "pressure should be 1.5 bar"), Cited(2, "bar"))),
    Written("Nobody said this."),
)
Named = Callable[[ScriptedEndpoint], str]
WAYS = pytest.mark.parametrize("named", [lambda one: one.name, lambda one: one.anthropic], ids=["openai", "anthropic"])


def everything(name: str, timeout: float = 20.0, key: str = "", context: int = 8_192) -> list[Written | Usage]:
    """What a model says to a question, in one go."""

    async def ask() -> list[Written | Usage]:
        model = llm.open(name, key=key, timeout=timeout, prices=(3.0, 15.0), context=context)
        return [item async for item in model.sentences("You answer.", "When is the boiler serviced?")]

    return asyncio.run(ask())


@WAYS
def test_an_endpoint_keeps_the_contract(named: Named) -> None:
    with ScriptedEndpoint(ANSWER) as endpoint:
        check_llm(lambda: llm.open(named(endpoint)))


@WAYS
def test_sentences_come_whole_and_in_order_and_the_usage_at_the_end(named: Named) -> None:
    with ScriptedEndpoint(ANSWER) as endpoint:
        *sentences, used = everything(named(endpoint))
        assert tuple(sentences) == ANSWER
        assert used == Usage(named(endpoint), 1, 100, 20, pytest.approx(100 * 3e-6 + 20 * 15e-6))


@WAYS
def test_a_sentence_is_there_before_the_next_one_is_written(named: Named) -> None:
    async def first(model: str) -> Written | Usage:
        async with aclosing(llm.open(model, context=8_192).sentences("s", "p")) as some:
            async for item in some:
                return item
        raise AssertionError("nothing was written")

    # half an answer and then no more: the first sentence has come although the answer never ends
    half = in_form(ANSWER)
    half = half[: half.index("Nobody")]
    with ScriptedEndpoint(Fault("stalls", half)) as endpoint:
        assert asyncio.run(first(named(endpoint))) == ANSWER[0]


FAULTS: list[tuple[Trouble, str]] = [
    ("slow", "did not answer within 1 seconds"),
    ("stalls", "did not answer within 1 seconds"),
    ("dies", "broke off"),
    ("refuses", "refused to answer"),
    ("unauthorized", "refused the key"),
    ("too long", "are more than"),
    ("broken", "answered with an error: 500 something broke"),
    ("elsewhere", "answered with an error"),
]


@WAYS
@pytest.mark.parametrize(("trouble", "sentence"), FAULTS)
def test_every_failure_is_a_sentence(named: Named, trouble: Trouble, sentence: str) -> None:
    with ScriptedEndpoint(Fault(trouble, '{"sentences": [{"cites": [], "te')) as endpoint:
        with pytest.raises(ModelError, match=sentence) as failed:
            everything(named(endpoint), timeout=1.0 if "within" in sentence else 20.0)
        assert failed.value.hint
        assert "\n" not in str(failed.value)


@WAYS
@pytest.mark.parametrize("answer", ["I would rather tell a story.", '{"sentences": 7}', '{"sentences": [{"text"', ""])
def test_an_answer_without_form_is_asked_for_once_more_in_words(named: Named, answer: str) -> None:
    with ScriptedEndpoint(answer) as endpoint:
        with pytest.raises(ModelError, match="did not answer in the form"):
            everything(named(endpoint))
        assert len(endpoint.asked) <= 2
    with ScriptedEndpoint(answer, in_form(ANSWER)) as endpoint:
        if named(endpoint) == endpoint.name:
            assert everything(endpoint.name)[:-1] == list(ANSWER)
            assert ["response_format" in one for one in endpoint.asked] == [True, False]


def test_an_endpoint_that_knows_no_schema_is_asked_in_words() -> None:
    fenced = f"Here you are:\n```json\n{in_form(ANSWER)}\n```"
    with ScriptedEndpoint(Fault("no schema", in_form(ANSWER)), Fault("no schema", fenced)) as endpoint:
        assert everything(endpoint.name)[:-1] == list(ANSWER)
        with_schema, without = endpoint.asked
        assert with_schema["response_format"]["type"] == "json_schema"  # type: ignore[index]
        assert "response_format" not in without
        assert [one["role"] for one in without["messages"]] == ["system", "user"]  # type: ignore[attr-defined]
        assert '"sentences"' in without["messages"][0]["content"]  # type: ignore[index]


def test_a_refused_schema_is_remembered_and_one_bad_answer_is_not() -> None:
    async def twice(name: str) -> None:
        model = llm.open(name, context=8_192)
        for _ in range(2):
            assert [item async for item in model.sentences("s", "p")][:-1] == list(ANSWER)

    for first, schemas in ((Fault("no schema"), [True, False, False]), ("no JSON", [True, False, True])):
        with ScriptedEndpoint(first, ANSWER) as endpoint:
            asyncio.run(twice(endpoint.name))
            assert ["response_format" in one for one in endpoint.asked] == schemas


def test_a_busy_endpoint_is_asked_again() -> None:
    with ScriptedEndpoint(Fault("busy"), ANSWER) as endpoint:
        assert everything(endpoint.name)[:-1] == list(ANSWER)


def test_nobody_listening_is_a_sentence() -> None:
    with ScriptedEndpoint(ANSWER) as endpoint:
        name, claude = endpoint.name, endpoint.anthropic
    for gone in (name, claude):
        with pytest.raises(ModelError, match="cannot be reached"):
            everything(gone)


def test_what_does_not_fit_is_not_sent() -> None:
    with ScriptedEndpoint(ANSWER, context=70) as endpoint:
        with pytest.raises(ModelError, match="do not fit into the 70 tokens"):
            everything(endpoint.name, context=0)
        assert endpoint.asked == []


def test_nothing_but_the_named_host_is_spoken_to(monkeypatch: pytest.MonkeyPatch) -> None:
    with ScriptedEndpoint(Fault("broken")) as proxy, ScriptedEndpoint(ANSWER) as endpoint:
        for variable in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(variable, proxy.url)
        for variable in ("OPENAI_BASE_URL", "ANTHROPIC_BASE_URL"):
            monkeypatch.setenv(variable, f"{proxy.url}/v1")
        for variable in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "OPENAI_ORG_ID"):
            monkeypatch.setenv(variable, "for-its-firm-alone")
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        for name in (endpoint.name, endpoint.anthropic):
            assert everything(name, context=0)[:-1] == list(ANSWER)
        assert proxy.paths == proxy.asked == []
        assert "for-its-firm-alone" not in str(endpoint.headers)


def test_the_key_is_sent_to_the_named_host() -> None:
    with ScriptedEndpoint(ANSWER) as endpoint:
        everything(endpoint.name, key="secret")
        everything(endpoint.anthropic, key="secret")
        assert endpoint.headers[0]["authorization"] == "Bearer secret"
        assert "secret" in endpoint.headers[1].get("x-api-key", "") + endpoint.headers[1].get("authorization", "")


def test_keys_of_the_firms_go_to_their_hosts_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "o")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "a")
    keys = {
        "https://api.openai.com/v1#gpt": "o",
        "http://api.openai.com/v1#gpt": "",
        "https://api.openai.com.example.org/v1#gpt": "",
        "anthropic#claude": "a",
        "anthropic+https://example.org#claude": "",
        "http://127.0.0.1:1/v1#m": "",
    }
    assert {name: names.where(name).key for name in keys} == keys
    assert names.where("anthropic#claude").url == "https://api.anthropic.com"


@pytest.mark.parametrize(
    "name",
    ["", "gpt", "http://127.0.0.1/v1", "http:///v1#m", "http://h:99999/v1#m", "ftp://h/v1#m", "anthropic", "anthropic#",
     "http://me:secret@h/v1#m", "http://h/v1?key=secret#m", "nowhere.gguf"],
)  # fmt: skip
def test_a_name_that_is_none_is_wrong_usage(name: str) -> None:
    with pytest.raises(UsageError) as wrong:
        llm.open(name)
    assert wrong.value.hint


def test_the_context_is_what_the_endpoint_tells() -> None:
    with ScriptedEndpoint(ANSWER, context=1_234) as endpoint:
        assert llm.open(endpoint.name).context == 1_234
        assert llm.open(endpoint.name, context=99).context == 99
        assert llm.open(f"{endpoint.url}/v1#other").context == reach.USUAL
    assert llm.open(endpoint.name).context == reach.USUAL


def test_what_answers_is_listed_and_what_does_not_says_so() -> None:
    with ScriptedEndpoint(ANSWER, context=1_234) as endpoint:
        (one,) = [found for found in llm.reachable([endpoint.name]) if "11434" not in found.where]
        assert (one.name, one.model, one.context, one.problem) == (endpoint.name, "scripted", 1_234, "")
    (gone,) = [found for found in llm.reachable([endpoint.name]) if "11434" not in found.where]
    assert gone.problem.startswith("it cannot be reached")


@contextmanager
def saying(body: Iterator[bytes] | bytes, packed: bool = False) -> Iterator[str]:
    """The address of a server that answers every POST with these bytes, in pieces where there are many."""
    sent = threading.Event()

    class Respond(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Transfer-Encoding", "chunked")
            if packed:
                self.send_header("Content-Encoding", "gzip")
            self.end_headers()
            self.close_connection = True
            try:
                for part in [body] if isinstance(body, bytes) else body:
                    self.wfile.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
                self.wfile.write(b"0\r\n\r\n")
            except (BrokenPipeError, ConnectionResetError):
                sent.set()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Respond)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


NAMES = pytest.mark.parametrize("named", ["{}/v1#m", "anthropic+{}#claude-m"], ids=["openai", "anthropic"])


@NAMES
def test_an_answer_without_end_is_left(named: str) -> None:
    sent: list[int] = []

    def endless() -> Iterator[bytes]:
        # one line that never ends
        while True:
            sent.append(65_536)
            yield b"x" * 65_536

    with saying(endless()) as url, pytest.raises(ModelError, match="more than 8 MiB") as failed:
        everything(named.format(url))
    assert failed.value.hint
    assert sum(sent) < 8 * endpoints.MOST_BYTES


@NAMES
def test_a_whole_text_without_end_is_left_too(named: str) -> None:
    async def complete(name: str) -> None:
        await llm.open(name, context=8_192).complete("s", "p")

    with saying(iter(lambda: b" " * 65_536, b"")) as url, pytest.raises(ModelError, match="more than 8 MiB"):
        asyncio.run(complete(named.format(url)))


@NAMES
def test_packed_answers_are_not_asked_for_and_not_taken(named: str) -> None:
    bomb = gzip.compress(b" " * 10_000_000)
    with saying(bomb, packed=True) as url, pytest.raises(ModelError, match="packs its answers"):
        everything(named.format(url))
    with ScriptedEndpoint(ANSWER) as endpoint:
        everything(endpoint.name if "v1" in named else endpoint.anthropic)
        assert endpoint.headers[0]["accept-encoding"] == "identity"
