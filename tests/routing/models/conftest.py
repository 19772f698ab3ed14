"""A provider on this machine, for the tests of every adapter."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from routing.testing.server import FakeProvider


@pytest.fixture
async def server() -> AsyncIterator[FakeProvider]:
    """It speaks every interface; what it answers is its `script`."""
    async with FakeProvider() as provider:
        yield provider
