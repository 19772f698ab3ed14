"""Retries of calls to the server of a store: those that another try may cure, with full jitter.

As `routing.resilience.retry` does it for models; a server's `Retry-After` is a lower bound of the wait.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from rag.errors import StoreUnavailableError
from routing.settings import RetrySettings

if TYPE_CHECKING:
    from tenacity import RetryCallState

T = TypeVar("T")
RETRIES = RetrySettings(attempts=5, first_wait_seconds=0.25, longest_wait_seconds=10)


async def with_retries(call: Callable[[], Awaitable[T]], settings: RetrySettings = RETRIES) -> T:
    """The result of `call`, which must be idempotent; raises its last `StoreUnavailableError`, or whatever else."""
    from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

    jitter = wait_random_exponential(multiplier=settings.first_wait_seconds, max=settings.longest_wait_seconds)

    def wait(state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = error.retry_after if isinstance(error, StoreUnavailableError) else None
        return max(jitter(state), asked or 0.0)

    def stop(state: RetryCallState) -> bool:
        return stop_after_attempt(settings.attempts)(state) or state.upcoming_sleep > settings.longest_wait_seconds

    async def attempt() -> T:
        return await call()

    retrying = AsyncRetrying(retry=retry_if_exception_type(StoreUnavailableError), wait=wait, stop=stop, reraise=True)
    return await retrying(attempt)
