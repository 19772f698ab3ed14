"""Measures calls: a span, a price and a ledger row for everything that has one."""

from __future__ import annotations

import time
from asyncio import CancelledError
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from decimal import Decimal

from plumbline.errors import PlumblineError, StorageError
from plumbline.trace import AttributeValue, Span, Tracing
from routing.call import NOT_MADE, Budgets, Call, Guard, Kind, Leave, Listening, Most, Outcome, Reservation, Write
from routing.chat import Tags, Tier, Usage
from routing.cost.ledger import Ledger, LedgerEntry
from routing.cost.prices import PriceTable, total_cost
from routing.errors import ConnectionFailedError, DeadlineError, InvalidResponseError, ModelError
from routing.resilience.latency import Latencies
from routing.resilience.retry import RetryBudget, RetryBudgets

_OPERATION = {"chat": "chat", "embedding": "embeddings", "rerank": "rerank"}


@dataclass(slots=True)
class Reading:
    """What a metered block reports: set `usage` (and `model`, if another one answered) before the block ends.

    `began` is true once a part of the answer has arrived: a connection that breaks after that has cost something.
    `tier` is what the provider charged by. `given_up` guesses what a call used that is cancelled.
    `first_seconds` is when the first word of a stream came, which those of `leaves` hear that want to.
    """

    model: str
    usage: Usage = Usage()
    attributes: dict[str, AttributeValue] = field(default_factory=dict)
    cost: Decimal | None = None
    seconds: float = 0.0
    began: bool = False
    tier: Tier = "standard"
    started: float = field(default_factory=time.perf_counter)
    first_seconds: float | None = None
    leaves: Sequence[Leave] = ()
    given_up: Callable[[], Usage] | None = None

    def spoke(self) -> None:
        """The first word of a stream is there."""
        self.first_seconds = time.perf_counter() - self.started
        for leave in self.leaves:
            if isinstance(leave, Listening):
                leave.spoke()


@dataclass(slots=True)
class Bill:
    """What the calls inside one `billed()` block used; `cost` is `None` when that of any of them is unknown."""

    usage: Usage = Usage()
    costs: list[Decimal | None] = field(default_factory=list)
    rows: list[tuple[Ledger, Future[None]]] | None = None

    @property
    def cost(self) -> Decimal | None:
        """The sum."""
        return total_cost(self.costs)


_bill: ContextVar[Bill | None] = ContextVar("plumbline_bill", default=None)


@contextmanager
def billed() -> Iterator[Bill]:
    """Collects what the block's calls use, also those of tasks it starts; an outer block sees everything."""
    outer = _bill.get()
    bill = Bill()
    token = _bill.set(bill)
    try:
        yield bill
    finally:
        _bill.reset(token)
        if outer is not None:
            outer.usage += bill.usage
            outer.costs.extend(bill.costs)


def charge(usage: Usage, cost: Decimal | None) -> None:
    """Add to the bill of the block that this runs in what somebody else has priced and recorded."""
    bill = _bill.get()
    if bill is not None:
        bill.usage += usage
        bill.costs.append(cost)


@asynccontextmanager
async def settled() -> AsyncIterator[Bill]:
    """As `billed`, with all rows of the block's calls in the ledger when it is left.

    Calls in it go on as soon as they are answered, whose cost is known to be nothing are stored with the next one's
    row. Raises `StorageError` when the ledger cannot be written, unless the block raises.
    """
    with billed() as bill:
        rows = bill.rows = []
        try:
            yield bill
        except BaseException:
            with suppress(StorageError):  # what the block raises says more
                await _stored(rows)
            raise
        await _stored(rows)


async def _stored(rows: Sequence[tuple[Ledger, Future[None]]]) -> None:
    for ledger in {ledger for ledger, _ in rows}:
        await ledger.stored([row for of, row in rows if of is ledger])


