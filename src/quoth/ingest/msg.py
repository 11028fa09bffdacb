"""Outlook's messages (.msg, [MS-OXMSG]) to documents: `read_msg`.

A message is translated into the same record that a mail file is parsed to, and read as mail is: the same
headers, the same choice of body, attachments as documents of their own, messages within messages.
Not covered: objects embedded by OLE (a note names them), encrypted messages (a note says so), the words of
appointments and contacts that are not in the body, named properties.
"""

from __future__ import annotations

import email
import email.policy
import re
import struct
from datetime import UTC, datetime
from email.message import Message
from email.utils import format_datetime

from quoth.errors import ReadError
from quoth.ingest.compound import HINT, Compound, codec, seconds
from quoth.ingest.mail import MOST_PARTS, SHOWN, documents
from quoth.ingest.mailrtf import body_of
from quoth.types import Document

PROPERTIES = "__properties_version1.0"
SUBJECT, BODY, RTF, HTML, HEADERS, CLASS = 0x0037, 0x1000, 0x1009, 0x1013, 0x007D, 0x001A
NAMES = ((0x0C1A, 0x5D01, 0x0C1F), (0x0042, 0x5D02, 0x0065))
"""Who sent it, and for whom: name, address on the internet, address of whatever kind."""
TIMES = (0x0039, 0x0E06, 0x3007)
"""When it was sent, arrived, was made."""
KINDS = {1: "To", 2: "Cc"}
EMBEDDED = "__substg1.0_3701000d/"
METHOD, OBJECT = 0x3705, 6
"""How something is attached; as an object that another program put there."""
MOST_PEOPLE = 5_000


def read_msg(data: bytes, path: str, password: str | None = None) -> tuple[Document, ...]:
    """The message first, then its attachments as "path#name"; what cannot be read is a note on the message."""
    return tuple(documents(message_of(data), path, password, 0))


def message_of(data: bytes) -> Message:
    """The message in the bytes of a .msg file. Raises ReadError when there is none."""
    file = Compound(data)
    if PROPERTIES not in file:
        raise ReadError("the file is damaged: it holds no message", HINT)
    return _message(_Store(file, ""))


