"""Columns answer every filter as `matches` does."""

from __future__ import annotations

import pytest

from rag.index.columns import Columns, ColumnsBuilder
from rag.index.filters import And, Eq, Exists, Filter, In, Not, Or, Range, matches
from rag.testing.store import FILTER_CASES, sample_points

PAYLOADS = [
    *(dict(point.payload) for point in sample_points(60)),
    {},
    {"page": None},
    {"page": True, "public": 1, "score": 1},
    {"page": 1.0, "groups": []},
    {"page": 2**70, "kind": "\ud800 odd"},
    {"page": [1, "2", True, None], "late": "only here"},
]


def built(payloads: list[dict[str, object]]) -> Columns:
    builder = ColumnsBuilder()
    builder.add(payloads[:7])
    builder.add(payloads[7:])
    return builder.columns()


@pytest.mark.parametrize("joined", [False, True])
@pytest.mark.parametrize(
    "condition",
    [
        *FILTER_CASES,
        Eq("page", 2**70),
        Eq("page", 1),
        Eq("late", "only here"),
        Exists("page"),
        Eq("kind", "\ud800 odd"),
    ],
    ids=repr,
)
def test_agrees_with_the_definition(condition: Filter, joined: bool) -> None:
    payloads = PAYLOADS if _is_comparable(condition) else PAYLOADS[:-1]
    columns = built(payloads[:20]).extended(built(payloads[20:])) if joined else built(payloads)
    assert columns.is_whole()
    assert columns.matching(condition).tolist() == [matches(condition, payload) for payload in payloads]


def _is_comparable(condition: Filter) -> bool:
    """Whether it asks for no order, which a list that holds `None` does not have."""
    match condition:
        case Range():
            return False
        case And(parts) | Or(parts):
            return all(_is_comparable(part) for part in parts)
        case Not(part):
            return _is_comparable(part)
        case Eq() | In() | Exists():
            return True


def test_a_builder_can_be_asked_in_between() -> None:
    builder = ColumnsBuilder()
    builder.add([{"a": 1}, {"a": "1"}])
    early = builder.columns()
    builder.add([{"b": 2}, {"a": 1.0}])
    assert early.matching(Eq("a", 1)).tolist() == [True, False]
    assert builder.columns().matching(Eq("a", 1)).tolist() == [True, False, False, True]
    assert builder.columns().matching(Eq("b", 2)).tolist() == [False, False, True, False]


def test_numbers_without_a_value_are_noticed() -> None:
    columns = built(PAYLOADS)
    columns.fields["page"].numbers[3] = 99
    assert not columns.is_whole()
