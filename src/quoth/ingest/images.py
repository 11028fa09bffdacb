"""Images to documents: `read_image`, by OCR, with a "box" mark for each word.

An image is measured by its own header before anything unpacks it, so that one which claims to be huge is
refused. One pixel counts as a point; a TIFF of several pages has as many pages. Not covered: the further
frames of an animation, HEIC, SVG, the words of photographs that no engine is sure of.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import PurePath

from quoth.errors import LeftOut, ReadError
from quoth.ingest import ocr
from quoth.ingest.kinds import describe
from quoth.types import Document, Mark

PIXELS = 80_000_000
"""Pixels of an image that is unpacked: an A3 sheet at 600 dpi."""
SMALLEST = (100, 50)
"""Width and height in pixels below which an image is an icon, not a page."""
FRAMES = 1_000
"""Pages of a TIFF that are looked at."""


@dataclass(frozen=True, slots=True)
class Frame:
    """Width and height of a page of an image, in pixels."""

    width: int
    height: int


def read_image(data: bytes, path: str, password: str | None = None) -> tuple[Document, ...]:
    """The one document of an image: its words as OCR reads them.

    Raises LeftOut for icons, for images without words or sound headers, and where there is no OCR engine;
    ReadError for an image that breaks off or is larger than PIXELS, and when the time is over before a page is read.
    """
    what = describe(data, path)
    frames = measure(data)
    if not frames:
        raise LeftOut(f"it is {what}, and damaged")
    large = [frame for frame in frames if frame.width >= SMALLEST[0] and frame.height >= SMALLEST[1]]
    if not large:
        size = f"{frames[0].width} × {frames[0].height} pixels"
        raise LeftOut(f"it is {what} of {size}, too small to hold words")
    engine = ocr.engine()
    if engine is None:
        raise LeftOut(f"it is {what}; to read its words: {ocr.INSTALL}")
    return (_document(data, path, frames, engine),)


def _document(data: bytes, path: str, frames: list[Frame], engine: str) -> Document:
    parts: list[str] = []
    marks: list[Mark] = []
    length, trouble, late = 0, [], []
    for number, frame in enumerate(frames, 1):
        try:
            text, found = _page(data, number, frame)
        except TimeoutError:
            late = list(range(number, len(frames) + 1))
            break
        except ReadError as error:
            if len(frames) == 1:
                raise
            trouble.append(f"page {number} was not read: {error}")
            continue
        gap = 2 if text and length else 0
        length += gap
        marks += [Mark(length, "page", number=number)] if len(frames) > 1 else []
        marks += [Mark(length + mark.start, mark.kind, mark.value, mark.number) for mark in found]
        parts += [text] if text else []
        length += len(text)
    if late:
        trouble.append(ocr.too_late(late, len(frames)))
    if not parts:
        if trouble:
            raise ReadError(trouble[0], "split it, or leave it out" if late else "")
        raise LeftOut("no words were found in the image")
    notes = (f"its words were read by OCR ({engine})", *trouble)
    return Document(path, "image", PurePath(path).name, "\n\n".join(parts), tuple(marks), notes=notes)


def _page(data: bytes, number: int, frame: Frame) -> tuple[str, tuple[Mark, ...]]:
    if frame.width * frame.height > PIXELS:
        size = f"{frame.width:,} × {frame.height:,} pixels"
        raise ReadError(f"the image has {size}, more than {PIXELS:,} in all", "save it smaller")
    words = ocr.recognise(data, number - 1)

    def box(word: ocr.Word) -> str:
        return f"{word.left} {frame.height - word.top} {word.right} {frame.height - word.bottom}"

    return ocr.lay_out(words, box, number)


def measure(data: bytes) -> list[Frame]:
    """The pages of an image, by its header; none where that makes no sense."""
    try:
        if data.startswith(b"\x89PNG\r\n\x1a\n") and data[12:16] == b"IHDR":
            found = [Frame(*struct.unpack(">II", data[16:24]))]
        elif data.startswith((b"GIF87a", b"GIF89a")):
            found = [Frame(*struct.unpack("<HH", data[6:10]))]
        elif data.startswith(b"BM"):
            found = [_bitmap(data)]
        elif data.startswith(b"\xff\xd8\xff"):
            found = [_jpeg(data)]
        elif data.startswith((b"II*\x00", b"MM\x00*")):
            found = _tiff(data)
        elif data.startswith(b"RIFF") and data[8:12] == b"WEBP":
            found = [_webp(data)]
        else:
            found = []
    except (struct.error, IndexError):
        return []
    return found if all(frame.width > 0 and frame.height > 0 for frame in found) else []


def _bitmap(data: bytes) -> Frame:
    if struct.unpack("<I", data[14:18])[0] == 12:  # the header of OS/2
        return Frame(*struct.unpack("<HH", data[18:22]))
    width, height = struct.unpack("<ii", data[18:26])
    return Frame(width, abs(height))


def _jpeg(data: bytes) -> Frame:
    """The size in the frame header, found by going from segment to segment."""
    at = 2
    while data[at] == 0xFF:
        kind = data[at + 1]
        if kind == 0xFF:  # a fill byte
            at += 1
            continue
        if 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return Frame(width, height)
        at += 2 if 0xD0 <= kind <= 0xD9 or kind == 1 else 2 + max(2, *struct.unpack(">H", data[at + 2 : at + 4]))
    return Frame(0, 0)


def _tiff(data: bytes) -> list[Frame]:
    """The pages of a TIFF: its chain of directories, of which each is visited once."""
    order = "<" if data.startswith(b"II") else ">"
    frames: list[Frame] = []
    seen: set[int] = set()
    (at,) = struct.unpack(order + "I", data[4:8])
    while at and at not in seen and len(frames) < FRAMES:
        seen.add(at)
        (count,) = struct.unpack(order + "H", data[at : at + 2])
        size = {256: 0, 257: 0}
        for entry in range(at + 2, at + 2 + 12 * count, 12):
            tag, kind = struct.unpack(order + "HH", data[entry : entry + 4])
            if tag in size:
                width = 2 if kind == 3 else 4
                (size[tag],) = struct.unpack(order + ("H" if kind == 3 else "I"), data[entry + 8 : entry + 8 + width])
        frames.append(Frame(size[256], size[257]))
        following = data[at + 2 + 12 * count : at + 6 + 12 * count]
        (at,) = struct.unpack(order + "I", following) if len(following) == 4 else (0,)
    return frames


def _webp(data: bytes) -> Frame:
    kind = data[12:16]
    if kind == b"VP8X":
        return Frame(int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1)
    if kind == b"VP8L":
        (bits,) = struct.unpack("<I", data[21:25])
        return Frame((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
    width, height = struct.unpack("<HH", data[26:30])
    return Frame(width & 0x3FFF, height & 0x3FFF)
