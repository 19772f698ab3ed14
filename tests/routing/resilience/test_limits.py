"""Limits: never more than allowed, everyone in the end, every tenant his share, and refusals that come early."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.errors import ConfigError
from routing.call import NOT_MADE, Outcome
from routing.chat import Tags, Usage
from routing.errors import BadRequestError, DeadlineError, LimitError
from routing.resilience.limits import Limiter
from routing.settings import LimitSettings
from tests.routing.resilience.limiting import CALL, MODEL, OK, Run, after, limiter, made, of, refused
from tests.routing.resilience.virtual import now, run_virtually

calls = st.tuples(
    st.floats(0, 100),  # comes at
    st.floats(0, 30),  # lasts
    st.sampled_from([None, "a", "b", "c"]),
    st.sampled_from(["openai/gpt", "openai/mini", "vllm/own"]),
    st.integers(0, 10),  # may take
    st.integers(0, 10),  # takes at most that
)


@given(
    st.lists(calls, max_size=40),
    st.integers(1, 8),
    st.integers(10, 40),
    st.integers(1, 5),
    st.sampled_from(["everything", "model", "tenant", "provider"]),
)
def test_never_more_than_allowed_and_everyone_in_the_end(
    wanted: list[tuple[float, float, str | None, str, int, int]], requests: int, tokens: int, concurrent: int, per: str
) -> None:
    first = LimitSettings(per=per, requests_per_minute=requests, tokens_per_minute=tokens)  # type: ignore[arg-type]  # one of them
    second = LimitSettings(per="everything", match="openai/*", concurrent=concurrent)

    async def main() -> list[Run]:
        guard = limiter(first, second)
        runs = await asyncio.gather(
            *(
                after(at, made(guard, of(tenant, model=model, input_tokens=most), seconds, min(used, most)))
                for at, seconds, tenant, model, most, used in wanted
            )
        )
        assert guard.waiting == 0
        return runs

    runs = run_virtually(main())
    assert len(runs) == len(wanted)
    subjects: dict[object, list[Run]] = {}
    for run in runs:
        subject = {"tenant": run.call.tags.tenant, "model": run.call.model, "provider": run.call.provider}.get(per, "")
        if subject is not None:
            subjects.setdefault(subject, []).append(run)
    for group in subjects.values():
        for run in group:
            minute = [other for other in group if run.out <= other.out < run.out + 60]
            assert len(minute) <= requests
            assert sum(other.used for other in minute) <= tokens
    openai = [run for run in runs if run.call.provider == "openai"]
    for run in openai:
        assert sum(other.out <= run.out < other.back for other in openai) <= concurrent or run.out == run.back


def test_tenants_get_equal_shares_however_much_they_ask_for() -> None:
    async def main() -> Counter[str | None]:
        guard = limiter(LimitSettings(per="everything", concurrent=4))
        asked = [of("loud")] * 300 + [of("quiet")] * 60 + [of("third")] * 60
        tasks = [asyncio.create_task(made(guard, call)) for call in asked]
        await asyncio.sleep(30.5)
        served = Counter(task.result().call.tags.tenant for task in tasks if task.done())
        await asyncio.gather(*tasks)
        return served

    served = run_virtually(main())
    assert sum(served.values()) == 120
    assert all(abs(many - 40) <= 4 for many in served.values()), served


def test_shares_are_of_tokens() -> None:
    async def main() -> Counter[str | None]:
        guard = limiter(LimitSettings(per="everything", concurrent=1))
        asked = [of("long", input_tokens=900)] * 50 + [of("short", input_tokens=100)] * 200
        tasks = [asyncio.create_task(made(guard, call)) for call in asked]
        await asyncio.sleep(100.5)
        served = Counter(task.result().call.tags.tenant for task in tasks if task.done())
        await asyncio.gather(*tasks)
        return served

    served = run_virtually(main())
    assert served["short"] == pytest.approx(9 * served["long"], abs=9)


def test_one_tenants_limit_does_not_hold_up_the_others() -> None:
    async def main() -> None:
        guard = limiter(LimitSettings(per="tenant", requests_per_minute=1), LimitSettings(per="model", concurrent=2))
        await made(guard, of("a"))
        waiting = asyncio.create_task(made(guard, of("a")))
        await asyncio.sleep(0)
        started = now()
        await made(guard, of("b"))
        await made(guard, of(None))
        assert now() == started + 2
        assert (await waiting).out >= 1060

    run_virtually(main())


def test_who_needs_much_is_not_overtaken_for_ever() -> None:
    """Nor when others wait for something else."""

    async def main() -> None:
        guard = limiter(LimitSettings(per="provider", tokens_per_minute=100))
        await made(guard, of("a", model="vllm/own", input_tokens=100))
        others = [asyncio.create_task(made(guard, of("c", model="vllm/own", input_tokens=100))) for _ in range(20)]
        await made(guard, of("a", input_tokens=60))
        large = asyncio.create_task(made(guard, of("a", input_tokens=100)))

        async def small() -> None:
            async with asyncio.TaskGroup() as group:
                while True:
                    group.create_task(made(guard, of("b", input_tokens=10)))
                    await asyncio.sleep(1)

        many = asyncio.create_task(small())
        assert (await asyncio.wait_for(large, 1000)).out < 1000 + 4 * 61
        for task in (many, *others):
            task.cancel()

    run_virtually(main())


def test_what_is_over_in_the_queue_leaves_no_hole() -> None:
    async def main() -> None:
        guard = limiter(LimitSettings(per="everything", concurrent=1))
        first = await guard.enter(of("a"))
        tasks = [asyncio.create_task(made(guard, of("a"))) for _ in range(5)]
        last = asyncio.create_task(made(guard, of("b")))
        await asyncio.sleep(0)
        assert guard.waiting == 6
        for task in tasks:
            task.cancel()
        await asyncio.sleep(0)
        assert guard.waiting == 1
        first(OK)
        started = now()
        assert (await last).out == started
        await made(guard, of("a"))

    run_virtually(main())


def test_one_cancelled_after_it_was_let_go_gives_its_place_back() -> None:
    async def main() -> None:
        guard = limiter(LimitSettings(per="everything", concurrent=1, requests_per_minute=2))
        first = await guard.enter(CALL)
        waits = asyncio.create_task(guard.enter(CALL))
        await asyncio.sleep(0)
        first(OK)
        waits.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waits
        started = now()
        assert (await made(guard, CALL)).out == started

    run_virtually(main())


def test_a_call_that_was_not_made_counts_for_nothing() -> None:
    async def main() -> None:
        guard = limiter(LimitSettings(per="everything", requests_per_minute=1, tokens_per_minute=10))
        (await guard.enter(of("a", input_tokens=10)))(NOT_MADE)
        await made(guard, of("a", input_tokens=10))

    run_virtually(main())


def test_tokens_are_corrected_by_what_was_used() -> None:
    async def main() -> None:
        guard = limiter(LimitSettings(per="everything", tokens_per_minute=100))
        started = now()
        for _ in range(6):
            await made(guard, of("a", output_tokens=50), 0.0, used=10)
        assert now() == started
        assert (await refused(guard, of("a", output_tokens=50, deadline=now() + 5))).retry_after == pytest.approx(61)

    run_virtually(main())


@pytest.mark.parametrize(
    ("error", "cost", "left"),
    [
        (BadRequestError("400", model=MODEL), Decimal(0), 100),
        (DeadlineError("late", model=MODEL), None, 50),
        (asyncio.CancelledError(), None, 50),
    ],
)
def test_tokens_of_a_failure_stay_counted_where_they_may_have_been_used(
    error: BaseException, cost: Decimal | None, left: int
) -> None:
    async def main() -> None:
        guard = limiter(LimitSettings(per="everything", tokens_per_minute=100))
        (await guard.enter(of("a", output_tokens=50)))(Outcome(Usage(), cost, 1.0, error))
        await made(guard, of("a", output_tokens=left, deadline=now() + 1), 0.0)
        await refused(guard, of("a", output_tokens=1, deadline=now() + 1))

    run_virtually(main())


def test_more_than_was_thought_is_counted_too() -> None:
    async def main() -> None:
        guard = limiter(LimitSettings(per="everything", tokens_per_minute=100))
        await made(guard, of("a", output_tokens=50), 0.0, used=180)
        await refused(guard, of("a", output_tokens=1, deadline=now() + 50))
        await made(guard, of("a", output_tokens=1, deadline=now() + 70), 0.0)

    run_virtually(main())


def test_dollars_are_counted_and_an_unknown_price_is_refused() -> None:
    async def main() -> None:
        dear = LimitSettings(per="key", cost_per_minute=Decimal("0.10"))
        guard = limiter(dear)
        call = replace(CALL, tags=Tags(key="k"), bound=Decimal("0.04"), deadline=now() + 30)
        (await guard.enter(call))(Outcome(Usage(1), Decimal("0.01"), 1.0))
        (await guard.enter(call))(Outcome(Usage(1), None, 1.0))
        (await guard.enter(call))(Outcome(Usage(1), Decimal("0.04"), 1.0))
        await refused(guard, call)
        await made(guard, CALL)  # of no key
        error = await refused(guard, replace(call, bound=None))
        assert "price of openai/gpt is unknown" in str(error)
        assert "allows in a minute ($0.1)" in str(await refused(guard, replace(call, bound=Decimal("0.2"))))
        await made(Limiter([dear], clock=now, unpriced="allow"), replace(call, bound=None))

    run_virtually(main())


def test_who_would_wait_past_his_deadline_is_refused_at_once() -> None:
    async def main() -> None:
        guard = limiter(LimitSettings(per="everything", requests_per_minute=2))
        await made(guard, CALL)
        await made(guard, CALL)
        error = await refused(guard, replace(CALL, deadline=now() + 30))
        assert error.retry_after == pytest.approx(59)
        await asyncio.sleep(40)
        waits = [asyncio.create_task(made(guard, replace(CALL, deadline=now() + 30))) for _ in range(2)]
        await asyncio.sleep(0)
        await refused(guard, replace(CALL, deadline=now() + 30))  # behind those two it is too late
        assert [run.out for run in await asyncio.gather(*waits)] == [1061, 1062]

    run_virtually(main())


def test_nobody_waits_past_his_deadline() -> None:
    async def main() -> None:
        guard = limiter(LimitSettings(per="everything", concurrent=1))
        first = await guard.enter(CALL)
        with pytest.raises(LimitError, match="until the time allowed was over"):
            await guard.enter(replace(CALL, deadline=now() + 5))
        assert now() == pytest.approx(1005)
        assert guard.waiting == 0
        first(OK)
        await made(guard, CALL)

    run_virtually(main())


def test_a_full_queue_refuses_early() -> None:
    async def main() -> None:
        guard = limiter(LimitSettings(per="everything", concurrent=1), queue=2)
        first = await guard.enter(CALL)
        waits = [asyncio.create_task(made(guard, CALL)) for _ in range(2)]
        await asyncio.sleep(0)
        assert "2 calls wait already" in str(await refused(guard, CALL))
        first(OK)
        await asyncio.gather(*waits)

    run_virtually(main())


def test_a_full_queue_is_full_for_the_tenant_that_fills_it() -> None:
    """Or one that floods it would keep everybody else out."""

    async def main() -> None:
        guard = limiter(LimitSettings(per="everything", concurrent=1), queue=4)
        first = await guard.enter(CALL)
        loud = [asyncio.create_task(made(guard, of("loud"))) for _ in range(4)]
        await asyncio.sleep(0)
        assert "4 calls wait already" in str(await refused(guard, of("loud")))
        quiet = [asyncio.create_task(made(guard, of("quiet"))) for _ in range(2)]
        await asyncio.sleep(0)
        for latest in loud[2:]:
            with pytest.raises(LimitError, match="4 calls wait already"):
                await latest
        assert "4 calls wait already" in str(await refused(guard, of("loud")))
        assert "4 calls wait already" in str(await refused(guard, of("quiet"))), (
            "as many of its own wait as of the other"
        )
        third = asyncio.create_task(made(guard, of("third")))
        await asyncio.sleep(0)
        assert guard.waiting == 4
        first(OK)
        ended = await asyncio.gather(*loud[:2], *quiet, third, return_exceptions=True)
        assert sum(isinstance(end, LimitError) for end in ended) == 1
        assert guard.waiting == 0
        (await guard.enter(CALL))(OK)

    run_virtually(main())


def test_a_full_queue_holds_up_nobody_who_need_not_wait() -> None:
    async def main() -> None:
        guard = limiter(LimitSettings(per="model", match="openai/*", concurrent=1), adaptive=True, queue=1)
        first = await guard.enter(CALL)
        waiting = asyncio.create_task(made(guard, CALL))
        await asyncio.sleep(0)
        await made(guard, replace(CALL, model="vllm/other"))
        assert "1 calls wait already" in str(await refused(guard, CALL))
        first(OK)
        await waiting

    run_virtually(main())


def test_a_call_that_never_fits_is_told_so() -> None:
    async def main() -> None:
        guard = limiter(LimitSettings(per="tenant", tokens_per_minute=100))
        error = await refused(guard, of("a", input_tokens=101))
        assert "more tokens than the limit for the tenant 'a' allows in a minute (100)" in str(error)

    run_virtually(main())


def test_limits_fit_models_by_pattern_and_count_for_each_subject() -> None:
    async def main() -> None:
        guard = limiter(
            LimitSettings(per="session", match="openai/*", requests_per_minute=1),
            LimitSettings(per="purpose", match="vllm/*", requests_per_minute=1),
        )
        soon = now() + 1
        one = replace(CALL, tags=Tags(session="1"), deadline=soon)
        await made(guard, one, 0)
        await made(guard, replace(one, tags=Tags(session="2")), 0)
        await refused(guard, one)
        await refused(guard, replace(one, model="openai/mini"))
        await made(guard, replace(one, model="vllm/own"), 0)
        await refused(guard, replace(one, model="vllm/own"))
        await made(guard, replace(one, model="vllm/own", tags=Tags(purpose="judge")), 0)
        await made(guard, replace(one, tags=Tags()), 0)

    run_virtually(main())


def test_a_limit_for_each_request_is_refused() -> None:
    with pytest.raises(ConfigError, match="cannot be counted for each request"):
        limiter(LimitSettings(per="request", requests_per_minute=1))


def test_subjects_that_do_nothing_are_forgotten() -> None:
    async def main() -> None:
        guard = limiter(LimitSettings(per="session", requests_per_minute=5))
        for number in range(5000):
            await made(guard, replace(CALL, tags=Tags(session=str(number))), 0.1)
        assert len(guard._counters) < 2048
        assert len(guard._queue._ends) < 2048

    run_virtually(main())


def test_threads_and_loops_share_the_limits() -> None:
    guard = Limiter([LimitSettings(per="everything", concurrent=3)], adaptive=False)
    out = most = 0
    lock = threading.Lock()

    async def one() -> None:
        nonlocal out, most
        leave = await guard.enter(CALL)
        with lock:
            out += 1
            most = max(most, out)
        await asyncio.sleep(0.001)
        with lock:
            out -= 1
        leave(OK)

    async def many() -> None:
        await asyncio.gather(*(one() for _ in range(40)))

    threads = [threading.Thread(target=lambda: asyncio.run(many())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert (guard.waiting, out, most) == (0, 0, 3)


def test_a_loop_that_died_waiting_holds_nobody_up() -> None:
    guard = Limiter([LimitSettings(per="everything", concurrent=1)], adaptive=False)

    async def main() -> None:
        first = await guard.enter(CALL)
        dead = asyncio.new_event_loop()
        task = dead.create_task(guard.enter(CALL))
        dead.call_soon(dead.stop)

        def stopped() -> None:
            dead.run_forever()
            dead.run_until_complete(asyncio.sleep(0))

        thread = threading.Thread(target=stopped)
        thread.start()
        thread.join()
        assert guard.waiting == 1
        dead.close()
        first(OK)
        task.get_coro().close()
        leave = await guard.enter(CALL)
        second = asyncio.create_task(guard.enter(CALL))
        await asyncio.sleep(0)
        assert guard.waiting == 1
        leave(OK)
        (await second)(OK)

    asyncio.run(main())


def test_without_limits_nothing_is_kept() -> None:
    async def main() -> None:
        guard = limiter()
        leaves = [await guard.enter(CALL) for _ in range(100)]
        for leave in leaves:
            leave(OK)

    run_virtually(main())
