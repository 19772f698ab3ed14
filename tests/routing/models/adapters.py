"""What the tests of all adapters share: an adapter at an address, requests, and what comes of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Literal

from routing.chat import ChatEvent, ChatModel, ChatOptions, ChatRequest, ChatResponse, Completed
from routing.models.anthropic import AnthropicChatModel
from routing.models.cohere_chat import CohereChatModel
from routing.models.facts import UNKNOWN, ModelFacts
from routing.models.openai import OpenAIChatModel
from routing.testing.chat import REQUEST
from routing.testing.faults import Fault

Provider = Literal["openai", "responses", "vllm", "anthropic", "cohere"]
PROVIDERS: tuple[Provider, ...] = ("openai", "responses", "vllm", "anthropic", "cohere")
SDKS: Mapping[Provider, str] = {
    "openai": "openai",
    "responses": "openai",
    "vllm": "openai",
    "anthropic": "anthropic",
    "cohere": "cohere",
}
"""Which package each stands on."""
Make = Callable[..., ChatModel]
_MAKERS: Mapping[Provider, tuple[Make, str, dict[str, Any]]] = {
    "openai": (OpenAIChatModel, "/v1", {}),
    "responses": (OpenAIChatModel, "/v1", {"api": "responses"}),
    "vllm": (OpenAIChatModel, "/v1", {"provider": "vllm", "api_key": None, "key_variable": "VLLM_API_KEY"}),
    "anthropic": (AnthropicChatModel, "", {}),
    "cohere": (CohereChatModel, "", {}),
}


def adapter(
    provider: Provider, url: str, timeout: float = 5.0, *, facts: ModelFacts = UNKNOWN, name: str = "model", **more: Any
) -> ChatModel:
    """The adapter of one provider at an address."""
    make, path, own = _MAKERS[provider]
    return make(name, base_url=url + path, timeout=timeout, facts=facts, **({"api_key": "k"} | own | more))


def with_options(**options: Any) -> ChatRequest:
    """The usual request, with these options and no others."""
    return replace(REQUEST, options=ChatOptions(**options))


async def drain(
    model: ChatModel, request: ChatRequest = REQUEST, seen: list[ChatEvent] | None = None
) -> list[ChatEvent]:
    """The events of a stream, also in `seen` as they come."""
    seen = [] if seen is None else seen
    async for event in model.stream(request):
        seen.append(event)
    return seen


async def last(model: ChatModel, request: ChatRequest = REQUEST) -> ChatResponse:
    """The response at the end of a stream."""
    end = (await drain(model, request))[-1]
    assert isinstance(end, Completed)
    return end.response


async def both(model: ChatModel, request: ChatRequest = REQUEST) -> list[ChatResponse]:
    """What the model answers in one piece, and at the end of a stream."""
    return [await model.complete(request), await last(model, request)]


async def once(model: ChatModel, request: ChatRequest = REQUEST) -> list[ChatResponse]:
    """As `both`; the model is closed afterwards."""
    try:
        return await both(model, request)
    finally:
        await model.close()


def document(whole: Any) -> Fault:
    """An answer of 200 in one piece."""
    return Fault("body", body=json.dumps(whole))


def streamed(*events: Mapping[str, Any]) -> Fault:
    """An answer of 200 that streams these events and ends."""
    body = "".join(f"event: {event.get('type', 'message')}\ndata: {json.dumps(event)}\n\n" for event in events)
    return Fault("body", body=body, content_type="text/event-stream")
