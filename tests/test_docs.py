"""The documentation is run: every console and Python block, in order, a page at a time.

In a console block a line that starts with "$ " is run and the lines below it are what it must print;
"…" stands for anything. A Python block must run; what it prints must be what a following `text`
block says. Pages run in a copy of the project's own examples, with a library of their own.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.S | re.M)
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")


def blocks(page: Path) -> list[tuple[str, str]]:
    """(language, content) of the fenced blocks of a page that can be run or compared."""
    return [(match[1], match[2]) for match in BLOCK.finditer(page.read_text(encoding="utf-8"))]


def matches(expected: str, printed: str) -> bool:
    """Whether the output is the expected one, where … stands for anything."""
    tidy = [re.sub(r"[ \t]+$", "", text, flags=re.M).strip("\n") for text in (expected, printed)]
    return re.fullmatch(re.escape(tidy[0]).replace("…", ".*?"), tidy[1], re.S) is not None


def expect(expected: str, printed: str, what: str) -> None:
    assert matches(expected, printed), f"{what}\n--- expected\n{expected}\n--- printed\n{printed}"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the project's own examples and an empty library."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    shutil.copy(ROOT / "README.md", tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("QUOTH_LIBRARY", str(tmp_path / "library"))
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("COLUMNS", "100")
    return tmp_path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_block_of_a_page_does_what_it_says(page: Path, place: Path) -> None:
    printed = ""
    for language, content in blocks(page):
        if language == "console":
            for command, expected in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", content, re.M):
                if command.startswith(("git ", "make ", "cd ")):
                    continue
                done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
                # progress goes to standard error and depends on the machine
                expect(expected, done.stdout + (done.stderr if done.returncode else ""), f"$ {command}")
        elif language == "python":
            done = subprocess.run([sys.executable, "-c", content], capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
            printed = done.stdout
        elif language == "text" and printed:
            expect(content, printed, "the Python block above")
            printed = ""


def test_generated_parts_are_up_to_date() -> None:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec and spec.loader
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    assert [str(page.relative_to(ROOT)) for page, _ in generate.stale()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_inside_the_project_lead_somewhere(page: Path) -> None:
    links = [link for link in LINK.findall(page.read_text(encoding="utf-8")) if "://" not in link]
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_glossary_keeps_its_words() -> None:
    """Words that have a better one here are not used in the documentation."""
    banned = re.compile(r"\b(chunks?|retrievers?|pipelines?)\b", re.I)
    used = {
        str(page.relative_to(ROOT)): found
        for page in PAGES
        if page.name != "glossary.md" and (found := banned.findall(page.read_text(encoding="utf-8")))
    }
    assert used == {}
