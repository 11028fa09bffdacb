"""`src/quoth/answer/model.json`, trained anew: which sentence answers, and whether any does.

    python models/train_confidence.py --data DIR [--out FILE]

DIR holds the public sets, gzipped, as their origins publish them:
    squad/dev-v1.1.json.gz, squad/dev-v2.0.json.gz   SQuAD (CC BY-SA 4.0)
    covid-qa/200423_covidQA.squad.json.gz            COVID-QA (Apache-2.0)
    clapnq/clapnq_dev_{answerable,unanswerable}.jsonl.gz   CLAPNQ (Apache-2.0)

Trained on: the 13 articles of SQuAD 1.1 dev that are not in SQuAD 2.0 dev (856 paragraphs, 4,557
questions), COVID-QA and CLAPNQ dev. SQuAD 2.0 dev is never trained on: its file is read for the names
of its articles only, so that `benchmarks/answers.py` measures on articles that no number here has seen.

Every set becomes a library of the product; questions are searched in it, and the rows come from
`quoth.answer` itself. The ranker is a network of 16 tanh units, trained by the softmax over the
sentences of a question; sentences that hold the answer's words elsewhere count neither way. The
confidence is a logistic regression over SIGNALS, trained on: all questions; the same with half of
the articles left out; the same with every other paragraph left out; CLAPNQ's unanswerable questions;
and questions in which a name, a number or an adjective was exchanged. Its rankers are cross-fitted by
article, so that it sees sentences ranked as they will be. A line through the logits (Platt) then makes the
confidence the chance that the first quote is right. The threshold answers when that is more likely
than a mistake costs: a wrong answer costs as much as 0.43 right ones are worth (threshold 0.3).

Takes about ten minutes on two cores. Needs scikit-learn.
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression

from quoth import Library
from quoth.answer import model
from quoth.answer.features import NAMES, candidates, describe
from quoth.answer.question import understand

HITS = 10
UNITS = 16
ROUNDS = 8
RATE = 3e-3
DECAY = 1e-3
THRESHOLD = 0.3

Matrix = np.ndarray
Paragraphs = dict[str, str]

_NAME = re.compile(r"\b[A-Z][\w'-]+(?:\s+(?:of\s+|the\s+)?[A-Z][\w'-]+)*|\b\d[\d,.]*\d\b|\b\d\b")
_OPPOSITE = dict(
    pair.split()
    for half in (
        "first last|oldest youngest|largest smallest|most least|before after|increase decrease|north south|east west"
        "|high low|higher lower|minimum maximum|more fewer|early late|begin end|won lost|same different|men women"
        "|good bad|major minor|older younger|best worst|highest lowest|greatest smallest|open close|founded dissolved"
        "|born buried|old new|large small|win lose|black white|longest shortest|started ended|positive negative"
        "|allowed forbidden|support oppose|supported opposed|create destroy|created destroyed|inside outside"
        "|above below|public private|internal external|primary secondary|ancient modern|left right|upper lower"
        "|former current|male female|father mother|son daughter|king queen|husband wife|brother sister|buy sell"
        "|accept reject|cause prevent|caused prevented|strong weak|rich poor|war peace",
    )
    for one in half.split("|")
    for pair in (one, " ".join(reversed(one.split())))
)


@dataclass(frozen=True, slots=True)
class Example:
    """A question, the file that answers it, and where; without gold it has no answer."""

    text: str
    group: str
    file: str
    gold: tuple[tuple[int, str], ...]


@dataclass(slots=True)
class Row:
    """One question's sentences: their features, and which of them answer or may answer."""

    example: Example
    able: bool
    features: Matrix
    right: Matrix
    holds: Matrix
    signals: Callable[[Matrix], list[float]]


def squad(path: Path, without: frozenset[str] = frozenset()) -> tuple[Paragraphs, list[Example]]:
    """Paragraphs by file name and questions of a file in SQuAD's layout."""
    paragraphs: Paragraphs = {}
    examples: list[Example] = []
    for number, article in enumerate(json.loads(gzip.decompress(path.read_bytes()))["data"]):
        name = article.get("title", f"paper-{number}").replace("/", "_")
        if name in without:
            continue
        for place, paragraph in enumerate(article["paragraphs"]):
            file = f"{name}/{place:03d}.txt"
            paragraphs[file] = paragraph["context"]
            for one in paragraph["qas"]:
                gold = () if one.get("is_impossible") else one["answers"]
                spans = tuple((answer["answer_start"], answer["text"]) for answer in gold)
                examples.append(Example(one["question"], name, file, spans))
    return paragraphs, examples


