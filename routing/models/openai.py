"""Chat models of OpenAI and of every server that speaks its chat completions (vLLM, say), on the `openai` SDK."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
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
from routing.models.facts import UNKNOWN, ModelFacts
from routing.models.failures import broken_off, calling, invalid, next_event
from routing.models.openai_client import OPENAI_ADDRESS, openai_clients, openai_endpoint
from routing.models.usage import checked_usage, text_of
from routing.schemas import is_strict

if TYPE_CHECKING:
    from openai import AsyncOpenAI

_FINISH: Mapping[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}
# Options that only shape the answer: when a model refuses one, the call goes out again without it.
_OPTIONAL = ("temperature", "seed")
# What comes of reading JSON in which anything may be missing, or of another type.
_MISSHAPEN = (AttributeError, IndexError, KeyError, TypeError)
_REFUSAL = re.compile(r"unsupported|not support|deprecated|not permitted|not allowed|unrecognized|unknown|unexpected")


class OpenAIChatModel:
    """The chat model "openai/NAME", or "PROVIDER/NAME" on another server at `base_url`.

    `api_key` may be `None` for servers that need none. `effort` is passed on to models that reason. Retries are the
    router's: the SDK's own are off. A request without a deadline may take `timeout` seconds between two pieces of data.
    """

    def __init__(
        self,
        name: str,
        *,
        api_key: str | None,
        provider: str = "openai",
        base_url: str = OPENAI_ADDRESS,
        key_variable: str | None = "OPENAI_API_KEY",
        facts: ModelFacts = UNKNOWN,
        effort: str | None = None,
        timeout: float = 600.0,
    ) -> None:
        self._name = name
        self._provider = provider
        self._facts = facts
        self._effort = effort
        self._endpoint = openai_endpoint(provider, name, base_url, key_variable)
        self._clients = openai_clients(provider, base_url, api_key, timeout)
        # What the model has refused so far; filled at its first refusal, so that it is asked in vain only once.
        self._refused: set[str] = set()

    @property
    def name(self) -> str:
        """The model as "provider/name"."""
        return self._endpoint.model

    async def complete(self, request: ChatRequest) -> ChatResponse:
        """Answer in one piece; raises `ModelError`."""
        completion = await self._send(request, stream=False)
        answer = _Answer()
        try:
            answer.take_completion(completion)
        except _MISSHAPEN as error:
            raise invalid(self._endpoint, f"has no choices; it begins with {str(completion)[:80]!r}") from error
        return self._respond(request, answer)

    async def stream(self, request: ChatRequest) -> AsyncIterator[ChatEvent]:
        """Answer in pieces; raises `ModelError`."""
        chunks = await self._send(request, stream=True)
        answer = _Answer()
        try:
            while (chunk := await next_event(chunks, self._endpoint, request.deadline)) is not None:
                try:
                    piece = answer.take_chunk(chunk)
                except _MISSHAPEN as error:
                    raise invalid(self._endpoint, "is not a stream of chat completion chunks") from error
                if piece:
                    yield TextDelta(piece)
        except TransientError:
            if answer.finish is None:  # otherwise the answer is whole, and only the usage is missing
                raise
        finally:
            await chunks.close()
        if answer.finish is None:
            raise broken_off(self._endpoint)
        yield Completed(self._respond(request, answer))

    async def close(self) -> None:
        """Close the connections."""
        await self._clients.close()

    async def _send(self, request: ChatRequest, *, stream: bool) -> Any:
        arguments = {key: value for key, value in self._arguments(request).items() if key not in self._refused}
        if stream:
            arguments |= {"stream": True, "stream_options": {"include_usage": True}}
        while True:
            try:
                async with calling(self._endpoint, request.deadline):
                    return await _post(await self._clients.get(), arguments)
            except BadRequestError as error:
                refused = _refused_option(error, arguments)
                if refused is None:
                    raise
                self._refused.add(refused)
                del arguments[refused]

    def _arguments(self, request: ChatRequest) -> dict[str, Any]:
        options = request.options
        # OpenAI has renamed the limit, because it now covers reasoning too; other servers know the old name.
        limit = "max_completion_tokens" if self._provider == "openai" else "max_tokens"
        optional = {
            "temperature": None if self._facts.temperature is False else options.temperature,
            limit: _at_most(options.max_tokens, self._facts.max_output),
            "seed": options.seed,
            "stop": list(options.stop) or None,
            "tools": [_tool(tool) for tool in request.tools] or None,
            "tool_choice": _choice(request.tool_choice),
            "response_format": None if request.response_schema is None else _format(request.response_schema),
            "reasoning_effort": self._effort,
        }
        messages = [_message(message) for message in request.messages]
        return {"model": self._name, "messages": messages} | {k: v for k, v in optional.items() if v is not None}

    def _respond(self, request: ChatRequest, answer: _Answer) -> ChatResponse:
        finish = _FINISH.get(answer.finish or "", "other")
        if not answer.text and not answer.calls:
            self._explain_empty(finish)
        return ChatResponse(
            text=answer.text,
            model=f"{self._provider}/{answer.model or self._name}",
            usage=answer.usage(request),
            finish_reason="refusal" if answer.refused else finish,
            tool_calls=tuple(answer.calls.values()),
            refused=answer.refused,
        )

    def _explain_empty(self, finish: FinishReason) -> None:
        if finish == "content_filter":
            raise ContentFilterError(
                f"{self._endpoint.service}'s content policy withholds the answer.", model=self.name
            )
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
    refused: bool = False
    model: str | None = None
    counts: Mapping[str, Any] | None = None

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    def take_completion(self, completion: Any) -> None:
        choice = completion["choices"][0]
        message = choice["message"]
        self._take(message)
        self.finish = choice.get("finish_reason") or "stop"
        self._take_facts(completion)
        for index, call in enumerate(message.get("tool_calls") or ()):
            function = call["function"]
            self.calls[index] = ToolCall(text_of(call["id"]), text_of(function["name"]), text_of(function["arguments"]))

    def take_chunk(self, chunk: Any) -> str:
        """The new text in `chunk`."""
        self._take_facts(chunk)
        if not chunk["choices"]:  # the last chunk has only the usage
            return ""
        choice = chunk["choices"][0]
        self.finish = choice.get("finish_reason") or self.finish
        delta = choice.get("delta")
        if delta is None:
            return ""
        for call in delta.get("tool_calls") or ():
            known = self.calls.get(call["index"], ToolCall("", "", ""))
            function = call.get("function") or {}
            self.calls[call["index"]] = ToolCall(
                known.id or call.get("id") or "",
                known.name or function.get("name") or "",
                known.arguments + (function.get("arguments") or ""),
            )
        return self._take(delta)

    def _take(self, part: Mapping[str, Any]) -> str:
        refusal = part.get("refusal")
        self.refused = self.refused or bool(refusal)
        piece = (part.get("content") or "") + (refusal or "")
        self.pieces.append(piece)
        return piece

    def _take_facts(self, source: Mapping[str, Any]) -> None:
        self.model = source.get("model") or self.model
        self.counts = source.get("usage") or self.counts

    def usage(self, request: ChatRequest) -> Usage:
        counts = self.counts if isinstance(self.counts, Mapping) else {}
        details = counts.get("prompt_tokens_details")
        details = details if isinstance(details, Mapping) else {}
        written = "".join([self.text, *(call.arguments for call in self.calls.values())])
        return checked_usage(
            request,
            written,
            input_tokens=counts.get("prompt_tokens"),
            output_tokens=counts.get("completion_tokens"),
            cached=details.get("cached_tokens"),
            written=details.get("cache_write_tokens"),
        )


async def _post(client: AsyncOpenAI, arguments: Mapping[str, Any]) -> Any:
    """What `client.chat.completions.create` does, without walking arguments and answer through the SDK's types.

    That takes as long as all the rest of a call, and checks nothing: what comes back is the parsed JSON.
    """
    return await client.post(
        "/chat/completions",
        body=arguments,
        cast_to=object,
        stream=arguments.get("stream", False),
        stream_cls=require("openai", "openai").AsyncStream[object],
    )


def _message(message: Message) -> dict[str, Any]:
    if message.role == "tool":
        return {"role": "tool", "content": message.content, "tool_call_id": message.tool_call_id}
    sent: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        sent["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
    return sent


def _tool(tool: Tool) -> dict[str, Any]:
    function = {"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)}
    return {"type": "function", "function": function | ({"strict": True} if tool.strict else {})}


def _choice(choice: Literal["auto", "required"] | Tool) -> str | dict[str, Any] | None:
    if isinstance(choice, Tool):
        return {"type": "function", "function": {"name": choice.name}}
    return None if choice == "auto" else choice  # "auto" is the default


def _format(schema: Mapping[str, Any]) -> dict[str, Any]:
    name = re.sub(r"\W+", "_", str(schema.get("title", "answer")))[:64]
    described = {"name": name, "schema": dict(schema), "strict": is_strict(schema)}
    return {"type": "json_schema", "json_schema": described}


def _refused_option(error: BadRequestError, arguments: Mapping[str, Any]) -> str | None:
    message = error.message.lower()
    if not _REFUSAL.search(message):
        return None
    return next((option for option in _OPTIONAL if option in arguments and option in message), None)


def _at_most(wanted: int | None, most: int | None) -> int | None:
    return wanted if wanted is None or most is None else min(wanted, most)
