"""Makes the pictures of docs/page.md: python docs/screenshots.py (needs Chromium, Playwright and Pillow).

A library of the project's own examples and guides is served, asked, and photographed: wide and narrow, light and
dark. The type is that of the machine, so pictures from another one look a little different.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from PIL import Image
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).parent.parent
IMAGES = ROOT / "docs" / "images"
GUIDES = ("concepts.md", "files.md", "scans.md", "glossary.md", "moving.md")
QUESTIONS = ("How much was the gutter repair?", "How are scans read?", "How high is the deposit for the flat?")
QUESTION = "When does the warranty of the inverter end?"
SIZES = {"wide": (1440, 900), "narrow": (390, 844)}
COLOURS = 192
LARGEST = 150_000
"""Bytes of a picture."""


@contextmanager
def served() -> Iterator[str]:
    """The address of a server on a library with the examples and some guides, and a few threads in it."""
    with tempfile.TemporaryDirectory(prefix="quoth-") as place:
        home = Path(place) / "home"
        shutil.copytree(ROOT / "examples", home / "house")
        (home / "guides").mkdir()
        for name in GUIDES:
            shutil.copy(ROOT / "docs" / name, home / "guides")
        command = [sys.executable, "-m", "quoth", "--library", str(Path(place) / "library")]
        subprocess.run([*command, "add", str(home / "house"), str(home / "guides")], check=True, capture_output=True)
        serve = [*command, "serve", "--port", "0", "--json", "--no-watch"]
        server = subprocess.Popen(serve, stdout=subprocess.PIPE, text=True, env=os.environ | {"QUOTH_LLM": "none"})
        assert server.stdout
        address = json.loads(server.stdout.readline())["address"]
        try:
            while httpx.get(f"{address}/readyz").status_code != 200:
                time.sleep(0.1)
            for question in QUESTIONS:
                thread = httpx.post(f"{address}/api/threads", json={}).json()["id"]
                httpx.post(f"{address}/api/ask", json={"question": question, "thread": thread}, timeout=60)
            yield address
        finally:
            server.terminate()
            server.wait()


def show(page: Page, shape: str, scheme: str) -> None:
    """Bring the page to what is photographed: the answer and its source, or on a small screen one of them."""
    page.goto("/")
    page.get_by_label("Question", exact=True).fill(QUESTION)
    page.locator("#ask button.first").click()
    page.locator(".turn .facts").wait_for()
    if shape == "wide" or scheme == "dark":
        page.locator(".quoted a.open").first.click()
        page.locator("#source rect").first.wait_for()
        page.locator("#source img").first.evaluate("one => one.decode()")
    page.locator("#threads li").nth(len(QUESTIONS)).wait_for(state="attached")
    page.mouse.move(0, 0)
    page.wait_for_timeout(400)


def save(picture: bytes, file: Path) -> int:
    """Write a picture with few colours, and give back its bytes."""
    image = Image.open(io.BytesIO(picture)).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    image.save(file, optimize=True)
    return file.stat().st_size


def main() -> None:
    IMAGES.mkdir(exist_ok=True)
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    with served() as address, sync_playwright() as playwright:
        arguments = ["--disable-gpu", *(["--no-sandbox"] if root else [])]
        browser = playwright.chromium.launch(executable_path=chromium, args=arguments)
        for shape, (width, height) in SIZES.items():
            for scheme in ("light", "dark"):
                context = browser.new_context(
                    base_url=address, viewport={"width": width, "height": height}, color_scheme=scheme
                )
                page = context.new_page()
                show(page, shape, scheme)
                file = IMAGES / f"page-{shape}-{scheme}.png"
                size = save(page.screenshot(), file)
                print(f"{file.relative_to(ROOT)}: {size:,} bytes")
                assert size < LARGEST
                context.close()
                newest = httpx.get(f"{address}/api/threads").json()["threads"][0]["id"]
                httpx.delete(f"{address}/api/threads/{newest}")
        browser.close()


if __name__ == "__main__":
    main()
