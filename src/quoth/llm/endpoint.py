"""A language model behind an endpoint, asked through Pydantic AI: sentences as they are written, failures in words."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING

import httpx2
from pydantic_ai import Agent, NativeOutput, PromptedOutput
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.profiles import merge_profile
from pydantic_ai.profiles.openai import OpenAIModelProfile
from pydantic_ai.providers import anthropic, openai, openai_compatible
from pydantic_ai.settings import ModelSettings

from quoth.errors import ModelError
from quoth.llm.failures import FAILURES, in_words_of, is_refusal, may_lack_form
from quoth.llm.form import TOLD, Prose, written
from quoth.llm.names import OPENAI_HOST, Where
from quoth.types import Usage, Written

if TYPE_CHECKING:
    from pydantic_ai.models import Model
    from pydantic_ai.profiles import ModelProfile
    from pydantic_ai.usage import RunUsage

MILLION = 1_000_000
LONGEST_ANSWER = 4_096
"""Tokens of an answer at most."""
SHORTEST_ANSWER = 64
"""Tokens that must be left for an answer."""
BYTES_A_TOKEN = 3
"""What a token is taken to have, where no tokenizer is known."""
AGAIN = 2
"""Times that a request which met a busy server is sent again."""
MOST_BYTES = 8 * 2**20
"""Bytes of a response that are read."""
_OF_OPENAI = ("openai-organization", "openai-project")


class EndpointModel:
    """A model at `place`, `context` tokens long; an answer may take `timeout` seconds in all.

    It is asked for JSON that fits a schema, and where the endpoint refuses that, in words for the same JSON.
    `prices` are US dollars for a million tokens read and written. A connection lives as long as a request.
    """

    def __init__(
        self, name: str, place: Where, context: int, timeout: float = 120.0, prices: tuple[float, float] = (0.0, 0.0)
    ) -> None:
        self.name = name
        self.context = context
        self._place = place
        self._timeout = timeout
        self._prices = prices
        self._in_words = False

    async def sentences(self, system: str, prompt: str) -> AsyncGenerator[Written | Usage, None]:
        """Sentences as they are written, each when it is whole, then the usage."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._timeout
        queue: asyncio.Queue[Written | Usage | Exception] = asyncio.Queue()
        # one task enters and leaves all that Pydantic AI opens, whoever asks for the next sentence
        writing = asyncio.create_task(self._write(system, prompt, queue))
        try:
            while True:
                try:
                    async with asyncio.timeout_at(deadline):
                        item = await queue.get()
                except TimeoutError:
                    raise self._late() from None
                if isinstance(item, Exception):
                    raise item
                yield item
                if isinstance(item, Usage):
                    return
        finally:
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)

    async def complete(self, system: str, prompt: str, most: int = 256) -> tuple[str, Usage]:
        """Plain text of at most so many tokens, and what it cost."""
        settings = self._settings(system, prompt, most)
        try:
            async with asyncio.timeout(self._timeout), self._model() as model:
                done = await Agent(model, instructions=system, retries=0).run(prompt, model_settings=settings)
        except TimeoutError:
            raise self._late() from None
        except FAILURES as error:
            raise in_words_of(error, self._place) from error
        return done.output.strip(), self._usage(done.usage)

    async def close(self) -> None:
        """Nothing is held open."""

    async def _write(self, system: str, prompt: str, queue: asyncio.Queue[Written | Usage | Exception]) -> None:
        """Put every sentence into the queue, and at the end the usage or the error."""
        said, in_words, refused = 0, self._in_words, False
        # one system message: some templates know no second one
        system = f"{system}\n{TOLD}"
        try:
            settings = self._settings(system, prompt, LONGEST_ANSWER)
            while True:
                try:
                    async with aclosing(self._stream(system, prompt, settings, in_words)) as items:
                        async for item in items:
                            # who refused the schema refuses it every time; one bad answer says nothing of the next
                            self._in_words = self._in_words or refused
                            said += isinstance(item, Written)
                            queue.put_nowait(item)
                    return
                except FAILURES as error:
                    if said or in_words or not may_lack_form(error):
                        raise in_words_of(error, self._place) from error
                    in_words, refused = True, is_refusal(error)
        except Exception as error:
            queue.put_nowait(error)

    async def _stream(
        self, system: str, prompt: str, settings: ModelSettings, in_words: bool
    ) -> AsyncGenerator[Written | Usage, None]:
        async with self._model() as model:
            output = self._output(in_words or not model.profile.get("supports_json_schema_output", False))
            agent = Agent(model, output_type=output, instructions=system, retries=0)
            async with agent.run_stream(prompt, model_settings=settings) as result:
                whole = 0
                prose = Prose(sentences=[])
                async for prose in result.stream_output(debounce_by=0.02):
                    # the last one may still grow
                    for sentence in prose["sentences"][whole:-1]:
                        whole += 1
                        yield written(sentence)
                for sentence in prose["sentences"][whole:]:
                    yield written(sentence)
                yield self._usage(result.usage)

    def _output(self, in_words: bool) -> NativeOutput[Prose] | PromptedOutput[Prose]:
        """The form as a schema that the endpoint enforces, or as the system prompt tells it alone."""
        if in_words:
            return PromptedOutput(Prose, template=False)
        # bounds are not part of what OpenAI calls strict, and elsewhere they matter more
        return NativeOutput(Prose, template=False, strict=True if self._place.host == OPENAI_HOST else None)

    @asynccontextmanager
    async def _model(self) -> AsyncIterator[Model]:
        """The model over a connection of its own, which reaches no other host."""
        place = self._place

        async def only(request: httpx2.Request) -> None:
            if request.url.host != place.host:
                raise ModelError(f"{place.host} sent the request on to {request.url.host}, where nothing is sent")
            for header in _OF_OPENAI if place.host != OPENAI_HOST else ():
                request.headers.pop(header, None)
            # packed bytes say nothing of how many they become
            request.headers["Accept-Encoding"] = "identity"

        async def bounded(response: httpx2.Response) -> None:
            if response.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
                raise ModelError(f"{place.host} packs its answers, which nobody asked for", "see how it is set up")
            if isinstance(response.stream, httpx2.AsyncByteStream):
                response.stream = _Bounded(response.stream, place)

        # a loopback address needs no proxy, no certificates, and no .netrc
        async with httpx2.AsyncClient(
            timeout=httpx2.Timeout(self._timeout, connect=min(10.0, self._timeout)),
            trust_env=not place.loopback,
            verify=place.url.startswith("https:"),
            follow_redirects=False,
            event_hooks={"request": [only], "response": [bounded]},
        ) as client:
            yield self._over(client)

    def _over(self, client: httpx2.AsyncClient) -> Model:
        place, key = self._place, self._place.key or "none"
        if place.kind == "anthropic":
            by = anthropic.AnthropicProvider(api_key=key, base_url=place.url, http_client=client)
            return AnthropicModel(place.model, provider=by)
        if place.host == OPENAI_HOST:
            of_openai = openai.OpenAIProvider(base_url=place.url, api_key=key, http_client=client)
            return OpenAIChatModel(place.model, provider=of_openai)
        like = openai_compatible.OpenAICompatibleProvider(
            "endpoint", base_url=place.url, api_key=key, http_client=client, profile=_profile
        )
        return OpenAIChatModel(place.model, provider=like)

    def _settings(self, system: str, prompt: str, most: int) -> ModelSettings:
        """How much may be answered, in what is left of the context; the same question gives the same answer."""
        left = self.context - (len(system.encode()) + len(prompt.encode())) // BYTES_A_TOKEN
        if left < SHORTEST_ANSWER:
            raise ModelError(
                f"the question and its passages do not fit into the {self.context:,} tokens of {self.name}",
                "choose a model that takes more, or set llm_context if it does",
            )
        settings = ModelSettings(max_tokens=min(most, left), timeout=self._timeout, max_retries=AGAIN)
        if self._place.kind == "openai" and self._place.host != OPENAI_HOST:
            settings["temperature"] = 0.0
        return settings

    def _usage(self, used: RunUsage) -> Usage:
        read, written = self._prices
        cost = (used.input_tokens * read + used.output_tokens * written) / MILLION if read or written else None
        return Usage(self.name, used.requests, used.input_tokens, used.output_tokens, cost)

    def _late(self) -> ModelError:
        return ModelError(
            f"{self.name} did not answer within {self._timeout:g} seconds", "ask again, or set llm_timeout higher"
        )


class _Bounded(httpx2.AsyncByteStream):
    """The bytes of a response, until they are too many."""

    def __init__(self, stream: httpx2.AsyncByteStream, place: Where) -> None:
        self._stream = stream
        self._place = place

    async def __aiter__(self) -> AsyncIterator[bytes]:
        read = 0
        async for part in self._stream:
            read += len(part)
            if read > MOST_BYTES:
                raise ModelError(
                    f"{self._place.model} at {self._place.host} answered with more than {MOST_BYTES // 2**20} MiB",
                    "choose another model",
                )
            yield part

    async def aclose(self) -> None:
        await self._stream.aclose()


def _profile(model: str) -> ModelProfile:
    """What any endpoint may be asked for, over what is known of a model of this name."""
    known = openai_compatible.OpenAICompatibleProvider.model_profile(model)
    usual = OpenAIModelProfile(
        supports_json_schema_output=True,
        supports_json_object_output=False,
        openai_chat_supports_max_completion_tokens=False,
    )
    return merge_profile(known, usual)
