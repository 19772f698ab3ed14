"""Retries of calls that another try may cure: by error class, with full jitter, inside the deadline.

Backoff: exponential with full jitter (Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015);
a provider's `Retry-After` is a lower bound. What another try cannot cure (a wrong key, say) is raised at once.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from routing.errors import TransientError
from routing.settings import RetrySettings

if TYPE_CHECKING:
    from tenacity import RetryCallState

T = TypeVar("T")


async def with_retries(call: Callable[[], Awaitable[T]], settings: RetrySettings, *, deadline: float | None) -> T:
    """The result of `call`, tried up to `settings.attempts` times; raises its last `ModelError`.

    `deadline` is a moment of `time.monotonic()`: no wait is begun that would end after it.
    """
    try:
        return await call()
    except TransientError as error:  # only now is there something to keep account of
        failed: TransientError | None = error
    from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

    jitter = wait_random_exponential(multiplier=settings.first_wait_seconds, max=settings.longest_wait_seconds)

    def wait(state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = error.retry_after if isinstance(error, TransientError) else None
        return max(jitter(state), asked or 0.0)

    def stop(state: RetryCallState) -> bool:
        if stop_after_attempt(settings.attempts)(state):
            return True
        if state.upcoming_sleep > settings.longest_wait_seconds:
            return True
        return deadline is not None and time.monotonic() + state.upcoming_sleep >= deadline

    async def attempt() -> T:
        nonlocal failed
        if failed is not None:
            first, failed = failed, None
            raise first
        return await call()

    retrying = AsyncRetrying(retry=retry_if_exception_type(TransientError), wait=wait, stop=stop, reraise=True)
    return await retrying(attempt)
