"""Hedging: a second request when the first takes long, for the slowest few calls.

J. Dean and L. A. Barroso, "The Tail at Scale", Communications of the ACM 56(2), 2013: a second request after the 95th
percentile of the expected time adds about 5 % of load and shortens the tail. Whoever is first to answer, or in a stream
to bring the first piece, wins; the other is cancelled and waited for, so that what it cost is written down.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Generic, TypeVar

from routing.resilience.latency import Latencies
from routing.settings import HedgeSettings

T = TypeVar("T")
Claim = Callable[[], bool]
"""Called by a contender before it hands its first piece over: false when the other was first, and it must be quiet."""

_SHARE = 0.95
_LONGEST_CREDIT = 5.0
_ROUNDING = 1e-9


async def hedged(
    first: Callable[[Claim], Awaitable[T]],
    second: Callable[[Claim], Awaitable[T]],
    after: float,
    *,
    may: Callable[[], bool] = lambda: True,
) -> T:
    """What `first` or `second` gives, whichever succeeds first; `second` begins in `after` seconds, if it `may` then.

    What fails lets the other go on; when both fail, the first's error is raised. A failure before `second` has begun is
    raised at once: what comes next is for retries and fallbacks to decide. After a claim the other is cancelled, and
    the one that claimed is alone. Cancelling cancels both.
    """
    return await _Race([first, second]).run(after, may)


def _alone() -> bool:
    return True


class Hedges:
    """Which calls are asked twice, by what models took lately; at most the settings' share of them all."""

    def __init__(self, settings: HedgeSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._lock = threading.Lock()
        self._latencies = Latencies()
        self._credit = 0.0

    @property
    def enabled(self) -> bool:
        """Whether any call may be asked twice."""
        return self._settings.after != "never"

    async def call(
        self,
        model: str,
        first: Callable[[Claim], Awaitable[T]],
        second: Callable[[Claim], Awaitable[T]],
        *,
        streamed: bool = False,
    ) -> T:
        """As `hedged`, after the time that is `model`'s, which `first` asks; in a stream that to its first piece."""
        if not self.enabled:
            return await first(_alone)
        key = f"{model} streamed" if streamed else model
        with self._lock:
            self._credit = min(self._credit + self._settings.share, _LONGEST_CREDIT)
            after = self._after(key)
        timed = _Timed(first, self._clock)
        try:
            if after is None:
                return await timed(_alone)
            return await hedged(timed, second, after, may=self._may)
        finally:
            self._learn(key, timed)

    def _after(self, key: str) -> float | None:
        after = self._settings.after
        return self._latencies.percentile(key, _SHARE, self._settings.least) if isinstance(after, str) else after

    def _may(self) -> bool:
        with self._lock:
            if self._credit < 1 - _ROUNDING:
                return False
            self._credit -= 1
            return True

    def _learn(self, key: str, timed: _Timed[T]) -> None:
        seconds = timed.seconds
        if seconds is not None:
            with self._lock:
                self._latencies.add(key, seconds)


class _Timed(Generic[T]):
    """A contender, and how long it took until its claim or its end; one that lost took at least so long."""

    def __init__(self, contender: Callable[[Claim], Awaitable[T]], clock: Callable[[], float]) -> None:
        self._contender = contender
        self._clock = clock
        self.seconds: float | None = None

    async def __call__(self, claim: Claim) -> T:
        started = self._clock()

        def timed_claim() -> bool:
            if self.seconds is None:
                self.seconds = self._clock() - started
            return claim()

        try:
            answer = await self._contender(timed_claim)
        except Exception:
            self.seconds = None
            raise
        except asyncio.CancelledError:
            self.seconds = self._clock() - started
            raise
        if self.seconds is None:
            self.seconds = self._clock() - started
        return answer


class _Race(Generic[T]):
    """Two contenders of which one wins."""

    def __init__(self, contenders: Sequence[Callable[[Claim], Awaitable[T]]]) -> None:
        self._contenders = contenders
        self._tasks: list[asyncio.Task[T]] = []
        self._claimed: int | None = None

    async def run(self, after: float, may: Callable[[], bool]) -> T:
        try:
            first = self._begin()
            await asyncio.wait({first}, timeout=after)
            if not first.done() and self._claimed is None and may():
                self._begin()
            return await self._won()
        finally:
            for task in self._tasks:
                if not task.cancelling():  # or what it does about being cancelled would be cancelled
                    task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(self) -> asyncio.Task[T]:
        number = len(self._tasks)
        self._tasks.append(asyncio.ensure_future(self._contend(number)))
        return self._tasks[number]

    async def _contend(self, number: int) -> T:
        """An answer of which no piece was handed over is claimed when it is there; one that comes too late is none."""
        answer = await self._contenders[number](partial(self._claim, number))
        if not self._claim(number):
            raise asyncio.CancelledError
        return answer

    def _claim(self, number: int) -> bool:
        if self._claimed is None:
            self._claimed = number
            for other, task in enumerate(self._tasks):
                if other != number:
                    task.cancel()
        return self._claimed == number

    async def _won(self) -> T:
        pending = set(self._tasks)
        while pending:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for task in self._tasks:
                if task in done and not task.cancelled() and task.exception() is None:
                    return task.result()
        return self._tasks[self._claimed or 0].result()
