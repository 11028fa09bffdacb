"""Search through the public API held against a brute-force one: filters, k, threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from quoth import Library
from quoth.recipe import Recipe
from quoth.types import Filters, Hit
from quoth.vectors import turbo
from quoth.words import index

THINGS = ("boiler", "roof", "garden", "bread", "pump", "cellar", "window", "tomato", "compost", "wrench", "lamp")
QUESTIONS = ("how is the boiler repaired", "bread and tomato", "the lamp in the cellar", "zebra")
FOLDERS = {"half": 2, "tenth": 10, "fiftieth": 50, "one": 150}


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """150 passages, of which a half, a tenth, a fiftieth and one lie in folders of their own."""
    folder = tmp_path_factory.mktemp("find")
    for number in range(150):
        names = [name for name, every in FOLDERS.items() if number % every == 0]
        place = folder.joinpath("files", *names)
        place.mkdir(parents=True, exist_ok=True)
        things = [THINGS[(number * step) % len(THINGS)] for step in (1, 2, 7)]
        text = f"The {things[0]} number {number} was repaired beside the {things[1]}, and a {things[2]} was bought."
        (place / f"{number}.txt").write_text(text + " " + f"{things[number % 3]} " * (number % 4))
    opened = Library.open(folder / "library")
    opened.add([folder / "files"])
    return opened


def plain(recipe: Recipe, words: float, vectors: float) -> Recipe:
    """The recipe that ranks by one score alone and folds nothing."""
    weights = replace(recipe.fusion, words=words, vectors=vectors, match=0.0, adapt=0.0, alike=2.0)
    return replace(recipe, fusion=weights)


def folder_of(library: Library, name: str) -> str:
    names = list(FOLDERS)[: list(FOLDERS).index(name) + 1]
    return str(Path(library.sources()[0].path).joinpath(*names))


@pytest.mark.parametrize("way", ["as it is", "codes, hits left out", "codes, ids looked up"])
@pytest.mark.parametrize("name", FOLDERS)
def test_filters_of_every_width_give_the_k_best_of_what_they_leave(
    library: Library, monkeypatch: pytest.MonkeyPatch, way: str, name: str
) -> None:
    if way != "as it is":
        monkeypatch.setattr(turbo, "SCAN", 0)
        monkeypatch.setattr(index, "NARROW", 0.0 if "left out" in way else 1e9)
    folder = folder_of(library, name)
    for words, vectors in ((1.0, 0.0), (0.0, 1.0)):
        recipe = plain(library.recipe(), words, vectors)

        def score(hit: Hit, words: float = words) -> float:
            return hit.words if words else hit.vectors

        for question in QUESTIONS:
            everything = library.search(question, 150, recipe=recipe).hits
            inside = [hit for hit in everything if hit.document.startswith(folder + "/")]
            assert len(everything) == 150
            for k in (1, 10, 150):
                found = library.search(question, k, Filters(folders=(folder,)), recipe=recipe).hits
                assert len(found) == min(k, len(inside))
                assert all(hit.document.startswith(folder + "/") for hit in found)
                best = sorted((score(hit) for hit in inside), reverse=True)[:k]
                # half precision and the order of a sum move a score's last digits
                assert [score(hit) for hit in found] == pytest.approx(best, abs=2e-5)


def test_k_hits_come_back_whenever_k_exist(library: Library) -> None:
    unfolded = plain(library.recipe(), 0.5, 0.5)
    for k in (1, 7, 149, 150, 151):
        assert len(library.search("boiler", k, recipe=unfolded).hits) == min(k, 150)
        assert len(library.search("boiler", k, Filters(folders=(folder_of(library, "one"),))).hits) == 1


def test_threads_get_what_one_alone_gets_while_another_adds(tmp_path: Path) -> None:
    for number in range(40):
        path = tmp_path / "files" / f"{number % 4}" / f"{number}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"The {THINGS[number % len(THINGS)]} number {number} was repaired.")
    later = tmp_path / "files" / "later"
    later.mkdir()
    filters = Filters(folders=tuple(str(tmp_path / "files" / str(number)) for number in range(4)))
    recipe = Recipe(encoder="", fusion=plain(Recipe(encoder=""), 0.0, 1.0).fusion)
    with Library.open(tmp_path / "library") as library:
        library.add([tmp_path / "files"])

        def ask(turn: int) -> list[tuple[int, float]]:
            hits = library.search(QUESTIONS[turn % 4], 5, filters, recipe=recipe).hits
            return [(hit.passage, hit.vectors) for hit in hits]

        alone = [ask(turn) for turn in range(4)]
        with ThreadPoolExecutor(4) as threads:
            asked = threads.map(ask, range(200))
            for number in range(5):
                (later / f"{number}.txt").write_text(f"Nothing that was asked, {number}.")
                library.sync()
            assert all(found == alone[turn % 4] for turn, found in enumerate(asked))
        assert library.status().files == 45
