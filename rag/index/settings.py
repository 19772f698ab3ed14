"""The settings of stores."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from plumbline.settings import Settings
from plumbline.text.language_names import is_language, nearest_languages

Weight = Annotated[float, Field(ge=0, le=16)]


class LexicalSettings(Settings):
    """How the lexical side scores: `bm25` is our own index, `rank-bm25` the package of that name, as a reference.

    `title_weight` and `heading_weight` say how often a word there counts, where one in the text counts once (BM25F).
    `language` is how text and questions are read whose language is not known.
    """

    scorer: Literal["bm25", "rank-bm25"] = "bm25"
    k1: Annotated[float, Field(ge=0, le=10)] = 1.2
    b: Annotated[float, Field(ge=0, le=1)] = 0.75
    title_weight: Weight = 2.0
    heading_weight: Weight = 1.0
    language: str = "en"

    @field_validator("language")
    @classmethod
    def _is_a_language(cls, value: str) -> str:
        if not is_language(value):
            near = ", ".join(nearest_languages(value))
            raise ValueError(f"no language of ISO 639-1 is called so; there are {near} and others")
        return value


class StoreSettings(Settings):
    """Where points are kept and searched.

    `url` is the address of the server ("qdrant" and "pgvector"), `collection` what the index is called there, which
    must be named: two knowledge bases of one name would write over each other. `shards` and `replicas` are of a Qdrant
    collection when it is made. A key comes from PLUMBLINE_STORE_KEY in the environment.
    """

    kind: Literal["embedded", "memory", "qdrant", "pgvector"] = "embedded"
    url: str | None = None
    collection: str | None = None
    shards: Annotated[int, Field(ge=1, le=1024)] = 1
    replicas: Annotated[int, Field(ge=1, le=64)] = 1
    lexical: LexicalSettings = LexicalSettings()
