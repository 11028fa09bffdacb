"""Conversations: threads of messages, each a question and the answer that was given.

They do not count as changes of the library (`generation` stays). A thread belongs to a name, "" where nobody
has one; `person=None` means anybody's.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from quoth.catalog.damage import checked
from quoth.catalog.sqlite import Catalog

FIELDS = ("document", "path")
"""Under these names a record names documents."""
LONGEST = 1_000
"""Characters of a path that is recognised in a sentence."""
FILE = re.compile(r"\w\.\w{1,8}\b")
"""What the name of a file looks like in a sentence."""
BOUNDARY = re.compile(r"(?!\w|[.-]\w)")
"""Where a path in a sentence may end."""


@dataclass(frozen=True, slots=True)
class ThreadRow:
    """A thread; `title` is "" until somebody gives it one, `first` its first question ("" without any)."""

    id: int
    person: str
    title: str
    first: str
    created: float
    changed: float
    messages: int


@dataclass(frozen=True, slots=True)
class Message:
    """A question, as it was put and as it was searched, and the answer as the record that it was shown as."""

    id: int
    at: float
    question: str
    asked: str
    answer: dict[str, object]


@checked
def every(catalog: Catalog, person: str | None = None, thread: int | None = None) -> list[ThreadRow]:
    """The threads of a person, or of all, or one of them; those that were last used first."""
    rows = catalog.connection.execute(
        "select t.id, t.person, t.title, ifnull((select question from messages where thread = t.id order by id limit 1)"
        ", ''), t.created, t.changed, (select count(*) from messages where thread = t.id) from threads t"
        " where (?1 is null or t.person = ?1) and (?2 is null or t.id = ?2) order by t.changed desc, t.id desc",
        [person, thread],
    )
    return [ThreadRow(*row) for row in rows]


@checked
def create(catalog: Catalog, person: str, title: str) -> int:
    """The number of a new thread."""
    now = time.time()
    with catalog.writing(aside=True) as connection:
        row = connection.execute(
            "insert into threads (person, title, created, changed) values (?, ?, ?, ?) returning id",
            [person, title, now, now],
        ).fetchone()
    return int(row[0])


@checked
def append(
    catalog: Catalog, thread: int, question: str, asked: str, record: Mapping[str, object], person: str | None
) -> Message | None:
    """The message as it was written to a thread, and nothing where this person has no such thread."""
    now, words = time.time(), json.dumps(record)  # a path may hold what no UTF-8 can
    with catalog.writing(aside=True) as connection:
        changed = connection.execute(
            "update threads set changed = ? where id = ? and (?3 is null or person = ?3)", [now, thread, person]
        )
        if not changed.rowcount:
            return None
        row = connection.execute(
            "insert into messages (thread, at, question, asked, record) values (?, ?, ?, ?, ?) returning id",
            [thread, now, question, asked, words],
        ).fetchone()
        connection.executemany(
            "insert into message_documents (message, path) values (?, ?)",
            [(row[0], path) for path in sorted(_named(catalog, record, question, asked))],
        )
    return Message(int(row[0]), now, question, asked, json.loads(words))


@checked
def messages(catalog: Catalog, thread: int) -> list[Message]:
    """The messages of a thread, in order."""
    rows = catalog.connection.execute(
        "select id, at, question, asked, record from messages where thread = ? order by id", [thread]
    )
    return [Message(id_, at, question, asked, json.loads(record)) for id_, at, question, asked, record in rows]


@checked
def rename(catalog: Catalog, thread: int, title: str, person: str | None) -> bool:
    """Give a thread a title ("" lets its first question be one again); whether this person has it."""
    query = "update threads set title = ? where id = ? and (?3 is null or person = ?3)"
    with catalog.writing(aside=True) as connection:
        return connection.execute(query, [title, thread, person]).rowcount > 0


@checked
def delete(catalog: Catalog, thread: int, person: str | None) -> bool:
    """Take a thread out with its messages; whether this person had it."""
    query = "delete from threads where id = ?1 and (?2 is null or person = ?2)"
    with catalog.writing(aside=True) as connection:
        return connection.execute(query, [thread, person]).rowcount > 0


@checked
def give(catalog: Catalog, person: str, to: str) -> int:
    """Let the threads of one name be another's; how many there were."""
    with catalog.writing(aside=True) as connection:
        return connection.execute("update threads set person = ? where person = ?", [to, person]).rowcount


