from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from plumbline.errors import ConfigError, InputError, MissingExtraError, StorageError
from rag import RAG
from rag.index import migrate_command
from rag.index.build_store import build_store, settings_of
from rag.index.memory_store import MemoryStore
from rag.index.migrate import migrate, same_ranking
from rag.index.pgvector.connections import Connections
from rag.index.pgvector.store import PgVectorStore
from rag.index.settings import StoreSettings
from rag.index.store import Point
from rag.testing.store import DIM, sample_points
from rag.testing.store_samples import fielded_points

NO_ENGINE: Any = None
"""What stores on servers are built with: they use none."""


class Failing(MemoryStore):
    """Takes one batch and then no more."""

    taken = 0

    async def upsert(self, points):
        if self.taken:
            raise StorageError("full")
        self.taken += len(points)
        await super().upsert(points)


async def filled(count: int = 40) -> MemoryStore:
    store = MemoryStore(DIM)
    await store.upsert([*sample_points(count), *fielded_points()])
    return store


async def test_everything_moves_and_is_proven() -> None:
    source, target = await filled(), MemoryStore(DIM)
    seen: list[tuple[int, int]] = []
    moved = await migrate(source, target, on_progress=lambda done, of: seen.append((done, of)))
    assert (moved.points, moved.copied, moved.kept, moved.removed) == (52, 52, 0, 0)
    assert moved.proven
    assert (moved.searches, moved.equal, moved.lexical_overlap) == (50, 50, 1.0)
    assert seen == [(52, 52)]


async def test_a_migration_that_was_interrupted_goes_on() -> None:
    source, target = await filled(900), Failing(DIM)
    with pytest.raises(StorageError, match="full"):
        await migrate(source, target)
    target.taken = 0
    moved = await migrate(source, target)
    assert (moved.copied, moved.kept) == (412, 500)
    assert moved.proven
    again = await migrate(source, target)
    assert (again.copied, again.kept, again.proven) == (0, 912, True)


async def test_what_differs_is_replaced_and_what_is_too_much_removed() -> None:
    source, target = await filled(), MemoryStore(DIM)
    points = sample_points()
    changed = [
        Point(points[0].id, points[1].vector, points[0].text, points[0].payload),
        Point(points[1].id, points[1].vector, "other", points[1].payload),
        Point(points[2].id, points[2].vector, points[2].text, {}),
        Point("stray", points[3].vector, "stray"),
    ]
    await target.upsert([*points[4:], *changed])
    moved = await migrate(source, target)
    assert (moved.copied, moved.kept, moved.removed) == (16, 36, 1)
    assert moved.proven


async def test_a_store_that_loses_points_is_found_out() -> None:
    class Losing(MemoryStore):
        async def upsert(self, points):
            await super().upsert(points[1:])

    class Bending(MemoryStore):
        async def upsert(self, points):
            await super().upsert([Point(p.id, -p.vector, p.text, p.payload, p.heading, p.title) for p in points])

    moved = await migrate(await filled(), Losing(DIM))
    assert (moved.same_count, moved.same_ids, moved.proven) == (False, False, False)
    moved = await migrate(await filled(), Bending(DIM))
    assert (moved.same_count, moved.same_ids) == (True, True)
    assert moved.equal == 0
    assert not moved.proven


async def test_an_empty_store_moves_too() -> None:
    moved = await migrate(MemoryStore(DIM), MemoryStore(DIM))
    assert moved.proven
    assert moved.lexical_overlap is None


def test_rankings_are_equal_but_for_ties_at_the_end() -> None:
    one = [("a", 0.9), ("b", 0.5), ("c", 0.5)]
    assert same_ranking(one, [("a", 0.9), ("c", 0.5), ("d", 0.5)])
    assert not same_ranking(one, [("x", 0.9), ("b", 0.5), ("c", 0.5)])
    assert not same_ranking(one, [("a", 0.9), ("b", 0.6), ("c", 0.5)])
    assert not same_ranking(one, one[:2])
    assert same_ranking([], [])


def settings(**given: object) -> StoreSettings:
    return StoreSettings.model_validate(given)


def test_addresses_become_settings() -> None:
    base = settings(shards=3)
    found = settings_of("qdrant://node:6333/handbook", base)
    assert (found.kind, found.url, found.collection, found.shards) == ("qdrant", "http://node:6333", "handbook", 3)
    assert settings_of("qdrants://cloud/a/b", base).url == "https://cloud/a"
    assert settings_of("qdrant://node/x", base, "named").collection == "named"
    found = settings_of("postgresql://u:p@h/db", base, "handbook")
    assert (found.kind, found.url, found.collection) == ("pgvector", "postgresql://u:p@h/db", "handbook")
    assert settings_of("embedded:", found) == base


