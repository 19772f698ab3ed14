"""Errors as problems (RFC 9457): every error of ours has a status, a slug and a title.

A problem's type is "urn:plumbline:problem:SLUG", the slug the error's class in kebab case. Routes under /v1/ answer in
OpenAI's shape instead.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from plumbline.errors import (
    ConfigError,
    CorruptStateError,
    InputError,
    MissingExtraError,
    NewerStateError,
    PlumblineError,
    StateError,
    StorageError,
)
from rag.errors import KnowledgeBaseMismatchError, LoadError, NoDocumentsError, RagError, TooLargeError
from rag.serve.errors import FieldError, RequestError
from routing import errors as calls

MEDIA_TYPE = "application/problem+json"
URN = "urn:plumbline:problem:"
OPENAI_PREFIX = "/v1/"
_LONGEST = 86_400.0  # seconds that a client is told to wait, whatever a provider says

# The nearest class above an error that stands here gives its status. 502 is an answer of the provider's that cannot be
# used, 503 worth another try later, 500 for what the operator of this server has to mend.
_STATUS: Mapping[type[PlumblineError], int] = {
    ConfigError: 500,
    InputError: 400,
    MissingExtraError: 500,
    StateError: 500,
    CorruptStateError: 500,
    NewerStateError: 500,
    StorageError: 507,
    RagError: 500,
    NoDocumentsError: 422,
    KnowledgeBaseMismatchError: 500,
    LoadError: 422,
    TooLargeError: 413,
    calls.ModelError: 502,
    calls.UnknownModelError: 404,
    calls.MissingKeyError: 500,
    calls.AuthenticationError: 502,
    calls.ModelNotFoundError: 502,
    calls.BadRequestError: 400,
    calls.ContextLengthError: 400,
    calls.ContentFilterError: 422,
    calls.InvalidResponseError: 502,
    calls.UnsupportedError: 400,
    calls.BudgetError: 402,
    calls.TransientError: 503,
    calls.RateLimitError: 429,
    calls.DeadlineError: 504,
    calls.LimitError: 429,
}


@dataclass(frozen=True, slots=True)
class Problem:
    """What goes wrong with one request, as the client is told it."""

    slug: str
    status: int
    title: str
    detail: str
    hint: str | None = None
    errors: tuple[FieldError, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, error: PlumblineError) -> Problem:
        """From an error."""
        slug = slug_of(type(error))
        headers: dict[str, str] = {}
        errors: tuple[FieldError, ...] = ()
        if isinstance(error, RequestError):
            errors, headers = error.errors, error.headers
        if isinstance(error, calls.TransientError) and error.retry_after is not None:
            headers = {"retry-after": str(max(1, math.ceil(min(error.retry_after, _LONGEST))))}
        title = slug.replace("-", " ").capitalize()
        return cls(slug, status_of(error), title, error.message, error.hint, errors, headers)

    def document(self, instance: str) -> dict[str, Any]:
        """The JSON of RFC 9457; `instance` is the request's id."""
        found: dict[str, Any] = {
            "type": URN + self.slug,
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "instance": instance,
        }
        if self.hint:
            found["hint"] = self.hint
        if self.errors:
            found["errors"] = [{"field": error.field, "message": error.message} for error in self.errors]
        return found

    def openai(self) -> dict[str, Any]:
        """The JSON of OpenAI's errors."""
        kinds = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error"}
        kind = kinds.get(self.status, "server_error" if self.status >= 500 else "invalid_request_error")
        message = f"{self.detail} {self.hint}" if self.hint else self.detail
        param = self.errors[0].field if self.errors else None
        return {"error": {"message": message, "type": kind, "param": param, "code": self.slug.replace("-", "_")}}

    def body(self, path: str, instance: str) -> tuple[bytes, str]:
        """The answer's body and media type for a request to `path`."""
        openai = path.startswith(OPENAI_PREFIX)
        text = json.dumps(self.openai() if openai else self.document(instance), ensure_ascii=False)
        # What a client sent and is told again may hold half a surrogate pair.
        return text.encode("utf-8", "replace"), "application/json" if openai else MEDIA_TYPE


def internal(instance: str) -> Problem:
    """The problem of an error that nobody foresaw: it tells nothing of the inside."""
    detail = f"The server failed at this request. Its log has the reason under {instance}."
    return Problem("internal-error", HTTPStatus.INTERNAL_SERVER_ERROR, "Internal error", detail)


def status_of(error: PlumblineError) -> int:
    """The HTTP status of an error."""
    if isinstance(error, RequestError):
        return error.status
    return next((_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS), 500)


def slug_of(kind: type[PlumblineError]) -> str:
    """The class's name in kebab case, without "Error"."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", kind.__name__.removesuffix("Error")).lower()
