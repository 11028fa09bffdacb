import io
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import pptx
import pytest
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.presentation import Presentation
from pptx.util import Cm

from quoth.errors import ReadError
from quoth.ingest import kinds, package, read_data
from quoth.ingest.slides import read_pptx
from quoth.types import Document

TITLE_AND_TEXT, ONLY_TITLE, BLANK = 1, 5, 6


def saved(fill: Callable[[Presentation], None]) -> bytes:
    show, stream = pptx.Presentation(), io.BytesIO()
    show.core_properties.title = ""
    fill(show)
    show.save(stream)
    return stream.getvalue()


def slides(fill: Callable[[Presentation], None]) -> Document:
    (document,) = read_pptx(saved(fill), "/home/ada/talk.pptx")
    return document


def with_text(show: Presentation, title: str, text: str = "", notes: str = "") -> None:
    slide = show.slides.add_slide(show.slide_layouts[TITLE_AND_TEXT])
    slide.shapes.title.text, slide.placeholders[1].text = title, text
    if notes:
        slide.notes_slide.notes_text_frame.text = notes


def test_a_slide_is_a_page_with_its_title_as_heading_and_its_notes_below() -> None:
    def fill(show: Presentation) -> None:
        with_text(show, "The roof", "Slate from Wales\nLaid in 1911", "Mention the storm of 2019.")
        with_text(show, "The cellar", "Dry since the drain was laid.")

    document = slides(fill)
    assert document.text == (
        "The roof\n\n- Slate from Wales\n- Laid in 1911\n\nNotes\n\nMention the storm of 2019.\n\n"
        "The cellar\n\nDry since the drain was laid.\n"
    )
    storm, drain = (document.place(document.text.index(word)) for word in ("storm", "drain"))
    assert (storm.page, storm.heading) == (1, "The roof › Notes")
    assert (drain.page, drain.heading) == (2, "The cellar")
    assert (document.kind, document.title) == ("pptx", "The roof")


def test_slides_come_in_the_order_of_the_show_not_of_their_files() -> None:
    def fill(show: Presentation) -> None:
        for name in ("first", "second", "third"):
            with_text(show, name)
        order = show.slides._sldIdLst
        order.insert(0, order[2])

    document = slides(fill)
    assert document.text.split() == ["third", "first", "second"]
    assert document.place(document.text.index("second")).page == 3


def test_a_slide_without_a_title_is_not_under_the_one_before() -> None:
    def fill(show: Presentation) -> None:
        with_text(show, "The roof")
        box = show.slides.add_slide(show.slide_layouts[BLANK]).shapes.add_textbox(0, 0, Cm(5), Cm(2))
        box.text_frame.text = "Only a picture's caption."

    document = slides(fill)
    place = document.place(document.text.index("caption"))
    assert (place.page, place.heading) == (2, None)


def test_the_title_is_read_first_and_groups_in_their_place() -> None:
    def fill(show: Presentation) -> None:
        slide = show.slides.add_slide(show.slide_layouts[ONLY_TITLE])
        group = slide.shapes.add_group_shape()
        for words in ("left", "right"):
            group.shapes.add_textbox(0, 0, Cm(2), Cm(2)).text_frame.text = words
        slide.shapes.add_textbox(0, 0, Cm(2), Cm(2)).text_frame.text = "below"
        slide.shapes.title.text = "Two sides"
        tree = slide.shapes._spTree
        tree.append(slide.shapes.title._element)

    assert slides(fill).text == "Two sides\n\nleft\n\nright\n\nbelow\n"


def test_a_table_has_a_line_for_each_row() -> None:
    def fill(show: Presentation) -> None:
        slide = show.slides.add_slide(show.slide_layouts[BLANK])
        table = slide.shapes.add_table(3, 2, 0, 0, Cm(9), Cm(3)).table
        for row, words in enumerate((("Item", "Paid to"), ("lamp", "Ida"), ("rug", "Olof"))):
            for column, said in enumerate(words):
                table.cell(row, column).text = said

    assert slides(fill).text == "Item | Paid to\nItem: lamp | Paid to: Ida\nItem: rug | Paid to: Olof\n"


def test_a_chart_says_its_figures() -> None:
    def fill(show: Presentation) -> None:
        figures = CategoryChartData()
        figures.categories = ["2022", "2023"]
        figures.add_series("Heating", (410, 380))
        figures.add_series("Water", (90, 95))
        slide = show.slides.add_slide(show.slide_layouts[BLANK])
        shape = slide.shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, 0, 0, Cm(9), Cm(6), figures)
        shape.chart.has_title = True
        shape.chart.chart_title.text_frame.text = "Costs in euros"

    text = slides(fill).text
    assert (
        text == "Costs in euros\n\nHeating | Water\n2022 | Heating: 410 | Water: 90\n2023 | Heating: 380 | Water: 95\n"
    )


def test_hidden_slides_and_shapes_and_what_lies_off_the_slide_are_kept_apart() -> None:
    def fill(show: Presentation) -> None:
        with_text(show, "Shown")
        with_text(show, "Draft", "never meant to be seen", "not even noted")
        show.slides[1]._element.set("show", "0")
        with_text(show, "Last")
        shapes = show.slides[2].shapes
        shapes.add_textbox(Cm(90), 0, Cm(5), Cm(2)).text_frame.text = "beside the slide"
        switched_off = shapes.add_textbox(0, 0, Cm(5), Cm(2))
        switched_off.text_frame.text = "switched off"
        switched_off._element.nvSpPr.cNvPr.set("hidden", "1")

    document = slides(fill)
    assert document.text == "Shown\n\nLast\n"
    assert document.place(document.text.index("Last")).page == 3
    words = ("never meant to be seen", "not even noted", "beside the slide", "switched off")
    assert all(one in document.hidden for one in words)


