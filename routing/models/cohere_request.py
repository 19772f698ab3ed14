"""What is sent to Cohere: the arguments of `chat` for one request.

Source: the parameter types of the SDK `cohere` 7.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from routing.chat import ChatRequest, Evidence, Image, Message, Tool
from routing.errors import UnsupportedError
from routing.models.facts import ModelFacts

_MOST_STOPS = 5
_EFFORTS = ("enabled", "disabled", "none")
_LEAST_P, _MOST_P = 0.01, 0.99


@dataclass(frozen=True, slots=True)
class ChatFormat:
    """How requests to one model are written.

    `effort` counts where a request says nothing of it. `citations` hands the evidence over as documents that the model
    cites.
    """

    name: str
    facts: ModelFacts
    effort: str | None = None
    citations: bool = False

    def arguments(self, request: ChatRequest) -> dict[str, Any]:
        """The arguments; raises `UnsupportedError` for what Cohere takes in no form."""
        options = request.options
        self._check(request)
        documents = [_document(place, request.evidence[place]) for place in self.documents(request)]
        optional = {
            "documents": documents or None,
            "response_format": None
            if request.response_schema is None
            else {"type": "json_object", "json_schema": dict(request.response_schema)},
            "max_tokens": _at_most(options.max_tokens, self.facts.max_output),
            "stop_sequences": list(options.stop) or None,
            "temperature": None if self.facts.temperature is False else options.temperature,
            "p": self._top_p(options.top_p),
            "seed": None if self.facts.seed is False else options.seed,
            "logprobs": None if options.logprobs is None else True,
            "thinking": self._thinking(self._effort(request)),
        }
        return {
            "model": self.name,
            "messages": [self._message(message) for message in request.messages],
        } | {key: value for key, value in (optional | _tools(request)).items() if value is not None}

    def effort_of(self, request: ChatRequest) -> str | None:
        """The word for how much it is to think, of those that only some models know; a number is none."""
        effort = self._effort(request)
        return effort if effort in _EFFORTS else None

    def documents(self, request: ChatRequest) -> tuple[int, ...]:
        """Which passages of the evidence are handed over as documents, by their places in `request.evidence`.

        None are when a schema shapes the answer: Cohere does not do both.
        """
        if not self.citations or request.response_schema is not None:
            return ()
        return tuple(place for place, passage in enumerate(request.evidence) if passage.text.strip())

    def _effort(self, request: ChatRequest) -> str | None:
        return self.effort if request.options.effort is None else request.options.effort

    def _top_p(self, wanted: float | None) -> float | None:
        if wanted is None or self.facts.top_p is False:
            return None
        return min(max(wanted, _LEAST_P), _MOST_P)

    def _check(self, request: ChatRequest) -> None:
        options = request.options
        if options.logprobs:
            raise self._unsupported("gives log-probabilities of its own tokens only", "Ask with logprobs: 0.")
        if options.tier != "standard":
            raise self._unsupported(f"has no tier '{options.tier}'", "There is standard.")
        if len(options.stop) > _MOST_STOPS:
            raise self._unsupported(f"takes {_MOST_STOPS} stop texts at most, not {len(options.stop)}", "Give fewer.")
        if request.response_schema is not None and request.tools:
            raise self._unsupported("takes a schema of its answer or tools, not both", "Leave one of them out.")

    def _thinking(self, effort: str | None) -> dict[str, Any] | None:
        if effort is None:
            return None
        if effort in ("none", "disabled"):
            return {"type": "disabled"}
        if effort == "enabled":
            return {"type": "enabled"}
        if not (effort.isascii() and effort.isdigit()) or int(effort) < 1:
            raise self._unsupported(
                f"knows no effort '{effort}'", "There are enabled, none, and a number of tokens to think with."
            )
        return {"type": "enabled", "token_budget": int(effort)}

    def _message(self, message: Message) -> dict[str, Any]:
        if message.role == "tool":
            return {"role": "tool", "tool_call_id": message.tool_call_id, "content": message.content}
        if message.tool_calls:
            # What stands beside calls of tools is a plan at Cohere.
            plan = {"tool_plan": message.content} if message.content else {}
            calls = [
                {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
                for call in message.tool_calls
            ]
            return {"role": message.role, "tool_calls": calls} | plan
        if not message.images:
            return {"role": message.role, "content": message.content}
        blocks: list[dict[str, Any]] = [
            {"type": "image_url", "image_url": {"url": self._address(image), "detail": image.detail}}
            for image in message.images
        ]
        if message.content:
            blocks.append({"type": "text", "text": message.content})
        return {"role": message.role, "content": blocks}

    @staticmethod
    def _address(image: Image) -> str:
        if image.data is not None:
            return f"data:{image.media_type};base64,{base64.b64encode(image.data).decode()}"
        return image.url or ""

    def _unsupported(self, what: str, hint: str) -> UnsupportedError:
        return UnsupportedError(f"cohere/{self.name} {what}.", model=f"cohere/{self.name}", hint=hint)


def _tools(request: ChatRequest) -> dict[str, Any]:
    """Cohere knows no call of one certain tool: when there is no other, having to call any comes to the same."""
    if not request.tools:
        return {}
    chosen = request.tool_choice
    offered: Sequence[Tool] = [chosen] if isinstance(chosen, Tool) else request.tools
    return {
        "tools": [_tool(tool) for tool in offered],
        "strict_tools": True if all(tool.strict for tool in offered) else None,
        "tool_choice": None if chosen == "auto" else "REQUIRED",  # to be free is the default
    }


def _tool(tool: Tool) -> dict[str, Any]:
    function = {"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)}
    return {"type": "function", "function": function}


def _document(place: int, passage: Evidence) -> dict[str, Any]:
    """The passage under its place as its name, which citations repeat."""
    return {"id": str(place), "data": {"title": passage.document, "text": passage.text}}


def _at_most(wanted: int | None, most: int | None) -> int | None:
    return wanted if wanted is None or most is None else min(wanted, most)
