"""The page in a real browser: asking, opening quotes of each kind of file, rating, keys, no scripts, readability."""

from __future__ import annotations

import io
import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pypdfium2
import pytest
from axe_playwright_python.sync_playwright import Axe

from browsing import HOSTILE_NAME, ask, opening
from quoth.serve import shell
from quoth.testing import ScriptedEndpoint
from quoth.types import Cited, Written
from served import Served, run_quoth, serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

WCAG = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}}


def first_quote(page: Page) -> str:
    return page.locator(".quoted blockquote").first.inner_text()


def test_a_question_is_answered_and_its_quote_opens_highlighted_at_its_place(page: Page, kinds: Served) -> None:
    assert page.get_by_label("Question", exact=True).is_visible()
    ask(page, "When were the tomatoes planted?")
    assert "planted on 12 May 2023" in first_quote(page)
    page.locator(".quoted a.open").first.click()
    mark = page.locator("#source mark")
    mark.wait_for()
    assert mark.inner_text() in (kinds.notes / "garden.md").read_text(encoding="utf-8")
    assert "12 May 2023" in mark.inner_text()
    assert page.locator("#source .line.hit").first.get_attribute("data-n") == "5"
    box, pane = mark.bounding_box(), page.locator("#source .body").bounding_box()
    assert box and pane and pane["y"] <= box["y"] <= pane["y"] + pane["height"]


KINDS = [
    ("When was the cellar painted white?", "cellar.txt", ".line mark", "The cellar was painted white in 2019."),
    ("When to turn the compost?", "garden.md", ".line mark", "Turn the compost every second Sunday."),
    ("When is the hive opened?", "bees.html", ".line mark", "The hive is opened on the first warm day of March."),
    ("How high does the pump lift water?", "pump.py", ".mono .line mark", "The pump lifts water up to nine metres."),
    ("When was the walnut planted?", "trees.csv", "td.quoted mark", "Walnut 1987 14 m"),
    ("How much was the gutter repair?", "house-costs.xlsx", "td.quoted mark", "Gutter repair Roofers Nord"),
    ("Who tunes the piano on Friday?", "piano.eml", ".line mark", "the tuner of the piano comes on Friday at nine."),
    ("How high is the deposit for the flat?", "rental-contract.docx", ".line mark", "The deposit is 2,670 euros"),
]


@pytest.mark.parametrize(("question", "name", "marks", "words"), KINDS, ids=[one[1] for one in KINDS])
def test_a_quote_of_each_kind_of_file_is_shown_at_its_place(
    page: Page, question: str, name: str, marks: str, words: str
) -> None:
    ask(page, question)
    page.locator(".quoted a.open").first.click()
    page.locator("#source .path b", has_text=name).wait_for()
    shown = " ".join(page.locator(f"#source {marks}").all_inner_texts())
    assert words in shown


def test_a_table_has_its_columns_and_a_message_its_headers(page: Page) -> None:
    ask(page, "How much was the gutter repair?")
    page.locator(".quoted a.open").first.click()
    page.locator("#source th[scope=col]").first.wait_for()
    heads = page.locator("#source .cells").first.locator("th[scope=col]").all_inner_texts()
    assert heads == ["Item", "Supplier", "Paid on", "Amount", "VAT"]
    ask(page, "Who tunes the piano on Friday?")
    page.locator(".turn").last.locator(".quoted a.open").first.click()
    page.locator("#source .headers").wait_for()
    assert page.locator("#source .headers dt").all_inner_texts()[:3] == ["Subject", "From", "To"]
    assert page.locator("#source .headers dd").first.inner_text() == "The piano"


