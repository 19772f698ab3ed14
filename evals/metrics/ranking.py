"""Rank metrics of one query, equal to trec_eval's: recall, precision, nDCG, reciprocal rank, average precision.

A ranking is either a mapping from id to score or the ids in order. Scores are ranked as trec_eval ranks them: they are
rounded to single precision, and of equal ones the id that is later in the alphabet stands first. Judgements (qrels) map
ids to grades: a grade of 1 or more is relevant, 0 and below is not, and neither is what nobody judged. Everything
returns `None` for a query without a relevant document, where nothing could be found (trec_eval counts 0 there, and
leaves out only queries without judgements).
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Mapping, Sequence

from plumbline.errors import InputError

Ranking = Mapping[str, float] | Sequence[str]
Qrels = Mapping[str, int]


def ranked(ranking: Ranking) -> list[str]:
    """The ids, best first; an id that comes twice counts at its best rank. Raises `InputError` for a score of NaN."""
    if isinstance(ranking, str):
        raise InputError(f"A ranking is a list of ids; one text was given: '{ranking}'.")
    if not isinstance(ranking, Mapping):
        return list(dict.fromkeys(ranking))
    nameless = [id_ for id_, score in ranking.items() if math.isnan(score)]
    if nameless:
        raise InputError(f"The score of '{nameless[0]}' is NaN, which has no rank.")
    return sorted(ranking, key=lambda id_: (_single(ranking[id_]), id_), reverse=True)


def recall_at_k(ranking: Ranking, qrels: Qrels, k: int) -> float | None:
    """The share of the relevant documents that stand among the first `k`."""
    return _over(sum(_relevant(ranking, qrels, k)), _total(qrels))


def precision_at_k(ranking: Ranking, qrels: Qrels, k: int) -> float | None:
    """The share of the first `k` places that hold a relevant document; places left empty hold none."""
    found = sum(_relevant(ranking, qrels, k))
    return found / k if _total(qrels) else None


def ndcg_at_k(ranking: Ranking, qrels: Qrels, k: int) -> float | None:
    """Discounted cumulative gain over that of the best ranking there could be (Järvelin and Kekäläinen, 2002).

    The gain is the grade itself, at rank r divided by log2(r + 1); grades below 0 gain nothing.
    """
    _check(k)
    ideal = _discounted(sorted((grade for grade in qrels.values() if grade > 0), reverse=True)[:k])
    found = _discounted(max(qrels.get(id_, 0), 0) for id_ in ranked(ranking)[:k])
    return found / ideal if ideal else None


def reciprocal_rank(ranking: Ranking, qrels: Qrels) -> float | None:
    """1 / rank of the first relevant document, 0 when none was found; its mean over queries is MRR."""
    if not _total(qrels):
        return None
    return next((1 / rank for rank, hit in enumerate(_relevant(ranking, qrels), 1) if hit), 0.0)


def average_precision(ranking: Ranking, qrels: Qrels) -> float | None:
    """The mean, over the relevant documents, of the precision at their rank, 0 where not found; its mean is MAP."""
    found, total = 0, 0.0
    for rank, hit in enumerate(_relevant(ranking, qrels), 1):
        if hit:
            found += 1
            total += found / rank
    return _over(total, _total(qrels))


def _relevant(ranking: Ranking, qrels: Qrels, k: int | None = None) -> list[bool]:
    if k is not None:
        _check(k)
    return [qrels.get(id_, 0) > 0 for id_ in ranked(ranking)[:k]]


def _total(qrels: Qrels) -> int:
    return sum(grade > 0 for grade in qrels.values())


def _over(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _discounted(gains: Iterable[int]) -> float:
    return sum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains, 1))


def _check(k: int) -> None:
    if k < 1:
        raise InputError(f"k counts places and must be at least 1; {k} was given.")


def _single(score: float) -> float:
    """The score in single precision, in which trec_eval holds it; what is too large for that is infinite."""
    try:
        value: float = struct.unpack("f", struct.pack("f", score))[0]
    except OverflowError:
        return math.copysign(math.inf, score)
    return value
