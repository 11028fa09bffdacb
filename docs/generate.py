"""Write the generated parts of README and docs: benchmark tables and the command reference.

`python docs/generate.py` writes them, `python docs/generate.py --check` exits 1 when one is out of date.
A table stands between `<!-- generated: NAME -->` and `<!-- end -->`; every figure comes from a file
under `benchmarks/results/`.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PLACE = re.compile(r"(<!-- generated: (?P<name>[\w-]+) -->\n).*?(<!-- end -->)", re.S)


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(str(cell) for cell in line) + " |\n" for line in lines)


def result(name: str) -> dict[str, Any]:
    """The record of a benchmark."""
    record: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    return record


def is_measured(name: str) -> bool:
    """Whether a benchmark has left a record."""
    return (RESULTS / f"{name}.json").exists()


def run_line(record: Mapping[str, Any], name: str) -> str:
    """Where a table's figures come from."""
    machine = record["machine"]
    return f"\nFrom `benchmarks/results/{name}.json`: {record['date']}, commit {record['commit']}, {machine}.\n"


def commands() -> str:
    """The reference of the command line, from the commands themselves."""
    from quoth.cli import cli

    every: list[tuple[str, click.Command]] = [("quoth", cli)]
    for name, command in every:  # a group's own commands follow behind it
        if isinstance(command, click.Group):
            inner = [(f"{name} {one}", command.commands[one]) for one in sorted(command.commands)]
            at = every.index((name, command)) + 1
            every[at:at] = inner
    pages = []
    named = cli.context_settings["help_option_names"]  # a command has them from the group that it is called by
    for name, command in every:
        context = click.Context(
            command, info_name=name, max_content_width=96, terminal_width=96, help_option_names=named
        )  # fmt: skip
        pages.append(f"## {name}\n\n```text\n{command.get_help(context)}\n```\n")
    return "\n".join(pages)


def retrieval() -> str:
    """nDCG@10 of the default beside its own two halves and bm25s."""
    record = result("retrieval")
    rows = []
    for one in record["sets"]:
        values = [one["measures"][name]["nDCG@10"] for name in ("default", "words", "vectors", "z-sum", "bm25s")]
        gain = one["differences"]["default - z-sum"]
        rows.append(
            [f"{one['name']} ({one['split']})", f"{one['questions']:,}", f"**{values[0]:.3f}**"]
            + [f"{value:.3f}" for value in values[1:]]
            + [f"{gain['mean']:+.3f} [{gain['low']:+.3f}, {gain['high']:+.3f}]"]
        )
    head = [
        "nDCG@10",
        "questions",
        "Quoth",
        "words only",
        "vectors only",
        "plain z-sum",
        "bm25s",
        "Quoth − z-sum (95 %)",
    ]
    return table(head, rows) + run_line(record, "retrieval")


def retrieval_more() -> str:
    """The other measures, and how long a search took."""
    record = result("retrieval")
    rows = [
        [one["name"], name]
        + [f"{one['measures'][name][measure]:.3f}" for measure in ("nDCG@10", "R@20", "RR@10")]
        + [f"{one['seconds']['search_p50_ms']:.1f} ms" if name == "default" else ""]
        for one in record["sets"]
        for name in one["measures"]
    ]
    head = ["set", "run", "nDCG@10", "Recall@20", "RR@10", "median search"]
    return table(head, rows) + run_line(record, "retrieval")


def answers() -> str:
    """Quotes, refusals and how far the confidence can be trusted."""
    record = result("answers")
    quotes, verbatim = record["quotes"], record["verbatim"]
    rows = [
        ["first quote holds the answer", share(quotes["first quote"], quotes["interval"])],
        ["any of three quotes does", f"{quotes['any of three']:.3f}"],
        ["the sentence of highest cosine does, same hits", f"{quotes['highest cosine']:.3f}"],
        ["quotes that are verbatim", f"{verbatim['verbatim']:,} of {verbatim['quotes']:,}"],
        ["mean length of the first quote", f"{quotes['characters of the first quote']:.0f} characters"],
    ]
    for name, one in record["abstention"].items():
        rows.append([f"AUROC, {name}", share(one["auroc"], one["interval"])])
        kept = f"{one['answered of answerable']:.0%} answered, {one['refused of unanswerable']:.0%} refused"
        rows.append(["… answerable questions answered, unanswerable ones refused", kept])
    rows.append(["seconds a question, median", f"{record['seconds']['median']:.3f}"])
    said = f"{quotes['questions']:,} answerable questions of {record['set']}, {record['paragraphs']:,} paragraphs"
    return table([said, "measured (95 %)"], rows) + run_line(record, "answers")


