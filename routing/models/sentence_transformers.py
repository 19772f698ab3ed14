"""Any sentence-transformers model, by its name on the hub or from a local folder; needs the extra `st`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from routing.chat import Usage
from routing.models.st_model import StModel, TokenCounter
from routing.models.token_windows import TokenReader
from routing.vectors import Embeddings, TokenEmbeddings

if TYPE_CHECKING:
    from routing.vectors import Vectors

_PASSAGE_PROMPTS = ("document", "passage", "corpus")
_REACH = 40  # characters within which a window's end is moved back to white space


class SentenceTransformersEmbedder:
    """The embedder "st/MODEL". Texts go through the model's own "query" and "document" (or "passage") prompts.

    `model` is a hub name or a folder, `device` one of torch's ("cpu", "cuda"; `None`: the best there is). Loads at
    first use, and reading `dim` or `max_tokens` is a use. A text longer than the model reads is cut into windows of
    about equal length, at white space, whose vectors are averaged by tokens. One thread of its own runs the model, so
    the event loop stays free and calls queue. Raises `MissingExtraError` without the extra, `ModelNotFoundError` when
    the model cannot be loaded and `ModelError` when it fails.
    """

    def __init__(self, model: str | Path, *, device: str | None = None, batch_size: int = 32) -> None:
        self._model = StModel(model, "SentenceTransformer", device=device)
        self.name = self._model.name
        self._batch_size = batch_size

    @property
    def dim(self) -> int:
        """The length of a vector."""
        model = self._model.loaded()
        dimension = getattr(model, "get_embedding_dimension", None) or model.get_sentence_embedding_dimension
        return int(dimension())

    @property
    def max_tokens(self) -> int | None:
        """The tokens the model reads at once, special ones included; `None` when it has no limit."""
        return self._model.max_tokens

    async def embed_queries(self, texts: Sequence[str]) -> Embeddings:
        """Embed texts that ask, with the model's "query" prompt if it has one."""
        return await self._run("encode_query", ("query",), texts)

    async def embed_passages(self, texts: Sequence[str]) -> Embeddings:
        """Embed texts that are searched, with the model's "document" or "passage" prompt if it has one."""
        return await self._run("encode_document", _PASSAGE_PROMPTS, texts)

    async def embed_tokens(self, texts: Sequence[str]) -> list[TokenEmbeddings]:
        """One vector per token, of texts of any length: windows overlap by half. A `TokenEmbedder`."""
        return await self._model.run(self._embed_tokens, list(texts))

    async def close(self) -> None:
        """Forget the model and end its thread."""
        await self._model.close()

    async def _run(self, method: str, prompts: Sequence[str], texts: Sequence[str]) -> Embeddings:
        return await self._model.run(self._embed, method, prompts, list(texts))

    def _embed(self, method: str, prompts: Sequence[str], texts: list[str]) -> Embeddings:
        import numpy as np

        model = self._model.loaded()
        tokenizer = TokenCounter(model.tokenizer)
        _, room = self._prompt_and_room(prompts)
        windows = [(row, *window) for row, text in enumerate(texts) for window in _windows(text, room, tokenizer)]
        pooled = np.zeros((len(texts), self.dim), np.float32)
        if windows:
            found = self._encode(getattr(model, method), [text for _, text, _ in windows])
            for (row, _, tokens), vector in zip(windows, found, strict=True):
                pooled[row] += max(tokens, 1) * vector
        lengths = np.linalg.norm(pooled, axis=1, keepdims=True)
        np.divide(pooled, lengths, out=pooled, where=lengths > 0)
        return Embeddings(pooled, Usage(input_tokens=sum(tokens for _, _, tokens in windows)))

    def _embed_tokens(self, texts: list[str]) -> list[TokenEmbeddings]:
        model = self._model.loaded()
        prompt, room = self._prompt_and_room(_PASSAGE_PROMPTS)
        reader = TokenReader(model, self.name, prompt=prompt, room=room, batch_size=self._batch_size)
        return [reader.read(text, self.dim) for text in texts]

    def _prompt_and_room(self, prompts: Sequence[str]) -> tuple[str, int | None]:
        """The model's own prompt, and how many tokens of text it reads behind that."""
        model = self._model.loaded()
        tokenizer = TokenCounter(model.tokenizer)
        prompt = next((model.prompts[name] for name in prompts if model.prompts.get(name)), "")
        limit = self.max_tokens
        return prompt, None if limit is None else max(limit - tokenizer.special - tokenizer.count(prompt), 1)

    def _encode(self, encode: Any, texts: list[str]) -> Vectors:
        import numpy as np

        with self._model.running():
            vectors = encode(texts, batch_size=self._batch_size, normalize_embeddings=True, show_progress_bar=False)
        return np.asarray(vectors, np.float32)


def _windows(text: str, room: int | None, tokenizer: TokenCounter) -> list[tuple[str, int]]:
    """`text` as (window, tokens) pairs of at most `room` tokens each; none for white space.

    Every window is counted again on its own, because a cut can change how its ends are tokenized.
    """
    if not text.strip():
        return []
    tokens = tokenizer.count(text)
    if room is None or tokens <= room or len(text) < 2:
        return [(text, tokens)]
    parts = math.ceil(tokens / room)
    found: list[tuple[str, int]] = []
    start = 0
    for part in range(1, parts + 1):
        end = len(text) if part == parts else _before_word(text, start, len(text) * part // parts)
        found.extend(_windows(text[start:end], room, tokenizer))
        start = end
    return found


def _before_word(text: str, start: int, end: int) -> int:
    """The end of a window: after the last white space shortly before `end`, or `end` itself."""
    for place in range(end, max(start, end - _REACH), -1):
        if text[place - 1].isspace():
            return place
    return end
