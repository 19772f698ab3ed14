"""Builds the request to the model from the question and the hits it may use."""

from __future__ import annotations

from collections.abc import Sequence

from plumbline.prompts import Prompt
from rag.types import Hit
from routing.chat import NO_WISH, ChatOptions, ChatRequest, Evidence, Message, Tags, Wants


def assemble(
    question: str,
    hits: Sequence[Hit],
    *,
    system: Prompt,
    turn: Prompt,
    options: ChatOptions,
    deadline: float | None = None,
    tags: Tags = Tags(),
    wants: Wants = NO_WISH,
) -> ChatRequest:
    """The request: system prompt, then context and question as the user's turn, and the same evidence as data."""
    evidence = tuple(
        Evidence(hit.chunk.text, hit.document, hit.chunk.page, hit.chunk.section, hit.score) for hit in hits
    )
    user = turn.render({"context": context_block(evidence), "question": question})
    return ChatRequest(
        messages=(Message("system", system.body), Message("user", user)),
        options=options,
        question=question,
        evidence=evidence,
        deadline=deadline,
        tags=tags,
        wants=wants,
    )


def context_block(evidence: Sequence[Evidence]) -> str:
    """The passages as the prompt shows them, each under the label by which it is cited."""
    return "\n\n".join(f"[Source: {label(item)}]{_heading(item)}\n{item.text}" for item in evidence)


def label(item: Evidence) -> str:
    """How a passage is cited: "document, page X", or the document alone where there are no pages."""
    return item.document if item.page is None else f"{item.document}, page {item.page}"


def _heading(item: Evidence) -> str:
    return f" ({item.section})" if item.section else ""
