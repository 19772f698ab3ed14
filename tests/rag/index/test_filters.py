"""The meaning of filters, case by case; stores are compared with `matches` by their conformance suite."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.index.filters import And, Eq, Exists, Filter, In, Not, Or, Range, matches

PAYLOAD = {
    "page": 3,
    "kind": "report",
    "public": True,
    "groups": ["staff", "board"],
    "date": "2022-05-01",
    "score": 1.5,
}


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (Eq("page", 3), True),
        (Eq("page", 3.0), True),
        (Eq("page", "3"), False),
        (Eq("public", True), True),
        (Eq("public", 1), False),
        (Eq("groups", "board"), True),
        (Eq("groups", "guests"), False),
        (Eq("missing", "x"), False),
        (In("kind", ("memo", "report")), True),
        (In("kind", ()), False),
        (Range("page", gte=3), True),
        (Range("page", gt=3), False),
        (Range("page", lte=3), True),
        (Range("page", lt=3), False),
        (Range("score", gt=1, lt=2), True),
        (Range("date", gte="2022-01-01", lt="2023-01-01"), True),
        (Range("date", gte=2022), False),
        (Range("missing", gte=0), False),
        (Exists("date"), True),
        (Exists("missing"), False),
        (And(()), True),
        (Or(()), False),
        (Not(Eq("missing", "x")), True),
    ],
)
def test_meaning(condition: Filter, expected: bool) -> None:
    assert matches(condition, PAYLOAD) is expected


values = st.one_of(st.integers(0, 3), st.sampled_from(["a", "b", ""]), st.booleans())
fields = st.sampled_from(["x", "y"])
leaves = st.one_of(
    st.builds(Eq, fields, values),
    st.builds(In, fields, st.lists(values, max_size=3).map(tuple)),
    st.builds(Exists, fields),
    st.builds(Range, fields, gte=st.integers(0, 3)),
)
trees = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(And, st.lists(inner, max_size=3).map(tuple)),
        st.builds(Or, st.lists(inner, max_size=3).map(tuple)),
    ),
    max_leaves=8,
)


@given(trees, trees, st.dictionaries(fields, values))
def test_de_morgan(left: Filter, right: Filter, payload: dict[str, object]) -> None:
    assert matches(Not(And((left, right))), payload) == matches(Or((Not(left), Not(right))), payload)
    assert matches(Not(Not(left)), payload) == matches(left, payload)
