"""What kind of file this is, by its bytes first and its name second.

A new kind is one row in KINDS; if its bytes can tell, also one row in MAGIC or one test in `_by_structure`.
"""

from __future__ import annotations

import codecs
import io
import re
import zipfile
import zlib
from pathlib import PurePath
from typing import NamedTuple

from quoth.errors import ReadError

HEAD = 65_536
"""How many bytes from the start of a file are enough to tell its kind."""


class Kind(NamedTuple):
    """A readable kind: "module:function" of its reader, and the endings that name it."""

    reader: str
    endings: tuple[str, ...]


CODE = str.split(
    "py pyi pyw ipy js mjs cjs jsx ts tsx vue svelte java kt kts scala groovy gradle clj cljs go rs c h cc cpp cxx hpp "
    "hh m mm cs fs vb swift dart php rb pl pm lua r jl hs elm ex exs erl ml mli lisp el scm nim zig d v sv vhd sql "
    "sh bash zsh fish ps1 psm1 bat cmd awk sed css scss sass less "
    "properties env xsd xsl xslt plist tf hcl proto thrift graphql gql cmake "
    "make mk diff patch asm s f f90 f95 pas sol tcl nix bzl dockerfile"
)

KINDS: dict[str, Kind] = {
    "text": Kind("text:read_text", ("txt", "text", "log")),
    "markdown": Kind("markdown:read_markdown", ("md", "markdown", "mdown", "mkd", "mkdn", "mdx", "qmd", "rmd")),
    "html": Kind("html:read_html", ("html", "htm", "xhtml", "shtml")),
    "pdf": Kind("pdf:read_pdf", ("pdf",)),
    "docx": Kind("office:read_docx", ("docx", "docm", "dotx")),
    "xlsx": Kind("office:read_xlsx", ("xlsx", "xlsm", "xltx")),
    "pptx": Kind("slides:read_pptx", ("pptx", "pptm", "potx", "potm", "ppsx", "ppsm")),
    "odt": Kind("opendocument:read_odt", ("odt", "ott", "fodt")),
    "ods": Kind("opensheets:read_ods", ("ods", "ots", "fods")),
    "odp": Kind("opendocument:read_odp", ("odp", "otp", "fodp")),
    "rtf": Kind("rtf:read_rtf", ("rtf",)),
    "epub": Kind("books:read_epub", ("epub",)),
    "fb2": Kind("books:read_fb2", ("fb2", "fbz")),
    "csv": Kind("tables:read_csv", ("csv", "tsv", "tab")),
    "mail": Kind("mail:read_mail", ("eml",)),
    "mbox": Kind("mail:read_mbox", ("mbox", "mbx")),
    "rst": Kind("rst:read_rst", ("rst", "rest")),
    "org": Kind("org:read_org", ("org",)),
    "asciidoc": Kind("asciidoc:read_asciidoc", ("adoc", "asciidoc", "asc")),
    "latex": Kind("latex:read_latex", ("tex", "ltx", "latex")),
    "msg": Kind("msg:read_msg", ("msg", "oft")),
    "doc": Kind("doc:read_doc", ("doc", "dot")),
    "xls": Kind("xls:read_xls", ("xls", "xlt")),
    "ppt": Kind("ppt:read_ppt", ("ppt", "pps", "pot")),
    "sealed": Kind("sealed:read_sealed", ()),
    "subtitles": Kind("subtitles:read_subtitles", ("srt", "vtt")),
    "json": Kind("json:read_json", ("json", "jsonl", "ndjson", "jsonc", "json5", "geojson", "canvas")),
    "yaml": Kind("settings:read_yaml", ("yaml", "yml")),
    "xml": Kind("xml:read_xml", ("xml", "rss", "atom", "rdf", "opml", "dbk", "docbook")),
    "toml": Kind("settings:read_toml", ("toml", "ini", "cfg", "conf")),
    "notebook": Kind("notebook:read_notebook", ("ipynb",)),
    "image": Kind("images:read_image", ("png", "jpg", "jpeg", "tif", "tiff", "bmp", "webp", "gif")),
    "code": Kind("text:read_code", tuple(CODE)),
}
ENDINGS = {ending: name for name, kind in KINDS.items() for ending in kind.endings}
READABLE = " ".join(sorted(KINDS))
"""What this version reads: a library that was filled by another looks again at what it had left out."""
BYTES = {*str.split("pdf docx xlsx pptx odt ods odp rtf epub fb2 msg doc xls ppt image")}
"""Kinds whose bytes always tell: their ending alone is not believed."""

