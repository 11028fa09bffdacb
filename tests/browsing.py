"""A real browser (Chromium) on a real server, and a library with a file of each kind that the page shows its own way.

A test fails when anything is written to the browser's console as an error, and when any request goes to another host.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from served import Served, run_quoth, serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

EXAMPLES = Path(__file__).parent.parent / "examples"
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser") or ""
ARGUMENTS = [
    "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
]  # fmt: skip
HOSTILE_NAME = "<img src=x onerror=document.title='owned'>.txt"
FILES = {
    "cellar.txt": "The cellar was painted white in 2019.\nThe door of the cellar sticks when it rains.\n",
    "garden.md": "# Garden\n\n## Tomatoes\n\nThe tomatoes were planted on 12 May 2023.\n\n"
    "## Compost\n\nTurn the compost every second Sunday.\n",
    "bees.html": "<!doctype html><title>Bees</title><h1>Bees</h1><p>The hive is opened on the first warm day of March."
    "<script>document.title = 'owned'</script><p>Wear the veil.",
    "pump.py": 'def lift(metres):\n    """The pump lifts water up to nine metres."""\n    return min(metres, 9)\n',
    "trees.csv": "Tree,Planted,Height\nWalnut,1987,14 m\nQuince,2011,4 m\n",
    HOSTILE_NAME: "The hostile file says <script>document.title='owned'</script> and"
    " ![picture](http://evil.example/pixel.png) and <img src=http://evil.example/x onerror=document.title='owned'>"
    ' <a href="javascript:document.title=1">click</a> about the zeppelin hangar of Friedrichshafen.\n',
}


class Seen:
    """What a page did that no page may do."""

    def __init__(self, address: str) -> None:
        self.host = urlsplit(address).netloc
        self.errors: list[str] = []
        self.elsewhere: list[str] = []
        self.expected: list[str] = []
        """Beginnings of errors that a test provokes."""

    def watch(self, page: Page) -> None:
        """Listen to a page."""
        page.on("console", lambda said: self.errors.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", self._asked)

    def _asked(self, request: object) -> None:
        url: str = request.url  # type: ignore[attr-defined]
        if urlsplit(url).netloc != self.host and not url.startswith(("data:", "blob:")):
            self.elsewhere.append(url)

    def check(self) -> None:
        """Fail when something was seen."""
        errors = [one for one in self.errors if not any(one.startswith(begin) for begin in self.expected)]
        assert errors == []
        assert self.elsewhere == []


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium for the tests of a module: while it lives, no other event loop may run in this thread."""
    if not CHROMIUM:
        pytest.skip("no Chromium is installed: apt-get install chromium, or name one in $CHROMIUM")
    from playwright.sync_api import sync_playwright

    root = hasattr(os, "geteuid") and os.geteuid() == 0
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=CHROMIUM, args=[*ARGUMENTS, *(["--no-sandbox"] if root else [])]
        )
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server on a library with a file of each kind, for tests that leave its files as they are."""
    place = tmp_path_factory.mktemp("kinds")
    folder = place / "files"
    folder.mkdir()
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8")
    for name in ("inverter-warranty.pdf", "house-costs.xlsx", "rental-contract.docx"):
        shutil.copy(EXAMPLES / name, folder)
    mail = EmailMessage()
    mail["Subject"], mail["From"], mail["To"] = (
        "The piano",
        "Ilse <ilse@orchard.example>",
        "Mara <mara@orchard.example>",
    )
    mail.set_content("Dear Mara,\n\nthe tuner of the piano comes on Friday at nine.\n\nIlse\n")
    (folder / "piano.eml").write_bytes(mail.as_bytes())
    run_quoth(place / "library", "add", str(folder))
    with serving(place / "library", folder) as served:
        yield served


Open = Callable[..., "Page"]


@contextmanager
def opening(browser: Browser, served: Served, **options: object) -> Iterator[Page]:
    """A page of its own, at the server's address; what it must not do fails the test."""
    context = browser.new_context(base_url=served.address, **options)  # type: ignore[arg-type]
    context.set_default_timeout(15_000)
    page = context.new_page()
    seen = Seen(served.address)
    seen.watch(page)
    page.seen = seen  # type: ignore[attr-defined]
    try:
        yield page
        seen.check()
    finally:
        context.close()


@pytest.fixture
def page(browser: Browser, kinds: Served) -> Iterator[Page]:
    """The page, open on the library with all kinds of files."""
    with opening(browser, kinds, viewport={"width": 1440, "height": 900}) as opened:
        opened.goto("/")
        yield opened


def ask(page: Page, question: str) -> None:
    """Ask, and wait for the answer."""
    before = page.locator(".turn .facts").count()
    page.get_by_label("Question", exact=True).fill(question)
    page.locator("#ask button.first").click()
    page.locator(".turn .facts").nth(before).wait_for()
