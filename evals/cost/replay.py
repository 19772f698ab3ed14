"""Replays the workload: every query through every configuration, one row each, as far as the budget goes."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from evals.cost.budget import Budget, BudgetSpentError
from evals.cost.lane import Lane, open_lane
from evals.cost.row import Row
from evals.cost.store import FILE, Rows
from evals.cost.suite import Suite
from evals.journal import check_closed
from plumbline.database import storage_errors
from plumbline.errors import ConfigError

WORK = "work"
OnRow = Callable[[int, int], None]
"""Called with how many rows are there and how many there will be."""


@dataclass(frozen=True, slots=True)
class Run:
    """What a replay gave: `rows` holds all that was asked, query by query in the workload's order.

    `stopped` says why it ended early, or is `None`. `reused` rows were there before. `spent` counts what real models
    did cost, calls without a bill at the most they can. `ingest_costs` is what reading the documents did cost, under
    the configuration that read them first. `notes` say what else the reader must know.
    """

    suite: Suite
    rows: tuple[Row, ...]
    reused: int
    spent: Decimal
    ingest_costs: Mapping[str, Decimal | None]
    stopped: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def compared(self) -> tuple[Row, ...]:
        """The rows of the queries that every configuration has answered: only those are a fair comparison."""
        asked = Counter(row.query for row in self.rows)
        return tuple(row for row in self.rows if asked[row.query] == len(self.suite.configs))


async def replay(
    suite: Suite, folder: Path, *, environ: Mapping[str, str] | None = None, on_row: OnRow = lambda *_: None
) -> Run:
    """Run the suite with its state in `folder`; rows that are there are not asked for again.

    When the budget is spent the run ends and gives what it has. Raises `InputError` when the folder holds another
    suite's rows, `ConfigError` when the budget does not reach for a single call, and whatever makes going on hopeless
    (a wrong key, say); the rows by then are stored.
    """
    rows = Rows(folder, suite.fingerprint())
    budget = Budget(suite.budget, journal=folder / WORK / "budget.jsonl")
    reused = len(rows)
    stopped = None
    try:
        if reused < len(suite.workload.queries) * len(suite.configs):
            async with AsyncExitStack() as stack:
                try:
                    lanes = await _lanes(stack, suite, folder / WORK, rows, budget, environ)
                    await _ask(suite, lanes, rows, on_row)
                except BudgetSpentError as error:
                    stopped = _stopped(error, budget)
        found = _in_order(suite, rows)
        return Run(suite, found, reused, budget.spent, dict(rows.ingest_costs), stopped, tuple(rows.notes))
    finally:
        rows.close()
        budget.close()


def start_over(folder: Path) -> None:
    """Remove what an earlier run stored in `folder`; its reports, and files that are not ours, stay.

    Raises `StateError` while that run goes on.
    """
    check_closed(folder / FILE)
    with storage_errors(folder):
        (folder / FILE).unlink(missing_ok=True)
        if (folder / WORK).is_dir():
            shutil.rmtree(folder / WORK)


async def _lanes(
    stack: AsyncExitStack,
    suite: Suite,
    work: Path,
    rows: Rows,
    budget: Budget,
    environ: Mapping[str, str] | None,
) -> list[Lane]:
    """The configurations with their knowledge bases filled; `stack` closes them."""
    lanes = []
    for config in suite.configs:
        lane = open_lane(config, suite, work, budget, environ)
        stack.push_async_callback(lane.close)
        lanes.append(lane)
        report = await lane.fill(suite.docs)
        for file in report.files:
            if file.outcome == "failed":
                rows.add_note(f"{file.name} could not be read: {file.reason}")
        if report.count("added") + report.count("updated"):
            rows.add_ingest(config.name, report.cost)
    return lanes


async def _ask(suite: Suite, lanes: Sequence[Lane], rows: Rows, on_row: OnRow) -> None:
    """Ask what is missing, query by query, so that whatever ends the run leaves all configurations equally far."""
    total = len(suite.workload.queries) * len(lanes)
    for query in suite.workload.queries:
        for lane in lanes:
            if not rows.has(lane.config.name, query.id):
                rows.add(await lane.ask(query))
                on_row(len(rows), total)
            elif lane.config.profile is not None:
                await lane.ask(query)  # again, for nothing, so that the simulated cache holds what it held


def _stopped(error: BudgetSpentError, budget: Budget) -> str:
    """Why the run ended early; raises `ConfigError` when nothing could be bought at all."""
    if budget.spent == 0:
        raise ConfigError(
            f"The budget does not reach for a single call: {error.message}", key="budget", hint=error.hint
        ) from error
    return str(error)


def _in_order(suite: Suite, rows: Rows) -> tuple[Row, ...]:
    of = {(row.query, row.config): row for row in rows.all}
    places = ((query.id, config.name) for query in suite.workload.queries for config in suite.configs)
    return tuple(of[place] for place in places if place in of)
