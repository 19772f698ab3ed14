"""The filter language as text, both ways: `parse_filter` reads it (its grammar is in `rag.index.filter_parse`),
`filter_text` writes it.
"""

from __future__ import annotations

import math
import re

from plumbline.errors import InputError
from rag.index.filter_parse import parse_filter
from rag.index.filter_tokens import KEYWORDS
from rag.index.filters import And, Eq, Exists, Filter, In, Not, Or, Range, Value

__all__ = ["filter_text", "parse_filter"]

_PLAIN_NAME = re.compile(r"[^\W\d][\w.-]*")
_FULL_DATE = re.compile(r"\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])", re.ASCII)  # of days that every month has


def filter_text(condition: Filter) -> str:
    """The text of a filter, which `parse_filter` reads as an equal one.

    A lone part of `And` and `Or` stands for itself, and of two bounds on one side the narrower is written. Raises
    `InputError` for what text cannot say: a range without bounds, a number that is not finite.
    """
    return _text(condition, inside=False)


def _text(condition: Filter, *, inside: bool) -> str:
    """`inside` puts parentheses around what could be read in another way where it stands."""
    match condition:
        case And((part,)) | Or((part,)):
            return _text(part, inside=inside)
        case And(()):
            return "true"
        case Or(()):
            return "false"
        case And(parts) | Or(parts):
            word = " and " if isinstance(condition, And) else " or "
            joined = word.join(_text(part, inside=True) for part in parts)
            return f"({joined})" if inside else joined
        case Not(part):
            return _negated(part)
        case Exists(name):
            return f"exists({_name(name)})"
        case Eq(name, value):
            return f"{_name(name)} = {_value(value)}"
        case In(name, values):
            return f"{_name(name)} in ({', '.join(map(_value, values))})"
        case Range():
            return _range(condition)


def _negated(part: Filter) -> str:
    match part:
        case And((inner,)) | Or((inner,)):
            return _negated(inner)
        case Eq(name, value):
            return f"{_name(name)} != {_value(value)}"
        case In(name, values):
            return f"{_name(name)} not in ({', '.join(map(_value, values))})"
        case Exists(name):
            return f"missing({_name(name)})"
        case Range() if _of_several_kinds(part):
            return _negated(In(part.field, ()))
    return f"not {_text(part, inside=True)}"


def _range(bounds: Range) -> str:
    name = _name(bounds.field)
    if not _given(bounds):
        raise InputError(f"The range of {bounds.field} has no bound.", hint="Give gte, gt, lte or lt, or use Exists.")
    if _of_several_kinds(bounds):
        return f"{name} in ()"
    low = _lower(bounds.gte, bounds.gt)
    high = _upper(bounds.lte, bounds.lt)
    if low and high:
        return f"{low[1]} {low[0]} {name} {high[0]} {high[1]}"
    if low:
        return f"{name} {'>' if low[0] == '<' else '>='} {low[1]}"
    assert high is not None  # one bound was given
    return f"{name} {high[0]} {high[1]}"


def _given(bounds: Range) -> list[Value]:
    return [bound for bound in (bounds.gte, bounds.gt, bounds.lte, bounds.lt) if bound is not None]


def _of_several_kinds(bounds: Range) -> bool:
    """Whether it compares with text and with a number, say, so that nothing is within it."""
    return len({(isinstance(bound, bool), isinstance(bound, str)) for bound in _given(bounds)}) > 1


def _lower(gte: Value | None, gt: Value | None) -> tuple[str, str] | None:
    """ "<=" or "<" and the value that stands before it: the narrower of the two bounds."""
    if gt is not None and (gte is None or gt >= gte):  # type: ignore[operator]  # both are of one kind
        return "<", _value(gt)
    return None if gte is None else ("<=", _value(gte, days=True))


def _upper(lte: Value | None, lt: Value | None) -> tuple[str, str] | None:
    if lt is not None and (lte is None or lt <= lte):  # type: ignore[operator]  # both are of one kind
        return "<", _value(lt, days=True)
    return None if lte is None else ("<=", _value(lte))


def _name(field: str) -> str:
    if _PLAIN_NAME.fullmatch(field) and field.lower() not in KEYWORDS:
        return field
    if not field:
        raise InputError("A filter names a field without a name.")
    return "`" + field.replace("`", "``") + "`"


def _value(value: Value, *, days: bool = False) -> str:
    """With `days` a date need not be quoted: its first moment is meant, whether it is read as text or as a day."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        bare = days and _FULL_DATE.fullmatch(value)
        return value if bare else "'" + value.replace("'", "''") + "'"
    if not math.isfinite(value):
        raise InputError(f"A filter compares with {value}, which is no number.")
    return repr(value)
