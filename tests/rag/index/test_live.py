"""A store that was replaced is closed once the last search in it is over."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from plumbline.database import open_database
from plumbline.errors import StorageError
from rag.index.components import catalogue_component
from rag.index.generations import Generations
from rag.index.live import LiveIndex
from rag.index.memory_store import MemoryStore

FACTS = {"embedder": "e", "dim": "3"}


class Closing(MemoryStore):
    """Counts how often it was closed."""

    def __init__(self, *, fails: bool = False) -> None:
        super().__init__(3)
        self.closed = 0
        self._fails = fails

    async def close(self) -> None:
        await asyncio.sleep(0)
        self.closed += 1
        if self._fails:
            raise StorageError("It cannot be closed.")


@pytest.fixture
def generations(tmp_path: Path) -> Iterator[Generations]:
    engine = open_database(tmp_path / "knowledge.db", [catalogue_component()])
    yield Generations(engine, tmp_path / "knowledge.db")
    engine.dispose()


def index(generations: Generations, stores: dict[int, Closing]) -> LiveIndex:
    return LiveIndex(generations, lambda number: stores.setdefault(number, Closing()), FACTS, Path("kb"))


async def test_it_is_closed_after_the_last_search(generations: Generations) -> None:
    stores: dict[int, Closing] = {}
    live = index(generations, stores)
    generations.add(FACTS, active=True)
    one, other = live.current(), live.current()
    assert one is other
    generations.switch(generations.add(FACTS, active=False).number)
    assert live.current().generation == 2
    del one
    await asyncio.sleep(0.01)
    assert stores[1].closed == 0, "the other search is not over"
    del other
    await asyncio.sleep(0.01)
    assert (stores[1].closed, stores[2].closed) == (1, 0)
    await live.close()
    assert (stores[1].closed, stores[2].closed) == (1, 1)


async def test_one_that_nobody_searches_is_closed_at_once_and_waited_for(generations: Generations) -> None:
    stores: dict[int, Closing] = {}
    live = index(generations, stores)
    generations.add(FACTS, active=True)
    live.store(1)
    generations.switch(generations.add(FACTS, active=False).number)
    live.current()
    await live.close()
    assert (stores[1].closed, stores[2].closed) == (1, 1)


def test_without_a_loop_it_is_closed_with_the_index(generations: Generations) -> None:
    stores: dict[int, Closing] = {}
    live = index(generations, stores)
    generations.add(FACTS, active=True)
    live.current()
    generations.switch(generations.add(FACTS, active=False).number)
    live.current()
    assert stores[1].closed == 0
    asyncio.run(live.close())
    assert (stores[1].closed, stores[2].closed) == (1, 1)


async def test_one_that_cannot_be_closed_stops_nobody(generations: Generations) -> None:
    stores = {1: Closing(fails=True)}
    live = index(generations, stores)
    generations.add(FACTS, active=True)
    live.current()
    generations.switch(generations.add(FACTS, active=False).number)
    assert live.current().store is stores[2]
    await asyncio.sleep(0.01)
    assert stores[1].closed == 1
    await live.close()
