"""A model that answers in batches, behind the usual router."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from routing.batch.jobs import BatchJobs
from routing.batch.model import BatchingModel
from routing.chat import Completed
from routing.errors import BadRequestError
from routing.models.openai import OpenAIChatModel
from routing.router import Router
from routing.settings import RetrySettings
from routing.testing.batches import Arrived, FakeBatches, Fate, Loss
from tests.routing.batch.batch_home import COST, NAMES, BatchHome, Clock, batch_home, requests

pytest.importorskip("openai")


def batching(home: BatchHome, url: str, *, most: int = 10_000) -> BatchingModel:
    model = OpenAIChatModel(NAMES["openai"].partition("/")[2], api_key="k", base_url=f"{url}/v1")
    jobs = BatchJobs(home.path, home.meter, clock=home.clock, sleep=home.clock.sleep)
    return BatchingModel(model, jobs, quiet=0.05, most=most)


async def test_what_is_asked_at_once_is_one_batch_and_recorded_by_the_router(tmp_path: Path) -> None:
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
