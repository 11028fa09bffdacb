"""reStructuredText: titles as docutils finds them, comments apart, the text as it is."""

from __future__ import annotations

import docutils.core
import docutils.nodes
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quoth.ingest import read_data
from quoth.ingest.rst import comments, headings, plain
from quoth.types import Document


def read(text: str, name: str = "x.rst") -> Document:
    return read_data(text.encode(), f"/a/{name}")[0]


def outline(text: str) -> list[tuple[str, int]]:
    return [(mark.value, mark.number) for mark in headings(text)]


def second_opinion(text: str) -> list[tuple[str, int]]:
    """The titles and levels that docutils finds."""
    quiet = {"report_level": 5, "halt_level": 6, "doctitle_xform": False, "file_insertion_enabled": False}
    found: list[tuple[str, int]] = []

    def visit(node: docutils.nodes.Node, level: int) -> None:
        for child in node.children:
            deeper = isinstance(child, docutils.nodes.section)
            if deeper:
                found.append((" ".join(child[0].astext().split()), level))
            visit(child, level + deeper)

    visit(docutils.core.publish_doctree(text, settings_overrides=quiet), 1)
    return found


def test_levels_follow_from_the_order_of_underlines() -> None:
    text = "=====\nTitle\n=====\n\nOne\n---\n\ntext\n---\n\nTwo\n~~~\n\nThree\n-----\n\n===  ===\nA    B\n===  ===\n"
    document = read(text)
    assert outline(text) == [("Title", 1), ("One", 2), ("Two", 3), ("Three", 2)]
    assert (document.title, document.text, document.kind) == ("Title", text, "rst")
    assert document.place(text.index("~~~")).heading == "Title › One › Two"
    assert document.place(text.index("~~~")).line == 12


SECTIONS = st.lists(
    st.tuples(st.sampled_from(["=", "-", "~", "^"]), st.booleans(), st.integers(4, 30)), min_size=1, max_size=8
)


@settings(max_examples=150, deadline=None)
@given(SECTIONS, st.lists(st.sampled_from(["Text.", "- item", ".. note:: Look\n   :class: x", "::\n\n   Not\n   ---"])))
def test_titles_are_those_of_docutils(sections: list[tuple[str, bool, int]], between: list[str]) -> None:
    """Documents with titles in any order that docutils allows: a new style only one level below the one above."""
    styles: list[tuple[str, bool]] = []
    above, text = 0, "\n\n".join(between) + "\n\n"
    for number, (sign, over, size) in enumerate(sections):
        words, style = f"Title *number* {number}", (sign, over)
        if style not in styles:
            if above < len(styles):
                continue
            styles.append(style)
        elif styles.index(style) > above:
            continue
        above = styles.index(style) + 1
        rule = sign * max(size, len(words))
        text += (rule + "\n") * over + f"{words}\n{rule}\n\nA paragraph.\n\n"
    assert outline(text) == second_opinion(text)


@pytest.mark.parametrize(
    "text",
    [
        "Title\n=====\nOther\n-----\nText\n",
        "Longer than its line\n====\n\nText\n",
        "Three\n--\n",
        "Ab\n==\n",
        "A paragraph\nof lines\n========\n",
        "Before\n\n--------\n\nafter\n",
        ".. _here:\n\nTitle\n=====\n",
        "1. Introduction\n===============\n",
        "Code::\n\n    Not a title\n    ===========\n\nTitle\n=====\n",
        "=====  =====\nA      B\n=====  =====\n1      2\n=====  =====\n",
        "* item\n======\n",
        "   ======\n   Quoted\n   ======\n",
    ],
)
def test_what_is_a_title_and_what_is_not_is_as_in_docutils(text: str) -> None:
    assert outline(text) == second_opinion(text)


def test_inline_markup_is_not_part_of_a_title() -> None:
    words = "The ``len`` of :class:`list`, **not** of `sets <https://x.org>`_ or |name|\\ s"
    assert plain(words) == "The len of list, not of sets or names"


def test_a_pep_is_titled_by_its_number_and_its_title() -> None:
    text = "PEP: 572\nTitle: Assignment\n       Expressions\nStatus: Final\n\nAbstract\n========\n\nText\n"
    assert read(text).title == "PEP 572 – Assignment Expressions"
    assert read("PEP: 0008\nTitle: Style Guide\n\nIntro\n=====\n", "pep-0008.rst").title == "PEP 8 – Style Guide"


def test_the_title_is_the_leading_one_then_a_field_then_the_first_line() -> None:
    assert read(".. _top:\n\nManual\n======\n\nPart\n====\n").title == "Manual"
    assert read(":title: The manual\n\nPart\n====\n\nOther\n=====\n").title == "The manual"
    assert read("Just words.\n\nMore of them.\n").title == "Just words."
    assert read("").title == "x.rst"


def test_comments_are_hidden_but_directives_are_not() -> None:
    text = (
        ".. A comment\n   of two lines\n\nText\n\n.. note:: Look\n\n.. |x| image:: y\n\n.. [1] N\n\n..\n   Local: vim\n"
    )
    document = read(text)
    assert [text[start:end] for start, end in comments(text)] == [
        ".. A comment\n   of two lines\n",
        "..\n   Local: vim",
    ]
    assert "of two lines" in document.hidden
    assert "Look" not in document.hidden
