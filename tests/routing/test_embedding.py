"""The path of a call to an embedder."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from routing.chat import Tags
from routing.embedding import MeteredEmbedder
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
