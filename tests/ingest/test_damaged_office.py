"""Office files and books with bits flipped and ends cut off: a document whose marks hold, or a reason."""

from __future__ import annotations

import io
import random
import zipfile
from collections.abc import Callable

import pytest
from test_books import FICTION, chapter, epub
from test_opendocument import odf, paragraphs, slide
from test_slides import saved, with_text

from quoth.errors import ReadError
from quoth.ingest import read_data

FILES: dict[str, Callable[[], bytes]] = {
    "pptx": lambda: saved(lambda show: with_text(show, "Title", "one\ntwo", "notes")),
    "odt": lambda: odf(
        f"<text:h>Head</text:h><text:p>Words</text:p><table:table>{paragraphs('a|b', '1|2')}</table:table>"
    ),
    "ods": lambda: odf(f'<table:table table:name="One">{paragraphs("a|b", "1|2")}</table:table>', "spreadsheet"),
    "odp": lambda: odf(slide("Title", "words", "notes"), "presentation"),
    "rtf": lambda: rb"{\rtf1\ansi{\fonttbl{\f0 A;}}{\info{\title T}}\pard a\'e9\u8364?\par{\v b}\trowd c\cell\row}",
    "epub": lambda: epub({"a.xhtml": chapter("<h1>One</h1><p>Words</p>")}),
    "fb2": lambda: FICTION.format(encoding="utf-8", stray="", binary="QUJD").encode(),
}


def damaged(data: bytes, chance: random.Random) -> bytes:
    """The bytes with a few bits flipped, the end cut off, or a stretch taken out."""
    changed = bytearray(data)
    match chance.randrange(3):
        case 0:
            del changed[chance.randrange(len(data)) :]
        case 1:
            first = chance.randrange(len(data))
            del changed[first : first + chance.randrange(200)]
        case _:
            for _ in range(chance.randrange(1, 12)):
                changed[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def inside(data: bytes, chance: random.Random) -> bytes:
    """A zip with one of its parts damaged, itself sound."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(stream, "w") as new:
        victim = chance.choice([name for name in old.namelist() if old.getinfo(name).file_size])
        for name in old.namelist():
            new.writestr(name, damaged(old.read(name), chance) if name == victim else old.read(name))
    return stream.getvalue()


@pytest.mark.parametrize("kind", FILES)
def test_damage_gives_a_document_or_a_reason(kind: str) -> None:
    sound, chance = FILES[kind](), random.Random(kind)
    assert read_data(sound, f"a.{kind}")[0].kind == kind
    read = failed = 0
    for turn in range(200):
        data = inside(sound, chance) if sound[:2] == b"PK" and turn % 2 else damaged(sound, chance)
        try:
            (document,) = read_data(data, f"a.{kind}", kind=kind)
        except ReadError as error:
            failed += 1
            assert str(error)
            continue
        read += 1
        starts = [mark.start for mark in document.marks]
        assert starts == sorted(starts)
        assert not starts or 0 <= starts[0] <= starts[-1] <= len(document.text)
    assert read and (failed or kind == "rtf")
