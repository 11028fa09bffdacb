"""PowerPoint files from before 2007: slides in order, titles, lists, tables, notes, and what does not show."""

from __future__ import annotations

import struct

import pytest
from compounds import make, survives

from quoth.errors import ReadError
from quoth.ingest import read_data
from quoth.ingest.ppt import read_ppt
from quoth.types import Document

Slide, shape, drawing, record, text = make.Slide, make.shape, make.drawing, make.record, make.text


def read(*show: object) -> Document:
    (document,) = read_ppt(make.compound(make.slides(show)), "/home/ada/show.ppt")
    return document


def test_a_slide_is_a_page_with_its_title_first_and_its_notes_last() -> None:
    document = read(
        Slide(
            drawing(shape("Ask early\rAsk often", 1), shape("Lean\x0bsearch", 0)),
            notes=drawing(shape("Pause here.", 2)),
        ),
        Slide(drawing(shape("No title – “here”"))),
    )
    assert document.text == ("Lean search\n\n- Ask early\n- Ask often\n\nNotes\n\nPause here.\n\nNo title – “here”\n")
    places = [document.place(document.text.index(words)) for words in ("Ask often", "Pause", "No title")]
    assert [(place.page, place.heading) for place in places] == [
        (1, "Lean search"),
        (1, "Lean search › Notes"),
        (2, None),
    ]
    assert (document.kind, document.title) == ("ppt", "Lean search")


def test_words_of_the_outline_stand_where_the_drawing_refers_to_them() -> None:
    refers = record(0xF004, record(0xF00D, record(0xF9E, struct.pack("<I", 1))))
    document = read(Slide(drawing(shape("Own"), refers), outline=text("Unused", 4) + text("Second", 1)))
    assert document.text == "Own\n\nSecond\n"


def test_the_outline_stands_in_where_there_is_no_drawing() -> None:
    assert read(Slide(b"", outline=text("Title", 0) + text("Body", 1))).text == "Title\n\nBody\n"


def test_a_hidden_slide_and_a_hidden_shape_are_kept_apart() -> None:
    showing = record(0x3F9, struct.pack("<iIBBHI", 0, 0, 0, 0, 4, 0))
    document = read(
        Slide(drawing(shape("Shown"), shape("Off", looks={0x3BF: 0x20002}))),
        Slide(drawing(shape("Kept back", 0)), more=showing),
    )
    assert document.text == "Shown\n"
    assert document.hidden == "Off\nKept back"


def test_a_shape_off_the_slide_is_kept_apart() -> None:
    away = record(0xF004, record(0xF010, struct.pack("<4h", 100, 6000, 7000, 200)), record(0xF00D, text("Away", 4)))
    assert read(Slide(drawing(shape("Shown"), away))).hidden == "Away"


def test_a_table_is_rows_under_their_headers() -> None:
    cells = [
        shape(words, at=(column * 100, line * 50, column * 100 + 100, line * 50 + 50))
        for line, words_ in enumerate((("Part", "Euros"), ("Boiler", "420"), ("", "4,200")))
        for column, words in enumerate(words_)
        if words
    ]
    head = record(0xF004, record(0xF122, struct.pack("<HI", 0x39F, 1), instance=1))
    document = read(Slide(drawing(record(0xF003, head, *cells))))
    assert document.text == "Part | Euros\nPart: Boiler | Euros: 420\nEuros: 4,200\n"


def test_a_footer_is_read_once_and_numbers_of_slides_are_not() -> None:
    footer = record(
        0xFD9, record(0xFDA, struct.pack("<HH", 0, 0x20)), record(0xFBA, "Kessler Ltd".encode("utf-16-le"), instance=2)
    )
    numbered = record(0xF004, record(0xF00D, text("Page *", 4), record(0xFD8, struct.pack("<I", 5))))
    document = read(Slide(drawing(shape("One"), numbered), more=footer), Slide(drawing(shape("Two")), more=footer))
    assert document.text == "One\n\nPage\n\nKessler Ltd\n\nTwo\n"


def test_a_footer_of_all_slides_is_read_once() -> None:
    said = record(0xFBA, "Kessler Ltd".encode("utf-16-le"), instance=2)
    footers = record(0xFD9, record(0xFDA, struct.pack("<HH", 0, 0x20)), said, instance=3)
    handout = record(0xFD9, record(0xFDA, struct.pack("<HH", 0, 0x20)), said.replace(b"K", b"W"), instance=4)
    streams = make.slides([Slide(drawing(shape("One"))), Slide(drawing(shape("Two")))], more=footers + handout)
    (document,) = read_ppt(make.compound(streams), "/x/show.ppt")
    assert document.text == "One\n\nKessler Ltd\n\nTwo\n"


def test_the_last_save_is_found_where_its_place_is_lost() -> None:
    streams = make.slides([Slide(drawing(shape("Found")))])
    streams["Current User"] = b""
    (document,) = read_ppt(make.compound(streams), "/x/show.ppt")
    assert document.text == "Found\n"


def test_an_edit_that_was_saved_later_counts() -> None:
    streams = make.slides([Slide(drawing(shape("Old")))])
    stream = streams["PowerPoint Document"]
    before = stream.rindex(b"\xf5\x0f\x1c\0\0\0") - 2
    place = len(stream)
    stream += record(0x3EE, record(0x3EF, b"\0" * 24), drawing(shape("New")))
    directory = len(stream)
    stream += record(0x1772, struct.pack("<II", 2 | 1 << 20, place))
    edit = len(stream)
    stream += record(0xFF5, struct.pack("<IHBBIIIIHH", 256, 0, 0, 3, before, directory, 1, 99, 1, 0))
    user = record(0xFF6, struct.pack("<IIIHHBBH", 20, 0xE391C05F, edit, 0, 1012, 3, 0, 0))
    (document,) = read_ppt(make.compound({"PowerPoint Document": stream, "Current User": user}), "/x/show.ppt")
    assert document.text == "New\n"


def test_edits_that_lead_to_each_other_end() -> None:
    streams = make.slides([Slide(drawing(shape("Found")))])
    stream = bytearray(streams["PowerPoint Document"])
    at = stream.rindex(b"\xf5\x0f\x1c\0\0\0") - 2
    struct.pack_into("<I", stream, at + 16, at)
    (document,) = read_ppt(make.compound({**streams, "PowerPoint Document": bytes(stream)}), "/x/show.ppt")
    assert document.text == "Found\n"


def test_a_show_of_pictures_says_that_it_holds_no_text() -> None:
    assert read(Slide(drawing()), Slide(drawing())).notes == ("none of its slides holds text",)


def test_a_file_without_slides_says_so() -> None:
    with pytest.raises(ReadError, match="its slides are missing"):
        read_ppt(make.compound({"PowerPoint Document": b"\0" * 5000}), "/x/show.ppt")


def test_its_kind_is_found_by_its_streams() -> None:
    data = make.compound(make.slides([Slide(drawing(shape("Words")))]))
    assert [one.kind for one in read_data(data, "/x/a.doc")] == ["ppt"]


def test_damage_gives_a_reason_or_what_is_left() -> None:
    show = [
        Slide(drawing(shape("A\rB", 1), shape("T", 0)), notes=drawing(shape("N", 2))),
        Slide(b"", outline=text("O", 0)),
    ]
    assert survives(lambda changed: read_ppt(changed, "/x/show.ppt"), make.compound(make.slides(show)), 150) > 0
