"""Batches at both providers: what is sent, joined, priced, tried again, cancelled, and how it fails."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from contextvars import copy_context
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from plumbline.errors import InputError, StateError
from routing.batch.jobs import plan
from routing.batch.provider import Limits
from routing.batch.store import BatchStore
from routing.batch.work import ChatWork, EmbeddingWork
from routing.call import Call, Reservation
from routing.chat import ChatOptions, ChatRequest, Image, Message, Tags, Tool
from routing.cost.budget import LocalBudgets
from routing.errors import (
    BadRequestError,
    BudgetError,
    ConnectionFailedError,
    DeadlineError,
    InvalidResponseError,
    OverloadedError,
    UnavailableError,
    UnsupportedError,
)
from routing.models.openai import OpenAIChatModel
from routing.models.openai_embedder import OpenAIEmbedder
from routing.settings import BudgetSettings
from routing.testing.batches import FakeBatches, Fate
from routing.testing.scripted import ScriptedChatModel
from routing.testing.wire import Script
from tests.routing.batch.batch_home import COST, NAMES, BatchHome, Clock, batch_home, requests, work_of

pytest.importorskip("openai")
pytest.importorskip("anthropic")
PROVIDERS = pytest.mark.parametrize("provider", ["openai", "anthropic"])


@pytest.fixture
def home(tmp_path: Path) -> Iterator[BatchHome]:
    with batch_home(tmp_path / "home.db", Clock()) as opened:
        yield opened


@PROVIDERS
async def test_every_request_is_answered_joined_and_priced_at_half(provider: str, home: BatchHome) -> None:
    async with FakeBatches(clock=home.clock, looks=3) as server:
        job = await home.jobs.submit(work_of(provider, server.url), requests(5))
        results = [result async for result in job.results()]
        assert [result.number for result in await job.answers()] == [0, 1, 2, 3, 4]
    assert len(results) == 5
    for result in results:
        assert result.item.messages[0].content == f"Question {result.number}?"
        assert result.answer is not None
        assert (result.answer.tier, result.answer.cost, result.cost) == ("batch", COST, COST)
    assert home.rows() == [("chat", NAMES[provider], COST, None, "batch")] * 5
    assert {entry.tags.tenant for _, entry in home.meter.ledger.after(0)} == {f"t{number}" for number in range(5)}
    assert home.clock.slept == [5.0, 10.0], "it was looked at ever more seldom"
    status = job.known()
    assert (status.requests, status.answered, status.failed, status.waiting, status.done) == (5, 5, 0, 0, True)


@PROVIDERS
async def test_the_bodies_are_those_of_single_requests(provider: str, home: BatchHome) -> None:
    async with FakeBatches(clock=home.clock) as server:
        work = work_of(provider, server.url)
        await home.jobs.submit(work, requests(2))
        (batch,) = server.batches.values()
        assert [body for _, body in batch.lines] == [work.body(request) for request in requests(2)]
        assert "service_tier" not in batch.lines[0][1]
    assert len({name for name, _ in batch.lines}) == 2
    assert all(len(name) <= 64 for name, _ in batch.lines)


@PROVIDERS
async def test_it_is_split_by_what_a_provider_takes(
    provider: str, home: BatchHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with FakeBatches(clock=home.clock) as server:
        work = work_of(provider, server.url)
        monkeypatch.setattr(type(work.batches), "limits", Limits(requests=2))
        job = await home.jobs.submit(work, requests(5))
        assert [len(batch.lines) for batch in server.batches.values()] == [2, 2, 1]
        assert [result.error for result in await job.answers()] == [None] * 5
    assert len(home.rows()) == 5
    monkeypatch.setattr(type(work.batches), "limits", Limits(requests=100, bytes=1000))
    size = len(json.dumps(work.body(requests(1)[0]))) + 256
    assert next(len(part.numbers) for part in plan(work, requests(5), "x")) == 1000 // size


@PROVIDERS
async def test_what_may_pass_is_tried_once_more_and_what_stays_is_an_error(provider: str, home: BatchHome) -> None:
    def fate(name: str, body: object) -> Fate | None:
        second, number = "x-" in name, name.rpartition("-")[2]
        ends: dict[str, tuple[Fate | None, Fate | None]] = {
            "1": (500, None),
            "2": (400, 400),
            "3": ("expired", "expired"),
            "4": (500, 500),
        }
        return ends.get(number, (None, None))[second]

    async with FakeBatches(clock=home.clock, fate=fate) as server:
        job = await home.jobs.submit(work_of(provider, server.url), requests(5))
        results = await job.answers()
        assert [len(batch.lines) for batch in server.batches.values()] == [5, 3]
    kinds = [type(result.error) for result in results]
    assert kinds == [type(None), type(None), BadRequestError, DeadlineError, OverloadedError]
    assert "within the 24 hours of its batch" in str(results[3].error)
    assert sorted((row[3] or "", row[2]) for row in home.rows()) == [
        ("", COST),
        ("", COST),
        ("BadRequestError", 0),
        ("OverloadedError", 0),
    ], "what was not worked on has no row"
    assert job.known().failed == 3


async def test_results_that_are_missing_are_asked_for_once_more(home: BatchHome) -> None:
    async with FakeBatches(clock=home.clock, fate=lambda name, body: None if "x-" in name else "missing") as server:
        job = await home.jobs.submit(work_of("openai", server.url), requests(2))
        assert [result.error for result in await job.answers()] == [None, None]
        assert len(server.batches) == 2


async def test_a_batch_that_is_refused_as_a_whole(home: BatchHome) -> None:
    full = {"code": "token_limit_exceeded", "message": "Enqueued token limit reached."}
    async with FakeBatches(clock=home.clock, problems=[full]) as server:
        job = await home.jobs.submit(work_of("openai", server.url), requests(2))
        assert [result.error for result in await job.answers()] == [None, None], "there is room for it later"
    wrong = {"code": "invalid_json_line", "message": "Line 1 is wrong.", "line": 1}
    async with FakeBatches(clock=home.clock, problems=[wrong]) as server:
        job = await home.jobs.submit(work_of("openai", server.url), requests(2))
        (first, _) = await job.answers()
    assert isinstance(first.error, BadRequestError)
    assert "Line 1 is wrong." in str(first.error)


async def test_an_answer_that_cannot_be_read_costs_what_it_says_or_nobody_knows_what(home: BatchHome) -> None:
    for script, cost in ((Script(pieces=()), COST), (Script(pieces=(), usage=None), None)):
        async with FakeBatches(script, clock=home.clock) as server:
            job = await home.jobs.submit(work_of("openai", server.url), requests(1))
            (result,) = await job.answers()
        assert isinstance(result.error, InvalidResponseError)
        assert result.cost == cost
        assert home.rows()[-1] == ("chat", NAMES["openai"], cost, "InvalidResponseError", "batch")


@PROVIDERS
async def test_a_cancelled_job_keeps_what_was_answered(provider: str, home: BatchHome) -> None:
    def fate(name: str, body: object) -> Fate | None:
        return None if name.endswith("-0") else "cancelled"

    async with FakeBatches(clock=home.clock, fate=fate, looks=3) as server:
        job = await home.jobs.submit(work_of(provider, server.url), requests(3))
        await job.cancel()
        results = await job.answers()
        assert len(server.batches) == 1, "nothing is tried again"
    assert [type(result.error) for result in results] == [type(None), UnavailableError, UnavailableError]
    assert len(home.rows()) == 1
    assert job.known().cancelled


async def test_a_job_that_is_cancelled_before_it_was_sent_is_never_sent(home: BatchHome) -> None:
    async with FakeBatches(clock=home.clock, losses=["before"]) as server:
        job = await home.jobs.submit(work_of("anthropic", server.url), requests(2))
        await job.cancel()
        results = await job.answers()
        assert server.batches == {}
    assert {type(result.error) for result in results} == {UnavailableError}
    assert home.rows() == []


async def test_a_name_is_submitted_once(home: BatchHome) -> None:
    async with FakeBatches(clock=home.clock) as server:
        work = work_of("openai", server.url)
        first = await home.jobs.submit(work, requests(2), name="chunks")
        again = await home.jobs.submit(work, requests(2), name="chunks")
        assert again.id == first.id == home.jobs.open("chunks", work).id == home.jobs.open(first.id, work).id
        assert len(server.taken) == 2
        with pytest.raises(InputError, match="'chunks' with other requests"):
            await home.jobs.submit(work, requests(3), name="chunks")
        with pytest.raises(InputError, match=r"no job 'chunk'.* There are: chunks"):
            home.jobs.open("chunk", work)
        with pytest.raises(InputError, match=r"is for openai/gpt-4\.1-mini"):
            home.jobs.open("chunks", work_of("anthropic", server.url))
        with pytest.raises(InputError, match="no requests"):
            await home.jobs.submit(work, [])
    assert [row.name for row in home.jobs.list()] == ["chunks"]


async def test_what_a_model_does_not_do_is_refused_before_anything_is_kept(home: BatchHome) -> None:
    tools = ChatRequest((Message("user", "?"),), ChatOptions(logprobs=1))
    work = work_of("anthropic", "http://127.0.0.1:9")
    with pytest.raises(UnsupportedError):
        await home.jobs.submit(work, [tools])
    assert home.jobs.list() == []
    with pytest.raises(UnsupportedError, match="scripted/chat takes no batches"):
        ChatWork(ScriptedChatModel("x"))  # type: ignore[arg-type]  # that is what is tried
    with pytest.raises(UnsupportedError, match="vllm/qwen takes no batches"):
        ChatWork(OpenAIChatModel("qwen", api_key=None, provider="vllm", base_url="http://127.0.0.1:9/v1"))


@PROVIDERS
async def test_a_provider_that_is_away_is_waited_out_and_then_given_up(provider: str, home: BatchHome) -> None:
    async with FakeBatches(clock=home.clock, looks=2) as server:
        job = await home.jobs.submit(work_of(provider, server.url), requests(1))
        server.losses.extend(["before", "before", "before"])
        assert (await job.answers())[0].error is None
        job = await home.jobs.submit(work_of(provider, server.url), requests(1))
        server.choose = lambda arrived: "before"
        with pytest.raises(ConnectionFailedError):
            await job.answers()
        server.choose = lambda arrived: None
        assert (await job.answers())[0].error is None, "it can be gone on with"
    assert len(home.rows()) == 2


async def test_money_is_set_aside_when_requests_are_sent_and_counted_by_another_process(tmp_path: Path) -> None:
    clock = Clock()
    limits = [BudgetSettings(name="all", limit=Decimal("0.0004"), period="total")]
    budgets = LocalBudgets(tmp_path / "home.db", limits, clock=clock)
    async with FakeBatches(clock=clock) as server:
        work = work_of("openai", server.url)
        with batch_home(tmp_path / "home.db", clock, budgets, killed=True) as home:
            with pytest.raises(BudgetError):
                await home.jobs.submit(work, requests(20))
            assert (server.steps, home.jobs.list()) == ([], [])
            assert (await budgets.states())[0].reserved == 0
            job = await home.jobs.submit(work, requests(2))
            assert 2 * COST < (await budgets.states())[0].reserved < Decimal("0.0004")
            with pytest.raises(BudgetError):
                await home.jobs.submit(work, requests(2))
        other = LocalBudgets(tmp_path / "home.db", limits, clock=clock)
        with batch_home(tmp_path / "home.db", clock, other) as home:
            await home.jobs.open(job.id, work).answers()
            (state,) = await other.states()
            assert (state.spent, state.reserved, state.assumed) == (2 * COST, Decimal(0), Decimal(0))
            assert [row[2] for row in home.rows()] == [COST, COST]
    await budgets.close()
    await other.close()


async def test_a_home_that_cannot_be_written_sets_no_money_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether the job cannot be kept, or the budgets cannot be asked about its last requests."""
    clock, asked = Clock(), itertools.count()
    budgets = LocalBudgets(tmp_path / "home.db", [BudgetSettings(name="all", limit=Decimal(1))], clock=clock)
    reserve = budgets.reserve

    async def locked(*given: object) -> bool:
        raise StateError("The home is locked.")

    async def locked_later(call: Call) -> Reservation | None:
        return await reserve(call) if next(asked) < 2 else await locked()  # type: ignore[return-value]  # it raises

    with batch_home(tmp_path / "home.db", clock, budgets) as home:
        work = work_of("openai", "http://127.0.0.1:9")
        for owner, step, harmed in ((BatchStore, "add", locked), (LocalBudgets, "reserve", locked_later)):
            with monkeypatch.context() as broken:
                broken.setattr(budgets if owner is LocalBudgets else owner, step, harmed)
                with pytest.raises(StateError, match="locked"):
                    await home.jobs.submit(work, requests(4))
                with pytest.raises(StateError, match="locked"):
                    await home.jobs.gather(work, requests(4), [copy_context()] * 4)
            (state,) = await budgets.states()
            assert (state.spent, state.reserved) == (Decimal(0), Decimal(0))
        assert home.jobs.list() == []
    await budgets.close()


