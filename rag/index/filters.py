"""The filter language: one typed tree, the same on every store, proven by `rag.testing.store`.

A payload maps field names to scalars or to lists of strings. A comparison holds for a list when it holds for any of its
elements; on a missing field every comparison is false, and `Not` of it is therefore true. Values of different types
(text and number) are never equal and never ordered; dates are compared as ISO 8601 text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Value = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Eq:
    """The field equals `value`."""

    field: str
    value: Value


@dataclass(frozen=True, slots=True)
class In:
    """The field equals one of `values`; an empty tuple matches nothing."""

    field: str
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Range:
    """The field lies within the bounds given; `None` leaves a side open."""

    field: str
    gte: Value | None = None
    gt: Value | None = None
    lte: Value | None = None
    lt: Value | None = None


@dataclass(frozen=True, slots=True)
class Exists:
    """The payload has the field."""

    field: str


@dataclass(frozen=True, slots=True)
class And:
    """Every part matches; an empty `And` matches everything."""

    parts: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """At least one part matches; an empty `Or` matches nothing."""

    parts: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """`part` does not match."""

    part: Filter


Filter = Eq | In | Range | Exists | And | Or | Not


def matches(condition: Filter, payload: Mapping[str, Any]) -> bool:
    """Whether `payload` satisfies `condition`: the definition every store must agree with."""
    match condition:
        case And(parts):
            return all(matches(part, payload) for part in parts)
        case Or(parts):
            return any(matches(part, payload) for part in parts)
        case Not(part):
            return not matches(part, payload)
        case Exists(field):
            return payload.get(field) is not None
        case Eq(field, value):
            return any(_equal(found, value) for found in _values(payload, field))
        case In(field, values):
            return any(_equal(found, value) for found in _values(payload, field) for value in values)
        case Range():
            return any(_within(found, condition) for found in _values(payload, condition.field))


def _values(payload: Mapping[str, Any], field: str) -> list[Any]:
    found = payload.get(field)
    if found is None:
        return []
    return list(found) if isinstance(found, list | tuple) else [found]


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    return "number" if isinstance(value, int | float) else "text"


def _equal(found: Any, value: Value) -> bool:
    return _kind(found) == _kind(value) and bool(found == value)


def _within(found: Any, bounds: Range) -> bool:
    limits = (bounds.gte, bounds.gt, bounds.lte, bounds.lt)
    if any(limit is not None and _kind(limit) != _kind(found) for limit in limits):
        return False
    return (
        (bounds.gte is None or found >= bounds.gte)
        and (bounds.gt is None or found > bounds.gt)
        and (bounds.lte is None or found <= bounds.lte)
        and (bounds.lt is None or found < bounds.lt)
    )
