"""What is answered in OpenAI's form, read back with OpenAI's own types."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from rag.serve.openai_wire import DONE, Chunks, completion, dumps, error_event, model_of
from routing.chat import ChatResponse, FinishReason, ToolCall, Usage

types = pytest.importorskip("openai.types")
chat = pytest.importorskip("openai.types.chat")

CALLS = (ToolCall("c1", "look", '{"a": 1}'), ToolCall("c2", "wait", "{}"))
ANSWER = ChatResponse(
    "Thirty days.", "openai/gpt-5-mini-2025", Usage(20, 3, cached_input_tokens=8, cache_write_tokens=4)
)


def read(response: ChatResponse) -> Any:
    """The completion as the SDK sees it, every field checked."""
    document = completion(response, name="chatcmpl-1", created=7, model="openai/gpt-5-mini")
    return chat.ChatCompletion.model_validate_json(dumps(document), strict=True)


def read_chunks(data: bytes) -> list[Any]:
    """The chunks, every field checked; the stream has to be ended properly."""
    assert data.endswith(DONE)
    events = data.removesuffix(DONE).decode().split("\n\n")[:-1]
    return [chat.ChatCompletionChunk.model_validate_json(event.removeprefix("data: "), strict=True) for event in events]


def writer(*, usage: bool = False) -> Chunks:
    return Chunks("chatcmpl-1", 7, "openai/gpt-5-mini", usage)


def test_a_completion() -> None:
    read_back = read(ANSWER)
    assert (read_back.id, read_back.created, read_back.model) == ("chatcmpl-1", 7, "openai/gpt-5-mini")
    (choice,) = read_back.choices
    assert (choice.message.role, choice.message.content, choice.message.refusal) == ("assistant", "Thirty days.", None)
    assert choice.message.tool_calls is None
    usage = read_back.usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (20, 3, 23)
    assert (usage.prompt_tokens_details.cached_tokens, usage.prompt_tokens_details.cache_write_tokens) == (8, 4)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [("stop", "stop"), ("length", "length"), ("content_filter", "content_filter"), ("other", "stop")],
)
def test_finish_reasons(ours: FinishReason, theirs: str) -> None:
    response = replace(ANSWER, finish_reason=ours)
    assert read(response).choices[0].finish_reason == theirs
    (last,) = read_chunks(writer().end(response))
    assert last.choices[0].finish_reason == theirs


def test_tool_calls_in_one_piece_and_streamed() -> None:
    response = replace(ANSWER, text="", finish_reason="tool_calls", tool_calls=CALLS)
    message = read(response).choices[0].message
    assert message.content is None
    assert [(call.id, call.function.name, call.function.arguments) for call in message.tool_calls] == [
        ("c1", "look", '{"a": 1}'),
        ("c2", "wait", "{}"),
    ]
    *calls, last = read_chunks(writer().end(response))
    assert [
        (chunk.choices[0].delta.tool_calls[0].index, chunk.choices[0].delta.tool_calls[0].id) for chunk in calls
    ] == [
        (0, "c1"),
        (1, "c2"),
    ]
    assert last.choices[0].finish_reason == "tool_calls"


def test_a_refusal_is_no_content() -> None:
    response = replace(ANSWER, text="I cannot help.", finish_reason="refusal", refused=True)
    choice = read(response).choices[0]
    assert (choice.message.content, choice.message.refusal, choice.finish_reason) == (None, "I cannot help.", "stop")
    first, last = read_chunks(writer().end(response))
    assert first.choices[0].delta.refusal == "I cannot help."
    assert last.choices[0].finish_reason == "stop"


def test_a_stream_has_its_usage_only_when_asked() -> None:
    pieces = writer().begin() + writer().text("Thirty ") + writer().text("days.") + writer().end(ANSWER)
    chunks = read_chunks(pieces)
    assert chunks[0].choices[0].delta.role == "assistant"
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "Thirty days."
    assert not any("usage" in chunk.model_fields_set for chunk in chunks)
    *others, last = read_chunks(writer(usage=True).begin() + writer(usage=True).end(ANSWER))
    assert last.choices == []
    assert last.usage.total_tokens == 23
    assert all("usage" in chunk.model_fields_set and chunk.usage is None for chunk in others)


@pytest.mark.parametrize("usage", [True, False])
def test_the_extension_is_in_the_last_chunk(usage: bool) -> None:
    chunks = read_chunks(writer(usage=usage).finish("stop", Usage(1, 2), {"kb": "k"}))
    assert [(chunk.model_extra or {}).get("plumbline") for chunk in chunks] == [None] * (len(chunks) - 1) + [
        {"kb": "k"}
    ]
    assert bool(chunks[-1].usage) is usage


def test_text_of_every_kind_survives() -> None:
    text = 'å 🙂 "quoted"\n\n\u2028\x00'
    assert read(replace(ANSWER, text=text)).choices[0].message.content == text
    (chunk,) = read_chunks(writer().text(text) + DONE)
    assert chunk.choices[0].delta.content == text
    assert json.loads(dumps({"a": "half \ud83d"})) == {"a": "half ?"}


def test_models_and_errors() -> None:
    model = types.Model.model_validate(model_of("kb/handbook", "plumbline", 7), strict=True)
    assert (model.id, model.owned_by, model.created) == ("kb/handbook", "plumbline", 7)
    assert error_event({"error": {"message": "m"}}) == b'data: {"error":{"message":"m"}}\n\n'
