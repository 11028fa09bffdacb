"""A damaged catalog is one clear sentence, whichever query meets the damage."""

from __future__ import annotations

import functools
import inspect
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
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
            setattr(catalog, name, _generator(method) if inspect.isgeneratorfunction(method) else _function(method))
    return catalog


def checked(function: Callable[P, R]) -> Callable[P, R]:
    """The function, which takes a catalog first and raises LibraryError where its file is damaged."""

    @functools.wraps(function)
    def _checked(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except sqlite3.DatabaseError as error:
            if _is_damage(error):
                raise damaged(cast(Path, vars(args[0])["path"]), error) from error
            raise

    return _checked


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    """Whether the file is at fault: not a lock, a full disk, or a mistake of ours."""
    ours = (sqlite3.OperationalError, sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.InterfaceError)
    return not isinstance(error, ours) or "malformed" in str(error)


def _function(method: Callable[..., object]) -> Callable[..., object]:
    @functools.wraps(method)
    def _checked(self: object, *args: object, **kwargs: object) -> object:
        try:
            return method(self, *args, **kwargs)
        except sqlite3.DatabaseError as error:
            if _is_damage(error):
                raise damaged(cast(Path, vars(self)["path"]), error) from error
            raise

    return _checked


def _generator(method: Callable[..., Iterator[object]]) -> Callable[..., Iterator[object]]:
    @functools.wraps(method)
    def _checked(self: object, *args: object, **kwargs: object) -> Iterator[object]:
        try:
            yield from method(self, *args, **kwargs)
        except sqlite3.DatabaseError as error:
            if _is_damage(error):
                raise damaged(cast(Path, vars(self)["path"]), error) from error
            raise

    return _checked
