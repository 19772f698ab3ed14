"""Lets many in at once, or one alone."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Gate:
    """A lock that searches share and changes hold alone. A change that waits lets no further search in before it.

    It is not for entering twice in one thread.
    """

    def __init__(self) -> None:
        self._turn = threading.Condition()
        self._inside = 0
        self._alone = False
        self._waiting = 0

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Be inside together with others who share."""
        with self._turn:
            while self._alone or self._waiting:
                self._turn.wait()
            self._inside += 1
        try:
            yield
        finally:
            with self._turn:
                self._inside -= 1
                if not self._inside:
                    self._turn.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Be inside alone."""
        with self._turn:
            self._waiting += 1
            while self._alone or self._inside:
                self._turn.wait()
            self._waiting -= 1
            self._alone = True
        try:
            yield
        finally:
            with self._turn:
                self._alone = False
                self._turn.notify_all()
