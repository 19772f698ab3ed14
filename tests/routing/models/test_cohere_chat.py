"""Cohere's chat models against a server that speaks its API."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from routing.chat import (
    ChatEvent,
    ChatOptions,
    ChatRequest,
    Evidence,
    EvidenceSpan,
    Image,
    Message,
    TextDelta,
    TokenLogprob,
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
    UnsupportedError,
)
from routing.models.facts import ModelFacts
from routing.testing.chat import REQUEST, check_chat_model, check_failure
from routing.testing.server import FakeProvider, Fault
from routing.testing.wire import Script

pytest.importorskip("cohere")

from routing.models.cohere_chat import CohereChatModel
from tests.routing.models.adapters import document, drain, last, streamed

USED = Usage(input_tokens=100, output_tokens=9, cached_input_tokens=60)
LOOK = Tool("look", "Looks.", {"type": "object", "properties": {}})


@pytest.fixture
async def server() -> AsyncIterator[FakeProvider]:
    async with FakeProvider(Script(usage=USED)) as provider:
        yield provider


@pytest.fixture
async def model(server: FakeProvider) -> AsyncIterator[CohereChatModel]:
    facts = ModelFacts(images=False)
    adapter = CohereChatModel("command-test", api_key="k", base_url=server.url, facts=facts, timeout=5)
    yield adapter
    await adapter.close()


async def test_keeps_the_contract(model: CohereChatModel, server: FakeProvider) -> None:
    await check_chat_model(model)
    assert {received.path for received in server.requests} == {"/v2/chat"}
    assert server.requests[0].headers["authorization"] == "Bearer k"


async def test_keeps_the_contract_without_aiohttp(server: FakeProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("routing.models.cohere_client.find_spec", lambda name: None)
    adapter = CohereChatModel("command-test", api_key="k", base_url=server.url, timeout=5)
    await check_chat_model(adapter)
    server.faults.append(Fault("cut"))
    with pytest.raises(ConnectionFailedError):
        await last(adapter)
    await adapter.close()


async def test_what_is_billed_is_counted(model: CohereChatModel, server: FakeProvider) -> None:
    response = await model.complete(REQUEST)
    assert (response.text, response.usage) == (server.script.text, USED)
    assert response.model == "cohere/command-test"
    assert (await last(model)).usage == USED
    counted = {"finish_reason": "COMPLETE", "message": {"content": [{"type": "text", "text": "a"}]}}
    usage = {"tokens": {"input_tokens": 7.0, "output_tokens": 2.0}}
    server.faults.append(Fault("body", body=json.dumps({**counted, "usage": usage})))
    assert (await model.complete(REQUEST)).usage == Usage(7, 2)
    server.script = replace(server.script, usage=None)
    assert (await model.complete(REQUEST)).usage.estimated


async def test_what_is_sent(model: CohereChatModel, server: FakeProvider) -> None:
    calls = (ToolCall("c1", "look", '{"q": 1}'), ToolCall("c2", "look", "{}"))
    request = ChatRequest(
        messages=(
            Message("system", "s"),
            Message("user", "u"),
            Message("assistant", "I look.", calls),
            Message("tool", "found", tool_call_id="c1"),
            Message("assistant", "yes"),
        ),
        options=ChatOptions(temperature=0.1, seed=7, stop=("END",), top_p=1.0, max_tokens=5, effort="none"),
        tools=(LOOK,),
        cache_system=True,
    )
    await model.complete(request)
    body = server.requests[-1].body
    assert body["messages"] == [
        {"role": "system", "content": "s"},
        {"role": "user", "content": "u"},
        {
            "role": "assistant",
            "tool_plan": "I look.",
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"q": 1}'}},
                {"id": "c2", "type": "function", "function": {"name": "look", "arguments": "{}"}},
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "found"},
        {"role": "assistant", "content": "yes"},
    ]
    assert (body["temperature"], body["seed"], body["p"], body["max_tokens"]) == (0.1, 7, 0.99, 5)
    assert body["stop_sequences"] == ["END"]
    assert body["thinking"] == {"type": "disabled"}
    assert body["tools"][0]["function"] == {"name": "look", "description": "Looks.", "parameters": LOOK.parameters}
    assert not {"tool_choice", "strict_tools", "documents", "response_format", "logprobs"} & set(body)


async def test_a_schema_and_facts(server: FakeProvider) -> None:
    facts = ModelFacts(max_output=10, temperature=False)
    adapter = CohereChatModel("c", api_key="k", base_url=server.url, facts=facts, effort="2048", citations=True)
    schema = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
    await adapter.complete(replace(REQUEST, response_schema=schema))
    await adapter.complete(replace(REQUEST, options=ChatOptions(effort="enabled")))
    await adapter.close()
    body, second = (received.body for received in server.requests)
    assert body["response_format"] == {"type": "json_object", "json_schema": schema}
    assert body["max_tokens"] == 10
    assert body["thinking"] == {"type": "enabled", "token_budget": 2048}
    assert not {"temperature", "documents"} & set(body)
    assert second["thinking"] == {"type": "enabled"}


async def test_tools_may_be_strict_and_have_to_be_called(model: CohereChatModel, server: FakeProvider) -> None:
    other = replace(LOOK, name="count", strict=True)
    await model.complete(replace(REQUEST, tools=(LOOK, other), tool_choice="required"))
    body = server.requests[-1].body
    assert (len(body["tools"]), body["tool_choice"]) == (2, "REQUIRED")
    assert "strict_tools" not in body
    await model.complete(replace(REQUEST, tools=(LOOK, other), tool_choice=other))
    body = server.requests[-1].body
    assert [tool["function"]["name"] for tool in body["tools"]] == ["count"]
    assert (body["tool_choice"], body["strict_tools"]) == ("REQUIRED", True)


async def test_images(server: FakeProvider) -> None:
    adapter = CohereChatModel("command-a-vision-07-2025", api_key="k", base_url=server.url)
    images = (Image(b"\x89PNG", detail="low"), Image(url="https://example.com/a.jpg"))
    await adapter.complete(ChatRequest((Message("user", "What is it?", images=images),)))
    assert server.requests[-1].body["messages"][0]["content"] == [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw==", "detail": "low"}},
        {"type": "image_url", "image_url": {"url": "https://example.com/a.jpg", "detail": "auto"}},
        {"type": "text", "text": "What is it?"},
    ]
    await adapter.complete(ChatRequest((Message("user", "", images=(Image(b"x"),)),)))
    assert len(server.requests[-1].body["messages"][0]["content"]) == 1
    with pytest.raises(BadRequestError, match="either data or a URL"):
        await adapter.complete(ChatRequest((Message("user", "?", images=(Image(),)),)))
    await adapter.close()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"options": ChatOptions(logprobs=3)}, "log-probabilities"),
        ({"options": ChatOptions(tier="flex")}, "'flex'"),
        ({"options": ChatOptions(tier="batch")}, "batch"),
        ({"options": ChatOptions(stop=tuple("abcdef"))}, "6"),
        ({"options": ChatOptions(effort="high")}, "'high'"),
        ({"options": ChatOptions(effort="0")}, "'0'"),
        ({"response_schema": {"type": "object"}, "tools": (LOOK,)}, "not both"),
        ({"messages": (Message("user", "?", images=(Image(b"x"),)),)}, "images"),
    ],
)
async def test_what_it_does_not_do_is_refused_before_anything_is_sent(
    model: CohereChatModel, server: FakeProvider, change: dict[str, Any], says: str
) -> None:
    assert says in str(await check_failure(model, UnsupportedError, replace(REQUEST, **change)))
    assert not server.requests


async def test_tool_calls_arrive_whole_in_both_ways(model: CohereChatModel, server: FakeProvider) -> None:
    calls = (ToolCall("c1", "look", '{"q": "refünd"}'), ToolCall("c2", "count", "{}"))
    server.script = Script(pieces=(), tool_calls=calls)
    response = await model.complete(REQUEST)
    assert (response.tool_calls, response.finish_reason, response.text) == (calls, "tool_calls", "")
    assert (await last(model)).tool_calls == calls


async def test_log_probabilities(model: CohereChatModel, server: FakeProvider) -> None:
    item = {"text": "a b", "token_ids": [1, 2], "logprobs": [-0.5, -0.25]}
    wanted = (TokenLogprob("a b", -0.75),)
    request = replace(REQUEST, options=ChatOptions(logprobs=0))
    message = {"content": [{"type": "text", "text": "a b"}]}
    whole = {"finish_reason": "COMPLETE", "message": message, "logprobs": [item]}
    server.faults.append(document(whole))
    assert (await model.complete(request)).logprobs == wanted
    assert server.requests[-1].body["logprobs"] is True
    piece = {"message": {"content": {"text": "a b"}}}
    server.faults.append(
        streamed(
            {"type": "content-start", "index": 0},
            {"type": "content-delta", "index": 0, "delta": piece, "logprobs": item},
            {"type": "message-end", "delta": {"finish_reason": "COMPLETE"}},
        )
    )
    assert (await last(model, request)).logprobs == wanted


CITATIONS = (
    {"start": 0, "end": 6, "text": "Thirty", "sources": [{"type": "document", "id": "2"}], "content_index": 1},
    {"start": 7, "end": 11, "text": "days", "sources": [{"id": "0"}, {"id": "0"}, {"id": "x"}, {"type": "tool"}, 3]},
    {"start": 0, "end": 6, "text": "Ninety", "sources": [{"id": "0"}]},
    {"start": 0, "end": 6, "text": "Thirty", "sources": [{"id": "0"}], "type": "THINKING_CONTENT"},
    {"start": None, "sources": None},
    {"start": 0, "end": 6, "text": "Thirty"},
    "a text",
)


async def test_citations_point_into_the_evidence(server: FakeProvider) -> None:
    adapter = CohereChatModel("c", api_key="k", base_url=server.url, citations=True)
    evidence = (Evidence("In days.", "a.txt"), Evidence(" ", "empty.txt"), Evidence("Thirty.", "b.txt"))
    request = replace(REQUEST, evidence=evidence)
    blocks = [{"type": "thinking", "thinking": "Hm."}, {"type": "text", "text": "Thirty days."}]
    whole = {"finish_reason": "COMPLETE", "message": {"content": blocks, "citations": CITATIONS}}
    server.faults.append(document(whole))
    found = (EvidenceSpan(2, 0, 7, 0, 6), EvidenceSpan(0, 0, 8, 7, 11))
    assert (await adapter.complete(request)).citations == found
    assert server.requests[-1].body["documents"] == [
        {"id": "0", "data": {"title": "a.txt", "text": "In days."}},
        {"id": "2", "data": {"title": "b.txt", "text": "Thirty."}},
    ]
    pieces = [{"message": {"content": {"text": piece}}} for piece in ("Thirty", " days.")]
    server.faults.append(
        streamed(
            {"type": "content-start", "index": 0},
            {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"thinking": "Hm."}}}},
            {"type": "content-start", "index": 1},
            *({"type": "content-delta", "index": 1, "delta": piece} for piece in pieces),
            *({"type": "citation-start", "delta": {"message": {"citations": citation}}} for citation in CITATIONS),
            {"type": "message-end", "delta": {"finish_reason": "COMPLETE"}},
        )
    )
    assert (await last(adapter, request)).citations == found
    await adapter.close()


@pytest.mark.parametrize(
    ("wire", "ours"),
    [("STOP_SEQUENCE", "stop"), ("MAX_TOKENS", "length"), ("ERROR_TOXIC", "content_filter"), ("NEW", "other")],
)
async def test_finish_reasons(model: CohereChatModel, server: FakeProvider, wire: str, ours: str) -> None:
    server.script = Script(finish=wire)
    assert (await model.complete(REQUEST)).finish_reason == ours


async def test_an_answer_may_end_in_a_failure(model: CohereChatModel, server: FakeProvider) -> None:
    server.script = Script(finish="ERROR")
    await check_failure(model, OverloadedError)
    server.script = Script(finish="TIMEOUT")
    await check_failure(model, DeadlineError)


async def test_an_empty_answer_says_why(model: CohereChatModel, server: FakeProvider) -> None:
    server.script = Script(pieces=(), finish="MAX_TOKENS")
    assert "generation.max_tokens" in str(await check_failure(model, InvalidResponseError))
    server.script = Script(pieces=(), finish="ERROR_TOXIC")
    assert (await check_failure(model, ContentFilterError)).usage == server.script.usage, "what is withheld is billed"
    server.script = Script(pieces=(), usage=None)
    assert (await check_failure(model, InvalidResponseError)).usage is None


@pytest.mark.parametrize(
    ("status", "message", "expected", "says"),
    [
        (401, "invalid api token", AuthenticationError, "CO_API_KEY"),
        (403, "not here", AuthenticationError, "not here"),
        (404, "model 'command-test' not found", ModelNotFoundError, "'command-test'"),
        (400, "invalid request: messages", BadRequestError, "messages"),
        (422, "invalid type", BadRequestError, "invalid type"),
        (400, "too many tokens: max tokens must be less than 128000, input is too long", ContextLengthError, "shorter"),
        (429, "slow down", RateLimitError, "slow down"),
        (500, "oops", OverloadedError, "500"),
        (503, "busy", OverloadedError, "busy"),
        (504, "late", DeadlineError, "late"),
    ],
)
async def test_statuses(
    model: CohereChatModel, server: FakeProvider, status: int, message: str, expected: type[ModelError], says: str
) -> None:
    body = json.dumps({"message": message})
    server.faults.extend([Fault("status", status, {"retry-after": "3"}, body)] * 2)
    error = await check_failure(model, expected)
    assert type(error) is expected
    assert says in str(error)
    assert error.status == status
    assert len(server.requests) == 2, "the SDK must not retry by itself"
    if isinstance(error, RateLimitError):
        assert error.retry_after == 3


@pytest.mark.parametrize(
    "body",
    [
        "",
        '{"message": {',
        "{}",
        "null",
        '{"message": null, "finish_reason": "COMPLETE"}',
        '{"finish_reason": "COMPLETE", "message": {"content": [{"type": "text", "text": 3}]}}',
        "[]",
        "[" * 100_000,
    ],
)
async def test_garbage(model: CohereChatModel, server: FakeProvider, body: str) -> None:
    server.faults.append(Fault("body", body=body))
    with pytest.raises(InvalidResponseError):
        await model.complete(REQUEST)


@pytest.mark.parametrize(
    "data",
    [
        "nonsense",
        "[1]",
        '"text"',
        '{"type": "message-end"}',
        '{"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": 3}}}}',
        '{"type": "tool-call-delta", "index": 9, "delta": {"message": {"tool_calls": {"function": {}}}}}',
    ],
)
async def test_garbage_in_a_stream(model: CohereChatModel, server: FakeProvider, data: str) -> None:
    server.faults.append(Fault("body", body=f"event: x\ndata: {data}\n\n", content_type="text/event-stream"))
    with pytest.raises(InvalidResponseError):
        await drain(model)


async def test_what_is_no_stream(model: CohereChatModel, server: FakeProvider) -> None:
    server.faults.append(Fault("body", body="<html>", content_type="text/html"))
    with pytest.raises(InvalidResponseError):
        await drain(model)


async def test_a_prompt_that_is_too_long_is_counted_and_not_sent(server: FakeProvider) -> None:
    adapter = CohereChatModel("c", api_key="k", base_url=server.url, facts=ModelFacts(context=5000))
    request = replace(REQUEST, messages=(Message("user", "word " * 6000), Message("assistant", "x")))
    counted = json.dumps({"tokens": [1] * 6000, "token_strings": []})
    server.faults.extend([Fault("body", body=counted), Fault("body", body=counted)])
    with pytest.raises(ContextLengthError, match="counted by Cohere"):
        await adapter.complete(request)
    assert {received.path for received in server.requests} == {"/v1/tokenize"}
    assert sorted(len(received.body["text"]) for received in server.requests) == [1, 30_000]
    server.faults.extend([Fault("status", 500), Fault("status", 500)])
    assert (await adapter.complete(request)).text, "what cannot be counted is asked"
    server.faults.extend([Fault("status", 404), Fault("status", 404)])
    assert (await adapter.complete(request)).text
    before = len(server.requests)
    await adapter.complete(request)
    assert len(server.requests) == before + 1, "where nothing counts, it is not asked again"
    await adapter.close()


async def test_a_stream_that_was_read_leaves_its_connection_for_the_next(
    model: CohereChatModel, server: FakeProvider
) -> None:
    for _ in range(3):
        await drain(model)
    await model.complete(REQUEST)
    assert server.connections == 1


async def test_a_redirect_is_not_followed(model: CohereChatModel, server: FakeProvider) -> None:
    server.faults.extend([Fault("status", 302, {"location": "/elsewhere"}, body="")] * 2)
    await check_failure(model, OverloadedError)
    assert {received.path for received in server.requests} == {"/v2/chat"}


async def test_what_ends_without_saying_why(model: CohereChatModel, server: FakeProvider) -> None:
    whole = {"finish_reason": None, "message": {"content": [{"type": "text", "text": "a"}]}}
    server.faults.append(document(whole))
    assert (await model.complete(REQUEST)).finish_reason == "stop"
    server.faults.append(streamed({"type": "message-end", "delta": {"finish_reason": None}}))
    with pytest.raises(ConnectionFailedError):
        await drain(model)


@pytest.mark.parametrize("kind", ["cut", "end"])
async def test_a_stream_that_stops_early(model: CohereChatModel, server: FakeProvider, kind: Any) -> None:
    server.faults.append(Fault(kind, after=7))
    seen: list[ChatEvent] = []
    with pytest.raises(ConnectionFailedError):
        await drain(model, seen=seen)
    assert seen == [TextDelta("The refund "), TextDelta("window is ")]


async def test_a_whole_answer_survives_a_connection_that_breaks_after_it(
    model: CohereChatModel, server: FakeProvider
) -> None:
    server.faults.append(Fault("cut", after=11))
    response = await last(model)
    assert (response.text, response.finish_reason) == (server.script.text, "stop")


async def test_an_error_inside_a_stream(model: CohereChatModel, server: FakeProvider) -> None:
    server.faults.append(Fault("error"))
    with pytest.raises(OverloadedError, match="scripted failure"):
        await drain(model)
    server.faults.append(streamed({"message": "the machine is gone"}))
    with pytest.raises(OverloadedError, match="the machine is gone"):
        await drain(model)


async def test_no_connection(model: CohereChatModel, server: FakeProvider) -> None:
    server.faults.extend([Fault("reset")] * 2)
    assert server.url in str(await check_failure(model, ConnectionFailedError))


async def test_stalls_end_at_the_deadline(model: CohereChatModel, server: FakeProvider) -> None:
    server.faults.extend([Fault("stall"), Fault("stall")])
    await check_failure(model, DeadlineError, replace(REQUEST, deadline=time.monotonic() + 0.1))
