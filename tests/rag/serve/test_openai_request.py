"""What of OpenAI's request is taken, and how the rest is refused: by the name of the parameter."""

from __future__ import annotations

import json
import typing
from typing import Any

import pytest

from rag.serve.errors import BadRequestBodyError, RequestError
from rag.serve.openai_convert import chat_request, conversation, question, without_effect
from rag.serve.openai_errors import InvalidValueError, UnknownParameterError, UnsupportedParameterError
from rag.serve.openai_request import HARMLESS, ChatBody, read_chat_body
from routing.chat import ChatOptions, ChatRequest, Message, Tags, Tool, ToolCall

params = pytest.importorskip("openai.types.chat.completion_create_params")

USER = {"role": "user", "content": "hi"}
STRICT = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}
LOOK = {"type": "function", "function": {"name": "look", "parameters": STRICT, "strict": True}}


def body(*messages: dict[str, Any], **more: Any) -> ChatBody:
    return read_chat_body(json.dumps({"model": "m", "messages": messages or [USER], **more}).encode())


def converted(*messages: dict[str, Any], **more: Any) -> ChatRequest:
    return chat_request(body(*messages, **more), tags=Tags("gateway", "acme"), deadline=5.0)


def refusal(*messages: dict[str, Any], **more: Any) -> tuple[type[RequestError], str]:
    """The error of a request to a model: its class, and the parameter it names."""
    with pytest.raises(RequestError) as caught:
        converted(*messages, **more)
    assert caught.value.status == 400
    return type(caught.value), caught.value.errors[0].field


def test_a_conversation_with_tools_becomes_a_request() -> None:
    request = converted(
        {"role": "system", "content": "Be short."},
        {"role": "developer", "content": [{"type": "text", "text": "No jokes."}]},
        {"role": "user", "content": [{"type": "text", "text": "Look at"}, {"type": "text", "text": "Lund."}]},
        {
            "role": "assistant",
            "content": None,
            "refusal": None,
            "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"a":"Lund"}'}}],
        },
        {"role": "tool", "content": "Open.", "tool_call_id": "c1", "name": "look"},
        {"role": "assistant", "content": "It is open.", "annotations": []},
        tools=[LOOK, {"type": "function", "function": {"name": "wait"}}],
        response_format={"type": "json_schema", "json_schema": {"name": "reply", "schema": STRICT, "strict": True}},
        temperature=0,
        max_completion_tokens=9,
        seed=3,
        stop="END",
    )
    assert request.messages == (
        Message("system", "Be short."),
        Message("system", "No jokes."),
        Message("user", "Look at\nLund."),
        Message("assistant", "", (ToolCall("c1", "look", '{"a":"Lund"}'),)),
        Message("tool", "Open.", tool_call_id="c1"),
        Message("assistant", "It is open."),
    )
    assert request.options == ChatOptions(0.0, 9, 3, ("END",))
    assert request.tools == (
        Tool("look", "", STRICT, strict=True),
        Tool("wait", "", {"type": "object", "properties": {}}),
    )
    assert request.response_schema == {**STRICT, "title": "reply"}
    assert (request.tags, request.deadline) == (Tags("gateway", "acme"), 5.0)


def test_a_refusal_and_its_parts_are_what_the_assistant_said() -> None:
    parts = [{"type": "refusal", "refusal": "No."}, {"type": "text", "text": "Sorry."}]
    request = converted({"role": "assistant", "content": parts}, {"role": "assistant", "refusal": "Never."})
    assert [message.content for message in request.messages] == ["No.\nSorry.", "Never."]


def test_the_choice_of_a_tool_is_passed_on() -> None:
    (look,) = converted(tools=[LOOK]).tools
    assert converted(tools=[LOOK], tool_choice="auto").tool_choice == "auto"
    assert converted(tools=[LOOK], tool_choice="required").tool_choice == "required"
    named = {"type": "function", "function": {"name": "look"}}
    assert converted(tools=[LOOK], tool_choice=named).tool_choice == look
    none = converted(tools=[LOOK], tool_choice="none")
    assert (none.tools, none.tool_choice) == ((), "auto")