ZIPPED = {
    "docx": b"word/document",
    "xlsx": b"xl/workbook.xml",
    "pptx": b"ppt/presentation.xml",
    "epub": b"META-INF/container.xml",
}
"""How the name of a zip's main part begins in an Office file or book of this kind."""
MIMETYPES = {
    "epub": b"application/epub+zip",
    "odt": b"application/vnd.oasis.opendocument.text",
    "ods": b"application/vnd.oasis.opendocument.spreadsheet",
    "odp": b"application/vnd.oasis.opendocument.presentation",
}
"""How the entry "mimetype" of a zip begins in a file of this kind, and what a flat OpenDocument file says of itself."""
SLIDES = {"pptx", "odp", "ppt"}
"""Kinds whose pages are called slides."""

STREAMS: tuple[tuple[str, str], ...] = (
    ("encryptedpackage", "sealed"),
    ("__properties_version1.0", "msg"),
    ("worddocument", "doc"),
    ("workbook", "xls"),
    ("book", "xls"),
    ("powerpoint document", "ppt"),
    ("pp97_dualstorage/powerpoint document", "ppt"),
)
"""A stream of a compound file, and the kind that has it; the first that is there decides."""
BARE_SHEETS = (b"\x09\0\x04\0", b"\x09\x02\x06\0", b"\x09\x04\x06\0", b"\x09\x08\x08\0", b"\x09\x08\x10\0")
"""How an Excel file begins that lies in no compound file: Excel 2, 3, 4 and what other programs write."""
COMPOUND = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
COMPOUNDS: tuple[tuple[str, str], ...] = (
    ("visiodocument", "a Visio drawing"),
    ("quill/quillsub/contents", "a Publisher file"),
    ("pp40", "a presentation from before PowerPoint 97"),
    ("fileheader", "a Hangul document (HWP)"),
    ("matost", "a Works document"),
    ("starwriterdocument", "a StarOffice text"),
    ("starcalcdocument", "a StarOffice table"),
    ("catalog", "a cache of thumbnails"),
    ("\u4840\u3f7f\u4164\u422f\u4836", "a Windows installer"),
)
"""A stream of a compound file that is of no readable kind, and what the file is."""

MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG\r\n", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"II*\x00", "a TIFF image"),
    (b"MM\x00*", "a TIFF image"),
    (b"BM", "a bitmap image"),
    (b"\x00\x00\x01\x00", "an icon"),
    (b"8BPS", "a Photoshop image"),
    (b"wOFF", "a font"),
    (b"wOF2", "a font"),
    (b"\x00\x01\x00\x00\x00", "a font"),
    (b"OTTO", "a font"),
    (b"ID3", "an MP3 recording"),
    (b"fLaC", "a FLAC recording"),
    (b"OggS", "an Ogg recording"),
    (b"\x1aE\xdf\xa3", "a Matroska video"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ\x00", "an xz archive"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"Rar!", "a RAR archive"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a Windows program"),
    (b"\xcf\xfa\xed\xfe", "a program"),
    (b"\xca\xfe\xba\xbe", "a program"),
    (b"\x00asm", "a WebAssembly program"),
    (b"SQLite format 3\x00", "an SQLite database"),
    (COMPOUND, "an old Office file"),
    (b"%!PS", "a PostScript file"),
    (b"\xdb\xa5-\0", "a document from before Word 6"),
    (b"1\xbe\0\0", "a document of Word for DOS"),
    (b"\xffWPC", "a WordPerfect document"),
    (b"!<arch>", "a library archive"),
)
ZIPS: tuple[tuple[bytes, str], ...] = (
    (b"word/", "a Word file"),
    (b"xl/workbook.bin", "a binary Excel file (XLSB)"),
    (b"xl/", "an Excel file"),
    (b"ppt/", "a PowerPoint file"),
    (b"visio/", "a Visio file"),
    (b"mimetypeapplication/epub+zip", "an EPUB book"),
    (b"mimetypeapplication/vnd.oasis.opendocument", "an OpenDocument file"),
    (b"META-INF/MANIFEST.MF", "a Java archive"),
)
PACKAGES = frozenset(("[Content_Types].xml", "mimetype", "META-INF/MANIFEST.MF", "AndroidManifest.xml"))
"""Members that make a zip something else than a folder of files."""
PACKED = {"gzip": b"\x1f\x8b\x08", "bzip2": b"BZh", "xz": b"\xfd7zXZ\x00"}
COMPRESSED = frozenset(("gz", "bz2", "xz"))
"""Endings that a compressed file adds to the name of what is in it."""
IMAGES = {f"a {name} image" for name in ("PNG", "JPEG", "GIF", "TIFF", "bitmap", "WebP")}
"""What `describe` calls the images that OCR reads."""
FIELD = re.compile(rb"^(?:From |[!-9;-~]+:)")
KNOWN = re.compile(
    rb"^(from|to|cc|subject|date|message-id|received|return-path|mime-version|delivered-to|reply-to"
    rb"|content-type|x-[!-9;-~]+)[ \t]*:",
    re.I | re.M,
)
MBOX = re.compile(rb"From \S+ .*\d{1,2}:\d{2}.*\d{4}|From \S+@\S+ ")
PROLOGUE = rb"(?>\s*(?:<\?xml[^>]*\?>\s*|<!--.*?-->\s*|<!doctype svg[^>]*>\s*)*)"
"""What may stand before the first element; atomic, for else many comments have many ways to be none."""
PAGE = re.compile(PROLOGUE + rb"<(?:!doctype\s+html|html|head|body|meta|title)\b", re.I | re.S)
FLAT = re.compile(PROLOGUE + rb"<office:document\s[^>]*\boffice:mimetype\s*=\s*[\"']([\w./-]+)", re.S)
FICTION = re.compile(PROLOGUE + rb"<(?:\w+:)?FictionBook\b", re.S)
DRAWING = re.compile(PROLOGUE + rb"<svg\b", re.I | re.S)


def kind_of(path: str, head: bytes) -> str | None:
    """The name of the kind, or None when Quoth cannot read such a file; `describe` then says what it is.

    `head` is the start of the file, HEAD bytes or more; the whole file is fine too.
    """
    name = ENDINGS.get(ending(path))
    if b"%PDF-" in head[:1024] and not head.startswith(b"PK\x03\x04") and not is_tar(head):
        return "pdf"
    if head.startswith(b"PK\x03\x04"):
        return _by_zip(path, head)
    if head.startswith(BARE_SHEETS):
        return "xls"
    if head.startswith(COMPOUND):
        streams = _streams(head)
        found = next((kind for stream, kind in STREAMS if stream in streams), None)
        # where damage hides the streams, the reader that its name asks for says what is broken
        return found or (name if name in ("msg", "doc", "xls", "ppt") and not streams else None)
    if head.startswith(b"{\\rtf"):
        return "rtf"
    head = head[:HEAD]
    if not is_text(head):
        return "image" if describe(head, path) in IMAGES and (head[:2] != b"BM" or _is_bitmap(head)) else None
    if DRAWING.match(_plain(head)):
        return None
    return _by_structure(_plain(head), name) or (name if name not in BYTES else None) or "text"


def _by_zip(path: str, head: bytes) -> str | None:
    """The kind that a zip's main part or its entry "mimetype" tells."""
    said, names = _mimetype(head), _names(head)
    told = [kind for kind, mimetype in MIMETYPES.items() if said.startswith(mimetype)]
    told += [kind for kind, part in ZIPPED.items() if any(name.startswith(part) for name in names)]
    if path.lower().endswith((".fb2.zip", ".fbz")) and any(name.endswith(b".fb2") for name in names):
        told.append("fb2")
    return told[0] if told else None


