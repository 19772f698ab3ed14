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
    Completed,
    Evidence,
    EvidenceSpan,
    Image,
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
    UnsupportedError,
)
from routing.models.facts import ModelFacts
from routing.testing.chat import REQUEST, check_chat_model, check_failure
from routing.testing.server import FakeProvider, Fault
from routing.testing.wire import Script

pytest.importorskip("anthropic")

from routing.models.anthropic import AnthropicChatModel
from routing.models.anthropic_request import DEFAULT_MAX_TOKENS
from tests.routing.models.adapters import document, drain, last, streamed

ALL_KINDS = Usage(input_tokens=100, output_tokens=9, cached_input_tokens=60, cache_write_tokens=25)


@pytest.fixture
async def server() -> AsyncIterator[FakeProvider]:
    async with FakeProvider(Script(usage=ALL_KINDS)) as provider:
        yield provider


@pytest.fixture
async def model(server: FakeProvider) -> AsyncIterator[AnthropicChatModel]:
    adapter = AnthropicChatModel("claude-test", api_key="sk-ant-test", base_url=server.url, timeout=5)
    yield adapter
    await adapter.close()


async def test_keeps_the_contract(model: AnthropicChatModel) -> None:
    await check_chat_model(model)


async def test_keeps_the_contract_without_aiohttp(server: FakeProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("routing.models.openai_client._aiohttp_is_installed", lambda: False)
    adapter = AnthropicChatModel("claude-test", api_key="k", base_url=server.url, timeout=5)
    await check_chat_model(adapter)
    server.faults.append(Fault("cut"))
    with pytest.raises(ConnectionFailedError):
        await drain(adapter)
    await adapter.close()


async def test_input_tokens_count_the_whole_prompt(model: AnthropicChatModel, server: FakeProvider) -> None:
    response = await model.complete(REQUEST)
    assert response.usage == ALL_KINDS
    assert response.model == "anthropic/claude-test"
    streamed = await last(model)
    assert streamed.usage == ALL_KINDS
    server.script = replace(server.script, usage=None)
    guessed = (await model.complete(REQUEST)).usage
    assert guessed.estimated
    assert guessed.input_tokens > 20


async def test_what_is_sent(model: AnthropicChatModel, server: FakeProvider) -> None:
    call = ToolCall("c1", "look", '{"q": 1}')
    request = ChatRequest(
        messages=(
            Message("system", "first"),
            Message("user", "u"),
            Message("assistant", "", (call, ToolCall("c2", "look", ""))),
            Message("tool", "found", tool_call_id="c1"),
            Message("tool", "nothing", tool_call_id="c2"),
            Message("system", "second"),
        ),
        options=ChatOptions(temperature=0.1, seed=7, stop=("END",)),
        tools=(Tool("look", "Looks.", {"type": "object", "properties": {}}),),
        response_schema={"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
    )
    await model.complete(request)
    body = server.requests[-1].body
    assert body["system"] == "first\n\nsecond"
    assert body["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "u"}]},
        {
            "role": "assistant",
            "content": [
                {"type": "tool_use", "id": "c1", "name": "look", "input": {"q": 1}},
                {"type": "tool_use", "id": "c2", "name": "look", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "c1", "content": "found"},
                {"type": "tool_result", "tool_use_id": "c2", "content": "nothing"},
            ],
        },
    ]
    assert body["max_tokens"] == DEFAULT_MAX_TOKENS
    assert body["stop_sequences"] == ["END"]
    assert body["tools"] == [
        {"name": "look", "description": "Looks.", "input_schema": {"type": "object", "properties": {}}}
    ]
    assert body["output_config"]["format"]["type"] == "json_schema"
    assert body["output_config"]["format"]["schema"]["additionalProperties"] is False
    assert not {"temperature", "seed"} & set(body)
    assert server.requests[-1].path == "/v1/messages"


async def test_tools_may_be_strict_and_have_to_be_called(model: AnthropicChatModel, server: FakeProvider) -> None:
    look = Tool("look", "Looks.", {"type": "object", "properties": {}}, strict=True)
    await model.complete(replace(REQUEST, tools=(look,)))
    assert server.requests[-1].body["tools"][0]["strict"] is True
    assert "tool_choice" not in server.requests[-1].body
    await model.complete(replace(REQUEST, tools=(look,), tool_choice="required"))
    assert server.requests[-1].body["tool_choice"] == {"type": "any"}
    await model.complete(replace(REQUEST, tools=(look,), tool_choice=look))
    assert server.requests[-1].body["tool_choice"] == {"type": "tool", "name": "look"}


async def test_facts_and_effort(server: FakeProvider) -> None:
    adapter = AnthropicChatModel("c", api_key="k", base_url=server.url, facts=ModelFacts(max_output=10), effort="low")
    await adapter.complete(replace(REQUEST, options=ChatOptions(max_tokens=5000)))
    await adapter.close()
    assert server.requests[-1].body["max_tokens"] == 10
    assert server.requests[-1].body["output_config"] == {"effort": "low"}


async def test_a_call_whose_arguments_are_not_json(model: AnthropicChatModel) -> None:
    request = replace(REQUEST, messages=(Message("assistant", "", (ToolCall("c", "look", "{"),)),))
    with pytest.raises(BadRequestError, match="'look'"):
        await model.complete(request)


async def test_tool_calls_arrive_whole_in_both_ways(model: AnthropicChatModel, server: FakeProvider) -> None:
    calls = (ToolCall("c1", "look", '{"q": "refünd"}'), ToolCall("c2", "count", "{}"))
    server.script = Script(pieces=(), tool_calls=calls)
    response = await model.complete(REQUEST)
    assert response.tool_calls == calls
    assert response.finish_reason == "tool_calls"
    assert (await last(model)).tool_calls == calls


@pytest.mark.parametrize(
    ("wire", "ours"),
    [
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("refusal", "refusal"),
        ("pause_turn", "other"),
    ],
)
async def test_finish_reasons(model: AnthropicChatModel, server: FakeProvider, wire: str, ours: str) -> None:
    server.script = Script(finish=wire)
    response = await model.complete(REQUEST)
    assert (response.finish_reason, response.refused) == (ours, ours == "refusal")


async def test_an_empty_answer_says_why(model: AnthropicChatModel, server: FakeProvider) -> None:
    server.script = Script(pieces=(), finish="max_tokens")
    assert "generation.max_tokens" in str(await check_failure(model, InvalidResponseError))
    server.script = Script(pieces=(), finish="refusal", refusal="It could do harm.")
    refused = await check_failure(model, ContentFilterError)
    assert "It could do harm." in str(refused)
    assert refused.usage == server.script.usage, "what is withheld is billed"
    server.script = Script(pieces=())
    await check_failure(model, InvalidResponseError)


@pytest.mark.parametrize(
    ("status", "message", "expected", "says"),
    [
        (401, "invalid x-api-key", AuthenticationError, "ANTHROPIC_API_KEY"),
        (403, "not here", AuthenticationError, "not here"),
        (404, "model: claude-test", ModelNotFoundError, "'claude-test'"),
        (400, "messages: at least one message is required", BadRequestError, "at least one"),
        (400, "prompt is too long: 1000001 tokens > 1000000 maximum", ContextLengthError, "fewer or shorter"),
        (413, "too large", ContextLengthError, "too large"),
        (400, "Output blocked by content filtering policy", ContentFilterError, "policy"),
        (402, "no credit", RateLimitError, "credit"),
        (429, "slow down", RateLimitError, "slow down"),
        (500, "oops", OverloadedError, "500"),
        (504, "late", DeadlineError, "late"),
        (529, "Overloaded", OverloadedError, "529"),
    ],
)
async def test_statuses(
    model: AnthropicChatModel, server: FakeProvider, status: int, message: str, expected: type[ModelError], says: str
) -> None:
    body = json.dumps({"type": "error", "error": {"type": "any", "message": message}})
    server.faults.extend([Fault("status", status, {"retry-after": "3"}, body)] * 2)
    error = await check_failure(model, expected)
    assert type(error) is expected
    assert says in str(error)
    assert error.status == status
    assert len(server.requests) == 2, "the SDK must not retry by itself"
    if isinstance(error, RateLimitError) and status == 429:
        assert error.retry_after == 3


@pytest.mark.parametrize(
    "body",
    [
        "",
        '{"content": [',
        "{}",
        '{"content": null, "usage": null}',
        '{"content": [{"type": "text", "text": 3}]}',
        "[]",
        "[" * 99999,
    ],
)
async def test_garbage(model: AnthropicChatModel, server: FakeProvider, body: str) -> None:
    server.faults.append(Fault("body", body=body))
    with pytest.raises(InvalidResponseError):
        await model.complete(REQUEST)


@pytest.mark.parametrize(
    ("event", "data"),
    [
        ("message_start", "nonsense"),
        ("message_start", '{"type": "message_start"}'),
        ("content_block_delta", '{"type": "content_block_delta", "index": 7, "delta": {"type": "text_delta"}}'),
        (
            "content_block_delta",
            '{"type": "content_block_delta", "index": 7, "delta": {"type": "input_json_delta", "partial_json": "{"}}',
        ),
    ],
)
async def test_garbage_in_a_stream(model: AnthropicChatModel, server: FakeProvider, event: str, data: str) -> None:
    body = f"event: {event}\ndata: {data}\n\n"
    server.faults.append(Fault("body", body=body, content_type="text/event-stream"))
    with pytest.raises(InvalidResponseError):
        await drain(model)


@pytest.mark.parametrize("kind", ["cut", "end"])
async def test_a_stream_that_stops_early(model: AnthropicChatModel, server: FakeProvider, kind: Any) -> None:
    server.faults.append(Fault(kind, after=9))
    seen: list[ChatEvent] = []
    with pytest.raises(ConnectionFailedError):
        await drain(model, seen=seen)
    assert seen == [TextDelta("The refund "), TextDelta("window is ")]


async def test_a_whole_answer_survives_a_connection_that_breaks_after_it(
    model: AnthropicChatModel, server: FakeProvider
) -> None:
    server.faults.append(Fault("cut", after=13))
    response = await last(model)
    assert (response.text, response.finish_reason) == (server.script.text, "stop")


@pytest.mark.parametrize(
    ("status", "expected"),
    [(429, RateLimitError), (529, OverloadedError), (500, OverloadedError), (400, BadRequestError)],
)
async def test_an_error_inside_a_stream(
    model: AnthropicChatModel, server: FakeProvider, status: int, expected: type[ModelError]
) -> None:
    server.faults.append(Fault("error", status))
    with pytest.raises(expected, match="scripted failure"):
        await drain(model)


async def test_a_redirect_is_not_followed(model: AnthropicChatModel, server: FakeProvider) -> None:
    server.faults.extend([Fault("status", 302, {"location": "/elsewhere"}, body="")] * 2)
    await check_failure(model, OverloadedError)
    assert {received.path for received in server.requests} == {"/v1/messages"}


async def test_no_connection(model: AnthropicChatModel, server: FakeProvider) -> None:
    server.faults.extend([Fault("reset")] * 2)
    assert server.url in str(await check_failure(model, ConnectionFailedError))


async def test_stalls_end_at_the_deadline(model: AnthropicChatModel, server: FakeProvider) -> None:
    server.faults.extend([Fault("stall"), Fault("stall")])
    await check_failure(model, DeadlineError, replace(REQUEST, deadline=time.monotonic() + 0.1))


async def test_a_system_prompt_is_cached_when_asked_for(server: FakeProvider, model: AnthropicChatModel) -> None:
    messages = (Message("system", "a long document"), Message("user", "a passage"))
    await model.complete(ChatRequest(messages, cache_system=True))
    system = server.requests[-1].body["system"]
    assert system == [{"type": "text", "text": "a long document", "cache_control": {"type": "ephemeral"}}]


async def test_it_may_be_kept_for_an_hour(server: FakeProvider) -> None:
    adapter = AnthropicChatModel("c", api_key="k", base_url=server.url, cache_time="1h")
    await adapter.complete(ChatRequest((Message("system", "long"), Message("user", "u")), cache_system=True))
    assert server.requests[-1].body["system"][0]["cache_control"] == {"type": "ephemeral", "ttl": "1h"}
    await adapter.close()


def message(*blocks: dict[str, Any], usage: dict[str, Any] | None = None, **more: Any) -> Fault:
    """An answer with these blocks."""
    counts = {"input_tokens": 10, "output_tokens": 9} | (usage or {})
    whole = {"model": "c", "content": list(blocks), "usage": counts, "stop_reason": "end_turn", **more}
    return document(whole)


def message_of(*events: dict[str, Any]) -> Fault:
    """An answer that streams these events between those that begin and end it."""
    start = {"type": "message_start", "message": {"model": "c", "usage": {"input_tokens": 10, "output_tokens": 1}}}
    end = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 9}}
    return streamed(start, *events, end)


