"""How batches end that do not end as they should: refused, gone, cut short, cancelled by others, out of order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from routing.batch.provider import Limits
from routing.batch.store import BatchStore
from routing.errors import (
    BadRequestError,
    ContextLengthError,
    InvalidResponseError,
    ModelNotFoundError,
    UnavailableError,
)
from routing.testing.batches import FakeBatches, Loss
from tests.routing.batch.batch_home import COST, BatchHome, Clock, batch_home, requests, served

pytest.importorskip("openai")
pytest.importorskip("anthropic")
PROVIDERS = pytest.mark.parametrize("provider", ["openai", "anthropic"])
CREATING = {"openai": "POST /v1/batches", "anthropic": "POST /v1/messages/batches"}
LOOKING = {"openai": "GET /v1/batches", "anthropic": "GET /v1/messages/batches"}
RESULTS = {"openai": "GET /v1/files/content", "anthropic": "GET /v1/messages/batches/results"}


@pytest.fixture
def home(tmp_path: Path) -> Iterator[BatchHome]:
    with batch_home(tmp_path / "home.db", Clock()) as opened:
        yield opened


@PROVIDERS
@pytest.mark.parametrize(("status", "kind"), [(400, BadRequestError), (413, ContextLengthError)])
async def test_a_batch_that_is_not_taken_holds_up_no_other(
    provider: str, status: int, kind: type, home: BatchHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused: list[str] = []

    def choose(arrived: Any) -> Loss | None:
        if arrived.step == CREATING[provider] and not refused:
            refused.append(arrived.step)
            return status
        return None

    async with FakeBatches(clock=home.clock, choose=choose) as server, served(provider, server.url) as work:
        monkeypatch.setattr(type(work.batches), "limits", Limits(requests=2))
        job = await home.jobs.submit(work, requests(3))
        results = await job.answers()
        assert [type(result.error) for result in results] == [kind, kind, type(None)]
        assert str(results[0].error).count("refuses the request" if status == 400 else "longer than") == 1
        assert "scripted failure" in str(results[0].error)
        assert job.known().done
        assert len(server.batches) == 1


@PROVIDERS
async def test_one_batch_that_cannot_be_read_holds_up_no_other(
    provider: str, home: BatchHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    def choose(arrived: Any) -> Loss | None:
        return "garbage" if arrived.step == LOOKING[provider] and arrived.path.endswith("_1") else None

    async with FakeBatches(clock=home.clock, choose=choose) as server, served(provider, server.url) as work:
        monkeypatch.setattr(type(work.batches), "limits", Limits(requests=2))
        job = await home.jobs.submit(work, requests(3))
        with pytest.raises(InvalidResponseError):
            await job.answers()
        assert job.known().answered == 1
        server.choose = lambda arrived: None
        assert [result.error for result in await job.answers()] == [None] * 3


@PROVIDERS
@pytest.mark.parametrize("steps", [LOOKING, RESULTS], ids=["the batch", "its results"])
async def test_a_batch_that_is_gone_is_said_and_can_be_given_up(
    provider: str, steps: dict[str, str], home: BatchHome
) -> None:
    """With the key of another account it is only not seen: nothing is given up, or sent again, unasked."""

    def gone(arrived: Any) -> Loss | None:
        return 404 if arrived.step == steps[provider] or arrived.step.endswith("cancel") else None

    async with FakeBatches(clock=home.clock) as server, served(provider, server.url) as work:
        job = await home.jobs.submit(work, requests(2))
        server.choose = gone
        with pytest.raises(ModelNotFoundError, match=f"has no batch .*_1.* `rag batch cancel {job.id}"):
            await job.answers()
        assert job.known().waiting == 2
        await job.cancel()
        assert [type(result.error) for result in await job.answers()] == [UnavailableError] * 2
        await home.jobs.forget(job)
    assert home.rows() == []


async def test_results_that_anthropic_no_longer_keeps(home: BatchHome, monkeypatch: pytest.MonkeyPatch) -> None:
    told = FakeBatches._told
    monkeypatch.setattr(
        FakeBatches, "_told", lambda *given, **named: told(*given, **named) | {"results_url": None}, raising=True
    )
    async with FakeBatches(clock=home.clock) as server, served("anthropic", server.url) as work:
        job = await home.jobs.submit(work, requests(1))
        with pytest.raises(ModelNotFoundError, match="or not its results"):
            await job.answers()


@PROVIDERS
async def test_results_that_end_too_early_are_read_again_and_not_sent_again(provider: str, home: BatchHome) -> None:
    """A file cut off at the end of a line looks whole: the provider's own count says that it is not."""
    ends = [1, 0, 3]

    async with FakeBatches(clock=home.clock, results=lambda lines: lines[: ends.pop(0) if ends else 9]) as server:
        async with served(provider, server.url) as work:
            job = await home.jobs.submit(work, requests(3))
            assert [result.error for result in await job.answers()] == [None] * 3
        assert len(server.batches) == 1
    assert [row[2] for row in home.rows()] == [COST] * 3


