"""Subtitles (SRT, WebVTT): what is said, line by line, each line with the time at which it is said.

The text is drawn from the cues, without their styling, so that a passage spans many of them; the time of a
cue is its place ("00:01:05", a mark of kind cells) beside its line in the file. A pause parts paragraphs.
What an automatic caption repeats from the cue before, as it rolls up, is said once.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import PurePath

from quoth.ingest.decode import decode
from quoth.ingest.tables import Lines
from quoth.ingest.text import first_line
from quoth.types import Document

TIME = r"(?:(\d{1,3}):)?(\d{1,2}):(\d{1,2})(?:[.,]\d{1,3})?"
TIMING = re.compile(rf"^[ \t]*{TIME}[ \t]*-{{1,2}}>[ \t]*{TIME}[^\n]*$", re.M)
NUMBER = re.compile(r"\n[ \t]*\d+[ \t]*\r?\n?[ \t\r\n]*\Z")
BLANK = re.compile(r"\n[ \t]*\r?\n")
SPEAKER = re.compile(r"<v(?:\.[^\s<>]{0,100})?[ \t]+([^<>\n]{1,100})>")
STYLING = re.compile(
    r"</?[A-Za-z][^<>\n]{0,200}>|<\d[\d:.]{3,15}>|\{\\[^{}\n]{0,200}\}|\{/?[ibuySYcC]:?[^{}\n]{0,40}\}"
)
ROLLING = re.compile(r"<\d{1,3}:\d\d[\d:.]{3,10}><c")
NAMED = re.compile(r"WEBVTT[ \t]+(?:-[ \t]*)?(?P<title>\S[^\r\n]{0,200})")
PAUSE = 4
"""Seconds of silence that part two paragraphs."""


def read_subtitles(data: bytes, path: str, password: str | None) -> tuple[Document, ...]:
    """One document: a line of text for each line of a cue, titled by its header or its name.

    A file without a single time is kept as plain text, with a note.
    """
    text, notes = decode(data)
    lines = Lines()
    ended, counted, number, last = 0, 0, 1, ""
    rolling = ROLLING.search(text) is not None
    for begins, ends, start, said in _cues(text):
        fresh = False
        for offset, words in _said(said):
            if rolling and words == last:
                continue
            if lines.length and not fresh and begins - ended >= PAUSE:
                lines.add("")
            number += text.count("\n", counted, start + offset)
            counted = start + offset
            marks = [("line", "", number)] if fresh else [("cells", _clock(begins), 0), ("line", "", number)]
            lines.add(words, *marks)
            fresh, last = True, words
        ended = ends
    named = NAMED.match(text)
    title = named["title"].strip() if named else PurePath(path).name
    if not lines.length and text.strip():
        notes += ("no times of subtitles were found in it: it is read as plain text",)
        return (Document(path, "subtitles", first_line(text) or title, text, lines=True, notes=notes),)
    return (Document(path, "subtitles", title, lines.text(), tuple(lines.marks), notes=notes),)


def _cues(text: str) -> Iterator[tuple[int, int, int, str]]:
    """(seconds at which it begins and ends, offset of its text, its text with styling) of every cue."""
    timings = list(TIMING.finditer(text))
    blocks = text.startswith("WEBVTT")
    for at, timing in enumerate(timings):
        end = timings[at + 1].start() if at + 1 < len(timings) else len(text)
        said = text[timing.end() : end]
        blank = BLANK.search(said) if blocks else NUMBER.search(said) if at + 1 < len(timings) else None
        yield _seconds(timing, 1), _seconds(timing, 4), timing.end(), said[: blank.start()] if blank else said


def _said(cue: str) -> Iterator[tuple[int, str]]:
    """(offset, words without styling) of every line of a cue that has words."""
    offset = 0
    for line in cue.split("\n"):
        bare = STYLING.sub("", SPEAKER.sub(r"\1: ", line)).replace("\\N", " ").replace("\\h", " ")
        if words := " ".join(html.unescape(bare).split()):
            yield offset, words
        offset += len(line) + 1


def _seconds(timing: re.Match[str], group: int) -> int:
    hours, minutes, seconds = (int(timing[group + step] or 0) for step in range(3))
    return hours * 3600 + minutes * 60 + seconds


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
