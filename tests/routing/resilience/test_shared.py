"""Breakers of several processes, which know of each other through Redis."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from decimal import Decimal

import pytest

from routing.call import Call, Outcome
from routing.chat import Usage
from routing.errors import BreakerOpenError, OverloadedError
from routing.resilience.breaker import Breakers
from routing.resilience.redis_link import RedisLink
from routing.resilience.shared import RedisCircuits, SharedCircuit
from routing.settings import BreakerSettings
from tests.routing.redis_guard import RedisServer

CALL = Call("chat", "openai/gpt")
SETTINGS = BreakerSettings(cooldown_seconds=0.2)


class Process:
    """What one process has."""

    def __init__(self, url: str, settings: BreakerSettings = SETTINGS) -> None:
        self.link = RedisLink(url, again_seconds=0.05)
        self.circuits = RedisCircuits(self.link, settle_seconds=0.05)
        self.breakers = Breakers(settings, shared=self.circuits)

    async def tried(self, error: Exception | None = None) -> None:
        (await self.breakers.enter(CALL))(Outcome(Usage(), Decimal(0), 0.01, error))

    async def opens(self) -> None:
        await self.tried(OverloadedError("503", model="openai/gpt", status=503))
        await self.tried(OverloadedError("503", model="openai/gpt", status=503))

    @property
    def state(self) -> str:
        return {state.name: state.state for state in self.breakers.states()}.get("openai/gpt", "closed")


@pytest.fixture
def processes(redis_url: str) -> Iterator[tuple[Process, Process]]:
    pair = Process(redis_url), Process(redis_url)
    yield pair
    for process in pair:
        process.link.close()


def until(condition: Callable[[], bool]) -> None:
    for _ in range(1000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it did not come to be")


async def test_what_one_process_learns_the_others_know(processes: tuple[Process, Process]) -> None:
    one, other = processes
    await one.opens()
    until(lambda: other.state == "open")
    await asyncio.sleep(0.25)
    await other.tried()
    assert other.state == "closed"
    until(lambda: one.state == "closed")


async def test_one_probe_among_all(processes: tuple[Process, Process]) -> None:
    one, other = processes
    await one.opens()
    until(lambda: other.state == "open")
    await asyncio.sleep(0.25)
    probe = await one.breakers.enter(CALL)
    with pytest.raises(BreakerOpenError):
        await other.breakers.enter(CALL)
    assert other.state == "open"
    probe(Outcome(Usage(), Decimal(0), 0.01, OverloadedError("503", model="openai/gpt")))
    await asyncio.sleep(0.45)
    assert (one.state, other.state) == ("open", "open")
    await other.tried()  # its turn to probe: the first one's claim is given back
    until(lambda: one.state == "closed")


async def test_a_probe_that_says_nothing_gives_its_claim_back(processes: tuple[Process, Process]) -> None:
    one, other = processes
    assert await one.circuits.claim("openai/gpt", 60)
    assert not await other.circuits.claim("openai/gpt", 60)
    other.circuits.released("openai/gpt")  # not its own
    assert not await other.circuits.claim("openai/gpt", 60)
    one.circuits.released("openai/gpt")
    for _ in range(500):
        if await other.circuits.claim("openai/gpt", 0.01):
            break
        await asyncio.sleep(0.01)
    else:
        pytest.fail("the claim was not given back")
    await asyncio.sleep(0.05)
    assert await one.circuits.claim("openai/gpt", 60)  # the other died


async def test_a_process_that_starts_knows_what_is_open(processes: tuple[Process, Process], redis_url: str) -> None:
    one, _ = processes
    one.circuits.opened("openai/gpt", SharedCircuit(30.0, 10.0), lambda: None)
    late = Process(redis_url)
    until(lambda: late.state == "open")
    with pytest.raises(BreakerOpenError, match="failed in another process") as raised:
        await late.breakers.enter(CALL)
    assert raised.value.retry_after == pytest.approx(30, abs=5)
    late.link.close()


async def test_without_the_server_each_process_goes_by_what_it_knows(redis_server: RedisServer) -> None:
    one, other = Process(redis_server.url), Process(redis_server.url, BreakerSettings())
    until(lambda: not one.link.lost and not other.link.lost)
    redis_server.stop()
    await one.opens()
    assert one.state == "open"
    await other.opens()
    await asyncio.sleep(0.25)
    await one.tried()  # the probe needs nobody's leave
    assert one.state == "closed"
    redis_server.start()
    until(lambda: one.state == "open")  # what the other found out alone is told when the server is back
    one.link.close()
    other.link.close()
