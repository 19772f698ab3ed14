"""How long `rag cost` takes over a large ledger, and whether its sum is the sum of the rows.

    python -m benchmarks.cost_report [--rows 1000000] [--sessions 20000] [--keep FILE]

Writes a ledger of made-up calls (three of a trace, six models, 50 tenants, 45 days), then makes the report by each of
the views. Printed: processor and wall seconds, lines, and the exact sum beside the rows' own, added one by one.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import get_args

from plumbline.database import open_database
from routing.chat import Tags, Usage
from routing.cost.ledger import Ledger, LedgerEntry, component
from routing.cost.price_file import shipped_prices
from routing.cost.report import cost_report
from routing.cost.report_rows import By, LedgerReader, Selection

FIRST = datetime(2026, 10, 1, tzinfo=UTC)
DAYS = 45
MODELS = (
    "openai/gpt-4.1-mini",
    "openai/gpt-6.1-sol",
    "anthropic/claude-sonnet-4-5",
    "vllm/unpriced",
    "openai/text-embedding-3-small",
    "embedded/wordllama",
)
AT_ONCE = 5000


def entries(rows: int, sessions: int) -> Iterator[LedgerEntry]:
    """Calls of every size, so that hardly two cost the same."""
    rng, prices = random.Random(1), shipped_prices()
    step = timedelta(days=DAYS) / rows
    for number in range(rows):
        model = rng.choice(MODELS)
        chat = not model.endswith(("small", "wordllama"))
        read = rng.randrange(200, 9000)
        cached = rng.randrange(read) if chat and rng.random() < 0.5 else 0
        usage = Usage(read, rng.randrange(10, 900) if chat else 0, cached)
        tags = Tags(
            rng.choice(("answer", "answer", "rewrite", "ingest")),
            f"tenant-{rng.randrange(50)}",
            "release-1",
            f"session-{rng.randrange(sessions)}",
            f"key-{rng.randrange(5)}",
        )
        yield LedgerEntry(
            "chat" if chat else "embedding",
            model,
            usage,
            prices.cost(model, usage),
            rng.random(),
            f"{number // 3:032x}",
            None,
            tags,
            at=FIRST + number * step,
        )


def written(path: Path, rows: int, sessions: int) -> Decimal:
    """Write the ledger; the sum of its known costs."""
    ledger, total, some = Ledger(open_database(path, [component()]), path), Decimal(0), []
    for entry in entries(rows, sessions):
        total += entry.cost or 0
        some.append(entry)
        if len(some) == AT_ONCE:
            ledger.record(*some)
            some.clear()
    ledger.record(*some)
    return total


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--sessions", type=int, default=20_000)
    parser.add_argument("--keep", type=Path, help="write the ledger there, a file that does not exist yet")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = arguments.keep or Path(folder) / "home.db"
        total = written(path, arguments.rows, arguments.sessions)
        print(f"{arguments.rows:,} rows, {path.stat().st_size / 1e6:,.0f} MB")
        today = date(2026, 11, 14)
        for by in get_args(By):
            began, cpu = time.perf_counter(), time.process_time()
            report = cost_report(
                LedgerReader(path), Selection(), shipped_prices(), today=today, by=by, reference=MODELS[1]
            )
            wall, cpu = time.perf_counter() - began, time.process_time() - cpu
            same = "exact" if report.total.cost == total else f"WRONG: {report.total.cost} and not {total}"
            print(f"by {by:8} {cpu:5.1f} CPU-s {wall:5.1f} s  {len(report.lines):6,} lines  sum {same}")


if __name__ == "__main__":
    main()
