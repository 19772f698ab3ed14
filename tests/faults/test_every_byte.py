"""A stream that is cut after any number of bytes: the text is whole or gone on with, nothing is lost or doubled."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from routing.chat import ChatRequest, Completed, Interrupted
from routing.router import Router
from routing.testing.faults import Fault, OfConnection
from routing.testing.wires import Asked, wire_of
from tests.faults.faults import PROVIDERS, Provider
from tests.faults.world import FIRST, REQUEST, RETRY, SECOND, World, heard, opened

STEP = 1 if "PLUMBLINE_EVERY_BYTE" in os.environ else 41
"""Every so many bytes; all of them where the variable is set, which takes minutes."""
BEGINNINGS = ["".join(FIRST.pieces[:count]) for count in range(len(FIRST.pieces) + 1)]


async def length(world: World, router: Router) -> int:
    """How many bytes the stream has on the wire."""
    await heard(router.stream(REQUEST))
    received = world.first.requests[-1]
    return len(b"".join(wire_of(received).answer(Asked(FIRST, received.body, 1)).frames()))


@pytest.mark.parametrize("kind", ["cut", "reset"])
@pytest.mark.parametrize("provider", PROVIDERS)
async def test_the_answer_is_of_one_piece(tmp_path: Path, provider: Provider, kind: OfConnection) -> None:
    async with opened(tmp_path) as world:
        router = world.router(world.model(provider, 30.0))
        for byte in range(0, await length(world, router), STEP):
            seen, last = world.seen(), world.meter.ledger.last_id()
            world.first.faults.extend([Fault(kind, byte=byte)] * 3)
            async with asyncio.timeout(20):
                text = (await heard(router.stream(REQUEST))).text
            world.first.faults.clear()
            assert text in {FIRST.text, *(said + SECOND.text for said in BEGINNINGS)}, byte
            rows = world.rows(last)
            assert len(rows) == sum(world.seen()) - sum(seen), byte
            assert [row.cost for row in rows if row.error] == [None] * (len(rows) - 1), byte


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_or_it_ends_where_it_broke(tmp_path: Path, provider: Provider) -> None:
    async with opened(tmp_path) as world:
        models = [world.model(provider, 30.0), world.healthy]
        router = Router(models, meter=world.meter, retry=RETRY, broken_stream="end")
        for byte in range(0, await length(world, router), STEP * 3):
            world.first.faults.extend([Fault("cut", byte=byte)] * 3)
            got = await heard(router.stream(ChatRequest(REQUEST.messages)))
            world.first.faults.clear()
            if isinstance(got.last, Interrupted):
                assert got.text == got.last.text, byte
                assert got.text in BEGINNINGS[1:], byte
            else:
                assert isinstance(got.last, Completed)
                assert got.text in (FIRST.text, SECOND.text), byte
