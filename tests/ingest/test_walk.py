"""Walking a source: order, defaults, .quothignore, links, and what is no file."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from quoth.ingest.walk import Found, walk
from quoth.types import Skip


def put(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("text")


def names(folder: Path) -> list[str]:
    return [os.path.relpath(one.path, folder) for one in walk(folder) if isinstance(one, Found)]


def skips(folder: Path) -> dict[str, str]:
    return {os.path.relpath(one.path, folder): one.reason for one in walk(folder) if isinstance(one, Skip)}


def test_files_come_once_in_order_of_their_paths(tmp_path: Path) -> None:
    put(tmp_path, "b.md", "a/z.md", "a.md", "a/b/c.md", "a-b.md", "B.md")
    found = [str(one.path) for one in walk(tmp_path)]
    assert found == sorted(found)
    assert len(found) == 6


def test_a_found_file_carries_its_stat(tmp_path: Path) -> None:
    put(tmp_path, "a.md")
    status = (tmp_path / "a.md").stat()
    assert list(walk(tmp_path)) == [Found(str(tmp_path / "a.md"), 4, status.st_mtime_ns, status.st_ino)]


def test_a_source_may_be_one_file(tmp_path: Path) -> None:
    put(tmp_path, "node_modules/a.md")
    assert [Path(one.path).name for one in walk(tmp_path / "node_modules" / "a.md")] == ["a.md"]


def test_caches_histories_and_lock_files_are_left_out(tmp_path: Path) -> None:
    put(tmp_path, ".git/config", "node_modules/x.js", "a/__pycache__/m.pyc", "x-1.0.dist-info/M", ".obsidian/app.json")
    put(tmp_path, ".DS_Store", "~$report.docx", "notes.txt.swp", "kept.md", ".hidden.md")
    assert names(tmp_path) == [".hidden.md", "kept.md"]


def test_the_default_list_can_be_off(tmp_path: Path) -> None:
    put(tmp_path, ".git/config")
    assert [Path(one.path).name for one in walk(tmp_path, ignored=False)] == ["config"]


def test_quothignore_follows_the_rules_of_gitignore(tmp_path: Path) -> None:
    put(
        tmp_path,
        "a.log",
        "keep.log",
        "build/x.md",
        "sub/a.log",
        "sub/b.md",
        "sub/only.log",
        "doc/build",
        "sub/deep/c.md",
    )
    (tmp_path / ".quothignore").write_text("*.log\n!keep.log\nbuild/\n/sub/deep\n# comment\n")
    (tmp_path / "sub" / ".quothignore").write_text("!only.log\n")
    assert names(tmp_path) == ["doc/build", "keep.log", "sub/b.md", "sub/only.log"]


@pytest.mark.skipif(shutil.which("git") is None, reason="git gives the second opinion")
def test_quothignore_agrees_with_git(tmp_path: Path) -> None:
    put(
        tmp_path, "a/b/c.txt", "a/x.txt", "b.txt", "d/e/f.md", "d/e/g.txt", "docs/a.md", "t.md", "x y.md", "a/keep/z.md"
    )
    rules = "**/c.txt\n/a/*\n!/a/keep/\nd/**/g.txt\ndocs/*\n!docs/a.md\nx\\ y.md\n"
    (tmp_path / ".quothignore").write_text(rules)
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    (tmp_path / ".git" / "info").mkdir(exist_ok=True)
    (tmp_path / ".git" / "info" / "exclude").write_text(rules)
    listed = subprocess.run(
        ["git", "-C", str(tmp_path), "ls-files", "-zo", "--exclude-standard"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert names(tmp_path) == sorted(set(listed.stdout.split("\0")) - {"", ".quothignore"})


def test_links_are_never_followed(tmp_path: Path) -> None:
    put(tmp_path, "in/a.md", "out/b.md")
    source = tmp_path / "in"
    (source / "twice.md").symlink_to("a.md")
    (source / "away.md").symlink_to(tmp_path / "out" / "b.md")
    (source / "folder").symlink_to(tmp_path / "out")
    (source / "circle").symlink_to(source)
    (source / "gone").symlink_to("nowhere")
    assert names(source) == ["a.md"]
    assert skips(source) == {
        "away.md": "a link out of the source",
        "circle": "a link to something in the source",
        "folder": "a link out of the source",
        "gone": "a link to nothing",
        "twice.md": "a link to something in the source",
    }


def test_a_source_that_is_a_link_is_walked(tmp_path: Path) -> None:
    put(tmp_path, "real/a.md")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert names(tmp_path / "link") == ["a.md"]


def test_what_is_no_file_is_skipped_with_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as plug:
        plug.bind("plug")
    assert skips(tmp_path) == {"pipe": "a FIFO", "plug": "a socket"}
    assert [one.reason for one in walk(Path("/dev/null")) if isinstance(one, Skip)] == ["a character device"]


def test_empty_and_enormous_files_are_skipped(tmp_path: Path) -> None:
    (tmp_path / "empty.md").touch()
    with (tmp_path / "large.bin").open("wb") as file:
        file.truncate(600 * 1024 * 1024)
    found = skips(tmp_path)
    assert found == {"empty.md": "empty", "large.bin": "629,145,600 bytes, more than the limit of 536,870,912"}


def test_a_source_that_is_gone_is_one_skip(tmp_path: Path) -> None:
    assert [one.reason for one in walk(tmp_path / "no") if isinstance(one, Skip)] == [
        "cannot be looked at: No such file or directory"
    ]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_a_folder_that_cannot_be_read_is_a_skip(tmp_path: Path) -> None:
    put(tmp_path, "shut/a.md")
    (tmp_path / "shut").chmod(0)
    assert skips(tmp_path) == {"shut": "a folder that cannot be read: Permission denied"}
    (tmp_path / "shut").chmod(0o700)


def test_a_folder_that_vanishes_is_a_skip(tmp_path: Path) -> None:
    put(tmp_path, "a/x.md", "b/y.md")
    seen = walk(tmp_path)
    next(seen)
    shutil.rmtree(tmp_path / "b")
    assert [one.reason for one in seen if isinstance(one, Skip)] == [
        "a folder that cannot be read: No such file or directory"
    ]


def test_strange_names_work(tmp_path: Path) -> None:
    put(tmp_path, "two\nlines.md", "ünï.md")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/bad\xff.md")).write_text("x")
    assert names(tmp_path) == ["bad\udcff.md", "two\nlines.md", "ünï.md"]
