"""Files of an attacker, or of bad luck: each is read, or fails alone with a sentence, within time and memory."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path
from typing import cast

import pytest

from conftest import Quoth
from quoth import Library, Options
from quoth.embed.packaged import FOLDER as MODEL
from quoth.ingest.worker import Outcome, ReadPool, ToRead
from quoth.types import Document, Passage

LINE = b"2026-11-24 09:00:00 the pump of the cellar ran for seven minutes\n"
EVERY = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"


def outcome(path: Path) -> Outcome:
    with ReadPool(MODEL / "tokenizer.json", workers=1) as pool:
        return next(iter(pool.map([ToRead(str(path), archives=True)])))


def whole(read: Outcome) -> tuple[Document, list[Passage]]:
    """The one document of a file, every passage of which is verbatim in it."""
    assert read.reason == ""
    ((document, passages),) = read.documents
    assert all(document.text[one.start : one.end] == one.text for one in passages)
    return document, passages


def pdf(*objects: bytes) -> bytes:
    """A PDF of these objects, the first of them its catalog."""
    data, places = b"%PDF-1.4\n", []
    for number, one in enumerate(objects, 1):
        places.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, one)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    table = b"xref\n0 %d\n0000000000 65535 f \n%s" % (len(objects) + 1, table)
    return data + table + b"trailer <</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, len(data))


def book(pages: int) -> bytes:
    kids = b" ".join(b"%d 0 R" % (4 + 2 * number) for number in range(pages))
    objects = [b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Count %d/Kids[%s]>>" % (pages, kids), EVERY]
    for number in range(pages):
        text = b"BT /F1 12 Tf 50 700 Td (This is page %d of the long book.) Tj ET" % (number + 1)
        font = b"/MediaBox[0 0 612 792]/Resources<</Font<</F1 3 0 R>>>>"
        objects.append(b"<</Type/Page/Parent 2 0 R%s/Contents %d 0 R>>" % (font, 5 + 2 * number))
        objects.append(b"<</Length %d>>stream\n%s\nendstream" % (len(text), text))
    return pdf(*objects)


@pytest.mark.slow
def test_a_text_of_200_mb_is_one_clear_sentence(tmp_path: Path) -> None:
    path = tmp_path / "long.log"
    path.write_bytes(LINE * (200_000_000 // len(LINE)))
    read = outcome(path)
    assert read.reason == "its text is longer than 64,000,000 characters"
    assert read.hint == "split the file, or leave it out"


@pytest.mark.slow
def test_a_line_of_50_mb_is_read_within_the_memory(tmp_path: Path) -> None:
    path = tmp_path / "line.txt"
    path.write_bytes(b"word " * 10_000_000)
    document, passages = whole(outcome(path))
    assert len(document.text) == 50_000_000
    assert sum(one.text.count("word") for one in passages) == 10_000_000


def test_a_log_without_sentences_is_read_line_for_line(tmp_path: Path) -> None:
    path = tmp_path / "pump.log"
    path.write_bytes(LINE * 40_000)
    document, passages = whole(outcome(path))
    assert document.place(passages[-1].start).line == 40_000 - passages[-1].text.count("\n")
    assert sum(one.text.count("pump") for one in passages) == 40_000


@pytest.mark.slow
def test_a_pdf_of_5000_pages_is_read_to_its_last(tmp_path: Path) -> None:
    path = tmp_path / "book.pdf"
    path.write_bytes(book(5_000))
    document, _ = whole(outcome(path))
    assert len(document.pages() or []) == 5_000
    assert document.place(document.text.index("This is page 4999 of")).page == 4_999


def test_a_pdf_whose_pages_run_in_a_circle_says_so(tmp_path: Path) -> None:
    path = tmp_path / "circle.pdf"
    tree = b"<</Type/Pages/Count 3/Kids[2 0 R 2 0 R 3 0 R]>>"
    path.write_bytes(pdf(b"<</Type/Catalog/Pages 2 0 R>>", tree, b"<</Type/Pages/Parent 2 0 R/Count 1/Kids[2 0 R]>>"))
    assert outcome(path).reason == "3 of 3 pages cannot be opened: 1–3"


def test_a_pdf_that_claims_two_billion_pages_ends(tmp_path: Path) -> None:
    path = tmp_path / "claim.pdf"
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]>>"
    path.write_bytes(pdf(b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Count 2000000000/Kids[3 0 R]>>", page))
    assert outcome(path).reason


@pytest.mark.parametrize("name", ["words.pdf", "words.docx", "words.png", "words.zip", "words.xlsx", "words"])
def test_text_under_another_ending_is_text(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(LINE * 3)
    document, _ = whole(outcome(tmp_path / name))
    assert (document.kind, document.text) == ("text", LINE.decode() * 3)


def test_what_is_no_text_is_a_named_skip_under_any_ending(tmp_path: Path) -> None:
    said = {
        "zeros.txt": (bytes(10_000), "it is a binary file, which Quoth does not read"),
        "noise.md": (os.urandom(10_000), "it is a binary file, which Quoth does not read"),
        "song.csv": (b"fLaC" + os.urandom(1_000), "it is a FLAC recording, which Quoth does not read"),
    }
    for name, (data, reason) in said.items():
        (tmp_path / name).write_bytes(data)
        read = outcome(tmp_path / name)
        assert (read.reason, read.skipped) == (reason, True)


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("ff.txt", lambda: b"\xff" * 100_000),
        (
            "mixed.txt",
            lambda: LINE + "naïve café\n".encode("latin-1") + "über\n".encode() + "日本\n".encode("shift_jis"),
        ),
        ("deep.json", lambda: b"[" * 1_000_000),
        ("deep.xml", lambda: b"<?xml version='1.0'?>" + b"<a>" * 200_000 + b"hello"),
        ("deep.html", lambda: b"<div>" * 200_000 + b"hello"),
        ("deep.yaml", lambda: b"- " * 200_000),
        ("deep.md", lambda: b"> " * 50_000 + b"hello\n"),
        ("open.md", lambda: b"[" * 200_000),
        ("stars.md", lambda: b"*_" * 200_000),
        ("deep.rst", lambda: b"".join(b" " * depth + b"- x\n\n" for depth in range(1_000))),
        ("open.csv", lambda: b'"' + b"a,b\n" * 100_000),
        ("heads.eml", lambda: b"From: a@b.c\nTo: d@e.f\nSubject: x\n" + b"X-A: b\n" * 200_000 + b"\nbody\n"),
        (
            "deep.eml",
            lambda: (
                b"From: a@b.c\nTo: d@e.f\nSubject: x\nContent-Type: multipart/mixed; boundary=b0\n\n"
                + b"".join(b"--b%d\nContent-Type: multipart/mixed; boundary=b%d\n\n" % (n, n + 1) for n in range(3_000))
            ),
        ),
        (
            "laughs.xml",
            lambda: (
                b"<?xml version='1.0'?><!DOCTYPE l [<!ENTITY a 'lol'>"
                + b"".join(b"<!ENTITY %c '%s'>" % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(9))
                + b"]><l>&j;</l>"
            ),
        ),
        (
            "laughs.yaml",
            lambda: (
                b"a: &a [x]\n"
                + b"".join(b"%c: &%c [%s]\n" % (98 + n, 98 + n, b",".join([b"*%c" % (97 + n)] * 9)) for n in range(9))
            ),
        ),
    ],
)
def test_what_is_made_to_break_a_reader_does_not(name: str, make: Callable[[], bytes], tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(make())
    read = outcome(tmp_path / name)
    assert "crashed" not in read.reason
    assert "longer than" not in read.reason
    assert "stumbled" not in read.reason
    for document, passages in read.documents:
        assert all(document.text[one.start : one.end] == one.text for one in passages)
        assert len(document.text) < 3_000_000


@pytest.mark.slow
def test_100_000_tiny_files_and_some_of_great_size_are_added_in_little_memory(tmp_path: Path) -> None:
    for folder in range(100):
        (tmp_path / "files" / str(folder)).mkdir(parents=True)
        for number in range(1_000):
            (tmp_path / "files" / str(folder) / f"{number}.txt").write_text(f"The pump has number {number % 100}.\n")
    (tmp_path / "files" / "great.txt").write_bytes(LINE * (200_000_000 // len(LINE)))
    (tmp_path / "files" / "line.txt").write_bytes(b"The heron stands by the pond and " * 1_500_000 + b"waits.")
    library = str(tmp_path / "library")
    command = [sys.executable, "-m", "quoth", "--library", library, "add", "--json", str(tmp_path / "files")]
    with (tmp_path / "done.json").open("wb") as out:
        adding = subprocess.Popen(command, stdout=out)
        _, status, usage = os.wait4(adding.pid, 0)
    adding.returncode = os.waitstatus_to_exitcode(status)
    assert adding.returncode == 0
    done = json.loads((tmp_path / "done.json").read_bytes())
    # the largest of all its processes; kilobytes on Linux, bytes on macOS
    assert usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) < 2**30
    assert done["added"] == 100_001
    assert {Path(one["path"]).name: one["reason"] for one in done["failed"]} == {
        "great.txt": "its text is longer than 64,000,000 characters"
    }
    with Library.open(library) as opened:
        assert "number 77" in opened.search("pump number 77", 1).hits[0].text
        assert opened.search("a heron by the pond", 1).hits[0].document == str(tmp_path / "files" / "line.txt")


def test_links_in_circles_and_a_closed_folder_do_not_hold_the_rest_up(tmp_path: Path) -> None:
    files = tmp_path / "files"
    (files / "a" / "b").mkdir(parents=True)
    (files / "a" / "b" / "key.txt").write_text("The key is under the mat.\n")
    (files / "a" / "b" / "up").symlink_to(files)
    (files / "self").symlink_to(files / "self")
    (files / "closed").mkdir()
    (files / "closed").chmod(0)
    try:
        with Library.open(tmp_path / "library") as library:
            report = library.add([files], Options())
            assert (report.added, report.failed) == (1, [])
            reasons = {Path(one.path).name: one.reason for one in report.skipped}
    finally:
        (files / "closed").chmod(0o700)
    assert reasons.pop("up") == "a link to something in the source"
    assert reasons.pop("self").startswith(("a link to", "cannot be looked at"))
    assert reasons == ({} if os.geteuid() == 0 else {"closed": "a folder that cannot be read: Permission denied"})


def sealed_mail() -> bytes:
    """A mail with a zip attached that needs a password, as its flag says."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("secret.txt", "The code is 4711.")
    data = bytearray(packed.getvalue())
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + place] |= 1
    letter = EmailMessage()
    letter["From"], letter["To"], letter["Subject"] = "a@example.org", "b@example.org", "Sealed"
    letter.set_content("The heron of case mail stands by the pond.\n")
    letter.add_attachment(bytes(data), maintype="application", subtype="zip", filename="sealed.zip")
    return letter.as_bytes()


