"""Turns what a provider's SDK raises into the errors of `routing.errors`, and keeps calls inside their deadline.

The SDKs of OpenAI and Anthropic come from one generator: the same class names, the same attributes. Cohere's comes from
another.
"""

from __future__ import annotations

import asyncio
import difflib
import importlib
import re
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from routing.errors import (
    AuthenticationError,
    BadRequestError,
    ConnectionFailedError,
    ContentFilterError,
    ContextLengthError,
    DeadlineError,
    InvalidResponseError,
    ModelError,
    ModelNotFoundError,
    OverloadedError,
    RateLimitError,
)
from routing.models.bounds import BodyError
from routing.models.facts import known_names
from routing.models.retry_after import retry_after

T = TypeVar("T")

_TRANSPORTS = frozenset({"httpx2", "httpcore2", "httpx", "httpcore", "aiohttp", "anyio", "h11"})
# Errors that arrive inside a stream, after a status of 200, say by their type which status they would have had.
_STATUS_OF_TYPE = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "insufficient_quota": 429,
    "api_error": 500,
    "server_error": 500,
    "context_length_exceeded": 400,
    "data_residency_mismatch": 400,
    "image_too_large": 400,
    "image_too_small": 400,
    "image_parse_error": 400,
    "image_file_too_large": 400,
    "image_file_not_found": 400,
    "invalid_image": 400,
    "invalid_image_format": 400,
    "invalid_image_mode": 400,
    "invalid_image_url": 400,
    "invalid_base64_image": 400,
    "unsupported_image_media_type": 400,
    "empty_image_file": 400,
    "failed_to_download_image": 400,
    "timeout_error": 504,
    "overloaded_error": 529,
}
_UNREACHED = frozenset({"ConnectError", "ConnectTimeout", "UnsupportedProtocol"})
_TOO_LONG = re.compile(
    r"maximum context length|context window|context length|prompt is too long|input is too long|too many input tokens"
    r"|max_model_len|longer than the model|reduce the length|maximum input length",
    re.IGNORECASE,
)
_FILTERED = re.compile(r"content filter|content management policy|usage policy|content policy", re.IGNORECASE)
_FILTER_CODES = frozenset(
    {
        *("content_filter", "content_policy_violation", "invalid_prompt", "moderation_blocked"),
        *("bio_policy", "misalignment_policy_violation", "image_content_policy_violation"),
    }
)
_EXCERPT = 300  # characters of a provider's own message kept in ours


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a model answers, as messages name it: `model` is "provider/name"; `sdk` is the module that raises."""

    model: str
    sdk: str
    service: str
    address: str
    key_variable: str | None


@asynccontextmanager
async def calling(endpoint: Endpoint, deadline: float | None) -> AsyncIterator[None]:
    """Runs the block until `deadline`, a moment of `time.monotonic()`; what the SDK raises leaves as a `ModelError`."""
    remaining = None if deadline is None else deadline - time.monotonic()
    if remaining is not None and remaining <= 0:
        raise _out_of_time(endpoint)
    limit = asyncio.timeout(remaining)
    try:
        async with limit:
            yield
    except Exception as error:
        if limit.expired():
            raise _out_of_time(endpoint) from error
        ours = translate(error, endpoint)
        if ours is None:
            raise
        if isinstance(ours, AuthenticationError):
            raise ours from None  # servers repeat keys in their words, and tracebacks are logged
        raise ours from error


async def next_event(events: AsyncIterator[T], endpoint: Endpoint, deadline: float | None) -> T | None:
    """The next event of a stream, or `None` after the last one."""
    async with calling(endpoint, deadline):
        return await anext(events, None)


def translate(error: Exception, endpoint: Endpoint) -> ModelError | None:
    """The error of ours that `error` amounts to, or `None` when it does not come from the SDK or the network."""
    if isinstance(error, ModelError):
        return error
    untaken = next((link for link in _chain(error) if isinstance(link, BodyError)), None)
    if untaken is not None:
        return invalid(endpoint, str(untaken))
    if endpoint.sdk == "cohere":
        return _of_cohere(error, endpoint)
    sdk: Any = importlib.import_module(endpoint.sdk)
    if isinstance(error, sdk.APIStatusError):
        return of_status(error.status_code, error.body, endpoint, headers=error.response.headers)
    if isinstance(error, sdk.APIConnectionError) or _is_of_transport(error):
        return _of_transport(error, endpoint)
    if isinstance(error, ValueError | RecursionError | sdk.APIResponseValidationError):  # JSON may nest too deep
        return invalid(endpoint, f"cannot be read: {_innermost(error)}")
    if isinstance(error, sdk.APIError):
        return of_status(500, error.body, endpoint)
    return None


def _of_cohere(error: Exception, endpoint: Endpoint) -> ModelError | None:
    core: Any = importlib.import_module("cohere.core")
    if _is_of_transport(error):
        return _of_transport(error, endpoint)
    if isinstance(error, core.ApiError) and error.status_code is not None and not 200 <= error.status_code < 300:
        status = 401 if error.status_code == 498 else error.status_code  # 498: an invalid token
        return of_status(status, error.body, endpoint, headers=error.headers or {})
    if isinstance(error, core.ApiError | core.ParsingError):
        return invalid(endpoint, "cannot be read")
    if isinstance(error, ValueError | RecursionError):
        return invalid(endpoint, f"cannot be read: {_innermost(error)}")
    return None


def invalid(endpoint: Endpoint, what: str, *, hint: str | None = None) -> InvalidResponseError:
    """The error for an answer that is not of the promised form; `what` goes on after "The answer of … "."""
    return InvalidResponseError(
        f"The answer of {endpoint.model} at {endpoint.address} {what}.", model=endpoint.model, hint=hint
    )


def broken_off(endpoint: Endpoint) -> ConnectionFailedError:
    """The error for a stream that ended before its end."""
    return ConnectionFailedError(
        f"{endpoint.service} broke off the answer before its end ({endpoint.address}).",
        model=endpoint.model,
        reached=True,
    )


def of_status(status: int, body: object, endpoint: Endpoint, *, headers: Mapping[str, str] | None = None) -> ModelError:
    """The error for an HTTP status and the body that came with it."""
    kind, code, message = _read_body(body)
    if not 400 <= status < 600 or (headers is None and status == 500):
        status = _STATUS_OF_TYPE.get(kind, _STATUS_OF_TYPE.get(code, int(code) if code.isdigit() else 500))
    said = f": {_sentence(message)}" if message else "."
    model, service = endpoint.model, endpoint.service
    if status == 401 or code == "invalid_api_key":
        return _refused_key(endpoint)
    if status == 404 or code == "model_not_found":
        return _not_found(endpoint, said)
    if status == 403:
        return _refused_access(endpoint, said)
    if status in (402, 429):
        return _limited(status, kind, code, said, endpoint, headers or {})
    if status in (408, 504):
        return DeadlineError(f"{service} gave up waiting ({status}){said}", model=model, status=status)
    if code in _FILTER_CODES:
        return _filtered(said, status, endpoint)
    if status >= 500 or status in (409, 425):
        return OverloadedError(
            f"{service} fails or is overloaded ({status}){said}",
            model=model,
            status=status,
            retry_after=retry_after(headers or {}),
        )
    if _FILTERED.search(message):
        return _filtered(said, status, endpoint)
    if status == 413 or code == "context_length_exceeded" or _TOO_LONG.search(message):
        return ContextLengthError(
            f"The prompt is longer than {model} reads{said}",
            model=model,
            status=status,
            hint="Answer from fewer or shorter passages, or choose a model with a larger context.",
        )
    return BadRequestError(f"{service} refuses the request ({status}){said}", model=model, status=status)


def _read_body(body: object) -> tuple[str, str, str]:
    """Type, code and message of an error body: OpenAI's, Anthropic's (one level deeper) or plain text."""
    if isinstance(body, Mapping):
        inner = body.get("error", body)
        if isinstance(inner, Mapping):
            message = inner.get("message") or inner.get("detail") or ""
            return str(inner.get("type") or ""), str(inner.get("code") or ""), _excerpt(str(message))
        return "", "", _excerpt(str(inner or ""))
    return "", "", _excerpt(body) if isinstance(body, str) else ""


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."


def _excerpt(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _EXCERPT else f"{text[:_EXCERPT]}…"


def _refused_key(endpoint: Endpoint) -> AuthenticationError:
    # The provider's own message is left out: it repeats a part of the key.
    return AuthenticationError(
        f"{endpoint.service} refuses the API key (401).",
        model=endpoint.model,
        status=401,
        hint=f"Check the key{_where(endpoint)}; asked at {endpoint.address}.",
    )


def _refused_access(endpoint: Endpoint, said: str) -> AuthenticationError:
    return AuthenticationError(
        f"{endpoint.service} refuses access (403){said}",
        model=endpoint.model,
        status=403,
        hint=f"Check what the key{_where(endpoint)} may do; asked at {endpoint.address}.",
    )


def _where(endpoint: Endpoint) -> str:
    return f" in the environment variable {endpoint.key_variable}" if endpoint.key_variable else ""


def _filtered(said: str, status: int, endpoint: Endpoint) -> ContentFilterError:
    return ContentFilterError(
        f"{endpoint.service}'s content policy refuses this request{said}", model=endpoint.model, status=status
    )


def _not_found(endpoint: Endpoint, said: str) -> ModelNotFoundError:
    return ModelNotFoundError(
        f"{endpoint.service} does not know the model '{endpoint.model.partition('/')[2]}' (404){said}",
        model=endpoint.model,
        status=404,
        hint=_right_name(endpoint),
    )


def _right_name(endpoint: Endpoint) -> str:
    """What to check of a model's name: not the name itself when it is one of the provider's."""
    provider, _, name = endpoint.model.partition("/")
    names = known_names(provider)
    if name in names:
        return f"Check that the key{_where(endpoint)} may use it, and the address {endpoint.address}."
    near = difflib.get_close_matches(name, names, n=1)
    meant = f"Did you mean '{provider}/{near[0]}'? " if near else ""
    return f"{meant}Check the model's name, and the address {endpoint.address}."


def _limited(
    status: int, kind: str, code: str, said: str, endpoint: Endpoint, headers: Mapping[str, str]
) -> RateLimitError:
    if status == 402 or "insufficient_quota" in (kind, code):
        return RateLimitError(
            f"The account at {endpoint.service} has no credit left ({status}){said}",
            model=endpoint.model,
            status=402,
            hint="Add credit, or name another model.",
        )
    return RateLimitError(
        f"{endpoint.service} takes no more requests for now ({status}){said}",
        model=endpoint.model,
        status=status,
        retry_after=retry_after(headers),
    )


def _is_of_transport(error: Exception) -> bool:
    return isinstance(error, OSError) or type(error).__module__.partition(".")[0] in _TRANSPORTS


def _of_transport(error: Exception, endpoint: Endpoint) -> ModelError:
    """A timeout of reading is a deadline; everything else, a connect timeout too, is a failed connection."""
    named = {cause.__name__ for link in _chain(error) for cause in type(link).__mro__}
    timed_out = bool(named & {"ReadTimeout", "WriteTimeout", "PoolTimeout", "SocketTimeoutError"})
    if timed_out and "ConnectTimeout" not in named:
        return DeadlineError(
            f"{endpoint.service} sent nothing for too long ({endpoint.address}).", model=endpoint.model
        )
    # On aiohttp the SDKs call every broken connection a `ConnectError`.
    unreached = {"ClientConnectorError", "ConnectionTimeoutError"} if "ClientError" in named else _UNREACHED
    reached = not named & unreached
    what = "broke off the connection" if reached else "cannot be reached"
    return ConnectionFailedError(
        f"{endpoint.service} at {endpoint.address} {what}: {_innermost(error)}",
        model=endpoint.model,
        hint="Check the network and the address.",
        reached=reached,
    )


def _out_of_time(endpoint: Endpoint) -> DeadlineError:
    return DeadlineError(f"{endpoint.model} had not answered when the time allowed was over.", model=endpoint.model)


def _innermost(error: BaseException) -> str:
    """The first cause's own words."""
    root = list(_chain(error))[-1]
    words = root.strerror if isinstance(root, OSError) and root.strerror else str(root)
    return _sentence(_excerpt(words or type(root).__name__))


def _chain(error: BaseException) -> list[BaseException]:
    links = [error]
    while (cause := links[-1].__cause__ or links[-1].__context__) is not None and cause not in links:
        links.append(cause)
    return links
