"""A file, a folder with all its subfolders, or a pattern such as `docs/**/*.md`, on this machine."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from plumbline.errors import InputError
from rag.ingest.item import Item, PassedOver
from rag.ingest.load import SUPPORTED, printable_path

_PATTERN_MARKS = "*?["
_LOCK_PREFIX = "~$"

_Place = tuple[int, int]
"""Device and inode of a folder."""


class FolderSource:
    """What `target` names: a file, a folder, or, where nothing of that name exists, a pattern.

    Links are followed, loops of links are not. What a link leads to inside the folder itself is read under its own name
    alone, and a folder elsewhere under the first of its names. Hidden files, formats that are not read, and what is no
    regular file come as `PassedOver`; of a pattern, what lies in hidden folders that it does not name is left out.
    Memory grows with the number of folders alone; of a pattern, with what it matches.
    """

    def __init__(self, target: str | Path) -> None:
        self._target = Path(os.path.abspath(Path(target).expanduser()))
        self._is_pattern = not self._target.exists() and any(mark in str(self._target) for mark in _PATTERN_MARKS)
        if not self._is_pattern:
            self._target = self._target.resolve()
        self.root = printable_path(str(self._target))
        self._walked: dict[_Place, str] = {}

    def items(self) -> Iterator[Item | PassedOver]:
        """Everything below, ordered by address; raises `InputError` when there is nothing of that name."""
        if self._is_pattern:
            yield from self._matches()
        elif self._target.is_dir():
            self._walked = {}
            yield from _Walk(str(self._target).rstrip("/"), self._walked).below(str(self._target))
        elif self._target.exists():
            yield _judged(str(self._target), self._target.name)
        else:
            raise InputError(
                f"There is no file or folder at {self.root}.", hint="Put documents there, or name another folder."
            )

    def is_gone(self, source: str) -> bool:
        """Whether the file is proven not to be there; one in a folder that cannot be read may well be.

        Gone is also what is read under another name since a link to it came, or since it became one.
        """
        root, folder = str(self._target).rstrip("/"), os.path.dirname(source)
        try:
            if self._is_pattern or _is_no_file(source):
                return _is_no_file(source)
            if _is_met_elsewhere(source, root) or _is_met_elsewhere(folder, root):
                return True
            return self._walked.get(_place(folder), folder) != folder
        except (FileNotFoundError, NotADirectoryError):
            return True
        except OSError:
            return False

    def _matches(self) -> Iterator[Item | PassedOver]:
        target = self._target
        fixed = Path(*_before_marks(target.parts))
        pattern = target.relative_to(fixed)
        hidden = any(part.startswith(".") for part in pattern.parts)
        found = set()
        for path in fixed.glob(str(pattern)):
            inside = path.relative_to(fixed)
            if not path.is_dir() and (hidden or not any(part.startswith(".") for part in inside.parts[:-1])):
                found.add((printable_path(str(inside)), str(path)))
        yield from _each_once(sorted(found), _looked_at)


def _before_marks(parts: tuple[str, ...]) -> Iterator[str]:
    for part in parts:
        if any(mark in part for mark in _PATTERN_MARKS):
            return
        yield part


@dataclass(frozen=True, slots=True)
class _Walk:
    """A walk through the folder `root` (without a "/" at the end); `walked` tells under which name each folder was."""

    root: str
    walked: dict[_Place, str]

    def below(self, folder: str) -> Iterator[Item | PassedOver]:
        """What lies below `folder`."""
        try:
            if self.walked.setdefault(_place(folder), folder) != folder:
                return
            with os.scandir(folder) as listed:
                entries = sorted(self._entry(each) for each in listed if not self._is_met_elsewhere(each))
        except OSError as error:
            reason = f"the folder cannot be listed: {error.strerror or error}"
            yield PassedOver(printable_path(folder), self._name(folder) or printable_path(folder), reason, failed=True)
            return
        yield from _each_once(entries, self._looked_at)

    def _looked_at(self, path: str, name: str) -> Iterator[Item | PassedOver]:
        if name.endswith("/") and not name.startswith("."):
            yield from self.below(path)
        else:
            yield from _looked_at(path, self._name(path))

    def _entry(self, entry: os.DirEntry[str]) -> tuple[str, str]:
        return printable_path(entry.name) + ("/" if _is_folder(entry) else ""), entry.path

    def _is_met_elsewhere(self, entry: os.DirEntry[str]) -> bool:
        return entry.is_symlink() and _is_met_elsewhere(entry.path, self.root)

    def _name(self, path: str) -> str:
        return printable_path(path[len(self.root) + 1 :])


def _each_once(
    entries: Iterable[tuple[str, str]], look: Callable[[str, str], Iterator[Item | PassedOver]]
) -> Iterator[Item | PassedOver]:
    """What `look` gives for each (name, path), ordered by name; names that are printed alike are told apart."""
    before = ""
    for name, path in entries:
        if name == before:
            reason = "its name is printed like that of the file before it"
            yield PassedOver(f"{printable_path(path)} (another)", f"{name} (another)", reason, failed=True)
        else:
            yield from look(path, name)
        before = name


def _place(folder: str) -> _Place:
    status = os.stat(folder)
    return status.st_dev, status.st_ino


def _is_met_elsewhere(path: str, root: str) -> bool:
    """Whether `path` leads, over links, to what a walk through `root` meets under its own name."""
    real = os.path.realpath(path)
    if real == path or not f"{real}/".startswith(f"{root}/"):
        return False
    if any(part.startswith(".") for part in real[len(root) :].split("/")):
        return False
    return os.path.isdir(real) or isinstance(_judged(real, real), Item)


def _is_no_file(path: str) -> bool:
    return not stat.S_ISREG(os.stat(path).st_mode)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _looked_at(path: str, name: str) -> Iterator[Item | PassedOver]:
    yield _judged(path, name)


def _judged(path: str, name: str) -> Item | PassedOver:
    source, base = printable_path(path), os.path.basename(path)
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
