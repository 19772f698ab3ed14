"""The conformance suite of stores: those that name the scorer of `MemoryStore` score as it does."""

from __future__ import annotations

import math

from rag.index.filters import Eq, Exists, Not
from rag.index.memory_store import MemoryStore
from rag.index.store import Point, Search, Store
from rag.testing.store_samples import DIM, fielded_points, names, sample_points, unit_vectors

PRECISION = 1e-6
_EVERYTHING = 1000
SEARCHES: tuple[Search, ...] = (
    Search(_EVERYTHING, text="granite copper copper harbour"),
    Search(_EVERYTHING, text="basalt columns carried to the river in winter"),
    Search(_EVERYTHING, text="item 7", prefixes=("gra", "har")),
    Search(_EVERYTHING, text="basalt", prefixes=("navigators", "navigat", "Columns")),
    Search(_EVERYTHING, text="", prefixes=("n", "s")),
    Search(_EVERYTHING, text="", phrases=("silver compass",)),
    Search(_EVERYTHING, text="needle winter", phrases=("silver compass needle",), prefixes=("let",)),
    Search(_EVERYTHING, text="Die Schiffe liegen in den Häfen"),
    Search(_EVERYTHING, text="In welchen Häfen liegen die Schiffe?"),
    Search(_EVERYTHING, text="Häuser", phrases=("Häuser am Ufer",)),
    Search(_EVERYTHING, text="Hafen harbour 天气 navigation"),
    Search(_EVERYTHING, text="granite item", filter=Eq("kind", "report")),
    Search(_EVERYTHING, text="basalt granite", filter=Not(Exists("kind")), prefixes=("col",)),
)


async def check_scores(store: Store) -> None:
    """The same hits with the same scores, to a relative `PRECISION`, also after points have changed and gone."""
    memory = MemoryStore(DIM)
    if store.lexical_scorer != memory.lexical_scorer:
        return
    points = [*sample_points(), *fielded_points()]
    long = Point("long", unit_vectors(1, DIM, 4)[0], "granite basalt " * 400 + "y" * 4000, {"language": "en"})
    changed = [
        Point(a.id, a.vector, b.text, b.payload, b.heading, b.title)
        for a, b in zip(points[:20], points[30:50], strict=True)
    ]
    gone = [point.id for point in points[5:10]]
    for step in range(4):
        for each in (store, memory):
            if step == 0:
                await each.upsert(points)
            elif step == 1:
                await each.upsert([*changed, long])
            elif step == 2:
                await each.delete([*gone, "german"])
            else:
                await each.compact()
        for search in SEARCHES:
            await _check_same(store, memory, search)


async def _check_same(store: Store, memory: Store, search: Search) -> None:
    wanted, found = (await memory.search(search)).lexical, (await store.search(search)).lexical
    expected, scores = dict(wanted), dict(found)
    assert set(names(found)) == set(names(wanted)), f"{search}: the hits must be those of the memory store"
    for name, score in scores.items():
        same = math.isclose(score, expected[name], rel_tol=PRECISION)
        assert same, f"{search}: {name} must score {expected[name]}, not {score}, as {store.lexical_scorer} says"
