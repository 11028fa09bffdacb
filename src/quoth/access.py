"""Who may do what: tokens for programs, people with a role, their sessions, and a brake on guessing.

A library without tokens and people is its user's alone, and nobody is asked. Of a token and of a session the
catalog keeps the SHA-256 (32 random bytes cannot be guessed), of a password scrypt with a salt of its own.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import re
import secrets
import threading
import time
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from quoth.catalog import people as rows
from quoth.catalog.people import PersonRow, Role, Scope, SessionRow, TokenRow
from quoth.errors import NotFound, Throttled, UsageError
from quoth.library import Library

SCOPES: tuple[Scope, ...] = ("ask", "add", "admin")
"""What one may do, each with all before it: ask and read; add, sync and remove; sources, people and tokens."""
ROLES: dict[Role, Scope] = {"reader": "ask", "editor": "add", "owner": "admin"}
PREFIX = "quoth_"
"""What a token begins with, so that it is recognised wherever it was left."""
DAY = 86_400.0
IDLE, LONGEST = 30 * DAY, 90 * DAY
"""Seconds without use after which a session ends, and after which it ends in any case."""
MINUTE = 60.0
"""Seconds in which a use is noted once."""
SHORTEST_PASSWORD, LONGEST_PASSWORD = 10, 1_024
NAME = re.compile(r"\w[\w .@+-]{0,63}")
COST, BLOCK, PARALLEL = 15, 8, 3
"""scrypt: 2^15 rounds over 8 blocks, three times, in 32 MiB; what a password was hashed with stands beside it."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Whoever asks: a name ("" where nobody needs one), what they may do, and how that is known."""

    name: str
    scope: Scope
    via: Literal["token", "session", "loopback"]

    def may(self, scope: Scope) -> bool:
        """Whether that is within their scope."""
        return SCOPES.index(self.scope) >= SCOPES.index(scope)


@dataclass(frozen=True, slots=True)
class Token:
    """What is known of a token; `used` is right to the minute."""

    name: str
    scope: Scope
    added: float
    expires: float | None = None
    used: float | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who may log in."""

    name: str
    role: Role
    added: float


def needed(library: Library) -> bool:
    """Whether the library has a token or a person, so that everybody must say who they are."""
    return any(rows.known(library._parts.catalog))


# -- tokens ----------------------------------------------------------------------------------------


def new_token(library: Library, name: str, scope: Scope, days: float | None = None) -> tuple[Token, str]:
    """A new token and its secret, which is shown now and never again. With `days` it expires."""
    name, now = _name(name), time.time()
    if scope not in SCOPES:
        raise UsageError(f"{scope!r} is no scope", f"one of: {', '.join(SCOPES)}")
    if days is not None and not 0 < days < 100_000:
        raise UsageError(f"a token cannot be good for {days:g} days", "leave the days out for one that does not expire")
    secret = PREFIX + secrets.token_urlsafe(32)
    made = Token(name, scope, now, now + days * DAY if days is not None else None)
    row = TokenRow(name, scope, _digest(secret), now, made.expires, None)
    if not rows.add_token(library._parts.catalog, row):
        raise _taken(name)
    return made, secret


def tokens(library: Library) -> list[Token]:
    """All tokens, also expired ones, without their secrets."""
    return [_token(one) for one in rows.tokens(library._parts.catalog)]


def revoke(library: Library, name: str) -> None:
    """Let nobody in by this token any more; its threads go with it."""
    if not rows.remove_token(library._parts.catalog, name):
        raise NotFound(f"there is no token {name}", "quoth token list")


def check_token(library: Library, secret: str, now: float | None = None) -> Visitor | None:
    """Whoever holds this token, None where there is no such or it has expired."""
    catalog, now = library._parts.catalog, time.time() if now is None else now
    if not secret.startswith(PREFIX) or len(secret) > 100:
        return None
    digest, found = _digest(secret), None
    for one in rows.tokens(catalog):  # all of them, whichever it is
        if hmac.compare_digest(one.secret, digest):
            found = one
    if found is None or (found.expires is not None and found.expires <= now):
        return None
    if found.used is None or now - found.used >= MINUTE:
        rows.token_used(catalog, found.secret, now)
    return Visitor(found.name, found.scope, "token")


# -- people ----------------------------------------------------------------------------------------


def add_person(library: Library, name: str, role: Role, password: str) -> Person:
    """Let somebody log in. The first owner gets the threads that had nobody's name."""
    name, now = _name(name), time.time()
    _check_role(role)
    row = PersonRow(name, role, _hashed(_password(password, name)), now)
    if not rows.add_person(library._parts.catalog, row):
        raise _taken(name)
    return Person(name, role, now)


