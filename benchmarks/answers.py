"""Quotes and refusals of the whole product on a question set in SQuAD's layout.

    python benchmarks/answers.py --data dev-v2.0.json.gz --json benchmarks/results/answers.json [--limit N]

Every paragraph becomes a text file, in a folder for each article, and the folders a temporary library
that is asked through `Library.ask`. `--limit N` takes N questions of each kind, evenly spread (default
1,500; 0 takes all: about an hour on two cores). Progress goes to stderr.

Reported:
    quotes      answerable questions: share whose first quote (or any of three) holds a gold answer,
                whether or not the product would have refused; `inside` counts only quotes that overlap the
                gold span in the gold paragraph. Case and space are ignored. Beside it the sentence
                with the highest cosine among the sentences of the same hits.
    verbatim    every quote shown, held against `Library.show` character for character
    abstention  AUROC of the confidence: answerable against unanswerable questions when half of the
                articles are left out, when every other paragraph is left out (both: answerable
                questions whose paragraph is in against those whose paragraph is out), and for the
                set's own unanswerable questions; 95 % intervals from 1,000 bootstrap draws of articles
    risk        what is right among the answered, for the surest tenth, fifth … of the answerable
    threshold   what the packaged threshold does: answered, right, and refused
    calibration expected calibration error (10 bins) of the confidence as the chance that the first
                quote holds the answer, answerable and the set's own unanswerable questions together
    seconds     one question, as the product runs

Sentence vectors are kept from question to question to save time, except for the first 100 questions,
which are timed. This changes no result: a text's vector does not depend on its company.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from record import environment, write

from quoth import Library
from quoth.answer.features import SENTENCES
from quoth.answer.sentences import sentences
from quoth.types import Answer

TIMED = 100
DRAWS = 1_000


@dataclass(frozen=True, slots=True)
class Asked:
    """A question of the set: where its paragraph is, and the gold spans in it (none: unanswerable)."""

    text: str
    article: str
    file: str
    gold: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the library said to a question, and whether its paragraph was there."""

    asked: Asked
    able: bool
    answered: bool
    confidence: float
    first: bool
    three: bool
    inside: bool
    quotes: int
    verbatim: int
    length: int
    seconds: float


def read(path: str) -> tuple[dict[str, str], list[Asked]]:
    """The paragraphs by file name, and all questions."""
    content = Path(path).read_bytes()
    articles = json.loads(gzip.decompress(content) if path.endswith(".gz") else content)["data"]
    paragraphs: dict[str, str] = {}
    asked: list[Asked] = []
    for number, article in enumerate(articles):
        name = article.get("title", f"article-{number}").replace("/", "_")
        for place, paragraph in enumerate(article["paragraphs"]):
            file_name = f"{name}/{place:03d}.txt"
            paragraphs[file_name] = paragraph["context"]
            for question in paragraph["qas"]:
                gold = () if question.get("is_impossible") else question["answers"]
                spans = tuple((one["answer_start"], one["text"]) for one in gold)
                asked.append(Asked(question["question"], name, file_name, spans))
    return paragraphs, asked


def spread(items: Sequence[Asked], most: int) -> list[Asked]:
    """At most `most` of the items (0: all), evenly spread."""
    if not most or len(items) <= most:
        return list(items)
    return [items[round(at)] for at in np.linspace(0, len(items) - 1, most)]


class Kept:
    """An encoder that remembers what it has encoded."""

    def __init__(self, encode: Callable[[Sequence[str]], np.ndarray]) -> None:
        self._encode = encode
        self._vectors: dict[str, np.ndarray] = {}
        self.keeping = False

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        if not self.keeping:
            return self._encode(texts)
        new = [text for text in dict.fromkeys(texts) if text not in self._vectors]
        if new:
            self._vectors |= dict(zip(new, self._encode(new), strict=True))
        return np.array([self._vectors[text] for text in texts])


