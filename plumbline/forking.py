"""What must not be open while this process forks, and what a forked child makes anew.

SQLite's connections must not live in two processes: the child of one believes that it holds the locks that its parent
does, so that whoever closes the database last may take away the log that the child still writes into
(https://www.sqlite.org/howtocorrupt.html, 2.6). So they are closed before a fork, and opened again when they are
needed. Nor do threads live on in a child: what waits for one there is the parent's to see to.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

T = TypeVar("T")
Hook = Callable[[Any], None]


def at_fork(holder: T, *, before: Callable[[T], None] | None = None, child: Callable[[T], None] | None = None) -> None:
    """Whenever this process forks, call `before` with `holder` in front of it, and `child` in the child.

    For as long as `holder` lives, so neither should hold it. Without effect where nothing forks.
    """
    with _lock:
        _holders[holder] = before, child


# Of the process, as forking is: the system's own hooks cannot be taken back, and would keep every holder alive.
_holders: WeakKeyDictionary[Any, tuple[Hook | None, Hook | None]] = WeakKeyDictionary()
_lock = threading.Lock()


def _before() -> None:
    _lock.acquire()  # until it is over, so that nobody is in the midst of changing what the child gets
    for holder, (before, _) in list(_holders.items()):
        if before is not None:
            before(holder)


def _in_child() -> None:
    for holder, (_, child) in list(_holders.items()):
        if child is not None:
            child(holder)
    _lock.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_lock.release, after_in_child=_in_child)
