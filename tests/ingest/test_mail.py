import contextlib
import mailbox
import os
from email.message import EmailMessage
from pathlib import Path

import pytest

from quoth.ingest.mail import read_mail, read_mbox
from quoth.types import Document

EXAMPLES = Path(__file__).parents[2] / "examples"


def read(data: bytes) -> tuple[Document, ...]:
    return read_mail(data, "/home/ada/letter.eml")


def message(subject: str = "Keys", text: str = "They are under the mat.\n") -> EmailMessage:
    written = EmailMessage()
    written["Subject"] = subject
    written["From"] = "Ada <ada@home.example>"
    written["To"] = "Ben <ben@home.example>"
    written["Date"] = "Mon, 21 Oct 2024 08:42:10 +0200"
    written.set_content(text)
    return written


def test_the_example_reads_with_its_headers_and_attachment() -> None:
    letter, checklist = read_mail((EXAMPLES / "boiler-appointment.eml").read_bytes(), "/x/boiler.eml")
    assert letter.text.startswith("Subject: Boiler service: your appointment on 12 November\nFrom: Kessler Heating")
    assert "Tuesday, 12 November 2024, between 10 and" in letter.text
    assert letter.title == "Boiler service: your appointment on 12 November"
    assert letter.modified == checklist.modified == 1729492930.0
    assert checklist.path == "/x/boiler.eml#checklist.txt"
    assert "1.5 bar" in checklist.text


def test_encoded_headers_are_made_readable() -> None:
    data = (
        b"Subject: =?utf-8?q?Sch=C3=B6ne?= =?utf-8?b?IEdyw7zDn2U=?=\r\n"
        b"From: =?x-unknown?q?J=F6rg?= <j@x.example>\nTo: raw \xe9t\xe9 <e@x.example>\n\nbody\n"
    )
    (letter,) = read(data)
    assert letter.text == ("Subject: Schöne Grüße\nFrom: Jörg <j@x.example>\nTo: raw été <e@x.example>\n\nbody\n")


def test_plain_text_is_preferred_to_html() -> None:
    written = message()
    written.add_alternative("<p>They are under the <b>mat</b>, in HTML.</p>", subtype="html")
    (letter,) = read(written.as_bytes())
    assert letter.text.endswith("\n\nThey are under the mat.\n")


def test_html_stands_in_where_the_plain_text_is_empty() -> None:
    written = message(text="\n")
    written.add_alternative("<html><body><p>They are in the <b>shed</b>.</p></body></html>", subtype="html")
    (letter,) = read(written.as_bytes())
    assert "They are in the shed." in letter.text


def test_a_wrong_charset_does_not_lose_the_text() -> None:
    head = b"Subject: x\nContent-Type: text/plain; charset=%s\nContent-Transfer-Encoding: 8bit\n\n"
    for charset in (b"us-ascii", b"no-such-charset", b"utf-8"):
        (letter,) = read(head % charset + "Die Küche ist größer.".encode("cp1252") + b"\n")
        assert "Die Küche ist größer." in letter.text, charset


def test_quoted_printable_and_base64_are_undone() -> None:
    head = b"Subject: x\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: "
    assert "für 10 €" in read(head + b"quoted-printable\n\nf=C3=BCr 10=\n =E2=82=AC\n")[0].text
    assert "für 10 €" in read(head + b"base64\n\nZsO8ciAxMCDigqw=\n")[0].text


def test_flowed_paragraphs_become_one_line_and_quotes_stay() -> None:
    head = b"Subject: x\nContent-Type: text/plain; format=flowed\n\n"
    (letter,) = read(head + b"One sentence that \nflows on.\n> quoted \n> words\n-- \nAda\n")
    assert letter.text.endswith("\nOne sentence that flows on.\n> quoted \n> words\n-- \nAda\n")


def test_attachments_are_documents_with_names_of_their_own() -> None:
    written = message()
    pdf = (EXAMPLES / "inverter-warranty.pdf").read_bytes()
    written.add_attachment(pdf, maintype="application", subtype="pdf", filename="../warranty.pdf")
    written.add_attachment("first", filename="note.txt")
    written.add_attachment("second", filename="note.txt")
    found = read(written.as_bytes())
    assert [document.path.partition("#")[2] for document in found] == [
        "",
        ".._warranty.pdf",
        "note.txt",
        "note (2).txt",
    ]
    assert found[1].place(found[1].text.index("lightning")).page == 2


