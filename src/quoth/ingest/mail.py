"""Mail to documents: `read_mail` one message, `read_mbox` a mailbox; attachments are documents of their own.

Headers and character sets are taken as they come: what breaks the rules is read as well as it can be.
Not covered: encrypted messages (a note says so), Outlook's winmail.dat.
"""

from __future__ import annotations

import email
import email.policy
import mimetypes
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC
from email.errors import HeaderParseError, MessageError
from email.header import decode_header
from email.message import Message
from email.utils import collapse_rfc2231_value, parsedate_to_datetime
from pathlib import PurePath

from quoth.errors import ReadError
from quoth.ingest import kinds
from quoth.ingest.decode import decode
from quoth.types import Document

SHOWN = ("Subject", "From", "To", "Cc", "Date")
DEEPEST = 5
"""Messages within messages that are read."""
MOST_PARTS = 500
BEGIN = re.compile(rb"(?:\A|(?<=\n\n)|(?<=\n\r\n)|(?<=\n))From [^\r\n]*\r?\n(?=[!-9;-~]+:|From )")
SIGNATURES = {"application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature"}
SEALED = {"application/pkcs7-mime", "application/x-pkcs7-mime", "multipart/encrypted"}
BROKEN = (ValueError, LookupError, TypeError, AttributeError, AssertionError, MessageError, RecursionError)
"""What the standard library raises on headers and bodies that break the rules."""


@dataclass(slots=True)
class _Found:
    """What a message is made of."""

    body: list[str] = field(default_factory=list)
    attached: list[Message] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    parts: int = 0


def read_mail(data: bytes, path: str, password: str | None = None) -> tuple[Document, ...]:
    """The message first, then its attachments as "path#name"; what cannot be read is a note on the message."""
    return tuple(documents(_parse(data), path, password, 0))


def read_mbox(data: bytes, path: str, password: str | None = None) -> tuple[Document, ...]:
    """The messages "path#1", "path#2" … of a mailbox, each followed by its attachments ("path#2#name").

    A message that cannot be read is a note on the first that can. Raises ReadError when none can.
    """
    found: list[Document] = []
    lost: list[int] = []
    for number, message in enumerate(_messages(data), 1):
        try:
            found += documents(_parse(message), f"{path}#{number}", password, 0)
        except (ReadError, *BROKEN):
            lost.append(number)
    if lost and not found:
        raise ReadError("none of the mailbox's messages can be read")
    if lost:
        note = f"{len(lost)} of its messages cannot be read: {', '.join(map(str, lost[:20]))}"
        found[0] = replace(found[0], notes=(*found[0].notes, note))
    return tuple(found)


def _messages(data: bytes) -> Iterator[bytes]:
    """The bytes of each message, without its "From " line and the escapes of such lines in its text."""
    begins = [(match.start(), match.end()) for match in BEGIN.finditer(data)]
    begins = [one for one in begins if one[0] == 0 or data[max(0, one[0] - 4) : one[0]].endswith((b"\n\n", b"\n\r\n"))]
    if not begins:
        yield data
        return
    for (_, start), (end, _) in zip(begins, [*begins[1:], (len(data), 0)], strict=True):
        yield re.sub(rb"(?m)^>(>*From )", rb"\1", data[start:end])


def _parse(data: bytes) -> Message:
    return email.message_from_bytes(data.lstrip(b"\r\n"), policy=email.policy.compat32)


def documents(message: Message, path: str, password: str | None, depth: int) -> Iterator[Document]:
    """A message and what is attached to it; `depth` is how many messages it lies in."""
    found = _Found()
    _gather(message, found)
    heads = [(name, header(message, name)) for name in SHOWN]
    text = "".join(f"{name}: {value}\n" for name, value in heads if value)
    body = "\n\n".join(part for part in (part.strip() for part in found.body) if part)
    text = f"{text}\n{body}\n" if body else text
    attached = []
    names: set[str] = set()
    for number, part in enumerate(found.attached, 1):
        name = _name(part, number, names)
        try:
            attached += _attachment(part, f"{path}#{name}", password, depth)
        except (ReadError, *BROKEN) as error:
            reason = str(error) if isinstance(error, ReadError) else "is broken"
            found.notes.append(f"attachment {name}: {reason}")
    title = heads[0][1] or PurePath(path).name
    sent = _date(message)
    yield Document(
        path,
        "mail",
        title[:300],
        text,
        modified=sent,
        hidden="\n".join(found.hidden),
        notes=tuple(found.notes),
    )
    yield from (one if one.modified else replace(one, modified=sent) for one in attached)


