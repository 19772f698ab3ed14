"""A meter over an empty home."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from plumbline.database import open_database
from plumbline.trace import Tracing
from plumbline.trace import component as traces
from routing.cost.ledger import Ledger
from routing.cost.ledger import component as ledger
from routing.cost.prices import PriceTable
from routing.meter import Meter


@contextmanager
def opened_meter(folder: Path) -> Iterator[Meter]:
    path = folder / "home.db"
    engine = open_database(path, [ledger(), traces()])
    tracing = Tracing(engine)
    try:
        yield Meter(tracing, Ledger(engine, path), PriceTable({}))
    finally:
        tracing.close()
        engine.dispose()
