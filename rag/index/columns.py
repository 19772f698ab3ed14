"""Payloads as columns, so that a filter is worked out once per distinct value instead of once per point.

Each field has a dictionary of the distinct values it takes (a list is one value), and each row a number in it. This
module imports numpy; import it lazily.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from rag.index.filters import And, Eq, Exists, Filter, In, Not, Or, Range, matches
from rag.index.texts import Texts

Flags = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.int32]

MISSING = -1

_encode = json.JSONEncoder(ensure_ascii=False, default=list).encode


class Column:
    """One field: `numbers`, int32[n], says which of `values` (as JSON) each row has, or `MISSING`."""

    def __init__(self, numbers: Numbers, values: Texts) -> None:
        self.numbers = numbers
        self.values = values
        self._by_element: dict[tuple[type, Any], list[int]] | None = None

    def matching(self, condition: Eq | In | Range | Exists) -> Flags:
        """Which rows satisfy a comparison of this field."""
        if isinstance(condition, Eq | In):
            asked = (condition.value,) if isinstance(condition, Eq) else condition.values
            hits = [number for value in asked for number in self._holding().get(_key(value), ())]
        else:
            found = ({condition.field: json.loads(value)} for value in self.values)
            hits = [number for number, payload in enumerate(found) if matches(condition, payload)]
        table = np.zeros(len(self.values) + 1, np.bool_)  # the last for MISSING, which no comparison holds for
        table[hits] = True
        return table[self.numbers]

    def extended(self, other: Column) -> Column:
        """This column with the rows of another behind it."""
        known = {value: number for number, value in enumerate(self.values)}
        fresh = [value for value in other.values if value not in known]
        known |= {value: number for number, value in enumerate(fresh, len(known))}
        into = np.array([*(known[value] for value in other.values), MISSING], np.int32)
        values = Texts.joined([self.values, Texts.of(fresh)])
        return Column(np.concatenate([self.numbers, into[other.numbers]]), values)

    def is_whole(self, count: int) -> bool:
        """Whether it has `count` rows, and a value for each number."""
        numbers, most = self.numbers, len(self.values)
        inside = count == 0 or MISSING <= int(numbers.min()) <= int(numbers.max()) < most
        return numbers.shape == (count,) and inside and self.values.is_whole()

    def _holding(self) -> dict[tuple[type, Any], list[int]]:
        """By scalar, the numbers of the values that are it or hold it."""
        if self._by_element is None:
            found: dict[tuple[type, Any], list[int]] = {}
            for number, text in enumerate(self.values):
                value = json.loads(text)
                for each in value if isinstance(value, list) else [value]:
                    if isinstance(each, str | int | float):
                        found.setdefault(_key(each), []).append(number)
            self._by_element = found
        return self._by_element


def _key(value: Any) -> tuple[type, Any]:
    """Equal exactly for what a filter calls equal: 3 and 3.0 are, 1 and True are not."""
    kind = bool if isinstance(value, bool) else str if isinstance(value, str) else float
    return kind, value


@dataclass(slots=True, eq=False)
class Columns:
    """The fields of `count` rows."""

    count: int = 0
    fields: Mapping[str, Column] = field(default_factory=dict)

    def matching(self, condition: Filter) -> Flags:
        """Which rows satisfy a filter, as `rag.index.filters.matches` defines it."""
        match condition:
            case And(parts):
                found = np.ones(self.count, np.bool_)
                for part in parts:
                    found &= self.matching(part)
                return found
            case Or(parts):
                found = np.zeros(self.count, np.bool_)
                for part in parts:
                    found |= self.matching(part)
                return found
            case Not(part):
                return ~self.matching(part)
            case Eq() | In() | Range() | Exists():
                column = self.fields.get(condition.field)
                return np.zeros(self.count, np.bool_) if column is None else column.matching(condition)

    def extended(self, other: Columns) -> Columns:
        """These rows with those of another behind them."""
        names = dict.fromkeys([*self.fields, *other.fields])
        both = {name: self._column(name).extended(other._column(name)) for name in names}
        return Columns(self.count + other.count, both)

    def is_whole(self) -> bool:
        """Whether every column fits."""
        return all(column.is_whole(self.count) for column in self.fields.values())

    def _column(self, name: str) -> Column:
        found = self.fields.get(name)
        return Column(np.full(self.count, MISSING, np.int32), Texts()) if found is None else found


class _Growing:
    """A column that takes values one after the other."""

    def __init__(self) -> None:
        self.numbers = array("i")
        self.last: tuple[str, int] | None = None
        self._values: dict[Any, int] = {}

    def number(self, value: Any) -> int:
        """The number of a value."""
        # Scalars by their class too: True, 1 and 1.0 are written differently.
        key = (value.__class__, value) if isinstance(value, str | int | float) else _encode(value)
        number = self._values.setdefault(key, len(self._values))
        if value.__class__ is str:
            self.last = value, number
        return number

    def column(self, count: int) -> Column:
        """All rows so far, filled up to `count`."""
        numbers = np.full(count, MISSING, np.int32)
        numbers[: len(self.numbers)] = np.array(self.numbers, np.int32)
        return Column(numbers, Texts.of(_encode(key[1]) if isinstance(key, tuple) else key for key in self._values))


class ColumnsBuilder:
    """Takes payloads one after the other and gives them as columns."""

    def __init__(self) -> None:
        self.count = 0
        self._growing: dict[str, _Growing] = {}
        self._made: Columns | None = None

    def add(self, payloads: Iterable[Mapping[str, Any]]) -> None:
        """Add rows behind the last."""
        self._made = None
        growing, count = self._growing, self.count
        for payload in payloads:
            for name, value in payload.items():
                column = growing.get(name)
                if column is None:
                    column = growing[name] = _Growing()
                numbers, last = column.numbers, column.last
                if len(numbers) < count:
                    numbers.extend([MISSING] * (count - len(numbers)))
                # Points of one document come together, and have most in common.
                numbers.append(last[1] if last and last[0] == value else column.number(value))
            count += 1
        self.count = count

    def columns(self) -> Columns:
        """All rows so far."""
        if self._made is None:
            self._made = Columns(self.count, {name: each.column(self.count) for name, each in self._growing.items()})
        return self._made
