"""Books to a document: `read_epub`, chapter after chapter as a reader shows them; `read_fb2`, FictionBook.

Covered: reading order, headings, tables, notes, title and author; the table of contents is not said twice, entities
that a file declares itself are not expanded. Not covered: books locked by DRM (told so), pictures, scripts.
"""

from __future__ import annotations

import html
import posixpath
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import PurePath
from urllib.parse import unquote

from quoth.errors import ReadError
from quoth.ingest.decode import decode
from quoth.ingest.html import whole_page
from quoth.ingest.package import Element, Package, attribute, child, declares_type, inside, local, moment, parsed
from quoth.ingest.paragraphs import Paragraphs, one_line
from quoth.types import Document

PAGES = {"application/xhtml+xml", "text/html", "text/x-oeb1-document", "application/x-dtbook+xml"}
FONTS = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")
"""Encryption that hides only fonts from being copied."""
DOCTYPE = re.compile(r"<!DOCTYPE(?:[^>\[]|\[[^\]]*\])*>", re.I)
CLOSED = re.compile(r"<([A-Za-z][\w:.-]*)((?:\s[^<>]*)?)/>")
START = 16_384
"""Characters in which a document type is looked for."""
VOID = set(str.split("area base br col embed hr img input link meta param source track wbr"))
BINARY = re.compile(rb"<binary\b[^<>]*>[^<]*</binary>")
AMPERSAND = re.compile(r"&(?!(?:#\d+|#x[0-9A-Fa-f]+|amp|lt|gt|quot|apos);)")
CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
DEEPEST = 60
SECTIONS = 9
"""Levels of headings."""


def read_epub(data: bytes, path: str, password: str | None = None) -> tuple[Document, ...]:
    """The one document of an EPUB book: its chapters in reading order, their headings as marks.

    A chapter without headings lies under the name that the table of contents gives it. Raises ReadError for a
    book that is locked, damaged, or unpacks to too much.
    """
    package = Package(data)
    main = _main(package)
    book = _xml(package, main)
    chapters, contents = _spine(package, book, main)
    _refuse_locked(package, chapters)
    flow, names = Paragraphs(), _names(package, book, main, contents)
    for chapter in chapters:
        if chapter in package:
            _chapter(flow, package.read(chapter), names.get(chapter, ""))
        else:
            flow.notes.append(f"the chapter {chapter} is missing from the file")
    title, modified = _about(inside(book, "metadata"))
    title = title or next((mark.value for mark in flow.marks if mark.value), "") or PurePath(path).name
    return (flow.document(path, "epub", title, modified),)


def _main(package: Package) -> str:
    """The name of the part that describes the book."""
    if "META-INF/container.xml" in package:
        for one in _xml(package, "META-INF/container.xml").iter():
            if local(one) == "rootfile" and attribute(one, "full-path") in package:
                return attribute(one, "full-path")
    found = next((name for name in package if name.endswith(".opf")), None)
    if found is None:
        raise ReadError("the file is damaged: it does not say what is in the book", "get the book anew")
    return found


def _xml(package: Package, name: str) -> Element:
    """The root of a part; a plain document type, usual in books, is left out."""
    data = package.read(name)
    start = data.find(b"<!DOCTYPE", 0, START)
    end = data.find(b">", start)
    plain = start >= 0 and end > 0 and b"[" not in data[start:end] and not re.search(rb"<[A-Za-z]", data[:start])
    return parsed(data[:start] + data[end + 1 :] if plain else data, name)


def _place(folder: str, href: str) -> str:
    """The part that a link from this folder leads to, as `Package` names it."""
    return posixpath.normpath(posixpath.join(folder, unquote(href.partition("#")[0]))).lstrip("/").lower()


