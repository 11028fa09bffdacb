"""A command of the server's that ends when the server does, however that ends: `python -m quoth.serve.leash add …`.

The server holds the other end of its standard input. Once that is closed, also by a kill, the command is
told to end, and ended when it does not.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading
import time

GRACE = 20.0
"""Seconds that a command has to write down where it stopped."""


def main() -> None:
    """Run the command line with the arguments of this process, until its standard input is closed."""
    held = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)  # what the command starts itself has no end of the leash
    os.close(nothing)
    threading.Thread(target=_hold, args=(held,), daemon=True, name="quoth-leash").start()
    sys.argv[0] = "quoth"  # so that whoever is kept out reads who writes
    runpy.run_module("quoth", run_name="__main__")


def _hold(held: int) -> None:
    while os.read(held, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE)
    os._exit(1)


if __name__ == "__main__":
    main()
