"""OpenAI's API: the official client as it is shipped, against a real server."""

from __future__ import annotations

import asyncio
import base64
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import numpy as np
import openai
import pytest
from mcp import Client
from openai import AsyncOpenAI, OpenAI
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from quoth import embed
from quoth.serve.completions import passive
from quoth.testing import Fault, ScriptedEndpoint, in_form
from quoth.types import Cited, Written
from served import Served, run_quoth, serving

QUESTION = "Who services the boiler?"
Span = tuple[str, str, int, int]
"""A quote: its document, its words, where they begin and end."""


@pytest.fixture
def client(server: Served) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{server.address}/v1", api_key="none", max_retries=0) as client:
        yield client


def ask(client: OpenAI, *questions: str, model: str = "quoth") -> ChatCompletion:
    """The answer to the last of the questions of a conversation."""
    return client.chat.completions.create(model=model, messages=[{"role": "user", "content": one} for one in questions])


def content(completion: ChatCompletion) -> str:
    return completion.choices[0].message.content or ""


def spans(completion: ChatCompletion) -> list[Span]:
    """The quotes that a completion cites."""
    annotations = completion.choices[0].message.annotations or []
    cited = [one.file_citation for one in annotations]  # type: ignore[attr-defined]
    return [(one["document"], one["text"], one["start"], one["end"]) for one in cited]


def assembled(pieces: list[ChatCompletionChunk]) -> tuple[str, list[dict[str, object]]]:
    """Text and annotations of a stream."""
    deltas = [piece.choices[0].delta for piece in pieces if piece.choices]
    text = "".join(one.content or "" for one in deltas)
    return text, [each for one in deltas for each in getattr(one, "annotations", None) or []]


# -- the same quotes at every door ---------------------------------------------------------------


@pytest.mark.parametrize(
    "question", [QUESTION, "When were the tomatoes planted?", "roof in:house", "What did the roof cost?"]
)
def test_every_door_gives_the_same_quotes(server: Served, client: OpenAI, question: str) -> None:
    record = httpx.post(f"{server.address}/api/ask", json={"question": question}).json()
    plain = [(one["document"], one["text"], one["start"], one["end"]) for one in record["quotes"]]

    async def by_mcp() -> list[Span]:
        async with Client(f"{server.address}/mcp") as assistant:
            result = await assistant.call_tool("ask", {"question": question})
        quotes = result.structured_content["quotes"]
        return [(one["document"], one["text"], one["start"], one["end"]) for one in quotes]

    assert plain
    assert spans(ask(client, question)) == plain
    assert asyncio.run(by_mcp()) == plain
    for document, text, start, end in plain:
        assert Path(document).read_text()[start:end] == text


# -- chat --------------------------------------------------------------------------------------


def test_a_question_is_answered_with_citations_that_open(server: Served, client: OpenAI) -> None:
    done = ask(client, QUESTION)
    message = done.choices[0].message
    assert (done.object, done.model, done.choices[0].finish_reason) == ("chat.completion", "quoth", "stop")
    assert (message.role, message.refusal) == ("assistant", None)
    assert message.content is not None
    assert message.content.startswith(
        "1. > The boiler is serviced each October by Hartmann and Sons.\n\n   [boiler.txt, "
    )
    assert message.annotations
    for one in message.annotations:
        assert one.type == "url_citation"
        cited, file = one.url_citation, one.file_citation  # type: ignore[attr-defined]
        shown = message.content[cited.start_index : cited.end_index]
        assert shown == "\n   > ".join(passive(file["text"]).splitlines())
        link = urlsplit(cited.url)
        assert f"{link.scheme}://{link.netloc}" == server.address
        assert parse_qs(link.query) == {
            "path": [file["document"]], "start": [str(file["start"])], "end": [str(file["end"])],
        }  # fmt: skip
        assert f"]({cited.url})" in message.content
        page = httpx.get(cited.url)
        assert page.status_code == 200
        assert file["text"].split("\n")[0][:20] in page.text
    assert done.usage is not None
    assert done.usage.total_tokens == 0
    assert done.quoth["answered"] is True  # type: ignore[attr-defined]


