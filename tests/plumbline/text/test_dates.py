from __future__ import annotations

import pytest

from plumbline.text.dates import PartialDate, find_dates


def read(text: str) -> list[tuple[int | None, int | None, int | None]]:
    return [(date.year, date.month, date.day) for date in find_dates(text)]


@pytest.mark.parametrize(
    "text",
    [
        "May 18, 2018",
        "18 May 2018",
        "18th of May, 2018",
        "2018-05-18",
        "05/18/2018",
        "18.05.2018",
        "18. Mai 2018",
        "18 de mayo de 2018",
        "18 mai 2018",
        "18 maggio 2018",
    ],
)
def test_reads_whole_dates(text: str) -> None:
    assert read(f"It was {text}.") == [(2018, 5, 18)]


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("May 2018", (2018, 5, None)),
        ("October 17", (None, 10, 17)),
        ("in 1066", (1066, None, None)),
        ("the 1990s", (1990, None, None)),
    ],
)
def test_reads_parts_of_dates(text: str, date: tuple[int | None, int | None, int | None]) -> None:
    assert read(text) == [date]


@pytest.mark.parametrize("text", ["$2000", "1,066", "2018%", "1999.5", "FY2019", "12345", "may 5.5"])
def test_what_is_no_date(text: str) -> None:
    assert read(text) == []


def test_spans_of_years_are_two() -> None:
    assert read("the 1979-1980 season") == [(1979, None, None), (1980, None, None)]


def one(text: str) -> PartialDate:
    return find_dates(text)[0]


def test_dates_agree_in_the_parts_that_both_name() -> None:
    assert one("May 18, 2018").agrees(one("2018"))
    assert one("May 18, 2018").agrees(one("18 May"))
    assert not one("May 18, 2018").agrees(one("May 19, 2018"))
    assert not one("2018").agrees(one("October 17"))
    assert one("1923").agrees(one("the 1920s"))
    assert not one("1933").agrees(one("the 1920s"))


def test_day_and_month_may_be_swapped_where_both_are_possible() -> None:
    assert one("03/04/2018").agrees(one("April 3, 2018"))
    assert one("03/04/2018").agrees(one("March 4, 2018"))
    assert not one("13/04/2018").agrees(one("March 4, 2018"))
