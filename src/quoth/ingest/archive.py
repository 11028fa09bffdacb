"""Archives as folders of files: zip, tar (plain, gzip, bzip2, xz) and single compressed files.

A member is read by the reader of its kind and becomes documents called "archive#name"; nothing is written
to disk, so names that point elsewhere are only names. A member that is broken, encrypted, too large or of
no readable kind is a note; an archive beyond the limits below is refused as a whole.

Not covered: 7-Zip, RAR, Zstandard, zips encrypted with AES, archives in several volumes.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import stat
import struct
import tarfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import PurePath
from typing import IO, BinaryIO, cast

from quoth.errors import PASSWORD, Encrypted, OtherKind, ReadError
from quoth.ingest import kinds, read_data, unlocked
from quoth.ingest.walk import is_left_out
from quoth.types import Document

DEEPEST = 3
"""Archives within archives that are opened."""
MOST_MEMBERS = 10_000
"""Members of an archive, those of the archives in it counted with them."""
MOST_BYTES = 2**30
"""All of them unpacked."""
MOST_MEMBER = 128 * 2**20
"""One of them unpacked."""
MOST_TEXT = 60_000_000
"""Characters of their text together."""
MOST_RATIO, SMALL = 200, 16 * 2**20
"""How many times its packed size a thing may unpack to once it is larger than SMALL bytes."""
MOST_SECONDS = 600.0
MOST_NAMED = 50
"""Lost members that the notes name, of each sort."""

UNPACK = "unpack it and add the folder"
BROKEN = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError, RuntimeError, ValueError,
    LookupError, NotImplementedError, OverflowError, struct.error,
)  # fmt: skip
"""What the standard library raises on archives that break the rules."""
AES = 99
DRIVE = re.compile(r"^[A-Za-z]:")
ODD = re.compile("[#\x00-\x1f\x7f\ud800-\udfff]+")

Watch = Callable[[str], None]
Member = tuple[str, float, Callable[[str | None], bytes]]
"""A member's name, its POSIX seconds (0: not known), and what unpacks it."""


class _Refused(ReadError):
    """The archive as a whole is beyond a limit."""


@dataclass(slots=True)
class _Unpacking:
    """What an archive and the archives in it have brought so far, and how they are read."""

    passwords: Sequence[str]
    without: Mapping[str, str]
    watch: Watch
    until: float
    members: int = 0
    bytes: int = 0
    text: int = 0
    found: list[Document] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)
    other: list[tuple[str, str]] = field(default_factory=list)
    locked: int = 0

    def count(self, members: int = 1) -> None:
        """Counts members; raises when there are too many or they take too long."""
        self.members += members
        if self.members > MOST_MEMBERS:
            raise _Refused(f"the archive holds more than {MOST_MEMBERS:,} files", UNPACK)
        if time.monotonic() > self.until:
            raise _Refused(f"reading the archive takes longer than {MOST_SECONDS:.0f} s", UNPACK)

    def spend(self, count: int) -> None:
        """Counts unpacked bytes; raises when they are too many."""
        self.bytes += count
        if self.bytes > MOST_BYTES:
            raise _Refused(f"the archive unpacks to more than {MOST_BYTES >> 20:,} MiB", UNPACK)

    def keep(self, documents: Sequence[Document]) -> None:
        """Keeps a member's documents; raises when the text is too long."""
        self.text += sum(len(one.text) + len(one.hidden) for one in documents)
        if self.text > MOST_TEXT:
            raise _Refused(f"the archive's text is longer than {MOST_TEXT:,} characters", UNPACK)
        self.found += documents


def _unwatched(name: str) -> None:
    """Nobody is told."""