@pytest.mark.parametrize(
    ("address", "said"),
    [
        (
            "mysql://u:secret@host/db",
            "'mysql://u@host/db' is no address of a store: it begins with 'mysql:' and not with",
        ),
        ("host/handbook", "it begins not with qdrant:// or"),
        ("qdrant://host:x/handbook", "its port 'x' is no number up to 65535"),
        ("qdrant:///handbook", "it names no host"),
        ("http://host:6333/handbook", "it begins with 'http:' and not with qdrant://"),
        ("embeded:", "Write qdrant://HOST:6333/COLLECTION .*, postgresql://USER@HOST/DATABASE or embedded:"),
    ],
)
def test_what_is_wrong_with_an_address_is_named(address: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        settings_of(address, settings())
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"kind": "qdrant"}, "store.url is None.*http://host:6333"),
        (
            {"kind": "qdrant", "url": "qdrant://h", "collection": "c"},
            r"store.url is 'qdrant://h': it begins with 'qdrant:' and not with http:// or https://\. For example: http://ho",
        ),
        ({"kind": "qdrant", "url": "http://h:66333", "collection": "c"}, "its port '66333' is no number up to 65535"),
        ({"kind": "qdrant", "url": "http://h"}, "store.collection.*no other knowledge base"),
        ({"kind": "qdrant", "url": "http://h", "collection": "a/b"}, "store.collection"),
        ({"kind": "pgvector", "url": "http://u:secret@h", "collection": "c"}, "store.url .* not with postgresql://"),
        ({"kind": "pgvector", "url": "postgresql://u:secret@[x", "collection": "c"}, "store.url .* host is no address"),
        ({"kind": "embedded", "url": "http://h"}, "store.url.*has none"),
        ({"kind": "memory", "lexical": {"scorer": "rank-bm25"}}, "store.lexical.scorer"),
    ],
)
def test_settings_that_do_not_go_together_are_named(given: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        build_store(settings(**given), dim=DIM, engine=NO_ENGINE, file=Path("kb.db"))
    assert "secret" not in str(caught.value)


def test_stores_are_built_by_generation_and_ask_nobody(tmp_path: Path) -> None:
    for given in (
        {"kind": "memory"},
        {"kind": "qdrant", "url": "http://127.0.0.1:1", "collection": "kb"},
        {"kind": "pgvector", "url": "postgresql://127.0.0.1:1/db", "collection": "kb"},
    ):
        make = build_store(settings(**given), dim=DIM, engine=NO_ENGINE, file=tmp_path, environ={})
        assert make(3).name == given["kind"]


def test_a_missing_package_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "qdrant_client", None)
    given = settings(kind="qdrant", url="http://h", collection="kb")
    with pytest.raises(MissingExtraError, match=r"plumbline\[qdrant\]"):
        build_store(given, dim=DIM, engine=NO_ENGINE, file=Path("kb.db"))


async def test_from_postgres_and_back(postgres_url: str) -> None:
    source = await filled()
    connections = Connections(postgres_url)
    there = PgVectorStore(connections, dim=DIM, collection=f"m{uuid4().hex[:8]}")
    assert (await migrate(source, there)).proven
    back = MemoryStore(DIM)
    assert (await migrate(there, back)).proven
    (one,), (other,) = await source.get(["thrice"]), await back.get(["thrice"])
    assert np.array_equal(one.vector, other.vector)
    assert (one.title, one.heading, one.payload) == (other.title, other.heading, other.payload)
    await there.clear()
    await there.close()


def test_a_knowledge_base_moves_and_is_searched_there(tmp_path: Path, postgres_url: str) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "refunds.md").write_text("# Refunds\n\nRefunds are paid within 30 days of purchase.\n")
    (docs / "shipping.md").write_text("# Shipping\n\nParcels leave the harbour on Mondays.\n")
    with RAG.open(tmp_path / "kb") as base:
        base.ingest(docs)
        hits = [hit.chunk.text for hit in base.search("refund")]
    app = typer.Typer()
    migrate_command.register(app)
    name = f"cli_{uuid4().hex[:8]}"
    arguments = ["--to", postgres_url, "--collection", name, "--kb", str(tmp_path / "kb")]
    first = CliRunner().invoke(app, arguments)
    assert first.exit_code == 0, first.output
    assert "2 points: 2 copied, 0 there already." in first.output
    assert "2 of 2 exact searches equal" in first.output
    assert "kind: pgvector" in first.output
    again = CliRunner().invoke(app, [*arguments, "--json"])
    assert '"kept": 2' in again.output
    store = {"store.kind": "pgvector", "store.url": postgres_url, "store.collection": name}
    with RAG.open(tmp_path / "kb", settings=store) as base:
        assert base.parts.store.name == "pgvector"
        assert [hit.chunk.text for hit in base.search("refund")] == hits
        assert base.verify(repair=False).complete


def test_a_knowledge_base_does_not_move_to_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "refunds.md").write_text("Refunds are paid within 30 days of purchase.\n")
    with RAG.open(tmp_path / "kb") as base:
        base.ingest(tmp_path / "refunds.md")
    app = typer.Typer()
    migrate_command.register(app)
    result = CliRunner().invoke(app, ["--to", "embedded:", "--kb", str(tmp_path / "kb")])
    assert isinstance(result.exception, InputError)
    assert "is in that store already: embedded" in str(result.exception)
    assert "--config" in str(result.exception)
