"""Writes requests to OpenAI's chat completions, and what they share with those to its responses."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from routing.chat import ChatRequest, Image, Message, Tool
from routing.errors import BadRequestError, UnsupportedError
from routing.models.facts import UNKNOWN, ModelFacts
from routing.schemas import is_strict

# Options that only shape the answer: when a model refuses one, the call goes out again without it.
_OPTIONAL = ("temperature", "top_p", "seed")
_REFUSAL = re.compile(r"unsupported|not support|deprecated|not permitted|not allowed|unrecognized|unknown|unexpected")


@dataclass(frozen=True, slots=True)
class Setting:
    """How one model is asked: `effort` counts where a request says nothing of it, `key` is the server's."""

    provider: str
    name: str
    facts: ModelFacts = UNKNOWN
    effort: str | None = None
    key: str | None = field(default=None, repr=False)

    @property
    def model(self) -> str:
        """The model as "provider/name"."""
        return f"{self.provider}/{self.name}"

    def effort_of(self, request: ChatRequest) -> str | None:
        """How much the model is to think."""
        return self.effort if request.options.effort is None else request.options.effort

    def sampling(self, request: ChatRequest, option: Literal["temperature", "top_p"]) -> float | None:
        """The request's `temperature` or `top_p`, where the model takes it."""
        wanted: float | None = getattr(request.options, option)
        if wanted is None or self.facts.takes(option, self.effort_of(request)) is False:
            return None
        return wanted

    def limit(self, request: ChatRequest) -> int | None:
        """How many tokens the answer may have."""
        wanted, most = request.options.max_tokens, self.facts.max_output
        return wanted if wanted is None or most is None else min(wanted, most)

    def shared(self, request: ChatRequest) -> dict[str, Any]:
        """What both interfaces call by the same name; what is `None` is not sent."""
        tier = request.options.tier
        return {
            "model": self.name,
            "temperature": self.sampling(request, "temperature"),
            "top_p": self.sampling(request, "top_p"),
            # A server of one's own has no prices to choose from.
            "service_tier": None if tier == "standard" or self.provider == "vllm" else tier,
            # OpenAI keeps what it is sent, unless told; other servers may not know the word.
            "store": False if self.provider == "openai" else None,
            "cache_salt": self._salt(request.tags.tenant),
        }

    def schema(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        """A response schema as OpenAI names it; raises `UnsupportedError` for one that is not of an object."""
        if self.provider == "openai" and schema.get("type") != "object":
            raise UnsupportedError(
                f"{self.model} answers with JSON objects only, and this schema is of type {schema.get('type')!r}.",
                model=self.model,
                hint="Put it into an object, or use routing.structured.",
            )
        name = re.sub(r"\W+", "_", str(schema.get("title", "answer")))[:64]
        return {"name": name, "schema": dict(schema), "strict": is_strict(schema)}

    def _salt(self, tenant: str | None) -> str | None:
        """What keeps vLLM from reading one tenant's prompts out of another's cache: nobody can guess it."""
        if tenant is None or self.provider != "vllm":
            return None
        key = hashlib.sha256((self.key or "").encode()).digest()
        salt = hashlib.blake2b(tenant.encode(), key=key, digest_size=32, person=b"plumbline").digest()
        return base64.urlsafe_b64encode(salt).decode().rstrip("=")


def chat_body(setting: Setting, request: ChatRequest) -> dict[str, Any]:
    """The body of a request to /v1/chat/completions."""
    options = request.options
    # OpenAI has renamed the limit, because it now covers reasoning too; other servers know the old name.
    limit = "max_completion_tokens" if setting.provider == "openai" else "max_tokens"
    schema = request.response_schema
    body = setting.shared(request) | {
        **messages_and_tools(request),
        limit: setting.limit(request),
        "seed": None if setting.facts.seed is False else options.seed,
        "stop": list(options.stop) or None,
        "logprobs": None if options.logprobs is None else True,
        "top_logprobs": options.logprobs,
        "tool_choice": _choice(request.tool_choice) if request.tools else None,
        "response_format": None if schema is None else {"type": "json_schema", "json_schema": setting.schema(schema)},
        "reasoning_effort": setting.effort_of(request),
    }
    return {key: value for key, value in body.items() if value is not None}


def messages_and_tools(request: ChatRequest, *, with_images: bool = True) -> dict[str, Any]:
    """What a model reads of a request to chat completions."""
    messages = [_message(message if with_images else replace(message, images=())) for message in request.messages]
    return {"messages": messages} | ({"tools": [_tool(tool) for tool in request.tools]} if request.tools else {})


def refused_option(error: BadRequestError, body: Mapping[str, Any]) -> str | None:
    """Which option of `body`, one that can be left out, the model refuses to take at all."""
    message = error.message.lower()
    if not _REFUSAL.search(message):
        return None
    return next((option for option in _OPTIONAL if option in body and option in message), None)


def image_address(image: Image) -> str:
    """Where an image is found: its URL, or its data as one (RFC 2397)."""
    if image.data is None:
        return image.url or ""
    return f"data:{image.media_type};base64,{base64.b64encode(image.data).decode()}"


def _message(message: Message) -> dict[str, Any]:
    if message.role == "tool":
        return {"role": "tool", "content": message.content, "tool_call_id": message.tool_call_id}
    sent: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.images:
        parts: list[dict[str, Any]] = [
            {"type": "image_url", "image_url": {"url": image_address(image), "detail": image.detail}}
            for image in message.images
        ]
        sent["content"] = [*parts, {"type": "text", "text": message.content}]
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