def _spine(package: Package, book: Element, main: str) -> tuple[list[str], str]:
    """(the chapters in order, each once and without the table of contents; the table of contents)."""
    folder = posixpath.dirname(main)
    items = {attribute(one, "id"): one for one in inside(book, "manifest")}
    contents = {
        _place(folder, attribute(one, "href")) for one in inside(book, "guide") if attribute(one, "type") == "toc"
    }
    navigation = ""
    for one in items.values():
        if "nav" in attribute(one, "properties").split():
            navigation = _place(folder, attribute(one, "href"))
            contents.add(navigation)
        elif attribute(one, "media-type") == "application/x-dtbncx+xml":
            navigation = navigation or _place(folder, attribute(one, "href"))
    chapters: dict[str, None] = {}
    for one in inside(book, "spine"):
        item = items.get(attribute(one, "idref"))
        kind = attribute(item, "media-type", "application/xhtml+xml")
        if item is not None and (kind in PAGES or attribute(item, "href").endswith("html")):
            chapters[_place(folder, attribute(item, "href"))] = None
    return [one for one in chapters if one not in contents or len(chapters) == 1], navigation


def _refuse_locked(package: Package, chapters: list[str]) -> None:
    """Raises ReadError when the text, and not only a font, is encrypted."""
    if "META-INF/encryption.xml" not in package:
        return
    for one in _xml(package, "META-INF/encryption.xml").iter():
        if local(one) == "EncryptedData" and attribute(child(one, "EncryptionMethod"), "Algorithm") not in FONTS:
            locked = attribute(child(one, "CipherData", "CipherReference"), "URI")
            if _place("", locked) in chapters:
                raise ReadError("the book is locked (DRM): its chapters are encrypted", "use a copy without a lock")


def _names(package: Package, book: Element, main: str, contents: str) -> dict[str, str]:
    """Chapter → what the table of contents calls it, where it can be read."""
    if contents not in package:
        return {}
    folder, found = posixpath.dirname(contents), dict[str, str]()
    try:
        root = _xml(package, contents)
    except ReadError:
        return {}
    for one in root.iter():
        if local(one) == "navPoint":
            label, link = child(one, "navLabel", "text"), attribute(child(one, "content"), "src")
            found.setdefault(_place(folder, link), one_line("".join(label.itertext()) if label is not None else ""))
        elif local(one) == "a" and attribute(one, "href"):
            found.setdefault(_place(folder, attribute(one, "href")), one_line("".join(one.itertext())))
    return found


def _chapter(flow: Paragraphs, data: bytes, name: str) -> None:
    source, notes = decode(data)
    page, hidden = whole_page(_as_html(source))
    text = page.text().strip()
    flow.hide(hidden)
    flow.notes += [note for note in notes if note not in flow.notes]
    if not text:
        return
    flow.begin()
    lead = len(page.text()) - len(page.text().lstrip())
    start = flow.length - lead
    if name and not page.marks:
        flow.mark("heading", name, 1)
    flow.marks += [replace(mark, start=start + mark.start, value=one_line(mark.value)) for mark in page.marks]
    flow.add(text)


def _as_html(source: str) -> str:
    """XHTML as HTML has it: no declarations, no empty elements closed in themselves, no raw sections."""
    source = DOCTYPE.sub("", source[:START], count=1) + source[START:]
    first, *raw = source.split("<![CDATA[")
    cut = [part.partition("]]>") for part in raw]
    plain = first + "".join(html.escape(inner) + rest if end else inner for inner, end, rest in cut)

    def opened(match: re.Match[str]) -> str:
        return match[0] if match[1].lower() in VOID else f"<{match[1]}{match[2]}></{match[1]}>"

    return CLOSED.sub(opened, plain)


def _about(metadata: list[Element]) -> tuple[str, float]:
    """("title (author, author)", POSIX seconds of the last change) as the book states them."""
    said = [(one, one_line("".join(one.itertext()))) for one in metadata]
    title = next((words for one, words in said if local(one) == "title" and words), "")
    authors = list(dict.fromkeys(words for one, words in said if local(one) == "creator" and words))
    changed = next((moment(words) for one, words in said if attribute(one, "property") == "dcterms:modified"), 0.0)
    dated = next((moment(words) for one, words in said if local(one) == "date"), 0.0)
    return _signed(title, authors), changed or dated


def _signed(title: str, authors: list[str]) -> str:
    return f"{title} ({', '.join(authors[:4])})" if title and authors else title


