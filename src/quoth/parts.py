"""The parts of one library folder, each opened when it is first needed.

library/
    catalog.sqlite            the truth
    words/                    derived from it: quoth reindex --words
    vectors/FINGERPRINT/      derived from it: quoth reindex --vectors
    writer.lock, writer.json  who is writing
"""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from quoth.catalog import Catalog
from quoth.errors import LibraryError, ModelError, ReadOnly

if TYPE_CHECKING:
    from quoth.types import Encoder, Words
    from quoth.vectors import TurboVectors

REINDEX = "quoth reindex"


class Parts:
    """Catalog, words, vectors and encoder of the library in `folder`.

    A folder that is not there is created, for its owner only, unless `readonly`.
    """

    def __init__(self, folder: Path, encoder: str = "", readonly: bool = False, threads: int = 0) -> None:
        self.folder = folder
        self.readonly = readonly
        self._threads = threads
        if not readonly:
            _create(folder)
        self.catalog = Catalog(folder / "catalog.sqlite", readonly)
        self._identity = self._on_disk()
        self._named = bool(encoder)
        self.encoder_spec = encoder or self.catalog.get("encoder") or "minilm"

    @cached_property
    def encoder(self) -> Encoder:
        """The encoder that this library's vectors are made with."""
        from quoth import embed

        return embed.open(self.encoder_spec, threads=self._threads)

    @cached_property
    def words(self) -> Words:
        """The word index."""
        from quoth.words import TantivyWords

        return TantivyWords(self.folder / "words", readonly=self.readonly)

    @cached_property
    def vectors(self) -> TurboVectors:
        """The vector index of the library's encoder."""
        from quoth.vectors import TurboVectors

        return TurboVectors(self.vectors_folder, self.encoder.dimensions, readonly=self.readonly)

    @property
    def vectors_folder(self) -> Path:
        """Where the vectors of the library's encoder are."""
        return self.folder / "vectors" / self.encoder.fingerprint

    def other_vectors(self) -> list[TurboVectors]:
        """The vector indexes of encoders that do not count now, so that nothing stays in them that is gone."""
        from quoth.vectors import TurboVectors, dimensions

        folders = sorted((self.folder / "vectors").glob("*/state.json"))
        others = [state.parent for state in folders if state.parent != self.vectors_folder]
        return [TurboVectors(one, dimensions(one)) for one in others]

    def follow(self) -> None:
        """Take up the encoder that counts now, which another process may have changed. Raises as `check_there`."""
        self.check_there()
        spec = self.catalog.get("encoder")
        if spec and spec != self.encoder_spec and not self._named:
            self.reopen("vectors", "encoder")
            self.encoder_spec = spec

    def check_there(self) -> None:
        """Raise `LibraryError` where the files that are open are not those of the folder any more."""
        if self._on_disk() != self._identity:
            raise LibraryError(
                f"the library in {self.folder} was moved, deleted or replaced while it was open", "open it anew"
            )

    def _on_disk(self) -> tuple[int, int] | None:
        """What the file system knows the catalog by, None where there is none."""
        try:
            found = self.catalog.path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def missing(self) -> list[str]:
        """Which indexes a library with passages lacks: "words", "vectors"."""
        folders = {"words": self.folder / "words", "vectors": self.vectors_folder}
        lacking = [name for name, folder in folders.items() if not (folder.is_dir() and any(folder.iterdir()))]
        # every search asks: the passages are counted only when there is a reason to
        return lacking if lacking and self.catalog.counts()["passages"] else []

    def reopen(self, *names: str) -> None:
        """Let go of parts that were replaced on disk; they are opened anew when needed."""
        for name in names:
            self.__dict__.pop(name, None)

    def secure(self) -> None:
        """Make every file of the library its owner's alone."""
        for root, folders, files in os.walk(self.folder):
            for name in folders:
                Path(root, name).chmod(0o700)
            for name in files:
                Path(root, name).chmod(0o600)

    def close(self) -> None:
        """Let go of everything."""
        self.reopen("words", "vectors", "encoder")
        self.catalog.close()


def inside(path: str, folder: str) -> bool:
    """Whether a path is a folder itself or something below it."""
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def check_encoder(parts: Parts) -> None:
    """Raise `ModelError` when the library's vectors are another encoder's."""
    known = parts.catalog.get("fingerprint")
    if known and known != parts.encoder.fingerprint:
        raise ModelError(
            f"this library's vectors were made by encoder {known}, but this is {parts.encoder.fingerprint}",
            f"{REINDEX} --encoder {parts.encoder_spec}",
        )


@contextmanager
def disk(folder: Path) -> Iterator[None]:
    """A block in which a full disk is one clear sentence."""
    try:
        yield
    except (OSError, sqlite3.OperationalError, ValueError) as error:
        full = isinstance(error, OSError) and error.errno == errno.ENOSPC
        if full or "full" in str(error) or "No space left" in str(error):
            hint = "free some space and run the command again; what was written before is kept"
            raise LibraryError(f"the disk with the library {folder} is full", hint) from error
        raise


def _create(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except FileExistsError:
        raise LibraryError(f"{folder} is a file, not a library folder", "choose another with --library") from None
    except OSError as error:
        raise ReadOnly(
            f"the library folder {folder} cannot be created: {error.strerror}",
            "choose another with --library",
        ) from None
