"""What becomes of every word by which a provider says why an answer ends: for the user, and for who falls back.

The words are read from the SDKs' own types, so that a new one fails here until somebody has decided what it means.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from routing.chat import ToolCall, Usage
from routing.errors import (
    ConnectionFailedError,
    ContentFilterError,
    DeadlineError,
    InvalidResponseError,
    ModelError,
    OverloadedError,
)
from routing.resilience.fallback import reason_of
from routing.testing.chat import check_failure
from routing.testing.server import FakeProvider
from routing.testing.wire import Script
from tests.routing.models.adapters import PROVIDERS, SDKS, Provider, adapter, both, once

CALL = ToolCall("call_1", "look", '{"day": 3}')
USED = Usage(input_tokens=100, output_tokens=9)
NEW = "a_word_of_tomorrow"

Ends = str | type[ModelError]
"""`finish_reason` of the response, or the error."""
EMPTY, WITHHELD, BROKEN, FAILED, LATE = (
    InvalidResponseError,
    ContentFilterError,
    ConnectionFailedError,
    OverloadedError,
    DeadlineError,
)
REASONS: Mapping[type[ModelError], str] = {
    EMPTY: "down",
    WITHHELD: "content_filter",
    BROKEN: "down",
    FAILED: "down",
    LATE: "too_slow",
}
"""Why another model is asked then."""
# With text, without any, and with a call of a tool.
_CHAT: Mapping[str, tuple[Ends, Ends, Ends]] = {
    "stop": ("stop", EMPTY, "tool_calls"),
    "length": ("length", EMPTY, "length"),
    "content_filter": ("content_filter", WITHHELD, "content_filter"),
    "tool_calls": (EMPTY, EMPTY, "tool_calls"),
    "function_call": (EMPTY, EMPTY, "tool_calls"),
    "abort": (BROKEN, BROKEN, BROKEN),
    "error": (BROKEN, BROKEN, BROKEN),
    "insufficient_system_resource": (BROKEN, BROKEN, BROKEN),
    "repetition": ("other", EMPTY, "other"),
    NEW: ("other", EMPTY, "other"),
}
TABLES: Mapping[Provider, Mapping[str, tuple[Ends, Ends, Ends]]] = {
    "openai": _CHAT,
    "vllm": _CHAT,
    "responses": {  # the status, or why a response is incomplete
        "completed": ("stop", EMPTY, "tool_calls"),
        "max_output_tokens": ("length", EMPTY, "length"),
        "content_filter": ("content_filter", WITHHELD, "content_filter"),
        "max_messages": ("other", EMPTY, "other"),
        "steered": ("other", EMPTY, "other"),
        "failed": (FAILED, FAILED, FAILED),
        "cancelled": (BROKEN, BROKEN, BROKEN),
        "queued": (BROKEN, BROKEN, BROKEN),
        "in_progress": (BROKEN, BROKEN, BROKEN),
        NEW: ("other", EMPTY, "other"),
    },
    "anthropic": {
        "end_turn": ("stop", EMPTY, "tool_calls"),
        "stop_sequence": ("stop", EMPTY, "tool_calls"),
        "max_tokens": ("length", EMPTY, "length"),
        "model_context_window_exceeded": ("length", EMPTY, "length"),
        "tool_use": (EMPTY, EMPTY, "tool_calls"),
        "refusal": ("refusal", WITHHELD, "refusal"),
        "pause_turn": ("other", EMPTY, "other"),
        "compaction": ("other", EMPTY, "other"),
        NEW: ("other", EMPTY, "other"),
    },
    "cohere": {
        "COMPLETE": ("stop", EMPTY, "tool_calls"),
        "STOP_SEQUENCE": ("stop", EMPTY, "tool_calls"),
        "MAX_TOKENS": ("length", EMPTY, "length"),
        "TOOL_CALL": (EMPTY, EMPTY, "tool_calls"),
        "ERROR_TOXIC": ("content_filter", WITHHELD, "content_filter"),
        "ERROR": (FAILED, FAILED, FAILED),
        "TIMEOUT": (LATE, LATE, LATE),
        NEW: ("other", EMPTY, "other"),
    },
}


def words_of(kind: Any) -> set[str]:
    """Every literal in a type, however deep."""
    if typing.get_origin(kind) is typing.Literal:
        return set(typing.get_args(kind))
    return {word for part in typing.get_args(kind) for word in words_of(part)}


def words_of_openai() -> set[str]:
    from openai.types.chat import chat_completion, chat_completion_chunk

    choices = (chat_completion.Choice, chat_completion_chunk.Choice)
    return {word for choice in choices for word in words_of(choice.model_fields["finish_reason"].annotation)}


def words_of_responses() -> set[str]:
    from openai.types.responses import response

    status = words_of(response.Response.model_fields["status"].annotation)
    return (status - {"incomplete"}) | words_of(response.IncompleteDetails.model_fields["reason"].annotation)


def words_of_anthropic() -> set[str]:
    from anthropic import types

    return words_of(types.StopReason) | words_of(types.beta.BetaStopReason)


def words_of_cohere() -> set[str]:
    import cohere

    return words_of(cohere.ChatFinishReason)


def words_of_vllm() -> set[str]:
    """As vLLM 0.18 lists them in `vllm.v1.engine.FINISH_REASON_STRINGS`; it isn't installed here."""
    return {"stop", "length", "abort", "error", "repetition", "tool_calls"}


