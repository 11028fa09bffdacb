"""Archives are folders of files, and bombs, traps and wrecks among them are sentences."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import struct
import tarfile
import time
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from quoth import Library, Options
from quoth.errors import Encrypted, OtherKind, ReadError
from quoth.ingest import archive, kinds
from quoth.ingest.archive import read_archive
from quoth.ingest.worker import Outcome, ReadPool, ToRead
from quoth.types import Document

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
NOTE = b"The key is under the mat.\n"


def zipped(files: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as target:
        for name, data in files.items():
            target.writestr(zipfile.ZipInfo(name, (2021, 3, 4, 5, 6, 8)), data, method)
    return buffer.getvalue()


def tarred(files: Mapping[str, bytes], kind: int = tarfile.PAX_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.TarFile(fileobj=buffer, mode="w", format=kind) as target:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mtime = len(data), 1_600_000_000
            target.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def texts(documents: tuple[Document, ...], path: str = "/x/a.zip") -> dict[str, str]:
    return {one.path.removeprefix(path): one.text for one in documents}


def notes(documents: tuple[Document, ...]) -> tuple[str, ...]:
    """What is said of the archive itself."""
    return documents[0].notes if documents[0].kind == "archive" else ()


def outcome(path: Path, archives: bool = True, timeout: float = 60.0, passwords: tuple[str, ...] = ()) -> Outcome:
    with ReadPool(workers=1, timeout=timeout) as pool:
        return next(iter(pool.map([ToRead(str(path), passwords, archives=archives)])))


def refused(data: bytes, path: str = "/x/a.zip") -> str:
    with pytest.raises(ReadError) as caught:
        read_archive(data, path)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "packed"),
    [
        ("a.zip", zipped),
        ("a.tar", tarred),
        ("a.tar", lambda files: tarred(files, tarfile.GNU_FORMAT)),
        ("a.tar", lambda files: tarred(files, tarfile.USTAR_FORMAT)),
        ("a.tgz", lambda files: gzip.compress(tarred(files))),
        ("a.tar.bz2", lambda files: bz2.compress(tarred(files))),
        ("a.tar.xz", lambda files: lzma.compress(tarred(files))),
        ("no ending", lambda files: lzma.compress(tarred(files))),
    ],
)
def test_members_become_documents(name: str, packed: Callable[[Mapping[str, bytes]], bytes]) -> None:
    pdf = (EXAMPLES / "inverter-warranty.pdf").read_bytes()
    files = {"notes/key.txt": NOTE, "warranty.pdf": pdf, "mail.eml": (EXAMPLES / "boiler-appointment.eml").read_bytes()}
    found = read_archive(packed(files), f"/x/{name}")
    assert [(one.path, one.kind) for one in found] == [
        (f"/x/{name}#notes/key.txt", "text"),
        (f"/x/{name}#warranty.pdf", "pdf"),
        (f"/x/{name}#mail.eml", "mail"),
        (f"/x/{name}#mail.eml#checklist.txt", "text"),
    ]
    assert found[0].text == NOTE.decode()
    assert found[1].pages() == [(0, len(found[1].text))] or len(found[1].pages() or []) > 1


@pytest.mark.parametrize(
    ("name", "packed"),
    [("key.txt.gz", gzip.compress), ("key.txt.bz2", bz2.compress), ("key.txt.xz", lzma.compress)],
)
def test_a_compressed_file_is_one_document(name: str, packed: Callable[[bytes], bytes]) -> None:
    assert texts(read_archive(packed(NOTE), f"/x/{name}"), f"/x/{name}") == {"#key.txt": NOTE.decode()}


def test_a_member_has_its_own_time() -> None:
    (found,) = read_archive(zipped({"key.txt": NOTE}), "/x/a.zip")
    assert found.modified == time.mktime((2021, 3, 4, 5, 6, 8, 0, 0, -1))
    (found,) = read_archive(tarred({"key.txt": NOTE}), "/x/a.tar")
    assert found.modified == 1_600_000_000


def test_archives_in_archives_are_opened_to_a_depth() -> None:
    data = zipped({"c.txt": NOTE})
    for name in ("b.tar", "a.tar.gz"):
        data = tarred({"inner.zip": data}) if name == "b.tar" else gzip.compress(tarred({"b.tar": data}))
    found = read_archive(data, "/x/a.tar.gz")
    assert texts(found, "/x/a.tar.gz") == {"#b.tar#inner.zip#c.txt": NOTE.decode()}
    deeper = read_archive(zipped({"deep.tgz": data, "d.txt": NOTE}), "/x/a.zip")
    assert texts(deeper) == {"": "", "#d.txt": NOTE.decode()}
    assert notes(deeper)[1] == "deep.tgz#b.tar#inner.zip: is an archive more than 3 archives deep"


def test_names_are_only_names(tmp_path: Path) -> None:
    names = [
        "../../etc/passwd.txt",
        "/abs.txt",
        "C:\\Users\\me\\win.txt",
        "a#b\n\x1b[2J.txt",
        "..",
        "a/../a/./x.txt",
        "é.txt",
    ]
    raw = {name: f"Text {number} of the list.".encode() for number, name in enumerate(names)}
    here = set(tmp_path.rglob("*"))
    found = texts(read_archive(tarred(raw), "/x/a.zip"))
    expected = ["#etc/passwd.txt", "#abs.txt", "#Users/me/win.txt", "#a_b_[2J.txt", "#file 5", "#a/a/x.txt", "#é.txt"]
    assert list(found) == expected
    assert list(found.values()) == [data.decode() for data in raw.values()]
    assert set(tmp_path.rglob("*")) == here
    assert not Path("/etc/passwd.txt").exists()


def test_names_in_utf8_without_a_flag_are_read_right() -> None:
    data = zipped({"xxxx.txt": NOTE}).replace(b"xxxx.txt", "жж.txt".encode())
    assert list(texts(read_archive(data, "/x/a.zip"))) == ["#жж.txt"]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_members_of_the_same_name_are_told_apart() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as target:
        for number in range(3):
            target.writestr("a/key.txt", f"Note number {number}.")
    assert texts(read_archive(buffer.getvalue(), "/x/a.zip")) == {
        "#a/key.txt": "Note number 0.",
        "#a/key (2).txt": "Note number 1.",
        "#a/key (3).txt": "Note number 2.",
    }


def test_what_a_walk_leaves_out_is_left_out() -> None:
    files = {
        "__MACOSX/._key.txt": NOTE,
        ".git/config": NOTE,
        "a/node_modules/b/c.js": NOTE,
        ".DS_Store": NOTE,
        "k.txt": NOTE,
    }
    assert list(texts(read_archive(zipped(files), "/x/a.zip"))) == ["#k.txt"]


def test_links_and_devices_are_not_followed() -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as target:
        for name, kind in [("link", tarfile.SYMTYPE), ("hard", tarfile.LNKTYPE), ("pipe", tarfile.FIFOTYPE)]:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/passwd"
            target.addfile(member)
        target.addfile(tarfile.TarInfo("empty.txt"))
    with pytest.raises(OtherKind, match="the archive holds no text"):
        read_archive(buffer.getvalue(), "/x/a.tar")


def test_a_lost_member_is_named_and_the_others_are_read() -> None:
    files = {"key.txt": NOTE, "song.mp3": b"ID3\3\0\0\0\0\0", "broken.pdf": b"%PDF-1.7 nothing"}
    found = read_archive(zipped(files), "/x/a.zip")
    assert texts(found) == {"": "", "#key.txt": NOTE.decode()}
    first, second, third, fourth = notes(found)
    assert first == "1 of the archive's 3 files cannot be read"
    assert second.startswith("broken.pdf: ")
    assert third == "1 of the archive's 3 files are of kinds that Quoth does not read"
    assert fourth == "song.mp3: is an MP3 recording, which Quoth does not read"


def test_an_archive_of_recordings_is_no_failure() -> None:
    with pytest.raises(OtherKind, match="none of the archive's 2 files is of a kind that Quoth reads"):
        read_archive(zipped({"a.mp3": b"ID3\3\0\0\0\0\0", "b.mp3": b"ID3\4\0\0\0\0\1"}), "/x/a.zip")


def test_documents_that_are_zips_are_no_archives(tmp_path: Path) -> None:
    packages = {
        "a.odt": {"mimetype": b"application/vnd.oasis.opendocument.text", "content.xml": b"<a/>"},
        "a.epub": {"mimetype": b"application/epub+zip", "a.xhtml": b"<html/>"},
        "a.jar": {"META-INF/MANIFEST.MF": b"Manifest-Version: 1.0", "readme.txt": NOTE},
        "a.vsdx": {"[Content_Types].xml": b"<a/>", "visio/document.xml": b"<a/>"},
    }
    for name, files in packages.items():
        assert kinds.archive_of(name, zipped(files, zipfile.ZIP_STORED)) is None
    assert kinds.archive_of("a.docx", (EXAMPLES / "rental-contract.docx").read_bytes()) is None


def test_an_archive_that_begins_with_a_pdf_is_an_archive() -> None:
    pdf = {"a.pdf": (EXAMPLES / "inverter-warranty.pdf").read_bytes()}
    for data in (zipped(pdf, zipfile.ZIP_STORED), tarred(pdf, tarfile.USTAR_FORMAT)):
        assert kinds.kind_of("a", data) is None
        assert read_archive(data, "/x/a")[0].path == "/x/a#a.pdf"


# -- bombs, traps and wrecks -------------------------------------------------------------------


def test_a_bomb_is_refused_by_its_ratio() -> None:
    assert refused(zipped({f"{n}.txt": bytes(2**24) for n in range(4)})).startswith(
        "the archive unpacks to over 200 times its size ("
    )
    for packed in (gzip.compress, bz2.compress, lzma.compress):
        assert "as only a bomb does" in refused(packed(bytes(2**26)), "/x/a")
        assert "as only a bomb does" in refused(packed(tarred({"a.txt": bytes(2**26)})), "/x/a")


def test_a_bomb_in_an_archive_costs_only_itself() -> None:
    found = read_archive(zipped({"key.txt": NOTE, "0.bin": bytes(2**25), "noise.bin": os.urandom(2**18)}), "/x/a.zip")
    assert texts(found)["#key.txt"] == NOTE.decode()
    assert notes(found)[1].startswith("0.bin: it unpacks to over 200 times its size (")


def test_nested_bombs_end_at_the_depth() -> None:
    data = gzip.compress(bytes(2**20))
    for _ in range(5):
        data = zipped({f"lib {n}.zip": data for n in range(16)})
    assert "is an archive more than 3 archives deep" in refused(data)


def test_a_zip_that_holds_itself_ends_at_the_depth(monkeypatch: pytest.MonkeyPatch) -> None:
    # a quine cannot be made by a library: the member stands in for the whole on its way in
    shell = zipped({"again.zip": b"", "key.txt": NOTE}, zipfile.ZIP_STORED)
    monkeypatch.setattr(archive, "_inflated", lambda _, one, *rest: shell if one.filename == "again.zip" else NOTE)
    found = read_archive(shell, "/x/a.zip")
    assert list(texts(found)) == ["", "#again.zip#again.zip#key.txt", "#again.zip#key.txt", "#key.txt"]
    assert notes(found)[1] == "again.zip#again.zip#again.zip: is an archive more than 3 archives deep"


def overlapping(files: int) -> bytes:
    """A zip whose list names one packed kernel many times (Fifield, 2019)."""
    kernel = zlib.compressobj(9, zlib.DEFLATED, -15)
    plain = b"The key is under the mat. " * 4_000
    packed = kernel.compress(plain) + kernel.flush()
    sums = struct.pack("<LLL", zlib.crc32(plain), len(packed), len(plain))
    local = b"PK\3\4" + struct.pack("<HHHHH", 20, 0, 8, 0, 33) + sums + struct.pack("<HH", 1, 0) + b"k" + packed
    entry = b"PK\1\2" + struct.pack("<HHHHHH", 20, 20, 0, 8, 0, 33) + sums
    entry += struct.pack("<HHHHHLL", 1, 0, 0, 0, 0, 0, 0) + b"k"
    listed = entry * files
    return local + listed + b"PK\5\6" + struct.pack("<HHHHLLH", 0, 0, files, files, len(listed), len(local), 0)


def test_members_that_overlap_are_refused() -> None:
    assert texts(read_archive(overlapping(1), "/x/a.zip"))["#k"].startswith("The key is under the mat. The key")
    assert refused(overlapping(50)) == "the archive's files lie over one another, as only a bomb's do"
    assert "as only a bomb does" in refused(overlapping(5_000)) or "lie over one another" in refused(overlapping(5_000))


def test_wrong_sizes_in_the_list_harm_nothing() -> None:
    data = zipped({"a.txt": NOTE * 9, "key.txt": NOTE})
    start = data.index(b"PK\1\2")
    for size in (0, 1, 10, 2**31, 2**32 - 2):
        wrong = bytearray(data)
        wrong[start + 24 : start + 28] = struct.pack("<L", size)
        try:
            found = texts(read_archive(bytes(wrong), "/x/a.zip"))
            assert found["#key.txt"] == NOTE.decode()
        except ReadError as error:
            assert "unpacks to" in str(error)


def test_too_many_members_too_many_bytes_and_too_much_text_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MOST_MEMBERS", 5)
    monkeypatch.setattr(archive, "MOST_BYTES", 2**21)
    monkeypatch.setattr(archive, "MOST_TEXT", 2_000)
    many = {f"{n}.txt": NOTE for n in range(6)}
    nested = {f"{n}.zip": zipped({"a.txt": NOTE, "b.txt": NOTE}) for n in range(2)}
    large = {f"{n}.bin": os.urandom(2**20) for n in range(3)}
    for data in (zipped(many), tarred(many), gzip.compress(tarred(many)), zipped(nested)):
        assert refused(data) == "the archive holds more than 5 files"
    for data in (zipped(large), gzip.compress(tarred(large))):
        assert refused(data) == "the archive unpacks to more than 2 MiB"
    assert refused(zipped({"long.txt": b"Many words. " * 200})) == "the archive's text is longer than 2,000 characters"


def test_a_member_that_is_too_large_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MOST_MEMBER", 2**20)
    large = {"large.bin": os.urandom(2**20 + 1), "key.txt": NOTE}
    for data in (zipped(large), tarred(large), gzip.compress(tarred(large))):
        found = read_archive(data, "/x/a.zip")
        assert texts(found)["#key.txt"] == NOTE.decode()
        assert notes(found)[1] == "large.bin: unpacks to more than 1 MiB"


def test_a_cut_off_archive_gives_what_came_before() -> None:
    files = {f"{n}.txt": os.urandom(3_000).hex().encode() for n in range(9)}
    plain = tarred(files)
    for data in (
        plain[:20_000],
        gzip.compress(plain)[:20_000],
        bz2.compress(plain)[:9_000],
        lzma.compress(plain)[:20_000],
    ):
        try:
            found = read_archive(data, "/x/a")
        except ReadError as error:  # a block of bzip2 holds all of it
            assert data[:3] == b"BZh"
            assert "damaged" in str(error)
            continue
        assert texts(found, "/x/a")["#0.txt"] == files["0.txt"].decode()
        assert "the archive: is cut off or damaged: what follows cannot be read" in notes(found)
    assert refused(zipped(files)[:9_000]) == "the archive is damaged: its list of files is missing or broken"
    assert refused(gzip.compress(NOTE * 500)[:-20], "/x/a.gz").endswith("a: is damaged: it does not unpack to its end")


def test_flipped_bits_are_survived() -> None:
    files = {"a.txt": NOTE * 40, "b/c.md": b"# Title\n\nWords.\n" * 40}
    for data in (zipped(files), tarred(files), gzip.compress(tarred(files)), lzma.compress(tarred(files))):
        for place in range(0, len(data), max(1, len(data) // 150)):
            broken = bytearray(data)
            broken[place] ^= 0x55
            try:
                read_archive(bytes(broken), "/x/a")
            except ReadError as error:
                assert str(error)


# -- passwords ---------------------------------------------------------------------------------


def encrypted(files: Mapping[str, bytes], password: bytes) -> bytes:
    """A zip in the old encryption, which the standard library reads but does not write (APPNOTE 6.1)."""
    table = [0] * 256
    for number in range(256):
        value = number
        for _ in range(8):
            value = (value >> 1) ^ (0xEDB88320 if value & 1 else 0)
        table[number] = value
    local, listed = b"", b""
    for name, plain in files.items():
        keys = [0x12345678, 0x23456789, 0x34567890]

        def update(byte: int, keys: list[int] = keys) -> None:
            keys[0] = (keys[0] >> 8) ^ table[(keys[0] ^ byte) & 255]
            keys[1] = ((keys[1] + (keys[0] & 255)) * 134775813 + 1) & 0xFFFFFFFF
            keys[2] = (keys[2] >> 8) ^ table[(keys[2] ^ (keys[1] >> 24)) & 255]

        for byte in password:
            update(byte)
        hidden = bytearray()
        for byte in bytes(11) + bytes([zlib.crc32(plain) >> 24]) + plain:
            mask = keys[2] | 2
            hidden.append(byte ^ ((mask * (mask ^ 1)) >> 8) & 255)
            update(byte)
        head = struct.pack("<HHHHLLLHH", 1, 0, 0, 33, zlib.crc32(plain), len(hidden), len(plain), len(name), 0)
        listed += b"PK\1\2" + struct.pack("<HH", 20, 20) + head
        listed += struct.pack("<HHHLL", 0, 0, 0, 0, len(local)) + name.encode()
        local += b"PK\3\4" + struct.pack("<H", 20) + head + name.encode() + hidden
    ends = struct.pack("<HHHHLLH", 0, 0, len(files), len(files), len(listed), len(local), 0)
    return local + listed + b"PK\5\6" + ends


def test_an_encrypted_archive_opens_with_one_of_the_passwords() -> None:
    data = encrypted({"key.txt": NOTE, "b.txt": NOTE * 2}, b"mat")
    with pytest.raises(Encrypted, match="the archive is encrypted: it needs a password"):
        read_archive(data, "/x/a.zip")
    with pytest.raises(Encrypted, match="none of the passwords opens it"):
        read_archive(data, "/x/a.zip", ["door", "window"])
    assert texts(read_archive(data, "/x/a.zip", ["door", "mat", "window"])) == {
        "#key.txt": NOTE.decode(),
        "#b.txt": NOTE.decode() * 2,
    }


def test_an_encrypted_member_beside_open_ones_is_named() -> None:
    inner = encrypted({"key.txt": NOTE}, b"mat")
    found = read_archive(zipped({"inner.zip": inner, "open.txt": NOTE}), "/x/a.zip")
    assert texts(found) == {"": "", "#open.txt": NOTE.decode()}
    assert notes(found)[1] == "inner.zip#key.txt: is encrypted: it needs a password"
    assert "#inner.zip#key.txt" in texts(read_archive(zipped({"inner.zip": inner}), "/x/a.zip", ["mat"]))


# -- in a worker and in a library ---------------------------------------------------------------


def test_without_the_flag_an_archive_is_a_named_skip(tmp_path: Path) -> None:
    for name, data, said in [
        ("a.zip", zipped({"key.txt": NOTE}), "a zip archive"),
        ("a.tar.gz", gzip.compress(tarred({"key.txt": NOTE})), "a gzip archive"),
        ("a.tar", tarred({"key.txt": NOTE}), "a tar archive"),
    ]:
        (tmp_path / name).write_bytes(data)
        done = outcome(tmp_path / name, archives=False)
        assert (done.reason, done.skipped) == (f"it is {said}; look into it with --archives", True)


def test_a_member_that_kills_its_reader_costs_only_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = tmp_path / "site"
    site.mkdir()
    code = (
        "import quoth.ingest.text as text, os, time\n"
        "plain = text.read_text\n"
        "def read_text(data, path, password=None):\n"
        "    if b'crash' in data: os.abort()\n"
        "    if b'hang' in data: time.sleep(60)\n"
        "    return plain(data, path, password)\n"
        "text.read_text = read_text\n"
    )
    (site / "sitecustomize.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", f"{site}{os.pathsep}{os.environ.get('PYTHONPATH', '')}{os.pathsep}{ROOT / 'src'}")
    path = tmp_path / "a.zip"
    path.write_bytes(zipped({"1.txt": NOTE, "2.txt": b"crash me\n", "3.txt": b"hang here\n", "4.txt": NOTE}))
    done = outcome(path, timeout=3.0)
    assert [one.path.rpartition("#")[2] for one, _ in done.documents[1:]] == ["1.txt", "4.txt"]
    assert done.documents[0][0].notes == (
        "2 of the archive's 4 files cannot be read",
        "2.txt: the reader crashed (signal 6)",
        "3.txt: reading took longer than 3 s",
    )


@pytest.mark.slow
def test_a_member_of_120_mib_stays_within_the_memory(tmp_path: Path) -> None:
    text = os.urandom(60 * 2**20).hex().encode()
    (tmp_path / "a.zip").write_bytes(zipped({"large.txt": text, "key.txt": NOTE}))
    assert outcome(tmp_path / "a.zip").reason == "the archive's text is longer than 60,000,000 characters"


def test_archives_that_were_skipped_are_read_once_the_flag_is_given(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(zipped({"key.txt": NOTE}))
    with Library.open(tmp_path / "library") as library:
        assert len(library.add([tmp_path / "a.zip"]).skipped) == 1
        assert library.add([tmp_path / "a.zip"], Options(archives=True)).added == 1
        assert library.add([tmp_path / "a.zip"], Options(archives=True)).unchanged == 1


def test_quotes_open_inside_an_archive_and_the_report_counts_what_is_lost(tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "a.zip").write_bytes(zipped({"house/key.txt": NOTE, "broken.pdf": b"%PDF-1.7 nothing"}))
    with Library.open(tmp_path / "library") as library:
        report = library.add([folder], Options(archives=True))
        assert (report.added, report.failed) == (1, [])
        assert report.notes == [f"{folder}/a.zip: 1 of the archive's 2 files cannot be read (quoth show names them)"]
        hit = library.search("where is the key").hits[0]
        assert hit.document == f"{folder}/a.zip#house/key.txt"
        assert library.show(hit.document).text[hit.start : hit.end] == hit.text
        assert library.show(folder / "a.zip").notes[1].startswith("broken.pdf: ")
        assert library.sync(options=Options(archives=True)).unchanged == 1
