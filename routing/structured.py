"""Answers as objects: a pydantic model in, a validated instance of it out, from any chat model.

Where the provider has a way of its own to keep an answer to a schema, it is used; otherwise the schema goes into the
prompt. An answer that does not satisfy it is sent back once, with what is wrong.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Generic, Protocol, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic.errors import PydanticUserError

from plumbline.errors import InputError
from plumbline.prompts import load_prompt
from routing.chat import ChatRequest, ChatResponse, Message
from routing.cost.prices import total_cost
from routing.errors import BadRequestError, ContentFilterError, ContextLengthError, SchemaError, UnsupportedError
from routing.schemas import strict_schema

M = TypeVar("M", bound=BaseModel)

# How servers say that it is the schema that they cannot work with.
_ABOUT_SCHEMA = re.compile(r"schema|response_format|structured|grammar|guided", re.IGNORECASE)
_BEGINS = re.compile(r"[{\[]")
_MEANT = re.compile(r'\{\s*"')  # a JSON object, where prose has other things in brackets
_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*"?|[{}\[\]]', re.DOTALL)
_MOST_BEGINNINGS = 200  # places in a text at which JSON is looked for
_MOST_PROBLEMS = 12  # told to the model


class Completes(Protocol):
    """What answers a request in one piece: a router, or a model."""

    async def complete(self, request: ChatRequest) -> ChatResponse:
        """Answer; raises `ModelError`."""
        ...


async def structured(model: Completes, request: ChatRequest, kind: type[M]) -> tuple[M, ChatResponse]:
    """`model`'s answer as an instance of `kind`, and the response it comes from.

    The response's usage, cost and attempts are those of all that was asked. Raises `SchemaError` when the answer and
    its repair do not satisfy the schema, or the answer is cut off; `ContentFilterError` when the model refuses;
    `InputError` for a `kind` that has no JSON schema, or a request with tools; and what `model` raises.
    """
    if request.tools:
        raise InputError("A structured answer cannot be asked for together with tools.", hint="Leave the tools out.")
    form = _Form(kind, _schema_of(kind))
    asked, first = await _ask(model, request, form)
    found = _read(form, first)
    if not isinstance(found, str):
        return found, first
    second = await model.complete(_repair(asked, first, found, form))
    response = _joined(first, second)
    repaired = _read(form, second)
    if isinstance(repaired, str):
        raise SchemaError(
            f"{second.model} did not answer in the form of {kind.__name__}, nor when asked again: {repaired}",
            model=second.model,
        )
    return repaired, response


@dataclass(frozen=True, slots=True)
class _Form(Generic[M]):
    """What is asked for: `schema` is that of `kind`, strict where it can be."""

    kind: type[M]
    schema: Mapping[str, Any]

    @property
    def written(self) -> str:
        return json.dumps(dict(self.schema), ensure_ascii=False)


def _schema_of(kind: type[BaseModel]) -> Mapping[str, Any]:
    try:
        schema = kind.model_json_schema()
    except PydanticUserError as error:
        raise InputError(f"{kind.__name__} has no JSON schema: {error.message}") from error
    return strict_schema(schema) or schema


async def _ask(model: Completes, request: ChatRequest, form: _Form[M]) -> tuple[ChatRequest, ChatResponse]:
    """The request that was answered, and the answer."""
    native = replace(request, response_schema=form.schema)
    try:
        return native, await model.complete(native)
    except (UnsupportedError, BadRequestError) as error:
        # An unsupported something else is refused again below, before anything is sent.
        if not isinstance(error, UnsupportedError) and not _is_about_schema(error):
            raise
    written = _with_turn(request, load_prompt("structured").render({"schema": form.written}))
    return written, await model.complete(written)


def _is_about_schema(error: BadRequestError) -> bool:
    return not isinstance(error, ContextLengthError) and _ABOUT_SCHEMA.search(error.message) is not None


def _with_turn(request: ChatRequest, text: str) -> ChatRequest:
    """`request` with `text` at the end of the user's last turn, or as one of its own."""
    *before, last = request.messages
    if last.role == "user":
        turns = (*before, replace(last, content=f"{last.content}\n\n{text}"))
    else:
        turns = (*request.messages, Message("user", text))
    return replace(request, messages=turns, response_schema=None)


def _repair(asked: ChatRequest, answer: ChatResponse, problems: str, form: _Form[M]) -> ChatRequest:
    told = load_prompt("structured_repair").render({"problems": problems, "schema": form.written})
    return replace(asked, messages=(*asked.messages, Message("assistant", answer.text), Message("user", told)))


def _read(form: _Form[M], response: ChatResponse) -> M | str:
    """The object in the answer, or what is wrong with it. The last of several counts: what stands before is drafts."""
    if response.refused:
        raise ContentFilterError(f"{response.model} refuses to answer: {response.text}", model=response.model)
    problems = "It holds no JSON."
    for candidate in reversed(list(_candidates(response.text))):
        try:
            return form.kind.model_validate_json(candidate)
        except ValidationError as error:
            if problems == "It holds no JSON.":
                problems = _told(error)
    if response.finish_reason == "length":
        raise SchemaError(
            f"The answer of {response.model} was cut off before its JSON ended.",
            model=response.model,
            hint="Allow more tokens (max_tokens), or ask for less.",
        )
    return problems


def _candidates(text: str) -> Iterator[str]:
    """Every outermost JSON object or list in the text, in order; or the whole text, where it is JSON of another kind.

    What stands before the end of a thought ("</think>") is not looked at, nor what is inside of a broken one: a part of
    an answer may satisfy the schema of the whole.
    """
    text = text.rpartition("</think>")[2].strip()
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        yield from _inside(text)
    else:
        yield text


def _inside(text: str) -> Iterator[str]:
    decoder = json.JSONDecoder()
    position = 0
    for _ in range(_MOST_BEGINNINGS):
        begins = _BEGINS.search(text, position)
        if begins is None:
            return
        try:
            _, position = decoder.raw_decode(text, begins.start())
        except (ValueError, RecursionError):
            position = _end_of_broken(text, begins.start()) if _MEANT.match(text, begins.start()) else begins.end()
        else:
            yield text[begins.start() : position]


def _end_of_broken(text: str, start: int) -> int:
    """Where the bracket at `start` is closed again, the end of the text where it never is."""
    depth = 0
    for found in _BRACKETS.finditer(text, start):
        depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(found[0], 0)
        if not depth:
            return found.end()
    return len(text)


def _told(error: ValidationError) -> str:
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    told = [
        f"{'.'.join(map(str, problem['loc'])) or 'the value'}: {problem['msg']}"
        for problem in problems[:_MOST_PROBLEMS]
    ]
    more = len(problems) - len(told)
    return "; ".join([*told, *([f"and {more} more"] if more > 0 else ())]) + "."


def _joined(first: ChatResponse, second: ChatResponse) -> ChatResponse:
    return replace(
        second,
        usage=first.usage + second.usage,
        cost=total_cost([first.cost, second.cost]),
        attempts=(*first.attempts, *second.attempts),
    )
