"""AsciiDoc: titles of either style, none inside a block."""

from __future__ import annotations

import pytest

from quoth.ingest import read_data
from quoth.ingest.asciidoc import comments
from quoth.types import Document

MANUAL = """= The Boiler Manual: {edition}
Mara Lindqvist <m@x.org>
:edition: Second

Intro text.

== Safety
// a remark
Never open the valve.

====
== An example
====

[[care]]
=== Care in *winter* ===

Drain it.

Old style
---------

Text under it.

--
never closed

== Last
"""


def read(text: str) -> Document:
    return read_data(text.encode(), "/a/manual.adoc")[0]


def test_titles_of_either_style_have_their_levels() -> None:
    document = read(MANUAL)
    assert [(mark.value, mark.number) for mark in document.marks] == [
        ("The Boiler Manual: Second", 1),
        ("Safety", 2),
        ("Care in winter", 3),
        ("Old style", 2),
        ("Last", 2),
    ]
    assert (document.kind, document.title, document.text) == ("asciidoc", "The Boiler Manual: Second", MANUAL)


def test_a_place_is_a_line_and_the_titles_above() -> None:
    place = read(MANUAL).place(MANUAL.index("Drain"))
    assert (place.line, place.heading) == (18, "The Boiler Manual: Second › Safety › Care in winter")


@pytest.mark.parametrize(
    "fence", ["----", "....", "====", "****", "____", "++++", "////", "```", "--", "|===", "------"]
)
def test_blocks_hold_no_titles(fence: str) -> None:
    document = read(f"= T\n\n{fence}\n== No\n\nOld\n---\n{fence}\n\n== Yes\n")
    assert [mark.value for mark in document.marks] == ["T", "Yes"]


def test_a_paragraph_above_a_block_is_no_title() -> None:
    assert read("A paragraph that ends here.\n----\ncode\n----\n").marks == ()


def test_comments_are_hidden() -> None:
    text = "= T\n\n// one\n// two\n\nText // not\n\n////\nblock\n== no\n////\n"
    assert [text[start:end] for start, end in comments(text)] == ["// one\n// two", "////\nblock\n== no\n////"]
    assert read(text).hidden == "// one\n// two\n////\nblock\n== no\n////"


def test_without_titles_the_first_line_or_the_name() -> None:
    assert (read("Some words.\n").title, read("").title) == ("Some words.", "manual.adoc")


def test_a_signature_is_text() -> None:
    data = b"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nHello there\n-----BEGIN PGP SIGNATURE-----\n\nabc=\n"
    document = read_data(data, "/a/mail.asc")[0]
    assert (document.marks, "Hello there" in document.text) == ((), True)
