"""The errors of requests to the endpoint; each carries the HTTP status it is answered with.

    RequestError                 root
    ├── UnauthorizedError        401: no key, or none that is known
    ├── ForbiddenError           403: from another web page, under a foreign host name, or what is not the key's own
    ├── NotFoundError            404: no such knowledge base, document, ingestion, model or route
    ├── ConflictError            409: a document whose file lies in a folder that is ingested from elsewhere
    ├── BodyTooLargeError        413: more bytes or files than the settings allow
    ├── UnsupportedTypeError     415: a content type, or a kind of file, that is not read
    ├── BadRequestBodyError      400: what was sent is not JSON, or not multipart
    ├── InvalidFieldError        422: a field is missing or wrong; `errors` names each
    ├── SlowRequestError         408: an upload stood still
    ├── MethodNotAllowedError    405: a method that the route does not know
    ├── ClientGoneError          499: the client went away; nobody reads the answer
    ├── BusyError                503: too many requests at a time, or the server is stopping
    └── RequestTimeoutError      504: not done in the time that a request may take

Errors of the other rooms have their status in `rag.serve.problems`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rag.errors import RagError


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field of a request; `field` is its path, "messages.0.content"."""

    field: str
    message: str


class RequestError(RagError):
    """Root of the errors of requests; `headers` go with the answer."""

    status = 400

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.errors = tuple(errors)
        self.headers = dict(headers or {})


class UnauthorizedError(RequestError):
    """Raised for a request without a key where one is needed, or with one that is unknown or revoked."""

    status = 401


class ForbiddenError(RequestError):
    """Raised, where no keys exist, for a request that another web page makes or that uses a foreign host name.

    And with a key, for what it may see and not remove, and for the metrics of all where it is one tenant's.
    """

    status = 403


class NotFoundError(RequestError):
    """Raised for a knowledge base, document, ingestion, model or route that does not exist."""

    status = 404


class ConflictError(RequestError):
    """Raised for a document that cannot be deleted here because its file would bring it back."""

    status = 409


class BodyTooLargeError(RequestError):
    """Raised for more bytes, or files, than the settings allow."""

    status = 413


class UnsupportedTypeError(RequestError):
    """Raised for a content type that a route does not take, or a kind of file that is not read."""

    status = 415


class BadRequestBodyError(RequestError):
    """Raised for a body that is not what its content type says: broken JSON names row and column."""

    status = 400


class InvalidFieldError(RequestError):
    """Raised for fields that are missing, unknown or wrong; `errors` names each."""

    status = 422


class SlowRequestError(RequestError):
    """Raised when the rest of a body does not come."""

    status = 408


class MethodNotAllowedError(RequestError):
    """Raised for a method that a route does not know."""

    status = 405


class ClientGoneError(RequestError):
    """Raised when the client closes the connection before its answer; the status, which is nginx's, is only logged."""

    status = 499


class BusyError(RequestError):
    """Raised when as many requests run as the settings allow, or when the server is stopping."""

    status = 503


class RequestTimeoutError(RequestError):
    """Raised when a request takes longer than the settings allow."""

    status = 504
