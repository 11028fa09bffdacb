"""HTML: the article, its headings and tables, and what is hidden."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quoth.errors import ReadError
from quoth.ingest import read, read_data
from quoth.types import Document

PAGE = Path(__file__).parent.parent / "data" / "ingest_text" / "page.html"


def shown(body: str, head: str = "") -> Document:
    return read_data(f"<!doctype html><head>{head}</head><body>{body}".encode(), "/a/page.html")[0]


def test_the_article_stays_and_the_furniture_goes() -> None:
    text = read(PAGE)[0].text
    assert text.startswith("How to bleed a radiator\n\nBy Mara Lind")
    assert text.endswith("the pump is worn.")
    assert "Cookie" not in text
    assert "Home" not in text
    assert "Related" not in text
    assert "Great article" not in text


def test_title_date_and_headings_come_from_the_page() -> None:
    document = read(PAGE)[0]
    assert document.title == "How to bleed a radiator"
    assert document.modified == 1706778000.0
    assert [(mark.value, mark.number) for mark in document.marks] == [
        ("How to bleed a radiator", 1),
        ("What you need", 2),
    ]
    assert all(document.text[mark.start :].startswith(mark.value) for mark in document.marks)


def test_rows_of_a_table_name_their_columns() -> None:
    assert "Tool: Key | Price: 2 euros\nTool: Bowl" in read(PAGE)[0].text


def test_what_a_person_does_not_see_is_kept_apart() -> None:
    hidden = (
        '<p>Seen.</p><p style="display: none">one</p><p hidden>two</p><p style="color:#FFF;background:white">three</p>'
        '<span style="font-size:0px">four</span><div aria-hidden="true">five</div><!-- six --><script>seven</script>'
        '<p style="position:absolute;left:-9999px">eight</p><p style="visibility:hidden">nine</p>'
        '<p style="opacity:0">ten</p>'
    )
    document = shown(hidden)
    assert document.text == "Seen."
    assert sorted(document.hidden.split()) == sorted(
        ["one", "two", "three", "four", "five", "six", "eight", "nine", "ten"]
    )


def test_half_seen_is_seen() -> None:
    assert shown('<p style="opacity:0.5;font-size:0.9em;color:#333;background:#fff">Seen.</p>').text == "Seen."


def test_lists_line_breaks_and_code_keep_their_shape() -> None:
    body = "<p>Do  <b>th</b>is:<ul><li><p>one</p><li>two<ol><li>in</ol></ul>a<br>b<pre>x\n  y</pre>"
    assert shown(body).text == "Do this:\n\n- one\n- two\n1. in\n\na\nb\n\nx\n  y"


def test_a_table_that_lays_out_the_page_is_read_as_blocks() -> None:
    body = "<table><tr><td><h1>Head</h1><p>One.</p><td><p>Two.</p></table>"
    assert shown(body).text == "Head\n\nOne.\n\nTwo."


def test_an_article_inside_a_form_is_not_lost() -> None:
    text = "A long paragraph about the weather of the coast and of the hills behind it. " * 8
    assert shown(f"<form><div class='comments'><p>{text}</p></div></form>").text == text.strip()


def test_the_declared_encoding_is_used() -> None:
    page = "<meta charset=windows-1251><p>Привет, дом</p>".encode("cp1251")
    assert read_data(page, "/a/p.html")[0].text == "Привет, дом"


def test_a_page_deeper_than_the_stack_is_read() -> None:
    assert shown("<div>" * 5_000 + "deep").text == "deep"


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                "<p>",
                "<h1>",
                "</h1>",
                "<h2>a</h2>",
                "<li>",
                "<td>x",
                "<table><tr>",
                "e\u0301 ",
                "\r\n",
                "שלום",
                "<pre> a\n",
                "&nbsp;",
                "<br>",
            ]
        ),
        max_size=40,
    )
)
def test_marks_are_sorted_and_inside_the_text(parts: list[str]) -> None:
    document = shown("".join(parts))
    starts = [mark.start for mark in document.marks]
    assert starts == sorted(starts)
    assert all(document.text[mark.start :].startswith(mark.value) for mark in document.marks)


def test_every_clipped_page_has_its_article() -> None:
    pages = list(Path(os.environ.get("QUOTH_DATA", os.devnull)).glob("**/web-clippings/**/*.html"))
    if not pages:
        pytest.skip("QUOTH_DATA names no folder with the unpacked library")
    assert [page.name for page in pages if len(read(page)[0].text) < 200] == []


def test_what_the_pages_own_style_sheet_hides_is_kept_apart() -> None:
    page = (
        b"<html><head><style>/* p { } */ @media print { p { display: none } } .off, #gone { display:none }"
        b" .faint{font-size:0}</style></head><body><p>The walrus lives in the bay and eats clams all day long.</p>"
        b"<p class='off'>SECRET one</p><div id=gone><p>SECRET two</p></div><span class='faint'>SECRET three</span>"
        b"</body></html>"
    )
    document = read_data(page, "/page.html")[0]
    assert document.text == "The walrus lives in the bay and eats clams all day long."
    assert all(f"SECRET {number}" in document.hidden for number in ("one", "two", "three"))


def test_a_style_sheet_that_hides_the_article_until_a_script_runs_is_not_believed() -> None:
    page = (
        b"<html><head><style>main { opacity: 0 }</style></head><body>"
        b"<main><p>A long and visible article.</p></main></body></html>"
    )
    assert read_data(page, "/page.html")[0].text == "A long and visible article."


def test_elements_inside_each_other_without_end_are_refused() -> None:
    with pytest.raises(ReadError, match="nests its elements more than 20,000 deep"):
        shown("<div>" * 200_000)
