from __future__ import annotations

import asyncio
import re
from itertools import count
from pathlib import Path
from uuid import uuid4

import numpy as np
import psycopg
import pytest

from plumbline.errors import InputError, StorageError
from rag.errors import StoreError, StoreUnavailableError
from rag.index.filters import Eq, In
from rag.index.memory_store import MemoryStore
from rag.index.pgvector.connections import Connections
from rag.index.pgvector.searching import FEW
from rag.index.pgvector.store import PgVectorStore
from rag.index.pgvector.tables import base_name
from rag.index.points_file import restore
from rag.index.settings import LexicalSettings
from rag.index.store import Point, Search
from rag.testing.store import DIM, check_store, sample_points
from rag.testing.store_samples import exactly, fielded_points, names, unit_vectors
from routing.settings import RetrySettings

DISCONNECT = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE pid <> pg_backend_pid() AND datname = current_database()"""
FAST = RetrySettings(attempts=2, first_wait_seconds=0.01, longest_wait_seconds=1)


@pytest.fixture
def connections(postgres_url: str) -> Connections:
    return Connections(postgres_url, retry=FAST)


@pytest.fixture
async def store(connections: Connections):
    made = PgVectorStore(connections, dim=DIM, collection=f"t{uuid4().hex[:12]}")
    yield made
    await made.clear()
    await made.close()


async def test_conformance(connections: Connections) -> None:
    numbers = count()
    made: list[PgVectorStore] = []

    async def make(dim: int) -> PgVectorStore:
        made.append(PgVectorStore(connections, dim=dim, collection=f"conforms{next(numbers)}"))
        return made[-1]

    await check_store(make)
    for store in made:
        await store.clear()
    await connections_closed(connections)


async def connections_closed(connections: Connections) -> None:
    await asyncio.to_thread(connections.close)


async def test_through_its_index_it_keeps_its_recall_under_filters(store: PgVectorStore) -> None:
    """More points than are ever compared one by one: the index is walked, and filters are asked on the way."""
    rng = np.random.default_rng(2)
    points = [
        Point(f"{number:05}", vector, "text", {"half": bool(rng.random() < 0.5), "few": number % 10 == 0})
        for number, vector in enumerate(unit_vectors(2 * FEW + 1500, DIM, 2))
    ]
    for start in range(0, len(points), 1000):
        await store.upsert(points[start : start + 1000])
    await store.compact()
    for condition in (None, Eq("half", True), Eq("few", True)):
        allowed = [point for point in points if condition is None or point.payload[condition.field]]
        shares = []
        for query in unit_vectors(10, DIM, 9):
            expected = {*names(exactly(allowed, query, 10))}
            found = await store.search(Search(10, query, filter=condition))
            shares.append(len(expected & {*names(found.dense)}) / 10)
            exact = await store.search(Search(10, query, filter=condition, exact=True))
            assert {*names(exact.dense)} == expected
        assert sum(shares) / len(shares) >= 0.97


async def test_another_process_finds_the_words_of_a_language_that_came_later(
    store: PgVectorStore, connections: Connections
) -> None:
    """What there is is asked again after a write of one's own, and by whoever asks for the first time."""
    german = next(point for point in fielded_points() if point.id == "german")
    await store.upsert([point for point in fielded_points() if point.language == "en"])
    search = Search(5, text="Hafen")
    assert (await store.search(search)).lexical == []
    await store.upsert([german])
    assert names((await store.search(search)).lexical) == ["german"]
    other = PgVectorStore(connections, dim=DIM, collection=store._tables.base.removesuffix("_g1"))
    assert names((await other.search(search)).lexical) == ["german"]
    await store.delete(["german"])
    assert (await store.search(search)).lexical == []


async def test_a_prefix_of_more_words_than_a_vector_holds(store: PgVectorStore) -> None:
    vectors = unit_vectors(5, DIM, 1)
    words = [f"q{number:05}x" for number in range(5 * 4000)]
    points = [Point(f"{n}", vector, " ".join(words[n::5])) for n, vector in enumerate(vectors)]
    await store.upsert(points)
    assert len((await store.search(Search(10, text="", prefixes=("q",)))).lexical) == 5
    with pytest.raises(InputError, match=r"different words.*16,000"):
        await store.upsert([Point("all", vectors[0], " ".join(words))])


