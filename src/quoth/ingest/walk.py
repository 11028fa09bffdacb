"""The files of a source, in order, and what was left out and why.

A link is never followed: its target is either met by the walk itself or lies outside the source, so
nothing is read twice and no circle is walked.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from quoth.types import Skip

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

IGNORE_FILE = ".quothignore"
LARGEST = 512 * 1024 * 1024
"""Bytes above which a file is left out."""

IGNORED_FOLDERS = frozenset(
    str.split(
        ".git .hg .svn .bzr .jj CVS node_modules bower_components __pycache__ .venv venv .tox .nox .eggs .mypy_cache"
        " .ruff_cache .pytest_cache .hypothesis .ipynb_checkpoints .cache .gradle .idea .vs .vscode .terraform"
        " .obsidian .trash .Trash .Trashes .Spotlight-V100 .fseventsd __MACOSX $RECYCLE.BIN lost+found"
    )
)
IGNORED_ENDINGS = (".dist-info", ".egg-info")
IGNORED_FILES = frozenset((".DS_Store", "Thumbs.db", "desktop.ini", ".localized", IGNORE_FILE))
SCRATCH = (".swp", ".swo", ".swn", ".tmp", ".part", ".crdownload", ".pyc", ".pyo", ".lock~", "~")
STARTS = ("~$", ".~lock.", "._", ".#", ".goutputstream-")
SPECIAL = (
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISBLK, "a block device"),
    (stat.S_ISCHR, "a character device"),
)


@dataclass(frozen=True, slots=True)
class Found:
    """A file to read, with what one look at it (one stat) told."""

    path: str
    size: int
    mtime_ns: int
    inode: int


Rules = tuple[tuple[str, "GitIgnoreSpec"], ...]


def walk(source: Path, largest: int = LARGEST, ignored: bool = True) -> Iterator[Found | Skip]:
    """Every file of a source in order of its path, each once; a Skip for what a person might miss.

    A source is a folder or one file; the source itself may be a link. What the default list or a
    `.quothignore` leaves out is passed over in silence; with `ignored` false the default list is off.
    Names that are no UTF-8 come as Python's surrogate escapes.
    """
    source = Path(os.path.abspath(source))
    try:
        status = source.stat()
    except OSError as error:
        yield Skip(str(source), f"cannot be looked at: {error.strerror}")
        return
    if not stat.S_ISDIR(status.st_mode):
        yield _judged(source, status, largest)
        return
    yield from _folder(source, source, (), largest, ignored)


def _folder(folder: Path, source: Path, rules: Rules, largest: int, ignored: bool) -> Iterator[Found | Skip]:
    """The files below one folder; a stack instead of recursion, so that depth has no limit of ours."""
    stack: list[tuple[Iterator[os.DirEntry[str]], Rules]] = []
    opened = _opened(folder, rules)
    if isinstance(opened, Skip):
        yield opened
        return
    stack.append(opened)
    while stack:
        entries, rules = stack[-1]
        entry = next(entries, None)
        if entry is None:
            stack.pop()
            continue
        is_folder = _is_folder(entry)
        if (ignored and is_noise(entry.name, is_folder)) or _is_ignored(entry, is_folder, rules):
            continue
        if is_folder:
            opened = _opened(Path(entry.path), rules)
            if isinstance(opened, Skip):
                yield opened
            else:
                stack.append(opened)
        elif entry.name != IGNORE_FILE:
            yield _seen(entry, source, largest)


def _opened(folder: Path, rules: Rules) -> tuple[Iterator[os.DirEntry[str]], Rules] | Skip:
    """The entries of a folder in order, and the rules that hold in it; or why it cannot be read."""
    try:
        with os.scandir(folder) as entries:
            listed = sorted(entries, key=_in_order)
    except OSError as error:
        return Skip(str(folder), f"a folder that cannot be read: {error.strerror}")
    if any(entry.name == IGNORE_FILE for entry in listed):
        rules = (*rules, *_rules(folder))
    return iter(listed), rules


def _in_order(entry: os.DirEntry[str]) -> str:
    """Folders sort as if their name ended with a slash, so that whole paths come in order."""
    return f"{entry.name}/" if _is_folder(entry) else entry.name


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False


def _rules(folder: Path) -> Rules:
    """The patterns of this folder's `.quothignore`, in the syntax of .gitignore."""
    from pathspec import GitIgnoreSpec

    try:
        lines = (folder / IGNORE_FILE).read_text("utf-8", "replace").splitlines()
    except OSError:
        return ()
    return ((f"{folder}/", GitIgnoreSpec.from_lines(lines)),)


def is_noise(name: str, is_folder: bool) -> bool:
    """Whether the default list leaves this out: histories, caches, virtual environments, lock and scratch files."""
    if is_folder:
        return name in IGNORED_FOLDERS or name.endswith(IGNORED_ENDINGS)
    if (
        name in IGNORED_FILES
        or name.startswith(("~$", ".~lock.", "._", ".#", ".goutputstream-"))
        or name.endswith(SCRATCH)
    ):
        return True
    # what Emacs and Vim leave while they save
    return (name.startswith("#") and name.endswith("#")) or (name.isdecimal() and len(name) == 4 and name > "4912")


def is_left_out(name: str) -> bool:
    """Whether the default list leaves out a file of this name ("folder/file") or a folder above it."""
    *folders, last = name.split("/")
    return is_noise(last, False) or any(is_noise(folder, True) for folder in folders)


def _is_ignored(entry: os.DirEntry[str], is_folder: bool, rules: Rules) -> bool:
    """Whether a `.quothignore` at or above this entry leaves it out; the nearest one that speaks of it decides."""
    for root, spec in reversed(rules):
        name = entry.path.removeprefix(root) + ("/" if is_folder else "")
        verdict = spec.check_file(name).include
        if verdict is not None:
            return verdict
    return False


def _seen(entry: os.DirEntry[str], source: Path, largest: int) -> Found | Skip:
    """The file behind an entry that is no folder, looked at once."""
    path = Path(entry.path)
    try:
        if entry.is_symlink():
            return _linked(path, source)
        return _judged(path, entry.stat(follow_symlinks=False), largest)
    except OSError as error:
        return Skip(entry.path, f"cannot be looked at: {error.strerror}")


def _linked(path: Path, source: Path) -> Skip:
    """Why a link is not followed: its target is met by the walk itself, lies outside, or is gone."""
    target = Path(os.path.realpath(path))
    if not os.path.lexists(target):
        return Skip(str(path), "a link to nothing")
    inside = target.is_relative_to(Path(os.path.realpath(source)))
    return Skip(str(path), "a link to something in the source" if inside else "a link out of the source")


def _judged(path: Path, status: os.stat_result, largest: int) -> Found | Skip:
    for is_special, name in SPECIAL:
        if is_special(status.st_mode):
            return Skip(str(path), name)
    if status.st_size == 0:
        return Skip(str(path), "empty")
    if status.st_size > largest:
        return Skip(str(path), f"{status.st_size:,} bytes, more than the limit of {largest:,}")
    return Found(str(path), status.st_size, status.st_mtime_ns, status.st_ino)