@checked
def forget(catalog: Catalog, paths: Sequence[str]) -> int:
    """Take out every message that names one of these paths, or what lies below one; how many went.

    A thread that has none left goes too, and a title that names one of them. The pages are not rewritten yet.
    """
    wanted = frozenset(paths)
    longest = max(map(len, wanted), default=0)

    def names(texts: Iterable[str]) -> bool:
        return any(one in wanted for text in texts for one in _candidates(text, longest))

    with catalog.writing(aside=True) as connection:
        held: dict[int, list[str]] = {}
        for message, path in connection.execute("select message, path from message_documents"):
            held.setdefault(message, []).append(os.fsdecode(path))
        gone, emptied = set[int](), set[int]()
        for message, thread, question, asked, record in connection.execute(
            "select id, thread, question, asked, record from messages"
        ):
            fields, said = _said(json.loads(record))
            if names([*held.get(message, ()), *fields, question, asked, said]):
                gone.add(message)
                emptied.add(thread)
        connection.executemany("delete from messages where id = ?", [(message,) for message in gone])
        connection.executemany(
            "delete from threads where id = ?1 and not exists (select 1 from messages where thread = ?1)",
            [(thread,) for thread in emptied],
        )
        titles = connection.execute("select id, title from threads where title <> ''").fetchall()
        connection.executemany(
            "update threads set title = '' where id = ?", [(thread,) for thread, title in titles if names([title])]
        )
    return len(gone)


def _named(catalog: Catalog, record: Mapping[str, object], *texts: str) -> set[bytes]:
    """The paths of all documents that a record names, and of those that it or these texts mention."""
    fields, said = _said(record)
    found = {os.fsencode(one) for one in fields}
    mentioned = {_encoded(one) for text in (said, *texts) for one in _candidates(text, LONGEST)}
    for path in mentioned - found:
        if catalog.connection.execute("select 1 from documents where path = ? limit 1", [path]).fetchone():
            found.add(path)
    if FILE.search(said):  # a list of documents names them without their folders
        found |= {os.fsencode(path) for path in catalog.paths() if _holds(said, path.rpartition(os.sep)[2])}
    return found


def _holds(text: str, name: str) -> bool:
    """Whether the name of a file stands in a text, and not as a part of a longer one."""
    at = text.find(name) if "." in name else -1
    return at >= 0 and re.search(rf"(?<![\w.-]){re.escape(name)}{BOUNDARY.pattern}", text[max(0, at - 1) :]) is not None


def _said(record: Mapping[str, object]) -> tuple[set[str], str]:
    """The paths in the fields of a record, and its sentences without what they quote: that is the documents' own."""
    fields, quoted, texts = set[str](), set[str](), set[str]()
    kinds = {"path": fields, "quoted": quoted, "text": texts}
    for kind, value in _strings("", record):
        kinds[kind].add(value)
    said = "\n".join(texts)
    for words in quoted:
        said = said.replace(words, "")
    return fields, said


def _strings(key: str, value: object, quoted: bool = False) -> Iterator[tuple[str, str]]:
    """("path", "quoted" or "text", string) of every string in a record."""
    if isinstance(value, str):
        yield "path" if key in FIELDS else "quoted" if quoted else "text", value
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _strings(str(name), inner, quoted or "document" in value)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _strings(key, inner, quoted)


def _candidates(text: str, longest: int) -> Iterator[str]:
    """Whatever in a text may be a path of at most so many characters."""
    for start in (match.start() for match in re.finditer(re.escape(os.sep), text)):
        stretch = text[start : start + longest + 2]
        for end in BOUNDARY.finditer(stretch[: longest + 2]):
            if 1 < end.start() <= longest:
                yield stretch[: end.start()]


def _encoded(path: str) -> bytes:
    """The bytes of a path, or none for what can be no path."""
    try:
        return os.fsencode(path)
    except UnicodeEncodeError:
        return b""
