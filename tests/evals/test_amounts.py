from __future__ import annotations

from decimal import Decimal

import pytest

from evals.amounts import dollars, duration, money
from evals.interval import IntervalOutput


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "unknown"),
        (0, "$0"),
        (Decimal("12.3456"), "$12.35"),
        (1234, "$1,234.00"),
        (0.5, "$0.500"),
        (Decimal("0.00054321"), "$0.000543"),
    ],
)
def test_dollars(value: float | Decimal | None, shown: str) -> None:
    assert dollars(value) == shown


@pytest.mark.parametrize(("seconds", "shown"), [(None, "–"), (0.0012, "1.2 ms"), (0.1234, "123 ms"), (1.55, "1.6 s")])
def test_durations(seconds: float | None, shown: str) -> None:
    assert duration(seconds) == shown


def test_money_with_its_interval() -> None:
    found = IntervalOutput(estimate=0.5, low=0.25, high=None, level=0.95, n=9, clusters=3, method="t")
    assert money(found) == "$0.500 [0.250, ∞]"
    assert money(found.model_copy(update={"estimate": 0, "low": 0, "high": 0})) == "$0"
    assert money(None) == "unknown"
