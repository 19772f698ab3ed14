"""Reads texts token by token through a sentence-transformers model, also texts longer than the model reads at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from routing.errors import ModelError
from routing.vectors import TokenEmbeddings

if TYPE_CHECKING:
    from routing.vectors import Vectors

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Window:
    """text[start:end] is read at once; the tokens that begin in text[kept_from:kept_to] are taken from it."""

    start: int
    end: int
    kept_from: int
    kept_to: int


class TokenReader:
    """Reads through `model`, with `prompt` before each window of at most `room` tokens (`None`: no limit).

    Windows overlap by half; a token's vector is taken from the window in which it stands nearer to the middle, so that
    the model saw what stands on both sides of it. Raises `ModelError` for a tokenizer that does not tell where its
    tokens stand, and when the model fails.
    """

    def __init__(self, model: Any, name: str, *, prompt: str, room: int | None, batch_size: int) -> None:
        if not getattr(model.tokenizer, "is_fast", False):
            raise ModelError(f"The tokenizer of {name} does not tell where its tokens stand.", model=name)
        self._model = model
        self._name = name
        self._prompt = prompt
        self._room = room
        self._batch_size = batch_size

    def read(self, text: str, dim: int) -> TokenEmbeddings:
        """The tokens of `text` and their vectors, float32[n, dim]."""
        import numpy as np

        windows = self._windows(text)
        texts = [self._prompt + text[window.start : window.end] for window in windows]
        spans: list[Span] = []
        rows: list[Vectors] = [np.zeros((0, dim), np.float32)]
        for window, read, vectors in zip(windows, texts, self._encode(texts), strict=True):
            kept = []
            for index, (start, end) in self._tokens(read)[: len(vectors)]:
                at = window.start + start - len(self._prompt)
                if window.kept_from <= at < window.kept_to:
                    kept.append(index)
                    spans.append((at, window.start + end - len(self._prompt)))
            rows.append(vectors[kept])
        if rows[-1].shape[1] != dim:
            raise ModelError(
                f"{self._name} has token vectors of another length ({rows[-1].shape[1]}) than text vectors ({dim}).",
                model=self._name,
                hint="Late chunking needs a model that pools its tokens by their mean.",
            )
        return TokenEmbeddings(np.concatenate(rows), tuple(spans))

    def _windows(self, text: str) -> list[_Window]:
        tokens = [span for _, span in self._tokens(text)]
        if not tokens:
            return []
        if self._room is None or len(tokens) <= self._room:
            return [_Window(0, len(text), 0, len(text))]
        step = max(self._room // 2, 1)
        firsts = list(range(0, len(tokens) - self._room + step, step))
        windows = []
        for first in firsts:
            last = min(first + self._room, len(tokens)) - 1
            kept_from = 0 if first == 0 else tokens[first + step // 2][0]
            kept_to = len(text) if first == firsts[-1] else tokens[first + step + step // 2][0]
            windows.append(_Window(tokens[first][0], tokens[last][1], kept_from, kept_to))
        return windows

    def _tokens(self, text: str) -> list[tuple[int, Span]]:
        """The (position, span) of each token that stands for characters of `text`; special ones are left out."""
        found = self._model.tokenizer(
            text, return_offsets_mapping=True, return_special_tokens_mask=True, truncation=False, verbose=False
        )
        marks = zip(found["offset_mapping"], found["special_tokens_mask"], strict=True)
        return [
            (index, tuple(span)) for index, (span, special) in enumerate(marks) if not special and span[0] < span[1]
        ]

    def _encode(self, texts: list[str]) -> list[Vectors]:
        import numpy as np

        if not texts:
            return []
        try:
            found = self._model.encode(
                texts, prompt="", output_value="token_embeddings", batch_size=self._batch_size, show_progress_bar=False
            )
        except RuntimeError as error:  # torch's: out of memory, a device that went away
            raise ModelError(f"The model {self._name} failed: {error}", model=self._name) from error
        return [np.asarray(vectors.cpu(), np.float32) for vectors in found]
