"""How an answer ends: what its end is called, and when it is no answer at all."""

from __future__ import annotations

from collections.abc import Collection

from routing.chat import FinishReason, ToolCall
from routing.errors import ContentFilterError, ModelError
from routing.models.failures import Endpoint, invalid


def fitting(finish: FinishReason, calls: Collection[object], *, refused: bool = False) -> FinishReason:
    """`finish` as it fits the rest of an answer: what ends of its own accord refuses, calls tools, or just stops.

    Providers say "stop" beside a refusal, and beside the call of a tool that had to be called.
    """
    if finish not in ("stop", "tool_calls"):
        return finish
    return "refusal" if refused else "tool_calls" if calls else finish


def no_answer(
    endpoint: Endpoint, finish: FinishReason, text: str, calls: Collection[ToolCall], *, explanation: str = ""
) -> ModelError | None:
    """Why this is no answer, if it is none; `explanation` is what the provider says of its refusal."""
    if finish == "tool_calls" and not calls:
        return invalid(endpoint, "says that it calls a tool, and calls none")
    if text or calls:
        return None
    if finish == "refusal":
        said = f": {explanation}" if explanation else "."
        return ContentFilterError(f"{endpoint.model} refuses to answer this request{said}", model=endpoint.model)
    if finish == "content_filter":
        return ContentFilterError(f"{endpoint.service}'s content policy withholds the answer.", model=endpoint.model)
    if finish == "length":
        return invalid(
            endpoint,
            "is empty: it spent all the tokens it may have before it came to the text",
            hint="Allow more with generation.max_tokens.",
        )
    return invalid(endpoint, "is empty")
