from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from routing.chat import (
    ChatOptions,
    ChatRequest,
    Completed,
    Image,
    Message,
    TextDelta,
    TokenLogprob,
    Tool,
    ToolCall,
    Usage,
)
from routing.errors import (
    BadRequestError,
    ConnectionFailedError,
    ContentFilterError,
    ContextLengthError,
    InvalidResponseError,
    ModelError,
    OverloadedError,
    RateLimitError,
    UnsupportedError,
)
from routing.models.facts import ModelFacts, provider_facts
from routing.testing.chat import REQUEST, check_chat_model, check_failure
from routing.testing.server import FakeProvider, Fault
from routing.testing.wire import Script

pytest.importorskip("openai")

from routing.models.openai import OpenAIChatModel
from tests.routing.models.adapters import both, drain

SCHEMA = {
    "type": "object",
    "title": "The answer",
    "properties": {"a": {"type": "string"}},
    "required": ["a"],
    "additionalProperties": False,
}
LOOK = Tool("look", "Looks.", {"type": "object", "properties": {}}, strict=True)


@pytest.fixture
async def model(server: FakeProvider) -> AsyncIterator[OpenAIChatModel]:
    facts = ModelFacts(api="responses")
    adapter = OpenAIChatModel("gpt-9-pro", api_key="sk-test", base_url=f"{server.url}/v1", facts=facts, timeout=5)
    yield adapter
    await adapter.close()


def event(kind: str, number: int, **data: Any) -> str:
    return f"data: {json.dumps({'type': kind, 'sequence_number': number, **data})}\n\n"


async def test_keeps_the_contract(model: OpenAIChatModel, server: FakeProvider) -> None:
    await check_chat_model(model)
    assert {received.path for received in server.requests} == {"/v1/responses"}


async def test_what_is_sent(model: OpenAIChatModel, server: FakeProvider) -> None:
    request = ChatRequest(
        messages=(
            Message("system", "s"),
            Message("user", "u", images=(Image(b"pic", media_type="image/jpeg", detail="high"),)),
            Message("assistant", "", (ToolCall("c1", "look", '{"q": 1}'),)),
            Message("tool", "found", tool_call_id="c1"),
            Message("assistant", "Found."),
            Message("user", "And?"),
        ),
        options=ChatOptions(
            temperature=0.1, max_tokens=50, seed=7, top_p=0.5, effort="high", logprobs=2, tier="priority"
        ),
        response_schema=SCHEMA,
        tools=(LOOK,),
        tool_choice=LOOK,
    )
    await model.complete(request)
    assert server.requests[-1].body == {
        "model": "gpt-9-pro",
        "store": False,
        "temperature": 0.1,
        "top_p": 0.5,
        "service_tier": "priority",
        "max_output_tokens": 50,
        "top_logprobs": 2,
        "include": ["message.output_text.logprobs"],
        "reasoning": {"effort": "high"},
        "text": {"format": {"type": "json_schema", "name": "The_answer", "schema": SCHEMA, "strict": True}},
        "tools": [
            {
                "type": "function",
                "name": "look",
                "description": "Looks.",
                "parameters": {"type": "object", "properties": {}},
                "strict": True,
            }
        ],
        "tool_choice": {"type": "function", "name": "look"},
        "input": [
            {"role": "system", "content": "s"},
            {
                "role": "user",
                "content": [
                    {"type": "input_image", "image_url": "data:image/jpeg;base64,cGlj", "detail": "high"},
                    {"type": "input_text", "text": "u"},
                ],
            },
            {"type": "function_call", "call_id": "c1", "name": "look", "arguments": '{"q": 1}'},
            {"type": "function_call_output", "call_id": "c1", "output": "found"},
            {"role": "assistant", "content": "Found."},
            {"role": "user", "content": "And?"},
        ],
    }


async def test_a_plain_request_says_little(model: OpenAIChatModel, server: FakeProvider) -> None:
    await drain(model, ChatRequest((Message("user", "Hi"),)))
    assert server.requests[-1].body == {
        "model": "gpt-9-pro",
        "store": False,
        "input": [{"role": "user", "content": "Hi"}],
        "stream": True,
    }


