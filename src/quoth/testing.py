"""Executable contracts: what every part behind a seam must do, run on anyone's own class."""

from __future__ import annotations

import asyncio
import http.server
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from quoth.errors import ModelError
from quoth.types import Usage, Written

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from quoth.types import Encoder, Ids, LanguageModel, Vectors, Words


def check_vectors(make: Callable[[Path, int], Vectors], folder: Path) -> None:
    """Raises AssertionError where a vector store breaks the contract of `types.Vectors`.

    `make(folder, dimensions)` opens the store in `folder`; opening the same folder again finds what
    is there. Every result is held against a plain NumPy computation.
    """
    import numpy as np

    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(60, 16)).astype(np.float32)
    vectors[40:50] = vectors[40]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    ids = np.arange(3, 183, 3)
    store, empty = make(folder / "full", 16), make(folder / "empty", 16)
    query = vectors[7]

    def same(held: dict[int, NDArray[np.float32]], k: int, within: Ids | None = None) -> None:
        """Whether search gives the k best of `held`, and `ids` and `fetch` tell the same story."""
        among = [one for one in sorted(held) if within is None or one in within]
        scores = {one: float(held[one] @ query) for one in among}
        wanted = sorted(among, key=lambda one: (-round(scores[one], 3), one))[:k]
        found = store.search(query, k, within)
        assert found.ids.dtype == np.int64, "ids are int64"
        assert found.scores.dtype == np.float32, "scores are float32"
        assert len(found.ids) == len(found.scores) == min(k, len(among)), "k hits when k exist"
        assert set(found.ids.tolist()) <= set(among), "nothing outside `within`, nothing removed"
        assert np.allclose(found.scores, [scores[one] for one in found.ids.tolist()], atol=2e-3), "cosines"
        assert np.allclose(found.scores, [scores[one] for one in wanted], atol=2e-3), "the best k, best first"
        order = list(zip((-found.scores).tolist(), found.ids.tolist(), strict=True))
        assert order == sorted(order), "equal scores in order of id"
        assert store.ids().tolist() == sorted(held), "ids are all that is held, sorted"
        fetched = store.fetch(np.array(sorted(held)))
        assert np.allclose(fetched, [held[one] for one in sorted(held)], atol=2e-3), "fetch"

    assert not len(empty.search(query, 5).ids), "an empty store has no hits"
    assert empty.fetch(np.array([1, 2])).shape == (2, 16), "unknown ids fetch zeros"
    assert not len(empty.ids()), "an empty store has no ids"
    empty.remove(np.array([1]))
    held = dict(zip(ids.tolist(), vectors, strict=True))
    for half in (slice(0, 30), slice(30, 60)):
        store.add(ids[half], vectors[half])
    for k in (0, 1, 10, 60, 1_000):
        same(held, k)
    same(held, 5, ids[20:40])
    for within in ([4, 6, 9, 10_000], [1, 2]):
        same(held, 5, np.array(within))
    assert store.search(vectors[40], 4).ids.tolist() == ids[40:44].tolist(), "equal vectors in order of id"
    assert not store.fetch(np.array([4, 5])).any(), "unknown ids fetch zeros"
    store.add(ids[:2], vectors[58:])
    held |= dict(zip(ids[:2].tolist(), vectors[58:], strict=True))
    same(held, 60)
    store.remove(np.array([1, *ids[10:45].tolist()]))
    held = {one: vector for one, vector in held.items() if one not in ids[10:45]}
    same(held, 60)
    store.add(ids[12:13], vectors[12:13])
    held[int(ids[12])] = vectors[12]
    same(held, 60)
    store = make(folder / "full", 16)
    same(held, 60)
    same(held, 3, ids[5:20])


