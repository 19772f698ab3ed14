"""The wire format of OpenAI's responses (/v1/responses), as a server writes it.

Source: the types in `openai.types.responses` of the SDK `openai` 3.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import Any

from routing.chat import Usage
from routing.testing.wire import Script, error_body, logprobs_of

# Reasons to stop in the words of chat completions, in which scripts are written.
_STATUS = {None: "completed", "stop": "completed", "tool_calls": "completed"} | {
    status: status for status in ("completed", "failed", "cancelled", "queued", "in_progress")
}
_INCOMPLETE = {"length": "max_output_tokens"}


def response(script: Script, asked: Mapping[str, Any]) -> dict[str, Any]:
    """A `response`. `finish` is its status, or why it is incomplete."""
    status = _STATUS.get(script.finish, "incomplete")
    failed, incomplete = status == "failed", status == "incomplete"
    reason = _INCOMPLETE.get(script.finish or "", script.finish)
    document: dict[str, Any] = {
        **_frame(asked, status),
        "incomplete_details": {"reason": reason} if incomplete else None,
        "error": {"code": "server_error", "message": "The model failed."} if failed else None,
        "output": _output(script, asked),
    }
    return document if script.usage is None else document | {"usage": _usage(script.usage)}


def events(script: Script, asked: Mapping[str, Any]) -> Iterator[bytes]:
    """The server-sent events of a streamed response."""
    numbers = count()

    def event(kind: str, **data: Any) -> bytes:
        body = {"type": kind, "sequence_number": next(numbers), **data}
        return f"event: {kind}\ndata: {json.dumps(body)}\n\n".encode()

    begun = {**_frame(asked, "in_progress"), "output": []}
    yield event("response.created", response=begun)
    yield event("response.in_progress", response=begun)
    whole = response(script, asked)
    for index, item in enumerate(whole["output"]):
        yield event("response.output_item.added", output_index=index, item=_begun(item))
        place = {"output_index": index, "item_id": item["id"]}
        for kind, delta in _deltas(script, item):
            yield event(kind, **place, **delta, **_logprobs(kind, delta["delta"], asked))
        yield event("response.output_item.done", output_index=index, item=item)
    yield event(f"response.{whole['status']}", response=whole)


def error_event(status: int, message: str) -> bytes:
    """The event by which OpenAI says inside a stream that it fails: kind and code of the error, without its status."""
    kind = error_body(status, message, anthropic=False)["error"]["type"]
    body = {"type": "error", "sequence_number": 99, "code": kind, "message": message, "param": None}
    return f"event: error\ndata: {json.dumps(body)}\n\n".encode()


def _frame(asked: Mapping[str, Any], status: str) -> dict[str, Any]:
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "model": asked.get("model"),
        "status": status,
        "store": asked.get("store", True),
        "service_tier": asked.get("service_tier", "default"),
        "usage": None,
    }


def _output(script: Script, asked: Mapping[str, Any]) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = [{"id": "rs_1", "type": "reasoning", "summary": []}]
    content: list[dict[str, Any]] = []
    if script.text:
        part: dict[str, Any] = {"type": "output_text", "text": script.text, "annotations": []}
        if asked.get("include"):
            part["logprobs"] = logprobs_of(script.pieces, asked.get("top_logprobs", 0))
        content.append(part)
    if script.refusal:
        content.append({"type": "refusal", "refusal": script.refusal})
    if content:
        message = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": content}
        items.append(message)
    items += [
        {"id": f"fc_{call.id}", "type": "function_call", "call_id": call.id, "name": call.name, "status": "completed"}
        | {"arguments": call.arguments}
        for call in script.tool_calls
    ]
    return items


def _begun(item: Mapping[str, Any]) -> dict[str, Any]:
    empty = {"content": [], "arguments": ""}
    return {key: empty.get(key, value) for key, value in item.items()} | {"status": "in_progress"}


def _deltas(script: Script, item: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    if item["type"] == "function_call":
        middle = len(item["arguments"]) // 2
        for half in (item["arguments"][:middle], item["arguments"][middle:]):
            yield "response.function_call_arguments.delta", {"delta": half}
    for index, part in enumerate(item.get("content", ())):
        spoken: Sequence[str] = script.pieces if part["type"] == "output_text" else (part["refusal"],)
        kind = "response.output_text.delta" if part["type"] == "output_text" else "response.refusal.delta"
        for piece in spoken:
            yield kind, {"content_index": index, "delta": piece}


def _logprobs(kind: str, piece: str, asked: Mapping[str, Any]) -> dict[str, Any]:
    if kind != "response.output_text.delta":
        return {}
    return {"logprobs": logprobs_of([piece], asked.get("top_logprobs", 0)) if asked.get("include") else []}


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {
            "cached_tokens": usage.cached_input_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
        },
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }
