"""A model that takes requests and does not answer is noticed before any deadline is over."""

from __future__ import annotations

import heapq
from dataclasses import replace

import pytest

from routing.call import NOT_MADE, Call, Leave, Listening, Outcome
from routing.chat import Usage
from routing.errors import (
    BadRequestError,
    BreakerOpenError,
    ContentFilterError,
    DeadlineError,
    ModelError,
    RateLimitError,
)
from routing.resilience.breaker import Breakers
from routing.resilience.pulse import KEPT, KNOWN, OVERDUE, Pulse
from routing.settings import BreakerSettings

CALL = Call("chat", "openai/gpt")


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def ended(error: BaseException | None = None, seconds: float = 0.05) -> Outcome:
    return Outcome(Usage(), None, seconds, error)


async def known(
    breakers: Breakers, clock: Clock, seconds: float = 0.05, answers: int = KNOWN, call: Call = CALL
) -> None:
    for _ in range(answers):
        leave = await breakers.enter(call)
        clock.now += seconds
        leave(ended(seconds=seconds))


async def sent(breakers: Breakers, clock: Clock, calls: int = OVERDUE, call: Call = CALL) -> list[Leave]:
    """So many calls, one each tenth of a second."""
    leaves = []
    for _ in range(calls):
        leaves.append(await breakers.enter(call))
        clock.now += 0.1
    return leaves


def state(breakers: Breakers) -> str:
    return {state.name: state.state for state in breakers.states()}[CALL.model]


async def is_refused(breakers: Breakers) -> bool:
    try:
        leave = await breakers.enter(CALL)
    except BreakerOpenError:
        return True
    leave(NOT_MADE)
    return False


@pytest.mark.parametrize(("rate", "least"), [(10, 1.0), (10, 0.2), (100, 1.0), (2, 5.0)])
async def test_when_a_model_stalls_calls_go_on_to_it_for_as_long_as_an_answer_may_take(rate: int, least: float) -> None:
    """A minute of it, and a deadline of twenty seconds: what is sent until it shows cannot be unsent."""
    clock = Clock()
    breakers = Breakers(BreakerSettings(stall_seconds=least), clock)
    pending: list[tuple[float, int, Leave, Outcome]] = []
    opened, before, after = False, 0, 0
    for tick in range(220 * rate):
        clock.now = 1000 + tick / rate
        while pending and pending[0][0] <= clock.now:
            _, _, leave, outcome = heapq.heappop(pending)
            leave(outcome)
        is_out = 30 * rate <= tick < 90 * rate
        try:
            leave = await breakers.enter(CALL)
        except BreakerOpenError:
            opened = True
            continue
        outcome = ended(DeadlineError("late", model="m"), 20.0) if is_out else ended()
        heapq.heappush(pending, (clock.now + outcome.seconds, tick, leave, outcome))
        before += is_out and not opened
        after += is_out and opened
    assert before <= rate * least + OVERDUE + 1 + 0.1 * rate
    assert after <= 4
    assert state(breakers) == "closed"


async def test_the_refusal_says_why(clock: Clock, breakers: Breakers) -> None:
    await known(breakers, clock)
    await sent(breakers, clock)
    clock.now += 1
    assert not await is_refused(breakers), "answers may be there that nobody has read yet"
    clock.now += 0.1
    with pytest.raises(BreakerOpenError, match="openai/gpt takes requests and does not answer and is left alone"):
        await breakers.enter(CALL)


async def test_an_answer_after_all_closes_it(clock: Clock, breakers: Breakers) -> None:
    first = await stalled(clock, breakers)
    clock.now += 3
    first[0](ended(seconds=5.0))
    assert state(breakers) == "closed"
    assert not await is_refused(breakers)


async def test_a_failure_after_all_does_not(clock: Clock, breakers: Breakers) -> None:
    first = await stalled(clock, breakers)
    first[0](ended(DeadlineError("late", model="m"), 5.0))
    assert state(breakers) == "open"


async def test_the_first_word_of_a_stream_closes_it_too(clock: Clock, breakers: Breakers) -> None:
    first = await stalled(clock, breakers)
    assert isinstance(first[0], Listening)
    first[0].spoke()
    assert state(breakers) == "closed"


async def test_streams_that_speak_may_take_as_long_as_they_like(clock: Clock, breakers: Breakers) -> None:
    await known(breakers, clock)
    for stream in await sent(breakers, clock):
        assert isinstance(stream, Listening)
        stream.spoke()
    for _ in range(3):
        clock.now += 60
        assert not await is_refused(breakers)


async def test_a_process_that_did_nothing_for_a_while_does_not_blame_the_model(
    clock: Clock, breakers: Breakers
) -> None:
    await known(breakers, clock)
    first = await sent(breakers, clock)
    clock.now += 30
    assert not await is_refused(breakers)
    for leave in first:
        leave(ended(seconds=30.3))
    clock.now += 0.2
    assert not await is_refused(breakers)


async def test_one_long_answer_among_short_ones_is_none(clock: Clock, breakers: Breakers) -> None:
    await known(breakers, clock)
    await sent(breakers, clock, OVERDUE - 1)
    for _ in range(5):
        clock.now += 10
        assert not await is_refused(breakers)
        clock.now += 0.1