def clapnq(folder: Path) -> tuple[Paragraphs, list[Example]]:
    """Passages and questions of CLAPNQ dev; the gold spans are the selected sentences."""
    paragraphs: Paragraphs = {}
    examples: list[Example] = []
    for half in ("answerable", "unanswerable"):
        for line in gzip.decompress((folder / f"clapnq_dev_{half}.jsonl.gz").read_bytes()).splitlines():
            record = json.loads(line)
            passage = record["passages"][0]
            file = f"{re.sub(r'[^A-Za-z0-9]+', '-', passage['title'])[:60]}/{record['id']}.txt"
            paragraphs[file] = text = passage["text"]
            chosen = [one.strip() for output in record["output"] for one in output.get("selected_sentences", [])]
            spans = tuple((text.find(one), one) for one in chosen if one and one in text)
            examples.append(Example(record["input"], "clapnq", file, spans if half == "answerable" else ()))
    return paragraphs, examples


def exchanged(examples: Sequence[Example], rng: np.random.Generator) -> Iterator[Example]:
    """Questions without an answer: a name, a number or an adjective was exchanged."""
    names: dict[str, set[str]] = {}
    for one in examples:
        names.setdefault(one.group, set()).update(match[0] for match in _NAME.finditer(one.text[1:]))
    for one in examples:
        title = one.group.replace("_", " ")
        found = [match for match in _NAME.finditer(one.text) if match.start() and match[0] not in title]
        words = [match for match in re.finditer(r"\w+", one.text) if match[0].lower() in _OPPOSITE]
        if found and (not words or rng.random() < 0.6):
            match = found[rng.integers(len(found))]
            number = match[0][0].isdigit()
            others = sorted(
                name for name in names[one.group]
                if name[0].isdigit() == number and name not in one.text and name not in title
            )  # fmt: skip
            if others:
                other = others[rng.integers(len(others))]
                yield replace(one, text=one.text[: match.start()] + other + one.text[match.end() :], gold=())
        elif words:
            match = words[rng.integers(len(words))]
            other = _OPPOSITE[match[0].lower()]
            yield replace(one, text=one.text[: match.start()] + other + one.text[match.end() :], gold=())


class Asker:
    """Questions → rows, through libraries of the product; vectors of sentences are kept."""

    def __init__(self) -> None:
        self.vectors: dict[str, Matrix] = {}

    def rows(self, paragraphs: Paragraphs, examples: Sequence[Example], label: str) -> list[Row]:
        """A row for each question that finds anything."""
        with tempfile.TemporaryDirectory(prefix="quoth-train-") as folder:
            root = Path(folder) / "files"
            for name, text in paragraphs.items():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text(text, encoding="utf-8", newline="")
            with Library.open(Path(folder) / "library") as library:
                library.add([root])
                encode = library._parts.encoder.encode
                texts = {str(root / name): text for name, text in paragraphs.items()}
                found = []
                for number, one in enumerate(examples):
                    if number % 500 == 0:
                        print(f"{label}: {number} of {len(examples)}", file=sys.stderr, flush=True)
                    found.append(self.row(library, texts, encode, one, one.file in paragraphs, str(root / one.file)))
        return [row for row in found if row]

    def row(
        self, library: Library, texts: dict[str, str], encode: Callable[[Sequence[str]], Matrix], one: Example,
        there: bool, file: str,
    ) -> Row | None:  # fmt: skip
        hits = library.search(one.text, HITS, plain=True).hits[:HITS]
        about = understand(one.text, [hit.text for hit in hits])
        found, stretches = candidates(about, hits, texts.__getitem__)
        if not found:
            return None
        new = [text for text in dict.fromkeys([one.text, *(one.text for one in found)]) if text not in self.vectors]
        if new:
            self.vectors |= dict(zip(new, encode(new), strict=True))
        vectors = np.array([self.vectors[sentence.text] for sentence in found])
        features = describe(about, hits, found, stretches, vectors, self.vectors[one.text])
        right = [
            sentence.document == file
            and any(sentence.start < at + len(gold) and at < sentence.end for at, gold in one.gold)
            for sentence in found
        ]
        plain = [" ".join(sentence.text.lower().split()) for sentence in found]
        holds = [any(" ".join(gold.lower().split()) in text for _, gold in one.gold) for text in plain]

        def signals(logits: Matrix) -> list[float]:
            return list(model.signals(about, hits, found, features, logits).values())

        return Row(one, there and bool(one.gold), features, np.array(right), np.array(holds) | right, signals)


