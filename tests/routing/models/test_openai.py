from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from routing.chat import (
    ChatEvent,
    ChatOptions,
    ChatRequest,
    Message,
    TextDelta,
    Tool,
    ToolCall,
    Usage,
)
from routing.errors import (
    AuthenticationError,
    BadRequestError,
    ConnectionFailedError,
    ContentFilterError,
    ContextLengthError,
    DeadlineError,
    InvalidResponseError,
    ModelError,
    ModelNotFoundError,
    OverloadedError,
    RateLimitError,
)
from routing.models.facts import ModelFacts
from routing.testing.chat import REQUEST, check_chat_model, check_failure
from routing.testing.server import FakeProvider, Fault
from routing.testing.wire import Script

pytest.importorskip("openai")

from routing.models.openai import OpenAIChatModel
from tests.routing.models.adapters import drain, last


@pytest.fixture
async def model(server: FakeProvider) -> AsyncIterator[OpenAIChatModel]:
    adapter = OpenAIChatModel("gpt-test", api_key="sk-test", base_url=f"{server.url}/v1", timeout=5)
    yield adapter
    await adapter.close()


def served(server: FakeProvider) -> OpenAIChatModel:
    return OpenAIChatModel(
        "org/model", provider="vllm", base_url=f"{server.url}/v1", key_variable="VLLM_API_KEY", api_key=None
    )


async def test_keeps_the_contract(model: OpenAIChatModel) -> None:
    await check_chat_model(model)


async def test_keeps_the_contract_without_aiohttp(server: FakeProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("routing.models.openai_client._aiohttp_is_installed", lambda: False)
    adapter = OpenAIChatModel("gpt-test", api_key="sk-test", base_url=f"{server.url}/v1", timeout=5)
    await check_chat_model(adapter)
    server.faults.append(Fault("reset"))
    with pytest.raises(ConnectionFailedError):
        await adapter.complete(REQUEST)
    await adapter.close()


async def test_usage_is_the_providers(model: OpenAIChatModel, server: FakeProvider) -> None:
    response = await model.complete(REQUEST)
    assert response.usage == Usage(input_tokens=57, output_tokens=9, cached_input_tokens=32)
    assert response.model == "openai/gpt-test"
    streamed = await last(model)
    assert streamed.usage == response.usage
    server.script = replace(server.script, usage=None)
    guessed = (await model.complete(REQUEST)).usage
    assert guessed.estimated
    assert guessed.input_tokens > 20
    server.script = replace(server.script, usage=Usage(input_tokens=10, output_tokens=-3, cached_input_tokens=99))
    mended = (await model.complete(REQUEST)).usage
    assert mended.estimated
    assert (mended.input_tokens, mended.cached_input_tokens) == (10, 10)
    assert mended.output_tokens > 0


async def test_what_is_sent(model: OpenAIChatModel, server: FakeProvider) -> None:
    schema = {
        "type": "object",
        "title": "The answer",
        "properties": {"a": {"type": "string"}},
        "required": ["a"],
        "additionalProperties": False,
    }
    call = ToolCall("c1", "look", '{"q": 1}')
    request = ChatRequest(
        messages=(
            Message("system", "s"),
            Message("user", "u"),
            Message("assistant", "", (call,)),
            Message("tool", "found", tool_call_id="c1"),
        ),
        options=ChatOptions(temperature=0.1, max_tokens=50, seed=7, stop=("END",)),
        response_schema=schema,
        tools=(Tool("look", "Looks.", {"type": "object", "properties": {}}),),
    )
    await model.complete(request)
    body = server.requests[-1].body
    assert body["messages"] == [
        {"role": "system", "content": "s"},
        {"role": "user", "content": "u"},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"q": 1}'}}],
        },
        {"role": "tool", "content": "found", "tool_call_id": "c1"},
    ]
    assert (body["temperature"], body["max_completion_tokens"], body["seed"], body["stop"]) == (0.1, 50, 7, ["END"])
    assert "max_tokens" not in body
    assert body["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "The_answer", "schema": schema, "strict": True},
    }
    assert body["tools"][0]["function"]["name"] == "look"
    assert server.requests[-1].headers["authorization"] == "Bearer sk-test"