def heron(case: str) -> bytes:
    return f"The heron of case {case} stands by the pond.\n".encode()


READ: dict[bytes, bytes] = {
    b"line\nbreak.txt": heron("newline"),
    b"raw\xff\xfename.txt": heron("rawbytes"),
    "right\u202eto left.txt".encode(): heron("rightleft"),
    b"n" * 251 + b".txt": heron("longname"),
    b"-dash.txt": heron("dash"),
    b"wide-le.txt": heron("littleend").decode().encode("utf-16-le"),
    b"wide-be.txt": heron("bigend").decode().encode("utf-16-be"),
    b"nul.log": heron("nulbyte") + b"\0\n" + heron("after"),
    b"ff.txt": heron("brokenbyte") * 20 + b"\xff\n",
    b"page.pdf": b"<html><body><p>" + heron("page") + b"</body></html>",
    b"page.docx": b"{\\rtf1\\ansi " + heron("richtext") + b"}",
    b"blank.txt": heron("blank") + b"\n" * 1_000_000 + heron("bottom"),
    b"sealed.eml": sealed_mail(),
}
FAILED = {
    "deep.html": (b"<div>" * 200_000 + heron("deep"), "the page nests its elements more than 20,000 deep"),
    "deep.rtf": (b"{\\rtf1 " + b"{" * 300_000 + heron("deep"), "the file nests groups more than 2,000 deep"),
}
SKIPPED = {
    "bytes.md": (bytes(range(256)) * 400, "it is a binary file, which Quoth does not read"),
    "zip.docx": (b"PK\x03\x04" + bytes(200), "it is a zip archive; look into it with --archives"),
}


