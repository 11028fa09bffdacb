"""Ask your own files and get verified quotes.

from quoth import Library

with Library.open("~/my-library") as library:
    library.add(["~/notes"])
    print(library.ask("When does the warranty end?").text)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .library import Library as Library
    from .types import Options as Options

__version__ = "0.1.0"
__all__ = ["Library", "Options", "__version__"]


def __getattr__(name: str) -> object:
    # `import quoth` and `quoth --help` stay quick: the library brings NumPy and the engines
    if name == "Library":
        from .library import Library

        return Library
    if name == "Options":
        from .types import Options

        return Options
    raise AttributeError(f"module 'quoth' has no attribute {name!r}")
