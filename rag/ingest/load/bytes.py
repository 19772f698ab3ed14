"""A file's bytes, as they were at one moment, and what the operating system has against reading them."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rag.errors import (
    EmptyFileError,
    LoadError,
    MissingFileError,
    TooLargeError,
    UnreadableFileError,
    UnsupportedFileError,
)


@dataclass(frozen=True, slots=True)
class FileBytes:
    """All bytes of a file; `modified` is when it was last changed (ISO 8601, UTC), "" where unknown."""

    data: bytes
    modified: str


def read_file(path: Path, max_bytes: int) -> FileBytes:
    """The bytes of a regular file, never more than `max_bytes`.

    A file that changes while it is read is read once more. Raises the `LoadError` that says what is in the way.
    """
    try:
        found = _read(path, max_bytes) or _read(path, max_bytes)
    except OSError as error:
        raise _os_error(path, error) from error
    if found is None:
        raise UnreadableFileError(path, "it changes while it is read", hint="Ingest again when nothing writes to it.")
    if not found.data:
        raise EmptyFileError(path, "it is empty (zero bytes)")
    return found


def _read(path: Path, max_bytes: int) -> FileBytes | None:
    """One attempt; `None` when the file was not the same before and after."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise UnsupportedFileError(path, "it is not a regular file")
    if status.st_size > max_bytes:
        raise TooLargeError(path, status.st_size, max_bytes)
    with path.open("rb") as file:
        before = os.fstat(file.fileno())
        data = file.read(max_bytes + 1)
        after = os.fstat(file.fileno())
    if len(data) > max_bytes:  # it grew
        raise TooLargeError(path, len(data), max_bytes)
    if _state(before) != _state(after) or len(data) != after.st_size:
        return None
    return FileBytes(data, datetime.fromtimestamp(int(after.st_mtime), UTC).isoformat())


def _state(status: os.stat_result) -> tuple[int, int]:
    return status.st_size, status.st_mtime_ns


def _os_error(path: Path, error: OSError) -> LoadError:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return MissingFileError(path, "there is no such file")
    if isinstance(error, PermissionError):
        return UnreadableFileError(path, "permission denied", hint="Check who owns the file and its folder.")
    if error.errno == errno.ELOOP:
        return UnreadableFileError(path, "its symbolic links form a loop")
    return UnreadableFileError(path, error.strerror or str(error))