def _gather(part: Message, found: _Found) -> None:
    """Bodies and attachments below a part, in order; of alternatives the plain text, unless it is empty."""
    found.parts += 1
    if found.parts > MOST_PARTS:
        if found.parts == MOST_PARTS + 1:
            found.notes.append(f"only the first {MOST_PARTS} parts of the message are read")
        return
    kind = part.get_content_type()
    inner = (
        [one for one in payload if isinstance(one, Message)] if isinstance(payload := part.get_payload(), list) else []
    )
    if kind in SEALED:
        found.notes.append("the message, or a part of it, is encrypted")
    elif kind == "message/rfc822" and inner:
        found.attached.append(part)
    elif kind == "multipart/alternative" and inner:
        _gather_best(inner, found)
    elif inner:
        for one in inner:
            _gather(one, found)
    elif kind in SIGNATURES:
        return
    elif _is_body(part):
        found.body.append(_text(part, found))
    else:
        found.attached.append(part)


def _gather_best(parts: list[Message], found: _Found) -> None:
    """The first alternative in plain text that says something; else whichever says something, the last first."""
    plain = [part for part in parts if part.get_content_type() == "text/plain"]
    for part in [*plain, *(one for one in reversed(parts) if one not in plain)]:
        tried = _Found(parts=found.parts)
        _gather(part, tried)
        found.parts = tried.parts
        if any(text.strip() for text in tried.body):
            found.body += tried.body
            found.attached += tried.attached
            found.hidden += tried.hidden
            found.notes += tried.notes
            return
        found.attached += [one for one in tried.attached if one.get_content_type() != "text/calendar"]


def _is_body(part: Message) -> bool:
    """Whether a person sees this part as the message's own text."""
    kind = part.get_content_type()
    if kind == "message/delivery-status" or not part.get("content-type"):
        return True
    shown = str(part.get("content-disposition", "")).strip().lower()
    if shown.startswith("attachment") or (part.get_filename() and not shown.startswith("inline")):
        return False
    return kind in ("text/plain", "text/html", "text/enriched") or kind.startswith("multipart/")


def _bytes(part: Message) -> bytes:
    """The part's content with its transfer encoding undone."""
    payload = part.get_payload()
    if isinstance(payload, list):
        return b"\n".join(one.as_bytes() for one in payload if isinstance(one, Message))
    content = part.get_payload(decode=True)
    return content if isinstance(content, bytes) else b""


def _text(part: Message, found: _Found) -> str:
    """The words of a part that is text, its lines ended by a newline each."""
    data = _bytes(part)
    try:
        charset = part.get_content_charset() or "utf-8"
        text = data.decode("cp1252" if charset in ("iso-8859-1", "latin-1", "us-ascii") else charset)
    except (LookupError, ValueError):
        try:
            text, notes = decode(data)
        except ReadError as error:
            found.notes.append(f"a part of the message {error}")
            return ""
        found.notes += notes
    if part.get_content_type() == "text/html":
        from quoth.ingest.html import read_html

        try:
            shown = read_html(b"\xef\xbb\xbf" + text.encode("utf-8", "replace"), "message.html", None)
        except ReadError as error:
            found.notes.append(f"a part of the message is left out: {error}")
            return ""
        found.hidden += [one.hidden for one in shown if one.hidden]
        return "\n\n".join(one.text for one in shown)
    text = re.sub(r"\r\n?", "\n", text).replace("\x00", "\ufffd")
    return _unflow(text, part) if str(part.get_param("format", "")).lower() == "flowed" else text


