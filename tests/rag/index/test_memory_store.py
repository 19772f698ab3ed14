from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from plumbline.errors import CorruptStateError, InputError, StorageError
from rag.index.lexical import LexicalIndex
from rag.index.memory_store import MemoryStore
from rag.index.points_file import restore
from rag.index.settings import LexicalSettings
from rag.index.store import Point, Search
from rag.testing.store import DIM, check_store, sample_points
from rag.testing.store_samples import fielded_points, plain


async def make(dim: int) -> MemoryStore:
    return MemoryStore(dim)


async def test_conformance() -> None:
    await check_store(make)


async def test_scores_are_those_of_the_inverted_index() -> None:
    points = sample_points()
    store = MemoryStore(DIM)
    await store.upsert(points)
    index = LexicalIndex([store.terms(point.text) for point in points])
    for text in ("granite", "granite copper copper", "item 7 violin"):
        positions, scores = index.search(store.terms(text), 100)
        expected = {points[at].id: score for at, score in zip(positions.tolist(), scores.tolist(), strict=True)}
        found = dict((await store.search(Search(100, text=text))).lexical)
        assert found.keys() == expected.keys()
        assert all(math.isclose(found[name], expected[name], rel_tol=1e-5) for name in found)


async def test_weights_of_fields_decide_what_comes_first() -> None:
    for title, heading, first in ((8.0, 1.0, "title"), (1.0, 8.0, "heading"), (0.0, 0.0, "text")):
        store = MemoryStore(DIM, LexicalSettings(title_weight=title, heading_weight=heading, b=0))
        await store.upsert([point for point in fielded_points() if point.id in {"title", "heading", "text"}])
        assert (await store.search(Search(5, text="basalt"))).lexical[0][0] == first


async def test_a_snapshot_brings_everything_back(tmp_path: Path) -> None:
    store, other = MemoryStore(DIM), MemoryStore(DIM)
    points = [*sample_points(), *fielded_points()]
    await store.upsert(points)
    await store.snapshot(tmp_path / "copy")
    assert await restore(other, tmp_path / "copy") == len(points)
    for put, back in zip(points, await other.get([point.id for point in points]), strict=True):
        assert np.array_equal(back.vector, put.vector)
        assert back.payload == plain(dict(put.payload))
    with pytest.raises(StorageError, match="exists already"):
        await store.snapshot(tmp_path / "copy")


async def test_a_damaged_snapshot_is_refused(tmp_path: Path) -> None:
    store = MemoryStore(DIM)
    await store.upsert(sample_points())
    await store.snapshot(tmp_path / "copy")
    whole = (tmp_path / "copy").read_bytes()
    for name, content in {"cut": whole[: len(whole) // 2], "other": b"hello", "empty": b""}.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(CorruptStateError, match=name):
            await restore(MemoryStore(DIM), tmp_path / name)
    with pytest.raises(InputError, match="no snapshot"):
        await restore(store, tmp_path / "missing")


async def test_what_was_handed_in_may_change_afterwards() -> None:
    store = MemoryStore(DIM)
    payload, vector = {"page": 1}, sample_points(1)[0].vector.copy()
    await store.upsert([Point("a", vector, "text", payload)])
    payload["page"], vector[0] = 2, 5.0
    (back,) = await store.get(["a"])
    assert back.payload == {"page": 1}
    assert back.vector[0] != 5.0


async def test_a_payload_that_json_cannot_hold_is_refused() -> None:
    for value in (float("nan"), object()):
        with pytest.raises(InputError, match="payload of point a"):
            await MemoryStore(DIM).upsert([Point("a", sample_points(1)[0].vector, "text", {"x": value})])
