"""The commands that tell whether it is good, and whether a change made it better: recipes, golden questions, runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import IO, Literal

import click

from quoth.commands import as_json, open_library


@click.group()
def recipe() -> None:
    """Everything that can change an answer, as a record with a name."""


@recipe.command("list")
@as_json
@click.pass_obj
def recipe_list(folder: str | None, json_: bool) -> None:
    """List the recipes; * marks the one that counts."""
    from quoth import results

    with open_library(folder) as library:
        results.show_recipes(library.recipes(), json_)


@recipe.command("show")
@click.argument("name", default="")
@as_json
@click.pass_obj
def recipe_show(folder: str | None, name: str, json_: bool) -> None:
    """Show every field of a recipe; by default of the one that counts."""
    from quoth import results

    with open_library(folder) as library:
        results.show_recipe(library.recipe_named(name), json_)


@recipe.command("diff")
@click.argument("first")
@click.argument("second")
@as_json
@click.pass_obj
def recipe_diff(folder: str | None, first: str, second: str, json_: bool) -> None:
    """Show the fields in which two recipes differ."""
    from quoth import results
    from quoth.recipe import difference

    with open_library(folder) as library:
        one, other = (library.recipe_named(name) for name in (first, second))
    results.show_recipe_difference((one.name, other.name), difference(one.recipe, other.recipe), json_)


@recipe.command("new")
@click.argument("name")
@click.option("--set", "fields", multiple=True, metavar="FIELD=VALUE", help="As quoth recipe show names them.")
@click.option("--from", "base", default="", metavar="NAME", help="Start from this one, not from the one that counts.")
@as_json
@click.pass_obj
def recipe_new(folder: str | None, name: str, fields: Sequence[str], base: str, json_: bool) -> None:
    """Make a recipe that differs in some fields: quoth recipe new wordy --set fusion.words=0.6"""
    from quoth import results

    with open_library(folder) as library:
        results.show_recipe(library.make_recipe(name, settings(fields), base), json_)


@recipe.command("use")
@click.argument("name")
@as_json
@click.pass_obj
def recipe_use(folder: str | None, name: str, json_: bool) -> None:
    """Let a recipe count; "default" is always there."""
    from quoth import results

    with open_library(folder) as library:
        results.show_recipe(library.use_recipe(name), json_)


def settings(fields: Sequence[str]) -> dict[str, str]:
    """FIELD=VALUE, each as a pair."""
    pairs = [one.partition("=") for one in fields]
    for name, sign, _ in pairs:
        if not sign:
            raise click.BadParameter(f"{name} has no value: FIELD=VALUE", param_hint="--set")
    return {name.strip(): value.strip() for name, _, value in pairs}


@click.group()
def golden() -> None:
    """Questions whose answers you know: what the library is measured by."""


@golden.command("add")
@click.argument("question")
@click.option("--quote", default="", metavar="TEXT", help="Words of a document that answer it.")
@click.option("--in", "place", default="", metavar="FILE", help="The document, if several hold these words.")
@click.option("--none", is_flag=True, help="The library must not answer this one.")
@click.option("--answer", "answers", multiple=True, metavar="TEXT", help="A short answer that is right.")
@click.option("--set", "set_", default="golden", show_default=True, metavar="NAME", help="The set it belongs to.")
@as_json
@click.pass_obj
def golden_add(
    folder: str | None,
    question: str,
    quote: str,
    place: str,
    none: bool,
    answers: Sequence[str],
    set_: str,
    json_: bool,
) -> None:
    """Add a question with the words that answer it."""
    from quoth import results
    from quoth.evaluate import golden

    with open_library(folder) as library:
        made = golden.add(library, question, quote, place=place, set_=set_, none=none, answers=answers)
    results.show_golden([made], [], json_)


@golden.command("list")
@click.option("--set", "set_", default=None, metavar="NAME", help="Only this set.")
@as_json
@click.pass_obj
def golden_list(folder: str | None, set_: str | None, json_: bool) -> None:
    """List the questions, and where their answers stand now."""
    from quoth import results
    from quoth.evaluate import golden

    with open_library(folder) as library:
        now = golden.questions(library, set_)
        results.show_golden(golden.kept(library, set_), now, json_)


@golden.command("remove")
@click.argument("names", nargs=-1, required=True)
@as_json
@click.pass_obj
def golden_remove(folder: str | None, names: Sequence[str], json_: bool) -> None:
    """Take questions out, by their key, or a whole set: set:NAME"""
    from quoth import terminal
    from quoth.evaluate import golden

    with open_library(folder) as library:
        terminal.show_count("removed", golden.remove(library, names), "question", json_)


@golden.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--queries", type=click.Path(path_type=Path), metavar="FILE", help="FILE is TREC's qrels; these its questions."
)
@click.option("--set", "set_", default="golden", show_default=True, metavar="NAME", help="The set they belong to.")
@as_json
@click.pass_obj
def golden_import(folder: str | None, file: Path, queries: Path | None, set_: str, json_: bool) -> None:
    """Add questions, all or none: lines of JSON, a SQuAD file, a folder in BEIR's layout, TREC's qrels."""
    from quoth import terminal
    from quoth.evaluate import golden

    with open_library(folder) as library:
        terminal.show_count("added", len(golden.import_file(library, file, set_, queries)), "question", json_)


@golden.command("suggest")
@click.option("--count", type=click.IntRange(1), default=10, show_default=True, help="How many at most.")
@click.option("--out", type=click.File("w", encoding="utf-8"), metavar="FILE", help="Write them for golden import.")
@as_json
@click.pass_obj
def golden_suggest(folder: str | None, count: int, out: IO[str] | None, json_: bool) -> None:
    """Suggest questions from headings and from answers rated right; none counts until you add it."""
    from quoth import results
    from quoth.evaluate.suggest import suggest

    with open_library(folder) as library:
        found = suggest(library, count)
    if out:
        out.writelines(one.line() + "\n" for one in found)
    results.show_suggestions(found, json_)


@golden.command("export")
@click.argument("file", type=click.File("w", encoding="utf-8"), default="-")
@click.option("--set", "set_", default=None, metavar="NAME", help="Only this set.")
@click.pass_obj
def golden_export(folder: str | None, file: IO[str], set_: str | None) -> None:
    """Write the questions as lines of JSON, which import reads."""
    from quoth.evaluate import golden

    with open_library(folder) as library:
        for line in golden.export(library, set_):
            file.write(line + "\n")


@click.command()
@click.option(
    "--recipe", "name", default="", metavar="NAME", help="The recipe to measure; by default the one that counts."
)
@click.option("--set", "set_", default="golden", show_default=True, metavar="NAME", help="The golden questions to ask.")
@click.option(
    "--beir", type=click.Path(path_type=Path), metavar="DIR", help="A published set, in a library of its own."
)
@click.option("--split", default="", metavar="NAME", help="With --beir: which judgements.")
@click.option("--squad", type=click.Path(path_type=Path), metavar="FILE", help="A SQuAD file, in a library of its own.")
@click.option(
    "--answers/--no-answers", default=None, help="Answer each question, and measure quotes (not with --beir)."
)
@click.option(
    "--limit", type=click.IntRange(1), default=None, metavar="N", help="Only N of the questions, evenly spread."
)
@click.option(
    "--keep", type=click.Path(path_type=Path), metavar="DIR", help="Keep the library of a published set here."
)
@click.option("--name", "run_name", default="", metavar="RUN", help="Keep the run by this name.")
@click.option("--out", type=click.File("w", encoding="utf-8"), metavar="FILE", help="Write the run, for quoth compare.")
@click.option("--trec", type=click.File("w", encoding="utf-8"), metavar="FILE", help="Write the run as TREC does.")
@as_json
@click.pass_obj
def evaluate(
    folder: str | None,
    name: str,
    set_: str,
    beir: Path | None,
    split: str,
    squad: Path | None,
    answers: bool | None,
    limit: int | None,
    keep: Path | None,
    run_name: str,
    out: IO[str] | None,
    trec: IO[str] | None,
    json_: bool,
) -> None:
    """Ask questions whose answers are known: how good is it?"""
    from quoth import results, terminal
    from quoth.evaluate import Wanted, measure
    from quoth.evaluate.run import to_json, to_trec

    wanted = Wanted(name, set_, beir, split, squad, answers, limit, keep, run_name)
    with open_library(folder, create=True) as library, terminal.progress(not json_) as watch:
        run, beside = measure(library, wanted, watch)
    if out:
        out.write(to_json(run))
    if trec:
        trec.write(to_trec(run))
    results.show_run(run, beside, json_)


@click.command()
@click.argument("first")
@click.argument("second")
@click.option("--html", type=click.Path(path_type=Path), metavar="FILE", help="Write a page with charts.")
@click.option("--measure", "primary", default="nDCG@10", show_default=True, help="The measure that decides.")
@click.option(
    "--margin", type=click.FloatRange(0, 1), default=0.02, show_default=True, help="A loss that does not matter."
)
@as_json
@click.pass_obj
def compare(
    folder: str | None, first: str, second: str, html: Path | None, primary: str, margin: float, json_: bool
) -> None:
    """Compare two runs over the same questions: is the second better than the first?"""
    from quoth import results
    from quoth.evaluate import compared, write_report

    with open_library(folder, create=True) as library:
        done = compared(library, first, second, primary=primary, margin=margin)
    if html:
        write_report(html, done)
    results.show_comparison(done.found, json_)


@click.group(invoke_without_command=True)
@as_json
@click.pass_context
def journal(context: click.Context, json_: bool) -> None:
    """Show what was asked, shown, opened, rated and evaluated; it never leaves this machine."""
    from quoth import feedback, results

    if context.invoked_subcommand is None:
        with open_library(context.obj) as library:
            results.show_journal(feedback.entries(library, 20), json_)


@journal.command("export")
@click.argument("file", type=click.File("w", encoding="utf-8"), default="-")
@click.pass_obj
def journal_export(folder: str | None, file: IO[str]) -> None:
    """Write every entry as a line of JSON."""
    from quoth import feedback

    with open_library(folder) as library:
        for line in feedback.export(library):
            file.write(line + "\n")


@journal.command("prune")
@click.option("--days", type=click.FloatRange(0), required=True, help="Entries older than this go, without a trace.")
@as_json
@click.pass_obj
def journal_prune(folder: str | None, days: float, json_: bool) -> None:
    """Take old entries out."""
    from quoth import feedback, terminal

    with open_library(folder) as library:
        terminal.show_count("removed", feedback.prune(library, days), "entry", json_)


@journal.command("off")
@click.pass_obj
def journal_off(folder: str | None) -> None:
    """Keep no journal from now on."""
    from quoth import feedback

    with open_library(folder) as library:
        feedback.switch(library, False)
    click.echo("no journal is kept from now on; quoth journal prune --days 0 takes out what is there")


@journal.command("on")
@click.pass_obj
def journal_on(folder: str | None) -> None:
    """Keep a journal again."""
    from quoth import feedback

    with open_library(folder) as library:
        feedback.switch(library, True)
    click.echo("a journal is kept, in the library and nowhere else")


@click.command()
@click.argument("rating", type=click.Choice(["right", "wrong"]))
@click.option("--quote", type=click.IntRange(1), default=None, metavar="N", help="Not the answer, but its n-th quote.")
@as_json
@click.pass_obj
def rate(folder: str | None, rating: Literal["right", "wrong"], quote: int | None, json_: bool) -> None:
    """Say whether the last answer was right."""
    from quoth import feedback, results

    with open_library(folder) as library:
        results.show_rated(feedback.rate(library, rating, quote or 0), rating, json_)


@click.command()
@as_json
@click.pass_obj
def runs(folder: str | None, json_: bool) -> None:
    """List the runs that were kept."""
    from quoth import results
    from quoth.evaluate import kept_runs

    with open_library(folder) as library:
        results.show_runs(kept_runs(library), json_)
