"""The wire format of chat at Cohere, as a server writes it.

Source: the response types of the SDK `cohere` 7.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from routing.chat import ToolCall, Usage
from routing.testing.wire import Script

_AROUND = 500  # tokens that Cohere puts around a prompt and does not bill


def cohere_chat(script: Script) -> dict[str, Any]:
    """The answer of `/v2/chat` in one piece."""
    content: list[dict[str, Any]] = [{"type": "thinking", "thinking": "Reading."}]
    content += [{"type": "text", "text": script.text}] if script.text else []
    message: dict[str, Any] = {"role": "assistant", "content": content}
    if script.tool_calls:
        message |= {"tool_plan": "I look.", "tool_calls": [_call(call) for call in script.tool_calls]}
    frame = {"id": "chat-1", "finish_reason": _finish(script), "message": message}
    return frame if script.usage is None else frame | {"usage": _usage(script.usage)}


def cohere_events(script: Script) -> Iterator[bytes]:
    """The server-sent events of a streamed answer: a thought, the pieces, the calls of tools, the end."""
    yield _event("message-start", {"id": "chat-1", "delta": {"message": {"role": "assistant"}}})
    yield from _block(0, "thinking", ("Reading.",))
    if script.text:
        yield from _block(1, "text", script.pieces)
    if script.tool_calls:
        yield _event("tool-plan-delta", {"delta": {"message": {"tool_plan": "I look."}}})
    for index, call in enumerate(script.tool_calls):
        middle = len(call.arguments) // 2
        start = _call(ToolCall(call.id, call.name, ""))
        yield _event("tool-call-start", {"index": index, "delta": {"message": {"tool_calls": start}}})
        for half in (call.arguments[:middle], call.arguments[middle:]):
            function = {"tool_calls": {"function": {"arguments": half}}}
            yield _event("tool-call-delta", {"index": index, "delta": {"message": function}})
        yield _event("tool-call-end", {"index": index})
    end = {"finish_reason": _finish(script)}
    yield _event("message-end", {"delta": end if script.usage is None else end | {"usage": _usage(script.usage)}})
    yield b"data: [DONE]\n\n"


def cohere_error(message: str) -> dict[str, Any]:
    """The body of an error, which does not say its kind: the status does."""
    return {"id": "error-1", "message": message}


def cohere_failed(message: str) -> bytes:
    """The event by which Cohere says inside a stream that it fails."""
    return _event("message-end", {"delta": {"finish_reason": "ERROR", "error": message}})


def _block(index: int, kind: str, pieces: tuple[str, ...]) -> Iterator[bytes]:
    yield _event("content-start", {"index": index, "delta": {"message": {"content": {"type": kind, kind: ""}}}})
    for piece in pieces:
        yield _event("content-delta", {"index": index, "delta": {"message": {"content": {kind: piece}}}})
    yield _event("content-end", {"index": index})


def _event(kind: str, data: Mapping[str, Any]) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **data})}\n\n".encode()


def _finish(script: Script) -> str:
    return script.finish or ("TOOL_CALL" if script.tool_calls else "COMPLETE")


def _call(call: ToolCall) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "billed_units": {"input_tokens": float(usage.input_tokens), "output_tokens": float(usage.output_tokens)},
        "tokens": {"input_tokens": float(usage.input_tokens + _AROUND), "output_tokens": usage.output_tokens + 7.0},
        "cached_tokens": float(usage.cached_input_tokens),
    }
