"""The conformance suite of rerankers: prove an adapter of your own with `await check_reranker(adapter)` in a test.

Every check is a coroutine of its own, so that a test can also run them one by one (`CHECKS`); those of `PROMISES` ask
nothing of what a model has learned. They call the reranker seven times, once with a passage of 2,000 words.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable

from routing.vectors import Reranker

QUERY = "How long is the refund window?"
PASSAGES = (
    "Unopened goods may be returned within 30 days; the refund window begins with the delivery.",
    "The museum of glaciers opens at nine.",
    "Refunds are paid to the card that was used.",
)
TOLERANCE = 1e-3
_NOISE = "The crane lifts the cargo of the vessel. " * 250


async def check_reranker(reranker: Reranker) -> None:
    """Run all `CHECKS`; raises `AssertionError` saying which promise of `routing.vectors.Reranker` is broken."""
    for check in CHECKS:
        await check(reranker)


async def check_description(reranker: Reranker) -> None:
    """`name` is "provider/name"."""
    provider, slash, name = reranker.name.partition("/")
    assert all((provider, slash, name)), f"name must be of the form 'provider/name'; it is {reranker.name!r}"


async def check_shape(reranker: Reranker) -> None:
    """One finite float32 for each passage, an empty one too; none for no passages; usage is not negative."""
    for passages in (PASSAGES, (), (PASSAGES[0], "")):
        scores = await reranker.score(QUERY, passages)
        values, expected = scores.values, (len(passages),)
        assert values.shape == expected, f"{len(passages)} passages must give the shape {expected}, not {values.shape}"
        assert str(values.dtype) == "float32", f"scores must be float32, not {values.dtype}"
        assert all(map(math.isfinite, values.tolist())), f"scores must be finite numbers, not {values.tolist()}"
        usage = scores.usage
        assert min(usage.input_tokens, usage.output_tokens, usage.searches) >= 0, "usage must not be negative"


async def check_order(reranker: Reranker) -> None:
    """Scores go by the passage: not by where it stands, and equal passages have equal scores."""
    values = (await reranker.score(QUERY, (*PASSAGES, PASSAGES[0]))).values
    assert abs(values[0] - values[3]) <= TOLERANCE, "equal passages must have equal scores"
    turned = (await reranker.score(QUERY, (PASSAGES[0], *PASSAGES[::-1]))).values[::-1]
    assert abs(values - turned).max() <= TOLERANCE, "a score must not depend on the order of the passages"


async def check_relevance(reranker: Reranker) -> None:
    """A passage that answers scores above one that has nothing to do with the query."""
    values = (await reranker.score(QUERY, PASSAGES)).values
    assert values[0] > values[1], "a passage that answers must score above one that has nothing to do with the query"


async def check_long_passage(reranker: Reranker) -> None:
    """A passage of any length is read to its end."""
    values = (await reranker.score(QUERY, (_NOISE + PASSAGES[0], _NOISE))).values
    assert values[0] > values[1], "a long passage must be read to its end; this one is cut off before"


Check = Callable[[Reranker], Awaitable[None]]
PROMISES: tuple[Check, ...] = (check_description, check_shape, check_order)
"""What every reranker keeps, however well it ranks."""
CHECKS: tuple[Check, ...] = (*PROMISES, check_relevance, check_long_passage)
"""Every check, in the order in which `check_reranker` runs them."""
