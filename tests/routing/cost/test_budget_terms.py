"""What a budget's settings mean, and which cannot be meant."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from plumbline.errors import ConfigError
from routing.cost.budget_terms import Terms, dollars, picodollars
from routing.settings import BudgetSettings
from tests.routing.cost.budget_home import budget


@given(st.decimals(min_value=0, max_value=9_000_000, places=12))
def test_picodollars_are_exact(amount: Decimal) -> None:
    assert dollars(picodollars(amount)) == amount


@given(st.decimals(min_value=0, max_value=9_000_000, places=15))
def test_a_part_of_a_picodollar_counts_as_one(amount: Decimal) -> None:
    assert 0 <= dollars(picodollars(amount)) - amount < Decimal("1E-12")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ([budget("a"), budget("a", per="tenant")], r"routing\.budgets\.1\.name: two budgets are called 'a'"),
        ([budget(limit="9000001")], r"routing\.budgets\.0\.limit: 9000001 is more than the 9,000,000 dollars"),
        ([budget(only="acme")], r"routing\.budgets\.0\.only: 'acme' cannot be told.*per: tenant"),
    ],
)
def test_what_cannot_be_meant_is_refused(settings: list[BudgetSettings], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Terms(settings)


@pytest.mark.parametrize("limit", ["-1", "NaN", "Infinity"])
def test_what_is_no_limit_is_refused(limit: str) -> None:
    with pytest.raises(ValidationError, match="limit"):
        budget(limit=limit)


@pytest.mark.parametrize(
    ("now", "day", "month"),
    [
        ("2026-12-31T23:59:59.999", "2026-12-31", "2026-12"),
        ("2027-01-01T00:00:00", "2027-01-01", "2027-01"),
        ("2028-02-29T12:00:00", "2028-02-29", "2028-02"),
    ],
)
def test_periods_are_days_and_months_in_utc(now: str, day: str, month: str) -> None:
    moment = datetime.fromisoformat(now).replace(tzinfo=UTC).timestamp()
    terms = Terms([budget("d", period="day"), budget("m", period="month"), budget("s", per="session")])
    for _ in range(2):
        periods = terms.periods(moment)
        assert [period.label for period in periods] == [day, month, "own"]
        for period in periods[:2]:
            assert period.ends is not None
            assert period.starts <= moment < period.ends
            assert terms.periods(period.ends)[0].label != day


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="the zone of a process cannot be set here")
@pytest.mark.parametrize("changes", ["2026-03-29", "2026-10-25"])
def test_a_day_has_24_hours_where_clocks_are_changed(changes: str, monkeypatch: pytest.MonkeyPatch) -> None:
    noon = datetime.fromisoformat(f"{changes}T12:00:00+00:00").timestamp()
    with monkeypatch.context() as patched:
        patched.setenv("TZ", "Europe/Berlin")
        time.tzset()
        (period,) = Terms([budget("d", period="day")]).periods(noon)
    time.tzset()
    assert (period.label, period.starts, period.ends) == (changes, noon - 43_200, noon + 43_200)