def test_a_refusal_is_text_without_citations(client: OpenAI) -> None:
    done = ask(client, "What is the capital of Mongolia?")
    assert content(done).startswith("Your files do not seem to hold the answer. 5 documents ")
    assert done.choices[0].message.annotations == []
    assert done.quoth["answered"] is False  # type: ignore[attr-defined]


def test_a_question_about_everything_is_counted_and_listed(client: OpenAI) -> None:
    text = content(ask(client, "Which documents mention pressure?"))
    assert "5 of 5 documents" in text
    assert "boiler.txt" in text.split("\n\n")[0]
    assert "  \n" in text.split("\n\n")[0]


def test_a_stream_is_the_same_text_with_the_same_citations(client: OpenAI) -> None:
    whole = ask(client, QUESTION)
    pieces = list(
        client.chat.completions.create(
            model="quoth",
            messages=[{"role": "user", "content": QUESTION}],
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    text, annotations = assembled(pieces)
    assert text == content(whole)
    assert annotations == [one.model_dump() for one in whole.choices[0].message.annotations or []]
    assert len({piece.id for piece in pieces}) == 1
    assert [piece.choices[0].finish_reason for piece in pieces if piece.choices][-1] == "stop"
    assert pieces[-1].usage is not None
    assert [piece.usage for piece in pieces[:-1]] == [None] * (len(pieces) - 1)


def test_the_asynchronous_client_works_too(server: Served) -> None:
    async def work() -> None:
        async with AsyncOpenAI(base_url=f"{server.address}/v1", api_key="none", max_retries=0) as client:
            whole = await client.chat.completions.create(
                model="quoth", messages=[{"role": "user", "content": QUESTION}]
            )
            stream = await client.chat.completions.create(
                model="quoth", messages=[{"role": "user", "content": QUESTION}], stream=True
            )
            pieces = [piece async for piece in stream]
            vectors = await client.embeddings.create(model="minilm", input="boiler")
        assert assembled(pieces)[0] == content(whole)
        assert spans(whole)
        assert len(vectors.data[0].embedding) == 384

    asyncio.run(work())


def test_an_earlier_question_completes_the_last_one(client: OpenAI) -> None:
    done = ask(client, "When is the boiler serviced?", "and by whom?")
    assert "boiler" in done.quoth["asked"]  # type: ignore[attr-defined]
    assert "Hartmann" in content(done)


def test_what_tunes_a_language_model_and_what_a_system_says_is_ignored(client: OpenAI) -> None:
    done = client.chat.completions.create(
        model="quoth",
        messages=[
            {"role": "system", "content": "Answer in French, and cite nothing."},
            {"role": "user", "content": [{"type": "text", "text": QUESTION}]},
        ],
        temperature=0.7,
        max_tokens=5,
        seed=1,
        tools=[{"type": "function", "function": {"name": "delete", "parameters": {}}}],
        user="me",
    )
    assert content(done) == content(ask(client, QUESTION))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"n": 2}, "n: there is one answer to a question"),
        ({"response_format": {"type": "json_object"}}, "response_format: answers are text"),
        ({"tool_choice": "required"}, "tool_choice: no tool is ever called"),
        ({"logprobs": True}, "logprobs: quotes have none"),
        ({"messages": [{"role": "system", "content": "x"}]}, "there is no message of the user"),
        ({"messages": []}, "messages is not as it should be"),
        ({"messages": [{"role": "user", "content": "?!"}]}, "the question holds no words"),
        ({"messages": [{"role": "user", "content": ""}]}, "the question holds no words"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
            "a question is text; this message holds image_url",
        ),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_what_cannot_be_honoured_is_refused(
    client: OpenAI, options: dict[str, object], said: str, stream: bool
) -> None:
    given: dict[str, object] = {"model": "quoth", "messages": [{"role": "user", "content": QUESTION}]}
    with pytest.raises(openai.BadRequestError, match=re.escape(said)) as error:
        client.chat.completions.create(**(given | options), stream=stream)  # type: ignore[call-overload]
    assert isinstance(error.value.body, dict)
    assert error.value.body["type"] == "invalid_request_error"
    assert set(error.value.body) == {"message", "type", "param", "code", "hint"}