def pages(path: str) -> str:
    """What a person calls the numbered parts of such a file: "page" or "slide"."""
    return "slide" if ENDINGS.get(ending(path)) in SLIDES else "page"


def describe(head: bytes, path: str) -> str:
    """What a file of no readable kind is, as a person would say it: "a PNG image"."""
    if head.startswith(b"PK\x03\x04"):
        return next((words for mark, words in ZIPS if mark in head), "a zip archive")
    if head.startswith(COMPOUND):
        streams = _streams(head)
        return next((words for stream, words in COMPOUNDS if stream in streams), "an old Office file")
    if head[4:8] == b"ftyp":
        return "a HEIC image" if head[8:11] in (b"hei", b"mif") else "a video"
    if head.startswith(b"RIFF"):
        return {b"WEBP": "a WebP image", b"WAVE": "a WAV recording"}.get(head[8:12], "a video")
    if is_tar(head):
        return "a tar archive"
    if DRAWING.match(_plain(head)):
        return "an SVG image"
    known = next((words for mark, words in MAGIC if head.startswith(mark) and not is_text(head[:HEAD])), None)
    named = next((words for mark, words in MAGIC if len(mark) > 3 and head.startswith(mark)), None)
    return known or named or "a binary file"


def archive_of(path: str, data: bytes) -> str | None:
    """ "zip", "tar", "gzip", "bzip2" or "xz" for a whole file that is such an archive and no document in one."""
    if data.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "zip" if kind_of(path, data) is None and not _is_package(data) else None
    if data.startswith(b"BZh") and data[4:10] not in (b"1AY&SY", b"\x17rE8P\x90"):
        return None
    packed = next((name for name, mark in PACKED.items() if data.startswith(mark)), None)
    return packed or ("tar" if is_tar(data) else None)


def is_tar(head: bytes) -> bool:
    """Whether this is the start of a tar archive: its mark, or in archives older than that its sum."""
    if head[257:262] == b"ustar":
        return True
    try:
        said = int(head[148:156].strip(b"\0 "), 8)
    except ValueError:
        return False
    return head[:1] != b"\0" and said == sum(head[:148]) + 8 * 32 + sum(head[156:512])


def _is_package(data: bytes) -> bool:
    """Whether a zip is a document or a program to people: Office, OpenDocument, EPUB, Java, Android."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return not PACKAGES.isdisjoint(archive.namelist())
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError):
        return any(mark in data[:HEAD] for mark, _ in ZIPS)


def ending(path: str) -> str:
    """What follows the last dot of the file's name, in small letters; the whole name for Makefile and such."""
    name = PurePath(path).name.lower()
    if name in ("makefile", "gnumakefile", "dockerfile", "rakefile", "gemfile", "justfile", "cmakelists.txt"):
        return "make"
    return name.rpartition(".")[2] if "." in name else ""


