"""The levers that are said to save money: what of the literature's claims was measured here, if anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evals.cost.claims import PROMPT_CACHING, Claim, claims
from evals.cost.replay import Run
from evals.cost.row import Row
from evals.cost.summary import known
from evals.stats import Interval, bootstrap_ratio, paired_difference


@dataclass(frozen=True, slots=True)
class Saving:
    """What was measured: `saved` is the share of the bill, `gained` the change in the share of right answers.

    `between` names the configurations. `assumed` says that a simulated provider made the bill.
    """

    between: str
    saved: Interval
    gained: Interval | None
    assumed: bool


@dataclass(frozen=True, slots=True)
class LeverLine:
    """One line of the report; without `savings` the lever is not measured, and `why` says why."""

    claim: Claim
    savings: tuple[Saving, ...]
    why: str


def lever_lines(run: Run) -> tuple[LeverLine, ...]:
    """A line for every lever."""
    return tuple(_prompt_caching(run) if lever == PROMPT_CACHING else _by_pair(run, lever) for lever in claims())


def _prompt_caching(run: Run) -> LeverLine:
    """What reading from providers' caches saved: the bill against the same calls at the full price."""
    savings = []
    for config in run.suite.configs:
        rows = [row for row in run.compared if row.config == config.name]
        full = known(None if row.full_price is None else float(row.full_price) for row in rows)
        paid = known(None if row.cost is None else float(row.cost) for row in rows)
        if full and paid and sum(full) > 0:
            saved = _ratio([f - p for f, p in zip(full, paid, strict=True)], full, rows, run)
            savings.append(Saving(config.name, saved, None, config.profile is not None))
    why = "" if savings else "no call of a known price above 0"
    return LeverLine(claims()[PROMPT_CACHING], tuple(savings), why)


def _by_pair(run: Run, lever: str) -> LeverLine:
    pair = run.suite.levers.get(lever)
    if pair is None:
        return LeverLine(claims()[lever], (), "no pair of configurations names it")
    without, with_ = (
        sorted((row for row in run.compared if row.config == name), key=lambda row: row.query) for name in pair
    )
    before = known(None if row.cost is None else float(row.cost) for row in without)
    after = known(None if row.cost is None else float(row.cost) for row in with_)
    if not before or not after or sum(before) <= 0:
        return LeverLine(claims()[lever], (), "a price is unknown, or there is nothing to save")
    saved = _ratio([b - a for b, a in zip(before, after, strict=True)], before, without, run)
    assumed = any(config.profile is not None for config in run.suite.configs if config.name in pair)
    saving = Saving(f"{pair[1]} instead of {pair[0]}", saved, _gained(without, with_, run), assumed)
    return LeverLine(claims()[lever], (saving,), "")


def _gained(without: Sequence[Row], with_: Sequence[Row], run: Run) -> Interval | None:
    judged = [(b, a) for b, a in zip(without, with_, strict=True) if b.correct is not None and a.correct is not None]
    if not judged:
        return None
    before, after = ([float(bool(row.correct)) for row in rows] for rows in zip(*judged, strict=True))
    return paired_difference(after, before, clusters=[row.group for row, _ in judged], seed=run.suite.seed)


def _ratio(part: Sequence[float], whole: Sequence[float], rows: Sequence[Row], run: Run) -> Interval:
    return bootstrap_ratio(part, whole, clusters=[row.group for row in rows], seed=run.suite.seed)
