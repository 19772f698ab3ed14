"""Providers that are not reached at all: each try has its row, which costs nothing, and the next model answers."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest

from routing.errors import ConnectionFailedError
from routing.testing.faults import refused_address, unknown_address
from tests.faults.faults import PROVIDERS, Provider
from tests.faults.outcomes import TRIES
from tests.faults.world import REQUEST, SECOND, adapter, heard, opened

HANGS = 20.0


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("what", ["refused", "no_such_name", "no_tls"])
@pytest.mark.parametrize("provider", PROVIDERS)
async def test_address(tmp_path: Path, provider: Provider, what: str, stream: bool) -> None:
    async with opened(tmp_path) as world:
        addresses = {
            "refused": refused_address(),
            "no_such_name": unknown_address(),
            "no_tls": world.first.url.replace("http:", "https:"),
        }
        model = adapter(provider, addresses[what], 10.0)
        router = world.router(model)
        async with asyncio.timeout(HANGS):
            text = (await heard(router.stream(REQUEST))).text if stream else (await router.complete(REQUEST)).text
        await model.close()
        assert text == SECOND.text
        assert world.seen() == (0, 1)
        *failed, last = world.rows(0)
        assert [(row.error, row.cost) for row in failed] == [(ConnectionFailedError.__name__, Decimal(0))] * TRIES
        assert last.error is None
