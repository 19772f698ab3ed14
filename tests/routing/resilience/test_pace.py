"""How many calls at once a model takes, and the pauses that it asks for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest

from routing.call import Outcome
from routing.chat import Usage
from routing.errors import LimitError, RateLimitError
from routing.resilience.limits import Limiter
from tests.routing.resilience.limiting import CALL, MODEL, OK, limiter, made, refused
from tests.routing.resilience.virtual import now, run_virtually


def limited(retry_after: float | None = None) -> Callable[[], Outcome]:
    return lambda: Outcome(
        Usage(), Decimal(0), 0.1, RateLimitError("429", model=MODEL, status=429, retry_after=retry_after)
    )


def test_a_model_that_says_too_many_gets_fewer_and_slowly_more() -> None:
    async def main() -> None:
        guard = limiter(adaptive=True)
        leaves = [await guard.enter(CALL) for _ in range(16)]
        for leave in leaves:
            leave(limited()())
        leaves = [await guard.enter(CALL) for _ in range(8)]
        waits = asyncio.create_task(made(guard, CALL))
        await asyncio.sleep(0)
        assert guard.waiting == 1
        await made(guard, replace(CALL, model="openai/other"))
        leaves.pop()(OK)
        await waits
        leaves.append(await guard.enter(CALL))
        for _ in range(8):
            leaves.pop()(OK)
            leaves.append(await guard.enter(CALL))
        leaves.append(await guard.enter(CALL))  # a ninth
        late = asyncio.create_task(made(guard, CALL))
        await asyncio.sleep(0)
        assert guard.waiting == 1
        for leave in leaves:
            leave(OK)
        await late
        await asyncio.sleep(601)
        for leave in [await guard.enter(CALL) for _ in range(50)]:
            leave(OK)

    run_virtually(main())


def test_a_pause_that_is_asked_for_is_kept_or_refused() -> None:
    async def main() -> None:
        guard = limiter(adaptive=True)
        (await guard.enter(CALL))(limited(5.0)())
        assert (await made(guard, CALL)).out == pytest.approx(1005)
        (await guard.enter(CALL))(limited(60.0)())
        error = await refused(guard, CALL)
        assert error.retry_after == pytest.approx(60)
        await made(guard, replace(CALL, model="openai/other"))

    run_virtually(main())


@pytest.mark.parametrize("pause", [1e9, float("inf")])
def test_a_pause_without_end_has_one(pause: float) -> None:
    """A provider that writes milliseconds for seconds would not be asked again before the process ends."""

    async def main() -> None:
        guard = limiter(adaptive=True)
        (await guard.enter(CALL))(limited(pause)())
        await asyncio.sleep(599)
        await refused_soon(guard)
        await asyncio.sleep(2)
        await made(guard, CALL)

    async def refused_soon(guard: Limiter) -> None:
        await refused(guard, replace(CALL, deadline=now() + 0.5))

    run_virtually(main())


def test_a_long_pause_refuses_those_who_wait_already() -> None:
    """Or they would wait until their deadlines, and no time would be left to ask another model."""

    async def main() -> None:
        guard = limiter(adaptive=True)
        (await guard.enter(CALL))(limited()())
        leave = await guard.enter(CALL)
        waiting = [asyncio.create_task(guard.enter(replace(CALL, deadline=now() + 50))) for _ in range(3)]
        patient = asyncio.create_task(guard.enter(replace(CALL, deadline=now() + 5)))
        await asyncio.sleep(1)
        assert guard.waiting == 4
        leave(limited(6.0)())
        with pytest.raises(LimitError, match="asks to be left alone"):
            await patient  # too long for this one alone
        assert (guard.waiting, now()) == (3, 1001)
        (await waiting[0])(limited(3600.0)())
        assert now() == 1007
        cancelled = waiting.pop()
        cancelled.cancel()  # after it was refused, before it has heard of it
        for waiter in waiting[1:]:
            with pytest.raises(LimitError, match="is not asked now: it asks to be left alone") as raised:
                await waiter
            assert raised.value.retry_after == 600
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        assert (guard.waiting, now()) == (0, 1007)

    run_virtually(main())


@pytest.mark.parametrize("capacity", [5, 17, 60])
def test_the_pace_finds_what_a_model_takes(capacity: int) -> None:
    """A model refuses what is more than `capacity` at once; a hundred callers keep close to it."""

    async def main() -> tuple[int, int]:
        guard = limiter(adaptive=True)
        out = done = too_many = 0

        async def caller() -> None:
            nonlocal out, done, too_many
            while now() < 1100:
                leave = await guard.enter(CALL)
                out += 1
                if out > capacity:
                    await asyncio.sleep(0.01)
                    out -= 1
                    too_many += 1
                    leave(limited()())
                else:
                    await asyncio.sleep(1.0)
                    out -= 1
                    done += 1
                    leave(OK)

        await asyncio.gather(*(caller() for _ in range(100)))
        return done, too_many

    done, too_many = run_virtually(main())
    assert done > 0.6 * capacity * 100
    assert too_many < 0.1 * done + 250  # to find it out at first
