"""PDF to a document: `read_pdf`, and `boxes`, which finds a stretch of its text on the pages.

PDFium numbers the characters of a page; a "glyph" mark stands wherever the document's numbering and
PDFium's part, so that `glyph + (offset - mark.start)` is the character's number on its page until the
next mark. Pages that are pictures are read by `scan`; their words have "box" marks instead. Not covered: values
typed into forms, annotations.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import PurePath
from statistics import median
from typing import TYPE_CHECKING

import pypdfium2 as pdfium
import pypdfium2.raw as raw

from quoth.errors import PASSWORD, Encrypted, ReadError
from quoth.ingest.ocr import listed
from quoth.types import Box, Document, Mark

if TYPE_CHECKING:
    from quoth.ingest.scan import Scans

HYPHEN = "\ufffe"
"""PDFium's sign for a hyphen at a line's end; it leaves the line break behind it out."""
ODD = re.compile(
    "([^\\W\\d_](?:[-\u2010]\r\n|[-\u2010]\n|\ufffe)(?=[^\\W_]))"  # a word goes on in the next line
    "|(\r\n|\r|\n)"
    "|([\ud800-\udbff][\udc00-\udfff])"
    "|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\xad\ud800-\udfff\ufffe\uffff]"
)
CONTROL = re.compile("[\x00-\x08\x0e-\x1f\x7f\xad\ud800-\udfff\ufffe\uffff]")
WORD = re.compile(r"[^\W\d_]+(?:[-\u2010][^\W\d_]+)*")
BEFORE = re.compile(r"[\w\u2010-]+$")
AFTER = re.compile(r"\w+")
PROGRAM_NAMES = re.compile(
    r"^(microsoft (word|powerpoint|excel)\b.*|untitled.*|document\d*"
    r"|.*\.(docx?|xlsx?|pptx?|indd|tex|dvi|pdf|rtf|qxd|fm|p65)"
    r"|.*[\\/].*\.\w+|title|\W*|\W*anonymous\W*|no job name|print|slide 1|page \d+)$",
    re.I,
)
MOST_BOOKMARKS = 5_000
_ALONE = threading.Lock()
"""PDFium crashes when two threads use it at once, and a server asks for boxes in many."""


@dataclass(slots=True)
class _Line:
    """Where a line begins: its character's number, and the upper and lower edge of its type in points."""

    glyph: int
    top: float
    bottom: float


@dataclass(slots=True)
class _Page:
    """A page as PDFium gives it: one character of `text` for each of PDFium's."""

    text: str
    lines: list[_Line]
    scan: tuple[str, tuple[Mark, ...]] = ("", ())
    """Text and marks by OCR, which then stand for the page."""


@dataclass(slots=True)
class _Layout:
    """The document as it is put together."""

    parts: list[str] = field(default_factory=list)
    length: int = 0
    marks: list[Mark] = field(default_factory=list)
    words: frozenset[str] = frozenset()
    pages: list[dict[int, int]] = field(default_factory=list)
    """For every page: number of a line's first character → offset of that line in the text."""

    def add(self, text: str) -> None:
        self.parts.append(text)
        self.length += len(text)

    def glyph(self, number: int) -> None:
        """The next character is PDFium's `number`."""
        if self.marks and self.marks[-1].kind == "glyph" and self.marks[-1].start == self.length:
            self.marks.pop()
        self.marks.append(Mark(self.length, "glyph", number=number))


def read_pdf(data: bytes, path: str, password: str | None = None) -> tuple[Document, ...]:
    """The one document of a PDF: pages, bookmarks as headings, glyph marks, "box" marks where OCR read.

    A PDF of white pages gives an empty text and a note that says so. Raises ReadError for an encrypted
    file whose password is not given, for one that cannot be opened, and for a scan that cannot be read.
    """
    from quoth.ingest.scan import read_scans

    pdf = _open(data, password)
    try:
        found = [_page(pdf, number) for number in range(len(pdf))]
        scans = read_scans(pdf, [page.text if page else None for page in found])
        pages = [
            _Page("", [], scans.read[number]) if number in scans.read else page or _Page("", [])
            for number, page in enumerate(found, 1)
        ]
        layout = _lay_out(pages)
        text = "".join(layout.parts)
        marks = sorted([*layout.marks, *_headings(pdf, pages, layout, text)], key=lambda m: (m.start, ORDER[m.kind]))
        title = _title(pdf, pages) or PurePath(path).name
        modified = _date(pdf.get_metadata_value("ModDate")) or _date(pdf.get_metadata_value("CreationDate"))
    finally:
        pdf.close()
    document = Document(path, "pdf", title, text, tuple(marks), modified=modified)
    broken = [number for number, page in enumerate(found, 1) if page is None]
    if not text.strip():
        scans.give_up(len(pages))
    return (replace(document, notes=_notes(document, broken, scans)),)


