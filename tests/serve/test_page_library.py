"""The page in a real browser: adding, uploading, jobs, what became of each file, threads, people, evaluations."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from browsing import ask, opening
from conftest import write_notes
from quoth import access
from quoth.library import Library
from served import Served, run_quoth, serving

pytestmark = pytest.mark.slow

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def mine(browser: Browser, own: Served) -> Iterator[Page]:
    """The page, open on a library that the test may change."""
    with opening(browser, own, viewport={"width": 1280, "height": 860}) as opened:
        opened.goto("/")
        opened.locator("#sources li").first.wait_for()
        yield opened


def toast(page: Page, words: str) -> None:
    page.locator(".toast", has_text=words).wait_for()


def test_an_empty_library_says_what_to_do_and_answers_once_a_folder_is_added(browser: Browser, tmp_path: Path) -> None:
    notes = write_notes(tmp_path / "notes")
    with serving(tmp_path / "library", notes) as served, opening(browser, served) as page:
        page.goto("/")
        assert "There is nothing to ask yet" in page.locator(".welcome").inner_text()
        page.locator("#start").get_by_role("button", name="Add files").click()
        page.get_by_label("A folder or file on the computer that runs Quoth").fill(str(notes))
        page.get_by_role("button", name="Add", exact=True).click()
        page.locator("#sources a", has_text="notes").wait_for()
        page.locator("#examples a").first.wait_for()
        ask(page, "Who services the boiler?")
        assert "Hartmann and Sons" in page.locator(".quoted blockquote").first.inner_text()
        page.goto("/")
        page.locator("#examples a").first.click()
        page.locator(".quoted blockquote").first.wait_for()


def test_a_folder_that_is_not_there_is_a_sentence(mine: Page) -> None:
    mine.seen.expected.append("Failed to load resource: the server responded with a status of 404")  # type: ignore[attr-defined]
    mine.get_by_role("button", name="Add files").click()
    mine.get_by_label("A folder or file on the computer that runs Quoth").fill("/no/such/folder")
    mine.get_by_role("button", name="Add", exact=True).click()
    toast(mine, "there is no file or folder /no/such/folder")
    assert mine.get_by_role("dialog").is_visible()


@pytest.mark.slow
def test_adding_shows_how_far_it_is_and_stops_when_it_is_cancelled(mine: Page, own: Served, tmp_path: Path) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(4_000):
        text = f"Note {number} tells of the {number} th day of the voyage, of wind, fog and the price of rope. " * 12
        (folder / f"note{number}.txt").write_text(text, encoding="utf-8")
    mine.get_by_role("button", name="Add files").click()
    mine.get_by_label("A folder or file on the computer that runs Quoth").fill(str(folder))
    mine.get_by_role("button", name="Add", exact=True).click()
    job = mine.locator("#job .job")
    job.locator("text=/[1-9][0-9,]* of 4,000 files/").wait_for(timeout=60_000)
    assert "passages" in job.inner_text()
    job.locator("text=/about .* left/").wait_for(timeout=60_000)
    assert mine.locator("#job progress").get_attribute("max") == "4000"
    job.get_by_role("button", name="Cancel").click()
    toast(mine, "what was read is kept")
    job.wait_for(state="detached", timeout=60_000)
    with own.client() as client:
        newest = client.get("/api/jobs").json()["jobs"][0]
    assert newest["state"] == "stopped"
    mine.goto("/library")
    mine.locator("#jobs li", has_text="stopped").get_by_role("button", name="Resume").wait_for()


def test_files_that_are_chosen_are_copied_read_and_found(mine: Page, own: Served, tmp_path: Path) -> None:
    letter = tmp_path / "letter.txt"
    letter.write_text("The lighthouse keeper is called Aurelia Stern.\n", encoding="utf-8")
    program = tmp_path / "program.exe"
    program.write_bytes(b"MZ\x00\x00" * 200)
    mine.get_by_role("button", name="Add files").click()
    mine.get_by_label("Or files from here").set_input_files([letter, program])
    toast(mine, "program.exe")
    mine.locator("#sources a", has_text="uploads").wait_for()
    ask(mine, "What is the lighthouse keeper called?")
    assert "Aurelia Stern" in mine.locator(".quoted blockquote").first.inner_text()


def test_files_may_be_dropped_on_the_page(mine: Page) -> None:
    mine.evaluate(
        """() => {
        const data = new DataTransfer()
        data.items.add(new File(['The cat of the lighthouse is called Bosun.'], 'cat.txt', { type: 'text/plain' }))
        for (const name of ['dragover', 'drop']) {
            document.body.dispatchEvent(new DragEvent(name, { dataTransfer: data, bubbles: true, cancelable: true }))
        }
    }"""
    )
    mine.locator("#sources a", has_text="uploads").wait_for()
    ask(mine, "What is the cat of the lighthouse called?")
    assert "Bosun" in mine.locator(".quoted blockquote").first.inner_text()


def test_a_file_that_failed_says_why_and_can_be_tried_again(browser: Browser, tmp_path: Path) -> None:
    folder = write_notes(tmp_path / "notes")
    broken = folder / "warranty.pdf"
    broken.write_bytes(b"%PDF-1.4 and then nothing")
    with Library.open(tmp_path / "library") as library:
        assert len(library.add([folder]).failed) == 1
    with serving(tmp_path / "library", folder, "--no-watch") as served, opening(browser, served) as page:
        page.goto("/library")
        page.get_by_label("State").select_option("failed")
        row = page.locator("#files li")
        page.locator("#files li.read").first.wait_for(state="detached")
        row.locator(".reason", has_text="damaged").wait_for()
        assert row.count() == 1
        assert "open it in a PDF viewer" in row.inner_text()
        shutil.copy(EXAMPLES / "inverter-warranty.pdf", broken)
        row.get_by_role("button", name="Try warranty.pdf again").click()
        page.get_by_text("No file fits.").wait_for(timeout=30_000)
        page.get_by_label("State").select_option("read")
        page.get_by_label("Name of a file").fill("warranty")
        page.locator("#files li", has_text="warranty.pdf").wait_for()


def test_removing_and_forgetting_ask_first_and_say_what_they_do(mine: Page, own: Served) -> None:
    mine.goto("/library")
    mine.get_by_role("button", name="Remove roof.txt").click()
    dialog = mine.get_by_role("dialog")
    assert "The file itself stays where it is" in dialog.inner_text()
    dialog.get_by_role("button", name="Cancel").click()
    assert mine.locator("#files li", has_text="roof.txt").count() == 1
    mine.get_by_role("button", name="Forget roof.txt").click()
    assert "cannot be undone" in mine.get_by_role("dialog").inner_text()
    mine.get_by_role("dialog").get_by_role("button", name="Forget", exact=True).click()
    toast(mine, "roof.txt was forgotten")
    mine.locator("#files li", has_text="roof.txt").wait_for(state="detached")
    assert (own.notes / "house" / "roof.txt").exists()
    mine.get_by_role("button", name="Remove notes").click()
    mine.get_by_role("dialog").get_by_role("button", name="Remove", exact=True).click()
    mine.get_by_text("No files yet.").wait_for()


def test_threads_are_kept_renamed_continued_exported_and_deleted(mine: Page) -> None:
    ask(mine, "When was the roof repaired?")
    link = mine.locator("#threads a", has_text="When was the roof repaired?")
    link.wait_for()
    ask(mine, "and the boiler?")
    searched = mine.locator(".turn").last.locator(".asked")
    searched.wait_for()
    assert "boiler" in searched.inner_text()
    assert searched.inner_text() != "Searched as “and the boiler?”"
    mine.locator("#threads li").first.hover()
    mine.locator("#threads summary").first.click()
    mine.get_by_role("button", name="Rename").click()
    mine.get_by_role("textbox", name="Rename this thread").fill("House <b>matters</b>")
    mine.get_by_role("dialog").get_by_role("button", name="Rename").click()
    mine.locator("#threads a", has_text="House <b>matters</b>").wait_for()
    mine.locator("#threads summary").first.click()
    with mine.expect_download() as coming:
        mine.get_by_role("button", name="Export as Markdown").click()
    told = Path(coming.value.path()).read_text(encoding="utf-8")
    assert "repaired in 2019" in told and "When was the roof repaired?" in told
    mine.reload()
    mine.locator(".turn .facts").nth(1).wait_for()
    assert mine.locator(".turn .question").all_inner_texts() == ["When was the roof repaired?", "and the boiler?"]
    mine.get_by_role("button", name="New thread").click()
    mine.locator(".welcome").wait_for()
    mine.go_back()
    mine.locator(".turn").first.wait_for()
    mine.locator("#threads li").first.hover()
    mine.locator("#threads summary").first.click()
    mine.locator("#threads").get_by_role("button", name="Delete").click()
    mine.get_by_role("dialog").get_by_role("button", name="Delete").click()
    mine.get_by_text("Questions that you ask are kept here.").wait_for()
    mine.locator(".welcome").wait_for()


def test_people_sign_in_and_see_only_what_they_may_do(browser: Browser, added: Path, notes: Path) -> None:
    with Library.open(added) as library:
        access.add_person(library, "olga", "owner", "a long enough password")
        access.add_person(library, "rhea", "reader", "another long password")
    with serving(added, notes, "--no-watch") as served, opening(browser, served) as page:
        page.seen.expected.append("Failed to load resource: the server responded with a status of 401")  # type: ignore[attr-defined]
        page.goto("/library")
        assert "/login" in page.url
        page.get_by_label("Name").fill("rhea")
        page.get_by_label("Password").fill("not the password")
        page.get_by_role("button", name="Sign in").click()
        assert "name or password is wrong" in page.get_by_role("alert").inner_text()
        page.get_by_label("Name").fill("rhea")
        page.get_by_label("Password").fill("another long password")
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/library")
        page.locator("#files li").first.wait_for()
        assert page.locator("#person").inner_text().startswith("rhea")
        assert page.get_by_role("button", name="Add files").count() == 0
        assert page.locator("#files button, #table button").count() == 0
        page.goto("/")
        ask(page, "Who services the boiler?")
        page.locator(".quoted a.open").first.click()
        page.locator("#source mark").wait_for()
        assert page.get_by_role("button", name="Add to golden questions").count() == 0
        page.get_by_role("button", name="Sign out").click()
        page.wait_for_url("**/login**")
        # an owner has other threads
        page.goto("/login?next=//evil.example/")
        page.get_by_label("Name").fill("olga")
        page.get_by_label("Password").fill("a long enough password")
        page.get_by_role("button", name="Sign in").click()
        page.get_by_text("Questions that you ask are kept here.").wait_for()
        assert page.url == f"{served.address}/"
        page.get_by_role("button", name="Add files").wait_for()


@pytest.mark.slow
def test_golden_questions_are_measured_and_two_runs_compared(mine: Page, own: Served) -> None:
    text = (own.notes / "house" / "boiler.txt").read_text(encoding="utf-8")
    roof = (own.notes / "house" / "roof.txt").read_text(encoding="utf-8")
    with own.client() as client:
        for question, name, words in [
            ("Who services the boiler?", "boiler.txt", text.split("\n")[0]),
            ("What should the pressure be?", "boiler.txt", "Its pressure should be 1.5 bar."),
            ("When was the roof repaired?", "roof.txt", roof.strip()),
        ]:
            path = own.notes / "house" / name
            start = path.read_text(encoding="utf-8").index(words)
            place = {"path": str(path), "start": start, "end": start + len(words)}
            assert client.post("/api/golden", json={"question": question} | place).status_code == 201
    mine.goto("/evaluate")
    mine.locator("#golden li", has_text="Who services the boiler?").wait_for()
    mine.get_by_label("Name of the run").fill("first")
    mine.get_by_role("button", name="Start an evaluation").click()
    mine.locator("#runs tbody th", has_text="first").wait_for(timeout=60_000)
    mine.get_by_text("With a second run, here is which one is better").wait_for()
    run_quoth(own.library, "evaluate", "--name", "second", "--json")
    mine.reload()
    report = mine.frame_locator("iframe.report")
    report.locator("h1").wait_for(timeout=60_000)
    assert report.locator("svg").count() >= 3
    assert mine.locator(".verdict").inner_text()
    with own.client() as client:
        told = client.get("/api/compare", params={"first": "first", "second": "second"}).json()
        (used,) = client.get("/api/recipes").json()["recipes"]
    assert (used["name"], used["used"], told["report"]) == ("default", True, True)
    rows = mine.locator("#compare tbody tr")
    assert rows.locator("th").all_inner_texts() == [one["measure"] for one in told["differences"]]
    assert rows.first.locator("td").nth(1).inner_text() == f"{told['differences'][0]['first']:.3f}"
    assert mine.locator("#runs tbody tr").count() == 2
    mine.get_by_role("button", name="Delete What should the pressure be?").click()
    mine.get_by_role("dialog").get_by_role("button", name="Delete").click()
    mine.locator("#golden li", has_text="What should the pressure be?").wait_for(state="detached")
    with own.client() as client:
        assert len(client.get("/api/golden").json()["questions"]) == 2


def test_what_people_do_on_the_page_is_in_the_journal(mine: Page, own: Served) -> None:
    ask(mine, "When was the roof repaired?")
    mine.locator(".quoted a.open").first.click()
    mine.locator("#source mark").wait_for()
    entries = json.loads(run_quoth(own.library, "journal", "--json"))["entries"]
    assert [one["kind"] for one in entries] == ["asked", "shown", "opened"]
