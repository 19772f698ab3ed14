"""Scales (million), currencies and units of measure: what stands around a number and changes what it means.

Each unit is (dimension, factor): quantities of one dimension can be compared after multiplying. Months and years make
a dimension of their own beside days, as no factor leads from one to the other.
"""

from __future__ import annotations

import re
from decimal import Decimal

_SCALES = {
    "dozen": "12",
    "hundred hundreds": "1e2",
    "thousand thousands k tausend mille": "1e3",
    "lakh lakhs": "1e5",
    "million millions mn mio mio. millionen millón millones": "1e6",
    "crore crores": "1e7",
    "billion billions bn mrd mrd. milliarde milliarden milliard milliards miliardi miliardo": "1e9",
    "trillion trillions tn tr billionen billones billón": "1e12",
}
SCALES = {word: Decimal(factor) for words, factor in _SCALES.items() for word in words.split()}
SHORT_SCALES = {"m": Decimal("1e6"), "mm": Decimal("1e6"), "b": Decimal("1e9"), "t": Decimal("1e12")}
"""Scales only behind money: "$3m" is three million, "3m" three metres."""

CURRENCIES = {
    symbol: code
    for code, symbols in {
        "USD": "$ us$ u.s.$ usd dollar dollars dólares",
        "EUR": "€ eur euro euros",
        "GBP": "£ gbp pound_sterling pounds_sterling",
        "JPY": "¥ jpy yen",
        "INR": "₹ inr rupee rupees",
        "CHF": "chf franken",
        "CNY": "cny rmb yuan renminbi",
        "CAD": "c$ cad",
        "AUD": "a$ aud",
        "KRW": "₩ krw won",
    }.items()
    for symbol in symbols.replace("_", "\0").split()
}
CURRENCIES = {symbol.replace("\0", " "): code for symbol, code in CURRENCIES.items()}

_UNITS = {
    "%": {
        "% percent per_cent pct prozent porcentaje pourcent percentage_points percentage_point": "0.01",
        "bp bps basis_points basis_point": "0.0001",
    },
    "day": {
        "second seconds sec secs s": "1/86400",
        "minute minutes min mins": "1/1440",
        "hour hours hr hrs h stunden": "1/24",
        "day days día días tag tage tagen jour jours": "1",
        "week weeks semana semanas woche wochen semaine semaines": "7",
    },
    "month": {
        "month months mes meses monat monate monaten mois": "1",
        "quarter quarters": "3",
        "year years yr yrs año años jahr jahre jahren ans année années": "12",
        "decade decades": "120",
        "century centuries": "1200",
    },
    "metre": {
        "mm millimeter millimeters millimetre millimetres": "0.001",
        "cm centimeter centimeters centimetre centimetres": "0.01",
        "m meter meters metre metres metros mètres": "1",
        "km kilometer kilometers kilometre kilometres kilómetros kilomètres": "1000",
        "inch inches": "0.0254",
        "ft foot feet": "0.3048",
        "yard yards yd yds": "0.9144",
        "mile miles mi": "1609.344",
    },
    "gram": {
        "mg milligram milligrams": "0.001",
        "g gram grams gramme grammes": "1",
        "kg kilogram kilograms kilo kilos": "1000",
        "tonne tonnes": "1000000",
        "oz ounce ounces": "28.349523125",
        "lb lbs pound pounds": "453.59237",
    },
    "litre": {
        "ml milliliter milliliters millilitre millilitres": "0.001",
        "l liter liters litre litres": "1",
        "gallon gallons": "3.785411784",
    },
    "byte": {
        "byte bytes": "1",
        "kb kilobyte kilobytes": "1e3",
        "mb megabyte megabytes": "1e6",
        "gb gigabyte gigabytes": "1e9",
        "tb terabyte terabytes": "1e12",
    },
    "celsius": {"°c degrees_celsius": "1"},
    "fahrenheit": {"°f degrees_fahrenheit": "1"},
    "times": {"x times": "1"},
}


def _factor(written: str) -> Decimal:
    numerator, _, denominator = written.partition("/")
    return Decimal(numerator) / Decimal(denominator or 1)


UNITS: dict[str, tuple[str, Decimal]] = {
    word.replace("_", " "): (dimension, _factor(factor))
    for dimension, units in _UNITS.items()
    for words, factor in units.items()
    for word in words.split()
} | {symbol: (code, Decimal(1)) for symbol, code in CURRENCIES.items()}
"""Folded word or symbol to (dimension, factor)."""


def one_of(words: list[str]) -> str:
    """A pattern that matches any of the words, the longest first."""
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
