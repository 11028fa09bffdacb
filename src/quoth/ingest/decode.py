"""Bytes to characters. Newlines stay as they are, so that characters and lines are the file's own."""

from __future__ import annotations

import codecs
import re
import unicodedata

from quoth.errors import ReadError
from quoth.ingest.kinds import wide

MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
SAMPLE = 32_768
"""How many bytes the encoding is guessed from: more does not make the guess better, only slower."""

DECLARED = re.compile(
    rb"<\?xml[^>]*\bencoding\s*=\s*[\"']([\w.:-]+)|<meta[^>]*\bcharset\s*=\s*[\"']?\s*([\w.:-]+)|coding[:=]\s*([\w.-]+)",
    re.I,
)


def decode(data: bytes) -> tuple[str, tuple[str, ...]]:
    """The text without its byte order mark, and a sentence for every loss.

    Tried in this order: byte order mark, UTF-8, UTF-16 or -32 without a mark, what the text itself
    declares (XML, HTML, an editor's line), a guess. Raises ReadError when no encoding gives text.
    """
    for mark, encoding in MARKS:
        if data.startswith(mark):
            return _checked(data[len(mark) :].decode(encoding, "replace"), encoding)
    encoding = (wide(data) if b"\x00" in data[:4096] else None) or "utf-8"
    try:
        return _checked(data.decode(encoding), encoding)
    except UnicodeDecodeError as error:
        if encoding != "utf-8" or _nearly_utf8(data, error):
            return _checked(data.decode(encoding, "replace"), encoding)
    for guess in (_declared(data), _guessed(data)):
        if guess:
            text = data.decode(guess, "replace")
            if text.count("\ufffd") * 100 <= len(text):
                return _checked(text, guess)
    return _checked(data.decode("cp1252", "replace"), "cp1252")


def _nearly_utf8(data: bytes, error: UnicodeDecodeError) -> bool:
    """Whether this is UTF-8 with a few broken bytes rather than another encoding."""
    text = data.decode("utf-8", "replace")
    broken = text.count("\ufffd")
    return sum(ord(one) > 127 for one in text[:SAMPLE]) >= broken * 10 or (
        error.start > len(data) - 4 and not data[: error.start].isascii()
    )


def _declared(data: bytes) -> str | None:
    match = DECLARED.search(data[:2048])
    name = next((part for part in match.groups() if part), b"").decode("ascii") if match else ""
    try:
        # browsers and feeds say "x-mac-cyrillic" and "x-sjis"
        known = name.lower().removeprefix("x-").replace("cp-", "cp")
        found = codecs.lookup("shift_jis" if known == "sjis" else known).name if name else None
    except LookupError:
        return None
    wider = {
        "iso8859-1": "cp1252",
        "iso8859-9": "cp1254",
        "gb2312": "gb18030",
        "euc_kr": "cp949",
        "shift_jis": "cp932",
    }
    return None if found is None or found.startswith(("utf-16", "utf-32")) else wider.get(found, found)


def _guessed(data: bytes) -> str | None:
    from charset_normalizer import from_bytes

    sample = data[:SAMPLE]
    if len(data) > SAMPLE and b"\n" in sample:
        sample = sample[: sample.rindex(b"\n") + 1]
    best = from_bytes(sample).best()
    return best.encoding if best else None


def _checked(text: str, encoding: str) -> tuple[str, tuple[str, ...]]:
    """The text fit to be kept, or ReadError if it is rubbish: control, private and replaced characters."""
    sample = text[:SAMPLE]
    odd = sum(sample.count(one) for one in set(sample) if _odd(one))
    if odd * 20 > len(sample):
        raise ReadError("is binary, or text in an encoding that is not known", "save it as UTF-8 text")
    notes = []
    broken = text.count("\ufffd")
    if broken:
        notes.append(f"{broken} characters could not be read as {encoding} and stand as \ufffd")
    if "\x00" in text:
        notes.append(f"{text.count(chr(0))} NUL characters stand as \ufffd")
        text = text.replace("\x00", "\ufffd")
    if any("\ud800" <= one <= "\udfff" for one in SURROGATES.findall(text)):
        text = SURROGATES.sub("\ufffd", text)
    return text, tuple(notes)


SURROGATES = re.compile("[\ud800-\udfff]")
SPACES = frozenset("\t\n\r\x0b\x0c\x1b\x07\x08\x85")


def _odd(one: str) -> bool:
    if " " <= one <= "~" or one in SPACES:
        return False
    return one == "\ufffd" or unicodedata.category(one) in ("Cc", "Co", "Cn")
