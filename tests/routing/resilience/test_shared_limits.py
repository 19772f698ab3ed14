"""Limits that several machines keep together, through Redis."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from routing.call import NOT_MADE, Call, Outcome
from routing.chat import Tags, Usage
from routing.errors import LimitError
from routing.resilience.limits import Limiter
from routing.resilience.need import Need
from routing.resilience.redis_link import RedisLink
from routing.resilience.shared_limits import Claim, RedisLimits
from routing.settings import LimitSettings
from tests.routing.redis_guard import RedisServer

CALL = Call("chat", "openai/gpt")
OK = Outcome(Usage(), Decimal(0), 0.1)


class Machine:
    """What one machine has."""

    def __init__(self, url: str, *settings: LimitSettings) -> None:
        self.link = RedisLink(url, again_seconds=0.05)
        self.limits = RedisLimits(self.link)
        self.limiter = Limiter(settings, adaptive=False, shared=self.limits)


@pytest.fixture
def links(redis_url: str) -> Iterator[list[RedisLink]]:
    links = [RedisLink(redis_url) for _ in range(2)]
    yield links
    for link in links:
        link.close()


def machines(url: str, *settings: LimitSettings) -> list[Machine]:
    return [Machine(url, *settings) for _ in range(2)]


async def soon(limiter: Limiter, **other: Any) -> None:
    """Goes out and comes back within a second, or raises."""
    (await limiter.enter(replace(CALL, deadline=time.monotonic() + 1, **other)))(OK)


async def test_machines_share_one_minute(redis_url: str) -> None:
    one, other = machines(redis_url, LimitSettings(per="everything", requests_per_minute=5))
    for machine in (one, other, one, other, one):
        await soon(machine.limiter)
    for machine in (one, other, one, other):
        with pytest.raises(LimitError) as raised:
            await soon(machine.limiter)
        assert raised.value.retry_after == pytest.approx(60, abs=3)
    assert one.limiter.waiting == other.limiter.waiting == 0
    one.link.close()
    other.link.close()


async def test_what_was_not_used_is_given_back_to_all(redis_url: str) -> None:
    one, other = machines(redis_url, LimitSettings(per="tenant", tokens_per_minute=100))
    tags = Tags(tenant="a")
    for machine in (one, other, one, other):
        leave = await machine.limiter.enter(replace(CALL, tags=tags, output_tokens=60, deadline=time.monotonic() + 1))
        leave(Outcome(Usage(output_tokens=10), Decimal(0), 0.1))
        await asyncio.wrap_future(machine.link.submit("return 1", [], []))  # it is heard by now
    (await other.limiter.enter(replace(CALL, tags=tags, output_tokens=60)))(NOT_MADE)
    await asyncio.wrap_future(other.link.submit("return 1", [], []))
    with pytest.raises(LimitError):
        await soon(one.limiter, tags=tags, output_tokens=70)
    await soon(one.limiter, tags=Tags(tenant="b"), output_tokens=70)
    one.link.close()
    other.link.close()


async def test_calls_at_once_are_counted_over_all_machines(redis_url: str) -> None:
    pair = machines(redis_url, LimitSettings(per="model", concurrent=3))
    out = most = done = 0

    async def one(limiter: Limiter) -> None:
        nonlocal out, most, done
        leave = await limiter.enter(CALL)
        out += 1
        most = max(most, out)
        await asyncio.sleep(0.005)
        out -= 1
        done += 1
        leave(OK)

    await asyncio.gather(*(one(machine.limiter) for machine in pair for _ in range(15)))
    assert (done, out) == (30, 0)
    assert most == 3
    for machine in pair:
        machine.link.close()


async def test_all_or_none_is_taken(links: list[RedisLink]) -> None:
    limits = RedisLimits(links[0])
    few, many = Claim("few", "requests", 1, 1), Claim("many", "tokens", 10, 100)
    assert (await taken(limits, few, many)).wait == 0
    refused = await taken(limits, many, few)
    assert (refused.full, refused.wait) == ("few", pytest.approx(60, abs=2))
    for _ in range(9):
        assert (await taken(limits, many)).wait == 0
    assert (await taken(limits, many)).full == "many"


async def test_a_machine_that_died_holds_its_calls_no_longer_than_they_may_take(links: list[RedisLink]) -> None:
    slot = Claim("slot", "concurrent", 1, 1)
    assert await RedisLimits(links[0]).take([slot], 0.0)
    await asyncio.sleep(1.1)
    assert (await taken(RedisLimits(links[1]), slot)).wait == 0
    assert (await taken(RedisLimits(links[0]), slot)).wait > 0


async def test_one_that_is_cancelled_while_it_asks_leaves_no_hole(links: list[RedisLink]) -> None:
    limits = RedisLimits(links[0])
    slot = Claim("slot", "concurrent", 1, 1)
    for _ in range(20):
        asking = asyncio.create_task(limits.take([slot], None))
        await asyncio.sleep(0)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
    await asyncio.sleep(0.1)
    grant = await taken(limits, slot)
    assert grant.wait == 0
    limits.give_back(grant, Need())
    await asyncio.wrap_future(links[0].submit("return 1", [], []))
    assert (await taken(limits, slot)).wait == 0


async def test_without_the_server_each_machine_keeps_the_limit_for_itself(redis_server: RedisServer) -> None:
    one, other = machines(redis_server.url, LimitSettings(per="everything", requests_per_minute=3))
    await soon(one.limiter)
    redis_server.stop()
    for _ in range(2):
        await soon(one.limiter)
    for _ in range(3):
        await soon(other.limiter)
    for machine in (one, other):
        with pytest.raises(LimitError):
            await soon(machine.limiter)
        machine.link.close()


async def test_no_place_is_lost_to_a_server_that_was_slow_or_away(redis_server: RedisServer) -> None:
    """Or calls without a deadline would keep others out for an hour."""
    link = RedisLink(redis_server.url, again_seconds=0.05)
    limits = RedisLimits(link)
    slot, other = Claim("slot", "concurrent", 1, 1), Claim("other", "requests", 1, 1)
    with redis_server.held():
        assert await limits.take([slot], None) is None, "it takes the place when it goes on"
    back(link)
    grant = await limits.take([slot], None)
    assert grant is not None
    assert grant.wait == 0
    with redis_server.held():
        assert await limits.take([other], None) is None
        limits.give_back(grant, Need())
    back(link)
    grant = await limits.take([slot], None)
    assert grant is not None
    assert grant.wait == 0
    with redis_server.held():
        limits.give_back(grant, Need())
        assert await limits.take([other], None) is None
    back(link)
    assert (await taken(limits, slot)).wait == 0
    link.close()


def back(link: RedisLink) -> None:
    while link.lost:
        time.sleep(0.01)


async def taken(limits: RedisLimits, *claims: Claim) -> Any:
    grant = await limits.take(claims, 30.0)
    assert grant is not None
    return grant
