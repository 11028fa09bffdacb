"""Writes compound files, and Word and PowerPoint files from before 2007 and Outlook messages in them, for tests."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import NamedTuple

FREE, END, FAT = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD


def compound(streams: Mapping[str, bytes]) -> bytes:
    """A compound file of version 3 with these streams; a path such as "a/b" lies in the storage "a"."""
    names: dict[str, bytes | None] = {"": None}
    for path, content in streams.items():
        folders = path.split("/")[:-1]
        for depth in range(len(folders)):
            names["/".join(folders[: depth + 1])] = None
        names[path] = content
    order = list(names)
    sectors, fat, mini, mini_fat = list[bytes](), list[int](), b"", list[int]()
    starts: dict[str, tuple[int, int]] = {}

    def store(content: bytes) -> int:
        first, count = len(sectors), -(-len(content) // 512)
        sectors.extend(content[at : at + 512].ljust(512, b"\0") for at in range(0, len(content), 512))
        fat.extend([*range(first + 1, first + count), END] if count else [])
        return first if count else END

    for path, content in names.items():
        if content is None or not content:
            starts[path] = (0, 0) if content is None else (END, 0)
        elif len(content) < 4096:
            count = -(-len(content) // 64)
            starts[path] = len(mini_fat), len(content)
            mini_fat += [*range(len(mini_fat) + 1, len(mini_fat) + count), END]
            mini += content.ljust(count * 64, b"\0")
        else:
            starts[path] = store(content), len(content)
    starts[""] = store(mini), len(mini)
    small = store(b"".join(struct.pack("<I", one) for one in mini_fat).ljust(-(-len(mini_fat) // 128) * 512, b"\xff"))
    table = b"".join(_entry(path, names, order, starts) for path in order)
    directory = store(table.ljust(-(-len(table) // 512) * 512, b"\0"))
    blocks = 1
    while blocks * 128 < len(sectors) + blocks:
        blocks += 1
    places = range(len(sectors), len(sectors) + blocks)
    fat += [FAT] * blocks
    sectors += [b"".join(struct.pack("<I", one) for one in fat[at : at + 128]).ljust(512, b"\xff")
                for at in range(0, blocks * 128, 128)]  # fmt: skip
    head = struct.pack(
        "<8s16sHHHHH6xIIIIIIIII", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"", 62, 3, 0xFFFE, 9, 6, 0, blocks, directory,
        0, 4096, small, -(-len(mini_fat) // 128), END, 0,
    )  # fmt: skip
    assert blocks <= 109
    return (head + b"".join(struct.pack("<I", one) for one in places)).ljust(512, b"\xff") + b"".join(sectors)


def _entry(
    path: str, names: Mapping[str, bytes | None], order: Sequence[str], starts: Mapping[str, tuple[int, int]]
) -> bytes:
    name = (path.rpartition("/")[2] or "Root Entry").encode("utf-16-le")
    folder = path.rpartition("/")[0]
    beside = [other for other in order if other and path and other.rpartition("/")[0] == folder]
    below = [other for other in order if other and other.rpartition("/")[0] == path]
    after = order.index(beside[beside.index(path) + 1]) if path and beside[-1] != path else FREE
    child = order.index(below[0]) if below and names[path] is None else FREE
    kind = 5 if not path else 1 if names[path] is None else 2
    return struct.pack(
        "<64sHBBIII16xI16xIQ", name, len(name) + 2, kind, 1, FREE, after, child, 0, *starts[path]
    )  # fmt: skip


# Outlook


def message(
    text: Mapping[int, str | bytes], numbers: Mapping[int, int] | None = None, folder: str = ""
) -> dict[str, bytes]:
    """The streams of one store of properties: strings and bytes by their number, and 32-bit or 64-bit numbers."""
    found = {}
    for name, value in text.items():
        kind, content = ("001f", value.encode("utf-16-le")) if isinstance(value, str) else ("0102", value)
        found[f"{folder}__substg1.0_{name:04X}{kind.upper()}"] = content
    inner = folder.endswith("__substg1.0_3701000D/")
    table = b"\0" * (32 if not folder else 24 if inner else 8)
    for name, number in (numbers or {}).items():
        table += struct.pack("<IIQ", name << 16 | (0x40 if number > 2**32 else 3), 6, number)
    return {**found, f"{folder}__properties_version1.0": table}


# Word


class Run(NamedTuple):
    """Words that look alike; operations are those of the format."""

    words: str
    look: bytes = b""


class Paragraph(NamedTuple):
    """Runs and the mark that ends them; `style` is a number in the style sheet."""

    runs: Sequence[Run]
    style: int = 0
    look: bytes = b""
    mark: str = "\r"


HIDDEN, DELETED = b"\x3c\x08\x01", b"\x00\x08\x01"
IN_TABLE, ROW_END, LISTED = b"\x16\x24\x01", b"\x17\x24\x01", b"\x0b\x46\x01\x00"


def word(
    main: Sequence[Paragraph],
    notes: Sequence[str] = (),
    boxes: Sequence[str] = (),
    wide: bool = True,
    lead: bytes = b"",
) -> dict[str, bytes]:
    """The streams of a Word 97 file. A note belongs to each "\\x02" of the main text, in order.

    `lead` is put before everything else in the table stream.
    """
    main = [one._replace(runs=[run._replace(words=_halved(run.words)) for run in one.runs]) for one in main]
    foot = "".join(f"\x02 {note}\r" for note in notes) + ("\r" if notes else "")
    paragraphs = [*main, *(Paragraph([Run(words)]) for words in (foot[:-1], *boxes) if words)]
    text, runs, ends, at = "", list[tuple[int, int, bytes]](), list[tuple[int, int, bytes]](), 0
    width = 2 if wide else 1
    for paragraph in paragraphs:
        begun = at
        for run in (*paragraph.runs, Run(paragraph.mark)):
            runs.append((at, at + len(run.words), run.look))
            text, at = text + run.words, at + len(run.words)
        ends.append((begun, at, struct.pack("<H", paragraph.style) + paragraph.look))
    raw = text.encode("utf-16-le", "surrogatepass") if wide else text.encode("cp1252")
    main_length = sum(len(run.words) for one in main for run in one.runs) + len(main)
    start, foot_length = 1536, len(foot)
    body = bytearray(start) + raw
    body = body.ljust(-(-len(body) // 512) * 512, b"\0")
    character_pages, paragraph_pages = list[tuple[int, int]](), list[tuple[int, int]]()
    for pages, found, most in ((character_pages, runs, 20), (paragraph_pages, ends, 12)):
        for first in range(0, len(found), most):
            pages.append((start + found[first][0] * width, len(body) // 512))
            body += _page(found[first : first + most], start, width, found is ends)
    last = start + at * width
    tables: dict[int, bytes] = {
        1: _styles(),
        12: _places(character_pages, last),
        13: _places(paragraph_pages, last),
        33: b"\x02" + struct.pack("<IIIHIH", 16, 0, at, 0, start if wide else start * 2 | 0x40000000, 0),
    }
    if notes:
        marks = [position for position, sign in enumerate(text[:main_length]) if sign == "\x02"]
        begins = [sum(len(note) + 3 for note in notes[:number]) for number in range(len(notes) + 1)]
        tables[2] = struct.pack(f"<{len(marks) + 1}I{len(marks)}H", *marks, main_length, *[1] * len(marks))
        tables[3] = struct.pack(f"<{len(begins) + 1}I", *begins, foot_length)
    table, pointers = lead, [(0, 0)] * 93
    for number, content in tables.items():
        pointers[number] = len(table), len(content)
        table += content
    box_length = sum(len(one) + 1 for one in boxes)
    lengths = (main_length, foot_length, 0, 0, 0, 0, box_length, 0)
    struct.pack_into("<HHHHHH", body, 0, 0xA5EC, 0xC1, 0, 0x409, 0, 0x1200)
    struct.pack_into("<H28xH12x8I", body, 32, 14, 22, *lengths)
    struct.pack_into("<H", body, 62, 22)
    struct.pack_into("<12x8I", body, 64, *lengths)
    struct.pack_into("<H", body, 152, 93)
    for number, pointer in enumerate(pointers):
        struct.pack_into("<II", body, 154 + 8 * number, *pointer)
    return {"WordDocument": bytes(body), "1Table": table}


def _halved(words: str) -> str:
    """Words with the two halves of a pair of surrogates as characters of their own, as Word counts them."""
    raw = words.encode("utf-16-le")
    return "".join(map(chr, struct.unpack(f"<{len(raw) // 2}H", raw)))


def _page(found: Sequence[tuple[int, int, bytes]], start: int, width: int, paragraphs: bool) -> bytes:
    """A page of 512 bytes that says how runs of characters, or paragraphs, look."""
    page, step, at = bytearray(512), 13 if paragraphs else 1, 510
    struct.pack_into(f"<{len(found) + 1}I", page, 0, *(start + one[0] * width for one in found), start + found[-1][1] * width)
    for number, (_, _, look) in enumerate(found):
        if paragraphs:
            content = bytes([len(look) // 2 + 1]) + look if len(look) % 2 else b"\0" + bytes([len(look) // 2]) + look
        elif look:
            content = bytes([len(look)]) + look
        else:
            continue
        at = (at - len(content)) // 2 * 2
        page[at : at + len(content)] = content
        page[4 * (len(found) + 1) + step * number] = at // 2
    page[511] = len(found)
    return bytes(page)


def _places(pages: Sequence[tuple[int, int]], last: int) -> bytes:
    return struct.pack(f"<{len(pages) + 1}I", *(place for place, _ in pages), last) + struct.pack(
        f"<{len(pages)}I", *(page for _, page in pages)
    )


def _styles() -> bytes:
    """Styles 0 Normal, 1 and 2 headings of these levels, 3 a style of one's own that is based on 2, 4 Title."""
    sheet = struct.pack("<HHH14x", 18, 5, 10)
    for name, known, above in (("Normal", 0, 0xFFF), ("H", 1, 0), ("H", 2, 0), ("Own", 0xFFE, 2), ("T", 62, 0)):
        style = struct.pack("<HHHHH", known, 1 | above << 4, 2, 0, 0)
        style += struct.pack("<H", len(name)) + name.encode("utf-16-le") + b"\0\0"
        style += struct.pack("<HHH", 2, 0, 0)
        sheet += struct.pack("<H", len(style)) + style
    return sheet


