"""Hedging: who wins, what becomes of the other, and how often it is done."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from routing.errors import ConnectionFailedError, OverloadedError
from routing.resilience.hedge import Claim, Hedges, hedged
from routing.settings import HedgeSettings
from tests.routing.resilience.virtual import now, run_virtually

Contender = Callable[[Claim], Awaitable[str]]


class Contest:
    """Contenders that note when they begin and how they end."""

    def __init__(self) -> None:
        self.log: list[str] = []

    def one(
        self, name: str, seconds: float, error: Exception | None = None, first_piece: float | None = None
    ) -> Contender:
        async def contend(claim: Claim) -> str:
            self.log.append(f"{name} begins")
            try:
                if first_piece is not None:
                    await asyncio.sleep(first_piece)
                    self.log.append(f"{name} {'speaks' if claim() else 'is quiet'}")
                await asyncio.sleep(seconds - (first_piece or 0))
                if error is not None:
                    raise error
            except asyncio.CancelledError:
                await asyncio.sleep(0.5)  # the ledger is written
                self.log.append(f"{name} is cancelled")
                raise
            self.log.append(f"{name} ends")
            return name

        return contend


@pytest.fixture
def contest() -> Contest:
    return Contest()


def down(message: str) -> ConnectionFailedError:
    return ConnectionFailedError(message, model="m")


def test_a_quick_answer_is_not_hedged(contest: Contest) -> None:
    assert run_virtually(hedged(contest.one("a", 1), contest.one("b", 1), 2)) == "a"
    assert contest.log == ["a begins", "a ends"]


def test_the_second_wins_and_the_first_is_cancelled_and_waited_for(contest: Contest) -> None:
    assert run_virtually(hedged(contest.one("a", 9), contest.one("b", 1), 2)) == "b"
    assert contest.log == ["a begins", "b begins", "b ends", "a is cancelled"]


def test_the_first_may_win_after_all(contest: Contest) -> None:
    assert run_virtually(hedged(contest.one("a", 2.5), contest.one("b", 5), 2)) == "a"
    assert contest.log == ["a begins", "b begins", "a ends", "b is cancelled"]


def test_the_error_of_one_lets_the_other_go_on(contest: Contest) -> None:
    assert run_virtually(hedged(contest.one("a", 3, down("a")), contest.one("b", 5), 2)) == "b"
    assert run_virtually(hedged(contest.one("a", 5), contest.one("b", 1, down("b")), 2)) == "a"


def test_when_both_fail_the_firsts_error_is_raised(contest: Contest) -> None:
    with pytest.raises(ConnectionFailedError, match="of the first"):
        run_virtually(hedged(contest.one("a", 9, down("of the first")), contest.one("b", 1, down("other")), 2))


def test_an_error_before_the_time_is_raised_at_once(contest: Contest) -> None:
    with pytest.raises(OverloadedError):
        run_virtually(hedged(contest.one("a", 1, OverloadedError("503", model="m")), contest.one("b", 1), 2))
    assert contest.log == ["a begins"]


def test_who_is_not_allowed_to_is_not_begun(contest: Contest) -> None:
    assert run_virtually(hedged(contest.one("a", 9), contest.one("b", 1), 2, may=lambda: False)) == "a"
    assert contest.log == ["a begins", "a ends"]


def test_in_a_stream_the_first_piece_decides(contest: Contest) -> None:
    slow, quick = contest.one("a", 8, first_piece=4), contest.one("b", 9, first_piece=1)
    assert run_virtually(hedged(slow, quick, 2)) == "b"
    assert contest.log == ["a begins", "b begins", "b speaks", "a is cancelled", "b ends"]


def test_a_stream_that_speaks_in_time_is_not_hedged(contest: Contest) -> None:
    assert run_virtually(hedged(contest.one("a", 8, first_piece=1), contest.one("b", 1), 2)) == "a"
    assert contest.log == ["a begins", "a speaks", "a ends"]


def test_who_spoke_and_failed_is_not_replaced(contest: Contest) -> None:
    broken, other = contest.one("a", 5, down("broke off"), first_piece=3), contest.one("b", 9)
    with pytest.raises(ConnectionFailedError, match="broke off"):
        run_virtually(hedged(broken, other, 2))
    assert contest.log == ["a begins", "b begins", "a speaks", "b is cancelled"]


def test_two_claims_at_once_have_one_winner() -> None:
    claims: list[tuple[str, bool]] = []

    def one(name: str, wait: float) -> Contender:
        async def contend(claim: Claim) -> str:
            await asyncio.sleep(wait)
            claims.append((name, claim()))
            return name

        return contend

    assert run_virtually(hedged(one("a", 3.0), one("b", 1.0), 2.0)) in ("a", "b")
    assert [mine for _, mine in claims].count(True) == 1


@pytest.mark.parametrize("silent_first", [True, False])
def test_who_ends_in_the_turn_in_which_the_other_speaks_does_not_answer_for_it(silent_first: bool) -> None:
    """What is heard, and what is returned, are the same one's."""
    heard: list[str] = []
    gates: list[asyncio.Event] = []

    async def silent(claim: Claim) -> str:
        await gates[0].wait()
        return "silent"

    async def speaking(claim: Claim) -> str:
        await gates[1].wait()
        if claim():
            heard.append("speaking")
        await asyncio.sleep(1)
        return "speaking"

    async def main() -> str:
        gates.extend([asyncio.Event(), asyncio.Event()])
        race = asyncio.create_task(hedged(silent, speaking, 1))
        await asyncio.sleep(2)
        for gate in gates if silent_first else reversed(gates):
            gate.set()
        return await race

    answer = run_virtually(main())
    assert answer == ("silent" if silent_first else "speaking")
    assert heard == ([] if silent_first else ["speaking"])


