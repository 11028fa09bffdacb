"""The page of a comparison: whole, self-contained, and nothing of a question's text is taken for markup."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from selectolax.lexbor import LexborHTMLParser

from conftest import Quoth
from quoth.evaluate import Outcome, Run, compare, report


def made(name: str, seed: int) -> Run:
    random = np.random.default_rng(seed)
    outcomes = tuple(
        Outcome(
            f"q{n}", f"Is <b>{n}</b> & more?", f"d{n}", False, (), (), True, float(random.random()),
            (f"<script>alert({n})</script>",),
            {"nDCG@10": float(random.random()), "right": float(random.random() < 0.6)}, float(random.random() * 20),
        )
        for n in range(80)
    )  # fmt: skip
    return Run(name, name, {}, "set <i>", "state", 0.0, outcomes, True)


def test_the_page_shows_every_chart_and_asks_for_nothing() -> None:
    first, second = made("first", 0), made("second", 1)
    found = compare(first, second)
    html = report.page(found, first, second)
    tree = LexborHTMLParser(html)
    assert len(tree.css("figure svg")) == 4
    assert tree.css("script") == []
    assert tree.css("b, i") == []
    addresses = set(re.findall(r"https?://[^\s\"'<>]+", html))
    assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    policy = tree.css_first("meta[http-equiv=Content-Security-Policy]").attributes["content"]
    assert policy is not None and policy.startswith("default-src 'none'")
    assert found.words in tree.body.text()  # type: ignore[union-attr]
    assert len(tree.css("tbody tr")) == len(found.differences) == 2
    assert len(tree.css("article")) == 10
    changes = sorted((*found.gained, *found.lost), key=lambda one: -abs(one.second - one.first))
    assert tree.css_first("article h3").text() == changes[0].question
    assert tree.css_first("blockquote").text() == changes[0].answers[0]


def test_without_answers_there_is_no_curve_of_risk() -> None:
    first, second = (replace(made(name, seed), answers=False) for name, seed in (("a", 0), ("b", 1)))
    assert "Risk and coverage" not in report.page(compare(first, second), first, second)


def test_without_the_extra_one_sentence_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from quoth.errors import MissingPart

    monkeypatch.setitem(__import__("sys").modules, "altair", None)
    first, second = made("a", 0), made("b", 1)
    with pytest.raises(MissingPart, match="altair is not installed"):
        report.page(compare(first, second), first, second)


def test_a_page_that_cannot_be_written_leaves_nothing(quoth: Quoth, notes: Path, tmp_path: Path) -> None:
    quoth("add", str(notes))
    quoth("golden", "add", "When is the boiler serviced?", "--quote", "each October")
    quoth("evaluate", "--name", "one")
    assert quoth("compare", "one", "one", "--html", str(tmp_path / "page.html")).code == 0
    assert "<svg" in (tmp_path / "page.html").read_text()
    done = quoth("compare", "one", "one", "--html", str(tmp_path / "nowhere" / "page.html"))
    assert done.code == 2
    assert done.err.splitlines()[0].endswith("page.html cannot be written: No such file or directory")
