"""A lock on an open file that the death of its process gives back."""

from __future__ import annotations

from typing import IO, Any


def lock_file(file: IO[Any]) -> bool:
    """Lock `file` until it is closed; false when it is locked already, by whichever process.

    On Windows nothing is locked, and true is returned.
    """
    try:
        import fcntl
    except ImportError:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
