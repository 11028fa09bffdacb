"""Plain text, code and notebooks; bytes to characters; languages."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quoth.errors import ReadError
from quoth.ingest import read_data
from quoth.ingest.decode import decode
from quoth.ingest.language import language_of
from quoth.types import Document


def read(data: str | bytes, name: str) -> Document:
    return read_data(data.encode() if isinstance(data, str) else data, f"/a/{name}")[0]


def test_text_is_kept_as_it_is_and_titled_by_a_short_first_line() -> None:
    document = read("\r\n  Shopping list \r\n\r\nmilk\r\n", "x.txt")
    assert (document.text, document.title) == ("\r\n  Shopping list \r\n\r\nmilk\r\n", "Shopping list")
    assert document.place(document.text.index("milk")).line == 4


def test_a_long_first_line_is_no_title() -> None:
    assert read("word " * 40, "x.txt").title == "x.txt"


def test_functions_at_the_margin_of_code_are_headings() -> None:
    python = read("import os\n\nclass A:\n    def b(self): ...\n\nasync def c(): ...\n", "m.py")
    assert (python.kind, python.title, [mark.value for mark in python.marks]) == ("code", "m.py", ["A", "c"])
    assert [mark.value for mark in read("pub fn go() {}\nstruct S;\n", "m.rs").marks] == ["go", "S"]
    assert [mark.value for mark in read("export default function f(a) {}\n", "m.js").marks] == ["f"]


def test_a_notebook_is_its_cells_and_their_printed_output() -> None:
    cells = [
        {"cell_type": "markdown", "source": ["# Sums\n", "Adding."]},
        {"cell_type": "code", "source": "", "outputs": []},
        {"cell_type": "code", "source": "1 + 1", "outputs": [{"data": {"text/plain": ["2"], "image/png": "AAAA"}}]},
        {
            "cell_type": "code",
            "source": "oh",
            "outputs": [{"ename": "NameError", "evalue": "oh"}, {"text": ["a\n", "b\n"]}],
        },
    ]
    document = read(json.dumps({"nbformat": 4, "cells": cells}), "n.ipynb")
    assert document.text == "# Sums\nAdding.\n\n1 + 1\n2\n\noh\nNameError: oh\na\nb"
    assert document.title == "Sums"
    assert document.place(document.text.index("2")).cells == "cell 3"
    assert document.place(document.text.index("oh")).heading == "Sums"


def test_one_nul_makes_no_text_wide() -> None:
    with pytest.raises(ReadError, match="is binary"):
        decode(b"\0 # g\n")
    assert decode("g\n".encode("utf-16-be")) == ("g\n", ())


@pytest.mark.parametrize("text", ["{", '{"cells": [1]}', '{"cells": 3}', "{}"])
def test_a_broken_notebook_is_a_read_error(text: str) -> None:
    with pytest.raises(ReadError, match="is not a Jupyter notebook"):
        read(text, "n.ipynb")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"])
def test_every_unicode_encoding_is_read(encoding: str) -> None:
    text = "The café opens at nine.\r\nIt closes at five.\r\n"
    assert decode(text.encode(encoding)) == (text, ())


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1252", "Die Straße führt über die Brücke nach Österreich, und später zurück. Es regnet schön häufig dort."),
        ("cp1251", "Договор был подписан в Москве, и гарантия действует два года со дня покупки прибора."),
        ("shift_jis", "保証期間は購入日から二年間です。詳しくは説明書をご覧ください。東京で作られました。"),
        ("gb18030", "保修期为自购买之日起两年。详情请参阅说明书。本产品在北京制造，质量可靠。"),
    ],
)
def test_older_encodings_are_guessed(encoding: str, text: str) -> None:
    assert decode((text * 3).encode(encoding))[0] == text * 3


def test_a_declared_encoding_is_believed() -> None:
    text = '<?xml version="1.0" encoding="iso-8859-2"?><a>Łódź</a>'
    assert decode(text.encode("iso-8859-2"))[0] == text


def test_a_broken_byte_is_replaced_and_said() -> None:
    text, notes = decode("Grüße aus Köln, schöne Straßen überall, Übungen für Mädchen. ".encode() + b"\xff end")
    assert text.endswith("\ufffd end")
    assert notes == ("1 characters could not be read as utf-8 and stand as \ufffd",)


def test_nul_characters_are_replaced_and_said() -> None:
    data = b"a\x00b" + b" text" * 100
    assert decode(data) == ("a\ufffdb" + " text" * 100, ("1 NUL characters stand as \ufffd",))


def test_rubbish_is_refused() -> None:
    with pytest.raises(ReadError, match="is binary"):
        decode(bytes(range(256)) * 8)


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(exclude_categories=("Cs", "Cc", "Co", "Cn")), max_size=200))
def test_utf_8_comes_back_as_it_was(text: str) -> None:
    if not text.startswith("\ufeff"):
        assert decode(text.encode())[0] == text


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_text_or_a_read_error(data: bytes) -> None:
    try:
        text, _ = decode(data)
    except ReadError:
        return
    assert "\x00" not in text
    text.encode("utf-8")


@pytest.mark.parametrize(
    ("language", "text"),
    [
        (
            "en",
            "The warranty of the inverter ends two years after the day on which it was bought, unless it was extended.",
        ),
        (
            "de",
            "Die Garantie des Wechselrichters endet zwei Jahre nach dem Tag des Kaufes, wenn niemand sie verlängert.",
        ),
        ("zh", "保修期为自购买之日起两年。详情请参阅说明书。本产品在北京制造，质量可靠，深受用户的喜爱和信任。"),
        (
            "ru",
            "Гарантия на прибор действует два года со дня покупки, если она не была продлена по просьбе владельца.",
        ),
        ("", "ok, 42"),
        ("", ""),
    ],
)
def test_the_language_is_told_where_there_is_text_enough(language: str, text: str) -> None:
    assert language_of(text) == language


def test_what_cannot_be_stored_is_replaced_one_for_one() -> None:
    """A notebook's JSON may escape a lone surrogate; offsets stay true."""
    data = b'{"cells": [{"cell_type": "markdown", "source": ["a\\ud800b \\u0000 c"]}], "nbformat": 4}'
    text = read_data(data, "/odd.ipynb")[0].text
    assert "a\ufffdb \ufffd c" in text
    assert not any("\ud800" <= one <= "\udfff" or one == "\0" for one in text)
