"""Documents that the caller has already: a list of them, or a stream."""

from __future__ import annotations

import pickle
import tempfile
import weakref
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from hashlib import blake2b, sha256

from plumbline.errors import InputError
from rag.ingest.item import Item, PassedOver
from rag.ingest.labels import Labelling, labels_name
from rag.ingest.load import source_id
from rag.ingest.load.text import markdown_headings
from rag.ingest.source.address import last_part
from rag.ingest.structure import clean, sections_from
from rag.types import Document, MetadataValue

_IN_MEMORY_BYTES = 16 * 2**20


def document_from_text(
    text: str,
    *,
    source: str,
    name: str | None = None,
    created: str | None = None,
    media_type: str = "text/plain",
    metadata: Mapping[str, MetadataValue] | None = None,
) -> Document:
    """A document out of `text`; `source` is its address, the same at every edit, `name` (its last part) what is cited.

    Line breaks become "\\n"; characters that cannot be kept (null bytes, lone surrogates) are counted in `dropped`. The
    headings of "text/markdown" make its sections.
    """
    kept, dropped = clean(text)
    headings = markdown_headings(kept) if media_type == "text/markdown" else ()
    return Document(
        id=source_id(source),
        source=source,
        name=name or last_part(source),
        text=kept,
        hash=sha256(text.encode("utf-8", "surrogatepass")).hexdigest(),
        media_type=media_type,
        sections=sections_from(list(headings), len(kept)),
        created=created,
        dropped=dropped,
        metadata=dict(metadata or {}),
    )


DOCUMENTS = "documents"
"""The source of what is handed over without saying anything of it."""


def root_of(labels: Labelling | None) -> str:
    """Names the source of documents that are handed over with these labels: what is said then is said of them alone."""
    return DOCUMENTS if labels is None else f"{DOCUMENTS} ({labels_name(labels) or 'without labels'})"


class GivenSource:
    """A `Source` of documents in memory, or of a stream of them.

    A stream is written to a temporary file first, as sources are read in order; memory then holds its addresses alone.
    Documents are added and renewed; one that is given no more is removed only where `complete` says that what is given
    is all there is. Raises `InputError` for what is no document, and for two with one source.
    """

    def __init__(self, documents: Iterable[Document], root: str = DOCUMENTS, *, complete: bool = False) -> None:
        self.root = root
        self._complete = complete
        self._file = tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES)  # noqa: SIM115 (it lives as long as the source)
        weakref.finalize(self, self._file.close)
        self._places: dict[str, int] = {}
        for number, document in enumerate(documents, 1):
            if not isinstance(document, Document):
                raise InputError(f"What is given as document {number} is a {type(document).__name__}.")
            if document.source in self._places:
                raise InputError(f"Document {number} has a source that another has already: '{document.source}'.")
            self._places[document.source] = self._file.tell()
            plain = replace(document, metadata=dict(document.metadata))
            pickle.dump(plain, self._file, pickle.HIGHEST_PROTOCOL)

    def items(self) -> Iterator[Item | PassedOver]:
        """As `Source.items`."""
        for source in sorted(self._places):
            self._file.seek(self._places[source])
            document: Document = pickle.load(self._file)  # noqa: S301 (written above, to a file without a name)
            size = len(document.text.encode("utf-8", "surrogatepass"))
            yield Item(source, document.name, source, size, stamp(document), document=document)

    def is_gone(self, source: str) -> bool:
        """As `Source.is_gone`; never, unless what is given is complete."""
        return self._complete and source not in self._places


def stamp(document: Document) -> str:
    """Changes with anything about the document."""
    parts = (
        *(document.hash, document.name, document.media_type, document.language, document.created),
        *(document.pages, document.sections, sorted(document.metadata.items())),
    )
    digest = blake2b(repr(parts).encode("utf-8", "surrogatepass"), digest_size=16)
    digest.update(document.text.encode("utf-8", "surrogatepass"))
    return digest.hexdigest()
