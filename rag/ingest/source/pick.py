"""From what a caller names to the source of its documents."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from plumbline.errors import InputError
from rag.ingest.item import Source
from rag.ingest.labels import Labelling
from rag.ingest.source.address import read_url_list, scheme_of
from rag.ingest.source.folder import FolderSource
from rag.types import Document

LIST_SUFFIX = ".urls"
"""A text file of this suffix is a list of URLs and no document."""


def source_for(target: str | Path | Iterable[Document], labels: Labelling | None = None) -> Source:
    """A folder, a file or a pattern on this machine; a URL; a list of URLs (a file "….urls"); documents, of which
    `labels` are said.

    Raises `InputError` when it is none of these.
    """
    if isinstance(target, Document):
        target = [target]
    if isinstance(target, str) and not target.strip():  # which a path would take for the folder one is in
        raise InputError("What is to be ingested has an empty name.", hint="Give a path, a URL or documents.")
    if isinstance(target, str) and (scheme := scheme_of(target)):
        if scheme == "file":
            return FolderSource(Path(url2pathname(urlsplit(target).path)))
        from rag.ingest.source.remote import RemoteSource

        return RemoteSource(target)
    if isinstance(target, str | Path):
        path = Path(target)
        return url_list(path) if path.suffix.lower() == LIST_SUFFIX and path.is_file() else FolderSource(path)
    if isinstance(target, Iterable):
        from rag.ingest.source.given import GivenSource, root_of

        return GivenSource(target, root_of(labels))
    raise InputError(f"A {type(target).__name__} names no documents.", hint="Give a path, a URL or documents.")


def url_list(path: Path) -> Source:
    """The URLs in the text file at `path`, one a line; named after the file, so that its lines may change."""
    from rag.ingest.source.remote import RemoteSource

    return RemoteSource(read_url_list(path), root=str(path.expanduser().resolve()))
