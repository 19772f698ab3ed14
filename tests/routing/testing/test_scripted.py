from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import pytest

from routing.chat import (
    ChatOptions,
    ChatRequest,
    ChatResponse,
    Completed,
    Image,
    Message,
    TextDelta,
    TokenLogprob,
    Tool,
)
from routing.errors import ConnectionFailedError, DeadlineError, OverloadedError, RateLimitError, UnsupportedError
from routing.testing.chat import REQUEST, check_chat_model
from routing.testing.scripted import Ability, BreaksOff, OneOf, ScriptedChatModel, pieces_of


def asking(**options: object) -> ChatRequest:
    return replace(REQUEST, options=ChatOptions(**options))  # type: ignore[arg-type]  # whatever the test says


async def test_keeps_the_contract() -> None:
    await check_chat_model(ScriptedChatModel("The refund window is 30 days.", pause=0.001))


async def test_replies_come_in_order_and_the_last_one_stays() -> None:
    response = ChatResponse("second", "scripted/chat")
    model = ScriptedChatModel(
        "first", response, RateLimitError("slow", model="scripted/chat"), lambda request: request.question or ""
    )
    assert (await model.complete(REQUEST)).text == "first"
    assert await model.complete(REQUEST) is response
    with pytest.raises(RateLimitError):
        await model.complete(REQUEST)
    assert (await model.complete(REQUEST)).text == REQUEST.question
    assert (await model.complete(REQUEST)).text == REQUEST.question
    assert len(model.requests) == 5
    await model.close()
    assert model.closed


def test_a_model_without_replies() -> None:
    with pytest.raises(ValueError, match="at least one"):
        ScriptedChatModel()


@pytest.mark.parametrize("text", ["one", "one two  three\n", " lead", "a\n\nb "])
async def test_streams_word_by_word_lose_nothing(text: str) -> None:
    events = [event async for event in ScriptedChatModel(text).stream(REQUEST)]
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == text
    assert len(events) == len(text.split()) + 1 == len(pieces_of(text)) + 1
    assert isinstance(events[-1], Completed)


async def test_a_slow_model_keeps_the_deadline() -> None:
    model = ScriptedChatModel("late", delay=60)
    with pytest.raises(DeadlineError):
        await model.complete(replace(REQUEST, deadline=time.monotonic() + 0.02))


async def test_a_slow_stream_keeps_the_deadline() -> None:
    stream = ScriptedChatModel("too late", pause=60).stream(replace(REQUEST, deadline=time.monotonic() + 0.2))
    assert await anext(stream) == TextDelta("too")
    with pytest.raises(DeadlineError):
        await anext(stream)


async def test_pieces_take_the_pause_between_them(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    async for _ in ScriptedChatModel("one two three", delay=2, pause=0.5).stream(REQUEST):
        pass
    assert waited == [2, 0, 0.5, 0.5]


@pytest.mark.parametrize("after", [0, 2, 99])
async def test_a_stream_that_breaks_off(after: int) -> None:
    stream = ScriptedChatModel(BreaksOff("one two three", after)).stream(REQUEST)
    pieces = [TextDelta("one"), TextDelta(" two"), TextDelta(" three")][:after]
    assert [await anext(stream) for _ in pieces] == pieces
    with pytest.raises(ConnectionFailedError):
        await anext(stream)


async def test_what_breaks_off_says_how() -> None:
    busy = OverloadedError("busy", model="scripted/chat")
    model = ScriptedChatModel(BreaksOff("one two", 1, busy), "all good")
    with pytest.raises(OverloadedError, match="busy"):
        await model.complete(REQUEST)
    assert (await model.complete(REQUEST)).text == "all good"


async def test_the_same_seed_gives_the_same_answer() -> None:
    texts = tuple("abcdefgh")
    model, again = (ScriptedChatModel(OneOf(texts), seed=3) for _ in range(2))
    seeded = [(await model.complete(asking(seed=seed))).text for seed in (1, 2, 3, 1, 2, 3)]
    assert seeded[:3] == seeded[3:]
    free = [(await model.complete(REQUEST)).text for _ in range(20)]
    assert len(set(free)) > 3
    assert free == [(await again.complete(REQUEST)).text for _ in range(20)]


async def test_log_probabilities_and_tiers() -> None:
    model = ScriptedChatModel("Yes, sir.")
    response = await model.complete(asking(logprobs=1, tier="priority"))
    assert response.tier == "priority"
    assert "".join(token.token for token in response.logprobs) == response.text
    assert response.logprobs[0] == TokenLogprob("Yes,", -0.4, (("Yes,1", -1.4),))
    assert (await model.complete(asking(logprobs=0))).logprobs[0].others == ()
    assert (await model.complete(REQUEST)).logprobs == ()


@pytest.mark.parametrize(
    ("ability", "request_"),
    [
        ("images", ChatRequest((Message("user", "?", images=(Image(b"x"),)),))),
        ("tools", replace(REQUEST, tools=(Tool("look", "Looks.", {}),))),
        ("schema", replace(REQUEST, response_schema={"type": "object"})),
        ("logprobs", asking(logprobs=0)),
        ("priority", asking(tier="priority")),
        ("flex", asking(tier="flex")),
    ],
)
async def test_what_it_lacks_is_refused(ability: Ability, request_: ChatRequest) -> None:
    able, unable = ScriptedChatModel("yes"), ScriptedChatModel("yes", "no", lacks=(ability,))
    assert (await able.complete(request_)).text == "yes"
    with pytest.raises(UnsupportedError, match=ability):
        await unable.complete(request_)
    assert (await unable.complete(REQUEST)).text == "yes", "a refusal takes no reply"