async def test_terms_that_nothing_holds_any_more_are_removed(store: PgVectorStore, postgres_url: str) -> None:
    await store.upsert(sample_points(12))
    await store.delete([point.id for point in sample_points(11)])
    await store.compact()
    (last,) = await store.postings([sample_points(12)[11].id])
    with psycopg.connect(postgres_url) as other:
        rows = other.execute(f"SELECT term FROM {store._tables.base}_terms").fetchall()
    assert {term for (term,) in rows} == {*last}


async def test_weights_of_fields_count(connections: Connections) -> None:
    store = PgVectorStore(connections, dim=DIM, collection="weights", lexical=LexicalSettings(heading_weight=3))
    await store.upsert(fielded_points())
    (heading,) = await store.postings(["heading"])
    assert heading["basalt"] == 3.0
    await store.clear()
    await store.close()


async def test_a_call_is_stored_as_a_whole_or_not_at_all(store: PgVectorStore) -> None:
    points = sample_points(6)
    await store.upsert(points[:2])
    bad = Point("bad", points[0].vector, "a null\x00 byte")
    with pytest.raises(InputError, match="cannot store"):
        await store.upsert([*points[2:], bad])
    assert await store.count() == 2
    assert (await store.search(Search(10, text="item"))).lexical != []


async def test_a_server_that_drops_its_connections_is_asked_again(store: PgVectorStore, postgres_url: str) -> None:
    await store.upsert(sample_points(5))
    with psycopg.connect(postgres_url, autocommit=True) as other:
        other.execute(DISCONNECT)
    assert await store.count() == 5


async def test_a_write_that_is_cut_off_leaves_nothing(store: PgVectorStore, postgres_url: str) -> None:
    await store.upsert(sample_points(5))
    with psycopg.connect(postgres_url) as other:
        other.execute(f"LOCK TABLE {store._tables.base}_points IN ACCESS EXCLUSIVE MODE")
        writing = asyncio.create_task(store.upsert(sample_points(40)))
        await asyncio.sleep(0.2)
        other.execute(DISCONNECT)
    await writing
    assert await store.count() == 40


async def test_nobody_there(tmp_path: Path) -> None:
    store = PgVectorStore(
        Connections(f"postgresql://someone:hidden@/db?host={tmp_path}", retry=FAST), dim=DIM, collection="kb"
    )
    with pytest.raises(StoreUnavailableError, match="cannot be reached") as caught:
        await store.count()
    assert "hidden" not in str(caught.value)


async def test_a_database_that_is_not_there_is_a_mistake_and_no_outage(postgres_url: str) -> None:
    url = re.sub(r"/test_\w+\?", "/nobody?", postgres_url)
    store = PgVectorStore(Connections(url, retry=FAST), dim=DIM, collection="kb")
    with pytest.raises(StoreError, match=r'"nobody" does not exist.*store\.url') as caught:
        await store.count()
    assert not isinstance(caught.value, StoreUnavailableError)


async def test_tables_of_other_vectors_are_refused(store: PgVectorStore, connections: Connections) -> None:
    await store.upsert(sample_points(1))
    other = PgVectorStore(connections, dim=4, collection=store._tables.base.removesuffix("_g1"))
    with pytest.raises(StoreError, match="holds vectors of 8, not vectors of 4"):
        await other.upsert([Point("a", np.ones(4, np.float32), "text")])


async def test_many_values_are_one_comparison(store: PgVectorStore) -> None:
    await store.upsert(sample_points())
    assert await store.count(In("page", tuple(range(3, 400)))) == await store.count(In("page", (3, 4, 5, 6)))
    assert await store.count(In("kind", tuple(f"k{n}" for n in range(99)))) == 0


async def test_a_snapshot_comes_back(store: PgVectorStore, tmp_path: Path) -> None:
    points = [*sample_points(), *fielded_points()]
    await store.upsert(points)
    await store.snapshot(tmp_path / "copy")
    with pytest.raises(StorageError, match="exists already"):
        await store.snapshot(tmp_path / "copy")
    memory = MemoryStore(DIM)
    assert await restore(memory, tmp_path / "copy") == len(points)
    assert await memory.ids() == await store.ids()


def test_names_of_tables_are_safe_and_different() -> None:
    names = {base_name(each, 1) for each in ("kb", "KB", "k b", "k;b", "1kb", "ü", "x" * 80, "x" * 81, "")}
    assert len(names) == 9
    assert all(name.isidentifier() and name.isascii() and len(name) <= 48 for name in names)


def test_a_bad_url_is_named() -> None:
    with pytest.raises(InputError, match="no address of a PostgreSQL"):
        Connections("postgresql://[broken")