def check_words(make: Callable[[Path], Words], folder: Path) -> None:
    """Raises AssertionError where a word index breaks the contract of `types.Words`.

    `make(folder)` opens the index in `folder`; opening the same folder again finds what is there.
    """
    import numpy as np

    store, empty = make(folder / "full"), make(folder / "empty")
    texts = {one: f"granite number{one} " + "granite " * (one % 4) + "moss " * (one % 2) for one in range(3, 183, 3)}
    texts |= dict.fromkeys((150, 153, 156), "granite")
    assert not len(empty.search("granite", 5).ids), "an empty index has no hits"
    assert not empty.score("granite", np.array([1, 2])).any(), "an empty index scores 0"
    assert not len(empty.ids()), "an empty index has no ids"
    empty.remove(np.array([1]))
    first, second = sorted(texts)[:30], sorted(texts)[30:]
    for some in (first, second):
        store.add(np.array(some), [texts[one] for one in some], ["en"] * len(some))
    for k in (0, 1, 10, 60, 1_000):
        _same_words(store, texts, "granite", k)
    _same_words(store, texts, "moss", 1_000)
    _same_words(store, texts, "granite", 5, np.array(first[10:]))
    _same_words(store, texts, "moss", 5, np.array([4, 6, 9, 10_000]))
    _same_words(store, texts, "granite", 5, np.array([1, 2]))
    assert not len(store.search("basalt", 5).ids), "a word that is nowhere has no hits"
    assert not store.score("granite", np.array([4, 5])).any(), "unknown ids score 0"
    for query in ("", " ", "\x00\ufffe\n", "AND OR NOT ((", '"', "text:*", "granite^9 +moss -wall"):
        store.search(query, 5)
    texts |= {3: "basalt", 6: "basalt moss"}
    store.add(np.array([3, 6]), [texts[3], texts[6]], ["en", ""])
    _same_words(store, texts, "granite", 60)
    _same_words(store, texts, "basalt", 60)
    for one in first[10:]:
        del texts[one]
    store.remove(np.array([1, *first[10:]]))
    _same_words(store, texts, "granite", 60)
    other = make(folder / "full")
    texts[999] = "schist"
    other.add(np.array([999]), ["schist"], ["en"])
    for index in (store, other):
        _same_words(index, texts, "schist", 5)


def _same_words(store: Words, texts: dict[int, str], word: str, k: int, within: Ids | None = None) -> None:
    """Raises unless search finds the k best passages with the word, and `score` and `ids` agree with it."""
    import numpy as np

    everything = np.array(sorted(texts), np.int64)
    scores = store.score(word, everything)
    given = dict(zip(everything.tolist(), scores.tolist(), strict=True))
    having = [one for one, text in texts.items() if word in text.split()]
    among = [one for one in having if within is None or one in within]
    found = store.search(word, k, within)
    assert found.ids.dtype == np.int64, "ids are int64"
    assert found.scores.dtype == scores.dtype == np.float32, "scores are float32"
    assert len(found.ids) == len(found.scores) == min(k, len(among)), "k hits when k exist"
    assert set(found.ids.tolist()) <= set(among), "only passages with the word, nothing outside `within`"
    order = list(zip((-found.scores).tolist(), found.ids.tolist(), strict=True))
    assert order == sorted(order), "best first, equal scores in order of id"
    assert {one for one, score in given.items() if score > 0} == set(having), "score is 0 without the word"
    assert np.allclose(found.scores, [given[one] for one in found.ids.tolist()], rtol=1e-4), "score is search's"
    best = sorted((given[one] for one in among), reverse=True)[:k]
    assert np.allclose(found.scores, best, rtol=1e-4), "the best k"
    assert store.ids().tolist() == everything.tolist(), "ids are all that is held, sorted"


def check_encoder(make: Callable[[], Encoder]) -> None:
    """Raises AssertionError where an encoder breaks the contract of `types.Encoder`.

    `make()` opens the encoder; a second one must give the same vectors under the same fingerprint.
    """
    import numpy as np

    texts = [
        "The boiler is serviced each October.",
        "",
        "a",
        "\U0001f331 seeds \U0001f469\u200d\U0001f33e",
        "\u0627\u0644\u0636\u0645\u0627\u0646 \u064a\u0646\u062a\u0647\u064a",
        "one long text " * 2_000,
        "line\r\nbreaks\tand\x00bytes",
        *(f"note {number}: {'rain and wind, ' * (number % 17)}" for number in range(60)),
    ]
    encoder = make()
    together = encoder.encode(texts)
    assert isinstance(encoder.fingerprint, str) and encoder.fingerprint, "a fingerprint is a name"
    assert together.shape == (len(texts), encoder.dimensions), "a row for each text"
    assert together.dtype == np.float32, "vectors are float32"
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-4), "vectors have unit length"
    assert encoder.encode([]).shape == (0, encoder.dimensions), "no texts, no rows"
    alone = np.vstack([encoder.encode([text]) for text in texts])
    assert (alone * together).sum(axis=1).min() >= 0.9999, "a vector depends on no other text, order is kept"
    backwards = encoder.encode(texts[::-1])[::-1]
    assert (backwards * together).sum(axis=1).min() >= 0.9999, "the order of the texts changes no vector"
    assert abs(float(together[0] @ together[2])) < 0.999, "different texts have different vectors"
    again = make()
    assert again.fingerprint == encoder.fingerprint, "the same encoder has the same fingerprint"
    assert (again.encode(texts) * together).sum(axis=1).min() >= 0.9999, "the same text has the same vector"


