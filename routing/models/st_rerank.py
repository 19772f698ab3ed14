"""Cross-encoders through sentence-transformers: query and passage are read together, one score each pair.

The kind of model: Nogueira & Cho, "Passage Re-ranking with BERT" (2019).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from routing.chat import Usage
from routing.errors import ModelNotFoundError
from routing.models.rerank_windows import LEAST_WINDOW, Windowed, windowed
from routing.models.st_model import StModel, TokenCounter
from routing.vectors import Scores

if TYPE_CHECKING:
    from routing.vectors import Vectors


class CrossEncoderReranker:
    """The reranker "st/MODEL"; scores are the model's own, in [0, 1] for most.

    `model` is a hub name or a folder, `device` one of torch's ("cpu", "cuda"; `None`: the best there is). Loads at
    first use. A passage longer than the model reads beside the query is cut into windows and counts by the best one; a
    query that leaves less than a quarter of the room to the passage is cut by the model. One thread of its own runs the
    model, so the event loop stays free and calls queue. Raises `MissingExtraError` without the extra,
    `ModelNotFoundError` when the model cannot be loaded or gives several scores, and `ModelError` when it fails.
    """

    def __init__(self, model: str | Path, *, device: str | None = None, batch_size: int = 32) -> None:
        self._model = StModel(model, "CrossEncoder", device=device)
        self.name = self._model.name
        self._batch_size = batch_size

    @property
    def max_tokens(self) -> int | None:
        """The tokens of query and passage that are read together, special ones included; `None`: no limit."""
        self._loaded()
        return self._model.max_tokens

    async def score(self, query: str, passages: Sequence[str]) -> Scores:
        """Score each passage."""
        return await self._model.run(self._score, query, list(passages))

    async def close(self) -> None:
        """Forget the model and end its thread."""
        await self._model.close()

    def _loaded(self) -> Any:
        model = self._model.loaded()
        if model.num_labels != 1:
            raise ModelNotFoundError(
                f"The model {self._model.source!r} gives {model.num_labels} numbers for a pair, not one score.",
                model=self.name,
                hint="Name a cross-encoder that was trained to rank, such as 'cross-encoder/ms-marco-MiniLM-L6-v2'.",
            )
        return model

    def _score(self, query: str, passages: list[str]) -> Scores:
        import numpy as np

        if not passages:
            return Scores(np.zeros(0, np.float32), Usage())
        found, asked = self._windowed(query, passages)
        values = self._predict([(query, text) for text in found.texts])
        usage = Usage(input_tokens=found.tokens + asked * len(found.texts))
        return Scores(found.best(values, len(passages)), usage)

    def _windowed(self, query: str, passages: Sequence[str]) -> tuple[Windowed, int]:
        """The passages in windows that fit beside the query, and the tokens of the query."""
        counter = TokenCounter(self._loaded().tokenizer, pair=True)
        asked, limit = counter.count(query), self.max_tokens
        if limit is None:
            return windowed(passages, None, counter), asked
        room = limit - counter.special - asked
        return windowed(passages, max(room, limit // 4, LEAST_WINDOW), counter), asked

    def _predict(self, pairs: list[tuple[str, str]]) -> Vectors:
        import numpy as np

        with self._model.running():
            values = self._loaded().predict(pairs, batch_size=self._batch_size, show_progress_bar=False)
        return np.asarray(values, np.float32).reshape(len(pairs))
