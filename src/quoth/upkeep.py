"""The commands that keep a library in order: jobs, forgetting, indexes made anew."""

from __future__ import annotations

import click

from quoth.commands import as_json, background, open_library


@click.command()
@click.option("--words", "which", flag_value="words", help="Only the word index.")
@click.option("--vectors", "which", flag_value="vectors", help="Only the vector index.")
@click.option("--encoder", metavar="NAME", default="", help="Build the vectors of another encoder, then use it.")
@click.option("--back", is_flag=True, help="Return to the encoder before the last change.")
@background
@as_json
@click.pass_obj
def reindex(folder: str | None, which: str | None, encoder: str, back: bool, json_: bool) -> None:
    """Make the indexes anew from the catalog; searches go on meanwhile."""
    from quoth import terminal

    with open_library(folder) as library, terminal.progress(not json_) as watch:
        done = library.reindex([which] if which else ["words", "vectors"], encoder=encoder, back=back, watch=watch)
    terminal.show_reindexed(done, json_)


@click.command()
@click.argument("path")
@click.option("--verify", is_flag=True, help="Search every file of the library for it afterwards.")
@as_json
@click.pass_obj
def forget(folder: str | None, path: str, verify: bool, json_: bool) -> None:
    """Erase a file, folder or source so that no byte of it stays in the library; your files stay where they are."""
    from quoth import records, terminal

    with open_library(folder) as library, terminal.progress(not json_) as watch:
        done = library.forget(path, verify=verify, watch=watch)
    records.show_forgotten(done, json_)


@click.group(invoke_without_command=True)
@as_json
@click.pass_context
def jobs(context: click.Context, json_: bool) -> None:
    """Show the long runs: how far they are, how they ended."""
    from quoth import records

    if context.invoked_subcommand is None:
        with open_library(context.obj) as library:
            records.show_jobs(library.jobs(), json_)


@jobs.command("show")
@click.argument("number", type=int)
@as_json
@click.pass_obj
def jobs_show(folder: str | None, number: int, json_: bool) -> None:
    """Show one job with the files that failed, and why."""
    from quoth import records

    with open_library(folder) as library:
        records.show_job(*library.job(number), json_)


@jobs.command("cancel")
@click.argument("number", type=int, default=0)
@as_json
@click.pass_obj
def jobs_cancel(folder: str | None, number: int, json_: bool) -> None:
    """Stop a running job; what it had written is kept."""
    from quoth import records

    with open_library(folder) as library:
        records.show_cancelled(library.cancel(number), json_)


def _again(name: str, said: str, retry: bool) -> None:
    """Add the command that does a job again."""

    @jobs.command(name, help=said)
    @click.argument("number", type=int, default=0)
    @click.option("--password-file", metavar="FILE", help="Passwords for encrypted files, one a line, tried in turn.")
    @background
    @as_json
    @click.pass_obj
    def _do(folder: str | None, number: int, password_file: str | None, json_: bool) -> None:
        from quoth import terminal

        words = terminal.passwords(None, password_file)
        with open_library(folder) as library, terminal.progress(not json_) as watch:
            report = library.resume(number, words, retry=retry, watch=watch)
        terminal.show_report(report, json_)


_again("resume", "Do what a job that was cut off, stopped or failed had left; by default the newest.", False)
_again("retry", "Try again the files that failed in a job; by default in the newest.", True)
