"""YAML, TOML and INI: their own text, keys and sections as headings."""

from __future__ import annotations

import tomllib

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from quoth.ingest import read_data
from quoth.ingest.settings import toml_headings, yaml_headings
from quoth.types import Document

COMPOSE = """# comment
version: "3"
services:
  web:
    image: nginx  # here
    ports:
      - "80:80"
    command: |
      not: a key
      # nothing
    environment:
    - A=b
  db:
    image: postgres
volumes:
note: &x scalar
people:
- id: 4
  name: Ann
  phone: 12
- name: Bob  # the other
  tags: [a, b]
"quoted key":
  x: >-
   folded text: here
after: 1
---
second:
  doc: 1
"""


def read(text: str, name: str) -> Document:
    return read_data(text.encode(), f"/a/{name}")[0]


def heading(document: Document, words: str) -> str | None:
    return document.place(document.text.index(words)).heading


def test_keys_that_hold_something_are_headings() -> None:
    document = read(COMPOSE, "compose.yml")
    assert (document.kind, document.title, document.text) == ("yaml", "compose.yml", COMPOSE)
    assert [heading(document, words) for words in ("version", "nginx", '"80', "not: a key", "A=b", "postgres")] == [
        None,
        "services › web",
        "services › web › ports",
        "services › web",
        "services › web › environment",
        "services › db",
    ]
    assert [
        heading(document, words) for words in ("volumes", "note", "phone", "tags", "folded", "after", "doc: 1")
    ] == [
        None,
        None,
        "people › Ann",
        "people › Bob",
        "quoted key",
        None,
        "second",
    ]
    assert document.place(COMPOSE.index("phone")).line == 20


KEYS = st.text("abcxyz -_.0", min_size=1, max_size=8).filter(
    lambda key: key == " ".join(key.split()) and key[0].isalpha()
)
SCALARS = st.one_of(st.integers(), st.booleans(), st.text("abc :#-\n'\"", max_size=30), st.none())
YAML = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3), st.dictionaries(KEYS, inner, min_size=1, max_size=3)
    ),
    max_leaves=15,
)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(KEYS, YAML, min_size=1, max_size=4))
def test_the_top_headings_are_the_keys_that_hold_something(value: dict[str, object]) -> None:
    text = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=1_000)
    found = [mark.value for mark in yaml_headings(text) if mark.number == 1 and mark.value]
    loaded = yaml.safe_load(text)
    assert found == [str(key) for key, inner in loaded.items() if isinstance(inner, dict | list) and inner]


TABLES = """top = [
  ["x"],
  [1]
]
[project] # c
text = \"\"\"
[no]
\"\"\"
path = '['
  [[ project.parts ]]
a = {b = "[no]"}
[tool."b.c"]
# [no]
"""


def test_the_sections_of_toml_are_headings() -> None:
    document = read(TABLES, "pyproject.toml")
    assert [mark.value for mark in document.marks] == ["project", "project.parts", 'tool."b.c"']
    assert list(tomllib.loads(TABLES)["tool"]) == ["b.c"]
    assert document.place(TABLES.index("path")).line == 9


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(KEYS, st.text("ab[]'\"#\n ", max_size=20)), max_size=5, unique_by=lambda pair: pair[0]))
def test_the_tables_are_those_of_tomllib(pairs: list[tuple[str, str]]) -> None:
    quoted = [(f'"{key}"', value.replace("\\", "").replace('"', '\\"')) for key, value in pairs]
    text = "".join(f'[{key}]\nv = """\n{value}"""\nw = [["x"],\n["y"]\n]\n' for key, value in quoted)
    assert [mark.value.strip('"') for mark in toml_headings(text)] == [
        " ".join(key.split()) for key in tomllib.loads(text)
    ]


@pytest.mark.parametrize("name", ["a.ini", "a.cfg", "a.conf"])
def test_the_sections_of_ini_are_headings(name: str) -> None:
    document = read("; c\n[Main]\nmessage = don't [\n\n[other one] ; c\nx = [1]\n", name)
    assert [mark.value for mark in document.marks] == ["Main", "other one"]


def test_settings_with_fields_of_a_letter_are_no_mail() -> None:
    assert read("from: a@b.org\nto: c@d.org\nsubject: Hello\ndate: 2024-01-01\n", "alert.yaml").kind == "yaml"