@PROVIDERS
async def test_results_that_never_come_can_be_given_up(provider: str, home: BatchHome) -> None:
    async with FakeBatches(clock=home.clock, results=lambda lines: lines[:1]) as server:
        async with served(provider, server.url) as work:
            job = await home.jobs.submit(work, requests(3))
            with pytest.raises(InvalidResponseError, match="have 1 of its 3 answers"):
                await job.answers()
            await job.cancel()
            assert sum(result.error is None for result in await job.answers()) == 1
        assert len(server.batches) == 1


@PROVIDERS
async def test_doubled_and_unknown_results_change_nothing(provider: str, home: BatchHome) -> None:
    def harmed(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
        name = lines[0]["custom_id"]
        others = ["another-0", f"{name}9", name.replace("plb", "plc"), f"{name}-²", f"{name}{'9' * 5000}", "", "-"]
        return [*({**lines[0], "custom_id": other} for other in others), *lines, *lines[:1], lines[-1]]

    async with FakeBatches(clock=home.clock, results=harmed) as server, served(provider, server.url) as work:
        job = await home.jobs.submit(work, requests(3))
        assert [result.error for result in await job.answers()] == [None] * 3
        assert len(server.batches) == 1
    assert [row[2] for row in home.rows()] == [COST] * 3


@PROVIDERS
@pytest.mark.parametrize("name", [None, 7, ["x"]])
async def test_a_result_without_a_name_is_no_answer(provider: str, name: object, home: BatchHome) -> None:
    def harmed(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{**line, "custom_id": name} for line in lines]

    async with FakeBatches(clock=home.clock, results=harmed) as server, served(provider, server.url) as work:
        job = await home.jobs.submit(work, requests(1))
        with pytest.raises(InvalidResponseError):
            await job.answers()


@PROVIDERS
async def test_cancelling_what_is_ended_or_being_cancelled_is_no_error(provider: str, home: BatchHome) -> None:
    async with FakeBatches(clock=home.clock, looks=1) as server, served(provider, server.url) as work:
        job = await home.jobs.submit(work, requests(1))
        next(iter(server.batches.values())).looks = 0
        await job.cancel()
        assert [result.error for result in await job.answers()] == [None]
        server.looks = 4
        job = await home.jobs.submit(work, requests(1))
        await job.cancel()
        await job.cancel()
        await job.answers()
        assert sum(step.endswith("cancel") for step in server.steps) == 3, "it is asked for once, unless told to"
    assert job.known().done


@PROVIDERS
async def test_a_clock_that_is_fast_sends_nothing_twice(provider: str, home: BatchHome) -> None:
    """A batch whose answer was lost is found, though it was made before it was sent, as it seems here."""
    losses: list[str] = []

    def choose(arrived: Any) -> Loss | None:
        if arrived.step == CREATING[provider] and not losses:
            losses.append("after")
            return "after"
        return None

    def slow() -> float:
        return home.clock() - 3 * 3600

    async with FakeBatches(clock=slow, choose=choose) as server, served(provider, server.url) as work:
        job = await home.jobs.submit(work, requests(2))
        assert [result.error for result in await job.answers()] == [None] * 2
        assert len(server.batches) == 1


async def test_what_another_process_sends_is_not_given_up_by_who_cancels(
    home: BatchHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between looking and giving up, another process may have sent the batch: what is answered then is paid for."""
    async with FakeBatches(clock=home.clock, losses=[429]) as server, served("anthropic", server.url) as work:
        job = await home.jobs.submit(work, requests(2))
        seen = home.jobs.parts(home.jobs.row(job.id))
        assert [part.state for part in seen] == ["planned"]
        server.looks = 9
        await job.advance()
        await job.cancel()
        with monkeypatch.context() as late:
            late.setattr(BatchStore, "parts", lambda *given: seen)
            assert not await job.advance()
        assert job.known().waiting == 2
        assert [result.error for result in await job.answers()] == [None, None]
    assert [row[2] for row in home.rows()] == [COST] * 2


@PROVIDERS
@pytest.mark.parametrize("document", [[], {}, {"id": 3}, {"status": [], "request_counts": 3, "metadata": "x"}])
async def test_json_that_is_no_batch_is_waited_out(provider: str, document: object, home: BatchHome) -> None:
    async with FakeBatches(clock=home.clock) as server, served(provider, server.url) as work:
        job = await home.jobs.submit(work, requests(1))
        fetched = f"routing.models.{provider}_batches.fetched"
        with pytest.MonkeyPatch.context() as broken:

            async def wrong(*given: object) -> object:
                return document

            broken.setattr(fetched, wrong)
            if not isinstance(document, dict):
                with pytest.raises(InvalidResponseError):
                    await job.status()
                with pytest.raises(InvalidResponseError):
                    await work.batches.find("x", 1, 0.0, ())
            else:
                assert (await job.status()).waiting == 1
                with pytest.raises(InvalidResponseError):
                    await work.batches.find("x", 1, 0.0, ())
        assert (await job.answers())[0].error is None
