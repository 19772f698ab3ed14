"""Finds quantities in text: digits or words, with sign, scale, currency, percent and unit, and their precision.

Years, dates, times of day, ordinals, list numbers and the digits of names ("FY2019", "10-K", "COVID-19", "v3.2.1") are
no quantities. Dates are in `plumbline.text.dates`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal

from plumbline.text.dates import find_dates
from plumbline.text.number_words import spelled_out
from plumbline.text.units import CURRENCIES, SCALES, SHORT_SCALES, UNITS, one_of

_SPACES = " \u00a0\u202f\u2009"
_GROUP = "[,'\u2019\u00a0\u202f\u2009]"
_DIGITS = (
    rf"\d{{1,3}}(?:{_GROUP}\d{{2,3}})*{_GROUP}\d{{3}}(?!\d)(?:\.\d+)?"  # 1,577.5; 12,34,567; 1 577
    r"|\d{1,3}(?:\.\d{3})+,\d+|\d{1,3}(?:\.\d{3}){2,}(?!\d)"  # 1.577,5; 1.577.000
    r"|\d+(?:[.,]\d+)?|\.\d+"
)
_SYMBOL = one_of([symbol for symbol in CURRENCIES if not symbol.isalpha() or symbol.upper() in CURRENCIES.values()])
_SIGN = r"(?:(?<![\w)\]%])[-\u2212\u2013+])?"
_LONG, _SHORT = ([word for word in SCALES if (len(word) > 2) is long] for long in (True, False))
_SCALE = rf"[{_SPACES}-]?(?:{one_of(_LONG)})(?!\w)|[{_SPACES}]?(?:{one_of([*_SHORT, *SHORT_SCALES])})(?!\w)"
_LONG_UNIT, _SHORT_UNIT = (one_of([unit for unit in UNITS if (len(unit) > 2) is long]) for long in (True, False))
_UNIT = rf"[{_SPACES}-]?(?:{_LONG_UNIT})(?!\w)|[{_SPACES}]?\\?(?:{_SHORT_UNIT})(?!\w)"
_POWER = r"(?:e[+-]?\d{1,3}|\s?[x×*]\s?10(?:\^|(?=[-\u2212]))[-\u2212]?\d{1,3})"
_QUANTITY = re.compile(
    rf"(?P<open>\()?(?P<sign>{_SIGN})(?P<currency>(?:(?<!\w)(?:{_SYMBOL})[{_SPACES}]?)?)(?P<inner>\()?"
    rf"(?P<sign2>{_SIGN})(?<![\w.,/:^_])(?<![^\W\d_][-\u2212])(?P<number>{_DIGITS})"
    rf"(?P<fraction>[\u00bc-\u00be\u2150-\u215e]?)(?P<power>(?:{_POWER}(?!\d))?)"
    rf"(?(inner)\))(?P<early>(?(open)\)|(?!)))?(?P<scale>(?:{_SCALE})?)(?P<unit>(?:{_UNIT})?)(?P<close>\))?",
    re.IGNORECASE,
)
_COMMA_LANGUAGES = frozenset({"de", "es", "fr", "it", "pt", "nl", "da", "sv", "nb", "fi", "ru", "pl", "cs", "tr", "id"})
_BEHIND_WORDS = re.compile(rf"(?:\s({one_of(_LONG)})(?!\w))?(?:[\s-]({_LONG_UNIT})(?!\w))?", re.IGNORECASE)
_EXPONENT = re.compile(r"[-+]?\d+$")
_CONTINUES = re.compile(r"[.,:/]?\d|-?[^\W\d_]|[:/]\d")  # what makes the digits part of something longer
_ORDINAL = re.compile(r"(?:st|nd|rd|th|º|ª|er|ème|e)\b", re.IGNORECASE)
_LIST_NUMBER = re.compile(r"(?:^|\n)\s*(?:[*>-]\s*)?(?:\*\*)?$")
_LOSS = re.compile(
    r"\b(?:negative|minus|loss(?:es)?|decreas\w*|declin\w*|fell|drop\w*|down|reduc\w*|shrank|lower\w*)\b[^.,;\n\d]{0,25}$",
    re.IGNORECASE,
)

_ONE = Decimal(1)


@dataclass(frozen=True, slots=True)
class Quantity:
    """text[start:end] says `value`.

    The value is in the base of its `unit`: dollars, not millions; 12 % and 1,200 basis points are 0.12 of unit "%";
    2 weeks are 14 of unit "day". `unit` is `None` for a bare number. `resolution` is one of the last digit written, in
    the same base: 10 ** 8 for "1.6 billion". `scaled` says that a scale word was there. `signed` is false where the
    sign may be meant either way: numbers in parentheses, and "a loss of 5". `size` is what one of the unit written is
    in that base: 12 for a year in months.
    """

    value: Decimal
    unit: str | None
    resolution: Decimal
    start: int
    end: int
    scaled: bool = False
    signed: bool = True
    size: Decimal = _ONE

    @property
    def bare(self) -> Quantity:
        """The number without its unit: 12 for "12 %", 18 for "18 years"."""
        return replace(self, value=self.value / self.size, unit=None, resolution=self.resolution / self.size, size=_ONE)


def quantities(text: str, language: str = "en", *, years: bool = False) -> list[Quantity]:
    """The quantities of `text`, in order.

    `language` decides what "1.577" is: in English 1.577, in languages with a decimal comma 1577. With `years`, bare
    numbers that look like years are quantities too.
    """
    taken = bytearray(len(text))
    for date in find_dates(text):
        if date.month is not None or not years:
            taken[date.start : date.end] = b"\1" * (date.end - date.start)
    found = [*_in_digits(text, language, taken), *_in_words(text)]
    return sorted(found, key=lambda quantity: quantity.start)


def _in_digits(text: str, language: str, taken: bytearray) -> Iterator[Quantity]:
    for match in _QUANTITY.finditer(text):
        start, end = match.span("number")
        if _is_part_of_a_name(text, match) or any(taken[start:end]):
            continue
        if _is_list_number(text, match):
            continue
        yield _quantity(text, match, language)


def _is_part_of_a_name(text: str, match: re.Match[str]) -> bool:
    """Whether the digits go on into something that is no unit: an ordinal, a time of day, a version, a code."""
    end = max(match.end(name) for name in ("number", "fraction", "power"))
    rest = match["scale"] or match["unit"]
    if rest:
        return False
    return _ORDINAL.match(text, end) is not None or _CONTINUES.match(text, end) is not None


def _is_list_number(text: str, match: re.Match[str]) -> bool:
    """Whether it is the "3." or "3)" that opens a line."""
    end = match.end("number")
    bare = match["number"].isdigit() and len(match["number"]) <= 2 and not (match["currency"] or match["unit"])
    follows = text[end : end + 2]
    return (
        bare
        and follows in {". ", ") ", ".\n"}
        and _LIST_NUMBER.search(text, max(0, match.start() - 24), match.start()) is not None
    )


def _quantity(text: str, match: re.Match[str], language: str) -> Quantity:
    number, places = _decimal(match["number"], language)
    if match["fraction"]:
        number, places = number + Decimal(str(unicodedata.numeric(match["fraction"]))), 2
    step = Decimal(1).scaleb(-places)
    currency = match["currency"].strip(_SPACES).casefold()
    word = match["scale"].strip(_SPACES + "-").casefold()
    unit = match["unit"].strip(_SPACES + "-\\").casefold()
    factor = SCALES.get(word, Decimal(1))
    if word in SHORT_SCALES:
        if currency:
            factor = SHORT_SCALES[word]
        else:
            word, unit = "", unit or word
    factor *= _power(match["power"])
    dimension, size = UNITS.get(CURRENCIES[currency].casefold() if currency else unit, (None, Decimal(1)))
    closed = match["early"] or match["close"]
    parenthesised = bool(
        match["inner"] or (match["open"] and closed and (currency or unit or word or not match["number"].isdigit()))
    )
    negative = bool((match["sign"] + match["sign2"]).strip("+")) or parenthesised
    value = number * factor * size
    return Quantity(
        -value if negative else value,
        dimension,
        step * factor * size,
        match.start(),
        match.end(),
        bool(word),
        not parenthesised and _LOSS.search(text, max(0, match.start() - 60), match.start()) is None,
        size,
    )


def _decimal(written: str, language: str) -> tuple[Decimal, int]:
    """The number and how many digits stand behind its decimal point."""
    plain = re.sub("['\u2019\u00a0\u202f\u2009]", "", written)
    comma = language[:2].casefold() in _COMMA_LANGUAGES
    if re.fullmatch(r"\d{1,3}(?:\.\d{3})+,\d+|\d{1,3}(?:\.\d{3}){2,}", plain) or (
        comma and re.fullmatch(r"[1-9]\d{0,2}\.\d{3}", plain)
    ):
        plain = plain.replace(".", "").replace(",", ".")
    elif re.fullmatch(r"\d{1,3}(?:,\d{2,3})*,\d{3}(?:\.\d+)?", plain) and not (comma and plain.count(",") == 1):
        plain = plain.replace(",", "")
    else:
        plain = plain.replace(",", ".")
    return Decimal(plain), len(plain.partition(".")[2])


def _power(written: str) -> Decimal:
    """10 to the power of the last number written: of "e9" and of "x 10^9" alike."""
    exponent = _EXPONENT.search(written.replace("\u2212", "-"))
    return Decimal(1).scaleb(int(exponent[0])) if exponent else Decimal(1)


def _in_words(text: str) -> Iterator[Quantity]:
    """Numbers that are written out, with the scale and the unit behind them."""
    for value, start, end in spelled_out(text):
        behind = _BEHIND_WORDS.match(text, end)
        scale, unit = behind.groups() if behind else (None, None)
        factor = SCALES[scale.casefold()] if scale else Decimal(1)
        dimension, size = UNITS[unit.casefold()] if unit else (None, Decimal(1))
        until = behind.end() if behind else end
        yield Quantity(
            value * factor * size, dimension, factor * size, start, until, scaled=scale is not None, size=size
        )
