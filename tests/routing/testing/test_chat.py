"""The conformance suite of chat models passes good models and catches each kind of bad one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from routing.chat import ChatEvent, ChatRequest, ChatResponse, Completed, TextDelta, Usage
from routing.errors import DeadlineError, OverloadedError, RateLimitError
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
        ({"finish_reason": "tool_calls"}, "reason to stop"),
    ],
)
async def test_bad_responses(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(AssertionError, match=says):
        await check_complete(ScriptedChatModel(replace(GOOD, **changes)))


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
        async def _wait(self, request: ChatRequest) -> None:
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
