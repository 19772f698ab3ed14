"""Metrics of an outcome's hits, by the contract.

Documents are ranked by their best hit: several hits of one document are one place, and k counts documents. Spans and
pages are those of the first k hits.
"""

from __future__ import annotations

from collections.abc import Callable

from evals.dataset import Example
from evals.metrics import ranking
from evals.metrics.contract import FunctionMetric, Score
from evals.metrics.pages import page_hit
from evals.metrics.spans import Span, SpanScores, span_scores
from evals.outcome import Outcome
from plumbline.errors import InputError

AtK = Callable[[ranking.Ranking, ranking.Qrels, int], float | None]


def retrieval_metrics() -> list[FunctionMetric]:
    """Those without a k."""
    return [
        FunctionMetric("mrr", "1 / rank of the first relevant document", _whole(ranking.reciprocal_rank), _graded),
        FunctionMetric("map", "Mean precision at the relevant documents", _whole(ranking.average_precision), _graded),
    ]


def retrieval_metrics_at(k: int) -> list[FunctionMetric]:
    """Those of the first `k` places, named "recall@5"."""
    graded: dict[str, tuple[str, AtK]] = {
        "recall": (f"Share of the relevant documents among the first {k}", ranking.recall_at_k),
        "precision": (f"Share of the first {k} documents that are relevant", ranking.precision_at_k),
        "ndcg": (f"Graded gain of the first {k} documents over the best possible", ranking.ndcg_at_k),
    }
    spanned: dict[str, tuple[str, Callable[[SpanScores], float]]] = {
        "char_recall": (f"Share of the gold spans' characters in the first {k} hits", lambda scores: scores.recall),
        "char_precision": (f"Share of the first {k} hits' characters in gold spans", lambda scores: scores.precision),
        "char_iou": (f"Characters shared by gold spans and the first {k} hits, over all", lambda scores: scores.iou),
    }
    return [
        *(FunctionMetric(f"{name}@{k}", text, _at(function, k), _graded) for name, (text, function) in graded.items()),
        *(FunctionMetric(f"{name}@{k}", text, _spans(part, k), _spanned) for name, (text, part) in spanned.items()),
        FunctionMetric(f"page_hit@{k}", f"A labelled page is among those of the first {k} hits", _pages(k), _paged),
    ]


def _graded(example: Example) -> bool:
    return any(grade > 0 for grade in _qrels(example).values())


def _spanned(example: Example) -> bool:
    return bool(example.spans)


def _paged(example: Example) -> bool:
    return bool(example.pages)


def _documents(outcome: Outcome) -> list[str]:
    return list(dict.fromkeys(hit.document for hit in outcome.hits))


def _qrels(example: Example) -> ranking.Qrels:
    return example.grades or dict.fromkeys(example.documents, 1)


def _at(function: AtK, k: int) -> Score:
    return lambda example, outcome: function(_documents(outcome), _qrels(example), k)


def _whole(function: Callable[[ranking.Ranking, ranking.Qrels], float | None]) -> Score:
    return lambda example, outcome: function(_documents(outcome), _qrels(example))


def _spans(part: Callable[[SpanScores], float], k: int) -> Score:
    def score(example: Example, outcome: Outcome) -> float | None:
        scores = span_scores(_hit_spans(outcome, k), _gold_spans(example))
        return None if scores is None else part(scores)

    return score


def _hit_spans(outcome: Outcome, k: int) -> list[Span]:
    return [(hit.document, hit.chunk.start, hit.chunk.end) for hit in outcome.hits[:k]]


def _gold_spans(example: Example) -> list[Span]:
    unknown = [span for span in example.spans if span.start < 0]
    if unknown:
        raise InputError(
            f"Example '{example.id}': the place of its quote in {unknown[0].document} is not known yet.",
            hint="Look it up in the corpus with evals.dataset.located first.",
        )
    return [(span.document, span.start, span.end) for span in example.spans]


def _pages(k: int) -> Score:
    def score(example: Example, outcome: Outcome) -> float | None:
        hit = page_hit([(hit.document, hit.chunk.page) for hit in outcome.hits], example.pages, k)
        return None if hit is None else float(hit)

    return score
