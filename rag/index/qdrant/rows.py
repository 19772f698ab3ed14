"""Points as Qdrant holds them: dense and sparse vector, and a payload of what is searched, filtered and given back."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID, uuid5

import numpy as np
from qdrant_client import models

from rag.index.checks import plain
from rag.index.qdrant import fields
from rag.index.qdrant.collection import DENSE, WORDS
from rag.index.sparse_words import Sparse
from rag.index.store import Point

_NAMESPACE = UUID("6f1c1d5e-5f0a-4c52-9d0b-4f3a3c0d7c11")
POINTS_PER_CALL = 256
BYTES_PER_CALL = 8 * 2**20
"""A quarter of what a server takes in one request as it is installed."""


def to_uuid(point_id: str) -> str:
    """The id of a point on the server, the same for the same id of ours."""
    return str(uuid5(_NAMESPACE, point_id))


def to_row(point: Point, words: Sparse, language: str) -> models.PointStruct:
    """What is sent of a point whose words were read in a language."""
    payload: dict[str, Any] = {
        "id": point.id,
        "text": point.text,
        "heading": point.heading,
        "title": point.title,
        "payload": plain(point.payload),
        fields.LANGUAGE: language,
        **fields.written(point.payload),
    }
    vector: dict[str, Any] = {
        DENSE: np.asarray(point.vector, np.float32).tolist(),
        WORDS: to_sparse(words),
    }
    return models.PointStruct(id=to_uuid(point.id), vector=vector, payload=payload)


def to_sparse(words: Sparse) -> models.SparseVector:
    """A sparse vector as Qdrant takes it."""
    return models.SparseVector(indices=list(words), values=list(words.values()))


def to_point(record: models.Record | models.ScoredPoint) -> Point:
    """The point that `to_row` sent; its vector is empty when the record has none."""
    payload: dict[str, Any] = record.payload or {}
    vectors: Any = record.vector or {}
    vector = np.asarray(vectors.get(DENSE, ()), np.float32)
    return Point(payload["id"], vector, payload["text"], payload["payload"], payload["heading"], payload["title"])


def words_of(record: models.Record) -> Sparse:
    """The sparse vector of a record."""
    vectors: Any = record.vector or {}
    found = vectors.get(WORDS)
    return {} if found is None else dict(zip(found.indices, found.values, strict=True))


def portions(rows: Sequence[models.PointStruct]) -> Iterator[list[models.PointStruct]]:
    """The rows, as many at a time as one request should hold."""
    some: list[models.PointStruct] = []
    size = 0
    for row in rows:
        added = _size(row)
        if some and (len(some) == POINTS_PER_CALL or size + added > BYTES_PER_CALL):
            yield some
            some, size = [], 0
        some.append(row)
        size += added
    if some:
        yield some


def _size(row: models.PointStruct) -> int:
    vectors: Any = row.vector
    numbers = len(vectors[DENSE]) + 2 * len(vectors[WORDS].indices)
    return 20 * numbers + len(json.dumps(row.payload))
