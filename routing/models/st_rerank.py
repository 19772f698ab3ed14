"""Cross-encoders through sentence-transformers: query and passage are read together, one score each pair.

The kind of model: Nogueira & Cho, "Passage Re-ranking with BERT" (2019).
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plumbline.extras import require
from routing.chat import Usage
from routing.errors import ModelError, ModelNotFoundError
from routing.models.rerank_windows import LEAST_WINDOW, Windowed, windowed
from routing.vectors import Scores

if TYPE_CHECKING:
    from routing.vectors import Vectors

_NO_LIMIT = 10**9  # tokens: tokenizers without a limit say 1e30 or infinity


class CrossEncoderReranker:
    """The reranker "st/MODEL"; scores are the model's own, in [0, 1] for most.

    `model` is a hub name or a folder, `device` one of torch's ("cpu", "cuda"; `None`: the best there is). Loads at
    first use. A passage longer than the model reads beside the query is cut into windows and counts by the best one; a
    query that leaves less than a quarter of the room to the passage is cut by the model. One thread of its own runs the
    model, so the event loop stays free and calls queue. Raises `MissingExtraError` without the extra,
    `ModelNotFoundError` when the model cannot be loaded or gives several scores, and `ModelError` when it fails.
    """

    def __init__(self, model: str | Path, *, device: str | None = None, batch_size: int = 32) -> None:
        self.name = f"st/{model}"
        self._source = str(model)
        self._device = device
        self._batch_size = batch_size
        self._model: Any = None
        self._lock = threading.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="cross-encoder")

    @property
    def max_tokens(self) -> int | None:
        """The tokens of query and passage that are read together, special ones included; `None`: no limit."""
        limit = self._loaded().max_seq_length
        return int(limit) if limit is not None and limit < _NO_LIMIT else None

    async def score(self, query: str, passages: Sequence[str]) -> Scores:
        """Score each passage."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._score, query, list(passages))

    async def close(self) -> None:
        """Forget the model and end its thread."""
        self._thread.shutdown(wait=False, cancel_futures=True)
        self._model = None

    def _loaded(self) -> Any:
        with self._lock:
            if self._model is None:
                self._model = self._load()
            return self._model

    def _load(self) -> Any:
        package = require("sentence_transformers", "st")
        try:
            model = package.CrossEncoder(self._source, device=self._device)
        except (OSError, ValueError) as error:
            raise ModelNotFoundError(
                f"The model {self._source!r} cannot be loaded: {str(error).partition(chr(10))[0]}",
                model=self.name,
                hint="Give a folder that holds one, or a name on the hub while it is reachable.",
            ) from error
        if model.num_labels != 1:
            raise ModelNotFoundError(
                f"The model {self._source!r} gives {model.num_labels} numbers for a pair, not one score.",
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
        counter = _Counter(self._loaded().tokenizer)
        asked, limit = counter.count(query), self.max_tokens
        if limit is None:
            return windowed(passages, None, counter), asked
        room = limit - counter.special - asked
        return windowed(passages, max(room, limit // 4, LEAST_WINDOW), counter), asked

    def _predict(self, pairs: list[tuple[str, str]]) -> Vectors:
        import numpy as np

        try:
            values = self._loaded().predict(pairs, batch_size=self._batch_size, show_progress_bar=False)
        except RuntimeError as error:  # torch's: out of memory, a device that went away
            raise ModelError(f"The model {self._source!r} failed: {error}", model=self.name) from error
        return np.asarray(values, np.float32).reshape(len(pairs))


class _Counter:
    """Counts tokens with the model's own tokenizer; `special` are those around a pair."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self.special = int(tokenizer.num_special_tokens_to_add(pair=True))

    def count(self, text: str) -> int:
        """The tokens of `text`, special ones left out."""
        return len(self._tokenizer.encode(text, add_special_tokens=False, truncation=False, verbose=False))