def read_fb2(data: bytes, path: str, password: str | None = None) -> tuple[Document, ...]:
    """The one document of a FictionBook file, zipped or not: its sections' titles as headings, notes in their place.

    Raises ReadError for a file that is damaged or declares a document type.
    """
    if data.startswith(b"PK"):
        package = Package(data)
        inner = next((name for name in package if name.endswith(".fb2")), None)
        if inner is None:
            raise ReadError("the file is damaged: there is no book in it", "get the book anew")
        data = package.read(inner)
    book = _fiction(BINARY.sub(b"", data))
    bodies = [one for one in book if local(one) == "body"]
    asides = [body for body in bodies[1:] if attribute(body, "name")]
    notes = {attribute(one, "id"): one for body in asides for one in body.iter() if attribute(one, "id")}
    flow, about = Paragraphs(), child(book, "description", "title-info")
    try:
        _section(flow, inside(about, "annotation"), notes, 1)
        for body in bodies:
            if body not in asides:
                _section(flow, body, notes, 1)
        for body in asides:
            if any(one in notes.values() for one in body):
                _section(flow, [one for one in body if local(one) != "section" or one in notes.values()], {}, 1)
    except RecursionError:
        raise ReadError("the file nests its sections too deeply") from None
    title, modified = _about_fiction(book, about)
    title = title or next((mark.value for mark in flow.marks if mark.value), "") or PurePath(path).name
    return (flow.document(path, "fb2", title, modified),)


def _fiction(data: bytes) -> Element:
    """The root of a FictionBook file; one with stray signs in its text is mended."""
    try:
        return parsed(data, "the file")
    except ReadError:
        if declares_type(data):
            raise
    text = re.sub(r"\A\s*<\?xml[^>]*\?>", "", decode(data)[0])
    return parsed(CONTROLS.sub("", AMPERSAND.sub("&amp;", text)).encode(), "the file")


def _about_fiction(book: Element, about: Element | None) -> tuple[str, float]:
    """("title (author, author)", POSIX seconds of the date) as the file states them."""
    names: list[str] = []
    for author in about if about is not None else ():
        if local(author) == "author":
            parts = [one.text or "" for one in author if local(one) in ("first-name", "middle-name", "last-name")]
            names += [said] if (said := one_line(" ".join(parts))) else []
    title = child(about, "book-title")
    dated = attribute(child(book, "description", "document-info", "date"), "value")
    return _signed(one_line("".join(title.itertext())) if title is not None else "", names), moment(dated)


def _section(
    flow: Paragraphs, blocks: Iterable[Element], notes: dict[str, Element], level: int, depth: int = 0
) -> None:
    """The blocks of a body, section, poem or quotation; sections inside it are one level deeper."""
    if depth > DEEPEST:
        raise ReadError(f"the file nests its sections more than {DEEPEST} deep")
    for one in blocks:
        name = local(one)
        if name == "title" and level:
            flow.paragraph(" ".join(" ".join(one.itertext()).split()), min(level, SECTIONS))
        elif name == "section":
            _section(flow, one, notes, level + 1, depth + 1)
        elif name == "stanza":
            flow.paragraph("\n".join(" ".join("".join(line.itertext()).split()) for line in one))
        elif name == "table":
            rows = [row for row in one if local(row) == "tr"]
            sure = bool(rows) and all(local(cell) == "th" for cell in rows[0])
            flow.table([["".join(cell.itertext()) for cell in row] for row in rows], sure)
        elif name in ("p", "v", "subtitle", "text-author", "date", "title"):
            _said(flow, one, notes)
        elif name in ("epigraph", "cite", "poem", "annotation"):
            _section(flow, one, notes, 0, depth + 1)


def _said(flow: Paragraphs, paragraph: Element, notes: dict[str, Element]) -> None:
    """A paragraph, then the notes that it refers to."""
    pieces = [paragraph.text or ""]
    after: list[str] = []
    for one in paragraph:
        words = "".join(one.itertext())
        note = notes.pop(attribute(one, "href").removeprefix("#"), None) if local(one) == "a" else None
        if local(one) == "a" and (note is not None or attribute(one, "type") == "note"):
            words = f"[{words.strip().strip('[]{}')}]"
        if note is not None:
            after.append(f"{words} " + " ".join(" ".join(_words(one)) for one in note if local(one) != "title"))
        pieces += [words, one.tail or ""]
    flow.paragraph(" ".join("".join(pieces).split()))
    for words in after:
        flow.paragraph(" ".join(words.split()))


def _words(element: Element) -> list[str]:
    return "".join(element.itertext()).split()
