"""Circuit breakers: a model that fails is left alone, then tried by one probe at a time, until it works again.

Every model has a circuit, and so has every provider at its address: what keeps any connection from being made (refused,
no such name, TLS) counts for both, so that the provider's other models are not tried in vain. What counts as a failure
is `routing.resilience.verdict`'s to say, when enough of them open a circuit is `Circuit`'s.

- An error of the request (400, context length, content policy) or of the key shows that the provider works.
- Too many requests (429) is what limits adapt to: it counts only when nothing has succeeded for a whole window.
- A missed deadline counts only when the model had a fair time (`Circuit.fair_seconds`).
- Calls in flight that are overdue, with nothing heard since they began, count before any deadline is over
  (`routing.resilience.pulse`).
- A cancelled call counts as neither; a cancelled probe lets the next call be the probe.
- `Retry-After` is a least cooldown, up to the longest.
- A model in this process is never left alone: nobody is spared by it, and there is nowhere else to go.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from plumbline.forking import at_fork
from routing.call import NOT_MADE, Call, Guard, Leave, Outcome
from routing.cost.prices import LOCAL_PROVIDERS
from routing.errors import BreakerOpenError, DeadlineError, TransientError
from routing.resilience.circuit import Circuit, State
from routing.resilience.shared import SharedCircuit, SharedCircuits
from routing.resilience.verdict import Verdict, is_unreachable, verdict
from routing.settings import BreakerSettings

_LEASE_SECONDS = 60.0  # how long a probe of another process is waited for when it has no deadline
_TIMERS = 0.99  # a try that was given up may have ended that much earlier by another clock


@dataclass(frozen=True, slots=True)
class BreakerState:
    """How it stands with one model or provider; moments are of `time.time()`, `retry_at` is set while it is open."""

    name: str
    state: State
    failures: int
    since: float
    retry_at: float | None


class Breakers:
    """The guard that keeps calls from models that fail; may be used from several threads and event loops.

    `addresses` are those of models that are served elsewhere than their provider is by default; models of one provider
    at one address share a circuit. With `shared` the processes on it know of each other's open circuits within about a
    second, and send one probe among them all. `longest_try` is how many seconds a try may take: in them it had a fair
    time.
    """

    def __init__(
        self,
        settings: BreakerSettings,
        clock: Callable[[], float] = time.monotonic,
        shared: SharedCircuits | None = None,
        addresses: Mapping[str, str] | None = None,
        longest_try: float | None = None,
    ) -> None:
        self._settings = settings
        self._longest_try = math.inf if longest_try is None else longest_try * _TIMERS
        self._clock = clock
        self._shared = shared
        self._addresses = dict(addresses or {})
        self._lock = threading.Lock()
        self._circuits: dict[str, Circuit] = {}
        self._of_model: dict[str, tuple[Circuit, Circuit]] = {}
        if shared is not None:
            shared.watch(self._adopt)
        at_fork(self, child=Breakers._in_child)

    def _in_child(self) -> None:
        self._lock = threading.Lock()
        for circuit in self._circuits.values():
            circuit.orphan(self._clock())

    @property
    def early(self) -> Guard:
        """The guard that only refuses, for the front of the way: who has to wait on it is not asked to in vain.

        Calls that still wait are not in flight, and none of them should be the probe, so the breakers themselves come
        last.
        """
        return _Early(self)

    async def enter(self, call: Call) -> Leave:
        """Let the call out, or raise `BreakerOpenError`, whose `retry_after` says when it is worth asking again."""
        if call.provider in LOCAL_PROVIDERS:
            return _nothing
        circuits = self._of_model.get(call.model) or self._new(call)
        now = self._clock()
        self._notice(circuits[1], now)
        with self._lock:
            _check(call, circuits, now)
            probed = [circuit for circuit in circuits if circuit.state == "open"]
            turns = [circuit.enter(now) for circuit in circuits]
            visit = Visit(self, circuits, turns, circuits[1].pulse.begin(now, call.input_tokens, call.output_tokens))
        if probed and self._shared is not None:
            await self._claim(self._shared, call, probed, visit)
        return visit

    def check(self, call: Call) -> None:
        """Raise `BreakerOpenError` when the call would be refused now."""
        circuits = self._of_model.get(call.model)
        if circuits is not None:
            now = self._clock()
            self._notice(circuits[1], now)
            with self._lock:
                _check(call, circuits, now)

    def states(self) -> tuple[BreakerState, ...]:
        """Every model and provider that was asked so far, by name; a provider is "openai/*" (and its address)."""
        offset = time.time() - self._clock()
        with self._lock:
            return tuple(
                BreakerState(
                    circuit.name,
                    circuit.state,
                    circuit.failures,
                    circuit.since + offset,
                    None if circuit.state == "closed" else circuit.retry_at + offset,
                )
                for _, circuit in sorted(self._circuits.items())
            )

    def spoke(self, visit: Visit) -> None:
        """The first word of a call's stream is there: it is not waited for any more, and its model lives."""
        of_model, now = visit.circuits[1], self._clock()
        with self._lock:
            of_model.pulse.heard(visit.number, now)
            changed = of_model.revive(now)
        if changed and self._shared is not None:
            self._tell(self._shared, of_model, now)

    def left(self, visit: Visit, outcome: Outcome) -> None:
        """A call has ended; what holds it back from now on is told as the `retry_after` of its error."""
        (of_provider, of_model), turns = visit.circuits, visit.turns
        error = outcome.error
        retry_after = error.retry_after if isinstance(error, TransientError) else None
        now = self._clock()
        with self._lock:
            said = verdict(outcome, of_model.fair_seconds)
            if error is None and outcome.made:
                of_model.pulse.heard(visit.number, now)
                of_model.learn(outcome.seconds)
                of_provider.learn(outcome.seconds)
            elif said in ("works", "limited"):
                of_model.pulse.lives(visit.number, now)
            else:
                of_model.pulse.end(visit.number)
            changed = of_model.leave(turns[1], said, outcome.seconds, now, retry_after)
            changed_too = of_provider.leave(turns[0], _of_provider(said, error), outcome.seconds, now, None)
            wait = of_model.refuses(now)
        if wait is not None and isinstance(error, TransientError):
            error.retry_after = max(wait, retry_after or 0.0)  # or another try would be waited for, to be refused
        if self._shared is not None:
            for circuit, has_changed in ((of_model, changed), (of_provider, changed_too)):
                if has_changed:
                    self._tell(self._shared, circuit, now)

    def _notice(self, of_model: Circuit, now: float) -> None:
        with self._lock:
            changed = of_model.notice(now)
        if changed and self._shared is not None:
            self._tell(self._shared, of_model, now)

    def _new(self, call: Call) -> tuple[Circuit, Circuit]:
        provider = f"{call.provider}/*" + (f"@{address}" if (address := self._addresses.get(call.model)) else "")
        now = self._clock()
        with self._lock:
            pair = self._circuit(provider, now), self._circuit(call.model, now)
            return self._of_model.setdefault(call.model, pair)

    def _circuit(self, name: str, now: float) -> Circuit:
        return self._circuits.setdefault(name, Circuit(name, self._settings, now, longest_try=self._longest_try))

    async def _claim(self, shared: SharedCircuits, call: Call, probed: Sequence[Circuit], leave: Leave) -> None:
        """Make sure that no other process probes as well; takes the call back, and refuses it, when one does."""
        seconds = _LEASE_SECONDS if call.deadline is None else max(call.deadline - time.monotonic(), 1.0)
        try:
            for circuit in probed:
                if not await shared.claim(circuit.name, seconds):
                    raise _refusal(call, circuit, shared.settle_seconds)
        except BaseException:
            leave(NOT_MADE)
            with self._lock:
                for circuit in probed:
                    circuit.retry_at = self._clock() + shared.settle_seconds
            raise

    def _tell(self, shared: SharedCircuits, circuit: Circuit, now: float) -> None:
        if circuit.state == "closed":
            shared.closed(circuit.name)
        elif circuit.state == "open" and circuit.retry_at > now:
            turn = circuit.turn

            def heard() -> None:
                with self._lock:
                    circuit.known |= circuit.turn == turn

            shared.opened(circuit.name, SharedCircuit(circuit.retry_at - now, circuit.cooldown), heard)
        else:
            shared.released(circuit.name)

    def _adopt(self, view: Mapping[str, SharedCircuit]) -> None:
        """Take over what all processes together know, at the moment that it was read."""
        now = self._clock()
        with self._lock:
            for name, theirs in view.items():
                self._circuit(name, now).adopt(now, theirs.retry_in, theirs.cooldown)
            others = [ours for name, ours in self._circuits.items() if ours.state == "open" and name not in view]
            for ours in others:
                if ours.known:
                    ours.close(now)  # another process's probe has succeeded
        for ours in others:
            if ours.state == "open" and self._shared is not None:
                self._tell(self._shared, ours, now)  # it was not heard: the server was away