def test_an_attachment_that_cannot_be_read_is_a_note() -> None:
    written = message()
    written.add_attachment(b"\x89PNG\r\n\x1a\n" + bytes(60), maintype="image", subtype="png", filename="cat.png")
    written.add_attachment(b"%PDF-1.4 no more", maintype="application", subtype="pdf", filename="cut.pdf")
    (letter,) = read(written.as_bytes())
    assert letter.notes == (
        "attachment cat.png: it is a PNG image, and damaged",
        "attachment cut.pdf: the PDF is damaged or not a PDF at all",
    )


def test_a_forwarded_message_is_a_document_of_its_own() -> None:
    written = message("Fwd: keys")
    written.add_attachment(message("Keys of the shed", "Behind the clock.\n"))
    _, inner = read(written.as_bytes())
    assert inner.title == "Keys of the shed"
    assert inner.path == "/home/ada/letter.eml#Keys of the shed.eml"


def test_messages_within_messages_end_somewhere() -> None:
    written = message("0")
    for depth in range(1, 12):
        outer = message(str(depth))
        outer.add_attachment(written)
        written = outer
    found = read(written.as_bytes())
    assert len(found) == 6
    assert any("more than 5 messages deep" in note for document in found for note in document.notes)


def test_an_encrypted_message_says_so() -> None:
    data = b'Subject: x\nContent-Type: multipart/encrypted; boundary="b"\n\n--b\n\nVersion: 1\n--b--\n'
    assert read(data)[0].notes == ("the message, or a part of it, is encrypted",)


def test_a_broken_date_is_no_date() -> None:
    (letter,) = read(b"Subject: x\nDate: the day before yesterday\n\nbody\n")
    assert letter.modified == 0.0


def test_rubbish_in_the_structure_loses_no_words() -> None:
    (letter,) = read(b'Subject: x\nContent-Type: multipart/mixed; boundary="never"\n\nStill here.\n')
    assert "Still here." in letter.text


def test_a_mailbox_gives_its_messages_by_number(tmp_path: Path) -> None:
    box = mailbox.mbox(tmp_path / "box.mbox")
    for number in (1, 2, 3):
        box.add(message(f"Letter {number}", f"From here on, number {number}.\nFrom me 12:00 2024\n"))
    box.close()
    found = read_mbox((tmp_path / "box.mbox").read_bytes(), "/x/box.mbox")
    assert [(one.path, one.title) for one in found] == [(f"/x/box.mbox#{n}", f"Letter {n}") for n in (1, 2, 3)]
    assert "\n\nFrom here on, number 2.\nFrom me 12:00 2024\n" in found[1].text


def test_a_mailbox_counts_as_the_standard_library_does() -> None:
    folder = os.environ.get("QUOTH_DATA")
    if not folder:
        pytest.skip("QUOTH_DATA names no folder of files to try")
    for path in Path(folder).rglob("*.mbox"):
        found = read_mbox(path.read_bytes(), str(path))
        numbers = {one.path.split("#")[1] for one in found}
        with contextlib.closing(mailbox.mbox(path, create=False)) as box:
            assert len(numbers) == len(box)


def test_a_broken_message_does_not_lose_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    from quoth.ingest import mail

    parse = mail._parse

    def stumble(data: bytes) -> object:
        if b"poison" in data:
            raise ValueError("broken")
        return parse(data)

    monkeypatch.setattr(mail, "_parse", stumble)
    one = b"From a@x Mon Oct 21 08:42:10 2024\nSubject: %s\n\n%s\n\n"
    found = read_mbox(one % (b"a", b"fine") + one % (b"b", b"poison") + one % (b"c", b"fine"), "/x/box")
    assert [document.path for document in found] == ["/x/box#1", "/x/box#3"]
    assert found[0].notes == ("1 of its messages cannot be read: 2",)


def test_a_part_that_cannot_be_read_costs_only_itself() -> None:
    head = b"From: a@b.org\nTo: c@d.org\nSubject: Hello\nContent-Type: text/html\n\n"
    (document,) = read_mail(head + b"<div>" * 30_000, "/a/b.eml")
    assert document.notes == ("a part of the message is left out: the page nests its elements more than 20,000 deep",)
