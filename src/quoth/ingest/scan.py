"""Pages of a PDF that are pictures: which they are, and their words by OCR (`read_scans`).

A page is a picture when it shows one (or text drawn as outlines, or in fonts that tell no characters) and its
text layer holds no words: none at all, a stamp of a few characters on a picture that fills the page, or signs
that stand for nothing. Such a page is drawn at 200 dots an inch, or fewer where it would have more than
PIXELS, and recognised. The text layer is kept where OCR does not find more than it holds.

Covered: pages that take long to draw (stopped with the time for OCR), pictures too large to unpack.
"""

from __future__ import annotations

import ctypes
import math
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pypdfium2 as pdfium
import pypdfium2.raw as raw

from quoth.errors import ReadError
from quoth.ingest import ocr
from quoth.types import Mark

DPI = 200
PIXELS = 12_000_000
"""Pixels of a page as it is drawn: larger sheets are drawn smaller."""
UNPACKED = 100_000_000
"""Pixels of a picture on a page above which it is not unpacked."""
STAMP = 40
"""Visible characters below which a text layer on a picture that fills the page is a stamp."""
FILLS = 0.5
"""Share of the page that such a picture covers."""
OUTLINES = 200
"""Paths on a page without text that may be letters."""
MOST_OBJECTS = 5_000
"""Objects of a page that are looked at."""


@dataclass(slots=True)
class Scans:
    """What OCR made of a PDF: text and marks (from the page's start) by page from 1, and the pages without."""

    engine: str | None = None
    read: dict[int, tuple[str, tuple[Mark, ...]]] = field(default_factory=dict)
    wordless: list[int] = field(default_factory=list)
    late: list[int] = field(default_factory=list)
    failed: dict[int, str] = field(default_factory=dict)
    unread: list[int] = field(default_factory=list)
    """Pictures that were not read because there is no engine."""

    def notes(self, pages: int) -> list[str]:
        """What a person should know of the OCR of a document with so many pages."""
        found = []
        if self.read:
            found.append(f"{_those(list(self.read), pages, 'was', 'were')} read by OCR ({self.engine})")
        if self.unread:
            found.append(f"{_those(self.unread, pages, 'is a scan', 'are scans')}, and {ocr.NO_ENGINE}: {ocr.INSTALL}")
        if self.late:
            found.append(ocr.too_late(self.late, pages))
        return [*found, *(f"page {number} was not read: {reason}" for number, reason in self.failed.items())]

    def give_up(self, pages: int) -> None:
        """Raises ReadError if a document without any text owes that to its pictures."""
        if self.unread:
            what = "it is a scan" if len(self.unread) == pages else _those(self.unread, pages, "is a scan", "are scans")
            raise ReadError(f"{what}, and {ocr.NO_ENGINE}", f"{ocr.INSTALL}; then quoth sync")
        if self.late or self.failed:
            raise ReadError(self.notes(pages)[0], "split it, or leave it out" if self.late else "")


def _those(numbers: list[int], pages: int, one: str, many: str) -> str:
    if len(numbers) == pages:
        return f"its only page {one}" if pages == 1 else f"its {pages} pages {many}"
    return f"page {numbers[0]} {one}" if len(numbers) == 1 else f"pages {ocr.listed(numbers)} {many}"


def read_scans(pdf: pdfium.PdfDocument, texts: Sequence[str | None]) -> Scans:
    """The words of those pages that are pictures; `texts` are the text layers (None: no such page)."""
    scans = Scans()
    for number, text in enumerate(texts, 1):
        if text is None or not _is_picture(pdf, number, text):
            continue
        scans.engine = scans.engine or ocr.engine()
        if scans.engine is None:
            scans.unread.append(number)
            continue
        try:
            found, marks = _recognised(pdf[number - 1], number)
        except TimeoutError:
            scans.late.append(number)
        except (ReadError, pdfium.PdfiumError) as error:
            scans.failed[number] = str(error)
        else:
            if len(_visible(found)) > len(_visible(text)) or (found and _is_garbage(text)):
                scans.read[number] = found, marks
            else:
                scans.wordless.append(number)
    return scans


def _visible(text: str) -> str:
    return "".join(text.split())


def _is_garbage(text: str) -> bool:
    """Whether most of the signs stand for nothing: private, unassigned, replaced, control characters."""
    shown = _visible(text)
    odd = sum(one == "\ufffd" or unicodedata.category(one) in ("Co", "Cn", "Cc", "Cs") for one in shown)
    return odd * 2 > len(shown)


def _is_picture(pdf: pdfium.PdfDocument, number: int, text: str) -> bool:
    shown = _visible(text)
    if len(shown) >= STAMP and not _is_garbage(text):
        return False
    try:
        sheet = pdf[number - 1]
        covered, outlines = _pictures(sheet)
    except pdfium.PdfiumError:
        return False
    if shown and not _is_garbage(text):
        return covered >= FILLS
    return covered > 0 or outlines >= OUTLINES


