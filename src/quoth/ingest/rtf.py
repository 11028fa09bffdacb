"""Rich text files (RTF) to a document: `read_rtf`, by a reader of its own that walks the groups without recursion.

Covered: code pages of the file and of its fonts, Unicode, paragraphs, headings by outline level or style name,
lists, tables as rows, footnotes, text boxes, hidden text. Not covered: page numbers, headers and footers, comments,
pictures, embedded objects, formulas; what a tracked change deleted is gone.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import PurePath

from quoth.errors import ReadError
from quoth.ingest.paragraphs import Paragraphs, one_line, tidy
from quoth.types import Document

DEEPEST = 2_000
"""Groups inside each other."""
TOKEN = re.compile(
    rb"\\([A-Za-z]{1,32})(-?\d{1,10})? ?|((?:\\'[0-9A-Fa-f]{2}){1,4000})|\\([^A-Za-z])|([{}])|([^\\{}]+)|\\",
    re.S,
)
CHARSETS = {
    0: "", 1: "", 2: "", 77: "mac_roman", 128: "cp932", 129: "cp949", 130: "johab", 134: "cp936", 136: "cp950",
    161: "cp1253", 162: "cp1254", 163: "cp1258", 177: "cp1255", 178: "cp1256", 186: "cp1257", 204: "cp1251",
    222: "cp874", 238: "cp1250", 254: "cp437", 255: "cp850",
}  # fmt: skip
"""The code page of a font's character set; "" is the file's own."""
SETS = {"ansi": "cp1252", "mac": "mac_roman", "pc": "cp437", "pca": "cp850"}
SIGNS = {
    "tab": "\t", "line": "\n", "emdash": "—", "endash": "–", "lquote": "‘", "rquote": "’", "ldblquote": "“",
    "rdblquote": "”", "bullet": "•", "emspace": " ", "enspace": " ", "qmspace": " ", "zwj": "\u200d",
    "zwnj": "\u200c", "nestcell": " | ", "nestrow": "\n",
}  # fmt: skip
SYMBOLS = {b"~": "\xa0", b"_": "-", b"{": "{", b"}": "}", b"\\": "\\", b"\n": "\n", b"\r": "\n", b"\t": "\t"}
PARAGRAPHS = {"par", "page", "sect", "column"}
SILENT = set(
    str.split(
        "colortbl pict header headerl headerr headerf footer footerl footerr footerf annotation fldinst xe tc tcn"
        " listtable listoverridetable rsidtbl generator themedata colorschememapping latentstyles datastore xmlnstbl"
        " objdata objclass objname nonshppict shprslt nonesttables sp filetbl revtbl upr private bkmkstart bkmkend"
        " atnid atnauthor atntime atnref atndate author operator subject keywords comment doccomm company manager"
        " category hlinkbase pn pnseclvl ftnsep ftnsepc ftncn aftnsep aftnsepc aftncn panose falt fontemb htmltag"
        " creatim revtim printim buptim"
    )
)
"""Destinations that hold no text of the page."""
KNOWN = {"shpinst", "shptxt", "do", "dptxbxtext", "ud", "footnote", "info", "title", "nesttableprops", "pntext"}
"""Destinations that are read although a file may mark them as skippable."""
HEADING = re.compile(r"heading ([1-9])", re.I)
LOOKS = {"f", "s", "v", "plain", "pard", "deleted", "outlinelevel", "htmlrtf"}
TABLES = {"trowd", "intbl", "cell", "row", "trhdr"}


@dataclass(slots=True)
class _State:
    """What a group inherits and its end takes back."""

    to: str = "text"
    """Where words go: "text", "note", "box" (of text), "sign" (of a list item), "title", "styles", "" for nowhere."""
    encoding: str = ""
    hidden: bool = False
    deleted: bool = False
    skip: int = 1
    """Characters after a \\u that say the same in a code page."""
    upr: bool = False


@dataclass(slots=True)
class _Rich:
    """A file while it is read."""

    flow: Paragraphs = field(default_factory=Paragraphs)
    state: _State = field(default_factory=_State)
    above: list[_State] = field(default_factory=list)
    encoding: str = "cp1252"
    fonts: dict[int, str] = field(default_factory=dict)
    levels: dict[int, int] = field(default_factory=dict)
    font: int = 0
    """The font whose table entry is being read; `usual` is the one that text begins with."""
    usual: int = 0
    style: int = 0
    waiting: int = 0
    """Characters that only say a \\u again and are still to come."""
    raw: bytearray = field(default_factory=bytearray)
    words: dict[str, list[str]] = field(default_factory=dict)
    after: list[str] = field(default_factory=list)
    """Notes and text boxes that stand after the paragraph being read."""
    noted: int = 0
    level: int = 0
    rows: list[list[str]] = field(default_factory=list)
    cells: list[str] = field(default_factory=list)
    in_row: bool = False
    in_table: bool = False
    header: bool = False
    star: bool = False
    changed: dict[str, int] = field(default_factory=dict)
    title: str = ""
    modified: float = 0.0


def read_rtf(data: bytes, path: str, password: str | None = None) -> tuple[Document, ...]:
    """The one document of a rich text file; headings are marks, a table row is a line.

    Raises ReadError for what is no RTF, and for groups nested beyond measure.
    """
    if not data.startswith(b"{\\rtf"):
        raise ReadError("is no rich text file (RTF)", "open it in a word processor and save it anew")
    rich, at = _Rich(), 0
    while at < len(data):
        match = TOKEN.match(data, at)
        if match is None:
            break
        at = match.end()
        word, number, codes, symbol, brace, run = match.groups()
        if word is not None:
            if word == b"bin":
                at += max(0, int(number or 0))
            else:
                _control(rich, word.decode("ascii"), int(number) if number is not None else None)
        elif codes is not None:
            _bytes(rich, bytes.fromhex(codes.replace(b"\\'", b"").decode("ascii")))
        elif run is not None:
            _bytes(rich, run.replace(b"\r", b"").replace(b"\n", b"").replace(b"\0", b""))
        elif brace == b"{":
            _open(rich)
        elif brace == b"}":
            if not rich.above:
                break
            _close(rich)
        elif symbol is not None:
            _symbol(rich, symbol)
    _decode(rich)
    while rich.above:
        _close(rich)
    _paragraph(rich)
    _end_table(rich)
    title = rich.title or next((mark.value for mark in rich.flow.marks), "") or PurePath(path).name
    return (rich.flow.document(path, "rtf", title, rich.modified),)


def _open(rich: _Rich) -> None:
    _decode(rich)
    if len(rich.above) >= DEEPEST:
        raise ReadError(f"the file nests groups more than {DEEPEST:,} deep", "open it in a word processor")
    rich.above.append(rich.state)
    was = rich.state
    rich.state = _State(was.to, was.encoding, was.hidden, was.deleted, was.skip)  # dataclasses.replace is slow
    rich.waiting, rich.star = 0, False


def _close(rich: _Rich) -> None:
    _decode(rich)
    was, rich.state = rich.state, rich.above.pop()
    rich.waiting, rich.star = 0, False
    if was.to == "styles":
        heading = HEADING.match(_taken(rich, "styles").strip())
        rich.levels.update({rich.style: int(heading[1])} if heading else {})
        rich.style = 0
    if was.to == rich.state.to:
        return
    said = _taken(rich, was.to) if was.to in ("title", "note", "box", "sign") else ""
    if was.to == "title":
        rich.title = rich.title or one_line(tidy(said))
    elif was.to == "note":
        rich.after.append(f"[{rich.noted}] {' '.join(tidy(said).split())}")
    elif was.to == "box":
        rich.after += said.split("\n")
    elif was.to == "sign" and rich.state.to == "text":
        sign = tidy(said)
        rich.words["listed"] = [f"{sign} " if sign[:1].isalnum() or sign[:1] == "(" else "- "]
    elif was.to == "times":
        _times(rich)


def _control(rich: _Rich, word: str, number: int | None) -> None:
    """What a control word does."""
    if rich.waiting and word in SIGNS:
        rich.waiting -= 1
        return
    _decode(rich)
    rich.waiting = 0
    star, rich.star = rich.star, False
    state = rich.state
    if word in SILENT or word in KNOWN or word in ("fonttbl", "stylesheet", "listtext"):
        _destination(rich, word)
    elif star:
        state.to = ""
    elif word == "u" and number is not None:
        _say(rich, chr(number % 65_536))
        rich.waiting = state.skip
    elif word == "uc":
        state.skip = max(0, min(number or 0, 16))
    elif word in SIGNS:
        _say(rich, SIGNS[word])
    elif word in PARAGRAPHS:
        _break(rich)
    elif state.to == "fonts":
        _font(rich, word, number)
    elif state.to == "styles":
        _styling(rich, word, number)
    elif state.to == "times":
        rich.changed[word] = number or 0
    elif word in LOOKS:
        _look(rich, word, number)
    elif word in TABLES:
        _tabular(rich, word)
    elif word == "chftn":
        _say(rich, f"[{rich.noted + 1}]" if state.to == "text" else "")
    elif word in SETS:
        rich.encoding = SETS[word]
    elif word == "deff":
        rich.usual = number or 0
    elif word == "ansicpg" and number:
        rich.encoding = _known(f"cp{number}") or rich.encoding


def _destination(rich: _Rich, word: str) -> None:
    state = rich.state
    if word == "ud":
        state.to = rich.above[-2].to if len(rich.above) > 1 and rich.above[-1].upr else state.to
    elif word == "revtim" or word == "creatim":
        state.to = "times" if state.to == "info" else ""
        rich.changed = {}
    elif word in SILENT:
        state.to, state.upr = "", word == "upr"
    elif word == "fonttbl":
        state.to = "fonts"
    elif word == "stylesheet":
        state.to, rich.style = "styles", 0
    elif word == "info":
        state.to = "info"
    elif word == "title":
        state.to = "title" if state.to == "info" else state.to
    elif word in ("listtext", "pntext"):
        state.to = "sign" if state.to == "text" else state.to
    elif word in ("shptxt", "dptxbxtext") and state.to == "text":
        state.to = "box"
    elif word == "footnote" and state.to == "text":
        state.to = "note"
        rich.noted += 1


def _look(rich: _Rich, word: str, number: int | None) -> None:
    """Fonts, hidden text and paragraph styles."""
    state = rich.state
    if word == "f":
        state.encoding = rich.fonts.get(number or 0, "")
    elif word in ("v", "deleted", "htmlrtf"):
        on = number != 0
        if word == "v":
            state.hidden = on
        else:
            state.deleted = on
    elif word == "plain":
        state.hidden, state.encoding = False, rich.fonts.get(rich.usual, "")
    elif word == "pard":
        rich.level, rich.in_table = 0, False
    elif word == "s":
        rich.level = rich.levels.get(number or 0, rich.level)
    elif word == "outlinelevel":
        rich.level = number + 1 if number is not None and 0 <= number < 9 else 0


def _tabular(rich: _Rich, word: str) -> None:
    if rich.state.to != "text":
        _say(rich, {"cell": " | ", "row": "\n"}.get(word, ""))
    elif word == "trowd":
        rich.in_row = True
    elif word == "intbl":
        rich.in_table = True
    elif word == "trhdr":
        rich.header = rich.header or not rich.rows
    elif word == "cell":
        rich.cells.append(" ".join(tidy(_taken(rich, "text")).split()))
        rich.words.pop("listed", None)
        rich.in_row = True
    elif rich.in_row or rich.cells:
        rich.rows.append(rich.cells)
        rich.cells, rich.in_row = [], False


def _break(rich: _Rich) -> None:
    """The end of a paragraph, in a cell only of a line."""
    if rich.state.to == "text" and not (rich.in_table or rich.cells):
        _paragraph(rich)
    else:
        _say(rich, "\n")


def _paragraph(rich: _Rich) -> None:
    """The words so far as a paragraph, after the table that they end and before their notes."""
    words, sign = _taken(rich, "text"), _taken(rich, "listed")
    if tidy(words):
        _end_table(rich)
    rich.flow.paragraph(words, rich.level, bool(sign), sign)
    rich.flow.hide(_taken(rich, "hidden"))
    if not rich.in_row:
        _lay_after(rich)


def _end_table(rich: _Rich) -> None:
    rows = [*rich.rows, rich.cells] if rich.cells else rich.rows
    if all(len(row) < 2 for row in rows):
        for row in rows:
            rich.flow.paragraph("".join(row))
    else:
        rich.flow.table(rows, sure=rich.header)
    rich.rows, rich.cells, rich.header = [], [], False
    if rows:
        _lay_after(rich)


def _lay_after(rich: _Rich) -> None:
    for words in rich.after:
        rich.flow.paragraph(words)
    rich.after = []


def _taken(rich: _Rich, name: str) -> str:
    """The words gathered under a name, which begins anew; halves of characters beyond 16 bits are joined."""
    words = "".join(rich.words.pop(name, ()))
    halved = any("\ud800" <= one <= "\udfff" for one in words)
    return words.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace") if halved else words


def _symbol(rich: _Rich, symbol: bytes) -> None:
    if rich.waiting:
        rich.waiting -= 1
        return
    _decode(rich)
    if symbol == b"*":
        rich.star = True
    elif symbol in (b"\n", b"\r"):
        _break(rich)
    elif symbol in SYMBOLS:
        _say(rich, SYMBOLS[symbol])


def _bytes(rich: _Rich, data: bytes) -> None:
    """Characters in a code page, less those that only repeat a \\u; they wait for the rest of a double byte."""
    if rich.waiting:
        rich.waiting, data = max(0, rich.waiting - len(data)), data[rich.waiting :]
    if rich.state.to:
        rich.raw += data


def _decode(rich: _Rich) -> None:
    if rich.raw:
        encoding = rich.state.encoding or rich.encoding
        text = bytes(rich.raw).decode(encoding, "replace")
        rich.raw.clear()
        _say(rich, text)


def _say(rich: _Rich, text: str) -> None:
    """Words to where they go now."""
    _decode(rich)
    state = rich.state
    if state.deleted or not state.to or state.to in ("fonts", "info", "times"):
        return
    name = "hidden" if state.hidden and state.to in ("text", "note") else state.to
    rich.words.setdefault(name, []).append(text)


def _font(rich: _Rich, word: str, number: int | None) -> None:
    if word == "f":
        rich.font = number or 0
    elif word == "fcharset":
        rich.fonts[rich.font] = CHARSETS.get(number or 0, "")
    elif word == "cpg" and number:
        rich.fonts[rich.font] = _known(f"cp{number}")


def _styling(rich: _Rich, word: str, number: int | None) -> None:
    if word == "s":
        rich.style = number or 0
    elif word == "outlinelevel" and number is not None and 0 <= number < 9:
        rich.levels[rich.style] = number + 1


def _known(encoding: str) -> str:
    """The encoding if there is one of this name, else ""."""
    try:
        return codecs.lookup("mac_roman" if encoding == "cp10000" else encoding).name
    except LookupError:
        return "utf-8" if encoding == "cp65001" else ""


def _times(rich: _Rich) -> None:
    """The time that the file states, without a zone: taken as UTC."""
    at = rich.changed
    try:
        when = datetime(
            at.get("yr", 0), at.get("mo", 1), at.get("dy", 1), at.get("hr", 0), at.get("min", 0), tzinfo=UTC
        )
        rich.modified = max(rich.modified, when.timestamp())
    except (ValueError, OverflowError):
        return