def risk() -> str:
    """What is right among the surest questions."""
    record = result("answers")
    rows = [
        [
            f"{one['coverage']:.0%}",
            f"{one['right']:.3f} [{one['low']:.3f}, {one['high']:.3f}]",
            f"{one['confidence from']:.2f}",
        ]
        for one in record["risk"]
    ]
    return table(["surest share of the answerable questions", "first quote right (95 %)", "confidence from"], rows)


def share(value: float, interval: Sequence[float]) -> str:
    """A share with its interval."""
    return f"**{value:.3f}** [{interval[0]:.3f}, {interval[1]:.3f}]"


def start() -> str:
    """How long people wait."""
    record = result("start")
    installed = record["install"]
    passages = record["passages"] if "passages" in record else record["add"]["passages"]
    rows = [
        ["`quoth --help`", f"{record['help']['median']:.2f} s"],
        [f"`quoth search`, cold, among {passages:,} passages", f"{record['search']['median']:.2f} s"],
        [f"`quoth ask`, cold, among {passages:,} passages", f"{record['ask']['median']:.2f} s"],
        ["a bare `python -c pass`, for comparison", f"{record['interpreter']['median']:.2f} s"],
        *(start_of_adding() if is_measured("adding") else []),
        ["install", f"{installed['packages']} packages, {installed['bytes'] / 1e6:.0f} MB"],
    ]
    lines = [run_line(result(name), name) for name in ("start", "adding") if is_measured(name)]
    return table(["what", "measured"], rows) + "".join(lines)


def start_of_adding() -> list[list[str]]:
    """The rows about adding in the short table."""
    added = result("adding")["library"]
    return [
        [
            f"`quoth add` of {added['added']:,} files ({added['bytes_of_files'] / 1e6:.0f} MB)",
            f"{added['seconds']:.0f} s, {added['passages']:,} passages",
        ],
        ["`quoth add` again, nothing changed", f"{added['again_seconds']:.2f} s"],
        ["most memory while adding, main process and each worker", " and ".join(mebibytes(added["memory"]))],
        ["library on disk", f"{added['bytes_of_library'] / 1e6:.0f} MB"],
    ]


def mebibytes(memory: Mapping[str, Any]) -> list[str]:
    """Peaks of the main process and of the worker with the highest."""
    return [f"{one['peak_bytes'] / 2**20:,.0f} MiB" for one in (memory["main"], memory["workers"][0])]


def adding() -> str:
    """What adding takes."""
    if not is_measured("adding"):
        return "Not measured yet: `make bench`.\n"
    record = result("adding")
    both = [record["library"], record["notes"]]
    lines: list[tuple[str, Callable[[Mapping[str, Any]], str]]] = [
        ("files read, failed, skipped", lambda one: f"{one['added']:,}, {one['failed']:,}, {one['skipped']:,}"),
        ("their bytes", lambda one: f"{one['bytes_of_files'] / 1e6:.1f} MB"),
        ("passages", lambda one: f"{one['passages']:,}"),
        ("seconds", lambda one: f"{one['seconds']:.1f}"),
        ("files a second", lambda one: f"{one['files_per_second']:,.1f}"),
        ("passages a second", lambda one: f"{one['passages_per_second']:,.1f}"),
        ("word pieces a second", lambda one: f"{one['word_pieces_per_second']:,}"),
        ("the encoder alone, seconds", lambda one: f"{one['encoder']['seconds']:.1f}"),
        ("its share of the time", lambda one: f"**{one['encoder_share']:.0%}**"),
        ("the encoder was at work", lambda one: f"{one['encoder_busy']:.0%}"),
        ("most memory, main process", lambda one: mebibytes(one["memory"])[0]),
        ("most memory, largest worker", lambda one: mebibytes(one["memory"])[1]),
        ("library on disk", lambda one: f"{one['bytes_of_library'] / 1e6:.1f} MB"),
        ("again, nothing changed, seconds", lambda one: f"{one['again_seconds']:.2f}"),
    ]
    rows = [[name, *map(show, both)] for name, show in lines]
    return table(["`quoth add`", "the whole folder", "Markdown notes of it"], rows) + run_line(record, "adding")


