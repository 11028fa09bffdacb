"""What the tests of compound files share: their writer, and damage."""

from __future__ import annotations

import importlib.util
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

from quoth.errors import ReadError


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"quoth_{path.stem}", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


make = _load(Path(__file__).parents[1] / "data" / "make_compound.py")


def damaged(data: bytes, times: int, seed: int = 7) -> Iterator[bytes]:
    """The data cut off, with bits turned, and with stretches overwritten."""
    chance = random.Random(seed)
    for _ in range(times):
        changed = bytearray(data)
        for _ in range(chance.choice((1, 3, 20, 200))):
            changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
        yield bytes(changed)
        yield data[: chance.randrange(len(data))]
        at, size = chance.randrange(len(data)), chance.choice((2, 4, 64))
        changed = bytearray(data)
        changed[at : at + size] = chance.choice((b"\xff", b"\0", b"\x01")) * min(size, len(data) - at)
        yield bytes(changed)


def survives(read: Callable[[bytes], object], data: bytes, times: int = 60) -> int:
    """How many damaged copies were read all the same; any error other than ReadError is raised."""
    sound = 0
    for changed in damaged(data, times):
        try:
            read(changed)
            sound += 1
        except ReadError as error:
            assert str(error)
    return sound
