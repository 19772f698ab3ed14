"""What may be chosen about a collection. Most of it counts when the collection is made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rag.index.settings import LexicalSettings

Quantization = Literal["none", "int8", "binary"]


@dataclass(frozen=True, slots=True)
class QdrantOptions:
    """`shards` and `replicas` of a collection, and how many replicas must have a write before it counts.

    `quantization` searches codes in memory and rescores `oversampling` times as many points as asked for with their
    own vectors, which then lie on disk. `effort` is `hnsw_ef`, `None`: the server's. `average_length` is the length
    of a text that BM25 takes for average, in terms; `None`: what the first points of the collection have, which it
    keeps. Without `prefixes` words cannot be searched by their beginnings,
    and the lexical side takes a third of the space. `shard_field` gives every value of that field of the payload,
    such as "tenant", shards of its own (user-defined sharding); points without it share one.
    """

    shards: int = 1
    replicas: int = 1
    write_consistency: int = 1
    quantization: Quantization = "none"
    oversampling: float = 3.0
    effort: int | None = None
    lexical: LexicalSettings = LexicalSettings()  # noqa: RUF009 (frozen, as every settings class)
    average_length: float | None = None
    prefixes: bool = True
    shard_field: str | None = None
