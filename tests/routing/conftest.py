"""A meter over an empty home."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from plumbline.database import open_database
from plumbline.trace import Tracing
from plumbline.trace import component as traces
from routing.cost.ledger import Ledger
from routing.cost.ledger import component as ledger
from routing.cost.prices import Price, PriceTable
from routing.meter import Meter


@pytest.fixture
def meter(tmp_path: Path) -> Iterator[Meter]:
    path = tmp_path / "home.db"
    engine = open_database(path, [ledger(), traces()])
    tracing = Tracing(engine)
    prices = PriceTable({"openai/priced": Price(Decimal(1), Decimal(2))})
    yield Meter(tracing, Ledger(engine, path), prices)
    tracing.close()
    engine.dispose()
