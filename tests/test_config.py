"""Settings: the file, the variables that win over it, and what is said about wrong ones."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import pytest
from click.testing import CliRunner

from quoth import config
from quoth.cli import cli
from quoth.config import Config
from quoth.errors import UsageError


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "quoth.toml"
    path.write_text("")
    monkeypatch.setenv("QUOTH_CONFIG", str(path))
    for one in fields(Config):
        monkeypatch.delenv(f"QUOTH_{one.name.upper()}", raising=False)
    return path


def test_an_empty_file_changes_nothing(file: Path) -> None:
    assert config.read() == Config()
    assert Config().llm == "none"
    assert Config().host == "127.0.0.1"


def test_the_file_counts_and_variables_win_over_it(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text('llm = "http://127.0.0.1:11434/v1#qwen3:4b"\nport = 9000\nllm_timeout = 30\n')
    read = config.read()
    assert (read.llm, read.port, read.llm_timeout) == ("http://127.0.0.1:11434/v1#qwen3:4b", 9000, 30.0)
    monkeypatch.setenv("QUOTH_PORT", "9100")
    monkeypatch.setenv("QUOTH_LLM", "none")
    assert (config.read().port, config.read().llm) == (9100, "none")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("llm = ", "cannot be read"),
        ("prot = 80", "sets prot, which there is not"),
        ('port = "many"', "not a number"),
        ("llm = 3", "not a text"),
        ("port = true", "which it cannot be"),
        ("most_asks = -1", "cannot be -1"),
        ("port = nan", "cannot be nan"),
        ("[llm]\nname = 1", "which it cannot be"),
        ("port = 1.5", "not a whole number"),
    ],
)
def test_a_wrong_setting_is_named(file: Path, text: str, said: str) -> None:
    file.write_text(text)
    with pytest.raises(UsageError, match=said) as raised:
        config.read()
    assert raised.value.hint


def test_a_file_that_is_no_text_is_named(file: Path) -> None:
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="cannot be read"):
        config.read()


def test_a_named_file_must_be_there(file: Path) -> None:
    file.unlink()
    with pytest.raises(UsageError, match="there is no file"):
        config.read()


def test_without_a_file_everything_has_its_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("QUOTH_CONFIG", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert config.read({}) == Config()


def test_commands_use_the_library_of_the_file(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("QUOTH_LIBRARY", raising=False)
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "garden.md").write_text("# Garden\n\nThe roses are cut back in March.\n")
    place = tmp_path / "of the file"
    file.write_text(f"library = {json.dumps(str(place))}\n")
    done = CliRunner().invoke(cli, ["add", str(tmp_path / "notes")])
    assert done.exit_code == 0, done.output
    assert (place / "catalog.sqlite").exists()
    status = json.loads(CliRunner().invoke(cli, ["status", "--json"]).output)
    assert status["library"] == str(place)


def test_a_wrong_setting_ends_a_command_with_a_hint(file: Path) -> None:
    file.write_text("lirbary = 'x'\n")
    done = CliRunner().invoke(cli, ["status"])
    assert isinstance(done.exception, UsageError)
