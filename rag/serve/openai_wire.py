"""What `/v1` answers, in OpenAI's form: completions, chunks and lists of models.

Source: the response types of the SDK `openai` 3 (`chat_completion`, `chat_completion_chunk`, `completion_usage`). Plain
dictionaries, made into JSON once: a gateway spends its time here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from routing.chat import ChatResponse, FinishReason, ToolCall, Usage

DONE = b"data: [DONE]\n\n"
_FINISH: Mapping[FinishReason, str] = {
    "stop": "stop",
    "length": "length",
    "content_filter": "content_filter",
    "tool_calls": "tool_calls",
    "refusal": "stop",  # the message's `refusal` says it
    "other": "stop",
}


def dumps(document: Mapping[str, Any]) -> bytes:
    """Compact JSON in UTF-8; half a surrogate pair, which some models write, becomes "?"."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def completion(response: ChatResponse, *, name: str, created: int, model: str) -> dict[str, Any]:
    """A `chat.completion` of a model's answer; `created` in seconds since the epoch, `model` as it was asked for."""
    refusal = _is_refusal(response)
    message: dict[str, Any] = {
        "role": "assistant",
        "content": None if refusal or (response.tool_calls and not response.text) else response.text,
        "refusal": response.text if refusal else None,
    }
    if response.tool_calls:
        message["tool_calls"] = [_call(call) for call in response.tool_calls]
    finish = _FINISH[response.finish_reason]
    return framed(message, name=name, created=created, model=model, finish=finish, usage=response.usage)


def framed(
    message: Mapping[str, Any],
    *,
    name: str,
    created: int,
    model: str,
    finish: str,
    usage: Usage,
) -> dict[str, Any]:
    """A `chat.completion` around one message; `name` is its id."""
    return {
        "id": name,
        "object": "chat.completion",
        "created": created,
        "model": model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish}],
        "usage": usage_of(usage),
        "system_fingerprint": None,
    }


def usage_of(usage: Usage) -> dict[str, Any]:
    """A `completion_usage`."""
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": {
            "cached_tokens": usage.cached_input_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
        },
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }


def model_of(name: str, owner: str, created: int) -> dict[str, Any]:
    """A `model`."""
    return {"id": name, "object": "model", "created": created, "owned_by": owner}


def error_event(document: Mapping[str, Any]) -> bytes:
    """The event that ends a stream which failed: what an answer's body would have been."""
    return b"data: " + dumps(document) + b"\n\n"


@dataclass(frozen=True, slots=True)
class Chunks:
    """Writes the chunks of one streamed completion as server-sent events.

    With `include_usage` the last chunk has the usage and no choice, and every other one a usage of `null`.
    """

    id: str
    created: int
    model: str
    include_usage: bool

    def begin(self) -> bytes:
        """The first chunk: whose turn it is."""
        return self._choice({"role": "assistant", "content": "", "refusal": None})

    def text(self, piece: str) -> bytes:
        """The next piece of the text."""
        return self._choice({"content": piece})

    def end(self, response: ChatResponse) -> bytes:
        """All that is left after the last piece of a model's text.

        A refusal has gone out as text by then; it is repeated as what it is.
        """
        events = [self._choice({"tool_calls": [call]}) for call in _numbered(response.tool_calls)]
        if _is_refusal(response):
            events.append(self._choice({"refusal": response.text}))
        events.append(self._choice({}, _FINISH[response.finish_reason]))
        return b"".join([*events, self.usage(response.usage), DONE])

    def finish(self, finish: str, usage: Usage, extension: Mapping[str, Any]) -> bytes:
        """As `end`, for an answer that needs a field of its own, `plumbline`: the last chunk has it."""
        extra = {"plumbline": extension}
        if self.include_usage:
            return self._choice({}, finish) + self.usage(usage, extra) + DONE
        return self._choice({}, finish, extra) + DONE

    def usage(self, usage: Usage, extra: Mapping[str, Any] | None = None) -> bytes:
        """The chunk with the usage; nothing where nobody asked for it."""
        if not self.include_usage:
            return b""
        return self._event([], {"usage": usage_of(usage), **(extra or {})})

    def _choice(
        self, delta: Mapping[str, Any], finish: str | None = None, extra: Mapping[str, Any] | None = None
    ) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return self._event([choice], {**({"usage": None} if self.include_usage else {}), **(extra or {})})

    def _event(self, choices: Sequence[Mapping[str, Any]], extra: Mapping[str, Any]) -> bytes:
        chunk = {
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self.model,
            "choices": choices,
            **extra,
        }
        return b"data: " + dumps(chunk) + b"\n\n"


def _is_refusal(response: ChatResponse) -> bool:
    return response.refused and response.finish_reason == "refusal"


def _call(call: ToolCall) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def _numbered(calls: Iterable[ToolCall]) -> list[dict[str, Any]]:
    return [{"index": index, **_call(call)} for index, call in enumerate(calls)]
