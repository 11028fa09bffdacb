"""What several commands share: options, and the library that the user named."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

import click

if TYPE_CHECKING:
    from quoth.library import Library
    from quoth.types import Filters

Command = TypeVar("Command", bound=Callable[..., object])

WORD = re.compile('-(?:[^\\W\\d_]{2}|\\d|["“„«»])')
"""How a word that is to be left out begins, or a number below zero: options have two hyphens, or one letter."""
TOLD = "\0"
"""What no argument of a process can hold."""


class Asking(click.Command):
    """A command whose words may begin with a hyphen: quoth ask roof -gutter."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """The arguments by name; a word is none of the options, though it may look like several short ones."""
        options = [one for one in self.params if isinstance(one, click.Option) and not one.is_flag]
        valued = {name for one in options for name in one.opts}
        words = [
            TOLD + one if WORD.match(one) and before not in valued else one
            for before, one in zip(["", *args], args, strict=False)
        ]
        rest = super().parse_args(ctx, words)
        for name, value in ctx.params.items():
            if isinstance(value, tuple):
                ctx.params[name] = tuple(str(one).removeprefix(TOLD) for one in value)
        return rest


def as_json(command: Command) -> Command:
    """Add --json, which prints exactly one object."""
    return click.option("--json", "json_", is_flag=True, help="Print one JSON object.")(command)


def narrowed(command: Command) -> Command:
    """Add the options that narrow a search."""
    for option in reversed(
        [
            click.option(
                "--in", "folders", multiple=True, metavar="PATH", help="Only this file, folder or name (* ?)."
            ),
            click.option(
                "--type",
                "kinds",
                multiple=True,
                metavar="KIND",
                help="Only this kind or ending: pdf, md, mail.",
            ),
            click.option(
                "--after", metavar="DATE", help="Only documents from this day on (2024-01-31, 2024-01, 2024)."
            ),
            click.option("--before", metavar="DATE", help="Only documents from before this day."),
        ]
    ):
        command = option(command)
    return command


def reading(command: Command) -> Command:
    """Add the options of commands that read files; the command gets them as one record, `options`."""
    from functools import wraps

    @wraps(command)
    def _with_options(
        *given: object,
        retry: bool,
        archives: bool,
        nice: bool,
        password: str | None,
        password_file: str | None,
        workers: int,
        timeout: float,
        **others: object,
    ) -> object:
        from quoth.terminal import passwords
        from quoth.types import Options

        options = Options(passwords(password, password_file), retry, archives, nice, workers, timeout)
        return command(*given, options=options, **others)

    for option in reversed(
        [
            click.option("--retry", is_flag=True, help="Try again what failed before, even if unchanged."),
            click.option("--archives", is_flag=True, help="Look into zip and tar files."),
            click.option("--nice", is_flag=True, help="Leave the machine to other work: slower, hardly noticed."),
            click.option("--password", help="For encrypted files.", envvar="QUOTH_PASSWORD"),
            click.option(
                "--password-file", metavar="FILE", help="Passwords for encrypted files, one a line, tried in turn."
            ),
            click.option("--workers", type=click.IntRange(0, 64), default=0, help="Processes that read files."),
            click.option(
                "--timeout",
                type=click.FloatRange(1, 86_400),
                default=60.0,
                metavar="SECONDS",
                help="For a file, and more for a large one (60).",
            ),
            click.option("--strict", is_flag=True, help="Exit 1 when a file failed."),
        ]
    ):
        _with_options = option(_with_options)
    return _with_options  # type: ignore[return-value]


def open_library(folder: str | None, create: bool = False) -> Library:
    """The library that the user named, or the default one."""
    from quoth.library import Library

    return Library.open(folder, create=create)


def filters(folders: Sequence[str], kinds: Sequence[str], after: str | None, before: str | None) -> Filters:
    """The narrowing options as a record."""
    from quoth.query import day
    from quoth.types import Filters

    places = tuple(os.path.abspath(os.path.expanduser(one)) if os.sep in one else one for one in folders)
    return Filters(places, tuple(kinds), day(after), day(before))


def background(command: Command) -> Command:
    """Add --background: the same command goes on in a process of its own, and `quoth jobs` tells of it."""
    from functools import wraps

    @wraps(command)
    def _maybe_behind(*given: object, background: bool, **others: object) -> object:
        if not background:
            return command(*given, **others)
        arguments = [one for one in sys.argv[1:] if one != "--background"]
        subprocess.Popen(
            [sys.executable, "-m", "quoth", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        click.echo("it goes on in the background: quoth jobs", err=True)
        return None

    said = "Go on in the background: quoth jobs tells how far it is."
    return click.option("--background", is_flag=True, help=said)(_maybe_behind)  # type: ignore[return-value]
