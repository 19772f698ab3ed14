"""Retries of calls that another try may cure: by error class, with full jitter, inside the deadline and the budget.

Backoff: exponential with full jitter (Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015);
a provider's `Retry-After` is a lower bound. What another try cannot cure (a wrong key, a request that is refused, a
prompt that is too long, a content policy, an account without credit) is raised at once, and so is what our own breaker
and limits refuse. An answer that cannot be read (empty, half a document) is asked for once more, as what broke it is
mostly on the way; one that comes back unreadable is the model's or the server's habit, and each try is paid for.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from routing.errors import InvalidResponseError, ModelError, SchemaError, TransientError, UnavailableError
from routing.resilience.verdict import NOT_SENT
from routing.settings import RetrySettings

if TYPE_CHECKING:
    from tenacity import RetryCallState

T = TypeVar("T")

_MINUTE = 60
_NO_CREDIT = 402
_SPENT = "It was not tried again: too many calls are tried again already (routing.retry.budget)."


class RetryBudget:
    """How many tries again the calls to one model may make, so that retries do not keep it down when it is overloaded.

    In every minute at most the share `budget` of the calls, or `free` where that is more (B. Beyer et al., *Site
    Reliability Engineering*, 2016, chapter 21: "per-client retry budget"). Calls count once their first try is over:
    what a limit or a breaker refuses, or lets wait, is no load. Counted by seconds, calls too few and tries too many at
    the edges, so that the bound is kept in any minute. May be used from several threads.
    """

    def __init__(self, settings: RetrySettings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._lock = threading.Lock()
        self._calls = [0] * (_MINUTE + 1)
        self._tries = [0] * (_MINUTE + 1)
        self._second = int(clock())

    @property
    def moment(self) -> float:
        """Now, by its clock."""
        return self._clock()

    def called(self, begun: float) -> None:
        """Count a call, that is its first try, which began at that moment and has gone out since."""
        with self._lock:
            self._turn()
            if int(begun) > self._second - len(self._calls):
                self._calls[int(begun) % len(self._calls)] += 1

    def allows(self) -> bool:
        """Count one try more, unless there are too many already."""
        with self._lock:
            slot = self._turn()
            oldest = self._calls[(slot + 1) % len(self._calls)]  # of more than a minute
            calls = sum(self._calls) - oldest
            if sum(self._tries) + 1 > max(self._settings.free, self._settings.budget * calls):
                return False
            self._tries[slot] += 1
            return True

    def _turn(self) -> int:
        """The slot of this second, those that have become too old emptied."""
        now = int(self._clock())
        for second in range(max(self._second + 1, now - _MINUTE), now + 1):
            self._calls[second % len(self._calls)] = self._tries[second % len(self._tries)] = 0
        self._second = max(self._second, now)
        return self._second % len(self._calls)


class RetryBudgets:
    """The budget of each model of this process: what another answers in its place is no call of its own."""

    def __init__(self, settings: RetrySettings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._lock = threading.Lock()
        self._of: dict[str, RetryBudget] = {}

    def of(self, model: str) -> RetryBudget:
        """That of `model`, "provider/name"."""
        budget = self._of.get(model)
        if budget is None:
            with self._lock:
                budget = self._of.setdefault(model, RetryBudget(self._settings, self._clock))
        return budget


async def with_retries(
    call: Callable[[], Awaitable[T]],
    settings: RetrySettings,
    *,
    deadline: float | None,
    budget: RetryBudget | None = None,
) -> T:
    """The result of `call`, tried up to `settings.attempts` times; raises its last `ModelError`.

    `deadline` is a moment of `time.monotonic()`: no wait is begun that would end after it. When `budget` is spent, or
    a breaker or a limit refuses the next try, the error that was to be cured is raised.
    """
    begun = 0.0 if budget is None else budget.moment
    try:
        answer = await call()
    except NOT_SENT:
        raise
    except ModelError as error:
        failed = error
    else:
        if budget is not None:
            budget.called(begun)
        return answer
    if budget is not None:
        budget.called(begun)
    if not _curable(failed):
        raise failed
    return await _tried_again(call, settings, deadline, budget, failed)


def _curable(error: BaseException | None) -> bool:
    """Whether the same request may do better at the same model in a moment."""
    if isinstance(error, TransientError):
        return not isinstance(error, UnavailableError) and error.status != _NO_CREDIT
    return isinstance(error, InvalidResponseError) and not isinstance(error, SchemaError)


async def _tried_again(
    call: Callable[[], Awaitable[T]],
    settings: RetrySettings,
    deadline: float | None,
    budget: RetryBudget | None,
    failed: ModelError,
) -> T:
    """The tries of a call after the first, which ended with `failed`."""
    from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_random_exponential

    jitter = wait_random_exponential(multiplier=settings.first_wait_seconds, max=settings.longest_wait_seconds)
    tries, unreadable, refused = 0, 0, False

    async def attempt() -> T:
        nonlocal tries, unreadable, refused, failed
        tries += 1
        try:
            if tries == 1:
                raise failed
            return await call()
        except UnavailableError as error:
            refused = True
            raise failed from error
        except ModelError as error:
            failed = error
            unreadable += isinstance(error, InvalidResponseError)
            raise

    def wait(state: RetryCallState) -> float:
        return max(jitter(state), getattr(failed, "retry_after", None) or 0.0)

    def stop(state: RetryCallState) -> bool:
        if refused or unreadable > 1 or stop_after_attempt(settings.attempts)(state):
            return True
        if state.upcoming_sleep > settings.longest_wait_seconds:
            return True
        if deadline is not None and time.monotonic() + state.upcoming_sleep >= deadline:
            return True
        if budget is None or budget.allows():
            return False
        failed.hint = " ".join(filter(None, (failed.hint, _SPENT)))
        return True

    retrying = AsyncRetrying(retry=retry_if_exception(_curable), wait=wait, stop=stop, reraise=True)
    return await retrying(attempt)
