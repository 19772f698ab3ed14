"""Finds files, and reads each into a `Document`: text, pages, headings, all as offsets into the same text.

Text, Markdown, tables, web pages and slides are read here; PDF, Word, Excel, OpenDocument, EPUB, RTF and e-mail
through kreuzberg. Nothing is fetched, nothing is cached on disk, and no more than `max_bytes` are ever read.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import stat
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from rag.errors import (
    DamagedFileError,
    EmptyFileError,
    LoadError,
    MissingFileError,
    TooLargeError,
    UnreadableFileError,
    UnsupportedFileError,
)
from rag.ingest.item import Item
from rag.ingest.reading import Reading
from rag.ingest.settings import LoadingSettings
from rag.ingest.structure import Extracted
from rag.types import Document, MetadataValue

DEFAULT_MAX_BYTES = 100_000_000
"""Files of more bytes are refused unless the caller raises the limit."""

SUPPORTED: Mapping[str, str] = MappingProxyType(
    {
        ".pdf": "application/pdf",
        ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        ".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        ".odt": "application/vnd.oasis.opendocument.text",
        ".epub": "application/epub+zip",
        ".rtf": "application/rtf",
        ".eml": "message/rfc822",
        ".html": "text/html",
        ".htm": "text/html",
        ".xhtml": "text/html",
        ".md": "text/markdown",
        ".markdown": "text/markdown",
        ".csv": "text/csv",
        ".tsv": "text/tab-separated-values",
        ".txt": "text/plain",
        ".text": "text/plain",
        ".rst": "text/plain",
        ".log": "text/plain",
        ".json": "text/plain",
        ".jsonl": "text/plain",
    }
)
"""What is read: media types by file name suffix, in lower case."""

_LOCK_PREFIX = "~$"

Reader = Callable[[bytes, Path], Extracted]


class Loader(Protocol):
    """Anything that reads a file into a `Document`; `load_file` is one. `rag.testing.loader` proves others."""

    async def __call__(self, path: Path, *, root: Path | None = None, max_bytes: int = DEFAULT_MAX_BYTES) -> Document:
        """Read the file at `path`; raises a `LoadError`."""
        ...


@dataclass(frozen=True, slots=True)
class Found:
    """A file that can be read, or, with the reason in `skipped`, one (or a folder) that is passed over."""

    path: Path
    skipped: str | None = None


def discover(target: Path | str) -> Iterator[Found]:
    """The files to read under `target`: a file, a folder with all its subfolders, or a pattern such as `docs/**/*.md`.

    In the order of their names, each once: links are followed, loops of links are not. Hidden files, formats that are
    not read and folders that cannot be listed come with the reason why they are passed over. A target that does not
    exist yields nothing.
    """
    target = Path(target)
    if not target.exists() and any(mark in str(target) for mark in "*?["):
        seen: set[tuple[int, int]] = set()
        for path in sorted(Path(target.anchor).glob(str(target.relative_to(target.anchor)))):
            yield from _walk(path, seen) if path.is_dir() else [_found(path)]
    elif target.is_dir():
        yield from _walk(target, set())
    elif target.exists():
        yield Found(target, _unsupported(target))


def _walk(folder: Path, seen: set[tuple[int, int]]) -> Iterator[Found]:
    try:
        status = folder.stat()
        if (status.st_dev, status.st_ino) in seen:
            return
        seen.add((status.st_dev, status.st_ino))
        paths = sorted(folder.iterdir())
    except OSError as error:
        yield Found(folder, f"the folder cannot be listed: {error.strerror or error}")
        return
    for path in paths:
        if os.path.isdir(path) and not path.name.startswith("."):  # noqa: PTH112 (Path.is_dir can raise)
            yield from _walk(path, seen)
        else:
            yield _found(path)


def _found(path: Path) -> Found:
    if path.name.startswith("."):
        return Found(path, "hidden")
    if path.name.startswith(_LOCK_PREFIX):
        return Found(path, "the lock file of an office program")
    return Found(path, _unsupported(path))


def _unsupported(path: Path) -> str | None:
    if path.suffix.lower() in SUPPORTED:
        return None
    return f"the format '{path.suffix}' is not read" if path.suffix else "no format is known for it"


async def load_file(path: Path, *, root: Path | None = None, max_bytes: int = DEFAULT_MAX_BYTES) -> Document:
    """Read the file at `path`, in a worker thread.

    The document's id is made from the path relative to `root`, so that a folder may move. Raises the `LoadError` that
    says why a file cannot be read (see `rag.errors`), and nothing else.
    """
    return await asyncio.to_thread(read_document, path, root=root, max_bytes=max_bytes)


def read_document(path: Path, *, root: Path | None = None, max_bytes: int = DEFAULT_MAX_BYTES) -> Document:
    """As `load_file`, in the calling thread."""
    path = Path(path)
    if reason := _unsupported(path):
        raise UnsupportedFileError(path, reason, hint=f"Read are: {', '.join(SUPPORTED)}.")
    media_type = SUPPORTED[path.suffix.lower()]
    data, modified = _read(path, max_bytes)
    extracted = _extract(data, path, media_type)
    if not extracted.text.strip():
        raise EmptyFileError(path, "there is no text in it")
    metadata: dict[str, MetadataValue] = {**extracted.metadata, "modified": modified}
    if extracted.title:
        metadata["title"] = extracted.title
    return Document(
        id=document_id(path, root),
        source=printable(str(path)),
        name=printable(path.name),
        text=extracted.text,
        hash=sha256(data).hexdigest(),
        media_type=media_type,
        pages=extracted.pages,
        sections=extracted.sections,
        language=extracted.language,
        created=extracted.created,
        dropped=extracted.dropped,
        metadata=metadata,
    )


def read_item(item: Item, loading: LoadingSettings, *, known_hash: str | None = None) -> Reading | None:
    """What `item` holds, in this thread; `None` when its bytes still have the SHA-256 `known_hash`.

    Raises the `LoadError` that says why it cannot be read, or `OSError`.
    """
    path = Path(item.path)
    if known_hash is not None and item.size is not None and item.size <= loading.max_file_bytes:
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() == known_hash:
                return None
    document = read_document(path, max_bytes=loading.max_file_bytes)
    document = replace(document, id=source_id(item.source), source=item.source, name=item.name)
    return Reading(document.hash, (document,))


def source_id(source: str) -> str:
    """The id of the document at the address `source`: 24 hexadecimal digits."""
    return sha256(source.encode("utf-8", "surrogateescape")).hexdigest()[:24]


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


def _read(path: Path, max_bytes: int) -> tuple[bytes, str]:
    """The bytes of a regular file and when it was changed (ISO 8601, UTC)."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise UnsupportedFileError(path, "it is not a regular file")
        if status.st_size > max_bytes:
            raise TooLargeError(path, status.st_size, max_bytes)
        with path.open("rb") as file:
            data = file.read(max_bytes + 1)
    except OSError as error:
        raise _os_error(path, error) from error
    if len(data) > max_bytes:  # it grew while it was read
        raise TooLargeError(path, len(data), max_bytes)
    if not data:
        raise EmptyFileError(path, "it is empty (zero bytes)")
    return data, datetime.fromtimestamp(int(status.st_mtime), UTC).isoformat()


