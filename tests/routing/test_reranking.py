"""The path of a call to a reranker."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from decimal import Decimal

import pytest

from plumbline.trace import read_trace, recent_traces
from routing.chat import Tags, Usage
from routing.cost.prices import Price, PriceTable
from routing.errors import AuthenticationError, DeadlineError, OverloadedError
from routing.meter import Meter, billed
from routing.reranking import MeteredReranker
from routing.settings import RetrySettings
from routing.testing.fakes import FakeReranker, ScriptedReranker
from routing.vectors import Scores

QUICK = RetrySettings(attempts=3, first_wait_seconds=0, longest_wait_seconds=0.01)
TAGS = Tags("answer", "acme")


@pytest.fixture
def priced(meter: Meter) -> Meter:
    return Meter(meter.tracing, meter.ledger, PriceTable({"acme/rerank": Price(Decimal(0), searches=Decimal(2))}))


async def test_a_call_is_priced_by_the_search_and_recorded(priced: Meter) -> None:
    reranker = MeteredReranker(ScriptedReranker([2, 1], name="acme/rerank"), meter=priced, retry=QUICK)
    with billed() as bill, priced.tracing.span("ask"):
        assert (await reranker.score("q", ["a", "b"], TAGS)).tolist() == [2, 1]
    assert bill.cost == Decimal("0.002")
    priced.tracing.flush()
    engine = priced.tracing.writer.engine
    (root,) = recent_traces(engine)
    span = read_trace(engine, root.trace_id)[1]
    assert span.name == "rerank acme/rerank"
    assert (span.attributes["plumbline.usage.searches"], span.attributes["plumbline.rerank.passages"]) == (1, 2)
    (row,) = priced.ledger.of_trace(root.trace_id)
    assert (row.kind, row.model, row.usage, row.tags) == ("rerank", "acme/rerank", Usage(searches=1), TAGS)
    assert reranker.price(Usage(searches=1000)) == 2


async def test_a_passing_failure_is_tried_again_and_every_try_recorded(priced: Meter) -> None:
    failing = ScriptedReranker(OverloadedError("503", model="acme/rerank"), [1], name="acme/rerank")
    assert (await MeteredReranker(failing, meter=priced, retry=QUICK).score("q", ["a"], TAGS)).tolist() == [1]
    totals = priced.ledger.totals()
    assert (totals.calls, totals.unpriced, totals.cost) == (2, 0, Decimal("0.002"))


async def test_a_wrong_key_is_raised_at_once(priced: Meter) -> None:
    failing = ScriptedReranker(AuthenticationError("401", model="acme/rerank"), [1])
    with pytest.raises(AuthenticationError):
        await MeteredReranker(failing, meter=priced, retry=QUICK).score("q", ["a"], TAGS)
    assert priced.ledger.totals().calls == 1


class Silent(FakeReranker):
    name = "acme/rerank"

    async def score(self, query: str, passages: Sequence[str]) -> Scores:
        await asyncio.Event().wait()
        raise AssertionError


async def test_a_reranker_that_never_answers_is_given_up_at_a_price_unknown(priced: Meter) -> None:
    reranker = MeteredReranker(Silent(), meter=priced, retry=QUICK, longest_seconds=0.05)
    with pytest.raises(DeadlineError, match=r"acme/rerank had not answered after 0\.05 s"):
        await reranker.score("q", ["a"], TAGS)
    assert priced.ledger.totals().unpriced == 1


async def test_closing_closes_the_reranker(priced: Meter) -> None:
    inner = ScriptedReranker([1])
    await MeteredReranker(inner, meter=priced, retry=QUICK).close()
    assert inner.closed
