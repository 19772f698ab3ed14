"""Reads files into `Document`s: text, pages, headings, all as offsets into the same text.

Each format has its reader in a file of its own (`rag.ingest.load.formats` names them). Nothing is cached on
disk, and no more than `max_bytes` of a file are ever read.
"""

from __future__ import annotations

import asyncio
import unicodedata
from hashlib import sha256
from pathlib import Path
from typing import Protocol

from rag.errors import UnsupportedFileError
from rag.ingest.item import Item
from rag.ingest.load.bytes import FileBytes, read_file
from rag.ingest.load.documents import FileReader, Origin, source_id
from rag.ingest.load.formats import SUPPORTED, sniff, suffix_of, unsupported
from rag.ingest.reading import Reading
from rag.ingest.settings import LoadingSettings
from rag.types import Document

__all__ = [
    "DEFAULT_MAX_BYTES",
    "SUPPORTED",
    "Loader",
    "document_id",
    "load_file",
    "printable_path",
    "read_document",
    "read_item",
    "source_id",
]

DEFAULT_MAX_BYTES = 100_000_000
"""Files of more bytes are refused unless the caller raises the limit."""


class Loader(Protocol):
    """Anything that reads a file into a `Document`; `load_file` is one. `rag.testing.loader` proves others."""

    async def __call__(self, path: Path, *, root: Path | None = None, max_bytes: int = DEFAULT_MAX_BYTES) -> Document:
        """Read the file at `path`; raises a `LoadError`."""
        ...


async def load_file(path: Path, *, root: Path | None = None, max_bytes: int = DEFAULT_MAX_BYTES) -> Document:
    """Read the file at `path`, in a worker thread.

    The document's id is made from the path relative to `root`, so that a folder may move. Of a file that holds others,
    such as an e-mail, only its own text is read; `read_item` reads all. Raises the `LoadError` that says why a file
    cannot be read (see `rag.errors`), and nothing else.
    """
    return await asyncio.to_thread(read_document, path, root=root, max_bytes=max_bytes)


def read_document(path: Path, *, root: Path | None = None, max_bytes: int = DEFAULT_MAX_BYTES) -> Document:
    """As `load_file`, in the calling thread."""
    path = Path(path)
    loading = LoadingSettings(max_file_bytes=max_bytes)
    media_type = _media_type(path)
    origin = Origin(document_id(path, root), printable_path(str(path)), printable_path(path.name), path)
    found = FileReader(origin, loading).first(read_file(path, max_bytes), media_type)
    if found is None:
        raise UnsupportedFileError(path, "it has no text of its own, only files in it", hint="Ingest it instead.")
    return found


def read_item(item: Item, loading: LoadingSettings, *, known_hash: str | None = None) -> Reading | None:
    """What `item` holds, in this thread; `None` when its bytes still have the SHA-256 `known_hash`.

    Archives and e-mails give a document for each file inside that can be read, and a `Problem` for each other. Raises
    the `LoadError` that says why nothing can be read.
    """
    if item.document is not None:
        return Reading(item.document.hash, (item.document,))  # its metadata may differ where its text does not
    if "://" in item.path:
        from rag.ingest.source.remote import fetch

        path = Path(item.name)  # shown in messages, where the credentials that a URL may hold are not
        file = FileBytes(fetch(item, loading), "")
        media_type = SUPPORTED.get(suffix_of(item.name)) or sniff(file.data)
    else:
        path = Path(item.path)
        media_type = _media_type(path)
        file = read_file(path, loading.max_file_bytes)
    digest = sha256(file.data).hexdigest()
    if digest == known_hash:
        return None
    origin = Origin(source_id(item.source), item.source, item.name, path)
    return FileReader(origin, loading).reading(file, media_type, digest)


def document_id(path: Path, root: Path | None = None) -> str:
    """32 hexadecimal digits from the path relative to `root`; the same on every machine and after every edit."""
    relative = path
    if root is not None:
        try:
            relative = path.resolve().relative_to(root.resolve())
        except ValueError:
            relative = path  # not below the root: the path as given is all there is
    name = unicodedata.normalize("NFC", relative.as_posix())
    return sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:32]


def printable_path(path: str) -> str:
    """File names need not be valid Unicode on POSIX; what is stored and shown must be: bytes become "\\xff"."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _media_type(path: Path) -> str:
    if reason := unsupported(path.suffix):
        raise UnsupportedFileError(path, reason, hint=f"Read are: {', '.join(SUPPORTED)}.")
    return SUPPORTED[path.suffix.lower()]