async def test_tools_may_be_strict_and_have_to_be_called(model: OpenAIChatModel, server: FakeProvider) -> None:
    look = Tool("look", "Looks.", {"type": "object", "properties": {}}, strict=True)
    await model.complete(replace(REQUEST, tools=(look,)))
    assert server.requests[-1].body["tools"][0]["function"]["strict"] is True
    assert "tool_choice" not in server.requests[-1].body
    await model.complete(replace(REQUEST, tools=(look,), tool_choice="required"))
    assert server.requests[-1].body["tool_choice"] == "required"
    await model.complete(replace(REQUEST, tools=(look,), tool_choice=look))
    assert server.requests[-1].body["tool_choice"] == {"type": "function", "function": {"name": "look"}}


async def test_a_loose_schema_is_not_called_strict(model: OpenAIChatModel, server: FakeProvider) -> None:
    await model.complete(replace(REQUEST, response_schema={"type": "object", "properties": {"a": {"type": "string"}}}))
    assert server.requests[-1].body["response_format"]["json_schema"]["strict"] is False


async def test_facts_shape_the_request(server: FakeProvider) -> None:
    facts = ModelFacts(max_output=100, temperature=False)
    adapter = OpenAIChatModel("o9", api_key="k", base_url=f"{server.url}/v1", facts=facts, effort="low")
    await adapter.complete(replace(REQUEST, options=ChatOptions(temperature=0.1, max_tokens=5000)))
    await adapter.close()
    body = server.requests[-1].body
    assert "temperature" not in body
    assert body["max_completion_tokens"] == 100
    assert body["reasoning_effort"] == "low"


async def test_a_refused_temperature_is_left_out_from_then_on(model: OpenAIChatModel, server: FakeProvider) -> None:
    message = "Unsupported value: 'temperature' does not support 0 with this model."
    server.faults.append(Fault("status", 400, body=json.dumps({"error": {"message": message, "param": "temperature"}})))
    assert (await model.complete(REQUEST)).text
    assert ["temperature" in received.body for received in server.requests] == [True, False]
    await model.complete(REQUEST)
    assert "temperature" not in server.requests[-1].body


async def test_a_temperature_out_of_range_is_an_error(model: OpenAIChatModel, server: FakeProvider) -> None:
    server.faults.append(Fault("status", 400, body='{"error": {"message": "temperature must be at most 2"}}'))
    with pytest.raises(BadRequestError, match="at most 2"):
        await model.complete(REQUEST)
    assert len(server.requests) == 1


