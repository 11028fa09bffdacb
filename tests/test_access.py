"""Tokens, people, sessions and the brake on guessing: what is let in, what is not, and what is kept of it."""

from __future__ import annotations

import base64
import sqlite3
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from quoth import Library, access, threads
from quoth.access import DAY, Attempts, Visitor
from quoth.errors import NotFound, ReadOnly, Throttled, UsageError

WORDS = "correct horse battery"
OTHER = "another battery of horses"


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library.open(tmp_path / "library") as opened:
        yield opened


def bytes_of(library: Library) -> bytes:
    return b"".join(path.read_bytes() for path in library._parts.folder.rglob("*") if path.is_file())


def row(library: Library, query: str, *values: object) -> tuple[object, ...]:
    found = library._parts.catalog.connection.execute(query, values).fetchone()
    assert isinstance(found, tuple)
    return found


# -- tokens ----------------------------------------------------------------------------------------


def test_a_token_lets_in_with_its_scope_and_only_its_hash_is_kept(library: Library) -> None:
    assert not access.needed(library)
    made, secret = access.new_token(library, "ci", "add")
    assert access.needed(library)
    assert secret.startswith("quoth_")
    assert len(base64.urlsafe_b64decode(secret.removeprefix("quoth_") + "=")) == 32
    assert access.check_token(library, secret) == Visitor("ci", "add", "token")
    assert secret.encode() not in bytes_of(library)
    assert secret.removeprefix("quoth_").encode() not in bytes_of(library)
    assert [(one.name, one.scope, one.added) for one in access.tokens(library)] == [("ci", "add", made.added)]


@pytest.mark.parametrize(
    "wrong", ["", "quoth_", "quoth_x", "QUOTH_", "Bearer", "\ud800", "quoth_\ud800", "quoth_" + "x" * 1_000_000]
)
def test_what_is_no_token_lets_nobody_in(library: Library, wrong: str) -> None:
    _, secret = access.new_token(library, "ci", "ask")
    assert access.check_token(library, wrong) is None
    assert access.check_token(library, secret[:-1]) is None
    assert access.check_token(library, secret.removeprefix("quoth_")) is None


def test_a_revoked_token_lets_nobody_in_and_its_name_is_free(library: Library) -> None:
    _, secret = access.new_token(library, "ci", "ask")
    _, kept = access.new_token(library, "other", "admin")
    access.revoke(library, "CI")
    assert access.check_token(library, secret) is None
    assert access.check_token(library, kept) == Visitor("other", "admin", "token")
    _, again = access.new_token(library, "ci", "ask")
    assert again != secret
    assert access.check_token(library, secret) is None
    with pytest.raises(NotFound, match="there is no token phone"):
        access.revoke(library, "phone")


def test_a_token_expires(library: Library) -> None:
    made, secret = access.new_token(library, "guest", "ask", days=7)
    assert made.expires == made.added + 7 * DAY
    assert access.check_token(library, secret, made.added + 7 * DAY - 1) is not None
    assert access.check_token(library, secret, made.added + 7 * DAY) is None
    assert [one.name for one in access.tokens(library)] == ["guest"]
    for days in (0, -1, float("nan"), 1e9):
        with pytest.raises(UsageError, match="cannot be good for"):
            access.new_token(library, "odd", "ask", days)


def test_the_last_use_of_a_token_is_written_once_a_minute(library: Library) -> None:
    made, secret = access.new_token(library, "ci", "ask")
    for now, used in ((10.0, 10.0), (69.0, 10.0), (70.0, 70.0)):
        access.check_token(library, secret, made.added + now)
        assert access.tokens(library)[0].used == made.added + used


def test_a_token_is_good_while_another_process_writes(library: Library) -> None:
    """The use is not noted then, and nobody waits for it."""
    _, secret = access.new_token(library, "ci", "ask")
    with closing(sqlite3.connect(library._parts.catalog.path)) as other:
        other.execute("begin immediate")
        assert access.check_token(library, secret) == Visitor("ci", "ask", "token")
        assert access.tokens(library)[0].used is None
        other.execute("rollback")
    access.check_token(library, secret)
    assert access.tokens(library)[0].used is not None


@pytest.mark.parametrize("name", ["", " ", "a/b", "-x", "a\nb", "a\0", "x" * 65, "<b>", "a'b", "‮abc"])
def test_what_cannot_be_a_name_is_refused(library: Library, name: str) -> None:
    with pytest.raises(UsageError, match="cannot be a name"):
        access.new_token(library, name, "ask")
    with pytest.raises(UsageError, match="cannot be a name"):
        access.add_person(library, name, "reader", WORDS)


