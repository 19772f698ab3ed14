"""What is kept of jobs, also by a version before."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from routing.batch.store import key_of
from routing.testing.batches import FakeBatches
from tests.routing.batch.batch_home import COST, Clock, batch_home, requests, work_of

pytest.importorskip("openai")


async def test_jobs_of_the_version_before_are_gone_on_with(tmp_path: Path) -> None:
    path, clock = tmp_path / "home.db", Clock()
    async with FakeBatches(clock=clock, looks=5) as server:
        work = work_of("openai", server.url)
        with batch_home(path, clock, killed=True) as home:
            await home.jobs.submit(work, requests(2), name="old")
        with sqlite3.connect(path) as before:
            before.execute("DROP INDEX batch_requests_by_key")
            before.execute("ALTER TABLE batch_requests DROP COLUMN key")
            before.execute("ALTER TABLE batch_requests DROP COLUMN held")
            before.execute("UPDATE components SET version = 1 WHERE name = 'batches'")
        before.close()
        with batch_home(path, clock) as home:
            assert [each.cost for each in await home.jobs.open("old", work).answers()] == [COST, COST]
            job = await home.jobs.submit(work, requests(3))
            assert len(await job.answers()) == 3
        await work.close()


def test_a_key_tells_requests_apart() -> None:
    assert key_of("one") == key_of("one")
    assert len({key_of(text) for text in ("one", "two", "\ud800", "")}) == 4
