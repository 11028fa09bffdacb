"""The exact vectors: half-precision rows that are only ever appended to, and the log that commits them.

A folder holds one *generation* of two files and the state that names it:

    rows-G.f16   the vectors, half precision, one after the other
    log-G.i64    what happened, in order: `id` ≥ 0 claims the next row for that id, `~id` takes it out
    state.json   generation, dimensions, and how much of the log the quantized index on disk has seen

Rows are written before the log that claims them, so a crash leaves rows that nobody claims; the next
write cuts them off. Compacting writes the next generation beside this one and then moves the state,
so a reader that has the old files mapped goes on with them. A row costs 2 bytes a dimension.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from quoth.errors import LibraryError, ReadOnly

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from quoth.types import Floats, Ids

    Halves = NDArray[np.float16]

HINT = "quoth reindex --vectors"
VERSION = 1


@dataclass(frozen=True, slots=True)
class State:
    """Which files count, and how many log entries the quantized index on disk has seen."""

    generation: int
    dimensions: int
    applied: int = 0


def dimensions_of(folder: Path) -> int:
    """How long the vectors in a folder are; 0 when that cannot be read."""
    try:
        return int(json.loads((folder / "state.json").read_text())["dimensions"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0


class ExactRows:
    """The vectors by id, and the log of what happened to them.

    `ids` are the living ids, sorted, and `rows` their row numbers. `refresh` brings in what another
    process has committed since, for the price of two `stat` calls when there is nothing new.
    """

    def __init__(self, folder: Path, dimensions: int, readonly: bool = False) -> None:
        self.folder = folder
        self.dimensions = dimensions
        self.readonly = readonly
        self._stamp = (0, 0)
        self.state = State(1, dimensions)
        self._forget()
        if not readonly and not (folder / "state.json").exists():
            self._create()
        self._open()

    def refresh(self) -> None:
        """Takes in what was committed since the last look, by whichever process."""
        try:
            if self._stamp == self._state_stamp():
                self._take_tail()
                return
        except FileNotFoundError:
            # Compacted between the two looks: the new state names the new files.
            pass
        self._open()

    def get(self, ids: Ids) -> Floats:
        """The vectors of `ids`, shape (n, dimensions); a row of zeros for an unknown id."""
        found, rows = self.locate(ids)
        vectors = np.zeros((len(ids), self.dimensions), dtype=np.float32)
        vectors[found] = self.read(rows)
        lengths = np.einsum("ij,ij->i", vectors[found], vectors[found])
        if not (np.abs(lengths - 1) < 0.05).all():
            raise LibraryError("The vector index is damaged: it holds vectors that are not of unit length", HINT)
        return vectors

    def locate(self, ids: Ids) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
        """Which of `ids` are here, and the row numbers of those."""
        if not len(self.ids):
            return np.zeros(len(ids), dtype=bool), np.empty(0, dtype=np.int64)
        at = np.minimum(np.searchsorted(self.ids, ids), len(self.ids) - 1)
        found = self.ids[at] == ids
        return found, self.rows[at[found]]

    def living(self, ids: Ids) -> Ids:
        """Those of `ids` (sorted) that are here."""
        if len(ids) * 8 < len(self.ids) or not len(self.ids) or self.ids[-1] > 16 * len(self.ids):
            return ids[self.locate(ids)[0]]
        # Many ids, and dense ones: a table of flags is several times quicker than a binary search.
        wanted = np.zeros(int(self.ids[-1]) + 1, dtype=bool)
        wanted[ids[(ids >= 0) & (ids <= self.ids[-1])]] = True
        return self.ids[wanted[self.ids]]

    def read(self, rows: NDArray[np.int64]) -> Floats:
        """The vectors in these rows, in single precision."""
        return self._halves[rows].astype(np.float32)

    def append(self, ids: Ids, vectors: Floats) -> None:
        """Commits `vectors` under `ids`; an id that is there gets the new one."""
        with self._appending(self._rows_path()) as file:
            file.truncate(self._claimed * self.dimensions * 2)
            file.seek(0, os.SEEK_END)
            file.write(np.ascontiguousarray(vectors, dtype=np.float16).tobytes())
        self._commit(np.asarray(ids, dtype="<i8"))

    def drop(self, ids: Ids) -> None:
        """Commits that `ids` are gone; compacts when more than a quarter of the rows are dead."""
        found, _ = self.locate(ids)
        if found.any():
            self._commit(~np.asarray(ids, dtype="<i8")[found])

    def wasteful(self) -> bool:
        """Whether more than a quarter of the rows, and enough of them to matter, are dead."""
        dead = self._claimed - len(self.ids)
        return dead > 64 and dead * 4 > self._claimed

    def compact(self, *, applied: bool) -> None:
        """Moves to a generation without dead rows; `applied` says the quantized index has seen all."""
        old = self._rows_path(), self._log_path()
        after = State(self.state.generation + 1, self.dimensions, len(self.ids) if applied else 0)
        with self._appending(self._rows_path(after.generation), fresh=True) as file:
            for at in range(0, len(self.rows), 65_536):
                file.write(self._halves[self.rows[at : at + 65_536]].tobytes())
        with self._appending(self._log_path(after.generation), fresh=True) as file:
            file.write(self.ids.astype("<i8").tobytes())
        self.save(after)
        self._forget()
        self._open()
        for path in old:
            # Windows keeps a file that a reader has mapped; it is dead weight, nothing more.
            with suppress(PermissionError):
                path.unlink(missing_ok=True)

    def save(self, state: State) -> None:
        """Commits `state`, all or nothing."""
        written = self.folder / "state.new"
        with self._appending(written, fresh=True) as file:
            record = {"version": VERSION, "generation": state.generation}
            record |= {"dimensions": state.dimensions, "applied": state.applied}
            file.write(json.dumps(record).encode())
        written.replace(self.folder / "state.json")
        _sync_folder(self.folder)
        self.state, self._stamp = state, self._state_stamp()

    def since(self, applied: int) -> tuple[Ids, Ids]:
        """(ids now here, ids now gone) among those that log entries from `applied` on speak of."""
        touched = self.log[applied:]
        touched = np.unique(np.where(touched < 0, ~touched, touched))
        here, _ = self.locate(touched)
        return touched[here], touched[~here]

    def _create(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for path in (self._rows_path(), self._log_path()):
            with self._appending(path, fresh=True):
                pass
        self.save(State(1, self.dimensions))

    def _open(self) -> None:
        for _ in range(5):
            before, self.state = self.state, self._read_state()
            if before.generation != self.state.generation:
                self._forget()
            try:
                self._take_tail()
                return
            except FileNotFoundError:
                continue
        raise LibraryError(f"Files of the vector index in {self.folder} are missing", HINT)

    def _forget(self) -> None:
        self.log: Ids = np.empty(0, dtype=np.int64)
        self.ids: Ids = np.empty(0, dtype=np.int64)
        self.rows: NDArray[np.int64] = np.empty(0, dtype=np.int64)
        self._halves: Halves = np.empty((0, self.dimensions), dtype=np.float16)
        self._claimed = 0

    def _take_tail(self) -> None:
        """Reads the log from where we stand, and maps the rows that it claims."""
        size = self._log_path().stat().st_size // 8
        if size < len(self.log):
            raise LibraryError("The vector index lost a part of its log", HINT)
        if size > len(self.log):
            tail = np.fromfile(self._log_path(), dtype="<i8", offset=len(self.log) * 8)
            self._apply(tail.astype(np.int64))

    def _apply(self, tail: Ids) -> None:
        """Makes log entries count: the last one that speaks of an id decides."""
        claims = tail >= 0
        rows = self._claimed + np.cumsum(claims) - 1
        claimed = self._claimed + int(claims.sum())
        self._map(claimed)
        self.log = np.concatenate([self.log, tail])
        self._claimed = claimed
        newer = bool(claims.all()) and (not len(self.ids) or tail[0] > self.ids[-1])
        if newer and bool((tail[1:] > tail[:-1]).all()):
            self.ids, self.rows = np.concatenate([self.ids, tail]), np.concatenate([self.rows, rows])
            return
        keys = np.concatenate([self.ids, np.where(claims, tail, ~tail)])
        values = np.concatenate([self.rows, np.where(claims, rows, -1)])
        order = np.argsort(keys, kind="stable")
        keys, values = keys[order], values[order]
        last = np.append(keys[1:] != keys[:-1], True) & (values >= 0)
        self.ids, self.rows = keys[last], values[last]

    def _map(self, claimed: int) -> None:
        if claimed == len(self._halves):
            return
        path = self._rows_path()
        if path.stat().st_size < claimed * self.dimensions * 2:
            raise LibraryError("The vector index has fewer rows than its log says", HINT)
        self._halves = np.memmap(path, dtype=np.float16, mode="r", shape=(claimed, self.dimensions))

    def _commit(self, entries: Ids) -> None:
        with self._appending(self._log_path()) as file:
            file.truncate(len(self.log) * 8)
            file.seek(0, os.SEEK_END)
            file.write(entries.tobytes())
        self._apply(entries.astype(np.int64))

    @contextmanager
    def _appending(self, path: Path, fresh: bool = False) -> Iterator[BinaryIO]:
        """The file, open for writing and durable when left."""
        if self.readonly:
            raise ReadOnly("The vector index was opened for reading only", "open the library for writing")
        flags = os.O_RDWR | os.O_CREAT | (os.O_TRUNC if fresh else 0)
        with os.fdopen(os.open(path, flags, 0o600), "r+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())

    def _read_state(self) -> State:
        self._stamp = self._state_stamp()
        try:
            record = json.loads((self.folder / "state.json").read_text())
            state = State(record["generation"], record["dimensions"], record["applied"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise LibraryError(f"The vector index in {self.folder} cannot be read ({error})", HINT) from error
        if record.get("version") != VERSION or state.dimensions != self.dimensions:
            raise LibraryError(
                f"The vector index holds {state.dimensions}-dimensional vectors of version "
                f"{record.get('version')}, wanted are {self.dimensions} dimensions of version {VERSION}",
                HINT,
            )
        return state

    def _state_stamp(self) -> tuple[int, int]:
        try:
            found = (self.folder / "state.json").stat()
        except OSError as error:
            raise LibraryError(f"There is no vector index in {self.folder}", HINT) from error
        return found.st_ino, found.st_mtime_ns

    def _rows_path(self, generation: int = 0) -> Path:
        return self.folder / f"rows-{generation or self.state.generation}.f16"

    def _log_path(self, generation: int = 0) -> Path:
        return self.folder / f"log-{generation or self.state.generation}.i64"


def dimensions(folder: Path) -> int:
    """The length of the vectors in a folder."""
    try:
        return int(json.loads((folder / "state.json").read_text())["dimensions"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LibraryError(f"The vector index in {folder} cannot be read ({error})", HINT) from error


def _sync_folder(folder: Path) -> None:
    """Makes a rename in `folder` last; folders cannot be synced on Windows, where renames are logged."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