@PROVIDERS
async def test_what_is_not_worked_on_gives_its_money_back(provider: str, tmp_path: Path) -> None:
    clock = Clock()
    budgets = LocalBudgets(tmp_path / "home.db", [BudgetSettings(name="all", limit=Decimal(1))], clock=clock)

    def fate(name: str, body: object) -> Fate | None:
        ends: dict[str, Fate] = {"0": "expired", "1": "cancelled", "2": "missing", "3": 400, "4": 500}
        return ends.get(name.rpartition("-")[2])

    with batch_home(tmp_path / "home.db", clock, budgets) as home:
        async with FakeBatches(clock=clock, fate=fate) as server:
            job = await home.jobs.submit(work_of(provider, server.url), requests(6))
            server.looks = 3
            assert (await budgets.states())[0].reserved > 0
            assert sum(result.error is None for result in await job.answers()) == 1
        (state,) = await budgets.states()
        assert (state.spent, state.reserved, state.assumed) == (COST, Decimal(0), Decimal(0))
    await budgets.close()


async def test_embeddings_come_in_batches_too(home: BatchHome) -> None:
    async with FakeBatches(clock=home.clock, dim=8) as server:
        embedder = OpenAIEmbedder(
            "text-embedding-3-small", dim=8, api_key="k", base_url=f"{server.url}/v1", max_tokens=50
        )
        job = await home.jobs.submit(EmbeddingWork(embedder, Tags("ingest", "acme")), [["one", "two"], ["word " * 80]])
        first, second = await job.answers()
        await embedder.close()
    assert first.answer is not None
    assert second.answer is not None
    assert first.answer.vectors.shape == (2, 8)
    assert second.answer.vectors.shape == (1, 8)
    assert np.allclose(np.linalg.norm(first.answer.vectors, axis=1), 1)
    assert [(row[0], row[4]) for row in home.rows()] == [("embedding", "batch")] * 2
    assert first.cost == 6 * Decimal("0.5") / 1_000_000
    with pytest.raises(BadRequestError, match="more than one request"):
        embedder.body(["x"] * 3000)


