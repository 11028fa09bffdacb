"""A server in the background: started, found again, ended; with real processes."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest


def quoth(library: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "quoth", "--library", str(library), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=90)


@pytest.mark.slow
def test_a_server_in_the_background_is_started_once_and_ended(tmp_path: Path) -> None:
    first = quoth(tmp_path / "library", "serve", "--background", "--port", "0", "--json")
    assert first.returncode == 0, first.stderr
    address = json.loads(first.stdout)["address"]
    try:
        assert httpx.get(f"{address}/healthz").text == "ok"
        again = quoth(tmp_path / "library", "serve", "--background", "--json")
        assert json.loads(again.stdout)["address"] == address
    finally:
        ended = quoth(tmp_path / "library", "serve", "--stop", "--json")
    assert json.loads(ended.stdout) == {"stopped": address}
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{address}/healthz")
    none = quoth(tmp_path / "library", "serve", "--stop")
    assert none.returncode == 1
    assert "no server runs" in none.stderr


def test_what_keeps_a_server_from_starting_is_said(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = quoth(tmp_path / "library", "serve", "--background", "--port", str(port))
    assert done.returncode == 1
    assert f"port {port} is taken by another program" in done.stderr
    assert "quoth serve --port" in done.stderr
    assert "Traceback" not in done.stderr
