"""Writes the example files of examples/: python tests/data/make_examples.py (needs python-docx and openpyxl)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime
from email.message import EmailMessage
from pathlib import Path

HERE = Path(__file__).parents[2] / "examples"
Line = tuple[float, float, float, str]
"""x and y of the baseline in points, size of the type, words."""
Lock = Callable[[int, bytes], bytes]
"""Encrypts the content of an object with this number."""


def pdf(
    pages: Sequence[Sequence[Line]],
    title: str,
    outline: Sequence[tuple[str, int]] = (),
    modified: str = "D:20240502093000+02'00'",
    lock: Lock | None = None,
    encrypt: str = "",
) -> bytes:
    """A PDF of A4 pages in Helvetica; `outline` is (words, page from 0). `encrypt` is the dictionary for `lock`."""
    seal = lock or (lambda number, data: data)
    first = 5 + len(outline)
    bodies = [
        b"<< /Type /Catalog /Pages 2 0 R %s>>" % (b"/Outlines 4 0 R " if outline else b""),
        b"<< /Type /Pages /Count %d /Kids [%s] >>"
        % (len(pages), b" ".join(b"%d 0 R" % (first + 3 + 2 * n) for n in range(len(pages)))),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
        b"<< /Type /Outlines /Count %d /First 5 0 R /Last %d 0 R >>" % (len(outline), 4 + len(outline)),
    ]
    for step, (words, page) in enumerate(outline):
        number = 5 + step
        around = b"/Prev %d 0 R " % (number - 1) if step else b""
        around += b"/Next %d 0 R " % (number + 1) if step < len(outline) - 1 else b""
        name = seal(number, words.encode("latin-1")).hex().encode()
        target = first + 3 + 2 * page
        bodies.append(b"<< /Title <%s> /Parent 4 0 R %s/Dest [%d 0 R /Fit] >>" % (name, around, target))
    info = seal(first, title.encode("latin-1")).hex().encode(), seal(first, modified.encode()).hex().encode()
    bodies.append(b"<< /Title <%s> /ModDate <%s> >>" % info)
    bodies += [encrypt.encode("latin-1") or b"null", b"null"]
    for step, lines in enumerate(pages):
        number = first + 3 + 2 * step
        shape = b"/Resources << /Font << /F1 3 0 R >> >> /MediaBox [0 0 595 842] /Contents %d 0 R" % (number + 1)
        bodies.append(b"<< /Type /Page /Parent 2 0 R %s >>" % shape)
        stream = seal(number + 1, b"\n".join(_shown(*line) for line in lines))
        bodies.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream))
    return _file(bodies, first, bool(encrypt))


def _shown(x: float, y: float, size: float, words: str) -> bytes:
    escaped = words.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
    return f"BT /F1 {size} Tf 1 0 0 1 {x} {y} Tm ({escaped}) Tj ET".encode("cp1252")


def _file(bodies: Sequence[bytes], info: int, encrypted: bool) -> bytes:
    data, places = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n", []
    for number, body in enumerate(bodies, 1):
        places.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    locked = b"/Encrypt %d 0 R " % (info + 1) if encrypted else b""
    trailer = b"<< /Size %d /Root 1 0 R /Info %d 0 R %s/ID [<%s> <%s>] >>" % (
        len(bodies) + 1,
        info,
        locked,
        b"51" * 16,
        b"51" * 16,
    )
    start = len(data)
    return data + b"xref\n0 %d\n0000000000 65535 f \n%strailer\n%s\nstartxref\n%d\n%%%%EOF\n" % (
        len(bodies) + 1,
        table,
        trailer,
        start,
    )


def page(heading: str, text: str, number: int) -> list[Line]:
    """A page as lines: a large heading, paragraphs parted by a wider gap, the page number at the foot."""
    lines: list[Line] = [(72, 760, 18, heading)]
    y = 728.0
    for paragraph in text.strip().split("\n\n"):
        for words in paragraph.split("\n"):
            lines.append((72, y, 11, words))
            y -= 14
        y -= 12
    return [*lines, (290, 50, 9, str(number))]


WARRANTY = [
    (
        "Warranty for the SunHarbor SH-6K inverter",
        """
Owner: Mara Lindqvist, 14 Orchard Lane. Serial number SH6K-20931-B.
The inverter was put into service on 3 May 2021 by Halden Solar Works.

This certificate covers the solar inverter that turns the direct current of
the eighteen roof panels into alternating current for the house. It was hand-
ed over together with the report of the first measurement and the wiring
plan of the roof.

The warranty lasts ten years from the day on which the inverter was put into
service. It therefore ends on 3 May 2031. The panels themselves carry a sepa-
rate guarantee of output for twenty-five years.
""",
    ),
    (
        "What is covered",
        """
Halden Solar Works repairs or replaces the inverter free of charge when a
part fails in ordinary use. Parts, travel and labour are included during the
first five years. From the sixth year on, travel is charged at 85 euros a visit.

Not covered are damage by lightning, damage by animals, a house connection
that was changed later, and an instal-
lation that was opened by anyone other than a listed electrician.
""",
    ),
    (
        "How to make a claim",
        """
