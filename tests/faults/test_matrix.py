"""Every cell of the fault matrix, through the whole path of a call, with a healthy model as fallback.

Each is tried with the fault happening once, and with the fault happening at every request.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio

from routing.chat import ChatModel, Completed, Interrupted, Usage
from routing.cost.ledger import LedgerEntry
from routing.errors import ModelError
from routing.models import bounds
from routing.router import Router
from routing.testing.faults import Fault
from routing.testing.wire_http import Received
from tests.faults.faults import FAULTS, PATIENCE, PROVIDERS, Provider
from tests.faults.guards import BREAKER, Guards
from tests.faults.matrix import Cell, cells
from tests.faults.outcomes import OUTCOMES, TRIES, Outcome
from tests.faults.world import FIRST, PRICE, REQUEST, SECOND, Heard, World, heard, opened

HANGS = 20.0
"""Seconds after which a cell hangs."""
MATRIX = list(cells())
COST = PRICE.of(FIRST.usage or Usage())
SAID = {"some": "".join(FIRST.pieces[:2]), "text": FIRST.text, "all": FIRST.text}
"""What a stream has said when it has come to a place."""

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module", autouse=True)
def small() -> Iterator[None]:
    """Answers may have a mebibyte, so that one that is too large need not be sent in full."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("DOCUMENT", "EVENT", "STREAM"):
            patch.setattr(bounds, name, bounds.MIB)
        yield


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with opened(tmp_path_factory.mktemp("faults")) as made:
        yield made


@dataclass(frozen=True, slots=True)
class Expected:
    """`text` is what is said in all, `error` what is raised, or ends the stream."""

    text: str
    requests: tuple[int, int]
    error: type[ModelError] | None = None


def expected(cell: Cell, outcome: Outcome, *, always: bool) -> Expected:
    """What the words of the matrix mean."""
    if outcome.error is None:
        return Expected(_text(outcome), (1, 0))
    said = SAID.get(cell.place, "")
    if cell.stream and said:
        if not outcome.may_pass:
            return Expected(said, (1, 0), outcome.error)
        return Expected(said + SECOND.text, (2, 1)) if always else Expected(FIRST.text, (2, 0))
    if not always and outcome.tries > 1:
        return Expected(FIRST.text, (2, 0))
    if outcome.falls_back:
        return Expected(SECOND.text, (outcome.tries, 1))
    return Expected("", (outcome.tries, 0), outcome.error)


def failures(cell: Cell, outcome: Outcome) -> list[tuple[str, Decimal | None]]:
    """The row of a request that failed: its error and its cost."""
    if outcome.error is None:
        return []
    began = cell.stream and cell.place in SAID
    costs = {"nothing": Decimal(0), "unknown": None, "known": COST}
    return [(outcome.error.__name__, None if began and outcome.cost == "nothing" else costs[outcome.cost])]


def _text(outcome: Outcome) -> str:
    one, two, three, four = FIRST.pieces
    return {"usual": FIRST.text, "twice": one + two + three * 2 + four, "swapped": one + two + four + three}[
        outcome.text
    ]


@pytest.mark.parametrize("cell", [cell for cell in MATRIX if not FAULTS[cell.fault].waits], ids=str)
async def test_cell(world: World, cell: Cell) -> None:
    await check(world, cell, 30.0)


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_cells_that_wait(tmp_path: Path, provider: Provider) -> None:
    """At the same time, each in a world of its own: waiting takes no work."""
    waiting = [cell for cell in MATRIX if FAULTS[cell.fault].waits and cell.provider == provider]
    async with AsyncExitStack() as stack:
        worlds = [await stack.enter_async_context(opened(tmp_path / str(cell))) for cell in waiting]
        for own in worlds:
            await own.router(own.model(provider, PATIENCE)).complete(REQUEST)
            await own.healthy.complete(REQUEST)
        checks = [check(own, cell, PATIENCE) for own, cell in zip(worlds, waiting, strict=True)]
        ends = await asyncio.gather(*checks, return_exceptions=True)
    assert not {str(cell): end for cell, end in zip(waiting, ends, strict=True) if end is not None}


async def check(world: World, cell: Cell, patience: float) -> None:
    """With the fault once, with the fault at every request, and with the fault at a probe of the breaker."""
    outcome = OUTCOMES[cell.outcome]
    fault = FAULTS[cell.fault].at(cell.place, stream=cell.stream)
    model = world.model(cell.provider, patience)
    for always in (False, True):
        guards = Guards()
        asked = await ask(world, model, guards, fault, always=always, stream=cell.stream)
        wanted, rows = expected(cell, outcome, always=always), asked.rows
        assert (asked.text, asked.raised, asked.requests) == (wanted.text, wanted.error, wanted.requests), rows
        failed = [(row.error, row.cost) for row in rows if row.error]
        assert failed == failures(cell, outcome) * (len(rows) - (wanted.error is None))
        in_a_row = len(failed) if outcome.breaks and rows[wanted.requests[0] - 1].error else 0
        state = guards.state(model.name)
        assert (state.state, state.failures) == ("open" if in_a_row == TRIES else "closed", in_a_row)
    guards = Guards()
    await guards.let_probe(model.name)
    asked = await ask(world, model, guards, fault, always=True, stream=cell.stream)
    state = guards.state(model.name)
    if outcome.breaks or outcome.limited:
        assert asked.requests[0] == 1, "nothing more is sent after a probe that failed"
        assert state.retry_at is not None
        assert (state.state, state.retry_at - state.since >= 2 * BREAKER.cooldown_seconds) == ("open", True)
    else:
        assert (state.state, state.failures) == ("closed", 0)


def _chosen(fault: Fault | None, _received: Received) -> Fault | None:
    return fault


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of a call: `requests` to both providers, and the `rows` that it has left in the ledger."""

    text: str
    raised: type[ModelError] | None
    requests: tuple[int, int]
    rows: list[LedgerEntry]


async def ask(world: World, model: ChatModel, guards: Guards, fault: Fault, *, always: bool, stream: bool) -> Asked:
    """Make a call that meets the fault, after which nothing is held by anybody, and what is counted is right."""
    seen, last = world.seen(), world.meter.ledger.last_id()
    before = await spent(world)
    world.first.choose = partial(_chosen, fault if always else None)
    world.first.faults.append(fault)
    try:
        async with asyncio.timeout(HANGS):
            text, error = await said(world.router(model, guards.around(world.meter, world.budgets)), stream=stream)
    finally:
        world.first.choose = partial(_chosen, None)
    first, second = (now - then for now, then in zip(world.seen(), seen, strict=True))
    rows = world.rows(last)
    assert len(rows) == first + second, rows
    assert await spent(world) - before == guards.spent(rows), rows
    await guards.check(rows)
    return Asked(text, None if error is None else type(error), (first, second), rows)


async def spent(world: World) -> Decimal:
    """What the budget has counted; nothing is set aside any more."""
    for state in await world.budgets.states():
        assert state.reserved == 0
        return state.spent
    return Decimal(0)


async def said(router: Router, *, stream: bool) -> tuple[str, ModelError | None]:
    """What was said, and the error that is raised or ends the stream."""
    try:
        if not stream:
            return (await router.complete(REQUEST)).text, None
        got: Heard = await heard(router.stream(REQUEST))
    except ModelError as error:
        return "", error
    if isinstance(got.last, Completed):
        assert got.last.response.text == got.text
        return got.text, None
    assert isinstance(got.last, Interrupted)
    assert got.last.text == got.text
    return got.text, got.last.error
