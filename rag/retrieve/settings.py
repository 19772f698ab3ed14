"""The settings of retrieval."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from plumbline.settings import Settings


class RetrievalSettings(Settings):
    """`candidates` of each side are fused, the `top_k` best are reranked, the `top_n` best are answered from.

    `dense_weight` and `rrf_k` belong to the fusions "weighted" and "rrf"; without a `dense_weight` the one measured for
    the kind of embedder is taken. `expand` says what is read where a chunk was found: the chunk (or the larger span it
    belongs to, with the chunker "parent_child"), or "passages" of at most `passage_characters`, grown around the
    sentences that matter as far as they are at least `passage_share` as relevant as the best. These are defaults,
    measured and not certified.
    """

    mode: Literal["hybrid", "dense", "lexical"] = "hybrid"
    top_k: Annotated[int, Field(ge=1, le=1000)] = 10
    top_n: Annotated[int, Field(ge=1, le=1000)] = 3
    candidates: Annotated[int, Field(ge=1, le=10_000)] = 100
    fusion: Literal["weighted", "rrf"] = "weighted"
    dense_weight: Annotated[float, Field(ge=0, le=1)] | None = None
    rrf_k: Annotated[int, Field(ge=1)] = 60
    expand: Literal["none", "passages"] = "none"
    passage_share: Annotated[float, Field(gt=0, le=1)] = 0.5
    passage_characters: Annotated[int, Field(ge=50, le=100_000)] = 900
    rerank: Literal["none"] = "none"

    @model_validator(mode="after")
    def _stages_narrow(self) -> RetrievalSettings:
        if self.top_n > self.top_k:
            raise ValueError(f"top_n ({self.top_n}) is larger than top_k ({self.top_k}), from which it is taken")
        return self
