"""In any order of reserving, settling, losing and waiting, budgets are what a naive count says."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from routing.call import Call, Reservation
from routing.cost.budget import LEASE_SECONDS, MARGIN_SECONDS
from routing.cost.budget_terms import DAY
from routing.errors import BudgetError
from routing.resilience.redis_link import RedisLink
from tests.routing.cost.budget_home import budget, call, open_budget_home
from tests.routing.redis_guard import RedisServer

TERMS = [
    budget("all", "12", period="total"),
    budget("tenants", "4", per="tenant", period="day"),
    budget("claude", "3", per="model", match="anthropic/*", period="month"),
    budget("talks", "2.5", per="session"),
]
TICK = budget("tick", "1", match="tick/*")
AMOUNTS = st.sampled_from(["0", "0.25", "0.5", "1", "1.25", "3"])
Key = tuple[str, str, str]


@dataclass
class Known:
    """A call of the naive count: which counters it is in, and how far it is."""

    asked: Call
    reservation: Reservation
    keys: list[Key]
    bound: Decimal
    until: float
    state: str = "held"


class AnyOrder(RuleBasedStateMachine):
    """Three processes of one home; `link` gives the server where the budgets are kept in Redis."""

    def __init__(self, link: RedisLink | None = None) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.home = open_budget_home(Path(self.folder.name))
        self.home.link = link
        self.processes = [self.home.budgets(*TERMS, TICK) for _ in range(3)]
        self.runner = asyncio.Runner()
        self.spent: dict[Key, Decimal] = defaultdict(Decimal)
        self.assumed: dict[Key, Decimal] = defaultdict(Decimal)
        self.calls: list[Known] = []

    def teardown(self) -> None:
        self.runner.close()
        self.folder.cleanup()

    def labels(self) -> dict[str, str]:
        now = datetime.fromtimestamp(self.home.now, UTC)
        return {"all": "total", "tenants": f"{now:%Y-%m-%d}", "claude": f"{now:%Y-%m}", "talks": "own"}

    def reserved(self, key: Key) -> Decimal:
        return sum((each.bound for each in self.calls if each.state == "held" and key in each.keys), Decimal(0))

    def keys(self, model: str, tenant: str | None, session: str | None) -> list[Key]:
        claude = model if model.startswith("anthropic/") else None
        subjects = {"all": "", "tenants": tenant, "claude": claude, "talks": session}
        return [
            (name, subject, self.labels()[name])
            for name in self.labels()
            for subject in [subjects[name]]
            if subject is not None
        ]

    @rule(
        process=st.integers(0, 2),
        bound=AMOUNTS,
        model=st.sampled_from(["openai/gpt", "anthropic/claude", "anthropic/opus"]),
        tenant=st.sampled_from(["a", "b", None]),
        session=st.sampled_from(["s", "t", None]),
    )
    def reserve(self, process: int, bound: str, model: str, tenant: str | None, session: str | None) -> None:
        keys = self.keys(model, tenant, session)
        most = Decimal(bound)
        limits = {terms.name: terms.limit for terms in TERMS}
        fits = all(self.spent[key] + self.reserved(key) + most <= limits[key[0]] for key in keys)
        asked = call(bound, model=model, tenant=tenant, session=session)
        try:
            made = self.runner.run(self.processes[process].reserve(asked))
        except BudgetError as error:
            assert not fits
            refusal = error.refusal
            assert refusal is not None
            assert refusal.spent + refusal.reserved + refusal.bound > refusal.limit
            return
        assert fits or not most
        assert made is not None
        lease = self.home.now + LEASE_SECONDS + MARGIN_SECONDS
        self.calls.append(Known(asked, made, keys, most, lease, "held" if most else "free"))

    @precondition(lambda self: self.calls)
    @rule(which=st.integers(0), cost=st.one_of(st.none(), AMOUNTS))
    def settle(self, which: int, cost: str | None) -> None:
        known = self.calls.pop(which % len(self.calls))
        self.runner.run(self.home.settle(known.reservation, cost, known.asked))
        for key in known.keys:
            if known.state == "overdue":
                self.spent[key] -= known.bound
                self.assumed[key] -= known.bound
            self.spent[key] += known.bound if cost is None else Decimal(cost)
            self.assumed[key] += known.bound if cost is None else 0

    @rule(hours=st.sampled_from([0.1, 0.9, 1.1, 9, 14]))
    def wait(self, hours: float) -> None:
        self.home.now += hours * 3600
        with suppress(BudgetError):  # any call has old things seen to, also one that is refused
            tick = call("0.1", model="tick/tock", tenant=None, session=None)
            self.runner.run(self.home.settle(self.runner.run(self.processes[0].reserve(tick)), "0", tick))
        for known in self.calls:
            if known.state == "held" and known.until <= self.home.now:
                known.state = "overdue"
                known.until = self.home.now + DAY / 2
                for key in known.keys:
                    self.spent[key] += known.bound
                    self.assumed[key] += known.bound
        # What comes later still is each kind's own affair; nobody settles it here.
        self.calls = [known for known in self.calls if known.state != "overdue" or known.until > self.home.now]

    @invariant()
    def they_agree(self) -> None:
        states = self.runner.run(self.processes[1].states())
        counted = {
            (state.name, state.subject, state.period): (state.spent, state.reserved, state.assumed)
            for state in states
            if state.name != "tick" and (state.spent or state.reserved or state.assumed)
        }
        labels = self.labels()
        known = set(self.spent) | {key for each in self.calls for key in each.keys}
        expected = {key: (self.spent[key], self.reserved(key), self.assumed[key]) for key in known}
        assert counted == {key: sums for key, sums in expected.items() if any(sums) and key[2] == labels[key[0]]}


def run(machine: type[RuleBasedStateMachine]) -> None:
    run_state_machine_as_test(machine, settings=settings(max_examples=20, stateful_step_count=25))


def test_on_one_machine() -> None:
    run(AnyOrder)


def test_on_a_redis_server(shared_redis: RedisServer) -> None:
    link = RedisLink(shared_redis.url)

    class OnRedis(AnyOrder):
        def __init__(self) -> None:
            shared_redis.flush()
            super().__init__(link)

    run(OnRedis)
    link.close()
