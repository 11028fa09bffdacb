"""JSON as lines under its keys, whatever the file's own lines are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

import quoth
from quoth.ingest import read_data
from quoth.ingest.split import LONGEST, split
from quoth.types import Document

HOUSE = """{
  "title": "House",
  "heating": {"boiler": {"name": "Vaillant \\u00fcber", "warranty": "two years"}, "tags": ["red", "green"], "e": []},
  "note": null,
  "items": [
    {"id": 17, "name": "Lamp", "price": 12.50, "parts": [{"x": 1}, {"x": 2}]},
    {"id": 18}, [1, [2, 3]], "a long string that is more than forty characters long"
  ]
}
"""


def read(text: str, name: str = "house.json") -> Document:
    return read_data(text.encode(), f"/a/{name}")[0]


def placed(document: Document) -> list[tuple[int | None, str | None, str]]:
    """(line in the file, headings, line) of every line that is not blank."""
    found, at = [], 0
    for line in document.text.splitlines(keepends=True):
        place = document.place(at)
        found += [(place.line, place.heading, line.rstrip())] if line.strip() else []
        at += len(line)
    return found


def test_every_value_has_its_line_and_its_path_of_keys() -> None:
    document = read(HOUSE)
    assert placed(document) == [
        (2, None, "title: House"),
        (3, "heating", "heating:"),
        (3, "heating › boiler", "  boiler:"),
        (3, "heating › boiler", "    name: Vaillant über"),
        (3, "heating › boiler", "    warranty: two years"),
        (3, "heating", "  tags: red, green"),
        (3, "heating", "  e: []"),
        (4, None, "note: null"),
        (6, "items", "items:"),
        (6, "items › Lamp", "  - id: 17"),
        (6, "items › Lamp", "    name: Lamp"),
        (6, "items › Lamp", "    price: 12.50"),
        (6, "items › Lamp › parts", "    parts:"),
        (6, "items › Lamp › parts › [0]", "      - x: 1"),
        (6, "items › Lamp › parts › [1]", "      - x: 2"),
        (7, "items › id 18", "  - id: 18"),
        (7, "items", "  - 1"),
        (7, "items", "    - 2, 3"),
        (7, "items", "  - a long string that is more than forty characters long"),
    ]
    assert (document.kind, document.title, document.notes) == ("json", "house.json", ())


def test_the_files_own_lines_change_nothing_but_line_numbers() -> None:
    assert read(json.dumps(json.loads(HOUSE), ensure_ascii=False)).text == read(HOUSE.replace("12.50", "12.5")).text


def test_json_lines_are_one_record_after_the_other() -> None:
    text = '{"id": 7, "q": "Why?", "a": {"x": 1}}\n{"name": "Ann", "b": "two"}\n\n{"c": 3}\n'
    assert placed(read(text, "log.jsonl")) == [
        (1, "id 7", "id: 7"),
        (1, "id 7", "q: Why?"),
        (1, "id 7 › a", "a:"),
        (1, "id 7 › a", "  x: 1"),
        (2, "Ann", "name: Ann | b: two"),
        (4, None, "c: 3"),
    ]
    assert read(text, "log.jsonl").text.count("\n\n") == 2


def test_a_record_is_one_line_whose_values_keep_their_lines() -> None:
    document = read('{"all": [\n{"id": 1,\n"b": "two"}, {"id": 2,\n"b": "' + "long " * 60 + '"}]}')
    assert document.text.splitlines()[:3] == ["all:", "  - id: 1 | b: two", "  - id: 2"]
    assert [document.place(document.text.index(words)).line for words in ("id: 1", "two", "id: 2", "long")] == [
        2,
        3,
        3,
        4,
    ]
    assert document.place(document.text.index("two")).heading == "all › id 1"


def test_comments_commas_and_quotes_are_forgiven() -> None:
    text = "// top\n{a: 'it\\'s', /* b */ \"c\": [1, 2,], d: +.5e3, e: NaN,}\n"
    assert read(text, "x.json5").text == "// top\na: it's\n/* b */\nc: 1, 2\nd: +.5e3\ne: NaN\n"


def test_text_of_several_lines_stays_whole() -> None:
    document = read(json.dumps({"body": "One.\n\nTwo \u201cthree\u201d.", "end": 1}))
    assert document.text == "body:\nOne.\n\nTwo “three”.\nend: 1\n"


@pytest.mark.parametrize(
    ("text", "shown", "line"),
    [
        ('{"a": 1,\n"b": "never clo', 'a: 1\n"b": "never clo\n', 2),
        ("Hello there\nyou\n", "Hello there\nyou\n", 1),
        ('{"a": [1, 2}\n3', "a: 1, 2\n}\n3\n", 1),
        ('{"a" 1}', '"a" 1}\n', 1),
    ],
)
def test_what_is_no_json_is_kept_and_said(text: str, shown: str, line: int) -> None:
    document = read(text)
    assert document.text == shown
    assert document.notes == (f"from line {line} on it is not JSON as it should be and is kept as it stands",)


WORDS = st.text(st.characters(exclude_categories=("Cs", "Cc", "Co", "Cn", "Zl", "Zp")), max_size=60)
VALUES = st.recursive(
    st.one_of(WORDS, st.integers(), st.booleans(), st.none()),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(WORDS.filter(bool), inner, max_size=4)),
    max_leaves=20,
)


def leaves(value: object) -> list[str]:
    """Every value that is no container, as JSON writes it, a string as it reads, unless it is blank; in order."""
    if isinstance(value, dict):
        return [leaf for inner in value.values() for leaf in leaves(inner)]
    if isinstance(value, list):
        return [leaf for inner in value for leaf in leaves(inner)]
    return [(value if value.strip() else "") if isinstance(value, str) else json.dumps(value)]


@settings(max_examples=200, deadline=None)
@given(VALUES, st.sampled_from([None, 1]), st.booleans())
def test_every_value_of_any_json_is_in_the_text_in_order(value: object, indent: int | None, ascii_only: bool) -> None:
    document = read(json.dumps(value, indent=indent, ensure_ascii=ascii_only), "any.json")
    assert document.notes == ()
    at = 0
    for leaf in leaves(value):
        at = document.text.index(leaf, at) + len(leaf)


@settings(max_examples=100, deadline=None)
@given(
    st.recursive(
        st.integers(), lambda inner: st.dictionaries(st.sampled_from("abcd"), inner, min_size=1), max_leaves=12
    )
)
def test_the_headings_are_the_path_of_keys(value: object) -> None:
    def paths(inner: object, above: tuple[str, ...]) -> list[str | None]:
        if isinstance(inner, dict):
            return [path for key, one in inner.items() for path in paths(one, (*above, key))]
        return [" › ".join(above[:-1][:6]) or None]

    lines = [(heading, line) for _, heading, line in placed(read(json.dumps(value)))]
    assert [heading for heading, line in lines if not line.endswith(":")] == paths(value, ())


def test_one_line_of_two_megabytes_has_passages_of_the_usual_size() -> None:
    records = [
        {"id": n, "city": f"City {n}", "notes": f"The tower of city {n} is {n} metres high."} for n in range(24_000)
    ]
    text = json.dumps({"cities": records})
    assert len(text) > 2_000_000
    tokenizer = Tokenizer.from_file(str(Path(quoth.__file__).parent / "embed" / "minilm" / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    document = read(text[:200_000], "cities.json")
    passages = split(document, tokenizer)
    assert max(len(passage.text) for passage in passages) <= LONGEST
    assert sum(passage.text.lstrip("- ").startswith("id: ") for passage in passages) > 0.98 * len(passages)
    assert read(text).text.count("metres high") == 24_000


def test_depth_has_no_end() -> None:
    assert read("[" * 100_000 + "7" + "]" * 100_000).text.strip("- \n") == "7"
    assert read('{"a":' * 20_000).notes != ()
