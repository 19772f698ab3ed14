"""What the adapter makes of a real vLLM server: its tokenizer, its responses, and objects by its grammar."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Literal

import pytest
from pydantic import BaseModel, Field

from routing.chat import ChatOptions, ChatRequest, Completed, Message, Tags, TextDelta
from routing.errors import ContextLengthError
from routing.models.openai import OpenAIChatModel
from routing.models.openai_client import openai_clients, openai_endpoint
from routing.models.openai_tokenize import server_count
from routing.structured import structured
from tests.vllm.servers import MODEL, Server

ASKED = ChatRequest(
    (Message("system", "Answer."), Message("user", "How long may goods be returned?")),
    ChatOptions(temperature=0, max_tokens=16),
    tags=Tags(tenant="acme"),
)


@pytest.fixture
async def model(generating: Server) -> AsyncIterator[OpenAIChatModel]:
    adapter = OpenAIChatModel(MODEL, provider="vllm", api_key=None, base_url=f"{generating.url}/v1")
    yield adapter
    await adapter.close()


async def test_the_server_counts_a_prompt_as_it_bills_it(generating: Server, model: OpenAIChatModel) -> None:
    url = f"{generating.url}/v1"
    clients = openai_clients("vllm", url, None, 30)
    counted = await server_count(clients, openai_endpoint("vllm", MODEL, url, None), MODEL)(ASKED)
    await clients.close()
    assert counted is not None
    assert counted.context == 2048
    assert counted.tokens == (await model.complete(ASKED)).usage.input_tokens


async def test_a_prompt_that_is_too_long_is_not_sent(model: OpenAIChatModel) -> None:
    long = ChatRequest((Message("user", "word " * 500),), ChatOptions(max_tokens=16))
    with pytest.raises(ContextLengthError, match=r"counted by the server\); vllm/tiny reads 2,032 beside") as caught:
        await model.complete(long)
    assert caught.value.status is None, "the server has not refused it: it was not asked"


async def test_its_responses_are_those_of_openai(generating: Server) -> None:
    url = f"{generating.url}/v1"
    model = OpenAIChatModel(MODEL, provider="vllm", api_key=None, base_url=url, api="responses")
    whole = await model.complete(ASKED)
    events = [event async for event in model.stream(ASKED)]
    await model.close()
    last = events[-1]
    assert isinstance(last, Completed)
    for response in (whole, last.response):
        assert response.usage.output_tokens == 16
        assert not response.usage.estimated
        assert response.finish_reason == "length"
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == last.response.text


async def test_an_object_by_its_grammar(model: OpenAIChatModel) -> None:
    class Window(BaseModel):
        unit: Literal["days", "weeks"]
        certain: bool
        days: Literal[14, 30] = Field(description="how many")

    request = ChatRequest(ASKED.messages, ChatOptions(temperature=0, max_tokens=100))
    found, response = await structured(model, request, Window)
    assert found.days in (14, 30)
    assert response.usage.output_tokens > 0
