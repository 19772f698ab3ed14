"""What chunkers that ask models are built with: calls that are measured, recorded, and tried once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from plumbline.database import open_database
from plumbline.trace import Tracing
from plumbline.trace import component as traces
from routing.chat import ChatModel
from routing.cost.ledger import Ledger
from routing.cost.ledger import component as ledger
from routing.cost.prices import Price, PriceTable
from routing.embedding import MeteredEmbedder
from routing.meter import Meter
from routing.router import Router
from routing.settings import RetrySettings
from routing.vectors import Embedder


@pytest.fixture
def meter(tmp_path: Path) -> Iterator[Meter]:
    path = tmp_path / "home.db"
    engine = open_database(path, [ledger(), traces()])
    tracing = Tracing(engine)
    prices = PriceTable({"openai/priced": Price(Decimal(1), Decimal(2))})
    yield Meter(tracing, Ledger(engine, path), prices)
    tracing.close()
    engine.dispose()


@pytest.fixture
def metered(meter: Meter) -> Callable[[Embedder], MeteredEmbedder]:
    """Puts an embedder behind the meter."""
    return lambda embedder: MeteredEmbedder(embedder, meter=meter, retry=RetrySettings(attempts=1))


@pytest.fixture
def routed(meter: Meter) -> Callable[[ChatModel], Router]:
    """Puts a chat model behind a router."""
    return lambda model: Router([model], meter=meter, retry=RetrySettings(attempts=1))