class Trial:
    """A temporary library of some of the paragraphs, and what it says to questions."""

    def __init__(self, folder: Path, paragraphs: dict[str, str]) -> None:
        self.root = folder / "files"
        self.paragraphs = paragraphs
        for name, text in paragraphs.items():
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            (self.root / name).write_text(text, encoding="utf-8", newline="")
        self.library = Library.open(folder / "library")
        report = self.library.add([self.root])
        if report.failed or report.added != len(paragraphs):
            raise SystemExit(f"{report.added} of {len(paragraphs)} files were added: {report.failed[:3]}")
        self.encoder = self.library._parts.encoder
        self.kept = Kept(self.encoder.encode)
        self.encoder.encode = self.kept  # type: ignore[method-assign]

    def outcomes(self, asked: Sequence[Asked], label: str) -> list[Outcome]:
        """What the library says to each question."""
        found = []
        for number, one in enumerate(asked):
            self.kept.keeping = number >= TIMED
            if number % 250 == 0:
                print(f"{label}: {number} of {len(asked)}", file=sys.stderr, flush=True)
            found.append(self.outcome(one, self.library.ask(one.text, plain=True)))
        return found

    def outcome(self, one: Asked, answer: Answer) -> Outcome:
        quotes = (*answer.quotes, *answer.also)[:3]
        right = [holds(quote.text, one) for quote in quotes]
        able = bool(one.gold) and one.file in self.paragraphs
        shown = (*answer.quotes, *answer.also)
        inside = any(
            quotes[0].start < start + len(text) and start < quotes[0].end for start, text in one.gold if quotes
        ) and quotes[0].document.endswith(one.file)
        return Outcome(
            one, able, answer.answered, answer.confidence, able and right[:1] == [True], able and any(right),
            able and inside, len(shown), sum(self.verbatim(quote) for quote in shown),
            len(quotes[0].text) if quotes else 0, answer.seconds,
        )  # fmt: skip

    def verbatim(self, quote: object) -> bool:
        text = self.library.show(quote.document).text  # type: ignore[attr-defined]
        return text[quote.start : quote.end] == quote.text  # type: ignore[attr-defined]

    def highest_cosine(self, asked: Sequence[Asked]) -> float:
        """The baseline: share of questions whose sentence of highest cosine holds a gold answer."""
        self.kept.keeping = True
        right = 0
        for number, one in enumerate(asked):
            if number % 250 == 0:
                print(f"cosine: {number} of {len(asked)}", file=sys.stderr, flush=True)
            texts = [hit.text for hit in self.library.search(one.text, 8, plain=True).hits]
            every = [text[start:end] for text in texts for start, end in sentences(text)][:SENTENCES]
            if every:
                right += holds(every[int((self.kept(every) @ self.kept([one.text])[0]).argmax())], one)
        return right / max(1, len(asked))


def holds(text: str, one: Asked) -> bool:
    """Whether a text holds one of the gold answers, case and space aside."""
    plain = " ".join(text.lower().split())
    return any(" ".join(gold.lower().split()) in plain for _, gold in one.gold)


def auroc(positive: np.ndarray, negative: np.ndarray) -> float:
    """The chance that a positive is above a negative; ties count half."""
    ordered = np.sort(negative)
    below = np.searchsorted(ordered, positive, "left") + np.searchsorted(ordered, positive, "right")
    return float(below.mean() / 2 / len(negative))


def separation(outcomes: Sequence[Outcome]) -> dict[str, object]:
    """AUROC of answerable against unanswerable questions, with an interval over articles."""
    articles = sorted({one.asked.article for one in outcomes})
    positive = {name: [] for name in articles}
    negative = {name: [] for name in articles}
    for one in outcomes:
        (positive if one.able else negative)[one.asked.article].append(one.confidence)

    def measured(names: Sequence[str]) -> float | None:
        above = np.array([value for name in names for value in positive[name]])
        below = np.array([value for name in names for value in negative[name]])
        return auroc(above, below) if len(above) and len(below) else None

    rng = np.random.default_rng(0)
    draws = [measured(rng.choice(articles, len(articles)).tolist()) for _ in range(DRAWS)]
    low, high = np.quantile([one for one in draws if one is not None], [0.025, 0.975])
    return {
        "auroc": rounded(measured(articles) or 0.0),
        "interval": [rounded(low), rounded(high)],
        "answerable": sum(one.able for one in outcomes),
        "unanswerable": sum(not one.able for one in outcomes),
        "answered of answerable": rounded(np.mean([one.answered for one in outcomes if one.able])),
        "refused of unanswerable": rounded(np.mean([not one.answered for one in outcomes if not one.able])),
    }


