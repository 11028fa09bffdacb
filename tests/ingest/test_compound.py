"""Compound files: every stream as olefile reads it, and damage that leads in circles."""

import io
import os
import struct
from pathlib import Path

import olefile
import pytest
from compounds import make, survives

from quoth.errors import ReadError
from quoth.ingest.compound import MAGIC, Compound, codec, seconds

STREAMS = {
    "small": b"a few bytes",
    "empty": b"",
    "large": bytes(range(256)) * 40,
    "folder/inner/small": b"inside " * 30,
    "folder/large": b"0123456789abcdef" * 600,
}


def streams(data: bytes) -> dict[str, bytes]:
    file = Compound(data)
    return {path: file.read(path) for path in file.streams}


def theirs(data: bytes) -> dict[str, bytes]:
    with olefile.OleFileIO(io.BytesIO(data)) as file:
        return {"/".join(path).lower(): file.openstream(path).read() for path in file.listdir()}


def test_every_stream_comes_back() -> None:
    assert streams(make.compound(STREAMS)) == STREAMS


def test_olefile_reads_the_same() -> None:
    data = make.compound(STREAMS)
    assert streams(data) == theirs(data)


def test_real_files_hold_what_olefile_reads() -> None:
    folder = os.environ.get("QUOTH_DATA")
    if not folder:
        pytest.skip("QUOTH_DATA names no folder of files to try")
    for path in Path(folder).rglob("*"):
        if path.suffix in (".doc", ".xls", ".ppt", ".msg", ".pub", ".vsd") and path.is_file():
            data = path.read_bytes()
            if data.startswith(MAGIC):
                assert streams(data) == theirs(data), path


def test_a_missing_stream_says_which() -> None:
    with pytest.raises(ReadError, match="its part absent is missing"):
        Compound(make.compound(STREAMS)).read("absent")


def test_a_file_that_breaks_off_in_its_header_says_so() -> None:
    with pytest.raises(ReadError, match="breaks off in its header"):
        Compound(MAGIC + b"\0" * 100)


def test_a_header_of_zeros_says_so() -> None:
    with pytest.raises(ReadError, match="its header makes no sense"):
        Compound(MAGIC.ljust(2048, b"\0"))


def chained(data: bytes, change: int) -> bytes:
    """A compound file in whose allocation table every sector leads to the one `change` on."""
    fat = struct.unpack_from("<I", data, 76)[0]
    count = len(data) // 512 - 1
    links = struct.pack(f"<{count}I", *((sector + change) % count for sector in range(count)))
    at = (fat + 1) * 512
    return data[:at] + links + data[at + len(links) :]


@pytest.mark.parametrize("change", [0, 1, -1, 2])
def test_chains_that_run_in_circles_end(change: int) -> None:
    file = Compound(chained(make.compound(STREAMS), change))
    for path in file.streams:
        assert len(file.read(path)) <= file.streams[path].size


@pytest.mark.parametrize("field", [68, 72, 76])
def test_an_allocation_table_that_names_itself_ends(field: int) -> None:
    data = bytearray(make.compound(STREAMS))
    struct.pack_into("<I", data, field, 0)
    survives(streams, bytes(data), 1)


def test_a_directory_whose_entries_lead_to_each_other_is_read_once() -> None:
    data = bytearray(make.compound(STREAMS))
    start = 512 * (struct.unpack_from("<I", data, 48)[0] + 1)
    for entry in range(4):
        struct.pack_into("<III", data, start + 128 * entry + 68, 1, 2, 0)
    assert set(Compound(bytes(data)).streams) <= {"small", "empty", "large"}


def test_streams_that_all_claim_the_whole_file_are_bounded() -> None:
    many = make.compound({f"{number:04}": b"x" * 5000 for number in range(400)})
    data = bytearray(many)
    start = 512 * (struct.unpack_from("<I", data, 48)[0] + 1)
    for entry in range(1, 401):
        struct.pack_into("<IQ", data, start + 128 * entry + 116, 0, len(data))
    file = Compound(bytes(data))
    with pytest.raises(ReadError, match="its parts overlap"):
        for path in file.streams:
            file.read(path)


def test_damage_gives_a_reason_or_what_is_left() -> None:
    assert survives(streams, make.compound(STREAMS)) > 0


def test_code_pages_and_times_have_names() -> None:
    assert (codec(1251), codec(65001), codec(4711)) == ("cp1251", "utf-8", "cp1252")
    assert seconds(116_444_736_000_000_000 + 10_000_000) == 1.0
    assert seconds(0) == seconds(2**63) == 0.0
