"""The parts of an Office file or book (OOXML, OpenDocument, EPUB: a zip of XML), read with limits against bombs.

Covered: parts that say they unpack to too much, document type declarations (so no entities), encrypted
files. Not covered: old binary formats (.doc, .xls), pictures, embedded files.
"""

from __future__ import annotations

import io
import posixpath
import re
import zipfile
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import IO
from xml.etree import ElementTree

from quoth.errors import PASSWORD, Encrypted, ReadError

Element = ElementTree.Element

MOST_BYTES = 256 * 2**20
"""All parts together, unpacked."""
MOST_PART = 128 * 2**20
"""One XML part, unpacked; its tree takes several times as much."""
MOST_PARTS = 20_000
COMPOUND = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
DAMAGED = "open it in an office program and save it anew"


class Package:
    """An open Office file: its parts by name, and the relations between them."""

    def __init__(self, data: bytes) -> None:
        if data.startswith(COMPOUND):
            if "EncryptedPackage".encode("utf-16-le") in data:
                raise Encrypted("the file is encrypted with a password", PASSWORD)
            raise ReadError("the file is in an old binary Office format", "leave its ending as that format has it")
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
        except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError):
            raise ReadError("the file is damaged: its zip cannot be opened", DAMAGED) from None
        parts = self._zip.infolist()
        if len(parts) > MOST_PARTS or sum(part.file_size for part in parts) > MOST_BYTES:
            raise ReadError(f"the file unpacks to more than {MOST_BYTES >> 20} MiB")
        self._parts = {_clean(part.filename): part for part in parts}

    def __iter__(self) -> Iterator[str]:
        """The names of the parts, in small letters."""
        return iter(self._parts)

    def __contains__(self, name: str) -> bool:
        return _clean(name) in self._parts

    def open(self, name: str) -> IO[bytes]:
        """A part as a stream. Raises ReadError if it is missing, encrypted or too large."""
        part = self._parts.get(_clean(name))
        if part is None:
            raise ReadError(f"the file is damaged: it lacks its part {name}", DAMAGED)
        if part.flag_bits & 1:
            raise Encrypted(f"the file is encrypted: {name} needs a password", "save it without a password")
        if part.file_size > MOST_PART:
            raise ReadError(f"the file is too large: {name} unpacks to more than {MOST_PART >> 20} MiB")
        try:
            return self._zip.open(part)
        except (RuntimeError, NotImplementedError, zipfile.BadZipFile, ValueError, OSError):
            raise ReadError(f"the file is damaged: {name} cannot be opened", DAMAGED) from None

    def read(self, name: str) -> bytes:
        """A part's bytes. Raises ReadError like `open`, and if it does not unpack."""
        with self.open(name) as stream:
            try:
                return stream.read()
            except (zipfile.BadZipFile, zlib.error, EOFError, OSError):
                raise ReadError(f"the file is damaged: {name} does not unpack", DAMAGED) from None

    def xml(self, name: str) -> Element:
        """The root of a part. Raises ReadError if it is no sound XML."""
        return parsed(self.read(name), name)

    def stream(self, name: str, *wanted: str) -> Iterator[Element]:
        """The elements of a part with these local names, one after the other; each is freed after its turn."""
        return (element for event, element in self.events(name, *wanted) if event == "end")

    def events(self, name: str, *wanted: str) -> Iterator[tuple[str, Element]]:
        """("start", element), still without content, then ("end", element) of every element with these local names."""
        with self.open(name) as stream:
            try:
                yield from events(stream, *wanted)
            except (ElementTree.ParseError, zipfile.BadZipFile, zlib.error, EOFError, LookupError):
                raise ReadError(f"the file is damaged: {name} is no sound XML", DAMAGED) from None

    def related(self, name: str) -> dict[str, tuple[str, str]]:
        """Relation id → (kind, part) of everything inside the file that a part ("" is the file) points to."""
        folder, _, base = _clean(name).rpartition("/")
        relations = posixpath.join(folder, "_rels", f"{base}.rels")
        if relations not in self:
            return {}
        found = {}
        for one in self.xml(relations):
            if one.get("TargetMode") != "External":
                target = one.get("Target", "")
                place = target if target.startswith("/") else posixpath.join(folder, target)
                kind = one.get("Type", "").rpartition("/")[2]
                found[one.get("Id", "")] = (kind, _clean(posixpath.normpath(place)))
        return found

    def main(self, otherwise: str) -> str:
        """The name of the main part."""
        kinds = self.related("").values()
        return next((part for kind, part in kinds if kind == "officeDocument" and part in self), otherwise)

    def properties(self) -> tuple[str, float]:
        """(title, POSIX seconds of the last change) as the file states them; "" and 0 where it does not."""
        named = next((p for kind, p in self.related("").values() if kind == "core-properties"), "docProps/core.xml")
        title, changed, created = "", 0.0, 0.0
        if named in self:
            for element in self.xml(named):
                value = (element.text or "").strip()
                match local(element):
                    case "title":
                        title = " ".join(value.split())
                    case "modified":
                        changed = moment(value)
                    case "created":
                        created = moment(value)
        return title, changed or created


