"""The reranker suite accepts the fake and rejects what breaks a promise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from routing.chat import Usage
from routing.testing.fakes import FakeReranker
from routing.testing.reranker import check_reranker
from routing.vectors import Scores


async def test_the_fake_conforms() -> None:
    await check_reranker(FakeReranker())


class Broken(FakeReranker):
    def __init__(self, fault: str) -> None:
        super().__init__()
        self.fault = fault

    async def score(self, query: str, passages: Sequence[str]) -> Scores:
        values: Any = (await super().score(query, passages)).values
        if self.fault == "shape":
            values = np.append(values, np.float32(0))
        elif self.fault == "dtype":
            values = np.asarray(values, dtype="f8")
        elif self.fault == "nan":
            values = values * np.float32("nan")
        elif self.fault == "worst first":
            values = -values
        elif self.fault == "order":
            values = values + np.arange(len(values), dtype=np.float32) / 10
        return Scores(values, Usage(-1 if self.fault == "usage" else 0))


@pytest.mark.parametrize("fault", ["shape", "dtype", "nan", "worst first", "order", "usage"])
async def test_broken_rerankers_are_rejected(fault: str) -> None:
    with pytest.raises(AssertionError):
        await check_reranker(Broken(fault))


async def test_a_name_without_a_provider_is_rejected() -> None:
    reranker = FakeReranker()
    reranker.name = "overlap"
    with pytest.raises(AssertionError, match="provider/name"):
        await check_reranker(reranker)