# PowerPoint


def record(kind: int, *content: bytes, instance: int = 0) -> bytes:
    """A record of PowerPoint's."""
    body = b"".join(content)
    return struct.pack("<HHI", instance << 4, kind, len(body)) + body


def shape(words: str, kind: int = 4, looks: Mapping[int, int] | None = None, at: tuple[int, ...] = ()) -> bytes:
    """A shape with words; `at` is left, top, right, bottom within a group."""
    entries = b"".join(struct.pack("<HI", name, value) for name, value in (looks or {}).items())
    return record(
        0xF004,
        record(0xF00B, entries, instance=len(looks or {})),
        record(0xF00F, struct.pack("<4i", *at)) if at else b"",
        record(0xF00D, text(words, kind)),
    )


def text(words: str, kind: int) -> bytes:
    """A text and its kind: 0 title, 1 body, 2 notes, 4 other."""
    narrow = all(ord(sign) < 256 for sign in words)
    said = record(0xFA8, words.encode("latin-1")) if narrow else record(0xFA0, words.encode("utf-16-le"))
    return record(0xF9F, struct.pack("<I", kind)) + said


def drawing(*shapes: bytes) -> bytes:
    """The drawing of a slide with these shapes."""
    return record(0x40C, record(0xF002, record(0xF003, *shapes)))


