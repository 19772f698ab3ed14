from __future__ import annotations

import math
import os
from itertools import count
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from qdrant_client import AsyncQdrantClient

from plumbline.errors import InputError
from rag.errors import StoreError
from rag.index.filters import Eq, Exists, Not, Or
from rag.index.memory_store import MemoryStore
from rag.index.qdrant.connect import OneClient, clients_of, server_at
from rag.index.qdrant.options import QdrantOptions
from rag.index.qdrant.store import QdrantStore
from rag.index.settings import LexicalSettings
from rag.index.store import Point, Search
from rag.testing.store import DIM, check_store, sample_points
from rag.testing.store_samples import fielded_points, names

SERVER = os.environ.get("PLUMBLINE_QDRANT_URL")
KEY = "PLUMBLINE_STORE_KEY"


@pytest.fixture
def clients() -> OneClient:
    return OneClient(lambda: AsyncQdrantClient(":memory:"))


async def test_conformance(clients: OneClient) -> None:
    numbers = count()

    async def make(dim: int) -> QdrantStore:
        return QdrantStore(clients, dim=dim, collection=f"c{next(numbers)}")

    await check_store(make)


@pytest.mark.skipif(SERVER is None, reason="PLUMBLINE_QDRANT_URL names no server")
async def test_conformance_on_a_server() -> None:
    server = server_at(SERVER or "", os.environ.get(KEY))
    clients = clients_of(server)
    made: list[QdrantStore] = []

    async def make(dim: int) -> QdrantStore:
        made.append(QdrantStore(clients, dim=dim, collection=f"test-{uuid4().hex}", server=server))
        return made[-1]

    try:
        await check_store(make, recall=0.95)
    finally:
        for store in made:
            await store.clear()
        await clients.close()


async def test_it_works_in_a_folder(tmp_path: Path) -> None:
    client = AsyncQdrantClient(path=str(tmp_path / "qdrant"))
    store = QdrantStore(OneClient(lambda: client), dim=DIM, collection="kb")
    await store.upsert(sample_points())
    await client.close()
    again = AsyncQdrantClient(path=str(tmp_path / "qdrant"))
    store = QdrantStore(OneClient(lambda: again), dim=DIM, collection="kb")
    assert await store.count(Eq("kind", "report")) == 14
    assert (await store.search(Search(3, text="saffron"))).lexical
    await again.close()


async def test_its_dot_product_is_bm25(clients: OneClient) -> None:
    """With the average length set to the true one the scores are those of the reference."""
    points = sample_points()
    memory = MemoryStore(DIM)
    await memory.upsert(points)
    average = sum(sum(memory.lexical_terms(point).values()) for point in points) / len(points)
    store = QdrantStore(clients, dim=DIM, collection="kb", options=QdrantOptions(average_length=average))
    await store.upsert(points)
    for search in (
        Search(50, text="granite copper copper"),
        Search(50, text="item 7", prefixes=("gra", "har")),
        Search(50, text="", phrases=("granite orchard",)),
    ):
        expected = dict((await memory.search(search)).lexical)
        found = dict((await store.search(search)).lexical)
        assert found.keys() == expected.keys()
        assert all(math.isclose(found[name], expected[name], rel_tol=1e-4) for name in found)


async def test_weights_of_fields_count(clients: OneClient) -> None:
    options = QdrantOptions(lexical=LexicalSettings(title_weight=4))
    store = QdrantStore(clients, dim=DIM, collection="kb", options=options)
    await store.upsert(fielded_points())
    (title,) = await store.postings(["title"])
    assert title["basalt"] == 4.0
    assert "4" not in store.lexical_scorer


async def test_what_the_sparse_vector_does_not_bear_out_shows_in_the_postings(clients: OneClient) -> None:
    before = QdrantStore(clients, dim=DIM, collection="kb")
    await before.upsert(sample_points(3))
    after = QdrantStore(clients, dim=DIM, collection="kb", options=QdrantOptions(average_length=20))
    (point,) = await after.get(["point-001"])
    assert await after.postings(["point-001"]) != [after.lexical_terms(point)]
    await after.upsert([point])
    assert await after.postings(["point-001"]) == [after.lexical_terms(point)]


