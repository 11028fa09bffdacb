"""Evaluations for people: recipes, golden questions, runs and comparisons as tables and sentences."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click

from quoth.terminal import print_json, safe, some

if TYPE_CHECKING:
    from quoth.catalog.golden import GoldenQuestion
    from quoth.catalog.journal import Entry
    from quoth.evaluate import Comparison, Question, Run
    from quoth.evaluate.suggest import Suggestion
    from quoth.recipe import Kept, Recipe, Value

LONG = 76
"""Characters of a question that are shown in a list."""


def show_recipes(recipes: Sequence[Kept], as_json: bool) -> None:
    """Print the recipes, the one that counts marked."""
    if as_json:
        return print_json({"recipes": [_recipe(one.recipe, one.name, one.used) for one in recipes]})
    for one in recipes:
        when = f"{datetime.datetime.fromtimestamp(one.added).astimezone():%Y-%m-%d}" if one.added else "          "
        click.echo(f"{'*' if one.used else ' '} {one.recipe.hash}  {when}  {safe(one.name)}")
    return None


def show_recipe(kept: Kept, as_json: bool) -> None:
    """Print every field of a recipe."""
    if as_json:
        return print_json(_recipe(kept.recipe, kept.name, kept.used))
    click.echo(f"{safe(kept.name)}  {kept.recipe.hash}" + ("  (the one that counts)" if kept.used else ""))
    for name, value in kept.recipe.values().items():
        click.echo(f"  {name:24} {value}")
    return None


def show_recipe_difference(names: tuple[str, str], fields: Mapping[str, tuple[Value, Value]], as_json: bool) -> None:
    """Print the fields in which two recipes differ."""
    if as_json:
        return print_json({"first": names[0], "second": names[1], "fields": dict(fields)})
    for name, (one, other) in fields.items():
        click.echo(f"  {name:24} {one} → {other}")
    if not fields:
        click.echo("no difference")
    return None


def _recipe(recipe: Recipe, name: str, used: bool) -> dict[str, object]:
    return {"name": name, "hash": recipe.hash, "used": used, "fields": recipe.values()}


def show_golden(questions: Sequence[GoldenQuestion], now: Sequence[Question], as_json: bool) -> None:
    """Print golden questions with what answers them; stale ones say so."""
    stale = {one.key for one in now if one.stale}
    if as_json:
        rows = [dataclasses.asdict(one) | {"stale": one.key in stale} for one in questions]
        return print_json({"questions": rows})
    for one in questions:
        mark = "stale: its words are gone" if one.key in stale else "must not be answered" if one.none else ""
        click.echo(f"{one.key}  {safe(_short(one.question))}" + (f"  ({mark})" if mark else ""))
        for at in one.spans:
            where = f"{at.path}" if at.start is None else f"“{_short(at.text)}”  {at.path}"
            click.echo(safe(f"          {where}"))
    click.echo(f"{some(len(questions), 'question')}" + (f", {len(stale)} stale" if stale else ""))
    return None


def show_suggestions(found: Sequence[Suggestion], as_json: bool) -> None:
    """Print questions that somebody may accept."""
    if as_json:
        return print_json({"suggestions": [dataclasses.asdict(one) for one in found]})
    for one in found:
        click.echo(safe(f"{_short(one.question)}\n    “{_short(one.quote)}”  {one.document}"))
    click.echo("none counts until you add it: quoth golden suggest --out FILE, edit it, quoth golden import FILE")
    return None


def show_run(run: Run, beside: Sequence[Run], as_json: bool) -> None:
    """Print the means of a run with their intervals, and of others over the same questions."""
    from quoth.evaluate import summary

    if as_json:
        runs = [summary.of(one) for one in (run, *beside)]
        return print_json({"set": run.set, "runs": runs, "outcomes": [dataclasses.asdict(one) for one in run.outcomes]})
    every = [summary.of(one) for one in (run, *beside)]
    click.echo(f"{safe(run.set)}: {some(len(run.outcomes), 'question')}, recipe {run.recipe}")
    width = max(len(name) for one in every for name in one["measures"])
    for one in every:
        if beside:
            click.echo(safe(f"{one['name']}"))
        for name, value in one["measures"].items():
            click.echo(f"  {name:{width}}  {value['mean']:.4f}  [{value['low']:.4f}, {value['high']:.4f}]")
        for name, number in one["decisions"].items():
            click.echo(f"  {name:{width}}  {number:.4f}")
        times = one["milliseconds"]
        click.echo(f"  {'ms a question':{width}}  {times['p50']:.1f} (p50), {times['p99']:.1f} (p99)")
    return None


def show_comparison(found: Comparison, as_json: bool) -> None:
    """Print what changed from the first run to the second, and what may be said about it."""
    if as_json:
        return print_json(dataclasses.asdict(found))
    click.echo(safe(f"{found.set}: {found.first} → {found.second}"))
    click.echo(
        f"  {'':16} {'first':>7} {'second':>7} {'difference':>10}  95 % interval        p        Holm p   differ"
    )
    for one in found.differences:
        at = one.interval
        click.echo(
            f"{'*' if one.measure == found.primary else ' '} {one.measure:16} {one.first:7.4f} {one.second:7.4f}"
            f" {one.difference:+10.4f}  [{at.low:+.4f}, {at.high:+.4f}]  {one.p:<8.2g} {one.adjusted:<8.2g}"
            f" {one.informative} of {one.questions}"
        )
    click.echo(f"{found.words}")
    click.echo(f"However often one looks: p {found.anytime:.2g}. * decides; it was declared beforehand.")
    if found.looks > 1:
        click.echo(
            f"{found.looks} pairs of recipes were compared on this set: a p counts that is below"
            f" {found.alpha / found.looks:.2g}."
        )
    for title, changes in (("gained", found.gained), ("lost", found.lost)):
        for change in changes[:5]:
            click.echo(safe(f"  {title} {change.second - change.first:+.3f}  {_short(change.question)}"))
    return None


def show_runs(runs: Sequence[Run], as_json: bool) -> None:
    """Print the runs that were kept."""
    if as_json:
        rows = [
            {"name": one.name, "set": one.set, "recipe": one.recipe, "questions": len(one.outcomes)} for one in runs
        ]
        return print_json({"runs": rows})
    for one in runs:
        click.echo(safe(f"{one.name:32}  {one.recipe}  {some(len(one.outcomes), 'question')} of {one.set}"))
    if not runs:
        click.echo("no runs yet: quoth evaluate")
    return None


def show_journal(entries: Sequence[Entry], as_json: bool) -> None:
    """Print entries of the journal."""
    if as_json:
        return print_json({"entries": [dataclasses.asdict(one) for one in entries]})
    for one in entries:
        when = f"{datetime.datetime.fromtimestamp(one.at).astimezone():%Y-%m-%d %H:%M}"
        told = (
            one.record.get("question")
            or one.record.get("document")
            or one.record.get("run")
            or one.record.get("recipe")
        )
        rating = f"  ({one.record['rating']})" if one.kind == "rated" else ""
        click.echo(safe(f"{when}  {one.kind:9}  {_short(str(told))}{rating}"))
    if not entries:
        click.echo("the journal is empty")
    return None


def show_rated(answer: Entry, rating: str, as_json: bool) -> None:
    """Print what was rated."""
    if as_json:
        return print_json({"rated": rating, "question": answer.record["question"], "shown": answer.id})
    click.echo(safe(f"{rating}: {_short(str(answer.record['question']))}"))
    return None


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONG else line[: LONG - 1] + "…"
