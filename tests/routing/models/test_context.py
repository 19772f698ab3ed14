from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from plumbline.text.tokens import tokenizer
from routing.chat import ChatOptions, ChatRequest, Evidence, Image, Message, Tool, ToolCall
from routing.errors import ContextLengthError
from routing.models.context import ContextWindow, Counted, bound_tokens
from routing.models.facts import UNKNOWN, ModelFacts, provider_facts

TEXTS = (
    "The refund window closes thirty days after delivery.",
    "Das Rückgaberecht erlischt dreißig Tage nach der Lieferung.",
    "返品期間は配達後三十日で終了します。",
    "👩🏽‍🚀🚀 €5",
    "x = y[0] ** 2;\n\t\tif (a&&b) {}",
    "\ud800 half a character",
)


def asking(text: str, max_tokens: int | None = None) -> ChatRequest:
    return ChatRequest((Message("user", text),), ChatOptions(max_tokens=max_tokens))


@pytest.mark.parametrize("text", TEXTS)
def test_no_prompt_has_more_tokens_than_the_bound(text: str) -> None:
    assert tokenizer().count(text) <= bound_tokens(asking(text))
    assert bound_tokens(asking(text * 10)) - bound_tokens(asking(text * 9)) >= tokenizer().count(text)


def test_everything_that_is_sent_is_part_of_the_bound() -> None:
    plain = asking("Hi")
    base = bound_tokens(plain)
    long = "long " * 100
    call = Message("assistant", "", (ToolCall("c", "look", f'{{"q": "{long}"}}'),))
    tool = Tool("look", long, {"type": "object", "properties": {"q": {"type": "string", "description": long}}})
    assert bound_tokens(replace(plain, messages=(*plain.messages, call))) >= base + len(long)
    assert bound_tokens(replace(plain, tools=(tool,))) >= base + 2 * len(long)
    assert bound_tokens(replace(plain, response_schema={"description": long})) >= base + len(long)
    evidence = replace(plain, evidence=(Evidence(long, "a.txt", section=long),))
    assert bound_tokens(evidence) == base
    assert bound_tokens(evidence, with_evidence=True) >= base + 2 * len(long)


def test_images_count_by_what_is_known_of_the_model() -> None:
    picture = ChatRequest((Message("user", "Hi", images=(Image(b"x"), Image(b"y"))),))
    facts = provider_facts("openai").of_chat("gpt-4o")
    assert bound_tokens(picture, facts) - bound_tokens(asking("Hi"), facts) == 2 * 1445
    assert bound_tokens(picture) > bound_tokens(picture, facts)


async def test_a_short_prompt_is_not_counted() -> None:
    async def count(request: ChatRequest) -> Counted:
        raise AssertionError("it was counted")

    await ContextWindow("openai/m", ModelFacts(context=1000), count).check(asking("word " * 100))
    await ContextWindow("vllm/m", UNKNOWN, count).check(asking("word " * 100))
    # By its bytes it might be too long, and by the estimate it is far from it.
    await ContextWindow("openai/m", ModelFacts(context=1000), count).check(asking("word " * 300))


async def test_nothing_is_checked_where_nothing_is_known() -> None:
    await ContextWindow("openai/m", UNKNOWN).check(asking("word " * 100_000))
    await ContextWindow("openai/m", ModelFacts()).check(asking("word " * 100))


async def test_a_prompt_that_is_too_long_says_by_how_much() -> None:
    window = ContextWindow("openai/gpt-4", provider_facts("openai").of_chat("gpt-4"))
    await window.check(asking("word " * 8000))
    with pytest.raises(ContextLengthError) as caught:
        await window.check(asking("word " * 9000))
    expected = "at least 9,001 tokens (counted by cl100k_base); openai/gpt-4 reads 8,191."
    assert expected in str(caught.value)
    assert caught.value.model == "openai/gpt-4"


async def test_the_answer_needs_room_too() -> None:
    window = ContextWindow("m/m", ModelFacts(context=1000, max_output=400, tokenizer="cl100k_base"))
    await window.check(asking("word " * 800, max_tokens=150))
    with pytest.raises(ContextLengthError, match="reads 700 beside an answer of 300"):
        await window.check(asking("word " * 800, max_tokens=300))
    with pytest.raises(ContextLengthError, match="reads 600 beside an answer of 400"):
        await window.check(asking("word " * 800, max_tokens=9999))


