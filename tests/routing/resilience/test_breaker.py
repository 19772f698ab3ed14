"""Breakers: when they open, how they close, and what does not concern them."""

from __future__ import annotations

import asyncio
import heapq
import random
from collections.abc import Iterator
from decimal import Decimal

import pytest

from routing.call import NOT_MADE, Call, Leave, Outcome
from routing.chat import Usage
from routing.errors import (
    BadRequestError,
    BreakerOpenError,
    ConnectionFailedError,
    DeadlineError,
    OverloadedError,
    RateLimitError,
    TransientError,
)
from routing.resilience.breaker import Breakers
from routing.settings import BreakerSettings

CALL = Call("chat", "openai/gpt")
OTHER = Call("chat", "openai/other")
OK = Outcome(Usage(), Decimal(0), 0.1)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breakers(clock: Clock) -> Breakers:
    return Breakers(BreakerSettings(), clock)


def ended(error: BaseException | None, seconds: float = 0.05) -> Outcome:
    return Outcome(Usage(), Decimal(0), seconds, error)


def overloaded(retry_after: float | None = None) -> OverloadedError:
    return OverloadedError("503", model="openai/gpt", status=503, retry_after=retry_after)


def refused() -> ConnectionFailedError:
    error = ConnectionFailedError("cannot be reached", model="openai/gpt")
    error.__cause__ = ConnectionRefusedError(111, "Connection refused")
    return error


async def tried(
    breakers: Breakers, error: BaseException | None = None, call: Call = CALL, seconds: float = 0.05
) -> None:
    (await breakers.enter(call))(ended(error, seconds))


async def is_open(breakers: Breakers, call: Call = CALL) -> bool:
    try:
        leave = await breakers.enter(call)
    except BreakerOpenError:
        return True
    leave(NOT_MADE)
    return False


def state(breakers: Breakers, name: str = "openai/gpt") -> str:
    return {state.name: state.state for state in breakers.states()}[name]


async def test_opens_after_failures_in_a_row_and_says_when_to_come_back(breakers: Breakers, clock: Clock) -> None:
    for _ in range(50):
        await tried(breakers)
    await tried(breakers, overloaded())
    await tried(breakers, overloaded())
    with pytest.raises(BreakerOpenError, match="failed 2 times in a row") as raised:
        await breakers.enter(CALL)
    assert raised.value.retry_after == pytest.approx(10)
    clock.now += 4
    with pytest.raises(BreakerOpenError) as raised:
        await breakers.enter(CALL)
    assert raised.value.retry_after == pytest.approx(6)


async def test_a_success_between_failures_keeps_it_closed(breakers: Breakers) -> None:
    for _ in range(20):
        await tried(breakers, overloaded())
        await tried(breakers)
    assert not await is_open(breakers)


async def test_failures_far_apart_are_not_in_a_row(breakers: Breakers, clock: Clock) -> None:
    for _ in range(5):
        await tried(breakers, overloaded())
        clock.now += 30
    assert not await is_open(breakers)


async def test_one_probe_at_a_time_and_its_success_closes(breakers: Breakers, clock: Clock) -> None:
    await tried(breakers, overloaded())
    await tried(breakers, overloaded())
    clock.now += 10
    probe = await breakers.enter(CALL)
    assert state(breakers) == "half-open"
    assert await is_open(breakers)
    probe(OK)
    assert state(breakers) == "closed"
    assert not await is_open(breakers)


async def test_cooldowns_double_up_to_the_longest_and_start_anew(breakers: Breakers, clock: Clock) -> None:
    await tried(breakers, overloaded())
    await tried(breakers, overloaded())
    for cooldown in (10, 20, 40, 80, 120, 120):
        clock.now += cooldown - 0.01
        assert await is_open(breakers)
        clock.now += 0.02
        await tried(breakers, overloaded())
    clock.now += 121
    await tried(breakers)
    await tried(breakers, overloaded())
    await tried(breakers, overloaded())
    clock.now += 10.01
    assert not await is_open(breakers)