def parsed(data: bytes, name: str) -> Element:
    """The root of an XML text. Raises ReadError if it is not sound or declares a document type."""
    if declares_type(data):
        raise ReadError(f"{name} declares a document type, which no Office program writes")
    try:
        return ElementTree.fromstring(data)
    except (ElementTree.ParseError, ValueError, LookupError):
        raise ReadError(f"the file is damaged: {name} is no sound XML", DAMAGED) from None


def events(stream: IO[bytes], *wanted: str) -> Iterator[tuple[str, Element]]:
    """What `Package.events` gives, of any stream; errors of the parser come through."""
    above: list[Element] = []
    for event, element in ElementTree.iterparse(_NoDoctype(stream), ("start", "end")):
        if event == "start":
            above.append(element)
            if local(element) in wanted:
                yield event, element
            continue
        above.pop()
        if local(element) in wanted:
            yield event, element
            if above:
                above[-1].remove(element)


def declares_type(data: bytes) -> bool:
    """Whether an XML text declares a document type or entities, in whichever width its characters are."""
    wide = b"\0" in data[:4]
    return any(word in data or (wide and word in data.replace(b"\0", b"")) for word in (b"<!DOCTYPE", b"<!ENTITY"))


class _NoDoctype:
    """A stream that refuses a document type declaration at its start."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._fresh = True

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        if self._fresh and declares_type(data):
            raise ReadError("the file declares a document type, which no Office program writes")
        self._fresh = False
        return data


def _clean(name: str) -> str:
    return name.replace("\\", "/").lstrip("/").lower()


def local(element: Element) -> str:
    """An element's name without its namespace."""
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def attribute(element: Element | None, name: str, otherwise: str = "") -> str:
    """An attribute's value whatever its namespace."""
    if element is None:
        return otherwise
    plain = element.get(name)
    if plain is not None:
        return plain
    return next((value for key, value in element.items() if key.rpartition("}")[2] == name), otherwise)


def child(element: Element | None, *names: str) -> Element | None:
    """The first child with this local name, and so on down the names; None when there is none."""
    for name in names:
        element = next((one for one in element if local(one) == name), None) if element is not None else None
    return element


def inside(element: Element | None, *names: str) -> list[Element]:
    """What lies in the child that `child` finds; nothing where there is none."""
    found = child(element, *names)
    return list(found) if found is not None else []


def switched_on(element: Element | None) -> bool:
    """Whether a yes-or-no property is there and not switched off."""
    return element is not None and attribute(element, "val", "1").lower() not in ("0", "false", "off", "none")


def moment(value: str) -> float:
    """POSIX seconds of a date such as 2024-01-31T12:00:00Z (UTC where it names no zone), 0 when it is none."""
    try:
        found = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", value))
        return max(0.0, (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        return 0.0
