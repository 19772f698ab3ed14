"""How the page sets answers: offsets, chips, markers, markup that is only text. Its modules run in the browser."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from rag.answer.markers import find_markers

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SET = """async ([text, citations]) => {
  const { setter } = await import('/page/prose.js');
  const { setWithChips } = await import('/page/cites.js');
  const box = document.createElement('div');
  document.body.append(box);
  const entries = setWithChips(setter(box), {text, citations}, [], () => undefined);
  const words = ({startContainer, startOffset, endOffset}) => startContainer.data.slice(startOffset, endOffset);
  const carried = entries.map((entry) => entry.carried().map(words).join(''));
  return {carried, words: box.innerText, html: box.innerHTML};
}"""
CALL = "async ([module, name, args]) => (await import(`/page/${module}.js`))[name](...args)"


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    """An empty page that finds the modules beside it; no server is needed."""
    page = browser.new_page()
    page.route("**/*", lambda route: route.fulfill(**_file(urlsplit(route.request.url).path)))
    page.goto("http://page.test/")
    yield page
    page.close()


def _file(path: str) -> dict[str, Any]:
    if path == "/":
        return {"body": "<!doctype html><title>empty</title>", "content_type": "text/html"}
    return {"body": files("rag.serve").joinpath(path.lstrip("/")).read_text("utf-8"), "content_type": "text/javascript"}


def cited(text: str, words: str, verdict: str = "supported", document: str = "a.md") -> dict[str, Any]:
    """A citation for these words of the text; offsets count code points, as everywhere in the API."""
    start = text.index(words)
    end = start + len(words)
    place = {"document": document, "document_id": "1", "page": None, "section": None, "start": 0, "end": 5}
    return {**place, "answer_start": start, "answer_end": end, "quote": "quote", "verdict": verdict}


def test_offsets_count_code_points(page: Page) -> None:
    text = "🙂🙂 Smiles are free. 👩‍👩‍👧 Families pay 𝟗 euros."
    both = [cited(text, "Smiles are free."), cited(text, "👩‍👩‍👧 Families pay 𝟗 euros.", "unsupported")]
    shown = page.evaluate(SET, [text, both])
    assert shown["carried"] == ["Smiles are free.", "👩‍👩‍👧 Families pay 𝟗 euros."]
    assert shown["words"].replace("\n", "") == "🙂🙂 Smiles are free.1 👩‍👩‍👧 Families pay 𝟗 euros.2not supported"


def test_chips_stand_in_place_of_markers(page: Page) -> None:
    text = (
        "It takes 5 days [Source: a.md, page 2]. Gifts are free. [Source: b.md; c.md]\n\n"
        "- Open [Source: a.md]\n- Closed\n\nNobody cited [Source: d.md] this."
    )
    citations = [
        cited(text, "It takes 5 days [Source: a.md, page 2]."),
        cited(text, "Gifts are free.", "partial"),
        cited(text, "Gifts are free."),
        cited(text, "Open"),
    ]
    shown = page.evaluate(SET, [text, citations])["words"]
    assert "It takes 5 days.1 Gifts are free.2partly supported3" in shown.replace("\n", "")
    assert "Open4" in shown.replace("\n", "")
    assert "Nobody cited [Source: d.md] this." in shown, "a marker that nothing stands for is not hidden"
    assert shown.count("[Source") == 1


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("A [Source: a.md]. B [source : b.md, pages 2-3] C [Sources: a.md; b.md]", ["a.md", "b.md"]),
        ("Odd [Source: a[1].txt, page 4] names [Source: Q3; final.txt; a[1].txt].", ["a[1].txt", "Q3; final.txt"]),
        ("None [1] [source] here, and [Source: never closed", ["a.md"]),
        ("İstanbul [Source: İ.md] twice [Source: İ.md]", ["İ.md"]),
        ("Nested [see [Source: a.md] there] and [Source: x, Source: y]", ["a.md"]),
    ],
)
def test_markers_are_those_that_the_server_finds(page: Page, text: str, names: list[str]) -> None:
    found = page.evaluate(CALL, ["markers", "findMarkers", [text, names]])
    assert [(each["start"], each["end"]) for each in found] == [(m.start, m.end) for m in find_markers(text, names)]


def test_a_marker_that_has_only_begun_is_not_shown(page: Page) -> None:
    for begun in ("[", "[So", "[Source", "[Sources: a.m", "[Source: a[1].t", "[Source: a[1"):
        for shown in ("Five days", "Five [Source: a.md] days", "x[0]"):
            assert page.evaluate(CALL, ["markers", "withoutBegunMarker", [f"{shown} {begun}"]]) == shown, begun
    for other in ("[1", "[Sauce", "[Source: a.md]", "x[0]"):
        assert page.evaluate(CALL, ["markers", "withoutBegunMarker", [f"Five {other}"]]) == f"Five {other}", other


def test_markup_is_set_and_what_looks_like_html_stays_text(page: Page) -> None:
    text = (
        "# Title\nWrapped\nprose with `code` and **bold**.\n\n1. one\n2) two\n   - deep\n\n"
        "| a | b |\n|---|---|\n| 1 | **2** |\n\n```python\nprint('<b>')\n  x | y\n```\n"
        "<img src=x onerror=alert(1)> & **<i>not italic</i>** `<script>`\n\n* a ** b"
    )
    shown = page.evaluate(SET, [text, [cited(text, "| 1 | **2** |"), cited(text, "prose with `code`")]])
    html = shown["html"]
    assert '<p class="heading" dir="auto">Title</p>' in html
    for part in ("<code>code</code>", "<strong>bold</strong>", "<strong>&lt;i&gt;not italic&lt;/i&gt;</strong>"):
        assert part in html, part
    for part in ("&lt;img src=x onerror=alert(1)&gt; &amp;", "print('&lt;b&gt;')\n  x | y", '<th dir="auto">a</th>'):
        assert part in html, part
    assert "<img" not in html
    assert "<script" not in html
    assert [line for line in shown["words"].splitlines() if line.startswith(("1.", "2.", "•"))]


def test_a_stream_of_pieces_sets_what_the_whole_sets(page: Page) -> None:
    text = "One line.\n\n- two\n- three **bold**\n\n```\ncode\n\nmore\n```\n\n| a |\n| b |\n\nEnd `x` [Source: a.md]."
    whole, grown = page.evaluate(
        """async (text) => {
          const { setter } = await import('/page/prose.js');
          const boxes = [document.createElement('div'), document.createElement('div')];
          setter(boxes[0])(text);
          const grow = setter(boxes[1]);
          for (let end = 1; end <= text.length; end++) grow(text.slice(0, end));
          return boxes.map((box) => box.innerHTML);
        }""",
        text,
    )
    assert whole == grown


def test_texts_that_would_be_slow(page: Page) -> None:
    """Long words, unclosed markers, many brackets: linear work, so that this ends at all."""
    for text in (
        "[Source: " * 3000,
        "a" * 200_000,
        "**`[" * 30_000,
        "[" * 50_000,
        "x" * 50_000 + " " * 50_000,
        "|" * 50_000,
    ):
        assert page.evaluate(SET, [text, [cited(text, text)]])["carried"]


def test_lines_of_tables_and_headings_stay_when_prose_is_joined(page: Page) -> None:
    prose = "This line of running text is wrapped where the page of the document was\nfull, and here it ends.\n"
    text = f"Prices\n{prose}Goods Price\nTents 5\nBoots 7\n\n{prose}"
    flowed = page.evaluate(CALL, ["format", "reflowed", [text]])
    assert len(flowed) == len(text)
    assert "document was full" in flowed
    assert "Prices\nThis" in flowed
    assert "Goods Price\nTents 5\nBoots 7\n\n" in flowed
