"""Whatever is lost, the process or a connection: every request is answered and priced exactly once."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from routing.batch.job import BatchJob
from routing.batch.provider import Limits
from routing.batch.store import BatchStore
from routing.batch.work import ChatWork
from routing.chat import ChatRequest, ChatResponse
from routing.cost.ledger import Ledger
from routing.errors import ModelError
from routing.testing.batches import FakeBatches, Fate, Loss
from tests.routing.batch.batch_home import COST, NAMES, Clock, batch_home, requests, served, work_of

pytest.importorskip("openai")
pytest.importorskip("anthropic")
PROVIDERS = pytest.mark.parametrize("provider", ["openai", "anthropic"])
COUNT = 5
NAME = "the job"


class CrashError(BaseException):
    """The process is gone: nothing in it goes on."""


class Crash:
    """Breaks off at one of the steps that write or send, the `at`th one, before or after it is done."""

    def __init__(self, at: int, *, after: bool) -> None:
        self.left = at
        self.after = after
        self.happened = False

    def around(self, step: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        """`step`, which breaks off when its turn has come."""

        async def run(*arguments: Any, **named: Any) -> Any:
            turn = not self.happened and self.left == 0
            self.left -= 1
            if turn and not self.after:
                self.happened = True
                raise CrashError
            result = await step(*arguments, **named)
            if turn:
                self.happened = True
                raise CrashError
            return result

        return run


def one_fails_once(name: str, body: object) -> Fate | None:
    """The third request fails, and not when it is asked again."""
    return 500 if name.endswith("-2") and "x-" not in name else None


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three requests fit into one batch, so that a job has two of them."""
    for provider in NAMES:
        monkeypatch.setattr(type(work_of(provider, "http://127.0.0.1:9").batches), "limits", Limits(requests=3))


async def gone_on(path: Path, clock: Clock, work: ChatWork) -> list[tuple[int, str | None]]:
    """What a new process makes of it: number and text of every result."""
    with batch_home(path, clock) as home:
        job: BatchJob[ChatRequest, ChatResponse] = await home.jobs.submit(work, requests(COUNT), name=NAME)
        found = [(each.number, None if each.answer is None else each.answer.text) for each in await job.answers()]
        assert home.rows() == [("chat", work.model, COST, None, "batch")] * COUNT
        assert len({entry.tags.tenant for _, entry in home.meter.ledger.after(0)}) == COUNT
    return found


def asked_once(server: FakeBatches) -> None:
    """Every request was taken once, the one that fails a second time."""
    numbers = Counter(name.rpartition("-")[2] for name in server.taken)
    assert numbers == {"0": 1, "1": 1, "2": 2, "3": 1, "4": 1}


@PROVIDERS
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_a_process_that_dies_at_any_step(
    provider: str, after: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = 0
    while True:
        path, clock, crash = tmp_path / f"{at}.db", Clock(), Crash(at, after=after)
        async with FakeBatches(clock=clock, fate=one_fails_once) as server, served(provider, server.url) as work:
            with monkeypatch.context() as broken:
                for owner, step in (
                    (BatchStore, "write"),
                    (Ledger, "stored"),
                    (type(work.batches), "send"),
                    (type(work.batches), "look"),
                ):
                    broken.setattr(owner, step, crash.around(getattr(owner, step)))
                try:
                    with batch_home(path, clock, killed=True) as home:
                        job = await home.jobs.submit(work, requests(COUNT), name=NAME)
                        await job.answers()
                except CrashError:
                    pass
            found = await gone_on(path, clock, work)
            assert [number for number, _ in found] == list(range(COUNT))
            assert {text for _, text in found} == {server.script.text}
            asked_once(server)
        if not crash.happened:
            break
        at += 1
    assert at >= 15, "there are so many steps, at least"


@PROVIDERS
@pytest.mark.parametrize("loss", ["before", "after", "cut", "garbage", 429, 500, 503, 529])
async def test_what_goes_wrong_at_any_step(provider: str, loss: Loss, tmp_path: Path) -> None:
    """Sending, looking for what was sent, looking at it, its results: each asked for once more, none done twice."""
    at = 0
    while True:
        path, clock = tmp_path / f"{at}.db", Clock()
        async with FakeBatches(clock=clock, fate=one_fails_once, losses=[None] * at + [loss]) as server:
            async with served(provider, server.url) as work:
                found = await gone_on(path, clock, work)
            assert [number for number, _ in found] == list(range(COUNT))
            asked_once(server)
            if server.losses:
                break
        at += 1
    assert at >= 8, "there are so many requests, at least"


@PROVIDERS
async def test_a_batch_that_is_long_under_way_is_found_when_its_answer_was_lost(provider: str, tmp_path: Path) -> None:
    """Anthropic's can be told from others only when it has ended: until then nothing is sent again."""
    path, clock = tmp_path / "home.db", Clock()
    creating = {"openai": "POST /v1/batches", "anthropic": "POST /v1/messages/batches"}[provider]
    lost: list[str] = []

    def choose(arrived: Any) -> Loss | None:
        if arrived.step == creating and not lost:
            lost.append(arrived.step)
            return "after"
        return None

    async with FakeBatches(clock=clock, looks=1, choose=choose, fate=one_fails_once) as server:
        async with served(provider, server.url) as work:
            found = await gone_on(path, clock, work)
        assert len(found) == COUNT
        asked_once(server)


async def test_two_processes_that_go_on_at_once_do_nothing_twice(tmp_path: Path) -> None:
    path, clock = tmp_path / "home.db", Clock()
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(FakeBatches(clock=clock, looks=3, fate=one_fails_once))
        async with served("openai", server.url) as work, served("openai", server.url) as its:
            one, other = stack.enter_context(batch_home(path, clock)), stack.enter_context(batch_home(path, clock))
            job = await one.jobs.submit(work, requests(COUNT), name=NAME)
            same = other.jobs.open(NAME, its)
            await asyncio.gather(job.answers(), same.answers())
            assert one.rows() == [("chat", work.model, COST, None, "batch")] * COUNT
        asked_once(server)


async def test_a_key_that_is_refused_leaves_a_job_that_can_be_sent_later(tmp_path: Path) -> None:
    path, clock = tmp_path / "home.db", Clock()
    async with FakeBatches(clock=clock, fate=one_fails_once) as server:
        async with served("openai", f"{server.url}/nowhere") as wrong:
            with batch_home(path, clock) as home:
                with pytest.raises(ModelError):
                    await home.jobs.submit(wrong, requests(COUNT), name=NAME)
                assert home.jobs.open(NAME, wrong).known().waiting == COUNT
        async with served("openai", server.url) as work:
            await gone_on(path, clock, work)
        asked_once(server)
