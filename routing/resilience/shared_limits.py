"""Limits that hold for several machines together: the contract, and the one that keeps it in Redis."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from typing import Any, Literal, Protocol
from uuid import uuid4

from plumbline.forking import at_fork
from routing.resilience.need import Need, Resource
from routing.resilience.redis_link import RedisLink, RedisLostError

_PREFIX = "{plumbline}:limit:"
_LEASE_SECONDS = 3600.0  # how long a call without a deadline is believed to run when its machine is not heard of again
_LOOK_AGAIN_SECONDS = 0.05  # a call that must come back first is on another machine, which does not say when

_TAKE = """
local t = redis.call('TIME')
local second, now = tonumber(t[1]), t[1] + t[2] / 1000000
local span = 60
local token, lease = ARGV[1], tonumber(ARGV[2])
for i, key in ipairs(KEYS) do
  local kind, amount, limit = ARGV[3 * i], tonumber(ARGV[3 * i + 1]), tonumber(ARGV[3 * i + 2])
  if kind == 'concurrent' then
    redis.call('ZREMRANGEBYSCORE', key, '-inf', now)
    if redis.call('ZCARD', key) >= limit then return {i, '-1', second} end
  else
    local all, total, seconds, amounts = redis.call('HGETALL', key), 0, {}, {}
    for j = 1, #all, 2 do
      local at = tonumber(all[j])
      if at < second - span then
        redis.call('HDEL', key, all[j])
      else
        seconds[#seconds + 1] = at
        amounts[at] = tonumber(all[j + 1])
        total = total + amounts[at]
      end
    end
    local over = total + amount - limit
    if over > 0 then
      table.sort(seconds)
      local wait = span
      for _, at in ipairs(seconds) do
        over = over - amounts[at]
        wait = at + span + 1 - now
        if over <= 0 then break end
      end
      return {i, tostring(wait), second}
    end
  end
end
for i, key in ipairs(KEYS) do
  local kind, amount = ARGV[3 * i], tonumber(ARGV[3 * i + 1])
  if kind == 'concurrent' then
    redis.call('ZADD', key, now + lease, token)
    redis.call('EXPIRE', key, 3600 + math.ceil(lease))
  else
    redis.call('HINCRBY', key, second, amount)
    redis.call('EXPIRE', key, span + 2)
  end
end
return {0, '0', second}
"""
_GIVE_BACK = """
local t = redis.call('TIME')
local second, span, token = tonumber(t[1]), 60, ARGV[1]
for i, key in ipairs(KEYS) do
  local kind, taken, spare = ARGV[3 * i - 1], tonumber(ARGV[3 * i]), tonumber(ARGV[3 * i + 1])
  if kind == 'concurrent' then
    redis.call('ZREM', key, token)
  elseif spare < 0 then
    redis.call('HINCRBY', key, second, -spare)
    redis.call('EXPIRE', key, span + 2)
  elseif spare > 0 and redis.call('HEXISTS', key, taken) == 1 then
    redis.call('HINCRBY', key, taken, -spare)
  end
end
"""

_RELEASE = "for i, key in ipairs(KEYS) do redis.call('ZREM', key, ARGV[i]) end"
_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class Claim:
    """So much of one limit, which is called `key` on all machines."""

    key: str
    resource: Resource | Literal["concurrent"]
    amount: int
    limit: int


@dataclass(frozen=True, slots=True)
class Grant:
    """What was asked for is taken; or, when `wait` is above 0, there is no room at `full` for so many seconds."""

    claims: tuple[Claim, ...]
    token: str = ""
    second: int = 0
    wait: float = 0.0
    full: str = ""


class SharedLimits(Protocol):
    """Counts for all machines together."""

    async def take(self, claims: Sequence[Claim], seconds: float | None) -> Grant | None:
        """Take all or none, as one step, for a call that ends in so many seconds; `None`: nobody can be asked.

        A cancelled `take` leaves nothing taken.
        """
        ...

    def give_back(self, grant: Grant, used: Need) -> None:
        """Count what a call used instead of what it had taken; does not wait."""
        ...


class RedisLimits:
    """`SharedLimits` on a Redis server, by its clock.

    Of each limit a hash has what was taken in each second, and a sorted set the calls that are out, which are forgotten
    when their time is over. While the server is away each process keeps the limits for itself, and the calls that it
    could not say to have come back, or to have never gone out, it says when the server is there again.
    """

    def __init__(self, link: RedisLink) -> None:
        self._link = link
        self._begin()
        at_fork(self, child=RedisLimits._begin)

    def _begin(self) -> None:
        """A child's calls are not its parent's."""
        self._process = uuid4().hex
        self._numbers = count()
        self._owed: deque[tuple[str, str]] = deque()

    async def take(self, claims: Sequence[Claim], seconds: float | None) -> Grant | None:
        """See `SharedLimits`."""
        if self._owed:
            self._release()
        token = f"{self._process}:{next(self._numbers)}"
        arguments: list[Any] = [token, _LEASE_SECONDS if seconds is None else max(seconds, 0.0) + 1.0]
        for claim in claims:
            arguments += [claim.resource, claim.amount, claim.limit]
        try:
            asked = self._link.submit(_TAKE, [_key(claim) for claim in claims], arguments)
        except RedisLostError:
            return None
        try:
            full, wait, second = await asyncio.wrap_future(asked)
        except RedisLostError:
            self._owe(claims, token)  # it may have been heard all the same
            return None
        except asyncio.CancelledError:
            asked.add_done_callback(lambda done: self._undo(tuple(claims), token, done))
            raise
        if not full:
            return Grant(tuple(claims), token, int(second))
        until = float(wait)
        return Grant((), wait=_LOOK_AGAIN_SECONDS if until < 0 else max(until, 0.001), full=claims[full - 1].key)

    def give_back(self, grant: Grant, used: Need) -> None:
        """See `SharedLimits`."""
        arguments: list[Any] = [grant.token]
        for claim in grant.claims:
            spare = claim.amount if claim.resource == "concurrent" else claim.amount - used.of(claim.resource)
            arguments += [claim.resource, grant.second, spare]
        try:
            said = self._link.submit(_GIVE_BACK, [_key(claim) for claim in grant.claims], arguments)
        except RedisLostError:
            self._owe(grant.claims, grant.token)
        else:
            said.add_done_callback(lambda done: self._owe(grant.claims, grant.token) if done.exception() else None)

    def _owe(self, claims: Sequence[Claim], token: str) -> None:
        """What was taken of a minute is forgotten by itself; a call that is out holds its place for an hour."""
        self._owed.extend((_key(claim), token) for claim in claims if claim.resource == "concurrent")

    def _release(self) -> None:
        places: list[tuple[str, str]] = []
        with suppress(IndexError):  # another thread was first
            while len(places) < _AT_ONCE:
                places.append(self._owed.popleft())
        try:
            said = self._link.submit(_RELEASE, [key for key, _ in places], [token for _, token in places])
        except RedisLostError:
            self._owed.extend(places)
        else:
            said.add_done_callback(lambda done: self._owed.extend(places) if done.exception() else None)

    def _undo(self, claims: tuple[Claim, ...], token: str, done: Future[Any]) -> None:
        if done.cancelled():
            return
        if done.exception() is not None:
            self._owe(claims, token)
            return
        full, _, second = done.result()
        if not full:
            self.give_back(Grant(claims, token, int(second)), Need(requests=0))


def _key(claim: Claim) -> str:
    return f"{_PREFIX}{claim.key}:{claim.resource}"
