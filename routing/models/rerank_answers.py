"""Reads the answers of rerank endpoints: a list of results, each with the index of its passage and a score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from routing.models.failures import Endpoint, invalid

if TYPE_CHECKING:
    from routing.vectors import Vectors

_SCORES = ("relevance_score", "score")


def scores_of(results: object, count: int, endpoint: Endpoint) -> Vectors:
    """The scores in the order of the `count` passages, float32[count].

    Raises `InvalidResponseError` unless every passage has one score that is a number.
    """
    import numpy as np

    if not isinstance(results, Sequence):
        raise invalid(endpoint, "has no list of results")
    found: dict[int, float] = {}
    for result in results:
        index, score = _field(result, ("index",)), _field(result, _SCORES)
        if not isinstance(index, int) or not isinstance(score, int | float) or not 0 <= index < count:
            raise invalid(endpoint, "has a result without the index of a passage and a score")
        found[index] = float(score)
    values = np.asarray([found.get(index, np.nan) for index in range(count)], np.float32)
    if len(found) != len(results) or not np.isfinite(values).all():
        raise invalid(endpoint, f"has {len(found)} scores for {count} passages, or numbers that are none")
    return values


def whole_number(value: object) -> int | None:
    """`value` as a count, rounded up, or `None` when it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e15:
        return None
    return int(-(-value // 1))


def _field(result: object, names: Sequence[str]) -> Any:
    for name in names:
        value = result.get(name) if isinstance(result, Mapping) else getattr(result, name, None)
        if value is not None:
            return value
    return None
