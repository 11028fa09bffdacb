"""Pages of a PDF drawn in a process of its own: `sheets` tells their sizes, `draw` gives one as a PNG.

PDFium may be used by one thread at a time, and a file from a stranger may hang or crash it: so each call is
a fresh process with bounds on memory, time and pixels.
"""

from __future__ import annotations

import json
import math
import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from quoth.errors import ReadError

if TYPE_CHECKING:
    import pypdfium2 as pdfium

    from quoth.types import Box

PIXELS = 12_000_000
"""Pixels of a page as it is drawn: larger sheets are drawn smaller."""
SECONDS = 20.0
"""How long a page may take."""
MEMORY = 2**30
"""Bytes of address space of the process that draws."""
LARGEST = 512 * 2**20
"""Bytes of a PDF that is drawn."""
POINT = 1_000
"""Steps of a point in which a sheet is measured, for PDFium counts in whole ones."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A page as it is shown: its number, its size in points, and how points of the file come to lie on it.

    (x, y) of the file stands at (a x + c y + e, b x + d y + f) from the upper left corner, for turn = (a … f).
    """

    page: int
    width: float
    height: float
    turn: tuple[float, float, float, float, float, float]

    def place(self, box: Box) -> tuple[float, float, float, float]:
        """Left, top, width and height of a box on the sheet, from the upper left corner."""
        a, b, c, d, e, f = self.turn
        points = [(a * x + c * y + e, b * x + d * y + f) for x, y in ((box.left, box.top), (box.right, box.bottom))]
        (x0, y0), (x1, y1) = points
        return min(x0, x1), min(y0, y1), abs(x1 - x0), abs(y1 - y0)


def sheets(path: str, first: int, count: int) -> tuple[int, list[Sheet]]:
    """How many pages a PDF has, and `count` of them from the page `first` on. Raises ReadError."""
    found = json.loads(_drawn("sheets", path, str(first), str(count)))
    return found["of"], [Sheet(**one | {"turn": tuple(one["turn"])}) for one in found["sheets"]]


def draw(path: str, page: int, scale: float) -> bytes:
    """A page of a PDF as PNG, `scale` pixels a point. Raises ReadError."""
    return _drawn("draw", path, str(page), str(scale))


def _drawn(*arguments: str) -> bytes:
    """What the process that draws writes."""
    path = arguments[1]
    if not Path(path).is_file() or Path(path).stat().st_size > LARGEST:
        raise ReadError("the page cannot be drawn: its file is gone, or too large", "open its text instead")
    root = str(Path(__file__).resolve().parents[2])
    code = "import sys;sys.path.insert(0,sys.argv.pop(1));from quoth.serve.drawing import main;main(sys.argv[1:])"
    single = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-c", code, root, *arguments],
            capture_output=True,
            timeout=SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **single},
        )
    except subprocess.TimeoutExpired:
        raise ReadError(f"drawing the page took longer than {SECONDS:g} s", "open its text instead") from None
    if done.returncode:
        raise ReadError("the page cannot be drawn", "open its text instead")
    return done.stdout


def main(arguments: list[str]) -> None:
    """What the process that draws does: one page, or the sizes of some."""
    _bound()
    import pypdfium2 as pdfium

    what, path, number, more = arguments
    pdf = pdfium.PdfDocument(Path(path))
    if what == "sheets":
        last = min(len(pdf), int(number) + int(more) - 1)
        told = [asdict(_sheet(pdf[one - 1], one)) for one in range(int(number), last + 1)]
        written = json.dumps({"of": len(pdf), "sheets": told}).encode()
    else:
        written = _picture(pdf[int(number) - 1], float(more))
    sys.stdout.buffer.write(written)
    sys.stdout.buffer.flush()
    os._exit(0)  # PDFium's own way out may crash on a damaged file, and all is written


def _bound() -> None:
    try:
        import resource
    except ModuleNotFoundError:  # Windows has no such bounds
        return
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (int(SECONDS), int(SECONDS) + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _sheet(page: pdfium.PdfPage, number: int) -> Sheet:
    import ctypes

    import pypdfium2.raw as raw

    width, height = page.get_size()
    across, down = max(1, round(width * POINT)), max(1, round(height * POINT))

    def shown(x: float, y: float) -> tuple[float, float]:
        left, top = ctypes.c_int(), ctypes.c_int()
        raw.FPDF_PageToDevice(page, 0, 0, across, down, 0, x, y, left, top)
        return left.value / POINT, top.value / POINT

    (e, f), (ax, bx), (cy, dy) = shown(0, 0), shown(1, 0), shown(0, 1)
    return Sheet(number, width, height, (ax - e, bx - f, cy - e, dy - f, e, f))


def _picture(page: pdfium.PdfPage, scale: float) -> bytes:
    width, height = page.get_size()
    scale = min(scale, math.sqrt(PIXELS / max(1.0, width * height)))
    bitmap = page.render(scale=scale, rev_byteorder=True)
    pixels = bitmap.to_numpy()[:, :, :3]
    grey = bool((pixels[:, :, 0] == pixels[:, :, 1]).all() and (pixels[:, :, 1] == pixels[:, :, 2]).all())
    rows = pixels[:, :, :1] if grey else pixels
    return b"".join(_png(rows.shape[1], rows.shape[0], 0 if grey else 2, rows.tobytes()))


def _png(width: int, height: int, kind: int, data: bytes) -> Iterator[bytes]:
    """The parts of a PNG of 8 bits a channel; kind 0 is grey, 2 is in colours."""
    step = width * (3 if kind else 1)
    rows = b"".join(b"\0" + data[row * step : (row + 1) * step] for row in range(height))
    yield b"\x89PNG\r\n\x1a\n"
    header = struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)
    for name, body in ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 4)), (b"IEND", b"")):
        yield struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
