"""The messages of `POST /v1/chat/completions`, as OpenAI's clients send them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Part(BaseModel):
    """A piece of the body: what it does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class TextPart(Part):
    """A piece of text; where it may be cached is a hint."""

    type: Literal["text"]
    text: str
    prompt_cache_breakpoint: Any = None


class RefusalPart(Part):
    """A piece of an earlier refusal."""

    type: Literal["refusal"]
    refusal: str


class MediaPart(BaseModel):
    """An image, a sound or a file: understood, so that it can be refused by name."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)

    type: Literal["image_url", "input_audio", "file"]


ContentPart = Annotated[TextPart | RefusalPart | MediaPart, Field(discriminator="type")]
Content = str | Annotated[list[ContentPart], Field(min_length=1)]


class SystemMessage(Part):
    """Instructions; "developer" is OpenAI's newer word for "system"."""

    role: Literal["system", "developer"]
    content: Content
    name: str | None = None


class UserMessage(Part):
    """What the user says."""

    role: Literal["user"]
    content: Content
    name: str | None = None


class FunctionCall(Part):
    """A function with its arguments as JSON text."""

    name: str
    arguments: str


class FunctionToolCall(Part):
    """A call the assistant asked for."""

    id: str
    type: Literal["function"]
    function: FunctionCall


class AssistantMessage(Part):
    """What the model said before; clients send it back with the empty fields that they got it with."""

    role: Literal["assistant"]
    content: Content | None = None
    refusal: str | None = None
    tool_calls: list[FunctionToolCall] | None = None
    name: str | None = None
    annotations: Any = None
    audio: None = None
    function_call: None = None


class ToolMessage(Part):
    """What a tool gave; its name is known from the call."""

    role: Literal["tool"]
    content: Content
    tool_call_id: str
    name: str | None = None


AnyMessage = Annotated[SystemMessage | UserMessage | AssistantMessage | ToolMessage, Field(discriminator="role")]