def test_an_unknown_model_is_not_found(client: OpenAI) -> None:
    for name in ("gpt-4o", "quoth:prose", "minilm"):
        with pytest.raises(
            openai.NotFoundError, match=f"there is no model '{name}' here – try: one of: quoth$"
        ) as error:
            ask(client, QUESTION, model=name)
        assert error.value.code == "model_not_found"


def test_models_are_listed(client: OpenAI) -> None:
    assert [one.id for one in client.models.list()] == ["quoth", "minilm"]
    assert client.models.retrieve("quoth").owned_by == "quoth"
    with pytest.raises(openai.NotFoundError, match="there is no model 'other' here"):
        client.models.retrieve("other")


def test_odd_questions_get_an_answer_or_one_sentence(client: OpenAI) -> None:
    for question in ("مرحبا من يصلح الغلاية؟", "🔥🔥 boiler 🔥", "a" * 2_000, "boiler\0\x1b[31m", "boiler " * 20_000):
        assert ask(client, question).choices[0].message.content
    with pytest.raises(openai.APIStatusError) as error:
        ask(client, "boiler " * 1_000_000)
    assert error.value.status_code == 413
    assert isinstance(error.value.body, dict)
    assert error.value.body["type"] == "invalid_request_error"


def test_an_address_that_is_not_there_is_an_error_of_the_same_shape(server: Served) -> None:
    for done in (
        httpx.get(f"{server.address}/v1/files"),
        httpx.post(f"{server.address}/v1/chat/completions", content=b"{"),
    ):
        assert done.status_code in (400, 404)
        assert set(done.json()["error"]) == {"message", "type", "param", "code", "hint"}


# -- what stands in files is data ------------------------------------------------------------------


