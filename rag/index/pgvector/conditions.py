"""The filter language as SQL over the payload, a jsonb column: jsonpath means by comparison what we mean.

It unwraps lists, orders text by code point, and finds values of different types neither equal nor ordered. Every
condition is true or false, never null.
"""

from __future__ import annotations

import json
import math

from rag.index.checks import double
from rag.index.filters import And, Eq, Exists, Filter, In, Not, Or, Range, Value, matches

MANY_VALUES = 50
"""A path with more alternatives than this is slower than a comparison with an array."""

Sql = tuple[str, list[object]]
"""A condition on `p.payload`, and the values of its placeholders."""


def to_sql(condition: Filter | None) -> Sql:
    """The condition of a filter."""
    match condition:
        case None:
            return "true", []
        case And(parts):
            return _joined(" AND ", parts, empty="true")
        case Or(parts):
            return _joined(" OR ", parts, empty="false")
        case Not(part):
            inner, values = to_sql(part)
            return f"NOT ({inner})", values
        case Exists(field):
            return "coalesce(p.payload -> %s::text, 'null'::jsonb) <> 'null'::jsonb", [field]
        case Eq(field, value):
            return _one_of(field, (value,))
        case In(field, values_of):
            return _one_of(field, values_of)
        case Range():
            return _range(condition)


def _joined(word: str, parts: tuple[Filter, ...], *, empty: str) -> Sql:
    made = [to_sql(part) for part in parts]
    if not made:
        return empty, []
    return f"({word.join(sql for sql, _ in made)})", [value for _, values in made for value in values]


def _one_of(field: str, values: tuple[Value, ...]) -> Sql:
    wanted = [value for value in values if not (isinstance(value, float) and not math.isfinite(value))]
    if not wanted:
        return "false", []
    if len(wanted) > MANY_VALUES:
        path = f"$.{_literal(field)}[*]"
        held = "SELECT 1 FROM jsonb_path_query(p.payload, %s::jsonpath) AS held WHERE held = ANY(%s::jsonb[])"
        return f"EXISTS ({held})", [path, [json.dumps(value) for value in wanted]]
    return _path(field, " || ".join(f"@ == {_literal(value)}" for value in wanted))


def _range(bounds: Range) -> Sql:
    given = {">=": bounds.gte, ">": bounds.gt, "<=": bounds.lte, "<": bounds.lt}
    limits = {sign: limit for sign, limit in given.items() if limit is not None}
    if not limits:
        return _path(bounds.field, "@ != null || @ == null")
    if all(isinstance(limit, bool) for limit in limits.values()):
        return _one_of(bounds.field, tuple(v for v in (False, True) if matches(bounds, {bounds.field: v})))
    if all(isinstance(limit, str) for limit in limits.values()):
        return _path(bounds.field, " && ".join(f"@ {sign} {_literal(limit)}" for sign, limit in limits.items()))
    numbers = {
        sign: double(limit)
        for sign, limit in limits.items()
        if isinstance(limit, int | float) and not isinstance(limit, bool)
    }
    return _number_range(bounds.field, numbers, limits) if len(numbers) == len(limits) else ("false", [])


def _number_range(field: str, as_float: dict[str, float], limits: dict[str, Value]) -> Sql:
    """An infinite bound is no bound: every number that is stored is finite."""
    empty = {">=": math.inf, ">": math.inf, "<=": -math.inf, "<": -math.inf}
    if any(math.isnan(limit) or limit == empty[sign] for sign, limit in as_float.items()):
        return "false", []
    finite = [f"@ {sign} {_literal(limits[sign])}" for sign, limit in as_float.items() if math.isfinite(limit)]
    return _path(field, " && ".join(finite) or '@.type() == "number"')


def _path(field: str, test: str) -> Sql:
    return "p.payload @? %s::jsonpath", [f"$.{_literal(field)} ? ({test})"]


def _literal(value: Value) -> str:
    return json.dumps(value, ensure_ascii=False)
