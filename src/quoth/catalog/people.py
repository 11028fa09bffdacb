"""Who may come in: people with their sessions, and tokens. Of every secret the catalog holds a hash only.

A name is used once, whether by a person or by a token, and small and capital letters are the same in it. None of
this counts as a change of the library (`generation` stays).
"""

from __future__ import annotations

import sqlite3
import unicodedata
from dataclasses import dataclass
from typing import Literal

from quoth.catalog.damage import checked
from quoth.catalog.sqlite import Catalog

Role = Literal["reader", "editor", "owner"]
Scope = Literal["ask", "add", "admin"]
PATIENCE = 500
"""Milliseconds that noting a use waits for another process that writes; after that it is not noted."""


@dataclass(frozen=True, slots=True)
class PersonRow:
    """Somebody with a password, which is hashed."""

    name: str
    role: Role
    password: str
    added: float


@dataclass(frozen=True, slots=True)
class TokenRow:
    """A token; `secret` is the SHA-256 of it."""

    name: str
    scope: Scope
    secret: bytes
    added: float
    expires: float | None
    used: float | None


@dataclass(frozen=True, slots=True)
class SessionRow:
    """Somebody who is logged in; `secret` is the SHA-256 of what the browser holds."""

    secret: bytes
    person: PersonRow
    begun: float
    used: float


