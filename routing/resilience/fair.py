"""Who is next when calls have to wait: every tenant in turn, by what it takes.

Start-time fair queueing (P. Goyal, H. M. Vin, H. Cheng, "Start-Time Fair Queuing: A Scheduling Algorithm for Integrated
Services Packet Switching Networks", SIGCOMM 1996): a tenant's next call starts, in virtual time, where its last one
ended, or now if that is later; the earliest start goes first. Tags are given when a call goes, not when it comes, so
that one that is cancelled leaves no trace. What calls fall under the same limits waits in one flow, in order.
"""

from __future__ import annotations

import asyncio
import heapq
import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from routing.call import Outcome
from routing.resilience.need import Need


class Gate(Protocol):
    """What a call has to pass; `waiting` is in how many flows calls wait for it."""

    waiting: int

    def wait(self, need: Need, now: float) -> float:
        """In how many seconds a call may pass: 0.0 for now, infinite when another must come back first."""
        ...

    def take(self, need: Need, now: float) -> None:
        """Let a call pass."""
        ...

    def leave(self, need: Need, used: Need, outcome: Outcome, taken_at: float, now: float) -> None:
        """Hear how a call ended that has passed at that moment, and what it used."""
        ...


@dataclass(eq=False, slots=True)
class Waiter:
    """A call that waits, or may soon, at most until its `deadline`. `size` is its part of its tenant's share.

    `admitted_at` is set when it may go, `refused` when it is not let go: why, and how long it would have to wait.
    """

    tenant: str | None
    gates: tuple[Gate, ...]
    need: Need
    size: float
    deadline: float | None = None
    woken: asyncio.Future[None] | None = None
    number: int = 0
    admitted_at: float | None = None
    refused: tuple[str, float] | None = None

    def wake(self) -> bool:
        """Tell it that it may go, or not; false when its event loop is no more."""
        assert self.woken is not None, "it waits"
        return self._soon(_set, self.woken)

    def later(self, seconds: float, function: Callable[[], None]) -> bool:
        """Call the function in so many seconds on its event loop; false when that is no more."""
        assert self.woken is not None, "it waits"
        return self._soon(self.woken.get_loop().call_later, seconds, function)

    def _soon(self, function: Callable[..., object], *arguments: object) -> bool:
        assert self.woken is not None
        try:
            self.woken.get_loop().call_soon_threadsafe(function, *arguments)
        except RuntimeError:  # the loop is closed
            return False
        return True


@dataclass(eq=False, slots=True)
class Flow:
    """The calls of one tenant that pass the same gates, in order, and what they need together."""

    tenant: str | None
    gates: tuple[Gate, ...]
    waiters: deque[Waiter] = field(default_factory=deque)
    need: Need = field(default_factory=lambda: Need(requests=0))
    listed: bool = False


