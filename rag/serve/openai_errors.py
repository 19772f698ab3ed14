"""What is wrong with a request to the OpenAI-compatible routes, told as OpenAI tells it: one parameter, one code.

The code of OpenAI's errors is the class's name ("invalid_value"), so these are named after OpenAI's codes. All but the
unknown model, which is 404, are answered with 400.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rag.serve.errors import BadRequestBodyError, FieldError, NotFoundError, RequestError

if TYPE_CHECKING:
    from pydantic import ValidationError

# What pydantic puts into a path beside the names of fields: the alternatives it has tried.
_ALTERNATIVES = frozenset({"str", "NamedTool"})
_TAGS = frozenset(
    {"system", "developer", "user", "assistant", "tool", "text", "refusal", "image_url", "input_audio", "file"}
)


class InvalidValueError(RequestError):
    """Raised for a parameter that is missing, of the wrong type or out of its range."""


class UnknownParameterError(RequestError):
    """Raised for a parameter that OpenAI does not have."""


class UnsupportedParameterError(RequestError):
    """Raised for a parameter that OpenAI has and this server cannot honour."""


class ModelNotFoundError(NotFoundError):
    """Raised for a model that is neither a knowledge base nor one of the gateway's."""


def refused(param: str, message: str, *, hint: str | None = None) -> UnsupportedParameterError:
    """The error for what `param` asks and cannot be had."""
    return UnsupportedParameterError(message, hint=hint, errors=[FieldError(param, message)])


def wrong(param: str, message: str, *, hint: str | None = None) -> InvalidValueError:
    """The error for a value of `param` that cannot be."""
    return InvalidValueError(message, hint=hint, errors=[FieldError(param, message)])


def unknown(param: str) -> UnknownParameterError:
    """The error for a parameter that OpenAI does not have."""
    message = f"There is no parameter '{param}'."
    return UnknownParameterError(message, errors=[FieldError(param, message)])


def invalid(error: ValidationError) -> RequestError:
    """What pydantic says of a body; OpenAI's errors name one parameter, so one problem is told."""
    problems: list[dict[str, Any]] = [dict(problem) for problem in error.errors(include_url=False)]
    # Of a value that may be a text or a list, the list's own problem says more than that it is no text.
    problem = next((found for found in problems if not _is_other_form(found)), problems[0])
    if problem["type"] == "json_invalid":
        reason = problem["msg"].removeprefix("Invalid JSON: ")
        return BadRequestBodyError(f"The body is not JSON: {reason}.")
    param = _param(problem["loc"])
    if problem["type"].startswith("union_tag"):
        return _untagged(param, problem)
    if problem["type"] == "extra_forbidden":
        return unknown(param)
    return wrong(param, f"{param or 'The body'}: {problem['msg']}.")


def _is_other_form(problem: Mapping[str, Any]) -> bool:
    return problem["type"] in ("string_type", "literal_error") and isinstance(problem["input"], list | dict)


def _untagged(param: str, problem: Mapping[str, Any]) -> RequestError:
    """The error for a message without a known role, or a part of one without a known type."""
    name = "role" if re.fullmatch(r"messages\.\d+", param) else "type"
    known = problem["ctx"].get("expected_tags", "")
    if not known:
        return wrong(f"{param}.{name}", f"{param}: the field '{name}' is missing.")
    return wrong(f"{param}.{name}", f"{param}.{name}: '{problem['ctx']['tag']}' is none of {known}.")


def _param(loc: Sequence[int | str]) -> str:
    """The path of a field, "messages.0.content"."""
    parts: list[str] = []
    for before, part in zip([None, *loc], loc, strict=False):
        alternative = isinstance(part, str) and (re.search(r"\W", part) or part in _ALTERNATIVES)
        if not alternative and not (isinstance(before, int) and part in _TAGS):
            parts.append(str(part))
    return ".".join(parts)
