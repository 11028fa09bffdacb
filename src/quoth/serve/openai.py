"""The library for programs that speak OpenAI's API: /v1/models, /v1/chat/completions, /v1/embeddings.

The last message of the user is the question; earlier ones complete it ("and in 2023?"). The model "quoth"
answers in quotes; "quoth:prose", where a language model is set, writes over them. Each quote stands in the
text and in `annotations`, a `url_citation` whose link opens it, with a `file_citation` that holds the exact
words and their place. What cannot be honoured (tools that must be called, JSON formats, several choices)
is refused; what tunes a language model (temperature, max_tokens …) is ignored.
"""

from __future__ import annotations

import base64
import re
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.responses import Response, StreamingResponse

from quoth import followups, writing
from quoth.asking import LONGEST_QUESTION
from quoth.errors import QuothError
from quoth.serve.completions import Reply
from quoth.serve.problems import Refused, fault, unexpected
from quoth.serve.replies import SILENCE, as_json, reply, unsilenced
from quoth.serve.state import Server, server_of
from quoth.types import Answer

if TYPE_CHECKING:
    from quoth.types import Encoder, Floats, LanguageModel

QUOTES, PROSE = "quoth", "quoth:prose"
MOST_MESSAGES = 1_000
MOST_EARLIER = 20
"""Earlier questions that may complete the last one."""
MOST_INPUTS = 2_048
LONGEST_INPUT = 20_000
"""Characters of one text to embed."""
AT_ONCE = 64
"""Texts that are encoded in one go: questions get their turn in between."""


class Fault(BaseModel):
    """What went wrong."""

    message: str
    type: str
    param: str | None
    code: str | None
    hint: str = Field(description="What to do next; may be empty.")


class Faulty(BaseModel):
    """An error as OpenAI's clients read it."""

    error: Fault


router = APIRouter(
    prefix="/v1",
    tags=["OpenAI-compatible"],
    responses={number: {"model": Faulty} for number in (400, 401, 403, 404, 409, 413, 421, 422, 429, 500, 502, 503)},
)


class ModelNotFound(Refused):
    """There is no model of this name here."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        super().__init__(404, f"there is no model {name!r} here", f"one of: {', '.join(known)}")


# -- models ------------------------------------------------------------------------------------


class Model(BaseModel):
    """A model by its name."""

    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: str = "quoth"


class Models(BaseModel):
    """All models."""

    object: Literal["list"] = "list"
    data: list[Model]


@router.get("/models", summary="The models: quotes, prose, and the encoder")
async def models(request: Request) -> Models:
    """Lists what can be named as a model."""
    server = server_of(request)
    return Models(data=[Model(id=name) for name in [*_talking(server), await _encoding(server)]])


@router.get("/models/{name}", summary="One model")
async def model(request: Request, name: str) -> Model:
    """Whether there is a model of this name."""
    server = server_of(request)
    known = [*_talking(server), await _encoding(server)]
    if name not in known:
        raise ModelNotFound(name, known)
    return Model(id=name)


def _talking(server: Server) -> list[str]:
    return [QUOTES, *([PROSE] if server.model is not None else [])]


async def _encoding(server: Server) -> str:
    """The name of the library's encoder: "minilm", or the last part of what names another one."""
    spec: str = await server.quick(lambda: server.library._parts.encoder_spec)
    return re.split(r"[#:/]", spec)[-1] or "encoder"


# -- chat --------------------------------------------------------------------------------------


class Piece(BaseModel):
    """A part of a message; only text is understood."""

    type: str
    text: str | None = None


