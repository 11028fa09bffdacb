"""The kind of a file, by its bytes first."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from compounds import make

from quoth.errors import ReadError
from quoth.ingest import read, read_data
from quoth.ingest.kinds import KINDS, describe, kind_of

MAIL = b"Received: from a\nFrom: a@b.org\nTo: c@d.org\nSubject: Hello\n\nText\n"


def zipped(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "head", "kind"),
    [
        ("a.md", b"# Title", "markdown"),
        ("README", b"Just text", "text"),
        ("a.rst", b"Title\n=====\n", "rst"),
        ("a.org", b"* Title\n", "org"),
        ("a.adoc", b"= Title\n", "asciidoc"),
        ("a.tex", b"\\section{Title}\n", "latex"),
        ("a.py", b"import os", "code"),
        ("Makefile", b"all:\n", "code"),
        ("run", b"#!/bin/sh\n", "code"),
        ("a.txt", b"\n <!DOCTYPE html><p>", "html"),
        ("a.bin", b"%PDF-1.7\n\x00\x01\xff", "pdf"),
        ("a.pdf", b"Not a PDF, only called so", "text"),
        ("a.txt", zipped("[Content_Types].xml", "word/document.xml"), "docx"),
        ("a.docx", zipped("[Content_Types].xml", "xl/workbook.xml"), "xlsx"),
        ("a.docx", zipped("[Content_Types].xml", "ppt/presentation.xml"), "pptx"),
        ("a.zip", zipped("META-INF/container.xml", "OEBPS/content.opf"), "epub"),
        ("a.fb2.zip", zipped("a.fb2"), "fb2"),
        ("a.zip", zipped("a.fb2"), None),
        ("a.txt", b'<?xml version="1.0"?>\n<!-- -->\n<FictionBook xmlns="x">', "fb2"),
        ("a.fb2", b"No book, only called so", "text"),
        ("a.doc", b"{\\rtf1\\ansi Hello}", "rtf"),
        ("a.csv", b"a,b\n1,2\n", "csv"),
        ("saved", MAIL, "mail"),
        ("a.eml", b"Subject: short\n\nText", "mail"),
        ("inbox", b"From a@b.org Mon Jan  1 10:00:00 2024\n" + MAIL, "mbox"),
        ("a.eml", b"From a@b.org Mon Jan  1 10:00:00 2024\n" + MAIL, "mail"),
        ("letter.txt", b"To: whom it may concern\n\nText", "text"),
        ("a.ipynb", b'{"cells": []}', "notebook"),
        ("a", b'{"nbformat": 4, "cells": []}', "notebook"),
        ("a.json", b'{"a": 1}', "json"),
        ("a.yml", b"from: a\nto: b\ndate: c\nsubject: d\n", "yaml"),
        ("a.xml", b"<?xml version='1.0'?><a/>", "xml"),
        ("a.xml", b"<?xml version='1.0'?><html><p>x</p></html>", "html"),
        ("a.rss", b"<rss><channel/></rss>", "xml"),
        ("a.toml", b"[a]\n", "toml"),
        ("a.srt", b"1\n00:00:01,000 --> 00:00:02,000\nHello\n", "subtitles"),
        ("a.txt", "Grüße\n".encode("utf-16"), "text"),
        ("a.txt", "no mark\n".encode("utf-16-be"), "text"),
        ("bm.txt", b"BMW is a car", "text"),
        ("a.png", b"\x89PNG\r\n\x1a\n\x00\x00", "image"),
        ("a.txt", b"\xff\xd8\xff\xe0\x00", "image"),
        ("a.bmp", b"BM" + bytes(12) + b"\x28" + bytes(40), "image"),
        ("a.png", b"Not a picture, only called so", "text"),
        ("a.doc", make.compound({"Workbook": b"x"}), "xls"),
        ("a.xls", make.compound({"ObjectPool/Workbook": b"x", "WordDocument": b"x"}), "doc"),
        ("a.docx", make.compound({"EncryptionInfo": b"x", "EncryptedPackage": b"x"}), "sealed"),
        ("a.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\x00", "xls"),
    ],
)
def test_the_bytes_decide_then_the_name(name: str, head: bytes, kind: str) -> None:
    assert kind_of(f"/a/{name}", head) == kind


@pytest.mark.parametrize(
    ("name", "head", "words"),
    [
        ("a.flac", b"fLaC\x00\x00", "a FLAC recording"),
        ("a.bmp", b"BM" + bytes(40), "a bitmap image"),
        ("a.heic", b"\x00\x00\x00\x18ftypheic", "a HEIC image"),
        ("a.svg", b'<?xml version="1.0"?>\n<svg xmlns="x">', "an SVG image"),
        ("a.zip", zipped("a.txt"), "a zip archive"),
        ("a.docx", zipped("ppt/slides/slide1.xml"), "a PowerPoint file"),
        ("a.odg", zipped("content.xml", "mimetype"), "a zip archive"),
        ("a.xlsb", zipped("xl/workbook.bin"), "a binary Excel file (XLSB)"),
        ("a.md", b"\x00\x01\x02\x03" * 20, "a binary file"),
        ("a", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\x00", "an old Office file"),
        ("a.doc", make.compound({"VisioDocument": b"x"}), "a Visio drawing"),
        ("a.xls", make.compound({"Quill/QuillSub/CONTENTS": b"x"}), "a Publisher file"),
        ("a", b"\x7fELF\x02\x01\x01\x00", "a program"),
    ],
)
def test_what_cannot_be_read_is_named(name: str, head: bytes, words: str) -> None:
    assert kind_of(f"/a/{name}", head) is None
    assert describe(head, f"/a/{name}") == words


def test_no_ending_belongs_to_two_kinds() -> None:
    endings = [ending for kind in KINDS.values() for ending in kind.endings]
    assert len(endings) == len(set(endings))


def test_reading_what_cannot_be_read_says_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_bytes(b"fLaC\x00\x00")
    with pytest.raises(ReadError, match="is a FLAC recording, which Quoth does not read"):
        read(tmp_path / "a.md")


def test_a_file_that_is_gone_is_a_read_error(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="cannot be opened: No such file"):
        read(tmp_path / "no.md")


def test_a_document_without_a_date_gets_the_files(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("Text")
    assert read(tmp_path / "a.md")[0].modified == (tmp_path / "a.md").stat().st_mtime


def test_a_given_kind_is_believed() -> None:
    assert read_data(b"<p>x</p>", "/a/b", kind="text")[0].text == "<p>x</p>"


def test_many_comments_before_the_first_element_do_not_hold_up_the_look() -> None:
    assert kind_of("/a/a.txt", b"<!-- -->" * 5_000 + b"words") == "text"
    assert kind_of("/a/a.txt", b"<!-- -->" * 5_000 + b"<html>") == "html"


def test_a_stray_nul_in_utf_8_does_not_make_a_text_binary() -> None:
    words = "Die Pumpe lief für sieben Minuten, dann fiel der Strom aus.\n".encode()
    assert kind_of("/a/pump.log", words + b"\0\n" + words) == "text"
    assert kind_of("/a/pump.log", words + b"\0" * 20) is None
    assert kind_of("/a/pump.log", words.decode().encode("latin-1") + b"\0\n" + words) is None
