"""Scans and images, read by the real engines; the PDF's own glyph boxes are the second opinion."""

from __future__ import annotations

import io
import os
import shutil
import struct
import time
import zlib
from collections.abc import Sequence
from pathlib import Path

import pypdfium2
import pytest
from test_pdf import pdf

from quoth.errors import LeftOut, ReadError
from quoth.ingest import ocr, read_data
from quoth.ingest.images import Frame, measure
from quoth.ingest.ocr import Word, sensible
from quoth.ingest.pdf import boxes, read_pdf
from quoth.ingest.worker import ReadPool, ToRead
from quoth.types import Box, Document

Image = pytest.importorskip("PIL.Image", reason="Pillow draws the images")
with_tesseract = pytest.mark.skipif(shutil.which("tesseract") is None, reason="tesseract is not installed")

LINES = [
    "The boiler in the cellar was serviced on 12 October 2023.",
    "Hartmann and Sons replaced the burner nozzle for 184 euros.",
    "The next service is due within twelve months.",
]
SHEET = [(72.0, 700.0 - 20 * row, 12.0, line) for row, line in enumerate(LINES)]


def drawn(data: bytes, page: int = 0) -> Image.Image:
    """A page as a scanner would give it: 200 dots an inch, grey."""
    document = pypdfium2.PdfDocument(data)
    picture = document[page].render(scale=200 / 72, grayscale=True).to_pil().copy()
    document.close()
    return picture


def saved(picture: Image.Image, kind: str, **more: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **more)
    return buffer.getvalue()


def scanned(*pictures: Image.Image) -> bytes:
    return saved(pictures[0], "PDF", resolution=200, save_all=True, append_images=pictures[1:])


def near(found: Box, true: Box, slack: float = 3.0) -> bool:
    pairs = [(found.left, true.left), (found.top, true.top), (found.right, true.right), (found.bottom, true.bottom)]
    return found.page == true.page and all(abs(one - other) <= slack for one, other in pairs)


def around(found: Sequence[Box]) -> Box:
    return Box(
        found[0].page,
        min(one.left for one in found),
        max(one.top for one in found),
        max(one.right for one in found),
        min(one.bottom for one in found),
    )


def true_box(words: str) -> Box:
    """Where PDFium says the words stand in the PDF that was drawn."""
    (document,) = read_pdf(pdf(SHEET), "/a/sheet.pdf")
    start = document.text.index(words)
    return around(boxes(pdf(SHEET), document, start, start + len(words)))


def box_of(document: Document, words: str) -> Box:
    start = document.text.index(words)
    (found,) = document.boxes(start, start + len(words))
    return found