ORDER = {"page": 0, "heading": 1, "glyph": 2, "box": 2, "line": 3, "cells": 4}


def boxes(data: bytes, document: Document, start: int, end: int, password: str | None = None) -> list[Box]:
    """Where the characters start … end of a document stand in its PDF: a box for each line or run.

    `data` must be the bytes that the document was read from.
    """
    spans = list(_glyph_spans(document, start, end))
    if not spans:
        return []
    with _ALONE:
        return _boxes(data, spans, password)


def _boxes(data: bytes, spans: list[tuple[int, int, int]], password: str | None) -> list[Box]:
    pdf = _open(data, password)
    found = []
    try:
        for page in sorted({page for page, _, _ in spans}):
            sheet = pdf[page - 1]
            glyphs = sheet.get_textpage()
            for _, first, count in (span for span in spans if span[0] == page):
                for index in range(glyphs.count_rects(first, count)):
                    left, bottom, right, top = glyphs.get_rect(index)
                    found.append(Box(page, left, top, right, bottom))
            glyphs.close()
            sheet.close()
    finally:
        pdf.close()
    return found


def _glyph_spans(document: Document, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """(page, number of the first character, how many) for every unbroken run from start to end."""
    page, begun = 0, None
    marks = [mark for mark in document.marks if mark.kind in ("page", "glyph") and mark.start < end]
    for mark, after in zip(marks, [*marks[1:], None], strict=True):
        if mark.kind == "page":
            page, begun = mark.number, None
        else:
            begun = mark
        low = max(start, mark.start)
        high = min(end, after.start if after else end)
        if begun is not None and low < high:
            yield page, begun.number + low - begun.start, high - low


def _open(data: bytes, password: str | None) -> pdfium.PdfDocument:
    try:
        return pdfium.PdfDocument(data, password=password)
    except pdfium.PdfiumError as error:
        if error.err_code == raw.FPDF_ERR_PASSWORD:
            if password:
                raise Encrypted("the PDF is encrypted, and the password does not open it") from None
            raise Encrypted("the PDF is encrypted", PASSWORD) from None
        if error.err_code == raw.FPDF_ERR_SECURITY:
            raise ReadError("the PDF is encrypted in a way that is not supported") from None
        hint = "open it in a PDF viewer and save it anew"
        raise ReadError("the PDF is damaged or not a PDF at all", hint) from None


def _page(pdf: pdfium.PdfDocument, number: int) -> _Page | None:
    """What stands on one page (from 0), or None when PDFium cannot open that page."""
    try:
        sheet = pdf[number]
    except pdfium.PdfiumError:
        return None
    glyphs = None
    try:
        glyphs = sheet.get_textpage()
        text = _characters(glyphs)
        return _Page(text, list(_lines(glyphs, text)))
    except pdfium.PdfiumError:
        return None
    finally:
        if glyphs is not None:
            glyphs.close()
        sheet.close()


def _characters(glyphs: pdfium.PdfTextPage) -> str:
    """PDFium's characters, one for one: quick in one call where that call leaves none out."""
    count = glyphs.count_chars()
    if not count:
        return ""
    text: str = glyphs.get_text_range()
    if len(text) == count and raw.FPDFText_GetTextIndexFromCharIndex(glyphs, count - 1) == count - 1:
        return text
    return "".join(_character(glyphs, index) for index in range(count))


def _character(glyphs: pdfium.PdfTextPage, index: int) -> str:
    code: int = raw.FPDFText_GetUnicode(glyphs, index)
    if code == 2 and raw.FPDFText_IsHyphen(glyphs, index) == 1:
        return HYPHEN
    return chr(code) if code <= 0x10FFFF else "\0"


def _lines(glyphs: pdfium.PdfTextPage, text: str) -> Iterator[_Line]:
    """The lines of a page, measured at their first visible character; a broken word's end begins one too."""
    box = raw.FS_RECTF()
    for match in re.finditer("[^\r\n\ufffe]+", text):
        visible = re.search(r"\S", match.group())
        if visible and raw.FPDFText_GetLooseCharBox(glyphs, match.start() + visible.start(), box):
            yield _Line(match.start(), box.top, box.bottom)


def _lay_out(pages: list[_Page]) -> _Layout:
    """Text and marks of all pages; a blank line between paragraphs and between pages."""
    layout = _Layout(words=_vocabulary(pages))
    for number, page in enumerate(pages, 1):
        text, marks = page.scan
        if (page.text or text) and layout.parts:
            layout.add("\n\n")
        layout.marks.append(Mark(layout.length, "page", number=number))
        layout.pages.append({})
        layout.marks += [Mark(layout.length + mark.start, mark.kind, mark.value, mark.number) for mark in marks]
        if text:
            layout.add(text)
        elif page.text:
            _lay_page(layout, page)
    return layout


def _lay_page(layout: _Layout, page: _Page) -> None:
    text, done = page.text.rstrip(), 0
    gaps = _paragraphs(page.lines)
    starts = layout.pages[-1]
    layout.glyph(0)
    starts[0] = layout.length
    for match in ODD.finditer(text):
        broken, newline, pair = match.groups()
        if newline:
            # both of PDFium's characters stay where a blank line is wanted
            shown = "\n\n" if newline == "\r\n" and match.end() in gaps else "\n"
            layout.add(text[done : match.start()] + shown)
            if len(shown) != len(newline):
                layout.glyph(match.end())
            starts[match.end()] = layout.length
        elif broken:
            keep = _keeps_hyphen(text, match, layout.words)
            layout.add(text[done : match.start() + 1] + ("-" if keep else ""))
            if not keep or len(broken) > 2:
                layout.glyph(match.end())
        else:
            layout.add(text[done : match.start()] + (_join(pair) if pair else ""))
            layout.glyph(match.end())
        done = match.end()
    layout.add(text[done:])


def _join(pair: str) -> str:
    return pair.encode("utf-16", "surrogatepass").decode("utf-16")


def _paragraphs(lines: list[_Line]) -> set[int]:
    """The first characters of the lines that begin a paragraph: a gap above, or a jump up to a new column.

    A gap is wide beside the page's own close lines (their lower quartile), so that widely set text holds
    together.
    """
    pairs = list(pairwise(lines))
    gaps = sorted(a.bottom - b.top for a, b in pairs if a.bottom - b.top > -0.5 * (b.top - b.bottom))
    usual = max(gaps[len(gaps) // 4], 0.0) if gaps else 0.0
    found = set()
    for above, below in pairs:
        height = max(below.top - below.bottom, 1.0)
        jump = below.bottom > above.top
        if jump or above.bottom - below.top > 1.3 * usual + 0.3 * height:
            found.add(below.glyph)
    return found


def _vocabulary(pages: list[_Page]) -> frozenset[str]:
    """The words of a document in small letters, gathered only if a word is broken at a line's end."""
    if not any(match.group(1) for page in pages for match in ODD.finditer(page.text)):
        return frozenset()
    return frozenset(word.lower().replace("\u2010", "-") for page in pages for word in WORD.findall(page.text))


def _keeps_hyphen(text: str, match: re.Match[str], words: frozenset[str]) -> bool:
    """Whether a hyphen at a line's end belongs to the word.

    The document's other words decide; else it stays before a capital or a figure and in a word that
    has another hyphen already.
    """
    before = BEFORE.search(text, max(0, match.start() - 40), match.start() + 1)
    after = AFTER.match(text, match.end())
    left, right = before.group() if before else "", after.group() if after else ""
    if f"{left}-{right}".lower() in words:
        return True
    if f"{left}{right}".lower() in words:
        return False
    return not right[:1].islower() or "-" in left or "\u2010" in left


def _headings(pdf: pdfium.PdfDocument, pages: list[_Page], layout: _Layout, text: str) -> Iterator[Mark]:
    """The bookmarks that point into the file, each at its own words on the page if they stand there."""
    starts = [mark.start for mark in layout.marks if mark.kind == "page"]
    ends = [*starts[1:], len(text)]
    for index, bookmark in enumerate(pdf.get_toc()):
        if index >= MOST_BOOKMARKS:
            return
        title = _plain(bookmark.get_title())
        target = bookmark.get_dest()
        page = target.get_index() if target else None
        if not title or page is None or page >= len(pages) or starts[page] >= len(text):
            continue
        pattern = r"\s+".join(re.escape(word) for word in title.split()[:30])
        words = re.compile(pattern, re.I).search(text, starts[page], ends[page])
        start = words.start() if words else _line_at(target, pages[page], layout.pages[page], starts[page])
        yield Mark(min(start, len(text) - 1), "heading", title, bookmark.level + 1)


def _line_at(target: pdfium.PdfDest, page: _Page, offsets: dict[int, int], otherwise: int) -> int:
    """The offset of the first line below the point a bookmark shows, or the page's start."""
    mode, view = target.get_view()
    height = {raw.PDFDEST_VIEW_XYZ: 1, raw.PDFDEST_VIEW_FITH: 0}.get(mode)
    if height is None or len(view) <= height or view[height] <= 0:
        return otherwise
    below = (line for line in page.lines if line.bottom < view[height] and line.glyph in offsets)
    first = next(below, None)
    return offsets[first.glyph] if first else otherwise


def _title(pdf: pdfium.PdfDocument, pages: list[_Page]) -> str:
    """The title in the metadata unless a program put it there, else the first large line of page 1."""
    named = _plain(pdf.get_metadata_value("Title"))
    if len(re.findall(r"[^\W\d_]", named)) > 2 and not PROGRAM_NAMES.match(named):
        return named[:300]
    page = pages[0]
    shown = [(line.top - line.bottom, _plain(page.text[line.glyph :].split("\r\n", 1)[0])) for line in page.lines]
    if len(shown) < 2:
        return ""
    usual = median(height for height, _ in shown)
    worded = [(h, words) for h, words in shown[:25] if len(re.findall(r"[^\W\d_]", words)) > 3 and len(words) <= 200]
    largest = max((height for height, _ in worded), default=0.0)
    if largest < 1.15 * usual:
        return ""
    return next(words for height, words in worded if height >= 0.97 * largest)


def _plain(text: str) -> str:
    """The text on one line, without characters that nobody sees."""
    return " ".join(CONTROL.sub("", text).split())


def _date(value: str) -> float:
    """POSIX seconds of a PDF date ("D:20240131120000+01'00'"), 0 when it is none."""
    match = re.match(r"(?:D:)?(\d{4})(\d\d)?(\d\d)?(\d\d)?(\d\d)?(\d\d)?(?:([+-])(\d\d)'?(\d\d)?)?", value)
    if not match:
        return 0.0
    year, month, day, hour, minute, second = (int(part) if part else 0 for part in match.groups()[:6])
    try:
        moment = datetime(year, month or 1, day or 1, hour, minute, min(second, 59), tzinfo=UTC)
        if match[7]:
            away = timedelta(hours=int(match[8]), minutes=int(match[9] or 0))
            moment = moment - away if match[7] == "+" else moment + away
        return moment.timestamp()
    except (ValueError, OverflowError):
        return 0.0


def _notes(document: Document, broken: list[int], scans: Scans) -> tuple[str, ...]:
    pages, notes = document.pages() or [], []
    if broken:
        notes.append(f"{len(broken)} of {_count(len(pages))} cannot be opened: {listed(broken)}")
    blank = [number for number, (start, end) in enumerate(pages, 1) if not document.text[start:end].strip()]
    told = {*broken, *scans.unread, *scans.late, *scans.failed}
    bare = [number for number in blank if number not in told]
    if len(pages) == 1 and bare:
        notes.append("its only page holds no text")
    elif len(bare) == len(pages):
        notes.append(f"none of its {len(pages)} pages holds text")
    elif bare:
        verb = "holds" if len(bare) == 1 else "hold"
        notes.append(f"{len(bare)} of {_count(len(pages))} {verb} no text: {listed(bare)}")
    return (*notes, *scans.notes(len(pages)))


def _count(pages: int) -> str:
    return "1 page" if pages == 1 else f"{pages} pages"
