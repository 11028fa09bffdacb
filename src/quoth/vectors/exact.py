"""The exact vectors: half-precision rows that are only ever appended to, and the log that commits them.

A folder holds one *generation* of two files and the state that names it:

    rows-G.f16   the vectors, half precision, one after the other
    log-G.i64    what happened, in order: `id` ≥ 0 claims the next row for that id, `~id` takes it out
    state.json   generation, dimensions, and how many rows the codes on disk hold

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
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from quoth.errors import LibraryError, ReadOnly

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from quoth.types import Floats, Ids

    Halves = NDArray[np.float16]
    Places = NDArray[np.int64]

HINT = "quoth reindex --vectors"
VERSION = 1


@dataclass(frozen=True, slots=True)
class State:
    """Which files count, and how many rows the codes on disk hold."""

    generation: int
    dimensions: int
    applied: int = 0


def dimensions_of(folder: Path) -> int:
    """How long the vectors in a folder are; 0 when that cannot be read."""
    try:
        return int(json.loads((folder / "state.json").read_text())["dimensions"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0


class Held:
    """The rows as they were at one moment; nothing in it changes, so that any thread may go on with it.

    `ids` are the living ids, sorted, and `rows` their row numbers; `owners` are the ids that claimed each row,
    the dead ones included.
    """

    def __init__(self, generation: int, log: Ids, ids: Ids, rows: Places, owners: Ids, halves: Halves) -> None:
        self.generation = generation
        self.log = log
        self.ids = ids
        self.rows = rows
        self.owners = owners
        self.halves = halves

    def locate(self, ids: Ids) -> tuple[NDArray[np.bool_], Places]:
        """Which of `ids` are here, and the row numbers of those."""
        if not len(self.ids) or not len(ids):
            return np.zeros(len(ids), dtype=bool), np.empty(0, dtype=np.int64)
        if len(ids) > 2_048 and self._table is not None:
            # Many ids, and dense ones: a table is several times quicker than a binary search.
            known = (ids >= 0) & (ids < len(self._table))
            rows = self._table[ids if known.all() else np.where(known, ids, 0)]
            found = known & (rows >= 0)
            return found, rows[found].astype(np.int64)
        at = np.minimum(np.searchsorted(self.ids, ids), len(self.ids) - 1)
        found = self.ids[at] == ids
        return found, self.rows[at[found]]

    def read(self, rows: Places) -> Floats:
        """The vectors in these rows, in single precision."""
        return self.halves[rows].astype(np.float32)

    @cached_property
    def living(self) -> NDArray[np.bool_] | None:
        """Which rows are living, or None when all are."""
        if len(self.ids) == len(self.owners):
            return None
        return self.mask(self.rows)

    def mask(self, rows: Places) -> NDArray[np.bool_]:
        """True for these rows."""
        flags = np.zeros(len(self.owners), dtype=bool)
        flags[rows] = True
        return flags

    @cached_property
    def _table(self) -> NDArray[np.int32] | None:
        """The row of each id, -1 where there is none; None for ids that are strewn too widely."""
        if self.ids[-1] > 16 * len(self.ids):
            return None
        table = np.full(int(self.ids[-1]) + 1, -1, dtype=np.int32)
        table[self.ids] = self.rows
        return table


class ExactRows:
    """The vectors by id, and the log of what happened to them; `held` is what is there now.

    `refresh` brings in what another process has committed since, for the price of two `stat` calls when
    there is nothing new. Threads take turns in calling it.
    """

    def __init__(self, folder: Path, dimensions: int, readonly: bool = False) -> None:
        self.folder = folder
        self.old_codes = folder / "codes.tv"  # a format that held ids, until 2026-11
        self.dimensions = dimensions
        self.readonly = readonly
        self._stamp = (0, 0)
        self.state = State(1, dimensions)
        self._forget()
        if not readonly and not (folder / "state.json").exists():
            self._create()
        self._open()

    def refresh(self) -> Held:
        """What is there now, whichever process committed it."""
        try:
            if self._stamp == self._state_stamp():
                self._take_tail()
                return self.held
        except FileNotFoundError:
            # Compacted between the two looks: the new state names the new files.
            pass
        self._open()
        return self.held

    def get(self, ids: Ids) -> Floats:
        """The vectors of `ids`, shape (n, dimensions); a row of zeros for an unknown id."""
        held = self.held
        found, rows = held.locate(ids)
        vectors = np.zeros((len(ids), self.dimensions), dtype=np.float32)
        vectors[found] = checked(held.read(rows))
        return vectors

    def append(self, ids: Ids, vectors: Floats) -> None:
        """Commits `vectors` under `ids`; an id that is there gets the new one."""
        with self._appending(self._rows_path()) as file:
            file.truncate(len(self.held.owners) * self.dimensions * 2)
            file.seek(0, os.SEEK_END)
            file.write(np.ascontiguousarray(vectors, dtype=np.float16).tobytes())
        self._commit(np.asarray(ids, dtype="<i8"))

    def drop(self, ids: Ids) -> None:
        """Commits that `ids` are gone."""
        found, _ = self.held.locate(ids)
        if found.any():
            self._commit(~np.asarray(ids, dtype="<i8")[found])

    def wasteful(self) -> bool:
        """Whether more than a quarter of the rows, and enough of them to matter, are dead."""
        dead = len(self.held.owners) - len(self.held.ids)
        return dead > 64 and dead * 4 > len(self.held.owners)

    def compact(self) -> None:
        """Moves to a generation without dead rows, which has no codes yet."""
        held, old = self.held, (self._rows_path(), self._log_path(), self.codes_path(), self.old_codes)
        after = State(self.state.generation + 1, self.dimensions)
        with self._appending(self._rows_path(after.generation), fresh=True) as file:
            for at in range(0, len(held.rows), 65_536):
                file.write(held.halves[held.rows[at : at + 65_536]].tobytes())
        with self._appending(self._log_path(after.generation), fresh=True) as file:
            file.write(held.ids.astype("<i8").tobytes())
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
        none = np.empty(0, dtype=np.int64)
        halves = np.empty((0, self.dimensions), dtype=np.float16)
        self.held = Held(self.state.generation, none, none, none, none, halves)

    def _take_tail(self) -> None:
        """Reads the log from where we stand, and maps the rows that it claims."""
        known, size = len(self.held.log), self._log_path().stat().st_size // 8
        if size < known:
            raise LibraryError("The vector index lost a part of its log", HINT)
        if size > known:
            self._apply(np.fromfile(self._log_path(), dtype="<i8", offset=known * 8).astype(np.int64))

    def _apply(self, tail: Ids) -> None:
        """Makes log entries count: the last one that speaks of an id decides."""
        old, claims = self.held, tail >= 0
        new = tail if claims.all() else tail[claims]
        owners = np.concatenate([old.owners, new])
        rows = len(old.owners) + np.cumsum(claims) - 1
        if len(new) == len(tail) and (not len(old.ids) or tail[0] > old.ids[-1]) and (tail[1:] > tail[:-1]).all():
            ids, rows = np.concatenate([old.ids, tail]), np.concatenate([old.rows, rows])
        else:
            keys = np.concatenate([old.ids, np.where(claims, tail, ~tail)])
            values = np.concatenate([old.rows, np.where(claims, rows, -1)])
            order = np.argsort(keys, kind="stable")
            keys, values = keys[order], values[order]
            last = np.append(keys[1:] != keys[:-1], True) & (values >= 0)
            ids, rows = keys[last], values[last]
        log = np.concatenate([old.log, tail])
        self.held = Held(self.state.generation, log, ids, rows, owners, self._mapped(len(owners)))

    def _mapped(self, claimed: int) -> Halves:
        if claimed == len(self.held.halves):
            return self.held.halves
        path = self._rows_path()
        if path.stat().st_size < claimed * self.dimensions * 2:
            raise LibraryError("The vector index has fewer rows than its log says", HINT)
        return np.memmap(path, dtype=np.float16, mode="r", shape=(claimed, self.dimensions))

    def _commit(self, entries: Ids) -> None:
        with self._appending(self._log_path()) as file:
            file.truncate(len(self.held.log) * 8)
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

    def codes_path(self) -> Path:
        """Where the codes of this generation's rows are kept."""
        return self.folder / f"codes-{self.state.generation}.tq"

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


def checked(vectors: Floats) -> Floats:
    """The vectors, which have unit length, or `LibraryError`."""
    lengths = np.einsum("ij,ij->i", vectors, vectors)
    if not (np.abs(lengths - 1) < 0.05).all():
        raise LibraryError("The vector index is damaged: it holds vectors that are not of unit length", HINT)
    return vectors


def _sync_folder(folder: Path) -> None:
    """Makes a rename in `folder` last; folders cannot be synced on Windows, where renames are logged."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
