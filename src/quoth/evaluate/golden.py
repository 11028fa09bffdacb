"""The library's own golden questions: added with a verbatim quote, anchored to the document, found again later.

What is kept of an answer is its document, its characters, its words and what stands around them. Passages play no
part, so another split or encoder changes nothing. When the document has changed, the words are looked for again, and
of several places the one with the most alike surroundings is taken; where they are gone, the question is stale.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TypeGuard

from quoth.catalog import Catalog, golden
from quoth.catalog.golden import GoldenQuestion, GoldenSpan
from quoth.errors import NotFound, UsageError
from quoth.evaluate.questions import Golden, Published, Question, beir, qrels, queries, record, squad, storable, to_line
from quoth.library import Library
from quoth.types import Document

Fetch = Callable[[str], Document | None]
SET = "golden"
"""The set of questions that are added without naming another."""
AROUND = 80
"""Characters before and after an answer that are kept with it."""
CANDIDATES = 40
"""Passages in which a quote is looked for when its file is not named."""


def add(
    library: Library,
    question: str,
    quote: str = "",
    *,
    place: str = "",
    set_: str = SET,
    none: bool = False,
    answers: Sequence[str] = (),
) -> GoldenQuestion:
    """Add a question with the words that answer it, or one that the library must not answer (`none`).

    `place` names the document; without it the quote must stand in one document only. Raises `NotFound` when the
    quote is nowhere, `UsageError` when it is in several documents.
    """
    _possible(question, none, bool(quote))
    spans = [_located(library, quote, place)] if quote else []
    made = _made(question, spans, set_, none, answers)
    golden.write(library._parts.catalog, [made])
    return made


def add_place(library: Library, question: str, path: str, start: int, end: int, *, set_: str = SET) -> GoldenQuestion:
    """Add a question that these characters of a document answer."""
    _possible(question, False, True)
    document = library.show(path)
    if not 0 <= start < end <= len(document.text):
        raise UsageError(f"{path} has no characters {start} to {end}", f"it has {len(document.text):,}")
    made = _made(question, [_span(document, start, end)], set_, False, ())
    golden.write(library._parts.catalog, [made])
    return made


def questions(library: Library, set_: str | None = None) -> list[Question]:
    """The golden questions as an evaluation takes them, each answer where it stands now; stale ones say so."""
    kept = golden.every(library._parts.catalog, set_)
    if set_ and not kept:
        have = ", ".join(sorted({one.set for one in golden.every(library._parts.catalog)}))
        hint = f"there are: {have}" if have else "quoth golden add QUESTION --quote TEXT; or quoth evaluate --beir DIR"
        raise NotFound(f"there is no set of golden questions {set_}", hint)
    documents = cache(library._parts.catalog.document)
    return [_anchored(library._parts.catalog, one, documents) for one in kept]


def kept(library: Library, set_: str | None = None) -> list[GoldenQuestion]:
    """The golden questions as they were added."""
    return golden.every(library._parts.catalog, set_)


def import_file(library: Library, file: Path, set_: str = SET, asked: Path | None = None) -> list[GoldenQuestion]:
    """Add the questions of a JSONL file, a SQuAD file, a folder in BEIR's layout or TREC's qrels, all or none.

    For qrels `asked` is the file with the questions.
    """
    if asked:
        return import_qrels(library, file, asked, set_)
    if file.is_dir():
        return import_published(library, beir(file), set_)
    if file.name.removesuffix(".gz").endswith(".json"):
        return import_published(library, squad(file), set_)
    return import_(library, file, set_)


def find(library: Library, name: str) -> GoldenQuestion:
    """The question of this key, or of this number."""
    for one in golden.every(library._parts.catalog):
        if name in (one.key, str(one.id)):
            return one
    raise NotFound(f"there is no golden question {name}", "quoth golden list")


def remove(library: Library, names: Sequence[str]) -> int:
    """Take questions out by key or number, or all of a set named "set:NAME"; how many went."""
    gone: list[int] = []
    for name in names:
        if name.startswith("set:"):
            gone += [one.id for one in golden.every(library._parts.catalog, name[4:])]
        else:
            gone.append(find(library, name).id)
    golden.remove(library._parts.catalog, gone)
    return len(gone)


# -- in and out ------------------------------------------------------------------------------------


def import_(library: Library, file: Path, set_: str = SET) -> list[GoldenQuestion]:
    """Add the questions of a JSONL file, all or none; `UsageError` names the first line that is wrong.

    A line is a record: "question", and "quote" (or "quotes", a list) with "in", a file, where it is in several
    documents; or "none": true. Beside these "answers", a list of texts that are right, "set" and "key".
    """
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise UsageError(f"{file} cannot be read ({error})", "check the name") from None
    made = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            where = f"{file}, line {number}"
            try:
                made.append(_from_record(library, record(line, where), set_))
            except (UsageError, NotFound) as error:
                if str(error).startswith(where):
                    raise
                raise UsageError(f"{where}: {error}", error.hint) from None
    if not made:
        raise UsageError(f"{file} holds no questions", 'a line is {"question": …, "quote": …}')
    golden.write(library._parts.catalog, made)
    return made


def import_published(library: Library, published: Published, set_: str) -> list[GoldenQuestion]:
    """Add the questions of a published set whose documents this library holds, by their text; all or none.

    Raises `UsageError` when it holds none of them. Judgements of documents that it lacks are left out, and so are
    questions without any judgement left.
    """
    known = _by_text(library)
    paths = {name: known[_plain(text)] for name, text in published.files.items() if _plain(text) in known}
    if not paths:
        raise UsageError(
            f"this library holds none of the {len(published.files):,} documents of {published.name}",
            "quoth evaluate --beir or --squad makes a library of its own for it",
        )
    documents = cache(library._parts.catalog.document)
    made = []
    for one in published.questions:
        spans = []
        for at in one.golden:
            if at.path in paths and at.start is None:
                spans.append(GoldenSpan(paths[at.path], gain=at.gain))
            elif at.path in paths:
                found = _places(documents(paths[at.path]), at.text)
                spans += [_span(documents(paths[at.path]), *place) for place in _nearest(found, at.start or 0)]
        if spans or one.none:
            made.append(GoldenQuestion(set_, one.key, one.text, one.none, one.answers, tuple(spans)))
    golden.write(library._parts.catalog, made)
    return made


def import_qrels(library: Library, file: Path, asked: Path, set_: str) -> list[GoldenQuestion]:
    """Add judged questions: qrels as TREC writes them, and a file with a question a line after its number and a tab.

    A document is named by its path, its file's name, or that without its ending, where only one document has it.
    """
    names: dict[str, str] = {}
    twice: set[str] = set()
    for path in library._parts.catalog.paths():
        for name in {path, Path(path).name, Path(path).stem}:
            twice |= {name} if name in names else set()
            names[name] = path
    judged = qrels(file, {name: path for name, path in names.items() if name not in twice})
    made = []
    for key, text in queries(asked):
        if key in judged:
            spans = tuple(GoldenSpan(path, gain=gain) for path, gain in judged[key].items())
            made.append(GoldenQuestion(set_, key, text, False, (), spans))
    if not made:
        raise UsageError(f"no question of {asked} is judged in {file}", "a line is: number, tab, question")
    golden.write(library._parts.catalog, made)
    return made


def export(library: Library, set_: str | None = None) -> Iterator[str]:
    """The questions as lines that `import_` reads."""
    for one in golden.every(library._parts.catalog, set_):
        line: dict[str, object] = {"set": one.set, "key": one.key, "question": one.question}
        if one.none:
            line["none"] = True
        if one.answers:
            line["answers"] = list(one.answers)
        quoted = [at for at in one.spans if at.start is not None]
        if quoted:
            line |= {"quotes": [at.text for at in quoted], "in": quoted[0].path}
        whole = [at for at in one.spans if at.start is None]
        if whole:
            line["documents"] = {at.path: at.gain for at in whole}
        yield to_line(line)


def _from_record(library: Library, line: Mapping[str, object], set_: str) -> GoldenQuestion:
    known = {"set", "key", "question", "quote", "quotes", "in", "none", "answers", "documents"}
    if unknown := sorted(set(line) - known):
        raise UsageError(f"nobody knows {', '.join(unknown)}", f"a line has: {', '.join(sorted(known))}")
    question, quotes = line.get("question"), line.get("quotes") or [line["quote"]] if line.get("quote") else []
    if "quotes" in line:
        quotes = line["quotes"]
    answers, documents = line.get("answers") or [], line.get("documents") or {}
    if not isinstance(question, str) or not _are_texts(quotes) or not _are_texts(answers):
        raise UsageError("question is a text, quotes and answers are lists of texts", "see quoth golden import --help")
    if not isinstance(documents, dict) or not all(isinstance(gain, int) for gain in documents.values()):
        raise UsageError("documents are paths with whole numbers", "see quoth golden import --help")
    none = bool(line.get("none"))
    _possible(question, none, bool(quotes or documents))
    spans = [_located(library, quote, str(line.get("in") or "")) for quote in quotes]
    spans += [GoldenSpan(library.show(path).path, gain=gain) for path, gain in documents.items()]
    made = _made(question, spans, str(line.get("set") or set_), none, answers)
    return replace(made, key=storable(str(line.get("key") or made.key)))


def _are_texts(values: object) -> TypeGuard[list[str]]:
    return isinstance(values, list) and all(isinstance(one, str) for one in values)


# -- places ----------------------------------------------------------------------------------------


def _possible(question: str, none: bool, told: bool) -> None:
    """Raise `UsageError` when this is no question, or what answers it is left open."""
    if not any(one.isalnum() for one in question):
        raise UsageError("the question holds no words", 'quoth golden add "what you want to know" --quote TEXT')
    if none and told:
        raise UsageError("a question that must not be answered has no quote", "leave out --quote or --none")
    if not none and not told:
        raise UsageError("what answers it?", "--quote TEXT, or --none if the library must not answer it")


def _made(question: str, spans: Sequence[GoldenSpan], set_: str, none: bool, answers: Sequence[str]) -> GoldenQuestion:
    text = storable(" ".join(question.split()))
    key = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return GoldenQuestion(storable(set_), key, text, none, tuple(map(storable, answers)), tuple(spans))


def _located(library: Library, quote: str, place: str) -> GoldenSpan:
    """Where the words of a quote stand: in the document named, or the only one that holds them."""
    if not quote.strip():
        raise UsageError("the quote holds no words", "--quote TEXT, as it stands in the document")
    if place:
        documents = [library.show(place)]
    else:
        # copies are not folded: a quote in two documents needs one of them named
        recipe = library.recipe()
        unfolded = replace(recipe, fusion=replace(recipe.fusion, alike=2.0))
        found_in = library.search(quote, CANDIDATES, recipe=unfolded, plain=True).hits
        paths = dict.fromkeys(hit.document for hit in found_in)
        documents = [library.show(path) for path in paths]
    holding = [(document, found) for document in documents if (found := _places(document, quote))]
    if not holding:
        where = documents[0].path if place else "any document of this library"
        raise NotFound(f"the quote does not stand in {where}: “{quote[:60]}”", "copy it from quoth show FILE")
    if len(holding) > 1:
        names = ", ".join(Path(document.path).name for document, _ in holding[:3])
        raise UsageError(f"the quote stands in {len(holding)} documents: {names}", "name one with --in FILE")
    document, found = holding[0]
    return _span(document, *found[0])


def _places(document: Document | None, quote: str) -> list[tuple[int, int]]:
    """Where the words of a quote stand in a document, whatever blanks lie between them."""
    words = quote.split()
    if document is None or not words:
        return []
    found = re.compile(r"\s+".join(map(re.escape, words))).finditer(document.text)
    return [match.span() for match in found]


def _nearest(places: Sequence[tuple[int, int]], start: int) -> list[tuple[int, int]]:
    return [min(places, key=lambda place: abs(place[0] - start))] if places else []


def _span(document: Document | None, start: int, end: int) -> GoldenSpan:
    assert document is not None
    text = document.text
    return GoldenSpan(
        document.path, start, end, text[start:end], text[max(0, start - AROUND) : start], text[end : end + AROUND]
    )  # fmt: skip


def _anchored(catalog: Catalog, kept: GoldenQuestion, documents: Fetch) -> Question:
    """The question with its answers where they stand now; those that moved are written down."""
    found: list[Golden] = []
    for number, at in enumerate(kept.spans):
        document = documents(at.path)
        if document is None:
            continue
        if at.start is None or document.text[at.start : at.end] == at.text:
            found.append(Golden(at.path, at.start, at.end, at.text, at.gain))
            continue
        places = _places(document, at.text)
        if places:
            start, end = max(places, key=lambda place: (_alike(document.text, place, at), -place[0]))
            if not catalog.readonly:
                golden.move(catalog, kept.id, number, start, end)
            found.append(Golden(at.path, start, end, document.text[start:end], at.gain))
    stale = not kept.none and not found
    return Question(kept.key, kept.question, tuple(found), kept.answers, kept.none, stale)


def _alike(text: str, place: tuple[int, int], at: GoldenSpan) -> int:
    """How many characters around a place are as they were around the answer, from the answer outwards."""
    start, end = place
    before, after = text[max(0, start - AROUND) : start], text[end : end + AROUND]
    return _common(reversed(before), reversed(at.before)) + _common(after, at.after)


def _common(one: Iterable[str], other: Iterable[str]) -> int:
    count = 0
    for mine, theirs in zip(one, other, strict=False):
        if mine != theirs:
            break
        count += 1
    return count


def _by_text(library: Library) -> dict[str, str]:
    """The path of each document by its text, blanks and a heading's mark aside."""
    catalog = library._parts.catalog
    documents = (catalog.document(path) for path in catalog.paths())
    return {_plain(document.text): document.path for document in documents if document}


def _plain(text: str) -> str:
    return " ".join(text.removeprefix("# ").split())
