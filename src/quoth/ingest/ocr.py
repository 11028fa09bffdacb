"""Words from pictures: `recognise` one picture, `lay_out` its words as text with a "box" mark for each.

The engine is tesseract where that is on the PATH, else rapidocr (extra `[ocr]`), else there is none. Neither
uses the network: rapidocr is given the models that lie in its package, tesseract gets the picture on
standard input. tesseract reads English and the other languages that are installed for it, if those are few.

What is no text must not become passages. A line is kept when the mean confidence of its characters is at
least 0.6 (SURE) and at least half of them stand in words that look like words: mostly letters and figures,
not one sign over and over. A picture of which less than a third (SHARE) of the recognised characters is kept
so holds no words at all.

Covered: time (SECONDS for the OCR of a file; tesseract is stopped when they are over, and dies with this
process), the memory of tesseract. Not covered: rapidocr cannot be stopped within a page.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from itertools import groupby

from quoth.errors import ReadError
from quoth.types import Mark

SECONDS = 45.0
"""Seconds after a file's reading began in which its pictures may be recognised; pages beyond are named."""
MEMORY = 2**30
"""Bytes of address space for tesseract."""
SURE, SHARE = 0.6, 1 / 3
MOST_LANGUAGES = 4
"""tesseract tries every language on every unsure word: with more than so many it reads English alone."""
NO_ENGINE = "no OCR engine is installed"
INSTALL = "apt-get install tesseract-ocr, or pip install 'quoth[ocr]'"


@dataclass(frozen=True, slots=True)
class Word:
    """A recognised word, its edges in pixels from the picture's upper left corner, and where it belongs.

    `sure` is the engine's confidence, from 0 to 1. Words with equal `line` stand on one line, lines with
    equal `paragraph` in one paragraph; both only grow from word to word.
    """

    text: str
    left: int
    top: int
    right: int
    bottom: int
    sure: float
    line: int
    paragraph: int


_until: ContextVar[float] = ContextVar("until")


@contextmanager
def bounded(seconds: float | None = None) -> Iterator[None]:
    """Bounds the OCR of all that is read inside, from now on (SECONDS by default); an outer bound stays."""
    if _until.get(None) is not None:
        yield
        return
    token = _until.set(time.monotonic() + (SECONDS if seconds is None else seconds))
    try:
        yield
    finally:
        _until.reset(token)


def time_left() -> float:
    """Seconds until recognising must end."""
    return _until.get(time.monotonic() + SECONDS) - time.monotonic()


