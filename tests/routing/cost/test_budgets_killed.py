"""Processes that are killed in the middle of their calls."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

from routing.cost.budget import LEASE_SECONDS, MARGIN_SECONDS
from tests.routing.cost.budget_home import budget, open_budget_home

ROOT = Path(__file__).parents[3]
MOST = Decimal("0.01")
SPEND = """
import asyncio, sys
from pathlib import Path
from routing.errors import BudgetError
from tests.routing.cost.budget_home import budget, call, open_budget_home

async def main():
    home = open_budget_home(Path(sys.argv[1]))
    budgets = home.budgets(budget(limit="20"))
    for number in range(int(sys.argv[2])):
        try:
            reservation = await budgets.reserve(call("0.01"))
        except BudgetError:
            return
        print("asked", flush=True)
        await home.settle(reservation, "0.007")
    await budgets.reserve(call("0.01"))
    await asyncio.sleep(600)

asyncio.run(main())
"""


def spending(folder: Path, calls: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", SPEND, str(folder), str(calls)], stdout=subprocess.PIPE, cwd=ROOT)


def test_nothing_is_overspent_and_what_they_left_counts_as_spent(tmp_path: Path) -> None:
    home = open_budget_home(tmp_path)
    for process in [spending(tmp_path, 1000) for _ in range(2)]:
        with process:
            assert process.stdout is not None
            for _ in range(50):
                assert process.stdout.readline()
            os.kill(process.pid, signal.SIGKILL)
    with spending(tmp_path, 10_000) as process:
        assert process.stdout is not None
        assert process.stdout.read()
    assert process.returncode == 0
    home.now += LEASE_SECONDS + MARGIN_SECONDS
    budgets = home.local(budget(limit="20"))
    budgets.prepare()
    (state,) = asyncio.run(budgets.states())
    spent = home.ledger.totals().cost
    assert state.reserved == 0
    assert state.spent == spent + state.assumed
    assert state.assumed <= 2 * MOST  # one call each
    assert state.limit - MOST < state.spent <= state.limit
