import ctypes
import hashlib
import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType

import pypdfium2
import pypdfium2.raw as raw
import pytest

from quoth.errors import Encrypted, ReadError
from quoth.ingest.pdf import boxes, read_pdf
from quoth.types import Document

ROOT = Path(__file__).parents[2]


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"quoth_{path.parent.name}_{path.stem}", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


make = _load(ROOT / "tests" / "data" / "make_examples.py")
WARRANTY = ROOT / "examples" / "inverter-warranty.pdf"


def pdf(*pages: Sequence[tuple[float, float, float, str]], title: str = "A title of its own") -> bytes:
    data: bytes = make.pdf(pages, title)
    return data


def only(data: bytes, password: str | None = None) -> Document:
    (document,) = read_pdf(data, "/home/ada/scan.pdf", password)
    return document


def untrue_glyphs(data: bytes, document: Document) -> Iterator[tuple[int, str, int]]:
    """(offset, character, PDFium's code there) wherever a glyph mark says something that is not so."""
    pdf, glyphs = pypdfium2.PdfDocument(data), None
    marks = [mark for mark in document.marks if mark.kind in ("page", "glyph")]
    for mark, after in zip(marks, [*marks[1:], None], strict=True):
        if mark.kind == "page":
            glyphs = pdf[mark.number - 1].get_textpage()
            continue
        end = after.start if after else len(document.text)
        end -= 2 if after and after.kind == "page" else 0  # the blank line between pages is nobody's
        for offset in range(mark.start, end):
            code = raw.FPDFText_GetUnicode(glyphs, mark.number + offset - mark.start)
            character = document.text[offset]
            broken_off = character == "-" and code == 2
            newline = character == "\n" and code in (10, 13)
            paired = ord(character) > 0xFFFF and 0xD800 <= code < 0xDC00
            if code != ord(character) and not (broken_off or newline or paired):
                yield offset, character, code


def test_pages_start_where_their_marks_say() -> None:
    document = only(WARRANTY.read_bytes())
    pages = document.pages()
    assert pages is not None
    assert [document.text[start:end].split("\n")[0] for start, end in pages] == [
        "Warranty for the SunHarbor SH-6K inverter",
        "What is covered",
        "How to make a claim",
    ]
    assert document.place(document.text.index("E-114")).page == 3


def test_bookmarks_are_headings_at_their_own_words() -> None:
    document = only(WARRANTY.read_bytes())
    assert document.place(document.text.index("lightning")).heading == "What is covered"


def test_title_and_date_come_from_the_metadata() -> None:
    document = only(WARRANTY.read_bytes())
    assert document.title == "SunHarbor SH-6K inverter: warranty certificate"
    assert document.modified == 1714635000.0  # 2024-05-02 09:30 at +02:00


def test_a_title_that_a_program_wrote_gives_way_to_the_first_large_line() -> None:
    page = [(72, 700, 24, "Roof plan"), (72, 650, 11, "The roof faces south."), (72, 636, 11, "It is steep.")]
    assert only(pdf(page, title="Microsoft Word - roof3.doc")).title == "Roof plan"


def test_without_any_title_the_file_name_stands_in() -> None:
    assert only(pdf([(72, 700, 11, "The roof faces south.")], title="untitled")).title == "scan.pdf"


def test_words_broken_at_a_line_end_are_joined() -> None:
    document = only(WARRANTY.read_bytes())
    assert "It was handed over together" in document.text
    assert "an installation that was opened" in document.text


def test_a_real_hyphen_at_a_line_end_stays() -> None:
    text = only(
        pdf(
            [
                (72, 700, 11, "a well-known maker of long-lived pumps and of long-"),
                (72, 686, 11, "lived valves, the North-"),
                (72, 672, 11, "South line and a state-of-the-"),
                (72, 658, 11, "art boiler"),
            ]
        )
    ).text
    assert "of long-lived valves, the North-South line and a state-of-the-art boiler" in text


def test_every_glyph_mark_is_true() -> None:
    data = WARRANTY.read_bytes()
    assert list(untrue_glyphs(data, only(data))) == []


def test_glyph_marks_are_true_in_real_reports() -> None:
    folder = os.environ.get("QUOTH_DATA")
    if not folder:
        pytest.skip("QUOTH_DATA names no folder of files to try")
    for path in sorted(Path(folder).rglob("*.pdf"))[:20]:
        data = path.read_bytes()
        try:
            document = only(data)
        except ReadError:
            continue
        assert list(untrue_glyphs(data, document)) == [], path


def test_boxes_lie_where_the_words_were_put() -> None:
    page = [(72, 700, 12, "Nothing here."), (120, 500, 20, "Harbor lights"), (72, 300, 12, "Nor here.")]
    data = pdf(page)
    document = only(data)
    start = document.text.index("Harbor")
    (box,) = boxes(data, document, start, start + len("Harbor"))
    assert box.page == 1
    assert (round(box.left), round(box.bottom)) == (122, 500)  # an H stands 1.5 points into its 20-point cell
    assert 510 < box.top < 520
    assert 170 < box.right < 190


