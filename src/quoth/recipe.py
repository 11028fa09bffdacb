"""Everything that can change an answer, as one frozen record with a content hash.

A library remembers recipes and names one that counts; a recipe's fields are changed by their dotted names,
`fusion.words` or `depth`, as the command line and the tuning do.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING

from quoth import answer, rank
from quoth.catalog import Catalog, journal, recipes
from quoth.errors import NotFound, UsageError

if TYPE_CHECKING:
    from typing import Final

Value = str | int | float
DEFAULT: Final = "default"
"""The name of the recipe that a library has without anyone's doing."""
NO_PROSE: Final = "none"
"""The language model of answers that are quotes alone."""


@dataclass(frozen=True)
class Recipe:
    """Equal recipe and equal catalog give equal results.

    `words` and `vectors` name how the indexes are made (the number rises when that changes), `depth` is how
    many candidates each of them brings at least, `passages` how many of the ranked ones the answer looks at,
    `fusion` how their scores are put together, and `quoting` how sentences are chosen and when that is an answer.
    `prose` names the language model that wrote, and `prompt` the wording that it was asked in; without one, the
    hash is the same whatever prompts there are.
    """

    encoder: str
    words: str = "tantivy-1"
    vectors: str = "turbovec-4bit-2"
    depth: int = 100
    passages: int = answer.HITS
    fusion: rank.Weights = field(default_factory=rank.Weights)
    quoting: answer.Quoting = field(default_factory=answer.default)
    prose: str = NO_PROSE
    prompt: str = ""

    @cached_property
    def hash(self) -> str:
        """Twelve hexadecimal digits that name this recipe."""
        record = asdict(self)
        if self.prose == NO_PROSE:
            del record["prose"], record["prompt"]
        return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()[:12]

    def values(self) -> dict[str, Value]:
        """Every field by its dotted name."""
        return dict(_flat(asdict(self)))


@dataclass(frozen=True, slots=True)
class Kept:
    """A recipe that a library remembers; `used` says that it is the one that counts."""

    recipe: Recipe
    name: str
    added: float
    used: bool


FIXED = ("encoder", "words", "vectors", "quoting.model", "prose", "prompt")
"""Fields that say what was built or who was asked; another value needs another index or model, not another recipe."""


def changed(recipe: Recipe, settings: Mapping[str, str]) -> Recipe:
    """The recipe with fields set by their dotted names; `UsageError` for an unknown name or a value that does not fit.

    What the library is built with cannot be set: it follows from the library.
    """
    known, record = recipe.values(), asdict(recipe)
    for name, text in settings.items():
        if name not in known:
            raise UsageError(
                f"a recipe has no {name}", f"one of: {', '.join(one for one in known if one not in FIXED)}"
            )
        if name in ("prose", "prompt"):
            raise UsageError(f"{name} follows from the language model that is asked", "quoth ask --llm NAME")
        if name in FIXED:
            raise UsageError(f"{name} follows from the library and its indexes", "quoth reindex --encoder NAME")
        part, _, last = name.rpartition(".")
        (record[part] if part else record)[last] = _parsed(name, text, known[name])
    return _of(record)


def written(recipe: Recipe, model: str, prompt: str) -> Recipe:
    """The recipe of an answer that a language model wrote, asked in a wording of this version."""
    return replace(recipe, prose=model, prompt=prompt)


def difference(first: Recipe, second: Recipe) -> dict[str, tuple[Value, Value]]:
    """The fields in which two recipes differ, by dotted name."""
    one, other = first.values(), second.values()
    return {name: (one[name], other[name]) for name in one if one[name] != other[name]}


# -- the recipes of a library ----------------------------------------------------------------------


def used(catalog: Catalog, encoder: str) -> Recipe:
    """The recipe that counts in a library whose encoder has this fingerprint."""
    chosen = catalog.get("recipe") or DEFAULT
    record = recipes.record(catalog, chosen) if chosen != DEFAULT else None
    return Recipe(encoder=encoder) if record is None else replace(_read(record), encoder=encoder)


def every(catalog: Catalog, encoder: str) -> list[Kept]:
    """The default recipe, then those that were made, the oldest first."""
    chosen = catalog.get("recipe") or DEFAULT
    kept = [Kept(Recipe(encoder=encoder), DEFAULT, 0.0, chosen == DEFAULT)]
    for name, added, record in recipes.every(catalog):
        kept.append(Kept(replace(_read(record), encoder=encoder), name, added, chosen == name))
    return kept


def find(known: Sequence[Kept], name: str) -> Kept:
    """The recipe of this name, or the one whose hash begins so; `NotFound` when there is none, or more than one."""
    named = [kept for kept in known if kept.name == name]
    found = named or [kept for kept in known if len(name) >= 4 and kept.recipe.hash.startswith(name)]
    if len({kept.recipe.hash for kept in found}) == 1:
        return found[0]
    if found:
        raise NotFound(f"{len(found)} recipes begin with {name}", "quoth recipe list")
    raise NotFound(f"there is no recipe {name}", "quoth recipe list")


def keep(catalog: Catalog, recipe: Recipe, name: str) -> None:
    """Remember a recipe by a name that no other one has; a second time it changes nothing."""
    if name == DEFAULT or not name or name.strip() != name:
        raise UsageError(f"a recipe cannot be named {name!r}", "choose another with --name")
    known = recipes.record(catalog, name)
    if known is None:
        recipes.keep(catalog, name, time.time(), json.dumps(asdict(recipe), sort_keys=True))
    elif replace(_read(known), encoder=recipe.encoder) != recipe:
        raise UsageError(f"there is another recipe named {name}", "choose another with --name")


def use(catalog: Catalog, kept: Kept) -> None:
    """Let a recipe count that the library remembers, or the default one."""
    catalog.note({"recipe": kept.name})
    journal.append(catalog, "promoted", kept.recipe.hash, {"recipe": kept.name})


def _flat(record: Mapping[str, object], above: str = "") -> Iterator[tuple[str, Value]]:
    for name, value in record.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{name}.")
        elif isinstance(value, Value):
            yield above + name, value


def _parsed(name: str, text: str, before: Value) -> Value:
    """The value in the type of the one before it."""
    try:
        value: Value = type(before)(text)
    except ValueError:
        wanted = "a whole number" if isinstance(before, int) else "a number"
        raise UsageError(f"{name} is {wanted}, not {text!r}", f"quoth recipe new --set {name}={before}") from None
    if (isinstance(value, float) and math.isnan(value)) or (isinstance(value, int) and not 1 <= value <= 10_000):
        raise UsageError(f"{name} cannot be {text}", f"quoth recipe new --set {name}={before}")
    return value


def _read(record: str) -> Recipe:
    """A recipe as it was kept."""
    return _of(json.loads(record))


def _of(record: dict[str, dict[str, Value] | Value]) -> Recipe:
    """The recipe of a record; fields that it does not have have their present values, others that nobody knows none."""
    given: dict[str, object] = {one.name: record[one.name] for one in fields(Recipe) if one.name in record}
    for name, kind in (("fusion", rank.Weights), ("quoting", answer.Quoting)):
        values = record.get(name)
        if isinstance(values, dict):
            inner: dict[str, object] = {one.name: values[one.name] for one in fields(kind) if one.name in values}
            given[name] = kind(**inner)  # type: ignore[arg-type]
    return Recipe(**given)  # type: ignore[arg-type]
