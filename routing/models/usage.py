"""Reads what providers report: token counts, estimated where they are left out, and texts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from plumbline.text.tokens import estimate_tokens
from routing.chat import ChatRequest, Usage

_PER_MESSAGE = 4  # tokens around each message, about: role and separators
_MOST = 100_000_000  # tokens in one call: ten times what any model reads; more is a mistake, and would be charged


def checked_usage(
    request: ChatRequest,
    text: str,
    *,
    input_tokens: object,
    output_tokens: object,
    cached: object = None,
    written: object = None,
    reasoning: object = None,
) -> Usage:
    """The usage of one call from reported counts; a count that is missing or not one is estimated and marked so.

    `input_tokens` counts the whole prompt; `cached` and `written` never exceed it, nor `reasoning` the answer.
    """
    prompt, answer = _count(input_tokens), _count(output_tokens)
    estimated = prompt is None or answer is None
    prompt = estimate_prompt(request) if prompt is None else prompt
    answer = estimate_tokens(text) if answer is None else answer
    read = min(_count(cached) or 0, prompt)
    return Usage(
        input_tokens=prompt,
        output_tokens=answer,
        cached_input_tokens=read,
        cache_write_tokens=min(_count(written) or 0, prompt - read),
        estimated=estimated,
        reasoning_tokens=min(_count(reasoning) or 0, answer),
        images=sum(len(message.images) for message in request.messages),
    )


def number_of(value: object) -> float:
    """`value`, which must be a number. Raises `TypeError`."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"a number is expected, not {type(value).__name__}")
    return float(value)


def part_of(source: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """The object at `key`, empty where there is none."""
    value = source.get(key)
    return value if isinstance(value, Mapping) else {}


def text_of(value: object) -> str:
    """`value`, which must be a text: SDKs hand on whatever the provider sent. Raises `TypeError`."""
    if not isinstance(value, str):
        raise TypeError(f"a text is expected, not {type(value).__name__}")
    return value


def estimate_prompt(request: ChatRequest) -> int:
    """About how many tokens the request's messages and tools have."""
    messages = sum(
        estimate_tokens(message.content)
        + sum(estimate_tokens(call.arguments) for call in message.tool_calls)
        + _PER_MESSAGE
        for message in request.messages
    )
    return messages + sum(
        estimate_tokens(tool.name)
        + estimate_tokens(tool.description)
        + estimate_tokens(json.dumps(dict(tool.parameters)))
        for tool in request.tools
    )


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST else None
