"""The commands on who may come in, and on the conversations that are kept: tokens, people, threads."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from quoth.commands import as_json, open_library
from quoth.errors import UsageError

if TYPE_CHECKING:
    from quoth.access import Person, Token
    from quoth.catalog.people import Role, Scope
    from quoth.threads import Format, Thread

ROLES = click.Choice(["reader", "editor", "owner"])


@click.group()
def token() -> None:
    """Tokens, by which programs may use quoth serve."""


@token.command("new")
@click.option("--scope", type=click.Choice(["ask", "add", "admin"]), required=True, help="What it is good for.")
@click.option("--name", required=True, help="By which it is listed and revoked.")
@click.option("--days", type=click.FloatRange(0, min_open=True), default=None, help="It expires after so many.")
@as_json
@click.pass_obj
def token_new(folder: str | None, scope: Scope, name: str, days: float | None, json_: bool) -> None:
    """Make a token; it is shown once, and kept as a hash only."""
    from quoth import access, terminal

    with open_library(folder, create=True) as library:
        made, secret = access.new_token(library, name, scope, days)
    if json_:
        return terminal.print_json(dataclasses.asdict(made) | {"token": secret})
    click.echo(secret)
    said = f"this is all that will ever be seen of it; quoth token revoke '{made.name}' takes it back"
    return click.echo(said, err=True)


@token.command("list")
@as_json
@click.pass_obj
def token_list(folder: str | None, json_: bool) -> None:
    """List the tokens, with their last use."""
    from quoth import access

    with open_library(folder) as library:
        _show_tokens(access.tokens(library), json_)


@token.command("revoke")
@click.argument("name")
@as_json
@click.pass_obj
def token_revoke(folder: str | None, name: str, json_: bool) -> None:
    """Let nobody in by a token any more."""
    from quoth import access

    with open_library(folder) as library:
        access.revoke(library, name)
    _done({"revoked": name}, f"revoked: {name}", json_)


@click.group()
def people() -> None:
    """People who may log in to quoth serve: readers ask, editors add files too, owners do everything."""


PASSWORD = click.option(
    "--password-file", metavar="FILE", help="Read the password from its first line; - is standard input."
)


@people.command("add")
@click.argument("name")
@click.option("--role", type=ROLES, required=True, help="What they may do.")
@PASSWORD
@as_json
@click.pass_obj
def people_add(folder: str | None, name: str, role: Role, password_file: str | None, json_: bool) -> None:
    """Let somebody log in; their password is asked for."""
    from quoth import access

    with open_library(folder, create=True) as library:
        made = access.add_person(library, name, role, _password(password_file))
    _done(dataclasses.asdict(made), f"added: {made.name}, {made.role}", json_)


@people.command("list")
@as_json
@click.pass_obj
def people_list(folder: str | None, json_: bool) -> None:
    """List who may log in."""
    from quoth import access

    with open_library(folder) as library:
        _show_people(access.people(library), json_)


@people.command("remove")
@click.argument("name")
@as_json
@click.pass_obj
def people_remove(folder: str | None, name: str, json_: bool) -> None:
    """Take a person out, with their sessions and threads."""
    from quoth import access, terminal

    with open_library(folder) as library:
        gone = access.remove_person(library, name)
    _done({"removed": name, "threads": gone}, f"removed: {name}, {terminal.some(gone, 'thread')}", json_)


@people.command("password")
@click.argument("name")
@PASSWORD
@as_json
@click.pass_obj
def people_password(folder: str | None, name: str, password_file: str | None, json_: bool) -> None:
    """Give a person another password; wherever they are logged in they are logged out."""
    from quoth import access

    with open_library(folder) as library:
        access.set_password(library, name, _password(password_file))
    _done({"changed": name}, f"changed: the password of {name}", json_)


@people.command("role")
@click.argument("name")
@click.argument("role", type=ROLES)
@as_json
@click.pass_obj
def people_role(folder: str | None, name: str, role: Role, json_: bool) -> None:
    """Give a person another role."""
    from quoth import access

    with open_library(folder) as library:
        made = access.set_role(library, name, role)
    _done(dataclasses.asdict(made), f"changed: {made.name}, {made.role}", json_)


@click.group()
def threads() -> None:
    """The conversations that are kept."""


@threads.command("list")
@click.option("--person", default=None, metavar="NAME", help="Only theirs.")
@as_json
@click.pass_obj
def threads_list(folder: str | None, person: str | None, json_: bool) -> None:
    """List the threads, the last used first."""
    from quoth import threads

    with open_library(folder) as library:
        _show_threads(threads.every(library, person), json_)


@threads.command("show")
@click.argument("number", type=int)
@as_json
@click.pass_obj
def threads_show(folder: str | None, number: int, json_: bool) -> None:
    """Show a thread with its quotes."""
    from quoth import terminal, threads

    with open_library(folder) as library:
        text = threads.export(library, number, "json" if json_ else "markdown")
    click.echo(text if json_ else terminal.safe(text), nl=False)


@threads.command("export")
@click.argument("number", type=int)
@click.argument("file", type=click.File("w", encoding="utf-8"), default="-")
@click.option("--format", "format_", type=click.Choice(["markdown", "json"]), default="markdown", show_default=True)
@click.pass_obj
def threads_export(folder: str | None, number: int, file: IO[str], format_: Format) -> None:
    """Write a thread to FILE (- is standard output)."""
    from quoth import threads

    with open_library(folder) as library:
        file.write(threads.export(library, number, format_))


@threads.command("rename")
@click.argument("number", type=int)
@click.argument("title")
@as_json
@click.pass_obj
def threads_rename(folder: str | None, number: int, title: str, json_: bool) -> None:
    """Give a thread a title; with "" its first question is it again."""
    from quoth import threads

    with open_library(folder) as library:
        made = threads.rename(library, number, title)
    _done(dataclasses.asdict(made), f"renamed: {made.id}, {made.title}", json_)


@threads.command("delete")
@click.argument("number", type=int)
@as_json
@click.pass_obj
def threads_delete(folder: str | None, number: int, json_: bool) -> None:
    """Take a thread out, with all its messages."""
    from quoth import threads

    with open_library(folder) as library:
        threads.delete(library, number)
    _done({"deleted": number}, f"deleted: thread {number}", json_)


# -- what they share -------------------------------------------------------------------------------


def _password(file: str | None) -> str:
    """The password from a file or a prompt, never from the command line, which others may see."""
    if file == "-":
        return sys.stdin.readline().rstrip("\r\n")
    if file is not None:
        try:
            return [*Path(file).expanduser().read_text("utf-8").splitlines(), ""][0]
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
            raise UsageError(f"the password file {file} cannot be read: {why}", "the password in one line") from None
    if not sys.stdin.isatty():
        raise UsageError(
            "there is no terminal to ask for the password", "--password-file FILE, or - for standard input"
        )
    return str(click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))


def _done(record: dict[str, object], said: str, as_json: bool) -> None:
    from quoth.terminal import print_json, safe

    return print_json(record) if as_json else click.echo(safe(said))


def _show_tokens(tokens: Sequence[Token], as_json: bool) -> None:
    from quoth.terminal import print_json, safe

    if as_json:
        return print_json({"tokens": [dataclasses.asdict(one) for one in tokens]})
    if not tokens:
        click.echo("no tokens: quoth token new --scope ask --name NAME")
    for one in tokens:
        used = f"used {_at(one.used)}" if one.used else "never used"
        expires = f" · expires {_at(one.expires)}" if one.expires else ""
        click.echo(safe(f"{one.name:20} {one.scope:6} made {_at(one.added)} · {used}{expires}"))
    return None


def _show_people(found: Sequence[Person], as_json: bool) -> None:
    from quoth.terminal import print_json, safe

    if as_json:
        return print_json({"people": [dataclasses.asdict(one) for one in found]})
    if not found:
        click.echo("nobody: quoth people add NAME --role owner")
    for one in found:
        click.echo(safe(f"{one.name:20} {one.role:7} since {_at(one.added)}"))
    return None


def _show_threads(found: Sequence[Thread], as_json: bool) -> None:
    from quoth.terminal import print_json, safe, some

    if as_json:
        return print_json({"threads": [dataclasses.asdict(one) for one in found]})
    if not found:
        click.echo("no threads: they begin on the page of quoth serve")
    for one in found:
        whose = f" · {one.person}" if one.person else ""
        click.echo(safe(f"{one.id:>4}  {_at(one.changed)}  {one.title} · {some(one.messages, 'question')}{whose}"))
    return None


def _at(when: float) -> str:
    import datetime

    return datetime.datetime.fromtimestamp(when).strftime("%Y-%m-%d %H:%M")
