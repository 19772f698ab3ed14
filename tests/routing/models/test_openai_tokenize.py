"""Prompts of a vLLM server are counted by its own /tokenize, and only when they may be too long."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from routing.chat import ChatOptions, ChatRequest, Image, Message, Tool
from routing.errors import ContextLengthError, DeadlineError
from routing.testing.server import FakeProvider, Fault, Received

pytest.importorskip("openai")

from routing.models.openai import OpenAIChatModel

LONG = ChatRequest((Message("system", "Answer."), Message("user", "word " * 3000)), ChatOptions(max_tokens=100))


class Served:
    """A fake vLLM server whose model reads `context` tokens, one a word; `instead` answers /tokenize otherwise."""

    def __init__(self, context: int | None) -> None:
        self.context = context
        self.instead: Fault | None = None
        self.provider = FakeProvider(choose=self.choose)

    def choose(self, received: Received) -> Fault | None:
        if received.path != "/tokenize":
            return None
        words = sum(len(message["content"].split()) for message in received.body["messages"])
        counted = {"count": words, "max_model_len": self.context, "tokens": [0] * words}
        return self.instead or Fault("body", body=json.dumps(counted))

    @property
    def paths(self) -> list[str]:
        return [received.path for received in self.provider.requests]


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    server = Served(4096)
    async with server.provider:
        yield server


@pytest.fixture
async def model(served: Served) -> AsyncIterator[OpenAIChatModel]:
    adapter = OpenAIChatModel("m", provider="vllm", api_key=None, base_url=f"{served.provider.url}/v1")
    yield adapter
    await adapter.close()


async def test_a_short_prompt_is_not_counted(model: OpenAIChatModel, served: Served) -> None:
    await model.complete(ChatRequest((Message("user", "Hi"),)))
    assert served.paths == ["/v1/chat/completions"]


async def test_a_long_prompt_is_counted(model: OpenAIChatModel, served: Served) -> None:
    tools = (Tool("look", "Looks.", {"type": "object", "properties": {}}),)
    await model.complete(replace(LONG, tools=tools))
    assert served.paths == ["/tokenize", "/v1/chat/completions"]
    counted, asked = (received.body for received in served.provider.requests)
    assert set(counted) == {"model", "messages", "tools"}
    assert all(counted[key] == asked[key] for key in counted)


async def test_a_prompt_that_is_too_long_is_not_sent(model: OpenAIChatModel, served: Served) -> None:
    served.context = 3000
    with pytest.raises(
        ContextLengthError, match=r"at least 3,001 tokens \(counted by the server\); vllm/m reads 2,900"
    ):
        await model.complete(LONG)
    assert served.paths == ["/tokenize"]


async def test_images_are_not_sent_to_be_counted(model: OpenAIChatModel, served: Served) -> None:
    seeing = replace(LONG, messages=(replace(LONG.messages[1], images=(Image(b"x"),)),))
    await model.complete(seeing)
    assert isinstance(served.provider.requests[0].body["messages"][0]["content"], str)
    assert isinstance(served.provider.requests[1].body["messages"][0]["content"], list)


@pytest.mark.parametrize("status", [401, 404, 405])
async def test_a_server_without_it_is_asked_once(model: OpenAIChatModel, served: Served, status: int) -> None:
    served.instead = Fault("status", status)
    await model.complete(LONG)
    await model.complete(LONG)
    assert served.paths == ["/tokenize", "/v1/chat/completions", "/v1/chat/completions"]


@pytest.mark.parametrize(
    "instead",
    [
        Fault("status", 503),
        Fault("status", 400),
        Fault("reset"),
        Fault("body", body="{}"),
        Fault("body", body="[]"),
        Fault("body", body='{"count": "many"}'),
        Fault("body", body="<html>", content_type="text/html"),
    ],
)
async def test_a_server_that_cannot_count_now_is_asked_all_the_same(
    model: OpenAIChatModel, served: Served, instead: Fault
) -> None:
    served.instead = instead
    assert (await model.complete(LONG)).text
    served.instead = None
    served.context = 3000
    with pytest.raises(ContextLengthError):
        await model.complete(LONG)


async def test_counting_ends_at_the_deadline(model: OpenAIChatModel, served: Served) -> None:
    await model.complete(ChatRequest((Message("user", "Hi"),)))  # the first call loads the SDK
    served.instead = Fault("stall")
    with pytest.raises(DeadlineError):
        await model.complete(replace(LONG, deadline=time.monotonic() + 0.1))
    assert served.paths[1:] == ["/tokenize"]


async def test_other_servers_are_not_asked(served: Served) -> None:
    adapter = OpenAIChatModel("m", provider="openai-compatible", api_key=None, base_url=f"{served.provider.url}/v1")
    await adapter.complete(LONG)
    await adapter.close()
    assert served.paths == ["/v1/chat/completions"]