@pytest.fixture
def no_tesseract(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")


@pytest.fixture
def no_engine(no_tesseract: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ocr.importlib.util, "find_spec", lambda _: None)


@with_tesseract
def test_a_scanned_page_is_read_word_for_word_and_says_so() -> None:
    (document,) = read_pdf(scanned(drawn(pdf(SHEET))), "/a/scan.pdf")
    assert document.text == "\n".join(LINES)
    assert document.notes == (f"its only page was read by OCR ({ocr.engine()})",)
    assert document.place(document.text.index("nozzle")).page == 1


@with_tesseract
@pytest.mark.parametrize("words", ["boiler", "burner nozzle", "The next service is due within twelve months."])
def test_boxes_of_a_scan_lie_where_the_words_were_put(words: str) -> None:
    (document,) = read_pdf(scanned(drawn(pdf(SHEET))), "/a/scan.pdf")
    assert near(box_of(document, words), true_box(words))


@with_tesseract
def test_boxes_over_two_lines_are_one_a_line() -> None:
    (document,) = read_pdf(scanned(drawn(pdf(SHEET))), "/a/scan.pdf")
    found = document.boxes(document.text.index("2023."), document.text.index("Hartmann") + 5)
    assert [near(one, true) for one, true in zip(found, [true_box("2023."), true_box("Hartmann")], strict=True)] == [
        True,
        True,
    ]


@with_tesseract
def test_a_page_turned_by_the_pdf_keeps_its_boxes() -> None:
    turned = pypdfium2.PdfDocument(scanned(drawn(pdf(SHEET)).transpose(Image.Transpose.ROTATE_90)))
    turned[0].set_rotation(90)
    buffer = io.BytesIO()
    turned.save(buffer)
    turned.close()
    (document,) = read_pdf(buffer.getvalue(), "/a/scan.pdf")
    assert document.text == "\n".join(LINES)
    found, true = box_of(document, "burner nozzle"), true_box("burner nozzle")
    # the page lies on its left side: what was up is left
    width = 842.0
    assert near(found, Box(1, width - true.top, true.right, width - true.bottom, true.left))


@with_tesseract
def test_only_the_scanned_pages_of_a_pdf_are_recognised() -> None:
    mixed = pypdfium2.PdfDocument(pdf([(72, 700, 12, "A page with a text layer of its own, long enough to be one.")]))
    mixed.import_pages(pypdfium2.PdfDocument(scanned(drawn(pdf(SHEET)))))
    buffer = io.BytesIO()
    mixed.save(buffer)
    mixed.close()
    data = buffer.getvalue()
    (document,) = read_pdf(data, "/a/mixed.pdf")
    assert document.text == "\n".join(["A page with a text layer of its own, long enough to be one.", "", *LINES])
    assert document.notes == (f"page 2 was read by OCR ({ocr.engine()})",)
    assert document.boxes(0, 30) == []
    assert boxes(data, document, document.text.index("boiler"), len(document.text)) == []
    assert box_of(document, "boiler").page == 2


@with_tesseract
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "TIFF", "WEBP", "GIF"])
def test_images_are_read_in_pixels(kind: str) -> None:
    (document,) = read_data(saved(drawn(pdf(SHEET)), kind), "/a/photo")
    assert (document.kind, document.title, document.language) == ("image", "photo", "en")
    assert document.text == "\n".join(LINES)
    found, true = box_of(document, "nozzle"), true_box("nozzle")
    scale = 200 / 72
    assert near(found, Box(1, true.left * scale, true.top * scale, true.right * scale, true.bottom * scale), 8)


@with_tesseract
def test_every_page_of_a_tiff_is_read() -> None:
    first, second = drawn(pdf(SHEET)), drawn(pdf([(72, 700, 12, "The second page tells of the chimney sweep.")]))
    (document,) = read_data(saved(first, "TIFF", save_all=True, append_images=[second]), "/a/fax.tif")
    assert document.text == "\n".join(LINES) + "\n\nThe second page tells of the chimney sweep."
    assert document.place(document.text.index("chimney")).page == 2
    assert box_of(document, "chimney").page == 2


@with_tesseract
def test_a_page_scanned_on_its_side_is_read() -> None:
    many = [(72.0, 760.0 - 20 * row, 12.0, LINES[row % 3]) for row in range(30)]
    picture = drawn(pdf(many)).transpose(Image.Transpose.ROTATE_90)
    (document,) = read_data(saved(picture, "PNG"), "/a/side.png")
    assert document.text.count(LINES[1]) == 10


@with_tesseract
def test_quotes_of_a_scan_open_when_the_file_is_gone(tmp_path: Path) -> None:
    from quoth import Library

    path = tmp_path / "notes" / "scan.pdf"
    path.parent.mkdir()
    path.write_bytes(scanned(drawn(pdf(SHEET))))
    with Library.open(tmp_path / "library") as library:
        assert library.add([path.parent]).failed == []
        (quote, *_) = library.ask("What did the burner nozzle cost?").quotes
        assert (quote.text, quote.page) == (LINES[1], 1)
        path.unlink()
        (found,) = library.boxes(library.show(path), quote.start, quote.end)
        assert near(found, true_box(LINES[1]))


