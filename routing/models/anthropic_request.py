"""What is sent to Anthropic: the body of `POST /v1/messages` for one request.

Source: the parameter types of the SDK `anthropic` 2.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from plumbline.extras import require
from routing.chat import ChatOptions, ChatRequest, Evidence, Image, Message, Tier, Tool
from routing.errors import BadRequestError, UnsupportedError
from routing.models.facts import ModelFacts

DEFAULT_MAX_TOKENS = 4096
"""The limit of an answer when the request gives none: Anthropic requires one."""

CacheTime = Literal["5m", "1h"]
_EFFORTS = ("low", "medium", "high", "xhigh", "max")
_IMAGES = ("image/jpeg", "image/png", "image/gif", "image/webp")
# "auto" takes the capacity that was bought ahead, where there is some left.
_TIERS: Mapping[Tier, str | None] = {"standard": "standard_only", "priority": "auto", "batch": None}


@dataclass(frozen=True, slots=True)
class MessagesFormat:
    """How requests to one model are written.

    `effort` counts where a request says nothing of it. `cache_time` is how long a system prompt is kept that is to be
    cached. `citations` hands the evidence over as documents that the model cites.
    """

    name: str
    facts: ModelFacts
    effort: str | None = None
    cache_time: CacheTime = "5m"
    citations: bool = False

    def body(self, request: ChatRequest) -> dict[str, Any]:
        """The body; raises `UnsupportedError` or `BadRequestError` for what Anthropic takes in no form."""
        options = request.options
        if options.logprobs is not None:
            raise self._unsupported("gives no log-probabilities", "Leave logprobs out.")
        effort = self.effort if options.effort is None else options.effort
        thinking = self._thinking(effort, forced=bool(request.tools) and request.tool_choice != "auto")
        optional = {
            "system": self._system(request),
            "stop_sequences": list(options.stop) or None,
            "tools": [_tool(tool) for tool in request.tools] or None,
            "tool_choice": _choice(request.tool_choice) if request.tools else None,
            "output_config": self._output(request.response_schema, effort) or None,
            "thinking": thinking,
            "service_tier": self._tier(options.tier),
        }
        return {
            "model": self.name,
            "max_tokens": self._max_tokens(options, 0 if thinking is None else thinking.get("budget_tokens", 0)),
            "messages": self._turns(request),
        } | {key: value for key, value in optional.items() if value is not None}

    def effort_of(self, request: ChatRequest) -> str | None:
        """The word for how much it is to think, of those that only some models know."""
        effort = self.effort if request.options.effort is None else request.options.effort
        return effort if effort in _EFFORTS else None

    def documents(self, request: ChatRequest) -> tuple[int, ...]:
        """Which passages of the evidence are handed over as documents, by their places in `request.evidence`.

        None are when a schema shapes the answer: Anthropic does not do both.
        """
        if not self.citations or request.response_schema is not None:
            return ()
        return tuple(place for place, passage in enumerate(request.evidence) if passage.text.strip())

    def _max_tokens(self, options: ChatOptions, thought: int) -> int:
        wanted = options.max_tokens or DEFAULT_MAX_TOKENS + thought
        limit = min(wanted, self.facts.max_output or wanted)
        if thought >= limit:
            raise self._unsupported(
                f"cannot think with {thought} tokens of the {limit} that its answer may have",
                "Allow more with generation.max_tokens, or set a smaller effort.",
            )
        return limit

    def _thinking(self, effort: str | None, *, forced: bool) -> dict[str, Any] | None:
        """`forced` says that a tool has to be called: a model that thinks chooses freely."""
        if effort is None:
            return None
        if effort in _EFFORTS:
            return {"type": "adaptive"} if self.facts.adaptive and not forced else None
        if effort == "none":
            return {"type": "disabled"}
        if not (effort.isascii() and effort.isdigit()) or int(effort) < 1024:
            raise self._unsupported(
                f"knows no effort '{effort}'",
                f"There are {', '.join(_EFFORTS)}, none, and a number of tokens to think with, at least 1024.",
            )
        if forced:
            raise self._unsupported("cannot think and have to call a tool", "Set no effort, or leave the choice to it.")
        return {"type": "enabled", "budget_tokens": int(effort)}

    def _output(self, schema: Mapping[str, Any] | None, effort: str | None) -> dict[str, Any]:
        output: dict[str, Any] = {"effort": effort} if effort in _EFFORTS else {}
        if schema is not None:
            try:
                shaped = require("anthropic", "anthropic").transform_schema(dict(schema))
            except (AssertionError, TypeError, ValueError) as error:
                raise self._refused(f"Anthropic takes no such schema: {error}.") from error
            output["format"] = {"type": "json_schema", "schema": shaped}
        return output

    def _tier(self, tier: Tier) -> str | None:
        if tier not in _TIERS:
            raise self._unsupported(f"has no tier '{tier}'", f"There are {', '.join(_TIERS)}.")
        return _TIERS[tier]

    def _system(self, request: ChatRequest) -> str | list[dict[str, Any]] | None:
        """The system prompt, marked when it is to be cached: Anthropic caches nothing that is not marked."""
        text = "\n\n".join(message.content for message in request.messages if message.role == "system")
        if not text or not request.cache_system:
            return text or None
        kept = {"type": "ephemeral"} | ({"ttl": "1h"} if self.cache_time == "1h" else {})
        return [{"type": "text", "text": text, "cache_control": kept}]

    def _turns(self, request: ChatRequest) -> list[dict[str, Any]]:
        """The turns, those of the same role in a row made one: answers to parallel tool calls belong together."""
        documents = [_document(request.evidence[place]) for place in self.documents(request)]
        asked = _last_of_user(request.messages)
        turns: list[dict[str, Any]] = []
        for place, message in enumerate(request.messages):
            if message.role == "system":
                continue
            role = "assistant" if message.role == "assistant" else "user"
            blocks = [*(documents if place == asked else ()), *self._blocks(message)]
            if turns and turns[-1]["role"] == role:
                turns[-1]["content"].extend(blocks)
            else:
                turns.append({"role": role, "content": blocks})
        return turns

    def _blocks(self, message: Message) -> list[dict[str, Any]]:
        if message.role == "tool":
            return [{"type": "tool_result", "tool_use_id": message.tool_call_id, "content": message.content}]
        blocks = [{"type": "image", "source": self._source(image)} for image in message.images]
        if message.content:
            blocks.append({"type": "text", "text": message.content})
        for call in message.tool_calls:
            try:
                arguments = json.loads(call.arguments or "{}")
            except ValueError as error:
                raise self._refused(f"The arguments of the call of '{call.name}' are not JSON: {error}.") from error
            blocks.append({"type": "tool_use", "id": call.id, "name": call.name, "input": arguments})
        return blocks

    def _source(self, image: Image) -> dict[str, str]:
        if image.data is None:
            return {"type": "url", "url": image.url or ""}
        if image.media_type not in _IMAGES:
            raise self._unsupported(
                f"reads no image of the type '{image.media_type}'", f"It reads {', '.join(_IMAGES)}."
            )
        return {"type": "base64", "media_type": image.media_type, "data": base64.b64encode(image.data).decode()}

    def _unsupported(self, what: str, hint: str) -> UnsupportedError:
        return UnsupportedError(f"anthropic/{self.name} {what}.", model=f"anthropic/{self.name}", hint=hint)

    def _refused(self, message: str) -> BadRequestError:
        return BadRequestError(message, model=f"anthropic/{self.name}")


def _last_of_user(messages: Sequence[Message]) -> int | None:
    return next((place for place in reversed(range(len(messages))) if messages[place].role == "user"), None)


def _document(passage: Evidence) -> dict[str, Any]:
    source = {"type": "text", "media_type": "text/plain", "data": passage.text}
    described: dict[str, Any] = {"type": "document", "source": source, "citations": {"enabled": True}}
    return described | ({"title": passage.document} if passage.document else {})


def _tool(tool: Tool) -> dict[str, Any]:
    described = {"name": tool.name, "description": tool.description, "input_schema": dict(tool.parameters)}
    return described | ({"strict": True} if tool.strict else {})


def _choice(choice: Literal["auto", "required"] | Tool) -> dict[str, str] | None:
    if isinstance(choice, Tool):
        return {"type": "tool", "name": choice.name}
    return None if choice == "auto" else {"type": "any"}  # "auto" is the default
