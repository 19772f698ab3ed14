"""A meter over an empty home, and a Redis server."""

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
from tests.routing.redis_guard import RedisServer, redis_missing


@pytest.fixture
def meter(tmp_path: Path) -> Iterator[Meter]:
    path = tmp_path / "home.db"
    engine = open_database(path, [ledger(), traces()])
    tracing = Tracing(engine)
    prices = PriceTable({"openai/priced": Price(Decimal(1), Decimal(2))})
    yield Meter(tracing, Ledger(engine, path), prices)
    tracing.close()
    engine.dispose()


@pytest.fixture(scope="session")
def shared_redis() -> Iterator[RedisServer]:
    """One server for all tests of this process."""
    pytest.importorskip("redis")
    missing = redis_missing()
    if missing is not None:
        pytest.skip(missing)
    server = RedisServer()
    yield server
    server.stop()


@pytest.fixture
def redis_server(shared_redis: RedisServer) -> Iterator[RedisServer]:
    """An empty server that the test may stop and start again."""
    shared_redis.flush()
    yield shared_redis
    shared_redis.stop()
    shared_redis.start()


@pytest.fixture
def redis_url(shared_redis: RedisServer) -> str:
    """The address of an empty server."""
    shared_redis.flush()
    return shared_redis.url
