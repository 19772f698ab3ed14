"""Reranks without a model: a passage is as good as its sentence that the extractive model would answer with."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from routing.chat import Evidence, Usage
from routing.errors import ModelError
from routing.models.extractive_features import read
from routing.models.extractive_rank import rank
from routing.models.extractive_weights import LEXICAL, WITH_WORDS, Weights
from routing.models.extractive_words import WordVectors
from routing.vectors import Embedder, Scores

NAME = "extractive/default"
_LEAST = -30.0  # of a passage that holds no sentence: well below every score there is
_BY_PLACE = "rank"  # the feature that goes by where a passage stands, which a reranker must not


class ExtractiveReranker:
    """The reranker "extractive/default": the log-odds of the best sentence of each passage. No key, no network.

    The weights are those of `routing.models.extractive`, fitted on sentences; `embedder` (static word vectors) lets it
    see that different words mean the same. Usage is zero.
    """

    name = NAME

    def __init__(self, *, embedder: Embedder | None = None) -> None:
        self._words = None if embedder is None else WordVectors(embedder)

    async def score(self, query: str, passages: Sequence[str]) -> Scores:
        """Score each passage; a score compares with those of the same call."""
        import numpy as np

        values = np.full(len(passages), _LEAST, np.float32)
        evidence = [Evidence(passage, "") for passage in passages]
        reading = await asyncio.to_thread(read, query, evidence)
        if reading is None:
            return Scores(values, Usage())
        weights, alignment = LEXICAL, None
        if self._words is not None:
            try:
                weights, alignment = WITH_WORDS, await self._words.align(reading)
            except ModelError:
                weights, alignment = LEXICAL, None  # the words alone are enough to rank
        ranking = rank(reading, _without_place(weights), alignment)
        places = np.asarray([candidate.passage for candidate in reading.candidates])
        np.maximum.at(values, places, np.asarray(ranking.scores, np.float32))
        return Scores(values, Usage())

    async def close(self) -> None:
        """Nothing to give back."""


def _without_place(weights: Weights) -> dict[str, float]:
    return {name: weight for name, weight in weights.rank.items() if name != _BY_PLACE}
