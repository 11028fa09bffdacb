"""Uploads: files that somebody drops on the page land in a folder beside the library, which is a source."""

from __future__ import annotations

import dataclasses
import errno
import filecmp
import os
import re
import shutil
import unicodedata
import uuid
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, BinaryIO

from fastapi import APIRouter, Depends, File, Form, Request, UploadFile
from pydantic import BaseModel
from starlette.responses import Response

from quoth.errors import UsageError
from quoth.ingest import kinds, walk
from quoth.serve.gate import require
from quoth.serve.keeper import Queued
from quoth.serve.problems import Refused
from quoth.serve.replies import reply
from quoth.serve.state import server_of

router = APIRouter(prefix="/api", tags=["library"])
LONGEST, DEEPEST = 200, 8
"""Bytes of a name, with room for what is put to it; folders inside each other."""
UNWANTED = re.compile(r'[\x00-\x1f\x7f-\x9f<>:"|?*\ud800-\udfff\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]')
"""Characters that no name has here: they command terminals, turn text around, or are no names on Windows."""
RESERVED = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?", re.I)
"""Names that Windows keeps for devices."""
PART = re.compile(r"\.[0-9a-f]{32}\.part")
"""The name of an upload that is not whole yet."""
WHOLE = (b"PK\x03\x04", kinds.COMPOUND)
"""How files begin whose kind may only show at their end."""


@dataclasses.dataclass(frozen=True, slots=True)
class Landed:
    """A file that was taken: the name that it came by, and where it is."""

    name: str
    path: str


@dataclasses.dataclass(frozen=True, slots=True)
class Left:
    """A file that was not taken, and why."""

    name: str
    reason: str


class Uploaded(BaseModel):
    """What became of an upload; what was taken is read in the background."""

    files: list[Landed]
    refused: list[Left]
    queued: Queued


@router.post(
    "/upload", status_code=202, summary="Add files from elsewhere", responses={202: {"model": Uploaded}},
    dependencies=[Depends(require("add"))],
)  # fmt: skip
async def upload(
    request: Request,
    files: Annotated[list[UploadFile], File(max_length=1_000)],
    folder: Annotated[str, Form(max_length=1_000, description="A folder within that of the uploads.")] = "",
    archives: Annotated[bool, Form(description="Take zip and tar files, and look into them.")] = False,
) -> Response:
    """Takes what Quoth can read. A name that is taken gets a number; archives are not unpacked unless asked."""
    server = server_of(request)
    server.writable()
    place = server.uploads.joinpath(*folders_of(folder))
    landed: list[Landed] = []
    refused: list[Left] = []
    for one in files:
        try:
            path = await server.run(take, one.file, one.filename or "", place, archives)
            landed.append(Landed(one.filename or "", str(path)))
        except Refused as error:
            if error.status == 507:
                raise
            refused.append(Left(one.filename or "", str(error)))
    if not landed:
        raise Refused(415, refused[0].reason if refused else "there is no file in this upload", "see docs/files.md")
    options = ["--archives"] if archives else []
    # with their own paths, also those come in that were forgotten by this name before
    task = server.keeper.put("add", [str(server.uploads), *(one.path for one in landed)], options)
    taken, left = ([dataclasses.asdict(one) for one in some] for some in (landed, refused))
    return reply({"files": taken, "refused": left, "queued": dataclasses.asdict(task)}, 202)


def take(data: BinaryIO, given: str, place: Path, archives: bool) -> Path:
    """The path of an upload that was written to a folder, all or nothing. Raises `Refused` for what is not read."""
    name = name_of(given)
    _check(data, name, archives)
    try:
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        part = place / f".{uuid.uuid4().hex}.part"  # which no sync looks at
        try:
            with part.open("xb") as file:
                shutil.copyfileobj(data, file, 1 << 20)
                file.flush()
                os.fsync(file.fileno())
            path = _free(place, name, part)
            part.replace(path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise Refused(507, f"the disk with {place} is full", "free some space") from None
        raise Refused(409, f"{place} cannot be written to: {error.strerror}", "look at its rights") from None
    return path


def sweep(place: Path) -> None:
    """Delete what uploads left that were cut off; nobody may be uploading yet."""
    for part in place.rglob(".*.part"):
        if PART.fullmatch(part.name):
            with suppress(OSError):
                part.unlink()


def name_of(given: str) -> str:
    """A file's name without whatever leads elsewhere, hides it or is no name; "upload" where nothing is left."""
    last = re.split(r"[/\\]", given)[-1]
    name = UNWANTED.sub("", unicodedata.normalize("NFC", last)).strip().lstrip(".").rstrip(". ").strip()
    if RESERVED.fullmatch(name):
        name = f"_{name}"
    stem, dot, end = name.rpartition(".")
    if len(name.encode()) > LONGEST:
        ending = f".{end}" if dot and len(end.encode()) < 20 else ""
        stem = (stem if ending else name).encode()[: LONGEST - len(ending.encode())].decode("utf-8", "ignore")
        name = stem + ending
    return name or "upload"


def folders_of(given: str) -> Sequence[str]:
    """The folders of a path, each as harmless as a name. Raises `UsageError` for what is never looked into."""
    found = [name_of(one) for one in re.split(r"[/\\]", given) if one.strip(". ")]
    if len(found) > DEEPEST:
        raise UsageError(f"a folder lies at most {DEEPEST} deep", "name another one")
    if any(walk.is_noise(one, True) for one in found):
        raise UsageError(f"{'/'.join(found)} is never looked into", "name another folder")
    return found


def _check(data: BinaryIO, name: str, archives: bool) -> None:
    """Raise `Refused` for a file that would not be read."""
    if walk.is_noise(name, False):
        raise Refused(415, f"{name} has the name of a scratch file, which is never read", "rename it")
    data.seek(0)
    head = data.read(kinds.HEAD)
    if not head:
        raise Refused(415, f"{name} is empty", "")
    if head.startswith(WHOLE) or archives:
        head += data.read()
    known = kinds.kind_of(name, head) or (kinds.archive_of(name, head) if archives else None)
    data.seek(0)
    if known is None:
        raise Refused(415, f"{name} is {kinds.describe(head, name)}, which Quoth does not read", "see docs/files.md")


def _free(place: Path, name: str, part: Path) -> Path:
    """Where an upload goes: a file of this name, or of one with a number where another file has it."""
    stem, dot, end = name.rpartition(".")
    for number in range(1, 10_000):
        numbered = name if number == 1 else f"{stem} ({number}).{end}" if dot else f"{name} ({number})"
        path = place / numbered
        try:
            path.open("xb").close()
        except FileExistsError:
            if not path.is_file() or not filecmp.cmp(path, part, shallow=False):
                continue
        return path  # empty, or what was uploaded before, byte for byte
    raise Refused(409, f"there are 10,000 files called {name} already", "rename it")
