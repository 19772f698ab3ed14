from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from evals.dataset import Example, GoldSpan
from evals.metrics.registry import find_metric
from evals.outcome import Outcome
from rag.types import Answer, Citation, Claim
from routing.chat import Usage

TEXT = "The window is 30 days [Source: policy.md, page 2]."
CITATION = Citation("policy.md", "1", 2, None, 100, 140, 0, 21, "…", "supported")
ANSWER = Answer(
    question="How long is the refund window?",
    text=TEXT,
    refused=False,
    confidence=0.8,
    citations=(CITATION,),
    claims=(Claim("The window is 30 days", 0, 21, "supported", 1.0),),
    hits=(),
    usage=Usage(120, 8),
    cost=Decimal("0.002"),
    timings={},
    model="m",
    trace_id="t",
)
EXAMPLE = Example(
    "1",
    ANSWER.question,
    answers=("30 days", "thirty days"),
    answerable=True,
    spans=(GoldSpan("policy.md", 120, 130),),
    documents=("policy.md",),
    pages=(("policy.md", 2),),
    tags={"language": "en"},
)
OUTCOME = Outcome(ANSWER)
UNANSWERABLE = Example("2", "Who is the mayor?", answerable=False)
REFUSED = Outcome(replace(ANSWER, text="The documents do not say.", citations=(), claims=()))
GIVEN_UP = Outcome(replace(ANSWER, refused=True, citations=(), claims=()))


def score(name: str, example: Example = EXAMPLE, outcome: Outcome = OUTCOME) -> float | None:
    return find_metric(name).score(example, outcome)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("correct", 1),
        ("exact_match", 0),
        ("token_f1", 2 * 2 / (4 + 2)),  # "the" is dropped, the marker is no part of the answer
        ("token_recall", 1),
        ("alias_recall", 1),
        ("numeric_match", 1),
        ("refused_rightly", 1),
        ("citation_precision", 1),
        ("citation_recall", 1),
        ("supported_claims", 1),
        ("page_cited", 1),
        ("confidence", 0.8),
    ],
)
def test_scores_a_good_answer(name: str, value: float) -> None:
    assert score(name) == pytest.approx(value)


def test_a_refusal_is_wrong_where_there_is_an_answer_and_cites_nothing() -> None:
    for outcome in (REFUSED, GIVEN_UP):
        assert score("correct", outcome=outcome) == score("refused_rightly", outcome=outcome) == 0
        for name in ("citation_precision", "citation_recall", "supported_claims", "page_cited"):
            assert score(name, outcome=outcome) is None


def test_a_refusal_is_right_where_there_is_none() -> None:
    for outcome, value in ((REFUSED, 1), (GIVEN_UP, 1), (OUTCOME, 0)):
        assert score("correct", UNANSWERABLE, outcome) == score("refused_rightly", UNANSWERABLE, outcome) == value


def test_without_its_labels_a_metric_does_not_apply() -> None:
    bare = Example("3", "Who is the mayor?")
    needing = [
        "correct", "exact_match", "token_f1", "token_recall", "alias_recall", "numeric_match", "refused_rightly",
        "citation_precision", "citation_recall", "page_cited",
    ]  # fmt: skip
    for name in needing:
        assert not find_metric(name).applies(bare)
        assert score(name, bare) is None
        assert find_metric(name).applies(EXAMPLE)
    assert not find_metric("numeric_match").applies(replace(EXAMPLE, answers=("Paris",)))


def test_without_an_answer_there_is_nothing_to_score() -> None:
    for name in ("correct", "token_f1", "numeric_match", "refused_rightly", "citation_recall", "confidence"):
        assert score(name, outcome=Outcome(None)) is None


def test_what_was_cited_and_not_found_is_no_page() -> None:
    invented = replace(CITATION, verdict="not_found")
    assert score("page_cited", outcome=Outcome(replace(ANSWER, citations=(invented,)))) == 0
