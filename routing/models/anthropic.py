"""Chat models of Anthropic, on the `anthropic` SDK."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from plumbline.extras import require
from routing.chat import (
    ChatEvent,
    ChatRequest,
    ChatResponse,
    Completed,
    FinishReason,
    Message,
    TextDelta,
    Tool,
    ToolCall,
    Usage,
)
from routing.errors import BadRequestError, ContentFilterError, TransientError
from routing.models.clients import ClientPool
from routing.models.facts import UNKNOWN, ModelFacts
from routing.models.failures import Endpoint, broken_off, calling, invalid, next_event
from routing.models.openai import fastest_http
from routing.models.usage import checked_usage, text_of

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic

ANTHROPIC_ADDRESS = "https://api.anthropic.com"
DEFAULT_MAX_TOKENS = 4096
"""The limit of an answer when the request gives none: Anthropic requires one."""

_FINISH: Mapping[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "refusal",
}


class AnthropicChatModel:
    """The chat model "anthropic/NAME".

    `effort` sets how much the model thinks. Temperature and seed are left out: Anthropic takes neither. Retries are
    the router's: the SDK's own are off, and so are its spans. A request without a deadline may take `timeout` seconds
    between two pieces of data.
    """

    def __init__(
        self,
        name: str,
        *,
        api_key: str,
        base_url: str = ANTHROPIC_ADDRESS,
        facts: ModelFacts = UNKNOWN,
        effort: str | None = None,
        timeout: float = 600.0,
    ) -> None:
        self._name = name
        self._facts = facts
        self._effort = effort
        self._endpoint = Endpoint(f"anthropic/{name}", "anthropic", "Anthropic", base_url, "ANTHROPIC_API_KEY")
        self._clients = _clients(base_url, api_key, timeout)

    @property
    def name(self) -> str:
        """The model as "anthropic/name"."""
        return self._endpoint.model

    async def complete(self, request: ChatRequest) -> ChatResponse:
        """Answer in one piece; raises `ModelError`."""
        message = await self._send(request, stream=False)
        answer = _Answer()
        try:
            answer.take_message(message)
        # The SDK builds its objects without validating them, so anything may be missing or of another type.
        except (AttributeError, TypeError) as error:
            raise invalid(self._endpoint, f"is not a message; it begins with {str(message)[:80]!r}") from error
        if answer.finish is None:
            raise invalid(self._endpoint, "does not say why it stops")
        return self._respond(request, answer)

    async def stream(self, request: ChatRequest) -> AsyncIterator[ChatEvent]:
        """Answer in pieces; raises `ModelError`."""
        events = await self._send(request, stream=True)
        answer = _Answer()
        try:
            while (event := await next_event(events, self._endpoint, request.deadline)) is not None:
                try:
                    piece = answer.take_event(event)
                except (AttributeError, KeyError, TypeError) as error:  # as in `complete`
                    raise invalid(self._endpoint, "is not a stream of message events") from error
                if piece:
                    yield TextDelta(piece)
        except TransientError:
            if answer.finish is None:  # otherwise the answer is whole
                raise
        finally:
            await events.close()
        if answer.finish is None:
            raise broken_off(self._endpoint)
        yield Completed(self._respond(request, answer))

    async def close(self) -> None:
        """Close the connections."""
        await self._clients.close()

    async def _send(self, request: ChatRequest, *, stream: bool) -> Any:
        arguments = self._arguments(request)
        async with calling(self._endpoint, request.deadline):
            client = await self._clients.get()
            return await client.messages.create(**arguments, stream=stream)

    def _arguments(self, request: ChatRequest) -> dict[str, Any]:
        wanted = request.options.max_tokens or DEFAULT_MAX_TOKENS
        system = "\n\n".join(message.content for message in request.messages if message.role == "system")
        optional = {
            "system": _system(system, cached=request.cache_system) or None,
            "stop_sequences": list(request.options.stop) or None,
            "tools": [_tool(tool) for tool in request.tools] or None,
            "tool_choice": _choice(request.tool_choice),
            "output_config": self._output(request.response_schema) or None,
        }
        return {
            "model": self._name,
            "max_tokens": min(wanted, self._facts.max_output or wanted),
            "messages": self._messages(request.messages),
        } | {key: value for key, value in optional.items() if value is not None}

    def _output(self, schema: Mapping[str, Any] | None) -> dict[str, Any]:
        output: dict[str, Any] = {} if self._effort is None else {"effort": self._effort}
        if schema is not None:
            try:
                shaped = require("anthropic", "anthropic").transform_schema(dict(schema))
            except (AssertionError, TypeError, ValueError) as error:
                raise BadRequestError(f"Anthropic takes no such schema: {error}.", model=self.name) from error
            output["format"] = {"type": "json_schema", "schema": shaped}
        return output

    def _messages(self, messages: Sequence[Message]) -> list[dict[str, Any]]:
        """The turns, those of the same role in a row made one: answers to parallel tool calls belong together."""
        turns: list[dict[str, Any]] = []
        for message in messages:
            if message.role == "system":
                continue
            role = "assistant" if message.role == "assistant" else "user"
            blocks = self._blocks(message)
            if turns and turns[-1]["role"] == role:
                turns[-1]["content"].extend(blocks)
            else:
                turns.append({"role": role, "content": blocks})
        return turns

    def _blocks(self, message: Message) -> list[dict[str, Any]]:
        if message.role == "tool":
            return [{"type": "tool_result", "tool_use_id": message.tool_call_id, "content": message.content}]
        blocks: list[dict[str, Any]] = [{"type": "text", "text": message.content}] if message.content else []
        for call in message.tool_calls:
            try:
                arguments = json.loads(call.arguments or "{}")
            except ValueError as error:
                raise BadRequestError(
                    f"The arguments of the call of '{call.name}' are not JSON: {error}.", model=self.name
                ) from error
            blocks.append({"type": "tool_use", "id": call.id, "name": call.name, "input": arguments})
        return blocks

    def _respond(self, request: ChatRequest, answer: _Answer) -> ChatResponse:
        finish = _FINISH.get(answer.finish or "", "other")
        if not answer.text and not answer.calls:
            self._explain_empty(finish, answer.explanation)
        return ChatResponse(
            text=answer.text,
            model=f"anthropic/{answer.model or self._name}",
            usage=answer.usage(request),
            finish_reason=finish,
            tool_calls=tuple(answer.calls.values()),
            refused=finish == "refusal",
        )

    def _explain_empty(self, finish: FinishReason, explanation: str) -> None:
        if finish == "refusal":
            said = f": {explanation}" if explanation else "."
            raise ContentFilterError(f"{self.name} refuses to answer this request{said}", model=self.name)
        if finish == "length":
            raise invalid(
                self._endpoint,
                "is empty: it spent all the tokens it may have before it came to the text",
                hint="Allow more with generation.max_tokens.",
            )
        raise invalid(self._endpoint, "is empty")


@dataclass(slots=True)
class _Answer:
    """What has arrived of one answer."""

    pieces: list[str] = field(default_factory=list)
    calls: dict[int, ToolCall] = field(default_factory=dict)
    finish: str | None = None
    explanation: str = ""
    model: str | None = None
    counts: dict[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    def take_message(self, message: Any) -> None:
        self.model = message.model
        self._count(message.usage)
        self._stop(message)
        for index, block in enumerate(message.content):
            if block.type == "text":
                self.pieces.append(text_of(block.text))
            elif block.type == "tool_use":
                self.calls[index] = ToolCall(block.id, block.name, json.dumps(block.input, ensure_ascii=False))

    def take_event(self, event: Any) -> str:
        """The new text in `event`."""
        if event.type == "message_start":
            self.model = event.message.model
            self._count(event.message.usage)
        elif event.type == "message_delta":
            self._count(event.usage)
            self._stop(event.delta)
        elif event.type == "content_block_start" and event.content_block.type == "tool_use":
            self.calls[event.index] = ToolCall(event.content_block.id, event.content_block.name, "")
        elif event.type == "content_block_delta":
            return self._take_delta(event.index, event.delta)
        return ""

    def _take_delta(self, index: int, delta: Any) -> str:
        if delta.type == "input_json_delta":
            known = self.calls[index]
            self.calls[index] = ToolCall(known.id, known.name, known.arguments + delta.partial_json)
        if delta.type != "text_delta":
            return ""
        self.pieces.append(text_of(delta.text))
        return self.pieces[-1]

    def _count(self, usage: Any) -> None:
        """Counts in a stream are running totals; a field that an event leaves out keeps its last value."""
        for key in ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"):
            value = getattr(usage, key, None)
            if value is not None:
                self.counts[key] = value

    def _stop(self, source: Any) -> None:
        self.finish = source.stop_reason or self.finish
        details = getattr(source, "stop_details", None)
        self.explanation = getattr(details, "explanation", None) or self.explanation

    def usage(self, request: ChatRequest) -> Usage:
        """Anthropic's `input_tokens` leave out what was read from or written to the cache; ours count everything."""
        read = self.counts.get("cache_read_input_tokens", 0)
        stored = self.counts.get("cache_creation_input_tokens", 0)
        parts = (self.counts.get("input_tokens"), read, stored)
        known = all(isinstance(part, int) and part >= 0 for part in parts)
        return checked_usage(
            request,
            "".join([self.text, *(call.arguments for call in self.calls.values())]),
            input_tokens=sum(parts) if known else None,
            output_tokens=self.counts.get("output_tokens"),
            cached=read,
            written=stored,
        )


def _clients(base_url: str, api_key: str, timeout: float) -> ClientPool[AsyncAnthropic]:
    def make() -> AsyncAnthropic:
        sdk = require("anthropic", "anthropic")
        client: AsyncAnthropic = sdk.AsyncAnthropic(
            api_key=api_key,
            base_url=base_url,
            max_retries=0,
            open_telemetry=False,  # the router makes the span of a call
            http_client=fastest_http(sdk, timeout),
        )
        return client

    return ClientPool(make)


def _tool(tool: Tool) -> dict[str, Any]:
    described = {"name": tool.name, "description": tool.description, "input_schema": dict(tool.parameters)}
    return described | ({"strict": True} if tool.strict else {})


def _system(text: str, *, cached: bool) -> str | list[dict[str, Any]]:
    """The system prompt, marked when it is to be cached: Anthropic caches nothing that is not marked."""
    if not text or not cached:
        return text
    return [{"type": "text", "text": text, "cache_control": {"type": "ephemeral"}}]


def _choice(choice: Literal["auto", "required"] | Tool) -> dict[str, str] | None:
    if isinstance(choice, Tool):
        return {"type": "tool", "name": choice.name}
    return None if choice == "auto" else {"type": "any"}  # "auto" is the default
