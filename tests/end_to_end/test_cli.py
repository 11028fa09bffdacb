"""The commands as other programs and people see them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pptx
import pytest

from conftest import Quoth

QUOTE = {"text", "document", "title", "start", "end", "page", "line", "heading", "cells", "score"}


@pytest.fixture
def filled(quoth: Quoth, notes: Path) -> Quoth:
    """The command line on a library with the notes in it."""
    assert quoth("add", str(notes)).code == 0
    return quoth


def test_add_reports_one_object(quoth: Quoth, notes: Path) -> None:
    (notes / "image.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    (notes / "broken.pdf").write_bytes(b"%PDF-1.4 broken")
    done = quoth("add", "--json", str(notes))
    report = done.json
    assert done.code == 0
    assert set(report) == {
        "added", "updated", "moved", "unchanged", "removed", "passages", "failed", "skipped", "notes",
        "seconds", "encoding",
    }  # fmt: skip
    assert (report["added"], report["unchanged"], report["removed"]) == (5, 0, 0)
    assert [set(one) for one in report["failed"]] == [{"path", "reason", "hint"}]  # type: ignore[attr-defined]
    assert [one["path"] for one in report["skipped"]] == [str(notes / "image.png")]  # type: ignore[attr-defined]
    assert quoth("add", "--strict", str(notes)).code == 1


def test_ask_answers_with_quotes_that_are_there(filled: Quoth, notes: Path) -> None:
    done = filled("ask", "--json", "When were the tomatoes planted?")
    answer = done.json
    assert list(answer) == [
        "question", "answered", "text", "confidence", "quotes", "also", "notes", "recipe", "searched", "seconds",
        "threshold", "asked", "claims", "usage", "entry",
    ]  # fmt: skip
    assert answer["answered"] is True
    quotes = answer["quotes"]
    assert isinstance(quotes, list)
    assert set(quotes[0]) == QUOTE
    first = quotes[0]
    assert "The tomatoes were planted on 12 May 2023." in first["text"]
    assert (first["document"], first["line"], first["page"]) == (str(notes / "garden.md"), 5, None)
    assert first["heading"] == "Garden › Tomatoes"
    assert answer["searched"] == {"documents": 5, "passages": filled("status", "--json").json["passages"]}
    for quote in quotes + answer["also"]:  # type: ignore[operator]
        shown = filled("show", "--json", quote["document"]).json
        assert str(shown["text"])[quote["start"] : quote["end"]] == quote["text"]


def test_ask_refuses_and_says_what_it_searched(filled: Quoth) -> None:
    done = filled("ask", "Who won the football world cup in 1998?")
    assert done.code == 0
    assert "5 documents" in done.out
    assert "nearest" in done.out
    assert filled("ask", "--json", "Who won the football world cup in 1998?").json["answered"] is False


def test_ask_explains_what_it_did(filled: Quoth) -> None:
    out = filled("ask", "--explain", "When were the tomatoes planted?").out
    for heading in ("by words (BM25)", "by vectors (cosine)", "fused", "sentences", "decision"):
        assert f"\n{heading}\n" in out


def test_search_gives_k_hits_whenever_k_exist(filled: Quoth, notes: Path) -> None:
    found = filled("search", "--json", "-k", "5", "house").json
    hits = found["hits"]
    assert isinstance(hits, list)
    assert [hit["rank"] for hit in hits] == [1, 2, 3, 4, 5]
    assert set(hits[0]) >= {"rank", "score", "passage", "document", "title", "text", "start", "end", "page", "line"}
    assert [hit["score"] for hit in hits] == sorted((hit["score"] for hit in hits), reverse=True)
    assert filled("search", "--json", "-k", "5", "house").json["hits"] == hits


def test_filters_narrow_inside_the_search(filled: Quoth, notes: Path) -> None:
    def documents(*arguments: str) -> set[str]:
        hits = filled("search", "--json", "bread at 230 degrees", *arguments).json["hits"]
        return {Path(hit["document"]).name for hit in hits}  # type: ignore[attr-defined]

    os.utime(notes / "house" / "roof.txt", (0, 0))
    filled("sync")
    assert documents("--in", str(notes / "house")) == {"boiler.txt", "roof.txt"}
    assert documents("--in", "*.txt", "--in", "recipes") == {"boiler.txt", "roof.txt", "bread.md"}
    assert documents("--type", "py") == {"tools.py"}
    assert documents("--type", "markdown") == {"garden.md", "bread.md"}
    assert documents("--after", "2000") == {"garden.md", "boiler.txt", "bread.md", "tools.py"}


def test_a_date_that_is_none_is_wrong_usage(filled: Quoth) -> None:
    done = filled("search", "--after", "yesterday", "bread")
    assert (done.code, done.err) == (
        2, "error: 'yesterday' is not a date\n  try: write it as 2024-01-31, 2024-01 or 2024\n",
    )  # fmt: skip


def test_show_opens_a_document_by_the_end_of_its_path_and_at_a_place(filled: Quoth, notes: Path) -> None:
    shown = filled("show", "--json", "house/roof.txt").json
    assert (shown["document"], shown["pages"]) == (str(notes / "house" / "roof.txt"), None)
    assert shown["text"] == (notes / "house" / "roof.txt").read_text()
    assert "line 5, Garden › Tomatoes" in filled("show", "garden.md", "--at", "25:30").out
    done = filled("show", "nowhere.md")
    assert (done.code, done.err.splitlines()[0]) == (1, "error: nowhere.md is not in this library")


def test_pdf_pages_and_boxes(quoth: Quoth) -> None:
    examples = Path(__file__).parents[2] / "examples"
    quoth("add", str(examples))
    answer = quoth("ask", "--json", "How long does the warranty of the inverter last?").json
    quote = answer["quotes"][0]  # type: ignore[index]
    assert Path(quote["document"]).name == "inverter-warranty.pdf"
    assert quote["page"] == 1
    at = f"{quote['start']}:{quote['end']}"
    shown = quoth("show", "--json", quote["document"], "--at", at).json
    pages = shown["pages"]
    assert isinstance(pages, list)
    assert len(pages) == 3
    assert pages[0][0] <= quote["start"] < quote["end"] <= pages[0][1]
    boxes = shown["boxes"]
    assert isinstance(boxes, list)
    assert {box["page"] for box in boxes} == {1}
    assert all(0 <= box["left"] < box["right"] <= 612 and 0 <= box["bottom"] < box["top"] <= 800 for box in boxes)


def test_remove_says_what_it_keeps(filled: Quoth, notes: Path) -> None:
    done = filled("remove", str(notes / "garden.md"))
    assert done.out.splitlines()[0] == f"1 file left the library: {notes / 'garden.md'}"
    assert "kept: the file itself" in done.out.splitlines()[1] and "quoth forget" in done.out.splitlines()[1]
    assert (notes / "garden.md").exists()


def test_status_sources_remove_doctor(filled: Quoth, notes: Path) -> None:
    status = filled("status", "--json").json
    assert (status["documents"], status["sources"], status["kinds"]) == (5, 1, {"markdown": 2, "text": 2, "code": 1})
    assert filled("sources", "--json").json["sources"][0]["path"] == str(notes)  # type: ignore[index]
    assert filled("doctor", "--json").json["ok"] is True
    assert filled("remove", "--json", str(notes)).json == {"removed": {str(notes): 5}}
    assert filled("status", "--json").json["documents"] == 0


def test_doctor_names_the_command_that_repairs(filled: Quoth, tmp_path: Path) -> None:
    import shutil

    shutil.rmtree(tmp_path / "library" / "words")
    (tmp_path / "library" / "catalog.sqlite").chmod(0o644)
    done = filled("doctor", "--json")
    wrong = {one["name"]: one["repair"] for one in done.json["checks"] if not one["ok"]}  # type: ignore[attr-defined]
    assert done.code == 1
    assert wrong == {"words": "quoth reindex --words", "permissions": f"chmod -R go= '{tmp_path / 'library'}'"}
    assert filled("reindex", "--words").code == 0
    (tmp_path / "library" / "catalog.sqlite").chmod(0o600)
    assert filled("doctor").code == 0


def test_quoth_alone_is_friendly_and_wrong_usage_is_2(quoth: Quoth) -> None:
    assert quoth().out.startswith("Quoth answers questions about your own files")
    assert quoth("frobnicate").code == 2
    assert quoth("ask").code == 2


def test_text_that_a_terminal_cannot_show_is_no_error(filled: Quoth, notes: Path) -> None:
    odd = os.fsdecode(os.fsencode(notes) + b"/caf\xe9.txt")
    Path(odd).write_text("The café opens at nine.\n")
    assert filled("sync").code == 0
    done = filled("ask", "When does the café open?", env={"PYTHONIOENCODING": "ascii"})
    assert (done.code, "Traceback" in done.err) == (0, False)
    assert json.loads(filled("search", "--json", "café opens").out)["hits"][0]["document"] == odd


def test_a_place_in_a_presentation_is_a_slide(quoth: Quoth, tmp_path: Path) -> None:
    show = pptx.Presentation()
    for title, text in (
        ("The roof", "The slates are laid."),
        ("The cellar", "The cellar was drained by Olof Dahl in 1911."),
    ):
        slide = show.slides.add_slide(show.slide_layouts[1])
        slide.shapes.title.text, slide.placeholders[1].text = title, text
    (tmp_path / "talks").mkdir()
    show.save(str(tmp_path / "talks" / "house.pptx"))
    assert quoth("add", str(tmp_path / "talks")).code == 0
    lines = quoth("ask", "When was the cellar drained?").out.splitlines()
    assert lines[0] == "“The cellar was drained by Olof Dahl in 1911.”"
    assert lines[1].endswith("house.pptx · slide 2 · The cellar")
