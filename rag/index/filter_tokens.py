"""The words of a filter's text: fields, operators and values, each with its place."""

from __future__ import annotations

import math
import re
import unicodedata
from dataclasses import dataclass
from datetime import date, timedelta

from plumbline.errors import InputError
from rag.index.filters import Value

KEYWORDS = frozenset({"and", "or", "not", "in", "between", "exists", "missing", "true", "false"})
_BEFORE, _FROM = 36, 36  # characters that an error shows before the place and from there on
_EXAMPLE = "A filter reads like: date >= 2023 and type in ('text/html', 'application/pdf')"
_TOKEN = re.compile(
    r"""\s*(?:(?P<operator>!=|<>|<=|>=|==|[=<>(),])
    |(?P<quoted>'(?:[^']|'')*'|"(?:[^"]|"")*")
    |(?P<name>`(?:[^`]|``)+`)
    |(?P<word>[^\s=<>!(),'"`]+)
    |(?P<end>\Z)
    |(?P<other>.))""",
    re.VERBOSE | re.DOTALL,
)
_NUMBER = re.compile(r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[-+]?\d+)?", re.ASCII | re.IGNORECASE)
_DATE = re.compile(r"(?P<year>\d{4})(?:-(?P<month>\d\d)(?:-(?P<day>\d\d))?)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Token:
    """text[start:end] of a filter, unwrapped if it is a name or a quoted text.

    `kind` is "operator", "quoted", "name" (in backticks), "word", "keyword" (in lower case) or "end".
    """

    kind: str
    text: str
    start: int
    end: int

    @property
    def shown(self) -> str:
        """What an error calls it."""
        return "the end" if self.kind == "end" else f'"{self.text}"'

    def is_(self, *texts: str) -> bool:
        """Whether it is one of these operators or keywords."""
        return self.kind in ("operator", "keyword") and self.text in texts


def tokens(text: str) -> list[Token]:
    """The tokens of a filter, the last one "end"; raises `InputError` for what is none."""
    found = []
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup or "end"
        start, end = match.span(kind)
        if kind == "other":
            what = "is not closed" if match[kind] in "'\"`" else "means nothing here"
            raise error_at(text, start, end, f"In the filter, {match[kind]} {what}.")
        found.append(_token(kind, match[kind], start, end))
        if kind == "end":
            break
    return found


def _token(kind: str, written: str, start: int, end: int) -> Token:
    if kind in ("quoted", "name"):
        mark = written[0]
        return Token(kind, written[1:-1].replace(mark * 2, mark), start, end)
    if kind == "word" and written.lower() in KEYWORDS:
        return Token("keyword", written.lower(), start, end)
    return Token(kind, written, start, end)


def error_at(text: str, start: int, end: int, message: str, advice: str | None = None) -> InputError:
    """An error that shows text[start:end] in its line, with a mark under it, in fewer than 80 columns."""
    before = text[max(text.rfind("\n", 0, start) + 1, start - _BEFORE) : start]
    rest = text[start:].split("\n", 1)[0][:_FROM]
    mark = "^" * max(1, _width(rest[: end - start]))
    line = "".join(char if char.isprintable() else " " for char in before + rest)
    return InputError(message, hint=f"{advice or _EXAMPLE}\n    {line}\n    {' ' * _width(before)}{mark}")


def _width(text: str) -> int:
    """The columns of a terminal that the text takes."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )


def is_literal(token: Token) -> bool:
    """Whether it can be nothing but a value: a quoted text, a number, a date, true or false."""
    number = token.kind == "word" and (token.text[0].isdigit() or _NUMBER.fullmatch(token.text) is not None)
    return number or token.kind == "quoted" or token.is_("true", "false")


def plain_value(token: Token) -> Value | None:
    """The value a token stands for; `None`: none. Raises `ValueError` for a number that is too large."""
    if token.is_("true", "false"):
        return token.text == "true"
    if token.kind == "word" and _NUMBER.fullmatch(token.text):
        number = float(token.text)
        if not math.isfinite(number):
            raise ValueError("the number is too large")
        return number if any(char in token.text for char in ".eE") else int(token.text)
    return token.text if token.kind in ("word", "quoted") else None


def period(token: Token) -> tuple[str, str] | None:
    """The year, month or day that a bare date names, and the next one, as ISO 8601 text; `None`: it is none.

    Raises `ValueError` for a day that no calendar has.
    """
    match = _DATE.fullmatch(token.text) if token.kind == "word" else None
    if match is None:
        return None
    year, month, day = (int(part) if part else None for part in match.groups())
    first = date(year or 0, month or 1, day or 1)
    if first.year == date.max.year:  # the next one could not be written
        raise ValueError(f"dates end before the year {date.max.year}")
    if day:
        following = first + timedelta(days=1)
    else:
        following = date(first.year + (not month or month == 12), (first.month % 12 + 1) if month else 1, 1)
    return token.text, following.isoformat()[: len(token.text)]