def adding_beside() -> str:
    """How fast peers add the same notes."""
    if not is_measured("adding"):
        return "Not measured yet: `make bench`.\n"
    record = result("adding")
    rows = []
    for one in record["beside"]:
        if "missing" in one:
            rows.append([one["name"], one["missing"], *[""] * 5])
            continue
        own = one["quoth"]
        its, ours = (f"{each['passages']:,} in {each['seconds']:.1f} s" for each in (one, own))
        times = (f"**{one['times']['notes']:.2f} ×**", f"{one['times']['passages']:.2f} ×")
        rows.append([one["name"], f"{one['notes']:,}", its, f"{one['encoder_share']:.0%}", ours, *times])
    head = ["peer", "notes", "its passages", "of that in its encoder", "Quoth's passages", "notes/s", "passages/s"]
    return table(head, rows) + run_line(record, "adding")


def crash() -> str:
    """What kill -9 at random moments left behind."""
    if not is_measured("crash"):
        return "Not measured yet: `make bench`.\n"
    record = result("crash")
    rows = [
        [f"`{name}`", f"{one['seconds']:.1f} s", f"{one['kills']:,}", f"{one['while_running']:,}"]
        for name, one in record["commands"].items()
    ]
    names = ("lost", "doubled", "half", "unreadable", "remembered")
    found = ", ".join(f"{name} **{record[name]:,}**" for name in names)
    first = table(["command", "takes", "kills", "of them while it ran"], rows)
    return f"{first}\nAfter {record['kills']:,} kills: {found}.\n" + run_line(record, "crash")


def robustness() -> str:
    """What became of hostile and broken files."""
    if not is_measured("robustness"):
        return "Not measured yet: `make bench`.\n"
    record = result("robustness")
    one, all_, said, pdf = record["alone"], record["together"], record["manifest"], record["pdf"]
    main, largest = mebibytes(all_["memory"])
    rows = [
        ["files with text that was read", f"{one['read']:,}", f"{all_['added']:,}, blank ones among them"],
        ["blank", f"{one['blank']:,}", ""],
        ["failed, with a reason", f"{one['failed'] - one['without a reason']:,}", f"{all_['failed']:,}"],
        ["of a kind that is not read, with a reason", f"{one['skipped']:,}", f"{all_['skipped']:,}"],
        ["crashed", f"**{one['crashed']:,}**", f"**{all_['crashed']:,}**"],
        ["hung", f"**{one['hung']:,}**", f"**{all_['hung']:,}**"],
        ["most memory of a worker", f"{one['largest']['peak_bytes'] / 2**20:,.0f} MiB", largest],
        ["most memory of the main process", "", main],
        ["slowest file, all files", f"{one['slowest']['seconds']:.1f} s", f"{all_['seconds']:.0f} s"],
    ]
    first = table([f"{one['files']:,} messy files", "each alone", "all together"], rows)
    lost = "".join(f"| `{path}` | {reason} |\n" for path, reason in said["with text, not read"].items())
    second = (
        f"\nOf {said['with text']:,} files that the manifest says hold text, {said['of these read']:,} gave it; of"
        f" {said['with a password']:,} with a password that it names, {said['of these opened']:,} opened. Beside it,"
        f" {pdf['peer'].replace('==', ' ')} finds text in {pdf['both'] + len(pdf['pypdf only']):,} of {pdf['files']:,}"
        f" PDFs, Quoth in {pdf['both'] + len(pdf['here only']):,}: {len(pdf['here only']):,} here only,"
        f" {len(pdf['pypdf only']):,} by pypdf only.\n"
    )
    third = f"\n| with text in the manifest, not read | why |\n| --- | --- |\n{lost}" if lost else ""
    return first + second + third + run_line(record, "robustness")


def searching() -> str:
    """How long a search takes, by size of the library, filter and engine."""
    if not is_measured("searching"):
        return "Not measured yet: `make bench`.\n"
    record = result("searching")
    rows = []
    for size in record["sizes"]:
        for one in size["engines"]:
            row = [f"{size['passages']:,}", one["engine"]]
            if "not finished" in one:
                rows.append([*row, f"not finished {one['not finished']}", *[""] * 9])
                continue
            cold = one.get("cold seconds")
            rows.append(
                [
                    *row,
                    f"**{one['all']['p50']:.1f}** / {one['all']['p99']:.1f}",
                    *(f"{one[share]['p50']:.1f}" for share in ("50 %", "10 %", "1 %", "0.1 %")),
                    f"{one.get('searches a second, 2 threads', 0):.0f}",
                    f"{one['recall of vectors']:.3f}" if "recall of vectors" in one else "",
                    f"{one['MiB']['resident']:,} / {one['MiB']['anonymous']:,}",
                    f"{cold['median']:.2f} s" if cold else "",
                    f"{one['build seconds']:,.0f} s" if "build seconds" in one else "",
                ]
            )
    head = ["passages", "engine", "ms, p50 / p99", "in 50 %", "10 %", "1 %", "0.1 %", "a second, 2 threads", "recall"]
    head += ["MiB, resident / anonymous", "cold", "built in"]
    return table(head, rows) + run_line(record, "searching")


