"""A damaged catalog is one clear sentence, whichever query meets the damage."""

from __future__ import annotations

import functools
import inspect
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import ParamSpec, TypeVar, cast

from quoth.errors import LibraryError

HINT = "quoth restore BACKUP, or quoth add FOLDER into a new --library"
C = TypeVar("C", bound=type)
P = ParamSpec("P")
R = TypeVar("R")


def damaged(path: Path, error: sqlite3.Error) -> LibraryError:
    """What a person is told about a catalog that SQLite cannot read."""
    return LibraryError(f"the catalog {path} is damaged ({error})", HINT)


def undamaged(catalog: C) -> C:
    """The class, whose methods raise LibraryError where the file is damaged."""
    for name, method in list(vars(catalog).items()):
        if inspect.isfunction(method) and not name.startswith("__"):
            setattr(catalog, name, _generator(method) if inspect.isgeneratorfunction(method) else checked(method))
    return catalog


def checked(function: Callable[P, R]) -> Callable[P, R]:
    """The function, which takes a catalog first and raises LibraryError where its file is damaged."""

    @functools.wraps(function)
    def _checked(*args: P.args, **kwargs: P.kwargs) -> R:
        with _Telling(args[0]):
            return function(*args, **kwargs)

    return _checked


def _generator(method: Callable[P, Iterator[R]]) -> Callable[P, Iterator[R]]:
    @functools.wraps(method)
    def _checked(*args: P.args, **kwargs: P.kwargs) -> Iterator[R]:
        with _Telling(args[0]):
            yield from method(*args, **kwargs)

    return _checked


class _Telling:
    """A block in which damage of this catalog's file is told as such; a class, for every query goes through it."""

    __slots__ = ("_catalog",)

    def __init__(self, catalog: object) -> None:
        self._catalog = catalog

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> None:
        if isinstance(error, sqlite3.DatabaseError) and _is_damage(error):
            raise damaged(cast(Path, vars(self._catalog)["path"]), error) from error


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    """Whether the file is at fault: not a lock, a full disk, or a mistake of ours."""
    ours = (sqlite3.OperationalError, sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.InterfaceError)
    return not isinstance(error, ours) or "malformed" in str(error)