def test_old_and_new_limits_of_length() -> None:
    assert converted(max_tokens=7).options.max_tokens == 7
    assert converted(max_tokens=7, max_completion_tokens=7).options.max_tokens == 7
    assert converted(max_completion_tokens=8).options.max_tokens == 8
    assert refusal(max_tokens=7, max_completion_tokens=8) == (InvalidValueError, "max_tokens")


def test_every_documented_parameter_is_known() -> None:
    documented = set(typing.get_type_hints(params.CompletionCreateParamsNonStreaming)) | {"stream"}
    assert len(documented) > 30
    for name in documented - set(ChatBody.model_fields) - HARMLESS:
        assert refusal(**{name: "something"}) == (UnsupportedParameterError, name)
        converted(**{name: None})


@pytest.mark.parametrize("name", sorted(HARMLESS))
def test_what_says_nothing_about_the_answer_is_taken(name: str) -> None:
    assert converted(**{name: "x"}) == converted()


@pytest.mark.parametrize(
    ("name", "neutral", "asked"),
    [
        ("n", 1, 2),
        ("top_p", 1.0, 0.5),
        ("logprobs", False, True),
        ("parallel_tool_calls", True, False),
        ("modalities", ["text"], ["text", "audio"]),
        ("service_tier", "auto", "flex"),
        ("presence_penalty", 0, 0.1),
    ],
)
def test_what_asks_for_nothing_is_taken_and_what_cannot_be_had_is_refused(name: str, neutral: Any, asked: Any) -> None:
    assert converted(**{name: neutral}) == converted()
    assert refusal(**{name: asked}) == (UnsupportedParameterError, name)


@pytest.mark.parametrize(
    ("more", "kind", "param"),
    [
        ({"colour": "red"}, UnknownParameterError, "colour"),
        ({"temperature": 2.5}, InvalidValueError, "temperature"),
        ({"temperature": "1"}, InvalidValueError, "temperature"),
        ({"max_tokens": 0}, InvalidValueError, "max_tokens"),
        ({"stop": ["a", 3]}, InvalidValueError, "stop.1"),
        ({"stop": list("abcde")}, InvalidValueError, "stop"),
        ({"stream_options": {"include_usage": True}}, InvalidValueError, "stream_options"),
        ({"tool_choice": "auto"}, InvalidValueError, "tool_choice"),
        ({"tools": [LOOK], "tool_choice": "never"}, InvalidValueError, "tool_choice"),
        (
            {"tools": [LOOK], "tool_choice": {"type": "function", "function": {"name": "x"}}},
            InvalidValueError,
            "tool_choice.function.name",
        ),
        ({"tools": [{"type": "custom", "custom": {"name": "x"}}]}, InvalidValueError, "tools.0.type"),
        ({"tools": [{"type": "function", "function": {"name": "a b"}}]}, InvalidValueError, "tools.0.function.name"),
        (
            {
                "tools": [
                    {"type": "function", "function": {"name": "a", "strict": True, "parameters": {"properties": {}}}}
                ]
            },
            InvalidValueError,
            "tools.0.function.parameters",
        ),
        ({"response_format": {"type": "json_object"}}, UnsupportedParameterError, "response_format.type"),
        ({"response_format": {"type": "json_schema"}}, InvalidValueError, "response_format.json_schema"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": 3}}},
            InvalidValueError,
            "response_format.json_schema.schema",
        ),
    ],
)
def test_wrong_parameters_are_named(more: dict[str, Any], kind: type[RequestError], param: str) -> None:
    assert refusal(**more) == (kind, param)


