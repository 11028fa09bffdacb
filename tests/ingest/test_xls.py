"""Excel files from before 2007: read as the same sheets of an .xlsx are."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from datetime import date, datetime, time

import openpyxl
import pytest
import xlrd
import xlwt
from compounds import make, survives

from quoth.errors import ReadError
from quoth.ingest import read_data
from quoth.ingest.compound import Compound
from quoth.ingest.sheets import read_xlsx
from quoth.ingest.xls import read_xls
from quoth.types import Document

ROWS = [
    ("Item", "Cost", "Paid", "On", "At", "Share", "Exact"),
    ("boiler", 420, True, date(2024, 3, 1), time(8, 30), 0.25, 1234.5),
    ("roof", 4200.5, False, date(1999, 12, 31), time(23, 59, 1), 0.125, 0.1),
]
FORMATS = ("General", "General", "General", "yyyy-mm-dd", "hh:mm:ss", "0.0%", "#,##0.00")


def book(fill: Callable[[xlwt.Workbook], None]) -> bytes:
    written, stream = xlwt.Workbook(), io.BytesIO()
    fill(written)
    written.save(stream)
    return stream.getvalue()


def read(data: bytes) -> Document:
    (document,) = read_xls(data, "/home/ada/costs.xls")
    return document


def costs(written: xlwt.Workbook) -> None:
    sheet = written.add_sheet("Costs")
    for row, cells in enumerate(ROWS):
        for column, cell in enumerate(cells):
            sheet.write(row, column, cell, xlwt.easyxf(num_format_str=FORMATS[column] if row else "General"))


def test_it_looks_as_the_same_sheet_of_an_xlsx_does() -> None:
    other, stream = openpyxl.Workbook(), io.BytesIO()
    sheet = other.active
    assert sheet is not None
    sheet.title = "Costs"
    for row, cells in enumerate(ROWS, 1):
        for column, cell in enumerate(cells, 1):
            sheet.cell(row, column, cell).number_format = FORMATS[column - 1] if row > 1 else "General"
    other.save(stream)
    (theirs,) = read_xlsx(stream.getvalue(), "/home/ada/costs.xls")
    mine = read(book(costs))
    assert (mine.text, mine.marks) == (theirs.text, theirs.marks)
    assert (
        "Item: boiler | Cost: 420 | Paid: TRUE | On: 2024-03-01 | At: 08:30 | Share: 25.0% | Exact: 1234.50"
        in mine.text
    )
    assert mine.place(mine.text.index("roof")).cells == "Costs!A3:G3"


def test_hidden_sheets_rows_and_columns_are_kept_apart() -> None:
    def fill(written: xlwt.Workbook) -> None:
        shown = written.add_sheet("Shown")
        for row in range(3):
            for column in range(3):
                shown.write(row, column, f"cell {row}{column}")
        shown.row(1).hidden = True
        shown.col(2).hidden = True
        kept = written.add_sheet("Kept")
        kept.write(0, 0, "secret")
        kept.visibility = 1

    document = read(book(fill))
    assert document.text == "Shown\ncell 00 | cell 01\ncell 20 | cell 21\n\n"
    assert document.hidden == "cell 02\ncell 10 | cell 11 | cell 12\ncell 22\nsecret"


def test_merged_cells_and_gaps_keep_their_places() -> None:
    def fill(written: xlwt.Workbook) -> None:
        sheet = written.add_sheet("Plan")
        sheet.write_merge(1, 2, 1, 3, "Kitchen")
        sheet.write(4, 4, "Done")

    document = read(book(fill))
    assert document.text == "Plan\nKitchen\nDone\n\n"
    assert [mark.value for mark in document.marks if mark.kind == "cells"] == ["Plan", "Plan!B2", "Plan!E5"]


def test_dates_from_1904_on_are_counted_so() -> None:
    def fill(written: xlwt.Workbook) -> None:
        written.dates_1904 = True
        written.add_sheet("S").write(0, 0, datetime(2024, 3, 1, 9, 30), xlwt.easyxf(num_format_str="yyyy-mm-dd hh:mm"))

    data = book(fill)
    assert xlrd.open_workbook(file_contents=data).datemode == 1
    assert "2024-03-01 09:30" in read(data).text


def test_every_cell_is_there_as_xlrd_sees_it() -> None:
    def fill(written: xlwt.Workbook) -> None:
        sheet = written.add_sheet("Words")
        for row in range(300):
            for column in range(5):
                sheet.write(row, column, f"wörd {row} {column} €")

    data = book(fill)
    theirs = xlrd.open_workbook(file_contents=data).sheet_by_index(0)
    text = read(data).text.splitlines()[1:]
    for row in range(300):
        assert all(cell in text[row] for cell in theirs.row_values(row))


def changed(data: bytes, kind: int, body: Callable[[bytes], bytes], after: int = 0) -> bytes:
    """The workbook with the records of a kind changed in place."""
    stream, at = bytearray(Compound(data).read("workbook")), 0
    while at + 4 <= len(stream):
        found, length = struct.unpack_from("<HH", stream, at)
        if found == kind and at >= after:
            stream[at + 4 : at + 4 + length] = body(bytes(stream[at + 4 : at + 4 + length]))
        at += 4 + length
    return make.compound({"Workbook": bytes(stream)})  # type: ignore[no-any-return]


def test_names_that_make_no_sense_do_not_matter() -> None:
    def fill(written: xlwt.Workbook) -> None:
        costs(written)
        written.get_sheet(0).write(5, 0, xlwt.Formula("Costs!B2"))

    data = book(fill)
    assert "boiler" in read(changed(data, 0x17, lambda body: b"\xff" * len(body))).text


def test_a_sheet_that_is_broken_leaves_the_others() -> None:
    def fill(written: xlwt.Workbook) -> None:
        for name in ("First", "Second"):
            written.add_sheet(name).write(0, 0, name)

    data = changed(book(fill), 0x85, _lost_first)
    document = read(data)
    assert document.text == "Second\nSecond\n\n"
    assert document.notes == ("the sheet First is damaged and not read, or not to its end",)


def _lost_first(body: bytes) -> bytes:
    return struct.pack("<I", 2) + body[4:] if body.endswith(b"First") else body


def box(words: str, kind: int = 6) -> bytes:
    """The records of a drawn object with words; kind 25 is a comment."""

    def record(number: int, body: bytes) -> bytes:
        return struct.pack("<HH", number, len(body)) + body

    half = len(words) // 2
    parts = b"\0" + words[:half].encode("latin-1"), b"\1" + words[half:].encode("utf-16-le")
    drawn = struct.pack("<HHHH14x", 0x15, 18, kind, 1)
    head = struct.pack("<10xHH4x", len(words), 16)
    return record(0x5D, drawn) + record(0x1B6, head) + b"".join(record(0x3C, part) for part in (*parts, b"\0" * 16))


def test_words_in_boxes_stand_below_the_rows_and_comments_do_not() -> None:
    stream = Compound(book(costs)).read("workbook").rstrip(b"\0")
    assert stream.endswith(b"\x0a")
    boxes = box("Ask Ada about the roof €") + box("Ben: no", 25)
    document = read(make.compound({"Workbook": stream[:-1] + boxes + b"\x0a\0\0\0"}))
    assert document.text.endswith("Exact: 0.10\nAsk Ada about the roof €\n\n")
    assert document.place(document.text.index("Ask Ada")).cells == "Costs"


def test_a_sheet_of_excel_2_lies_in_no_compound_file() -> None:
    def record(kind: int, body: bytes) -> bytes:
        return struct.pack("<HH", kind, len(body)) + body

    label = record(4, struct.pack("<HH3xB", 0, 0, 6) + b"boiler")
    number = record(3, struct.pack("<HH3xd", 0, 1, 420.0))
    data = record(9, struct.pack("<HH", 2, 0x10)) + label + number + record(10, b"")
    (document,) = read_data(data, "/x/old.xls")
    assert (document.kind, document.text) == ("xls", "Sheet 1\nboiler | 420\n\n")
    assert survives(read, data, 60) > 0


def test_no_workbook_says_so() -> None:
    with pytest.raises(ReadError, match="does not begin as one"):
        read(make.compound({"Workbook": b"\0" * 5000}))


def test_its_kind_is_found_by_its_streams() -> None:
    assert [one.kind for one in read_data(book(costs), "/x/costs.doc")] == ["xls"]


def test_damage_gives_a_reason_or_what_is_left() -> None:
    assert survives(read, book(costs), 100) > 0