def test_words_of_a_file_load_nothing_and_link_nowhere(tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    notes.mkdir()
    trick = "The boiler password hint is ![x](http://127.0.0.1:9/leak?q=1) <img src=http://127.0.0.1:9/> [here](http://127.0.0.1:9/)."
    (notes / "a](http:x) ![b].txt").write_text(trick)
    run_quoth(tmp_path / "library", "add", str(notes))
    with (
        serving(tmp_path / "library", notes) as served,
        OpenAI(base_url=f"{served.address}/v1", api_key="none") as client,
    ):
        done = ask(client, "What is the boiler password hint?")
    assert [text for _, text, _, _ in spans(done)] == [trick]
    from markdown_it import MarkdownIt

    html = MarkdownIt("commonmark").render(content(done))
    assert "<img" not in html
    links = re.findall(r'href="([^"]*)"', html)
    assert [link for link in links if not link.startswith(f"{served.address}/source?")] == []
    assert len(links) == 1


@pytest.mark.parametrize(
    "text",
    [
        "![a](b)", "[a](b)", "<b>", "`code`", "# no heading", "- no list", "1. no list", "2) no", "> no quote",
        "__init__", "*a*", "a_b_c", "&lt;", "$5 and $6", "~~gone~~", "===", "\\[",
        "| a | b |", "snake_case_name", "3 - 2 = 1",
    ],
)  # fmt: skip
def test_markdown_shows_the_words_as_they_are(text: str) -> None:
    from html import unescape

    from markdown_it import MarkdownIt

    html = MarkdownIt("gfm-like", {"linkify": False}).render(passive(text))
    assert unescape(re.fullmatch(r"<p>(.*)</p>\n", html)[1]) == text  # type: ignore[index]


# -- prose by a language model -----------------------------------------------------------------------

WRITTEN = (
    Written("Hartmann services the boiler.", (Cited(1, "serviced each October by Hartmann and Sons"),)),
    Written("![x](http://127.0.0.1:9/leak) It is purple."),
)


@pytest.fixture
def prose(filled: tuple[Path, Path], tmp_path: Path) -> Iterator[OpenAI]:
    """A client of a server with a language model."""
    shutil.copytree(filled[0], tmp_path / "library")
    with (
        ScriptedEndpoint(WRITTEN) as endpoint,
        serving(tmp_path / "library", filled[1], env={"QUOTH_LLM": endpoint.name}) as served,
        OpenAI(base_url=f"{served.address}/v1", api_key="none", max_retries=0) as client,
    ):
        yield client


def test_prose_is_written_over_quotes_when_there_is_a_language_model(prose: OpenAI) -> None:
    assert [one.id for one in prose.models.list()] == ["quoth", "quoth:prose", "minilm"]
    done = ask(prose, QUESTION, model="quoth:prose")
    text = content(done)
    first, *_ = text.split("\n")
    assert first.startswith("Hartmann services the boiler. [1] ")
    assert "It is purple. (not supported by your files)" in first
    assert "![x](" not in text
    assert spans(done)[0][1] in Path(spans(done)[0][0]).read_text()
    assert done.usage is not None
    assert done.usage.prompt_tokens > 0
    # without it: quotes only
    assert content(ask(prose, QUESTION)).startswith("1. > ")


def test_prose_streams_a_sentence_at_a_time(prose: OpenAI) -> None:
    whole = ask(prose, QUESTION, model="quoth:prose")
    stream = prose.chat.completions.create(
        model="quoth:prose", messages=[{"role": "user", "content": QUESTION}], stream=True
    )
    pieces = list(stream)
    text, annotations = assembled(pieces)
    assert text == content(whole)
    said = [piece.choices[0].delta.content or "" for piece in pieces]
    assert said[1].startswith("Hartmann services the boiler. [1]")
    assert [one["url_citation"] for one in annotations] == [
        one.url_citation.model_dump() for one in whole.choices[0].message.annotations or []
    ]


@pytest.mark.slow
def test_a_language_model_that_stops_half_way_leaves_the_answer_in_quotes(
    filled: tuple[Path, Path], tmp_path: Path
) -> None:
    shutil.copytree(filled[0], tmp_path / "library")
    half = in_form([*WRITTEN, Written("And so on.")])
    with (
        ScriptedEndpoint(Fault("stalls", half[: half.index("And so")])) as endpoint,
        serving(tmp_path / "library", filled[1], env={"QUOTH_LLM": endpoint.name, "QUOTH_LLM_TIMEOUT": "8"}) as served,
        OpenAI(base_url=f"{served.address}/v1", api_key="none", max_retries=0) as client,
    ):
        stream = client.chat.completions.create(
            model="quoth:prose", messages=[{"role": "user", "content": QUESTION}], stream=True
        )
        text, annotations = assembled(list(stream))
        plain = ask(client, QUESTION)
    assert text.startswith("Hartmann services the boiler. [1]")
    assert "The sentences above were not finished. This is the answer in quotes:" in text
    assert "Note: the language model failed" in text
    assert [one["file_citation"] for one in annotations] == [
        one.file_citation  # type: ignore[attr-defined]
        for one in plain.choices[0].message.annotations or []
    ]
    for one in annotations:
        cited = one["url_citation"]
        assert isinstance(cited, dict)
        assert text[cited["start_index"] :].startswith(passive(one["file_citation"]["text"].split("\n")[0]))  # type: ignore[index]


# -- embeddings --------------------------------------------------------------------------------


def test_texts_are_embedded_as_the_library_does(server: Served, client: OpenAI) -> None:
    texts = ["The boiler is serviced.", "Die Katze schläft.", "🔥"] * 40
    done = client.embeddings.create(model="minilm", input=texts)
    floats = client.embeddings.create(model="minilm", input=texts, encoding_format="float")
    mine = embed.open("minilm").encode(texts)
    assert np.array_equal(np.array([one.embedding for one in done.data], np.float32), mine)
    assert np.array_equal(np.array([one.embedding for one in floats.data], np.float32), mine)
    assert [one.index for one in done.data] == list(range(120))
    assert (done.model, done.usage.prompt_tokens > 120) == ("minilm", True)
    raw = httpx.post(
        f"{server.address}/v1/embeddings", json={"model": "minilm", "input": "a", "encoding_format": "base64"}
    ).json()
    one = np.frombuffer(base64.b64decode(raw["data"][0]["embedding"]), "<f4")
    assert np.array_equal(one, embed.open("minilm").encode(["a"])[0])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"input": [1, 2, 3]}, "input: token ids are another model's; text is needed"),
        ({"input": [[1, 2], [3]]}, "input: token ids are another model's; text is needed"),
        ({"input": ""}, "input 0 is empty"),
        ({"input": ["a", " "]}, "input 1 is empty"),
        ({"input": []}, "input"),
        ({"input": "word " * 300}, "input 0 has 300 word pieces, more than the encoder reads"),
        ({"input": "x" * 20_001}, "input 0 has 20,001 characters"),
        ({"input": "a", "dimensions": 100}, "dimensions: vectors of minilm have 384"),
        ({"input": ["a"] * 2_049}, "input"),
    ],
)
def test_what_cannot_be_embedded_is_refused(client: OpenAI, options: dict[str, object], said: str) -> None:
    with pytest.raises(openai.BadRequestError, match=re.escape(said)):
        client.embeddings.create(model="minilm", **options)  # type: ignore[call-overload]


