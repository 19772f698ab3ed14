"""A connection to a SQLite database that stays open, for one thread after the other."""

from __future__ import annotations

import sqlite3
import threading
import weakref
from collections.abc import Callable

from plumbline.forking import at_fork

FORK_WAITS_SECONDS = 1.0
"""So long a fork waits for what a thread is doing with a connection; it takes milliseconds."""

_of_parents: list[sqlite3.Connection] = []
"""Connections that were in use all the same: a child must not even close what its parent goes on with."""


class HeldConnection:
    """What `connect` opens, when it is first used and after it was closed; hold `lock` around its use.

    It is closed before this process forks; a child opens one of its own, and has a lock that nobody holds.
    """

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self.lock = threading.Lock()
        self.openings = 0
        self._connect = connect
        self._connection: sqlite3.Connection | None = None
        at_fork(self, before=HeldConnection._before_fork, child=HeldConnection._in_child)

    def connection(self) -> sqlite3.Connection:
        """The connection."""
        if self._connection is None:
            self._connection = self._connect()
            self.openings += 1
            self._finalizer = weakref.finalize(self, self._connection.close)
        return self._connection

    def close(self) -> None:
        """Give the connection back; it is opened again when it is needed."""
        with self.lock:
            self._let_go()

    def _let_go(self) -> None:
        if self._connection is not None:
            self._finalizer()
            self._connection = None

    def _before_fork(self) -> None:
        if self.lock.acquire(timeout=FORK_WAITS_SECONDS):
            try:
                self._let_go()
            finally:
                self.lock.release()

    def _in_child(self) -> None:
        self.lock = threading.Lock()
        if self._connection is not None:
            self._finalizer.detach()
            _of_parents.append(self._connection)
            self._connection = None