async def test_what_comes_back(model: OpenAIChatModel, server: FakeProvider) -> None:
    usage = Usage(57, 30, cached_input_tokens=32, cache_write_tokens=20, reasoning_tokens=21)
    server.script = Script(pieces=("Thirty ", "days."), usage=usage)
    request = replace(REQUEST, options=ChatOptions(logprobs=2, tier="flex"))
    for response in await both(model, request):
        assert (response.text, response.model, response.usage) == ("Thirty days.", "openai/gpt-9-pro", usage)
        assert (response.tier, response.finish_reason) == ("flex", "stop")
        assert response.logprobs == (
            TokenLogprob("Thirty ", -0.25, (("Thirty 1", -1.25),)),
            TokenLogprob("days.", -0.25, (("days.1", -1.25),)),
        )
    assert (await drain(model))[:2] == [TextDelta("Thirty "), TextDelta("days.")]


async def test_tool_calls(model: OpenAIChatModel, server: FakeProvider) -> None:
    calls = (ToolCall("c1", "look", '{"q": "refund"}'), ToolCall("c2", "count", "{}"))
    server.script = Script(pieces=(), tool_calls=calls)
    for response in await both(model, replace(REQUEST, tools=(LOOK,))):
        assert response.tool_calls == calls
        assert response.finish_reason == "tool_calls"


async def test_refusals(model: OpenAIChatModel, server: FakeProvider) -> None:
    server.script = Script(pieces=(), refusal="I can't help with that.")
    for response in await both(model):
        assert (response.text, response.refused, response.finish_reason) == ("I can't help with that.", True, "refusal")


@pytest.mark.parametrize(
    ("why", "ours"), [("length", "length"), ("content_filter", "content_filter"), ("max_messages", "other")]
)
async def test_an_answer_that_is_cut_short(model: OpenAIChatModel, server: FakeProvider, why: str, ours: str) -> None:
    server.script = Script(finish=why)
    for response in await both(model):
        assert response.finish_reason == ours
        assert response.text == server.script.text


async def test_no_answer_at_all(model: OpenAIChatModel, server: FakeProvider) -> None:
    server.script = Script(pieces=(), finish="length")
    assert "generation.max_tokens" in str(await check_failure(model, InvalidResponseError))
    server.script = Script(pieces=(), finish="content_filter")
    await check_failure(model, ContentFilterError)
    server.script = Script(finish="failed")
    assert "The model failed." in str(await check_failure(model, OverloadedError))


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("server_error", OverloadedError),
        ("rate_limit_exceeded", RateLimitError),
        ("invalid_prompt", ContentFilterError),
        ("bio_policy", ContentFilterError),
        ("image_content_policy_violation", ContentFilterError),
        ("image_too_large", BadRequestError),
        ("context_length_exceeded", ContextLengthError),
        ("something_new", OverloadedError),
    ],
)
async def test_a_response_that_failed(
    model: OpenAIChatModel, server: FakeProvider, code: str, expected: type[ModelError]
) -> None:
    failed = {"model": "m", "status": "failed", "output": [], "error": {"code": code, "message": "It says why."}}
    server.faults.append(Fault("body", body=json.dumps(failed)))
    with pytest.raises(expected, match="It says why") as caught:
        await model.complete(REQUEST)
    assert type(caught.value) is expected
    for body in (
        event("response.failed", 0, response=failed),
        event("error", 0, code=code, message="It says why.", param=None),
        f"data: {json.dumps({'type': 'error', 'error': failed['error']})}\n\n",
    ):
        server.faults.append(Fault("body", body=body, content_type="text/event-stream"))
        with pytest.raises(expected, match="It says why") as caught:
            await drain(model)
        assert type(caught.value) is expected


async def test_an_event_that_comes_twice_counts_once(model: OpenAIChatModel, server: FakeProvider) -> None:
    for after in range(4, 8):
        server.faults.append(Fault("twice", after=after))
        end = (await drain(model))[-1]
        assert isinstance(end, Completed)
        assert end.response.text == server.script.text


async def test_events_out_of_order_are_no_answer(model: OpenAIChatModel, server: FakeProvider) -> None:
    server.faults.append(Fault("swapped", after=7))
    with pytest.raises(InvalidResponseError, match="promised events"):
        await drain(model)


