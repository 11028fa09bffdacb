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

import click

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PLACE = re.compile(r"(<!-- generated: (?P<name>[\w-]+) -->\n).*?(<!-- end -->)", re.S)


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(str(cell) for cell in line) + " |\n" for line in lines)


def result(name: str) -> Mapping[str, object]:
    """The record of a benchmark."""
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))  # type: ignore[no-any-return]


def run_line(record: Mapping[str, object], name: str) -> str:
    """Where a table's figures come from."""
    machine = record["machine"]
    return f"\nFrom `benchmarks/results/{name}.json`: {record['date']}, commit {record['commit']}, {machine}.\n"


def commands() -> str:
    """The reference of the command line, from the commands themselves."""
    from quoth.cli import cli

    pages = []
    for name, command in [("quoth", cli), *((f"quoth {name}", cli.commands[name]) for name in sorted(cli.commands))]:
        context = click.Context(command, info_name=name, max_content_width=96, terminal_width=96)
        pages.append(f"## {name}\n\n```text\n{command.get_help(context)}\n```\n")
    return "\n".join(pages)


TABLES: dict[str, Callable[[], str]] = {"commands": commands}


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