def read_archive(
    data: bytes,
    path: str,
    passwords: Sequence[str] = (),
    without: Mapping[str, str] | None = None,
    watch: Watch = _unwatched,
) -> tuple[Document, ...]:
    """The documents of an archive's members; before them one without text whose notes name what was lost.

    `passwords` are tried in turn on encrypted members. `without` are paths of members that are left out,
    with the reasons; `watch` is told the path of a member before it is read. Raises ReadError when the
    archive is damaged or beyond a limit, Encrypted when nothing opens, OtherKind when nothing is readable.
    """
    unpacking = _Unpacking(passwords, without or {}, watch, time.monotonic() + MOST_SECONDS)
    try:
        _unpack(data, path, unpacking, 1)
    except MemoryError:
        raise _Refused("unpacking it needs too much memory", UNPACK) from None
    if not unpacking.found:
        _explain_nothing(unpacking)
    inside = len(path) + 1
    notes = _named(unpacking.failed, inside, unpacking.members, "cannot be read")
    notes += _named(unpacking.other, inside, unpacking.members, "are of kinds that Quoth does not read")
    listed = (Document(path, "archive", PurePath(path).name, "", notes=tuple(notes)),) if notes else ()
    return (*listed, *unpacking.found)


def _explain_nothing(unpacking: _Unpacking) -> None:
    """Raises what an archive without any document comes to; returns where it is merely empty."""
    failed, other = unpacking.failed, unpacking.other
    if failed and unpacking.locked == len(failed):
        wrong = "none of the passwords opens it" if unpacking.passwords else "it needs a password"
        raise Encrypted(f"the archive is encrypted: {wrong}", PASSWORD)
    if failed:
        name, reason = PurePath(failed[0][0]).name.rpartition("#")[2], failed[0][1]
        raise ReadError(f"none of the archive's files can be read: {name}: {reason}", "open it and look")
    raise OtherKind(
        f"none of the archive's {len(other):,} files is of a kind that Quoth reads"
        if other
        else "the archive holds no text"
    )


def _named(lost: Sequence[tuple[str, str]], inside: int, members: int, what: str) -> list[str]:
    """A sentence with the number of lost members, and one for each of the first."""
    if not lost:
        return []
    more = [f"… and {len(lost) - MOST_NAMED:,} more"] if len(lost) > MOST_NAMED else []
    first = [f"{path[inside:] or 'the archive'}: {reason}" for path, reason in lost[:MOST_NAMED]]
    return [f"{len(lost):,} of the archive's {members:,} files {what}", *first, *more]


def _unpack(data: bytes, path: str, unpacking: _Unpacking, depth: int) -> None:
    """Reads every member of an archive, those of archives in it too."""
    taken: set[str] = set()
    for raw, modified, unpacked in _members(data, path, unpacking):
        name = _clean(raw, len(taken) + 1)
        if is_left_out(name):
            continue
        name = _unique(name, taken)
        inner = f"{path}#{name}"
        if inner in unpacking.without:
            unpacking.failed.append((inner, unpacking.without[inner]))
            continue
        unpacking.watch(inner)
        try:
            _read(inner, modified, unpacked, unpacking, depth)
        except _Refused:
            raise
        except OtherKind as error:
            unpacking.other.append((inner, str(error)))
        except Encrypted as error:
            unpacking.locked += 1
            unpacking.failed.append((inner, str(error)))
        except ReadError as error:
            unpacking.failed.append((inner, str(error)))
        except MemoryError:
            unpacking.failed.append((inner, "needs too much memory"))
        except RecursionError:
            unpacking.failed.append((inner, "is nested too deeply"))
        except Exception as error:  # a reader's own fault must not cost the other members
            unpacking.failed.append((inner, f"made the reader stumble ({type(error).__name__}: {str(error)[:100]})"))


def _read(
    path: str, modified: float, unpacked: Callable[[str | None], bytes], unpacking: _Unpacking, depth: int
) -> None:
    """Unpacks one member and keeps its documents."""
    data = unlocked(unpacked, unpacking.passwords)
    if not data:
        return
    if kinds.kind_of(path, data) is None and kinds.archive_of(path, data):
        if depth >= DEEPEST:
            raise ReadError(f"is an archive more than {DEEPEST} archives deep")
        _unpack(data, path, unpacking, depth + 1)
        return
    documents = unlocked(lambda password: read_data(data, path, password), unpacking.passwords)
    notes = [note for one in documents for note in one.notes]
    if notes and not any(one.text.strip() for one in documents):
        raise ReadError(notes[0])
    unpacking.keep([one if one.modified else replace(one, modified=modified) for one in documents])


