"""The conformance suite of stores: what is written, replaced, removed, kept."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from rag.index.filters import Eq, Exists
from rag.index.store import Point, Search, Store
from rag.testing.store_samples import DIM, ODD_NAMES, exactly, names, plain, sample_points, unit_vectors

ODD_IDS = ("a/b", "ü", "#1", "' \"", "%2F..", "🙂", "x" * 300, " spaced ", "\\")


async def check_empty(store: Store) -> None:
    """An empty store finds nothing and refuses nothing."""
    found = await store.search(Search(5, np.eye(DIM, dtype=np.float32)[0], "anything", Eq("page", 1)))
    assert found.dense == [], "an empty store must find nothing by vector"
    assert found.lexical == [], "an empty store must find nothing by text"
    more = await store.search(Search(5, text="any", phrases=("any thing",), prefixes=("any",)))
    assert more.lexical == [], "an empty store must find no phrase and no prefix"
    assert await store.count() == 0, "an empty store counts 0"
    assert await store.count(Eq("page", 1)) == 0, "an empty store counts 0"
    assert await store.ids() == [], "an empty store has no ids"
    assert await store.get(["point-000"]) == [], "get must leave out unknown ids"
    assert await store.postings(["point-000"]) == [], "postings must leave out unknown ids"
    await store.delete(["point-000"])
    await store.upsert([])
    await store.compact()


async def check_round_trip(store: Store) -> None:
    """What was put in comes back as it was."""
    points = sample_points()
    await store.upsert(points)
    assert await store.count() == len(points), "count must equal what was put in"
    assert await store.ids() == sorted(point.id for point in points), "ids must be complete and sorted"
    wanted = [points[5], points[0], points[17]]
    got = await store.get([*(point.id for point in wanted), "unknown"])
    assert names([(point.id, 0.0) for point in got]) == [point.id for point in wanted], "get must keep the order"
    for back, put in zip(got, wanted, strict=True):
        _check_same(back, put)


async def check_odd_names(store: Store) -> None:
    """Ids, names of fields and texts may be anything that Unicode can write."""
    vectors = sample_points(len(ODD_IDS))
    points = [
        Point(name, each.vector, f"text {name}", {ODD_NAMES[number]: name}, name, name)
        for number, (name, each) in enumerate(zip(ODD_IDS, vectors, strict=True))
    ]
    await store.upsert(points)
    assert await store.ids() == sorted(ODD_IDS), "ids must come back as they were, in order of code points"
    for put, back in zip(points, await store.get(ODD_IDS), strict=True):
        _check_same(back, put)
    for name in ODD_NAMES[: len(points)]:
        assert await store.count(Exists(name)) == 1, f"a field may be called {name!r}"
    await store.delete(ODD_IDS)
    assert await store.count() == 0, "points with odd ids can be deleted"


async def check_replacement(store: Store) -> None:
    """A point takes the place of the one with its id, however often the call is repeated."""
    points = sample_points(6)
    await store.upsert(points)
    changed = Point(points[2].id, points[4].vector, "entirely xylophone", {"page": 99})
    for _ in range(2):
        await store.upsert([changed])
        assert await store.count() == len(points), "replacing must not add"
        found = await store.search(Search(5, text="xylophone"))
        assert names(found.lexical) == [changed.id], "the new text must be found"
        assert await store.count(Eq("page", 99)) == 1, "the new payload must count"
        assert await store.count(Exists("kind")) == len(points) - 1, "nothing of the old payload must stay"
        old_words = await store.search(Search(10, text=points[2].text.rsplit(" ", 1)[1]))
        assert changed.id not in names(old_words.lexical), "the old text must be gone"
    twice = [Point("twin", points[0].vector, "first"), Point("twin", points[1].vector, "second")]
    await store.upsert(twice)
    assert (await store.get(["twin"]))[0].text == "second", "of two points with one id in one call the last must win"
    assert (await store.search(Search(5, text="first"))).lexical == [], "and nothing of the first must be found"


async def check_deletion(store: Store) -> None:
    """What is deleted is gone, and can be put back."""
    points = sample_points()
    await store.upsert(points)
    gone = [point.id for point in points[::2]]
    for _ in range(2):
        await store.delete([*gone, "unknown"])
        assert await store.count() == len(points) - len(gone), "deleting must remove each id once"
    found = await store.search(Search(len(points), points[0].vector, "harbour anchor"))
    seen = {*names(found.dense), *names(found.lexical)}
    assert not seen & set(gone), "what was deleted must not be found"
    await store.upsert(points)
    assert await store.count() == len(points), "what was deleted can be put back"
    again = await store.search(Search(5, points[0].vector, exact=True))
    assert names(again.dense) == names(exactly(points, points[0].vector, 5)), "put back, it must be found as before"


async def check_clearing(store: Store) -> None:
    """A store that was cleared is as new."""
    points = sample_points(12)
    await store.upsert(points)
    await store.clear()
    await store.clear()
    assert await store.ids() == [], "a store that was cleared holds nothing"
    assert (await store.search(Search(5, points[0].vector, "granite"))).dense == [], "and finds nothing"
    await store.upsert(points[:2])
    assert await store.count() == 2, "a store that was cleared can be filled again"


async def check_concurrency(store: Store) -> None:
    """Writers and searches at the same time: nothing is lost, and no search sees a point that never was."""
    points = sample_points()
    batches = [points[start : start + 8] for start in range(0, len(points), 8)]

    async def write(batch: list[Point]) -> None:
        for _ in range(2):
            await store.upsert(batch)
        await store.delete([batch[0].id])
        await store.upsert(batch[:1])

    async def look() -> None:
        for number in range(4):
            found = await store.search(Search(5, points[number].vector, "granite copper"))
            assert {*names(found.dense), *names(found.lexical)} <= {point.id for point in points}

    await asyncio.gather(*(write(batch) for batch in batches), *(look() for _ in range(4)))
    assert await store.ids() == [point.id for point in points], "concurrent writes must all be there"
    found = await store.search(Search(len(points), points[0].vector, exact=True))
    assert names(found.dense) == names(exactly(points, points[0].vector, len(points))), "and all be found"


async def check_any_order(store: Store) -> None:
    """Writes in random order leave what a dictionary would hold."""
    pool = sample_points(30)
    vectors = iter(unit_vectors(100, DIM, 21))  # each used once: equal scores have no order
    rng = random.Random(5)  # noqa: S311 (an order to test with)
    model: dict[str, Point] = {}
    for _ in range(25):
        some = [
            Point(point.id, next(vectors), rng.choice(pool).text, rng.choice(pool).payload)
            for point in rng.sample(pool, 4)
        ]
        if rng.random() < 0.35:
            await store.delete([point.id for point in some])
            model = {name: point for name, point in model.items() if name not in {each.id for each in some}}
        else:
            await store.upsert(some)
            model |= {point.id: point for point in some}
        query = rng.choice(pool).vector
        found = await store.search(Search(50, query, "granite", exact=True))
        held = list(model.values())
        assert names(found.dense) == names(exactly(held, query, 50)), "dense search must equal the model's"
        holding = {point.id for point in held if "granite" in point.text}
        assert set(names(found.lexical)) == holding, "lexical search must equal the model's"
    assert await store.ids() == sorted(model), "ids must equal the model's"


async def check_compaction(store: Store) -> None:
    """Compaction changes nothing that is found."""
    points = sample_points()
    await store.upsert(points)
    await store.delete([point.id for point in points[:15]])
    search = Search(10, points[20].vector, "copper violin", exact=True)
    before = await store.search(search)
    await store.compact()
    assert await store.search(search) == before, "compaction must not change what is found"


async def check_snapshot(store: Store) -> None:
    """A snapshot is written where it was asked for."""
    await store.upsert(sample_points(5))
    with TemporaryDirectory() as folder:
        target = Path(folder) / "copy"
        await store.snapshot(target)
        assert target.exists(), "a snapshot must be written where it was asked for"


def _check_same(back: Point, put: Point) -> None:
    assert back.vector.dtype == np.float32, "vectors are float32"
    assert np.array_equal(back.vector, put.vector), f"{put.id}: the vector must come back as it was"
    same = (back.id, back.text, back.heading, back.title) == (put.id, put.text, put.heading, put.title)
    assert same, f"{put.id}: id and texts must come back as they were"
    assert plain(dict(back.payload)) == plain(dict(put.payload)), f"{put.id}: the payload must come back as it was"
    kinds = {name: type(value) for name, value in dict(back.payload).items() if not isinstance(value, list | tuple)}
    for name, value in put.payload.items():
        if isinstance(value, bool | str):
            assert kinds[name] is type(value), f"{put.id}: {name!r} must keep its type"
