"""The command line: one command = parse, call, print."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from quoth import __version__, models, people, proving, serving, upkeep
from quoth.commands import Asking, as_json, background, filters, narrowed, open_library, reading
from quoth.errors import QuothError

if TYPE_CHECKING:
    from quoth.types import Options


WELCOME = """Quoth answers questions about your own files, in their own words.

  quoth add ~/notes ~/papers     read files and folders into the library
  quoth ask "your question"      an answer in quotes, each with its place
  quoth search some words        the passages that fit best
  quoth status                   what is in the library
  quoth --help                   everything else

Nothing leaves this computer: no key, no account, no network."""


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--library", metavar="DIR", envvar="QUOTH_LIBRARY", help="The library folder (or $QUOTH_LIBRARY).")
@click.version_option(__version__, prog_name="quoth")
@click.pass_context
def cli(context: click.Context, library: str | None) -> None:
    """Ask your own files and get verified quotes."""
    from quoth import config

    context.obj = library or config.read().library or None
    if context.invoked_subcommand is None:
        click.echo(WELCOME)


def main() -> None:
    """Run the command line; errors for people are two lines, exit 1 (could not) or 2 (wrong usage)."""
    os.umask(0o077)
    # told to end, a run ends as by Ctrl-C: with its record written
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    for stream in (sys.stdout, sys.stderr):
        # a file name may hold bytes that are no text
        getattr(stream, "reconfigure", lambda **_: None)(errors="backslashreplace")
    try:
        cli(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except QuothError as error:
        click.echo(f"error: {error}" + (f"\n  try: {error.hint}" if error.hint else ""), err=True)
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("stopped; what was written is kept, run the command again to go on", err=True)
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)


@cli.command()
@click.argument("paths", nargs=-1, required=True)
@reading
@background
@as_json
@click.pass_obj
def add(folder: str | None, paths: Sequence[str], options: Options, strict: bool, json_: bool) -> None:
    """Read files and folders into the library; again touches only what changed."""
    from quoth import terminal

    with open_library(folder, create=True) as library, terminal.progress(not json_) as watch:
        report = library.add(paths, options, watch=watch)
    terminal.show_report(report, json_)
    sys.exit(1 if strict and report.failed else 0)


@cli.command()
@click.argument("paths", nargs=-1)
@click.option("--watch", "follow", is_flag=True, help="Go on: whatever changes is in the answers within seconds.")
@click.option("--poll", is_flag=True, help="With --watch: for network drives that do not tell of changes.")
@reading
@background
@as_json
@click.pass_obj
def sync(
    folder: str | None, paths: Sequence[str], follow: bool, poll: bool, options: Options, strict: bool, json_: bool
) -> None:
    """Bring the library into step with its sources (all of them, or those named)."""
    from quoth import records, terminal

    if follow:
        with open_library(folder) as library:
            records.follow(library.watch(options, poll=poll), json_)
    with open_library(folder) as library, terminal.progress(not json_) as watch:
        report = library.sync(paths, options, watch=watch)
    terminal.show_report(report, json_)
    sys.exit(1 if strict and report.failed else 0)


@cli.command(cls=Asking)
@click.argument("question", nargs=-1, required=True)
@narrowed
@click.option("--explain", is_flag=True, help="Show what was found, how it was ranked and decided.")
@models.with_prose
@as_json
@click.pass_obj
def ask(
    folder: str | None,
    question: Sequence[str],
    folders: Sequence[str],
    kinds: Sequence[str],
    after: str | None,
    before: str | None,
    explain: bool,
    llm: str | None,
    strict: bool,
    general: bool,
    everything: bool | None,
    json_: bool,
) -> None:
    """Answer a question with quotes from your files; with a language model, in sentences that quotes carry."""
    from quoth import terminal, writing

    model, wish = models.opened(llm), writing.Wish(strict, general, everything)
    narrow, text = filters(folders, kinds, after, before), " ".join(question)
    with open_library(folder) as library, terminal.progress(not json_) as watch:
        answer = writing.ask(library, text, narrow, model=model, wish=wish, watch=watch)
        explanation = library.explain(text, narrow, noted=False)[1] if explain else None
    terminal.show_answer(answer, explanation, json_)


@cli.command(cls=Asking)
@click.argument("query", nargs=-1, required=True)
@click.option("-k", "k", type=click.IntRange(1, 10_000), default=10, show_default=True, help="How many passages.")
@narrowed
@as_json
@click.pass_obj
def search(
    folder: str | None,
    query: Sequence[str],
    k: int,
    folders: Sequence[str],
    kinds: Sequence[str],
    after: str | None,
    before: str | None,
    json_: bool,
) -> None:
    """Show the passages that fit best."""
    from quoth import terminal

    with open_library(folder) as library, terminal.progress(not json_) as watch:
        found = library.search(" ".join(query), k, filters(folders, kinds, after, before), watch=watch)
    terminal.show_hits(found, json_)


@cli.command()
@click.argument("path")
@click.option("--at", metavar="START[:END]", help="Show these characters in their surroundings.")
@as_json
@click.pass_obj
def show(folder: str | None, path: str, at: str | None, json_: bool) -> None:
    """Show the text of a document, as it was read."""
    from quoth import feedback, terminal

    span = terminal.span(at)
    with open_library(folder) as library:
        document = library.show(path)
        boxes = library.boxes(document, *span) if span else []
        if span:
            feedback.opened(library, document, *span)
    terminal.show_document(document, span, boxes, json_)


@cli.command()
@as_json
@click.pass_obj
def status(folder: str | None, json_: bool) -> None:
    """Show what is in the library."""
    from quoth import terminal

    with open_library(folder) as library:
        terminal.show_status(library.status(), json_)


@cli.group(invoke_without_command=True)
@as_json
@click.pass_context
def sources(context: click.Context, json_: bool) -> None:
    """List the folders and files that were added."""
    from quoth import terminal

    if context.invoked_subcommand is None:
        with open_library(context.obj) as library:
            terminal.show_sources(library.sources(), json_)


@cli.command()
@click.argument("paths", nargs=-1, required=True)
@as_json
@click.pass_obj
def remove(folder: str | None, paths: Sequence[str], json_: bool) -> None:
    """Take sources or single files out of the library; your files stay where they are."""
    from quoth import terminal

    with open_library(folder) as library:
        terminal.show_removed({path: library.remove(path) for path in paths}, json_)


@cli.command()
@as_json
@click.pass_obj
def doctor(folder: str | None, json_: bool) -> None:
    """Check the library; exit 1 when something needs repair."""
    from quoth import terminal
    from quoth.library import examine

    checks = examine(folder)
    terminal.show_checks(checks, json_)
    sys.exit(0 if all(check.ok for check in checks) else 1)


@sources.command("move")
@click.argument("old")
@click.argument("new")
@click.option("--force", is_flag=True, help="Also when there is nothing at NEW yet.")
@as_json
@click.pass_obj
def sources_move(folder: str | None, old: str, new: str, force: bool, json_: bool) -> None:
    """Say that the files of OLD are at NEW now, as on another machine; nothing is read again."""
    from quoth import terminal

    with open_library(folder) as library:
        terminal.show_moved(library.move(old, new, force=force), json_)


@cli.command()
@click.argument("file")
@click.option("--force", is_flag=True, help="Replace FILE if it is there.")
@as_json
@click.pass_obj
def backup(folder: str | None, file: str, force: bool, json_: bool) -> None:
    """Write the library to one FILE, also while it is in use."""
    from quoth import terminal

    with open_library(folder) as library, terminal.progress(not json_) as watch:
        done = library.backup(file, force=force, watch=watch)
    terminal.show_backup(done, json_)


@cli.command()
@click.argument("file")
@as_json
@click.pass_obj
def restore(folder: str | None, file: str, json_: bool) -> None:
    """Make the library anew from a backup, once that was checked; the present one is kept aside."""
    from quoth import terminal
    from quoth.library import default_folder
    from quoth.restore import restore

    with terminal.progress(not json_) as watch:
        done = restore(file, folder or default_folder(), watch)
    terminal.show_restored(done, json_)


@cli.command()
@click.argument("file")
@click.option("--force", is_flag=True, help="Replace FILE if it is there.")
@as_json
@click.pass_obj
def export(folder: str | None, file: str, force: bool, json_: bool) -> None:
    """Write every document as a line of JSON to FILE (- is standard output)."""
    from quoth import terminal

    with open_library(folder) as library, terminal.progress(not json_) as watch:
        done = library.export(file, force=force, watch=watch)
    terminal.show_exported(done, json_)


@cli.command("import")
@click.argument("file")
@as_json
@click.pass_obj
def import_(folder: str | None, file: str, json_: bool) -> None:
    """Bring the documents of an export into the library (- is standard input)."""
    from quoth import terminal

    with open_library(folder, create=True) as library, terminal.progress(not json_) as watch:
        report = library.import_(file, watch=watch)
    terminal.show_report(report, json_)


for command in (
    upkeep.reindex, upkeep.forget, upkeep.jobs, proving.recipe, proving.golden, proving.evaluate, proving.compare,
    proving.runs, proving.journal, proving.rate, serving.serve, serving.mcp,
    people.token, people.people, people.threads, models.models,
):  # fmt: skip
    cli.add_command(command)
