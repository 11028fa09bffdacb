"""Compound files (OLE, [MS-CFB]), in which old Office programs and Outlook save: `Compound`, and `summary`.

Covered: both sector sizes, the mini stream, chains that end too soon or run in circles, directories that
do, files cut off, many streams that claim the same bytes. Not covered: writing, and entries that the
directory's root does not lead to.
"""

from __future__ import annotations

import codecs
import struct
from array import array
from collections.abc import Iterator
from typing import NamedTuple

from quoth.errors import ReadError

MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
HINT = "open it in its own program and save it anew"
MOST_ENTRIES = 200_000
DEEPEST = 64
LAST = 0xFFFFFFFA
"""Sector numbers from here on are no sectors."""
NONE = 0xFFFFFFFF
EPOCH = 11_644_473_600
"""Seconds from 1601, where Windows begins to count, to 1970."""
STORAGE, STREAM, ROOT = 1, 2, 5


class _Entry(NamedTuple):
    """A row of the directory."""

    name: str
    kind: int
    before: int
    after: int
    child: int
    start: int
    size: int


class Compound:
    """An open compound file: its streams by path, a path being the names of its storages and its own, in small letters.

    Raises ReadError for a file whose header, allocation table or directory makes no sense.
    """

    def __init__(self, data: bytes) -> None:
        if not data.startswith(MAGIC) or len(data) < 512:
            raise ReadError("the file is damaged: it breaks off in its header", HINT)
        self._data = memoryview(data)
        shift, mini = struct.unpack_from("<HH", data, 30)
        if shift not in (9, 12) or not 2 <= mini < shift:
            raise ReadError("the file is damaged: its header makes no sense", HINT)
        self._size, self._mini_size = 1 << shift, 1 << mini
        self._left = 4 * len(data) + 2**24  # streams may overlap: what is read of them all together is bounded
        self._fat = self._table(self._fat_sectors(), len(data) // self._size + 1)
        first, self._cutoff, mini_first = struct.unpack_from("<I4xII", data, 48)
        self._entries = list(self._read_entries(first))
        if not self._entries:
            raise ReadError("the file is damaged: its directory is missing", HINT)
        self._mini_fat = self._table(self._chain(self._fat, mini_first), len(data) // self._mini_size + 1)
        self._mini = self._big(self._entries[0].start, self._entries[0].size)
        self.streams = dict(self._tree())

    def __contains__(self, path: str) -> bool:
        return path in self.streams

    def read(self, path: str) -> bytes:
        """A stream's bytes, as many as are left of them. Raises ReadError when there is no such stream."""
        entry = self.streams.get(path)
        if entry is None:
            raise ReadError(f"the file is damaged: its part {path} is missing", HINT)
        self._left -= min(entry.size, len(self._data))
        if self._left < 0:
            raise ReadError("the file is damaged: its parts overlap", HINT)
        if entry.size >= self._cutoff:
            return self._big(entry.start, entry.size)
        parts = []
        for sector in self._chain(self._mini_fat, entry.start, entry.size // self._mini_size + 1):
            parts.append(self._mini[sector * self._mini_size : (sector + 1) * self._mini_size])
        return b"".join(parts)[: entry.size]

    def find(self, *paths: str) -> bytes:
        """The first of these streams that is there, or nothing."""
        return next((self.read(path) for path in paths if path in self.streams), b"")

    def _fat_sectors(self) -> Iterator[int]:
        """The sectors that the allocation table lies in."""
        yield from struct.unpack_from("<109I", self._data, 76)
        sector, seen, count = struct.unpack_from("<I", self._data, 68)[0], set[int](), self._size // 4 - 1
        while sector < LAST and sector not in seen:
            seen.add(sector)
            block = bytes(self._sector(sector))
            if len(block) < self._size:
                return
            yield from struct.unpack_from(f"<{count}I", block)
            sector = struct.unpack_from("<I", block, count * 4)[0]

    def _table(self, sectors: Iterator[int], most: int) -> array[int]:
        """An allocation table: sector → the next one; no longer than the file has sectors."""
        table = array("I")
        for sector in sectors:
            if sector >= LAST:
                continue
            if len(table) >= most:
                break
            block = bytes(self._sector(sector))
            table.frombytes(block[: len(block) // 4 * 4].ljust(self._size, b"\xff"))
        return table

    def _sector(self, number: int) -> memoryview:
        return self._data[(number + 1) * self._size : (number + 2) * self._size]

    def _chain(self, table: array[int], sector: int, most: int | None = None) -> Iterator[int]:
        """The sectors from one on; a chain that runs in a circle ends after as many as there are."""
        for _ in range(len(table) if most is None else min(most, len(table))):
            if sector >= len(table):
                return
            yield sector
            sector = table[sector]

    def _big(self, start: int, size: int) -> bytes:
        parts, room = [], min(size, len(self._data))
        for sector in self._chain(self._fat, start, room // self._size + 1):
            parts.append(self._sector(sector))
        return b"".join(parts)[:room]

    def _read_entries(self, first: int) -> Iterator[_Entry]:
        seen: set[int] = set()
        for sector in self._chain(self._fat, first):
            if sector in seen or len(seen) * self._size > MOST_ENTRIES * 128:
                return
            seen.add(sector)
            block = bytes(self._sector(sector))
            for at in range(0, len(block) - 127, 128):
                length, kind, _, before, after, child = struct.unpack_from("<HBBIII", block, at + 64)
                start, low, high = struct.unpack_from("<III", block, at + 116)
                name = block[at : at + max(0, min(length, 64) - 2)].decode("utf-16-le", "replace")
                yield _Entry(name, kind, before, after, child, start, low + (high << 32 if self._size > 512 else 0))

    def _tree(self) -> Iterator[tuple[str, _Entry]]:
        """(path, entry) of every stream that the root leads to, each once."""
        waiting, seen = [(self._entries[0].child, "", 0)], {0}
        while waiting:
            number, above, depth = waiting.pop()
            if number >= len(self._entries) or number in seen:
                continue
            seen.add(number)
            entry = self._entries[number]
            path = above + entry.name.lower()
            waiting += [(entry.before, above, depth), (entry.after, above, depth)]
            if entry.kind == STREAM:
                yield path, entry
            elif entry.kind == STORAGE and depth < DEEPEST:
                waiting.append((entry.child, f"{path}/", depth + 1))


def seconds(filetime: int) -> float:
    """POSIX seconds of a Windows time (tenths of a microsecond since 1601), 0 when it is none."""
    found = filetime / 10_000_000 - EPOCH
    return found if 0 < found < 32_503_680_000 else 0.0


def codec(page: int) -> str:
    """Python's name of a Windows code page."""
    known = {65001: "utf-8", 1200: "utf-16-le", 20127: "cp1252", 10000: "mac-roman", 28591: "cp1252", 0: "cp1252"}
    name = known.get(page, f"cp{page}")
    try:
        codecs.lookup(name)
    except LookupError:
        return "cp1252"
    return name


def summary(file: Compound) -> tuple[str, float]:
    """(title, POSIX seconds of the last change) as the file states them; "" and 0 where it does not."""
    data = file.find("\x05summaryinformation")
    try:
        start = struct.unpack_from("<I", data, 44)[0]
        count = struct.unpack_from("<I", data, start + 4)[0]
        pairs = struct.iter_unpack("<II", data[start + 8 : start + 8 + 8 * min(count, 64)])
        found = {number: start + offset for number, offset in pairs}
        page = struct.unpack_from("<H", data, found[1] + 4)[0] if 1 in found else 1252
        times = [struct.unpack_from("<Q", data, found[number] + 4)[0] for number in (13, 12) if number in found]
        title = ""
        if 2 in found:
            length = struct.unpack_from("<I", data, found[2] + 4)[0]
            raw = data[found[2] + 8 : found[2] + 8 + min(length, 2000)]
            title = raw.decode(codec(page), "replace").partition("\0")[0]
    except struct.error:
        return "", 0.0
    return " ".join(title.split()), next((one for one in map(seconds, times) if one), 0.0)