async def test_what_the_provider_asks_for_is_a_least_cooldown(breakers: Breakers, clock: Clock) -> None:
    await tried(breakers, overloaded())
    await tried(breakers, overloaded(retry_after=45))
    clock.now += 44
    assert await is_open(breakers)
    clock.now += 2
    await tried(breakers, overloaded(retry_after=1e9))
    clock.now += 121
    assert not await is_open(breakers)


async def test_a_probe_that_says_nothing_lets_the_next_call_probe(breakers: Breakers, clock: Clock) -> None:
    await tried(breakers, overloaded())
    await tried(breakers, overloaded())
    clock.now += 10
    await tried(breakers, asyncio.CancelledError())
    assert state(breakers) == "open"
    (await breakers.enter(CALL))(NOT_MADE)
    await tried(breakers)
    assert state(breakers) == "closed"


async def test_calls_of_before_say_nothing_about_the_probe(breakers: Breakers, clock: Clock) -> None:
    early = [await breakers.enter(CALL) for _ in range(2)]
    await tried(breakers, overloaded())
    await tried(breakers, overloaded())
    clock.now += 10
    probe = await breakers.enter(CALL)
    early[0](OK)
    assert state(breakers) == "half-open"
    early[1](ended(overloaded()))
    assert state(breakers) == "half-open"
    probe(OK)
    assert state(breakers) == "closed"


async def test_errors_of_the_request_are_successes_of_the_provider(breakers: Breakers) -> None:
    for _ in range(10):
        await tried(breakers, BadRequestError("400", model="openai/gpt", status=400))
    assert not await is_open(breakers)
    await tried(breakers, overloaded())
    await tried(breakers, BadRequestError("400", model="openai/gpt", status=400))
    await tried(breakers, overloaded())
    assert not await is_open(breakers)


async def test_too_many_requests_open_it_only_when_nothing_succeeds(breakers: Breakers, clock: Clock) -> None:
    limited = RateLimitError("429", model="openai/gpt", status=429)
    for _ in range(30):
        await tried(breakers, limited)
        clock.now += 0.3
    assert not await is_open(breakers)
    clock.now += 1.5
    await tried(breakers, limited)
    await tried(breakers, limited)
    assert await is_open(breakers)


async def test_a_missed_deadline_counts_when_the_time_was_fair(breakers: Breakers) -> None:
    late = DeadlineError("late", model="openai/gpt")
    for _ in range(10):
        await tried(breakers, seconds=1.0)
    for _ in range(10):
        await tried(breakers, late, seconds=1.4)
    assert not await is_open(breakers)
    for _ in range(2):
        await tried(breakers, late, seconds=1.6)
    assert await is_open(breakers)


async def test_what_is_refused_at_once_makes_no_time_fair(breakers: Breakers) -> None:
    """Or two callers in a hurry would close a model to everybody, after others had sent it nonsense."""
    for _ in range(10):
        await tried(breakers, seconds=1.0)
    for _ in range(100):
        await tried(breakers, BadRequestError("no", model="openai/gpt"), seconds=0.01)
    for _ in range(10):
        await tried(breakers, DeadlineError("late", model="openai/gpt"), seconds=0.5)
    assert not await is_open(breakers)


async def test_no_connection_counts_for_the_provider_too(breakers: Breakers, clock: Clock) -> None:
    await tried(breakers, refused())
    await tried(breakers, refused())
    with pytest.raises(BreakerOpenError, match="The provider of openai/other"):
        await breakers.enter(OTHER)
    assert not await is_open(breakers, Call("chat", "anthropic/claude"))
    clock.now += 10
    await tried(breakers, call=OTHER)
    assert state(breakers, "openai/*") == "closed"
    assert state(breakers) == "open"


async def test_other_failures_are_the_models_own(breakers: Breakers) -> None:
    for _ in range(2):
        await tried(breakers, overloaded())
    assert await is_open(breakers)
    assert not await is_open(breakers, OTHER)