def check_llm(make: Callable[[], LanguageModel]) -> None:
    """Raises AssertionError where a language model breaks the contract of `types.LanguageModel`.

    `make()` opens the model; what it writes is its own affair.
    """
    model = make()
    assert isinstance(model.name, str) and model.name, "a name opens it again"
    assert isinstance(model.context, int) and model.context > 0, "context is a number of tokens"

    async def everything() -> None:
        items = [item async for item in model.sentences("Answer in one sentence.", "What is a boiler?")]
        assert all(isinstance(item, Written) for item in items[:-1]), "sentences, and nothing else before the usage"
        assert isinstance(items[-1], Usage), "the usage ends it"
        assert items[-1].model == model.name and items[-1].requests >= 1, "the usage names the model and its requests"
        text, used = await model.complete("Be brief.", "Say hello.", 16)
        assert isinstance(text, str) and isinstance(used, Usage), "plain text and its usage"
        async with aclosing(model.sentences("Answer.", "What is a roof?")) as some:
            async for _ in some:
                break
        assert len(asyncio.all_tasks()) == 1, "nothing goes on once nobody listens"
        try:
            async for _ in model.sentences("Answer.", "many words " * model.context):
                raise AssertionError("what does not fit into the context is a ModelError before anything is said")
        except ModelError as error:
            assert str(error) and error.hint, "a failure is a sentence and what to do next"

    asyncio.run(everything())
    asyncio.run(everything())  # in another loop too
    asyncio.run(model.close())
    asyncio.run(model.close())


Trouble = Literal[
    "slow", "stalls", "dies", "refuses", "unauthorized", "too long", "no schema", "busy", "broken", "elsewhere"
]


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong with an answer of a `ScriptedEndpoint`; `text` is what it says before it stalls or dies."""

    trouble: Trouble
    text: str = ""


_REFUSALS = {
    "unauthorized": (401, "invalid_api_key", "Incorrect API key provided"),
    "too long": (400, "context_length_exceeded", "This model's maximum context length is 100 tokens."),
    "no schema": (400, "invalid_request_error", "response_format is not supported"),
    "busy": (429, "rate_limit_exceeded", "Rate limit reached"),
    "broken": (500, "server_error", "something broke"),
}


class ScriptedEndpoint:
    """A server on loopback that speaks the ways of OpenAI and Anthropic, and answers as it is told.

    An answer is a text as it goes over the wire, sentences that are put into the usual form, or a `Fault`; the last
    one is given again and again. `asked` holds the bodies of all requests, `paths` and `headers` the rest of them.
    """

    def __init__(self, *answers: str | Sequence[Written] | Fault, context: int = 8_192, delay: float = 0.0) -> None:
        self.asked: list[dict[str, object]] = []
        self.paths: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.released = threading.Event()
        self._answers = list(answers)
        self._context = context
        self._delay = delay
        scripted = self

        class Respond(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                scripted._list(self)

            def do_POST(self) -> None:
                scripted._respond(self)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Respond)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def name(self) -> str:
        """What opens it as an endpoint of OpenAI's way."""
        return f"{self.url}/v1#scripted"

    @property
    def anthropic(self) -> str:
        """What opens it as an endpoint of Anthropic's way."""
        return f"anthropic+{self.url}#claude-scripted"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.released.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _list(self, request: http.server.BaseHTTPRequestHandler) -> None:
        self.paths.append(request.path)
        models = [{"id": "scripted", "object": "model", "max_model_len": self._context}]
        _send(request, 200, {"object": "list", "data": models} if request.path == "/v1/models" else {})

    def _respond(self, request: http.server.BaseHTTPRequestHandler) -> None:
        body = json.loads(request.rfile.read(int(request.headers["Content-Length"])))
        self.paths.append(request.path)
        if request.path not in ("/v1/chat/completions", "/v1/messages"):
            return _send(request, 404, {"error": {"message": "not here"}})
        self.asked.append(body)
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Fault):
            return self._fail(request, body, answer)
        text = answer if isinstance(answer, str) else in_form(answer)
        return self._say(request, body, text)

    def _fail(self, request: http.server.BaseHTTPRequestHandler, body: dict[str, object], fault: Fault) -> None:
        trouble = fault.trouble
        if trouble == "slow":
            self.released.wait(60)
        elif trouble == "no schema" and "response_format" not in body:
            self._say(request, body, fault.text)
        elif trouble in _REFUSALS:
            code, kind, message = _REFUSALS[trouble]
            if request.path == "/v1/messages" and trouble == "too long":
                kind, message = "invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum"
            _send(request, code, {"type": "error", "error": {"message": message, "type": kind, "code": kind}})
        elif trouble == "elsewhere":
            _send(request, 307, {}, {"Location": "http://127.0.0.2:9/v1/chat/completions"})
        elif trouble == "refuses":
            self._say(request, body, "", refusal="I cannot help with that.")
        else:
            self._say(request, body, fault.text, whole=False)
            if trouble == "stalls":
                self.released.wait(60)
        request.close_connection = True

    def _say(
        self,
        request: http.server.BaseHTTPRequestHandler,
        body: dict[str, object],
        text: str,
        refusal: str = "",
        whole: bool = True,
    ) -> None:
        """Answer with a text, in pieces where a stream is wanted; not `whole` breaks off after the text."""
        anthropic = request.path == "/v1/messages"
        if not body.get("stream"):
            return _send(request, 200, _message(text, refusal) if anthropic else _completion(text, refusal))
        request.send_response(200)
        request.send_header("Content-Type", "text/event-stream")
        request.send_header("Transfer-Encoding", "chunked")
        request.end_headers()
        try:
            for event in (_message_events if anthropic else _completion_events)(text, refusal, whole):
                piece = event.encode()
                request.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
                request.wfile.flush()
                time.sleep(self._delay)
            if whole:
                request.wfile.write(b"0\r\n\r\n")
        except (BrokenPipeError, ConnectionResetError):
            request.close_connection = True
        return None


