"""Keep a library in step with the disk while the user works: `follow`.

The operating system tells of changes (watchfiles); drives that do not are looked at every SWEEP seconds.
Changes are taken together until the disk has been quiet for SETTLE, and what editors leave while they
save is no change. A source that is gone is waited for; nothing of it is removed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from quoth.catalog import Source
from quoth.errors import Locked
from quoth.ingest.walk import is_noise
from quoth.parts import Parts, inside
from quoth.sync import sync
from quoth.types import Options, Report, Watcher

if TYPE_CHECKING:
    from watchfiles import Change

SETTLE = 400
"""Milliseconds without a change after which a burst is over."""
LONGEST = 5_000
"""Milliseconds after which a burst that does not end is taken up all the same."""
LOOK = 2_000
"""Milliseconds after which sources are looked for that came, went or were added."""
SWEEP = 60.0
"""Seconds between two looks at everything, for what nobody told of."""


def follow(parts: Parts, options: Options, poll: bool, watch: Watcher) -> Iterator[Report]:
    """Sync what changes, a report for each time something was done, without end.

    The first report is of the sync with which it begins. While another process writes, it waits.
    """
    failed: set[str] = set()
    waiting, swept = {one.id for one in parts.catalog.sources()}, time.monotonic()
    while True:
        sources = _there(parts)
        for changed in _changes(parts, sources, poll):
            known = {one.id: one for one in parts.catalog.sources()}
            waiting |= {one.id for one in known.values() if any(inside(path, one.path) for path in changed)}
            if time.monotonic() - swept > SWEEP or _there(parts) != sources:
                waiting, swept = set(known), time.monotonic()
            wanted = [known[number] for number in sorted(waiting & set(known))]
            report = _synced(parts, wanted, options, watch) if wanted else Report()
            if report:
                waiting = set()
                news = {one.path for one in report.failed} - failed
                failed = {one.path for one in report.failed} if wanted else failed
                if news or report.added or report.updated or report.moved or report.removed or report.notes:
                    yield report
            if _there(parts) != sources:
                break


def _changes(parts: Parts, sources: Sequence[Source], poll: bool) -> Iterator[set[str]]:
    """The paths that changed, once the disk is quiet again; none at first, and now and then."""
    from watchfiles import watch

    yield set()
    if not sources:
        time.sleep(LOOK / 1000)
        return

    def counts(_: Change, path: str) -> bool:
        """Whether a change is of a file that a sync would look at: not of the library itself, nor an editor's."""
        source = next((one.path for one in sources if inside(path, one.path)), "")
        *folders, name = Path(path.removeprefix(source).lstrip(os.sep)).parts or [Path(path).name]
        noise = is_noise(name, False) or any(is_noise(folder, True) for folder in folders)
        return not noise and not inside(path, str(parts.folder))

    stream = watch(
        *(one.path for one in sources),
        watch_filter=counts,
        debounce=LONGEST,
        step=SETTLE,
        rust_timeout=LOOK,
        yield_on_timeout=True,
        force_polling=poll or None,
        raise_interrupt=True,
        ignore_permission_denied=True,
    )
    before = {one.path for one in sources}  # they may have changed before the system was asked to tell
    for changes in stream:
        yield before | {path for _, path in changes}
        before = set()


def _synced(parts: Parts, sources: Sequence[Source], options: Options, watch: Watcher) -> Report | None:
    """The report of a sync; None while another process writes."""
    try:
        return sync(parts, sources, options, watch)
    except Locked:
        return None


def _there(parts: Parts) -> list[Source]:
    """The sources that are on disk now."""
    return [one for one in parts.catalog.sources() if os.path.lexists(one.path)]
