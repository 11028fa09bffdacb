"""A library as one file and back again: whole and sound, or not at all."""

from __future__ import annotations

import hashlib
import io
import json
import os
import random
import shutil
import sqlite3
import tarfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from quoth import Library, access, feedback, lock, threads
from quoth import backup as backups
from quoth.errors import LibraryError, Locked, NotFound, TooNew, UsageError
from quoth.evaluate import golden, kept_runs
from quoth.restore import restore

QUESTION = "When were the tomatoes planted?"
OLD = [Path(__file__).parent / "data" / f"library-v{version}.tar.gz" for version in (1, 3, 4)]
"""A library as the first version with a catalog of this format wrote it, beside the files in it."""


@pytest.fixture
def filled(added: Path, tmp_path: Path) -> Path:
    """A library with the notes in it, and its backup beside it."""
    with Library.open(added) as library:
        library.backup(tmp_path / "backup.tar")
    return added


def dump(folder: Path) -> list[str]:
    """Everything that the catalog of a library holds, but for the count of its writings."""
    with closing(sqlite3.connect(folder / "catalog.sqlite")) as connection:
        return [line for line in connection.iterdump() if "'generation'" not in line]


def everything(folder: Path) -> dict[str, bytes]:
    """Every file below a folder with its content; locks and notes come and go."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith((lock.LOCK, lock.NOTE)) and path.suffix != ".lock"
    }


def members(file: Path) -> dict[str, bytes]:
    with tarfile.open(file, "r:") as tar:
        return {one.name: tar.extractfile(one).read() for one in tar}  # type: ignore[union-attr]


def forged(file: Path, change: Callable[[dict[str, bytes], dict[str, object]], None]) -> Path:
    """The backup as somebody would write it who changes its parts and makes its hashes anew."""
    parts = members(file)
    manifest = json.loads(parts.pop("manifest.json"))
    del manifest["seal"]
    change(parts, manifest)
    fake = file.with_name("forged.tar")
    with fake.open("wb") as out:
        for name, content in parts.items():
            one = backups._write(out, name, len(content), [content])
            manifest["members"][name] = {"bytes": one.bytes, "sha256": one.sha256}
        sealed = json.dumps(manifest | {"seal": backups.seal(manifest)}).encode()
        backups._write(out, "manifest.json", len(sealed), [sealed])
        out.write(bytes(1024))
    return fake


def in_catalog(*statements: str) -> Callable[[dict[str, bytes], dict[str, object]], None]:
    """A change of the catalog in a backup."""

    def change(parts: dict[str, bytes], _: dict[str, object]) -> None:
        with closing(sqlite3.connect(":memory:")) as connection:
            connection.deserialize(parts["catalog.sqlite"])
            for statement in statements:
                connection.execute(statement)
            connection.commit()
            parts["catalog.sqlite"] = connection.serialize()

    return change


def refused(file: Path, folder: Path, error: type[LibraryError] = LibraryError) -> str:
    """What a restore says that must fail; nothing may have changed by it."""
    before, beside = everything(folder), sorted(path.name for path in folder.parent.iterdir())
    with pytest.raises(error) as raised:
        restore(file, folder)
    assert everything(folder) == before
    assert sorted(path.name for path in folder.parent.iterdir()) == beside
    return str(raised.value)


def test_what_is_restored_is_what_was_backed_up(filled: Path, tmp_path: Path) -> None:
    with Library.open(filled) as library:
        answer, hits = library.explain(QUESTION, noted=False)[0], library.search("boiler pressure", 5)
    done = restore(tmp_path / "backup.tar", tmp_path / "other" / "place")
    assert (done.documents, done.passages > 4, done.before, done.encoded, done.notes) == (5, True, None, 0, ())
    assert dump(tmp_path / "other" / "place") == dump(filled)
    with Library.open(tmp_path / "other" / "place") as library:
        assert replace(library.ask(QUESTION), seconds=0, entry=0) == replace(answer, seconds=0)
        assert library.search("boiler pressure", 5).hits == hits.hits
        assert [check.name for check in library.doctor() if not check.ok] == []
        assert library.sync().unchanged == 5


def test_the_library_that_was_there_is_kept_aside(filled: Path, notes: Path, tmp_path: Path) -> None:
    (notes / "later.txt").write_text("The cellar was flooded in June.\n")
    with Library.open(filled) as library:
        library.sync()
    done = restore(tmp_path / "backup.tar", filled)
    assert done.before is not None
    assert Path(done.before).name.startswith("library.before-restore-20")
    with Library.open(done.before) as old, Library.open(filled) as new:
        assert (old.status().documents, new.status().documents) == (6, 5)
        assert new.sync().added == 1
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"notes", "backup.tar", "library", Path(done.before).name}
    assert not list(tmp_path.rglob(lock.NOTE))


def test_a_backup_is_its_owners_alone_and_replaces_nothing_unasked(filled: Path, tmp_path: Path) -> None:
    file = tmp_path / "backup.tar"
    assert file.stat().st_mode & 0o777 == 0o600
    old = file.read_bytes()
    with Library.open(filled) as library:
        with pytest.raises(UsageError, match="is there already"):
            library.backup(file)
        with pytest.raises(UsageError, match="is a folder"):
            library.backup(tmp_path)
        with pytest.raises(UsageError, match="inside the library"):
            library.backup(filled / "backup.tar")
        with pytest.raises(LibraryError, match="cannot be written: No such file or directory"):
            library.backup(tmp_path / "nowhere" / "backup.tar")
        assert file.read_bytes() == old
        library.backup(file, force=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["backup.tar", "library", "notes"]
    assert list(members(file)) == ["catalog.sqlite", "vectors.f16", "manifest.json"]


def test_a_backup_holds_one_state_whatever_is_written_meanwhile(filled: Path, notes: Path, tmp_path: Path) -> None:
    before = dump(filled)
    (notes / "later.txt").write_text("The cellar was flooded in June.\n")
    (notes / "garden.md").unlink()
    changed: list[int] = []

    def meanwhile(_: object) -> None:
        if not changed:
            changed.append(1)
            with Library.open(filled) as writer:
                report = writer.sync()
                changed.append(report.added + report.removed)

    with Library.open(filled) as library:
        done = library.backup(tmp_path / "second.tar", watch=meanwhile)
    assert (changed, done.documents) == ([1, 2], 5)
    restored = restore(tmp_path / "second.tar", tmp_path / "other")
    assert restored.encoded == 1  # what left the vectors before they were copied
    assert [line for line in dump(tmp_path / "other") if "meta" not in line] == [
        line for line in before if "meta" not in line
    ]
    with Library.open(tmp_path / "other") as library:
        assert "12 May 2023" in library.ask(QUESTION).text
        assert [check.name for check in library.doctor() if not check.ok] == []


def test_vectors_that_are_lost_or_damaged_are_made_anew(filled: Path, tmp_path: Path) -> None:
    rows = next((filled / "vectors").rglob("rows-*"))
    rows.write_bytes(b"\xff" * rows.stat().st_size)
    with Library.open(filled) as library:
        done = library.backup(tmp_path / "damaged.tar")
        count = done.passages
        assert any("vectors that are not of unit length" in note for note in done.notes)
    shutil.rmtree(filled / "vectors")
    with Library.open(filled) as library:
        done = library.backup(tmp_path / "without.tar")
        assert done.notes == (
            "the vectors could not be read and are not in it; they are made anew when it is restored",
        )
    for name in ("damaged", "without"):
        assert restore(tmp_path / f"{name}.tar", tmp_path / name).encoded == count
        with Library.open(tmp_path / name) as library:
            assert "12 May 2023" in library.ask(QUESTION).text
            assert [check.name for check in library.doctor() if not check.ok] == []


def test_an_empty_library_can_be_backed_up(tmp_path: Path) -> None:
    with Library.open(tmp_path / "library") as library:
        assert library.backup(tmp_path / "backup.tar").notes == ()
    assert restore(tmp_path / "backup.tar", tmp_path / "library").documents == 0
    with Library.open(tmp_path / "library") as library:
        assert library.status().passages == 0


def test_a_damaged_catalog_is_not_backed_up(filled: Path, tmp_path: Path) -> None:
    with (filled / "catalog.sqlite").open("r+b") as file:
        file.seek(4096 * 3)
        file.write(b"\xff" * 4096 * 2)
    with Library.open(filled) as library, pytest.raises(LibraryError, match="is damaged"):
        library.backup(tmp_path / "second.tar")
    assert not (tmp_path / "second.tar").exists()
    done = restore(tmp_path / "backup.tar", filled)  # what a person does then
    assert done.documents == 5


def test_every_flipped_bit_is_found_or_harmless(filled: Path, tmp_path: Path) -> None:
    content = (tmp_path / "backup.tar").read_bytes()
    whole = dump(filled)
    choose = random.Random(3)
    places = [*range(0, 160, 7), *(choose.randrange(len(content)) for _ in range(40))]
    start = content.index(b'"format"')
    places += [choose.randrange(start, start + 1200) for _ in range(20)]
    found = 0
    for place in places:
        altered = bytearray(content)
        altered[place] ^= 1 << choose.randrange(8)
        (tmp_path / "altered.tar").write_bytes(altered)
        try:
            restore(tmp_path / "altered.tar", tmp_path / "other")
        except LibraryError:
            found += 1
            assert not (tmp_path / "other").exists()
        else:
            assert dump(tmp_path / "other") == whole
            shutil.rmtree(tmp_path / "other")
    assert found > len(places) // 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["altered.tar", "backup.tar", "library", "notes"]


def test_a_backup_that_is_cut_off_changes_nothing(filled: Path, tmp_path: Path) -> None:
    content = (tmp_path / "backup.tar").read_bytes()
    for length in (0, 1, 511, 512, 513, 40_000, len(content) // 2, len(content) - 2000, len(content) - 1100):
        (tmp_path / "cut.tar").write_bytes(content[:length])
        said = refused(tmp_path / "cut.tar", filled)
        assert said.startswith(f"{tmp_path / 'cut.tar'} is ")


def test_what_is_no_backup_says_so(filled: Path, notes: Path, tmp_path: Path) -> None:
    assert "is no backup of a library" in refused(notes / "garden.md", filled)
    shutil.make_archive(str(tmp_path / "notes-archive"), "tar", notes)
    assert "is no backup of a library: it holds '" in refused(tmp_path / "notes-archive.tar", filled)
    shutil.make_archive(str(tmp_path / "notes-archive"), "gztar", notes)
    assert "is compressed" in refused(tmp_path / "notes-archive.tar.gz", filled)
    for path, what in ((tmp_path / "nowhere", "No such file or directory"), (tmp_path, "Is a directory")):
        with pytest.raises(NotFound, match=what):
            restore(path, filled)


@pytest.mark.parametrize(
    "name", ["../evil", "/tmp/evil", "catalog.sqlite/../../evil", "words/meta.json", "writer.lock"]
)
def test_no_name_in_a_backup_is_followed(name: str, filled: Path, tmp_path: Path) -> None:
    def change(parts: dict[str, bytes], _: dict[str, object]) -> None:
        parts[name] = b"evil"

    assert "is no backup of a library: it holds" in refused(forged(tmp_path / "backup.tar", change), filled)


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, b"S", b"x", b"L"]
)
def test_links_devices_and_extensions_are_refused(kind: bytes, filled: Path, tmp_path: Path) -> None:
    content = (tmp_path / "backup.tar").read_bytes()
    head = tarfile.TarInfo("catalog.sqlite")
    head.type, head.linkname = kind, "/etc/passwd"
    (tmp_path / "evil.tar").write_bytes(head.tobuf(tarfile.USTAR_FORMAT) + content)
    assert "is no backup of a library" in refused(tmp_path / "evil.tar", filled)


def test_sizes_that_a_backup_claims_are_not_believed(filled: Path, tmp_path: Path) -> None:
    content = io.BytesIO((tmp_path / "backup.tar").read_bytes())
    head = tarfile.TarInfo("catalog.sqlite")
    head.size = 1 << 60
    content.write(head.tobuf(tarfile.GNU_FORMAT))
    (tmp_path / "evil.tar").write_bytes(content.getvalue())
    assert "is cut off" in refused(tmp_path / "evil.tar", filled)


def test_a_catalog_that_is_another_than_ours_is_refused(filled: Path, tmp_path: Path) -> None:
    file = tmp_path / "backup.tar"

    def garbage(parts: dict[str, bytes], _: dict[str, object]) -> None:
        parts["catalog.sqlite"] = b"SQLite format 3\0" + bytes(50_000)

    trigger = "create trigger evil after update on meta begin delete from passages; end"
    for change, said in (
        (garbage, "damaged"),
        (in_catalog(trigger), "does not have the tables of format"),
        (in_catalog("alter table files drop column hint"), "does not have the tables of format"),
        (
            in_catalog("delete from texts where document > (select max(id) from documents)", "delete from passages"),
            "does not hold what it says",
        ),
        (in_catalog("pragma user_version = 0"), "does not have the tables of format 0"),
    ):
        assert said in refused(forged(file, change), filled)
    assert "written by a newer Quoth" in refused(forged(file, in_catalog("pragma user_version = 99")), filled, TooNew)


def test_a_manifest_that_is_wrong_is_refused(filled: Path, tmp_path: Path) -> None:
    for key, value, said in (
        ("format", 2, "was written by a newer Quoth"),
        ("dimensions", 383, "its manifest cannot be read"),
        ("dimensions", "many", "its manifest cannot be read"),
        ("fingerprint", "../../evil", "its manifest cannot be read"),
        ("documents", 6, "does not hold what it says"),
        ("members", [], "its manifest cannot be read"),
    ):

        def change(_: dict[str, bytes], manifest: dict[str, object], key: str = key, value: object = value) -> None:
            manifest[key] = value

        try:
            file = forged(tmp_path / "backup.tar", change)
        except TypeError:  # members that are no members are written as they are
            continue
        assert said in refused(file, filled)


def test_vectors_that_are_none_are_refused(filled: Path, tmp_path: Path) -> None:
    def change(parts: dict[str, bytes], _: dict[str, object]) -> None:
        parts["vectors.f16"] = b"\x00\x3c" * (len(parts["vectors.f16"]) // 2)

    assert "not of unit length" in refused(forged(tmp_path / "backup.tar", change), filled)


def test_a_library_that_answers_otherwise_is_not_put_in_place(filled: Path, tmp_path: Path) -> None:
    def change(_: dict[str, bytes], manifest: dict[str, object]) -> None:
        manifest["probe"] = {"question": "compost", "document": "/elsewhere.md", "text": "Something else."}

    assert "does not find /elsewhere.md" in refused(forged(tmp_path / "backup.tar", change), filled)


def test_an_encoder_that_a_stranger_names_is_not_run(
    filled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "evil_encoder.py").write_text(f"open({str(tmp_path / 'it-ran')!r}, 'w')\n")
    monkeypatch.syspath_prepend(tmp_path)
    file = forged(tmp_path / "backup.tar", in_catalog("update meta set value = 'evil_encoder:E' where key = 'encoder'"))
    done = restore(file, filled)
    assert done.notes == (
        "its encoder is evil_encoder:E: texts will go to it when you search or add, and it was not asked now",
    )
    assert not (tmp_path / "it-ran").exists()


def test_nothing_is_restored_over_a_writer_or_over_other_files(filled: Path, notes: Path, tmp_path: Path) -> None:
    with lock.writer(filled):
        assert f"process {os.getpid()}" in refused(tmp_path / "backup.tar", filled, Locked)
    assert "holds other things than a library" in refused(tmp_path / "backup.tar", notes)
    with pytest.raises(LibraryError, match="is a file"):
        restore(tmp_path / "backup.tar", notes / "garden.md")
    (tmp_path / "empty").mkdir()
    assert restore(tmp_path / "backup.tar", tmp_path / "empty").before is None
    assert "empty.restoring" not in {path.name for path in tmp_path.iterdir()}


def test_what_a_killed_restore_left_behind_is_cleared_away(filled: Path, tmp_path: Path) -> None:
    staging = tmp_path / "library.restoring"
    (staging / "words").mkdir(parents=True)
    (staging / "restoring").touch()
    (staging / "catalog.sqlite").write_bytes(b"half of it")
    restore(tmp_path / "backup.tar", filled)
    assert not staging.exists()
    # killed between the change of places and the renaming: that folder is the library that was replaced
    shutil.copytree(filled, staging)
    restore(tmp_path / "backup.tar", filled)
    aside = [path for path in tmp_path.iterdir() if "before-restore" in path.name]
    assert len(aside) == 3
    assert all((path / "catalog.sqlite").exists() for path in aside)


def test_folders_change_places_where_the_system_cannot_do_it_in_one_step(
    filled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quoth.restore._exchange", lambda one, other: False)
    done = restore(tmp_path / "backup.tar", filled)
    assert done.before is not None
    assert dump(Path(done.before)) == dump(filled)


# -- another place -------------------------------------------------------------------------------


def test_sources_that_moved_are_not_read_again(notes: Path, tmp_path: Path) -> None:
    odd = os.fsdecode(os.fsencode(notes) + b"/caf\xe9.txt")
    Path(odd).write_text("The café opens at nine.\n")
    with Library.open(tmp_path / "library") as library:
        library.add([notes])
        notes.rename(tmp_path / "elsewhere")
        done = library.move(notes, tmp_path / "elsewhere")
        assert (done.sources, done.files) == (1, 6)
        assert library.search("café opens", 1).hits[0].document == odd.replace("/notes/", "/elsewhere/")
        report = library.sync()
        assert (report.unchanged, report.added, report.removed, report.passages) == (6, 0, 0, 0)
        for path in (tmp_path / "elsewhere").rglob("*.md"):
            os.utime(path, (0, 0))  # copied without its times
        report = library.sync()
        assert (report.unchanged, report.updated, report.passages) == (6, 0, 0)
        assert library.ask(QUESTION).quotes[0].document == str(tmp_path / "elsewhere" / "garden.md")
        assert [check.name for check in library.doctor() if not check.ok] == []


def test_all_sources_below_a_folder_move_with_it(notes: Path, tmp_path: Path) -> None:
    with Library.open(tmp_path / "library") as library:
        library.add([notes / "house", notes / "garden.md"])
        with pytest.raises(NotFound, match=r"there is no file or folder /srv/garden\.md"):
            library.move(notes, "/srv")
        assert library.move(notes, "/srv", force=True).sources == 2
        assert [one.path for one in library.sources()] == ["/srv/garden.md", "/srv/house"]
        assert library.move("/", tmp_path / "root", force=True).sources == 2
        assert [one.path for one in library.sources()] == [
            f"{tmp_path}/root/srv/garden.md", f"{tmp_path}/root/srv/house"
        ]  # fmt: skip
        assert library.move(tmp_path / "root", "/", force=True).sources == 2
        assert library.show("/srv/house/roof.txt").text.startswith("The roof")


def test_what_cannot_move_says_why(notes: Path, tmp_path: Path) -> None:
    with Library.open(tmp_path / "library") as library:
        library.add([notes / "house", notes / "recipes"])
        with pytest.raises(NotFound, match="is no source of this library"):
            library.move(notes / "house" / "roof.txt", notes / "garden.md")
        with pytest.raises(UsageError, match=r"belongs to the source .*recipes already"):
            library.move(notes / "house", notes / "recipes")
        with lock.writer(tmp_path / "library"), pytest.raises(Locked):
            library.move(notes / "house", notes / "garden.md")
        assert [one.path for one in library.sources()] == [str(notes / "house"), str(notes / "recipes")]


def test_a_backup_carries_threads_and_people_but_nobody_stays_logged_in(filled: Path, tmp_path: Path) -> None:
    with Library.open(filled) as library:
        thread = threads.create(library, "Ada").id
        threads.append(library, thread, QUESTION, library.ask(QUESTION))
        access.add_person(library, "Ada", "owner", "correct horse battery")
        _, token = access.new_token(library, "phone", "ask")
        session = access.login(library, "Ada", "correct horse battery")
        assert session and access.check_session(library, session)
        library.backup(tmp_path / "with.tar")
        library.export(str(tmp_path / "export.jsonl"))
        kept = library._parts.catalog.connection.execute("select password from people").fetchone()[0]
        (held,) = library._parts.catalog.connection.execute("select secret from sessions").fetchone()
        assert access.check_session(library, session)
        said = threads.messages(library, thread)
    file, exported = (tmp_path / "with.tar").read_bytes(), (tmp_path / "export.jsonl").read_bytes()
    assert held not in file
    assert [one for one in (token, session, "correct horse") if one.encode() in file] == []
    assert [one for one in ("Ada", "phone", kept, "scrypt") if one.encode() in exported] == []
    done = restore(tmp_path / "with.tar", tmp_path / "other")
    assert [note for note in done.notes if "people 1, tokens 1" in note]
    with Library.open(tmp_path / "other") as library:
        assert threads.messages(library, thread, "Ada") == said
        assert access.check_token(library, token) == access.Visitor("phone", "ask", "token")
        assert access.check_session(library, session) is None
        assert access.login(library, "Ada", "correct horse battery")


def test_a_session_in_a_forged_backup_lets_nobody_in(filled: Path, tmp_path: Path) -> None:
    with Library.open(filled) as library:
        access.add_person(library, "Ada", "owner", "correct horse battery")
        library.backup(tmp_path / "with.tar")
    secret = hashlib.sha256(b"mine").hexdigest()
    fake = forged(tmp_path / "with.tar", in_catalog(f"insert into sessions values (x'{secret}', 'ada', 0, 9e9)"))
    restore(fake, tmp_path / "other")
    with Library.open(tmp_path / "other") as library:
        assert access.check_session(library, "mine", 9e9) is None


@pytest.mark.parametrize("old", OLD, ids=lambda old: old.name)
def test_a_library_of_an_older_version_opens_moves_and_is_backed_up(old: Path, tmp_path: Path) -> None:
    """Made by the code of the first version in /home/ada: five readable kinds of files and one that is broken."""
    with tarfile.open(old) as tar:
        tar.extractall(tmp_path, filter="data")
    (tmp_path / "library").chmod(0o700)
    with Library.open(tmp_path / "library", create=False) as library:
        assert library.status().documents == 9
        quote = library.ask(QUESTION).quotes[0]
        assert (quote.text, quote.document, quote.start, quote.line) == (
            "The tomatoes were planted on 12 May 2023.", "/home/ada/papers/garden.md", 23, 5,
        )  # fmt: skip
        assert library.move("/home/ada", tmp_path).sources == 2
        if old.name == "library-v4.tar.gz":
            # what evaluations keep came with it: a recipe that counts, two questions, a run, and what was asked
            assert [one.name for one in library.recipes() if one.used] == ["wordy"]
            boiler, fence = golden.questions(library)
            assert (boiler.golden[0].path, boiler.stale) == (str(tmp_path / "papers" / "house" / "boiler.txt"), False)
            assert (fence.none, [one.name for one in kept_runs(library)]) == (True, ["kept"])
            assert [one.kind for one in feedback.entries(library)[:3]] == ["promoted", "asked", "shown"]
        assert (threads.every(library), access.needed(library)) == ([], False)
        thread = threads.create(library)
        threads.append(library, thread.id, QUESTION, library.ask(QUESTION))
        report = library.sync()
        assert (report.unchanged, report.added, report.removed) == (8, 0, 0)
        quote = library.ask("How long does the warranty of the inverter last?").quotes[0]
        assert quote.text == "The warranty lasts ten years from the day on which the inverter was put into\nservice."
        assert (quote.document, quote.page) == (str(tmp_path / "papers" / "inverter-warranty.pdf"), 1)
        hit = library.search("bread at 230 degrees", 1).hits[0]
        assert hit.document == str(tmp_path / "bread.txt")
        assert [check.name for check in library.doctor() if not check.ok] == []
        library.backup(tmp_path / "backup.tar")
    assert restore(tmp_path / "backup.tar", tmp_path / "restored").encoded == 0
    with Library.open(tmp_path / "restored") as library:
        assert library.ask(QUESTION).quotes[0].text == "The tomatoes were planted on 12 May 2023."
        assert [one.title for one in threads.every(library)] == [QUESTION]


def test_a_backup_of_an_older_catalog_is_brought_up_to_date(
    filled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from quoth.catalog import copies, schema, sqlite

    newer = (*schema.MIGRATIONS, "create table something (number integer primary key);")
    for module, name, value in (
        (copies, "MIGRATIONS", newer), (copies, "SCHEMA_VERSION", len(newer)),
        (sqlite, "MIGRATIONS", newer), (sqlite, "SCHEMA_VERSION", len(newer)),
    ):  # fmt: skip
        monkeypatch.setattr(module, name, value)
    restore(tmp_path / "backup.tar", tmp_path / "other")
    with closing(sqlite3.connect(tmp_path / "other" / "catalog.sqlite")) as connection:
        assert connection.execute("pragma user_version").fetchone() == (len(newer),)
        assert connection.execute("select count(*) from something").fetchone() == (0,)
