"""What was spent before a budget began: read from the ledger, once, when a budget is met for the first time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Any

from routing.cost.budget_terms import Budget, Period, picodollars

Rows = Callable[[str, Sequence[Any]], Iterable[Any]]
"""Runs a statement with its values, and gives the rows."""
_COLUMNS: Mapping[str, str] = {name: name for name in ("tenant", "key", "purpose", "session")}


def spent_before(rows: Rows, budget: Budget, period: Period) -> dict[str, int]:
    """Picodollars by subject of what the ledger has of this period. Rows without a known cost count nothing.

    Questions begin anew, and so does what the ledger has no column for.
    """
    per = budget.settings.per
    known = {str(row[1]) for row in rows("PRAGMA table_info(ledger)", ())}
    if per == "request" or not known or (per in _COLUMNS and _COLUMNS[per] not in known):
        return {}
    subject_of = _subjects(per)
    column = _COLUMNS.get(per, "model")
    since = datetime.fromtimestamp(period.starts, UTC).isoformat() if period.starts else ""
    sums: dict[str, Decimal] = defaultdict(Decimal)
    # Rows are added here: SQLite would add money as binary floats.
    for model, named, cost in rows(
        f'SELECT model, "{column}", cost FROM ledger WHERE cost IS NOT NULL AND at >= ?', (since,)
    ):
        subject = budget.subject(subject_of(named))
        if subject is not None and fnmatchcase(model, budget.settings.match):
            sums[subject] += Decimal(cost)
    return {subject: picodollars(total) for subject, total in sums.items() if total}


def _subjects(per: str) -> Callable[[str | None], str | None]:
    if per == "everything":
        return lambda _: ""
    if per == "provider":
        return lambda model: None if model is None else model.partition("/")[0]
    return lambda named: named
