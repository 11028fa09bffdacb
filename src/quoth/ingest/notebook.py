"""Jupyter notebooks: the sources of the cells and what they printed, each under its cell's number."""

from __future__ import annotations

import json
from pathlib import PurePath
from typing import TypedDict, cast

from quoth.errors import ReadError
from quoth.ingest import markdown
from quoth.ingest.decode import decode
from quoth.types import Document, Mark


class Output(TypedDict, total=False):
    """One output of a cell, as nbformat writes it."""

    text: str | list[str]
    data: dict[str, str | list[str]]
    ename: str
    evalue: str


class Cell(TypedDict, total=False):
    """One cell, as nbformat writes it (`input` is the source in version 3)."""

    cell_type: str
    source: str | list[str]
    input: str | list[str]
    outputs: list[Output]
    level: int


def read_notebook(data: bytes, path: str, password: str | None) -> tuple[Document, ...]:
    """One document: cells joined by blank lines; its marks are headings and "cell 3".

    Images and HTML in outputs are left out; their plain text stays.
    """
    text, notes = decode(data)
    parts: list[str] = []
    marks: list[Mark] = []
    at = 0
    for number, cell in enumerate(_cells(text), 1):
        body = _body(cell)
        if not body.strip():
            continue
        marks.append(Mark(at, "cells", f"cell {number}"))
        if cell.get("cell_type") in ("markdown", "heading"):
            marks += [Mark(at + one.start, "heading", one.value, one.number) for one in markdown.headings(body)]
        parts.append(body)
        at += len(body) + 2
    title = next((mark.value for mark in marks if mark.kind == "heading" and mark.number == 1), PurePath(path).stem)
    return (Document(path, "notebook", title, "\n\n".join(parts), tuple(marks), notes=notes),)


def _cells(text: str) -> list[Cell]:
    try:
        book = json.loads(text)
        cells = book["cells"] if "cells" in book else [one for sheet in book["worksheets"] for one in sheet["cells"]]
        if not all(isinstance(cell, dict) for cell in cells):
            raise TypeError("a cell is not an object")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ReadError(f"is not a Jupyter notebook: {error}", "open it in Jupyter and save it again") from error
    return cast(list[Cell], cells)


def _body(cell: Cell) -> str:
    """What a reader sees of a cell: its source, then the text of its outputs."""
    source = _joined(cell.get("source") or cell.get("input"))
    if cell.get("cell_type") == "heading":
        source = f"{'#' * int(cell.get('level') or 1)} {source}"
    outputs = cell.get("outputs")
    shown = [_printed(one) for one in outputs if isinstance(one, dict)] if isinstance(outputs, list) else []
    return "\n".join(part.rstrip() for part in (source, *shown) if part.strip())


def _printed(output: Output) -> str:
    data = output.get("data")
    plain = data.get("text/plain") if isinstance(data, dict) else None
    if "ename" in output:
        return f"{output['ename']}: {output.get('evalue', '')}"
    return _joined(output.get("text") or plain)


def _joined(lines: str | list[str] | None) -> str:
    """Lines as nbformat keeps them, a string or a list of strings, as one string."""
    if isinstance(lines, list):
        return "".join(line for line in lines if isinstance(line, str))
    return lines if isinstance(lines, str) else ""
