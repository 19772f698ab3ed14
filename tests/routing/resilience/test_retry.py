"""Retries: which errors, how often, never past the deadline, and not more than the budget allows."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.errors import (
    AuthenticationError,
    BadRequestError,
    BreakerOpenError,
    BudgetError,
    ConnectionFailedError,
    ContentFilterError,
    ContextLengthError,
    InvalidResponseError,
    LimitError,
    ModelError,
    ModelNotFoundError,
    OverloadedError,
    RateLimitError,
    SchemaError,
)
from routing.resilience.retry import RetryBudget, RetryBudgets, with_retries
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


async def test_what_our_side_refuses_is_not_tried_again() -> None:
    call, calls = failing(BreakerOpenError("open", model="m", retry_after=0.0))
    with pytest.raises(BreakerOpenError):
        await with_retries(call, QUICK, deadline=None)
    assert len(calls) == 1


async def test_an_account_without_credit_is_not_tried_again() -> None:
    call, calls = failing(RateLimitError("no credit", model="m", status=402))
    with pytest.raises(RateLimitError):
        await with_retries(call, QUICK, deadline=None)
    assert len(calls) == 1


async def test_the_failure_is_raised_when_the_breaker_refuses_the_next_try() -> None:
    call, calls = failing(OverloadedError("the cause", model="m"), BreakerOpenError("open", model="m"))
    with pytest.raises(OverloadedError, match="the cause") as raised:
        await with_retries(call, QUICK, deadline=None)
    assert isinstance(raised.value.__cause__, BreakerOpenError)
    assert len(calls) == 2


@pytest.mark.parametrize("kind", [BadRequestError, ContextLengthError, ContentFilterError, ModelNotFoundError])
async def test_what_the_request_is_to_blame_for_is_raised_at_once(kind: type[ModelError]) -> None:
    call, calls = failing(kind("no", model="m"))
    with pytest.raises(kind):
        await with_retries(call, QUICK, deadline=None)
    assert len(calls) == 1


async def test_an_answer_that_cannot_be_read_is_asked_for_once_more() -> None:
    call, calls = failing(InvalidResponseError("half", model="m"))
    assert await with_retries(call, QUICK, deadline=None) == "done"
    call, calls = failing(InvalidResponseError("half", model="m"), lost(), InvalidResponseError("again", model="m"))
    with pytest.raises(InvalidResponseError, match="again"):
        await with_retries(call, RetrySettings(attempts=9, first_wait_seconds=0), deadline=None)
    assert len(calls) == 3


async def test_a_schema_that_is_not_met_is_not_asked_for_again() -> None:
    call, calls = failing(SchemaError("no", model="m"))
    with pytest.raises(SchemaError):
        await with_retries(call, QUICK, deadline=None)
    assert len(calls) == 1


async def test_no_try_is_begun_after_the_deadline() -> None:
    call, calls = failing(lost())
    with pytest.raises(ConnectionFailedError):
        await with_retries(call, RetrySettings(first_wait_seconds=0), deadline=time.monotonic() - 1)
    assert len(calls) == 1


async def test_a_spent_budget_ends_the_tries_and_says_so() -> None:
    budget = RetryBudget(RetrySettings(budget=0, free=1))
    call, calls = failing(lost(), lost(), lost())
    with pytest.raises(ConnectionFailedError, match=r"routing\.retry\.budget"):
        await with_retries(call, QUICK, deadline=None, budget=budget)
    assert len(calls) == 2
    call, calls = failing(lost())
    with pytest.raises(ConnectionFailedError):
        await with_retries(call, QUICK, deadline=None, budget=budget)
    assert len(calls) == 1


def test_the_budget_grows_with_the_calls_and_is_forgotten_after_a_minute() -> None:
    now = [1000.0]
    budget = RetryBudget(RetrySettings(budget=0.1, free=2), clock=lambda: now[0])
    for _ in range(100):
        budget.called(now[0])
    assert sum(budget.allows() for _ in range(50)) == 10
    now[0] += 59.9
    assert not budget.allows()
    now[0] += 2
    assert sum(budget.allows() for _ in range(50)) == 2
    now[0] += 3600
    assert sum(budget.allows() for _ in range(50)) == 2


@given(
    st.lists(st.tuples(st.sampled_from([0.0, 0.3, 1.0, 7.7, 31.0, 65.0]), st.booleans()), max_size=200),
    st.integers(0, 3),
)
def test_in_no_minute_are_there_more_tries_than_allowed(events: list[tuple[float, bool]], free: int) -> None:
    now = 5.5
    budget = RetryBudget(RetrySettings(budget=0.5, free=free), clock=lambda: now)
    calls: list[float] = []
    tries: list[float] = []
    for pause, again in events:
        now += pause
        if not again:
            budget.called(now)
            calls.append(now)
        elif budget.allows():
            tries.append(now)
            recent = sum(at > now - 60 for at in calls)
            assert sum(at > now - 60 for at in tries) <= max(free, 0.5 * recent)


async def test_what_was_refused_before_it_went_out_pays_for_no_tries() -> None:
    """Or a queue that refuses a thousand calls a second would let a hundred tries out, to a model in trouble."""
    budget = RetryBudget(RetrySettings(budget=0.1, free=0))
    settings = RetrySettings(attempts=2, first_wait_seconds=0)
    for refused in (LimitError("full", model="m"), BudgetError("spent", model="m")):
        for _ in range(50):
            with pytest.raises(type(refused)):
                await with_retries(failing(refused)[0], settings, deadline=None, budget=budget)
    assert not budget.allows()
    for _ in range(10):
        with pytest.raises(BadRequestError):
            await with_retries(failing(BadRequestError("no", model="m"))[0], settings, deadline=None, budget=budget)
    assert [budget.allows(), budget.allows()] == [True, False]


def test_a_call_that_took_long_counts_in_the_minute_in_which_it_went_out() -> None:
    now = 1000.0
    budget = RetryBudget(RetrySettings(budget=1.0, free=0), clock=lambda: now)
    begun = budget.moment
    now += 70
    budget.called(begun)
    assert not budget.allows()
    budget.called(now - 50)
    assert [budget.allows(), budget.allows()] == [True, False]


def test_a_budget_may_be_asked_by_many_threads() -> None:
    budget = RetryBudget(RetrySettings(budget=0.1, free=5))
    with ThreadPoolExecutor(8) as pool:
        granted = sum(pool.map(lambda _: budget.allows(), range(400)))
    assert granted == 5


def test_calls_to_one_model_pay_for_no_tries_of_another() -> None:
    budgets = RetryBudgets(RetrySettings(budget=0.1, free=1))
    for _ in range(100):
        budgets.of("openai/healthy").called(time.monotonic())
    assert sum(budgets.of("openai/ill").allows() for _ in range(50)) == 1
    assert sum(budgets.of("openai/healthy").allows() for _ in range(50)) == 10
