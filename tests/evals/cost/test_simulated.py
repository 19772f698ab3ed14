from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

import pytest

from evals.cost.profiles import Profile, profile, profiles
from evals.cost.simulated import Clock, SimulatedModel
from evals.cost.workload import plain
from plumbline.errors import ConfigError
from plumbline.text.tokens import tokenizer
from rag.answer.abstain import is_refusal
from routing.chat import ChatOptions, ChatRequest, Evidence, Message
from routing.cost.price_file import shipped_prices
from routing.errors import BadRequestError, DeadlineError
from routing.testing.chat import REQUEST, check_chat_model

PASSAGE = "Tents are kept dry. The window is 45 days for all clothing. Gift cards cannot be returned."
SURE = {"right": 1.0, "refuses": 1.0}
NEVER = {"right": 0.0, "refuses": 0.0}


def request(question: str, filler: int = 0) -> ChatRequest:
    passage = PASSAGE + " lorem ipsum dolor" * filler
    return ChatRequest(
        (Message("system", "Answer briefly."), Message("user", f"{passage}\n\n{question}")),
        question=question,
        evidence=(Evidence(passage, "returns.pdf", page=2),),
    )


def model(
    changes: Mapping[str, object] | None = None, *, name: str = "gpt-4.1-mini", clock: Clock | None = None
) -> SimulatedModel:
    key = {plain("How long?"): ("45 days",), plain("Which colour?"): (), plain("How many shops?"): ("20",)}
    changed = Profile.model_validate({**profile(name).model_dump(), **(changes or {})})
    return SimulatedModel(changed, key, clock or Clock(), seed=1)


@pytest.mark.parametrize("name", profiles())
async def test_keeps_the_contract_of_chat_models(name: str) -> None:
    await check_chat_model(model(name=name))


async def test_is_as_right_as_its_profile_says() -> None:
    right = await model(SURE).complete(request("How long?"))
    assert right.text == "The window is 45 days for all clothing [Source: returns.pdf, page 2]."
    wrong = await model(NEVER).complete(request("How long?"))
    assert "45 days" not in wrong.text
    assert not is_refusal(wrong.text)


@pytest.mark.parametrize("question", ["Which colour?", "How many shops?"])
async def test_refuses_what_the_evidence_does_not_hold_as_often_as_its_profile_says(question: str) -> None:
    assert is_refusal((await model(SURE).complete(request(question))).text)
    assert not is_refusal((await model(NEVER).complete(request(question))).text)


async def test_an_unknown_question_gets_the_nearest_sentence() -> None:
    assert (await model(NEVER).complete(request("Can gift cards be returned?"))).text.startswith("Gift cards cannot")


async def test_share_of_right_answers_over_many_questions() -> None:
    questions = [f"How long, case {number}?" for number in range(400)]
    key = {plain(question): ("45 days",) for question in questions}
    half = SimulatedModel(profile("gpt-4o").model_copy(update={"right": 0.5}), key, Clock())
    answers = [(await half.complete(request(question))).text for question in questions]
    assert 160 < sum("45 days" in answer for answer in answers) < 240
    assert answers == [(await half.complete(request(question))).text for question in questions]


async def test_usage_counts_the_prompt_by_the_shipped_tokenizer_and_never_less_than_the_answer_has() -> None:
    asked = request("How long?")
    response = await model({**SURE, "output_tokens": 1, "spread": 0}).complete(asked)
    written = tokenizer().count(response.text)
    said = sum(tokenizer().count(message.content) for message in asked.messages)
    assert said < response.usage.input_tokens < said + 20
    assert response.usage.output_tokens == written
    assert response.usage.estimated


async def test_openai_caches_1024_tokens_and_steps_of_128_for_five_minutes() -> None:
    clock = Clock()
    asked = model(clock=clock)
    usage = (await asked.complete(request("How long?", 400))).usage
    assert (usage.cached_input_tokens, usage.cache_write_tokens) == (0, 0)
    assert usage.input_tokens > 1200
    clock.now = 299
    again = (await asked.complete(request("How long?", 400))).usage
    assert again.cached_input_tokens == (usage.input_tokens - 1) // 128 * 128
    clock.now = 599
    assert (await asked.complete(request("How long?", 400))).usage.cached_input_tokens > 0
    clock.now = 900
    assert (await asked.complete(request("How long?", 400))).usage.cached_input_tokens == 0
    assert (await asked.complete(request("How long?", 10))).usage.cached_input_tokens == 0
    assert (await asked.complete(request("How long?", 10))).usage.cached_input_tokens == 0


async def test_anthropic_caches_nothing_without_breakpoints_and_charges_writes_with_them() -> None:
    plain_one = model(name="claude-sonnet-4-5")
    for _ in range(2):
        assert (await plain_one.complete(request("How long?", 400))).usage.cached_input_tokens == 0
    marked = model(name="claude-sonnet-4-5-cached")
    first = (await marked.complete(request("How long?", 400))).usage
    assert first.cache_write_tokens == first.input_tokens
    second = (await marked.complete(request("How long?", 400))).usage
    assert (second.cached_input_tokens, second.cache_write_tokens) == (second.input_tokens, 0)
    price = shipped_prices().cost
    uncached = price(marked.name, replace(first, cache_write_tokens=0))
    assert uncached is not None
    input_price = Decimal(first.input_tokens) * 3 / 1_000_000
    assert price(marked.name, first) == uncached + input_price * Decimal("0.25")
    assert price(marked.name, second) == uncached - input_price * Decimal("0.9")


async def test_the_length_limit_cuts_the_answer() -> None:
    cut = await model(SURE).complete(replace(request("How long?"), options=ChatOptions(max_tokens=4)))
    assert cut.finish_reason == "length"
    assert cut.usage.output_tokens == 4
    assert 0 < tokenizer().count(cut.text) <= 4


async def test_is_too_late_where_the_real_one_would_be() -> None:
    slow = model({"first_token_seconds": 3600.0, "spread": 0})
    with pytest.raises(DeadlineError, match="would have needed"):
        await slow.complete(replace(request("How long?"), deadline=time.monotonic() + 60))


async def test_gives_no_structured_answers() -> None:
    with pytest.raises(BadRequestError, match="plain text"):
        await model().complete(replace(REQUEST, response_schema={"type": "object"}))


def test_an_unknown_profile_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"gpt-4\.1-mini"):
        profile("gpt-41-mini")


def test_every_profile_says_where_its_numbers_come_from() -> None:
    for name, entry in profiles().items():
        assert entry.source, name
        assert entry.prefix.source, name
        assert entry.model.startswith("vllm/") == (shipped_prices().find(entry.model) is None)
