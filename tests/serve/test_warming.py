"""How a server gets ready: a language model that cannot be had is a note, whatever is wrong with it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from quoth import Library, llm
from quoth.config import Config
from quoth.errors import ModelError
from quoth.serve.state import Server, Ways


@pytest.mark.parametrize("error", [RecursionError("too deep"), OverflowError(), ModelError("it is Monday", "wait")])
def test_a_model_that_cannot_be_had_is_a_note(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    async def ready(server: Server) -> bool:
        async with server.running():
            await server.warmed()
            return server.ready

    monkeypatch.setattr(llm, "open", fail)
    library = Library.open(tmp_path / "library")
    server = Server(library, Config(llm="http://127.0.0.1:9/v1#m"), ways=Ways(watching=False))
    assert asyncio.run(ready(server))
    assert server.model is None and server.failure is None
    (note,) = server.notes
    assert note.startswith("no language model writes: ")
    assert (str(error) if isinstance(error, ModelError) else type(error).__name__) in note
