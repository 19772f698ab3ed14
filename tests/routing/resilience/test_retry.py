"""Retries: which errors, how often, and never past the deadline."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

import pytest

from routing.errors import AuthenticationError, ConnectionFailedError, ModelError, OverloadedError, RateLimitError
from routing.resilience.retry import with_retries
from routing.settings import RetrySettings

QUICK = RetrySettings(attempts=3, first_wait_seconds=0, longest_wait_seconds=0.05)


def failing(*errors: ModelError) -> tuple[Callable[[], Awaitable[str]], list[int]]:
    calls: list[int] = []

    async def call() -> str:
        calls.append(1)
        if len(calls) <= len(errors):
            raise errors[len(calls) - 1]
        return "done"

    return call, calls


def lost() -> ConnectionFailedError:
    return ConnectionFailedError("reset", model="m")


async def test_tries_again_until_it_works() -> None:
    call, calls = failing(lost(), OverloadedError("503", model="m"))
    assert await with_retries(call, QUICK, deadline=None) == "done"
    assert len(calls) == 3


async def test_gives_up_with_the_last_error() -> None:
    call, calls = failing(lost(), lost(), OverloadedError("the last", model="m"))
    with pytest.raises(OverloadedError, match="the last"):
        await with_retries(call, QUICK, deadline=None)
    assert len(calls) == 3


async def test_what_cannot_be_cured_is_raised_at_once() -> None:
    call, calls = failing(AuthenticationError("wrong key", model="m"))
    with pytest.raises(AuthenticationError):
        await with_retries(call, QUICK, deadline=None)
    assert len(calls) == 1


async def test_a_provider_is_given_the_time_it_asks_for() -> None:
    call, calls = failing(RateLimitError("429", model="m", retry_after=0.03))
    started = time.monotonic()
    assert await with_retries(call, QUICK, deadline=None) == "done"
    assert time.monotonic() - started >= 0.03
    assert len(calls) == 2


async def test_a_provider_that_asks_for_too_long_is_not_waited_for() -> None:
    call, calls = failing(RateLimitError("429", model="m", retry_after=3600))
    with pytest.raises(RateLimitError):
        await with_retries(call, QUICK, deadline=None)
    assert len(calls) == 1


async def test_no_wait_is_begun_that_would_end_after_the_deadline() -> None:
    call, calls = failing(RateLimitError("429", model="m", retry_after=0.05))
    with pytest.raises(RateLimitError):
        await with_retries(call, QUICK, deadline=time.monotonic() + 0.02)
    assert len(calls) == 1
