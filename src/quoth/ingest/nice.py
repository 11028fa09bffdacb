"""Work that makes way for others.

Niceness counts among the processes of one session only where Linux groups them by session (autogroup, the usual
setting of desktops): a process that was started in a session of its own then has as large a share of the machine
as all of the session that asks questions. So the group of such a session is given the niceness of its process.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

GROUP = Path("/proc/self/autogroup")
BY = 10


def make_way() -> None:
    """Lower the priority of this process, and of its session if it began that, for good."""
    os.nice(BY)
    follow()


def follow() -> None:
    """Lower the priority of the session that this process began to its own; it inherited that from its parent."""
    if (level := os.nice(0)) > 0 and os.getsid(0) == os.getpid():
        with suppress(OSError):  # there are no such groups here
            GROUP.write_text(str(level))