def test_a_folder_of_hostile_files_is_added_by_a_process_that_says_what_became_of_each(
    quoth: Quoth, tmp_path: Path
) -> None:
    files = tmp_path / "files"
    files.mkdir()
    for raw, data in READ.items():
        Path(os.fsdecode(os.fsencode(files) + b"/" + raw)).write_bytes(data)
    for name, (data, _) in (FAILED | SKIPPED).items():
        (files / name).write_bytes(data)
    done = quoth("add", "--json", str(files))
    assert (done.code, done.err) == (0, "")
    assert done.json["added"] == len(READ)
    failed, skipped = (cast("list[dict[str, str]]", done.json[part]) for part in ("failed", "skipped"))
    assert {Path(one["path"]).name: one["reason"] for one in failed} == {n: why for n, (_, why) in FAILED.items()}
    assert all(one["hint"] for one in failed)
    assert {Path(one["path"]).name: one["reason"] for one in skipped} == {n: why for n, (_, why) in SKIPPED.items()}
    with Library.open(tmp_path / "library") as library:
        for raw, data in READ.items():
            path = os.fsdecode(os.fsencode(files) + b"/" + raw)
            for case in re.findall(r"case (\w+)", data.replace(b"\0", b"").decode("latin-1")):
                hit = library.search(f"heron case {case}", 1).hits[0]
                assert (hit.document, case in hit.text) == (path, True)
        assert any("attachment sealed.zip" in note for note in library.show(files / "sealed.eml").notes)
    again = quoth("add", "--json", str(files)).json
    assert (again["unchanged"], again["added"]) == (len(READ), 0)


@pytest.mark.slow
def test_a_quote_of_page_4321_opens_at_its_page(quoth: Quoth, tmp_path: Path) -> None:
    (tmp_path / "book.pdf").write_bytes(book(5_000))
    assert quoth("add", str(tmp_path / "book.pdf")).code == 0
    with Library.open(tmp_path / "library") as library:
        document = library.show(tmp_path / "book.pdf")
        hit = next(one for one in library.search("page 4321 of the long book", 20).hits if "page 4321 " in one.text)
        assert document.text[hit.start : hit.end] == hit.text
        assert document.place(hit.start + hit.text.index("This is page 4321 ")).page == 4_321
