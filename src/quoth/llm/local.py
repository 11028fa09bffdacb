"""A GGUF file, run by llama.cpp in a process beside this one that listens on a loopback port with a key of its own.

The process starts with the first question, ends with this one, and takes its memory along. A file that makes
llama.cpp crash ends that process alone.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import struct
import subprocess
import sys
import threading
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from quoth.errors import ModelError, need

if TYPE_CHECKING:
    from quoth.llm.endpoint import EndpointModel
    from quoth.types import Usage, Written

MOST = 8_192
"""Tokens of context that memory is taken for, unless more are asked for."""
LOADING = 300.0
"""Seconds that a model may take to load."""
_SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
"""Bytes of GGUF's value types; 8 is a text and 9 a list."""
_TEXT, _LIST = 8, 9
_INTEGERS = {4: "<I", 5: "<i", 10: "<Q", 11: "<q"}


class LocalModel:
    """The model in `file`; `context` 0 takes what it was trained for, at most 8,192 tokens."""

    def __init__(self, file: Path, context: int = 0, timeout: float = 120.0) -> None:
        self.name = str(file)
        self.context = context or min(trained_context(file) or MOST, MOST)
        self._file = file
        self._timeout = timeout
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._model: EndpointModel | None = None

    async def sentences(self, system: str, prompt: str) -> AsyncGenerator[Written | Usage, None]:
        """Sentences as they are written, each when it is whole, then the usage."""
        model = await asyncio.to_thread(self._started)
        async with aclosing(model.sentences(system, prompt)) as items:
            async for item in items:
                yield item

    async def complete(self, system: str, prompt: str, most: int = 256) -> tuple[str, Usage]:
        """Plain text of at most so many tokens, and what it cost."""
        model = await asyncio.to_thread(self._started)
        return await model.complete(system, prompt, most)

    async def close(self) -> None:
        """End the process; the next question starts another one."""
        await asyncio.to_thread(self._stop)

    def _started(self) -> EndpointModel:
        """The endpoint of the running process, started if there is none."""
        from quoth.llm.endpoint import EndpointModel
        from quoth.llm.names import Where

        with self._lock:
            if self._process and self._process.poll() is None and self._model:
                return self._model
            if self._process:
                _end(self._process)
            key = secrets.token_urlsafe(24)
            command = [sys.executable, "-m", "quoth.llm.local", str(self._file), str(self.context)]
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
            )
            url = _address(self._process, key, self._file)
            place = Where("openai", f"{url}/v1", self._file.stem, key)
            self._model = EndpointModel(self.name, place, self.context, self._timeout)
            return self._model

    def _stop(self) -> None:
        with self._lock:
            process, self._process, self._model = self._process, None, None
            if process:
                _end(process)


def _address(process: subprocess.Popen[str], key: str, file: Path) -> str:
    """Where the process listens, once the model is loaded."""
    assert process.stdin and process.stdout
    late = threading.Timer(LOADING, process.kill)
    late.start()
    try:
        process.stdin.write(f"{key}\n")
        process.stdin.flush()
        line = process.stdout.readline()
    except BrokenPipeError:
        line = ""
    finally:
        late.cancel()
    try:
        told: dict[str, str] = json.loads(line)
    except ValueError:
        told = {}
    if "url" in told:
        return told["url"]
    _end(process)
    why = told.get("error") or "llama.cpp could not load it"
    raise ModelError(f"{file.name} cannot be run: {why}", "check the file, or choose a smaller model")


def _end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe:
            pipe.close()


def trained_context(file: Path) -> int:
    """Tokens that the model of a GGUF file was trained for, read from its first entries; 0 when they do not say.

    Raises `ModelError` for a file that is no GGUF.
    """
    try:
        with file.open("rb") as opened:
            return _context_in(opened)
    except (OSError, struct.error, KeyError, OverflowError, MemoryError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else "it is no whole GGUF file"
        raise ModelError(f"{file.name} cannot be read: {why}", "download it again") from None


def _context_in(opened: BinaryIO) -> int:
    magic, version, _, count = struct.unpack("<4sIQQ", opened.read(24))
    if magic != b"GGUF" or version not in (2, 3):
        raise KeyError(magic)
    for _ in range(count):
        name = _text(opened)
        (kind,) = struct.unpack("<I", opened.read(4))
        if name.endswith(".context_length") and kind in _INTEGERS:
            form = _INTEGERS[kind]
            return int(struct.unpack(form, opened.read(struct.calcsize(form)))[0])
        _skip(opened, kind)
    return 0


def _text(opened: BinaryIO) -> str:
    (length,) = struct.unpack("<Q", opened.read(8))
    if length > 2**16:
        raise KeyError(length)
    return opened.read(length).decode("utf-8")


def _skip(opened: BinaryIO, kind: int) -> None:
    if kind == _TEXT:
        opened.seek(struct.unpack("<Q", opened.read(8))[0], 1)
    elif kind == _LIST:
        inner, count = struct.unpack("<IQ", opened.read(12))
        if inner in (_TEXT, _LIST):
            for _ in range(count):
                _skip(opened, inner)
        else:
            opened.seek(_SIZES[inner] * count, 1)
    else:
        opened.seek(_SIZES[kind], 1)


def main(file: str, context: str) -> None:
    """Run the model until standard input ends; tell on standard output where, in one line of JSON."""
    import os

    # whatever llama.cpp prints is not for the one that reads the address
    told = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    key = sys.stdin.readline().strip()
    xllamacpp = need("xllamacpp", "local")
    params = xllamacpp.CommonParams()
    params.model.path = file
    params.model_alias = {Path(file).stem}
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.n_ctx = int(context)
    params.n_parallel = 1
    # waiting threads that spin starve each other where the cores are shared
    params.cpuparams.poll = 0
    params.cpuparams_batch.poll = 0
    params.api_keys = [key]
    params.use_jinja = True
    params.offline = True
    params.ui = False
    try:
        server = xllamacpp.Server(params)
        answer = {"url": server.listening_address}
    except RuntimeError as error:
        answer = {"error": " ".join(str(error).split())}
    print(json.dumps(answer), file=told, flush=True)
    if "url" in answer:
        sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
