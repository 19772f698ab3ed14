from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.metrics.operations import Cost, cost, latency, tokens
from plumbline.errors import InputError
from routing.chat import Usage


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=50))
def test_percentiles_are_those_of_numpy(seconds: list[float]) -> None:
    found = latency(seconds)
    assert found is not None
    assert found.mean == pytest.approx(np.mean(seconds), abs=1e-9)
    for value, share in ((found.p50, 50), (found.p95, 95), (found.p99, 99)):
        assert value == pytest.approx(np.percentile(seconds, share), abs=1e-9)


def test_times_that_cannot_be_are_told() -> None:
    assert latency([]) is None
    for value in (-1.0, float("nan"), float("inf")):
        with pytest.raises(InputError, match="no wall time"):
            latency([1.0, value])


def test_tokens_add_up() -> None:
    assert tokens([Usage(10, 2), Usage(5, 1, estimated=True)]) == Usage(15, 3, estimated=True)
    assert tokens([]) == Usage()


def test_money_is_exact_and_wrong_answers_are_paid_too() -> None:
    found = cost([Decimal("0.1"), Decimal("0.2"), Decimal("0.3")], [1.0, 0.0, 1.0])
    assert (found.total, found.per_query, found.per_correct) == (Decimal("0.6"), Decimal("0.2"), Decimal("0.3"))


def test_an_unknown_price_is_never_nothing() -> None:
    found = cost([Decimal("0.1"), None], [1.0, 1.0])
    assert (found.known, found.unknown, found.rows) == (Decimal("0.1"), 1, 2)
    assert found.total is found.per_query is found.per_correct is None


def test_without_a_right_answer_or_rows_there_is_no_price_of_one() -> None:
    assert cost([Decimal(1)], [0.0]).per_correct is None
    assert cost([Decimal(1)]).per_correct is None
    assert cost([]) == Cost(Decimal(0), 0, 0, 0.0)
    assert cost([]).per_query is None


def test_each_row_has_one_price_and_one_judgement() -> None:
    with pytest.raises(InputError, match="2 prices and 1 judgements"):
        cost([None, None], [1.0])