def train_ranker(rows: Sequence[Row], seed: int = 0) -> model.Network:
    """A network whose softmax over a question's sentences puts its weight on those that answer (Adam)."""
    usable = [row for row in rows if row.able and row.right.any() and len(row.right) > 1]
    every = np.vstack([row.features for row in usable])
    mean, scale = every.mean(axis=0), every.std(axis=0) + 1e-6
    inputs = [np.clip((row.features - mean) / scale, -model.LIMIT, model.LIMIT) for row in usable]
    rng = np.random.default_rng(seed)
    weights = [
        rng.normal(0, len(NAMES) ** -0.5, (len(NAMES), UNITS)), np.zeros(UNITS),
        rng.normal(0, UNITS**-0.5, (UNITS, 1)), np.zeros(1),
    ]  # fmt: skip
    first, second = [np.zeros_like(one) for one in weights], [np.zeros_like(one) for one in weights]
    step = 0
    for _ in range(ROUNDS):
        order = rng.permutation(len(usable))
        for at in range(0, len(order), 64):
            step += 1
            batch = order[at : at + 64]
            slopes = gradient(weights, [inputs[place] for place in batch], [usable[place] for place in batch])
            for place, slope in enumerate(slopes):
                slope = slope + DECAY * weights[place]
                first[place] = 0.9 * first[place] + 0.1 * slope
                second[place] = 0.999 * second[place] + 0.001 * slope**2
                size = RATE * (1 - 0.999**step) ** 0.5 / (1 - 0.9**step)
                weights[place] = weights[place] - size * first[place] / (np.sqrt(second[place]) + 1e-8)
    return model.Network(mean, scale, ((weights[0], weights[1]), (weights[2], weights[3])))


def gradient(weights: Sequence[Matrix], inputs: Sequence[Matrix], rows: Sequence[Row]) -> list[Matrix]:
    """The mean slope of -log(weight on the right sentences) over questions."""
    every = np.vstack(inputs)
    hidden = np.tanh(every @ weights[0] + weights[1])
    logits = (hidden @ weights[2] + weights[3])[:, 0]
    slope = np.zeros(len(every))
    at = 0
    for row in rows:
        part = slice(at, at + len(row.right))
        at = part.stop
        shares = np.exp(logits[part] - logits[part].max())
        counted = shares * (row.right | ~row.holds)
        wanted = shares * row.right
        slope[part] = counted / counted.sum() - wanted / max(wanted.sum(), 1e-12)
    slope /= len(rows)
    back = slope[:, None] * weights[2].T * (1 - hidden**2)
    return [every.T @ back, back.sum(axis=0), hidden.T @ slope[:, None], np.array([slope.sum()])]


def train_confidence(signals: Matrix, able: Matrix, right: Matrix) -> tuple[model.Network, float]:
    """A logistic regression for `able`, stretched (Platt) to give the chance of `right`; and its error."""
    mean, scale = signals.mean(axis=0), signals.std(axis=0) + 1e-6
    inputs = np.clip((signals - mean) / scale, -model.LIMIT, model.LIMIT)
    fitted = LogisticRegression(C=0.3, max_iter=1_000).fit(inputs, able)
    logits = inputs @ fitted.coef_[0] + fitted.intercept_[0]
    line = LogisticRegression(C=1e6).fit(logits[:, None], right)
    slope, shift = float(line.coef_[0, 0]), float(line.intercept_[0])
    layer = (fitted.coef_.T * slope, fitted.intercept_ * slope + shift)
    chance = 1 / (1 + np.exp(-(slope * logits + shift)))
    place = np.minimum((chance * 10).astype(int), 9)
    gaps = [abs(chance[place == at].mean() - right[place == at].mean()) * (place == at).mean() for at in set(place)]
    return model.Network(mean, scale, (layer,)), float(sum(gaps))


