"""LaTeX: headings as they are printed, comments and preamble in no passage, accents put on for the index."""

from __future__ import annotations

from pathlib import Path

import pytest
from tokenizers import Tokenizer

import quoth
from quoth.ingest import read_data
from quoth.ingest.latex import plain
from quoth.ingest.split import encoded, split
from quoth.types import Document

PAPER = r"""% licence of this file: everybody may do with it what they like, as long as they keep this very line in it
\documentclass[11pt]{article}
\usepackage[utf8]{inputenc}
\newcommand{\important}[1]{\textbf{#1}}
\title{On the \emph{Stability} of Heat Pumps\thanks{Funded by nobody.}}
\author{Ada \and J\"urgen}
\begin{document}
\maketitle
\begin{abstract}
We study heat pumps.
\end{abstract}
\section[Short]{Einf\"uhrung}\label{sec:a}
The warranty is 5\% longer~\cite[p.~3]{x}. % a remark
\begin{verbatim}
\section{Not one}
\end{verbatim}
\subsection*{Costs \& benefits}
% \section{Nor this}
\verb|\section{Nor that}|
\paragraph{Result.} It works.
\end{document}
Notes that are never printed, because they stand after the end, and are long enough to be left out of it.
"""


def read(text: str) -> Document:
    return read_data(text.encode(), "/a/paper.tex")[0]


def tokenizer() -> Tokenizer:
    found = Tokenizer.from_file(str(Path(quoth.__file__).parent / "embed" / "minilm" / "tokenizer.json"))
    found.no_truncation()
    found.no_padding()
    return found


def test_headings_are_those_that_are_printed() -> None:
    document = read(PAPER)
    assert [(mark.value, mark.number) for mark in document.marks] == [
        ("Abstract", 1),
        ("Einführung", 1),
        ("Costs & benefits", 2),
        ("Result.", 3),
    ]
    assert (document.kind, document.title, document.text) == ("latex", "On the Stability of Heat Pumps", PAPER)


def test_levels_follow_from_what_there_is() -> None:
    book = read("\\part{A}\n\\chapter{B}\n\\section{C}\n\\chapter{D}\n")
    assert [(mark.value, mark.number) for mark in book.marks] == [("A", 1), ("B", 2), ("C", 3), ("D", 2)]
    slides = read("\\section{A}\n\\begin{frame}{B}\n\\end{frame}\n\\begin{frame}\\frametitle{C}\\end{frame}\n")
    assert [(mark.value, mark.number) for mark in slides.marks] == [("A", 1), ("B", 2), ("C", 2)]


def test_a_place_is_a_line_and_the_headings_above() -> None:
    place = read(PAPER).place(PAPER.index("It works"))
    assert (place.line, place.heading) == (20, "Einführung › Costs & benefits › Result.")


def test_comments_are_hidden() -> None:
    hidden = read(PAPER).hidden
    assert "licence of this file" in hidden
    assert "a remark" in hidden
    assert "5" not in hidden.replace("5\\%", "")
    assert read("a \\iffalse gone\\fi b \\begin{comment}too\\end{comment}").hidden.count("gone") == 1
    assert read("see \\url{https://x.org/a%20b}").hidden == ""


def test_the_preamble_and_what_is_never_printed_are_in_no_passage() -> None:
    passages = split(read(PAPER), tokenizer())
    shown = " ".join(passage.text for passage in passages)
    assert all(PAPER[one.start : one.end] == one.text for one in passages)
    assert "Stability" in shown
    assert "Ada" in shown
    assert not any(words in shown for words in ("usepackage", "licence of this", "newcommand", "never printed"))


def test_a_file_that_is_included_has_no_preamble() -> None:
    text = "\\section{Methods}\nWe measured twice.\n"
    assert [one.text for one in split(read(text), tokenizer())] == [text.strip()]


def test_the_index_sees_words_without_commands() -> None:
    (passage,) = split(read("\\section{Kitchen}\nThe \\textbf{caf\\'e} is 5\\% larger.\n"), tokenizer())
    assert passage.text == "\\section{Kitchen}\nThe \\textbf{caf\\'e} is 5\\% larger."
    assert encoded("latex", passage).split() == ["Kitchen", "The", "café", "is", "5%", "larger."]


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (r"Einf\"uhrung", "Einführung"),
        (r"Gr\"{o}\ss e", "Größe"),
        (r"\v{C}esk\'y, \c{c}a, na\"{\i}ve, \AA ngstr\"om", "Český, ça, naïve, Ångström"),
        (r"\textbf{bold \emph{deep}} text", "bold deep text"),
        (r"50\% of \$3 \& more\_less", "50% of $3 & more_less"),
        (r"a~b---c, ``so''", 'a b—c, "so"'),
        (r"see \cite[p.~3]{x,y} and \ref{z}.", "see  and ."),
        (r"\url{https://x.org/a%b}", "https://x.org/a%b"),
    ],
)
def test_plain_text_reads_as_it_is_printed(source: str, words: str) -> None:
    assert plain(source) == words


def test_a_title_that_never_closes_is_none() -> None:
    assert read("\\section{" + "a" * 5_000).marks == ()
