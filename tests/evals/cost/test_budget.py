from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.cost.budget import Budget, BudgetSpentError, most_of_chat, most_of_texts
from evals.cost.budgeted import BudgetedChatModel, BudgetedEmbedder, Purse
from evals.cost.catalog import bench_catalog
from plumbline.errors import ConfigError, CorruptStateError
from plumbline.text.tokens import tokenizer
from routing.chat import ChatEvent, ChatOptions, ChatRequest, ChatResponse, Message, TextDelta, Usage
from routing.cost.price_file import shipped_prices
from routing.cost.prices import Price, PriceTable
from routing.errors import DeadlineError, OverloadedError
from routing.testing.chat import REQUEST, check_chat_model
from routing.testing.embedder import check_embedder
from routing.testing.fakes import FakeEmbedder, Reply, ScriptedChatModel

NAME = "openai/gpt-4.1-mini"
PRICE = Price(Decimal(1), Decimal(4))
PRICES = PriceTable({NAME: PRICE, "scripted/hashing": PRICE})
ASKED = replace(REQUEST, options=ChatOptions(max_tokens=100))
ANSWER = ChatResponse("Thirty days.", NAME, Usage(80, 10))
MOST = most_of_chat(PRICE, ASKED, 100)
DUE = PRICE.of(ANSWER.usage)


def behind(budget: Budget, *replies: Reply) -> BudgetedChatModel:
    return BudgetedChatModel(ScriptedChatModel(*replies, name=NAME), Purse(budget, PRICES))


async def test_keeps_the_contracts_of_what_it_wraps() -> None:
    purse = Purse(Budget(Decimal(1)), PRICES)
    await check_chat_model(BudgetedChatModel(ScriptedChatModel("Thirty days.", name=NAME), purse))
    await check_embedder(BudgetedEmbedder(FakeEmbedder(), purse))


async def test_counts_what_calls_cost_and_refuses_the_one_that_could_go_over() -> None:
    budget = Budget(MOST + DUE)
    scripted = ScriptedChatModel(ANSWER, name=NAME)
    model = BudgetedChatModel(scripted, Purse(budget, PRICES))
    await model.complete(ASKED)
    await model.complete(ASKED)
    assert budget.spent == 2 * DUE
    with pytest.raises(BudgetSpentError, match=r"up to \$0\.\d+.*only \$0\.\d+ is left"):
        await model.complete(ASKED)
    assert len(scripted.requests) == 2
    assert budget.spent == 2 * DUE


async def test_a_refused_call_costs_nothing_and_an_unanswered_one_the_most_it_can() -> None:
    budget = Budget(Decimal(1))
    with pytest.raises(OverloadedError):
        await behind(budget, OverloadedError("busy", model=NAME)).complete(ASKED)
    assert budget.spent == 0
    with pytest.raises(DeadlineError):
        await behind(budget, DeadlineError("late", model=NAME)).complete(ASKED)
    assert budget.spent == MOST


class BreaksOff(ScriptedChatModel):
    async def stream(self, request: ChatRequest) -> AsyncIterator[ChatEvent]:
        yield TextDelta("Thirty")
        raise OverloadedError("gone", model=NAME)


async def test_a_stream_counts_when_it_is_whole_and_at_most_when_it_is_not() -> None:
    budget = Budget(Decimal(1))
    events = [event async for event in behind(budget, ANSWER).stream(ASKED)]
    assert (len(events), budget.spent) == (3, DUE)
    with pytest.raises(OverloadedError):
        [event async for event in BudgetedChatModel(BreaksOff("", name=NAME), Purse(budget, PRICES)).stream(ASKED)]
    assert budget.spent == DUE + MOST
    async for _ in behind(budget, ANSWER).stream(ASKED):
        break
    assert budget.spent <= DUE + 2 * MOST


async def test_calls_at_the_same_time_cannot_overspend_together() -> None:
    import asyncio

    budget = Budget(MOST * 2)
    model = BudgetedChatModel(ScriptedChatModel(ANSWER, name=NAME, delay=0.01), Purse(budget, PRICES))
    outcomes = await asyncio.gather(*(model.complete(ASKED) for _ in range(5)), return_exceptions=True)
    assert sum(isinstance(outcome, BudgetSpentError) for outcome in outcomes) == 3
    assert budget.spent == 2 * DUE