async def test_other_servers_get_no_key_and_no_account_of_openai(
    server: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    monkeypatch.setenv("OPENAI_ORG_ID", "org-secret")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-secret")
    adapter = served(server)
    response = await adapter.complete(replace(REQUEST, options=ChatOptions(max_tokens=9)))
    await adapter.close()
    assert response.model == "vllm/org/model"
    received = server.requests[-1]
    assert received.path == "/v1/chat/completions"
    assert received.body["max_tokens"] == 9
    assert "secret" not in str(received.headers)


async def test_tool_calls_arrive_whole_in_both_ways(model: OpenAIChatModel, server: FakeProvider) -> None:
    calls = (ToolCall("c1", "look", '{"q": "refund"}'), ToolCall("c2", "count", "{}"))
    server.script = Script(pieces=(), tool_calls=calls)
    response = await model.complete(REQUEST)
    assert response.tool_calls == calls
    assert response.finish_reason == "tool_calls"
    assert (await last(model)).tool_calls == calls


async def test_refusals_are_marked(model: OpenAIChatModel, server: FakeProvider) -> None:
    server.script = Script(pieces=(), refusal="I can't help with that.")
    response = await model.complete(REQUEST)
    assert (response.text, response.refused, response.finish_reason) == ("I can't help with that.", True, "refusal")
    seen: list[ChatEvent] = []
    await drain(model, seen=seen)
    assert seen[0] == TextDelta("I can't help with that.")
    assert (await last(model)).refused


@pytest.mark.parametrize(
    ("wire", "ours"), [("length", "length"), ("content_filter", "content_filter"), ("something_new", "other")]
)
async def test_finish_reasons(model: OpenAIChatModel, server: FakeProvider, wire: str, ours: str) -> None:
    server.script = Script(finish=wire)
    assert (await model.complete(REQUEST)).finish_reason == ours


async def test_an_empty_answer_says_why(model: OpenAIChatModel, server: FakeProvider) -> None:
    server.script = Script(pieces=(), finish="length")
    error = await check_failure(model, InvalidResponseError)
    assert "generation.max_tokens" in str(error)
    server.script = Script(pieces=(), finish="content_filter")
    await check_failure(model, ContentFilterError)
    server.script = Script(pieces=())
    await check_failure(model, InvalidResponseError)


@pytest.mark.parametrize(
    ("status", "body", "expected", "says"),
    [
        (401, None, AuthenticationError, "OPENAI_API_KEY"),
        (403, None, AuthenticationError, "scripted failure"),
        (404, None, ModelNotFoundError, "'gpt-test'"),
        (400, None, BadRequestError, "scripted failure"),
        (422, '{"detail": "field missing"}', BadRequestError, "field missing"),
        (418, "plain words", BadRequestError, "plain words"),
        (
            400,
            '{"error": {"message": "too long", "code": "context_length_exceeded"}}',
            ContextLengthError,
            "fewer or shorter",
        ),
        (
            400,
            '{"object": "error", "message": "This model\'s maximum context length is 512 tokens.", "code": 400}',
            ContextLengthError,
            "512",
        ),
        (413, None, ContextLengthError, "longer than"),
        (400, '{"error": {"message": "no", "code": "content_filter"}}', ContentFilterError, "policy"),
        (402, None, RateLimitError, "credit"),
        (429, '{"error": {"message": "quota", "code": "insufficient_quota"}}', RateLimitError, "credit"),
        (429, None, RateLimitError, "no more requests"),
        (408, None, DeadlineError, "gave up waiting"),
        (500, None, OverloadedError, "500"),
        (503, "<html>busy</html>", OverloadedError, "busy"),
    ],
)
async def test_statuses(
    model: OpenAIChatModel, server: FakeProvider, status: int, body: Any, expected: type[ModelError], says: str
) -> None:
    server.faults.extend([Fault("status", status, body=body)] * 2)
    error = await check_failure(model, expected)
    assert type(error) is expected
    assert says in str(error)
    assert error.status == (402 if says == "credit" else status)  # to be told from what passes in a minute
    assert len(server.requests) == 2, "the SDK must not retry by itself"


async def test_the_key_is_never_repeated(model: OpenAIChatModel, server: FakeProvider) -> None:
    said = json.dumps({"error": {"message": "Incorrect API key provided: sk-te*****st."}})
    server.faults.extend([Fault("status", 401, body=said)] * 2)
    assert "sk-te" not in str(await check_failure(model, AuthenticationError))


@pytest.mark.parametrize(
    ("headers", "least", "most"),
    [
        ({"retry-after": "7"}, 7, 7),
        ({"retry-after": "1.5", "retry-after-ms": "1200"}, 1.2, 1.2),
        ({"retry-after": format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)}, 1, 3600),
        ({"retry-after": format_datetime(datetime.now(UTC) - timedelta(hours=1), usegmt=True)}, 0, 0),
    ],
)
async def test_retry_after(
    model: OpenAIChatModel, server: FakeProvider, headers: dict[str, str], least: float, most: float
) -> None:
    server.faults.append(Fault("status", 429, headers=headers))
    with pytest.raises(RateLimitError) as caught:
        await model.complete(REQUEST)
    assert caught.value.retry_after is not None
    assert least <= caught.value.retry_after <= most


