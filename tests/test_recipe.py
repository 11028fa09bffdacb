"""Recipes: what they hold, how they are changed, and that equal ones give equal answers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from conftest import Quoth
from quoth import Library
from quoth.errors import NotFound, UsageError
from quoth.recipe import Recipe, changed, difference


@pytest.fixture
def library(added: Path) -> Library:
    return Library.open(added)


def test_the_hash_follows_every_field() -> None:
    one = Recipe(encoder="e")
    assert one.hash == Recipe(encoder="e").hash
    others = [
        replace(one, encoder="f"),
        replace(one, depth=101),
        replace(one, passages=9),
        replace(one, fusion=replace(one.fusion, words=0.45)),
        replace(one, quoting=replace(one.quoting, threshold=0.5)),
    ]
    assert len({one.hash, *(other.hash for other in others)}) == 6
    assert difference(one, others[3]) == {"fusion.words": (0.44, 0.45)}


def test_fields_are_set_by_their_names_and_mistakes_are_named() -> None:
    one = changed(Recipe(encoder="e"), {"fusion.words": "0.6", "depth": "200"})
    assert (one.fusion.words, one.depth) == (0.6, 200)
    for settings, message in (
        ({"fusion.wrods": "1"}, "a recipe has no fusion.wrods"),
        ({"depth": "many"}, "depth is a whole number, not 'many'"),
        ({"depth": "0"}, "depth cannot be 0"),
        ({"fusion.words": "nan"}, "fusion.words cannot be nan"),
        ({"encoder": "other"}, "encoder follows from the library"),
    ):
        with pytest.raises(UsageError, match=message):
            changed(Recipe(encoder="e"), settings)


def test_a_library_remembers_recipes_and_lets_one_count(library: Library, tmp_path: Path) -> None:
    usual = library.recipe()
    wordy = library.make_recipe("wordy", {"fusion.words": "1.0", "fusion.vectors": "0.0"})
    assert (wordy.name, wordy.used, library.recipe()) == ("wordy", False, usual)
    assert library.use_recipe("wordy").used
    assert library.recipe() == wordy.recipe != usual
    assert library.ask("When is the boiler serviced?").recipe == wordy.recipe.hash
    library.close()
    with Library.open(tmp_path / "library") as again:
        assert again.recipe() == wordy.recipe
        assert [(one.name, one.used) for one in again.recipes()] == [("default", False), ("wordy", True)]
        assert again.recipe_named(wordy.recipe.hash[:6]).name == "wordy"
        assert again.use_recipe("default").recipe == usual
        with pytest.raises(NotFound, match="there is no recipe nobody"):
            again.recipe_named("nobody")
        with pytest.raises(UsageError, match="another recipe named wordy"):
            again.make_recipe("wordy", {"depth": "50"})
        again.make_recipe("wordy", {"fusion.words": "1.0", "fusion.vectors": "0.0"})


def test_every_number_of_a_recipe_has_its_effect(library: Library) -> None:
    question = "When is the boiler serviced?"
    sure = library.make_recipe("sure", {"quoting.threshold": "1.1"}).recipe
    assert library.ask(question).answered
    assert not library.ask(question, recipe=sure).answered
    one = library.make_recipe("one", {"fusion.words": "0.9", "fusion.adapt": "0.0"}).recipe
    assert library.search(question, recipe=one).hits[0].score != library.search(question).hits[0].score


def test_equal_recipe_and_catalog_give_equal_bits(library: Library, tmp_path: Path) -> None:
    def said(opened: Library) -> list[object]:
        hits = [opened.search(one, 5).hits for one in ("boiler pressure", "tomatoes", "bread oven")]
        answer = opened.ask("What was the roof repaired for?")
        return [*hits, answer.quotes, answer.confidence]

    first = said(library)
    assert said(library) == first
    library.close()
    with Library.open(tmp_path / "library") as again:
        assert said(again) == first


def test_the_command_line_makes_shows_and_uses_recipes(quoth: Quoth, notes: Path) -> None:
    assert quoth("add", str(notes)).code == 0
    made = quoth("recipe", "new", "wordy", "--set", "fusion.words=0.6", "--json").json
    assert made["fields"]["fusion.words"] == 0.6  # type: ignore[index]
    assert quoth("recipe", "diff", "default", "wordy").out == "  fusion.words             0.44 → 0.6\n"
    assert quoth("recipe", "use", "wordy").code == 0
    listed = quoth("recipe", "list").out.splitlines()
    assert listed[0].startswith("  ") and listed[0].endswith("default")
    assert listed[1].startswith("* ") and listed[1].endswith("wordy")
    wrong = quoth("recipe", "new", "x", "--set", "fusion.wrods=1")
    assert (wrong.code, wrong.err.splitlines()[0]) == (2, "error: a recipe has no fusion.wrods")