async def test_while_little_is_known_a_model_may_think_for_minutes(clock: Clock, breakers: Breakers) -> None:
    await known(breakers, clock, answers=KNOWN - 1)
    await sent(breakers, clock, 10)
    for _ in range(3):
        clock.now += 60
        assert not await is_refused(breakers)


async def test_it_may_be_turned_off(clock: Clock) -> None:
    breakers = Breakers(BreakerSettings(stall_seconds=None), clock)
    await known(breakers, clock)
    await sent(breakers, clock, 50)
    clock.now += 600
    assert not await is_refused(breakers)
    clock.now += 1
    assert not await is_refused(breakers)


async def test_a_try_that_had_all_its_time_counts_though_nothing_is_known(clock: Clock) -> None:
    breakers = Breakers(BreakerSettings(), clock, longest_try=2.0)
    leaves = await sent(breakers, clock, 20)
    for leave in leaves[:2]:
        leave(ended(DeadlineError("late", model="m"), 2.0))
    assert state(breakers) == "open", "though eighteen are in flight: nothing came for as long as a try may take"


def test_calls_are_overdue_when_they_wait_longer_than_any_of_the_last_did() -> None:
    pulse, now = Pulse(1.0), 1000.0
    for seconds in [30.0] + [0.1] * (KEPT - 1):
        pulse.heard(pulse.begin(now), now + seconds)
        now += 30
    for _ in range(OVERDUE):
        pulse.begin(now)
    assert not any(pulse.has_stalled(now + seconds) for seconds in (1.0, 20.0, 29.9))
    assert [pulse.has_stalled(now + seconds) for seconds in (30.0, 30.1)] == [False, True]
    pulse.heard(1 + pulse.begin(now + 31), now + 31)  # nobody's
    pulse.heard(pulse.begin(now + 31), now + 31.1)
    for _ in range(OVERDUE):
        pulse.begin(now + 40)
    assert [pulse.has_stalled(now + 40 + seconds) for seconds in (1.0, 1.1)] == [False, True]


async def test_longer_calls_than_any_that_are_known_are_given_their_time(clock: Clock, breakers: Breakers) -> None:
    """A model that rewrote questions, and is asked for answers now, has not stalled, nor if it reads more."""
    await known(breakers, clock, answers=KEPT, call=replace(CALL, input_tokens=400, output_tokens=64))
    for longer in (replace(CALL, output_tokens=1024), replace(CALL, input_tokens=4000)):
        leaves = await sent(breakers, clock, 10, call=longer)
        for _ in range(3):
            clock.now += 5
            assert not await is_refused(breakers)
        for leave in leaves:
            leave(ended(seconds=15.0))


async def test_more_calls_at_once_than_ever_are_given_their_time(clock: Clock, breakers: Breakers) -> None:
    """A server of one's own is slower for sixty callers than for one."""
    for _ in range(KEPT):
        await known(breakers, clock, answers=1)
        clock.now += 2
    for _ in range(60):
        await breakers.enter(CALL)
        clock.now += 0.02
    for _ in range(40):
        clock.now += 0.05
        assert not await is_refused(breakers)


@pytest.mark.parametrize(
    "error", [BadRequestError("no", model="m"), RateLimitError("429", model="m"), ContentFilterError("no", model="m")]
)
async def test_what_is_refused_is_a_sign_of_life_but_no_measure_of_answers(
    error: ModelError, clock: Clock, breakers: Breakers
) -> None:
    await known(breakers, clock, seconds=8.0)
    for _ in range(KEPT):
        (await breakers.enter(CALL))(ended(error, 0.01))
        clock.now += 0.05
    leaves = await sent(breakers, clock, 5)
    for _ in range(7):
        clock.now += 1
        assert not await is_refused(breakers), "answers take eight seconds"
    for leave in leaves:
        leave(NOT_MADE)
    await sent(breakers, clock, OVERDUE)
    clock.now += 8.5
    (await breakers.enter(CALL))(ended(error, 0.01))
    clock.now += 0.1
    assert not await is_refused(breakers), "it refuses others, so it lives"


async def test_an_answer_after_all_closes_it_while_a_probe_is_under_way(clock: Clock, breakers: Breakers) -> None:
    first = await stalled(clock, breakers)
    clock.now += 11
    probe = await breakers.enter(CALL)
    assert state(breakers) == "half-open"
    first[0](ended(seconds=12.0))
    assert state(breakers) == "closed"
    probe(ended(DeadlineError("late", model="m"), 60.0))
    assert state(breakers) == "closed", "it was sent before, and says nothing"


async def test_the_first_word_of_a_probe_closes_what_had_stalled(clock: Clock, breakers: Breakers) -> None:
    await stalled(clock, breakers)
    clock.now += 11
    probe = await breakers.enter(CALL)
    assert isinstance(probe, Listening)
    probe.spoke()
    assert state(breakers) == "closed"


async def stalled(clock: Clock, breakers: Breakers) -> list[Leave]:
    """The calls that are not answered, on which the circuit has opened."""
    await known(breakers, clock)
    first = await sent(breakers, clock)
    clock.now += 1
    assert not await is_refused(breakers)
    clock.now += 0.1
    assert await is_refused(breakers)
    return first


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breakers(clock: Clock) -> Breakers:
    return Breakers(BreakerSettings(), clock)