async def test_embeddings_count_too() -> None:
    texts = ["one text", "another one"]
    budget = Budget(most_of_texts(PRICE, texts))
    embedder = BudgetedEmbedder(FakeEmbedder(), Purse(budget, PRICES))
    used = (await embedder.embed_passages(texts)).usage
    assert budget.spent == PRICE.of(used)
    with pytest.raises(BudgetSpentError):
        await embedder.embed_passages(texts)


async def test_spending_survives_the_process_and_so_does_a_call_without_a_bill(tmp_path: Path) -> None:
    path = tmp_path / "budget.jsonl"
    first = Budget(Decimal(1), journal=path)
    with first.call("extractive/default", Decimal(0)) as receipt:
        receipt.cost = Decimal(0)
    await behind(first, ANSWER).complete(ASKED)
    with pytest.raises(DeadlineError):
        await behind(first, DeadlineError("late", model=NAME)).complete(ASKED)
    first.close()
    with path.open("ab") as file:
        file.write(b'{"call": 4, "dol')  # the process died while it wrote, before the call went out
    again = Budget(Decimal(1), journal=path)
    assert again.spent == first.spent == DUE + MOST
    await behind(again, ANSWER).complete(ASKED)
    again.close()
    last = Budget(Decimal(1), journal=path)
    assert last.spent == 2 * DUE + MOST
    last.close()


def test_a_damaged_journal_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "budget.jsonl"
    path.write_text('{"call": 1}x\n{"call": 2, "dollars": "1"}\n', "utf-8")
    with pytest.raises(CorruptStateError, match=r"budget\.jsonl:1"):
        Budget(Decimal(1), journal=path)


@given(st.text(max_size=300), st.integers(0, 5000))
def test_the_bound_is_above_what_any_usage_of_the_prompt_costs(text: str, output: int) -> None:
    for name in (NAME, "openai/gpt-5.6-sol", "anthropic/claude-sonnet-4-5"):
        price = shipped_prices().find(name)
        assert price is not None
        prompt = tokenizer().count(text) + 4
        most = most_of_chat(price, ChatRequest((Message("user", text),)), output)
        for cached, written in ((0, 0), (prompt, 0), (0, prompt)):
            assert price.of(Usage(prompt, output, cached, written)) <= most


def test_long_prompts_are_bounded_by_the_price_of_long_prompts() -> None:
    price = shipped_prices().find("openai/gpt-6.1-sol")
    assert price is not None
    text = "word " * 300_000
    usage = Usage(tokenizer().count(text), 10)
    assert price.of(usage) <= most_of_chat(price, ChatRequest((Message("user", text),)), 10)


async def test_a_model_without_a_price_is_refused_unless_allowed() -> None:
    unpriced = ScriptedChatModel(ANSWER, name="vllm/mine")
    with pytest.raises(ConfigError, match="no price for vllm/mine"):
        await BudgetedChatModel(unpriced, Purse(Budget(Decimal(1)), PRICES)).complete(ASKED)
    allowed = Purse(Budget(Decimal(0)), PRICES, allow_unpriced=True)
    assert (await BudgetedChatModel(unpriced, allowed).complete(ASKED)).text == "Thirty days."


async def test_every_model_of_the_catalogue_is_behind_the_budget() -> None:
    budget = Budget(Decimal(0))
    catalog = bench_catalog(Purse(budget, shipped_prices()))
    environ = {"OPENAI_API_KEY": "no-key", "ANTHROPIC_API_KEY": "no-key"}
    for name in ("openai/gpt-5-mini", "anthropic/claude-haiku-4-5"):
        model = catalog.chat_model(name, environ=environ)
        with pytest.raises(BudgetSpentError):
            await model.complete(REQUEST)
        await model.close()
    embedder = catalog.embedder("openai/text-embedding-3-small", environ=environ)
    with pytest.raises(BudgetSpentError):
        await embedder.embed_queries(["text"])
    await embedder.close()
    assert (await catalog.chat_model("extractive/default").complete(REQUEST)).text
