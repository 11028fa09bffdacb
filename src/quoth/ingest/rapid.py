"""Words from pictures by rapidocr (extra `[ocr]`): neural networks that lie in its package, run by onnxruntime.

It finds lines and where they stand; columns and paragraphs are worked out here. The network is never
used: each model is named by its file, so that none is looked for elsewhere.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, cast

from quoth.errors import ReadError, need
from quoth.ingest.ocr import Word

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LONGEST_SIDE = 2_000
"""Pixels to which the longer side of a picture is reduced: the networks need memory for each."""
LONGEST_SOUGHT = 1_600
"""The same for the network that finds the lines: at 2,000 it needs 0.85 GB, all that a worker may have."""
COLUMN_ROWS, COLUMN_WIDTH = 3, 20
"""Rows, and characters in the median row, that make a column of text: less is a table, read row by row."""
UPRIGHT = 4
"""Times the usual height of a line above which one is not set along the others."""
MOST_BANDS = 200
"""Rows of a page beyond which columns are not looked for."""
DAMAGED = "open it in an image viewer and save it anew"

Box = tuple[int, int, int, int]
"""Left, top, right and bottom in pixels."""


@dataclass(frozen=True, slots=True)
class _Line:
    """A stretch of text on one line: its words, each with its box, and its own box."""

    words: tuple[tuple[str, Box], ...]
    box: Box
    sure: float

    @property
    def size(self) -> int:
        return sum(len(text) for text, _ in self.words)


def recognise(picture: bytes, frame: int = 0) -> list[Word]:
    """The words in a picture, columns one after the other. Raises ReadError when it cannot be opened."""
    pixels, scale = _pixels(picture, frame)
    lines = list(_lines(pixels, scale))
    words = []
    for number, (row, paragraph) in enumerate(_rows(lines)):
        for line in row:
            words += [Word(text, *box, line.sure, number, paragraph) for text, box in line.words]
    return words


def _pixels(picture: bytes, frame: int) -> tuple[NDArray[np.uint8], float]:
    """The picture in blue, green and red, and by how much it was reduced; what is transparent is white."""
    import numpy as np

    image = need("PIL.Image", "ocr")
    try:
        with image.open(io.BytesIO(picture)) as opened:
            opened.seek(frame)
            shown = opened.convert("RGBA")
    except (OSError, ValueError, SyntaxError, EOFError, image.DecompressionBombError) as error:
        raise ReadError("the picture is damaged", DAMAGED) from error
    paper = image.new("RGBA", shown.size, "white")
    paper.alpha_composite(shown)
    scale = max(1.0, max(paper.size) / LONGEST_SIDE)
    if scale > 1:
        paper = paper.resize((max(1, round(paper.width / scale)), max(1, round(paper.height / scale))))
    return np.ascontiguousarray(np.asarray(paper)[:, :, 2::-1]), scale


@cache
def _network() -> Callable[..., object]:
    """rapidocr with the models of its own package; small batches, because a worker's memory is bounded."""
    rapidocr = need("rapidocr", "ocr")
    need("cv2", "ocr").setNumThreads(1)
    models = Path(str(rapidocr.__file__)).parent / "models"
    found: dict[str, object] = {}
    for step, pattern in {"Det": "*_det_*.onnx", "Cls": "*_cls_*.onnx", "Rec": "*_rec_*.onnx"}.items():
        file = next(iter(sorted(models.glob(pattern))), None)
        if file is None:
            raise ReadError(f"rapidocr comes without its model {pattern}", "pip install --force-reinstall rapidocr")
        found |= {f"{step}.model_path": str(file), f"{step}.engine_type": rapidocr.EngineType.ONNXRUNTIME}
    threads = {f"EngineConfig.onnxruntime.{one}_op_num_threads": 1 for one in ("intra", "inter")}
    batches = {"Rec.rec_batch_num": 1, "Cls.cls_batch_num": 1}
    more = {"Global.log_level": "critical", "Global.text_score": 0.0, "Global.max_side_len": LONGEST_SIDE}
    sought = {"Det.limit_type": "max", "Det.limit_side_len": LONGEST_SOUGHT}
    return cast("Callable[..., object]", rapidocr.RapidOCR(params=found | threads | batches | more | sought))


def _lines(pixels: NDArray[np.uint8], scale: float) -> Iterator[_Line]:
    found = _found(pixels)
    texts = getattr(found, "txts", None) or ()
    by_line = getattr(found, "word_results", None) or ()
    for number, text in enumerate(texts):
        pieces = by_line[number] if len(by_line) == len(texts) else ()
        box = _around(found.boxes[number], scale)  # type: ignore[attr-defined]
        placed = [(str(piece[0]), _around(piece[2], scale)) for piece in pieces if len(piece) == 3]
        words = tuple(_words(str(text), placed, box))
        if words:
            yield _Line(words, box, float(found.scores[number]))  # type: ignore[attr-defined]


