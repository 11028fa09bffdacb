"""The tree of errors that a person may see: one sentence, and what to do next.

QuothError
├── UsageError        the call itself is wrong (exit 2)
├── ReadError         one file could not be read; the run goes on
│   ├── Encrypted     it needs a password, or another one
│   └── LeftOut       nothing in it is to be read: a skip, not a failure
│       └── OtherKind it is of a kind that Quoth does not read
├── Stopped           a job was cancelled; what it had written is kept
├── NotFound          no such source, document or passage
├── LibraryError      the library folder cannot be opened as asked
│   ├── Locked        another process is writing
│   ├── ReadOnly      the library can be searched but not changed
│   └── TooNew        written by a newer Quoth
├── ModelError        model files are missing, altered or do not fit
├── EndpointError     a server that the user named did not answer as it should
├── Throttled         too many wrong passwords: `seconds` says how long to wait
└── MissingPart       an optional package is not installed

Anything else that is raised is a bug and shows its traceback.
"""

from __future__ import annotations

import importlib
from types import ModuleType


class QuothError(Exception):
    """Something could not be done: `str(error)` says what, `error.hint` says what to do next."""

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(QuothError):
    """The call itself is wrong."""

    exit_code = 2


class ReadError(QuothError):
    """One file could not be read."""


PASSWORD = "write its password into a file and name that with --password-file"
"""What to do about a file that needs a password."""


class Encrypted(ReadError):
    """The file needs a password, or another one."""


class LeftOut(ReadError):
    """The file is left out on purpose: nothing in it is to be read."""


class OtherKind(LeftOut):
    """The file is of a kind that Quoth does not read."""


class Stopped(QuothError):
    """A job was cancelled; what it had written is kept."""


class NotFound(QuothError):
    """No such source, document or passage in this library."""


class LibraryError(QuothError):
    """The library folder cannot be opened as asked."""


class Locked(LibraryError):
    """Another process is writing to the library."""


class ReadOnly(LibraryError):
    """The library can be searched but not changed."""


class TooNew(LibraryError):
    """The library was written by a newer Quoth."""


class ModelError(QuothError):
    """Model files are missing, altered, or do not fit this library."""


class EndpointError(QuothError):
    """A server that the user named did not answer as it should."""


class Throttled(QuothError):
    """There were too many attempts; the next one is let through in `seconds`."""

    def __init__(self, message: str, hint: str, seconds: int) -> None:
        super().__init__(message, hint)
        self.seconds = seconds


class MissingPart(QuothError):
    """An optional package is not installed."""


def need(module: str, extra: str) -> ModuleType:
    """The imported module, or `MissingPart` naming the extra that brings it."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != module.split(".")[0]:
            raise
        raise MissingPart(f"{module.split('.')[0]} is not installed", f"pip install 'quoth[{extra}]'") from None
