"""Markdown: headings, front matter, and what of it is markup."""

from __future__ import annotations

from markdown_it import MarkdownIt

from quoth.ingest import read_data
from quoth.ingest.markdown import comments, front_matter, plain
from quoth.types import Document

NOTE = """---
title: "Boiler room"
date: 2024-03-05
aliases: [heating, furnace]
---
# Boiler

Serviced by **Hartmann** each October, see [[House#Roof|the roof]].

```sh
# no heading
```

Winter
------

<!-- # neither is this -->
### Frost #3 ###
"""


def read(text: str, name: str = "/notes/boiler.md") -> Document:
    return read_data(text.encode(), name)[0]


def test_the_text_is_the_file_itself() -> None:
    text = NOTE.replace("\n", "\r\n")
    assert read(text).text == text


def test_headings_of_both_styles_are_found_outside_code_and_comments() -> None:
    found = [(mark.value, mark.number) for mark in read(NOTE).marks]
    assert found == [("Boiler", 1), ("Winter", 2), ("Frost #3", 3)]


def test_headings_are_those_that_markdown_it_finds() -> None:
    text = (
        "# One\n\ntext\n# Two #\n\nThree\n===\n\n    # code\n\n~~~\n# x\n~~~\n\n"
        "####### seven\n#tag\n\n- item\n\n## `Four`\n\n---\n"
    )
    tokens = MarkdownIt("commonmark").parse(text)
    second = [
        (tokens[at + 1].content.replace("`", ""), int(one.tag[1]))
        for at, one in enumerate(tokens)
        if one.type == "heading_open"
    ]
    assert [(mark.value, mark.number) for mark in read(text).marks] == second


def test_the_title_is_the_front_matters_then_the_first_heading_then_the_name() -> None:
    assert read(NOTE).title == "Boiler room"
    assert read(NOTE.partition("---\n# ")[2].join(["# ", ""])).title == "Boiler"
    assert read("## Leading\n\n# Later\n").title == "Leading"
    assert read("Only words.\n\n## Below\n").title == "boiler"


def test_the_date_of_the_front_matter_is_when_the_note_was_modified() -> None:
    assert read(NOTE).modified == 1709596800.0
    assert read("# No date").modified == 0.0


def test_front_matter_is_read_as_plain_pairs() -> None:
    assert front_matter("---\nTitle: a: b\nempty:\n---\nx: y\n") == {"title": "a: b"}
    assert front_matter("text\n---\ntitle: a\n---\n") == {}


def test_comments_are_hidden_and_not_in_what_is_encoded() -> None:
    text = "Seen <!-- html\n --> and %%obsidian%% but `<!-- code -->`."
    assert read(text).hidden == "<!-- html\n -->\n%%obsidian%%"
    assert plain(text) == "Seen   and  but <!-- code -->."


def test_a_comment_in_a_code_block_is_text() -> None:
    assert comments("```html\n<!-- a -->\n```\n") == []


def test_plain_keeps_what_a_reader_sees() -> None:
    shown = {
        "**bold** and *it* and __b__ and ~~x~~": "bold and it and b and x",
        "[[Note]] [[Note|name]] ![[img.png]]": "Note name img.png",
        "[a **b**](http://x.y/(z)) [r][1] ![alt](i.png)": "a b r alt",
        "2*3*4 snake_case a_b": "2*3*4 snake_case a_b",
        "`x * y` ``a`b``": "x * y a`b",
        "## Head\n> quoted": "Head\nquoted",
        "a<br>b<b>c</b>": "a b c ",
        "\\*not it\\*": "*not it*",
    }
    assert {text: plain(text) for text in shown} == shown


def test_plain_turns_a_table_into_its_words() -> None:
    assert plain("| a | b |\n|---|:-:|\n| 1 | 2 |").split() == ["a", "b", "1", "2"]


def test_plain_keeps_code_blocks_but_not_their_fences() -> None:
    assert plain("```py\nx = '*a*'  # b\n```\nend").split("\n") == ["", "x = '*a*'  # b", "", "end"]


def test_markup_without_end_takes_no_time_to_speak_of() -> None:
    for part in (
        "*",
        "`",
        "[",
        "[[a",
        "|-",
        "<!--",
        "%%",
        "> ",
        "_a",
        "[a](",
        "---\n",
        "``` `\n",
        "<a ",
        " ",
        "(`",
        "\t",
    ):
        text = part * 20_000 + "x"
        assert read(text).text == text