def people(library: Library) -> list[Person]:
    """All who may log in."""
    return [Person(one.name, one.role, one.added) for one in rows.people(library._parts.catalog)]


def remove_person(library: Library, name: str) -> int:
    """Take a person out with their sessions and threads; how many threads went."""
    _keep_an_owner(library, name, leaving=True)
    gone = rows.remove_person(library._parts.catalog, name)
    if gone is None:
        raise _nobody(name)
    return gone


def set_role(library: Library, name: str, role: Role) -> Person:
    """Give a person another role, from their next request on."""
    _check_role(role)
    if role != "owner":
        _keep_an_owner(library, name, leaving=False)
    rows.set_role(library._parts.catalog, name, role)
    found = rows.person(library._parts.catalog, name)
    if found is None:
        raise _nobody(name)
    return Person(found.name, found.role, found.added)


def set_password(library: Library, name: str, password: str) -> None:
    """Give a person another password; wherever they are logged in they are logged out."""
    found = rows.person(library._parts.catalog, name)
    if found is None:
        raise _nobody(name)
    rows.set_password(library._parts.catalog, name, _hashed(_password(password, found.name)))


# -- sessions --------------------------------------------------------------------------------------


def login(library: Library, name: str, password: str, now: float | None = None) -> str | None:
    """The secret of a new session, None where name or password are wrong; both take the same time."""
    catalog, now = library._parts.catalog, time.time() if now is None else now
    found = rows.person(catalog, name[:LONGEST_PASSWORD])
    kept = found.password if found else _encoded(COST, BLOCK, PARALLEL, bytes(16), bytes(32))
    right = _matches(kept, _normal(password[:LONGEST_PASSWORD]))
    if found is None or not right:
        return None
    if not kept.startswith(_encoded(COST, BLOCK, PARALLEL) + "$"):
        kept = _hashed(_normal(password))
        rows.set_password(catalog, found.name, kept, stay=True)
    secret = secrets.token_urlsafe(32)
    begun = rows.begin_session(
        catalog, SessionRow(_digest(secret), replace(found, password=kept), now, now), IDLE, LONGEST
    )
    return secret if begun else None


def check_session(library: Library, secret: str, now: float | None = None) -> Visitor | None:
    """Whoever is logged in with this secret, with the role that they have now; None where that is over."""
    catalog, now = library._parts.catalog, time.time() if now is None else now
    digest = _digest(secret)
    found = rows.session(catalog, digest)
    if found is None or not hmac.compare_digest(found.secret, digest):
        return None
    if now - found.used >= IDLE or now - found.begun >= LONGEST:
        return None
    if now - found.used >= MINUTE:
        rows.session_used(catalog, digest, now)
    return Visitor(found.person.name, ROLES[found.person.role], "session")


def logout(library: Library, secret: str) -> bool:
    """End a session; whether there was one."""
    return rows.end_session(library._parts.catalog, _digest(secret))


# -- guessing --------------------------------------------------------------------------------------