def test_cancelling_cancels_both(contest: Contest) -> None:
    async def main() -> None:
        task = asyncio.create_task(hedged(contest.one("a", 9), contest.one("b", 9), 2))
        await asyncio.sleep(3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert sorted(contest.log) == ["a begins", "a is cancelled", "b begins", "b is cancelled"]
        assert len(asyncio.all_tasks()) == 1

    run_virtually(main())


def test_never_is_never(contest: Contest) -> None:
    hedges = Hedges(HedgeSettings(), now)
    assert not hedges.enabled
    assert run_virtually(hedges.call("m", contest.one("a", 99), contest.one("b", 1))) == "a"


def test_at_most_the_share_is_asked_twice(contest: Contest) -> None:
    async def main() -> int:
        hedges = Hedges(HedgeSettings(after=1.0, share=0.1), now)
        for _ in range(100):
            await hedges.call("m", contest.one("a", 3), contest.one("b", 3))
        return contest.log.count("b begins")

    assert run_virtually(main()) == 10


def test_the_time_is_what_nineteen_of_twenty_calls_took(contest: Contest) -> None:
    async def main() -> None:
        hedges = Hedges(HedgeSettings(after="p95", share=1.0), now)
        for number in range(19):
            await hedges.call("m", contest.one("a", 100 if number == 3 else 2), contest.one("b", 0))
        assert "b begins" not in contest.log  # too few known
        await hedges.call("m", contest.one("a", 2), contest.one("b", 0))
        started = now()
        assert await hedges.call("m", contest.one("a", 50), contest.one("b", 1)) == "b"
        assert now() - started == pytest.approx(2 + 1 + 0.5)
        assert await hedges.call("other", contest.one("a", 50), contest.one("b", 1)) == "a"

    run_virtually(main())


def test_streams_are_timed_to_their_first_piece_and_failures_not_at_all(contest: Contest) -> None:
    async def main() -> None:
        hedges = Hedges(HedgeSettings(after="p95", share=1.0, least=3), now)
        for _ in range(2):
            with pytest.raises(ConnectionFailedError):
                await hedges.call("m", contest.one("a", 0.01, down("a")), contest.one("b", 0), streamed=True)
        for _ in range(3):
            await hedges.call("m", contest.one("a", 60, first_piece=1), contest.one("b", 0), streamed=True)
        started = now()
        await hedges.call("m", contest.one("a", 60, first_piece=30), contest.one("b", 5, first_piece=1), streamed=True)
        assert now() - started == pytest.approx(1 + 5)

    run_virtually(main())