def _members(data: bytes, path: str, unpacking: _Unpacking) -> Iterator[Member]:
    """The files in an archive of whatever kind, one after the other."""
    kind = kinds.archive_of(path, data)
    if kind == "zip":
        yield from _zipped(data, unpacking)
    elif kind == "tar":
        yield from _tarred(_Forward(io.BytesIO(data), 0, unpacking), path, unpacking)
    elif kind:
        yield from _compressed(data, kind, path, unpacking)


def _zipped(data: bytes, unpacking: _Unpacking) -> Iterator[Member]:
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
        members = archive.infolist()
    except BROKEN:
        raise ReadError("the archive is damaged: its list of files is missing or broken", "fetch it again") from None
    files = [one for one in members if not one.is_dir()]
    unpacking.count(len(files))
    size = sum(one.file_size for one in files)
    if unpacking.bytes + size > MOST_BYTES or _is_bomb(size, len(data)):
        unpacking.spend(size)
        raise _Refused(_bomb("the archive", size, len(data)))
    ends = 0
    for one in sorted(files, key=lambda one: one.header_offset):
        if one.header_offset < ends:
            raise _Refused("the archive's files lie over one another, as only a bomb's do")
        ends = one.header_offset + 30 + one.compress_size
    for one in files:
        if not stat.S_ISLNK(one.external_attr >> 16):
            yield _zip_name(one), _zip_time(one), partial(_inflated, archive, one, unpacking)


def _inflated(archive: zipfile.ZipFile, member: zipfile.ZipInfo, unpacking: _Unpacking, password: str | None) -> bytes:
    if member.compress_type == AES:
        raise ReadError("is encrypted with AES, which Quoth does not open")
    if member.flag_bits & 1 and password is None:
        raise Encrypted("is encrypted: it needs a password", PASSWORD)
    if member.file_size > MOST_MEMBER:
        raise ReadError(f"unpacks to more than {MOST_MEMBER >> 20} MiB")
    if _is_bomb(member.file_size, member.compress_size):
        raise ReadError(_bomb("it", member.file_size, member.compress_size))
    try:
        with archive.open(member, pwd=password.encode() if password else None) as stream:
            data = stream.read(MOST_MEMBER)
    except BROKEN as error:
        if member.flag_bits & 1:
            raise Encrypted("is encrypted: none of the passwords opens it", PASSWORD) from None
        if isinstance(error, NotImplementedError):
            raise ReadError("is packed by a method that Quoth does not know") from None
        raise ReadError("is damaged: it does not unpack") from None
    unpacking.spend(len(data))
    return data


def _zip_name(member: zipfile.ZipInfo) -> str:
    """The member's name; many programs write UTF-8 without saying so."""
    if member.flag_bits & 0x800:
        return member.filename
    try:
        return member.filename.encode("cp437").decode("utf-8")
    except ValueError:
        return member.filename


def _zip_time(member: zipfile.ZipInfo) -> float:
    """POSIX seconds; a zip holds local time, and 1980 where it holds none."""
    try:
        return time.mktime((*member.date_time, 0, 0, -1)) if member.date_time[0] > 1980 else 0.0
    except (ValueError, OverflowError):
        return 0.0


def _compressed(data: bytes, kind: str, path: str, unpacking: _Unpacking) -> Iterator[Member]:
    """What a compressed file holds: a tar's members, or one file named like it without its last ending."""
    start = _Forward(_stream(data, kind), len(data), unpacking)
    try:
        head = start.read(tarfile.BLOCKSIZE)
    except BROKEN:
        raise ReadError("the file is damaged: it does not unpack", "fetch it again") from None
    stream = _Forward(_stream(data, kind), len(data), unpacking)
    if kinds.is_tar(head):
        yield from _tarred(stream, path, unpacking)
        return
    unpacking.count()

    def unpacked(password: str | None) -> bytes:
        try:
            whole = stream.read(MOST_MEMBER + 1)
        except BROKEN:
            raise ReadError("is damaged: it does not unpack to its end") from None
        if len(whole) > MOST_MEMBER:
            raise ReadError(f"unpacks to more than {MOST_MEMBER >> 20} MiB")
        return whole

    name = PurePath(path).name.rpartition("#")[2]
    stem, _, ending = name.rpartition(".")
    yield (stem if stem and ending.lower() in kinds.COMPRESSED else name), 0.0, unpacked


