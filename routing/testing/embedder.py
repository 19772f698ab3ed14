"""The conformance suite of embedders: prove an adapter of your own with `await check_embedder(adapter)` in a test.

Every check is a coroutine of its own, so that a test can also run them one by one (`CHECKS`). They call the embedder
about twenty times with short texts and twice with a text half as long again as `max_tokens`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from routing.vectors import Embedder, Embeddings

if TYPE_CHECKING:
    from routing.vectors import Vectors

TEXTS = (
    "The refund window closes thirty days after delivery.",
    "Wer haftet für Schäden beim Transport?",
    "東京は日本の首都です。",
    "x",
    "Line one\nline two\twith a tab, 10.5 % and an emoji 🚲",
)
TOLERANCE = 1e-3  # cosine: hosted models answer the same text slightly differently from call to call
_UNLIMITED = 2_000  # words of the long text for an embedder without a limit
_BEGINNING = ("harbour", "crane", "cargo", "vessel", "container", "anchor", "deck", "pilot")
_END = ("sonata", "violin", "chord", "melody", "tempo", "orchestra", "quartet", "rhythm")


async def check_embedder(embedder: Embedder) -> None:
    """Run all `CHECKS`; raises `AssertionError` saying which promise of `routing.vectors.Embedder` is broken."""
    for check in CHECKS:
        await check(embedder)


async def check_description(embedder: Embedder) -> None:
    """`name` is "provider/name", `dim` is positive, `max_tokens` is positive or `None`."""
    provider, slash, name = embedder.name.partition("/")
    assert all((provider, slash, name)), f"name must be of the form 'provider/name'; it is {embedder.name!r}"
    assert embedder.dim > 0, f"dim must be positive; it is {embedder.dim}"
    limit = embedder.max_tokens
    assert limit is None or limit > 0, f"max_tokens must be positive or None; it is {limit}"


async def check_shape(embedder: Embedder) -> None:
    """One float32 row of length `dim` and of unit length for each text; none for no texts; a single text works too."""
    for kind, embed in _both(embedder):
        for texts in ((), TEXTS[:1], TEXTS):
            vectors = (await embed(texts)).vectors
            expected = (len(texts), embedder.dim)
            assert vectors.shape == expected, (
                f"{kind}: {len(texts)} texts must give the shape {expected}, not {vectors.shape}"
            )
            assert str(vectors.dtype) == "float32", f"{kind}: vectors must be float32, not {vectors.dtype}"
            for text, row in zip(texts, vectors, strict=True):
                length = float((row * row).sum()) ** 0.5  # NaN fails the next line too
                assert abs(length - 1) < 1e-4, f"{kind}: the vector of {text!r} must have length 1, not {length:.6f}"


async def check_empty_text(embedder: Embedder) -> None:
    """An empty text has a vector of zeros and leaves its neighbours alone."""
    for kind, embed in _both(embedder):
        vectors = (await embed([TEXTS[0], "", TEXTS[1]])).vectors
        assert vectors.shape[0] == 3, f"{kind}: an empty text must keep its row; 3 texts gave {vectors.shape[0]} rows"
        assert not vectors[1].any(), f"{kind}: an empty text must have a vector of zeros"
        _assert_same(
            (await embed([TEXTS[0], TEXTS[1]])).vectors, vectors[[0, 2]], f"{kind}: an empty text moved its neighbours"
        )


async def check_repeatable(embedder: Embedder) -> None:
    """Equal texts have equal vectors: asked again, in another order, alone or in a batch, and all at the same time."""
    for kind, embed in _both(embedder):
        first = (await embed(TEXTS)).vectors
        _assert_same(first, (await embed(TEXTS)).vectors, f"{kind}: the same call twice gave different vectors")
        _assert_same(first[::-1], (await embed(TEXTS[::-1])).vectors, f"{kind}: the order of the texts matters")
        alone = await asyncio.gather(*(embed([text]) for text in TEXTS))
        for i, one in enumerate(alone):
            _assert_same(first[i : i + 1], one.vectors, f"{kind}: {TEXTS[i]!r} alone differs from it in a batch")


async def check_distinct(embedder: Embedder) -> None:
    """Different texts have different vectors."""
    for kind, embed in _both(embedder):
        vectors = (await embed([TEXTS[0], TEXTS[1]])).vectors
        cosine = float(vectors[0] @ vectors[1])
        assert cosine < 1 - TOLERANCE, f"{kind}: two unrelated texts have the cosine {cosine:.5f}"


async def check_long_text(embedder: Embedder) -> None:
    """The end of a text beyond `max_tokens` counts: nothing is cut off silently."""
    words = int(embedder.max_tokens * 1.5) + 8 if embedder.max_tokens else _UNLIMITED
    cut = words - words // 5 if embedder.max_tokens is None else max(embedder.max_tokens, 1)
    same = [_BEGINNING[i % len(_BEGINNING)] for i in range(cut)]
    tails = [[tail[i % len(tail)] for i in range(words - cut)] for tail in (_BEGINNING, _END)]
    for kind, embed in _both(embedder):
        vectors = (await embed([" ".join(same + tail) for tail in tails])).vectors
        cosine = float(vectors[0] @ vectors[1])
        assert cosine < 1 - TOLERANCE, (
            f"{kind}: the end of a text of {words} words has no influence (cosine {cosine:.6f}); "
            f"text beyond max_tokens={embedder.max_tokens} must be windowed and pooled"
        )


async def check_usage(embedder: Embedder) -> None:
    """Usage counts input tokens, more for more text, and no output."""
    for kind, embed in _both(embedder):
        one = (await embed(TEXTS[:1])).usage
        more = (await embed([TEXTS[0], TEXTS[0], TEXTS[1]])).usage
        assert one.input_tokens > 0, (
            f"{kind}: usage.input_tokens must count the text's tokens; it is {one.input_tokens}"
        )
        assert more.input_tokens > one.input_tokens, f"{kind}: three texts must use more tokens than one of them"
        assert one.output_tokens == 0, (
            f"{kind}: embedding generates nothing; usage.output_tokens is {one.output_tokens}"
        )


Check = Callable[[Embedder], Awaitable[None]]
CHECKS: tuple[Check, ...] = (
    check_description,
    check_shape,
    check_empty_text,
    check_repeatable,
    check_distinct,
    check_long_text,
    check_usage,
)
"""Every check, in the order in which `check_embedder` runs them."""


def _both(embedder: Embedder) -> list[tuple[str, Callable[[Sequence[str]], Awaitable[Embeddings]]]]:
    return [("embed_queries", embedder.embed_queries), ("embed_passages", embedder.embed_passages)]


def _assert_same(expected: Vectors, got: Vectors, message: str) -> None:
    assert expected.shape == got.shape, f"{message}: shape {got.shape} instead of {expected.shape}"
    least = float((expected * got).sum(axis=1).min())
    assert least > 1 - TOLERANCE, f"{message} (cosine {least:.6f})"
