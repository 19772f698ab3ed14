"""The filter language as Qdrant's conditions. This module imports qdrant_client; import it lazily."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from qdrant_client import models

from plumbline.errors import InputError
from rag.index.checks import double
from rag.index.filters import And, Eq, Exists, Filter, In, Not, Or, Range, Value, matches
from rag.index.qdrant import fields

Condition = models.Filter | models.FieldCondition | models.NestedCondition | bool
"""`True` holds for every point and `False` for none; neither is ever sent."""
_LARGEST = 1.7976931348623157e308


def to_filter(condition: Filter | None) -> models.Filter | bool:
    """What Qdrant is asked for; `True` for no filter at all, `False` when nothing can match. Raises `InputError`."""
    translated = True if condition is None else _translate(condition)
    if isinstance(translated, bool | models.Filter):
        return translated
    return models.Filter(must=[translated])


def ranges(condition: Filter | None) -> Iterator[tuple[str, type]]:
    """The fields whose order the filter asks for, each with `float` or `str`: they need an index."""
    match condition:
        case And(parts) | Or(parts):
            for part in parts:
                yield from ranges(part)
        case Not(part):
            yield from ranges(part)
        case Range(field):
            for bound in _bounds(condition):
                if not isinstance(bound, bool):
                    yield field, str if isinstance(bound, str) else float


def _translate(condition: Filter) -> Condition:
    match condition:
        case And(parts):
            return _all([_translate(part) for part in parts])
        case Or(parts):
            return _any([_translate(part) for part in parts])
        case Not(part):
            return _not(_translate(part))
        case Exists(field):
            return _fact(fields.has_field(field))
        case Eq(field, value):
            return _one_of(field, (value,))
        case In(field, values):
            return _one_of(field, values)
        case Range():
            return _range(condition)


def _all(parts: Sequence[Condition]) -> Condition:
    if any(part is False for part in parts):
        return False
    rest: list[models.Condition] = [part for part in parts if not isinstance(part, bool)]
    return models.Filter(must=rest) if rest else True


def _any(parts: Sequence[Condition]) -> Condition:
    if any(part is True for part in parts):
        return True
    rest: list[models.Condition] = [part for part in parts if not isinstance(part, bool)]
    return models.Filter(should=rest) if rest else False


def _not(part: Condition) -> Condition:
    return not part if isinstance(part, bool) else models.Filter(must_not=[part])


def _fact(keyword: str) -> models.FieldCondition:
    return models.FieldCondition(key=fields.FACTS, match=models.MatchValue(value=keyword))


def _one_of(field: str, values: Sequence[Value]) -> Condition:
    wanted = [value for value in values if not (isinstance(value, float) and math.isnan(value))]
    if not wanted:
        return False
    if field == fields.TENANT and all(isinstance(value, str) for value in wanted):
        return models.FieldCondition(key=fields.TENANT, match=models.MatchAny(any=[str(value) for value in wanted]))
    keywords = [fields.fact(field, value) for value in wanted]
    if len(keywords) == 1:
        return _fact(keywords[0])
    return models.FieldCondition(key=fields.FACTS, match=models.MatchAny(any=keywords))


def _bounds(bounds: Range) -> list[Value]:
    return [bound for bound in (bounds.gte, bounds.gt, bounds.lte, bounds.lt) if bound is not None]


def _range(bounds: Range) -> Condition:
    given = _bounds(bounds)
    if not given:
        return _fact(fields.has_value(bounds.field))
    if all(isinstance(bound, bool) for bound in given):
        return _one_of(bounds.field, tuple(v for v in (False, True) if matches(bounds, {bounds.field: v})))
    if all(isinstance(bound, str) for bound in given):
        return _text_range(bounds)
    if any(isinstance(bound, bool | str) or math.isnan(double(bound)) for bound in given):
        return False
    return _number_range(bounds)


def _number_range(bounds: Range) -> Condition:
    """Numbers are compared as doubles. An infinite bound is no bound: every number that is stored is finite."""
    given = {"gte": bounds.gte, "gt": bounds.gt, "lte": bounds.lte, "lt": bounds.lt}
    limits = {name: double(limit) for name, limit in given.items() if isinstance(limit, int | float)}
    if math.inf in {limits.get("gte"), limits.get("gt")} or -math.inf in {limits.get("lte"), limits.get("lt")}:
        return False
    limits = {name: limit for name, limit in limits.items() if math.isfinite(limit)}
    # Without any limit left, "is a number" is still asked.
    key = f"{fields.NUMBERS}.{fields.safe(bounds.field)}"
    return models.FieldCondition(key=key, range=models.Range(**(limits or {"lte": _LARGEST})))


def _text_range(bounds: Range) -> Condition:
    """One text must lie within all bounds: its pieces are one object of a list, which a nested filter looks at."""
    conditions: list[models.Condition] = []
    for bound, side, equal in (
        (bounds.gte, "gt", True),
        (bounds.gt, "gt", False),
        (bounds.lte, "lt", True),
        (bounds.lt, "lt", False),
    ):
        if isinstance(bound, str):
            conditions.append(_text_bound(bounds.field, bound, side, equal=equal))
    inner = models.Filter(must=conditions)
    nested = models.Nested(key=f"{fields.TEXTS}.{fields.safe(bounds.field)}", filter=inner)
    return models.NestedCondition(nested=nested)


def _text_bound(field: str, bound: str, side: str, *, equal: bool) -> models.Filter:
    """Before or after `bound` at the first piece that differs."""
    if len(bound.encode("utf-8", "surrogatepass")) > fields.LONGEST_BOUND:
        raise InputError(
            f"The bound '{bound[:40]}…' of {field} has more than {fields.LONGEST_BOUND} bytes.",
            hint="A Qdrant store orders text by its beginning: shorten the bound.",
        )
    wanted = fields.pieces(bound)

    def exactly(at: int) -> models.FieldCondition:
        return _piece(at, gte=wanted[at], lte=wanted[at])

    ways: list[models.Condition] = [
        models.Filter(must=[*(exactly(before) for before in range(at)), _piece(at, **{side: wanted[at]})])
        for at in range(len(wanted))
    ]
    if equal:
        ways.append(models.Filter(must=[exactly(at) for at in range(len(wanted))]))
    return models.Filter(should=ways)


def _piece(at: int, **limits: int) -> models.FieldCondition:
    return models.FieldCondition(key=f"p{at}", range=models.Range(**limits))
