"""A web server of one's own for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.rag.ingest.source.web import Web, serving


@pytest.fixture
def web() -> Iterator[Web]:
    with serving() as server:
        yield server