def is_text(head: bytes) -> bool:
    """Whether these bytes are text in some encoding: hardly any control characters, and NULs only in UTF-8, -16, -32.

    A stray NUL in UTF-8 is what a crash leaves in a log: the words around it are still read.
    """
    if head.startswith((b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf", b"\x00\x00\xfe\xff")):
        return True
    if any(head.startswith(mark) for mark, _ in MAGIC if len(mark) > 3):
        return False
    if b"\x00" in head:
        encoding = wide(head)
        if encoding:
            head = head[:4096].decode(encoding, "ignore").encode("utf-8", "ignore")
        elif not _is_utf8(head):
            return False
    odd = len(head) - len(head.translate(None, CONTROL))
    return odd * 50 <= len(head)


def _is_utf8(head: bytes) -> bool:
    """Whether these bytes are UTF-8; the last character may be cut off."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return True


CONTROL = bytes(set(range(32)) - {7, 8, 9, 10, 11, 12, 13, 27}) + b"\x7f"


def wide(head: bytes) -> str | None:
    """The UTF-16 or UTF-32 that text without a byte order mark is in, by where its NULs stand; else None."""
    sample = head[: min(len(head), 4096) // 4 * 4]
    if sample.count(0) < 2:  # one may be damage
        return None
    zeros = [sample[step::4].count(0) * 4 / len(sample) for step in range(4)]
    low, high = (zeros[0] + zeros[2]) / 2, (zeros[1] + zeros[3]) / 2
    if min(zeros[1:]) > 0.7 and zeros[0] < 0.3:
        return "utf-32-le"
    if min(zeros[:3]) > 0.7 and zeros[3] < 0.3:
        return "utf-32-be"
    if high > 0.4 and low < 0.1:
        return "utf-16-le"
    return "utf-16-be" if low > 0.4 and high < 0.1 else None


def _plain(head: bytes) -> bytes:
    """The start without a byte order mark, and narrowed to one byte a character where it is UTF-16 or -32."""
    if head.startswith(b"\xef\xbb\xbf"):
        return head[3:]
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\x00" in head:
        return head.replace(b"\xff\xfe", b"").replace(b"\xfe\xff", b"").replace(b"\x00", b"")
    return head


def _by_structure(head: bytes, named: str | None) -> str | None:
    """The kind that the text itself shows, where it shows one."""
    if PAGE.match(head) and named != "code" and (named != "xml" or b"<html" in head[:2048].lower()):
        return "html"
    if flat := FLAT.match(head):
        return next((kind for kind, mimetype in MIMETYPES.items() if flat[1].startswith(mimetype)), None)
    if FICTION.match(head):
        return "fb2"
    if MBOX.match(head) and _fields(head.partition(b"\n")[2]) > 1:
        return "mail" if named == "mail" else "mbox"
    if named not in ("code", "mail", "mbox", "yaml", "toml") and _fields(head) > 2:
        return "mail"
    if head.lstrip()[:1] == b"{" and b'"nbformat"' in head and b'"cells"' in head:
        return "notebook"
    if named == "mbox":
        return "mail" if _fields(head) > 1 else "text"
    return "code" if named is None and head.startswith(b"#!") else None


def _fields(head: bytes) -> int:
    """How many different well-known mail headers the block at the very start has; 0 if it is no such block."""
    block = re.split(rb"\r?\n\r?\n", head.lstrip(b"\r\n"), maxsplit=1)[0]
    lines = [line for line in block.splitlines() if line[:1] not in b" \t"]
    if not lines or not all(FIELD.match(line) for line in lines):
        return 0
    return len({name.lower() for name in KNOWN.findall(block)})


def _streams(data: bytes) -> frozenset[str]:
    """The streams of a compound file; none where it is damaged."""
    from quoth.ingest.compound import Compound

    try:
        return frozenset(Compound(data).streams)
    except ReadError:
        return frozenset()


def _is_bitmap(head: bytes) -> bool:
    """Whether what begins with "BM" goes on as a bitmap does: with the size of one of its known headers."""
    return int.from_bytes(head[14:18], "little") in (12, 40, 52, 56, 64, 108, 124)


def _names(data: bytes) -> list[bytes]:
    """The names of the files in a zip, whole or only its start."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return [name.encode("utf-8", "replace") for name in archive.namelist()]
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError):
        heads = (match.end() for match in re.finditer(rb"PK\x03\x04", data))
        return [data[at + 26 : at + 26 + int.from_bytes(data[at + 22 : at + 24], "little")] for at in heads]


def _mimetype(data: bytes) -> bytes:
    """What a zip, whole or only its start, says in its entry "mimetype"; b"" where it has none."""
    name, extra = (int.from_bytes(data[at : at + 2], "little") for at in (26, 28))
    if data[30 : 30 + name] == b"mimetype" and data[8:10] == b"\0\0":
        return data[30 + name + extra :][:80]
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive, archive.open("mimetype") as entry:
            return entry.read(80).strip()
    except (zipfile.BadZipFile, zlib.error, ValueError, OSError, EOFError, KeyError, RuntimeError):
        return b""
