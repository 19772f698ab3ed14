from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from plumbline.errors import InputError
from routing.errors import OverloadedError
from routing.testing.embedder import check_embedder
from routing.testing.fakes import FakeEmbedder, FakeReranker, ScriptedReranker
from routing.testing.recording_vectors import (
    RecordingEmbedder,
    RecordingReranker,
    ReplayingEmbedder,
    ReplayingReranker,
)
from routing.testing.reranker import check_reranker
from routing.testing.tape import UnrecordedError


async def test_embedders_keep_the_contract(tmp_path: Path) -> None:
    tape = tmp_path / "tape.jsonl"
    recording = RecordingEmbedder(FakeEmbedder(dim=24), tape)
    await check_embedder(recording)
    await recording.close()
    replaying = ReplayingEmbedder(tape)
    await check_embedder(replaying)
    assert (replaying.name, replaying.dim, replaying.max_tokens) == ("scripted/hashing", 24, None)
    await replaying.close()


async def test_vectors_and_usage_come_back_exactly(tmp_path: Path) -> None:
    tape = tmp_path / "tape.jsonl"
    recorded = await RecordingEmbedder(FakeEmbedder(), tape).embed_passages(["a b", "c"])
    replaying = ReplayingEmbedder(tape)
    found = await replaying.embed_passages(("a b", "c"))
    assert np.array_equal(found.vectors, recorded.vectors)
    assert found.usage == recorded.usage
    with pytest.raises(UnrecordedError, match="nor of another of its kind"):
        await replaying.embed_queries(["a b", "c"])
    with pytest.raises(UnrecordedError, match='"c"'):
        await replaying.embed_passages(["a b"])


async def test_rerankers_keep_the_contract(tmp_path: Path) -> None:
    tape = tmp_path / "tape.jsonl"
    await check_reranker(RecordingReranker(FakeReranker(), tape))
    await check_reranker(ReplayingReranker(tape))


async def test_scores_searches_and_errors_come_back(tmp_path: Path) -> None:
    tape = tmp_path / "tape.jsonl"
    model = ScriptedReranker(OverloadedError("busy", model="scripted/rerank", status=503), [0.25, 0.1], searches=3)
    recording = RecordingReranker(model, tape)
    with pytest.raises(OverloadedError):
        await recording.score("q", ["a", "b"])
    recorded = await recording.score("q", ["a", "b"])
    await recording.close()
    replaying = ReplayingReranker(tape)
    with pytest.raises(OverloadedError, match="busy"):
        await replaying.score("q", ["a", "b"])
    found = await replaying.score("q", ["a", "b"])
    assert np.array_equal(found.values, recorded.values)
    assert found.usage.searches == 3
    await replaying.close()
    with pytest.raises(InputError, match="no such model"):
        ReplayingEmbedder(tape)
