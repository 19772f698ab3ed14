"""A file that only grows: JSON objects, one a line, each safe on the disk before `append` returns."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from plumbline.database import storage_errors
from plumbline.errors import CorruptStateError, StateError
from plumbline.locks import lock_file


class Journal:
    """The journal at `path`, made when it is not there; `entries` are those it held when it was opened.

    It belongs to whoever opened it until it is closed, so that two runs never pay for the same thing twice. A last line
    that was cut short, as by a power failure, is removed: its entry never counted. Raises `StateError` while somebody
    else has it open, `CorruptStateError` for any other line that cannot be read, `StorageError` when the file cannot be
    written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with storage_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("ab", buffering=0)  # what could not be written does not come up again in `close`
            if not lock_file(self._file):
                self._file.close()
                raise _in_use(path)
            held = path.read_bytes()
            whole = held[: held.rfind(b"\n") + 1]
            if len(whole) < len(held):
                self._file.truncate(len(whole))
        self.entries = [self._entry(number, line) for number, line in enumerate(whole.splitlines(), 1)]

    def append(self, entry: Mapping[str, Any]) -> None:
        """Write one entry; raises `StorageError`, and leaves no part of it, when it does not fit."""
        line = json.dumps(entry, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n"
        with storage_errors(self._path):
            end = os.fstat(self._file.fileno()).st_size
            try:
                if self._file.write(line) < len(line):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                os.fsync(self._file.fileno())
            except OSError:
                self._file.truncate(end)
                raise

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _entry(self, number: int, line: bytes) -> dict[str, Any]:
        try:
            entry = json.loads(line)
        except ValueError as error:
            self._file.close()
            raise CorruptStateError(
                f"{self._path}:{number} cannot be read: {error}.",
                hint="Restore a copy, or start over in another folder (--out).",
            ) from error
        if not isinstance(entry, dict):
            self._file.close()
            raise CorruptStateError(f"{self._path}:{number} is no object.", hint="This file is not one of Plumbline's.")
        return entry


def check_closed(path: Path) -> None:
    """Raise `StateError` while the journal at `path` is open somewhere; one that is not there is not."""
    if path.is_file():
        with storage_errors(path), path.open("ab") as file:
            if not lock_file(file):
                raise _in_use(path)


def _in_use(path: Path) -> StateError:
    return StateError(
        f"{path} is being written by another run.", hint="Wait until it has ended, or name another folder with --out."
    )
