"""The shape of the code, read from the source: who imports whom, how long things are, what they are called.

A limit here moves only in a commit that says why.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "quoth"
MODULES = sorted(SOURCE.rglob("*.py"))

PATH = [
    "recipe", "lock", "jobs", "parts", "exact", "find", "flow", "rebuild", "sync", "forget", "watch", "backup", "query",
    "restore", "exchange", "doctor", "asking", "library",
]  # fmt: skip
MIDDLE = [
    "config", "testing", "evaluate", "access", "feedback", "survey", "writing", "followups", "threads", "tools",
]  # fmt: skip
FACE = [
    "terminal", "records", "results", "commands", "upkeep", "proving", "people", "models", "serve", "serving", "cli",
    "__main__",
]  # fmt: skip
ROWS: dict[str, int] = {
    **dict.fromkeys(["types", "errors"], 0),
    **dict.fromkeys(["ingest", "embed", "catalog", "words", "vectors", "rank", "answer", "llm", "stats"], 1),
    **dict.fromkeys(PATH, 2),
    **dict.fromkeys(MIDDLE, 3),
    **dict.fromkeys(FACE, 4),
}
# rows 2 and 4 are each one path told in a few files, and so is asking in row 3: in this order, each may use
# the earlier ones
PATHS = [
    PATH,
    ["feedback", "survey", "writing", "followups", "threads", "tools"],
    FACE,
]

MOST_LINES, MOST_BODY, MOST_ARGUMENTS = 500, 60, 7
BANNED_MODULES = {"utils", "util", "helpers", "common", "base", "core", "misc"}
BANNED_WORDS = re.compile(r"Manager|Handler|Service|Factory|Provider|Builder|Processor|Wrapper|Helper|Mixin|[Cc]hunk")
HEAVY = {"numpy", "openvino", "tantivy", "turbovec", "tokenizers", "rich", "pydantic", "docx", "openpyxl"} | {
    "fastapi",
    "starlette",
    "uvicorn",
    "mcp",
    "pydantic_ai",
    "xllamacpp",
}


def part(path: Path) -> str:
    """The part a module belongs to: its folder or file name right below the package."""
    relative = path.relative_to(SOURCE)
    return relative.parts[0] if len(relative.parts) > 1 else relative.stem


def imported_parts(path: Path) -> Iterator[tuple[str, int]]:
    """(part, line) of every import of ours in a module, wherever it stands."""
    package = ["quoth", *path.relative_to(SOURCE).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = [*base, *(node.module.split(".") if node.module else [])]
            names = [[*module, alias.name] for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
        else:
            continue
        for name in names:
            if name[0] == "quoth" and len(name) > 1 and name[1] in ROWS:
                yield name[1], node.lineno


def test_every_module_has_its_row() -> None:
    unknown = {part(path) for path in MODULES} - set(ROWS) - {"__init__"}
    assert unknown == set()


def test_imports_go_down_only() -> None:
    wrong = []
    for path in MODULES:
        mine = part(path)
        if mine == "__init__":
            continue
        for theirs, line in imported_parts(path):
            if theirs == mine:
                continue
            earlier = any(mine in path and theirs in path[: path.index(mine)] for path in PATHS)
            sideways = ROWS[theirs] == ROWS[mine] and not earlier
            if ROWS[mine] == 0 or ROWS[theirs] > ROWS[mine] or sideways:
                wrong.append(f"{path.relative_to(ROOT)}:{line} imports {theirs}")
    assert wrong == []


def test_modules_are_short() -> None:
    long = {str(p.relative_to(ROOT)): n for p in MODULES if (n := len(p.read_text().splitlines())) > MOST_LINES}
    assert long == {}


def test_functions_are_short_and_take_few_arguments() -> None:
    wrong = []
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            where = f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            takes = len([a for a in arguments if a.arg not in ("self", "cls")])
            # a command of the command line takes one argument an option: its shape is the interface
            if lines > MOST_BODY or (takes > MOST_ARGUMENTS and part(path) not in FACE):
                wrong.append(f"{where}: {lines} lines, {takes} arguments")
            if node.args.kwarg and not node.name.startswith("_"):
                wrong.append(f"{where}: public **{node.args.kwarg.arg}")
    assert wrong == []


def test_names_are_the_fields_words() -> None:
    wrong = []
    for path in MODULES:
        if path.stem in BANNED_MODULES:
            wrong.append(str(path.relative_to(ROOT)))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = getattr(node, "name", None) or getattr(node, "id", None) or getattr(node, "arg", None)
            if isinstance(name, str) and BANNED_WORDS.search(name) and not name[0].islower():
                wrong.append(f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)} {name}")
            if isinstance(name, str) and "chunk" in name.lower():
                wrong.append(f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)} {name}")
    assert sorted(set(wrong)) == []


def test_folders_are_one_level_deep() -> None:
    assert [str(p) for p in MODULES if len(p.relative_to(SOURCE).parts) > 2] == []


def test_nothing_is_swallowed_or_untyped() -> None:
    wrong = []
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ExceptHandler):
                broad = node.type is None or (isinstance(node.type, ast.Name) and node.type.id == "Exception")
                if broad and all(isinstance(step, ast.Pass) for step in node.body):
                    wrong.append(f"{path.relative_to(ROOT)}:{node.lineno} swallows everything")
            if isinstance(node, ast.Name) and node.id == "Any":
                wrong.append(f"{path.relative_to(ROOT)}:{node.lineno} Any")
    assert wrong == []


def modules_after(code: str) -> set[str]:
    """The top-level modules that are loaded once `code` has run in a fresh interpreter."""
    listing = f"{code}\nimport sys; print(' '.join({{name.split('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", listing], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


def test_import_and_help_stay_light() -> None:
    assert modules_after("import quoth") & HEAVY == set()
    help_page = "from click.testing import CliRunner; from quoth.cli import cli; CliRunner().invoke(cli, ['--help'])"
    assert modules_after(help_page) & HEAVY == set()
