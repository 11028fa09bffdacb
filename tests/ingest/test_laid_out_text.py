"""What holds for every text that is laid out anew, whatever is done to the file."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

import quoth
from quoth.errors import ReadError
from quoth.ingest import read_data
from quoth.ingest.split import split

TOKENIZER = Tokenizer.from_file(str(Path(quoth.__file__).parent / "embed" / "minilm" / "tokenizer.json"))
TOKENIZER.no_truncation()
TOKENIZER.no_padding()

FILES = {
    "a.json": '{"a": [1, {"b": "c\\u00e4"}, [[]]], "d": {"e": null, "f": {"g": "h\\ni"}}, "j": ["k", {}]} // l\n',
    "a.jsonl": '{"id": 1, "a": {"b": [1, 2]}}\n{"name": "x", "c": [{"d": 1}]}\n7\n',
    "a.srt": "1\n00:00:01,000 --> 00:00:02,000\n<i>Hi</i>\n\n2\n00:01:03,000 --> 00:01:04,000\n{\\an8}Yes\n- No\n\n",
    "a.vtt": "WEBVTT\n\nNOTE x\n\na\n00:01.000 --> 00:02.000 line:0\n<v Bo>Hi<00:01.500><c> you</c>\n\n"
    "00:09.000 --> 00:10.000\nEnd\n",
    "a.xml": '<?xml version="1.0"?>\n<!DOCTYPE a [<!ENTITY e "x">]>\n<a b="c">\n<d><title>T</title><p>f <i>g</i>\nh</p>'
    "</d>\n<!-- j --><k l='m'><![CDATA[<p>n</p>\n]]></k><q><r>1</r></q><q><r>&amp;&e;</r></q><s/>\n</a>\n",
}
NOISE = [
    "",
    "\n",
    "\n\n",
    "{",
    "}",
    "[",
    "]",
    '"',
    "'",
    ",",
    ":",
    "\\",
    "\\u",
    "//",
    "/*",
    "<",
    ">",
    "</a>",
    "-->",
    "1",
]
NOISE += ["00:00:09,000 --> ", " ", "\r\n", "é", "漢", "\x00", "\ufeff", "x" * 300, "<!--", "<![CDATA[", "&amp;", "]]>"]
CHANGES = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 12), st.sampled_from(NOISE)), max_size=6)


@pytest.mark.parametrize("name", FILES)
@settings(max_examples=80, deadline=None)
@given(changes=CHANGES, cut=st.floats(0.3, 1))
def test_a_damaged_file_leads_back_to_its_lines(name: str, changes: list[tuple[float, int, str]], cut: float) -> None:
    text = FILES[name] * 2
    for where, size, noise in changes:
        at = int(where * len(text))
        text = text[:at] + noise + text[at + size :]
    text = text[: int(cut * len(text)) + 1]
    try:
        documents = read_data(text.encode(), f"/a/{name}")
    except ReadError:
        return
    for document in documents:
        starts = [mark.start for mark in document.marks]
        numbers = [mark.number for mark in document.marks if mark.kind == "line"]
        assert starts == sorted(starts)
        assert all(0 <= start < len(document.text) for start in starts)
        assert numbers == sorted(numbers)
        assert all(1 <= number <= text.count("\n") + 1 for number in numbers)
        assert all(mark.number >= 1 for mark in document.marks if mark.kind == "heading")
        for passage in split(document, TOKENIZER):
            assert document.text[passage.start : passage.end] == passage.text


HOSTILE = {
    "a.xml": [
        *("<a>" * 60_000, "<a><b></a>" * 30_000, "<!--" * 90_000, "<![CDATA[" * 40_000, "<!DOCTYPE [" * 40_000),
        *(
            "<" * 200_000,
            "<a b='" * 60_000,
            '<a "' * 60_000,
            "<a " + "x='y' " * 60_000,
            "</a>" * 60_000,
            "<a/>" * 60_000,
        ),
        *("<a>" + "&amp;" * 90_000, "".join(f"<a{n}>" for n in range(30_000)) + "</a0>" * 30_000, "<a>x" * 60_000),
        *("<p>" + "<br/>" * 60_000, "<description>" + "&lt;p" * 60_000, "<description>" + "&lt;!--" * 40_000),
    ],
    "a.json": [
        '{"a":' * 50_000,
        "[" * 200_000,
        '"' * 200_001,
        '"\\' * 99_999,
        "//\n" * 50_000,
        "[[],{}," * 30_000,
        "/*" * 99_999,
    ],
    "a.jsonl": ["{}\n" * 50_000, '{"a":1}\n' * 30_000, "\n" * 200_000],
    "a.srt": [
        "1\n" * 90_000,
        "00:00:01,000 --> 00:00:02,000\n" * 9_000,
        "00:00:01,000 --> 00:00:02,000\n" + "<a" * 90_000,
    ],
    "a.vtt": ["WEBVTT\n" + "\n" * 200_000, "WEBVTT\n\n00:01.000 --> 00:02.000\n" + "<v " * 60_000 + "{\\" * 60_000],
}


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in HOSTILE.items() for text in texts])
def test_a_file_made_to_be_slow_is_read(name: str, text: str) -> None:
    """Nobody waits for these: what takes quadratic time takes minutes here, and the test with it."""
    (document,) = read_data(text.encode(), f"/a/{name}")
    assert len(document.text) <= 15 * len(text)
