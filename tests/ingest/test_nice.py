"""Work in the background makes way for others, also where Linux shares the machine out by sessions."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

GROUP = Path("/proc/self/autogroup")
ENABLED = Path("/proc/sys/kernel/sched_autogroup_enabled")
CODE = """
import os, pathlib, sys
from quoth.ingest import nice
getattr(nice, sys.argv[1])()
group = pathlib.Path("/proc/self/autogroup")
print(os.nice(0), group.read_text() if group.exists() else "")
"""


def after(does: str, own_session: bool = False, by: int = 0) -> tuple[int, int]:
    """The niceness of a process, nicer from the start `by` so much, and of its group after that."""
    done = subprocess.run(
        [sys.executable, "-c", CODE, does], capture_output=True, text=True, check=True,
        start_new_session=own_session, preexec_fn=lambda: os.nice(by),
    )  # fmt: skip
    level, _, group = done.stdout.partition(" ")
    found = re.search(r"nice (-?\d+)", group)
    return int(level), int(found[1]) if found else 0


def test_the_process_is_nicer_than_who_started_it() -> None:
    assert after("make_way")[0] == min(19, os.nice(0) + 10)


@pytest.mark.skipif(
    not (GROUP.exists() and ENABLED.read_text().strip() == "1"), reason="the kernel does not group processes by session"
)
def test_a_session_of_its_own_is_as_nice_as_its_process() -> None:
    assert after("make_way", own_session=True) == (min(19, os.nice(0) + 10),) * 2
    shared = after("make_way")
    assert shared[1] == after("follow")[1], "the group of a session that others share is left alone"
    inherited = after("follow", own_session=True, by=5)
    assert inherited == (min(19, os.nice(0) + 5),) * 2