def test_boxes_may_be_asked_for_in_many_threads_at_once() -> None:
    # in a process of its own: PDFium would take this one down
    code = f"""
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from quoth.ingest.pdf import boxes, read_pdf
data = Path({str(WARRANTY)!r}).read_bytes()
document = read_pdf(data, "/a.pdf")[0]
with ThreadPoolExecutor(8) as threads:
    counts = threads.map(lambda _: len(boxes(data, document, 400, 900)), range(800))
    print(len(set(counts)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "1\n")


def test_boxes_of_a_joined_word_lie_on_both_lines() -> None:
    data = pdf([(72, 700, 12, "the instal-"), (72, 686, 12, "lation of the fan")])
    document = only(data)
    start = document.text.index("installation")
    first, second = boxes(data, document, start, start + len("installation"))
    assert (round(first.bottom), round(second.bottom)) == (700, 686)
    assert first.left > second.left


def test_boxes_follow_a_stretch_over_two_pages() -> None:
    data = pdf([(72, 700, 12, "first page")], [(72, 700, 12, "second page")])
    document = only(data)
    assert [box.page for box in boxes(data, document, 0, len(document.text))] == [1, 2]


def test_paragraphs_are_parted_by_a_blank_line() -> None:
    lines = [(72, 700, 11, "One line"), (72, 686, 11, "and its next."), (72, 650, 11, "Another paragraph.")]
    assert only(pdf(lines)).text == "One line\nand its next.\n\nAnother paragraph."


def test_widely_set_lines_hold_together() -> None:
    lines = [(72, 700 - 24 * step, 11, f"line {step}") for step in range(5)]
    assert "\n\n" not in only(pdf(lines)).text


def test_pages_without_text_are_named() -> None:
    some = [(72, 700, 11, "words")]
    document = only(pdf(some, [], some, [], []))
    assert document.notes == ("3 of 5 pages hold no text: 2, 4, 5",)
    assert document.place(document.text.rindex("words")).page == 3


def test_a_pdf_without_text_says_so() -> None:
    document = only(pdf([], []))
    assert (document.text, document.notes) == ("", ("none of its 2 pages holds text",))


def test_what_is_no_pdf_is_refused_in_words() -> None:
    with pytest.raises(ReadError, match="damaged or not a PDF"):
        only(b"%PDF-1.7\nnothing else")


@pytest.fixture(scope="module")
def locked() -> bytes:
    """A PDF that opens with "sesame", encrypted with RC4 and 40 bits (revision 2 of the standard handler)."""
    padding = bytes.fromhex("28BF4E5E4E758A4164004E56FFFA01082E2E00B6D0683E802F0CA9FE6453697A")
    password = b"sesame"
    owner = rc4(hashlib.md5((password + padding)[:32]).digest()[:5], (password + padding)[:32])
    rights, identity = -4, b"Q" * 16
    seed = (password + padding)[:32] + owner + ctypes.c_uint32(rights).value.to_bytes(4, "little") + identity
    key = hashlib.md5(seed).digest()[:5]

    def seal(number: int, data: bytes) -> bytes:
        return rc4(hashlib.md5(key + number.to_bytes(3, "little") + b"\0\0").digest()[:10], data)

    user = rc4(key, padding)
    encrypt = f"<< /Filter /Standard /V 1 /R 2 /O <{owner.hex()}> /U <{user.hex()}> /P {rights} >>"
    lock: Callable[[int, bytes], bytes] = seal
    data: bytes = make.pdf([[(72, 700, 12, "The code is 4711.")]], "Kept secret", lock=lock, encrypt=encrypt)
    return data


def rc4(key: bytes, data: bytes) -> bytes:
    state, j, out = list(range(256)), 0, bytearray()
    for i in range(256):
        j = (j + state[i] + key[i % len(key)]) % 256
        state[i], state[j] = state[j], state[i]
    i = j = 0
    for byte in data:
        i = (i + 1) % 256
        j = (j + state[i]) % 256
        state[i], state[j] = state[j], state[i]
        out.append(byte ^ state[(state[i] + state[j]) % 256])
    return bytes(out)


def test_an_encrypted_pdf_opens_with_its_password(locked: bytes) -> None:
    document = only(locked, "sesame")
    assert (document.text, document.title) == ("The code is 4711.", "Kept secret")


def test_an_encrypted_pdf_asks_for_its_password(locked: bytes) -> None:
    with pytest.raises(ReadError, match="the PDF is encrypted") as error:
        only(locked)
    assert isinstance(error.value, Encrypted)


def test_a_wrong_password_is_told(locked: bytes) -> None:
    with pytest.raises(ReadError, match="the password does not open it"):
        only(locked, "open")


def test_a_password_does_not_hurt_an_open_pdf() -> None:
    assert only(WARRANTY.read_bytes(), "sesame").title.startswith("SunHarbor")


def test_passwords_are_tried_in_turn(locked: bytes, tmp_path: Path) -> None:
    from quoth.ingest.worker import ReadPool, ToRead

    path = tmp_path / "locked.pdf"
    path.write_bytes(locked)
    tries = ((), ("no", "neither"), ("no", "sesame", "neither"))
    with ReadPool(workers=1) as pool:
        without, wrong, right = pool.map(ToRead(str(path), some) for some in tries)
    assert without.reason == "the PDF is encrypted"
    assert wrong.reason == "the PDF is encrypted, and the password does not open it"
    assert (right.reason, right.documents[0][0].text) == ("", "The code is 4711.")
