"""Every cell of the fault matrix, through the whole path of a call, with a healthy model as fallback.

Each is tried with the fault happening once, and with the fault happening at every request.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from decimal import Decimal

import pytest
import pytest_asyncio

from routing.chat import Completed, Interrupted, Usage
from routing.errors import ModelError
from routing.router import Router
from tests.faults.faults import FAULTS, PATIENCE
from tests.faults.matrix import Cell, cells
from tests.faults.outcomes import OUTCOMES, Outcome
from tests.faults.world import FIRST, PRICE, REQUEST, SECOND, Heard, World, heard, opened

HANGS = 20.0
"""Seconds after which a cell hangs."""
MATRIX = list(cells())
COST = PRICE.of(FIRST.usage or Usage())
SAID = {"some": "".join(FIRST.pieces[:2]), "text": FIRST.text, "all": FIRST.text}
"""What a stream has said when it has come to a place."""

pytestmark = pytest.mark.asyncio(loop_scope="module")


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


@pytest.mark.parametrize("cell", MATRIX, ids=str)
async def test_cell(world: World, cell: Cell) -> None:
    case, outcome = FAULTS[cell.fault], OUTCOMES[cell.outcome]
    fault = case.at(cell.place, stream=cell.stream)
    for always in (False, True):
        router = world.router(world.model(cell.provider, PATIENCE if case.waits else 30.0))
        asked, before = (len(world.first.requests), len(world.second.requests)), world.meter.ledger.last_id()
        world.first.faults.append(fault)
        world.first.choose = lambda _, fault=fault if always else None: fault  # type: ignore[misc]
        async with asyncio.timeout(HANGS):
            text, error = await ask(router, stream=cell.stream)
        wanted = expected(cell, outcome, always=always)
        seen = len(world.first.requests) - asked[0], len(world.second.requests) - asked[1]
        rows = world.rows(before)
        errors = [row.error for row in rows]
        assert (text, type(error) if error else None, seen) == (wanted.text, wanted.error, wanted.requests), errors
        assert len(rows) == sum(seen)
        failed = [(row.error, row.cost) for row in rows if row.error]
        assert failed == failures(cell, outcome) * (sum(seen) - (wanted.error is None))


async def ask(router: Router, *, stream: bool) -> tuple[str, ModelError | None]:
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
