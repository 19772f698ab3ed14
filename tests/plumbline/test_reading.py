"""A connection that stays open sees what others commit, and says what is wrong with the file."""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from plumbline.errors import CorruptStateError, StateError
from plumbline.reading import ReadConnection, marks


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(tmp_path / "a b%#.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("CREATE TABLE numbers (n INTEGER)")
    yield connection
    connection.close()


@pytest.fixture
def reader(writer: sqlite3.Connection, tmp_path: Path) -> Iterator[ReadConnection]:
    writer.execute("SELECT 1")
    connection = ReadConnection(tmp_path / "a b%#.db")
    yield connection
    connection.close()


def test_each_call_sees_what_is_committed(writer: sqlite3.Connection, reader: ReadConnection) -> None:
    assert reader.rows("SELECT n FROM numbers") == []
    writer.execute("BEGIN")
    writer.execute("INSERT INTO numbers VALUES (1), (2)")
    assert reader.rows("SELECT n FROM numbers") == []
    writer.execute("COMMIT")
    assert reader.rows(f"SELECT n FROM numbers WHERE n IN ({marks(2)})", (2, 3)) == [(2,)]
    assert reader.rows("SELECT n FROM numbers WHERE n = :n", {"n": 1}) == [(1,)]


def test_changes_are_told_once(writer: sqlite3.Connection, reader: ReadConnection) -> None:
    first = reader.changes()
    assert reader.changes() == first
    writer.execute("INSERT INTO numbers VALUES (1)")
    second = reader.changes()
    assert second != first
    assert reader.changes() == second


def test_it_does_not_write(reader: ReadConnection) -> None:
    with pytest.raises(StateError):
        reader.rows("DELETE FROM numbers")


def test_threads_take_turns(writer: sqlite3.Connection, reader: ReadConnection) -> None:
    writer.executemany("INSERT INTO numbers VALUES (?)", [(n,) for n in range(100)])
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda n: reader.rows("SELECT n FROM numbers WHERE n = ?", (n,)), range(100)))
    assert found == [[(n,)] for n in range(100)]


def test_closed_it_opens_again(writer: sqlite3.Connection, reader: ReadConnection) -> None:
    before = reader.changes()
    reader.close()
    reader.close()
    writer.execute("INSERT INTO numbers VALUES (1)")
    assert reader.rows("SELECT 1") == [(1,)]
    assert reader.changes() != before


def test_what_is_no_database_is_said_to_be_damaged(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_bytes(b"no database" * 1000)
    with pytest.raises(CorruptStateError):
        ReadConnection(tmp_path / "x.db").rows("SELECT 1 FROM t")
    with pytest.raises(StateError):
        ReadConnection(tmp_path / "missing.db").rows("SELECT 1")


def test_a_forked_child_reads_while_a_thread_of_its_parent_did(writer: sqlite3.Connection, tmp_path: Path) -> None:
    reader = ReadConnection(tmp_path / "a b%#.db")
    writer.execute("INSERT INTO numbers VALUES (7)")
    assert reader.rows("SELECT n FROM numbers") == [(7,)]
    with reader._held.lock:  # as another thread holds it at that moment
        child = os.fork()
        if child == 0:
            signal.alarm(10)
            os._exit(0 if reader.rows("SELECT n FROM numbers") == [(7,)] else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert reader.rows("SELECT n FROM numbers") == [(7,)]
    reader.close()