class _Store:
    """The properties of a message, a recipient or an attachment: those below one storage of the file."""

    def __init__(self, file: Compound, folder: str, page: int = 0) -> None:
        self.file, self.folder = file, folder
        data = file.find(folder + PROPERTIES)
        head = 32 if not folder else 24 if folder.endswith(EMBEDDED) else 8
        data = data[head : head + (len(data) - head) // 16 * 16]
        self._fixed: dict[int, int] = {tag: value for tag, _, value in struct.iter_unpack("<IIQ", data)}
        self.page = self.number(0x3FFD) or page

    def number(self, name: int) -> int:
        return self._fixed.get(name << 16 | 3, 0) & 0xFFFFFFFF

    def time(self, name: int) -> float:
        return seconds(self._fixed.get(name << 16 | 0x40, 0))

    def bytes(self, name: int) -> bytes:
        return self.file.find(f"{self.folder}__substg1.0_{name:04x}0102")

    def text(self, name: int) -> str:
        """A string, "" where it is missing."""
        place = f"{self.folder}__substg1.0_{name:04x}"
        wide = self.file.find(f"{place}001f")
        said = wide.decode("utf-16-le", "replace") if wide else ""
        said = said or self.file.find(f"{place}001e").decode(codec(self.page or 1252), "replace")
        return said.rstrip("\0")

    def inner(self, prefix: str, most: int = MOST_PEOPLE) -> list[_Store]:
        """The first storages right below this one whose names begin so, in the order of their numbers."""
        start = len(self.folder)
        names = {path[start:].partition("/")[0] for path in self.file.streams if path.startswith(self.folder + prefix)}
        return [_Store(self.file, f"{self.folder}{name}/", self.page) for name in sorted(names)[:most]]


def _message(store: _Store) -> Message:
    parts = _bodies(store)
    for attached in store.inner("__attach_version1.0_#", MOST_PARTS):
        parts += _attached(attached)
    sealed = any(part.get_content_type() == "application/pgp-encrypted" for part in parts)
    message = _part("multipart/encrypted" if sealed else "multipart/mixed")
    for name, value in _headers(store).items():
        message[name] = value
    message.set_payload([*parts])
    return message


def _part(kind: str, content: bytes | None = None) -> Message:
    part = Message(email.policy.compat32)
    part["Content-Type"] = kind
    if content is not None:
        part["Content-Transfer-Encoding"] = "8bit"
        part.set_payload(content.decode("ascii", "surrogateescape"))
    return part


def _headers(store: _Store) -> dict[str, str]:
    """The headers that it came with over the internet; else the same from its properties."""
    sent = next((found for name in TIMES if (found := store.time(name))), 0.0)
    given = {
        "Subject": store.text(SUBJECT),
        "From": next((one for names in NAMES if (one := _who(store, *names))), ""),
        **dict.fromkeys(KINDS.values(), ""),
        "Date": format_datetime(datetime.fromtimestamp(sent, UTC)) if sent else "",
    }
    for recipient in store.inner("__recip_version1.0_#"):
        header = KINDS.get(recipient.number(0x0C15) & 0xF)
        who = _who(recipient, 0x3001, 0x39FE, 0x3003)
        if header and who:
            given[header] = f"{given[header]}, {who}" if given[header] else who
    given["To"] = given["To"] or store.text(0x0E04)
    given["Cc"] = given["Cc"] or store.text(0x0E03)
    came = email.message_from_string(store.text(HEADERS).lstrip(), policy=email.policy.compat32)
    for name in SHOWN:
        value = came.get(name)
        given[name] = (str(value) if value else "") or given[name]
    return given


def _who(store: _Store, name: int, address: int, other: int) -> str:
    """Name and address as a mail's header has them; an address of Exchange's own kind says nothing to a person."""
    called = store.text(name).strip().strip("'\"")
    at = store.text(address).strip() or store.text(other).strip()
    at = at if "@" in at and not at.startswith("/") else ""
    if not called or called == at:
        return at
    called = f'"{called}"' if re.search(r"[,;<>@]", called) else called
    return f"{called} <{at}>" if at else called


def _bodies(store: _Store) -> list[Message]:
    """The body, as plain text if it has that, else as HTML; both where the plain text says nothing."""
    plain = store.text(BODY)
    if plain.strip():
        return [_part("text/plain; charset=utf-8", plain.encode("utf-8", "replace"))]
    html = store.text(HTML)
    if not html:
        page = store.number(0x3FDE)
        raw = store.bytes(HTML)
        html = raw.decode(codec(page or 65001), "replace")
    kind = "html"
    if not html.strip() and (packed := store.bytes(RTF)):
        html, kind = body_of(packed)
    return [_part(f"text/{kind}; charset=utf-8", html.encode("utf-8", "replace"))] if html.strip() else []


def _attached(store: _Store) -> list[Message]:
    if f"{store.folder}{EMBEDDED}{PROPERTIES}" in store.file or store.number(METHOD) == OBJECT:
        return [_embedded(store)]
    content = store.bytes(0x3701)
    kind = store.text(0x370E).lower()
    name = store.text(0x3707) or store.text(0x3704) or store.text(0x3001)
    if kind.startswith("multipart/"):  # a signed message, kept whole as it came
        return [email.message_from_bytes(content, policy=email.policy.compat32)]
    if name.lower().endswith((".p7m", ".rpmsg")):
        kind = "application/pkcs7-mime"
    if not re.fullmatch(r"[\w.+-]+/[\w.+-]+", kind) or kind.startswith("message/"):
        kind = "application/octet-stream"
    return [_named(_part(kind, content), name)]


def _embedded(store: _Store) -> Message:
    """A message within the message, or an object that another program put there."""
    inner = _Store(store.file, store.folder + EMBEDDED, store.page)
    if inner.folder + PROPERTIES in store.file:
        part = _part("message/rfc822")
        part.set_payload([_message(inner)])
        return part
    content = store.file.find(f"{inner.folder}contents", f"{inner.folder}package")
    return _named(_part("application/octet-stream", content or b"\0"), store.text(0x3707) or store.text(0x3001))


def _named(part: Message, name: str) -> Message:
    if name:
        part.add_header("Content-Disposition", "attachment", filename=("utf-8", "", name))
    else:
        part["Content-Disposition"] = "attachment"
    return part