def test_a_pdf_shows_its_page_with_boxes_over_the_quoted_words(page: Page, kinds: Served) -> None:
    ask(page, "When does the warranty of the inverter end?")
    page.locator(".quoted a.open").first.click()
    boxes = page.locator("#source rect")
    boxes.first.wait_for()
    # where PDFium's own search finds the words
    pdf = pypdfium2.PdfDocument(kinds.notes / "inverter-warranty.pdf")
    sheet = pdf[0]
    words = sheet.get_textpage()
    at, count = words.search("The warranty lasts ten years").get_next()
    left, _, _, top = words.get_charbox(at)
    height = sheet.get_height()
    first = {name: float(boxes.first.get_attribute(name) or "nan") for name in ("x", "y", "width", "height")}
    pdf.close()
    assert count
    assert first["x"] == pytest.approx(left, abs=3)
    assert first["y"] <= height - top <= first["y"] + first["height"]
    picture = page.locator("#source .sheet img").first
    picture.evaluate("one => one.decode()")
    assert picture.evaluate("one => one.naturalWidth") == 1190
    over = page.locator("#source .sheet svg").first.bounding_box()
    under = picture.bounding_box()
    assert over == pytest.approx(under, abs=1)
    page.get_by_role("link", name="Text", exact=True).click()
    page.locator("#source mark").first.wait_for()
    assert "The warranty lasts ten years" in " ".join(page.locator("#source mark").all_inner_texts())


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("tesseract") is None, reason="tesseract is not installed")
def test_an_image_read_by_ocr_has_boxes_over_the_words(browser: Browser, tmp_path: Path) -> None:
    draw = pytest.importorskip("PIL.Image", reason="Pillow draws the image")
    pdf = pypdfium2.PdfDocument(Path(__file__).parents[2] / "examples" / "inverter-warranty.pdf")
    picture = draw.fromarray(pdf[2].render(scale=200 / 72, grayscale=True).to_numpy().squeeze()).convert("RGB")
    pdf.close()
    folder = tmp_path / "scans"
    folder.mkdir()
    picture.save(folder / "claim.png")
    run_quoth(tmp_path / "library", "add", str(folder))
    with serving(tmp_path / "library", folder) as served, opening(browser, served) as page:
        page.goto("/")
        ask(page, "What does error E-114 mean?")
        page.locator(".quoted a.open").first.click()
        box = page.locator("#source rect").first
        box.wait_for()
        shown = page.locator("#source .sheet img")
        shown.evaluate("one => one.decode()")
        size = shown.evaluate("one => [one.naturalWidth, one.naturalHeight]")
        assert size == [picture.width, picture.height]
        # the box is over ink, and the strip above it is the gap between two lines or their ascenders
        x, y, w, h = (round(float(box.get_attribute(name) or 0)) for name in ("x", "y", "width", "height"))
        inside = picture.convert("L").crop((x, y, x + w, y + h)).getextrema()
        assert inside[0] < 100
        assert w > 10 * h


def test_ratings_and_the_right_place_go_to_the_journal(page: Page, kinds: Served) -> None:
    ask(page, "What colour is the cellar?")
    page.get_by_role("button", name="A good answer").click()
    page.get_by_role("button", name="Quote 1 is wrong").click()
    page.locator(".quoted a.open").first.click()
    page.locator("#source mark").wait_for()
    # the words that somebody selects are the place, counted in characters of the document
    page.evaluate(
        """() => {
        const walker = document.createTreeWalker(document.querySelector('#source .body'), NodeFilter.SHOW_TEXT)
        let text = walker.nextNode()
        while (!text.data.startsWith('The door')) text = walker.nextNode()
        const range = document.createRange()
        range.setStart(text, 4)
        range.setEnd(text, 8)
        getSelection().removeAllRanges()
        getSelection().addRange(range)
    }"""
    )
    page.get_by_text("The words that you selected").wait_for()
    page.get_by_role("button", name="This is the right place").click()
    page.get_by_text("Noted in the journal: this is the right place").first.wait_for()
    entries = json.loads(run_quoth(kinds.library, "journal", "--json"))
    rated = [one["record"] for one in entries["entries"] if one["kind"] == "rated"][-3:]
    assert {(one["rating"], one.get("quote")) for one in rated[:2]} == {("right", None), ("wrong", 1)}
    text = (kinds.notes / "cellar.txt").read_text(encoding="utf-8")
    assert rated[2]["rating"] == "place"
    told = json.dumps(rated[2])
    start = text.index("door of the")
    assert text[start : start + 4] == "door"
    assert f'"start": {start}' in told and f'"end": {start + 4}' in told


