"""The command line with a language model: `quoth models`, and `quoth ask` in prose."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import Quoth
from quoth.testing import Fault, ScriptedEndpoint
from quoth.types import Cited, Written

ROOT = Path(__file__).parent.parent
QUESTION = "When is the boiler serviced?"
TRUE = Written("Each October, by Hartmann.", (Cited(1, "serviced each October by Hartmann"),))


@pytest.fixture
def endpoint() -> Iterator[ScriptedEndpoint]:
    with ScriptedEndpoint([TRUE, Written("It is red."), Written("Boilers are hot.")]) as scripted:
        yield scripted


def test_models_lists_what_answers_and_what_does_not(quoth: Quoth, endpoint: ScriptedEndpoint) -> None:
    used = {"QUOTH_LLM": endpoint.name}
    shown = quoth("models", env=used)
    assert shown.code == 0 and f"* {endpoint.name}  8,192 tokens" in shown.out
    listed = quoth("models", "http://127.0.0.1:9/v1", "--json", env=used).json
    assert listed["used"] == endpoint.name
    found = {one["name"]: one for one in listed["models"]}  # type: ignore[attr-defined]
    assert found[endpoint.name]["context"] == 8_192
    assert found["http://127.0.0.1:9/v1"]["problem"].startswith("it cannot be reached")
    assert "11434" in quoth("models").out or "no language model answers" in quoth("models").out
    assert quoth("models", "nonsense").code == 2


@pytest.mark.slow
def test_ask_prints_sentences_with_numbers_then_the_quotes(
    quoth: Quoth, endpoint: ScriptedEndpoint, notes: Path
) -> None:
    assert quoth("add", str(notes)).code == 0
    priced = {"QUOTH_LLM_PRICE_IN": "10", "QUOTH_LLM_PRICE_OUT": "50"}
    shown = quoth("ask", QUESTION, "--llm", endpoint.name, env=priced).out
    first, second, third, _, quote, place, *rest = shown.splitlines()
    assert (first, second) == ("Each October, by Hartmann. [1]", "It is red. (not supported by your files)")
    assert third == "Boilers are hot. (not supported by your files)"
    assert quote == "[1] “The boiler is serviced each October by Hartmann and Sons.”"
    assert place.endswith("boiler.txt · line 1")
    assert rest[-1] == f"  {endpoint.name} · 2 requests · 200 tokens read, 40 written · $0.0040"
    strict = quoth("ask", QUESTION, "--strict", env={"QUOTH_LLM": endpoint.name}).out
    assert "Each October" in strict and "red" not in strict
    general = quoth("ask", QUESTION, "--general", "--llm", endpoint.name).out
    assert "Boilers are hot. (what the model knows, not from your files)" in general
    refused = quoth("ask", QUESTION, "--strict", "--general", "--llm", endpoint.name)
    assert refused.code == 2 and "choose one of the two" in refused.err
    record = quoth("ask", QUESTION, "--json", "--llm", endpoint.name).json
    assert record["claims"][0] == {"text": TRUE.text, "quotes": [1], "general": False}  # type: ignore[index]


def test_ask_without_a_model_and_with_one_that_fails_prints_quotes(quoth: Quoth, notes: Path) -> None:
    assert quoth("add", str(notes)).code == 0
    plain = quoth("ask", QUESTION).out
    with ScriptedEndpoint(Fault("broken")) as endpoint:
        failed = quoth("ask", QUESTION, "--llm", endpoint.name).out
        none = quoth("ask", QUESTION, "--llm", "none", env={"QUOTH_LLM": endpoint.name}).out
    quoted = plain.partition("  confidence")[0]
    assert "“The boiler is serviced each October by Hartmann and Sons.”" in quoted
    assert failed.startswith(quoted.rstrip("\n")) and "note: the language model failed" in failed
    assert none.partition("  confidence")[0] == quoted
    assert quoth("ask", QUESTION, "--llm", "gpt").code == 2


def test_a_plain_question_brings_no_client_of_language_models(notes: Path, tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from click.testing import CliRunner\n"
        "from quoth.cli import cli\n"
        f"library = ['--library', {str(tmp_path / 'library')!r}]\n"
        f"print(CliRunner().invoke(cli, [*library, 'add', {str(notes)!r}]).output)\n"
        f"print(CliRunner().invoke(cli, [*library, 'ask', {QUESTION!r}]).output)\n"
        "print(sorted({name.split('.')[0] for name in sys.modules}))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "serviced each October" in done.stdout
    loaded = done.stdout.splitlines()[-1]
    for module in ("pydantic_ai", "openai", "anthropic", "xllamacpp", "httpx2"):
        assert f"'{module}'" not in loaded


@pytest.mark.slow
def test_the_prompts_are_in_the_wheel(tmp_path: Path) -> None:
    import zipfile

    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-q", "-w", str(tmp_path)]
    subprocess.run([*build, str(ROOT)], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {f"quoth/answer/prompts/{name}.txt" for name in ("answer", "general", "again")} <= set(names)