async def test_all_that_is_counted(model: AnthropicChatModel, server: FakeProvider) -> None:
    usage = {
        "cache_read_input_tokens": 5,
        "cache_creation_input_tokens": 7,
        "cache_creation": {"ephemeral_5m_input_tokens": 3, "ephemeral_1h_input_tokens": 4},
        "output_tokens_details": {"thinking_tokens": 6},
        "service_tier": "priority",
    }
    thought, text = {"type": "thinking", "thinking": "Hm, sixty?"}, {"type": "text", "text": "Thirty."}
    server.faults.append(message(thought, {"type": "redacted_thinking", "data": "x"}, text, usage=usage))
    response = await model.complete(REQUEST)
    assert response.text == "Thirty."
    assert response.tier == "priority"
    assert response.usage == Usage(22, 9, 5, 7, cache_write_1h_tokens=4, reasoning_tokens=6)
    server.faults.append(message(text, usage=usage | {"cache_creation": None, "output_tokens_details": []}))
    assert (await model.complete(REQUEST)).usage == Usage(22, 9, 5, 7)


async def test_a_refusal_says_of_what_kind(model: AnthropicChatModel, server: FakeProvider) -> None:
    details = {"type": "refusal", "category": "bio", "explanation": None}
    server.faults.append(message(stop_reason="refusal", stop_details=details))
    with pytest.raises(ContentFilterError, match="bio"):
        await model.complete(REQUEST)