class Message(BaseModel):
    """A message of a conversation."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[Piece] | None = None

    def words(self) -> str:
        """Its text. Raises `Refused` for a picture, a sound or a file."""
        if self.content is None or isinstance(self.content, str):
            return self.content or ""
        other = [piece.type for piece in self.content if piece.type != "text"]
        if other:
            raise Refused(400, f"a question is text; this message holds {other[0]}", "add the file to the library")
        return "\n".join(piece.text or "" for piece in self.content)


class StreamOptions(BaseModel):
    """What a stream tells besides the text."""

    include_usage: bool = False


class ResponseFormat(BaseModel):
    """How the text is wanted."""

    type: str


class Completion(BaseModel):
    """A conversation whose last question is to be answered. What tunes a language model is ignored."""

    model: str
    messages: list[Message] = Field(min_length=1, max_length=MOST_MESSAGES)
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    n: int | None = None
    response_format: ResponseFormat | None = None
    tool_choice: object = None
    logprobs: bool | None = None
    modalities: list[str] | None = None

    def refuse(self) -> None:
        """Raise `Refused` for what changes the answer and cannot be honoured."""
        wrong = ""
        if self.n not in (None, 1):
            wrong = "n: there is one answer to a question"
        elif self.response_format is not None and self.response_format.type != "text":
            wrong = "response_format: answers are text; POST /api/ask gives a record"
        elif self.tool_choice not in (None, "none", "auto"):
            wrong = "tool_choice: no tool is ever called"
        elif self.logprobs:
            wrong = "logprobs: quotes have none"
        elif self.modalities not in (None, ["text"]):
            wrong = "modalities: answers are text"
        if wrong:
            raise Refused(400, f"{wrong}", "leave it out")


@router.post(
    "/chat/completions",
    summary="Answer the last question in verified quotes",
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
)
async def complete(request: Request, body: Completion) -> Response:
    """A completion, or with `stream` its pieces as server-sent events."""
    server = server_of(request)
    body.refuse()
    if body.model not in _talking(server):
        raise ModelNotFound(body.model, _talking(server))
    writer = server.model if body.model == PROSE else None
    source = str(request.base_url) + "source"
    made = Reply(body.model, source)
    events = _events(server, body.messages, writer, writing.Wish(person=request.state.visitor.name))
    # what goes wrong before there is anything to show has a status of its own
    first = await anext(events)
    if body.stream:
        usage = body.stream_options is not None and body.stream_options.include_usage
        headers = {"X-Accel-Buffering": "no", "Cache-Control": "no-store"}
        return StreamingResponse(
            _alive(made.pieces(first, events, usage)), media_type="text/event-stream", headers=headers
        )
    return reply(made.whole(await _last(first, events)))


async def _last(event: writing.Event, events: AsyncIterator[writing.Event]) -> Answer:
    while not isinstance(event, writing.Done):
        event = await anext(events)
    return event.answer


async def _question(server: Server, messages: Sequence[Message], writer: LanguageModel | None) -> str:
    """The last question of the user, completed from the earlier ones."""
    asked = [message.words() for message in messages if message.role == "user"]
    if not asked:
        raise Refused(400, "there is no message of the user", "the last one is the question")
    *earlier, question = [one for one in asked if one.strip()][-MOST_EARLIER - 1 :] or asked[-1:]
    if not earlier:
        return question
    question, earlier = question[:LONGEST_QUESTION], [one[:LONGEST_QUESTION] for one in earlier]
    if writer is not None:
        return await followups.completed_by(writer, question, earlier)
    return await server.run(followups.completed, question, earlier)


async def _events(
    server: Server, messages: Sequence[Message], writer: LanguageModel | None, wish: writing.Wish
) -> AsyncIterator[writing.Event]:
    async with server.question():
        question = await _question(server, messages, writer)
        stream = writing.stream(server.library, question, model=writer, wish=wish, run=server.run)
        async with aclosing(stream) as made:
            async for event in made:
                yield event


async def _alive(pieces: AsyncGenerator[dict[str, object], None]) -> AsyncIterator[bytes]:
    """Pieces as server-sent events; silence is broken by comments, an error is the last event."""
    try:
        async with aclosing(unsilenced(pieces)) as lasting:
            async for piece in lasting:
                yield SILENCE if piece is None else _sent(piece)
        yield b"data: [DONE]\n\n"
    except QuothError as error:
        yield _sent(fault(error))
    except Exception as error:
        yield _sent(fault(unexpected("a completion", error)))


def _sent(record: dict[str, object]) -> bytes:
    return b"data: %s\n\n" % as_json(record)


# -- embeddings --------------------------------------------------------------------------------

Texts = Annotated[list[str], Field(min_length=1, max_length=MOST_INPUTS)]


class Embeddings(BaseModel):
    """Texts to embed."""

    model: str
    input: str | Texts | list[int] | list[list[int]]
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = None

    def texts(self) -> list[str]:
        """The texts. Raises `Refused` for token ids and for texts that are empty or too long."""
        given = [self.input] if isinstance(self.input, str) else self.input
        texts = [one for one in given if isinstance(one, str)]
        if len(texts) < len(given) or not texts:
            raise Refused(400, "input: token ids are another model's; text is needed", "send strings")
        for number, text in enumerate(texts):
            if not text.strip():
                raise Refused(400, f"input {number} is empty", "leave it out")
            if any("\ud800" <= one <= "\udfff" for one in text):
                raise Refused(400, f"input {number} holds half a character, which no UTF-8 has", "leave it out")
            if len(text) > LONGEST_INPUT:
                raise Refused(400, f"input {number} has {len(text):,} characters", f"at most {LONGEST_INPUT:,}")
        return texts


@router.post("/embeddings", summary="Vectors of texts by the library's encoder")
async def embed(request: Request, body: Embeddings) -> Response:
    """A unit vector of each text."""
    server = server_of(request)
    name = await _encoding(server)
    if body.model != name:
        raise ModelNotFound(body.model, [name])
    texts = body.texts()
    async with server.question():
        encoder: Encoder = await server.run(lambda: server.library._parts.encoder)
        if body.dimensions not in (None, encoder.dimensions):
            raise Refused(400, f"dimensions: vectors of {name} have {encoder.dimensions}", "leave it out")
        tokens = await server.run(_tokens, encoder, texts)
        data: list[dict[str, object]] = []
        for first in range(0, len(texts), AT_ONCE):
            vectors = await server.run(encoder.encode, texts[first : first + AT_ONCE])
            data += [
                {"object": "embedding", "index": first + number, "embedding": _written(vector, body.encoding_format)}
                for number, vector in enumerate(vectors)
            ]
    used = {"prompt_tokens": tokens, "total_tokens": tokens}
    return reply({"object": "list", "data": data, "model": name, "usage": used})


def _tokens(encoder: Encoder, texts: list[str]) -> int:
    """Word pieces of all texts, where the encoder counts them. Raises `Refused` for a text that it would cut."""
    from quoth.embed.packaged import PackagedEncoder

    if not isinstance(encoder, PackagedEncoder):
        return 0
    counts = encoder.count(texts)
    for number, count in enumerate(counts):
        if count > encoder.window - 2:
            hint = f"at most {encoder.window - 2}: cut it into parts"
            raise Refused(400, f"input {number} has {count:,} word pieces, more than the encoder reads", hint)
    return sum(counts)


def _written(vector: Floats, form: str) -> str | list[float]:
    if form == "base64":
        return base64.b64encode(vector.astype("<f4").tobytes()).decode("ascii")
    return [float(number) for number in vector]
