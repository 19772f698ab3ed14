"""The reranker suite accepts the fake and rejects what breaks a promise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from routing.chat import Usage
from routing.errors import OverloadedError
from routing.testing.fakes import FakeReranker, ScriptedReranker
from routing.testing.reranker import check_reranker
from routing.vectors import Scores


async def test_the_fake_conforms() -> None:
    await check_reranker(FakeReranker())


class Broken(FakeReranker):
    def __init__(self, fault: str) -> None:
        super().__init__()
        self.fault = fault

    async def score(self, query: str, passages: Sequence[str]) -> Scores:
        if self.fault == "cut":
            passages = [passage[:500] for passage in passages]
        values: Any = (await super().score(query, passages)).values
        if self.fault == "shape":
            values = np.append(values, np.float32(0))
        elif self.fault == "dtype":
            values = np.asarray(values, dtype="f8")
        elif self.fault == "nan":
            values = values * np.float32("nan")
        elif self.fault == "infinite":
            values = np.where([not passage for passage in passages], np.float32("-inf"), values)
        elif self.fault == "worst first":
            values = -values
        elif self.fault == "order":
            values = values + np.arange(len(values), dtype=np.float32) / 10
        return Scores(values, Usage(-1 if self.fault == "usage" else 0))


@pytest.mark.parametrize("fault", ["shape", "dtype", "nan", "infinite", "worst first", "order", "cut", "usage"])
async def test_broken_rerankers_are_rejected(fault: str) -> None:
    with pytest.raises(AssertionError):
        await check_reranker(Broken(fault))


async def test_a_name_without_a_provider_is_rejected() -> None:
    reranker = FakeReranker()
    reranker.name = "overlap"
    with pytest.raises(AssertionError, match="provider/name"):
        await check_reranker(reranker)


async def test_a_scripted_reranker_does_what_it_is_told() -> None:
    reranker = ScriptedReranker([1, 2], OverloadedError("503", model="m"), lambda query, passages: [len(query)])
    scores = await reranker.score("q", ["a", "b"])
    assert (scores.values.tolist(), scores.usage.searches) == ([1.0, 2.0], 1)
    with pytest.raises(OverloadedError):
        await reranker.score("q", ["a"])
    assert (await reranker.score("four", ["a"])).values.tolist() == [4.0]
    assert [query for query, _ in reranker.calls] == ["q", "q", "four"]
    with pytest.raises(ValueError, match="at least one reply"):
        ScriptedReranker()