@dataclass(frozen=True, slots=True)
class Meter:
    """Makes calls pass their guards and their budgets, and writes what they use into the trace and the ledger.

    `guards` are asked in order, each before it is known whether the next one agrees; the budget comes last, so that
    no money is set aside for a call that waits. `retry_budgets` are for whoever tries calls again. `latencies` remember
    how long what was answered took: to the first word of a stream, else to the end.
    """

    tracing: Tracing
    ledger: Ledger
    prices: PriceTable
    guards: tuple[Guard, ...] = ()
    budgets: Budgets | None = None
    retry_budgets: RetryBudgets | None = None
    latencies: Latencies | None = None

    @property
    def looks_ahead(self) -> bool:
        """Whether anybody wants to know what a call may use before it is made."""
        return bool(self.guards) or self.budgets is not None

    def retry_budget(self, model: str) -> RetryBudget | None:
        """How often calls to `model` may be tried again, if anybody counts."""
        return None if self.retry_budgets is None else self.retry_budgets.of(model)

    @asynccontextmanager
    async def call(
        self,
        kind: Kind,
        model: str,
        tags: Tags,
        *,
        most: Most = Most(),
        deadline: float | None = None,
        tier: Tier = "standard",
    ) -> AsyncIterator[Reading]:
        """Measure one call. A call that raises is recorded too, with what usage was set by then (usually none).

        The cost of a failure is 0 when the provider refused it or was never reached. It is `None`, unknown, when the
        provider may have worked and counted: no answer in time, an answer that cannot be read, a stream that broke
        off, a fault of the program. Of one that is cancelled, as that which lost a race, it is what `Reading.given_up`
        guesses; the budget counts its bound, as for every cost that nobody told. Models that cost nothing cost
        nothing then, too. Raises what a guard or a budget refuses it with; such a call is not recorded, as it was not
        made. What it uses at `most` is read only where the meter `looks_ahead`.
        """
        leaves: list[Leave] = []
        reservation: Reservation | None = None
        if self.looks_ahead:
            bound = self._bound(model, most, tier, deadline)
            tokens = most.input_tokens, most.output_tokens or 0
            leaves, reservation = await self._admitted(Call(kind, model, tags, *tokens, bound, deadline, tier))
        reading = Reading(model, tier=tier, leaves=leaves)
        operation = _OPERATION[kind]
        with self.tracing.span(f"{operation} {model}", {"gen_ai.operation.name": operation}) as span:
            reading.started = time.perf_counter()
            error: BaseException | None = None
            try:
                yield reading
            except BaseException as raised:
                error = raised
                if isinstance(raised, ModelError) and raised.usage is not None:
                    reading.usage = raised.usage
                raise
            finally:
                reading.seconds = time.perf_counter() - reading.started
                guessed = False
                try:
                    guessed = _guessed(reading, error)
                    reading.cost = self._cost(reading, error)
                finally:  # a usage that cannot be reckoned with must not keep what others wait for
                    _left(leaves, Outcome(reading.usage, reading.cost, reading.seconds, error))
                    also = None if reservation is None else reservation.settle(None if guessed else reading.cost)
                if error is None and self.latencies is not None:
                    self.latencies.add(model, reading.first_seconds or reading.seconds)
                _annotate(span, reading)
                await self._book(_entry(kind, tags, reading, span, error), also)

    async def _admitted(self, call: Call) -> tuple[list[Leave], Reservation | None]:
        """Past every guard, with the money set aside; whoever let it in hears when it goes no further."""
        leaves: list[Leave] = []
        try:
            for guard in self.guards:
                leave = await guard.enter(call)
                leaves.append(leave)
            return leaves, None if self.budgets is None else await self.budgets.reserve(call)
        except BaseException:
            _left(leaves, NOT_MADE)
            raise

    def _bound(self, model: str, most: Most, tier: Tier, deadline: float | None) -> Decimal | None:
        price = self.prices.find(model)
        if most.output_tokens is None and not (price is not None and price.is_free):
            return None
        return self.prices.bound(
            model,
            most.input_tokens,
            most.output_tokens or 0,
            tier,
            searches=most.searches,
            images=most.images,
            seconds=None if deadline is None else max(deadline - time.monotonic(), 0.0),
        )

    async def _book(self, entry: LedgerEntry, also: Write | None) -> None:
        charge(entry.usage, entry.cost)
        bill = _bill.get()
        soon = bill is None or entry.cost != 0 or also is not None  # other processes may want what it held
        row = self.ledger.enqueue(entry, soon=soon, also=also)
        if bill is None or bill.rows is None:
            await self.ledger.stored([row])
        else:
            bill.rows.append((self.ledger, row))

    def _cost(self, reading: Reading, error: BaseException | None) -> Decimal | None:
        if error is not None and reading.usage == Usage():
            if not _may_be_billed(error, reading):
                return Decimal(0)
            price = self.prices.find(reading.model)
            if price is None or not (price.is_free or price.by_time):
                return None
        return self.prices.cost(reading.model, reading.usage, reading.tier, seconds=reading.seconds)


def _left(leaves: Sequence[Leave], outcome: Outcome) -> None:
    """As they were passed: limits hear how long the provider wants to be left alone, before the breaker adds to it."""
    for leave in leaves:
        leave(outcome)


def _entry(kind: Kind, tags: Tags, reading: Reading, span: Span, error: BaseException | None) -> LedgerEntry:
    return LedgerEntry(
        kind,
        reading.model,
        reading.usage,
        reading.cost,
        reading.seconds,
        span.trace_id,
        span.span_id,
        tags,
        None if error is None else type(error).__name__,
        tier=reading.tier,
    )


def _guessed(reading: Reading, error: BaseException | None) -> bool:
    """Whether what was used had to be guessed, as the call was given up; puts it into `reading`."""
    if not isinstance(error, CancelledError) or reading.usage != Usage() or reading.given_up is None:
        return False
    reading.usage = reading.given_up()
    return True


def _may_be_billed(error: BaseException | None, reading: Reading) -> bool:
    """Whether the provider may have done work before the call ended so."""
    if reading.began:
        return True
    if isinstance(error, ConnectionFailedError):
        return error.reached
    return isinstance(error, DeadlineError | InvalidResponseError) or not isinstance(error, PlumblineError)


def _annotate(span: Span, reading: Reading) -> None:
    provider, _, name = reading.model.partition("/")
    usage = reading.usage
    span.set_attributes(
        {
            "gen_ai.provider.name": provider,
            "gen_ai.request.model": name,
            "gen_ai.usage.input_tokens": usage.input_tokens,
            "gen_ai.usage.output_tokens": usage.output_tokens,
            "gen_ai.usage.cache_read.input_tokens": usage.cached_input_tokens,
            "gen_ai.usage.cache_creation.input_tokens": usage.cache_write_tokens,
            **reading.attributes,
        }
    )
    if usage.searches:
        span.set_attribute("plumbline.usage.searches", usage.searches)
    if reading.cost is not None:
        span.set_attribute("plumbline.cost.usd", str(reading.cost))