def listed(numbers: Sequence[int]) -> str:
    """Page numbers in words, runs as "3–7", at most twenty of them."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][1] == number - 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    shown = [str(a) if a == b else f"{a}, {b}" if b == a + 1 else f"{a}–{b}" for a, b in runs[:20]]
    return ", ".join(shown) + (" …" if len(runs) > 20 else "")


def too_late(pages: Sequence[int], of: int) -> str:
    """The sentence for pages that were not read because the time was over."""
    which = "it was" if of == 1 else f"page {pages[0]} was" if len(pages) == 1 else f"pages {listed(pages)} were"
    return f"{which} not read: OCR took longer than {SECONDS:g} s"


def engine() -> str | None:
    """The name of the engine that `recognise` uses, with its version, or None where there is none."""
    program = shutil.which("tesseract")
    if program and _languages(program):
        return f"tesseract {_version(program)}"
    if all(importlib.util.find_spec(one) for one in ("rapidocr", "onnxruntime")):
        from importlib.metadata import version

        return f"rapidocr {version('rapidocr')}"
    return None


def recognise(picture: bytes, frame: int = 0, dpi: int = 0) -> list[Word]:
    """The words in a picture in reading order, none where it holds no text.

    `picture` is a whole PNG, JPEG, TIFF, BMP, WebP, GIF or PGM file that has been measured (the engines
    guess at anything else); `frame` is the page of a TIFF, from 0; `dpi` is only given where it is better
    known than the file says. Raises TimeoutError when the time is over, ReadError when the engine fails or
    there is none.
    """
    if time_left() <= 0:
        raise TimeoutError
    program = shutil.which("tesseract")
    if program and (languages := _languages(program)):
        return sensible(_tesseract(program, languages, picture, frame, dpi))
    if engine() is None:
        raise ReadError(NO_ENGINE, INSTALL)
    from quoth.ingest import rapid

    return sensible(rapid.recognise(picture, frame))


def lay_out(words: Sequence[Word], box: Callable[[Word], str], page: int) -> tuple[str, tuple[Mark, ...]]:
    """The words as text, and a "box" mark at each: spaces, newlines and blank lines stand between them."""
    parts: list[str] = []
    marks = []
    length = 0
    before = None
    for word in words:
        if before is not None:
            gap = "\n\n" if before.paragraph != word.paragraph else "\n" if before.line != word.line else " "
            parts.append(gap)
            length += len(gap)
        marks.append(Mark(length, "box", box(word), page))
        parts.append(word.text)
        length += len(word.text)
        before = word
    return "".join(parts), tuple(marks)


def sensible(words: Sequence[Word]) -> list[Word]:
    """The words of the lines that are text (see above), all or none of a line."""
    kept: list[Word] = []
    for _, group in groupby(words, key=lambda word: word.line):
        line = list(group)
        size = sum(len(word.text) for word in line)
        sure = sum(len(word.text) * word.sure for word in line) / size
        fair = sum(len(word.text) for word in line if _is_word(word.text))
        if sure >= SURE and fair * 2 >= size:
            kept += line
    whole = sum(len(word.text) for word in words)
    return kept if sum(len(word.text) for word in kept) >= SHARE * whole else []


def _is_word(text: str) -> bool:
    solid = [one for one in text.lower() if one.isalnum()]
    repeated = len(solid) > 3 and len(set(solid)) == 1 and solid[0].isalpha()
    return len(solid) * 2 >= len(text) and not repeated


# tesseract


@cache
def _version(program: str) -> str:
    found = re.search(r"tesseract v?(\d+(?:\.\d+)*)", _asked(program, "--version"))
    return found[1] if found else ""


@cache
def _languages(program: str) -> str:
    """What to give tesseract with -l, or "" when nothing is installed that reads words."""
    listed = _installed(program)
    named = sorted({one for one in listed if re.fullmatch(r"[a-z]{3}(_[a-z_]+)?", one)} - {"osd", "equ", "snum"})
    chosen = sorted(named, key=lambda one: one != "eng")
    return "+".join(chosen if len(chosen) <= MOST_LANGUAGES else chosen[:1])


def _asked(program: str, what: str) -> str:
    try:
        done = subprocess.run([program, what], capture_output=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return (done.stdout or done.stderr).decode("utf-8", "replace") if done.returncode == 0 else ""


def _tesseract(program: str, languages: str, picture: bytes, frame: int, dpi: int) -> list[Word]:
    """The words that tesseract finds; where it finds none worth keeping, the page may lie on its side."""
    words = _run(program, languages, picture, frame, dpi, "3")
    if words and not sensible(words) and "osd" in _installed(program):
        with suppress(ReadError):  # it may refuse to tell which way is up
            words = _run(program, languages, picture, frame, dpi, "1")
    return words


@cache
def _installed(program: str) -> tuple[str, ...]:
    return tuple(_asked(program, "--list-langs").splitlines()[1:])


def _run(program: str, languages: str, picture: bytes, frame: int, dpi: int, layout: str) -> list[Word]:
    command = [program, "stdin", "stdout", "-l", languages, "--psm", layout, *(["--dpi", str(dpi)] if dpi else [])]
    command += ["-c", "tessedit_create_tsv=1", "-c", f"tessedit_page_number={frame}"]
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "OMP_THREAD_LIMIT": "1"},
            preexec_fn=_binding(),
        )
    except OSError as error:
        raise ReadError(f"tesseract does not start: {error.strerror}", "tesseract --version") from None
    with process:
        try:
            out, err = process.communicate(picture, timeout=max(time_left(), 0.1))
        except subprocess.TimeoutExpired:
            raise TimeoutError from None
        finally:
            process.kill()
    if process.returncode:
        lines = [line for line in err.decode("utf-8", "replace").splitlines() if "rror" in line and "page" not in line]
        said = f" ({lines[0][:200]})" if lines else ""
        raise ReadError(f"tesseract cannot read the picture{said}", "open it in an image viewer and save it anew")
    return _table(out.decode("utf-8", "replace"))


@cache
def _binding() -> Callable[[], None] | None:
    """What a new tesseract does first: it dies with its parent, and its memory is bounded (Linux)."""
    if not sys.platform.startswith("linux"):
        return None
    import ctypes
    import resource

    libc = ctypes.CDLL(None)
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    most = MEMORY if hard == resource.RLIM_INFINITY else min(MEMORY, hard)

    def bind() -> None:
        libc.prctl(1, signal.SIGKILL)
        resource.setrlimit(resource.RLIMIT_AS, (most, most))

    return bind


def _table(table: str) -> list[Word]:
    """The words of tesseract's table, numbered by line and paragraph."""
    words: list[Word] = []
    lines: dict[tuple[str, ...], int] = {}
    paragraphs: dict[tuple[str, ...], int] = {}
    for row in table.splitlines():
        cells = row.split("\t")
        if len(cells) != 12 or cells[0] != "5" or not cells[11].strip():
            continue
        left, top, width, height = map(int, cells[6:10])
        line = lines.setdefault(tuple(cells[1:5]), len(lines))
        paragraph = paragraphs.setdefault(tuple(cells[1:4]), len(paragraphs))
        sure = max(0.0, float(cells[10])) / 100
        for text in cells[11].split():
            words.append(Word(text, left, top, left + width, top + height, sure, line, paragraph))
    return words