async def test_no_usable_retry_after(model: OpenAIChatModel, server: FakeProvider) -> None:
    for headers in ({}, {"retry-after": "soon"}):
        server.faults.append(Fault("status", 429, headers=headers))
        with pytest.raises(RateLimitError) as caught:
            await model.complete(REQUEST)
        assert caught.value.retry_after is None


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ("", "application/json"),
        ('{"choices": [', "application/json"),
        ('{"choices": []}', "application/json"),
        ('{"choices": null}', "application/json"),
        ('{"choices": [{"message": null}]}', "application/json"),
        ("[]", "application/json"),
        ("null", "application/json"),
        ("<html>Not the API</html>", "text/html"),
    ],
)
async def test_garbage(model: OpenAIChatModel, server: FakeProvider, body: Any, content_type: str) -> None:
    server.faults.extend([Fault("body", body=body, content_type=content_type)])
    with pytest.raises(InvalidResponseError) as caught:
        await model.complete(REQUEST)
    assert server.url in str(caught.value)


@pytest.mark.parametrize(
    "body", ["data: nonsense\n\n", 'data: {"choices": 5}\n\n', 'data: {"choices": [{"delta": {"content": 3}}]}\n\n']
)
async def test_garbage_in_a_stream(model: OpenAIChatModel, server: FakeProvider, body: Any) -> None:
    server.faults.append(Fault("body", body=body, content_type="text/event-stream"))
    with pytest.raises(InvalidResponseError):
        await drain(model)


@pytest.mark.parametrize("kind", ["cut", "end"])
async def test_a_stream_that_stops_early(model: OpenAIChatModel, server: FakeProvider, kind: Any) -> None:
    server.faults.append(Fault(kind))
    seen: list[ChatEvent] = []
    with pytest.raises(ConnectionFailedError):
        await drain(model, seen=seen)
    assert seen == [TextDelta("The refund "), TextDelta("window is ")]


async def test_a_whole_answer_survives_a_connection_that_breaks_after_it(
    model: OpenAIChatModel, server: FakeProvider
) -> None:
    server.faults.append(Fault("cut", after=6))
    response = await last(model)
    assert (response.text, response.finish_reason) == (server.script.text, "stop")


@pytest.mark.parametrize(
    ("status", "expected"), [(429, RateLimitError), (500, OverloadedError), (400, BadRequestError)]
)
async def test_an_error_inside_a_stream(
    model: OpenAIChatModel, server: FakeProvider, status: int, expected: type[ModelError]
) -> None:
    server.faults.append(Fault("error", status))
    with pytest.raises(expected, match="scripted failure"):
        await drain(model)


async def test_no_connection(model: OpenAIChatModel, server: FakeProvider) -> None:
    server.faults.extend([Fault("reset")] * 2)
    error = await check_failure(model, ConnectionFailedError)
    assert server.url in str(error)


async def test_nobody_listens() -> None:
    adapter = OpenAIChatModel("m", api_key="k", base_url="http://127.0.0.1:9/v1")
    error = await check_failure(adapter, ConnectionFailedError)
    await adapter.close()
    assert "http://127.0.0.1:9/v1 cannot be reached" in str(error)


async def test_a_stall_ends_at_the_deadline(model: OpenAIChatModel, server: FakeProvider) -> None:
    server.faults.extend([Fault("stall"), Fault("stall")])
    await check_failure(model, DeadlineError, replace(REQUEST, deadline=time.monotonic() + 0.1))


async def test_a_stall_in_the_middle_ends_at_the_deadline(model: OpenAIChatModel, server: FakeProvider) -> None:
    server.faults.append(Fault("stall"))
    with pytest.raises(DeadlineError):
        await drain(model, replace(REQUEST, deadline=time.monotonic() + 0.2))


async def test_a_silent_server_is_given_up_without_a_deadline(server: FakeProvider) -> None:
    adapter = OpenAIChatModel("m", api_key="k", base_url=f"{server.url}/v1", timeout=0.1)
    server.faults.extend([Fault("stall"), Fault("stall")])
    await check_failure(adapter, DeadlineError)
    await adapter.close()