async def test_the_average_length_is_that_of_the_first_points(clients: OneClient) -> None:
    long = [Point(f"{n}", point.vector, "basalt quarry " * 150) for n, point in enumerate(sample_points(150))]
    store = QdrantStore(clients, dim=DIM, collection="kb")
    assert await store.postings(["0"]) == []
    await store.upsert(long)
    await store.upsert(sample_points())
    info = await (await clients.get()).get_collection("kb-g1")
    assert info.config.metadata == {"average_length": (50 * 120 + 150 * 300) / 200}
    other = QdrantStore(clients, dim=DIM, collection="kb")
    await other.upsert(sample_points(3))
    for each in (store, other):
        assert await each.postings(["0", "point-000"]) == [
            each.lexical_terms(point) for point in (long[0], sample_points(1)[0])
        ]
    await store.clear()
    await store.upsert(sample_points(1))
    info = await (await clients.get()).get_collection("kb-g1")
    assert (info.config.metadata or {})["average_length"] == pytest.approx(120, abs=3)


async def test_a_question_is_read_in_the_languages_there_are(clients: OneClient) -> None:
    german = next(point for point in fielded_points() if point.id == "german")
    store = QdrantStore(clients, dim=DIM, collection="kb")
    await store.upsert([point for point in fielded_points() if point.language == "en"])
    search = Search(5, text="Hafen", phrases=())
    assert (await store.search(search)).lexical == []
    await store.upsert([german])
    assert names((await store.search(search)).lexical) == ["german"]
    phrase = Search(5, text="", phrases=("in den Hafen",))
    assert names((await store.search(phrase)).lexical) == ["german"]
    other = QdrantStore(clients, dim=DIM, collection="kb")
    assert names((await other.search(search)).lexical) == ["german"]


async def test_without_prefixes_they_are_refused(clients: OneClient) -> None:
    store = QdrantStore(clients, dim=DIM, collection="kb", options=QdrantOptions(prefixes=False))
    await store.upsert(fielded_points())
    assert (await store.search(Search(5, text="basalt"))).lexical
    with pytest.raises(InputError, match="keeps no prefixes"):
        await store.search(Search(5, text="basalt", prefixes=("bas",)))


async def test_an_alias_follows_the_generation(clients: OneClient) -> None:
    client = await clients.get()
    first = QdrantStore(clients, dim=DIM, collection="kb", generation=1)
    second = QdrantStore(clients, dim=DIM, collection="kb", generation=2)
    await first.upsert(sample_points(3))
    await first.publish()
    assert (await client.count("kb")).count == 3
    await second.upsert(sample_points(7))
    assert (await client.count("kb")).count == 3
    await second.publish()
    await second.publish()
    assert (await client.count("kb")).count == 7
    await first.clear()
    assert (await client.count("kb")).count == 7


async def test_the_server_can_fuse(clients: OneClient) -> None:
    store = QdrantStore(clients, dim=DIM, collection="kb")
    search = Search(5, sample_points()[3].vector, "granite", Or((Eq("tenant", "acme"), Not(Exists("tenant")))))
    assert await store.search_fused(search) == []
    await store.upsert(sample_points())
    apart = await store.search(search)
    for fusion in ("rrf", "dbsf"):
        fused = await store.search_fused(search, fusion)
        assert len(fused) == 5
        assert {*names(fused)} <= {*names(apart.dense), *names(apart.lexical)}
    with pytest.raises(InputError, match="by vector and by words"):
        await store.search_fused(Search(5, text="granite"))


async def test_a_snapshot_of_the_local_mode_comes_back(clients: OneClient, tmp_path: Path) -> None:
    store = QdrantStore(clients, dim=DIM, collection="kb")
    points = sample_points()
    await store.upsert(points)
    await store.snapshot(tmp_path / "copy")
    await store.delete([point.id for point in points[:10]])
    await store.upsert([Point("new", points[0].vector, "new")])
    await store.restore(tmp_path / "copy")
    assert await store.ids() == [point.id for point in points]
    with pytest.raises(InputError, match="no snapshot"):
        await store.restore(tmp_path / "missing")
    (tmp_path / "tar").write_bytes(b"ustar")
    with pytest.raises(InputError, match="only a server"):
        await store.restore(tmp_path / "tar")


async def test_a_collection_of_other_vectors_is_refused(clients: OneClient) -> None:
    await QdrantStore(clients, dim=DIM, collection="kb").upsert(sample_points(1))
    other = QdrantStore(clients, dim=4, collection="kb")
    with pytest.raises(StoreError, match="holds vectors of 8, not vectors of 4"):
        await other.upsert([Point("a", np.ones(4, np.float32), "text")])


async def test_a_bound_too_long_to_order_by_is_refused(clients: OneClient) -> None:
    from rag.index.filters import Range

    store = QdrantStore(clients, dim=DIM, collection="kb")
    with pytest.raises(InputError, match="more than 23 bytes"):
        await store.count(Range("kind", gte="x" * 24))
