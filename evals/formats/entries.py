"""Documents that a data set holds in files of its own, each with a title, as a corpus to search."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from rag.ingest.source.given import document_from_text
from rag.types import Document, Section


@dataclass(frozen=True, slots=True)
class Entries:
    """The `documents` of the file `path`, which is all there is of them."""

    path: Path
    documents: tuple[Document, ...]


def entries(path: Path, texts: Mapping[str, tuple[str, str]]) -> Entries:
    """The entries of a file as documents: title and text by name. Nothing finds one that has neither.

    The title is the document's, and the heading over all of its text, so that embedders read it before the text. A
    title without a text is the text.
    """
    return Entries(path, tuple(_document(path, name, title.strip(), text) for name, (title, text) in texts.items()))


def _document(path: Path, name: str, title: str, text: str) -> Document:
    written = text if text.strip() else title
    metadata = {"title": title} if title else {}
    document = document_from_text(written, source=f"{path.resolve()}#{name}", name=name, metadata=metadata)
    if not title or written is title:
        return document
    return replace(document, sections=(Section((title,), 0, len(document.text)),))