def packed(network: model.Network, columns: Sequence[str]) -> dict[str, object]:
    """The network as JSON holds it, five significant digits each."""

    def short(values: Matrix) -> object:
        return json.loads(
            json.dumps(np.array([float(f"{one:.5g}") for one in values.ravel()]).reshape(values.shape).tolist())
        )

    layers = [[short(weights), short(bias)] for weights, bias in network.layers]
    return {"columns": list(columns), "mean": short(network.mean), "scale": short(network.scale), "layers": layers}


def collect(data: Path, every: int) -> tuple[list[Row], list[Row], list[Row]]:
    """(rows for both models, CLAPNQ's and COVID-QA's rows, rows for the confidence only)."""
    without = frozenset(squad(data / "squad/dev-v2.0.json.gz")[0])
    names = frozenset(file.split("/")[0] for file in without)
    paragraphs, examples = squad(data / "squad/dev-v1.1.json.gz", names)
    examples = examples[::every]
    asker, rng = Asker(), np.random.default_rng(0)
    whole = asker.rows(paragraphs, examples, "articles")
    wrong = [one for one in exchanged(examples, rng) if rng.random() < 0.5]
    harder = asker.rows(paragraphs, wrong, "exchanged")
    articles = sorted({one.group for one in examples})
    kept = set(articles[::2])
    for label, part in (
        ("half of the articles", {file: text for file, text in paragraphs.items() if file.split("/")[0] in kept}),
        ("every other paragraph", {file: text for file, text in paragraphs.items() if int(file[-7:-4]) % 2 == 0}),
    ):
        some = [one for one in examples if one.file not in part or rng.random() < 0.3]
        harder += asker.rows(part, some, label)
    others = []
    for label, (texts, questions) in (
        ("covid-qa", squad(data / "covid-qa/200423_covidQA.squad.json.gz")),
        ("clapnq", clapnq(data / "clapnq")),
    ):
        others += asker.rows(texts, questions[::every], label)
    return whole, others, harder


def main() -> None:
    parser = argparse.ArgumentParser(description="Train src/quoth/answer/model.json.")
    parser.add_argument("--data", type=Path, required=True, help="folder with squad/, covid-qa/ and clapnq/")
    parser.add_argument("--out", type=Path, default=model.FILE)
    parser.add_argument("--every", type=int, default=1, help="every how many-th question to train on")
    options = parser.parse_args()
    whole, others, harder = collect(options.data, options.every)
    articles = sorted({row.example.group for row in whole})
    ranker = train_ranker([*whole, *others])
    folds = [
        train_ranker([row for row in whole if articles.index(row.example.group) % 2 != half] + others)
        for half in (0, 1)
    ]
    signals, able, right = [], [], []
    for row in (*whole, *harder, *(row for row in others if row.example.group == "clapnq")):
        fold = folds[articles.index(row.example.group) % 2] if row.example.group in articles else ranker
        logits = fold(row.features)
        signals.append(row.signals(logits))
        able.append(row.able)
        right.append(row.able and bool(row.holds[int(logits.argmax())]))
    confidence, error = train_confidence(np.array(signals), np.array(able), np.array(right))
    first = np.mean([right[place] for place in range(len(whole))])
    made = {
        "by": "models/train_confidence.py", "every": options.every, "questions": len(whole) + len(others),
        "decisions": len(able),
        "first sentence holds the answer, cross-fitted": round(float(first), 4),
        "calibration error on its own rows": round(error, 4),
    }  # fmt: skip
    record = {"made": made, "ranker": packed(ranker, NAMES), "confidence": packed(confidence, model.SIGNALS)}
    options.out.write_text(json.dumps(record | {"threshold": THRESHOLD}) + "\n", encoding="utf-8")
    print(json.dumps(made, indent=2))


if __name__ == "__main__":
    main()
