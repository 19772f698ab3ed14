"""Which sentences of the evidence answer, and how sure that is: two linear models over readable features.

The ranker is a listwise softmax (Cao et al., "Learning to Rank: From Pairwise Approach to Listwise Approach", 2007);
the confidence is a logistic regression on whether the chosen sentences held the answer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from routing.models.extractive_features import Reading, feature_rows
from routing.models.extractive_words import Alignment

_OF_THE_BEST = ("passage_overlap", "previous", "following")
_OF_EITHER = ("overlap", "plain_overlap", "names", "numbers", "pairs")


@dataclass(frozen=True, slots=True)
class Ranking:
    """The sentences of a reading ranked: `order` holds their indices, best first; rows and scores go by index."""

    rows: tuple[Mapping[str, float], ...]
    scores: tuple[float, ...]
    order: tuple[int, ...]


def with_alignment(rows: list[dict[str, float]], alignment: Alignment | None) -> list[dict[str, float]]:
    """The rows with the columns of the alignment, if there is one."""
    if not alignment:
        return rows
    return [row | {name: column[i] for name, column in alignment.items()} for i, row in enumerate(rows)]


def rank(reading: Reading, weights: Mapping[str, float], alignment: Alignment | None = None) -> Ranking:
    """Score every sentence; equal scores keep the order of the evidence."""
    return rank_rows(with_alignment(feature_rows(reading), alignment), weights)


def rank_rows(rows: list[dict[str, float]], weights: Mapping[str, float]) -> Ranking:
    """Score and order rows of features; those that cannot answer come last, whatever their score."""
    scores = tuple(weighted_sum(row, weights) for row in rows)
    return Ranking(
        tuple(rows), scores, tuple(sorted(range(len(scores)), key=lambda i: (rows[i]["empty"], -scores[i], i)))
    )


def weighted_sum(row: Mapping[str, float], weights: Mapping[str, float]) -> float:
    """The sum of the row's values times their weights; a feature without a weight counts nothing."""
    return sum(weights.get(name, 0.0) * value for name, value in row.items())


def logistic(value: float) -> float:
    """The logistic function, safe for any float."""
    return 1 / (1 + math.exp(-max(-700.0, min(700.0, value))))


def confidence_features(reading: Reading, ranking: Ranking, similarity: float | None = None) -> dict[str, float]:
    """What the confidence looks at.

    Of the best two sentences the better value of each of `_OF_EITHER` and of the alignment; of the best one the others;
    `both`: the share of the question that the two hold together; `margin`: their distance in score; `unnamed`: no name
    is asked about; `terms`: log of the question's terms; `held`: whether the best holds an answer of the kind asked
    for (half where the kind is unknown); `passages`: log of their number; `similarity`: the cosine of question and
    best sentence, where it is known. Headings do not count: a title that repeats the question is no evidence.
    """
    question, matches = reading.question, reading.matches
    best = ranking.order[0]
    second = ranking.order[1] if len(ranking.order) > 1 else best
    row, next_row = ranking.rows[best], ranking.rows[second]
    found = matches.sentences[best]
    features = {
        "score": ranking.scores[best],
        "margin": min(ranking.scores[best] - ranking.scores[second], 8.0),
        "both": matches.share(found) + matches.share(matches.sentences[second], found),
        "unnamed": float(not question.names),
        "terms": math.log1p(len(question.terms)),
        "held": row.get(question.kind, 0.0) if question.kind != "other" else 0.5,
        "passages": math.log(len(matches.passages)),
    }
    features |= {name: row.get(name, 0.0) for name in _OF_THE_BEST}
    features |= {name: max(row[name], next_row[name]) for name in _OF_EITHER}
    if similarity is not None:
        features |= {name: max(row[name], next_row[name]) for name in row if name.startswith("alike")}
        features |= {"similarity": similarity}
    return features
