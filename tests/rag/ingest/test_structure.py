from hypothesis import given
from hypothesis import strategies as st

from rag.ingest.structure import Heading, TextBuilder, heading_path, page_at, section_at, sections_from
from rag.types import Document


def _document(builder: TextBuilder) -> Document:
    text, pages, sections = builder.build()
    return Document("id", "s", "n", text, "", "text/plain", pages=pages, sections=sections)


def _sample() -> Document:
    builder = TextBuilder()
    builder.page()
    builder.heading(1, "  Chapter\n one ")
    builder.block("First text.")
    builder.heading(2, "Part")
    builder.page()
    builder.block("Second text.")
    builder.page()
    builder.page()
    builder.heading(1, "Chapter two")
    builder.item("one")
    builder.item("two")
    builder.block("  ")
    builder.block("End.\r\nReally\x00.")
    return _document(builder)


def test_blocks_are_joined_and_items_stand_together():
    assert _sample().text == (
        "Chapter one\n\nFirst text.\n\nPart\n\nSecond text.\n\nChapter two\n\n- one\n- two\n\nEnd.\nReally."
    )


def test_what_cannot_be_kept_is_counted():
    builder = TextBuilder()
    builder.block("a\x00b\ud800")
    assert (builder.build()[0], builder.dropped) == ("ab", 2)


def test_pages_are_spans_from_one_and_empty_ones_are_kept():
    document = _sample()
    assert [document.text[page.start : page.end] for page in document.pages] == [
        "Chapter one\n\nFirst text.\n\nPart",
        "Second text.",
        "",
        "Chapter two\n\n- one\n- two\n\nEnd.\nReally.",
    ]
    assert [page.number for page in document.pages] == [1, 2, 3, 4]


def test_a_last_page_without_text_is_an_empty_span():
    builder = TextBuilder()
    for text in ("", "x", ""):
        builder.page()
        builder.block(text)
    assert [(page.start, page.end) for page in _document(builder).pages] == [(0, 0), (0, 1), (1, 1)]


def test_sections_nest_and_hold_their_subsections():
    document = _sample()
    assert [(section.path, document.text[section.start : section.end][:12]) for section in document.sections] == [
        (("Chapter one",), "Chapter one\n"),
        (("Chapter one", "Part"), "Part\n\nSecond"),
        (("Chapter two",), "Chapter two\n"),
    ]
    assert document.sections[0].end == document.sections[2].start
    assert document.sections[1].end == document.sections[0].end


def test_a_skipped_rank_still_nests():
    sections = sections_from([Heading(3, "deep", 0), Heading(1, "top", 5), Heading(4, "below", 9)], 12)
    assert [section.path for section in sections] == [("deep",), ("top",), ("top", "below")]


def test_look_ups_by_offset():
    document = _sample()
    at = document.text.index
    assert page_at(document, at("First")) == 1
    assert page_at(document, at("Second") - 1) == 1, "between two pages: the earlier one"
    assert page_at(document, at("Second")) == 2
    assert page_at(document, at("Really")) == 4
    assert heading_path(document, at("Second")) == "Chapter one > Part"
    assert heading_path(document, at("two")) == "Chapter two"


def test_no_pages_and_no_sections_give_none():
    document = Document("id", "s", "n", "text", "", "text/plain")
    assert page_at(document, 2) is None
    assert section_at(document, 2) is None
    assert heading_path(document, 2) is None


@given(st.lists(st.integers(1, 6), max_size=30))
def test_sections_never_cross(levels: list[int]):
    sections = sections_from([Heading(level, f"h{i}", i * 10) for i, level in enumerate(levels)], len(levels) * 10)
    for i, outer in enumerate(sections):
        for inner in sections[i + 1 :]:
            nested = inner.end <= outer.end
            assert nested or inner.start >= outer.end
            assert (inner.path[: len(outer.path)] == outer.path) == (nested and inner.start < outer.end)