def test_a_place_becomes_a_golden_question(page: Page, kinds: Served) -> None:
    ask(page, "When is the hive opened?")
    page.locator(".quoted a.open").first.click()
    page.locator("#source").get_by_role("button", name="Add to golden questions").click()
    page.get_by_text("Added to the golden questions").first.wait_for()
    with kinds.client() as client:
        kept = client.get("/api/golden").json()["questions"][-1]
    assert kept["question"] == "When is the hive opened?"
    assert kept["spans"][0]["path"].endswith("bees.html")
    assert "first warm day of March" in kept["spans"][0]["text"]


def test_a_refusal_says_what_was_searched_and_offers_the_nearest_passages(page: Page) -> None:
    ask(page, "Who won the chess tournament of Reykjavik?")
    refusal = page.locator(".refusal")
    assert "Your files do not seem to hold the answer." in refusal.inner_text()
    assert re.search(r"\d+ documents \(\d+ passages\)", refusal.inner_text())
    assert refusal.locator("dd").last.inner_text() == "0.30"
    assert page.locator(".nearest .quote").count() == 3
    page.locator(".nearest a.open").first.click()
    page.locator("#source .document").wait_for()


def test_keys_open_walk_close_and_tell_of_themselves(page: Page) -> None:
    ask(page, "When does the warranty of the inverter end?")
    page.locator("#talk").focus()
    page.keyboard.press("1")
    page.locator("#source .document").wait_for()
    page.keyboard.press("Escape")
    page.locator("#source").wait_for(state="hidden")
    page.keyboard.press("j")
    assert page.locator(".quote.chosen").get_attribute("data-n") == "1"
    page.locator("#source .document").wait_for()
    if page.locator(".quoted .quote").count() > 1:
        page.keyboard.press("j")
        assert page.locator(".quote.chosen").get_attribute("data-n") == "2"
        page.keyboard.press("k")
    assert page.locator(".quote.chosen").get_attribute("data-n") == "1"
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "q"
    page.keyboard.type("j?1")
    assert page.get_by_label("Question", exact=True).input_value() == "j?1"
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    keys = page.get_by_role("dialog", name="Keys")
    assert "open the quote of this number" in keys.inner_text()
    keys.get_by_label("Keys of one letter are on").uncheck()
    keys.get_by_role("button", name="Close").click()
    page.keyboard.press("?")
    assert page.get_by_role("dialog").count() == 0


def test_focus_goes_to_the_source_and_back_to_the_quote_it_was_opened_from(browser: Browser, kinds: Served) -> None:
    with opening(browser, kinds, viewport={"width": 390, "height": 844}) as page:
        page.goto("/")
        ask(page, "When were the tomatoes planted?")
        opener = page.locator(".quoted a.open").first
        opener.focus()
        page.keyboard.press("Enter")
        page.locator("#source mark").wait_for()
        assert page.evaluate("document.activeElement.id") == "source-title"
        assert page.locator("#talk").is_hidden()
        page.keyboard.press("Escape")
        assert opener.evaluate("one => one === document.activeElement")


def test_back_on_a_small_screen_leads_from_the_source_to_the_answer(browser: Browser, kinds: Served) -> None:
    with opening(browser, kinds, viewport={"width": 390, "height": 844}) as page:
        page.goto("/")
        ask(page, "When were the tomatoes planted?")
        thread = page.url
        for leave in (page.go_back, page.get_by_label("Close the source").click):
            page.locator(".quoted a.open").first.click()
            page.locator("#source mark").wait_for()
            assert not page.locator(".quoted").is_visible()
            leave()
            page.locator(".quoted blockquote").wait_for()
            assert "12 May 2023" in first_quote(page)
            assert (page.url, page.locator("#source mark").count()) == (thread, 0)


