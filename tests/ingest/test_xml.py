"""XML as lines under its elements; encodings as declared; nothing expanded, nothing fetched."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quoth.ingest import read_data
from quoth.types import Document

BOOK = """<?xml version="1.0" encoding="UTF-8"?>
<!-- a remark -->
<book xmlns="urn:x"><title>The House</title>
 <info><author>Mara &amp; Bo</author><date>2024-01-02</date></info>
 <chapter id="c1"><title>Heating</title>
  <para>The boiler is <emphasis>old</emphasis>,
   and so is the pump.</para>
  <section><title>Care</title><para>Drain it.</para></section>
 </chapter>
 <rows><row><a>1</a><b>two</b></row><row><a>2</a></row></rows>
 <config><host port="80">x.org</host><empty/></config>
 <country code="DE"><name>Germany</name><people>83</people></country>
 tail
</book>
"""
FEED = """<rss version="2.0"><channel><title>Notes of a gardener</title><link>https://x.org</link>
<item><title>Apples</title><pubDate>Mon, 09 Dec 2024</pubDate>
<description>&lt;p&gt;Four &amp;amp; more.&lt;/p&gt;&lt;p&gt;It is &lt;b&gt;all&lt;/b&gt;.&lt;/p&gt;</description>
</item>
<item><title>Pears</title><description><![CDATA[<p>Five
metres.</p>]]></description></item>
</channel></rss>
"""


def read(text: str | bytes, name: str = "a.xml") -> Document:
    return read_data(text.encode() if isinstance(text, str) else text, f"/a/{name}")[0]


def placed(document: Document) -> list[tuple[int | None, str | None, str]]:
    """(line in the file, headings, line) of every line that is not blank."""
    found, at = [], 0
    for line in document.text.splitlines(keepends=True):
        place = document.place(at)
        found += [(place.line, place.heading, line.rstrip())] if line.strip() else []
        at += len(line)
    return found


def test_elements_are_lines_paragraphs_and_headings() -> None:
    document = read(BOOK)
    assert placed(document) == [
        (3, None, "The House"),
        (4, "info", "info | author: Mara & Bo | date: 2024-01-02"),
        (5, "Heating", "chapter | id: c1"),
        (5, "Heating", "Heating"),
        (6, "Heating", "The boiler is old,"),
        (7, "Heating", "and so is the pump."),
        (8, "Heating › Care", "Care"),
        (8, "Heating › Care", "Drain it."),
        (10, "rows", "rows"),
        (10, "rows › row 1", "a: 1 | b: two"),
        (10, "rows › row 2", "a: 2"),
        (11, "config", "config | host (port: 80): x.org"),
        (12, "Germany", "country | code: DE | name: Germany | people: 83"),
        (13, None, "tail"),
    ]
    assert (document.kind, document.title, document.hidden) == ("xml", "The House", "a remark")


def test_a_record_is_one_line_whose_values_keep_their_lines() -> None:
    document = read("<all>\n<one>\n<a>1</a>\n<b>two\nlines</b>\n</one>\n<one>\n<a>3</a>\n<b>four</b>\n</one>\n</all>\n")
    assert document.text == "a: 1 | b: two | lines\n\na: 3 | b: four\n"
    assert [document.place(document.text.index(words)).line for words in ("1", "two", "lines", "3", "four")] == [
        3,
        4,
        5,
        8,
        9,
    ]


def test_a_feed_is_titled_by_its_channel_and_its_html_loses_its_tags() -> None:
    document = read(FEED, "feed.rss")
    assert document.title == "Notes of a gardener"
    assert placed(document)[3:] == [
        (2, "Notes of a gardener › Apples", "Apples"),
        (2, "Notes of a gardener › Apples", "pubDate: Mon, 09 Dec 2024"),
        (3, "Notes of a gardener › Apples", "description: Four & more."),
        (3, "Notes of a gardener › Apples", "It is all."),
        (5, "Notes of a gardener › Pears", "Pears"),
        (5, "Notes of a gardener › Pears", "description: Five"),
        (6, "Notes of a gardener › Pears", "metres."),
    ]


def test_html_in_a_manual_about_html_stays() -> None:
    assert read("<book><para>Write &lt;p&gt; here.</para></book>").text.strip() == "Write <p> here."


@pytest.mark.parametrize(
    ("declared", "codec", "words"),
    [
        ("windows-1251", "cp1251", "Договор был подписан в Москве"),
        ("KOI8-R", "koi8-r", "Договор был подписан в Москве"),
        ("IBM866", "cp866", "Договор был подписан в Москве"),
        ("x-mac-cyrillic", "mac_cyrillic", "Договор был подписан в Москве"),
        ("iso-8859-2", "iso-8859-2", "Příliš žluťoučký kůň"),
        ("iso-8859-7", "iso-8859-7", "Η εγγύηση διαρκεί δύο χρόνια"),
        ("windows-1255", "cp1255", "האחריות היא לשנתיים"),
        ("tis-620", "tis-620", "การรับประกันสองปี"),
        ("euc-jp", "euc_jp", "保証期間は二年間です"),
        ("Shift_JIS", "cp932", "保証期間は二年間です"),
        ("euc-kr", "cp949", "보증 기간은 2년입니다"),
        ("gb2312", "gb18030", "保修期为两年"),
        ("big5", "big5", "保固期為兩年"),
        ("iso-8859-9", "cp1254", "Güneş doğudan ışıyor"),
        ("UTF-16", "utf-16", "Größe"),
        ("UTF-8", "utf-8-sig", "Größe"),
    ],
)
def test_the_declared_encoding_is_believed(declared: str, codec: str, words: str) -> None:
    text = f'<?xml version="1.0" encoding="{declared}"?>\n<note><body>{words}</body></note>\n'
    assert placed(read(text.encode(codec))) == [(2, None, f"body: {words}")]


def test_entities_are_not_expanded_and_files_not_fetched(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("the secret words")
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    text = (
        f'<!DOCTYPE a [<!ENTITY l0 "ha">{laughs}<!ENTITY f SYSTEM "{(tmp_path / "secret").as_uri()}">]>\n'
        "<a><b>&l9;</b><c>&f; &eacute; &#233; &lt;</c></a>"
    )
    document = read(text)
    assert placed(document) == [(2, None, "b: &l9;"), (2, None, "c: &f; é é <")]
    assert "secret words" not in document.hidden


def test_what_is_not_well_formed_is_read_as_far_as_it_goes() -> None:
    assert placed(read("<a><b>One</b><c>Two & <three</a>\n<d>Four")) == [
        (1, None, "b: One"),
        (1, None, "c: Two & <three"),
        (2, None, "d: Four"),
    ]
    assert read("no markup at all").text == "no markup at all\n"
    assert read("").text == ""


def test_data_that_happens_to_be_called_like_prose_is_data() -> None:
    assert placed(read("<all><p><name>Ann</name><born>1970</born></p><p><name>Bo</name></p></all>")) == [
        (1, "Ann", "name: Ann | born: 1970"),
        (1, "Bo", "name: Bo"),
    ]


NAMES = st.sampled_from(["a", "b", "title", "para", "item", "name", "description", "x:y"])
WORDS = st.text(st.characters(exclude_categories=("Cs", "Cc", "Co", "Cn", "Zs", "Zl", "Zp")), min_size=1, max_size=12)


@st.composite
def elements(draw: st.DrawFn, depth: int = 0) -> ElementTree.Element:
    element = ElementTree.Element(draw(NAMES).replace("x:y", "y"))
    element.text = draw(st.one_of(st.none(), WORDS))
    for _ in range(draw(st.integers(0, 3)) if depth < 3 else 0):
        child = draw(elements(depth + 1))
        child.tail = draw(st.sampled_from([None, "\n", "tail"]))
        element.append(child)
    return element


@settings(max_examples=60, deadline=None)
@given(elements())
def test_all_text_that_elementtree_finds_is_there_in_order(root: ElementTree.Element) -> None:
    shown = read(ElementTree.tostring(root, encoding="unicode"), "any.xml").text
    at = 0
    for words in root.itertext():
        if words.strip():
            assert words in shown[at:], ElementTree.tostring(root)
            at = shown.index(words, at) + len(words)
