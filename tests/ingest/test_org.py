"""Org: headlines without keyword, priority and tags; blocks and comments hold none."""

from __future__ import annotations

from quoth.ingest import read_data
from quoth.ingest.org import comments
from quoth.types import Document

GARDEN = """#+TITLE: Garden plan
#+TODO: TODO BUY | PLANTED
# a remark
* TODO [#A] Plant the apple trees :garden:fruit:
:PROPERTIES:
:EFFORT: 3h
:END:
The trees need four metres.
** BUY [[https://x.org][Soil]] and compost [1/3]
#+begin_src python
* no headline
#+end_src
* Notes
#+begin_quote is never closed
** Last
"""


def read(text: str) -> Document:
    return read_data(text.encode(), "/a/plan.org")[0]


def test_headlines_are_their_words_alone() -> None:
    document = read(GARDEN)
    assert [(mark.value, mark.number) for mark in document.marks] == [
        ("Plant the apple trees", 1),
        ("Soil and compost", 2),
        ("Notes", 1),
        ("Last", 2),
    ]
    assert (document.kind, document.title, document.text) == ("org", "Garden plan", GARDEN)


def test_a_place_is_a_line_and_the_headlines_above() -> None:
    document = read(GARDEN)
    place = document.place(GARDEN.index("compost"))
    assert (place.line, place.heading) == (9, "Plant the apple trees › Soil and compost")


def test_comments_and_commented_trees_are_hidden() -> None:
    text = (
        "* One\n# secret\n#+BEGIN_COMMENT\nmore\n#+END_COMMENT\n* TODO COMMENT Two\nleft out\n** Three\n* Four\nseen\n"
    )
    document = read(text)
    assert [text[start:end] for start, end in comments(text)] == [
        "# secret\n",
        "#+BEGIN_COMMENT\nmore\n#+END_COMMENT",
        "* TODO COMMENT Two\nleft out\n** Three\n",
    ]
    assert "left out" in document.hidden
    assert [mark.value for mark in document.marks] == ["One", "Four"]


def test_the_title_is_the_only_top_headline_or_the_name() -> None:
    assert read("* Only\n** Below\n").title == "Only"
    assert read("* One\n* Two\n").title == "plan"
    assert read("").title == "plan"


def test_stars_that_are_no_headline() -> None:
    assert read("*bold* words\n * item\n**\n*\n").marks == ()
