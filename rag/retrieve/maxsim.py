"""Reranks by late interaction: each token of the question meets the token of the passage that is most like it.

MaxSim is the scoring of ColBERT (Khattab & Zaharia, SIGIR 2020), here over whatever token vectors the configured
embedder has. ColBERT's own vectors are trained for this, these are not: `docs/reranking.md` says what that gives.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from routing.chat import Usage
from routing.vectors import Scores, TokenEmbedder

if TYPE_CHECKING:
    from routing.vectors import Vectors


class MaxSimReranker:
    """The reranker "maxsim/EMBEDDER": the mean over the question's tokens of their best cosine, in [-1, 1].

    A token counts by the length of its vector: static embedders are trained so that the lengths weigh the words, and
    those of a transformer are nearly equal. A passage without tokens scores -1. Raises `ModelError`.
    """

    def __init__(self, embedder: TokenEmbedder) -> None:
        self._embedder = embedder

    @property
    def name(self) -> str:
        """The name, "maxsim/" and the embedder's."""
        return f"maxsim/{self._embedder.name}"

    async def score(self, query: str, passages: Sequence[str]) -> Scores:
        """Score each passage; usage counts the tokens of the question and of all passages."""
        asked, *told = [tokens.vectors for tokens in await self._embedder.embed_tokens([query, *passages])]
        tokens = len(asked) + sum(map(len, told))
        return Scores(await asyncio.to_thread(max_sim, asked, told), Usage(input_tokens=tokens))

    async def close(self) -> None:
        """Nothing to give back: the embedder belongs to whoever made it."""


def max_sim(asked: Vectors, told: Sequence[Vectors]) -> Vectors:
    """float32[len(told)]: by token vectors float32[n, dim] of a question and of each passage; -1 where either has none.

    The weights are the lengths of the question's vectors.
    """
    import numpy as np

    values = np.full(len(told), -1.0, np.float32)
    lengths = np.linalg.norm(asked, axis=1)
    weights = lengths / lengths.sum() if lengths.any() else lengths
    directions = _unit(asked)
    for index, tokens in enumerate(told):
        if len(tokens) and weights.any():
            values[index] = float(weights @ (directions @ _unit(tokens).T).max(axis=1))
    return values


def _unit(vectors: Vectors) -> Vectors:
    import numpy as np

    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: Vectors = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
    return unit
