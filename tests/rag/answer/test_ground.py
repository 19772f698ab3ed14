"""Grounding: every citation is a span of the stored document, and made-up ones are shown as such."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from plumbline.database import open_database
from rag.answer.abstain import confidence, is_refusal
from rag.answer.ground import Grounding, ground
from rag.index.catalogue import Catalogue
from rag.index.components import catalogue_component
from rag.types import Chunk, Document, Hit, Page, Section
from routing.chat import ChatResponse, EvidenceSpan

PAGE_1 = "Returns\nUnopened goods may be returned within 30 days of delivery. The customer pays for the parcel.\n"
PAGE_2 = "Refunds are paid within 5 working days. Gift cards cannot be returned."
TEXT = PAGE_1 + PAGE_2
SHOPS = "The Lund shop opens at 9. The Malmö shop opens at 10 🙂 on Sundays."


def document(name: str, content: str, pages: tuple[Page, ...]) -> Document:
    sections = (Section(("Returns",), 0, len(content)),)
    return Document(name, f"/docs/{name}", name, content, "h", "text/plain", pages=pages, sections=sections)


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    path = tmp_path / "knowledge.db"
    catalogue = Catalogue(open_database(path, [catalogue_component()]), path)
    pages = (Page(1, 0, len(PAGE_1)), Page(2, len(PAGE_1), len(TEXT)))
    catalogue.put_document(document("returns policy.pdf", TEXT, pages), [])
    catalogue.put_document(document("shops.csv", SHOPS, ()), [])
    return catalogue


POLICY = Hit(Chunk("c1", "returns policy.pdf", 0, 8, len(TEXT), TEXT[8:], 40, page=1), "returns policy.pdf", 1.0)
SHOP = Hit(Chunk("c2", "shops.csv", 0, 0, len(SHOPS), SHOPS, 20), "shops.csv", 0.5)
HITS = (POLICY, SHOP)


def check(answer: str, catalogue: Catalogue) -> Grounding:
    return ground(ChatResponse(answer, "openai/x"), HITS, catalogue)


def test_a_marker_becomes_a_span_of_the_document(catalogue: Catalogue) -> None:
    answer = "Goods can be returned within 30 days of delivery [Source: returns policy.pdf, page 1]."
    (citation,) = check(answer, catalogue).citations
    assert citation.verdict == "supported"
    assert TEXT[citation.start : citation.end] == citation.quote
    assert citation.quote == "Unopened goods may be returned within 30 days of delivery."
    assert (citation.page, citation.section) == (1, "Returns")
    assert answer[citation.answer_start : citation.answer_end].startswith("Goods can be returned within 30 days")


def test_the_page_is_that_of_the_quote_not_of_the_chunk(catalogue: Catalogue) -> None:
    answer = "Refunds are paid within 5 working days [Source: returns policy.pdf, page 2]."
    (citation,) = check(answer, catalogue).citations
    assert (citation.page, citation.verdict) == (2, "supported")


@pytest.mark.parametrize(
    "marker",
    [
        "[Source: Returns Policy.pdf, page 1]",
        "[source: returns policy.pdf, p. 1]",
        "[Sources: returns policy.pdf, pages 1-2]",
        "[Source: returns policy.pdf]",
        "[Source:  returns   policy.pdf , page 1]",
        "[Source: returns policy.pdf, pages 1 and 2]",
        "[Source: returns policy.pdf, pages 7, 1]",
    ],
)
def test_markers_are_read_with_patience(catalogue: Catalogue, marker: str) -> None:
    (citation,) = check(f"Goods may be returned within 30 days of delivery {marker}.", catalogue).citations
    assert (citation.document, citation.verdict) == ("returns policy.pdf", "supported")


def test_a_marker_after_the_stop_cites_for_the_sentence_before_it(catalogue: Catalogue) -> None:
    answer = (
        "Unopened goods may be returned within 30 days. [Source: returns policy.pdf, page 1] "
        "The Lund shop opens at 9. [Source: shops.csv]"
    )
    first, second = check(answer, catalogue).citations
    assert "30 days" in answer[first.answer_start : first.answer_end]
    assert (second.document, second.verdict) == ("shops.csv", "supported")
    assert "Lund" in answer[second.answer_start : second.answer_end]
    assert second.page is None


def test_several_sources_in_one_marker(catalogue: Catalogue) -> None:
    answer = (
        "The Lund shop opens at 9 and gift cards cannot be returned [Source: shops.csv; returns policy.pdf, page 2]."
    )
    assert [c.document for c in check(answer, catalogue).citations] == ["shops.csv", "returns policy.pdf"]


def test_sources_that_repeat_the_word_source(catalogue: Catalogue) -> None:
    answer = (
        "The Lund shop opens at 9 and gift cards cannot be returned [Source: shops.csv, Source: returns policy.pdf]."
    )
    assert [c.document for c in check(answer, catalogue).citations] == ["shops.csv", "returns policy.pdf"]


@pytest.mark.parametrize("name", ["a[1].txt", "Q3; final.txt", "b, c.txt"])
def test_names_with_brackets_and_semicolons(catalogue: Catalogue, name: str) -> None:
    content = "Parcels to Iceland take nine days."
    catalogue.put_document(document(name, content, ()), [])
    hits = (Hit(Chunk("c3", name, 0, 0, len(content), content, 9), name, 1.0), *HITS)
    response = ChatResponse(f"Parcels to Iceland take nine days [Source: {name}]. Yes [Source: {name}x].", "openai/x")
    found, invented = ground(response, hits, catalogue).citations
    assert (found.document, found.verdict, found.quote) == (name, "supported", content)
    assert (invented.document, invented.verdict) == (f"{name}x", "not_found")


def test_an_invented_source_is_not_found(catalogue: Catalogue) -> None:
    for marker in ("[Source: terms.pdf, page 4]", "[Source: returns policy.pdf, page 9]"):
        (citation,) = check(f"Unopened goods may be returned within 30 days {marker}.", catalogue).citations
        assert (citation.verdict, citation.quote, citation.start, citation.end) == ("not_found", "", 0, 0)


def test_a_wrong_number_is_not_supported_by_the_right_page(catalogue: Catalogue) -> None:
    grounding = check("Unopened goods may be returned within 90 days [Source: returns policy.pdf, page 1].", catalogue)
    assert grounding.citations[0].verdict == "unsupported"
    assert grounding.claims[0].verdict == "unsupported"


def test_a_statement_without_a_citation_is_judged_by_all_evidence(catalogue: Catalogue) -> None:
    supported, invented = check("Gift cards cannot be returned. Our founder lives in Paris.", catalogue).claims
    assert (supported.verdict, invented.verdict) == ("supported", "unsupported")


def test_native_citations_are_checked_too(catalogue: Catalogue) -> None:
    quote = "The Malmö shop opens at 10 🙂 on Sundays."
    at = SHOPS.index(quote)
    response = ChatResponse(
        quote, "extractive/default", citations=(EvidenceSpan(1, at, at + len(quote), 0, len(quote)),)
    )
    (citation,) = ground(response, HITS, catalogue).citations
    assert (citation.quote, citation.verdict) == (quote, "supported")
    assert SHOPS[citation.start : citation.end] == quote


@pytest.mark.parametrize("span", [(7, 0, 5), (0, 5, 5), (0, -1, 5), (0, 0, 10_000)])
def test_impossible_native_citations_are_not_found(catalogue: Catalogue, span: tuple[int, int, int]) -> None:
    response = ChatResponse("Goods", "x/y", citations=(EvidenceSpan(*span, 0, 5),))
    (citation,) = ground(response, HITS, catalogue).citations
    assert citation.verdict == "not_found"


def test_a_document_that_changed_meanwhile_is_noticed(catalogue: Catalogue) -> None:
    with catalogue._engine.begin() as connection:
        connection.execute(text("UPDATE documents SET text = 'rewritten' WHERE id = 'shops.csv'"))
    (citation,) = check("The Lund shop opens at 9 [Source: shops.csv].", catalogue).citations
    assert citation.verdict == "not_found"


def test_no_evidence_and_no_text(catalogue: Catalogue) -> None:
    nothing = ground(ChatResponse("", "x/y"), (), catalogue)
    assert (nothing.citations, nothing.claims, nothing.support) == ((), (), 0.0)
    alone = ground(ChatResponse("Gift cards cannot be returned.", "x/y"), (), catalogue)
    assert alone.claims[0].verdict == "unsupported"


@pytest.mark.parametrize(
    ("answer", "refused"),
    [
        ("I don't have enough information.", True),
        ("I don’t have enough information to say.", True),
        ("  ", True),
        ("I do not have enough information", True),
        ("Ask the desk if you don't have enough information.", False),
        ("30 days.", False),
    ],
)
def test_refusals(answer: str, refused: bool) -> None:
    assert is_refusal(answer) is refused


def test_confidence_follows_the_evidence(catalogue: Catalogue) -> None:
    def of(answer: str, own: float | None = None) -> float:
        response = ChatResponse(answer, "x/y", confidence=own)
        return confidence(response, ground(response, HITS, catalogue), refused=False)

    good = of("Gift cards cannot be returned [Source: returns policy.pdf, page 2].")
    invented = of("Gift cards cannot be returned [Source: other.pdf, page 2].")
    wrong = of("Our founder lives in Paris.")
    assert good > invented > wrong
    assert of("Gift cards cannot be returned.", own=0.5) == pytest.approx(0.5 * of("Gift cards cannot be returned."))
    refusal = ChatResponse("I don't have enough information.", "x/y", confidence=0.2, refused=True)
    assert confidence(refusal, ground(refusal, HITS, catalogue), refused=True) == pytest.approx(0.8)