def test_a_request_is_kept_whole() -> None:
    work = work_of("openai", "http://127.0.0.1:9")
    tool = Tool("look", "looks", {"type": "object", "properties": {"a": {"enum": [1, None]}}})
    whole = ChatRequest(
        (Message("system", "Ü"), Message("user", "?", images=(Image(b"\xff\x00"),))),
        ChatOptions(temperature=0.1, stop=("x",)),
        tools=(tool,),
        tool_choice=tool,
        response_schema={"type": "object"},
        deadline=17.0,
    )
    assert work.load(work.dump(whole)) == replace(whole, deadline=None)


async def test_requests_go_where_their_model_answers(home: BatchHome) -> None:
    async with FakeBatches(clock=home.clock) as server:
        model = OpenAIChatModel("gpt-4.1-mini", api_key="k", base_url=f"{server.url}/v1", api="responses")
        job = await home.jobs.submit(ChatWork(model), requests(2))
        assert [result.error for result in await job.answers()] == [None, None]
        assert [batch.path for batch in server.batches.values()] == ["/v1/responses"]
        await model.close()


async def test_a_job_is_forgotten_when_it_is_done_with(home: BatchHome) -> None:
    async with FakeBatches(clock=home.clock) as server:
        work = work_of("openai", server.url)
        job = await home.jobs.submit(work, requests(2), name="old")
        with pytest.raises(InputError, match="still wait"):
            await home.jobs.forget(job)
        await job.answers()
        await home.jobs.forget(job)
        assert home.jobs.list() == []
        assert len(home.rows()) == 2
        with pytest.raises(InputError, match="has been forgotten"):
            await job.answers()
        assert (await home.jobs.submit(work, requests(2), name="old")).id != job.id
