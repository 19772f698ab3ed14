"""Opening databases: versions, damage, and what the disk may do."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import Column, Connection, Integer, MetaData, String, Table, insert, select, text

from plumbline.database import Component, copy_database, open_database, writing
from plumbline.errors import CorruptStateError, NewerStateError, StorageError

METADATA = MetaData()
THINGS = Table("things", METADATA, Column("id", Integer, primary_key=True), Column("name", String))


def add_name(connection: Connection) -> None:
    connection.execute(text("ALTER TABLE things ADD COLUMN name TEXT"))


OLD = Component("things", 1, MetaData())
NEW = Component("things", 2, METADATA, (add_name,))


def test_creates_and_reopens(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "folder" / "x.db"
    engine = open_database(path, [NEW])
    with writing(engine, path) as connection:
        connection.execute(insert(THINGS), {"id": 1, "name": "a"})
    engine.dispose()
    again = open_database(path, [NEW])
    with again.connect() as connection:
        assert connection.execute(select(THINGS)).all() == [(1, "a")]


def test_migrates_an_older_database(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    old = open_database(path, [OLD])
    with writing(old, path) as connection:
        connection.execute(text("CREATE TABLE things (id INTEGER PRIMARY KEY)"))
        connection.execute(text("INSERT INTO things (id) VALUES (7)"))
    old.dispose()
    engine = open_database(path, [NEW])
    with engine.connect() as connection:
        assert connection.execute(select(THINGS)).all() == [(7, None)]
        assert connection.scalar(text("SELECT version FROM components")) == 2


def test_a_migration_that_fails_leaves_the_database_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    open_database(path, [OLD]).dispose()

    def break_off(connection: Connection) -> None:
        connection.execute(text("CREATE TABLE half (id INTEGER)"))
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        open_database(path, [Component("things", 2, METADATA, (break_off,))])
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT name FROM sqlite_master WHERE name = 'half'").fetchall() == []
        assert connection.execute("SELECT version FROM components").fetchall() == [(1,)]


def test_a_newer_database_is_refused_and_untouched(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    open_database(path, [NEW]).dispose()
    before = path.read_bytes()
    with pytest.raises(NewerStateError, match=r"newer version of Plumbline \(things 2; this one reads 1\)"):
        open_database(path, [OLD])
    assert path.read_bytes() == before


def test_a_damaged_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    path.write_bytes(b"SQLite format 3\x00" + os.urandom(4096))
    with pytest.raises(CorruptStateError, match=str(path)):
        open_database(path, [NEW])


def test_a_folder_in_place_of_the_file_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "x.db").mkdir()
    with pytest.raises(StorageError, match="cannot be written"):
        open_database(tmp_path / "x.db", [NEW])


def test_no_permission_to_make_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, *args: object, **kwargs: object) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(StorageError, match=r"Cannot write .*Permission denied"):
        open_database(tmp_path / "deep" / "x.db", [NEW])


def test_a_failed_transaction_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    engine = open_database(path, [NEW])

    def fail() -> None:
        with writing(engine, path) as connection:
            connection.execute(insert(THINGS), {"id": 1, "name": "a"})
            raise RuntimeError("interrupted")

    with pytest.raises(RuntimeError, match="interrupted"):
        fail()
    with engine.connect() as connection:
        assert connection.execute(select(THINGS)).all() == []


def test_a_copy_is_a_whole_database(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    engine = open_database(path, [NEW])
    with writing(engine, path) as connection:
        connection.execute(insert(THINGS), {"id": 1, "name": "a"})
    copy_database(engine, tmp_path / "copy.db")
    with sqlite3.connect(tmp_path / "copy.db") as copy:
        assert copy.execute("SELECT * FROM things").fetchall() == [(1, "a")]
