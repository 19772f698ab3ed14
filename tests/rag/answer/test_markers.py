"""Markers: which documents and pages a model's text names."""

from __future__ import annotations

import pytest

from rag.answer.markers import Source, find_markers, without_markers

NAMES = ("a[1].txt", "Q3; final.txt", "plain.txt", "report", "report, page 3", "a", "b, Source: c", "naïve notes.md")


def sources(marker: str) -> list[tuple[str, list[range]]]:
    text = f"Thirty days {marker}. More [1] follows."
    (found,) = find_markers(text, NAMES)
    assert text[found.start : found.end] == marker
    return [(source.name, list(source.pages)) for source in found.sources]


@pytest.mark.parametrize(
    ("marker", "named"),
    [
        ("[Source: a[1].txt]", [("a[1].txt", [])]),
        ("[Source: A[1].TXT, page 2]", [("A[1].TXT", [range(2, 3)])]),
        ("[Source: Q3; final.txt]", [("Q3; final.txt", [])]),
        ("[Source: Q3; final.txt; plain.txt]", [("Q3; final.txt", []), ("plain.txt", [])]),
        ("[Source: plain.txt, pages 1 and 2]", [("plain.txt", [range(1, 2), range(2, 3)])]),
        ("[Source: plain.txt, pp. 1, 3 & 5–7]", [("plain.txt", [range(1, 2), range(3, 4), range(5, 8)])]),
        ("[Source: plain.txt, page 1, page 2]", [("plain.txt", [range(1, 2), range(2, 3)])]),
        ("[Source: a, Source: plain.txt]", [("a", []), ("plain.txt", [])]),
        ("[Sources: a, page 1; Source: plain.txt, p. 2]", [("a", [range(1, 2)]), ("plain.txt", [range(2, 3)])]),
        ("[Source: report, page 3]", [("report, page 3", [])]),
        ("[Source: report, page 4]", [("report", [range(4, 5)])]),
        ("[Source: b, Source: c]", [("b, Source: c", [])]),
        ("[Source: 'plain.txt', page 1]", [("plain.txt", [range(1, 2)])]),
        ("[Source: nai\u0308ve notes.md, page 1]", [("nai\u0308ve notes.md", [range(1, 2)])]),
        ("[Source: invented.pdf; plain.txt]", [("invented.pdf", []), ("plain.txt", [])]),
        ("[Source: invented.pdf, page 4]", [("invented.pdf", [range(4, 5)])]),
        ("[Source: invented; still invented.pdf]", [("invented; still invented.pdf", [])]),
        ("[Source: invented[2].pdf]", [("invented[2].pdf", [])]),
        ("[Source: ]", []),
    ],
)
def test_what_a_marker_names(marker: str, named: list[tuple[str, list[range]]]) -> None:
    assert sources(marker) == named


def test_markers_without_a_partner_do_not_swallow_the_next() -> None:
    first, second = find_markers("One [Source: x[1.txt]. Two [Source: plain.txt].", NAMES)
    assert first.sources == (Source("x[1.txt", "x[1.txt"),)
    assert second.sources == (Source("plain.txt", "plain.txt"),)
    assert find_markers("One [Source: plain.txt and nothing more", NAMES) == []


@pytest.mark.parametrize(
    "text",
    [
        "[Source: " * 20_000,
        "[Source: a, " + "page " * 40_000,
        "[Source: x" + " " * 100_000 + "]",
        "[Source: a, page 1" + ", 1" * 40_000,
        "[Source:" + "," * 100_000,
        "[" * 100_000,
    ],
)
def test_hostile_text_ends(text: str) -> None:
    assert len(find_markers(text, NAMES)) <= 1


def test_many_broken_markers_are_each_found() -> None:
    assert len(find_markers("[Source: [b] " * 5_000, NAMES)) == 5_000


def test_page_numbers_beyond_sense_are_no_error() -> None:
    (marker,) = find_markers(f"[Source: plain.txt, page {'9' * 5000}]", NAMES)
    assert marker.sources[0].pages == ()


def test_text_without_markers() -> None:
    assert without_markers("Yes [Source: x[1].txt]. No [Source: y].").split() == ["Yes", ".", "No", "."]
