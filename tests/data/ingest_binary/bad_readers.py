"""Readers that misbehave, for test_worker: a job names one as "bad_readers:function"."""

from __future__ import annotations

import ctypes
import os
import socket
import sys
import time
from pathlib import Path

from quoth.errors import ReadError
from quoth.types import Document

Documents = tuple[Document, ...]


def crash(data: bytes, path: str, password: str | None) -> Documents:
    ctypes.string_at(0)
    raise AssertionError("memory at 0 can be read")


def hang(data: bytes, path: str, password: str | None) -> Documents:
    while True:
        time.sleep(1)


def eat(data: bytes, path: str, password: str | None) -> Documents:
    held = []
    while True:
        held.append(bytearray(2**24))


def eat_deep(data: bytes, path: str, password: str | None) -> Documents:
    """Takes all memory in small pieces, so that none is left to say so with."""
    held: list[object] = []
    while True:
        held = [held, bytes(5_000)]


def recurse(data: bytes, path: str, password: str | None) -> Documents:
    return recurse(data, path, password)


def refuse(data: bytes, path: str, password: str | None) -> Documents:
    raise ReadError("it is written in invisible ink", "hold it over a candle")


def stumble(data: bytes, path: str, password: str | None) -> Documents:
    raise KeyError("hinge")


def leave(data: bytes, path: str, password: str | None) -> Documents:
    os._exit(3)


def chatter(data: bytes, path: str, password: str | None) -> Documents:
    print("noise on standard output")
    os.write(1, b"more noise")
    os.write(2, b"and on standard error")
    sys.stdin.read()
    return (Document(path, "text", "chatter", "said"),)


def swell(data: bytes, path: str, password: str | None) -> Documents:
    return (Document(path, "text", "swell", "x" * 64_000_001),)


def slow(data: bytes, path: str, password: str | None) -> Documents:
    time.sleep(float(data))
    return (Document(path, "text", "slow", data.decode()),)


def report(data: bytes, path: str, password: str | None) -> Documents:
    """The worker's process number, its open files and the first import path, a line each."""
    files = Path("/proc/self/fd")
    opened = []
    for one in sorted(files.iterdir()) if files.exists() else []:
        try:
            opened.append(str(one.readlink()))
        except OSError:
            continue
    return (Document(path, "text", "report", "\n".join([str(os.getpid()), *opened])),)


def write(data: bytes, path: str, password: str | None) -> Documents:
    target = Path(f"{path}.big")
    with target.open("wb") as file:
        for _ in range(600):
            file.write(bytes(2**20))
    return ()


def pickled(data: bytes, path: str, password: str | None) -> Documents:
    """Answers with a class where there should be words."""
    return (Document(path, "text", "pickled", "words", notes=(socket.socket,)),)  # type: ignore[arg-type]
