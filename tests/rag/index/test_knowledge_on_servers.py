"""Knowledge bases whose index is on a server: what a person does with them, on each of the two."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from plumbline.errors import InputError, StateError
from rag import RAG
from rag.errors import StoreError
from rag.index.settings import StoreSettings
from tests.rag.index.qdrant.fake_server import FakeQdrant, Fault

Settings = Mapping[str, Any]


@pytest.fixture(params=["qdrant", "pgvector"])
def store(request: pytest.FixtureRequest) -> Iterator[Settings]:
    """The settings of a store on a server."""
    name = f"kb_{uuid4().hex[:8]}"
    if request.param == "pgvector":
        yield {"kind": "pgvector", "url": request.getfixturevalue("postgres_url"), "collection": name}
        return
    fake = FakeQdrant()
    yield {"kind": "qdrant", "url": fake.url, "collection": name}
    fake.close()


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "refunds.md").write_text("# Refunds\n\nRefunds are paid within 30 days of purchase.\n")
    (folder / "shipping.md").write_text("# Shipping\n\nParcels leave the harbour on Mondays.\n")
    return folder


def opened(folder: Path, store: Settings, **more: Any) -> RAG:
    return RAG.open(folder, settings={**{f"store.{key}": value for key, value in store.items()}, **more})


def found(base: RAG, text: str) -> list[str]:
    return [hit.chunk.text for hit in base.search(text)]


def test_a_store_that_was_never_filled_says_so(tmp_path: Path, docs: Path, store: Settings) -> None:
    with RAG.open(tmp_path / "kb") as base:
        base.ingest(docs)
    with opened(tmp_path / "kb", store) as base:
        assert base.status().store.startswith(f"{store['kind']} {store['collection']} ")
        with pytest.raises(InputError, match=r"holds nothing of the knowledge base in .*rag migrate"):
            base.ask("When are refunds paid?")
        with pytest.raises(InputError, match="in that store already"):
            base.migrate(StoreSettings.model_validate(store))


def test_documents_come_change_and_go(tmp_path: Path, docs: Path, store: Settings) -> None:
    with opened(tmp_path / "kb", store) as base:
        base.ingest(docs)
        assert "30 days" in found(base, "refund")[0]
    (docs / "refunds.md").write_text("# Refunds\n\nRefunds are paid within 14 days of purchase.\n")
    (docs / "shipping.md").unlink()
    with opened(tmp_path / "kb", store) as base:
        base.ingest(docs)
        assert "14 days" in found(base, "refund")[0]
        assert not any("harbour" in text for text in found(base, "parcels harbour"))
        assert base.verify(repair=False).complete


def test_another_way_of_cutting_changes_over(tmp_path: Path, docs: Path, store: Settings) -> None:
    with opened(tmp_path / "kb", store) as base:
        base.ingest(docs)
    with opened(tmp_path / "kb", store, **{"chunking.size": 120}) as base:
        base.ingest(docs)
        assert "30 days" in found(base, "refund")[0]
        (generation,) = base.parts.live.generations.all()
        assert generation.number == 2
        assert base.verify(repair=False).complete


def test_a_name_is_one_knowledge_bases(tmp_path: Path, docs: Path, store: Settings) -> None:
    """Neither ingestion nor migration takes what another has stored, and the other goes on."""
    with opened(tmp_path / "kb", store) as base:
        base.ingest(docs)
    other = tmp_path / "other"
    other.mkdir()
    (other / "wages.md").write_text("# Wages\n\nWages are paid on the 25th.\n")
    with opened(tmp_path / "second", store) as base, pytest.raises(StateError, match="belongs to another knowledge"):
        base.ingest(other)
    with RAG.open(tmp_path / "third") as base:
        base.ingest(other)
        with pytest.raises(StoreError, match="belongs to another knowledge base"):
            base.migrate(StoreSettings.model_validate(store))
    with opened(tmp_path / "kb", store) as base:
        assert "30 days" in found(base, "refund")[0]
        assert base.verify(repair=False).complete


def test_there_and_back(tmp_path: Path, docs: Path, store: Settings) -> None:
    with RAG.open(tmp_path / "kb") as base:
        base.ingest(docs)
        hits = found(base, "When are refunds paid?")
        assert all(each.proven for each in base.migrate(StoreSettings.model_validate(store)).values())
    with opened(tmp_path / "kb", store) as base:
        assert found(base, "When are refunds paid?") == hits
        assert all(each.proven for each in base.migrate(StoreSettings()).values())
    with RAG.open(tmp_path / "kb") as base:
        assert found(base, "When are refunds paid?") == hits
        assert base.verify(repair=False).complete


def test_the_alias_names_what_is_searched(tmp_path: Path, docs: Path) -> None:
    fake = FakeQdrant()
    store = {"kind": "qdrant", "url": fake.url, "collection": "handbook"}
    for more in ({}, {"chunking.size": 120}):
        with opened(tmp_path / "kb", store, **more) as base:
            base.ingest(docs)
    assert [each.name for each in fake.client.get_collections().collections] == ["handbook-g2"]
    (alias,) = fake.client.get_aliases().aliases
    assert (alias.alias_name, alias.collection_name) == ("handbook", "handbook-g2")
    fake.close()


def test_an_ingestion_that_the_server_left_in_the_middle_is_completed_by_the_next(tmp_path: Path, docs: Path) -> None:
    fake = FakeQdrant()
    store = {"kind": "qdrant", "url": fake.url, "collection": "handbook"}
    with opened(tmp_path / "kb", store) as base:
        fake.faults.append((r"PUT .*/points$", Fault(400, share=0.5)))
        with pytest.raises(StoreError, match="as told"):
            base.ingest(docs)
        base.ingest(docs)
        assert "30 days" in found(base, "refund")[0]
        assert base.verify(repair=False).complete
    fake.close()
