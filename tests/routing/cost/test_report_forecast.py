"""Forecasts: what is spent, the mean of the whole days, and an interval that holds as often as it says."""

from __future__ import annotations

import random
from datetime import date, timedelta
from decimal import Decimal

import pytest

from routing.cost.report_forecast import _t_quantile, forecast

TODAY = date(2026, 4, 11)


def test_equal_days_go_on_as_they_were() -> None:
    days = {TODAY - timedelta(days=back): Decimal("1.50") for back in range(1, 40)} | {TODAY: Decimal("0.25")}
    month = forecast(days, TODAY)
    assert (month.month, month.spent, month.days, month.days_left) == ("2026-04", Decimal("15.25"), 28, 20)
    assert (month.low, month.estimate, month.high) == (Decimal(45), Decimal(45), Decimal(45))


def test_days_without_a_call_count_from_the_first_one_on() -> None:
    month = forecast({date(2026, 4, 9): Decimal(4)}, TODAY)
    assert (month.days, month.estimate) == (2, Decimal(4) + 20 * Decimal(2))


def test_few_days_have_no_interval_and_none_has_no_estimate() -> None:
    days = {TODAY - timedelta(days=back): Decimal(back) for back in range(1, 7)}
    month = forecast(days, TODAY)
    assert (month.days, month.low, month.high) == (6, None, None)
    assert month.estimate is not None
    assert forecast(days | {TODAY - timedelta(days=7): Decimal(7)}, TODAY).low is not None
    started_today = forecast({TODAY: Decimal(3)}, TODAY)
    assert started_today.spent == 3
    assert started_today.estimate is None


def test_no_forecast_is_below_what_is_spent() -> None:
    days = {TODAY - timedelta(days=back): Decimal(0) for back in range(2, 20)} | {TODAY: Decimal(100)}
    month = forecast(days | {date(2026, 3, 20): Decimal("0.01")}, TODAY)
    assert month.estimate == 100
    assert month.low == 100


@pytest.mark.parametrize(("freedom", "value"), [(6, 2.447), (10, 2.228), (27, 2.052)])
def test_quantiles_are_those_of_the_table(freedom: int, value: float) -> None:
    assert _t_quantile(0.975, freedom) == pytest.approx(value, rel=0.01)


def test_the_interval_holds_as_often_as_it_says() -> None:
    """2,000 months of independent days: 95 % of them, give or take what chance allows (2 %)."""
    rng = random.Random(5)
    inside = 0
    for _ in range(2000):
        costs = [Decimal(round(max(0.0, rng.gauss(100, 20)), 2)).quantize(Decimal("0.01")) for _ in range(30)]
        days = {TODAY - timedelta(days=back): cost for back, cost in enumerate(costs[:10], 1)}
        month = forecast(days, TODAY)
        truth = month.spent + sum(costs[10:], Decimal(0))
        assert month.low is not None
        assert month.high is not None
        inside += month.low <= truth <= month.high
    assert 0.93 <= inside / 2000 <= 0.97
