"""A connection that stays open sees what others commit, and says what is wrong with the file."""

from __future__ import annotations

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
    assert writer
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


def test_closed_it_opens_again(reader: ReadConnection) -> None:
    reader.rows("SELECT 1")
    reader.close()
    reader.close()
    assert reader.rows("SELECT 1") == [(1,)]


def test_what_is_no_database_is_said_to_be_damaged(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_bytes(b"no database" * 1000)
    with pytest.raises(CorruptStateError):
        ReadConnection(tmp_path / "x.db").rows("SELECT 1 FROM t")
    with pytest.raises(StateError):
        ReadConnection(tmp_path / "missing.db").rows("SELECT 1")