def test_a_name_is_used_once(library: Library) -> None:
    """Otherwise a token would see the threads of a person who is called the same."""
    access.add_person(library, "Zoë", "reader", WORDS)
    for same in ("Zoë", "zoë", "ZOE\u0308", "  Zoë "):
        with pytest.raises(UsageError, match="there is a person or a token called"):
            access.new_token(library, same, "admin")
        with pytest.raises(UsageError, match="there is a person or a token called"):
            access.add_person(library, same, "owner", WORDS)
    access.new_token(library, "phone of Zoë", "ask")
    assert [one.name for one in access.tokens(library)] == ["phone of Zoë"]


def test_scopes_hold_those_before_them() -> None:
    may = {scope: [one for one in access.SCOPES if Visitor("", scope, "token").may(one)] for scope in access.SCOPES}
    assert may == {"ask": ["ask"], "add": ["ask", "add"], "admin": ["ask", "add", "admin"]}


# -- people and sessions ---------------------------------------------------------------------------


def test_a_person_logs_in_and_out(library: Library) -> None:
    access.add_person(library, "Ada", "editor", WORDS)
    secret = access.login(library, "ADA", WORDS)
    assert secret is not None
    assert access.check_session(library, secret) == Visitor("Ada", "add", "session")
    assert access.check_session(library, secret + "x") is None
    assert access.check_session(library, "") is None
    assert access.check_token(library, secret) is None
    assert secret.encode() not in bytes_of(library)
    assert access.logout(library, secret)
    assert access.check_session(library, secret) is None
    assert not access.logout(library, secret)


@pytest.mark.parametrize(
    ("name", "password"), [("Ada", WORDS + " "), ("Ada", ""), ("Bob", WORDS), ("", ""), ("Ada", "\ud800" * 9)]
)
def test_a_wrong_name_or_password_lets_nobody_in(library: Library, name: str, password: str) -> None:
    access.add_person(library, "Ada", "owner", WORDS)
    assert access.login(library, name, password) is None
    assert row(library, "select count(*) from sessions") == (0,)


