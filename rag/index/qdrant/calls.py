"""Calls to Qdrant: tried again where that may help, their errors made ours. Imports qdrant_client; import it lazily."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from json import JSONDecodeError
from typing import TYPE_CHECKING, Protocol, TypeVar

import httpx
from pydantic import ValidationError
from qdrant_client.common.client_exceptions import QdrantException, ResourceExhaustedResponse
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from plumbline.errors import StateError
from rag.errors import StoreError, StoreUnavailableError
from rag.index.retries import RETRIES, with_retries
from routing.settings import RetrySettings

if TYPE_CHECKING:
    from qdrant_client import AsyncQdrantClient

T = TypeVar("T")
_WORTH_ANOTHER_TRY = frozenset({408, 425, 429, 500, 502, 503, 504})


class MissingCollectionError(StateError):
    """Raised inside this package when the collection is not there."""


class Clients(Protocol):
    """Gives the client of the running event loop, as `routing.models.clients.ClientPool` does."""

    async def get(self) -> AsyncQdrantClient:
        """The client to use now."""
        ...

    async def close(self) -> None:
        """Give back the connections."""
        ...


@dataclass(frozen=True, slots=True)
class Calls:
    """Makes calls to the server at `place`, as people may see it, without a key."""

    clients: Clients
    place: str
    retry: RetrySettings = RETRIES

    async def make(self, call: Callable[[AsyncQdrantClient], Awaitable[T]]) -> T:
        """The result of an idempotent call; raises `StoreError`, `MissingCollectionError`."""

        async def attempt() -> T:
            with self._errors():
                return await call(await self.clients.get())

        return await with_retries(attempt, self.retry)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except ResourceExhaustedResponse as error:
            raise self._unavailable(f"has too much to do ({error})", float(error.retry_after_s)) from error
        except UnexpectedResponse as error:
            raise self._of_status(error.status_code or 0, _reason(error), error.headers) from error
        except httpx.HTTPStatusError as error:
            answer = error.response
            raise self._of_status(answer.status_code, answer.reason_phrase, answer.headers) from error
        except ResponseHandlingException as error:
            raise self._of_connection(error.source) from error
        except (httpx.HTTPError, QdrantException) as error:
            raise self._of_connection(error) from error
        except JSONDecodeError as error:
            raise self._stranger() from error
        except ValueError as error:  # what the local mode says
            if "not found" in str(error):
                raise MissingCollectionError(str(error)) from error
            raise StoreError(f"Qdrant at {self.place} refuses: {error}.") from error

    def _of_status(self, status: int, reason: str, headers: httpx.Headers) -> StateError:
        if status in _WORTH_ANOTHER_TRY:
            return self._unavailable(f"answers {status} ({reason})", _seconds(headers.get("Retry-After")))
        if status in {401, 403}:
            return StoreError(
                f"Qdrant at {self.place} refuses the key ({status}: {reason}).",
                hint="Set PLUMBLINE_STORE_KEY to a key that may read and write.",
            )
        if status == 404:
            return MissingCollectionError(f"Qdrant at {self.place} does not have it: {reason}.")
        return StoreError(f"Qdrant at {self.place} refuses ({status}: {reason}).")

    def _of_connection(self, error: Exception) -> StoreError:
        if isinstance(error, ValidationError):
            return self._stranger()
        if isinstance(error, httpx.TimeoutException):
            return self._unavailable("did not answer in time")
        return self._unavailable(f"cannot be reached ({str(error) or type(error).__name__})")

    def _stranger(self) -> StoreError:
        return StoreError(
            f"What answers at {self.place} does not speak as Qdrant does.", hint="Check the setting store.url."
        )

    def _unavailable(self, what: str, retry_after: float | None = None) -> StoreUnavailableError:
        return StoreUnavailableError(
            f"Qdrant at {self.place} {what}.",
            hint="Try again when it is well: whatever was written by half is then completed.",
            retry_after=retry_after,
        )


def _reason(error: UnexpectedResponse) -> str:
    try:
        return str(error.structured()["status"]["error"])[:300]
    except (ValueError, KeyError, TypeError):
        return error.reason_phrase or "no reason given"


def _seconds(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None