async def test_images_stand_before_the_text(model: AnthropicChatModel, server: FakeProvider) -> None:
    images = (Image(b"\x89PNG"), Image(url="https://example.com/a.jpg"))
    await model.complete(ChatRequest((Message("user", "What is it?", images=images),)))
    assert server.requests[-1].body["messages"][0]["content"] == [
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw=="}},
        {"type": "image", "source": {"type": "url", "url": "https://example.com/a.jpg"}},
        {"type": "text", "text": "What is it?"},
    ]


@pytest.mark.parametrize(
    ("effort", "facts", "sent"),
    [
        (None, ModelFacts(), {"output_config": {"effort": "low"}}),
        ("max", ModelFacts(), {"output_config": {"effort": "max"}}),
        ("max", ModelFacts(adaptive=True), {"output_config": {"effort": "max"}, "thinking": {"type": "adaptive"}}),
        ("none", ModelFacts(adaptive=True), {"thinking": {"type": "disabled"}}),
        ("2048", ModelFacts(efforts=()), {"thinking": {"type": "enabled", "budget_tokens": 2048}}),
    ],
)
async def test_a_request_says_how_much_it_thinks(
    server: FakeProvider, effort: str | None, facts: ModelFacts, sent: dict[str, Any]
) -> None:
    adapter = AnthropicChatModel("c", api_key="k", base_url=server.url, facts=facts, effort="low")
    await adapter.complete(replace(REQUEST, options=ChatOptions(effort=effort)))
    body = server.requests[-1].body
    assert {key: body[key] for key in ("output_config", "thinking") if key in body} == sent
    assert body["max_tokens"] == DEFAULT_MAX_TOKENS + (2048 if effort == "2048" else 0)
    await adapter.close()


