"""Asking, in a headless Chromium at the real endpoint: the draft, the checked answer, and all that can go wrong."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from routing.errors import AuthenticationError, TransientError

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page, Route

QUESTION = "How long is the refund window?"
DRAFT = "Draft, not checked yet"

Ask = Callable[["Page", str], None]


@pytest.fixture
def page(visit: Any, served: Any) -> Page:
    page: Page = visit(served.url)
    return page


def turn(page: Page, state: str) -> Locator:
    """The last question, once it is in this state."""
    found = page.locator(".turn").last
    found.and_(page.locator(f"[data-state={state}]")).wait_for()
    return found


def test_a_draft_streams_in_and_becomes_a_checked_answer(page: Page, served: Any, ask: Ask) -> None:
    served.model.hold = 8
    ask(page, QUESTION)
    draft = turn(page, "drafting")
    draft.get_by_text(DRAFT).wait_for()
    draft.get_by_text("Unopened goods may be returned within").wait_for()
    assert draft.locator(".chip").count() == 0
    assert page.get_by_role("button", name="Ask", exact=True).count() == 0
    served.model.release()
    answer = turn(page, "answered")
    assert answer.get_by_role("heading").inner_text() == QUESTION
    words = re.sub(r"\s+", " ", answer.locator(".answer").inner_text())
    assert words == (
        "Unopened goods may be returned within 30 days of delivery.1 Parcels to country 40 take 42 days.2 "
        "• Gift cards are sold in green envelopes.3 not supported • Dogs are welcome.4 not found"
    )
    chips = answer.locator(".chip")
    assert chips.evaluate_all("(all) => all.map((chip) => chip.dataset.verdict)") == [
        "supported",
        "supported",
        "unsupported",
        "not_found",
    ]
    assert chips.first.get_attribute("aria-label") == "Source 1, supported: returns.md, Returns policy > Refund window"
    assert answer.get_by_text(DRAFT).count() == 0
    assert answer.locator(".answer").get_attribute("aria-busy") == "false"


def test_facts_of_an_answer(page: Page, ask: Ask) -> None:
    ask(page, QUESTION)
    answer = turn(page, "answered")
    shown = answer.locator(".facts").inner_text().split("\n")
    facts = {name: shown[shown.index(name) + 1] for name in ("Confidence", "Cost", "Tokens", "Answered by", "Time")}
    assert re.fullmatch(r"0\.\d\d", facts["Confidence"])
    assert "not calibrated" in shown
    assert facts["Cost"] == "$0.00"
    assert re.fullmatch(r"1,2\d\d in, 56 out", facts["Tokens"]), "the question's embedding counts too"
    assert "estimated" in shown
    assert facts["Answered by"] == "scripted/typist"
    stages = answer.get_by_role("group", name="Time by stage").inner_text()
    for stage in ("embed", "retrieve", "generate", "ground"):
        assert stage in stages
    meter = answer.get_by_role("meter", name="Confidence")
    assert meter.get_attribute("aria-valuenow") == facts["Confidence"]
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    answer.get_by_role("button", name="Copy trace").click()
    answer.get_by_role("button", name="Copied").wait_for()
    assert re.fullmatch("[0-9a-f]{32}", page.evaluate("navigator.clipboard.readText()"))
    answer.get_by_role("button", name="Copy answer").click()
    page.locator(".foot button").last.get_by_text("Copied").wait_for()
    assert "[1] returns.md: “Unopened goods" in page.evaluate("navigator.clipboard.readText()")


def test_the_evidence_is_behind_a_disclosure(page: Page, ask: Ask) -> None:
    ask(page, QUESTION)
    evidence = turn(page, "answered").locator("details")
    assert not evidence.locator("li").first.is_visible()
    evidence.locator("summary").click()
    assert "returns.md" in evidence.locator("li").all_inner_texts()[0] + evidence.locator("li").all_inner_texts()[1]


def test_questions_of_the_session_stay_above(page: Page, ask: Ask) -> None:
    ask(page, QUESTION)
    turn(page, "answered")
    ask(page, "And gift cards?")
    turn(page, "answered")
    assert page.locator(".asked").all_inner_texts() == [QUESTION, "And gift cards?"]
    box = page.locator(".asked").last.bounding_box()
    assert box is not None
    assert box["y"] < 200, "the new question has been scrolled to the top"
    page.reload()
    page.get_by_label("Your question").wait_for()
    assert page.locator(".turn").count() == 0, "nothing is kept anywhere"


def test_stop_in_the_middle(page: Page, served: Any, ask: Ask) -> None:
    served.model.hold = 5
    ask(page, QUESTION)
    turn(page, "drafting").get_by_text("Unopened goods may be").wait_for()
    page.get_by_role("button", name="Stop").click()
    stopped = turn(page, "stopped")
    stopped.get_by_text("Stopped. This draft was not checked.").wait_for()
    assert "Unopened goods" in stopped.locator(".answer").inner_text()
    assert served.model.cancelled.wait(20), "the server stops the model too"
    served.model.hold = None
    stopped.get_by_role("button", name="Ask again").click()
    turn(page, "answered")
    assert page.locator(".asked").all_inner_texts() == [QUESTION, QUESTION]


def test_a_refusal_is_told_apart(page: Page, served: Any, ask: Ask) -> None:
    served.model.reply = "I don't have enough information."
    ask(page, "Who won in 1987?")
    refused = turn(page, "refused")
    refused.get_by_text("Not answered by the documents").wait_for()
    refused.get_by_text("Confidence in refusing").wait_for()
    refused.get_by_text("What came closest").wait_for()
    assert refused.get_by_role("alert").count() == 0


def test_a_problem_says_what_and_what_to_do(page: Page, served: Any, ask: Ask) -> None:
    served.model.reply = AuthenticationError(
        "The key for typing is wrong.", model="scripted/typist", hint="Set TYPING_KEY."
    )
    ask(page, QUESTION)
    problem = turn(page, "failed").get_by_role("alert")
    text = problem.inner_text()
    for part in ("Authentication", "The key for typing is wrong.", "Set TYPING_KEY.", "Request "):
        assert part in text, part
    served.model.reply = "Goods may be returned within 30 days [Source: returns.md]."
    problem.get_by_role("button", name="Ask again").click()
    turn(page, "answered")


def test_a_fallback_is_named(page: Page, served: Any, ask: Ask) -> None:
    served.model.reply = TransientError("The provider is down.", model="scripted/typist")
    ask(page, QUESTION)
    note = turn(page, "answered").locator(".degraded")
    assert "A fallback answered." in note.inner_text()
    assert "The provider is down." in note.inner_text()


def test_a_stream_that_ends_early(page: Page, ask: Ask) -> None:
    events = (
        'event: started\ndata: {"kb": "kb"}\n\n: ping\n\nevent: hits\r\ndata: {"hits": []}\r\n\r\n'
        'event: delta\ndata: {"text":\ndata: "Thirty"}\n\n'
    )
    page.route("**/api/ask", lambda route: route.fulfill(body=events, content_type="text/event-stream"))
    ask(page, QUESTION)
    failed = turn(page, "failed")
    assert "The answer ended too early" in failed.get_by_role("alert").inner_text()
    assert failed.locator(".answer").inner_text() == "Thirty"
    failed.get_by_text("Draft, never checked").wait_for()
    page.unroute("**/api/ask")
    failed.get_by_role("button", name="Ask again").click()
    turn(page, "answered")


def test_an_answer_that_the_page_cannot_show(page: Page, ask: Ask) -> None:
    events = 'event: hits\ndata: {"hits": []}\n\nevent: answer\ndata: {"text": "Thirty days"}\n\n'
    page.route("**/api/ask", lambda route: route.fulfill(body=events, content_type="text/event-stream"))
    page.evaluate("addEventListener('error', (event) => event.preventDefault())")  # it is told to the console, rightly
    ask(page, QUESTION)
    assert "This page could not show the answer" in turn(page, "failed").get_by_role("alert").inner_text()


def test_an_error_inside_a_stream(page: Page, ask: Ask) -> None:
    problem = '{"title": "Deadline", "status": 504, "detail": "It took <b>too</b> long.", "instance": "abc"}'
    page.route(
        "**/api/ask",
        lambda route: route.fulfill(body=f"event: error\ndata: {problem}\n\n", content_type="text/event-stream"),
    )
    ask(page, QUESTION)
    assert "It took <b>too</b> long." in turn(page, "failed").get_by_role("alert").inner_text()


def test_a_server_that_goes_away_and_comes_back(page: Page, ask: Ask) -> None:
    for path in ("**/api/**", "**/ready"):
        page.route(path, lambda route: route.abort("connectionrefused"))
    ask(page, QUESTION)
    assert "cannot be reached" in turn(page, "failed").get_by_role("alert").inner_text()
    banner = page.locator("#banner")
    banner.get_by_text("The server cannot be reached. Trying again…").wait_for()
    box = banner.bounding_box()
    assert box is not None
    assert 600 < box["y"] < 760, "it stands above the field, wherever the page is scrolled to"
    page.unroute("**/ready")
    page.route("**/ready", lambda route: route.fulfill(status=503, body="{}"))
    banner.get_by_text("The server is starting…").wait_for()
    page.unroute_all()
    banner.wait_for(state="hidden")
    page.locator(".turn").last.get_by_role("button", name="Ask again").click()
    turn(page, "answered")


def test_a_page_opened_while_the_server_is_away(visit: Any, served: Any) -> None:
    page = visit(served.url)
    page.route("**/api/**", lambda route: route.abort("connectionrefused"))
    page.route("**/ready", lambda route: route.abort("connectionrefused"))
    page.reload()
    page.locator("#banner").get_by_text("cannot be reached").wait_for()
    page.unroute_all()
    page.locator("#banner").wait_for(state="hidden")
    page.get_by_text("2 documents").first.wait_for()


def test_keys(visit: Any, kitchen: Any, ask: Ask) -> None:
    served = kitchen.serve_two_documents()
    token = served.host.keys.add("someone")
    page = visit(served.url)
    page.get_by_role("heading", name="This server asks for a key").wait_for()
    page.get_by_label("Key", exact=True).fill("plk_wrong")
    page.keyboard.press("Enter")
    page.get_by_text("That key was not accepted").wait_for()
    page.get_by_label("Key", exact=True).fill(token)
    page.get_by_role("button", name="Use key").click()
    page.get_by_text("2 documents").first.wait_for()
    assert page.locator("#key").is_hidden()
    ask(page, QUESTION)
    turn(page, "answered")
    stored = page.evaluate("[Object.values(sessionStorage), Object.values(localStorage), document.cookie]")
    assert stored == [[token], [], ""]
    page.get_by_role("button", name="Forget key").click()
    page.get_by_role("heading", name="This server asks for a key").wait_for()
    assert page.evaluate("sessionStorage.length") == 0


def test_a_key_revoked_while_asking(visit: Any, kitchen: Any, ask: Ask) -> None:
    served = kitchen.serve_two_documents()
    token = served.host.keys.add("someone")
    second = served.host.keys.add("other")
    page = visit(served.url)
    page.get_by_label("Key", exact=True).fill(token)
    page.keyboard.press("Enter")
    page.locator("#examples").wait_for()  # the last that the page asks for by itself: it must not ask for a key too
    served.host.keys.revoke("someone")
    ask(page, QUESTION)
    page.get_by_text("That key was not accepted").wait_for()
    page.get_by_role("button", name="Stop").click()
    turn(page, "stopped")
    page.get_by_label("Key", exact=True).fill(second)
    page.keyboard.press("Enter")
    page.locator("#key").wait_for(state="hidden")
    ask(page, QUESTION)
    turn(page, "answered")


def test_several_knowledge_bases(visit: Any, kitchen: Any, ask: Ask) -> None:
    one = kitchen.knowledge_base({"a.md": "# A\n\nGoods may be returned within 30 days of delivery."}, "one")
    two = kitchen.knowledge_base({"b.md": "# B\n\nApples are red.", "c.md": "# C\n\nPears are green."}, "two")
    served = kitchen.serve(one, two)
    served.model.reply = "Apples are red [Source: b.md]."
    page = visit(served.url)
    page.get_by_label("Knowledge base").select_option("two")
    page.get_by_text("2 documents · 2 passages").first.wait_for()
    ask(page, "What colour are apples?")
    turn(page, "answered")
    assert page.locator(".source-document").first.inner_text() == "b.md"
    page.get_by_label("Knowledge base").select_option("one")
    page.get_by_text("1 document · 1 passage").first.wait_for()
    page.locator(".chip").first.click()
    page.locator("#source mark").get_by_text("Apples are red.").wait_for()


def test_examples_are_headings_that_stand_in_the_documents(page: Page, served: Any) -> None:
    examples = page.locator(".example")
    examples.first.wait_for()
    headings = [re.findall("“(.*)”", text)[0] for text in examples.all_inner_texts()]
    assert 1 <= len(headings) <= 3
    assert all(heading.startswith("Country ") or heading in ("Refund window", "Payment") for heading in headings)
    examples.first.click()
    turn(page, "answered")
    assert examples.first.is_hidden()


def test_no_examples_without_headings(visit: Any, kitchen: Any) -> None:
    served = kitchen.serve(kitchen.knowledge_base({"plain.txt": "Only a line of text, and not a heading at all. " * 9}))
    page = visit(served.url)
    page.get_by_text("1 document").first.wait_for()
    page.wait_for_load_state("networkidle")
    assert page.locator(".example").count() == 0


def test_enter_with_shift_starts_a_line(page: Page) -> None:
    field = page.get_by_label("Your question")
    field.fill("one")
    before = field.bounding_box()
    field.press("Shift+Enter")
    field.type("two")
    after = field.bounding_box()
    assert field.input_value() == "one\ntwo"
    assert before is not None
    assert after is not None
    assert after["height"] > before["height"]
    field.fill("  ")
    field.press("Enter")
    assert page.locator(".turn").count() == 0


def test_what_screen_readers_hear(page: Page, ask: Ask) -> None:
    ask(page, QUESTION)
    turn(page, "answered")
    heard = page.get_by_role("log").inner_text()
    assert heard.count("Unopened goods") == 1
    assert heard.rstrip().endswith("Answer complete. 4 sources, 2 of them supported.")


def test_the_policy_lets_nothing_else_in(page: Page, tmp_path: Path) -> None:
    requested: list[str] = []
    page.on("request", lambda request: requested.append(request.url))
    response = page.reload()
    assert response is not None
    policy = response.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    page.get_by_text("2 documents").first.wait_for()
    assert {url.split("/")[2] for url in requested} == {response.url.split("/")[2]}


def test_it_says_why_nothing_was_found_and_what_was_thought(page: Page, ask: Ask) -> None:
    why = "No chunk matches year > 2030."

    def more(route: Route) -> None:
        response = route.fetch()
        body = response.text()
        for before, after in (('"note":null', f'"note":"{why}"'), ('"reasoning_tokens":0', '"reasoning_tokens":40')):
            assert before in body
            body = body.replace(before, after)
        route.fulfill(response=response, body=body)

    page.route("**/api/ask", more)
    ask(page, QUESTION)
    answered = turn(page, "answered")
    assert answered.locator(".note").inner_text() == why
    assert "40 thought" in answered.locator(".facts").inner_text()
