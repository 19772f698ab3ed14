"""Everything that a knowledge base holds, as lines of JSON in an order of their own: equal contents, equal bytes.

Ids and times are left out, so that two knowledge bases built from the same documents in the same way compare equal,
whatever happened to them on the way.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

from rag.index.catalogue import Catalogue
from rag.index.live import LiveIndex
from rag.index.store import Store
from rag.types import Chunk, Document

_TIMES = ("modified",)
LINES_AT_ONCE = 1000
"""Postings are asked for many chunks at once: each time costs a look at them all."""


async def exported(catalogue: Catalogue, live: LiveIndex) -> AsyncIterator[str]:
    """A line for each document, by source, followed by a line for each of its chunks: span, text, vector, postings.

    Vectors are the bytes of their float32 values in hexadecimal; `null` where the store has no point.
    """
    now = live.current()
    rows = sorted(catalogue.documents(), key=lambda row: (row["source"], row["id"]))
    some: list[tuple[Document, list[Chunk]]] = []
    for row in rows:
        document = catalogue.document(row["id"])
        if document is not None:
            some.append((document, catalogue.chunks_of(document.id, generation=now.generation)))
        if sum(1 + len(chunks) for _, chunks in some) >= LINES_AT_ONCE:
            for line in await _lines(some, now.store):
                yield line
            some = []
    for line in await _lines(some, now.store):
        yield line


async def _lines(cuts: Sequence[tuple[Document, Sequence[Chunk]]], store: Store) -> list[str]:
    """The lines of some documents."""
    ids = [chunk.id for _, chunks in cuts for chunk in chunks]
    points = {point.id: point for point in await store.get(ids)}
    present = [chunk_id for chunk_id in ids if chunk_id in points]
    postings = dict(zip(present, await store.postings(present), strict=True))
    lines = []
    for document, chunks in cuts:
        lines.append(_line({"document": _document(document)}))
        for chunk in chunks:
            point = points.get(chunk.id)
            fields = {
                "chunk": _chunk(chunk),
                "vector": None if point is None else point.vector.astype("<f4").tobytes().hex(),
                "indexed_text": None if point is None else point.indexed_text,
                "postings": postings.get(chunk.id),
            }
            lines.append(_line(fields))
    return lines


def _document(document: Document) -> dict[str, Any]:
    facts = {name: getattr(document, name) for name in Document.__slots__ if name not in ("id", "pages", "sections")}
    facts["pages"] = [[page.number, page.start, page.end] for page in document.pages]
    facts["sections"] = [[list(section.path), section.start, section.end] for section in document.sections]
    facts["metadata"] = {name: value for name, value in document.metadata.items() if name not in _TIMES}
    return facts


def _chunk(chunk: Chunk) -> dict[str, Any]:
    return {name: getattr(chunk, name) for name in Chunk.__slots__ if name not in ("id", "document_id")}


def _line(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True) + "\n"
