"""Years, quarters, months and days that a question or the name of a document speaks of."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

from plumbline.text.dates import find_dates

_LONGEST_SPAN = 30  # years from first to last in "from 1998 to 2004"; more is no list of years
_QUARTERS = {"first": 1, "second": 2, "third": 3, "fourth": 4, "1st": 1, "2nd": 2, "3rd": 3, "4th": 4}
_YEAR = r"(?P<year>(?:19|20)\d\d)"
_FISCAL = r"(?:FY|fiscal(?:\s+years?)?|the|of|in|ended|,|-|_|\s)*"
_QUARTER = rf"(?:Q(?P<digit>[1-4])|(?P<before>[1-4])Q|(?P<word>{'|'.join(_QUARTERS)})\s+(?:fiscal\s+)?quarter)"
_PATTERNS = (
    re.compile(rf"(?<![\d.]){_YEAR}[\s_-]*{_QUARTER}(?![\d])", re.IGNORECASE),
    re.compile(rf"(?<![\dA-Za-z]){_QUARTER}(?![\d]){_FISCAL}{_YEAR}(?![\d])", re.IGNORECASE),
    re.compile(
        rf"(?<![\dA-Za-z]){_QUARTER}\s*(?:of\s+)?(?:FY\s*)?['\u2019]?(?P<short>\d\d)(?![\w%]|[.,]\d)", re.IGNORECASE
    ),
    re.compile(rf"\bFY[\s_'\u2019-]*(?:{_YEAR}|(?P<short>\d\d))(?![\d.,]\d|\d)", re.IGNORECASE),
    re.compile(r"(?<!\d)(?P<year>(?:19|20)\d\d)[-_.]?(?P<month>0[1-9]|1[0-2])[-_.]?(?P<day>0[1-9]|[12]\d|3[01])(?!\d)"),
    re.compile(r"(?<![\w-])(?P<year>(?:19|20)\d\d)-(?P<month>0[1-9]|1[0-2])(?![\w-])"),
    re.compile(rf"(?<![\d.,$€£])(?:(?<=[\W_])|(?<=\A)){_YEAR}(?![\d%]|[.,]\d)"),
)
_UNTIL = re.compile(r"\s*(?:-|–|—|to|through|until|bis|à|al?)\s*(?:FY\s*)?", re.IGNORECASE)
_LISTED = re.compile(r"\s*(?:,|;|/|and|or|und|oder|y|et|e|ou|vs\.?|versus)\s*(?:FY\s*)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Period:
    """A year, or the part of it that is named; text[start:end] says so."""

    year: int
    quarter: int | None = None
    month: int | None = None
    day: int | None = None
    start: int = 0
    end: int = 0

    def fits(self, other: Period) -> bool:
        """Whether no part that both name differs."""
        ours, theirs = self._parts(), other._parts()
        return all(a == b for a, b in zip(ours, theirs, strict=True) if a is not None and b is not None)

    def _parts(self) -> tuple[int | None, ...]:
        quarter = self.quarter or ((self.month + 2) // 3 if self.month else None)
        return self.year, quarter, self.month, self.day


def periods(text: str) -> list[Period]:
    """The periods a text names, in order, none inside another."""
    taken = bytearray(len(text))
    found: list[Period] = []
    for pattern in _PATTERNS[:-1]:
        found.extend(_period(match) for match in pattern.finditer(text) if _take(taken, *match.span()))
    found.extend(
        Period(date.year, None, date.month, date.day, date.start, date.end)
        for date in find_dates(text)
        if date.year is not None and not date.decade and _take(taken, date.start, date.end)
    )
    found.extend(_period(match) for match in _PATTERNS[-1].finditer(text) if _take(taken, *match.span()))
    return sorted(found, key=lambda each: each.start)


def runs(text: str, found: list[Period]) -> list[list[Period]]:
    """The periods in runs, each of those that the text lists ("2021 and 2022") or joins ("2019 to 2022")."""
    together: list[list[Period]] = []
    for each in found:
        last = together[-1][-1] if together else None
        if last and any(way.fullmatch(text, last.end, each.start) for way in (_LISTED, _UNTIL)):
            together[-1].append(each)
        else:
            together.append([each])
    return together


def years_between(text: str, found: list[Period]) -> list[Period]:
    """The whole years between two that a text joins, as "FY2019 to FY2022" does 2020 and 2021."""
    between: list[Period] = []
    for first, last in pairwise(found):
        joined = _UNTIL.fullmatch(text, first.end, last.start)
        if joined and first.year < last.year <= first.year + _LONGEST_SPAN:
            between.extend(Period(year) for year in range(first.year + 1, last.year))
    return between


def _take(taken: bytearray, start: int, end: int) -> bool:
    """Whether text[start:end] was free; it is then taken."""
    if any(taken[start:end]):
        return False
    taken[start:end] = b"\1" * (end - start)
    return True


def _period(match: re.Match[str]) -> Period:
    parts = match.groupdict()
    year = int(parts["year"]) if parts.get("year") else 2000 + int(parts["short"])
    digit, word = parts.get("digit") or parts.get("before"), parts.get("word")
    quarter = int(digit) if digit else _QUARTERS[word.lower()] if word else None
    month, day = (int(parts[name]) if parts.get(name) else None for name in ("month", "day"))
    return Period(year, quarter, month, day, *match.span())