def key(name: str) -> str:
    """The form in which two names are the same."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


@checked
def known(catalog: Catalog) -> tuple[int, int]:
    """How many people and how many tokens there are."""
    row = catalog.connection.execute("select (select count(*) from people), (select count(*) from tokens)").fetchone()
    return int(row[0]), int(row[1])


@checked
def people(catalog: Catalog) -> list[PersonRow]:
    """All people, in the order of their names."""
    rows = catalog.connection.execute("select name, role, password, added from people order by key")
    return [PersonRow(*row) for row in rows]


@checked
def person(catalog: Catalog, name: str) -> PersonRow | None:
    """The person of this name."""
    query = "select name, role, password, added from people where key = ?"
    row = catalog.connection.execute(query, [key(name)]).fetchone()
    return PersonRow(*row) if row else None


@checked
def add_person(catalog: Catalog, one: PersonRow) -> bool:
    """Add a person; False where the name is taken.

    The first owner of a library gets the threads of the time when nobody needed a name.
    """
    with catalog.writing(aside=True) as connection:
        if _taken(connection, one.name):
            return False
        if one.role == "owner" and not _owners(connection):
            connection.execute("update threads set person = ? where person = ''", [one.name])
        connection.execute(
            "insert into people values (?, ?, ?, ?, ?)", [key(one.name), one.name, one.role, one.password, one.added]
        )
    return True


@checked
def remove_person(catalog: Catalog, name: str) -> int | None:
    """Take a person out with sessions and threads; how many threads went, None where there is no such person."""
    with catalog.writing(aside=True) as connection:
        row = connection.execute("delete from people where key = ? returning name", [key(name)]).fetchone()
        if row is None:
            return None
        return connection.execute("delete from threads where person = ?", [row[0]]).rowcount


@checked
def set_role(catalog: Catalog, name: str, role: Role) -> bool:
    """Give a person another role; whether there is one of this name."""
    with catalog.writing(aside=True) as connection:
        return connection.execute("update people set role = ? where key = ?", [role, key(name)]).rowcount > 0


@checked
def set_password(catalog: Catalog, name: str, password: str, *, stay: bool = False) -> bool:
    """Give a person another password, which ends their sessions unless they `stay`; whether there is one."""
    with catalog.writing(aside=True) as connection:
        changed = connection.execute("update people set password = ? where key = ?", [password, key(name)])
        if not stay:
            connection.execute("delete from sessions where person = ?", [key(name)])
        return changed.rowcount > 0


@checked
def owners(catalog: Catalog) -> list[str]:
    """The names of all owners."""
    return _owners(catalog.connection)


# -- sessions --------------------------------------------------------------------------------------


@checked
def begin_session(catalog: Catalog, new: SessionRow, idle: float, longest: float) -> bool:
    """Let a person in, unless they went or changed their password meanwhile; False then.

    Sessions that were not used for `idle` seconds, or are `longest` old, are cleared away.
    """
    person, now = new.person, new.begun
    with catalog.writing(aside=True) as connection:
        connection.execute("delete from sessions where used <= ? or begun <= ?", [now - idle, now - longest])
        added = connection.execute(
            "insert into sessions select ?, key, ?, ? from people where key = ? and password = ?",
            [new.secret, now, now, key(person.name), person.password],
        )
        return added.rowcount > 0


@checked
def session(catalog: Catalog, secret: bytes) -> SessionRow | None:
    """The session of this secret."""
    row = catalog.connection.execute(
        "select s.secret, s.begun, s.used, p.name, p.role, p.password, p.added from sessions s"
        " join people p on p.key = s.person where s.secret = ?",
        [secret],
    ).fetchone()
    return SessionRow(row[0], PersonRow(*row[3:]), row[1], row[2]) if row else None


@checked
def end_session(catalog: Catalog, secret: bytes) -> bool:
    """Let nobody in by this secret any more; whether somebody was."""
    with catalog.writing(aside=True) as connection:
        return connection.execute("delete from sessions where secret = ?", [secret]).rowcount > 0


@checked
def end_sessions(catalog: Catalog) -> None:
    """Log everybody out."""
    with catalog.writing(aside=True) as connection:
        connection.execute("delete from sessions")


def session_used(catalog: Catalog, secret: bytes, now: float) -> None:
    """Note that a session was used, unless another process writes just now."""
    _note(catalog, "update sessions set used = ? where secret = ?", now, secret)


# -- tokens ----------------------------------------------------------------------------------------


@checked
def tokens(catalog: Catalog) -> list[TokenRow]:
    """All tokens, in the order of their names."""
    rows = catalog.connection.execute("select name, scope, secret, added, expires, used from tokens order by key")
    return [TokenRow(*row) for row in rows]


@checked
def add_token(catalog: Catalog, one: TokenRow) -> bool:
    """Add a token; False where the name is taken."""
    with catalog.writing(aside=True) as connection:
        if _taken(connection, one.name):
            return False
        connection.execute(
            "insert into tokens values (?, ?, ?, ?, ?, ?, ?)",
            [key(one.name), one.name, one.scope, one.secret, one.added, one.expires, one.used],
        )
    return True


@checked
def remove_token(catalog: Catalog, name: str) -> bool:
    """Take a token out with its threads, which the next of this name would have; whether there was one."""
    with catalog.writing(aside=True) as connection:
        row = connection.execute("delete from tokens where key = ? returning name", [key(name)]).fetchone()
        if row is not None:
            connection.execute("delete from threads where person = ?", [row[0]])
        return row is not None


def token_used(catalog: Catalog, secret: bytes, now: float) -> None:
    """Note that a token was used, unless another process writes just now."""
    _note(catalog, "update tokens set used = ? where secret = ?", now, secret)


def _taken(connection: sqlite3.Connection, name: str) -> bool:
    query = "select 1 from people where key = ?1 union all select 1 from tokens where key = ?1"
    return connection.execute(query, [key(name)]).fetchone() is not None


def _owners(connection: sqlite3.Connection) -> list[str]:
    return [name for (name,) in connection.execute("select name from people where role = 'owner' order by key")]


def _note(catalog: Catalog, query: str, now: float, secret: bytes) -> None:
    """Write something that is not worth waiting for."""
    if catalog.readonly:
        return
    connection = catalog.connection
    try:
        connection.execute(f"pragma busy_timeout = {PATIENCE}")
        connection.execute(query, [now, secret])
    except (sqlite3.OperationalError, OSError):
        return
    finally:
        connection.execute("pragma busy_timeout = 30000")
