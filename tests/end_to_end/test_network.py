"""Adding, searching and asking open no socket, in no process."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from conftest import Quoth

GUARD = """
import os, sys
def guard(event, arguments):
    if event.startswith("socket."):
        with open(os.environ["SOCKETS"], "a") as log:
            log.write(f"{event} {sys.argv}\\n")
        raise PermissionError("a socket was opened")
sys.addaudithook(guard)
"""


def test_no_socket_is_opened(quoth: Quoth, notes: Path, tmp_path: Path) -> None:
    guard = tmp_path / "guard"
    guard.mkdir()
    (guard / "sitecustomize.py").write_text(GUARD)
    log = tmp_path / "sockets"
    environment = {"PYTHONPATH": os.pathsep.join([str(guard), *sys.path]), "SOCKETS": str(log)}
    assert quoth("add", str(notes), env=environment).code == 0
    assert quoth("search", "boiler", env=environment).code == 0
    assert "October" in quoth("ask", "When is the boiler serviced?", env=environment).out
    assert quoth("doctor", env=environment).code == 0
    assert not log.exists()


def test_the_guard_sees_sockets(tmp_path: Path, quoth: Quoth) -> None:
    guard = tmp_path / "guard"
    guard.mkdir()
    (guard / "sitecustomize.py").write_text(
        GUARD + "import socket\ntry: socket.socket()\nexcept PermissionError: pass\n"
    )
    quoth("--help", env={"PYTHONPATH": os.pathsep.join([str(guard), *sys.path]), "SOCKETS": str(tmp_path / "log")})
    assert (tmp_path / "log").read_text().startswith("socket.__new__")
