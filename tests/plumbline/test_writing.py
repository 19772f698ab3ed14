"""Connections that write at every request."""

from __future__ import annotations

import os
import sqlite3
import threading
from pathlib import Path

import pytest

from plumbline.errors import CorruptStateError, StorageError
from plumbline.writing import BusyError, WriteConnection


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "a.db"
    with sqlite3.connect(path) as made:
        made.execute("PRAGMA journal_mode=WAL")
        made.execute("CREATE TABLE numbers (number INTEGER)")
    made.close()
    return path


def numbers(path: Path) -> list[int]:
    reading = sqlite3.connect(path)
    try:
        return [number for (number,) in reading.execute("SELECT number FROM numbers ORDER BY number")]
    finally:
        reading.close()


def fail_half_way(connection: WriteConnection) -> None:
    with connection.transaction() as transaction:
        transaction.execute("INSERT INTO numbers VALUES (2)")
        raise ValueError("no")


def test_what_is_written_is_there_and_what_raises_is_not(path: Path) -> None:
    connection = WriteConnection(path)
    with connection.transaction() as transaction:
        transaction.execute("INSERT INTO numbers VALUES (1)")
    with pytest.raises(ValueError, match="no"):
        fail_half_way(connection)
    with connection.transaction() as transaction:
        transaction.execute("INSERT INTO numbers VALUES (3)")
    assert numbers(path) == [1, 3]


def test_one_that_does_not_wait_says_that_another_process_writes(path: Path) -> None:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    connection = WriteConnection(path, wait=False)
    with pytest.raises(BusyError), connection.transaction():
        pytest.fail("nobody may come in here")
    other.execute("ROLLBACK")
    other.close()
    with connection.transaction() as transaction:
        transaction.execute("INSERT INTO numbers VALUES (1)")
    assert numbers(path) == [1]


def test_one_that_does_not_wait_does_not_wait_for_its_own_other_thread(path: Path) -> None:
    connection = WriteConnection(path, wait=False)
    refused: list[BaseException] = []

    def write() -> None:
        try:
            with connection.transaction():
                pytest.fail("nobody may come in here")
        except BusyError as error:
            refused.append(error)

    with connection.transaction():
        thread = threading.Thread(target=write)
        thread.start()
        thread.join()
    assert len(refused) == 1


def test_threads_take_turns(path: Path) -> None:
    connection = WriteConnection(path)

    def write(first: int) -> None:
        for number in range(first, first + 20):
            with connection.transaction() as transaction:
                transaction.execute("INSERT INTO numbers VALUES (?)", (number,))

    threads = [threading.Thread(target=write, args=(first,)) for first in range(0, 100, 20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert numbers(path) == list(range(100))


def test_a_forked_child_has_a_connection_of_its_own(path: Path) -> None:
    connection = WriteConnection(path)
    with connection.transaction() as transaction:
        transaction.execute("INSERT INTO numbers VALUES (1)")
    child = os.fork()
    if child == 0:
        try:
            with connection.transaction() as transaction:
                transaction.execute("INSERT INTO numbers VALUES (2)")
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert numbers(path) == [1, 2]


def test_a_closed_one_opens_again(path: Path) -> None:
    connection = WriteConnection(path)
    for number in (1, 2):
        with connection.transaction() as transaction:
            transaction.execute("INSERT INTO numbers VALUES (?)", (number,))
        connection.close()
    assert numbers(path) == [1, 2]


def test_what_is_gone_or_damaged_is_an_error_that_says_so(tmp_path: Path, path: Path) -> None:
    with pytest.raises(StorageError, match="cannot be written"), WriteConnection(tmp_path / "none.db").transaction():
        pass
    path.write_bytes(b"no database at all, but text of some length" * 100)
    with pytest.raises(CorruptStateError), WriteConnection(path).transaction():
        pass
