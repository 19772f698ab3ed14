"""The conformance suite of rerankers: prove an adapter of your own with `await check_reranker(adapter)` in a test."""

from __future__ import annotations

import math

from routing.vectors import Reranker

QUERY = "How long is the refund window?"
PASSAGES = (
    "Unopened goods may be returned within 30 days; the refund window begins with the delivery.",
    "The museum of glaciers opens at nine.",
    "Refunds are paid to the card that was used.",
)
TOLERANCE = 1e-3


async def check_reranker(reranker: Reranker) -> None:
    """Raises `AssertionError` saying which promise of `routing.vectors.Reranker` is broken."""
    provider, slash, name = reranker.name.partition("/")
    assert all((provider, slash, name)), f"name must be of the form 'provider/name'; it is {reranker.name!r}"
    scores = await reranker.score(QUERY, PASSAGES)
    values = scores.values
    assert values.shape == (len(PASSAGES),), f"there must be one score per passage; the shape is {values.shape}"
    assert str(values.dtype) == "float32", f"scores must be float32, not {values.dtype}"
    assert not any(map(math.isnan, values.tolist())), "scores must be numbers"
    assert values[0] > values[1], "a passage that answers must score above one that has nothing to do with the query"
    assert scores.usage.input_tokens >= 0, "usage must not be negative"
    again = (await reranker.score(QUERY, PASSAGES[::-1])).values[::-1]
    assert abs(values - again).max() <= TOLERANCE, "a score must not depend on the order of the passages"
    assert (await reranker.score(QUERY, ())).values.shape == (0,), "no passages must give no scores"
