"""Documents in numbers and by number, for questions about all of them: nothing here reads a text."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from quoth.catalog import narrow
from quoth.catalog.damage import checked
from quoth.catalog.sqlite import Catalog
from quoth.types import Filters

if TYPE_CHECKING:
    from quoth.types import Ids


@dataclass(frozen=True, slots=True)
class Entry:
    """A document in a list; `first` is its first passage, 0 without any, and `modified` POSIX seconds."""

    id: int
    path: str
    kind: str
    title: str
    modified: float
    first: int


@checked
def newest(catalog: Catalog, filters: Filters) -> Ids:
    """The numbers of the documents that folders, kinds and days leave, the newest first."""
    import numpy as np

    clause, values = narrow.where(filters)
    query = f"select group_concat(id, ' ') from (select d.id from documents d {clause} order by d.modified desc, d.id)"
    text = catalog.connection.execute(query, values).fetchone()[0]
    return np.array([], np.int64) if text is None else np.fromstring(str(text), dtype=np.int64, sep=" ")


@checked
def entries(catalog: Catalog, documents: Sequence[int]) -> list[Entry]:
    """The documents of these numbers, in this order."""
    rows = catalog.connection.execute(
        "select d.id, d.path, d.kind, d.title, d.modified, ifnull(d.first, 0) from json_each(?) j"
        " join documents d on d.id = j.value order by j.key",
        [json.dumps(list(documents))],
    )
    return [Entry(number, os.fsdecode(path), *others) for number, path, *others in rows]


@checked
def owners(catalog: Catalog, passages: Ids) -> Ids:
    """The document of each of these passages, which are sorted and all there."""
    import numpy as np

    found: list[int] = []
    for first in range(0, len(passages), 100_000):
        rows = catalog.connection.execute(
            "select p.document from json_each(?) j join passages p on p.id = j.value order by p.id",
            [json.dumps(passages[first : first + 100_000].tolist())],
        )
        found += [row[0] for row in rows]
    return np.array(found, np.int64)


@checked
def kinds(catalog: Catalog, documents: Ids) -> dict[str, int]:
    """How many of these documents are of each kind, most frequent first."""
    query = (
        "select d.kind, count(*) n from json_each(?) j join documents d on d.id = j.value"
        " group by d.kind order by n desc, d.kind"
    )
    return dict(catalog.connection.execute(query, [json.dumps(documents.tolist())]))


@checked
def files(catalog: Catalog, documents: Ids) -> int:
    """From how many files these documents were read."""
    query = "select count(distinct d.file) from json_each(?) j join documents d on d.id = j.value"
    return int(catalog.connection.execute(query, [json.dumps(documents.tolist())]).fetchone()[0])


def names(catalog: Catalog, documents: Ids) -> Iterator[tuple[int, str]]:
    """The number and the file's name of each of these documents."""
    for first in range(0, len(documents), 10_000):
        for one in entries(catalog, documents[first : first + 10_000].tolist()):
            yield one.id, one.path.rpartition(os.sep)[2]
