"""From a chip to the sentence in the document, with the mouse, the keyboard and on a phone; hostile documents too."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

QUESTION = "How long is the refund window, and how long do parcels to country 40 take?"
FOCUSED = "document.activeElement.getAttribute('aria-label') ?? document.activeElement.id"
SEEN = """(mark) => {
  const [inner, outer] = [mark.getBoundingClientRect(), mark.closest('.passage').getBoundingClientRect()];
  return inner.top >= outer.top && inner.bottom <= outer.bottom;
}"""

Ask = Callable[["Page", str], None]


@pytest.fixture
def answered(served: Any, visit: Any, ask: Ask) -> Callable[..., Page]:
    """A page with one answer; arguments are those of `visit`."""

    def open_and_ask(**options: Any) -> Page:
        page: Page = visit(served.url, **options)
        ask(page, QUESTION)
        page.locator(".turn[data-state=answered]").wait_for()
        return page

    return open_and_ask


def sheet(page: Page) -> Locator:
    return page.locator("#source")


def test_a_chip_opens_the_source_with_the_exact_words_marked(answered: Callable[..., Page]) -> None:
    page = answered(width=1400)
    page.locator(".chip").nth(1).click()
    mark = sheet(page).locator("mark")
    mark.wait_for()
    assert mark.inner_text() == "Parcels to country 40 take 42 days and cost 40 euros each."
    assert mark.evaluate(SEEN), "it has been scrolled into view"
    header = sheet(page).locator("header").inner_text()
    for part in ("Source 2", "Supported", "shipping.md", "Country 40", "characters", "2 of 4"):
        assert part in header, part
    assert "Parcels to country 39" in sheet(page).locator(".passage-text").inner_text()
    carried = page.evaluate(
        "[...CSS.highlights.get('carried')].map((range) => range.startContainer.data.slice(range.startOffset)).join('')"
    )
    assert carried.startswith("Parcels to country 40 take 42")
    assert page.locator(".source-row[aria-current]").inner_text().startswith("2")
    field = page.get_by_label("Your question")
    field.fill("The page beside it can still be used")
    assert sheet(page).is_visible()


def test_text_after_emoji_is_cut_right(served: Any, visit: Any, ask: Ask) -> None:
    served.model.reply = "Refunds are paid within 5 working days to the card that was used [Source: returns.md]."
    page = visit(served.url)
    ask(page, "When are refunds paid?")
    page.locator(".chip").click()
    page.locator("mark").wait_for()
    assert page.locator("mark").inner_text() == "Refunds are paid within 5 working days to the card that was used."
    assert "Beginning of the document" in page.locator(".cut").first.inner_text()
    assert "End of the document" in page.locator(".cut").last.inner_text()
    assert page.get_by_role("button", name="Show more").is_hidden()


def test_more_of_a_long_document(answered: Callable[..., Page]) -> None:
    page = answered()
    page.locator(".chip").nth(1).click()
    page.locator("mark").wait_for()
    assert "before this" in page.locator(".cut").first.inner_text()
    page.get_by_role("button", name="Show more of the document").click()
    page.get_by_text("Beginning of the document").wait_for()
    assert page.locator("mark").inner_text().startswith("Parcels to country 40")
    assert page.locator("mark").evaluate(SEEN)


def test_from_source_to_source(answered: Callable[..., Page]) -> None:
    page = answered()
    page.locator(".source-row").first.click()
    following, previous = (
        page.get_by_role("button", name="Next source"),
        page.get_by_role("button", name="Previous source"),
    )
    assert previous.is_disabled()
    page.locator("mark").get_by_text("Unopened goods may be returned within 30 days of delivery.").wait_for()
    for _ in range(3):
        following.click()
    sheet(page).get_by_text("not among the evidence").wait_for()
    assert "pets.pdf" in sheet(page).locator("h2").inner_text()
    assert "Not found" in sheet(page).locator("header").inner_text()
    assert following.is_disabled()


def test_evidence_opens_too(answered: Callable[..., Page]) -> None:
    page = answered()
    page.locator("summary").click()
    row = page.locator(".evidence .source-row").first
    excerpt = row.locator(".source-quote").inner_text()
    row.click()
    page.locator("mark").wait_for()
    assert "Evidence 1" in sheet(page).locator("header").inner_text()
    assert " ".join(page.locator("mark").inner_text().split()).startswith(excerpt[:60].rstrip("… "))


def test_a_document_removed_since(answered: Callable[..., Page]) -> None:
    page = answered()
    page.route(
        "**/passage*",
        lambda route: route.fulfill(status=404, json={"title": "Not found", "detail": "No such document."}),
    )
    page.locator(".chip").first.click()
    sheet(page).get_by_text("It may have been removed since the answer was given.").wait_for()
    page.unroute_all()


@pytest.mark.parametrize("width", [1400, 1000], ids=["beside the page", "over the page"])
def test_with_the_keyboard_alone(served: Any, visit: Any, width: int) -> None:
    page = visit(served.url, width=width)
    page.get_by_text("2 documents").first.wait_for()
    assert page.evaluate(FOCUSED) == "question", "typing can begin at once"
    page.keyboard.type(QUESTION)
    page.keyboard.press("Enter")
    page.locator(".turn[data-state=answered]").wait_for()
    for _ in range(30):
        page.keyboard.press("Shift+Tab")
        if page.evaluate(FOCUSED).startswith("Source 1"):
            break
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    page.locator("mark").wait_for()
    assert page.evaluate(FOCUSED) == "Text of the source", "arrow keys scroll the text"
    page.keyboard.press("Escape")
    sheet(page).wait_for(state="hidden")
    page.locator("[aria-current]").first.wait_for(state="detached")  # the event of closing comes after the closing
    assert page.evaluate(FOCUSED).startswith("Source 1")
    for _ in range(30):
        page.keyboard.press("Shift+Tab")
        if page.evaluate(FOCUSED) == "Documents":
            break
    page.keyboard.press("Enter")
    page.locator("#documents").wait_for()
    page.keyboard.press("Escape")
    page.locator("#documents").wait_for(state="hidden")
    assert page.evaluate(FOCUSED) == "Documents"


def test_on_a_phone_the_source_is_a_sheet_from_below(answered: Callable[..., Page]) -> None:
    page = answered(width=390, height=844, has_touch=True, is_mobile=True)
    page.locator(".chip").first.tap()
    page.locator("mark").wait_for()
    box = sheet(page).bounding_box()
    assert box is not None
    assert (box["x"], box["width"], box["y"] + box["height"]) == (0, 390, 844)
    assert box["y"] > 80
    assert page.locator("dialog:modal").count() == 1
    page.touchscreen.tap(200, 40)
    sheet(page).wait_for(state="hidden")


def test_hostile_documents_and_answers_stay_text(kitchen: Any, visit: Any, ask: Ask) -> None:
    attack = "<img src=x onerror=\"document.title='owned'\">"
    name = "<img src=x onerror=eval(name)>.md"
    script = "<script>document.title='owned'</script>"
    text = f"# {attack} Heading\n\nGoods {attack} may be returned within 30 days. {script}\n"
    served = kitchen.serve(kitchen.knowledge_base({name: text, "\u202efdp.evil.md": "# Other\n\nNothing here at all."}))
    served.model.reply = (
        f"Goods {attack} may be returned within 30 days [Source: {name}]. "
        "[go](javascript:alert(1)) <svg onload=alert(2)>\n\n"
        f"```\n{attack}\n```\n| {attack} | x |\n\nSee [Source: {attack}]."
    )
    page = visit(served.url)
    ask(page, f"What about {attack}?")
    page.locator(".turn[data-state=answered]").wait_for()
    assert name in page.locator(".source-document").all_inner_texts()
    page.locator("summary").click()
    page.locator(".chip").first.click()
    page.locator("mark").wait_for()
    assert attack in page.locator(".passage-text").inner_text()
    assert sheet(page).locator("h2").inner_text() == name
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Documents").click()
    row = page.locator(".document").filter(has_text=name)
    row.get_by_role("button").click()
    row.get_by_text("Answers can no longer rest on it.").wait_for()
    inside = page.evaluate(
        "document.querySelectorAll('img, script:not([src]), svg:not(.icon):not(.bob):not(.sprite), iframe').length"
    )
    assert (inside, page.title()) == (0, "Plumbline")
    assert page.evaluate("[...document.querySelectorAll('a')].map((link) => link.getAttribute('href'))") == [
        "#question"
    ]