def _found(pixels: NDArray[np.uint8]) -> object:
    """What rapidocr finds; the places of single words are left out where it stumbles over them."""
    network = _network()
    try:
        try:
            return network(pixels, return_word_box=True)
        except (IndexError, TypeError):
            return network(pixels, return_word_box=False)
    except MemoryError:
        raise
    except Exception as error:
        raise ReadError(f"rapidocr stumbled over the picture ({type(error).__name__})") from error


def _around(corners: Sequence[Sequence[float]], scale: float) -> Box:
    """The upright box around four corners, in pixels of the picture before it was reduced."""
    across, down = [float(x) * scale for x, _ in corners], [float(y) * scale for _, y in corners]
    return round(min(across)), round(min(down)), round(max(across)), round(max(down))


def _words(text: str, pieces: Sequence[tuple[str, Box]], line: Box) -> Iterator[tuple[str, Box]]:
    """The words of a line, each with the box around its pieces, or with its share of the line's box."""
    spans, cursor = [], 0
    for piece, box in pieces:
        start = text.find(piece, cursor)
        if start >= 0 and piece:
            cursor = start + len(piece)
            spans.append((start, cursor, box))
    start = 0
    for word in text.split():
        start = text.index(word, start)
        end = start + len(word)
        boxes = [box for first, last, box in spans if first < end and start < last]
        if boxes:
            yield word, _union(boxes)
        else:
            left, width = line[0], line[2] - line[0]
            yield word, (left + width * start // len(text), line[1], left + width * end // len(text), line[3])
        start = end


def _union(boxes: Sequence[Box]) -> Box:
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def _rows(lines: Sequence[_Line]) -> Iterator[tuple[list[_Line], int]]:
    """The rows in reading order, each with the number of its paragraph: one begins below wide white.

    Writing that runs up or down beside the rest comes last.
    """
    paragraph = 0
    usual = median(line.box[3] - line.box[1] for line in lines) if lines else 0
    upright = [line for line in lines if line.box[3] - line.box[1] <= UPRIGHT * usual]
    aside = [[line] for line in lines if line.box[3] - line.box[1] > UPRIGHT * usual]
    for block in [*_blocks(upright), *aside]:
        rows = _bands(block, 0.5)
        spaces = [below[0].box[1] - above[0].box[3] for above, below in pairwise(rows)]
        close = max(sorted(spaces)[len(spaces) // 4], 0) if spaces else 0
        for row, space in zip(rows, [0, *spaces], strict=True):
            height = row[0].box[3] - row[0].box[1]
            paragraph += space > 1.3 * close + 0.3 * height
            yield sorted(row, key=lambda line: line.box[0]), paragraph
        paragraph += 1


def _blocks(lines: Sequence[_Line]) -> list[list[_Line]]:
    """Stretches of a page that are read from top to bottom: what spans the page, then column by column."""
    bands = _bands(lines, 0.0)
    blocks: list[list[_Line]] = []
    waiting: list[_Line] = []
    first = 0
    while first < len(bands):
        last, gutter = _columns(bands, first) if len(bands) <= MOST_BANDS else (0, None)
        if gutter is None:
            waiting += bands[first]
            first += 1
            continue
        within = [line for band in bands[first:last] for line in band]
        blocks += [waiting] if waiting else []
        blocks += _blocks([line for line in within if line.box[2] <= gutter])
        blocks += _blocks([line for line in within if line.box[2] > gutter])
        waiting, first = [], last
    return [*blocks, waiting] if waiting else blocks


def _bands(lines: Sequence[_Line], overlap: float) -> list[list[_Line]]:
    """Lines beside each other, from top to bottom: those that share more than `overlap` of their height."""
    bands: list[list[_Line]] = []
    bottom = 0.0
    for line in sorted(lines, key=lambda line: (line.box[1], line.box[0])):
        shared = bottom - line.box[1]
        if bands and shared > overlap * (line.box[3] - line.box[1]):
            bands[-1].append(line)
            bottom = max(bottom, line.box[3])
        else:
            bands.append([line])
            bottom = line.box[3]
    return bands


def _columns(bands: Sequence[Sequence[_Line]], first: int) -> tuple[int, int | None]:
    """The longest run of bands from `first` on that stands in columns, as (its end, the right edge of the left one)."""
    for last in range(len(bands), first, -1):
        gutter = _gutter([line for band in bands[first:last] for line in band])
        if gutter is not None:
            return last, gutter
    return 0, None


def _gutter(lines: Sequence[_Line]) -> int | None:
    """Where white parts the lines into two columns of text."""
    ordered = sorted(lines, key=lambda line: line.box[0])
    right = 0
    for number, line in enumerate(ordered):
        if number and line.box[0] > right and _is_column(ordered[:number]) and _is_column(ordered[number:]):
            return right
        right = max(right, line.box[2])
    return None


def _is_column(lines: Sequence[_Line]) -> bool:
    return len(lines) >= COLUMN_ROWS and median(line.size for line in lines) >= COLUMN_WIDTH