async def test_what_has_to_call_a_tool_does_not_think(server: FakeProvider) -> None:
    facts = ModelFacts(adaptive=True)
    adapter = AnthropicChatModel("c", api_key="k", base_url=server.url, facts=facts, effort="high")
    look = Tool("look", "Looks.", {"type": "object", "properties": {}})
    await adapter.complete(replace(REQUEST, tools=(look,), tool_choice="required"))
    assert "thinking" not in server.requests[-1].body
    forced = replace(REQUEST, tools=(look,), tool_choice=look, options=ChatOptions(effort="1024"))
    await check_failure(adapter, UnsupportedError, forced)
    await adapter.close()


@pytest.mark.parametrize(("tier", "sent"), [("standard", "standard_only"), ("priority", "auto")])
async def test_tiers(model: AnthropicChatModel, server: FakeProvider, tier: Any, sent: str) -> None:
    await model.complete(replace(REQUEST, options=ChatOptions(tier=tier)))
    assert server.requests[-1].body["service_tier"] == sent


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"options": ChatOptions(logprobs=0)}, "log-probabilities"),
        ({"options": ChatOptions(tier="flex")}, "'flex'"),
        ({"options": ChatOptions(tier="batch")}, "batch"),
        ({"options": ChatOptions(effort="much")}, "'much'"),
        ({"options": ChatOptions(effort="12")}, "'12'"),
        ({"options": ChatOptions(effort="2048", max_tokens=2048)}, "2048"),
        ({"messages": (Message("user", "?", images=(Image(b"x", media_type="image/tiff"),)),)}, "image/tiff"),
    ],
)
async def test_what_it_does_not_do_is_refused_before_anything_is_sent(
    model: AnthropicChatModel, server: FakeProvider, change: dict[str, Any], says: str
) -> None:
    assert says in str(await check_failure(model, UnsupportedError, replace(REQUEST, **change)))
    assert not server.requests


