from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.text.numbers import quantities


def read(text: str, language: str = "en") -> list[tuple[Decimal, str | None]]:
    return [(quantity.value, quantity.unit) for quantity in quantities(text, language)]


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("$1.6 billion", "1600000000", "USD"),
        ("US$1,577.00", "1577", "USD"),
        ("$473m", "473000000", "USD"),
        ("3,5 Mio. Euro", "3500000", "EUR"),
        ("1,577 million", "1577000000", None),
        ("₹12,34,567", "1234567", "INR"),
        ("12 %", "0.12", "%"),
        ("12.9 percent", "0.129", "%"),
        (r"1.9\%", "0.019", "%"),
        ("50 bps", "0.005", "%"),
        ("3.5 percentage points", "0.035", "%"),
        ("1.6e9", "1600000000", None),
        ("1.6 x 10^9", "1600000000", None),
        ("5½ days", "5.5", "day"),
        ("2 weeks", "14", "day"),
        ("a 5-year plan", "60", "month"),
        ("3m", "3", "metre"),
        ("1.2 km", "1200", "metre"),
        ("5 mm", "0.005", "metre"),
        ("0.54x", "0.54", "times"),
        ("1.577.000", "1577000", None),
        ("1.577,5", "1577.5", None),
        ("1\u202f577\u202f000", "1577000", None),
        ("1'577'000", "1577000", None),
        ("twelve", "12", None),
        ("one hundred and twenty-three thousand", "123000", None),
        ("two million dollars", "2000000", "USD"),
        ("a dozen", "12", None),
        ("zwei Millionen Euro", "2000000", "EUR"),
        ("twice", "2", None),
    ],
)
def test_reads_numbers_with_their_scale_and_unit(text: str, value: str, unit: str | None) -> None:
    assert read(text) == [(Decimal(value), unit)]


@pytest.mark.parametrize("text", ["-5", "\u22125", "$-5", "-$5", "(5.0)", "($5)", "$(5)", "(5%)"])
def test_reads_signs(text: str) -> None:
    ((value, _),) = read(text)
    assert value in {Decimal(-5), Decimal("-0.05")}


def test_parentheses_around_a_small_whole_number_are_no_sign() -> None:
    assert read("(3)") == [(Decimal(3), None)]
    assert read("(1,234)") == [(Decimal(-1234), None)]


def test_a_hyphen_between_numbers_is_a_range() -> None:
    assert read("10-12 people, 5%-7%") == [(10, None), (12, None), (Decimal("0.05"), "%"), (Decimal("0.07"), "%")]


@pytest.mark.parametrize(
    "text",
    [
        "FY2019, Q2, 10-K, COVID-19 and v3.2.1",
        "at 10:30",
        "1e99999",
        "the 3rd and the 21st",
        "on May 18, 2018, in 1990s style, 2018-05-18",
        "in 2019",
        "no one, one of them, that one",
        "1. First\n2. Second\n",
        "3) of these",
    ],
)
def test_what_is_no_quantity(text: str) -> None:
    assert read(text) == []


def test_years_are_quantities_when_wanted() -> None:
    assert [quantity.value for quantity in quantities("2018 people in May 2018", years=True)] == [2018]
    assert quantities("2018 people") == []


def test_the_language_decides_about_a_single_point() -> None:
    assert read("1.577") == [(Decimal("1.577"), None)]
    assert read("1.577", "de") == [(Decimal(1577), None)]
    assert read("1,577", "de") == [(Decimal("1.577"), None)]


def test_resolution_is_one_of_the_last_digit_written() -> None:
    written = {"$1.6 billion": "1e8", "1,577 million": "1e6", "12%": "0.01", "12.0%": "0.001", "24.26": "0.01"}
    for text, resolution in written.items():
        (quantity,) = quantities(text)
        assert quantity.resolution == Decimal(resolution), text


def test_the_wording_may_carry_the_sign() -> None:
    assert [quantity.signed for quantity in quantities("a loss of $3, revenue of $4")] == [False, True]


def test_without_its_unit_a_quantity_is_the_number_as_written() -> None:
    assert [quantities(text)[0].bare.value for text in ("12%", "18 years", "2 km")] == [12, 18, 2]


@given(st.text(alphabet="0123456789.,-()$%€ kmbxe^½one two\n", max_size=60))
def test_offsets_lie_in_the_text_and_in_order(text: str) -> None:
    found = quantities(text)
    assert [quantity.start for quantity in found] == sorted(quantity.start for quantity in found)
    assert all(0 <= quantity.start < quantity.end <= len(text) and quantity.resolution > 0 for quantity in found)


@given(st.integers(0, 10**12))
def test_thousands_separators_change_nothing(number: int) -> None:
    text = f"{number:,} people"
    plain = quantities(text, years=True)
    assert [quantity.value for quantity in plain] == [number]
