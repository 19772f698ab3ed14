from __future__ import annotations

from decimal import Decimal

import pytest

from plumbline.text.number_words import spelled_out


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("zero", 0),
        ("twenty-five", 25),
        ("one hundred", 100),
        ("a hundred and one", 101),
        ("two thousand three hundred forty", 2340),
        ("three million five hundred thousand", 3_500_000),
        ("a billion", 10**9),
        ("a dozen", 12),
        ("zwölf", 12),
        ("diecisiete", 17),
        ("quatorze", 14),
        ("once", 1),
    ],
)
def test_reads_numbers_as_spoken(text: str, value: int) -> None:
    assert list(spelled_out(f"It has {text}.")) == [(Decimal(value), 7, 7 + len(text))]


@pytest.mark.parametrize("text", ["no one", "one of them", "someone", "1.6 million", "the one who", "often", "tenth"])
def test_what_is_no_number(text: str) -> None:
    assert list(spelled_out(text)) == []
