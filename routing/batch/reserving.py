"""The money of batches: set aside when requests are submitted, counted, or given back, when it is known what they cost.

Hours lie between, and perhaps another process: what is set aside is kept in words beside each request.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from contextvars import Context, copy_context
from dataclasses import dataclass
from decimal import Decimal
from time import monotonic

from routing.batch.store import BatchStore, RequestRow
from routing.batch.work import Answer, Item, Work
from routing.call import Budgets, Call, KeepingBudgets, Reservation, Write
from routing.errors import ModelError
from routing.meter import Meter

WINDOW_SECONDS = 86_400.0
"""A batch takes so long at most."""
AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Held:
    """What is set aside for a request: nothing, where no budget asks for it."""

    reservation: Reservation | None = None
    words: str | None = None


async def reserved(
    store: BatchStore,
    meter: Meter,
    work: Work[Item, Answer],
    items: Sequence[Item],
    contexts: Sequence[Context] | None = None,
) -> list[Held | ModelError]:
    """Set aside what each request may cost, for whoever asks it (`contexts`); where there is no room, the error.

    Budgets that cannot keep a reservation in words are only asked whether all of it would fit. When they cannot be
    asked any more nothing stays set aside.
    """
    budgets = meter.budgets
    if budgets is None:
        return [Held()] * len(items)
    loop = asyncio.get_running_loop()
    found: list[Held | ModelError] = []
    failures: list[BaseException] = []
    for start in range(0, len(items), AT_ONCE):
        tasks = []
        for at in range(start, min(start + AT_ONCE, len(items))):
            call = _call(meter, work, items[at])
            context = copy_context() if contexts is None else contexts[at]
            tasks.append(loop.create_task(_reserved(budgets, call), context=context))
        for made in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(made, ModelError):
                found.append(made)
            elif isinstance(made, BaseException):
                failures.append(made)
            else:
                found.append(Held(made, _words(budgets, made)))
        if failures:
            await give_back(store, found)
            raise failures[0]
    return found


async def _reserved(budgets: Budgets, call: Call) -> Reservation | None:
    return await budgets.reserve(call)


def _words(budgets: Budgets, made: Reservation | None) -> str | None:
    return budgets.keep(made) if made is not None and isinstance(budgets, KeepingBudgets) else None


async def give_back(store: BatchStore, held: Sequence[Held | ModelError]) -> None:
    """Set nothing aside after all."""
    reservations = [each.reservation for each in held if isinstance(each, Held) and each.reservation is not None]
    writes = [write for each in reservations if (write := each.settle(Decimal(0))) is not None]

    def give(connection: sqlite3.Connection) -> None:
        for write in writes:
            write(connection)

    if writes:
        await store.write(give)


async def settled(meter: Meter, work: Work[Item, Answer], row: RequestRow) -> Write | None:
    """What is written into the budgets when a request has its result, whoever set the money aside."""
    budgets = meter.budgets
    if budgets is None:
        return None
    cost = None if row.cost is None else Decimal(row.cost)
    if row.held is not None and isinstance(budgets, KeepingBudgets):
        kept = budgets.kept(row.held)
        if kept is not None:
            return kept.settle(cost)
    if not cost:
        return None
    call = Call(work.kind, work.model, work.tags(work.load(row.item)), bound=Decimal(0), tier="batch")
    made = await budgets.reserve(call)
    return None if made is None else made.settle(cost)


def _call(meter: Meter, work: Work[Item, Answer], item: Item) -> Call:
    most = work.most(item)
    bound = None
    if most.output_tokens is not None:
        bound = meter.prices.bound(work.model, most.input_tokens, most.output_tokens, "batch", images=most.images)
    tokens = most.input_tokens, most.output_tokens or 0
    return Call(work.kind, work.model, work.tags(item), *tokens, bound, monotonic() + WINDOW_SECONDS, tier="batch")