@pytest.mark.parametrize(
    ("message", "kind", "param"),
    [
        ({"content": "x"}, InvalidValueError, "messages.0.role"),
        ({"role": "function", "content": "x", "name": "f"}, InvalidValueError, "messages.0.role"),
        ({"role": "user"}, InvalidValueError, "messages.0.content"),
        ({"role": "user", "content": 3}, InvalidValueError, "messages.0.content"),
        ({"role": "user", "content": []}, InvalidValueError, "messages.0.content"),
        ({"role": "user", "content": [{"type": "text"}]}, InvalidValueError, "messages.0.content.0.text"),
        ({"role": "user", "content": [{"type": "film"}]}, InvalidValueError, "messages.0.content.0.type"),
        ({"role": "user", "content": "x", "mood": "glad"}, UnknownParameterError, "messages.0.mood"),
        ({"role": "user", "content": "x", "name": "Ann"}, UnsupportedParameterError, "messages.0.name"),
        ({"role": "assistant"}, InvalidValueError, "messages.0.content"),
        ({"role": "tool", "content": "x"}, InvalidValueError, "messages.0.tool_call_id"),
        (
            {
                "role": "user",
                "content": [{"type": "text", "text": "x"}, {"type": "image_url", "image_url": {"url": "u"}}],
            },
            UnsupportedParameterError,
            "messages.0.content.1",
        ),
    ],
)
def test_wrong_messages_are_named(message: dict[str, Any], kind: type[RequestError], param: str) -> None:
    assert refusal(message) == (kind, param)


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b'{"model": "\\ud800"}'])
def test_broken_json_is_told_apart(data: bytes) -> None:
    with pytest.raises(BadRequestBodyError, match="not JSON"):
        read_chat_body(data)


@pytest.mark.parametrize(
    ("data", "param"), [(b"[]", ""), (b"{}", "model"), (b'{"model":"m","messages":[]}', "messages")]
)
def test_a_body_without_its_parts(data: bytes, param: str) -> None:
    with pytest.raises(InvalidValueError) as caught:
        read_chat_body(data)
    assert caught.value.errors[0].field == param


def test_the_question_is_the_users_last_message() -> None:
    asked = body(
        {"role": "user", "content": "First?"},
        {"role": "assistant", "content": "Yes."},
        {"role": "user", "content": [{"type": "text", "text": "How long?"}]},
        temperature=0.5,
        top_p=0.9,
        user="ann",
    )
    assert question(asked) == "How long?"
    assert without_effect(asked, ()) == ["messages", "temperature", "top_p"]
    assert without_effect(body(), ()) == []
    said = (Message("user", "First?"), Message("assistant", "Yes."))
    assert conversation(asked) == said
    assert without_effect(asked, said) == ["temperature", "top_p"]


def test_the_conversation_is_what_was_said_before_the_question() -> None:
    call = {"id": "1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    asked = body(
        {"role": "system", "content": "Be short."},
        {"role": "user", "content": [{"type": "text", "text": "First?"}, {"type": "text", "text": "And why?"}]},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "content": "found", "tool_call_id": "1"},
        {"role": "assistant", "content": "Yes."},
        {"role": "user", "content": "How long?"},
        {"role": "assistant", "content": "Begun but not "},
    )
    said = conversation(asked)
    assert [(turn.role, turn.content) for turn in said] == [("user", "First?\nAnd why?"), ("assistant", "Yes.")]
    assert without_effect(asked, said) == ["messages"]
    picture = body({"role": "user", "content": [{"type": "image_url", "image_url": {}}]}, USER)
    with pytest.raises(RequestError) as caught:
        conversation(picture)
    assert caught.value.errors[0].field == "messages.0.content.0"


@pytest.mark.parametrize(
    ("message", "more", "param"),
    [
        ({"role": "system", "content": "Be short."}, {}, "messages"),
        (USER, {"tools": [LOOK]}, "tools"),
        (
            USER,
            {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": STRICT}}},
            "response_format",
        ),
        (USER, {"n": 2}, "n"),
        (USER, {"logprobs": True}, "logprobs"),
        ({"role": "user", "content": [{"type": "file", "file": {}}]}, {}, "messages.0.content.0"),
    ],
)
def test_what_a_knowledge_base_cannot_do(message: dict[str, Any], more: dict[str, Any], param: str) -> None:
    with pytest.raises(RequestError) as caught:
        question(body(message, **more))
    assert (caught.value.status, caught.value.errors[0].field) == (400, param)