async def test_a_prompt_that_is_too_long_is_counted_and_not_sent(server: FakeProvider) -> None:
    adapter = AnthropicChatModel("c", api_key="k", base_url=server.url, facts=ModelFacts(context=5000))
    request = replace(REQUEST, messages=(Message("system", "s"), Message("user", "word " * 6000)))
    server.faults.append(Fault("body", body='{"input_tokens": 6010}'))
    with pytest.raises(ContextLengthError, match=r"6,010 tokens \(counted by Anthropic\)"):
        await adapter.complete(request)
    (counted,) = server.requests
    assert counted.path == "/v1/messages/count_tokens"
    assert set(counted.body) == {"model", "messages", "system"}
    for fault in (Fault("status", 500), Fault("body", body="[]"), Fault("status", 404)):
        server.faults.append(fault)
        assert (await adapter.complete(request)).text, "what cannot be counted is asked"
    before = len(server.requests)
    await adapter.complete(request)
    assert len(server.requests) == before + 1, "where nothing counts, it is not asked again"
    await adapter.close()


EVIDENCE = (Evidence("Days: thirty.", "a.txt"), Evidence(" ", "empty.txt"), Evidence("After delivery.", ""))
SPANS = (EvidenceSpan(0, 6, 12, 5, 16), EvidenceSpan(2, 0, 5, 5, 16))


def citation(document: int, start: int, words: str, **more: Any) -> dict[str, Any]:
    place = {"document_index": document, "start_char_index": start, "end_char_index": start + len(words)}
    return {"type": "char_location", "cited_text": words, **place, **more}


CITATIONS = (
    citation(0, 6, "thirty"),
    citation(1, 99, "After"),  # misplaced, but there
    citation(0, 0, "ninety"),
    citation(5, 0, "thirty"),
    citation(0, 6, "thirty", type="page_location"),
    {"type": "char_location", "document_index": 0},
    "a text",
)


async def test_citations_point_into_the_evidence(server: FakeProvider) -> None:
    adapter = AnthropicChatModel("c", api_key="k", base_url=server.url, citations=True)
    request = replace(REQUEST, evidence=EVIDENCE)
    said = {"type": "text", "text": "thirty days", "citations": list(CITATIONS)}
    server.faults.append(message({"type": "text", "text": "It's "}, said, {"type": "text", "text": "."}))
    assert (await adapter.complete(request)).citations == SPANS
    first, second, text = server.requests[-1].body["messages"][0]["content"]
    source = {"type": "text", "media_type": "text/plain", "data": "Days: thirty."}
    assert first == {"type": "document", "source": source, "citations": {"enabled": True}, "title": "a.txt"}
    assert second["source"]["data"] == "After delivery."
    assert "title" not in second
    assert text["type"] == "text"
    pieces = [(0, "It's "), (1, "thirty "), (1, "days"), (2, ".")]
    deltas: list[dict[str, Any]] = [
        {"type": "content_block_delta", "index": index, "delta": {"type": "text_delta", "text": piece}}
        for index, piece in pieces
    ]
    cited: list[dict[str, Any]] = [
        {"type": "content_block_delta", "index": 1, "delta": {"type": "citations_delta", "citation": citation}}
        for citation in CITATIONS
    ]
    begins: list[dict[str, Any]] = [
        {"type": "content_block_start", "index": index, "content_block": {"type": "text", "text": ""}}
        for index in range(3)
    ]
    order = [begins[0], deltas[0], begins[1], deltas[1], *cited, deltas[2], begins[2], deltas[3]]
    server.faults.append(message_of(*order))
    response = [event async for event in adapter.stream(request)][-1]
    assert isinstance(response, Completed)
    assert response.response.citations == SPANS
    await adapter.complete(replace(request, response_schema={"type": "object", "properties": {}}))
    assert len(server.requests[-1].body["messages"][0]["content"]) == 1, "a schema and citations exclude each other"
    await adapter.close()
