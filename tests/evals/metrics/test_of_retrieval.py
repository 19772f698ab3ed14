from __future__ import annotations

import pytest

from evals.dataset import Example, GoldSpan
from evals.metrics.registry import find_metric
from evals.outcome import Outcome
from plumbline.errors import InputError
from rag.types import Chunk, Hit


def hit(document: str, start: int, end: int, page: int | None = None) -> Hit:
    return Hit(Chunk(f"{document}{start}", document, 0, start, end, "", 1, page), document, 1.0)


OUTCOME = Outcome(None, (hit("b", 0, 50, 1), hit("b", 50, 100, 1), hit("a", 0, 40, 3), hit("c", 0, 10)))
EXAMPLE = Example(
    "1",
    "?",
    documents=("a", "missing"),
    spans=(GoldSpan("a", 20, 60), GoldSpan("b", 90, 100)),
    pages=(("a", 3),),
)


def score(name: str, example: Example = EXAMPLE, outcome: Outcome = OUTCOME) -> float | None:
    return find_metric(name).score(example, outcome)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("recall@1", 0),
        ("recall@2", 0.5),  # the two hits in b are one document
        ("precision@2", 0.5),
        ("mrr", 0.5),
        ("map", 0.25),
        ("char_recall@2", 10 / 50),
        ("char_recall@3", 30 / 50),
        ("char_precision@3", 30 / 140),
        ("char_iou@3", 30 / (140 + 20)),
        ("page_hit@2", 0),
        ("page_hit@3", 1),
    ],
)
def test_scores_hits(name: str, value: float) -> None:
    assert score(name) == pytest.approx(value)


def test_grades_come_before_documents() -> None:
    graded = Example("1", "?", documents=("b",), grades={"a": 2, "b": 0})
    assert score("mrr", graded) == 0.5
    assert score("ndcg@1", graded) == 0
    assert score("ndcg@2", graded) == pytest.approx(1 / 1.584962500721156)


def test_without_labels_it_does_not_apply() -> None:
    bare = Example("2", "?", grades={"a": 0})
    for name in ("recall@5", "ndcg@5", "mrr", "map", "char_iou@5", "page_hit@5"):
        assert not find_metric(name).applies(bare)
        assert score(name, bare) is None


def test_nothing_found_is_0() -> None:
    for name in ("recall@5", "ndcg@5", "mrr", "char_recall@5", "char_precision@5", "page_hit@5"):
        assert score(name, outcome=Outcome(None)) == 0


def test_a_quote_that_was_not_looked_up_is_told() -> None:
    with pytest.raises(InputError, match=r"Example '3'.*not known yet"):
        score("char_recall@5", Example("3", "?", spans=(GoldSpan("a", -1, -1, quote="x"),)))
