import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quoth.ingest import read_data
from quoth.ingest.tables import header, letters, read_csv
from quoth.types import Document


def table(text: str, encoding: str = "utf-8") -> Document:
    (document,) = read_csv(text.encode(encoding), "/home/ada/costs.csv")
    return document


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(delimiter: str) -> None:
    rows = [["Item", "Cost", "Paid"], ["lamp", "12.5", "2024-01-03"], ["rug", "80", "2024-02-11"]]
    text = "\n".join(delimiter.join(row) for row in rows)
    assert table(text).text.splitlines()[1] == "Item: lamp | Cost: 12.5 | Paid: 2024-01-03"


def test_a_delimiter_inside_quotation_marks_is_none() -> None:
    assert table('"1","2","x; y"\n"3","4","z; w"\n').text == "1 | 2 | x; y\n3 | 4 | z; w\n"
    assert table('"","",";"\n"",""\n"",""\n').text == ";\n"


def test_a_file_with_tabs_is_a_table_by_either_ending() -> None:
    for name in ("lifts.tsv", "lifts.tab"):
        (document,) = read_data(b"Station\tHeight\nNordpark\t860\nSeegrube\t1905\n", f"/a/{name}")
        assert document.kind == "csv"
        assert document.text.splitlines()[2] == "Station: Seegrube | Height: 1905"
        place = document.place(document.text.index("1905"))
        assert (place.cells, place.line) == ("A3:B3", 3)


def test_decimal_commas_do_not_mislead() -> None:
    text = table("Item;Cost\nlamp;12,50\nrug;80,00\n").text
    assert text == "Item | Cost\nItem: lamp | Cost: 12,50\nItem: rug | Cost: 80,00\n"


def test_the_delimiter_that_a_file_names_is_believed() -> None:
    document = table("sep=;\nItem;Cost\nlamp;1,5\n")
    assert document.text == "Item | Cost\nItem: lamp | Cost: 1,5\n"
    assert document.place(document.text.index("lamp")).line == 3


def test_each_row_knows_its_cells_and_its_line() -> None:
    document = table('Item,Note,Cost\nlamp,"two\nlines",12\nrug,,80\n')
    lamp, rug = document.text.index("lamp"), document.text.index("rug")
    assert document.text.splitlines()[1] == "Item: lamp | Note: two lines | Cost: 12"
    assert (document.place(lamp).cells, document.place(lamp).line) == ("A2:C2", 2)
    assert (document.place(rug).cells, document.place(rug).line) == ("A3:C3", 4)


def test_ragged_rows_keep_what_they_have() -> None:
    assert table("Item,Cost\nlamp,12,extra\nrug\nmat,7\n").text.splitlines()[1:] == [
        "Item: lamp | Cost: 12 | extra",
        "Item: rug",
        "Item: mat | Cost: 7",
    ]


def test_figures_alone_have_no_header() -> None:
    assert table("1,2,3\n4,5,6\n").text == "1 | 2 | 3\n4 | 5 | 6\n"


def test_a_quotation_mark_that_never_closes_swallows_nothing() -> None:
    document = table('Item,Cost\n"lamp,12\n' + "rug,80\n" * 500)
    assert document.text.count("rug") == 500
    assert document.notes == ("its quotation marks do not pair up and were read as ordinary characters",)


def test_another_encoding_reads_too() -> None:
    text = table("Raum;Größe;Preis\nKüche;groß;42\nFlur;mäßig;7\nBäder;übergroß;12\n" * 3, "cp1252").text
    assert text.startswith("Raum | Größe | Preis\nRaum: Küche | Größe: groß | Preis: 42\n")


def test_an_empty_file_is_an_empty_document() -> None:
    assert (table("").text, table("\n\n,,\n").text) == ("", "")


def test_a_title_above_the_table_is_not_the_header() -> None:
    rows = [["Costs of the house"], ["Item", "Cost"], ["lamp", "12"]]
    assert header(rows) == 1


def test_a_header_that_comes_again_is_no_header() -> None:
    assert header([["red", "oak", "new"], ["blue", "oak", "old"]]) is None


CELLS = st.text(st.characters(categories=("L", "N", "P", "Sm", "Zs")))


@given(st.lists(st.lists(CELLS, min_size=2, max_size=4), max_size=8))
def test_every_cell_of_any_table_is_in_its_row(rows: list[list[str]]) -> None:
    stream = io.StringIO()
    csv.writer(stream, quoting=csv.QUOTE_ALL).writerows(rows)
    document = table(stream.getvalue())
    for row in rows:
        for cell in row:
            assert " ".join(cell.split()) in document.text
    assert len([mark for mark in document.marks if mark.kind == "cells"]) == len(document.text.split("\n")) - 1


@pytest.mark.parametrize(("column", "name"), [(1, "A"), (26, "Z"), (27, "AA"), (702, "ZZ"), (16384, "XFD")])
def test_columns_are_named_as_in_a_spreadsheet(column: int, name: str) -> None:
    assert letters(column) == name