def test_a_footer_is_read_once_and_slide_numbers_never() -> None:
    def fill(show: Presentation) -> None:
        for title in ("One", "Two"):
            slide = show.slides.add_slide(show.slide_layouts[ONLY_TITLE])
            slide.shapes.title.text = title
            for kind, words in (("ftr", "Halden Solar Works"), ("sldNum", "17")):
                box = slide.shapes.add_textbox(0, 0, Cm(5), Cm(2))
                box.text_frame.text = words
                holder = box._element.nvSpPr.nvPr
                holder.get_or_add_ph().set("type", kind)

    assert slides(fill).text == "One\n\nHalden Solar Works\n\nTwo\n"


def test_the_words_are_those_that_python_pptx_sees() -> None:
    def fill(show: Presentation) -> None:
        for number in range(4):
            with_text(show, f"Slide {number}", f"point a{number}\npoint b{number}\vbelow it", f"note {number}")

    data = saved(fill)
    flat = "".join(read_pptx(data, "talk.pptx")[0].text.split())
    for slide in pptx.Presentation(io.BytesIO(data)).slides:
        frames = [shape.text_frame for shape in slide.shapes] + [slide.notes_slide.notes_text_frame]
        for paragraph in (one for frame in frames for one in frame.paragraphs):
            assert "".join(paragraph.text.split()) in flat


def test_a_template_and_a_show_with_macros_are_known_by_their_bytes() -> None:
    data = saved(lambda show: with_text(show, "Shown"))
    for name in ("a.pptx", "a.pptm", "a.potx", "a.ppsx", "a.docx"):
        assert kinds.kind_of(name, data) == "pptx"
    assert read_data(data, "/home/ada/a.ppsx")[0].text == "Shown\n"


def test_the_pages_of_a_presentation_are_slides() -> None:
    assert [kinds.pages(f"/a/b.{name}") for name in ("pptx", "odp", "pdf", "docx")] == [
        "slide",
        "slide",
        "page",
        "page",
    ]


def test_an_encrypted_presentation_says_so() -> None:
    data = package.COMPOUND + b"\0" * 600 + "EncryptedPackage".encode("utf-16-le")
    with pytest.raises(ReadError, match="encrypted"):
        read_pptx(data, "a.pptx")


def test_a_missing_slide_is_noted() -> None:
    data, stream = saved(lambda show: [with_text(show, name) for name in ("One", "Two")] and None), io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(stream, "w") as new:
        for name in old.namelist():
            if name != "ppt/slides/slide1.xml":
                new.writestr(name, old.read(name))
    (document,) = read_pptx(stream.getvalue(), "a.pptx")
    assert (document.text, document.notes) == ("Two\n", ("slide 1 is missing from the file",))


def deep(tree: str) -> bytes:
    """A presentation of one slide with these shapes."""
    stream = io.BytesIO()
    relations = '<r><Relationship Id="r1" Type="x/slide" Target="slides/slide1.xml"/></r>'
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as package:
        show = '<p xmlns:r="r"><sldIdLst><sldId id="256" r:id="r1"/></sldIdLst></p>'
        package.writestr("ppt/presentation.xml", show)
        package.writestr("ppt/_rels/presentation.xml.rels", relations)
        package.writestr("ppt/slides/slide1.xml", f"<sld><cSld><spTree>{tree}</spTree></cSld></sld>")
    return stream.getvalue()


def test_groups_nested_without_end_are_refused() -> None:
    assert read_pptx(deep("<sp><txBody><p><r><t>Hello</t></r></p></txBody></sp>"), "a.pptx")[0].text == "Hello\n"
    with pytest.raises(ReadError, match="nests groups of shapes more than 60 deep"):
        read_pptx(deep("<grpSp>" * 50_000 + "</grpSp>" * 50_000), "a.pptx")


def test_smart_art_is_a_list() -> None:
    art = '<graphic><graphicData><relIds xmlns:r="r" r:dm="r9"/></graphicData></graphic>'
    stream = io.BytesIO(deep(f"<graphicFrame>{art}</graphicFrame>"))
    with zipfile.ZipFile(stream, "a") as package:
        points = "".join(f"<pt><t><p><r><t>{word}</t></r></p></t></pt>" for word in ("plan", "build"))
        package.writestr("ppt/diagrams/data1.xml", f"<dataModel><ptLst>{points}</ptLst></dataModel>")
        relations = '<r><Relationship Id="r9" Type="x/diagramData" Target="../diagrams/data1.xml"/></r>'
        package.writestr("ppt/slides/_rels/slide1.xml.rels", relations)
    assert read_pptx(stream.getvalue(), "a.pptx")[0].text == "- plan\n- build\n"


def test_real_presentations_hold_what_python_pptx_sees() -> None:
    paths = sorted(Path(os.environ.get("QUOTH_DATA", os.devnull)).rglob("*.pptx"))
    if not paths:
        pytest.skip("QUOTH_DATA names no folder of files to try")
    for path in paths[:40]:
        (document,) = read_data(path.read_bytes(), str(path))
        flat = "".join((document.text + document.hidden).split())
        for slide in pptx.Presentation(str(path)).slides:
            for shape in slide.shapes:
                number = shape.is_placeholder and shape.placeholder_format.type == 13
                if shape.has_text_frame and not number:
                    for paragraph in shape.text_frame.paragraphs:
                        assert "".join(paragraph.text.split()) in flat, path