async def test_what_is_said_aside_is_no_part_of_the_answer(model: OpenAIChatModel, server: FakeProvider) -> None:
    def message(name: str, text: str, **more: str) -> dict[str, Any]:
        return {"id": name, "type": "message", "content": [{"type": "output_text", "text": text}], **more}

    aside, answer = message("a", "Let me look.", phase="commentary"), message("b", "Thirty days.", phase="final_answer")
    whole = {"model": "m", "status": "completed", "output": [aside, answer]}
    server.faults.append(Fault("body", body=json.dumps(whole)))
    assert (await model.complete(REQUEST)).text == "Thirty days."
    events = [
        event("response.output_item.added", 0, output_index=0, item=aside),
        event("response.output_text.delta", 1, output_index=0, delta="Let me look."),
        event("response.output_item.added", 2, output_index=1, item=answer),
        event("response.output_text.delta", 3, output_index=1, delta="Thirty days."),
        event("response.completed", 4, response=whole),
    ]
    server.faults.append(Fault("body", body="".join(events), content_type="text/event-stream"))
    assert [piece for piece in await drain(model) if isinstance(piece, TextDelta)] == [TextDelta("Thirty days.")]


@pytest.mark.parametrize("kind", ["cut", "end"])
async def test_a_stream_that_stops_early(model: OpenAIChatModel, server: FakeProvider, kind: Any) -> None:
    server.faults.append(Fault(kind, after="text"))
    with pytest.raises(ConnectionFailedError):
        await drain(model)


@pytest.mark.parametrize("status", ["cancelled", "in_progress"])
async def test_a_response_that_never_ended(model: OpenAIChatModel, server: FakeProvider, status: str) -> None:
    server.faults.append(Fault("body", body=json.dumps({"status": status, "output": []})))
    with pytest.raises(ConnectionFailedError):
        await model.complete(REQUEST)


@pytest.mark.parametrize(
    "body", ["{}", '{"output": 5}', '{"output": [{"type": "message"}], "status": "completed"}', "[]"]
)
async def test_garbage(model: OpenAIChatModel, server: FakeProvider, body: str) -> None:
    server.faults.append(Fault("body", body=body))
    with pytest.raises(InvalidResponseError):
        await model.complete(REQUEST)


async def test_stop_words_are_refused(model: OpenAIChatModel, server: FakeProvider) -> None:
    await check_failure(model, UnsupportedError, replace(REQUEST, options=ChatOptions(stop=("END",))))
    assert not server.requests


async def test_a_refused_temperature_is_left_out_from_then_on(model: OpenAIChatModel, server: FakeProvider) -> None:
    message = "Unsupported parameter: 'temperature' is not supported with this model."
    server.faults.append(Fault("status", 400, body=json.dumps({"error": {"message": message, "param": "temperature"}})))
    for response in await both(model):
        assert response.text
    assert ["temperature" in received.body for received in server.requests] == [True, False, False]


@pytest.mark.parametrize(
    ("name", "api", "tools", "path"),
    [
        ("gpt-5.4-pro", None, (), "/v1/responses"),
        ("gpt-5.4", None, (), "/v1/chat/completions"),
        ("gpt-5.4", None, (LOOK,), "/v1/responses"),
        ("gpt-5.4", "chat", (LOOK,), "/v1/chat/completions"),
        ("gpt-4o", None, (LOOK,), "/v1/chat/completions"),
        ("gpt-4o", "responses", (), "/v1/responses"),
    ],
)
async def test_where_a_model_is_asked(server: FakeProvider, name: str, api: Any, tools: Any, path: str) -> None:
    facts = provider_facts("openai").of_chat(name)
    adapter = OpenAIChatModel(name, api_key="k", base_url=f"{server.url}/v1", facts=facts, api=api)
    await adapter.complete(replace(REQUEST, tools=tools))
    await adapter.close()
    assert server.requests[-1].path == path


async def test_a_model_without_streams_answers_in_one_piece(server: FakeProvider) -> None:
    facts = provider_facts("openai").of_chat("gpt-5-pro")
    adapter = OpenAIChatModel("gpt-5-pro", api_key="k", base_url=f"{server.url}/v1", facts=facts)
    await check_chat_model(adapter)
    assert (await drain(adapter))[0] == TextDelta(server.script.text)
    await adapter.close()
    assert not any(received.body.get("stream") for received in server.requests)
