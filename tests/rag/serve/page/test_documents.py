"""The sheet of documents: adding, watching what becomes of files, removing."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import FilePayload, Page

Ask = Callable[["Page", str], None]


def file(name: str, text: str) -> FilePayload:
    return {"name": name, "mimeType": "text/plain", "buffer": text.encode()}


def test_an_empty_knowledge_base_invites_and_then_answers(kitchen: Any, visit: Any, ask: Ask) -> None:
    served = kitchen.serve(kitchen.knowledge_base({}))
    served.model.reply = "Pears are green [Source: pears.md]."
    page = visit(served.url)
    page.get_by_role("heading", name="Nothing to ask yet.").wait_for()
    assert page.get_by_label("Your question").is_hidden()
    page.get_by_role("button", name="Add documents").click()
    page.get_by_text("No documents yet.").wait_for()
    page.get_by_label("Files to add").set_input_files(
        [file("pears.md", "# Pears\n\nPears are green."), file("noise.bin", "?")]
    )
    upload = page.locator(".upload")
    upload.get_by_role("alert").filter(has_text="noise.bin").wait_for()
    assert page.locator(".document").count() == 0, "an upload is taken whole or not at all"
    upload.get_by_role("button", name="Dismiss").click()
    page.get_by_label("Files to add").set_input_files([file("pears.md", "# Pears\n\nPears are green.")])
    page.locator(".outcomes").get_by_text("Added").wait_for()
    page.locator(".document-name").get_by_text("pears.md").wait_for()
    page.keyboard.press("Escape")
    ask(page, "What colour are pears?")
    page.locator(".chip[data-verdict=supported]").click()
    page.locator("mark").get_by_text("Pears are green.").wait_for()


def test_files_can_be_dropped_anywhere(kitchen: Any, visit: Any) -> None:
    page = visit(kitchen.serve_two_documents().url)
    page.get_by_text("2 documents").first.wait_for()
    dropped = page.evaluate_handle(
        """() => {
          const data = new DataTransfer();
          data.items.add(new File(['# Plums\\n\\nPlums are blue.'], 'plums.md', {type: 'text/markdown'}));
          return data;
        }"""
    )
    page.dispatch_event("body", "dragover", {"dataTransfer": dropped})
    page.locator("#documents").wait_for()
    page.dispatch_event("#drop", "drop", {"dataTransfer": dropped})
    page.locator(".outcomes").get_by_text("plums.md").wait_for()
    page.locator(".document-name").get_by_text("plums.md").wait_for()
    page.get_by_text("3 documents").first.wait_for()


def test_removing_asks_first(kitchen: Any, visit: Any) -> None:
    page = visit(kitchen.serve_two_documents().url)
    page.get_by_role("button", name="Documents").click()
    page.get_by_label("Files to add").set_input_files([file("plums.md", "# Plums\n\nPlums are blue.")])
    page.locator(".document-name").get_by_text("plums.md").wait_for()
    row = page.locator(".document").filter(has_text="plums.md")
    row.get_by_role("button", name="Delete plums.md").click()
    row.get_by_role("button", name="Keep it").press("Escape")
    row.get_by_role("button", name="Delete it").wait_for(state="detached")
    assert page.locator("#documents").is_visible(), "Esc answers the question and leaves the sheet open"
    row.get_by_role("button", name="Delete plums.md").click()
    row.get_by_role("button", name="Delete it").click()
    row.wait_for(state="detached")
    assert page.locator(".document").count() == 2


def test_documents_of_one_archive_go_together(kitchen: Any, visit: Any) -> None:
    page = visit(kitchen.serve_two_documents().url)
    page.get_by_role("button", name="Documents").click()
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("plums.md", "# Plums\n\nPlums are blue.")
        archive.writestr("figs.md", "# Figs\n\nFigs are violet.")
    fruit: FilePayload = {"name": "fruit.zip", "mimeType": "application/zip", "buffer": made.getvalue()}
    page.get_by_label("Files to add").set_input_files([fruit])
    row = page.locator(".document").filter(has_text="fruit.zip!/plums.md")
    row.get_by_role("button", name="Delete fruit.zip!/plums.md").click()
    row.get_by_text("with the other documents of fruit.zip?").wait_for()
    row.get_by_role("button", name="Delete all 2").click()
    row.wait_for(state="detached")
    assert page.locator(".document").count() == 2


def test_what_the_server_refuses_to_remove_says_why(served: Any, visit: Any) -> None:
    page = visit(served.url)
    page.get_by_role("button", name="Documents").click()
    row = page.locator(".document").filter(has_text="returns.md")
    row.get_by_role("button", name="Delete returns.md").click()
    row.get_by_role("button", name="Delete it").click()
    assert "returns.md" in row.get_by_role("alert").inner_text()
    row.get_by_role("button", name="Close").click()
    page.locator(".document").get_by_role("button", name="Delete returns.md").wait_for()


@pytest.mark.parametrize(
    ("state", "shown"),
    [
        (
            {
                "state": "failed",
                "report": None,
                "problem": {"title": "Storage", "status": 507, "detail": "The disk is full."},
            },
            "The disk is full.",
        ),
        (
            {
                "state": "done",
                "problem": None,
                "report": {
                    "files": [
                        {
                            "document": "a.pdf",
                            "outcome": "failed",
                            "pages": 0,
                            "chunks": 0,
                            "reason": "It is encrypted.",
                            "notes": [],
                        },
                        {
                            "document": "other.md",
                            "outcome": "unchanged",
                            "pages": 0,
                            "chunks": 0,
                            "reason": None,
                            "notes": [],
                        },
                    ]
                },
            },
            "It is encrypted.",
        ),
    ],
    ids=["the ingestion fails", "one file fails"],
)
def test_what_goes_wrong_is_told(served: Any, visit: Any, state: dict[str, Any], shown: str) -> None:
    page = visit(served.url)
    page.route(
        "**/api/documents?kb=*",
        lambda route: (
            route.fulfill(status=202, json={"ingestion": "1"}) if route.request.method == "POST" else route.fallback()
        ),
    )
    page.route("**/api/ingestions/1", lambda route: route.fulfill(json={"id": "1", **state}))
    page.get_by_role("button", name="Documents").click()
    page.get_by_label("Files to add").set_input_files([file("a.pdf", "x")])
    page.locator(".upload").get_by_text(shown).wait_for()
    assert "other.md" not in page.locator(".upload").inner_text()


def test_many_documents_can_be_searched_by_name(kitchen: Any, visit: Any) -> None:
    served = kitchen.serve(
        kitchen.knowledge_base({f"paper {n}.md": f"# Paper {n}\n\nIt is about {n}." for n in range(12)})
    )
    page = visit(served.url)
    page.get_by_role("button", name="Documents").click()
    page.get_by_label("Find a document").fill("PAPER 11")
    page.locator(".document").get_by_text("paper 3.md").wait_for(state="hidden")
    assert page.locator(".document:visible .document-name").all_inner_texts() == ["paper 11.md"]