class Slide(NamedTuple):
    """A slide: its drawing, further records, the texts of its outline, the drawing of its notes."""

    drawing: bytes
    more: bytes = b""
    outline: bytes = b""
    notes: bytes = b""


def slides(show: Sequence[Slide], more: bytes = b"") -> dict[str, bytes]:
    """The streams of a PowerPoint 97 file; `more` are records of its main part."""
    parts = dict[int, bytes]()
    listed, noted = b"", b""
    for number, slide in enumerate(show):
        head = record(0x3EF, struct.pack("<12xIIH2x", 0, 900 + number if slide.notes else 0, 0))
        parts[2 + 2 * number] = record(0x3EE, head, slide.more, slide.drawing)
        listed += record(0x3F3, struct.pack("<IIiII", 2 + 2 * number, 0, 0, 256 + number, 0)) + slide.outline
        if slide.notes:
            parts[3 + 2 * number] = record(0x3F0, slide.notes)
            noted += record(0x3F3, struct.pack("<IIiII", 3 + 2 * number, 0, 0, 900 + number, 0))
    size = record(0x3E9, struct.pack("<ii32x", 5760, 4320))
    parts[1] = record(0x3E8, size, record(0xFF0, listed), record(0xFF0, noted, instance=2), more)
    stream, entries = b"", b""
    for number, part in parts.items():
        entries += struct.pack("<II", number | 1 << 20, len(stream))
        stream += part
    directory = len(stream)
    stream += record(0x1772, entries)
    edit = len(stream)
    stream += record(0xFF5, struct.pack("<IHBBIIIIHH", 256, 0, 0, 3, 0, directory, 1, 99, 1, 0))
    user = record(0xFF6, struct.pack("<IIIHHBBH", 20, 0xE391C05F, edit, 0, 1012, 3, 0, 0))
    return {"PowerPoint Document": stream, "Current User": user}
