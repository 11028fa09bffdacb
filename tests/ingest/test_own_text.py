"""What holds for every text format with structure, whatever is done to the file."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

import quoth
from quoth.errors import ReadError
from quoth.ingest import read_data
from quoth.ingest.kinds import wide
from quoth.ingest.split import WINDOW, encoded, split

TOKENIZER = Tokenizer.from_file(str(Path(quoth.__file__).parent / "embed" / "minilm" / "tokenizer.json"))
TOKENIZER.no_truncation()
TOKENIZER.no_padding()

OWN = {
    "a.rst": "Title\n=====\n\n.. a comment\n   below\n\n.. note:: x\n\n====\nPart\n====\n\nText ``code``.\n\nS\n---\n",
    "a.org": "#+TITLE: T\n* TODO [#A] One :tag:\n:PROPERTIES:\n:ID: 1\n:END:\n#+begin_src\n* no\n#+end_src\n# c\n"
    "** COMMENT Two\n",
    "a.adoc": "= Title\n:a: b\n\n== One {a}\n\n----\n== no\n----\n\n// c\n////\nd\n////\n\nOld\n~~~\n\n|===\n",
    "a.tex": "\\title{T}\n% c\n\\begin{document}\n\\section{One}\\verb|%|\n\\begin{comment}\nc\\end{comment}\n"
    '\\"u \\subsection*{Two \\footnote{n}}\\iffalse x \\fi\n\\end{document}\nrest',
    "a.yaml": '# c\n---\na: 1\nb:\n  - name: x\n    c: |\n      d: e\n  - [f, g]\n"h i": &j\n  k: !l {m: n}\n',
    "a.toml": 'a = [\n["b"]\n]\n[c.d]\ne = """\n[f]\n"""\n[[g]] # h\ni = \'[\'\n',
    "a.ini": "; a\n[b]\nc = [d\n[e f] # g\n",
}
NOISE = [
    "",
    "\n",
    "\n\n",
    "=",
    "====",
    "----",
    "*",
    "#+begin_src\n",
    "{",
    "}",
    "\\",
    "%",
    "[",
    "|",
    "..",
    "//",
    "\\begin{",
]
NOISE += [
    "\\end{document}",
    "\\begin{document}",
    " ",
    "\t",
    "\r\n",
    ":",
    '"',
    "'",
    "é",
    "漢",
    "\x00",
    "\ufeff",
    "x" * 300,
]
CHANGES = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 12), st.sampled_from(NOISE)), max_size=6)


def changed(text: str, changes: list[tuple[float, int, str]], cut: float) -> str:
    """The text with stretches replaced, then cut short."""
    for where, size, noise in changes:
        at = int(where * len(text))
        text = text[:at] + noise + text[at + size :]
    return text[: int(cut * len(text)) + 1]


@pytest.mark.parametrize("name", OWN)
@settings(max_examples=60, deadline=None)
@given(changes=CHANGES, cut=st.floats(0.3, 1))
def test_a_damaged_text_is_still_its_own_text(name: str, changes: list[tuple[float, int, str]], cut: float) -> None:
    data = changed(OWN[name] * 2, changes, cut).encode()
    assume(wide(data) is None)  # a few bytes of which half are NULs may as well be UTF-16
    try:
        (document,) = read_data(data, f"/a/{name}")
    except ReadError:
        return
    starts = [mark.start for mark in document.marks]
    shown = data.replace(b"\0", "\ufffd".encode())
    assert document.text.encode() in (shown, shown.removeprefix(b"\xef\xbb\xbf"))
    assert starts == sorted(starts)
    assert all(0 <= start < len(document.text) for start in starts)
    at = 0
    for passage in split(document, TOKENIZER):
        assert passage.start >= at
        assert document.text[passage.start : passage.end] == passage.text
        assert len(TOKENIZER.encode(encoded(document.kind, passage))) <= WINDOW
        at = passage.end


HOSTILE = {
    "a.yaml": [
        "a:\n" * 50_000,
        "- " * 50_000,
        "".join(" " * n + "a:\n" for n in range(800)),
        "a" * 300_000,
        '"' * 99_999,
    ],
    "a.toml": ["[" * 200_000, '"""' * 33_333, "[a" * 50_000, "'" * 99_999, "[" + " " * 200_000],
    "a.rst": [
        "..\n" * 40_000,
        "=\n" * 40_000,
        ".. x\n   y\n" * 20_000,
        "A" * 200_000 + "\n" + "=" * 200_000,
        "`*|" * 50_000,
    ],
    "a.org": [
        "* COMMENT x\n" * 30_000,
        "#+begin_src\n" * 30_000,
        "* " + "[" * 200_000,
        "* a" + " " * 200_000 + "b",
        "# \n" * 50_000,
    ],
    "a.adoc": [
        "--\n" * 30_001,
        "= a" + " " * 200_000 + "b",
        "----\n== x\n" * 20_000,
        "A\n=\n" * 30_000,
        "////\n" * 30_001,
    ],
    "a.tex": [
        "\\begin{verbatim}" * 20_000,
        "\\section{" * 5_000,
        "\\iffalse" * 30_000,
        "\\verb|" * 30_000,
        "{" * 200_000,
        "%\n" * 50_000,
    ],
}


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in HOSTILE.items() for text in texts])
def test_text_made_to_be_slow_is_read(name: str, text: str) -> None:
    """Nobody waits for these: what takes quadratic time takes minutes here, and the test with it."""
    (document,) = read_data(text.encode(), f"/a/{name}")
    assert document.text == text
