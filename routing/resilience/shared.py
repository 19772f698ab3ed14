"""What processes tell one another of open circuits: the contract, and the one that keeps it in Redis."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import uuid4

from plumbline.forking import at_fork
from routing.resilience.redis_link import RedisLink, RedisLostError

_CIRCUITS = "{plumbline}:circuits"
_PROBE = "{plumbline}:probe:"
_FORGET_SECONDS = 3600

_NOW = "local t = redis.call('TIME') local now = t[1] + t[2] / 1000000 "
_READ = (
    _NOW
    + """
local found, all = {}, redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local retry_at, cooldown = string.match(all[i + 1], '(%S+) (%S+)')
  found[#found + 1] = all[i]
  found[#found + 1] = string.format('%.3f', tonumber(retry_at) - now)
  found[#found + 1] = cooldown
end
return found
"""
)
_OPENED = (
    _NOW
    + """
redis.call('HSET', KEYS[1], ARGV[1], string.format('%.3f %s', now + ARGV[2], ARGV[3]))
redis.call('EXPIRE', KEYS[1], ARGV[4])
if redis.call('GET', KEYS[2]) == ARGV[5] then redis.call('DEL', KEYS[2]) end
"""
)
_CLAIM = "if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return 1 end return 0"
_RELEASED = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end"
_CLOSED = "redis.call('HDEL', KEYS[1], ARGV[2]) " + _RELEASED.replace("KEYS[1]", "KEYS[2]")


@dataclass(frozen=True, slots=True)
class SharedCircuit:
    """An open circuit: tried again in `retry_in` seconds, or now when that is not above 0; `cooldown` in seconds."""

    retry_in: float
    cooldown: float


class SharedCircuits(Protocol):
    """Open circuits that are known to all processes. Only `claim` may wait; nothing raises when the others are away."""

    settle_seconds: float
    """How often each process reads what the others know."""

    def watch(self, adopt: Callable[[Mapping[str, SharedCircuit]], None]) -> None:
        """Call `adopt` with all open circuits every `settle_seconds`, from any thread, and never while away."""
        ...

    async def claim(self, name: str, seconds: float) -> bool:
        """Whether this process may probe now, for so long at most; true also when the others cannot be asked."""
        ...

    def opened(self, name: str, circuit: SharedCircuit, heard: Callable[[], None]) -> None:
        """Tell that a circuit has opened, or stays open after a probe; calls `heard`, from any thread, when known."""
        ...

    def closed(self, name: str) -> None:
        """Tell that a probe has succeeded."""
        ...

    def released(self, name: str) -> None:
        """Tell that a probe ended and says nothing."""
        ...


class RedisCircuits:
    """`SharedCircuits` in one hash on a Redis server; a probe is a key with a time to live."""

    def __init__(self, link: RedisLink, settle_seconds: float = 1.0) -> None:
        self.settle_seconds = settle_seconds
        self._link = link
        self._begin()
        at_fork(self, child=RedisCircuits._begin)

    def _begin(self) -> None:
        """A child's probes are not its parent's."""
        self._token = uuid4().hex

    def watch(self, adopt: Callable[[Mapping[str, SharedCircuit]], None]) -> None:
        """See `SharedCircuits`."""

        def read(found: list[bytes]) -> None:
            rows = zip(*[iter(found)] * 3, strict=True)
            adopt({name.decode(): SharedCircuit(float(retry), float(cooldown)) for name, retry, cooldown in rows})

        self._link.poll(self.settle_seconds, _READ, [_CIRCUITS], [], read)

    async def claim(self, name: str, seconds: float) -> bool:
        """See `SharedCircuits`."""
        try:
            asked = self._link.submit(_CLAIM, [_PROBE + name], [self._token, int(seconds * 1000)])
            return bool(await asyncio.wrap_future(asked))
        except RedisLostError:
            return True

    def opened(self, name: str, circuit: SharedCircuit, heard: Callable[[], None]) -> None:
        """See `SharedCircuits`."""
        wait = max(circuit.retry_in, 0.0)
        arguments = [name, wait, circuit.cooldown, _FORGET_SECONDS, self._token]
        said = self._say(_OPENED, [_CIRCUITS, _PROBE + name], arguments)
        if said is not None:
            said.add_done_callback(lambda done: heard() if done.exception() is None else None)

    def closed(self, name: str) -> None:
        """See `SharedCircuits`."""
        self._say(_CLOSED, [_CIRCUITS, _PROBE + name], [self._token, name])

    def released(self, name: str) -> None:
        """See `SharedCircuits`."""
        self._say(_RELEASED, [_PROBE + name], [self._token])

    def _say(self, script: str, keys: list[str], arguments: list[Any]) -> Future[Any] | None:
        try:
            return self._link.submit(script, keys, arguments)
        except RedisLostError:
            return None
