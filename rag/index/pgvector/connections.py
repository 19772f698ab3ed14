"""Connections to PostgreSQL, used from threads so that any event loop may ask; what goes wrong made ours.

This module imports psycopg; import it lazily.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg
from pgvector.psycopg import register_vector
from psycopg import conninfo, errors

from plumbline.errors import InputError, StateError, StorageError
from rag.errors import StoreError, StoreUnavailableError
from rag.index.retries import RETRIES, with_retries
from routing.settings import RetrySettings

T = TypeVar("T")
Connection = psycopg.Connection[Any]

KEPT_IDLE = 8
SESSION = (
    b"SET hnsw.iterative_scan = strict_order",  # go on in the index until enough points match the filter
    b"SET hnsw.max_scan_tuples = 100000",
    b"SET hnsw.ef_search = 100",
    b"SET jit = off",  # compiling costs more than these queries take
    b"SET client_encoding = 'UTF8'",
)
_PASSING = (
    errors.SerializationFailure,
    errors.DeadlockDetected,
    errors.TooManyConnections,
    errors.CannotConnectNow,
    errors.AdminShutdown,
    errors.CrashShutdown,
    errors.QueryCanceled,
)


class MissingTableError(StateError):
    """Raised inside this package when the tables are not there."""


class Connections:
    """Connections to the database at `url`; with `password` where the URL has none."""

    def __init__(
        self, url: str, *, password: str | None = None, timeout: float = 30.0, retry: RetrySettings = RETRIES
    ) -> None:
        try:
            known = conninfo.conninfo_to_dict(url)
        except psycopg.Error as error:
            raise InputError(f"This is no address of a PostgreSQL database: {str(error).strip()}.") from error
        self._options: dict[str, Any] = {"password": password} if password and "password" not in known else {}
        self._options |= {"connect_timeout": max(2, int(timeout)), "autocommit": True}
        self._url = url
        self._timeout = timeout
        self._retry = retry
        self.place = f"{known.get('host', 'localhost')}/{known.get('dbname', '')}"
        self._idle: list[Connection] = []
        self._lock = threading.Lock()

    async def run(self, work: Callable[[Connection], T]) -> T:
        """The result of idempotent `work` on a connection, in a thread; raises `StoreError`, `MissingTableError`."""

        async def attempt() -> T:
            return await asyncio.to_thread(self._attempt, work)

        return await with_retries(attempt, self._retry)

    def close(self) -> None:
        """Close what is idle."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _attempt(self, work: Callable[[Connection], T]) -> T:
        with self._errors(), self._borrowed() as connection:
            return work(connection)

    @contextmanager
    def _borrowed(self) -> Iterator[Connection]:
        with self._lock:
            connection = self._idle.pop() if self._idle else None
        if connection is None:
            connection = self._connect()
        try:
            yield connection
        except psycopg.Error:
            if connection.closed or connection.broken:
                self.close()  # a server that went took the others with it
            raise
        finally:
            with self._lock:
                # One from before the extension was made does not know its types.
                knows = connection.adapters.types.get("vector") is not None
                keep = knows and not connection.closed and len(self._idle) < KEPT_IDLE
                if keep:
                    self._idle.append(connection)
            if not keep:
                connection.close()

    def _connect(self) -> Connection:
        connection: Connection = psycopg.connect(self._url, **self._options)
        try:
            for statement in SESSION:
                connection.execute(statement)
            connection.execute(f"SET statement_timeout = {int(self._timeout * 1000)}".encode())
            prepare(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except _PASSING as error:
            raise self._unavailable(error) from error
        except (errors.UndefinedTable, errors.UndefinedObject) as error:
            raise MissingTableError(_said(error)) from error
        except errors.DiskFull as error:
            raise StorageError(f"The disk of PostgreSQL at {self.place} is full.", hint="Make room.") from error
        except psycopg.DataError as error:
            raise InputError(f"PostgreSQL cannot store this: {_said(error)}.") from error
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            if "authentication" in str(error) or "password" in str(error):
                raise self._refused(
                    error, "Set PLUMBLINE_STORE_KEY to the password, or put it into the URL."
                ) from error
            if "does not exist" in str(error) or "pg_hba.conf" in str(error):
                raise self._refused(error, "Check user, host and database in the setting store.url.") from error
            raise self._unavailable(error) from error
        except psycopg.Error as error:
            raise self._refused(error, None) from error

    def _refused(self, error: Exception, hint: str | None) -> StoreError:
        return StoreError(f"PostgreSQL at {self.place} refuses: {_said(error)}.", hint=hint)

    def _unavailable(self, error: Exception) -> StoreUnavailableError:
        return StoreUnavailableError(
            f"PostgreSQL at {self.place} cannot be reached or stopped ({_said(error)}).",
            hint="Try again when it is well: a call is stored as a whole or not at all.",
        )


def prepare(connection: Connection) -> None:
    """Have vectors come as arrays, once the extension is there."""
    found = connection.execute(b"SELECT 1 FROM pg_extension WHERE extname = 'vector'").fetchone()
    if found:
        register_vector(connection)


def _said(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__
