from __future__ import annotations

import pytest

from evals.metrics.citations import GoldEvidence, citation_precision, citation_recall, supported_claims
from plumbline.errors import InputError
from rag.types import Answer, Citation, Claim, Verdict
from routing.chat import Usage


def cite(
    document: str, start: int, end: int, page: int | None = None, verdict: Verdict = "supported", at: int = 0
) -> Citation:
    return Citation(document, document, page, None, start, end, at, at + 10, "…", verdict)


INVENTED = cite("made up", 0, 0, verdict="not_found")
SPANS = GoldEvidence(spans=[("a", 10, 20), ("a", 50, 60), ("b", 0, 5)], pages={("a", 9)}, documents=["z"])


def test_spans_decide_where_there_are_some() -> None:
    citations = [cite("a", 15, 30), cite("a", 20, 50), cite("b", 4, 9), cite("z", 0, 9, page=9)]
    assert citation_precision(citations, SPANS) == 2 / 4
    assert citation_recall(citations, SPANS) == 2 / 3


def test_else_pages_and_else_documents() -> None:
    citations = [cite("a", 0, 5, page=1), cite("a", 5, 9, page=2), cite("b", 0, 5, page=1)]
    pages = GoldEvidence(pages=[("a", 1), ("a", 3)], documents=["b"])
    assert (citation_precision(citations, pages), citation_recall(citations, pages)) == (1 / 3, 1 / 2)
    documents = GoldEvidence(documents=["a", "c"])
    assert (citation_precision(citations, documents), citation_recall(citations, documents)) == (2 / 3, 1 / 2)


def test_what_was_invented_is_wrong_and_finds_nothing() -> None:
    gold = GoldEvidence(documents=["made up"])
    assert citation_precision([INVENTED], gold) == 0
    assert citation_recall([INVENTED], gold) == 0


def test_the_same_place_cited_twice_counts_once() -> None:
    assert citation_precision([cite("a", 15, 30), cite("a", 15, 30, at=40), cite("x", 0, 9)], SPANS) == 1 / 2


def test_without_labels_or_citations() -> None:
    assert citation_precision([cite("a", 0, 5)], GoldEvidence()) is None
    assert citation_recall([cite("a", 0, 5)], GoldEvidence()) is None
    assert citation_precision([], SPANS) is None
    assert citation_recall([], SPANS) == 0


def test_claims_are_supported_by_the_citations_at_them() -> None:
    claims = tuple(Claim("…", start, start + 20, "supported", 1.0) for start in (0, 20, 40, 60))
    citations = (
        cite("a", 0, 5, at=5),
        cite("a", 0, 5, at=30, verdict="partial"),
        cite("a", 0, 5, at=45, verdict="unsupported"),
        cite("a", 0, 5, at=70),
    )
    answer = Answer("?", "…", False, 1.0, citations, claims, (), Usage(), None, {}, "m", "t")
    assert supported_claims(answer) == 2 / 4
    assert supported_claims(Answer("?", "", True, 1.0, (), (), (), Usage(), None, {}, "m", "t")) is None


def test_a_span_that_was_not_looked_up_is_told() -> None:
    with pytest.raises(InputError, match=r"a\[-1:-1\] holds no character"):
        GoldEvidence(spans=[("a", -1, -1)])
