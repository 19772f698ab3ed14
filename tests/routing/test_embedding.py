"""The path of a call to an embedder."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import numpy as np
import pytest

from routing.chat import Tags
from routing.embedding import AT_ONCE, MeteredEmbedder
from routing.errors import AuthenticationError, ModelError, OverloadedError
from routing.meter import Meter, billed
from routing.settings import RetrySettings
from routing.testing.fakes import FakeEmbedder
from routing.vectors import Embeddings

QUICK = RetrySettings(attempts=3, first_wait_seconds=0, longest_wait_seconds=0.01)


class Failing(FakeEmbedder):
    def __init__(self, *errors: ModelError) -> None:
        super().__init__(dim=8)
        self.errors = list(errors)

    async def embed_passages(self, texts: Sequence[str]) -> Embeddings:
        if self.errors:
            raise self.errors.pop(0)
        return await super().embed_passages(texts)


async def test_vectors_come_back_and_the_call_is_recorded(meter: Meter) -> None:
    embedder = MeteredEmbedder(FakeEmbedder(dim=8), meter=meter, retry=QUICK)
    with billed() as bill:
        assert (await embedder.queries(["a", "b"], Tags("search"))).shape == (2, 8)
    assert bill.usage.input_tokens > 0
    assert meter.ledger.totals().calls == 1


async def test_a_passing_failure_is_tried_again_and_every_try_recorded(meter: Meter) -> None:
    failing = Failing(OverloadedError("503", model="scripted/hashing", retry_after=0.01))
    embedder = MeteredEmbedder(failing, meter=meter, retry=QUICK)
    assert (await embedder.passages(["a"], Tags("ingest"))).shape == (1, 8)
    assert meter.ledger.totals().calls == 2


async def test_a_wrong_key_is_raised_at_once(meter: Meter) -> None:
    failing = Failing(AuthenticationError("401", model="scripted/hashing"))
    with pytest.raises(AuthenticationError):
        await MeteredEmbedder(failing, meter=meter, retry=QUICK).passages(["a"], Tags("ingest"))
    assert meter.ledger.totals().calls == 1


class OnePerRequest(FakeEmbedder):
    """Takes one text a request, and fails for the texts in `fails`, once each."""

    def __init__(self, fails: dict[str, ModelError] | None = None) -> None:
        super().__init__(dim=8)
        self.fails = fails or {}
        self.running = self.most = 0

    def requests(self, texts: Sequence[str]) -> list[list[int]]:
        return [[row] for row in range(len(texts))]

    async def embed_passages(self, texts: Sequence[str]) -> Embeddings:
        assert len(texts) == 1
        self.running += 1
        self.most = max(self.most, self.running)
        await asyncio.sleep(0)
        self.running -= 1
        if error := self.fails.pop(texts[0], None):
            raise error
        return await super().embed_passages(texts)


async def test_requests_go_out_side_by_side_and_the_order_is_kept(meter: Meter) -> None:
    texts = [f"text {number}" for number in range(3 * AT_ONCE)]
    embedder = OnePerRequest()
    vectors = await MeteredEmbedder(embedder, meter=meter, retry=QUICK).passages(texts, Tags("ingest"))
    assert np.array_equal(vectors, (await FakeEmbedder(dim=8).embed_passages(texts)).vectors)
    assert embedder.most == AT_ONCE
    assert meter.ledger.totals().calls == len(texts)


async def test_a_request_that_fails_is_tried_again_alone(meter: Meter) -> None:
    embedder = OnePerRequest({"b": OverloadedError("503", model="scripted/hashing")})
    await MeteredEmbedder(embedder, meter=meter, retry=QUICK).passages(["a", "b", "c"], Tags("ingest"))
    assert sorted(embedder.texts) == ["a", "b", "c"]
    assert meter.ledger.totals().calls == 4


async def test_after_a_failure_for_good_nothing_more_is_sent_and_what_runs_is_accounted_for(meter: Meter) -> None:
    texts = [str(number) for number in range(5 * AT_ONCE)]
    embedder = OnePerRequest({"0": AuthenticationError("401", model="scripted/hashing")})
    with pytest.raises(AuthenticationError):
        await MeteredEmbedder(embedder, meter=meter, retry=QUICK).passages(texts, Tags("ingest"))
    assert len(embedder.texts) < len(texts) - 1
    assert meter.ledger.totals().calls == len(embedder.texts) + 1