def _pictures(sheet: pdfium.PdfPage) -> tuple[float, int]:
    """The share of the page that pictures of more than an icon's size cover, and how many paths it has.

    Writing counts as many paths: on a page without a text layer its font does not tell what it says.
    """
    left, bottom, right, top = sheet.get_bbox()
    area = max((right - left) * (top - bottom), 1.0)
    covered, outlines = 0.0, 0
    kinds = [raw.FPDF_PAGEOBJ_IMAGE, raw.FPDF_PAGEOBJ_PATH, raw.FPDF_PAGEOBJ_TEXT]
    for seen, one in enumerate(sheet.get_objects(filter=kinds, max_depth=5)):
        if seen >= MOST_OBJECTS:
            break
        if one.type != raw.FPDF_PAGEOBJ_IMAGE:
            outlines += 1 if one.type == raw.FPDF_PAGEOBJ_PATH else OUTLINES
            continue
        x0, y0, x1, y1 = one.get_bounds()
        width, height = min(x1, right) - max(x0, left), min(y1, top) - max(y0, bottom)
        if width > 0 and height > 0 and width * height > 0.005 * area:
            covered += width * height / area
    return covered, outlines


def _recognised(sheet: pdfium.PdfPage, number: int) -> tuple[str, tuple[Mark, ...]]:
    """Text and marks of one page, boxes in points of the page."""
    if ocr.time_left() <= 0:
        raise TimeoutError
    for width, height in _sizes(sheet):
        if width * height > UNPACKED:
            raise ReadError(f"it holds a picture of {width:,} × {height:,} pixels, more than {UNPACKED:,} in all")
    across, down = sheet.get_size()
    scale = min(DPI / 72, math.sqrt(PIXELS / max(across * down, 1.0)))
    width, height = max(1, math.floor(across * scale)), max(1, math.floor(down * scale))
    picture = b"P5 %d %d 255\n" % (width, height) + _drawn(sheet, width, height)
    words = ocr.recognise(picture, dpi=max(70, round(scale * 72)))
    place = _Place(sheet, width, height)
    return ocr.lay_out(words, place.box, number)


def _sizes(sheet: pdfium.PdfPage) -> Iterator[tuple[int, int]]:
    """Width and height in pixels of the pictures on a page."""
    width, height = ctypes.c_uint(), ctypes.c_uint()
    for one in sheet.get_objects(filter=[raw.FPDF_PAGEOBJ_IMAGE], max_depth=5):
        if raw.FPDFImageObj_GetImagePixelSize(one, width, height):
            yield width.value, height.value


def _drawn(sheet: pdfium.PdfPage, width: int, height: int) -> bytes:
    """The page in shades of grey, row by row. Raises TimeoutError when drawing it takes too long."""
    bitmap = pdfium.PdfBitmap.new_native(width, height, raw.FPDFBitmap_Gray)
    try:
        bitmap.fill_rect((255, 255, 255, 255), 0, 0, width, height)
        pause = raw.IFSDK_PAUSE(version=1)
        late = type(pause.NeedToPauseNow)(lambda _: ocr.time_left() <= 0)
        pause.NeedToPauseNow = late
        flags = raw.FPDF_GRAYSCALE | raw.FPDF_ANNOT
        status = raw.FPDF_RenderPageBitmap_Start(bitmap, sheet, 0, 0, width, height, 0, flags, pause)
        raw.FPDF_RenderPage_Close(sheet)
        if status == raw.FPDF_RENDER_TOBECONTINUED:
            raise TimeoutError
        if status != raw.FPDF_RENDER_DONE:
            raise ReadError("it cannot be drawn")
        data = bytes(bitmap.buffer)
        return b"".join(data[row * bitmap.stride : row * bitmap.stride + width] for row in range(height))
    finally:
        bitmap.close()


class _Place:
    """Turns pixels of a drawn page into points, whichever way the page is turned and cropped."""

    def __init__(self, sheet: pdfium.PdfPage, width: int, height: int) -> None:
        self._sheet, self._size = sheet, (width, height)

    def _point(self, across: int, down: int) -> tuple[float, float]:
        x, y = ctypes.c_double(), ctypes.c_double()
        raw.FPDF_DeviceToPage(self._sheet, 0, 0, *self._size, 0, across, down, x, y)
        return x.value, y.value

    def box(self, word: ocr.Word) -> str:
        """The value of a "box" mark."""
        (x0, y0), (x1, y1) = self._point(word.left, word.top), self._point(word.right, word.bottom)
        return f"{min(x0, x1):.1f} {max(y0, y1):.1f} {max(x0, x1):.1f} {min(y0, y1):.1f}"