def in_form(sentences: Sequence[Written]) -> str:
    """Sentences as the JSON that a language model is asked for."""
    return json.dumps({"sentences": [asdict(one) for one in sentences]})


def _send(
    request: http.server.BaseHTTPRequestHandler,
    code: int,
    record: dict[str, object],
    headers: dict[str, str] | None = None,
) -> None:
    content = json.dumps(record).encode()
    request.send_response(code)
    request.send_header("Content-Type", "application/json")
    request.send_header("Content-Length", str(len(content)))
    for name, value in (headers or {}).items():
        request.send_header(name, value)
    request.end_headers()
    request.wfile.write(content)


def _pieces(text: str) -> list[str]:
    return [text[at : at + 12] for at in range(0, len(text), 12)]


_TOKENS = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
_HEAD = {"id": "scripted-1", "created": 1, "model": "scripted"}


def _completion(text: str, refusal: str) -> dict[str, object]:
    message = {"role": "assistant", "content": None if refusal else text, "refusal": refusal or None}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return {**_HEAD, "object": "chat.completion", "choices": [choice], "usage": _TOKENS}


def _completion_events(text: str, refusal: str, whole: bool) -> Iterator[str]:
    head = {**_HEAD, "object": "chat.completion.chunk"}
    deltas = [{"role": "assistant"}, *({"content": one} for one in _pieces(text))]
    if refusal:
        deltas.append({"refusal": refusal})
    for delta in deltas:
        yield f"data: {json.dumps({**head, 'choices': [{'index': 0, 'delta': delta, 'finish_reason': None}]})}\n\n"
    if whole:
        last = {"index": 0, "delta": {}, "finish_reason": "stop"}
        yield f"data: {json.dumps({**head, 'choices': [last]})}\n\n"
        yield f"data: {json.dumps({**head, 'choices': [], 'usage': _TOKENS})}\n\n"
        yield "data: [DONE]\n\n"


def _message(text: str, refusal: str) -> dict[str, object]:
    used = {"input_tokens": 100, "output_tokens": 20}
    content = [{"type": "text", "text": text}]
    return {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-scripted", "content": content,
        "stop_reason": "refusal" if refusal else "end_turn", "stop_sequence": None, "usage": used,
    }  # fmt: skip


def _message_events(text: str, refusal: str, whole: bool) -> Iterator[str]:
    start = _message("", "") | {"content": [], "stop_reason": None, "usage": {"input_tokens": 100, "output_tokens": 1}}
    events: list[dict[str, object]] = [
        {"type": "message_start", "message": start},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    ]
    for one in _pieces(text):
        events.append({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": one}})
    if whole:
        reason = {"stop_reason": "refusal" if refusal else "end_turn", "stop_sequence": None}
        events += [
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": reason, "usage": {"output_tokens": 20}},
            {"type": "message_stop"},
        ]
    for event in events:
        yield f"event: {event['type']}\ndata: {json.dumps(event)}\n\n"