async def test_a_prompt_has_a_limit_of_its_own() -> None:
    window = ContextWindow("m/m", ModelFacts(context=4000, max_input=500, tokenizer="cl100k_base"))
    with pytest.raises(ContextLengthError, match="reads 500"):
        await window.check(asking("word " * 800))


async def test_without_the_models_own_tokenizer_only_the_certain_is_refused(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    window = ContextWindow("m/m", ModelFacts(context=1000, tokenizer="o200k_base"))
    await window.check(asking("word " * 1200))  # 1,201 by the other encoding: by this one it might fit
    await window.check(asking("слово " * 4000))
    with pytest.raises(ContextLengthError, match=r"counted by an estimate from cl100k_base\)"):
        await window.check(asking("word " * 1500))


async def test_a_long_text_is_counted_in_stretches() -> None:
    window = ContextWindow("m/m", ModelFacts(context=400_000, tokenizer="cl100k_base"))
    text = "word " * 500_000
    with pytest.raises(ContextLengthError) as caught:
        await window.check(asking(text))
    counted = int(str(caught.value).split("at least ")[1].split(" ")[0].replace(",", ""))
    assert 499_900 <= counted <= 500_001


async def test_a_server_says_what_it_reads() -> None:
    asked: list[ChatRequest] = []

    async def count(request: ChatRequest) -> Counted:
        asked.append(request)
        return Counted(len(request.messages[0].content.split()), "the server", 1000)

    window = ContextWindow("vllm/m", UNKNOWN, count)
    await window.check(asking("word " * 900))
    await window.check(asking("word " * 190))
    assert len(asked) == 1, "now that the limit is known, what is far below it is not counted"
    with pytest.raises(ContextLengthError, match=r"1,100 tokens \(counted by the server\); vllm/m reads 999"):
        await window.check(asking("word " * 1100))


async def test_a_server_that_cannot_count_is_asked_once() -> None:
    asked: list[ChatRequest] = []

    async def count(request: ChatRequest) -> Counted:
        asked.append(request)
        raise LookupError("no such path")

    window = ContextWindow("vllm/m", UNKNOWN, count)
    for _ in range(3):
        await window.check(asking(json.dumps(list(range(1000)))))
    assert len(asked) == 1


async def test_a_server_that_does_not_count_now_lets_it_through() -> None:
    async def count(request: ChatRequest) -> None:
        return None

    await ContextWindow("vllm/m", ModelFacts(context=10), count).check(asking("word " * 900))


LONG = "word " * 2000
TOOL = Tool("look", "", {"type": "object", "properties": {"q": {"type": "string", "description": LONG}}})


@pytest.mark.parametrize(
    "more",
    [
        {"tools": (TOOL,)},
        {"response_schema": {"type": "object", "description": LONG}},
        {"messages": (Message("user", "Hi", images=(Image(b"x"),)),)},
    ],
    ids=["tools", "schema", "images"],
)
async def test_what_makes_a_prompt_long_beside_its_text_has_it_counted(more: dict[str, Any]) -> None:
    async def count(request: ChatRequest) -> Counted:
        return Counted(1001, "the server")

    facts = ModelFacts(context=1000, image_tokens=1500)
    with pytest.raises(ContextLengthError, match=r"counted by the server"):
        await ContextWindow("vllm/m", facts, count).check(replace(asking("Hi"), **more))


async def test_what_tools_say_of_themselves_is_counted_by_the_models_own_tokenizer() -> None:
    window = ContextWindow("m/m", ModelFacts(context=1000, tokenizer="cl100k_base"))
    await window.check(replace(asking("Hi"), tools=(Tool("look", "word " * 900, {"type": "object"}),)))
    with pytest.raises(ContextLengthError, match=r"at least 1,00[0-9] tokens"):
        await window.check(replace(asking("Hi"), tools=(Tool("look", "word " * 1000, {"type": "object"}),)))


@pytest.mark.parametrize("model", ["gpt-5.5", "gpt-6-sol", "gpt-6.1-terra"])
async def test_a_model_whose_tokenizer_is_not_known_is_sent_nothing_that_is_far_too_long(model: str) -> None:
    facts = provider_facts("openai").of_chat(model)
    assert facts.context is not None
    window = ContextWindow(f"openai/{model}", facts)
    with pytest.raises(ContextLengthError, match=r"counted by an estimate from cl100k_base"):
        await window.check(asking("refund " * (2 * facts.context)))
    await window.check(asking("refund " * (facts.context // 2)))
    await window.check(asking(" " * (4 * facts.context)))
