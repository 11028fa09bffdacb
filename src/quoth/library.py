"""The path: files in, quotes out. The only file that knows every part.

add, sync, remove    file → Document → Passage → words, vectors, catalog      (sync.py)
search               question → words + vectors → rank → Hit
ask                  question → Hit → sentences → verified Quote → Answer
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from quoth.asking import Explanation, explained, note, understood
from quoth.catalog import File, Job, Source
from quoth.errors import LibraryError, Locked, NotFound, QuothError, ReadError, ReadOnly
from quoth.parts import Parts, inside
from quoth.types import (
    Answer,
    Box,
    Document,
    Failure,
    Filters,
    Hits,
    Options,
    Progress,
    Report,
    Status,
    Watcher,
)

if TYPE_CHECKING:
    from quoth.backup import Backup, Moved
    from quoth.doctor import Check
    from quoth.exchange import Exported
    from quoth.forget import Forgotten
    from quoth.recipe import Kept, Recipe


def unwatched(_: Progress) -> None:
    """Nobody looks on."""


def default_folder() -> Path:
    """Where the library is when nobody names another place."""
    from platformdirs import user_data_path

    return user_data_path("quoth", appauthor=False) / "library"


class Library:
    """A library of your files: add them, search them, ask them.

    Use it as a context manager, or call `close`. One process writes at a time (`Locked` names the
    other one); any number may read meanwhile, each call seeing one state of the library.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._looked_after = False

    @classmethod
    def open(cls, folder: str | os.PathLike[str] | None = None, *, create: bool = True, encoder: str = "") -> Library:
        """The library in `folder` (by default in the user's data folder), made if it is not there.

        `encoder` is "minilm" (packaged), "http://host:port/v1#model" or "package.module:Class"; a
        library remembers it. On a read-only disk the library can be searched. Raises `LibraryError`
        when there is none and `create` is false.
        """
        place = Path(_absolute(folder)) if folder else default_folder()
        exists = (place / "catalog.sqlite").exists()
        if not exists and not create:
            raise LibraryError(f"there is no library in {place}", "quoth add FOLDER")
        return cls(Parts(place, encoder, readonly=exists and not os.access(place, os.W_OK)))

    def close(self) -> None:
        """Let go of the files; the library can be opened again."""
        self._parts.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- files in ------------------------------------------------------------------------------

    def add(
        self,
        paths: Sequence[str | os.PathLike[str]],
        options: Options = Options(),
        *,
        watch: Watcher = unwatched,
    ) -> Report:
        """Register files and folders as sources and bring them into step.

        A path inside a source that is there already syncs that source. A path that does not exist
        raises `NotFound` before anything is read; a file that fails is in `report.failed`.
        """
        places = [_absolute(path) for path in paths]
        for place in places:
            if not os.path.lexists(place):
                raise NotFound(f"there is no file or folder {place}", "check the name")
        self._writable()
        return self._sync((), options, watch, places)

    def sync(
        self,
        paths: Sequence[str | os.PathLike[str]] = (),
        options: Options = Options(),
        *,
        watch: Watcher = unwatched,
    ) -> Report:
        """Bring all sources, or those that hold these paths, into step with the disk."""
        sources = self.sources()
        if paths:
            places = [_absolute(path) for path in paths]
            held = {place: [one for one in sources if inside(place, one.path)] for place in places}
            for place, owners in held.items():
                if not owners:
                    raise NotFound(f"{place} is in no source of this library", f"quoth add {place}")
            sources = list({one.id: one for owners in held.values() for one in owners}.values())
        self._writable()
        return self._sync(sources, options, watch)

    def watch(
        self, options: Options = Options(), *, poll: bool = False, watch: Watcher = unwatched
    ) -> Iterator[Report]:
        """Keep in step with the disk: a report whenever something was done, until the iterator is closed.

        `poll` looks at the files again and again, for drives that do not tell of changes.
        """
        from quoth.watch import follow

        self._writable()
        return follow(self._parts, options, poll, watch)

    def remove(self, path: str | os.PathLike[str]) -> int:
        """Take a source, a folder or a file out of the library; the number of files that went.

        A file that stays in its folder comes back with the next sync, unless `.quothignore` names it.
        """
        from quoth import sync as synced

        _, source, files = self._lying_at(path)
        return synced.remove(self._parts, source, files)

    def forget(self, path: str | os.PathLike[str], *, verify: bool = False, watch: Watcher = unwatched) -> Forgotten:
        """Erase a source, a folder or a file so that no byte of it stays in the library.

        A later sync leaves it out; adding its own path lets it in again. With `verify`, every file of the
        library is searched for it afterwards, and `LibraryError` raised if anything is found.
        """
        from quoth.forget import finish, forget

        self._writable()
        finish(self._parts, watch)
        place, source, files = self._lying_at(
            path, "quoth sources; what was removed before: add it again, then forget it"
        )
        return forget(self._parts, place, source, files, verify, watch)

    def jobs(self) -> list[Job]:
        """The long runs that are remembered, the newest first; one that was killed shows as "cut off"."""
        from quoth import lock
        from quoth.catalog import jobs

        alive = lock.owner(self._parts.folder)
        found = jobs.every(self._parts.catalog)
        return [replace(one, state="cut off") if one.state == "running" and not alive else one for one in found]

    def job(self, number: int) -> tuple[Job, list[Failure]]:
        """A job, and the files that failed in it."""
        from quoth import jobs

        found = jobs.chosen(self.jobs(), number, ())
        return found, jobs.failures(self._parts.catalog, found)

    def cancel(self, job: int = 0) -> Job:
        """Ask a running job (by default the newest) to stop; it does within seconds, and keeps what it had written."""
        from quoth import jobs

        return jobs.cancel(self._parts.catalog, job, self.jobs())

    def resume(
        self, job: int = 0, passwords: Sequence[str] = (), *, retry: bool = False, watch: Watcher = unwatched
    ) -> Report:
        """Do again what a job did not finish (by default the newest such), or with `retry` what failed in it."""
        from quoth import jobs

        wanted = jobs.chosen(self.jobs(), job, ("cut off", "stopped", "failed", *(("done",) if retry else ())))
        options = replace(jobs.options_of(wanted), passwords=tuple(passwords), retry=retry)
        if wanted.command == "reindex":
            encoder = "".join(one.removeprefix("--encoder=") for one in wanted.places if one.startswith("--"))
            report = Report(passages=max(self.reindex(wanted.places, encoder=encoder, watch=watch).values()))
        else:
            run = self.add if wanted.command == "add" else self.sync
            report = run(wanted.places, options, watch=watch)
        jobs.settled(self._parts.catalog, wanted)
        return report

    def reindex(
        self,
        which: Sequence[str] = ("words", "vectors"),
        *,
        encoder: str = "",
        back: bool = False,
        watch: Watcher = unwatched,
    ) -> dict[str, int]:
        """Make indexes anew from the catalog; how many passages each holds.

        With `encoder`, the vectors of another one are built beside those that count, and count when
        they are whole: searches go on meanwhile. `back` returns to the encoder before the last change.
        """
        from quoth import rebuild

        self._writable()
        if encoder or back:
            return (
                rebuild.change_back(self._parts, watch) if back else rebuild.change_encoder(self._parts, encoder, watch)
            )
        return rebuild.reindex(self._parts, which, watch)

    # -- copies --------------------------------------------------------------------------------

    def backup(self, file: str | os.PathLike[str], *, force: bool = False, watch: Watcher = unwatched) -> Backup:
        """Write one state of the library to a file, whatever is written to the library meanwhile."""
        from quoth import backup

        return backup.backup(self._parts, Path(_absolute(file)), force, watch)

    def move(self, old: str | os.PathLike[str], new: str | os.PathLike[str], *, force: bool = False) -> Moved:
        """Say that the sources at or below `old` are at or below `new` now; nothing is read."""
        from quoth import backup

        self._writable()
        return backup.move(self._parts, _absolute(old), _absolute(new), force)

    def export(self, file: str, *, force: bool = False, watch: Watcher = unwatched) -> Exported:
        """Write every document as a line of JSON to a file ("-" is standard output)."""
        from quoth import exchange

        return exchange.export(self._parts, file if file == "-" else _absolute(file), force, watch)

    def import_(self, file: str, *, watch: Watcher = unwatched) -> Report:
        """Bring the documents of an export ("-" is standard input) into the library; nothing else is read."""
        from quoth import exchange

        self._writable()
        return exchange.import_(self._parts, file if file == "-" else _absolute(file), watch)

    # -- what is there -------------------------------------------------------------------------

    def sources(self) -> list[Source]:
        """The folders and files that were added."""
        return self._parts.catalog.sources()

    def status(self) -> Status:
        """What is in the library, in numbers."""
        from quoth import lock

        catalog, folder = self._parts.catalog, self._parts.folder
        self._parts.follow()
        size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        with catalog.reading():
            counts, kinds, languages = catalog.counts(), catalog.kinds(), catalog.languages()
        fingerprint = self._parts.encoder.fingerprint
        return Status(
            str(folder), size, **counts, kinds=kinds, languages=languages, encoder=fingerprint,
            recipe=self.recipe().hash, writer=lock.owner(folder),
        )  # fmt: skip

    def show(self, path: str | os.PathLike[str]) -> Document:
        """The document at a path, with its text as it was read: what every quote is cut from.

        The end of a path will do where only one document has it.
        """
        name = os.path.expanduser(os.fspath(path))
        catalog = self._parts.catalog
        document = catalog.document(name) or catalog.document(os.path.abspath(name))
        if document:
            return document
        ends = [one for one in catalog.paths() if one.endswith(os.sep + name.lstrip(os.sep))]
        if len(ends) == 1:
            return self.show(ends[0])
        if ends:
            raise NotFound(f"{len(ends)} documents end in {name}", f"quoth show {ends[0]}")
        raise NotFound(f"{name} is not in this library", "quoth search shows paths; quoth sync reads new files")

    def boxes(self, document: Document, start: int, end: int, password: str | None = None) -> list[Box]:
        """Where characters stand on the pages of a PDF, scan or image; empty for other kinds.

        For a PDF with a text layer the file is needed as it was read: empty when it has changed.
        """
        found = document.boxes(start, end)
        if document.kind != "pdf" or "#" in document.path:
            return found
        from quoth.ingest import pdf

        try:
            found += pdf.boxes(Path(document.path).read_bytes(), document, start, end, password)
        except (OSError, ReadError):
            return found
        return sorted(found, key=lambda box: box.page)

    def doctor(self) -> list[Check]:
        """Everything that was checked, with the commands that repair what is wrong."""
        from quoth import doctor

        self._parts.follow()
        return doctor.examine(self._parts)

    def recipe(self) -> Recipe:
        """Every number and model that this library's answers depend on: the one that counts."""
        from quoth import recipe

        return recipe.used(self._parts.catalog, self._parts.encoder.fingerprint)

    def recipes(self) -> list[Kept]:
        """The recipes that this library remembers, the default one first."""
        from quoth import recipe

        return recipe.every(self._parts.catalog, self._parts.encoder.fingerprint)

    def recipe_named(self, name: str = "") -> Kept:
        """A recipe by its name or the beginning of its hash; the one that counts without any."""
        from quoth import recipe

        known = self.recipes()
        return recipe.find(known, name) if name else next(one for one in known if one.used)

    def make_recipe(self, name: str, settings: Mapping[str, str], base: str = "") -> Kept:
        """Remember the recipe that differs from `base` in fields named as in `fusion.words`."""
        from quoth import recipe

        self._writable()
        recipe.keep(self._parts.catalog, recipe.changed(self.recipe_named(base).recipe, settings), name)
        return self.recipe_named(name)

    def use_recipe(self, name: str) -> Kept:
        """Let a recipe count from now on."""
        from quoth import recipe

        self._writable()
        recipe.use(self._parts.catalog, self.recipe_named(name))
        return self.recipe_named()

    # -- quotes out ----------------------------------------------------------------------------

    def search(
        self,
        query: str,
        k: int = 10,
        filters: Filters | None = None,
        *,
        recipe: Recipe | None = None,
        plain: bool = False,
        watch: Watcher = unwatched,
    ) -> Hits:
        """The k passages that fit best, near-duplicates folded; k of them whenever k exist.

        Operators in the query narrow as `filters` do: in:folder type:pdf after:2024-01-01 before:2025 "exact words"
        -word. With `plain` it is only text.
        """
        from quoth import exact
        from quoth.find import find

        asked = understood(query, filters, plain)
        notes = asked.notes + self._look_after(watch)
        with self._parts.catalog.reading():
            found = find(self._parts, asked.text, k, asked.filters, recipe or self.recipe())
            notes += [] if found.hits else filter(None, [exact.emptied(self._parts, asked.filters)])
        return Hits(query, found.hits[:k], tuple(notes), time.perf_counter() - asked.started)

    def ask(
        self,
        question: str,
        filters: Filters | None = None,
        *,
        recipe: Recipe | None = None,
        plain: bool = False,
        watch: Watcher = unwatched,
    ) -> Answer:
        """An answer in verified quotes, or a refusal that says what was searched and what came nearest."""
        return self.explain(question, filters, recipe=recipe, plain=plain, watch=watch)[0]

    def explain(
        self,
        question: str,
        filters: Filters | None = None,
        *,
        recipe: Recipe | None = None,
        noted: bool = True,
        plain: bool = False,
        person: str = "",
        watch: Watcher = unwatched,
    ) -> tuple[Answer, Explanation]:
        """An answer, and how it came about. `noted` enters it in the journal, if the library keeps one, as `person`'s.

        The question may hold operators as that of `search`, unless it is `plain`.
        """
        asked = understood(question, filters, plain)
        asked.notes.extend(self._look_after(watch))
        # the encoder may have been changed since the last question, so the recipe is asked for now
        made, explanation = explained(self._parts, asked, recipe or self.recipe())
        return (note(self._parts.catalog, made, person) if noted else made), explanation

    # -- inside --------------------------------------------------------------------------------

    def _lying_at(
        self, path: str | os.PathLike[str], hint: str = "quoth sources"
    ) -> tuple[str, Source | None, list[File]]:
        """The place, the source there if it is one, and all files at or below it, which are to go."""
        self._writable()
        place = _absolute(path)
        source = next((one for one in self.sources() if one.path == place), None)
        files = [file for file in self._parts.catalog.files() if inside(file.path, place)]
        if not source and not files:
            raise NotFound(f"{place} is not in this library", hint)
        return place, source, files

    def _writable(self) -> None:
        if self._parts.readonly:
            hint = "copy it to a writable folder, or choose another with --library"
            raise ReadOnly(f"the library in {self._parts.folder} is on a read-only disk", hint)
        self._parts.check_there()

    def _sync(self, sources: Sequence[Source], options: Options, watch: Watcher, places: Sequence[str] = ()) -> Report:
        from quoth import sync as synced

        return synced.sync(self._parts, sources, options, watch, places)

    def _look_after(self, watch: Watcher) -> list[str]:
        """Rebuild an index that is missing, if this process may; what was done or is amiss."""
        self._parts.follow()
        if self._looked_after:
            return []
        self._looked_after = True
        missing = self._parts.missing()
        if not missing:
            return []
        names = " and ".join(missing)
        try:
            from quoth import rebuild

            self._writable()
            rebuild.reindex(self._parts, missing, watch)
        except (ReadOnly, Locked) as error:
            self._looked_after = False
            return [f"the index of {names} is missing, so the search went on without it ({error})"]
        return [f"the index of {names} was missing and has been rebuilt from the catalog"]


def examine(folder: str | os.PathLike[str] | None = None) -> list[Check]:
    """The doctor's checks of the library in `folder`; one that cannot be opened is a failed check."""
    try:
        with Library.open(folder, create=False) as library:
            return library.doctor()
    except QuothError as error:
        from quoth.doctor import Check

        return [Check("library", False, str(error), error.hint)]


def _absolute(path: str | os.PathLike[str]) -> str:
    """The path from the root, "~" and ".." worked out, links kept."""
    return os.path.abspath(os.path.expanduser(os.fspath(path)))