@with_tesseract
def test_pages_beyond_the_time_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ocr, "SECONDS", 0.0)
    with pytest.raises(ReadError, match="it was not read: OCR took longer than 0 s"):
        read_data(scanned(drawn(pdf(SHEET))), "/a/scan.pdf")
    with pytest.raises(ReadError, match="it was not read: OCR took longer than 0 s"):
        read_data(saved(drawn(pdf(SHEET)), "PNG"), "/a/scan.png")


@with_tesseract
def test_tesseract_is_stopped_when_the_time_is_over() -> None:
    noise = Image.effect_noise((2_500, 3_500), 90)
    with ocr.bounded(0.3), pytest.raises(TimeoutError):
        ocr.recognise(saved(noise, "BMP"))


@with_tesseract
def test_a_picture_without_words_gives_none() -> None:
    for picture in (Image.effect_noise((600, 400), 80), Image.radial_gradient("L").resize((800, 800))):
        with pytest.raises(LeftOut, match="no words were found in the image"):
            read_data(saved(picture, "PNG"), "/a/cat.png")


@with_tesseract
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP"])
def test_an_image_that_breaks_off_fails_in_words(kind: str) -> None:
    data = saved(drawn(pdf(SHEET)), kind)
    with pytest.raises((ReadError, LeftOut)) as caught:
        read_data(data[: len(data) // 20], "/a/photo")
    assert "tesseract cannot read the picture" in str(caught.value) or "no words" in str(caught.value)


def png(width: int, height: int) -> bytes:
    """A PNG that says it has this size, and has nothing."""

    def part(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + part(b"IHDR", header) + part(b"IDAT", zlib.compress(b"")) + part(b"IEND", b"")


def test_an_image_that_claims_to_be_huge_is_refused() -> None:
    with pytest.raises(ReadError, match="the image has 200,000 × 200,000 pixels, more than 80,000,000 in all"):
        read_data(png(200_000, 200_000), "/a/bomb.png")


def test_icons_and_broken_headers_are_left_out() -> None:
    with pytest.raises(LeftOut, match="it is a PNG image of 16 × 16 pixels, too small to hold words"):
        read_data(png(16, 16), "/a/icon.png")
    with pytest.raises(LeftOut, match="it is a PNG image, and damaged"):
        read_data(b"\x89PNG\r\n\x1a\n" + bytes(30), "/a/icon.png")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "TIFF", "WEBP", "GIF"])
def test_images_are_measured_by_their_headers_as_pillow_measures_them(kind: str) -> None:
    picture = Image.new("RGB", (321, 123), "white")
    assert measure(saved(picture, kind)) == [Frame(321, 123)]
    if kind == "WEBP":
        assert measure(saved(picture, kind, lossless=True)) == [Frame(321, 123)]
    for length in range(0, 200):
        assert measure(saved(picture, kind)[:length]) in ([], [Frame(321, 123)])


def test_a_tiff_whose_pages_go_round_in_a_circle_ends() -> None:
    page = struct.pack("<H", 2) + struct.pack("<HHII", 256, 4, 1, 300) + struct.pack("<HHII", 257, 4, 1, 200)
    assert measure(b"II*\x00" + struct.pack("<I", 8) + page + struct.pack("<I", 8)) == [Frame(300, 200)]


def test_without_an_engine_images_are_left_out_and_scans_fail(no_engine: None) -> None:
    install = r"apt-get install tesseract-ocr, or pip install 'quoth\[ocr\]'"
    with pytest.raises(LeftOut, match=f"it is a PNG image; to read its words: {install}"):
        read_data(saved(Image.new("L", (400, 400), 255), "PNG"), "/a/photo.png")
    with pytest.raises(ReadError, match=r"^it is a scan, and no OCR engine is installed$") as caught:
        read_data(scanned(Image.new("L", (400, 400), 255)), "/a/scan.pdf")
    assert caught.value.hint == f"{ocr.INSTALL}; then quoth sync"


def test_an_engine_that_is_new_has_a_library_look_again_at_what_it_left_out(tmp_path: Path) -> None:
    from quoth import Library, sync
    from quoth.ingest.kinds import READABLE

    path = tmp_path / "notes" / "scan.pdf"
    path.parent.mkdir()
    path.write_bytes(scanned(Image.new("L", (400, 400), 255)))
    with Library.open(tmp_path / "library") as library:
        assert [one.path for one in library.add([path.parent]).failed] == [str(path)]
        seen = path.stat()
        path.write_bytes(scanned(drawn(pdf(SHEET)))[: seen.st_size].ljust(seen.st_size))
        os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns))
        assert "holds no text" in library.sync().failed[0].reason  # not read again: it looks as it did
        library._parts.catalog.note({"readable": READABLE})  # as a machine without an engine leaves it
        assert sync.readable() == f"{READABLE} by OCR"
        assert "holds no text" not in str(library.sync().failed)