def test_a_new_question_closes_the_source_of_the_one_before_and_is_in_sight(page: Page) -> None:
    for question in ("When were the tomatoes planted?", "When is the hive opened?"):
        ask(page, question)
        page.locator(".turn").last.locator(".quoted a.open").first.click()
        page.locator("#source mark").wait_for()
    ask(page, "When to turn the compost?")
    assert page.locator("#source mark").count() == 0
    page.wait_for_function("document.querySelector('.turn:last-of-type .quoted').getBoundingClientRect().top > 0")
    heading = page.locator(".turn:last-of-type .question").bounding_box()
    assert heading and 0 <= heading["y"] < 800


def test_filters_narrow_in_the_page_and_in_the_question(page: Page) -> None:
    ask(page, "When were the tomatoes planted? type:pdf")
    page.locator(".asked", has_text="When were the tomatoes planted?").wait_for()
    assert page.locator(".refusal").count() == 1
    page.get_by_text("Filters").click()
    page.locator("select[name=type]").select_option("markdown")
    ask(page, "When were the tomatoes planted?")
    assert page.locator(".turn").last.locator(".quoted").count() == 1
    page.locator("select[name=type]").select_option("csv")
    ask(page, "When was the compost turned?")
    assert page.locator(".turn").last.locator(".quoted").count() == 0
    page.locator("select[name=type]").select_option("")
    ask(page, "When was the compost turned? in:nowhere")
    assert "Nothing lies in nowhere" in page.locator(".turn").last.locator(".refusal").inner_text()


def test_it_is_dark_where_the_system_is_and_where_somebody_wants_it(browser: Browser, kinds: Served) -> None:
    def ground(page: Page) -> int:
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        return sum(map(int, re.findall(r"\d+", colour)[:3]))

    with opening(browser, kinds, color_scheme="dark") as page:
        page.goto("/")
        assert ground(page) < 150
        page.get_by_role("button", name="Light colours").click()
        assert ground(page) > 600
        page.reload()
        assert ground(page) > 600
    with opening(browser, kinds, color_scheme="light") as page:
        page.goto("/")
        assert ground(page) > 600


@pytest.mark.parametrize("width", [360, 390])
def test_nothing_is_wider_than_a_narrow_screen(browser: Browser, kinds: Served, width: int) -> None:
    with opening(browser, kinds, viewport={"width": width, "height": 780}) as page:

        def fits() -> None:
            assert page.evaluate("document.documentElement.scrollWidth") <= width

        page.goto("/")
        fits()
        ask(page, "When does the warranty of the inverter end?")
        fits()
        page.locator(".quoted a.open").first.click()
        page.locator("#source .document").wait_for()
        fits()
        page.get_by_role("button", name="Menu").click()
        assert page.locator("#side").is_visible() and page.locator("#source").is_hidden()
        fits()
        for path in ("/library", "/evaluate"):
            page.goto(path)
            page.locator("#talk h2").first.wait_for()
            fits()


def test_asking_and_looking_work_without_scripts(browser: Browser, kinds: Served) -> None:
    with opening(browser, kinds, java_script_enabled=False) as page:
        page.goto("/")
        page.get_by_label("Question", exact=True).fill("When were the tomatoes planted?")
        page.locator("#ask button.first").click()
        assert "planted on 12 May 2023" in first_quote(page)
        page.locator(".quoted a.open").first.click()
        assert "/source?" in page.url
        assert "12 May 2023" in page.locator("mark").inner_text()
        page.goto("/?q=Who+won+the+chess+tournament+of+Reykjavik")
        assert "do not seem to hold the answer" in page.locator(".refusal").inner_text()
        page.seen.expected.append("Failed to load resource: the server responded with a status of 422")  # type: ignore[attr-defined]
        page.goto("/?q=" + "%3F%3F")
        assert "holds no words" in page.get_by_role("alert").inner_text()


