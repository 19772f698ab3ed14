"""The wire formats of OpenAI's and Anthropic's HTTP interfaces, as a server writes them.

Sources: the response types of the SDKs `openai` 3 and `anthropic` 2.
"""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from routing.chat import ToolCall, Usage


@dataclass(frozen=True, slots=True)
class Script:
    """What a fake provider answers.

    `pieces` are the parts its streams come in. `finish` is the provider's own word for why it stops; `None` gives the
    usual one. `refusal` is the text of a refusal. `usage` of `None` leaves the counts out.
    """

    pieces: tuple[str, ...] = ("The refund ", "window is ", "30 days ", "after delivery.")
    finish: str | None = None
    refusal: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    usage: Usage | None = Usage(input_tokens=57, output_tokens=9, cached_input_tokens=32)

    @property
    def text(self) -> str:
        """The whole answer."""
        return "".join(self.pieces)


def openai_completion(script: Script, model: str, asked: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A `chat.completion`; with the log-probabilities and the tier that the body `asked` asks for."""
    asked = asked or {}
    message: dict[str, Any] = {"role": "assistant", "content": script.text or None, "refusal": script.refusal}
    if script.tool_calls:
        message["tool_calls"] = [_openai_call(call) for call in script.tool_calls]
    choice = {"index": 0, "message": message, "finish_reason": _openai_finish(script)}
    if asked.get("logprobs"):
        choice["logprobs"] = {"content": logprobs_of(script.pieces, asked["top_logprobs"]), "refusal": None}
    return _openai_frame("chat.completion", model, [choice], _openai_usage(script.usage)) | _tier(asked)


def openai_chunks(script: Script, model: str, asked: Mapping[str, Any] | None = None) -> Iterator[bytes]:
    """The server-sent events of a streamed completion, as `stream_options: {include_usage: true}` gives them."""
    asked = asked or {}
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    deltas += [{"content": piece} for piece in script.pieces]
    deltas += [{"refusal": script.refusal}] if script.refusal else []
    for index, call in enumerate(script.tool_calls):
        middle = len(call.arguments) // 2
        first = {**_openai_call(call), "index": index}
        first["function"] = {"name": call.name, "arguments": call.arguments[:middle]}
        deltas += [
            {"tool_calls": [first]},
            {"tool_calls": [{"index": index, "function": {"arguments": call.arguments[middle:]}}]},
        ]
    for delta in deltas:
        choice = {"index": 0, "delta": delta, "finish_reason": None}
        if asked.get("logprobs") and delta.get("content"):
            choice["logprobs"] = {"content": logprobs_of([delta["content"]], asked["top_logprobs"])}
        yield _openai_chunk(model, [choice])
    end = {"index": 0, "delta": {}, "finish_reason": _openai_finish(script)}
    yield _openai_chunk(model, [end], extra=_tier(asked))
    if script.usage is not None:
        yield _openai_chunk(model, [], _openai_usage(script.usage))
    yield b"data: [DONE]\n\n"


def openai_embeddings(
    vectors: Sequence[Sequence[float]], model: str, tokens: int, *, as_base64: bool
) -> dict[str, Any]:
    """A list of embeddings, in reverse order: clients must go by the index."""
    rows = [
        {"object": "embedding", "index": index, "embedding": _base64(vector) if as_base64 else list(vector)}
        for index, vector in enumerate(vectors)
    ]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "model": model, "data": rows[::-1], "usage": usage}


def anthropic_message(script: Script, model: str) -> dict[str, Any]:
    """A `message`."""
    content: list[dict[str, Any]] = [{"type": "thinking", "thinking": "Reading.", "signature": "s"}]
    content += [{"type": "text", "text": script.text}] if script.text else []
    content += [
        {"type": "tool_use", "id": call.id, "name": call.name, "input": json.loads(call.arguments)}
        for call in script.tool_calls
    ]
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": content,
        "stop_reason": _anthropic_finish(script),
        "stop_details": _anthropic_details(script),
        "stop_sequence": None,
        "usage": _anthropic_usage(script.usage),
    }


def anthropic_events(script: Script, model: str) -> Iterator[bytes]:
    """The server-sent events of a streamed message."""
    start = anthropic_message(script, model) | {"content": [], "stop_reason": None, "stop_details": None}
    if script.usage is not None:
        start["usage"] = _anthropic_usage(script.usage) | {"output_tokens": 1}
    yield sse("message_start", {"message": start})
    yield sse("ping", {})
    blocks: list[tuple[dict[str, Any], list[dict[str, Any]]]] = [
        (
            {"type": "thinking", "thinking": "", "signature": ""},
            [{"type": "thinking_delta", "thinking": "Reading."}, {"type": "signature_delta", "signature": "s"}],
        )
    ]
    if script.text:
        blocks.append(
            ({"type": "text", "text": ""}, [{"type": "text_delta", "text": piece} for piece in script.pieces])
        )
    for call in script.tool_calls:
        middle = len(call.arguments) // 2
        halves = ("", call.arguments[:middle], call.arguments[middle:])
        blocks.append(
            (
                {"type": "tool_use", "id": call.id, "name": call.name, "input": {}},
                [{"type": "input_json_delta", "partial_json": half} for half in halves],
            )
        )
    for index, (block, deltas) in enumerate(blocks):
        yield sse("content_block_start", {"index": index, "content_block": block})
        for delta in deltas:
            yield sse("content_block_delta", {"index": index, "delta": delta})
        yield sse("content_block_stop", {"index": index})
    delta = {"stop_reason": _anthropic_finish(script), "stop_details": _anthropic_details(script)}
    output = 0 if script.usage is None else script.usage.output_tokens
    yield sse("message_delta", {"delta": delta, "usage": {"output_tokens": output}})
    yield sse("message_stop", {})


def error_body(status: int, message: str, *, anthropic: bool) -> dict[str, Any]:
    """The body of an error answer."""
    kinds = {
        400: "invalid_request_error",
        401: "authentication_error",
        402: "billing_error",
        403: "permission_error",
        404: "not_found_error",
        413: "request_too_large",
        429: "rate_limit_error",
        529: "overloaded_error",
    }
    error = {"type": kinds.get(status, "api_error"), "message": message}
    return {"type": "error", "error": error} if anthropic else {"error": error | {"param": None, "code": None}}


def logprobs_of(pieces: Sequence[str], others: int) -> list[dict[str, Any]]:
    """Log-probabilities of the pieces, as if each were a token, the likeliest of `others` being the piece itself."""
    return [
        {
            "token": piece,
            "logprob": -0.25,
            "bytes": list(piece.encode()),
            "top_logprobs": [
                {"token": piece if rank == 0 else f"{piece}{rank}", "logprob": -0.25 - rank, "bytes": None}
                for rank in range(others)
            ],
        }
        for piece in pieces
    ]


def sse(event: str, data: Mapping[str, Any]) -> bytes:
    """One named server-sent event of Anthropic's."""
    return f"event: {event}\ndata: {json.dumps({'type': event, **data})}\n\n".encode()


def _openai_frame(kind: str, model: str, choices: list[dict[str, Any]], usage: dict[str, Any] | None) -> dict[str, Any]:
    frame: dict[str, Any] = {"id": "chatcmpl-1", "object": kind, "created": 1, "model": model, "choices": choices}
    return frame if usage is None else frame | {"usage": usage}


def _openai_chunk(
    model: str,
    choices: list[dict[str, Any]],
    usage: dict[str, Any] | None = None,
    extra: Mapping[str, Any] | None = None,
) -> bytes:
    frame = _openai_frame("chat.completion.chunk", model, choices, usage) | dict(extra or {})
    return f"data: {json.dumps(frame)}\n\n".encode()


def _tier(asked: Mapping[str, Any]) -> dict[str, str]:
    return {"service_tier": asked["service_tier"]} if "service_tier" in asked else {}


def _openai_finish(script: Script) -> str:
    return script.finish or ("tool_calls" if script.tool_calls else "stop")


def _openai_call(call: ToolCall) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def _openai_usage(usage: Usage | None) -> dict[str, Any] | None:
    if usage is None:
        return None
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


def _anthropic_finish(script: Script) -> str:
    return script.finish or ("tool_use" if script.tool_calls else "end_turn")


def _anthropic_details(script: Script) -> dict[str, Any] | None:
    return None if script.refusal is None else {"type": "refusal", "category": None, "explanation": script.refusal}


def _anthropic_usage(usage: Usage | None) -> dict[str, Any]:
    if usage is None:
        return {}
    return {
        "input_tokens": usage.input_tokens - usage.cached_input_tokens - usage.cache_write_tokens,
        "cache_read_input_tokens": usage.cached_input_tokens,
        "cache_creation_input_tokens": usage.cache_write_tokens,
        "output_tokens": usage.output_tokens,
    }


def _base64(vector: Sequence[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