def _unflow(text: str, part: Message) -> str:
    """The paragraphs of format=flowed text (RFC 3676), each on one line; quoted lines stay as they are."""
    joined = str(part.get_param("delsp", "")).lower() == "yes"
    lines: list[str] = []
    open_line = False
    for line in text.split("\n"):
        quoted = line.startswith(">")
        words = line.removeprefix(" ")
        if open_line and not quoted and words != "-- ":
            lines[-1] += words
        else:
            lines.append(words if not quoted else line)
        open_line = words.endswith(" ") and words != "-- " and not quoted
        if open_line and joined:
            lines[-1] = lines[-1][:-1]
    return "\n".join(lines)


def _attachment(part: Message, path: str, password: str | None, depth: int) -> list[Document]:
    from quoth.ingest import read_data

    payload = part.get_payload()
    if isinstance(payload, list) and payload and isinstance(payload[0], Message):
        inner = payload[0]
    else:
        data = _bytes(part)
        if not data.strip():
            return []
        kind = kinds.kind_of(path, data)
        if kind == "msg":
            from quoth.ingest.msg import message_of

            inner = message_of(data)
        elif kind == "mail":
            inner = _parse(data)
        else:
            return list(read_data(data, path, password))
    if depth >= DEEPEST:
        raise ReadError(f"lies more than {DEEPEST} messages deep")
    return list(documents(inner, path, password, depth + 1))


def _name(part: Message, number: int, taken: set[str]) -> str:
    """The attachment's name, fit for the end of a path and different from those taken."""
    try:
        given = part.get_filename()
    except BROKEN:
        given = None
    name = _decoded(collapse_rfc2231_value(given)) if given else ""
    if not name and part.get_content_type() == "message/rfc822":
        inner = part.get_payload()
        subject = header(inner[0], "Subject") if isinstance(inner, list) and isinstance(inner[0], Message) else ""
        name = f"{subject or f'message {number}'}.eml"
    if not name:
        ending = mimetypes.guess_extension(part.get_content_type()) or ""
        name = f"attachment {number}{ending}"
    name = re.sub(r"[/\\#\x00-\x1f\x7f]+", "_", name).strip()[-150:] or f"attachment {number}"
    stem, dot, ending = name.rpartition(".")
    unique, count = name, 1
    while unique in taken:
        count += 1
        unique = f"{stem} ({count}).{ending}" if dot and stem else f"{name} ({count})"
    taken.add(unique)
    return unique


def header(message: Message, name: str) -> str:
    """A header in plain words on one line, "" when it is missing."""
    value = next((value for key, value in message.raw_items() if key.lower() == name.lower()), None)
    return _decoded(str(value)) if value is not None else ""


def _decoded(value: str) -> str:
    """A header's words: bytes that stand there raw and RFC 2047's encoded words made readable."""
    raw = value.encode("utf-8", "surrogateescape")
    value = _readable(raw, "utf-8") if not value.isascii() else value
    value = re.sub(r"\r?\n[ \t]*|[\x00-\x08\x0b-\x1f]", " ", value)
    try:
        parts = decode_header(value) if "=?" in value else [(value, None)]
    except (HeaderParseError, *BROKEN):
        parts = [(value, None)]
    shown = (part if isinstance(part, str) else _readable(part, charset or "ascii") for part, charset in parts)
    return " ".join("".join(shown).split())


def _readable(raw: bytes, charset: str) -> str:
    for encoding in (charset, "utf-8", "cp1252"):
        try:
            return raw.decode(encoding)
        except (LookupError, ValueError):
            continue
    return raw.decode("latin-1")


def _date(message: Message) -> float:
    """POSIX seconds of the Date header, 0 when it is missing or none."""
    try:
        moment = parsedate_to_datetime(header(message, "Date"))
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return max(0.0, aware.astimezone(UTC).timestamp())
    except (*BROKEN, OverflowError):
        return 0.0
