"""The body of `POST /v1/chat/completions`: what of it is honoured, what is refused, and what makes no difference.

Source: the parameters of the SDK `openai` 3 (`openai.types.chat.completion_create_params`). What would change the
answer and cannot be honoured is refused by name, so that no client believes that it was.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rag.serve.limits import LONGEST_FILTER
from rag.serve.openai_errors import invalid, refused, unknown, wrong
from rag.serve.openai_messages import AnyMessage, Part
from rag.serve.wants import WantsInput
from routing.schemas import is_strict

HARMLESS = frozenset({"user", "safety_identifier", "metadata", "store", "prompt_cache_key", "prompt_cache_options"})
"""Parameters that say nothing about the answer: accepted, and without effect."""

_NEUTRAL: Mapping[str, Sequence[Any]] = {
    "audio": (),
    "frequency_penalty": (0,),
    "function_call": (),
    "functions": ([],),
    "logit_bias": ({},),
    "logprobs": (False,),
    "modalities": (["text"],),
    "moderation": (),
    "n": (1,),
    "parallel_tool_calls": (True,),
    "prediction": (),
    "presence_penalty": (0,),
    "prompt_cache_retention": (),
    "reasoning_effort": (),
    "service_tier": ("auto", "default"),
    "top_logprobs": (0,),
    "top_p": (1,),
    "verbosity": (),
    "web_search_options": (),
}
"""Parameters that are refused unless they have one of these values, which ask for what is done anyway."""

_INSTEAD = {
    "function_call": "Use 'tools' and 'tool_choice'.",
    "functions": "Use 'tools'.",
    "n": "Send the request several times.",
    "reasoning_effort": "Leave it out: the model's own default holds.",
    "top_p": "Use 'temperature'.",
}


class StreamOptions(Part):
    """`include_usage` asks for a last chunk with the usage; obfuscation is padding, which is never sent."""

    include_usage: bool | None = None
    include_obfuscation: bool | None = None


class Function(Part):
    """A function the model may call; without `parameters` it takes none."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class FunctionTool(Part):
    """A tool; others than functions are OpenAI's own."""

    type: Literal["function"]
    function: Function


class NamedFunction(Part):
    """The function that has to be called."""

    name: str


class NamedTool(Part):
    """A `tool_choice` that names the tool."""

    type: Literal["function"]
    function: NamedFunction


class JsonSchema(Part):
    """The schema that the answer must satisfy, `schema` in JSON."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    description: str | None = None
    content: Annotated[dict[str, Any], Field(alias="schema")]
    strict: bool | None = None


class ResponseFormat(Part):
    """The form of the answer."""

    type: Literal["text", "json_schema", "json_object"]
    json_schema: JsonSchema | None = None


class Options(Part):
    """What this server has beside OpenAI's parameters: `filter` limits what a knowledge base searches, `wants` is asked
    of whoever is asked on the way.
    """

    filter: Annotated[str, Field(max_length=LONGEST_FILTER)] | None = None
    wants: WantsInput | None = None


class ChatBody(BaseModel):
    """The body, checked. What is not a field here is in `model_extra`, and harmless or neutral."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)

    model: str
    messages: Annotated[list[AnyMessage], Field(min_length=1)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    seed: int | None = None
    stop: str | Annotated[list[str], Field(max_length=4)] | None = None
    tools: Annotated[list[FunctionTool], Field(max_length=128)] | None = None
    tool_choice: Literal["none", "auto", "required"] | NamedTool | None = None
    response_format: ResponseFormat | None = None
    plumbline: Options | None = None

    @property
    def include_usage(self) -> bool:
        """Whether a stream ends with its usage."""
        return bool(self.stream_options and self.stream_options.include_usage)


def read_chat_body(data: bytes) -> ChatBody:
    """The body from its JSON.

    Raises `BadRequestBodyError` for broken JSON, `InvalidValueError` for wrong values, `UnknownParameterError`, and
    `UnsupportedParameterError` for JSON without a schema. See also `check_extras`.
    """
    try:
        body = ChatBody.model_validate_json(data)
    except ValidationError as error:
        raise invalid(error) from error
    _check_together(body)
    return body


def check_extras(body: ChatBody, *, without_effect: Collection[str] = ()) -> None:
    """Raise for parameters that cannot be honoured, except those that are said to have no effect."""
    for name, value in (body.model_extra or {}).items():
        if name in HARMLESS or name in without_effect:
            continue
        if name not in _NEUTRAL:
            raise unknown(name)
        if value is not None and value not in _NEUTRAL[name]:
            raise refused(name, f"This server does not support '{name}'.", hint=_INSTEAD.get(name, "Leave it out."))


def _check_together(body: ChatBody) -> None:
    """What one field alone does not show."""
    if body.stream_options is not None and not body.stream:
        raise wrong("stream_options", "'stream_options' is only allowed with 'stream': true.")
    if body.max_tokens is not None and body.max_completion_tokens not in (None, body.max_tokens):
        raise wrong("max_tokens", "'max_tokens' and 'max_completion_tokens' say different things.")
    if body.tool_choice is not None and not body.tools:
        raise wrong("tool_choice", "'tool_choice' is only allowed with 'tools'.")
    form = body.response_format
    if form is not None and form.type == "json_object":
        raise refused(
            "response_format.type", "This server does not support JSON without a schema.", hint="Use 'json_schema'."
        )
    if form is not None and (form.type == "json_schema") != (form.json_schema is not None):
        raise wrong(
            "response_format.json_schema", "'json_schema' is needed with the type 'json_schema', and only then."
        )
    if form is not None and form.json_schema is not None:
        _check_strict("response_format.json_schema.schema", form.json_schema.strict, form.json_schema.content)
    for place, tool in enumerate(body.tools or ()):
        _check_strict(f"tools.{place}.function.parameters", tool.function.strict, tool.function.parameters or {})


def _check_strict(param: str, strict: bool | None, schema: Mapping[str, Any]) -> None:
    if strict and not is_strict(schema):
        raise wrong(
            param,
            "A strict schema has 'additionalProperties': false, and lists all properties under 'required', everywhere.",
        )
