"""Limits of what goes out: requests, tokens and dollars a minute, calls at once, and what the models themselves take.

A call that finds no room waits in a fair queue (`routing.resilience.fair`), never past its deadline; it is refused at
once when its wait is known to be longer, or when too many wait already. The minute is a sliding window
(`routing.resilience.window`). Tokens and dollars are counted by what a call may take at most, and corrected when it
is over; where that cannot be known (no answer in time, a stream that broke off) the most stays counted.
"""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal

from plumbline.forking import at_fork
from routing.call import NOT_MADE, Call, Leave, Outcome
from routing.chat import Usage
from routing.errors import RateLimitError
from routing.resilience.counters import Counter, Counters
from routing.resilience.fair import FairQueue, Gate, Waiter
from routing.resilience.need import Need, nano_dollars
from routing.resilience.pace import Pace
from routing.resilience.refusals import refusal, too_large, unpriced
from routing.resilience.shared_limits import Grant, SharedLimits
from routing.settings import LimitSettings

_NO_USAGE = Usage()
_PAUSED = "it asks to be left alone"
_ONE = Need()
_UNUSED = Need(requests=0)


class Limiter:
    """The guard that keeps calls within limits; may be used from several threads and event loops.

    At most `queue` calls wait. With `adaptive` each model also gets no more calls at once than it takes (`Pace`); one
    that asks for a pause of more than `longest_pause` seconds is refused meanwhile, so that another may answer. With
    `shared` the limits hold for all machines together; turns are taken among the calls of this process. `unpriced`
    says whether a call of unknown price may pass a limit of cost.
    """

    def __init__(
        self,
        settings: Sequence[LimitSettings],
        queue: int = 1000,
        adaptive: bool = True,
        clock: Callable[[], float] = time.monotonic,
        shared: SharedLimits | None = None,
        *,
        longest_pause: float = 8.0,
        unpriced: Literal["refuse", "allow"] = "refuse",
    ) -> None:
        self._counters = Counters(settings)
        self._limited = bool(settings)
        self._longest_queue = queue
        self._adaptive = adaptive
        self._clock = clock
        self._shared = shared
        self._longest_pause = longest_pause
        self._unpriced = unpriced
        self._lock = threading.Lock()
        self._queue = FairQueue()
        self._paces: dict[str, tuple[Pace]] = {}
        self._look_at = math.inf
        at_fork(self, child=Limiter._in_child)

    def _in_child(self) -> None:
        """The calls that are out, or wait, are the parent's."""
        self._lock = threading.Lock()
        self._queue = FairQueue()
        self._look_at = math.inf
        for gate in (*self._counters, *(pace for (pace,) in self._paces.values())):
            gate.in_flight = gate.waiting = 0

    async def enter(self, call: Call) -> Leave:
        """Wait until the call may go out; raises `LimitError` when it may not, or not in its time."""
        if not self._limited and not self._adaptive:
            return _free
        with self._lock:
            now = self._clock()
            gates, need = self._asked(call, now)
            if not gates:
                return _free
            waiter = Waiter(call.tags.tenant, gates, need, need.tokens or 1, call.deadline)
            if self._queue or any(gate.wait(need, now) > 0 for gate in gates):
                self._put(waiter, call, now)
            else:
                self._queue.pass_by(waiter, now)
        if waiter.admitted_at is None:
            await self._wait(waiter, call)
        grant = None if self._shared is None else await self._shared_grant(self._shared, waiter, call)
        return partial(self._left, waiter, grant)

    @property
    def waiting(self) -> int:
        """How many calls wait."""
        return len(self._queue)

    def _asked(self, call: Call, now: float) -> tuple[tuple[Gate, ...], Need]:
        """What the call has to pass, and what it may take."""
        if not self._limited:
            return (self._pace(call.model) if self._adaptive else ()), _ONE
        counters = self._counters.of(call, now)
        cost = 0
        if any(counter.has_cost for counter in counters):
            if call.bound is not None:
                cost = nano_dollars(call.bound)
            elif self._unpriced == "refuse":
                raise unpriced(call)
        need = Need(1, call.input_tokens + call.output_tokens, cost)
        return (*counters, *(self._pace(call.model) if self._adaptive else ())), need

    def _pace(self, model: str) -> tuple[Pace]:
        found = self._paces.get(model)
        if found is None:
            found = self._paces[model] = (Pace(),)
        return found

    def _put(self, waiter: Waiter, call: Call, now: float, *, first: bool = False) -> None:
        """Let a call wait, unless that is in vain; it may go by the end of this."""
        need = waiter.need if first else waiter.need + self._queue.ahead(waiter)
        wait = max(gate.wait(need, now) for gate in waiter.gates)
        for gate in waiter.gates:
            if isinstance(gate, Counter) and (over := gate.exceeded(waiter.need)) is not None:
                raise too_large(call, gate.described, *over)
            if isinstance(gate, Pace) and (pause := gate.pause(now)) > self._longest_pause:
                raise refusal(call, _PAUSED, pause)
        if call.deadline is not None and wait < math.inf and now + wait >= call.deadline:
            raise refusal(call, "a limit is reached until after the time allowed", wait)
        waiter.woken = asyncio.get_running_loop().create_future()
        self._queue.push(waiter, first=first)
        self._look(now)
        if len(self._queue) > self._longest_queue and not first and waiter.admitted_at is None:
            excess = self._queue.in_excess(waiter)
            self._queue.remove(excess)
            why = f"a limit is reached, and {self._longest_queue} calls wait already"
            if excess is waiter:
                raise refusal(call, why, wait)
            excess.refused = why, wait
            excess.wake()

    def _look(self, now: float) -> None:
        """Let go whoever may; and see to it that somebody looks again when there is room."""
        if not self._queue:
            return
        admitted, soonest = self._queue.admit(now)
        for waiter in admitted:
            if not waiter.wake():
                _undo(waiter, now)
        at = now + soonest
        if at < math.inf and not now < self._look_at <= at:
            self._look_at = at
            self._queue.look_again(soonest, self._look_again)

    def _look_again(self) -> None:
        with self._lock:
            self._look_at = math.inf
            self._look(self._clock())

    async def _wait(self, waiter: Waiter, call: Call) -> None:
        assert waiter.woken is not None
        left = None if call.deadline is None else max(call.deadline - self._clock(), 0.0)
        try:
            async with asyncio.timeout(left):
                await waiter.woken
            if waiter.refused is not None:
                raise refusal(call, *waiter.refused)
        except GeneratorExit:  # its event loop is no more, which is found out when it is to be woken
            raise
        except BaseException as error:
            with self._lock:
                went = waiter.admitted_at is not None
                if not went and waiter.refused is None:
                    self._queue.remove(waiter)
                    self._look_at = math.inf  # whose timer it was may be gone
                    self._look(self._clock())
            if went:
                self._left(waiter, None, NOT_MADE)
            if isinstance(error, TimeoutError):
                raise refusal(call, "a limit was reached until the time allowed was over", None) from None
            raise

    async def _shared_grant(self, shared: SharedLimits, waiter: Waiter, call: Call) -> Grant | None:
        """Count the call among all machines; while there is no room it waits, as the first of its flow."""
        counters = [gate for gate in waiter.gates if isinstance(gate, Counter)]
        claims = [claim for counter in counters for claim in counter.claims(waiter.need)]
        while claims:
            left = None if call.deadline is None else call.deadline - self._clock()
            try:
                grant = await shared.take(claims, left)
            except BaseException:
                self._left(waiter, None, NOT_MADE)
                raise
            if grant is None or grant.wait <= 0:
                return grant
            full = next(counter for counter in counters if counter.key == grant.full)
            with self._lock:
                now = self._clock()
                full.held_until = now + grant.wait
                _undo(waiter, now)
                waiter.admitted_at = None
                self._put(waiter, call, now, first=True)
            if waiter.admitted_at is None:
                await self._wait(waiter, call)
        return None

    def _left(self, waiter: Waiter, grant: Grant | None, outcome: Outcome) -> None:
        used = _used(outcome, waiter.need) if self._limited else _ONE
        assert waiter.admitted_at is not None
        with self._lock:
            now = self._clock()
            for gate in waiter.gates:
                gate.leave(waiter.need, used, outcome, waiter.admitted_at, now)
            if self._queue:
                if isinstance(outcome.error, RateLimitError):
                    self._refuse(waiter.gates, now)
                self._look(now)
        if grant is not None and self._shared is not None:
            self._shared.give_back(grant, used)

    def _refuse(self, gates: tuple[Gate, ...], now: float) -> None:
        """Let nobody wait for a model that has asked for a longer pause than is waited for: another may answer."""
        for gate in gates:
            pause = gate.pause(now) if isinstance(gate, Pace) else 0.0
            for waiter in self._queue.before(gate) if pause else ():
                if pause > self._longest_pause or (waiter.deadline is not None and now + pause >= waiter.deadline):
                    self._queue.remove(waiter)
                    waiter.refused = _PAUSED, pause
                    waiter.wake()


def _free(outcome: Outcome) -> None:
    """What the guard hears of a call that nothing limits."""
    del outcome


def _undo(waiter: Waiter, now: float) -> None:
    """Take back that it was let go, a moment ago."""
    for gate in waiter.gates:
        gate.leave(waiter.need, _UNUSED, NOT_MADE, now if waiter.admitted_at is None else waiter.admitted_at, now)


def _used(outcome: Outcome, need: Need) -> Need:
    """What a call took; the most that it may have, where that cannot be known."""
    if not outcome.made:
        return _UNUSED
    usage = outcome.usage
    if outcome.error is not None and outcome.cost is None and usage == _NO_USAGE:
        return need
    cost = nano_dollars(outcome.cost) if need.cost and outcome.cost is not None else need.cost
    return Need(1, usage.input_tokens + usage.output_tokens, cost)
