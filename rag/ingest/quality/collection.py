"""What is assessed: the documents of a folder or of a knowledge base, one at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from plumbline.errors import InputError
from rag.errors import LoadError
from rag.ingest.item import Item, PassedOver
from rag.ingest.settings import LoadingSettings
from rag.types import Document

if TYPE_CHECKING:
    from rag.index.catalogue import Catalogue
    from rag.index.manifest import Manifest

Kind = Literal["folder", "knowledge base"]


@dataclass(frozen=True, slots=True)
class Unread:
    """A file, or a part of one, without a document; `failed` when it should have given one."""

    name: str
    reason: str
    failed: bool


class Collection(Protocol):
    """Documents to assess; `name` is where they are."""

    name: str
    kind: Kind

    def contents(self) -> Iterator[Document | Unread]:
        """Every document and what gave none, in a fixed order, read as it is asked for."""
        ...


class FolderCollection:
    """The files of a folder, read as `rag ingest` reads them."""

    kind: Kind = "folder"

    def __init__(self, path: Path, loading: LoadingSettings | None = None) -> None:
        self.name = str(path)
        self._path = path
        self._loading = loading or LoadingSettings()

    def contents(self) -> Iterator[Document | Unread]:
        """See `Collection`; raises `InputError` when the folder is not there."""
        from rag.ingest.source.folder import FolderSource

        for item in FolderSource(self._path).items():
            if isinstance(item, PassedOver):
                yield Unread(item.name, item.reason, item.failed)
            else:
                yield from _read(item, self._loading)


class CatalogueCollection:
    """The documents of a knowledge base as they are stored, and the files that failed."""

    kind: Kind = "knowledge base"

    def __init__(self, name: str, catalogue: Catalogue, manifest: Manifest) -> None:
        self.name = name
        self._catalogue = catalogue
        self._manifest = manifest

    def contents(self) -> Iterator[Document | Unread]:
        """See `Collection`."""
        for record in self._manifest.failed():
            yield Unread(record.source, record.error or "no reason is known", failed=True)
        for row in self._catalogue.documents():
            document = self._catalogue.document(row["id"])
            if document is not None:  # removed while we read
                yield document


@contextmanager
def open_collection(source: str | Path, loading: LoadingSettings | None = None) -> Iterator[Collection]:
    """The knowledge base that the folder `source` holds, or else the files in it; raises `InputError` for neither."""
    from rag.config import KNOWLEDGE_FILE

    path = Path(source).expanduser()
    if not (path / KNOWLEDGE_FILE).exists():
        yield FolderCollection(path, loading)
        return
    from plumbline.database import open_database
    from rag.index import components
    from rag.index.catalogue import Catalogue
    from rag.index.manifest import Manifest

    file = path / KNOWLEDGE_FILE
    engine = open_database(file, [components.catalogue_component(), components.embedded_store_component()])
    try:
        yield CatalogueCollection(str(source), Catalogue(engine, file), Manifest(engine, file))
    finally:
        engine.dispose()


def _read(item: Item, loading: LoadingSettings) -> Iterator[Document | Unread]:
    from rag.ingest.load import read_item
    from rag.ingest.load.formats import suffix_of, unsupported

    try:
        reading = read_item(item, loading)
    except LoadError as error:
        yield Unread(item.name, error.reason, failed=True)
        return
    except OSError as error:
        yield Unread(item.name, error.strerror or str(error), failed=True)
        return
    if reading is not None:
        changed = datetime.fromtimestamp(item.changed_ns / 1e9, UTC).isoformat() if item.changed_ns else None
        yield from (each if each.created else replace(each, created=changed) for each in reading.documents)
        for problem in reading.problems:
            unknown = problem.reason == unsupported(suffix_of(problem.name))
            yield Unread(f"{item.name}: {problem.name}", problem.reason, failed=not unknown)


def parse_day(text: str | None) -> datetime | None:
    """An ISO 8601 date or time with time zone (UTC where it names none), or `None`."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def require_documents(count: int, name: str) -> None:
    """Raises `InputError` when there was nothing at all."""
    if not count:
        raise InputError(f"There is nothing to assess in {name}.", hint="Name a folder with documents in it.")