async def test_models_at_different_addresses_do_not_share_a_circuit(clock: Clock) -> None:
    breakers = Breakers(BreakerSettings(), clock, addresses={"vllm/a": "http://one", "vllm/b": "http://two"})
    for _ in range(2):
        await tried(breakers, refused(), Call("chat", "vllm/a"))
    assert not await is_open(breakers, Call("chat", "vllm/b"))
    assert {state.name for state in breakers.states()} == {
        "vllm/a", "vllm/*@http://one", "vllm/b", "vllm/*@http://two"
    }  # fmt: skip


async def test_the_failure_that_opens_it_says_for_how_long(breakers: Breakers) -> None:
    first, second = overloaded(), overloaded(retry_after=0.5)
    await tried(breakers, first)
    await tried(breakers, second)
    assert first.retry_after is None
    assert second.retry_after == pytest.approx(10)


async def test_the_early_guard_refuses_and_counts_nothing(breakers: Breakers, clock: Clock) -> None:
    (await breakers.early.enter(CALL))(ended(overloaded()))
    await tried(breakers, overloaded())
    (await breakers.early.enter(CALL))(ended(overloaded()))
    await tried(breakers, overloaded())
    with pytest.raises(BreakerOpenError):
        await breakers.early.enter(CALL)
    clock.now += 10
    for _ in range(2):
        await breakers.early.enter(CALL)
    assert state(breakers) == "open"


async def test_states_are_told_with_moments(breakers: Breakers, clock: Clock) -> None:
    await tried(breakers, overloaded())
    await tried(breakers, overloaded())
    of_model = next(state for state in breakers.states() if state.name == "openai/gpt")
    assert (of_model.state, of_model.failures) == ("open", 2)
    assert of_model.retry_at is not None
    assert of_model.retry_at - of_model.since == pytest.approx(10)
    clock.now += 10
    await tried(breakers)
    assert {state.retry_at for state in breakers.states()} == {None}


@pytest.mark.parametrize(
    ("error", "seconds"),
    [(refused(), 0.01), (overloaded(), 0.05), (DeadlineError("late", model="m"), 4.0), (overloaded(), 12.0)],
)
async def test_in_an_outage_of_a_minute_at_most_four_requests_reach_the_model(
    error: TransientError, seconds: float
) -> None:
    """Ten calls a second, healthy before; what is sent before the first failure is known does not count."""
    clock = Clock()
    breakers = Breakers(BreakerSettings(), clock)
    pending: list[tuple[float, int, Leave, Outcome]] = []
    reached = 0
    for tick in range(1400):
        clock.now = 1000 + tick / 10
        while pending and pending[0][0] <= clock.now:
            _, _, leave, outcome = heapq.heappop(pending)
            leave(outcome)
        is_out = 300 <= tick < 900
        try:
            leave = await breakers.enter(CALL)
        except BreakerOpenError:
            continue
        outcome = ended(error, seconds) if is_out else ended(None)
        heapq.heappush(pending, (clock.now + outcome.seconds, tick, leave, outcome))
        reached += is_out and tick >= 300 + int(10 * seconds)
    assert reached <= 4
    assert state(breakers) == "closed"


@pytest.mark.parametrize("seed", range(5))
async def test_many_calls_at_once_with_one_error_in_a_hundred_never_open_it(seed: int) -> None:
    """Also when errors come sooner than answers, and from the first call on."""
    clock = Clock()
    breakers = Breakers(BreakerSettings(), clock)
    random_numbers = random.Random(seed)
    fates = endings(random_numbers)
    pending: list[tuple[float, int, Leave, Outcome]] = []
    for number in range(20_000):
        if len(pending) == 64:
            clock.now, _, leave, outcome = heapq.heappop(pending)
            leave(outcome)
        leave = await breakers.enter(CALL)  # would raise
        outcome = next(fates)
        heapq.heappush(pending, (clock.now + outcome.seconds, number, leave, outcome))


def endings(random_numbers: random.Random) -> Iterator[Outcome]:
    while True:
        failed = random_numbers.random() < 0.01
        seconds = random_numbers.uniform(0.001, 0.01) if failed else random_numbers.uniform(0.2, 20)
        yield ended(overloaded() if failed else None, seconds)
