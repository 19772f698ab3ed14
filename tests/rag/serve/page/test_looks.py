"""Light and dark, from 320 pixels to wide, nothing to scroll sideways, contrast enough to read."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

LONG = "Donaudampfschifffahrtsgesellschaftskapitän" * 12
ANSWER = (
    f"{LONG} [Source: {LONG[:200]}.md]. שלום עולם, هذا نص عربي [Source: returns.md].\n\n"
    f"```\n{'code that is wide ' * 40}\n```\n\n| {'column | ' * 40}\n\n"
    "- Refunds are paid [Source: returns.md].\n- No [Source: x.md]."
)
WIDER = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
# The contrast (WCAG 2.2) of every text with what is painted below it; colours become sRGB on a canvas of one pixel.
POOR = """() => {
  const canvas = Object.assign(document.createElement('canvas'), {width: 1, height: 1});
  const context = canvas.getContext('2d', {willReadFrequently: true});
  const over = (colours) => {
    context.clearRect(0, 0, 1, 1);
    for (const colour of colours) { context.fillStyle = colour; context.fillRect(0, 0, 1, 1); }
    return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const light = (rgb) => rgb.map((part) => part / 255)
    .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
    .reduce((sum, part, at) => sum + part * [0.2126, 0.7152, 0.0722][at], 0);
  const found = [];
  let read = 0;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    if (!node.data.trim() || element.closest('.unseen, .skip, button:disabled')) continue;
    if (!element.checkVisibility({visibilityProperty: true})) continue;
    read += 1;
    const below = [];
    for (let at = element; at; at = at.parentElement) below.unshift(getComputedStyle(at).backgroundColor);
    const paper = light(over(below));
    const ink = light(over([...below, getComputedStyle(element).color]));
    const contrast = (Math.max(paper, ink) + 0.05) / (Math.min(paper, ink) + 0.05);
    if (contrast < 4.5) found.push([node.data.trim().slice(0, 40), Math.round(contrast * 100) / 100]);
  }
  return read > 20 ? found : "too little text was found";
}"""

Ask = Callable[["Page", str], None]


@pytest.fixture
def answered(served: Any, visit: Any, ask: Ask) -> Callable[..., Page]:
    """A page whose answer has everything in it; arguments are those of `visit`."""

    def open_and_ask(**options: Any) -> Page:
        served.model.reply = ANSWER
        page: Page = visit(served.url, **options)
        ask(page, f"Is {LONG} right? שלום")
        page.locator(".turn[data-state=answered]").wait_for()
        page.locator("summary").click()
        return page

    return open_and_ask


@pytest.mark.parametrize("width", [320, 390, 1000, 2400])
def test_nothing_is_wider_than_the_window(answered: Callable[..., Page], width: int) -> None:
    page = answered(width=width)
    assert page.evaluate(WIDER) == 0
    page.locator(".chip[data-verdict=not_found]").first.click()
    page.locator("#source").get_by_text("not among the evidence").wait_for()
    assert page.evaluate(WIDER) == 0
    assert page.locator("#source").evaluate("(sheet) => sheet.scrollWidth <= sheet.clientWidth")
    page.get_by_role("button", name="Close the source").click()
    page.get_by_role("button", name="Documents").click()
    page.locator(".document").first.wait_for()
    assert page.locator("#documents").evaluate("(sheet) => sheet.scrollWidth <= sheet.clientWidth")
    assert page.evaluate(WIDER) == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast(answered: Callable[..., Page], served: Any, ask: Ask, scheme: str) -> None:
    page = answered(width=1400, color_scheme=scheme)
    paper = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert paper == {"light": "rgb(251, 250, 248)", "dark": "rgb(20, 21, 23)"}[scheme]
    assert page.evaluate(POOR) == []
    page.locator(".evidence .source-row").first.click()
    page.locator("mark").wait_for()
    assert page.evaluate(POOR) == []
    served.model.reply = "I don't have enough information."
    ask(page, "And now?")
    page.locator(".turn[data-state=refused]").wait_for()
    page.route(
        "**/api/ask",
        lambda route: route.fulfill(status=500, json={"title": "Broken", "detail": "It is.", "hint": "Mend it."}),
    )
    ask(page, "And then?")
    page.get_by_role("alert").wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Documents").click()
    page.locator(".document").first.get_by_role("button").click()
    page.get_by_role("button", name="Delete it").wait_for()
    assert page.evaluate(POOR) == []


def test_the_toggle_overrules_the_system_and_is_remembered(served: Any, visit: Any) -> None:
    page = visit(served.url, color_scheme="dark")
    scheme = "getComputedStyle(document.documentElement).colorScheme"
    toggle = page.get_by_role("button", name="Switch between light and dark")
    assert page.evaluate(scheme) == "light dark"
    toggle.click()
    assert page.evaluate(scheme) == "light"
    page.reload()
    assert page.evaluate(scheme) == "light"
    toggle.click()
    assert page.evaluate(scheme) == "light dark", "back to what the system says"
    assert page.evaluate("localStorage.length") == 0


def test_text_that_runs_from_right_to_left(answered: Callable[..., Page], served: Any, ask: Ask) -> None:
    page = answered()
    served.model.reply = "שלום עולם [Source: returns.md]."
    ask(page, "שלום?")
    page.locator(".turn:nth-child(2)[data-state=answered]").wait_for()
    directions = "(all) => all.map((node) => getComputedStyle(node).direction)"
    assert page.locator(".turn:nth-child(2) :is(.asked, .answer p)").evaluate_all(directions) == ["rtl", "rtl"]


def test_motion_only_for_those_who_want_it(served: Any, visit: Any) -> None:
    page = visit(served.url)
    running = "document.getAnimations().length"
    served.model.hold = 1
    page.get_by_label("Your question").fill("How long?")
    page.keyboard.press("Enter")
    page.locator(".turn[data-state=drafting]").wait_for()
    assert page.evaluate(running) == 0
    page.emulate_media(reduced_motion="no-preference")
    assert page.evaluate(running) == 1, "the plumb bob swings until the answer stands"
    served.model.release()
    page.locator(".turn[data-state=answered]").wait_for()