def _stream(data: bytes, kind: str) -> IO[bytes]:
    file = io.BytesIO(data)
    if kind == "gzip":
        return cast("IO[bytes]", gzip.GzipFile(fileobj=file))
    return bz2.BZ2File(file) if kind == "bzip2" else lzma.LZMAFile(file)


class _Forward:
    """A stream that is read once, forwards, with its bytes counted against the limits."""

    def __init__(self, stream: IO[bytes], packed: int, unpacking: _Unpacking) -> None:
        self._stream, self._packed, self._unpacking = stream, packed, unpacking
        self._at = 0
        self.last = b""

    def tell(self) -> int:
        return self._at

    def seek(self, place: int) -> int:
        if place < self._at:
            raise OSError("backwards")
        while self._at < place and self.read(min(2**20, place - self._at)):
            continue
        return self._at

    def read(self, size: int) -> bytes:
        """Up to so many bytes, fewer only at the end."""
        parts: list[bytes] = []
        while size > 0 and (part := self._stream.read(min(size, 2**20))):
            parts.append(part)
            size -= len(part)
            self._at += len(part)
            if self._packed:
                self._unpacking.spend(len(part))
                if _is_bomb(self._at, self._packed):
                    raise _Refused(_bomb("the archive", self._at, self._packed))
        self.last = b"".join(parts)
        return self.last


def _tarred(stream: _Forward, path: str, unpacking: _Unpacking) -> Iterator[Member]:
    try:
        archive = tarfile.TarFile(fileobj=cast(BinaryIO, stream))
    except BROKEN:
        raise ReadError("the archive is damaged: it does not begin with a file", "fetch it again") from None
    while True:
        try:
            member = archive.next()
        except BROKEN:
            member, cut = None, True
        else:
            # a tar ends with zeros or just so; anything else is no header where one should be
            cut = member is None and bool(stream.last.strip(b"\0"))
        if member is None:
            if cut:
                unpacking.failed.append((path, "is cut off or damaged: what follows cannot be read"))
            return
        archive.__dict__["members"] = []  # it would keep them all
        unpacking.count(member.isreg())
        if member.isreg() and member.size:
            yield member.name, float(member.mtime), partial(_extracted, archive, member, unpacking)


def _extracted(archive: tarfile.TarFile, member: tarfile.TarInfo, unpacking: _Unpacking, password: str | None) -> bytes:
    """A member's bytes, which the stream has counted; the holes of a sparse one it has not."""
    if member.size > MOST_MEMBER:
        raise ReadError(f"unpacks to more than {MOST_MEMBER >> 20} MiB")
    unpacking.spend(member.size if member.issparse() else 0)
    try:
        file = archive.extractfile(member)
        return file.read() if file else b""
    except BROKEN:
        raise ReadError("is damaged or cut off") from None


def _is_bomb(unpacked: int, packed: int) -> bool:
    return unpacked > SMALL and unpacked > MOST_RATIO * packed


def _bomb(what: str, unpacked: int, packed: int) -> str:
    return f"{what} unpacks to over {MOST_RATIO} times its size ({packed:,} to {unpacked:,} bytes), as only a bomb does"


def _clean(name: str, number: int) -> str:
    """A member's name as a path below the archive: no root, no drive, no "..", nothing unprintable."""
    parts = ODD.sub("_", DRIVE.sub("", name)).replace("\\", "/").split("/")
    kept = [part.strip()[-150:] for part in parts if part.strip() not in ("", ".", "..")]
    return "/".join(kept)[-500:].lstrip("/") or f"file {number}"


def _unique(name: str, taken: set[str]) -> str:
    """The name, with a number where it is taken; it is taken now."""
    stem, dot, ending = name.rpartition(".")
    unique, count = name, 1
    while unique in taken:
        count += 1
        unique = f"{stem} ({count}).{ending}" if dot and stem and "/" not in ending else f"{name} ({count})"
    taken.add(unique)
    return unique
