from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

import evals.stats
from evals.stats import Interval


@pytest.mark.parametrize(
    ("low", "high", "excludes"), [(0.1, 0.3, True), (-0.3, -0.1, True), (-0.1, 0.3, False), (0, 1, False)]
)
def test_excludes_zero(low: float, high: float, excludes: bool) -> None:
    assert Interval(0.2, low, high, 0.95, 10, "t").excludes_zero is excludes


def test_an_interval_prints_and_cannot_change() -> None:
    interval = Interval(0.71249, 0.65, 0.7712, 0.95, 200, "t")
    assert str(interval) == "0.712 [0.650, 0.771]"
    with pytest.raises(FrozenInstanceError):
        interval.low = 0.0  # type: ignore[misc]  # that is the test


def test_all_names_are_there() -> None:
    assert all(hasattr(evals.stats, name) for name in evals.stats.__all__)
