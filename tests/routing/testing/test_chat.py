"""The conformance suite of chat models passes good models and catches each kind of bad one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from routing.chat import ChatEvent, ChatRequest, ChatResponse, Completed, TextDelta, TokenLogprob, Usage
from routing.errors import DeadlineError, OverloadedError, RateLimitError, UnsupportedError
from routing.models.extractive import ExtractiveModel
from routing.testing.chat import (
    REQUEST,
    check_abandoned_stream,
    check_cancelled_call,
    check_chat_model,
    check_complete,
    check_deadline,
    check_description,
    check_failure,
    check_images,
    check_logprobs,
    check_stream,
    check_usage,
)
from routing.testing.fakes import ScriptedChatModel

GOOD = ChatResponse("Thirty days after delivery.", "scripted/chat", Usage(20, 5))


class Streaming(ScriptedChatModel):
    """A scripted model whose streams are given event by event."""

    def __init__(self, *events: ChatEvent) -> None:
        super().__init__(GOOD)
        self.events = events

    async def stream(self, request: ChatRequest) -> AsyncIterator[ChatEvent]:
        for event in self.events:
            yield event


async def test_the_scripted_model_passes() -> None:
    await check_chat_model(ScriptedChatModel("Thirty days after delivery."))


async def test_the_extractive_model_passes() -> None:
    await check_chat_model(ExtractiveModel(), local=True)


async def test_a_name_without_a_provider() -> None:
    with pytest.raises(AssertionError, match="provider/name"):
        await check_description(ScriptedChatModel("x", name="gpt"))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"text": " "}, "no text"),
        ({"model": "other/chat"}, "scripted/name"),
        ({"model": "scripted"}, "scripted/name"),
        ({"usage": Usage(-1, 5)}, "negative"),
        ({"usage": Usage(20, 5, cached_input_tokens=21)}, "whole prompt"),
        ({"usage": Usage(20, 5, cached_input_tokens=15, cache_write_tokens=6)}, "whole prompt"),
        ({"usage": Usage(20, 5, cache_write_1h_tokens=1)}, "for an hour"),
        ({"usage": Usage(20, 5, reasoning_tokens=6)}, "what was thought"),
        ({"tier": "cheap"}, "no tier 'cheap'"),
        ({"finish_reason": "tool_calls"}, "reason to stop"),
    ],
)
async def test_bad_responses(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(AssertionError, match=says):
        await check_complete(ScriptedChatModel(replace(GOOD, **changes)))


async def test_a_model_may_refuse_what_not_every_model_does() -> None:
    await check_chat_model(ScriptedChatModel("Thirty days after delivery.", lacks=("images", "logprobs")))


@pytest.mark.parametrize(
    ("logprobs", "says"),
    [
        ((), "the response has none"),
        ((TokenLogprob("Thirty", 0.5),), "at most 0"),
        ((TokenLogprob("Thirty", -0.5, (("a", -1.0), ("b", -1.0), ("c", -1.0))),), "2 other tokens"),
    ],
)
async def test_bad_log_probabilities(logprobs: tuple[TokenLogprob, ...], says: str) -> None:
    with pytest.raises(AssertionError, match=says):
        await check_logprobs(ScriptedChatModel(replace(GOOD, logprobs=logprobs)))


async def test_an_image_that_breaks_the_model() -> None:
    with pytest.raises(AssertionError, match="an image: the model must answer, or raise UnsupportedError"):
        await check_images(ScriptedChatModel(OverloadedError("busy", model="scripted/chat")))


async def test_an_image_that_is_refused_in_a_stream_only() -> None:
    class Half(ScriptedChatModel):
        async def stream(self, request: ChatRequest) -> AsyncIterator[ChatEvent]:
            if any(message.images for message in request.messages):
                raise UnsupportedError("blind", model=self.name)
            yield Completed(GOOD)

    with pytest.raises(AssertionError, match="in one way of asking only"):
        await check_images(Half(GOOD))


@pytest.mark.parametrize(
    ("events", "says"),
    [
        ((), "no events"),
        ((TextDelta(GOOD.text),), "last event must be Completed"),
        ((Completed(GOOD),), "the deltas say ''"),
        ((TextDelta("Thirty"), Completed(GOOD)), "the deltas say 'Thirty'"),
        ((TextDelta(GOOD.text), Completed(GOOD), Completed(GOOD)), "one Completed"),
    ],
)
async def test_bad_streams(events: tuple[ChatEvent, ...], says: str) -> None:
    with pytest.raises(AssertionError, match=says):
        await check_stream(Streaming(*events))


async def test_usage_that_nobody_counted() -> None:
    with pytest.raises(AssertionError, match="input_tokens"):
        await check_usage(ScriptedChatModel(replace(GOOD, usage=Usage())))


async def test_a_model_that_ignores_the_deadline() -> None:
    class Deaf(ScriptedChatModel):
        async def _wait(self, seconds: float, request: ChatRequest) -> None:
            pass

    with pytest.raises(AssertionError, match="DeadlineError"):
        await check_deadline(Deaf("x"))


async def test_a_stream_that_leaves_a_task_behind() -> None:
    left: list[asyncio.Task[None]] = []

    class Leaky(ScriptedChatModel):
        async def stream(self, request: ChatRequest) -> AsyncIterator[ChatEvent]:
            left.append(asyncio.create_task(asyncio.sleep(60)))
            async for event in super().stream(request):
                yield event

    with pytest.raises(AssertionError, match="left tasks behind"):
        await check_abandoned_stream(Leaky("a few words"))
    for task in left:
        task.cancel()


async def test_a_model_that_swallows_a_cancellation() -> None:
    class Stubborn(ScriptedChatModel):
        async def complete(self, request: ChatRequest) -> ChatResponse:
            try:
                return await super().complete(request)
            except asyncio.CancelledError:
                return GOOD

    with pytest.raises(AssertionError, match="a cancelled complete must end as cancelled"):
        await check_cancelled_call(Stubborn("x", delay=60))
    await check_cancelled_call(ScriptedChatModel("x", delay=60))


async def test_failures() -> None:
    error = OverloadedError("busy", model="scripted/chat")
    assert await check_failure(ScriptedChatModel(error), OverloadedError) is error
    with pytest.raises(AssertionError, match="complete must raise RateLimitError"):
        await check_failure(ScriptedChatModel(error), RateLimitError)
    with pytest.raises(AssertionError, match="complete must raise DeadlineError; it gave ChatResponse"):
        await check_failure(ScriptedChatModel("fine"), DeadlineError, REQUEST)
    with pytest.raises(AssertionError, match="is of 'another/model'"):
        await check_failure(ScriptedChatModel(OverloadedError("busy", model="another/model")), OverloadedError)
    with pytest.raises(AssertionError, match="says nothing"):
        await check_failure(ScriptedChatModel(OverloadedError(" ", model="scripted/chat")), OverloadedError)
