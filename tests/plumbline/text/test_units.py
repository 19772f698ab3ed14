from __future__ import annotations

from decimal import Decimal

from plumbline.text.units import SCALES, UNITS


def test_units_of_one_dimension_convert() -> None:
    assert UNITS["week"] == ("day", Decimal(7))
    assert UNITS["decade"][1] / UNITS["year"][1] == 10
    assert UNITS["basis points"][1] * 100 == UNITS["%"][1]
    assert UNITS["$"] == UNITS["dollars"] == ("USD", Decimal(1))


def test_billions_differ_by_language() -> None:
    assert SCALES["billion"] == SCALES["milliarden"] == Decimal(10) ** 9
    assert SCALES["billionen"] == SCALES["billón"] == SCALES["trillion"] == Decimal(10) ** 12
