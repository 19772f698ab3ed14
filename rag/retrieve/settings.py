"""The settings of retrieval."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from plumbline.settings import Settings

NO_RERANKER = "none"
Share = Annotated[float, Field(ge=0, le=1)]


class QuestionSettings(Settings):
    """What is done with a question before it is searched for; each switch is off, and each but `filters` and
    `figures` asks a model.

    `rewrite`: makes it stand alone, from the conversation before it. `hyde`: an answer is made up and searched for by
    meaning (Gao et al. 2022). `variants`: so many other wordings are searched for too. `decompose`: it is taken apart
    into at most so many questions. `filters`: what it says about its documents (names, years) limits what is searched,
    as far as the knowledge base has documents of that kind. `figures`: where it asks for figures, passages full of them
    (tables, statements) count for more.
    """

    rewrite: bool = False
    hyde: bool = False
    variants: Annotated[int, Field(ge=0, le=10)] = 0
    decompose: Annotated[int, Field(ge=0, le=10)] = 0
    filters: bool = False
    figures: bool = False


class RerankSettings(Settings):
    """`model` is who reranks the `top_k` hits: "none", "cohere/…", "st/…", "vllm/NAME@URL", "maxsim",
    "extractive/default", or "llm" (the chat model orders them).

    It is not asked where it cannot change what is answered from; `skip_margin` also skips where the hits that would be
    answered from lead the next by so much of the best score (`None`: never). `diversity` is the share of novelty in
    maximal marginal relevance (Carbonell & Goldstein 1998); 0 leaves the order alone.
    """

    model: str = NO_RERANKER
    skip_margin: Share | None = None
    diversity: Share = 0.0


class RetrievalSettings(Settings):
    """`candidates` of each side are fused, the `top_k` best are reranked, the `top_n` best are answered from.

    `dense_weight` and `rrf_k` belong to the fusions "weighted" and "rrf"; without a `dense_weight` the one measured for
    the kind of embedder is taken. "learned" takes the weights that `rag fit fusion` left in the knowledge base. With
    `neighbours` above 0 the first hits gain by so much of what those like them score (docs/fusion.md).
    `expand` says what is read where a chunk was found: the chunk (or the larger span it belongs to, with the chunker
    "parent_child"); "passages" of at most `passage_characters`, grown around the sentences that matter as far as they
    are at least `passage_share` as relevant as the best; the chunk with its "neighbours", or its whole "section", of at
    most `expand_tokens`. What is answered from has at most `context_tokens` and stands in `context_order`: by relevance
    or, so that providers find prefixes in their caches, by document. These are defaults, measured and not certified.
    """

    mode: Literal["hybrid", "dense", "lexical"] = "hybrid"
    top_k: Annotated[int, Field(ge=1, le=1000)] = 10
    top_n: Annotated[int, Field(ge=1, le=1000)] = 3
    candidates: Annotated[int, Field(ge=1, le=10_000)] = 100
    exact: bool = False
    fusion: Literal["weighted", "rrf", "dbsf", "learned"] = "weighted"
    dense_weight: Share | None = None
    rrf_k: Annotated[int, Field(ge=1)] = 60
    neighbours: Annotated[float, Field(ge=0, le=10)] = 0.0
    expand: Literal["none", "passages", "neighbours", "section"] = "none"
    passage_share: Annotated[float, Field(gt=0, le=1)] = 0.5
    passage_characters: Annotated[int, Field(ge=50, le=100_000)] = 900
    expand_tokens: Annotated[int, Field(ge=16, le=1_000_000)] = 2048
    context_tokens: Annotated[int, Field(ge=16, le=10_000_000)] = 8192
    context_order: Literal["relevance", "document"] = "relevance"
    question: QuestionSettings = QuestionSettings()
    rerank: RerankSettings = RerankSettings()

    @model_validator(mode="after")
    def _stages_narrow(self) -> RetrievalSettings:
        if self.top_n > self.top_k:
            raise ValueError(f"top_n ({self.top_n}) is larger than top_k ({self.top_k}), from which it is taken")
        return self