def serving() -> str:
    """How a server answers people, and what it is beside the least that serves a library."""
    if not is_measured("serving"):
        return "Not measured yet: `make bench`.\n"
    record = result("serving")
    rows = []
    for server in record["servers"]:
        for askers in (1, 2, 8):
            measured = [server[f"{askers} askers"][kind] for kind in ("cold", "warm")]
            rows.append(
                [
                    server["server"],
                    askers,
                    *(f"**{one['ms']['p50']:.0f}** / {one['ms']['p99']:.0f}" for one in measured),
                    *(f"{one['a second']:.0f}" for one in measured),
                    " / ".join(f"{one['cpu ms']:.0f}" for one in measured),
                ]
            )
    head = ["server", "askers", "new questions, ms p50 / p99", "asked before", "a second, new", "before"]
    return (
        table([*head, "CPU ms an answer, new / before"], rows)
        + "\n"
        + table(["beside that", ""], beside_serving(record))
        + run_line(record, "serving")
    )


def beside_serving(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What else was measured of the server."""
    more, added, ours = record["overhead"], record["adding"], record["servers"][0]
    over, page, memory = more["quoth"]["ms more"], ours["page"], ours["memory"]["server"]
    bare = more["bare FastAPI"]["ms more"]
    children = sum(one["anonymous"] for one in added["memory"]["children"])
    return [
        ("start to ready", f"{record['start']['ready seconds']['median']:.2f} s"),
        ("SIGTERM to end", f"{record['start']['end seconds']['median']:.2f} s"),
        (
            "more than `Library.ask`, p50 / p99",
            f"**{over['p50']:.1f}** / {over['p99']:.1f} ms; bare FastAPI {bare['p50']:.1f} ms",
        ),
        ("answers equal to those of `Library.ask`", f"{more['quoth']['equal answers']} of {more['questions']}"),
        (
            "first view of the page",
            f"{page['bytes'] / 1000:.0f} KB in {page['requests']} requests, **{page['ms']['p50']:.0f}** ms",
        ),
        ("memory after the questions", f"{memory['resident']} MiB, {memory['anonymous']} of them anonymous"),
        (
            f"while {added['files']:,} files are added and eight ask",
            f"`/healthz` p99 **{added['healthz ms']['p99']:.0f}** ms; answers p50 {added['answer ms']['p50']:.0f} ms,"
            f" p99 {added['answer ms']['p99']:.0f} ms; a stream was silent {added['silent ms']['max']:.0f} ms at most",
        ),
        (
            "of the adding by then",
            f"{added['files read']:,} files read in {added['seconds']:.0f} s; children hold {children} MiB, anonymous",
        ),
    ]


def followups() -> str:
    """How far follow-up questions lead to their passages, as asked and completed."""
    if not is_measured("followups"):
        return "Not measured yet: `make bench`.\n"
    record = result("followups")
    names = {"raw": "the question as asked", "completed": "**completed by Quoth's rules**",
             "previous": "the question before in front", "all": "all questions before in front"}  # fmt: skip
    rows = []
    for way, name in names.items():
        line: list[object] = [name]
        for half in ("chosen_on", "held_out"):
            found = record[half][way]
            line.append(f"{found['nDCG@10']:.3f}")
            beside = found.get("nDCG@10 - raw")
            low_high = beside and ", ".join(f"{one:+.3f}" for one in beside["interval"])
            told = beside and f"{beside['difference']:+.3f} [{low_high}], {beside['better']} / {beside['worse']}"
            line.append(told or "")
        rows.append(line)
    count = {half: record[half]["questions"] for half in ("chosen_on", "held_out")}
    head = ["nDCG@10", f"rules chosen on: {count['chosen_on']} questions", "− as asked, better / worse",
            f"held out: {count['held_out']} questions", "− as asked, better / worse"]  # fmt: skip
    return table(head, rows) + run_line(record, "followups")


def watch() -> str:
    """How soon a change is in the answers."""
    if not is_measured("watch"):
        return "Not measured yet: `make bench`.\n"
    record = result("watch")
    said = f"{record['changes']:,} changes, {record['notes']:,} notes, {record['passages']:,} passages"
    rows = [[said, *(f"{record['seconds'][name]:.2f} s" for name in ("median", "p95", "max"))]]
    head = ["from the last write to being found", "median", "95th percentile", "slowest"]
    return table(head, rows) + run_line(record, "watch")


def evaluating() -> str:
    """nDCG@10 as `quoth evaluate` prints it, with its interval, beside words alone and bm25s, and the comparison."""
    if not is_measured("evaluating"):
        return "Not measured yet: `make bench`.\n"
    record = result("evaluating")
    rows = []
    for one in record["sets"]:
        usual, bm25s, words = (run["measures"]["nDCG@10"] for run in one["runs"])
        gain = one["compared"]["difference"]
        low, high = gain["interval"]["low"], gain["interval"]["high"]
        means = [f"{run['mean']:.3f} [{run['low']:.3f}, {run['high']:.3f}]" for run in (usual, words, bm25s)]
        told = f"{gain['difference']:+.3f} [{low:+.3f}, {high:+.3f}], p {gain['p']:.2g}: {one['compared']['verdict']}"
        rows.append([one["set"], f"{one['questions']:,}", f"**{means[0]}**", *means[1:], told, one["with itself"]])
    head = ["set", "questions", "default", "words alone", "bm25s", "default against words alone", "with itself"]
    return table(head, rows) + run_line(record, "evaluating")


def chosen() -> str:
    """What other weights and depths gain over the default, on the sets that they were chosen on."""
    if not is_measured("evaluating"):
        return "Not measured yet: `make bench`.\n"
    record = result("evaluating")
    found = record["chosen"]
    rows = [
        [one["words"], one["depth"], f"{one['gain']:+.4f}", f"{one['adjusted_p']:.2g}"] for one in found["candidates"]
    ]
    taken = found["taken"]
    if not isinstance(taken, str):
        taken = f"words {taken['words']}, depth {taken['depth']}"
    sets = f"\n{found['questions']:,} questions of {', '.join(found['sets'])}. Taken: {taken}.\n"
    head = ["weight of words", "depth", "nDCG@10 against the default", "p, for all candidates"]
    return table(head, rows) + sets + run_line(record, "evaluating")


def comparing() -> str:
    """How fast two runs are compared."""
    if not is_measured("comparing"):
        return "Not measured yet: `make bench`.\n"
    record = result("comparing")
    ours = record["seconds"]["quoth"]
    rows = []
    for name in ("quoth", "scipy", "ranx"):
        value = record["seconds"][name]
        seconds = f"{value:.3f} s" if isinstance(value, float) else str(value)
        rows.append([name, seconds, f"{value / ours:,.0f} ×" if isinstance(value, float) else ""])
    said = f"1,000,000 sign flips of {record['pairs']} pairs"
    whole = f"\nTwo runs of 1,000 questions with six measures are compared in {record['comparison_seconds']:.2f} s, "
    return (
        table([said, "seconds", "of ours"], rows)
        + whole
        + "start and imports included.\n"
        + run_line(record, "comparing")
    )


TABLES: dict[str, Callable[[], str]] = {
    "commands": commands,
    "retrieval": retrieval,
    "retrieval-more": retrieval_more,
    "answers": answers,
    "risk": risk,
    "start": start,
    "searching": searching,
    "serving": serving,
    "followups": followups,
    "adding": adding,
    "adding-beside": adding_beside,
    "crash": crash,
    "robustness": robustness,
    "watch": watch,
    "evaluating": evaluating,
    "chosen": chosen,
    "comparing": comparing,
}


def generated(text: str) -> str:
    """The page with every generated part made anew."""
    return PLACE.sub(lambda match: match[1] + TABLES[match["name"]]() + match[3], text)


def stale() -> Iterator[tuple[Path, str]]:
    """The pages whose generated parts are out of date, with what they should hold."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        fresh = generated(text)
        if fresh != text:
            yield page, fresh


def main() -> None:
    for page, fresh in list(stale()):
        if "--check" in sys.argv:
            sys.exit(f"{page.relative_to(ROOT)} is out of date\n  try: make docs")
        page.write_text(fresh, encoding="utf-8")
        print(f"wrote {page.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