@dataclass(slots=True)
class Visit:
    """One call that was let out; called with how it ended. `number` is that of its model's pulse."""

    breakers: Breakers
    circuits: tuple[Circuit, Circuit]
    turns: Sequence[int]
    number: int

    def __call__(self, outcome: Outcome) -> None:
        """It has ended."""
        self.breakers.left(self, outcome)

    def spoke(self) -> None:
        """The first word of its stream is there."""
        self.breakers.spoke(self)


def _of_provider(said: Verdict, error: BaseException | None) -> Verdict:
    """What a call says about whether the provider can be reached."""
    if said == "nothing" or isinstance(error, DeadlineError):
        return "nothing"
    return "fails" if is_unreachable(error) else "works"


class _Early:
    def __init__(self, breakers: Breakers) -> None:
        self._breakers = breakers

    async def enter(self, call: Call) -> Leave:
        self._breakers.check(call)
        return _nothing


def _nothing(outcome: Outcome) -> None:
    del outcome


def _check(call: Call, circuits: tuple[Circuit, Circuit], now: float) -> None:
    for circuit in circuits:
        if circuit.state != "closed" and (wait := circuit.refuses(now)) is not None:
            raise _refusal(call, circuit, wait)


def _refusal(call: Call, circuit: Circuit, wait: float) -> BreakerOpenError:
    what = call.model if circuit.name == call.model else f"The provider of {call.model}"
    failed = f"failed {circuit.failures} times in a row" if circuit.failures else "failed in another process"
    if circuit.stalled:
        failed = "takes requests and does not answer"
    return BreakerOpenError(
        f"{what} {failed} and is left alone.",
        model=call.model,
        retry_after=wait,
        hint=f"It is tried again in {wait:.0f} seconds.",
    )