class Attempts:
    """Counts attempts to log in by name and by address, and lets them wait: 1, 2, 4 … seconds once the free ones
    are spent. An attempt counts from its beginning, so that many at once are many. It is kept in memory.

    A name waits a minute at most, so that nobody can be locked out by others; an address a quarter of an hour.
    """

    FREE_BY_NAME, FREE_BY_ADDRESS = 5, 20
    MOST_BY_NAME, MOST_BY_ADDRESS = 60, 900
    FORGOTTEN = 3_600.0
    """Seconds without an attempt after which the count begins anew."""
    KEPT = 10_000
    """Names and addresses that are remembered; those without a recent attempt go first."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._counts: dict[tuple[str, str], tuple[int, float]] = {}

    def begin(self, name: str, address: str) -> None:
        """Count an attempt. Raises `Throttled` when it comes too soon; that one does not count."""
        now = self._clock()
        with self._lock:
            wait = max(self._wait(key, free, most, now) for key, free, most in self._limits(name, address))
            if wait > 0:
                seconds = max(1, int(wait + 0.999))
                hint = f"wait {seconds:,} second{'s' if seconds > 1 else ''}, then try again"
                raise Throttled("there were too many wrong passwords", hint, seconds)
            for key, *_ in self._limits(name, address):
                count, _ = self._counts.pop(key, (0, now))
                self._counts[key] = count + 1, now  # at the end: the oldest come first
            while len(self._counts) > self.KEPT:
                del self._counts[next(iter(self._counts))]

    def succeeded(self, name: str, address: str) -> None:
        """Forget the attempts by this name; the address has one less, for others may guess from it."""
        with self._lock:
            by_name, by_address = (key for key, *_ in self._limits(name, address))
            self._counts.pop(by_name, None)
            count, at = self._counts.get(by_address, (0, 0.0))
            if count:
                self._counts[by_address] = count - 1, at

    def _wait(self, key: tuple[str, str], free: int, most: int, now: float) -> float:
        count, last = self._counts.get(key, (0, now))
        if now - last >= self.FORGOTTEN:
            del self._counts[key]
            return 0.0
        return last + min(most, 2 ** min(count - free, 20)) - now if count >= free else 0.0

    def _limits(self, name: str, address: str) -> tuple[tuple[tuple[str, str], int, int], ...]:
        return (
            (("name", rows.key(name[:100])), self.FREE_BY_NAME, self.MOST_BY_NAME),
            (("address", _network(address)), self.FREE_BY_ADDRESS, self.MOST_BY_ADDRESS),
        )


# -- inside ----------------------------------------------------------------------------------------


def _token(row: TokenRow) -> Token:
    return Token(row.name, row.scope, row.added, row.expires, row.used)


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def _name(name: str) -> str:
    """A name as it is kept."""
    name = unicodedata.normalize("NFC", name).strip()
    if not NAME.fullmatch(name):
        hint = "up to 64 letters and digits, and between them space . @ + - _"
        raise UsageError(f"{name[:80]!r} cannot be a name", hint)
    return name


def _normal(password: str) -> bytes:
    return unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")


def _password(password: str, name: str) -> bytes:
    """A password as it is hashed."""
    if len(password) < SHORTEST_PASSWORD:
        raise UsageError(f"the password has fewer than {SHORTEST_PASSWORD} characters", "take a few words")
    if len(password) > LONGEST_PASSWORD:
        raise UsageError(f"the password has more than {LONGEST_PASSWORD:,} characters", "take a few words")
    if rows.key(password).strip() == rows.key(name) or len(set(password)) < 4:
        raise UsageError("this password is guessed at once", "take a few words that do not belong together")
    return _normal(password)


def _hashed(password: bytes) -> str:
    salt = secrets.token_bytes(16)
    return _encoded(COST, BLOCK, PARALLEL, salt, _scrypt(password, salt, COST, BLOCK, PARALLEL))


def _scrypt(password: bytes, salt: bytes, cost: int, block: int, parallel: int) -> bytes:
    room = 128 * block * (2**cost + parallel + 2)
    return hashlib.scrypt(password, salt=salt, n=2**cost, r=block, p=parallel, maxmem=2 * room, dklen=32)


def _encoded(cost: int, block: int, parallel: int, *values: bytes) -> str:
    return "$".join(["scrypt", f"{cost},{block},{parallel}", *(base64.b64encode(one).decode() for one in values)])


def _matches(kept: str, password: bytes) -> bool:
    _, numbers, salt, hashed = kept.split("$")
    cost, block, parallel = map(int, numbers.split(","))
    return hmac.compare_digest(
        _scrypt(password, base64.b64decode(salt), cost, block, parallel), base64.b64decode(hashed)
    )


def _network(address: str) -> str:
    """What one holder of addresses has: one of IPv4, 2^64 of IPv6."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address[:100]
    if isinstance(found, ipaddress.IPv6Address) and not found.ipv4_mapped:
        return str(ipaddress.IPv6Network((int(found) >> 64 << 64, 64)))
    return str(getattr(found, "ipv4_mapped", None) or found)


def _check_role(role: str) -> None:
    if role not in ROLES:
        raise UsageError(f"{role!r} is no role", f"one of: {', '.join(ROLES)}")


def _keep_an_owner(library: Library, name: str, *, leaving: bool) -> None:
    """Raise `UsageError` where others would be left without an owner."""
    catalog = library._parts.catalog
    found = rows.person(catalog, name)
    others = len(rows.people(catalog)) - 1
    if found and rows.owners(catalog) == [found.name] and (others or not leaving):
        raise UsageError(
            f"{found.name} is the only owner", "make somebody else one first: quoth people role NAME owner"
        )


def _taken(name: str) -> UsageError:
    return UsageError(f"there is a person or a token called {name} already", "quoth people list; quoth token list")


def _nobody(name: str) -> NotFound:
    return NotFound(f"there is nobody called {name}", "quoth people list")
