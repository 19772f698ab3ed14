"""Replays the workload: every query through every configuration, one row each, as far as the budget goes."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from evals.cost.budget import Budget, BudgetSpentError
from evals.cost.lane import Lane, close_all, open_lane
from evals.cost.row import Row
from evals.cost.store import FILE, Rows
from evals.cost.suite import Suite
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


@dataclass(slots=True)
class _Progress:
    done: int
    total: int
    notes: list[str] = field(default_factory=list)


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
    reused = len(rows.all)
    progress = _Progress(reused, len(suite.workload.queries) * len(suite.configs))
    stopped = None
    try:
        if not rows.complete((config.name for config in suite.configs), (query.id for query in suite.workload.queries)):
            stopped = await _run(suite, folder / WORK, rows, budget, environ, progress, on_row)
        return Run(
            suite, _in_order(suite, rows), reused, budget.spent, dict(rows.ingest_costs), stopped, tuple(progress.notes)
        )
    finally:
        rows.close()
        budget.close()


def start_over(folder: Path) -> None:
    """Remove what an earlier run stored in `folder`; its reports, and files that are not ours, stay."""
    with storage_errors(folder):
        (folder / FILE).unlink(missing_ok=True)
        if (folder / WORK).is_dir():
            shutil.rmtree(folder / WORK)


async def _run(
    suite: Suite,
    work: Path,
    rows: Rows,
    budget: Budget,
    environ: Mapping[str, str] | None,
    progress: _Progress,
    on_row: OnRow,
) -> str | None:
    """Ask what is missing; why it ended early, if it did."""
    lanes: list[Lane] = []
    try:
        for config in suite.configs:
            lanes.append(open_lane(config, suite, work, budget, environ))
            await _fill(lanes[-1], suite, rows, progress)
        for query in suite.workload.queries:
            for lane in lanes:
                there = rows.has(lane.config.name, query.id)
                if there and lane.config.profile is None:
                    continue
                row = await lane.ask(query)
                if there:
                    continue  # asked only so that the simulated cache holds what it held
                rows.add(row)
                progress.done += 1
                on_row(progress.done, progress.total)
    except BudgetSpentError as error:
        if budget.spent == 0:
            raise ConfigError(
                f"The budget does not reach for a single call: {error.message}", key="budget", hint=error.hint
            ) from error
        return str(error)
    finally:
        await close_all(lanes)
    return None


async def _fill(lane: Lane, suite: Suite, rows: Rows, progress: _Progress) -> None:
    report = await lane.fill(suite.docs)
    for file in report.files:
        note = f"{file.name} could not be read: {file.reason}"
        if file.outcome == "failed" and note not in progress.notes:
            progress.notes.append(note)
    if report.count("added") + report.count("updated"):
        rows.add_ingest(lane.config.name, report.cost)


def _in_order(suite: Suite, rows: Rows) -> tuple[Row, ...]:
    of = {(row.query, row.config): row for row in rows.all}
    places = ((query.id, config.name) for query in suite.workload.queries for config in suite.configs)
    return tuple(of[place] for place in places if place in of)
