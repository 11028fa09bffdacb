"""Subtitles: what is said, with the time at which it is said."""

from __future__ import annotations

from pathlib import Path

from tokenizers import Tokenizer

import quoth
from quoth.ingest import read_data
from quoth.ingest.split import split
from quoth.types import Document

VTT = """WEBVTT - My talk

NOTE a remark that
is not said

STYLE
::cue { color: red }

intro
00:01.000 --> 00:04.000 align:start
<v Ann Lee>Welcome to the <i>show</i>.
&amp; hello

00:04.000 --> 00:06.500
This sentence runs

00:06.500 --> 00:08.000
over two cues.

01:02:03.000 --> 01:02:05.000
{\\an8}After a pause.
"""
SRT = (
    "1\r\n00:00:01,000 --> 00:00:02,000\r\n<i>Hello</i>\r\n\r\nstill the first\r\n\r\n"
    "2\r\n00:00:03,000 --> 00:00:04,000\r\n{\\an8}World\\Nwide\r\n- 42\r\n\r\n"
    "3\r\n00:01:05,100 --> 00:01:06,000\r\n99\r\n"
)


def read(text: str, name: str = "talk.vtt") -> Document:
    return read_data(text.encode(), f"/a/{name}")[0]


def said(document: Document) -> list[tuple[str, str | None, int | None]]:
    """Every line with its time and its line in the file."""
    found, at = [], 0
    for line in document.text.splitlines(keepends=True):
        place = document.place(at)
        found += [(line.strip(), place.cells, place.line)] if line.strip() else []
        at += len(line)
    return found


def test_lines_of_webvtt_have_their_times_and_lose_their_styling() -> None:
    assert said(read(VTT)) == [
        ("Ann Lee: Welcome to the show.", "00:00:01", 11),
        ("& hello", "00:00:01", 12),
        ("This sentence runs", "00:00:04", 15),
        ("over two cues.", "00:00:06", 18),
        ("After a pause.", "01:02:03", 21),
    ]
    assert (read(VTT).title, read(VTT).kind) == ("My talk", "subtitles")


def test_numbers_of_cues_are_not_said_and_blank_lines_end_none() -> None:
    assert said(read(SRT, "talk.srt")) == [
        ("Hello", "00:00:01", 3),
        ("still the first", "00:00:01", 5),
        ("World wide", "00:00:03", 9),
        ("- 42", "00:00:03", 10),
        ("99", "00:01:05", 14),
    ]
    assert read(SRT, "talk.srt").title == "talk.srt"


def test_a_pause_parts_paragraphs() -> None:
    assert read(SRT, "talk.srt").text.split("\n\n") == ["Hello\nstill the first\nWorld wide\n- 42", "99\n"]


def test_captions_that_roll_up_are_said_once() -> None:
    text = "WEBVTT\n\n00:01.000 --> 00:02.000\nso<00:01.500><c> it</c>\n\n00:02.000 --> 00:03.000\nso it\ngoes\n"
    assert read(text).text == "so it\ngoes\n"
    assert read("WEBVTT\n\n00:01.000 --> 00:02.000\nNo!\n\n00:02.000 --> 00:03.000\nNo!\n").text == "No!\nNo!\n"


def test_a_passage_spans_many_cues_and_ends_with_a_sentence() -> None:
    cues = "".join(
        f"{n}\n00:{n // 60:02}:{n % 60:02},000 --> 00:{n // 60:02}:{n % 60:02},900\nWords number {n} go on\n"
        f"and end here.\n\n"
        for n in range(1, 200)
    )
    tokenizer = Tokenizer.from_file(str(Path(quoth.__file__).parent / "embed" / "minilm" / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    passages = split(read(cues, "talk.srt"), tokenizer)
    assert all(passage.text.startswith("Words") and passage.text.endswith("end here.") for passage in passages)
    assert all(passage.text.count("Words") > 10 for passage in passages[:-1])


def test_a_file_without_times_is_plain_text() -> None:
    document = read("Just words.\nNothing else.\n")
    assert (document.text, document.lines, document.title) == ("Just words.\nNothing else.\n", True, "Just words.")
    assert document.notes == ("no times of subtitles were found in it: it is read as plain text",)
    assert read("").text == ""