def test_an_unknown_name_is_hashed_for_as_long_as_a_known_one(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    access.add_person(library, "Ada", "owner", WORDS)
    hashed: list[tuple[int, int, int]] = []
    scrypt = access._scrypt

    def counted(password: bytes, salt: bytes, cost: int, block: int, parallel: int) -> bytes:
        hashed.append((cost, block, parallel))
        return scrypt(password, salt, cost, block, parallel)

    monkeypatch.setattr(access, "_scrypt", counted)
    access.login(library, "Ada", "a wrong password")
    access.login(library, "Bob", "a wrong password")
    assert hashed == [(access.COST, access.BLOCK, access.PARALLEL)] * 2


def test_a_password_is_hashed_as_another_library_hashes_it(library: Library) -> None:
    access.add_person(library, "Ada", "owner", "naïve ﬁne Ångström")
    (kept,) = row(library, "select password from people")
    name, numbers, salt, hashed = str(kept).split("$")
    cost, block, parallel = map(int, numbers.split(","))
    other = Scrypt(base64.b64decode(salt), length=32, n=2**cost, r=block, p=parallel)
    assert name == "scrypt"
    assert other.derive("naïve fine Ångström".encode()) == base64.b64decode(hashed)
    assert access.login(library, "Ada", "nai\u0308ve fine A\u030angstro\u0308m") is not None


def test_the_same_password_has_another_hash_for_everybody(library: Library) -> None:
    access.add_person(library, "Ada", "owner", WORDS)
    access.add_person(library, "Bob", "reader", WORDS)
    hashes = library._parts.catalog.connection.execute("select password from people").fetchall()
    assert len({one for (one,) in hashes}) == 2
    assert WORDS.encode() not in bytes_of(library)


def test_a_password_of_lighter_days_is_hashed_anew_at_login(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "COST", 10)
    access.add_person(library, "Ada", "owner", WORDS)
    before = access.login(library, "Ada", WORDS)
    monkeypatch.undo()
    after = access.login(library, "Ada", WORDS)
    assert str(row(library, "select password from people")[0]).startswith("scrypt$15,8,3$")
    assert before and access.check_session(library, before)
    assert after and access.check_session(library, after)


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("short", "fewer than 10"), ("x" * 1_025, "more than 1,024"), ("aaaaaaaaaaaa", "guessed at once"),
        ("Ada Lovelace", "guessed at once"),
    ],
)  # fmt: skip
def test_a_password_that_is_none_is_refused(library: Library, password: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        access.add_person(library, "Ada Lovelace", "owner", password)
    assert access.people(library) == []


def test_a_session_ends_after_a_month_without_use_and_after_a_quarter_in_any_case(library: Library) -> None:
    access.add_person(library, "Ada", "owner", WORDS)
    start = time.time()
    idle = access.login(library, "Ada", WORDS, start)
    used = access.login(library, "Ada", WORDS, start)
    assert idle and used
    for day in range(29, 90, 29):
        assert access.check_session(library, used, start + day * DAY)
    assert access.check_session(library, idle, start + 30 * DAY) is None
    assert access.check_session(library, used, start + 90 * DAY - 1)
    assert access.check_session(library, used, start + 90 * DAY) is None
    # the next login clears both away
    access.login(library, "Ada", WORDS, start + 91 * DAY)
    assert row(library, "select count(*) from sessions") == (1,)


def test_a_new_password_a_removal_and_a_new_role_count_at_once(library: Library) -> None:
    access.add_person(library, "Ada", "owner", WORDS)
    access.add_person(library, "Bob", "owner", WORDS)
    ada, bob = access.login(library, "Ada", WORDS), access.login(library, "Bob", WORDS)
    assert ada and bob
    access.set_role(library, "bob", "reader")
    assert access.check_session(library, bob) == Visitor("Bob", "ask", "session")
    access.set_password(library, "Bob", OTHER)
    assert access.check_session(library, bob) is None
    assert access.login(library, "Bob", WORDS) is None
    bob = access.login(library, "Bob", OTHER)
    assert bob and access.check_session(library, bob)
    access.remove_person(library, "BOB")
    assert access.check_session(library, bob) is None
    assert access.login(library, "Bob", OTHER) is None
    assert access.check_session(library, ada) == Visitor("Ada", "admin", "session")


def test_the_last_owner_stays_while_there_are_others(library: Library) -> None:
    access.add_person(library, "Ada", "owner", WORDS)
    access.add_person(library, "Bob", "reader", WORDS)
    with pytest.raises(UsageError, match="Ada is the only owner"):
        access.remove_person(library, "ada")
    with pytest.raises(UsageError, match="Ada is the only owner"):
        access.set_role(library, "ada", "editor")
    access.remove_person(library, "Bob")
    access.remove_person(library, "Ada")
    assert not access.needed(library)


def test_threads_go_with_whoever_has_them(library: Library) -> None:
    before = threads.create(library, title="before anybody had a name")
    access.add_person(library, "Bob", "reader", WORDS)
    assert threads.every(library, "Bob") == []
    access.add_person(library, "Ada", "owner", WORDS)
    assert [one.id for one in threads.every(library, "Ada")] == [before.id]
    threads.create(library, "Bob", "his own")
    assert access.remove_person(library, "bob") == 1
    assert [one.person for one in threads.every(library)] == ["Ada"]


def test_the_threads_of_a_token_are_not_those_of_the_next_one_of_its_name(library: Library) -> None:
    access.new_token(library, "Scanner", "ask")
    threads.create(library, "Scanner", "its own")
    threads.create(library, "other", "another's")
    access.revoke(library, "scanner")
    access.new_token(library, "Scanner", "ask")
    assert [one.person for one in threads.every(library)] == ["other"]


@pytest.mark.parametrize("call", ["remove_person", "set_role", "set_password"])
def test_nobody_is_not_found(library: Library, call: str) -> None:
    values = {"remove_person": (), "set_role": ("owner",), "set_password": (WORDS,)}[call]
    with pytest.raises(NotFound, match="there is nobody called Eve") as caught:
        getattr(access, call)(library, "Eve", *values)
    assert caught.value.hint == "quoth people list"


def test_a_read_only_library_knows_its_tokens_and_lets_nobody_log_in(tmp_path: Path) -> None:
    with Library.open(tmp_path / "library") as library:
        _, secret = access.new_token(library, "ci", "ask")
        access.add_person(library, "Ada", "owner", WORDS)
    from quoth.parts import Parts

    parts = Parts(tmp_path / "library", readonly=True)
    with Library(parts) as library:
        assert access.check_token(library, secret) == Visitor("ci", "ask", "token")
        with pytest.raises(ReadOnly):
            access.login(library, "Ada", WORDS)
        with pytest.raises(ReadOnly):
            access.new_token(library, "other", "ask")


def test_access_is_for_the_owner_of_the_files_alone(library: Library) -> None:
    access.add_person(library, "Ada", "owner", WORDS)
    assert stat.S_IMODE(library._parts.folder.stat().st_mode) == 0o700


# -- guessing --------------------------------------------------------------------------------------


class Clock:
    """A clock that stands still until it is told."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def throttled(attempts: Attempts, name: str, address: str) -> int:
    """How long an attempt has to wait, 0 if not at all."""
    try:
        attempts.begin(name, address)
    except Throttled as error:
        return error.seconds
    return 0


def test_attempts_by_a_name_wait_longer_and_longer_but_a_minute_at_most() -> None:
    clock = Clock()
    attempts = Attempts(clock)
    assert [throttled(attempts, "ada", f"10.0.0.{number}") for number in range(5)] == [0] * 5
    waits = []
    for number in range(8):
        wait = throttled(attempts, "ADA", f"10.0.1.{number}")
        waits.append(wait)
        clock.now += wait - 0.5
        assert throttled(attempts, "ada", f"10.0.1.{number}") == 1  # still too soon
        clock.now += 0.5
        assert throttled(attempts, "ada", f"10.0.1.{number}") == 0
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]
    assert throttled(attempts, "bob", "10.0.2.1") == 0


def test_attempts_from_an_address_wait_a_quarter_of_an_hour_at_most() -> None:
    clock = Clock()
    attempts = Attempts(clock)
    assert [throttled(attempts, f"name {number}", "10.0.0.1") for number in range(20)] == [0] * 20
    waits = []
    for number in range(12):
        waits.append(throttled(attempts, f"other {number}", "::ffff:10.0.0.1"))
        clock.now += waits[-1]
        assert throttled(attempts, f"other {number}", "10.0.0.1") == 0
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]
    assert throttled(attempts, "ada", "10.0.0.2") == 0


def test_all_addresses_of_one_ipv6_network_are_one() -> None:
    attempts = Attempts(Clock())
    for number in range(20):
        attempts.begin(f"name {number}", f"2001:db8:1:2::{number:x}")
    assert throttled(attempts, "ada", "2001:db8:1:2:ffff::1") == 1
    assert throttled(attempts, "ada", "2001:db8:1:3::1") == 0


def test_a_success_forgets_the_name_and_spares_the_address_one() -> None:
    attempts = Attempts(Clock())
    for _ in range(5):
        attempts.begin("ada", "10.0.0.1")
    with pytest.raises(Throttled, match="too many wrong passwords") as caught:
        attempts.begin("ada", "10.0.0.1")
    assert caught.value.hint == "wait 1 second, then try again"
    attempts.succeeded("Ada", "10.0.0.1")
    assert throttled(attempts, "ada", "10.0.0.1") == 0
    # somebody with an account of their own does not get endless guesses at others'
    others = Attempts(Clock())
    for number in range(20):
        others.begin(f"name {number}", "10.0.0.9")
    others.succeeded("name 1", "10.0.0.9")
    assert throttled(others, "x", "10.0.0.9") == 0
    assert throttled(others, "y", "10.0.0.9") == 1


def test_attempts_are_forgotten_after_a_quiet_hour() -> None:
    clock = Clock()
    attempts = Attempts(clock)
    for _ in range(5):
        attempts.begin("ada", "10.0.0.1")
    assert throttled(attempts, "ada", "10.0.0.1") == 1
    clock.now += Attempts.FORGOTTEN
    assert [throttled(attempts, "ada", "10.0.0.1") for _ in range(5)] == [0] * 5


def test_attempts_do_not_fill_the_memory() -> None:
    attempts = Attempts(Clock())
    for number in range(Attempts.KEPT + 500):
        attempts.begin(f"name {number}", f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    assert len(attempts._counts) == Attempts.KEPT


def test_of_many_attempts_at_once_only_the_free_ones_pass() -> None:
    attempts, passed = Attempts(Clock()), []

    def attempt(number: int) -> None:
        if not throttled(attempts, "ada", f"10.0.0.{number}"):
            passed.append(number)

    guesses = [threading.Thread(target=attempt, args=[number]) for number in range(40)]
    for one in guesses:
        one.start()
    for one in guesses:
        one.join()
    assert len(passed) == Attempts.FREE_BY_NAME