class FairQueue:
    """Waiting calls. Not safe for threads by itself."""

    def __init__(self) -> None:
        self._flows: dict[tuple[object, ...], Flow] = {}
        self._heap: list[tuple[float, int, int, Flow]] = []
        self._ends: dict[str | None, float] = {}
        self._of_tenant: dict[str | None, int] = {}
        self._time = 0.0
        self._count = 0
        self._pushed = 0
        self._listed = 0
        self._sweep_at = 1024

    def __len__(self) -> int:
        return self._count

    def ahead(self, waiter: Waiter) -> Need:
        """What those need together that are before `waiter` in any case."""
        flow = self._flows.get(_key(waiter))
        return Need(requests=0) if flow is None else flow.need

    def push(self, waiter: Waiter, *, first: bool = False) -> None:
        """Let it wait, behind those of its flow or, if it was let go in vain, before them."""
        key = _key(waiter)
        flow = self._flows.get(key)
        if flow is None:
            flow = self._flows[key] = Flow(waiter.tenant, waiter.gates)
            for gate in flow.gates:
                gate.waiting += 1
        if not first:
            self._pushed += 1
            waiter.number = self._pushed
        flow.waiters.insert(0 if first else len(flow.waiters), waiter)
        flow.need += waiter.need
        self._count += 1
        self._of_tenant[waiter.tenant] = self._of_tenant.get(waiter.tenant, 0) + 1
        self._list(flow)

    def remove(self, waiter: Waiter) -> None:
        """Let it wait no longer."""
        flow = self._flows[_key(waiter)]
        flow.waiters.remove(waiter)
        flow.need -= waiter.need
        self._count -= 1
        self._of_tenant[waiter.tenant] -= 1
        if not self._of_tenant[waiter.tenant]:
            del self._of_tenant[waiter.tenant]
        if not flow.waiters:
            del self._flows[_key(waiter)]
            for gate in flow.gates:
                gate.waiting -= 1

    def in_excess(self, newcomer: Waiter) -> Waiter:
        """Who has to go when too many wait: the last one of the tenant of whom most do.

        P. E. McKenney, "Stochastic Fairness Queueing", INFOCOM 1990 ("buffer stealing"): who floods the queue closes
        it to himself alone. It is the newcomer whose tenant has as many waiting as any other.
        """
        most = max(self._of_tenant.values())
        if self._of_tenant[newcomer.tenant] == most:
            return newcomer
        tenant = next(tenant for tenant, waiting in self._of_tenant.items() if waiting == most)
        flows = (flow for flow in self._flows.values() if flow.tenant == tenant)
        return max((flow.waiters[-1] for flow in flows), key=lambda waiter: waiter.number)

    def before(self, gate: Gate) -> list[Waiter]:
        """Those that wait for it."""
        return [waiter for flow in self._flows.values() if gate in flow.gates for waiter in flow.waiters]

    def admit(self, now: float) -> tuple[list[Waiter], float]:
        """Let go whoever may go now, counted at all their gates; and in how many seconds it is worth looking again.

        Nobody takes what an earlier one waits for, however little he needs, so that everyone has his turn.
        """
        admitted: list[Waiter] = []
        passed: list[Flow] = []
        held: set[Gate] = set()
        soonest = math.inf
        while self._heap:
            start, number, _, flow = heapq.heappop(self._heap)
            flow.listed = False
            if not flow.waiters:
                continue
            head = flow.waiters[0]
            if (self._start(flow.tenant), head.number) > (start, number):
                self._list(flow)
                continue
            waits = {gate: gate.wait(head.need, now) for gate in head.gates}
            blocked = [gate for gate, wait in waits.items() if wait > 0 or gate in held]
            if not blocked:
                self.remove(head)
                self.pass_by(head, now)
                admitted.append(head)
                self._list(flow)
                continue
            passed.append(flow)
            held.update(blocked)
            if (longest := max(waits.values())) > 0:
                soonest = min(soonest, longest)
            if any(gate.waiting == len(self._flows) for gate in blocked):
                break  # everybody waits for it
        for flow in passed:
            self._list(flow)
        return admitted, soonest

    def pass_by(self, waiter: Waiter, now: float) -> None:
        """Let one go that need not wait, counted as if it had."""
        for gate in waiter.gates:
            gate.take(waiter.need, now)
        waiter.admitted_at = now
        self._time = self._start(waiter.tenant)
        self._ends[waiter.tenant] = self._time + waiter.size
        if len(self._ends) >= self._sweep_at:
            self._ends = {tenant: end for tenant, end in self._ends.items() if end > self._time}
            self._sweep_at = max(1024, 2 * len(self._ends))

    def look_again(self, seconds: float, look: Callable[[], None]) -> None:
        """Have `look` called in so many seconds by the event loop of one that waits; who has none any more is gone."""
        while self._flows:
            waiter = next(iter(self._flows.values())).waiters[0]
            if waiter.later(seconds, look):
                return
            self.remove(waiter)

    def _start(self, tenant: str | None) -> float:
        return max(self._time, self._ends.get(tenant, 0.0))

    def _list(self, flow: Flow) -> None:
        if flow.waiters and not flow.listed:
            flow.listed = True
            self._listed += 1
            entry = (self._start(flow.tenant), flow.waiters[0].number, self._listed, flow)
            heapq.heappush(self._heap, entry)


def _set(woken: asyncio.Future[None]) -> None:
    if not woken.done():
        woken.set_result(None)


def _key(waiter: Waiter) -> tuple[object, ...]:
    return (waiter.tenant, *map(id, waiter.gates))
