"""The commands on tokens, people and threads: what they print, what they take, what they refuse."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import Quoth
from quoth import Library, access, threads

WORDS = "correct horse battery"
TOMATOES = "When were the tomatoes planted?"


@pytest.fixture
def password(tmp_path: Path) -> str:
    """A file with a password in its first line."""
    file = tmp_path / "password"
    file.write_text(WORDS + "\nnot this\n")
    return str(file)


def test_a_token_is_printed_alone_and_once(quoth: Quoth, tmp_path: Path) -> None:
    made = quoth("token", "new", "--scope", "ask", "--name", "my phone", "--days", "30")
    assert re.fullmatch(r"quoth_[\w-]{43}\n", made.out)
    assert "quoth token revoke 'my phone'" in made.err
    listed = quoth("token", "list")
    assert re.match(r"my phone +ask +made \S+ \S+ · never used · expires \S+ \S+\n$", listed.out)
    assert made.out.strip() not in listed.out
    with Library.open(tmp_path / "library") as library:
        assert access.check_token(library, made.out.strip()) == access.Visitor("my phone", "ask", "token")
    assert quoth("token", "list", "--json").json["tokens"][0].keys() == {"name", "scope", "added", "expires", "used"}  # type: ignore[index]
    assert quoth("token", "revoke", "my phone").out == "revoked: my phone\n"
    assert quoth("token", "list").out == "no tokens: quoth token new --scope ask --name NAME\n"


def test_a_token_as_json_is_one_record(quoth: Quoth) -> None:
    made = quoth("token", "new", "--scope", "admin", "--name", "ci", "--json")
    assert made.json["scope"] == "admin"
    assert str(made.json["token"]).startswith("quoth_")
    assert quoth("token", "revoke", "ci", "--json").json == {"revoked": "ci"}


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["token", "new", "--name", "x"], 2, "Missing option '--scope'"),
        (["token", "new", "--scope", "root", "--name", "x"], 2, "'root' is not one of 'ask', 'add', 'admin'"),
        (["token", "new", "--scope", "ask", "--name", "a/b"], 2, "error: 'a/b' cannot be a name\n  try: up to 64"),
        (["token", "new", "--scope", "ask", "--name", "x", "--days", "0"], 2, "0"),
        (["token", "revoke", "x"], 1, "error: there is no token x\n  try: quoth token list"),
        (["people", "add", "x", "--role", "king"], 2, "'king' is not one of"),
        (["people", "add", "x", "--role", "owner", "--password", "secret"], 2, "No such option"),
        (["people", "add", "x", "--role", "owner", "--password-file", "/nowhere"], 2, "/nowhere cannot be read"),
        (["people", "remove", "x"], 1, "error: there is nobody called x\n  try: quoth people list"),
        (["people", "role", "x", "reader"], 1, "error: there is nobody called x"),
        (["threads", "show", "7"], 1, "error: there is no thread 7\n  try: quoth threads list"),
        (["threads", "delete", "seven"], 2, "'seven' is not a valid integer"),
    ],
)
def test_what_cannot_be_done_says_why(quoth: Quoth, tmp_path: Path, arguments: list[str], code: int, said: str) -> None:
    Library.open(tmp_path / "library").close()
    done = quoth(*arguments)
    assert done.code == code
    assert said in done.err
    assert done.out == ""


def test_people_are_added_changed_and_removed(quoth: Quoth, tmp_path: Path, password: str) -> None:
    assert quoth("people", "add", "Ada", "--role", "owner", "--password-file", password).out == "added: Ada, owner\n"
    assert (
        quoth("people", "add", "Bob", "--role", "reader", "--password-file", password, "--json").json["role"]
        == "reader"
    )
    assert quoth("people", "role", "bob", "editor").out == "changed: Bob, editor\n"
    assert [line.split()[:2] for line in quoth("people", "list").out.splitlines()] == [
        ["Ada", "owner"],
        ["Bob", "editor"],
    ]
    with Library.open(tmp_path / "library") as library:
        assert access.login(library, "Ada", WORDS)
        threads.create(library, "Bob")
    (tmp_path / "password").write_text("another one entirely")
    quoth("people", "password", "Ada", "--password-file", password)
    with Library.open(tmp_path / "library") as library:
        assert access.login(library, "Ada", WORDS) is None
        assert access.login(library, "Ada", "another one entirely")
    refused = quoth("people", "remove", "Ada")
    assert (refused.code, refused.err.splitlines()[0]) == (2, "error: Ada is the only owner")
    assert quoth("people", "remove", "Bob").out == "removed: Bob, 1 thread\n"
    assert quoth("people", "remove", "Ada", "--json").json == {"removed": "Ada", "threads": 0}
    assert quoth("people", "list").out == "nobody: quoth people add NAME --role owner\n"


def test_a_password_comes_by_standard_input(quoth: Quoth, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "quoth", "people", "add", "Ada", "--role", "owner"]
    library = {"QUOTH_LIBRARY": str(tmp_path / "library")}

    def add(*options: str, given: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command, *options], input=given, env=os.environ | library, text=True, capture_output=True, check=False
        )

    assert "there is no terminal to ask for the password" in add(given=WORDS).stderr
    assert "fewer than 10 characters" in add("--password-file", "-", given="short\n").stderr
    assert add("--password-file", "-", given=WORDS + "\r\n").stdout == "added: Ada, owner\n"
    with Library.open(tmp_path / "library") as opened:
        assert access.login(opened, "Ada", WORDS)


def test_a_password_is_asked_for_on_a_terminal_and_not_shown(tmp_path: Path) -> None:
    terminal, inside = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "quoth", "people", "add", "Ada", "--role", "owner"],
        env=os.environ | {"QUOTH_LIBRARY": str(tmp_path / "library")},
        stdin=inside, stdout=inside, stderr=inside, start_new_session=True,
    )  # fmt: skip
    os.close(inside)
    shown = b""
    for prompt in (b"Password: ", b"confirmation: "):
        while prompt not in shown:
            shown += os.read(terminal, 1_000)
        os.write(terminal, WORDS.encode() + b"\n")
    try:
        while piece := os.read(terminal, 1_000):
            shown += piece
    except OSError:  # the terminal goes with its program
        pass
    os.close(terminal)
    assert process.wait() == 0
    assert b"added: Ada, owner" in shown
    assert WORDS.encode() not in shown
    with Library.open(tmp_path / "library") as library:
        assert access.login(library, "Ada", WORDS)


def test_threads_are_listed_shown_exported_renamed_and_deleted(quoth: Quoth, notes: Path, tmp_path: Path) -> None:
    quoth("add", str(notes))
    assert quoth("threads", "list").out.startswith("no threads")
    with Library.open(tmp_path / "library") as library:
        thread = threads.create(library, "Ada").id
        threads.append(library, thread, TOMATOES, library.ask(TOMATOES))
        markdown, record = threads.export(library, thread), threads.export(library, thread, "json")
    assert re.match(rf" +1  \S+ \S+  {re.escape(TOMATOES)} · 1 question · Ada\n$", quoth("threads", "list").out)
    assert quoth("threads", "list", "--person", "Bob", "--json").json == {"threads": []}
    assert quoth("threads", "show", "1").out == markdown
    assert quoth("threads", "show", "1", "--json").out == record
    assert quoth("threads", "export", "1", str(tmp_path / "talk.md")).code == 0
    assert (tmp_path / "talk.md").read_text() == markdown
    assert quoth("threads", "export", "1", "--format", "json").out == record
    assert quoth("threads", "rename", "1", "The garden").out == "renamed: 1, The garden\n"
    assert quoth("threads", "delete", "1", "--json").json == {"deleted": 1}
    assert quoth("threads", "list", "--json").json == {"threads": []}
