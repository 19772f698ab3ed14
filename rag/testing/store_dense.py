"""The conformance suite of stores: vectors, filters, and what approximation may cost."""

from __future__ import annotations

import numpy as np

from rag.index.filters import Eq, Filter, In, Not, Or, matches
from rag.index.store import Point, Search, Store
from rag.testing.store_samples import DIM, FILTER_CASES, exactly, names, refuses, sample_points, unit_vectors

MANY = 800
SELECTIVITIES: tuple[Filter, ...] = (
    Eq("half", True),
    Eq("twentieth", 3),
    In("id", (7, 77, 777)),
    Not(In("id", (7, 77, 777))),
    Or((Eq("tenant", "few"), Not(Or((Eq("tenant", "few"), Eq("tenant", "most")))))),
)
"""Half of the points, a twentieth, three of them, all but three, and a hundredth as access lists ask for it."""


async def check_exact_search(store: Store) -> None:
    """Exact dense search gives the nearest, with cosines."""
    points = sample_points()
    await store.upsert(points)
    query = points[9].vector
    found = await store.search(Search(10, vector=query, exact=True))
    expected = exactly(points, query, 10)
    assert names(found.dense) == names(expected), "dense search with exact=True must be exact"
    scores = np.array([score for _, score in found.dense])
    assert np.allclose(scores, [score for _, score in expected], atol=1e-5), "dense scores must be cosines"
    assert found.lexical == [], "without text there is no lexical ranking"


async def check_filters(store: Store) -> None:
    """Every case counts and finds what `rag.index.filters.matches` says, on both sides."""
    points = sample_points()
    await store.upsert(points)
    query = points[3].vector
    for condition in FILTER_CASES:
        allowed = [point for point in points if matches(condition, point.payload)]
        assert await store.count(condition) == len(allowed), f"count is wrong for {condition}"
        found = await store.search(Search(len(points), query, "granite", condition, exact=True))
        expected = names(exactly(allowed, query, len(points)))
        assert names(found.dense) == expected, f"dense search is wrong for {condition}"
        holding = {point.id for point in allowed if "granite" in point.text}
        assert set(names(found.lexical)) == holding, f"lexical search is wrong for {condition}"
        few = await store.search(Search(2, query, None, condition, exact=True))
        assert names(few.dense) == expected[:2], f"a filter must be applied before k: {condition}"


async def check_recall(store: Store, recall: float) -> None:
    """Without and with filters of every selectivity, the share of the ten nearest that is found is at least `recall`.

    And all of them are, when the search is exact.
    """
    points = _many()
    for start in range(0, len(points), 400):
        await store.upsert(points[start : start + 400])
    await store.compact()
    for condition in (None, *SELECTIVITIES):
        allowed = [point for point in points if condition is None or matches(condition, point.payload)]
        shares = []
        for query in unit_vectors(6, DIM, 12):
            expected = names(exactly(allowed, query, 10))
            exact = names((await store.search(Search(10, query, filter=condition, exact=True))).dense)
            assert exact == expected, f"exact=True must be exact under {condition}"
            found = names((await store.search(Search(10, query, filter=condition))).dense)
            assert len(found) == len(expected), f"{len(expected)} points match {condition}: as many must be found"
            shares.append(len({*found} & {*expected}) / len(expected))
        mean = sum(shares) / len(shares)
        assert mean >= recall - 1e-9, f"recall under {condition} is {mean:.3f}, and {recall} was promised"


async def check_limits(store: Store) -> None:
    """`k` may be anything from 1 up."""
    points = sample_points(12)
    await store.upsert(points)
    for k in (12, 13, 10**9):
        found = await store.search(Search(k, points[0].vector, points[0].text))
        assert len(found.dense) == len(points), f"k = {k}, the size or above, must give everything"
    one = await store.search(Search(1, points[0].vector))
    assert names(one.dense) == [points[0].id], "k = 1 must give the nearest"
    for k in (0, -1):
        await refuses(store.search(Search(k, points[0].vector)), f"k = {k}")
        await refuses(store.search(Search(k, text="granite")), f"k = {k}")


async def check_bad_vectors(store: Store) -> None:
    """Wrong vectors are refused, in points and in searches, and nothing of the call stays."""
    points = sample_points(4)
    await store.upsert(points)
    wrong = (np.ones(DIM + 1, np.float32), np.full(DIM, np.nan, np.float32), np.full(DIM, np.inf, np.float32))
    for bad in (*wrong, np.ones((1, DIM), np.float32)):
        await refuses(store.upsert([Point("new", points[0].vector, "new"), Point("bad", bad, "bad")]), f"{bad!r}")
        await refuses(store.search(Search(3, bad)), f"a query {bad!r}")
    assert await store.ids() == [point.id for point in points], "a refused call must leave nothing behind"


async def check_empty_vectors(store: Store) -> None:
    """The vector of an empty text is all zeros: it can be stored and asked with, and breaks nothing."""
    points = sample_points(5)
    nothing = np.zeros(DIM, np.float32)
    await store.upsert([*points, Point("zeros", nothing, "zeros")])
    await store.search(Search(3, nothing))
    found = await store.search(Search(1, points[2].vector, exact=True))
    assert names(found.dense) == [points[2].id], "a vector of zeros must not stand before the nearest"
    (back,) = await store.get(["zeros"])
    assert not back.vector.any(), "a vector of zeros must come back as it was"


def _many() -> list[Point]:
    rng = np.random.default_rng(11)
    return [
        Point(
            f"n{number:05}",
            vector,
            f"number {number}",
            {
                "id": number,
                "half": bool(rng.random() < 0.5),
                "twentieth": int(rng.integers(20)),
                "tenant": "few" if number % 100 == 0 else "most",
            },
        )
        for number, vector in enumerate(unit_vectors(MANY, DIM, 11))
    ]
