"""What `rag search --explain --json` prints; see docs/json.md."""

from __future__ import annotations

from collections.abc import Sequence

from rag.index.filter_text import filter_text
from rag.output import HitOutput, Output
from rag.retrieve.explain import Explained
from rag.retrieve.search import Retrieval, Searched


class SearchedOutput(Output):
    """One search: `passage` was embedded in place of `text`, `filter` limited it; how many each side found."""

    text: str
    passage: str | None
    weight: float
    filter: str | None
    dense: int
    lexical: int

    @classmethod
    def of(cls, searched: Searched) -> SearchedOutput:
        """From a search."""
        asked, condition, found = searched.asked, searched.condition, searched.found
        return cls(
            text=asked.text,
            passage=asked.passage,
            weight=asked.weight,
            filter=None if condition is None else filter_text(condition),
            dense=len(found.dense),
            lexical=len(found.lexical),
        )


class ExplainedHitOutput(HitOutput):
    """A hit with its ranks and scores at every step, `null` where it was not there; `matched` are spans of `text`."""

    dense_rank: int | None
    dense_score: float | None
    lexical_rank: int | None
    lexical_score: float | None
    fused_rank: int | None
    fused_score: float | None
    rerank_score: float | None
    relevance_rank: int | None
    matched: list[tuple[int, int]]

    @classmethod
    def explained(cls, explained: Explained) -> ExplainedHitOutput:
        """From an explained hit."""
        hit = explained.hit
        own = {name: getattr(hit, name) for name in cls.model_fields if name.endswith(("_rank", "_score"))}
        return cls(**HitOutput.of(hit).model_dump(), **own, matched=list(explained.matched))


class ExplainOutput(Output):
    """How a search went: `question` is what was asked for in the end, `notes` say what was done on the way, `diversity`
    is the share of novelty that moved hits (`relevance_rank` is where they stood before)."""

    question: str
    store: str
    scorer: str
    fusion: str
    reranker: str | None
    diversity: float | None
    notes: list[str]
    searches: list[SearchedOutput]
    hits: list[ExplainedHitOutput]

    @classmethod
    def of(cls, retrieval: Retrieval, hits: Sequence[Explained]) -> ExplainOutput:
        """From a search and its explained hits."""
        report = retrieval.rerank
        return cls(
            question=retrieval.plan.question,
            store=retrieval.store,
            scorer=retrieval.scorer,
            fusion=retrieval.fusion,
            reranker=None if report is None else report.reranker,
            diversity=None if report is None or report.diversity == 0 else report.diversity,
            notes=list(retrieval.notes),
            searches=[SearchedOutput.of(each) for each in retrieval.searches],
            hits=[ExplainedHitOutput.explained(each) for each in hits],
        )