def test_half_a_character_cannot_be_embedded(server: Served) -> None:
    body = b'{"model": "minilm", "input": ["a", "\\ud800"]}'
    done = httpx.post(f"{server.address}/v1/embeddings", content=body, headers={"Content-Type": "application/json"})
    assert done.status_code == 400
    assert done.json()["error"]["message"].startswith("input 1 holds half a character")


def test_a_long_conversation_is_cut_to_what_is_used(server: Served) -> None:
    long = "What does the boiler need? " + "word " * 20_000
    messages = [{"role": "user", "content": long}] * 20 + [{"role": "user", "content": "and who services it?"}]
    done = httpx.post(
        f"{server.address}/v1/chat/completions", json={"model": "quoth", "messages": messages}, timeout=60
    )
    assert done.status_code == 200


def test_dimensions_that_vectors_have_are_fine_and_other_models_are_not(client: OpenAI) -> None:
    assert len(client.embeddings.create(model="minilm", input="a", dimensions=384).data[0].embedding) == 384
    with pytest.raises(openai.NotFoundError, match="there is no model 'text-embedding-3-small' here"):
        client.embeddings.create(model="text-embedding-3-small", input="a")


# -- access ------------------------------------------------------------------------------------


def test_a_token_that_may_ask_is_enough_and_none_is_not(tmp_path: Path) -> None:
    from quoth import Library, access

    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "a.txt").write_text("The boiler is serviced each October.")
    run_quoth(tmp_path / "library", "add", str(notes))
    with Library.open(tmp_path / "library") as library:
        _, secret = access.new_token(library, "chat", "ask")
    with serving(tmp_path / "library", notes) as served:
        with OpenAI(base_url=f"{served.address}/v1", api_key=secret, max_retries=0) as client:
            assert spans(ask(client, "When is the boiler serviced?"))
            assert len(client.embeddings.create(model="minilm", input="a").data) == 1
        for key in ("none", "quoth_wrong"):
            with (
                OpenAI(base_url=f"{served.address}/v1", api_key=key, max_retries=0) as stranger,
                pytest.raises(openai.AuthenticationError) as error,
            ):
                stranger.models.list()
            assert isinstance(error.value.body, dict)
            assert error.value.body["type"] == "authentication_error"
