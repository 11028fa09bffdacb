"""Passages: exact offsets, all of the visible text, never beyond the encoder's window."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from semantic_text_splitter import TextSplitter
from tokenizers import Tokenizer

import quoth
from quoth.ingest import read_data
from quoth.ingest.markdown import headings
from quoth.ingest.split import CONTEXT, WINDOW, encoded, split
from quoth.types import Document, Mark, Passage

TOKENIZER = Tokenizer.from_file(str(Path(quoth.__file__).parent / "embed" / "minilm" / "tokenizer.json"))
TOKENIZER.no_truncation()
TOKENIZER.no_padding()

ALPHABET = st.one_of(
    st.characters(exclude_categories=("Cs",)),
    st.sampled_from(
        [*"abc .,;:!?\n\t#*_[]()|<>-`%=", "\r\n", "\n\n", "e\u0301", "👩‍👩‍👧", "🇩🇪", "שלום", "مرحبا", "漢字", "。"]
    ),
    st.sampled_from(
        [
            "word " * 60,
            "x" * 150,
            "漢" * 300,
            "\n## Head\n",
            "```\n",
            "<!-- c -->",
            "[[a|b]]",
            "A sentence. ",
            "각" * 99,
        ]
    ),
)
TEXTS = st.lists(ALPHABET, max_size=60).map("".join)


def made(text: str, kind: str = "text", title: str = "", marks: tuple[Mark, ...] = ()) -> Document:
    return Document("/a", kind, title, text, marks, lines=True)


def pieces(passage: Passage, kind: str = "text") -> int:
    return len(TOKENIZER.encode(encoded(kind, passage)))


def prose(sentences: int) -> str:
    return " ".join(f"Sentence number {number} speaks of boilers and of roofs." for number in range(sentences))


@settings(max_examples=150, deadline=None)
@given(TEXTS, TEXTS, st.sampled_from(["text", "code", "html"]))
def test_passages_are_the_text_in_order_and_miss_only_blanks(text: str, title: str, kind: str) -> None:
    text = text.replace("\x00", "")
    at = 0
    for passage in split(made(text, kind, title), TOKENIZER):
        assert text[passage.start : passage.end] == passage.text
        assert passage.text == passage.text.strip() != ""
        assert not text[at : passage.start].strip()
        assert pieces(passage, kind) <= WINDOW
        at = passage.end
    assert not text[at:].strip()


@settings(max_examples=150, deadline=None)
@given(TEXTS)
def test_markdown_passages_keep_offsets_and_the_window(text: str) -> None:
    text = text.replace("\x00", "")
    document = made(text, "markdown", marks=tuple(headings(text)))
    starts = [mark.start for mark in document.marks]
    assert starts == sorted(starts)
    assert all(0 <= start < len(document.text) for start in starts)
    at = 0
    for passage in split(document, TOKENIZER):
        assert passage.start >= at
        assert document.text[passage.start : passage.end] == passage.text
        assert pieces(passage, "markdown") <= WINDOW
        at = passage.end


def test_a_short_text_is_one_passage() -> None:
    assert split(made("  One line.\r\n"), TOKENIZER) == [Passage(2, 11, "One line.")]


def test_a_blank_text_has_no_passage() -> None:
    assert split(made(" \n\t\r\n"), TOKENIZER) == []


def test_long_prose_is_cut_after_sentences_into_full_passages() -> None:
    passages = split(made(prose(200)), TOKENIZER)
    assert all(passage.text.endswith("roofs.") for passage in passages)
    assert all(150 <= pieces(passage) <= 242 for passage in passages)


def test_fewer_passages_than_a_splitter_that_fills_greedily_needs() -> None:
    text = "\n\n".join(prose(number) for number in range(3, 40, 4))
    second = TextSplitter.from_huggingface_tokenizer(TOKENIZER, (200, 240)).chunks(text)
    assert len(split(made(text), TOKENIZER)) <= len(second)


def test_sections_of_some_length_stay_apart_and_tiny_ones_join() -> None:
    long = "".join(f"## Part {name}\n\n{prose(12)}\n\n" for name in "abc")
    short = "".join(f"## Part {name}\n\nYes.\n\n" for name in "abc")
    document = read_data((long + short).encode(), "/a/n.md")[0]
    heads = [passage.text.splitlines()[0] for passage in split(document, TOKENIZER)]
    assert heads == ["## Part a", "## Part b", "## Part c"]


def test_context_is_title_and_headings_without_the_one_the_passage_begins_with() -> None:
    text = f"# Manual\n\n{prose(16)}\n\n## Care\n\n{prose(16)}\n\n### Winter\n\n{prose(40)}\n"
    passages = split(read_data(text.encode(), "/a/manual.md")[0], TOKENIZER)
    found = list(dict.fromkeys(passage.context for passage in passages))
    assert found == ["", "Manual", "Manual › Care", "Manual › Care › Winter"]
    winter = next(passage for passage in passages if passage.text.startswith("### Winter"))
    assert winter.context == "Manual › Care"


def test_a_very_long_title_is_cut_to_the_context_limit() -> None:
    passages = split(made(prose(60), title="漢字 " * 400), TOKENIZER)
    assert all(0 < len(TOKENIZER.encode(one.context, add_special_tokens=False)) <= CONTEXT for one in passages)
    assert all(pieces(one) <= WINDOW for one in passages)


def test_a_heading_stays_with_the_text_below_it() -> None:
    for head in ("Winter\n======\n", "======\nWinter\n======\n"):
        text = f"{prose(30)}\n\n{head}\n{prose(30)}\n"
        passages = split(read_data(text.encode(), "/a/n.rst")[0], TOKENIZER)
        assert [len(one.text) > 100 for one in passages if "Winter" in one.text] == [True]


def test_quoted_prose_is_cut_after_sentences() -> None:
    lines = "".join(f"> Line {number} of the quote runs on\n> and ends here.\n" for number in range(40))
    passages = split(read_data(lines.encode(), "/a/n.md")[0], TOKENIZER)
    assert all(passage.text.endswith("ends here.") for passage in passages)


def test_rows_are_not_cut_in_the_middle() -> None:
    rows = [
        f"Item: part {number} | Note: it is kept in cellar {number}. Price on demand; see list" for number in range(60)
    ]
    starts = [sum(len(row) + 1 for row in rows[:number]) for number in range(60)]
    marks = tuple(Mark(start, "cells", f"Sheet!A{number + 2}") for number, start in enumerate(starts))
    passages = split(made("\n".join(rows), "csv", "Stock", marks), TOKENIZER)
    assert {passage.start for passage in passages} <= set(starts)


def test_a_word_without_end_is_cut_but_never_inside_a_character() -> None:
    text = "각e\u0301👩‍👩‍👧" * 400
    for passage in split(made(text), TOKENIZER):
        assert not passage.text.startswith(("\u0301", "\u200d"))
        assert not passage.text.endswith("\u200d")


def test_embedded_data_and_long_comments_are_in_no_passage() -> None:
    image, comment = "iVBORw0K" * 200, "secret words " * 20
    text = f"Before.\n\n![x](data:image/png;base64,{image})\n\nAfter.\n\n<!-- {comment} -->\n\nEnd.\n"
    passages = split(read_data(text.encode(), "/a/n.md")[0], TOKENIZER)
    assert not any("iVBOR" in passage.text or "secret" in passage.text for passage in passages)
    assert [passage.text[:6] for passage in passages][-2:] == [")\n\nAft", "End."]


def test_encoded_is_context_and_text_without_markup() -> None:
    passage = Passage(0, 0, "See [[Boiler|the *boiler*]] at [home](https://example.org).", "House")
    assert encoded("markdown", passage) == "House\nSee the *boiler* at home."
    assert encoded("text", replace(passage, context="")) == passage.text


def test_a_tokenizer_that_truncates_is_refused() -> None:
    other = Tokenizer.from_str(TOKENIZER.to_str())
    other.enable_truncation(256)
    with pytest.raises(ValueError, match="truncates"):
        split(made("a"), other)


def test_a_desert_of_blank_lines_is_in_no_passage() -> None:
    (document,) = read_data(b"The pump ran." + b"\n" * 1_000_000 + b"The pump stopped.\n", "/notes/pump.txt")
    assert [one.text for one in split(document, TOKENIZER)] == ["The pump ran.", "The pump stopped."]


def test_thousands_of_rows_without_a_word_are_in_no_passage() -> None:
    """Weighing every border of such a run against every other one would take minutes."""
    (document,) = read_data(b"The pump ran.\n\n" + b"|\n" * 200_000 + b"\nThe pump stopped.\n", "/notes/pump.md")
    texts = [one.text for one in split(document, TOKENIZER)]
    assert [text.strip("|\n ") for text in texts] == ["The pump ran.", "The pump stopped."]
