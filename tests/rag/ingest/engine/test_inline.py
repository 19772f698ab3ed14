import asyncio
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path

import pytest

from rag.ingest.engine.inline import AHEAD, InlineEngine
from rag.ingest.item import Item
from rag.ingest.prepare import Job, Recipe, prepare
from rag.ingest.settings import ChunkingSettings, LoadingSettings

RECIPE = Recipe(LoadingSettings(), ChunkingSettings(size=64, overlap=8))


@pytest.fixture
def jobs(tmp_path: Path) -> list[Job]:
    paths = [tmp_path / f"{number:02}.txt" for number in range(30)]
    for number, path in enumerate(paths):
        path.write_text("Some words. " * (number * 37 % 30 + 1), encoding="utf-8")
    paths[7].unlink()
    return [Job(Item(str(path), path.name, str(path), None, "")) for path in paths]


async def test_results_come_in_the_order_of_the_jobs(jobs: list[Job]) -> None:
    results = [each async for each in InlineEngine(RECIPE).prepared(iter(jobs))]
    expected = [prepare(job, RECIPE) for job in jobs]
    assert [(each.item, each.cuts, each.error) for each in results] == [
        (each.item, each.cuts, each.error) for each in expected
    ]
    assert [each.item.name for each in results if each.error] == ["07.txt"]


async def test_jobs_are_taken_a_few_ahead(jobs: list[Job]) -> None:
    taken: list[Job] = []

    def noted() -> Iterator[Job]:
        for job in jobs:
            taken.append(job)
            yield job

    engine = InlineEngine(RECIPE)
    async with aclosing(engine.prepared(noted())) as results:
        for _ in range(3):
            await anext(results)
            await asyncio.sleep(0)
        assert len(taken) <= AHEAD + 2
    await engine.close()


async def test_what_the_jobs_raise_is_raised() -> None:
    def broken(number: int) -> Job:
        raise KeyError("the source broke")

    with pytest.raises(KeyError, match="the source broke"):
        [each async for each in InlineEngine(RECIPE).prepared(map(broken, range(3)))]
