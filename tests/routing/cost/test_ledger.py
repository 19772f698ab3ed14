"""The ledger: what is written comes back, exactly, and nothing is lost."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import text

from plumbline.database import open_database
from plumbline.errors import StorageError
from plumbline.writing import BusyError, WriteConnection
from routing.chat import Tags, Usage
from routing.cost.ledger import Ledger, LedgerEntry, component


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    path = tmp_path / "home.db"
    return Ledger(open_database(path, [component()]), path)


@contextmanager
def held(ledger: Ledger) -> Iterator[None]:
    """Another process is writing, as long as the block lasts."""
    other = sqlite3.connect(str(ledger._engine.url.database), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


def entry(cost: str | None, trace: str = "t1", tokens: int = 10) -> LedgerEntry:
    return LedgerEntry(
        kind="chat",
        model="openai/x",
        usage=Usage(tokens, 5, 3, 2, True, 4, 1, 2, 6),
        cost=None if cost is None else Decimal(cost),
        seconds=0.25,
        trace_id=trace,
        span_id="s1",
        tags=Tags("answer", "acme", "r1", "s7", "ci"),
        error=None,
        tier="flex",
    )


def test_entries_come_back_as_they_were(ledger: Ledger) -> None:
    first, second = entry("0.000000000123"), entry(None)
    ledger.record(first)
    ledger.record(second)
    assert ledger.of_trace("t1") == [first, second]
    assert ledger.of_trace("t2") == []


def test_a_reader_goes_on_from_where_it_was(ledger: Ledger) -> None:
    assert (ledger.last_id(), list(ledger.after(0))) == (0, [])
    for cost in ("1", "2"):
        ledger.record(entry(cost))
    seen = ledger.last_id()
    ledger.record(entry("3"))
    assert [found.cost for _, found in ledger.after(seen)] == [Decimal(3)]
    assert [number for number, _ in ledger.after(0)] == [1, 2, 3]


def test_totals_keep_unpriced_apart_from_zero(ledger: Ledger) -> None:
    for cost in ("0.1", "0.2", None, "0"):
        ledger.record(entry(cost))
    totals = ledger.totals()
    assert (totals.calls, totals.cost, totals.unpriced) == (4, Decimal("0.3"), 1)
    assert totals.usage.input_tokens == 40


def test_many_writers_lose_nothing(ledger: Ledger) -> None:
    def write(number: int) -> None:
        for _ in range(25):
            ledger.record(entry("0.01", trace=f"t{number}"))

    threads = [threading.Thread(target=write, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ledger.totals().calls == 200
    assert ledger.totals().cost == 2


async def test_tasks_that_wait_are_written_together_and_lose_nothing(ledger: Ledger) -> None:
    written: list[str] = []
    ledger._later._held.connection().set_trace_callback(written.append)
    with held(ledger):
        rows = [asyncio.create_task(ledger.arecord(entry("0.01", trace=f"t{number}"))) for number in range(100)]
        await asyncio.sleep(0.05)
        assert ledger.totals().calls == 0
    await asyncio.gather(*rows)
    assert {found.trace_id for _, found in ledger.after(0)} == {f"t{number}" for number in range(100)}
    assert written.count("COMMIT") < 50


async def test_a_free_database_is_written_at_once(ledger: Ledger) -> None:
    assert ledger.enqueue(entry("1")).done()
    assert ledger.totals().calls == 1


async def test_a_row_is_not_written_twice_when_another_process_comes_in_between(ledger: Ledger) -> None:
    """Rows that are stored each alone, because one of them cannot be, and meet a locked database half-way."""
    store = ledger.held.transaction
    calls = 0

    @contextmanager
    def contended() -> Iterator[sqlite3.Connection]:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise BusyError
        with store() as connection:
            yield connection

    ledger.held.transaction = contended  # type: ignore[method-assign]  # stands in for another process
    rows = [ledger.enqueue(entry("1", trace=trace), soon=False) for trace in ("t1", "t2", "\udce9")]
    with pytest.raises(UnicodeEncodeError):
        await ledger.stored(rows)
    assert calls == 3
    assert [found.trace_id for _, found in ledger.after(0)] == ["t1", "t2"]


async def test_a_locked_database_holds_up_nobody_but_the_caller(ledger: Ledger) -> None:
    with held(ledger):
        waiting = asyncio.create_task(ledger.arecord(entry("1")))
        leaving = asyncio.create_task(ledger.arecord(entry("2")))
        await asyncio.sleep(0.05)
        assert not waiting.done()
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
    await waiting
    await ledger.arecord(entry("3"))
    assert [found.cost for _, found in ledger.after(0)] == [1, 2, 3]


async def test_every_task_is_told_that_its_row_could_not_be_written(ledger: Ledger) -> None:
    with ledger._engine.begin() as connection:
        connection.execute(text("ALTER TABLE ledger RENAME TO hidden"))
    failed = await asyncio.gather(*(ledger.arecord(entry("1")) for _ in range(3)), return_exceptions=True)
    assert [type(error) for error in failed] == [StorageError] * 3
    with ledger._engine.begin() as connection:
        connection.execute(text("ALTER TABLE hidden RENAME TO ledger"))
    await ledger.arecord(entry("1"))
    assert ledger.totals().calls == 1


async def test_a_row_that_cannot_be_written_takes_no_other_with_it(ledger: Ledger) -> None:
    rows = [ledger.enqueue(entry("1", trace=trace), soon=False) for trace in ("t1", "\udce9", "t2")]
    with pytest.raises(UnicodeEncodeError):
        await ledger.stored(rows)
    assert [found.trace_id for _, found in ledger.after(0)] == ["t1", "t2"]


async def test_rows_whose_storing_is_interrupted_are_stored_with_the_next(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(WriteConnection, "transaction", interrupted)
        with pytest.raises(KeyboardInterrupt):
            ledger.enqueue(entry("1", trace="t1"))
    await ledger.arecord(entry("2", trace="t2"))
    assert [found.trace_id for _, found in ledger.after(0)] == ["t1", "t2"]


def interrupted(connection: WriteConnection) -> None:
    del connection
    raise KeyboardInterrupt


def test_a_row_that_nothing_waits_for_is_stored_at_the_end(ledger: Ledger) -> None:
    row = ledger.enqueue(entry("0"), soon=False)
    assert ledger.totals().calls == 0
    ledger.flush()
    ledger.flush()
    assert row.result() is None
    assert ledger.totals().calls == 1


async def test_a_loop_that_takes_no_more_work_stops_no_other_loop(ledger: Ledger) -> None:
    await asyncio.to_thread(asyncio.run, _refused(ledger))
    await asyncio.wait_for(ledger.arecord(entry("2")), 10)
    assert {found.cost for _, found in ledger.after(0)} == {1, 2}


async def _refused(ledger: Ledger) -> None:
    await asyncio.get_running_loop().shutdown_default_executor()
    with held(ledger), pytest.raises(RuntimeError):
        await ledger.arecord(entry("1"))


def test_a_row_that_cannot_be_written_is_an_error(ledger: Ledger) -> None:
    with ledger._engine.begin() as connection:
        connection.execute(text("DROP TABLE ledger"))
    with pytest.raises(StorageError):
        ledger.record(entry("1"))


@pytest.mark.parametrize("version", [1, 2])
def test_a_ledger_of_an_older_version_is_brought_up_to_date(tmp_path: Path, version: int) -> None:
    path = tmp_path / "home.db"
    ledger = Ledger(open_database(path, [component()]), path)
    ledger.record(entry("1"))
    newer = ["session", "key", "tier", "cache_write_1h_tokens", "reasoning_tokens", "images"]
    with sqlite3.connect(path) as old:
        for column in newer if version == 2 else [*newer, "searches"]:
            old.execute(f"ALTER TABLE ledger DROP COLUMN {column}")
        old.execute("UPDATE components SET version = ? WHERE name = 'ledger'", (version,))
    again = Ledger(open_database(path, [component()]), path)
    again.record(entry("2"))
    first, second = again.of_trace("t1")
    assert second == replace(entry("2"), at=second.at)
    assert first.usage == Usage(10, 5, 3, 2, True, 4 if version == 2 else 0)
    assert (first.tags, first.tier) == (Tags("answer", "acme", "r1"), "standard")
    assert again.totals().usage == first.usage + second.usage


def test_when_a_call_was_made_is_stored_in_utc(ledger: Ledger) -> None:
    there = datetime(2026, 3, 1, 0, 30, tzinfo=timezone(timedelta(hours=2)))
    ledger.record(replace(entry("1"), at=there))
    (found,) = ledger.of_trace("t1")
    assert (found.at, found.at.isoformat()) == (there, "2026-02-28T22:30:00+00:00")
