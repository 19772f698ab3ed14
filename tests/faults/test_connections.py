"""What a call leaves behind at the provider: no connection that nobody reads, and a request for each row."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from routing.chat import Usage
from routing.resilience.hedge import Hedges
from routing.router import Router
from routing.settings import HedgeSettings
from routing.testing.faults import Fault
from tests.faults.faults import PROVIDERS, Provider
from tests.faults.world import FIRST, PRICE, REQUEST, RETRY, World, heard, opened

HANGS = 20.0
COST = PRICE.of(FIRST.usage or Usage())


async def left(world: World, wanted: int) -> int:
    """How many connections the first provider has open, when it has heard of those that were closed."""
    for _ in range(200):
        if world.first.connections == wanted:
            break
        await asyncio.sleep(0.01)
    return world.first.connections


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_listener_that_fails_leaves_no_connection_behind(tmp_path: Path, provider: Provider) -> None:
    async with opened(tmp_path) as world:
        world.first.choose = lambda received: Fault("stall", after="some")
        router = world.router(world.model(provider, 30.0))

        def on_text(text: str) -> None:
            raise ZeroDivisionError(text)

        with pytest.raises(ZeroDivisionError) as kept:
            await router.complete(REQUEST, on_text=on_text)
        assert await left(world, 0) == 0, kept
        world.first.choose = lambda received: None
        assert (await router.complete(REQUEST)).text == FIRST.text


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("provider", PROVIDERS)
async def test_the_loser_of_two_requests_is_cancelled_and_both_are_in_the_ledger(
    tmp_path: Path, provider: Provider, stream: bool
) -> None:
    async with opened(tmp_path) as world:
        model = world.model(provider, 30.0)
        await world.router(model).complete(REQUEST)  # what is loaded at first takes no time of the race
        seen, last = world.seen(), world.meter.ledger.last_id()
        world.first.faults.append(Fault("stall", after="opening"))
        hedges = Hedges(HedgeSettings(after=0.1, share=1.0))
        router = Router([model], meter=world.meter, retry=RETRY, hedges=hedges)
        async with asyncio.timeout(HANGS):
            text = (await heard(router.stream(REQUEST))).text if stream else (await router.complete(REQUEST)).text
        assert text == FIRST.text
        assert world.seen()[0] - seen[0] == 2
        loser, winner = sorted(world.rows(last), key=lambda row: row.error is None)
        assert (winner.error, winner.cost, winner.usage.estimated) == (None, COST, False)
        assert (loser.error, loser.usage.estimated) == ("CancelledError", True)
        assert loser.cost is not None
        assert (0 < loser.cost < COST) if stream else loser.cost == COST
        assert await left(world, 1) == 1
