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
        FunctionMetric("mrr", "1 / rank of the first relevant document", _whole(ranking.reciprocal_rank)),
        FunctionMetric(
            "map", "Mean precision at the ranks of the relevant documents", _whole(ranking.average_precision)
        ),
    ]


def retrieval_metrics_at(k: int) -> list[FunctionMetric]:
    """Those of the first `k` places, named "recall@5"."""
    return [
        FunctionMetric(
            f"recall@{k}", f"Share of the relevant documents among the first {k}", _at(ranking.recall_at_k, k)
        ),
        FunctionMetric(
            f"precision@{k}", f"Share of the first {k} documents that are relevant", _at(ranking.precision_at_k, k)
        ),
        FunctionMetric(
            f"ndcg@{k}", f"Graded gain of the first {k} documents over the best possible", _at(ranking.ndcg_at_k, k)
        ),
        FunctionMetric(
            f"char_recall@{k}", f"Share of the gold spans' characters in the first {k} hits", _spans(_recall, k)
        ),
        FunctionMetric(
            f"char_precision@{k}", f"Share of the first {k} hits' characters in gold spans", _spans(_precision, k)
        ),
        FunctionMetric(
            f"char_iou@{k}", f"Characters shared by gold spans and the first {k} hits, over all", _spans(_iou, k)
        ),
        FunctionMetric(f"page_hit@{k}", f"A labelled page is among those of the first {k} hits", _pages(k)),
    ]


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


def _recall(scores: SpanScores) -> float:
    return scores.recall


def _precision(scores: SpanScores) -> float:
    return scores.precision


def _iou(scores: SpanScores) -> float:
    return scores.iou


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
