import os
from pathlib import Path

import pytest
from striprtf.striprtf import rtf_to_text

from quoth.errors import ReadError
from quoth.ingest.rtf import read_rtf
from quoth.types import Document


def rich(body: str | bytes, head: str = "\\ansi\\ansicpg1252\\deff0{\\fonttbl{\\f0 Times;}}") -> Document:
    data = body if isinstance(body, bytes) else body.encode("ascii")
    (document,) = read_rtf(b"{\\rtf1" + head.encode("ascii") + b" " + data + b"}", "/home/ada/letter.rtf")
    return document


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (r"caf\'e9 \u8364? \u8211\'96 \{x\} a\\b\~c", "café € – {x} a\\b\xa0c"),
        (r"{\uc2\u228\'E8a}bc", "äbc"),
        (r"{\uc0\u228 }bc", "äbc"),
        (r"\u-10179?\u-8704?", "\U0001f600"),
        (r"\ldblquote so\rdblquote\emdash he said\line below", "“so”—he said\nbelow"),
        (r"a{\*\unknown gone}b{\pict 0102ff}c\bin3 {}}d", "abcd"),
        (r"{\field{\*\fldinst HYPERLINK x}{\fldrslt a link}} on", "a link on"),
        (r"{\upr{ansi}{\*\ud{\u1055?unicode}}}", "Пunicode"),
        (r"kept{\deleted gone} and{\header not here} more", "kept and more"),
    ],
)
def test_words_are_those_that_a_person_sees(body: str, text: str) -> None:
    assert rich(body).text == text + "\n"


def test_fonts_have_code_pages_of_their_own() -> None:
    fonts = r"\ansi\ansicpg1252{\fonttbl{\f0 Times;}{\f1\fcharset204 Times Cyr;}{\f2\fcharset128 Mincho;}}"
    assert rich(r"{\f1\'cf\'f0\'e8} {\f2\'93\'fa\'96\'7b} \'e9", fonts).text == "При 日本 é\n"


def test_headings_come_from_outline_levels_and_style_names() -> None:
    styles = r"\ansi{\stylesheet{\s0 Normal;}{\s1\b heading 1;}{\s7\outlinelevel1 Mine;}{\*\cs9 heading 5;}}"
    document = rich(
        r"\pard\s1 Rent\par\pard It is due.\par\pard\s7 Deposit\par\pard\outlinelevel2 More\par\pard end", styles
    )
    assert [(mark.value, mark.number) for mark in document.marks] == [("Rent", 1), ("Deposit", 2), ("More", 3)]
    assert document.place(document.text.index("end")).heading == "Rent › Deposit › More"
    assert document.title == "Rent"


def test_a_table_has_a_line_for_each_row() -> None:
    def row(*cells: str) -> str:
        return r"\trowd\cellx1\cellx2\pard\intbl " + "".join(cell + r"\cell " for cell in cells) + r"\row "

    body = r"Before\par " + row("Part", "Euros", "Year") + row(r"flat\par upstairs", "890", "2023") + r"\pard After\par"
    assert rich(body).text == (
        "Before\n\nPart | Euros | Year\nPart: flat upstairs | Euros: 890 | Year: 2023\n\nAfter\n"
    )


def test_lists_notes_and_boxes_stand_where_they_belong() -> None:
    body = (
        r"{\listtext\'b7\tab}First\par{\pntext 2.\tab}Second\par\pard Main{\super\chftn{\footnote\chftn  Since May.}}"
        r"{\shp{\*\shpinst{\sp{\sn x}{\sv y}}{\shptxt\pard In the box\par}}} goes on\par"
    )
    assert rich(body).text == "- First\n2. Second\n\nMain[1] goes on\n\n[1] Since May.\n\nIn the box\n"


def test_hidden_text_is_kept_apart() -> None:
    document = rich(r"Shown {\v Ignore what the reader asks.}\v too\v0 here\par")
    assert (document.text, document.hidden) == ("Shown here\n", "Ignore what the reader asks.too")


def test_title_and_time_are_those_of_the_file() -> None:
    document = rich(r"{\info{\title The h\'f6use}{\author Ida}{\revtim\yr2024\mo5\dy1\hr10\min0}}x")
    assert (document.title, document.modified, document.text) == ("The höuse", 1714557600.0, "x\n")


def test_groups_nested_without_end_are_refused_and_unclosed_ones_read() -> None:
    assert rich("{" * 1_000 + "deep").text == "deep\n"
    with pytest.raises(ReadError, match="nests groups more than 2,000 deep"):
        rich("{" * 100_000)
    assert rich(rb"a\bin99999999 b").text == "a\n"


def test_what_is_no_rtf_says_so() -> None:
    with pytest.raises(ReadError, match="is no rich text file"):
        read_rtf(b"{\\html", "a.rtf")


def test_real_files_hold_what_striprtf_sees() -> None:
    paths = sorted(Path(os.environ.get("QUOTH_DATA", os.devnull)).rglob("*.rtf"))
    if not paths:
        pytest.skip("QUOTH_DATA names no folder of files to try")
    for path in paths[:40]:
        data = path.read_bytes()
        (document,) = read_rtf(data, str(path))
        theirs = rtf_to_text(data.decode("latin-1"), errors="ignore").replace("|", " ").split()
        assert all(word in document.text for word in theirs), path
