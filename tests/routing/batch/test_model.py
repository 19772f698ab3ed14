"""A model that answers in batches, behind the usual router."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from routing.batch.aside import lending
from routing.batch.jobs import BatchJobs
from routing.batch.model import BatchingModel
from routing.chat import ChatModel, Completed, Message, Wants
from routing.cost.budget import LocalBudgets
from routing.errors import BadRequestError
from routing.meter import billed
from routing.models.extractive import ExtractiveModel
from routing.models.openai import OpenAIChatModel
from routing.policy.build import build_routes
from routing.resilience.hedge import Hedges
from routing.router import Router
from routing.settings import BudgetSettings, HedgeSettings, RetrySettings, RoutingSettings
from routing.testing.batches import Arrived, FakeBatches, Fate, Loss
from tests.routing.batch.batch_home import COST, NAMES, BatchHome, Clock, batch_home, requests

pytest.importorskip("openai")


def batching(home: BatchHome, url: str, **options: Any) -> BatchingModel:
    model = OpenAIChatModel(NAMES["openai"].partition("/")[2], api_key="k", base_url=f"{url}/v1")
    jobs = BatchJobs(home.path, home.meter, clock=home.clock, sleep=home.clock.sleep)
    return BatchingModel(model, jobs, quiet=0.05, **options)


def never(name: str, body: object) -> Fate | None:
    raise AssertionError("nothing is answered here")


async def test_what_is_asked_at_once_is_one_batch_and_recorded_once(tmp_path: Path) -> None:
    def fate(name: str, body: object) -> Fate | None:
        return 400 if name.endswith("-3") else None

    clock = Clock()
    async with FakeBatches(clock=clock, fate=fate) as server:
        with batch_home(tmp_path / "home.db", clock) as home:
            model = batching(home, server.url)
            router = Router([model], meter=home.meter, retry=RetrySettings(attempts=1))
            found = await asyncio.gather(*map(router.complete, requests(5)), return_exceptions=True)
            await router.close()
            assert [type(each) for each in found].count(BadRequestError) == 1
            answers = [each for each in found if not isinstance(each, BaseException)]
            assert {(each.text, each.tier, each.cost) for each in answers} == {(server.script.text, "batch", COST)}
            assert len(server.batches) == 1
            assert sorted(row[3] or "" for row in home.rows()) == [""] * 4 + ["BadRequestError"]
            assert [row[2] for row in home.rows() if row[3] is None] == [COST] * 4
            assert {row[4] for row in home.rows() if row[3] is None} == {"batch"}


async def test_what_is_no_text_is_refused_alone(tmp_path: Path) -> None:
    clock = Clock()
    async with FakeBatches(clock=clock) as server:
        with batch_home(tmp_path / "home.db", clock) as home:
            model = batching(home, server.url)
            half = replace(requests(1)[0], messages=(Message("user", "half a \ud83d"),))
            found = await asyncio.gather(*map(model.complete, [half, *requests(2)]), return_exceptions=True)
            await model.close()
    assert [isinstance(each, BaseException) for each in found] == [True, False, False]
    assert isinstance(found[0], BadRequestError)
    assert "is no text" in str(found[0])


async def test_after_a_crash_the_same_questions_go_on_with_the_same_job(tmp_path: Path) -> None:
    clock, sending = Clock(), asyncio.Event()

    def choose(arrived: Arrived) -> Loss | None:
        sending.set()
        return None

    async with FakeBatches(clock=clock, choose=choose, looks=2) as server:
        with batch_home(tmp_path / "home.db", clock) as home:
            model = batching(home, server.url)
            waiting = asyncio.gather(*map(model.complete, requests(3)), return_exceptions=True)
            await sending.wait()
            await model.close()
            assert {type(each) for each in await waiting} == {asyncio.CancelledError}
        with batch_home(tmp_path / "home.db", clock) as home:
            model = batching(home, server.url)
            answers = await asyncio.gather(*map(model.complete, reversed(requests(3))))
            await model.close()
        assert [each.text for each in answers] == [server.script.text] * 3
        assert len(server.batches) == 1


async def test_however_it_is_asked_again_after_a_crash_nothing_is_sent_twice(tmp_path: Path) -> None:
    """In other groups, some of it already safe, some of it new; what was answered and not yet used is used."""
    clock, sending = Clock(), asyncio.Event()

    def choose(arrived: Arrived) -> Loss | None:
        sending.set()
        return None

    async with FakeBatches(clock=clock, choose=choose, looks=1) as server:
        with batch_home(tmp_path / "home.db", clock, killed=True) as home:
            first = batching(home, server.url)
            asked = [asyncio.ensure_future(first.complete(request)) for request in requests(6)]
            await asyncio.wait(asked)
            assert first.name == NAMES["openai"]
            assert len(home.rows()) == 6
            # it dies without being closed
        with batch_home(tmp_path / "home.db", clock) as home:
            model = batching(home, server.url)
            for some in (requests(2)[1:], requests(5)[3:], [*requests(7)[5:], requests(6)[5]]):
                with billed() as bill:
                    await asyncio.gather(*map(model.complete, some))
                assert bill.cost == len(some) * COST, "an answer says what it cost, whoever paid"
            assert len(home.rows()) == 6 + 2, "one is new, and one was asked for twice"
            await model.close()
            assert home.jobs.list() == []
        assert len(server.taken) == 8


async def test_what_waits_in_a_batch_when_a_process_dies_is_recorded_once(tmp_path: Path) -> None:
    clock = Clock()
    async with FakeBatches(clock=clock, looks=1) as server:
        with batch_home(tmp_path / "home.db", clock, killed=True) as home:
            first = batching(home, server.url, most=3)
            polled = asyncio.Event()

            def choose(arrived: Arrived) -> Loss | None:
                if arrived.method == "GET":
                    polled.set()
                    return 500
                return None

            server.choose = choose
            asked = [asyncio.ensure_future(first.complete(request)) for request in requests(3)]
            await polled.wait()
            for each in asked:
                each.cancel()
            await first.close()
        server.choose = lambda arrived: None
        with batch_home(tmp_path / "home.db", clock) as home:
            (row,) = home.jobs.list()
            assert home.jobs.status(row).waiting == 3
            model = batching(home, server.url)
            await asyncio.gather(*map(model.complete, requests(1)))
            assert [each[2] for each in home.rows()] == [COST] * 3, "also of those that nobody waits for"
            await model.close()
        assert len(server.taken) == 3


async def test_what_is_kept_outlives_the_model_until_it_is_forgotten(tmp_path: Path) -> None:
    clock = Clock()
    async with FakeBatches(clock=clock) as server:
        for keeps, batches in ((True, 1), (True, 1), (False, 1), (False, 2)):
            with batch_home(tmp_path / "home.db", clock) as home:
                model = batching(home, server.url, keeps=keeps)
                await asyncio.gather(*map(model.complete, requests(2)))
                await model.close()
            assert len(server.batches) == batches


async def test_a_job_that_another_process_forgets_is_asked_anew(tmp_path: Path) -> None:
    clock = Clock()
    async with FakeBatches(clock=clock, looks=10_000) as server:
        with batch_home(tmp_path / "home.db", clock) as home:
            model, slept = batching(home, server.url), asyncio.Event()

            async def sleep(seconds: float) -> None:
                clock.now += seconds
                slept.set()
                await asyncio.sleep(0.01)

            model._jobs._sleep = sleep
            answer = asyncio.ensure_future(model.complete(requests(1)[0]))
            await slept.wait()
            (row,) = home.jobs.list()
            await home.jobs._store.forget(row.id)
            server.looks = 1
            assert (await answer).text == server.script.text
            await model.close()
        assert len(server.batches) == 2


async def test_the_rows_and_spans_are_those_of_who_asks(tmp_path: Path) -> None:
    clock = Clock()
    async with FakeBatches(clock=clock) as server:
        with batch_home(tmp_path / "home.db", clock) as home:
            router = Router([batching(home, server.url)], meter=home.meter, retry=RetrySettings())

            async def asked(number: int) -> str:
                with home.meter.tracing.span("question") as span, billed() as bill:
                    response = await router.complete(requests(2)[number])
                    assert (bill.cost, bill.usage, response.cost) == (COST, response.usage, COST)
                return span.trace_id

            traces = await asyncio.gather(asked(0), asked(1))
            await router.close()
            assert [home.meter.ledger.of_trace(trace)[0].tags.tenant for trace in traces] == ["t0", "t1"]
            home.meter.tracing.flush()
            names = Counter(span.name for trace in traces for span in home.spans(trace))
            assert names == {"question": 2, f"chat {NAMES['openai']}": 2}
            assert {"batch send", "batch results"} <= home.span_names()


async def test_who_has_no_money_left_is_refused_alone(tmp_path: Path) -> None:
    clock = Clock()
    limits = [BudgetSettings(name="each", limit=Decimal(1), per="tenant"), own(tenant="t1", limit="0.000001")]
    budgets = LocalBudgets(tmp_path / "home.db", limits, clock=clock)
    async with FakeBatches(clock=clock) as server:
        with batch_home(tmp_path / "home.db", clock, budgets) as home:
            model = batching(home, server.url)
            found = await asyncio.gather(*map(model.complete, requests(3)), return_exceptions=True)
            await model.close()
            assert [type(each).__name__ for each in found] == ["ChatResponse", "BudgetError", "ChatResponse"]
            assert {(state.reserved, state.assumed) for state in await budgets.states()} == {(Decimal(0), Decimal(0))}
        assert len(server.taken) == 2
    await budgets.close()


def own(tenant: str, limit: str) -> BudgetSettings:
    return BudgetSettings(name=tenant, limit=Decimal(limit), per="tenant", only=tenant)


async def test_nothing_that_must_stay_on_the_machine_goes_into_a_batch(tmp_path: Path) -> None:
    clock = Clock()
    async with FakeBatches(clock=clock, fate=never) as server:
        with batch_home(tmp_path / "home.db", clock) as home:
            routes = build_routes(RoutingSettings(), NAMES["openai"])
            models: list[ChatModel] = [batching(home, server.url), ExtractiveModel()]
            router = Router(models, meter=home.meter, retry=RetrySettings(), policy=routes.policy)
            request = replace(requests(1)[0], wants=Wants(local=True))
            assert (await router.complete(request)).model == "extractive/default"
            await router.close()
        assert server.steps == []


async def test_it_is_not_hedged_and_waits_longer_than_a_deadline_allows(tmp_path: Path) -> None:
    clock = Clock()
    async with FakeBatches(clock=clock, looks=3) as server:
        with batch_home(tmp_path / "home.db", clock) as home:
            hedges = Hedges(HedgeSettings(after=0.01, share=1.0))
            router = Router([batching(home, server.url)], meter=home.meter, retry=RetrySettings(), hedges=hedges)
            pieces: list[str] = []
            request = replace(requests(1)[0], deadline=time.monotonic() - 1)
            response = await router.complete(request, on_text=pieces.append)
            assert pieces == [response.text]
            assert len(response.attempts) == 1
            await router.close()
        assert len(server.taken) == 1


async def test_others_get_as_far_while_one_waits(tmp_path: Path) -> None:
    """A slot among two is not held by who waits for a batch."""
    clock, slots = Clock(), asyncio.Semaphore(2)
    async with FakeBatches(clock=clock) as server:
        with batch_home(tmp_path / "home.db", clock) as home:
            model = batching(home, server.url)

            async def one(number: int) -> None:
                async with slots:
                    with lending(slots):
                        await model.complete(requests(7)[number])

            await asyncio.gather(*map(one, range(7)))
            await model.close()
        assert len(server.batches) == 1
    assert slots._value == 2


async def test_many_do_not_wait_for_quiet_and_a_stream_has_one_piece(tmp_path: Path) -> None:
    clock = Clock()
    async with FakeBatches(clock=clock) as server:
        with batch_home(tmp_path / "home.db", clock) as home:
            model = batching(home, server.url, most=2)
            events = [event async for event in model.stream(requests(1)[0])]
            assert isinstance(events[-1], Completed)
            assert model.name == NAMES["openai"]
            await asyncio.gather(*map(model.complete, requests(3)))
            await model.close()
            before = len(server.batches)
            model = batching(home, server.url)
            await asyncio.gather(*map(model.complete, requests(3)))
            await asyncio.gather(*map(model.complete, requests(3)))
            await model.close()
            assert len(server.batches) == before + 2, "whoever asks again is answered anew"
            assert home.jobs.list() == []
