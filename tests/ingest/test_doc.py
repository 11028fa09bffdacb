"""Word files from before 2007: words, headings, lists, tables, notes, and what does not show."""

from __future__ import annotations

import struct

import pytest
from compounds import make, survives

from quoth.errors import ReadError
from quoth.ingest import read_data
from quoth.ingest.doc import read_doc
from quoth.types import Document

P, R = make.Paragraph, make.Run
CELL = "\x07"


def read(*main: object, **more: object) -> Document:
    (document,) = read_doc(make.compound(make.word(main, **more)), "/home/ada/letter.doc")
    return document


def row(*cells: str, edges: tuple[int, ...] = ()) -> list[object]:
    """The paragraphs of a table's row."""
    columns = b""
    if edges:
        content = bytes([len(edges)]) + struct.pack(f"<{len(edges) + 1}h", *edges, edges[-1] + 1000)
        columns = b"\x08\xd6" + struct.pack("<H", len(content) + 1) + content
    found = [P([R(cell)], look=make.IN_TABLE, mark=CELL) for cell in cells]
    return [*found, P([R("")], look=make.IN_TABLE + make.ROW_END + columns, mark=CELL)]


@pytest.mark.parametrize("wide", [True, False])
def test_words_and_paragraphs_are_read_in_either_width(wide: bool) -> None:
    document = read(P([R("The “boiler” costs 420 € – once.")]), P([R("")]), P([R("It hums.")]), wide=wide)
    assert document.text == "The “boiler” costs 420 € – once.\n\nIt hums.\n"
    assert (document.kind, document.title) == ("doc", "letter.doc")


def test_characters_beyond_the_first_plane_and_those_after_them_keep_their_look() -> None:
    document = read(P([R("Party 🎉 at nine, "), R("not ten", make.HIDDEN), R("sharp 🎉.")]))
    assert document.text == "Party 🎉 at nine, sharp 🎉.\n"
    assert document.hidden == "not ten"


def test_headings_are_marks_whatever_their_styles_are_called() -> None:
    document = read(
        P([R("Lease")], style=4), P([R("Rent")], style=1), P([R("Deposit")], style=3), P([R("Two months.")])
    )
    assert document.title == "Lease"
    assert document.place(document.text.index("Two months")).heading == "Rent › Deposit"


def test_an_outline_level_is_a_heading() -> None:
    document = read(P([R("Rent")], look=b"\x40\x26\x00"), P([R("420 euros.")]))
    assert document.place(document.text.index("420")).heading == "Rent"


def test_deleted_words_are_left_out() -> None:
    assert read(P([R("September "), R("17", make.DELETED), R("28")])).text == "September 28\n"


def test_fields_show_their_result_and_not_their_code() -> None:
    document = read(P([R('See \x13 HYPERLINK "http://x" \x14the \x13 PAGE \x14third\x15 page\x15, \x13 TOC \x15now.')]))
    assert document.text == "See the third page, now.\n"


def test_a_field_without_an_end_swallows_nothing() -> None:
    assert read(P([R("One \x13 two")]), P([R("three")])).text == "One  two\n\nthree\n"


def test_lists_have_their_signs() -> None:
    document = read(
        P([R("Bring")]), P([R("a key")], look=make.LISTED), P([R("a lamp")], look=make.LISTED), P([R("End")])
    )
    assert document.text == "Bring\n\n- a key\n- a lamp\n\nEnd\n"


def test_tables_are_rows_under_their_headers() -> None:
    document = read(
        P([R("Costs")]),
        *row("Part", "Euros", "By"),
        *row("Boiler", "420", "Ada"),
        *row("Roof", "4,200", ""),
        P([R("End")]),
    )
    assert document.text == (
        "Costs\n\nPart | Euros | By\nPart: Boiler | Euros: 420 | By: Ada\nPart: Roof | Euros: 4,200\n\nEnd\n"
    )


def test_a_cell_that_spans_columns_stands_in_the_first() -> None:
    document = read(
        *row("Part", "Euros", "Paid by", edges=(0, 1000, 2000)),
        *row("Boiler", "420", "Ada", edges=(0, 1000, 2000)),
        *row("Roof and walls", "Ben", edges=(0, 2000)),
    )
    assert document.text.endswith("Part: Roof and walls | Paid by: Ben\n")


def test_a_table_of_one_column_only_lays_out() -> None:
    assert read(*row("One"), *row("Two")).text == "One\n\nTwo\n"


def test_footnotes_follow_their_paragraph() -> None:
    document = read(
        P([R("Rent is due\x02 monthly.")]),
        P([R("Deposit\x02 too.")]),
        notes=("On the third.", "Two months."),
        boxes=("In a box.",),
    )
    assert document.text == (
        "Rent is due[1] monthly.\n\n[1] On the third.\n\nDeposit[2] too.\n\n[2] Two months.\n\nIn a box.\n"
    )


def test_more_paragraphs_than_fit_a_page_of_looks_are_read() -> None:
    document = read(*(P([R(f"Rule {number}")], style=1 + number % 2) for number in range(100)))
    assert document.text == "".join(f"Rule {number}\n\n" for number in range(100))[:-1]
    assert [mark.number for mark in document.marks] == [1, 2] * 50


def test_line_breaks_and_hyphens_are_what_they_look_like() -> None:
    assert read(P([R("one\x0btwo\x1ethree\x1ffour\x01\x08 five")])).text == "one\ntwo-threefour five\n"


def test_a_file_of_word_6_is_read_without_looks() -> None:
    said = b"Rent is due on the \x93third\x94.\rPay it.\r"
    head = bytearray(1024)
    struct.pack_into("<HH", head, 0, 0xA5DC, 0x65)
    struct.pack_into("<II", head, 0x18, 1024, 1024 + len(said))
    struct.pack_into("<I", head, 0x34, len(said))
    (document,) = read_doc(make.compound({"WordDocument": bytes(head) + said}), "/x/a.doc")
    assert document.text == "Rent is due on the “third”.\n\nPay it.\n"


def test_a_file_from_before_word_6_says_so() -> None:
    head = struct.pack("<HH", 0xA59B, 0x21).ljust(1024, b"\0")
    with pytest.raises(ReadError, match="from before Word 6"):
        read_doc(make.compound({"WordDocument": head}), "/x/a.doc")


def test_a_file_without_its_table_stream_says_so() -> None:
    streams = make.word([P([R("Words")])])
    with pytest.raises(ReadError, match="nothing says where its text stands"):
        read_doc(make.compound({"WordDocument": streams["WordDocument"]}), "/x/a.doc")


def test_its_kind_is_found_by_its_streams() -> None:
    data = make.compound(make.word([P([R("Words")])]))
    assert [one.kind for one in read_data(data, "/x/a.xls")] == ["doc"]


def test_damage_gives_a_reason_or_what_is_left() -> None:
    main = [
        P([R("Rent\x02")], style=1),
        *row("Part", "Euros", edges=(0, 900)),
        P([R("a"), R("b", make.HIDDEN)], look=make.LISTED),
    ]
    data = make.compound(make.word(main, notes=("Said.",), boxes=("Box",)))
    assert survives(lambda changed: read_doc(changed, "/x/a.doc"), data, 150) > 0
