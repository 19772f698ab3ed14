"""Cutting documents into chunks: the contract, and what every chunker shares. One file per chunker.

A chunk is a span: `document.text[chunk.start:chunk.end] == chunk.text`, always. `rag.testing.chunker` proves it for
a chunker of your own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from hashlib import blake2b
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from rag.ingest.structure import PATH_SEPARATOR, page_at, section_at
from rag.types import Chunk, Document
from routing.chat import Usage

if TYPE_CHECKING:
    from routing.vectors import Vectors

Span = tuple[int, int, int]
"""(start, end, tokens): text[start:end] has that many tokens."""

IN_CONTEXT = "late "

_WORD_BREAKS = re.compile(r"[\s_\-.]+")
_MAX_TITLE_CHARS = 120
_NOTHING: Mapping[int, Any] = MappingProxyType({})


class Chunker(Protocol):
    """Cuts a document into chunks, in order. Asynchronous because some chunkers ask a model."""

    @property
    def name(self) -> str:
        """Names the method and its parameters; a knowledge base whose chunks were made by another is built anew."""
        ...

    async def chunk(self, document: Document) -> list[Chunk]:
        """The chunks of `document`, none for a document of nothing but white space."""
        ...


@runtime_checkable
class ChunkEmbedder(Protocol):
    """A chunker that also makes the vectors of its chunks, out of the whole document (late chunking).

    Its name begins with `IN_CONTEXT`: its vectors are not those of the chunks' texts, and no other may use them.
    """

    async def embed(self, document: Document, chunks: Sequence[Chunk]) -> Vectors:
        """float32[len(chunks), dim], each of unit length, of the kind that the knowledge base's embedder makes."""
        ...


@runtime_checkable
class BatchChunker(Chunker, Protocol):
    """A chunker whose model answers in batches, hours later: it wants as many documents at a time as there are."""

    async def chunk_all(self, documents: Sequence[Document]) -> list[list[Chunk]]:
        """The chunks of each document."""
        ...

    async def stored(self) -> None:
        """Told when what it made is safe; until then a new run gets the same answers again, and pays for none twice."""
        ...

    async def close(self) -> None:
        """Give back connections; what is under way at the provider stays there, to be gone on with."""
        ...


@dataclass(frozen=True, slots=True)
class Forecast:
    """What cutting a document will use: calls to a model, their tokens, and dollars (`None`: price unknown)."""

    calls: int
    usage: Usage
    cost: Decimal | None


@runtime_checkable
class PricedChunker(Protocol):
    """A chunker that asks a model, and says before what that will cost."""

    def forecast(self, document: Document) -> Forecast:
        """An estimate for `document`; asks nobody."""
        ...


def chunks_from(
    document: Document,
    spans: Iterable[Span],
    *,
    headers: Mapping[int, str] = _NOTHING,
    parents: Mapping[int, tuple[int, int]] = _NOTHING,
) -> list[Chunk]:
    """Chunks for spans in order: each with its page, its heading path, its context and an id.

    An id depends on the document's id, the span and its text, and on nothing else. `headers` and `parents` give, for
    the start of a span, the row of names that stands above it in its table, and its parent.
    """
    chunks = []
    contexts: dict[tuple[str, ...], str] = {}
    for index, (start, end, tokens) in enumerate(spans):
        text = document.text[start:end]
        section = section_at(document, start)
        path = section.path if section else ()
        if path not in contexts:
            contexts[path] = context(document, path)
        named = f"{contexts[path]}\n{headers[start]}" if start in headers else contexts[path]
        chunks.append(
            Chunk(
                id=chunk_id(document.id, start, end, text),
                document_id=document.id,
                index=index,
                start=start,
                end=end,
                text=text,
                tokens=tokens,
                page=page_at(document, start),
                section=PATH_SEPARATOR.join(path) or None,
                context=named,
                parent=parents.get(start),
            )
        )
    return chunks


def chunk_id(document_id: str, start: int, end: int, text: str) -> str:
    """32 hexadecimal digits."""
    digest = blake2b(f"{document_id}\0{start}\0{end}\0".encode(), digest_size=16)
    digest.update(text.encode("utf-8", "replace"))
    return digest.hexdigest()


def context(document: Document, path: tuple[str, ...]) -> str:
    """What stands before a chunk for indexing: the document's name in words, its title, and the heading path."""
    name = " ".join(_WORD_BREAKS.sub(" ", PurePosixPath(document.name).stem).split())
    title = str(document.metadata.get("title", ""))[:_MAX_TITLE_CHARS]
    lines = [name]
    if title and title.casefold() not in (name.casefold(), *(heading.casefold() for heading in path)):
        lines.append(title)
    if path:
        lines.append(PATH_SEPARATOR.join(path))
    return "\n".join(lines)
