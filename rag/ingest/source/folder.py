"""A file, a folder with all its subfolders, or a pattern such as `docs/**/*.md`, on this machine."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from plumbline.errors import InputError
from rag.ingest.item import Item, PassedOver
from rag.ingest.load import SUPPORTED

_PATTERN_MARKS = "*?["
_LOCK_PREFIX = "~$"


class FolderSource:
    """What `target` names: a file, a folder, or, where nothing of that name exists, a pattern.

    Links are followed, loops of links are not, and a folder reached twice is read once. Hidden files, formats that are
    not read, and what is no regular file come as `PassedOver`. Memory grows with the number of folders alone.
    """

    def __init__(self, target: str | Path) -> None:
        self._target = Path(os.path.abspath(Path(target).expanduser()))
        self._is_pattern = not self._target.exists() and any(mark in str(self._target) for mark in _PATTERN_MARKS)
        if not self._is_pattern:
            self._target = self._target.resolve()
        self.root = address(str(self._target))

    def items(self) -> Iterator[Item | PassedOver]:
        """Everything below, ordered by address; raises `InputError` when there is nothing of that name."""
        if self._is_pattern:
            yield from self._matches()
        elif self._target.is_dir():
            yield from _walk(str(self._target), len(str(self._target).rstrip("/")) + 1, set())
        elif self._target.exists():
            yield _looked_at(str(self._target), self._target.name)
        else:
            raise InputError(
                f"There is no file or folder at {self.root}.", hint="Put documents there, or name another folder."
            )

    def is_gone(self, source: str) -> bool:
        """Whether the file is proven not to be there; one in a folder that cannot be read may well be."""
        try:
            return not stat.S_ISREG(os.stat(source).st_mode)
        except (FileNotFoundError, NotADirectoryError):
            return True
        except OSError:
            return False

    def _matches(self) -> Iterator[Item | PassedOver]:
        target = self._target
        fixed = Path(*_before_marks(target.parts))
        found: dict[str, tuple[str, str]] = {}
        for path in fixed.glob(str(target.relative_to(fixed))):
            if not path.is_dir():
                found[address(str(path))] = (str(path), address(str(path.relative_to(fixed))))
        for _, (path_name, name) in sorted(found.items()):
            yield _looked_at(path_name, name)


def address(path: str) -> str:
    """File names need not be valid Unicode on POSIX; what is stored and shown must be: bytes become "\\xff"."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _before_marks(parts: tuple[str, ...]) -> Iterator[str]:
    for part in parts:
        if any(mark in part for mark in _PATTERN_MARKS):
            return
        yield part


def _walk(folder: str, cut: int, seen: set[tuple[int, int]]) -> Iterator[Item | PassedOver]:
    """What lies below `folder`; names are what follows the first `cut` characters."""
    try:
        status = os.stat(folder)
        if (status.st_dev, status.st_ino) in seen:
            return
        seen.add((status.st_dev, status.st_ino))
        with os.scandir(folder) as listed:
            entries = sorted((address(each.name) + ("/" if _is_folder(each) else ""), each.path) for each in listed)
    except OSError as error:
        reason = f"the folder cannot be listed: {error.strerror or error}"
        yield PassedOver(address(folder), address(folder[cut:]) or address(folder), reason, failed=True)
        return
    for name, path in entries:
        if name.endswith("/") and not name.startswith("."):
            yield from _walk(path, cut, seen)
        else:
            yield _looked_at(path, address(path[cut:]))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _looked_at(path: str, name: str) -> Item | PassedOver:
    source, base = address(path), os.path.basename(path)
    if base.startswith("."):
        return PassedOver(source, name, "hidden")
    if base.startswith(_LOCK_PREFIX):
        return PassedOver(source, name, "the lock file of an office program")
    suffix = os.path.splitext(base)[1]
    if suffix.lower() not in SUPPORTED:
        return PassedOver(source, name, f"the format '{suffix}' is not read" if suffix else "no format is known for it")
    try:
        status = os.stat(path)
    except OSError as error:
        return PassedOver(source, name, f"{error.strerror or error}", failed=True)
    if not stat.S_ISREG(status.st_mode):
        return PassedOver(source, name, "not a regular file")
    stamp = f"{status.st_size}-{status.st_mtime_ns}-{status.st_ino}"
    return Item(source, name, path, status.st_size, stamp, status.st_mtime_ns)
