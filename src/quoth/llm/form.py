"""The form in which a language model answers; it comes from outside, so Pydantic checks it.

Typed dictionaries, because Pydantic can read those while they are being written. The schema that the model is given
has bounds, which keep a small one from going on for ever; an answer beyond them is no error.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from quoth.types import Cited, Written

TOLD = """Answer with one JSON object of this form and nothing else, no fence and no remark:
{"sentences": [{"cites": [{"passage": 1, "words": "words of the passage"}], "text": "the sentence"}]}"""
"""What the system prompt says of the form: many endpoints show a model no schema, and some know none."""


class Cite(TypedDict):
    """Words copied from a passage."""

    passage: Annotated[int, Field(description="The number of the passage.")]
    words: Annotated[str, Field(description="Words of the passage, exactly.", json_schema_extra={"maxLength": 400})]


class Sentence(TypedDict):
    """One sentence of the answer: first where it comes from, then what it says."""

    cites: Annotated[list[Cite], Field(description="Where it comes from.", json_schema_extra={"maxItems": 3})]
    text: Annotated[str, Field(description="The sentence itself.", json_schema_extra={"maxLength": 400})]


class Prose(TypedDict):
    """The sentences of an answer; none where the passages do not answer."""

    sentences: Annotated[list[Sentence], Field(json_schema_extra={"maxItems": 8})]


def written(sentence: Sentence) -> Written:
    """The sentence as a record."""
    return Written(sentence["text"], tuple(Cited(one["passage"], one["words"]) for one in sentence["cites"]))