def test_a_linked_question_is_answered_in_full_once_scripts_run(page: Page) -> None:
    page.goto("/?q=When+were+the+tomatoes+planted%3F")
    page.get_by_role("button", name="A good answer").wait_for()
    page.keyboard.press("1")
    page.locator("#source mark").wait_for()


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(browser: Browser, kinds: Served, scheme: str) -> None:
    axe = Axe()
    with opening(browser, kinds, color_scheme=scheme, viewport={"width": 1440, "height": 900}) as page:

        def sound() -> None:
            found = axe.run(page, options=WCAG)
            assert found.violations_count == 0, found.generate_report()

        page.goto("/")
        page.locator("#sources li").first.wait_for()
        sound()
        ask(page, "When does the warranty of the inverter end?")
        page.get_by_text("Also looked at").click()
        page.locator(".quoted a.open").first.click()
        page.locator("#source rect").first.wait_for()
        sound()
        page.get_by_role("link", name="Text", exact=True).click()
        page.locator("#source mark").first.wait_for()
        sound()
        ask(page, "Who won the chess tournament of Reykjavik?")
        ask(page, "How much was the gutter repair?")
        page.locator(".turn").last.locator(".quoted a.open").first.click()
        page.locator("#source .cells").first.wait_for()
        sound()
        page.locator("#talk").focus()
        page.keyboard.press("?")
        sound()
        page.get_by_role("button", name="Close", exact=True).click()
        for path in ("/library", "/evaluate", "/login"):
            page.goto(path)
            page.wait_for_load_state("networkidle")
            sound()
        page.goto("/library")
        page.get_by_role("button", name="Add files").last.click()
        sound()
        page.set_viewport_size({"width": 390, "height": 844})
        page.goto("/")
        page.get_by_role("button", name="Menu").click()
        sound()


def test_a_hostile_file_is_only_ever_text(page: Page, kinds: Served) -> None:
    ask(page, "What does the hostile file say about the zeppelin hangar?")
    page.locator(".quoted a.open").first.click()
    page.locator("#source mark").first.wait_for()
    assert "<script>" in page.locator("#source .body").inner_text()
    assert HOSTILE_NAME in page.locator("#source .path").inner_text()
    assert page.locator("#source .body :is(script, img, a)").count() == 0
    assert page.locator(".turn :is(script, img)").count() == 0
    page.goto("/library")
    page.locator("#files", has_text=HOSTILE_NAME).wait_for()
    assert page.locator("#files img").count() == 0
    assert page.title() == "Library · Quoth"
    with opening_without_scripts(page, kinds) as other:
        other.goto("/?q=What+does+the+hostile+file+say+about+the+zeppelin+hangar")
        assert other.locator(".turn :is(script, img)").count() == 0


def opening_without_scripts(page: Page, served: Served):  # type: ignore[no-untyped-def]
    browser = page.context.browser
    assert browser
    return opening(browser, served, java_script_enabled=False)


@pytest.mark.slow
def test_prose_of_a_model_shows_the_numbers_of_its_quotes_and_what_has_none(browser: Browser, tmp_path: Path) -> None:
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "boiler.txt").write_text("The boiler is serviced each October by Hartmann and Sons.\n", encoding="utf-8")
    run_quoth(tmp_path / "library", "add", str(folder))
    said = (
        Written("Hartmann and Sons service it.", (Cited(1, "serviced each October by Hartmann and Sons"),)),
        Written("They charge a fortune.", (Cited(1, "a fortune of 900 euros"),)),
    )
    with ScriptedEndpoint(said) as endpoint:
        env = {"QUOTH_LLM": endpoint.name, "QUOTH_LLM_PRICE_IN": "3", "QUOTH_LLM_PRICE_OUT": "15"}
        with serving(tmp_path / "library", folder, env=env) as served, opening(browser, served) as page:
            page.goto("/")
            ask(page, "Who services the boiler?")
            page.locator(".facts", has_text="tokens").wait_for()
            first, second = page.locator(".claim").all()
            assert "Hartmann and Sons service it." in first.inner_text()
            assert first.get_by_label("Quote 1").count() == 1
            assert "not supported by your files" in second.inner_text()
            assert "900 euros" not in page.locator(".quoted").inner_text()
            assert "$0.0" in page.locator(".facts").inner_text()
            first.get_by_label("Quote 1").click()
            page.locator("#source mark").wait_for()
            assert "serviced each October by Hartmann and Sons" in page.locator("#source mark").inner_text()


