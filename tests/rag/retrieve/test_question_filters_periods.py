"""Years, quarters and days as questions and file names write them."""

from __future__ import annotations

import pytest

from rag.retrieve.question_filters_periods import Period, periods, years_between


def said(text: str) -> list[tuple[int, int | None, int | None, int | None]]:
    return [(each.year, each.quarter, each.month, each.day) for each in periods(text)]


@pytest.mark.parametrize(
    ("text", "year", "quarter", "month", "day"),
    [
        ("What was revenue in FY2022?", 2022, None, None, None),
        ("fiscal year 2022", 2022, None, None, None),
        ("in FY 22", 2022, None, None, None),
        ("In 2022, which", 2022, None, None, None),
        ("2021 Q1", 2021, 1, None, None),
        ("Q4 of FY2023", 2023, 4, None, None),
        ("the second fiscal quarter of 2023", 2023, 2, None, None),
        ("3Q 2021", 2021, 3, None, None),
        ("2Q23", 2023, 2, None, None),
        ("as of May 26, 2023", 2023, None, 5, 26),
        ("the fiscal year ended May 2022", 2022, None, 5, None),
        ("ACME_2021Q1_10Q", 2021, 1, None, None),
        ("minutes_2022-08-19", 2022, None, 8, 19),
        ("minutes-20220819", 2022, None, 8, 19),
        ("notes 2022-08", 2022, None, 8, None),
    ],
)
def test_one_period(text: str, year: int, quarter: int | None, month: int | None, day: int | None) -> None:
    assert said(text) == [(year, quarter, month, day)]


@pytest.mark.parametrize(
    "text", ["How do refunds work?", "it costs $2022", "2,022 items", "page 2", "call 12022", "20%"]
)
def test_what_is_no_period(text: str) -> None:
    assert said(text) == []


def test_several_periods_stand_in_order_and_say_where() -> None:
    text = "from FY2019 to the second quarter of 2021"
    assert [text[each.start : each.end] for each in periods(text)] == ["FY2019", "second quarter of 2021"]


def test_years_between_two_are_meant_too() -> None:
    for text in ("FY2019 to FY2022", "2019 - 2022", "2019–2022"):
        assert [each.year for each in years_between(text, periods(text))] == [2020, 2021], text
    for text in ("2019 and 2022", "2022 to 2019", "1900 to 2022"):
        assert years_between(text, periods(text)) == [], text


def test_a_period_fits_what_it_does_not_contradict() -> None:
    assert Period(2022).fits(Period(2022, 2))
    assert Period(2022, 2).fits(Period(2022, None, 5, 20))
    assert not Period(2022, 1).fits(Period(2022, None, 5))
    assert not Period(2021).fits(Period(2022))
