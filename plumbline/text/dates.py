"""Finds dates in text, whole or in part: "May 18, 2018", "18. Mai 2018", "2018-05-18", "May 2018", "2018", "the 1990s".

Month names of English, Spanish, German, French, Italian and Portuguese. "03/04/2018" may be either order, and is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import product

_MONTHS = (
    "january jan enero januar janvier gennaio janeiro",
    "february feb febrero februar février febbraio fevereiro",
    "march mar marzo märz mars março",
    "april apr abril avril aprile",
    "may mayo mai maggio maio",
    "june jun junio juni juin giugno junho",
    "july jul julio juli juillet luglio julho",
    "august aug agosto août",
    "september sep sept septiembre septembre settembre setembro",
    "october oct octubre oktober octobre ottobre outubro",
    "november nov noviembre novembre novembro",
    "december dec diciembre dezember décembre dicembre dezembro",
)
MONTHS = {name: number for number, names in enumerate(_MONTHS, 1) for name in names.split()}
_MONTH = rf"(?P<month>{'|'.join(sorted(MONTHS, key=len, reverse=True))})\b\.?"
_YEAR = r"(?P<year>1[0-9]\d\d|20\d\d|2100)(?![\d%]|[.,]\d|[-/]\d\d?\b(?![-/]?\d))"
_DAY = r"(?P<day>0?[1-9]|[12]\d|3[01])(?:st|nd|rd|th|\.|º|er)?"
_OF = r"(?:\s+(?:of|de|del|di)\b)?"
_FREE = r"(?<![\w.,/-])"
_TWO_DIGITS = r"0?[1-9]|[12]\d|3[01]"
_PATTERNS = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"{_FREE}(?P<year>1\d\d\d|20\d\d)[-/.](?P<month>0?[1-9]|1[0-2])[-/.](?P<day>{_TWO_DIGITS})(?![\d/-])",
        rf"{_FREE}(?P<first>{_TWO_DIGITS})([-/.])(?P<second>{_TWO_DIGITS})\2(?P<year>1\d\d\d|20\d\d)(?![\d/-])",
        rf"(?<!\w){_MONTH}\s+(?:the\s+)?{_DAY}(?:\s*[-–]\s*\d\d?(?:st|nd|rd|th)?)?,?{_OF}\s+{_YEAR}",
        rf"{_FREE}{_DAY}{_OF}\s+{_MONTH},?{_OF}\s+{_YEAR}",
        rf"(?<!\w){_MONTH},?{_OF}\s+{_YEAR}",
        rf"(?<!\w){_MONTH}\s+(?:the\s+)?{_DAY}(?![\w%]|[.,]\d)",
        rf"{_FREE}{_DAY}{_OF}\s+{_MONTH}(?!\w)",
        r"(?<![\w$€£.,/-])(?P<decade>1\d\d|20\d)0['\u2019]?s\b",
        rf"(?<![\w$€£.,/-]){_YEAR}(?![^\W_])",
        rf"(?<=\d\d\d\d[-–/]){_YEAR}(?!\w)",
    )
]
_CURRENCY = re.compile(r"(?:[$€£¥₹]|\bUSD|\bEUR|\bGBP)\s?$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class PartialDate:
    """text[start:end] names this day, month, year, or decade (then `year` is its first and `decade` is true)."""

    year: int | None
    month: int | None
    day: int | None
    start: int
    end: int
    decade: bool = False
    swapped: bool = False

    def agrees(self, other: PartialDate) -> bool:
        """Whether no part that both name differs, and they name a part in common."""
        pairs = [(self.year, other.year), (self.month, other.month), (self.day, other.day)]
        if self.decade or other.decade:
            return self.year is not None and other.year is not None and self.year // 10 == other.year // 10
        common = [(one, two) for one, two in pairs if one is not None and two is not None]
        return bool(common) and (
            all(one == two for one, two in common)
            or any(a == b for a, b in product(_orders(self), _orders(other)) if self.swapped or other.swapped)
        )


def find_dates(text: str) -> list[PartialDate]:
    """The dates of `text`, in order, none inside another. A bare number counts as a year from 1000 to 2100."""
    taken = bytearray(len(text))
    found: list[PartialDate] = []
    for pattern in _PATTERNS:
        for match in pattern.finditer(text):
            start, end = match.span()
            if any(taken[start:end]) or _CURRENCY.search(text, max(0, start - 5), start):
                continue
            taken[start:end] = b"\1" * (end - start)
            found.append(_date(match))
    return sorted(found, key=lambda date: date.start)


def _date(match: re.Match[str]) -> PartialDate:
    parts = match.groupdict()
    start, end = match.span()
    if parts.get("decade"):
        return PartialDate(int(parts["decade"]) * 10, None, None, start, end, decade=True)
    year = int(parts["year"]) if parts.get("year") else None
    if parts.get("first"):
        first, second = int(parts["first"]), int(parts["second"])
        month, day = (second, first) if first > 12 else (first, second)
        return PartialDate(year, month, day, start, end, swapped=first <= 12 and second <= 12 and first != second)
    name = (parts.get("month") or "").casefold()
    named = MONTHS.get(name) or (int(name) if name else None)
    return PartialDate(year, named, int(parts["day"]) if parts.get("day") else None, start, end)


def _orders(date: PartialDate) -> list[tuple[int | None, int | None, int | None]]:
    given = (date.year, date.month, date.day)
    return [given, (date.year, date.day, date.month)] if date.swapped else [given]
