"""What a source offers: items to read, in the order of their addresses, and what is passed over with the reason why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from rag.types import Document


@dataclass(frozen=True, slots=True)
class Item:
    """Something to read.

    `source` is its address, the same at every look: an absolute path or a URL, with every character printable.
    `name` is how its document is cited. `path` is what opens it: a path on this machine (it may hold bytes that are no
    Unicode, as `os.fsdecode` gives them) or a URL. `size` is in bytes, `None` where only reading tells. `stamp` changes
    with the content as far as can be told without reading: size, mtime in ns and inode of a file, ETag or modification
    date of a URL; "" means that only reading tells. `changed_ns` is the time of the last change in ns since the epoch,
    0 where unknown. `document` is given where nothing has to be read at all.
    """

    source: str
    name: str
    path: str
    size: int | None
    stamp: str
    changed_ns: int = 0
    document: Document | None = None


@dataclass(frozen=True, slots=True)
class PassedOver:
    """What is not read: a hidden file, an unknown format, a folder that cannot be listed (then `failed` is true)."""

    source: str
    name: str
    reason: str
    failed: bool = False


@runtime_checkable
class Source(Protocol):
    """Where documents come from: a folder, a list of URLs, documents in memory."""

    @property
    def root(self) -> str:
        """Names the source: what was read under this name before and is offered no more was removed."""
        ...

    def items(self) -> Iterator[Item | PassedOver]:
        """Everything there is, ordered by `source` (as Python compares strings), each once, found as it is asked for.

        Raises `InputError` when the source as a whole is not there.
        """
        ...

    def is_gone(self, source: str) -> bool:
        """Whether `source`, offered before and not now, is proven to be gone and not merely out of reach."""
        ...
