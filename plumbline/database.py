"""The SQL engine under all stored state, and the versions of what is stored.

SQLAlchemy Core over SQLite in WAL mode: several processes read while one writes, a killed process loses nothing that
was committed. Each component (the catalogue, the ledger, the traces …) owns its tables and declares them as a
`Component`; the table `components` remembers which version of each a database holds.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plumbline.errors import CorruptStateError, NewerStateError, StateError, StorageError
from plumbline.forking import at_fork

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine, MetaData

BUSY_TIMEOUT_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Component:
    """Tables that belong together, at `version`; `migrations[i]` takes a database from version i + 1 to i + 2."""

    name: str
    version: int
    tables: MetaData
    migrations: Sequence[Callable[[Connection], None]] = field(default=())


def open_database(path: Path, components: Sequence[Component]) -> Engine:
    """Open or create the SQLite database at `path` and bring its components up to date.

    Raises `CorruptStateError` when the file is damaged or not a database, `NewerStateError` when a newer version of
    Plumbline wrote it, `StorageError` when it cannot be created or written.
    """
    from sqlalchemy import create_engine, event
    from sqlalchemy.pool import QueuePool

    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(
        f"sqlite:///{path}",
        poolclass=QueuePool,
        connect_args={"timeout": BUSY_TIMEOUT_SECONDS, "check_same_thread": False},
    )
    event.listen(engine, "connect", _prepare_connection)
    event.listen(engine, "begin", _begin_transaction)
    at_fork(engine, before=type(engine).dispose)
    try:
        with storage_errors(path):
            for component in components:
                _bring_up_to_date(engine, component, path)
    except BaseException:
        engine.dispose()
        raise
    return engine


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn what SQLite and the operating system say about `path` into errors that tell the user what to do."""
    from sqlalchemy.exc import DBAPIError

    try:
        yield
    except DBAPIError as error:
        raise _translate(str(error.orig), path) from error
    except sqlite3.Error as error:
        raise _translate(str(error), path) from error
    except OSError as error:
        raise StorageError(
            f"Cannot write {error.filename or path}: {error.strerror}.", hint="Nothing stored was lost."
        ) from error


def _translate(reason: str, path: Path) -> StateError:
    lowered = reason.lower()
    if "not a database" in lowered or "malformed" in lowered:
        return CorruptStateError(
            f"{path} is damaged or not a database of Plumbline ({reason}).",
            hint="Restore a copy, or move it aside: what it held is then built up anew.",
        )
    if "disk is full" in lowered:
        return StorageError(
            f"The disk is full: {path} cannot be written.",
            hint="Nothing stored was lost; free some room and run the same command again.",
        )
    if "disk i/o error" in lowered:
        return StorageError(
            f"The disk fails: {path} cannot be read or written ({reason}).",
            hint="See whether the disk is full, failing or gone, then run the same command again.",
        )
    if "readonly" in lowered or "unable to open" in lowered or "permission" in lowered:
        return StorageError(
            f"{path} cannot be written ({reason}).",
            hint="Check who owns the folder and its modes, or choose another one.",
        )
    if "locked" in lowered:
        return StorageError(
            f"{path} has been locked by another process for more than {BUSY_TIMEOUT_SECONDS} s.",
            hint="Wait for it to end and run the same command again.",
        )
    return StorageError(f"The database {path} refuses: {reason}.")


def _prepare_connection(connection: Any, record: object) -> None:
    del record
    # pysqlite must not open transactions on its own: SQLAlchemy's "begin" event does, so that DDL is transactional too.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_transaction(connection: Connection) -> None:
    mode = connection.get_execution_options().get("sqlite_begin", "DEFERRED")
    connection.exec_driver_sql(f"BEGIN {mode}")


@contextmanager
def writing(engine: Engine, path: Path) -> Iterator[Connection]:
    """A write transaction that takes the lock at once, so that it waits for its turn and never fails half-way."""
    with (
        storage_errors(path),
        engine.connect().execution_options(sqlite_begin="IMMEDIATE") as connection,
        connection.begin(),
    ):
        yield connection


def copy_database(engine: Engine, target: Path) -> None:
    """Write a consistent copy of the whole database to `target`, also while others write; raises `sqlite3.Error`."""
    pooled = engine.raw_connection()
    try:
        driver = pooled.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        driver.execute("VACUUM INTO ?", (str(target),))
    finally:
        pooled.close()


def _bring_up_to_date(engine: Engine, component: Component, path: Path) -> None:
    from sqlalchemy import text

    if _stored_version(engine, component.name) == component.version:
        return
    with engine.connect().execution_options(sqlite_begin="IMMEDIATE") as connection, connection.begin():
        connection.execute(
            text("CREATE TABLE IF NOT EXISTS components (name TEXT PRIMARY KEY, version INTEGER NOT NULL)")
        )
        found = connection.scalar(text("SELECT version FROM components WHERE name = :name"), {"name": component.name})
        if found is not None and found > component.version:
            raise NewerStateError(
                f"{path} was written by a newer version of Plumbline "
                f"({component.name} {found}; this one reads {component.version}).",
                hint="Upgrade: pip install --upgrade plumbline.",
            )
        if found is None:
            component.tables.create_all(connection)
        else:
            for migrate in component.migrations[found - 1 : component.version - 1]:
                migrate(connection)
        connection.execute(
            text(
                "INSERT INTO components (name, version) VALUES (:name, :version) "
                "ON CONFLICT (name) DO UPDATE SET version = :version"
            ),
            {"name": component.name, "version": component.version},
        )


def _stored_version(engine: Engine, name: str) -> int | None:
    from sqlalchemy import text

    with engine.connect() as connection:
        exists = connection.scalar(text("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'components'"))
        if not exists:
            return None
        version: int | None = connection.scalar(
            text("SELECT version FROM components WHERE name = :name"), {"name": name}
        )
        return version