def test_a_worker_skips_what_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "icon.png"
    path.write_bytes(png(16, 16))
    with ReadPool(workers=1) as pool:
        (outcome,) = pool.map([ToRead(str(path))])
    assert (outcome.skipped, outcome.reason) == (True, "it is a PNG image of 16 × 16 pixels, too small to hold words")


def test_unsure_and_senseless_lines_are_dropped_whole() -> None:
    def line(number: int, text: str, sure: float) -> list[Word]:
        return [Word(word, 0, 0, 9, 9, sure, number, 0) for word in text.split()]

    good, unsure, senseless = line(0, "The roof was mended", 0.9), line(1, "wa5 rnended", 0.4), line(2, "|| ~~ =", 0.9)
    assert sensible([*good, *unsure, *senseless]) == good
    assert sensible([*line(0, "Oh", 0.9), *line(1, "lkjh aslkd jhasd kjhas", 0.3)]) == []


def test_an_outer_bound_on_time_stays() -> None:
    with ocr.bounded(0.0), ocr.bounded(100.0):
        assert ocr.time_left() <= 0
    assert ocr.time_left() > 40


@with_tesseract
@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs Linux")
def test_tesseract_ends_with_a_worker_that_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "noise.bmp"
    path.write_bytes(saved(Image.effect_noise((3_000, 4_000), 90), "BMP"))
    before = running()
    with ReadPool(workers=1, timeout=2.0) as pool:
        (outcome,) = pool.map([ToRead(str(path))])
    assert outcome.reason.startswith("reading took longer than 2")  # a large file has a little more
    deadline = time.monotonic() + 10
    while running() - before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert running() - before == set()


def running() -> set[int]:
    """Every tesseract that works for this folder's tests and has not ended."""
    found = set()
    for place in Path("/proc").glob("[0-9]*"):
        try:
            name, state = (place / "stat").read_text().split("(", 1)[1].rsplit(")", 1)
        except (OSError, IndexError):
            continue
        if name == "tesseract" and state.split()[0] != "Z" and (place / "fd").exists():
            found.add(int(place.name))
    return found


@pytest.mark.slow
def test_rapidocr_reads_a_scan_within_a_workers_memory(tmp_path: Path, no_tesseract: None) -> None:
    pytest.importorskip("rapidocr", reason="the extra [ocr] is not installed")
    path = tmp_path / "scan.pdf"
    path.write_bytes(scanned(drawn(pdf(SHEET))))
    with ReadPool(workers=1) as pool:
        (outcome,) = pool.map([ToRead(str(path))])
    assert outcome.reason == ""
    document = outcome.documents[0][0]
    assert document.text == "\n".join(LINES)
    assert document.notes[0].startswith("its only page was read by OCR (rapidocr ")
    assert near(box_of(document, "burner nozzle"), true_box("burner nozzle"), 8)


def test_rapidocr_opens_no_socket(no_tesseract: None, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("rapidocr", reason="the extra [ocr] is not installed")
    import socket

    def refused(*_: object, **__: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refused)
    monkeypatch.setattr(socket, "create_connection", refused)
    (document,) = read_data(saved(drawn(pdf(SHEET)).crop((0, 300, 1654, 700)), "PNG"), "/a/scan.png")
    assert LINES[0] in document.text
