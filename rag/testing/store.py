"""The conformance suite of stores: raises `AssertionError` for one that does not keep the contract.

Give it a function that makes an empty store of a dimension:

async def test_my_store(tmp_path):
    await check_store(lambda dim: MyStore(tmp_path, dim))
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from plumbline.errors import InputError
from rag.index.filters import And, Eq, Exists, Filter, In, Not, Or, Range, matches
from rag.index.store import Point, Search, Store

DIM = 8
MakeStore = Callable[[int], Awaitable[Store]]

_WORDS = ("harbour", "lantern", "granite", "orchard", "copper", "meadow", "anchor", "violin", "saffron", "glacier")

FILTER_CASES: tuple[Filter, ...] = (
    Eq("page", 3),
    Eq("page", 3.0),
    Eq("page", "3"),
    Eq("kind", "report"),
    Eq("kind", "Report"),
    Eq("public", True),
    Eq("public", 1),
    Eq("groups", "staff"),
    Eq("missing", "x"),
    In("kind", ("report", "memo")),
    In("kind", ()),
    In("groups", ("guests", "board")),
    In("page", (1, 2, 99)),
    Range("page", gte=3),
    Range("page", gt=3),
    Range("page", lte=3),
    Range("page", lt=3),
    Range("page", gte=2, lt=5),
    Range("page", gte=5, lt=2),
    Range("date", gte="2022-01-01", lt="2023-01-01"),
    Range("page", gte="3"),
    Range("missing", gte=0),
    Exists("date"),
    Exists("missing"),
    Not(Exists("date")),
    Not(Eq("kind", "report")),
    Not(Eq("missing", "x")),
    Not(Range("page", gte=3)),
    And(()),
    Or(()),
    And((Eq("kind", "report"), Range("page", gte=3))),
    Or((Eq("kind", "memo"), Eq("page", 1))),
    And((Or((Eq("kind", "memo"), Eq("kind", "report"))), Not(Eq("public", True)))),
    Or((And((Eq("kind", "memo"), Exists("date"))), Not(Or((Eq("page", 1), Eq("page", 2)))))),
    Not(And((Eq("kind", "report"), Eq("groups", "staff")))),
    Not(Not(Eq("kind", "memo"))),
    Eq("odd 'name\"", "x'y"),
    Eq("kind", "café"),
)


def sample_points(count: int = 40, dim: int = DIM, seed: int = 7) -> list[Point]:
    """Points with every kind of payload, the same for the same seed."""
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(count, dim)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    points = []
    for number in range(count):
        payload: dict[str, object] = {
            "page": number % 7,
            "kind": ("report", "memo", "café")[number % 3],
            "public": number % 2 == 0,
            "groups": [("staff",), ("staff", "board"), ("guests",), ()][number % 4],
        }
        if number % 5:
            payload["date"] = f"{2020 + number % 4}-0{1 + number % 9}-15"
        if number % 11 == 0:
            payload["odd 'name\""] = "x'y"
        text = " ".join(_WORDS[(number * step) % len(_WORDS)] for step in (1, 3, 7))
        points.append(Point(f"point-{number:03}", vectors[number], f"{text} item {number}", payload))
    return points


async def check_store(make: MakeStore) -> None:
    """Run every check, each on a fresh store."""
    for check in (
        _check_empty,
        _check_round_trip,
        _check_exact_dense_search,
        _check_lexical_search,
        _check_filters,
        _check_replacement,
        _check_deletion,
        _check_postings,
        _check_clearing,
        _check_limits,
        _check_bad_vectors,
        _check_compaction,
        _check_snapshot,
    ):
        store = await make(DIM)
        try:
            await check(store)
        finally:
            await store.close()


async def _check_empty(store: Store) -> None:
    found = await store.search(Search(5, np.eye(DIM, dtype=np.float32)[0], "anything"))
    assert found.dense == [], "an empty store must find nothing by vector"
    assert found.lexical == [], "an empty store must find nothing by text"
    assert await store.count() == 0, "an empty store counts 0"
    assert await store.ids() == [], "an empty store has no ids"
    assert await store.get(["point-000"]) == [], "get must leave out unknown ids"
    await store.delete(["point-000"])
    await store.upsert([])
    await store.compact()


async def _check_round_trip(store: Store) -> None:
    points = sample_points()
    await store.upsert(points)
    assert await store.count() == len(points), "count must equal what was put in"
    assert await store.ids() == sorted(point.id for point in points), "ids must be complete and sorted"
    wanted = [points[5], points[0], points[17]]
    got = await store.get([*(point.id for point in wanted), "unknown"])
    assert [point.id for point in got] == [point.id for point in wanted], "get must keep the order asked for"
    for back, put in zip(got, wanted, strict=True):
        assert np.array_equal(back.vector, put.vector), f"{put.id}: the vector must come back as it was"
        assert back.text == put.text, f"{put.id}: the text must come back as it was"
        assert _plain(back.payload) == _plain(put.payload), f"{put.id}: the payload must come back as it was"


async def _check_exact_dense_search(store: Store) -> None:
    points = sample_points()
    await store.upsert(points)
    query = points[9].vector
    found = await store.search(Search(10, vector=query))
    expected = _exact(points, query, 10)
    assert [point_id for point_id, _ in found.dense] == [point_id for point_id, _ in expected], (
        "dense search must be exact"
    )
    scores = np.array([score for _, score in found.dense])
    assert np.allclose(scores, [score for _, score in expected], atol=1e-5), "dense scores must be cosines"
    assert found.lexical == [], "without text there is no lexical ranking"


async def _check_lexical_search(store: Store) -> None:
    points = sample_points()
    await store.upsert(points)
    found = await store.search(Search(len(points), text="saffron"))
    holding = {point.id for point in points if "saffron" in point.text}
    assert {point_id for point_id, _ in found.lexical} == holding, "lexical search finds exactly what holds the word"
    scores = [score for _, score in found.lexical]
    assert scores == sorted(scores, reverse=True), "the lexical ranking must be best first"
    assert all(score > 0 for score in scores), "a lexical hit scores above 0"
    assert found.dense == [], "without a vector there is no dense ranking"
    for empty in ("", "the of and", "zzzunknownzzz", "!?"):
        assert (await store.search(Search(5, text=empty))).lexical == [], f"{empty!r} must find nothing"


async def _check_filters(store: Store) -> None:
    points = sample_points()
    await store.upsert(points)
    query = points[3].vector
    for condition in FILTER_CASES:
        allowed = [point for point in points if matches(condition, point.payload)]
        assert await store.count(condition) == len(allowed), f"count is wrong for {condition}"
        found = await store.search(Search(len(points), query, "granite", condition))
        expected = [point_id for point_id, _ in _exact(allowed, query, len(points))]
        assert [point_id for point_id, _ in found.dense] == expected, f"dense search is wrong for {condition}"
        holding = {point.id for point in allowed if "granite" in point.text}
        assert {point_id for point_id, _ in found.lexical} == holding, f"lexical search is wrong for {condition}"
        few = await store.search(Search(2, query, None, condition))
        assert [point_id for point_id, _ in few.dense] == expected[:2], (
            f"a filter must be applied before k: {condition}"
        )


async def _check_replacement(store: Store) -> None:
    points = sample_points(6)
    await store.upsert(points)
    changed = Point(points[2].id, points[4].vector, "entirely xylophone", {"page": 99})
    for _ in range(2):
        await store.upsert([changed])
        assert await store.count() == len(points), "replacing must not add"
        assert (await store.search(Search(5, text="xylophone"))).lexical[0][0] == changed.id, (
            "the new text must be found"
        )
        assert await store.count(Eq("page", 99)) == 1, "the new payload must count"
        old_words = await store.search(Search(10, text=points[2].text.rsplit(" ", 1)[1]))
        assert changed.id not in {point_id for point_id, _ in old_words.lexical}, "the old text must be gone"
    twice = [Point("twin", points[0].vector, "first", {}), Point("twin", points[1].vector, "second", {})]
    await store.upsert(twice)
    assert (await store.get(["twin"]))[0].text == "second", "of two points with one id in one call the last must win"


async def _check_deletion(store: Store) -> None:
    points = sample_points()
    await store.upsert(points)
    gone = [point.id for point in points[::2]]
    for _ in range(2):
        await store.delete([*gone, "unknown"])
        assert await store.count() == len(points) - len(gone), "deleting must remove each id once"
    found = await store.search(Search(len(points), points[0].vector, "harbour anchor"))
    seen = {point_id for point_id, _ in [*found.dense, *found.lexical]}
    assert not seen & set(gone), "what was deleted must not be found"
    await store.upsert(points)
    assert await store.count() == len(points), "what was deleted can be put back"
    expected = [point_id for point_id, _ in _exact(points, points[0].vector, 5)]
    again = await store.search(Search(5, points[0].vector))
    assert [point_id for point_id, _ in again.dense] == expected, "put back, it must be found as before"


async def _check_postings(store: Store) -> None:
    points = sample_points(12)
    await store.upsert(points)
    await store.delete([points[1].id])
    wanted = [points[5].id, "unknown", points[1].id, points[0].id]
    postings = await store.postings(wanted)
    assert len(postings) == 2, "postings are those of the points that exist"
    for point, terms in zip((points[5], points[0]), postings, strict=True):
        assert terms == Counter(store.terms(point.text)), f"{point.id}: its postings must be the terms of its text"
        (found,) = await store.postings([point.id])
        assert found == terms, f"{point.id}: postings must be those of the point alone"


async def _check_clearing(store: Store) -> None:
    points = sample_points(12)
    await store.upsert(points)
    await store.clear()
    assert await store.ids() == [], "a store that was cleared holds nothing"
    await store.upsert(points[:2])
    assert await store.count() == 2, "a store that was cleared can be filled again"


async def _check_limits(store: Store) -> None:
    points = sample_points(12)
    await store.upsert(points)
    found = await store.search(Search(10**9, points[0].vector, points[0].text))
    assert len(found.dense) == len(points), "a k above the size must give everything"
    one = await store.search(Search(1, points[0].vector))
    assert [point_id for point_id, _ in one.dense] == [points[0].id], "k = 1 must give the nearest"
    for k in (0, -1):
        await _refuses(store.search(Search(k, points[0].vector)), f"k = {k}")


async def _check_bad_vectors(store: Store) -> None:
    points = sample_points(4)
    await store.upsert(points)
    for bad in (np.ones(DIM + 1, np.float32), np.full(DIM, np.nan, np.float32), np.full(DIM, np.inf, np.float32)):
        await _refuses(store.upsert([points[0], Point("bad", bad, "bad", {})]), f"a vector {bad[:2]}…")
        await _refuses(store.search(Search(3, bad)), f"a query {bad[:2]}…")
    assert await store.ids() == [point.id for point in points], "a refused call must leave nothing behind"


async def _check_compaction(store: Store) -> None:
    points = sample_points()
    await store.upsert(points)
    await store.delete([point.id for point in points[:15]])
    search = Search(10, points[20].vector, "copper violin")
    before = await store.search(search)
    await store.compact()
    assert await store.search(search) == before, "compaction must not change what is found"


async def _check_snapshot(store: Store) -> None:
    await store.upsert(sample_points(5))
    with TemporaryDirectory() as folder:
        target = Path(folder) / "copy"
        await store.snapshot(target)
        assert target.exists(), "a snapshot must be written where it was asked for"


async def _refuses(call: Awaitable[object], what: str) -> None:
    try:
        await call
    except InputError:
        return
    raise AssertionError(f"{what} must raise InputError")


def _exact(points: Sequence[Point], query: np.ndarray, k: int) -> list[tuple[str, float]]:
    scored = [(point.id, float(point.vector @ query)) for point in points]
    return sorted(scored, key=lambda item: (-round(item[1], 6), item[0]))[:k]


def _plain(payload: object) -> object:
    if isinstance(payload, dict):
        return {key: list(value) if isinstance(value, tuple) else value for key, value in payload.items()}
    return payload
