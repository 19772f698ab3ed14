"""Metering: what one call, and everything inside a block, used."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal

import pytest
from sqlalchemy import text

from plumbline.errors import StorageError
from plumbline.trace import read_trace, recent_traces
from routing.call import Call, Leave, Outcome
from routing.chat import Tags, Usage
from routing.meter import Meter, billed, settled


async def test_a_call_is_measured_and_traced(meter: Meter) -> None:
    with meter.tracing.span("ask"):
        async with meter.call("embedding", "openai/priced", Tags("ingest")) as reading:
            reading.usage = Usage(input_tokens=500_000, cached_input_tokens=1)
    assert reading.cost == Decimal("0.5")
    meter.tracing.flush()
    engine = meter.tracing.writer.engine
    (root,) = recent_traces(engine)
    span = read_trace(engine, root.trace_id)[1]
    assert span.name == "embeddings openai/priced"
    assert span.attributes["gen_ai.provider.name"] == "openai"
    assert span.attributes["gen_ai.usage.input_tokens"] == 500_000
    assert span.attributes["plumbline.cost.usd"] == "0.5"
    (row,) = meter.ledger.of_trace(root.trace_id)
    assert row.span_id == span.span_id


async def test_a_call_that_fails_is_recorded_too(meter: Meter) -> None:
    with meter.tracing.span("ask"), pytest.raises(ValueError, match="no"):
        async with meter.call("chat", "openai/priced", Tags()):
            raise ValueError("no")
    meter.tracing.flush()
    (root,) = recent_traces(meter.tracing.writer.engine)
    (row,) = meter.ledger.of_trace(root.trace_id)
    assert row.error == "ValueError"
    assert row.cost is None, "a provider that was asked may have worked and counted"


async def test_a_bill_adds_up_and_an_unknown_price_makes_it_unknown(meter: Meter) -> None:
    with billed() as outer:
        with billed() as inner:
            async with meter.call("chat", "openai/priced", Tags()) as reading:
                reading.usage = Usage(1_000_000, 0)
            assert inner.cost == 1
        async with meter.call("chat", "openai/priced", Tags()) as reading:
            reading.usage = Usage(0, 1_000_000)
        assert outer.cost == 3
        assert outer.usage == Usage(1_000_000, 1_000_000)
        async with meter.call("chat", "vllm/unknown", Tags()) as reading:
            reading.usage = Usage(1, 1)
    assert inner.cost == 1
    assert outer.cost is None


async def test_tasks_bill_the_block_that_started_them(meter: Meter) -> None:
    async def one() -> None:
        async with meter.call("chat", "openai/priced", Tags()) as reading:
            await asyncio.sleep(0)
            reading.usage = Usage(1_000_000)

    with billed() as bill:
        await asyncio.gather(*(one() for _ in range(5)))
    assert bill.cost == 5


async def call(meter: Meter, model: str, tokens: int = 1_000_000) -> None:
    async with meter.call("chat", model, Tags()) as reading:
        reading.usage = Usage(tokens)


async def failing(meter: Meter) -> None:
    async with settled():
        await call(meter, "openai/priced", 0)
        raise ValueError("no")


async def test_a_settled_block_leaves_every_row_in_the_ledger(meter: Meter) -> None:
    written: list[str] = []
    meter.ledger.held._held.connection().set_trace_callback(written.append)
    async with settled() as bill:
        await call(meter, "openai/priced", 0)
        assert meter.ledger.totals().calls == 0, "what cost nothing waits for company"
        await call(meter, "openai/priced")
        await call(meter, "vllm/unknown")
    assert meter.ledger.totals().calls == 3
    assert written.count("COMMIT") == 2, "what cost nothing went with the next one"
    assert bill.cost is None


async def test_a_settled_block_that_fails_leaves_its_rows_too(meter: Meter) -> None:
    with pytest.raises(ValueError, match="no"):
        await failing(meter)
    assert meter.ledger.totals().calls == 1


async def test_a_settled_block_says_that_its_rows_could_not_be_written(meter: Meter) -> None:
    with meter.ledger._engine.begin() as connection:
        connection.execute(text("ALTER TABLE ledger RENAME TO hidden"))
    with pytest.raises(StorageError):
        async with settled():
            await call(meter, "openai/priced")
    with pytest.raises(ValueError, match="no"):
        await failing(meter)


async def test_a_usage_that_cannot_be_reckoned_with_holds_nothing_back(meter: Meter) -> None:
    told: list[Outcome] = []

    class Watching:
        async def enter(self, call: Call) -> Leave:
            return told.append

    settled_with: list[Decimal | None] = []

    class Purse:
        async def reserve(self, call: Call) -> Purse:
            return self

        def settle(self, cost: Decimal | None) -> None:
            settled_with.append(cost)

    watched = replace(meter, guards=(Watching(),), budgets=Purse())
    with pytest.raises(TypeError):
        async with watched.call("chat", "openai/priced", Tags()) as reading:
            reading.usage = Usage(None)  # type: ignore[arg-type]  # what a model of somebody's own may come with
    assert len(told) == 1
    assert settled_with == [None]
