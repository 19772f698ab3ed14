"""What every store refuses, in the same words."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from plumbline.errors import InputError
from rag.index.store import Point, Search

if TYPE_CHECKING:
    from rag.index.store import Vector


_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode


def check_points(points: Sequence[Point], dim: int) -> None:
    """Raise `InputError` for a vector that does not fit or a payload that JSON cannot hold."""
    for point in points:
        check_vector(point.vector, dim, f"point {point.id}")
        payload_json(point)


def check_search(search: Search, dim: int) -> None:
    """Raise `InputError` for a `k` below 1 or a vector that does not fit."""
    if search.k < 1:
        raise InputError(f"k must be at least 1, not {search.k}.")
    if search.vector is not None:
        check_vector(search.vector, dim, "the query")


def check_vector(vector: Vector, dim: int, what: str) -> None:
    """Raise `InputError` unless `vector` has shape [dim] and finite values."""
    import numpy as np

    if vector.shape != (dim,):
        raise InputError(
            f"The vector of {what} has shape {vector.shape}; this index holds vectors of {dim}.",
            hint="Query and passages must come from the same embedding model.",
        )
    if not np.isfinite(vector).all():
        raise InputError(f"The vector of {what} holds values that are not finite.")


def payload_json(point: Point) -> str:
    """The payload as JSON; raises `InputError` when it holds what JSON cannot."""
    try:
        return _encode(plain(point.payload))
    except (TypeError, ValueError) as error:
        raise InputError(
            f"The payload of point {point.id} cannot be stored: {error}.",
            hint="A payload holds texts, finite numbers, true and false, and lists of texts.",
        ) from error


def double(number: float) -> float:
    """A number as the doubles of servers hold it; infinite where it is beyond them."""
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def plain(payload: Mapping[str, Any]) -> dict[str, Any]:
    """The payload with lists for tuples, as it comes back from JSON."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in payload.items()}