Report a failure within thirty days. Write to service@haldensolar.example
with the serial number and a photo of the error shown on the display.

Error E-114 means that the fan is blocked: clean the grille before you
report it. If the display stays dark, switch the inverter off at the isolator,
wait ten minutes, and switch it on again.
""",
    ),
]


def warranty() -> bytes:
    pages = [page(heading, text, number) for number, (heading, text) in enumerate(WARRANTY, 1)]
    outline = [(heading, number) for number, (heading, _) in enumerate(WARRANTY)]
    return pdf(pages, "SunHarbor SH-6K inverter: warranty certificate", outline)


def contract(path: Path) -> None:
    import docx

    document = docx.Document()
    document.core_properties.title = "Rental contract, Orchard Lane 14, upper flat"
    document.core_properties.modified = datetime(2023, 9, 1, 10, 0)
    document.add_heading("Rental contract", 0)
    document.add_paragraph("between Mara Lindqvist (landlady) and Teodor Brandt (tenant), signed on 28 August 2023.")
    document.add_heading("1. The flat", 1)
    document.add_paragraph(
        "Let is the upper flat with three rooms, kitchen and bath, 74 square metres, together with cellar "
        "room 2 and the parking space beside the garage."
    )
    document.add_heading("2. Rent", 1)
    document.add_paragraph("The rent is due on the third working day of each month.")
    table = document.add_table(rows=1, cols=3)
    for cell, words in zip(table.rows[0].cells, ("Part", "Euros a month", "Paid to"), strict=True):
        cell.text = words
    for row in (("Rent", "890", "landlady"), ("Heating and water", "145", "landlady"), ("Parking", "40", "landlady")):
        for cell, words in zip(table.add_row().cells, row, strict=True):
            cell.text = words
    document.add_heading("2.1 Deposit", 2)
    document.add_paragraph(
        "The deposit is 2,670 euros, three months' rent. It is paid back within six months after the keys are returned."
    )
    document.add_heading("3. Notice", 1)
    document.add_paragraph("Either side may end the contract with three months' notice to the end of a month:")
    for words in ("in writing, signed by hand,", "received by the third working day of the first month."):
        document.add_paragraph(words, style="List Bullet")
    document.add_paragraph("Pets other than small caged animals need the landlady's consent.")
    document.save(str(path))


def costs(path: Path) -> None:
    import openpyxl

    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Costs"
    sheet.append(["Item", "Supplier", "Paid on", "Amount", "VAT"])
    for row in (
        ("Boiler service", "Kessler Heating", date(2024, 3, 14), 189.5, 0.19),
        ("Gutter repair", "Roofers Nord", date(2024, 4, 2), 412.0, 0.19),
        ("Chimney sweep", "M. Adler", date(2024, 5, 21), 61.75, 0.07),
        ("House insurance", "Nordstern Mutual", date(2024, 7, 1), 538.2, 0.0),
    ):
        sheet.append(row)
    for row in sheet.iter_rows(min_row=2):
        row[2].number_format, row[3].number_format, row[4].number_format = "yyyy-mm-dd", "#,##0.00", "0%"
    meters = book.create_sheet("Meters")
    meters.append(["Meter readings of the house"])
    meters.append([])
    meters.append(["Date", "Electricity (kWh)", "Water (m3)"])
    for row in ((date(2023, 12, 31), 48210, 612.4), (date(2024, 6, 30), 49877, 655.9)):
        meters.append(row)
    book.properties.title = "House costs 2024"
    book.save(path)


def boiler() -> bytes:
    message = EmailMessage()
    message["Subject"] = "Boiler service: your appointment on 12 November"
    message["From"] = "Kessler Heating <office@kessler-heating.example>"
    message["To"] = "Mara Lindqvist <mara@orchard.example>"
    message["Date"] = "Mon, 21 Oct 2024 08:42:10 +0200"
    message["Message-ID"] = "<20241021.0842@kessler-heating.example>"
    message.set_content(
        "Dear Ms Lindqvist,\n\n"
        "our technician Jonas Weil will service your boiler on Tuesday, 12 November 2024, between 10 and\n"
        "12 o'clock. Please make sure that the cellar and the chimney door can be reached.\n\n"
        "The service costs 195 euros. If the burner nozzle has to be replaced, that is another 38 euros.\n"
        "You can move the appointment up to two days before by calling 0555 0142.\n\n"
        "Kind regards\nKessler Heating\n"
    )
    message.add_attachment(
        "Checklist before the visit\n\n1. Free the way to the boiler.\n2. Note the pressure (it should be 1.5 bar).\n"
        "3. Keep the logbook of the last service at hand.\n",
        filename="checklist.txt",
    )
    message.set_boundary("=-quoth-example-boundary")
    return message.as_bytes()


def main() -> None:
    """All four files."""
    (HERE / "inverter-warranty.pdf").write_bytes(warranty())
    (HERE / "boiler-appointment.eml").write_bytes(boiler())
    contract(HERE / "rental-contract.docx")
    costs(HERE / "house-costs.xlsx")


if __name__ == "__main__":
    main()
