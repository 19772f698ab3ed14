"""What happens when the server fails: errors that say so, and nothing that the same call made again does not mend."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from rag.errors import StoreError, StoreUnavailableError
from rag.index.filters import Eq, Exists, Not, Or, Range
from rag.index.qdrant.connect import clients_of, server_at
from rag.index.qdrant.options import QdrantOptions
from rag.index.qdrant.store import QdrantStore
from rag.index.store import Point, Search
from rag.testing.store import DIM, sample_points
from rag.testing.store_samples import names
from routing.settings import RetrySettings
from tests.rag.index.qdrant.fake_server import SNAPSHOT, FakeQdrant, Fault

FAST = RetrySettings(attempts=3, first_wait_seconds=0.01, longest_wait_seconds=2)
UPSERT = r"PUT .*/points$"


@pytest.fixture
def fake() -> Iterator[FakeQdrant]:
    made = FakeQdrant()
    yield made
    made.close()


def open_store(fake: FakeQdrant, **given: Any) -> QdrantStore:
    server = server_at(fake.url, "secret", given.pop("timeout", 10.0))
    return QdrantStore(clients_of(server), dim=DIM, collection="kb", server=server, retry=FAST, **given)


def listed(folder: Path) -> list[str]:
    return [each.name for each in folder.iterdir()]


@pytest.fixture
async def store(fake: FakeQdrant) -> AsyncIterator[QdrantStore]:
    made = open_store(fake)
    yield made
    await made.close()


async def test_all_is_well_over_http(fake: FakeQdrant, store: QdrantStore) -> None:
    points = sample_points()
    assert (await store.search(Search(3, points[0].vector, "granite"))).dense == []
    assert await store.ids() == []
    await store.upsert(points)
    assert await store.count(Eq("kind", "report")) == 14
    assert await store.ids() == [point.id for point in points]
    found = await store.search(Search(3, points[0].vector, "granite"))
    assert names(found.dense)[0] == points[0].id
    assert found.lexical
    assert fake.count("query/batch") == 1, "both rankings come in one request"
    await store.delete([points[0].id])
    assert await store.get([points[0].id, points[1].id]) != []
    await store.clear()
    assert await store.count() == 0


async def test_a_server_of_ones_own_is_asked_through_no_proxy(
    fake: FakeQdrant, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")  # where nobody is
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    store = open_store(fake)
    await store.upsert(sample_points())
    assert await store.count() == len(sample_points())
    await store.snapshot(tmp_path / "saved")
    await store.close()


@pytest.mark.parametrize(
    "fault",
    [
        Fault(429, headers={"Retry-After": "0"}),
        Fault(429),
        Fault(429, headers={"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}),
        Fault(500),
        Fault(503, headers={"Retry-After": "0"}),
        Fault(None),
        Fault(None, share=1.0),
        Fault(500, share=0.5),
        Fault(502, body=b"<html>Bad gateway</html>"),
    ],
    ids=str,
)
async def test_what_passes_is_tried_again(fake: FakeQdrant, store: QdrantStore, fault: Fault) -> None:
    fake.faults += [(UPSERT, fault), (UPSERT, fault)]
    await store.upsert(sample_points())
    assert fake.count(UPSERT) == 3
    assert await store.count() == 40


async def test_a_server_that_dies_leaves_what_the_same_call_completes(fake: FakeQdrant, store: QdrantStore) -> None:
    points = sample_points(600)
    await store.upsert(points[:10])
    fake.faults += [(UPSERT, Fault(500, share=0.5))] + [(UPSERT, Fault(None))] * 2
    changed = [Point(point.id, point.vector, "changed", point.payload) for point in points]
    with pytest.raises(StoreUnavailableError, match="cannot be reached"):
        await store.upsert(changed)
    assert 10 < await store.count() < 600
    await store.upsert(changed)
    assert await store.ids() == sorted(point.id for point in points)
    assert {point.text for point in await store.get([point.id for point in points])} == {"changed"}


async def test_a_deletion_that_was_half_done_is_completed(fake: FakeQdrant, store: QdrantStore) -> None:
    points = sample_points()
    await store.upsert(points)
    fake.faults += [("points/delete", Fault(500, share=0.5))] * 3
    with pytest.raises(StoreUnavailableError, match="answers 500"):
        await store.delete([point.id for point in points])
    await store.delete([point.id for point in points])
    assert await store.count() == 0


async def test_a_server_that_asks_for_too_long_a_wait_is_given_up(fake: FakeQdrant, store: QdrantStore) -> None:
    fake.faults += [(UPSERT, Fault(429, headers={"Retry-After": "3600"}))]
    with pytest.raises(StoreUnavailableError, match="too much to do") as caught:
        await store.upsert(sample_points(1))
    assert caught.value.retry_after == 3600
    assert fake.count(UPSERT) == 1


async def test_a_server_that_is_slow_is_named(fake: FakeQdrant) -> None:
    store = open_store(fake, timeout=1.0)
    await store.upsert(sample_points(2))
    fake.faults += [("query", Fault(500, seconds=1.2))] * 3
    with pytest.raises(StoreUnavailableError, match="did not answer in time"):
        await store.search(Search(1, text="granite"))
    await store.close()


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault(401), "refuses the key"),
        (Fault(403), "PLUMBLINE_STORE_KEY"),
        (Fault(400), "refuses .400: as told"),
        (Fault(422), "refuses .422"),
        (Fault(200, body=b'{"result": {"hello": 1}}'), "does not speak as Qdrant does"),
        (Fault(200, body=b"<html>"), "does not speak as Qdrant does"),
    ],
    ids=str,
)
async def test_what_does_not_pass_is_said_at_once(
    fake: FakeQdrant, store: QdrantStore, fault: Fault, said: str
) -> None:
    fake.faults += [("GET /collections/kb-g1$", fault)]
    with pytest.raises(StoreError, match=said) as caught:
        await store.upsert(sample_points(1))
    assert "secret" not in str(caught.value)
    assert fake.count("") == 1


async def test_nobody_there(fake: FakeQdrant) -> None:
    fake.close()
    with pytest.raises(StoreUnavailableError, match=r"cannot be reached.*Try again"):
        await open_store(fake).count()


async def test_two_that_make_the_collection_at_once(fake: FakeQdrant, store: QdrantStore) -> None:
    other = open_store(fake)
    fake.faults += [("PUT /collections/kb-g1$", Fault(409, share=1.0))]
    await store.upsert(sample_points(1))
    await other.upsert(sample_points(2))
    assert await store.count() == 2
    await other.close()


async def test_filters_have_their_indexes(fake: FakeQdrant, store: QdrantStore) -> None:
    await store.upsert(sample_points(5))
    await store.count(Range("date", gte="2022-01-01"))
    await store.search(Search(3, text="granite", filter=Not(Range("page", gte=2, lt=4))))
    await store.count(Range("date", gte="2023-01-01"))
    made = [body["field_name"] for line, body in fake.asked if line.endswith("/index")]
    assert made == ["language", "facts", "tenant", "texts.f_date[].p0", "numbers.f_page"]
    tenant = next(body for line, body in fake.asked if line.endswith("/index") and body["field_name"] == "tenant")
    assert tenant["field_schema"]["is_tenant"] is True


async def test_a_collection_is_made_as_asked(fake: FakeQdrant) -> None:
    options = QdrantOptions(shards=6, replicas=2, write_consistency=2, quantization="int8", effort=64)
    store = open_store(fake, options=options)
    await store.upsert(sample_points(3))
    made = next(body for line, body in fake.asked if line == "PUT /collections/kb-g1")
    assert (made["shard_number"], made["replication_factor"], made["write_consistency_factor"]) == (6, 2, 2)
    assert made["sparse_vectors"]["words"]["modifier"] == "idf"
    assert made["vectors"]["dense"]["quantization_config"]["scalar"]["type"] == "int8"
    await store.search(Search(2, sample_points(1)[0].vector, exact=True))
    (asked,) = fake.asked[-1][1]["searches"]
    assert asked["params"]["exact"] is True
    assert asked["params"]["hnsw_ef"] == 64
    assert asked["params"]["quantization"] == {"rescore": True, "oversampling": 3.0}
    await store.close()


async def test_a_k_of_a_thousand_million_is_cut_to_what_is_there(fake: FakeQdrant, store: QdrantStore) -> None:
    await store.upsert(sample_points(5))
    await store.search(Search(10**9, sample_points(1)[0].vector))
    assert fake.asked[-1][1]["searches"][0]["limit"] == 5


async def test_every_tenant_has_its_shards(fake: FakeQdrant) -> None:
    store = open_store(fake, options=QdrantOptions(shard_field="tenant"))
    points = sample_points(8)
    await store.upsert(points)
    puts = {
        body["shard_key"]: body["points"] for line, body in fake.asked if line.endswith("/points") and "PUT" in line
    }
    assert puts.keys() == {"acme", "bolt", "-"}
    assert all(each["payload"].get("tenant", "-") == key for key, some in puts.items() for each in some)
    left = [body["shard_key"] for line, body in fake.asked if line.endswith("/points/delete")]
    assert sorted(map(sorted, left)) == [["-", "acme"], ["-", "bolt"], ["acme", "bolt"]], (
        "a point leaves its old shards"
    )
    allowed = Or((Eq("tenant", "acme"), Not(Exists("tenant"))))
    for condition, keys in ((allowed, ["-", "acme"]), (Eq("page", 1), None), (None, None)):
        await store.search(Search(2, text="granite", filter=condition))
        assert fake.asked[-1][1]["searches"][0].get("shard_key") == keys
    await store.close()


async def test_a_snapshot_is_the_servers_own(fake: FakeQdrant, store: QdrantStore, tmp_path: Path) -> None:
    await store.upsert(sample_points(5))
    fake.faults += [("GET .*snapshots", Fault(500)), ("GET .*snapshots", Fault(None))]
    await store.snapshot(tmp_path / "deep" / "copy")
    assert (tmp_path / "deep" / "copy").read_bytes() == SNAPSHOT
    assert fake.count("DELETE .*one.snapshot") == 1
    await store.restore(tmp_path / "deep" / "copy")
    assert SNAPSHOT in fake.uploaded[0]
    assert listed(tmp_path / "deep") == ["copy"]


async def test_a_download_that_fails_leaves_nothing(fake: FakeQdrant, store: QdrantStore, tmp_path: Path) -> None:
    await store.upsert(sample_points(5))
    fake.faults += [("GET .*snapshots", Fault(500))] * 3
    with pytest.raises(StoreUnavailableError):
        await store.snapshot(tmp_path / "copy")
    assert listed(tmp_path) == []
    assert fake.count("DELETE .*one.snapshot") == 1


async def test_of_a_cluster_every_point_is_written(fake: FakeQdrant, store: QdrantStore, tmp_path: Path) -> None:
    fake.spread = True
    await store.upsert(sample_points(5))
    await store.snapshot(tmp_path / "copy")
    await store.clear()
    await store.restore(tmp_path / "copy")
    assert await store.count() == 5
