"""A real vLLM server behind the whole path of a call."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest

from plumbline.database import open_database
from plumbline.trace import Tracing
from plumbline.trace import component as traces_component
from routing.chat import ChatOptions, ChatRequest, ChatResponse, Completed, Message, Tags, TextDelta, Tool
from routing.cost.ledger import Ledger
from routing.cost.ledger import component as ledger_component
from routing.cost.prices import Price, PriceTable
from routing.errors import BadRequestError, ContextLengthError, ModelError
from routing.meter import Meter
from routing.models.catalog import chat_model
from routing.router import Router
from routing.settings import RetrySettings
from routing.testing.fakes import ScriptedChatModel
from tests.vllm.servers import GENERATING, MODEL, Server, served

PRICE = Price(Decimal(1), Decimal(2), cached_input=Decimal("0.1"))
RETRY = RetrySettings(attempts=3, first_wait_seconds=0.05, longest_wait_seconds=0.2)
SECONDS = 20
"""So long a call may take; a server on its way down may never answer."""
LONG = "All goods may be returned within 30 days of delivery, unopened and with the receipt. " * 12


@pytest.fixture
async def meter(tmp_path: Path) -> AsyncIterator[Meter]:
    path = tmp_path / "home.db"
    engine = open_database(path, [ledger_component(), traces_component()])
    tracing = Tracing(engine)
    yield Meter(tracing, Ledger(engine, path), PriceTable({f"vllm/{MODEL}": PRICE}))
    tracing.close()
    engine.dispose()


@pytest.fixture
async def router(generating: Server, meter: Meter) -> AsyncIterator[Router]:
    router = Router([chat_model(generating.name, environ={})], meter=meter, retry=RETRY)
    yield router
    await router.close()


def asking(text: str, *, max_tokens: int = 16, tenant: str | None = None) -> ChatRequest:
    return ChatRequest(
        (Message("system", "Answer."), Message("user", text)),
        ChatOptions(temperature=0, max_tokens=max_tokens, seed=1),
        deadline=time.monotonic() + SECONDS,
        tags=Tags("answer", tenant),
    )


async def test_an_answer_is_counted_and_priced(router: Router, meter: Meter) -> None:
    response = await router.complete(asking("How long may goods be returned?"))
    usage = response.usage
    assert (response.model, usage.output_tokens, usage.estimated) == (f"vllm/{MODEL}", 16, False)
    assert usage.input_tokens > 40
    assert response.cost == PRICE.of(usage)
    assert meter.ledger.totals().cost == response.cost


async def test_a_stream_says_the_same_and_counts_the_same(router: Router) -> None:
    whole = await router.complete(asking("Is shipping free?"))
    pieces, last = [], None
    async for event in router.stream(asking("Is shipping free?")):
        if isinstance(event, TextDelta):
            pieces.append(event.text)
        else:
            last = event
    assert isinstance(last, Completed)
    assert "".join(pieces) == last.response.text == whole.text
    assert (last.response.usage.input_tokens, last.response.usage.output_tokens) == (
        whole.usage.input_tokens,
        whole.usage.output_tokens,
    )


async def test_a_schema_is_kept(router: Router) -> None:
    schema = {
        "title": "refund",
        "type": "object",
        "properties": {"days": {"type": "integer", "minimum": 1, "maximum": 99}, "opened": {"type": "boolean"}},
        "required": ["days", "opened"],
        "additionalProperties": False,
    }
    request = asking("How long?", max_tokens=64)
    response = await router.complete(
        ChatRequest(request.messages, request.options, response_schema=schema, tags=request.tags)
    )
    found = json.loads(response.text)
    assert set(found) == {"days", "opened"}
    assert isinstance(found["days"], int)


async def test_a_tool_is_called(router: Router) -> None:
    """What must be called is in the grammar; with what, vLLM leaves to the model, and this one knows no better."""
    tool = Tool("track", "Finds a parcel.", {"type": "object", "properties": {"order": {"type": "integer"}}})
    question = asking("Where is my order 7?").messages
    for seed in range(16):
        options = ChatOptions(temperature=1, max_tokens=200, seed=seed)
        response = await router.complete(ChatRequest(question, options, tools=(tool,), tool_choice="required"))
        if response.tool_calls:
            break
    (call,) = response.tool_calls
    assert call.name == "track"
    assert call.id
    json.loads(call.arguments)
    assert response.finish_reason in ("tool_calls", "stop")


async def test_what_was_read_from_the_cache_is_counted_and_costs_less(router: Router) -> None:
    first = await router.complete(asking(LONG, tenant="cached"))
    again = await router.complete(asking(LONG, tenant="cached"))
    assert first.usage.cached_input_tokens == 0
    cached = again.usage.cached_input_tokens
    assert again.usage.input_tokens - 64 <= cached < again.usage.input_tokens
    assert first.cost is not None
    assert again.cost == first.cost - cached * Decimal("0.9") / 1_000_000


async def test_tenants_do_not_share_a_cache(router: Router) -> None:
    asked = {tenant: await router.complete(asking(LONG + "!", tenant=tenant)) for tenant in ("north", "south")}
    assert [response.usage.cached_input_tokens for response in asked.values()] == [0, 0]
    assert (await router.complete(asking(LONG + "!", tenant="north"))).usage.cached_input_tokens > 0


async def test_log_probabilities_come_when_they_are_asked_for(router: Router) -> None:
    request = asking("How long?", max_tokens=4)
    options = ChatOptions(temperature=0, max_tokens=4, logprobs=2)
    response = await router.complete(ChatRequest(request.messages, options))
    assert len(response.logprobs) == 4
    for token in response.logprobs:
        assert token.others
        assert 0 >= token.logprob >= max(value for _, value in token.others), "the likeliest is taken"
    assert (await router.complete(request)).logprobs == ()


async def test_a_prompt_that_does_not_fit_is_an_error_of_its_kind(router: Router, meter: Meter) -> None:
    with pytest.raises(ContextLengthError):
        await router.complete(asking("word " * 3000))
    assert meter.ledger.totals().cost == 0


async def test_an_option_that_it_refuses_is_an_error_of_its_kind(router: Router) -> None:
    request = asking("How long?")
    with pytest.raises((BadRequestError, ModelError)) as caught:
        await router.complete(ChatRequest(request.messages, ChatOptions(temperature=0, max_tokens=1 << 40)))
    assert "vllm" in caught.value.model


async def test_what_an_overloaded_server_refuses_is_answered_elsewhere(vllm: Path, weights: Path, meter: Meter) -> None:
    limited = ("--max-num-seqs", "1", "--max-num-queued-reqs", "2")
    elsewhere = ScriptedChatModel("From elsewhere.", name="scripted/elsewhere")
    with served(vllm, weights, *GENERATING, *limited) as server:
        router = Router([chat_model(server.name, environ={}), elsewhere], meter=meter, retry=RetrySettings(attempts=1))
        answers = await asyncio.gather(*(router.complete(asking(f"{n}?", max_tokens=200)) for n in range(12)))
        assert_all_answered(answers, meter)
        assert any(answer.model == f"vllm/{MODEL}" for answer in answers), "some were not refused"
        assert failures(meter) == {"OverloadedError"}, "it says 503"
        before = meter.ledger.totals().calls
        # On its way down it refuses new calls while it still says that it is well.
        late = [asyncio.create_task(router.complete(asking(f"{n}!", max_tokens=200))) for n in range(3)]
        await asyncio.sleep(0.2)
        server.stop()
        for number in range(40):
            late.append(asyncio.create_task(router.complete(asking(f"late {number}", max_tokens=20))))
            await asyncio.sleep(0.05)
        assert_all_answered(await asyncio.gather(*late), meter)
        on_its_way_down = failures(meter, after=before)
        assert on_its_way_down & {"OverloadedError", "ConnectionFailedError"}, "500 or 503, and then no connection"
        await router.close()


def assert_all_answered(answers: list[ChatResponse], meter: Meter) -> None:
    assert all(answer.text for answer in answers)
    assert any(answer.model == "scripted/elsewhere" for answer in answers), "some were refused"
    failed = [attempt.error for answer in answers for attempt in answer.attempts if attempt.error]
    assert meter.ledger.totals().calls >= len(answers) + len(failed)


def failures(meter: Meter, *, after: int = 0) -> set[str]:
    """How calls ended that were made after so many others."""
    return {entry.error for _, entry in list(meter.ledger.after(0))[after:] if entry.error is not None}
