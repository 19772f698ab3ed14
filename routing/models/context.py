"""Whether a prompt fits into what a model reads, found out before it is sent and at next to no cost.

Three steps, each taken only where the one before does not decide: an upper bound from the size in bytes (a byte-level
tokenizer makes at most one token of a byte), an estimate that is off by less than half, and the model's own tokenizer.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from plumbline.errors import ConfigError
from plumbline.text.tokens import DEFAULT_TOKENIZER, Tokenizer, estimate_tokens, tokenizer
from routing.chat import ChatRequest
from routing.errors import ContextLengthError
from routing.models.facts import UNKNOWN, ModelFacts

# What providers put around what is sent, at most: Anthropic's prompt for tools has 300 to 800 tokens, chat templates
# name the model and the date.
_PER_REQUEST = 128
_PER_MESSAGE = 16
_FOR_TOOLS = 1024
_PER_TOOL = 32
_FOR_SCHEMA = 256
# Of an image, where nothing is known of the model: as many as Qwen-VL makes of the largest that it reads.
_PER_IMAGE = 16384
_FITS_ANYWHERE = 2048  # tokens: nobody serves a chat model that reads fewer
_MARGIN = 2  # the estimate is off by less
_OTHER_TOKENIZER = 0.75  # of what cl100k_base counts in ASCII text, no newer encoding of OpenAI's makes less
_STRETCH = 1 << 18  # characters counted at a time
_AT_ONCE = 1 << 14  # characters counted without leaving the event loop: about a millisecond


@dataclass(frozen=True, slots=True)
class Counted:
    """A prompt has at least so many `tokens`, counted `by` that; `context` is what the model reads, where it says."""

    tokens: int
    by: str
    context: int | None = None


Count = Callable[[ChatRequest], Awaitable[Counted | None]]
"""Counts the tokens of a prompt; `None` when it cannot now. Raises `LookupError` when it never can."""


def bound_tokens(request: ChatRequest, facts: ModelFacts = UNKNOWN, *, with_evidence: bool = False) -> int:
    """How many tokens the prompt has at most, whatever byte-level tokenizer reads it; takes microseconds.

    `with_evidence` is for models that are handed the evidence as documents, besides the messages.
    """
    total = _PER_REQUEST
    images = 0
    for message in request.messages:
        total += _PER_MESSAGE + _size(message.content)
        images += len(message.images)
        for call in message.tool_calls:
            total += _PER_TOOL + _size(call.name) + _size(call.arguments)
    if images:
        total += images * (facts.image_tokens or _PER_IMAGE)
    if request.tools:
        total += _FOR_TOOLS
        for tool in request.tools:
            total += _PER_TOOL + _size(tool.name) + _size(tool.description) + _size(_json(tool.parameters))
    if request.response_schema is not None:
        total += _FOR_SCHEMA + _size(_json(request.response_schema))
    if with_evidence:
        total += sum(
            _PER_MESSAGE + _size(passage.text) + _size(passage.document) + _size(passage.section or "")
            for passage in request.evidence
        )
    return total


class ContextWindow:
    """What one model, "provider/name", reads at most; `count` counts prompts where `facts` name no tokenizer.

    What the model reads may be unknown until `count` says so.
    """

    def __init__(self, model: str, facts: ModelFacts, count: Count | None = None) -> None:
        self._model = model
        self._facts = facts
        self._context = facts.context
        knows = facts.tokenizer is not None or facts.context is not None or facts.max_input is not None
        self._count = count or (_by_encoding(facts.tokenizer) if knows else None)

    async def check(self, request: ChatRequest) -> None:
        """Raise `ContextLengthError` for a prompt that certainly does not fit, beside the answer that it asks for."""
        if self._count is None:
            return
        room = self._room(request)
        bound = bound_tokens(request, self._facts)
        if bound <= (_FITS_ANYWHERE if room is None else room):
            return
        if room is not None and _MARGIN * _estimate(request, self._facts) <= room:
            return
        counted = await self._counted(request)
        if counted is None:
            return
        self._context = counted.context or self._context
        room = self._room(request)
        if room is not None and counted.tokens > room:
            raise self._too_long(request, counted, room)

    async def _counted(self, request: ChatRequest) -> Counted | None:
        assert self._count is not None  # check has seen to it
        try:
            return await self._count(request)
        except LookupError:
            self._count = None
            return None

    def _room(self, request: ChatRequest) -> int | None:
        """How many tokens the prompt may have."""
        facts = self._facts
        if self._context is None:
            return facts.max_input
        return min(self._context - self._answer(request), facts.max_input or self._context)

    def _answer(self, request: ChatRequest) -> int:
        wanted = request.options.max_tokens or 1
        return min(wanted, self._facts.max_output or wanted)

    def _too_long(self, request: ChatRequest, counted: Counted, room: int) -> ContextLengthError:
        beside = f" beside an answer of {self._answer(request):,}" if request.options.max_tokens else ""
        return ContextLengthError(
            f"The prompt has at least {counted.tokens:,} tokens (counted by {counted.by}); {self._model} reads "
            f"{max(room, 0):,}{beside}.",
            model=self._model,
            hint="Answer from fewer or shorter passages, allow a shorter answer, or choose a model with a larger "
            "context.",
        )


def _by_encoding(name: str | None) -> Count:
    """Counts by an encoding of tiktoken's, or by the one that is on this machine where it is not known or not here."""

    async def count(request: ChatRequest) -> Counted | None:
        texts = list(_texts(request))
        if sum(map(len, texts)) <= _AT_ONCE:
            return _count_by(name, texts)
        return await asyncio.to_thread(_count_by, name, texts)

    return count


def _count_by(name: str | None, texts: list[str]) -> Counted:
    with suppress(ConfigError):
        if name is not None:
            return Counted(_tokens(tokenizer(name), texts), name)
    ascii_only = [text for text in texts if text.isascii()]
    least = int(_tokens(tokenizer(DEFAULT_TOKENIZER), ascii_only) * _OTHER_TOKENIZER)
    return Counted(least, f"an estimate from {DEFAULT_TOKENIZER}")


def _tokens(encoding: Tokenizer, texts: list[str]) -> int:
    """The tokens of all texts, at least: where a text is cut to count it, a token may be counted twice."""
    total = 0
    for text in texts:
        for start in range(0, len(text), _STRETCH):
            total += encoding.count(text[start : start + _STRETCH]) - bool(start)
    return total


def _texts(request: ChatRequest) -> Iterator[str]:
    """What stands in the prompt as it is: the forms of tools do not, nor has the schema to be in it."""
    for message in request.messages:
        yield message.content
        for call in message.tool_calls:
            yield call.arguments
    for tool in request.tools:
        yield tool.name
        yield tool.description


def _estimate(request: ChatRequest, facts: ModelFacts) -> int:
    """About how many tokens it all has; of images, as many as they may have."""
    total = sum(map(estimate_tokens, _texts(request)))
    total += sum(estimate_tokens(_json(tool.parameters)) for tool in request.tools)
    if request.response_schema is not None:
        total += estimate_tokens(_json(request.response_schema))
    images = sum(len(message.images) for message in request.messages)
    return total + images * (facts.image_tokens or _PER_IMAGE)


def _size(text: str) -> int:
    """UTF-8 bytes; a lone surrogate counts as the three of the mark that stands in for it."""
    return len(text) if text.isascii() else len(text.encode(errors="surrogatepass"))


def _json(schema: Mapping[str, Any]) -> str:
    return json.dumps(dict(schema), ensure_ascii=False, default=str)