def risk(outcomes: Sequence[Outcome]) -> list[dict[str, float]]:
    """Right first quotes among the surest share of the questions, with 95 % bootstrap intervals."""
    ordered = sorted(outcomes, key=lambda one: -one.confidence)
    right = np.array([one.first for one in ordered], float)
    rng = np.random.default_rng(0)
    table = []
    for tenths in range(1, 11):
        some = right[: max(1, len(right) * tenths // 10)]
        draws = rng.choice(some, (DRAWS, len(some))).mean(axis=1)
        low, high = np.quantile(draws, [0.025, 0.975])
        lowest = ordered[len(some) - 1].confidence
        table.append(
            {"coverage": tenths / 10, "right": rounded(some.mean()), "low": rounded(low), "high": rounded(high),
             "confidence from": rounded(lowest)}
        )  # fmt: skip
    return table


def calibration(outcomes: Sequence[Outcome]) -> float:
    """Expected calibration error over ten bins of equal width."""
    sure = np.array([one.confidence for one in outcomes])
    right = np.array([one.first for one in outcomes], float)
    place = np.minimum((sure * 10).astype(int), 9)
    gaps = [abs(sure[place == at].mean() - right[place == at].mean()) * (place == at).mean() for at in set(place)]
    return rounded(sum(gaps))


def rounded(value: float) -> float:
    return round(float(value), 4)


def settings(paragraphs: dict[str, str]) -> Iterator[tuple[str, dict[str, str]]]:
    """What is left in the library in the two settings that leave something out."""
    articles = sorted({name.split("/")[0] for name in paragraphs})
    kept = set(articles[::2])
    yield "half of the articles left out", {k: v for k, v in paragraphs.items() if k.split("/")[0] in kept}
    yield "every other paragraph left out", {k: v for k, v in paragraphs.items() if int(k[-7:-4]) % 2 == 0}


def summary(outcomes: Sequence[Outcome], baseline: float) -> dict[str, object]:
    """The quotes block, for answerable questions."""
    count = len(outcomes)
    share = np.array([one.first for one in outcomes], float)
    margin = 1.96 * share.std() / max(1, count) ** 0.5
    return {
        "questions": count,
        "first quote": rounded(share.mean()),
        "interval": [rounded(share.mean() - margin), rounded(share.mean() + margin)],
        "any of three": rounded(np.mean([one.three for one in outcomes])),
        "first quote inside the gold span": rounded(np.mean([one.inside for one in outcomes])),
        "highest cosine": rounded(baseline),
        "characters of the first quote": round(float(np.mean([one.length for one in outcomes])), 1),
    }


def measure(data: str, limit: int) -> dict[str, object]:
    """All figures."""
    paragraphs, asked = read(data)
    able = spread([one for one in asked if one.gold], limit)
    unable = spread([one for one in asked if not one.gold], limit)
    record: dict[str, object] = {"set": Path(data).name, "paragraphs": len(paragraphs), "limit": limit}
    with tempfile.TemporaryDirectory(prefix="quoth-answers-") as folder:
        trial = Trial(Path(folder), paragraphs)
        outcomes = trial.outcomes(able, "answerable")
        adversarial = trial.outcomes(unable, "unanswerable")
        record["quotes"] = summary(outcomes, trial.highest_cosine(able))
        trial.library.close()
    every = [*outcomes, *adversarial]
    abstention: dict[str, object] = {}
    for label, left in settings(paragraphs):
        with tempfile.TemporaryDirectory(prefix="quoth-answers-") as folder:
            trial = Trial(Path(folder), left)
            found = trial.outcomes(able, label)
            trial.library.close()
        abstention[label] = separation(found)
        every += found
    if adversarial:
        abstention["the set's own unanswerable questions"] = separation([*outcomes, *adversarial])
    timed = [one.seconds for one in outcomes[:TIMED]]
    return record | {
        "verbatim": {"quotes": sum(one.quotes for one in every), "verbatim": sum(one.verbatim for one in every)},
        "abstention": abstention,
        "risk": risk(outcomes),
        "calibration": {"ece": calibration([*outcomes, *adversarial]), "ece answerable": calibration(outcomes)},
        "seconds": {"median": rounded(np.median(timed)), "p95": rounded(np.quantile(timed, 0.95))},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Quotes and refusals on a question set in SQuAD's layout.")
    parser.add_argument("--data", required=True, help="SQuAD JSON, gzipped or not")
    parser.add_argument("--json", help="where the results go (default: stdout)")
    parser.add_argument("--limit", type=int, default=1_500, help="questions of each kind; 0 for all")
    options = parser.parse_args()
    about, started = environment(), time.perf_counter()
    record = measure(options.data, options.limit)
    minutes = round((time.perf_counter() - started) / 60, 1)
    write(options.json, {"benchmark": "answers", **about, "minutes": minutes, **record})


if __name__ == "__main__":
    main()
