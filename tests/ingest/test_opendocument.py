import io
import os
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import pytest

from quoth.errors import ReadError
from quoth.ingest import kinds, opensheets, read_data
from quoth.types import Document

PREFIXES = {
    "office": "office", "text": "text", "table": "table", "draw": "drawing", "style": "style", "meta": "meta",
    "presentation": "presentation", "svg": "svg-compatible",
}  # fmt: skip
NAMES = " ".join(
    f'xmlns:{prefix}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for prefix, name in PREFIXES.items()
)
KINDS = {"text": "odt", "spreadsheet": "ods", "presentation": "odp"}
STATED = '<dc:title xmlns:dc="dc">The house</dc:title><dc:date xmlns:dc="dc">2024-05-01T10:00:00Z</dc:date>'
META = f"<office:meta>{STATED}</office:meta>"


def odf(body: str, kind: str = "text", styles: str = "", **parts: str) -> bytes:
    """An OpenDocument file of this kind ("text", "spreadsheet", "presentation") as a zip."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr(zipfile.ZipInfo("mimetype"), f"application/vnd.oasis.opendocument.{kind}")
        content = f"<office:body><office:{kind}>{body}</office:{kind}></office:body>"
        look = f"<office:automatic-styles>{styles}</office:automatic-styles>"
        package.writestr("content.xml", f"<office:document-content {NAMES}>{look}{content}</office:document-content>")
        for name, part in parts.items():
            package.writestr(name.replace("__", "/").replace("_xml", ".xml"), part)
    return stream.getvalue()


def flat(body: str, kind: str = "text") -> bytes:
    said = f'office:mimetype="application/vnd.oasis.opendocument.{kind}"'
    inner = f"{META}<office:body><office:{kind}>{body}</office:{kind}></office:body>"
    return f'<?xml version="1.0"?>\n<office:document {NAMES} {said}>{inner}</office:document>'.encode()


def opened(body: str, kind: str = "text", styles: str = "") -> Document:
    data = odf(body, kind, styles)
    (document,) = read_data(data, f"/home/ada/a.{KINDS[kind]}")
    assert document.kind == KINDS[kind]
    return document


def rows(*cells: str) -> str:
    """Rows of a table, the content of their cells parted by bars."""
    lines = ("".join(f"<table:table-cell>{one}</table:table-cell>" for one in row.split("|")) for row in cells)
    return "".join(f"<table:table-row>{line}</table:table-row>" for line in lines)


def paragraphs(*cells: str) -> str:
    return rows(*("|".join(f"<text:p>{one}</text:p>" for one in row.split("|")) for row in cells))


# texts


def test_headings_lists_tables_and_notes_come_in_order() -> None:
    body = (
        '<text:h text:outline-level="1">Rent</text:h><text:p>It is <text:span>890</text:span> euros'
        "<text:note><text:note-citation>1</text:note-citation>"
        "<text:note-body><text:p>Since May.</text:p></text:note-body></text:note>.</text:p>"
        '<text:h text:outline-level="2">Paid with it</text:h>'
        "<text:list><text:list-item><text:p>heating</text:p><text:list><text:list-item><text:p>of the stairs</text:p>"
        "</text:list-item></text:list></text:list-item><text:list-item><text:p>water</text:p></text:list-item></text:list>"
        f"<table:table>{paragraphs('Part|Euros|Year', 'flat|890|2023')}</table:table>"
    )
    document = opened(body)
    assert document.text == (
        "Rent\n\nIt is 890 euros[1].\n\n[1] Since May.\n\nPaid with it\n\n- heating\n- of the stairs\n- water\n\n"
        "Part | Euros | Year\nPart: flat | Euros: 890 | Year: 2023\n"
    )
    assert document.place(document.text.index("water")).heading == "Rent › Paid with it"


def test_blanks_are_those_that_the_format_means() -> None:
    body = "<text:p>\n  one\n  two<text:s text:c='3'/>three<text:tab/>four<text:line-break/>five </text:p>"
    assert opened(body).text == "one two   three\tfour\nfive\n"


def test_deleted_text_comments_and_contents_are_not_shown() -> None:
    body = (
        "<text:tracked-changes><text:changed-region><text:deletion><text:p>gone</text:p></text:deletion>"
        "</text:changed-region></text:tracked-changes><text:table-of-content><text:index-body><text:p>Rent 1</text:p>"
        "</text:index-body></text:table-of-content>"
        "<text:p>Kept<office:annotation><text:p>a comment</text:p></office:annotation>.</text:p>"
    )
    document = opened(body)
    assert (document.text, document.hidden) == ("Kept.\n", "")


def test_hidden_text_is_kept_apart_by_style_section_and_field() -> None:
    styles = (
        '<style:style style:name="T1" style:family="text"><style:text-properties text:display="none"/></style:style>'
        '<style:style style:name="P2" style:family="paragraph" style:parent-style-name="P1"/>'
        '<style:style style:name="P1" style:family="paragraph">'
        '<style:text-properties text:display="none"/></style:style>'
    )
    body = (
        '<text:p>Shown <text:span text:style-name="T1">by span</text:span></text:p>'
        '<text:p text:style-name="P2">by paragraph</text:p>'
        '<text:section text:display="none"><text:p>by section</text:p></text:section>'
        "<text:p>and <text:hidden-text>by field</text:hidden-text>so on</text:p>"
    )
    document = opened(body, styles=styles)
    assert document.text == "Shown\n\nand so on\n"
    assert document.hidden.split("\n") == ["by span", "by paragraph", "by section", "by field"]


def test_a_text_box_stands_after_its_paragraph() -> None:
    box = (
        "<draw:frame><draw:text-box><text:p>In the box</text:p></draw:text-box><svg:title>alt</svg:title></draw:frame>"
    )
    assert opened(f"<text:p>Before{box} after</text:p>").text == "Before after\n\nIn the box\n"


def test_title_and_time_are_those_of_the_file() -> None:
    meta = f"<office:document-meta {NAMES}>{META}</office:document-meta>"
    (document,) = read_data(odf("<text:p>x</text:p>", meta_xml=meta), "a.odt")
    assert (document.title, document.modified) == ("The house", 1714557600.0)


def test_an_encrypted_file_says_so() -> None:
    manifest = "<m><file-entry><encryption-data/></file-entry></m>"
    for kind, name in KINDS.items():
        with pytest.raises(ReadError, match="the file is encrypted"):
            read_data(odf("", kind, **{"META-INF__manifest_xml": manifest}), f"a.{name}")


def test_flat_files_are_read_too() -> None:
    data = flat("<text:p>Hello</text:p>")
    (document,) = read_data(data, "/home/ada/a.fodt")
    assert (document.kind, document.text, document.title) == ("odt", "Hello\n", "The house")
    sheet = flat(f'<table:table table:name="One">{paragraphs("a|b")}</table:table>', "spreadsheet")
    assert read_data(sheet, "/home/ada/a.xml")[0].text == "One\na | b\n\n"
    assert kinds.kind_of("a.py", b"text = '" + data + b"'") == "code"


def test_bombs_are_refused() -> None:
    deep = "<text:section>" * 50_000 + "</text:section>" * 50_000
    with pytest.raises(ReadError, match="nests its parts more than 60 deep"):
        read_data(odf(deep), "a.odt")
    laughing = b'<!DOCTYPE x [<!ENTITY a "ha">]>' + flat("<text:p>&a;</text:p>").split(b"\n", 1)[1]
    with pytest.raises(ReadError, match="declares a document type"):
        read_data(laughing, "a.fodt", kind="odt")
    wide = ('<?xml version="1.0" encoding="UTF-16"?>' + laughing.decode()).encode("utf-16")
    with pytest.raises(ReadError, match="declares a document type"):
        read_data(wide, "a.fodt", kind="odt")
    spaces = "<text:p>a" + '<text:s text:c="999999999"/>' * 1_000 + "b</text:p>"
    assert len(opened(spaces).text) == 1_000_003


def test_real_texts_hold_every_word_of_their_xml() -> None:
    paths = sorted(Path(os.environ.get("QUOTH_DATA", os.devnull)).rglob("*.odt"))
    if not paths:
        pytest.skip("QUOTH_DATA names no folder of files to try")
    for path in paths[:40]:
        (document,) = read_data(path.read_bytes(), str(path))
        said = document.text + document.hidden
        for one in ElementTree.fromstring(zipfile.ZipFile(path).read("content.xml")).iter():
            if one.tag.endswith(("}p", "}h")):
                assert all(word in said for word in "".join(one.itertext()).split()), path


# spreadsheets


def sheet(body: str, styles: str = "") -> Document:
    return opened(f'<table:table table:name="Costs">{body}</table:table>', "spreadsheet", styles)


def test_rows_carry_their_headers_and_cells_and_show_what_is_shown() -> None:
    shown = (
        '<table:table-cell office:value-type="date" office:date-value="2024-04-02"><text:p>2. April 2024</text:p>'
        '</table:table-cell><table:table-cell office:value-type="currency" office:value="412"><text:p>412,00 €</text:p>'
        "</table:table-cell>"
    )
    document = sheet(
        paragraphs("Item|Paid on|Amount")
        + rows("<text:p>Gutter</text:p>").replace("</table:table-row>", f"{shown}</table:table-row>")
    )
    assert (
        document.text == "Costs\nItem | Paid on | Amount\nItem: Gutter | Paid on: 2. April 2024 | Amount: 412,00 €\n\n"
    )
    place = document.place(document.text.index("Gutter"))
    assert (place.heading, place.cells) == ("Costs", "Costs!A2:C2")


def test_values_without_text_are_written_out() -> None:
    values = (
        'office:value-type="float" office:value="12.50"', 'office:value-type="percentage" office:value="0.19"',
        'office:value-type="boolean" office:boolean-value="true"',
        'office:value-type="time" office:time-value="PT07H45M00S"',
        'office:value-type="date" office:date-value="2024-05-03T00:00:00"',
        'office:value-type="string" office:string-value="text"',
    )  # fmt: skip
    cells = "".join(f"<table:table-cell {one}/>" for one in values)
    text = sheet(f"<table:table-row>{cells}</table:table-row>").text
    assert text.splitlines()[1] == "12.5 | 19% | TRUE | 07:45:00 | 2024-05-03 | text"


def test_repeated_cells_and_rows_keep_their_places_and_empty_ones_cost_nothing() -> None:
    body = (
        '<table:table-row table:number-rows-repeated="3"><table:table-cell table:number-columns-repeated="16384"/>'
        "</table:table-row>"
        '<table:table-row table:number-rows-repeated="2"><table:table-cell table:number-columns-repeated="2"/>'
        '<table:table-cell table:number-columns-repeated="2"><text:p>x</text:p></table:table-cell></table:table-row>'
        '<table:table-row table:number-rows-repeated="1048571">'
        '<table:table-cell table:number-columns-repeated="16384"/>'
        "</table:table-row>"
    )
    document = sheet(body)
    assert document.text == "Costs\nx | x\nx | x\n\n"
    assert [mark.value for mark in document.marks if mark.kind == "cells"] == ["Costs", "Costs!C4:D4", "Costs!C5:D5"]


def test_what_is_repeated_beyond_measure_is_cut_with_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opensheets, "MOST_CELLS", 10)
    body = rows("<text:p>x</text:p>").replace("-row>", '-row table:number-rows-repeated="999999999">', 1)
    document = sheet(body)
    assert document.text.count("x") == 11
    assert document.notes[0].startswith("the sheet Costs is cut")


def test_hidden_sheets_rows_columns_and_covered_cells_are_kept_apart() -> None:
    unseen = '<style:table-properties table:display="false"/>'
    styles = f'<style:style style:name="ta2" style:family="table">{unseen}</style:style>'
    body = (
        '<table:table table:name="Costs"><table:table-column/><table:table-column table:visibility="collapse"/>'
        f"{paragraphs('Item|secret', 'lamp|price')}"
        + paragraphs("ghost|x").replace("<table:table-row", '<table:table-row table:visibility="filter"')
        + "<table:table-row><table:table-cell><text:p>wide</text:p></table:table-cell>"
        "<table:covered-table-cell><text:p>below</text:p></table:covered-table-cell></table:table-row></table:table>"
        f'<table:table table:name="Drafts" table:style-name="ta2">{paragraphs("never shown")}</table:table>'
    )
    document = opened(body, "spreadsheet", styles)
    assert document.text == "Costs\nItem\nlamp\nwide\n\n"
    assert set(document.hidden.split("\n")) == {"secret", "price", "ghost | x", "below", "never shown"}


def test_comments_in_cells_are_not_shown_and_formulas_without_a_value_are_counted() -> None:
    body = rows("<office:annotation><text:p>a remark</text:p></office:annotation><text:p>shown</text:p>")
    document = sheet(body + '<table:table-row><table:table-cell table:formula="of:=1+1"/></table:table-row>')
    assert document.text == "Costs\nshown\n\n"
    assert document.notes == ("1 formulas of the sheet Costs have no stored value: open and save the file",)


# presentations


def slide(title: str, text: str, notes: str = "", style: str = "") -> str:
    frame = '<draw:frame presentation:class="{}"><draw:text-box><text:p>{}</text:p></draw:text-box></draw:frame>'
    below = f"<presentation:notes>{frame.format('notes', notes)}</presentation:notes>" if notes else ""
    return (
        f'<draw:page draw:style-name="{style}">{frame.format("outline", text)}{frame.format("title", title)}'
        f"{frame.format('footer', 'Halden Solar Works')}{below}</draw:page>"
    )


def test_slides_have_their_title_first_and_their_notes_last() -> None:
    hiding = (
        '<style:style style:name="dp2" style:family="drawing-page">'
        '<style:drawing-page-properties presentation:visibility="hidden"/></style:style>'
    )
    body = (
        slide("The roof", "Slate", "Mention the storm.") + slide("Draft", "unseen", "", "dp2") + slide("End", "Thanks")
    )
    document = opened(body, "presentation", hiding)
    assert document.text == "The roof\n\nSlate\n\nHalden Solar Works\n\nNotes\n\nMention the storm.\n\nEnd\n\nThanks\n"
    assert "unseen" in document.hidden
    storm, thanks = (document.place(document.text.index(word)) for word in ("storm", "Thanks"))
    assert (storm.page, storm.heading, thanks.page, thanks.heading) == (1, "The roof › Notes", 3, "End")