def _os_error(path: Path, error: OSError) -> LoadError:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return MissingFileError(path, "there is no such file")
    if isinstance(error, PermissionError):
        return UnreadableFileError(path, "permission denied", hint="Check who owns the file and its folder.")
    if error.errno == errno.ELOOP:
        return UnreadableFileError(path, "its symbolic links form a loop")
    return UnreadableFileError(path, error.strerror or str(error))


def _extract(data: bytes, path: Path, media_type: str) -> Extracted:
    try:
        return _reader(media_type)(data, path)
    except (LoadError, MemoryError):
        raise
    except RecursionError as error:
        raise DamagedFileError(path, "it is nested too deeply") from error


def _reader(media_type: str) -> Reader:
    """The reader of a format; imported at its first use."""
    if media_type == "text/html":
        from rag.ingest.load_html import read_html

        return read_html
    if media_type in ("text/csv", "text/tab-separated-values"):
        from rag.ingest.load_rows import read_csv

        return read_csv
    if media_type == "text/markdown":
        from rag.ingest.load_text import read_markdown

        return read_markdown
    if media_type == "text/plain":
        from rag.ingest.load_text import read_text

        return read_text
    if media_type.endswith("presentationml.presentation"):
        from rag.ingest.load_slides import read_slides

        return read_slides
    if media_type == "application/pdf":
        from rag.ingest.load_pdf import read_pdf

        return read_pdf
    from rag.ingest.load_office import reader

    return reader(media_type)


def printable(name: str) -> str:
    """File names need not be valid Unicode on POSIX; what is stored and shown must be."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
