import io
import os
import re
import zipfile
from pathlib import Path

import pytest

from quoth.errors import ReadError
from quoth.ingest import package, read_data
from quoth.types import Document

CONTAINER = '<container><rootfiles><rootfile full-path="OEBPS/book.opf"/></rootfiles></container>'
DOCTYPE = '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.1//EN" "http://www.w3.org/TR/xhtml11/DTD/xhtml11.dtd">'
ITEM = '<item id="{0}" href="{0}" media-type="application/xhtml+xml" {1}/>'


def chapter(body: str, head: str = "<title/>") -> str:
    page = f'<html xmlns="http://www.w3.org/1999/xhtml"><head>{head}</head><body>{body}</body></html>'
    return f'<?xml version="1.0" encoding="utf-8"?>\n{DOCTYPE}\n{page}'


def epub(chapters: dict[str, str], order: str = "", extra: dict[str, str] | None = None, about: str = "") -> bytes:
    """A book of these chapters in this order, the order of the dictionary otherwise."""
    stream, extra = io.BytesIO(), extra or {}
    names = [*chapters, *(name for name in extra if name.endswith(("xhtml", "ncx")))]
    items = "".join(ITEM.format(name, 'properties="nav"' if name == "nav.xhtml" else "") for name in names)
    items = items.replace(
        'href="toc.ncx" media-type="application/xhtml+xml"', 'href="toc.ncx" media-type="application/x-dtbncx+xml"'
    )
    spine = "".join(f'<itemref idref="{name}"/>' for name in (order.split() or chapters))
    metadata = f'<metadata xmlns:dc="dc">{about}</metadata>'
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as book:
        book.writestr(zipfile.ZipInfo("mimetype"), "application/epub+zip")
        book.writestr("META-INF/container.xml", CONTAINER)
        opf = f"<package>{metadata}<manifest>{items}</manifest><spine>{spine}</spine></package>"
        book.writestr("OEBPS/book.opf", '<?xml version="1.0"?><!DOCTYPE package PUBLIC "a" "b">' + opf)
        for name, page in (chapters | extra).items():
            book.writestr(name if name.startswith("META-INF") else f"OEBPS/{name}", page)
    return stream.getvalue()


def read(data: bytes, path: str = "/home/ada/garden.epub") -> Document:
    (document,) = read_data(data, path)
    return document


def test_chapters_come_in_the_order_of_the_spine_under_their_headings() -> None:
    chapters = {
        "b.xhtml": chapter("<h1>Autumn</h1><p>Rake&nbsp;the leaves.</p>"),
        "a.xhtml": chapter("<h1>Spring</h1><h2>Seeds</h2><p>Sow <em>early</em>.</p>"),
    }
    about = "<dc:title>The garden</dc:title><dc:creator>Ida Berg</dc:creator><dc:date>2021-03-01</dc:date>"
    document = read(epub(chapters, "a.xhtml b.xhtml", about=about))
    assert document.text == "Spring\n\nSeeds\n\nSow early.\n\nAutumn\n\nRake the leaves.\n"
    assert document.title == "The garden (Ida Berg)"
    assert document.modified == 1614556800.0
    assert document.place(document.text.index("early")).heading == "Spring › Seeds"
    assert document.place(document.text.index("leaves")).heading == "Autumn"


def test_the_table_of_contents_names_chapters_without_headings_and_is_not_read() -> None:
    ncx = '<ncx><navPoint><navLabel><text>Winter</text></navLabel><content src="c.xhtml#x"/></navPoint></ncx>'
    nav = chapter('<nav><ol><li><a href="c.xhtml">Winter, when all sleeps</a></li></ol></nav>')
    for name, page, heading in (("toc.ncx", ncx, "Winter"), ("nav.xhtml", nav, "Winter, when all sleeps")):
        data = epub({"c.xhtml": chapter("<p>Nothing grows.</p>")}, "nav.xhtml c.xhtml", {name: page})
        document = read(data)
        assert document.text == "Nothing grows.\n"
        assert document.place(3).heading == heading


def test_xhtml_is_read_as_it_is_meant() -> None:
    page = chapter(
        '<p>One<a id="p2"/> two <![CDATA[& <b>three</b>]]></p><script src="x.js"/><aside>A note.</aside><p>Four</p>'
    )
    assert read(epub({"a.xhtml": page})).text == "One two & <b>three</b>\n\nA note.\n\nFour\n"


def test_entities_that_a_chapter_declares_are_not_expanded() -> None:
    entities = '<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">'
    page = f"<!DOCTYPE html [{entities}]><html><body><p>So &b; ends.</p></body></html>"
    assert read(epub({"a.xhtml": page})).text == "So &b; ends.\n"


def test_hidden_text_is_kept_apart() -> None:
    document = read(epub({"a.xhtml": chapter('<p>Shown.</p><p hidden="hidden">Not shown.</p>')}))
    assert (document.text, document.hidden) == ("Shown.\n", "Not shown.")


def test_a_locked_book_says_so_and_a_locked_font_does_not_matter() -> None:
    def locked(algorithm: str, uri: str) -> Document:
        method = f'<EncryptionMethod Algorithm="{algorithm}"/><CipherData><CipherReference URI="{uri}"/></CipherData>'
        lock = {"META-INF/encryption.xml": f"<encryption><EncryptedData>{method}</EncryptedData></encryption>"}
        return read(epub({"a.xhtml": chapter("<p>Open.</p>")}, extra=lock))

    assert locked("http://www.idpf.org/2008/embedding", "OEBPS/a.woff").text == "Open.\n"
    with pytest.raises(ReadError, match="locked"):
        locked("http://www.w3.org/2001/04/xmlenc#aes256-cbc", "OEBPS/a.xhtml")