WORDS: Mapping[Provider, Callable[[], set[str]]] = {
    "openai": words_of_openai,
    "responses": words_of_responses,
    "vllm": words_of_vllm,
    "anthropic": words_of_anthropic,
    "cohere": words_of_cohere,
}
SCRIPTS = (Script(usage=USED), Script(pieces=(), usage=USED), Script(pieces=(), usage=USED, tool_calls=(CALL,)))
CASES = [
    pytest.param(provider, word, number, ends, id=f"{provider}-{word}-{('text', 'nothing', 'call')[number]}")
    for provider in PROVIDERS
    for word, row in TABLES[provider].items()
    for number, ends in enumerate(row)
]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_word_of_the_sdk_has_its_line(provider: Provider) -> None:
    pytest.importorskip(SDKS[provider])
    words = WORDS[provider]()
    assert len(words) > 4, "the type is no longer where it was"
    assert words <= set(TABLES[provider]), f"say what becomes of {sorted(words - set(TABLES[provider]))}"


@pytest.mark.parametrize(("provider", "word", "number", "ends"), CASES)
async def test_what_becomes_of_it(server: FakeProvider, provider: Provider, word: str, number: int, ends: Ends) -> None:
    pytest.importorskip(SDKS[provider])
    script = server.script = replace(SCRIPTS[number], finish=word)
    model = adapter(provider, server.url)
    try:
        if isinstance(ends, str):
            for response in await both(model):
                assert response.finish_reason == ends
                assert response.text == script.text
                assert [call.name for call in response.tool_calls] == [call.name for call in script.tool_calls]
                assert response.refused == (ends == "refusal")
                assert response.usage == USED
        else:
            error = await check_failure(model, ends)
            assert type(error) is ends
            assert reason_of(error) == REASONS[ends]
            unended = word in ("queued", "in_progress")  # a stream that has not come to its end does not say it
            assert error.usage == (None if unended else USED), "it is billed all the same"
    finally:
        await model.close()


@pytest.mark.parametrize("provider", ["openai", "responses", "vllm"])
@pytest.mark.parametrize("word", ["stop", "length", "content_filter"])
async def test_a_refusal_is_one_unless_it_was_cut_short(server: FakeProvider, provider: Provider, word: str) -> None:
    """Chat completions say "stop" beside the text of a refusal, responses "completed"."""
    pytest.importorskip(SDKS[provider])
    server.script = Script(pieces=(), refusal="I can't help with that.", finish=word, usage=USED)
    for response in await once(adapter(provider, server.url)):
        assert (response.text, response.refused) == ("I can't help with that.", True)
        assert response.finish_reason == ("refusal" if word == "stop" else word)