def test_the_first_view_is_light(browser: Browser, kinds: Served) -> None:
    with opening(browser, kinds) as page:
        sizes: dict[str, int] = {}
        page.on("response", lambda got: sizes.__setitem__(got.url, len(got.body())))
        page.goto("/")
        page.locator("#sources li").first.wait_for()
        page.wait_for_load_state("networkidle")
        fixed = {url: size for url, size in sizes.items() if "/api/" not in url and "/examples" not in url}
    assert len(fixed) >= 4
    assert sum(fixed.values()) <= 150_000


# -- pictures of pages ---------------------------------------------------------------------------------


def test_pictures_are_only_of_pages_of_the_library(kinds: Served, tmp_path: Path) -> None:
    outside = tmp_path / "outside.pdf"
    shutil.copy(Path(__file__).parents[2] / "examples" / "inverter-warranty.pdf", outside)
    pdf = str(kinds.notes / "inverter-warranty.pdf")
    with kinds.client() as client:

        def get(path: str, **more: object) -> httpx.Response:
            return client.get("/api/page.png", params={"path": path, **more})  # type: ignore[dict-item]

        got = get(pdf, page=1, scale=1)
        assert got.headers["content-type"] == "image/png"
        assert "sandbox" in got.headers["content-security-policy"]
        image = pytest.importorskip("PIL.Image").open(io.BytesIO(got.content))
        assert image.size == (595, 842)
        assert get(pdf, page=4).status_code == 422
        assert get(str(outside)).status_code == 404
        assert get("/etc/passwd").status_code == 404
        assert get(str(kinds.notes / "bees.html")).status_code == 404
        assert get(pdf, scale=1_000).status_code == 200
        pages = client.get("/api/pages", params={"path": pdf}).json()
    assert pages["of"] == 3
    assert pages["pages"][0] == {"page": 1, "width": 595.0, "height": 842.0}


def test_a_file_that_changed_is_shown_as_the_text_that_was_read(tmp_path: Path) -> None:
    pdf = tmp_path / "warranty.pdf"
    shutil.copy(Path(__file__).parents[2] / "examples" / "inverter-warranty.pdf", pdf)
    run_quoth(tmp_path / "library", "add", str(pdf))
    asked = {"path": str(pdf), "start": 427, "end": 545, "part": 1}
    with serving(tmp_path / "library", tmp_path, "--no-watch") as served, served.client() as client:
        before = client.get("/source", params=asked).text
        pdf.write_bytes(b"something else")
        after = client.get("/source", params=asked).text
    assert "<rect" in before
    assert "<rect" not in after
    assert "the file has changed since it was read" in after
    assert '<mark id="quote">The warranty lasts ten years' in after


@pytest.mark.slow
def test_a_long_document_is_shown_around_the_quote(tmp_path: Path) -> None:
    lines = [f"Line {number} of the long file says nothing much.\n" for number in range(8_000)]
    long = tmp_path / "long.txt"
    long.write_text("".join(lines), encoding="utf-8")
    run_quoth(tmp_path / "library", "add", str(long))
    start = sum(map(len, lines[:5_000]))
    with serving(tmp_path / "library", tmp_path, "--no-watch") as served, served.client() as client:
        got = client.get("/source", params={"path": str(long), "start": start, "end": start + 9, "part": 1}).text
    assert f'data-n="5001"><span data-at="{start}"><mark id="quote">Line 5000</mark>' in got
    assert "Earlier lines" in got and "Later lines" in got
    assert len(got) < 300_000


def test_the_files_of_the_page_are_kept_by_browsers_for_ever(kinds: Served) -> None:
    with kinds.client() as client:
        got = client.get(f"/web/{shell.version()}/style.css")
        assert "immutable" in got.headers["cache-control"]
        assert got.headers["content-type"].startswith("text/css")
        assert client.get(f"/web/{shell.version()}/..%2fpage.py").status_code == 404
        policy = client.get("/").headers["content-security-policy"]
    assert "default-src 'self'" in policy and "unsafe" not in policy