def test_a_missing_chapter_is_noted_and_one_listed_twice_read_once() -> None:
    chapters = {"a.xhtml": chapter("<p>Once.</p>"), "b.xhtml": chapter("<p>x</p>")}
    data, stream = epub(chapters, "a.xhtml a.xhtml b.xhtml"), io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(stream, "w") as new:
        for name in old.namelist():
            if name != "OEBPS/b.xhtml":
                new.writestr(name, old.read(name))
    document = read(stream.getvalue())
    assert (document.text, document.notes) == ("Once.\n", ("the chapter oebps/b.xhtml is missing from the file",))


def test_a_bomb_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package, "MOST_BYTES", 2 * 2**20)
    with pytest.raises(ReadError, match="unpacks to more than 2 MiB"):
        read(epub({"a.xhtml": chapter("<p>" + " " * 3_000_000)}))


# FictionBook

FICTION = """<?xml version="1.0" encoding="{encoding}"?>
<FictionBook xmlns="http://www.gribuser.ru/xml/fictionbook/2.0" xmlns:l="http://www.w3.org/1999/xlink">
<description><title-info><author><first-name>Ида</first-name><last-name>Берг</last-name></author>
<book-title>Сад</book-title><annotation><p>О саде.</p></annotation></title-info>
<document-info><date value="2021-03-01">2021</date></document-info></description>
<body><title><p>Сад</p></title><section><title><p>Весна</p></title><p>Сей <emphasis>рано</emphasis><a l:href="#n1"
 type="note">[1]</a>.</p><poem><stanza><v>Строка</v><v>другая</v></stanza></poem>
<section><title><p>Март</p></title><p>Снег &amp; лёд{stray}.</p></section></section></body>
<body name="notes"><title><p>Примечания</p></title><section id="n1"><title><p>1</p></title><p>В марте.</p></section>
<section id="n2"><title><p>2</p></title><p>Ничья.</p></section></body>
<binary id="a.jpg">{binary}</binary></FictionBook>"""


@pytest.mark.parametrize("encoding", ["utf-8", "windows-1251", "koi8-r", "utf-16"])
def test_fiction_has_sections_as_headings_and_notes_in_their_place(encoding: str) -> None:
    data = FICTION.format(encoding=encoding, stray="", binary="QUJD" * 1_000).encode(encoding)
    document = read(data, "/home/ada/сад.fb2")
    assert document.text == (
        "О саде.\n\nСад\n\nВесна\n\nСей рано[1].\n\n[1] В марте.\n\nСтрока\nдругая\n\nМарт\n\nСнег & лёд.\n\n"
        "Примечания\n\n2\n\nНичья.\n"
    )
    assert (document.title, document.modified) == ("Сад (Ида Берг)", 1614556800.0)
    assert document.place(document.text.index("лёд")).heading == "Сад › Весна › Март"


def test_fiction_with_stray_signs_is_mended_and_zipped_fiction_read() -> None:
    data = FICTION.format(encoding="utf-8", stray=" & co \x0b", binary="").encode()
    assert "Снег & лёд & co ." in read(data, "a.fb2").text
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as book:
        book.writestr("a.fb2", data)
    assert read(stream.getvalue(), "/home/ada/a.fb2.zip").text == read(data, "a.fb2").text


def test_fiction_nested_without_end_or_with_entities_is_refused() -> None:
    deep = b"<FictionBook><body>" + b"<section>" * 50_000 + b"</section>" * 50_000 + b"</body></FictionBook>"
    with pytest.raises(ReadError, match="nests its sections more than 60 deep"):
        read(deep, "a.fb2")
    laughing = b'<!DOCTYPE x [<!ENTITY a "ha">]><FictionBook><body><p>&a;</p></body></FictionBook>'
    with pytest.raises(ReadError, match="declares a document type"):
        read_data(laughing, "a.fb2", kind="fb2")


def test_real_books_hold_every_word_of_their_pages() -> None:
    folder = Path(os.environ.get("QUOTH_DATA", os.devnull))
    paths = [*sorted(folder.rglob("*.epub")), *sorted(folder.rglob("*.fb2"))]
    if not paths:
        pytest.skip("QUOTH_DATA names no folder of files to try")
    for path in paths[:40]:
        document = read(path.read_bytes(), str(path))
        if path.suffix == ".fb2":
            source = re.sub(
                r"<binary.*?</binary>|<description>.*?</description>", "", path.read_text("utf-8"), flags=re.S
            )
            words = re.sub(r"<[^>]*>|&\w+;", " ", source).split()
            assert sum(word in document.text for word in words) >= 0.98 * len(words), path
            continue
        with zipfile.ZipFile(path) as book:
            for name in book.namelist():
                if name.endswith("html") and "nav" not in name:
                    body = book.read(name).decode("utf-8").partition("<body")[2].partition(">")[2]
                    words = re.sub(r"(?s)<!--.*?-->|<[^>]*>|&#?\w+;", " ", body).split()
                    assert all(word in document.text + document.hidden for word in words), (path, name)
