"""What the adapter asks for in OpenAI's chat completions, and what it makes of the answers to it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from routing.chat import (
    ChatOptions,
    ChatRequest,
    Completed,
    Image,
    Message,
    Tags,
    TokenLogprob,
    Tool,
    ToolCall,
    Usage,
)
from routing.errors import ConnectionFailedError, InvalidResponseError, ModelError, UnsupportedError
from routing.models.facts import UNKNOWN, ModelFacts, provider_facts
from routing.testing.chat import REQUEST, check_chat_model, check_failure
from routing.testing.server import FakeProvider, Fault
from routing.testing.wire import Script

pytest.importorskip("openai")

from routing.models.openai import OpenAIChatModel
from routing.models.openai_answer import ChatAnswer
from routing.models.openai_request import Setting
from tests.routing.models.adapters import once, with_options


def adapter(server: FakeProvider, name: str = "gpt-test", facts: ModelFacts = UNKNOWN, **more: Any) -> OpenAIChatModel:
    return OpenAIChatModel(name, api_key="sk-test", base_url=f"{server.url}/v1", facts=facts, timeout=5, **more)


async def test_images_stand_before_the_text(server: FakeProvider) -> None:
    images = (Image(b"pic", media_type="image/webp", detail="low"), Image(url="https://example.org/a.png"))
    await once(adapter(server), ChatRequest((Message("user", "What is it?", images=images),)))
    assert server.requests[-1].body["messages"] == [
        {
            "role": "user",
            "content": [
                {"type": "image_url", "image_url": {"url": "data:image/webp;base64,cGlj", "detail": "low"}},
                {"type": "image_url", "image_url": {"url": "https://example.org/a.png", "detail": "auto"}},
                {"type": "text", "text": "What is it?"},
            ],
        }
    ]


async def test_nothing_is_kept_at_openai_and_streams_say_their_usage(server: FakeProvider) -> None:
    await once(adapter(server), ChatRequest((Message("user", "Hi"),)))
    plain = {"model": "gpt-test", "messages": [{"role": "user", "content": "Hi"}], "store": False}
    assert server.requests[0].body == plain
    assert server.requests[1].body == plain | {"stream": True, "stream_options": {"include_usage": True}}


async def test_log_probabilities(server: FakeProvider) -> None:
    server.script = Script(pieces=("Thirty ", "days."))
    for response in await once(adapter(server), with_options(logprobs=3)):
        assert response.logprobs[1] == TokenLogprob("days.", -0.25, (("days.1", -1.25), ("days.2", -2.25)))
        assert [token.token for token in response.logprobs] == ["Thirty ", "days."]
    assert server.requests[-1].body["logprobs"] is True
    assert server.requests[-1].body["top_logprobs"] == 3
    for response in await once(adapter(server), with_options(logprobs=0)):
        assert response.logprobs == (TokenLogprob("Thirty ", -0.25), TokenLogprob("days.", -0.25))


async def test_log_probabilities_that_do_not_come(server: FakeProvider) -> None:
    body = json.dumps({"choices": [{"message": {"content": "Thirty days."}, "logprobs": None}]})
    server.faults.append(Fault("body", body=body))
    model = adapter(server)
    with pytest.raises(InvalidResponseError, match="no log-probabilities"):
        await model.complete(with_options(logprobs=1))
    for wrong in ("-1", None, True):
        token: dict[str, object] = {"token": "Thirty", "logprob": wrong, "top_logprobs": []}
        answer = {"choices": [{"message": {"content": "Thirty"}, "logprobs": {"content": [token]}}]}
        server.faults.append(Fault("body", body=json.dumps(answer)))
        with pytest.raises(InvalidResponseError):
            await model.complete(with_options(logprobs=1))
    await model.close()


@pytest.mark.parametrize("tier", ["flex", "priority"])
async def test_the_tier_is_asked_for(server: FakeProvider, tier: Any) -> None:
    for response in await once(adapter(server), with_options(tier=tier)):
        assert response.tier == tier
    assert server.requests[-1].body["service_tier"] == tier


@pytest.mark.parametrize(
    ("said", "ours"),
    [("default", "standard"), ("scale", "standard"), ("fast", "priority"), ("flex", "flex"), (None, "standard")],
)
async def test_the_tier_is_the_one_that_the_provider_says(server: FakeProvider, said: str | None, ours: str) -> None:
    answer = {"choices": [{"message": {"content": "Thirty"}}], "service_tier": said}
    server.faults.append(Fault("body", body=json.dumps(answer)))
    model = adapter(server)
    assert (await model.complete(with_options(tier="priority"))).tier == ours
    await model.close()


async def test_a_server_of_ones_own_has_no_tiers(server: FakeProvider) -> None:
    model = adapter(server, provider="vllm")
    assert (await model.complete(with_options(tier="flex"))).tier == "standard"
    await model.close()
    assert not {"service_tier", "store"} & set(server.requests[-1].body)


async def test_thought_and_written_tokens_are_counted(server: FakeProvider) -> None:
    usage = Usage(57, 30, cached_input_tokens=32, cache_write_tokens=20, reasoning_tokens=21)
    server.script = Script(usage=usage)
    for response in await once(adapter(server), REQUEST):
        assert response.usage == usage
    server.script = Script(usage=replace(usage, reasoning_tokens=31))
    for response in await once(adapter(server), REQUEST):
        assert response.usage.reasoning_tokens == 30


async def test_the_effort_of_the_request_comes_before_that_of_the_model(server: FakeProvider) -> None:
    model = adapter(server, effort="low")
    await model.complete(REQUEST)
    await model.complete(with_options(effort="high"))
    await model.close()
    assert [received.body["reasoning_effort"] for received in server.requests] == ["low", "high"]


async def test_an_effort_that_the_model_does_not_know(server: FakeProvider) -> None:
    model = adapter(server, "o3", provider_facts("openai").of_chat("o3"))
    error = await check_failure(model, UnsupportedError, with_options(effort="xhigh"))
    await model.close()
    assert "low, medium, high" in str(error)
    assert not server.requests


@pytest.mark.parametrize(
    ("name", "effort", "kept"),
    [
        ("gpt-4o", None, {"temperature", "top_p", "seed"}),
        ("gpt-5.1", None, {"temperature", "top_p", "seed"}),
        ("gpt-5.1", "none", {"temperature", "top_p", "seed"}),
        ("gpt-5.1", "high", {"seed"}),
        ("gpt-5", "low", {"seed"}),
    ],
)
async def test_what_shapes_the_sampling_is_left_out_where_it_is_refused(
    server: FakeProvider, name: str, effort: str | None, kept: set[str]
) -> None:
    model = adapter(server, name, provider_facts("openai").of_chat(name))
    await model.complete(with_options(temperature=0.2, top_p=0.9, seed=1, effort=effort))
    await model.close()
    assert {"temperature", "top_p", "seed"} & set(server.requests[-1].body) == kept


async def test_a_refusal_is_remembered_for_the_effort_at_which_it_came(server: FakeProvider) -> None:
    message = "Unsupported parameter: 'top_p' is not supported with this model."
    server.faults.append(Fault("status", 400, body=json.dumps({"error": {"message": message}})))
    model = adapter(server)
    for effort in ("high", "high", None):
        await model.complete(with_options(top_p=0.5, effort=effort))
    await model.close()
    assert ["top_p" in received.body for received in server.requests] == [True, False, False, True]


async def test_tools_are_chosen_only_where_there_are_any(server: FakeProvider) -> None:
    model = adapter(server)
    await model.complete(replace(REQUEST, tool_choice="required"))
    await model.close()
    assert not {"tools", "tool_choice"} & set(server.requests[-1].body)


async def test_a_schema_must_be_of_an_object(server: FakeProvider) -> None:
    request = replace(REQUEST, response_schema={"type": "array", "items": {"type": "string"}})
    model = adapter(server)
    error = await check_failure(model, UnsupportedError, request)
    await model.close()
    assert "objects only" in str(error)
    served = adapter(server, provider="vllm")
    await served.complete(request)
    await served.close()
    assert server.requests[-1].body["response_format"]["json_schema"]["schema"] == request.response_schema


async def test_tenants_share_no_cache_of_a_vllm_server(server: FakeProvider) -> None:
    def of(tenant: str | None) -> ChatRequest:
        return replace(REQUEST, tags=Tags(tenant=tenant))

    model, other = (
        adapter(server, provider="vllm"),
        OpenAIChatModel("gpt-test", api_key="another", provider="vllm", base_url=f"{server.url}/v1"),
    )
    for asked, tenant in ((model, "acme"), (model, "acme"), (model, "beta"), (other, "acme"), (model, None)):
        await asked.complete(of(tenant))
    await model.close()
    await other.close()
    salts = [received.body.get("cache_salt") for received in server.requests]
    assert salts[0] == salts[1]
    assert len({salts[0], salts[2], salts[3]}) == 3
    assert salts[4] is None
    assert all(len(salt) == 43 and "acme" not in salt for salt in salts if salt)
    openai = adapter(server)
    await openai.complete(of("acme"))
    await openai.close()
    assert "acme" not in str(server.requests[-1])
    assert "cache_salt" not in server.requests[-1].body


@pytest.mark.parametrize("reason", ["abort", "error", "insufficient_system_resource"])
async def test_a_server_that_gives_up_has_not_answered(server: FakeProvider, reason: str) -> None:
    server.script = Script(finish=reason)
    model = adapter(server, provider="vllm")
    await check_failure(model, ConnectionFailedError)
    await model.close()


@pytest.mark.parametrize(
    "changes",
    [
        {"messages": (Message("user", "x", images=(Image(b"x"),)),)},
        {"tools": (Tool("t", "d", {}),)},
        {"response_schema": {"type": "object"}},
        {"options": ChatOptions(logprobs=1)},
        {"options": ChatOptions(stop=("x",))},
        {"options": ChatOptions(tier="batch")},
    ],
)
async def test_what_the_model_does_not_do_is_refused_before_it_is_sent(
    server: FakeProvider, changes: dict[str, Any]
) -> None:
    facts = ModelFacts(images=False, tools=False, schema=False, logprobs=False, stop=False)
    model = adapter(server, facts=facts)
    await check_failure(model, UnsupportedError, replace(REQUEST, **changes))
    assert not server.requests
    await check_chat_model(model)
    await model.close()


@pytest.mark.parametrize("api", ["chat", "responses"])
@pytest.mark.parametrize("finish", ["content_filter", "length", "stop"])
async def test_an_answer_that_is_none_says_what_it_used(server: FakeProvider, finish: str, api: Any) -> None:
    server.script = Script(pieces=(), finish=finish, usage=Usage(57, 30, 32, reasoning_tokens=30))
    model = adapter(server, api=api)
    error = await check_failure(model, ModelError)
    assert error.usage == server.script.usage
    server.script = Script(pieces=(), finish=finish, usage=None)
    error = await check_failure(model, ModelError)
    assert error.usage is None
    await model.close()


async def test_text_after_its_end_is_out_of_order(server: FakeProvider) -> None:
    events = 1 + len(server.script.pieces)  # the role, the pieces, and then the reason to stop
    server.faults.append(Fault("swapped", after=events - 1))
    model = adapter(server)
    with pytest.raises(InvalidResponseError, match="promised events"):
        async for _ in model.stream(REQUEST):
            pass
    server.faults.append(Fault("twice", after=events))
    end = [event async for event in model.stream(REQUEST)][-1]
    await model.close()
    assert isinstance(end, Completed)
    assert end.response.text == server.script.text


def test_a_setting_does_not_tell_the_servers_key() -> None:
    assert "sk-test" not in repr(Setting("vllm", "m", key="sk-test"))


def test_calls_that_a_server_streams_under_one_index_are_not_made_one() -> None:
    answer = ChatAnswer()
    for id_, name, arguments in [("a", "look", '{"q"'), ("a", "look", ": 1}"), ("b", "find", "{"), (None, None, "}")]:
        call = {"index": 0, "id": id_, "function": {"name": name, "arguments": arguments}}
        answer.take_event({"choices": [{"index": 0, "delta": {"tool_calls": [call]}}]})
    assert list(answer.calls.values()) == [ToolCall("a", "look", '{"q": 1}'), ToolCall("b", "find", "{}")]
