from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.metrics.spans import Span, SpanScores, merged, overlap, precision_omega, span_scores
from plumbline.errors import InputError

DOCUMENTS = ("a", "b")
spans = st.lists(
    st.tuples(st.sampled_from(DOCUMENTS), st.integers(0, 40), st.integers(1, 20)).map(
        lambda span: (span[0], span[1], span[1] + span[2])
    ),
    min_size=1,
    max_size=6,
)


def characters(some: list[Span]) -> set[tuple[str, int]]:
    return {(document, offset) for document, start, end in some for offset in range(start, end)}


def test_by_hand() -> None:
    references = [("a", 10, 20), ("a", 30, 40)]
    chunks = [("a", 15, 35), ("b", 0, 10)]
    # found 5 + 5 of 20; read 20 + 10
    assert span_scores(chunks, references) == SpanScores(0.5, 10 / 30, 10 / (30 + 10))


def test_a_passage_read_twice_is_paid_twice_and_found_once() -> None:
    assert span_scores([("a", 0, 10), ("a", 0, 10)], [("a", 0, 10)]) == SpanScores(1.0, 0.5, 0.5)


def test_overlapping_references_are_taken_together() -> None:
    assert span_scores([("a", 0, 15)], [("a", 0, 10), ("a", 5, 15)]) == SpanScores(1.0, 1.0, 1.0)


def test_nothing_retrieved_and_nothing_wanted() -> None:
    assert span_scores([], [("a", 0, 10)]) == SpanScores(0.0, 0.0, 0.0)
    assert span_scores([("a", 0, 10)], []) is None
    assert precision_omega([("a", 0, 10)], []) is None


def test_omega_is_what_a_perfect_retriever_gets_from_these_chunks() -> None:
    chunks = [("a", 0, 25), ("a", 25, 50), ("a", 50, 75), ("b", 0, 25)]
    assert precision_omega(chunks, [("a", 20, 30)]) == 10 / 50
    assert precision_omega([("a", 0, 30), ("a", 20, 50)], [("a", 20, 30)]) == 10 / 50  # overlaps count once here
    assert precision_omega([("a", 0, 25)], [("a", 20, 30)]) == 5 / 30


@given(spans, spans)
def test_equals_counting_characters_one_by_one(retrieved: list[Span], references: list[Span]) -> None:
    wanted, read = characters(references), characters(retrieved)
    paid = sum(end - start for _, start, end in retrieved)
    found = len(wanted & read)
    scores = span_scores(retrieved, references)
    assert scores == SpanScores(found / len(wanted), found / paid, found / (paid + len(wanted) - found))


@given(spans, spans)
def test_overlap_is_symmetric(one: list[Span], other: list[Span]) -> None:
    first, second = (merged((start, end) for _, start, end in some) for some in (one, other))
    assert overlap(first, second) == overlap(second, first)
    assert overlap(first, first) == sum(end - start for start, end in first)


def test_spans_that_cannot_be_are_told() -> None:
    with pytest.raises(InputError, match=r"a\[5:3\] is no span"):
        span_scores([("a", 5, 3)], [("a", 0, 1)])
