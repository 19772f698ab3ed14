"""Embedders and rerankers that record what others do, and that do it again without them.

They use the same tapes as `routing.testing.recording`, by call: who replays must hand over the same texts together.
"""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from routing.chat import Usage
from routing.errors import ModelError
from routing.testing.tape import (
    NUMBERS,
    Line,
    LineKind,
    Tape,
    error_to_json,
    key_of,
    usage_of,
    usage_to_json,
    write_line,
)
from routing.vectors import Embedder, Embeddings, Reranker, Scores

if TYPE_CHECKING:
    from routing.vectors import Vectors

Result = TypeVar("Result", Embeddings, Scores)


class RecordingEmbedder:
    """Asks `embedder`, and adds what it gives, or raises, to the tape at `path`, which may exist."""

    def __init__(self, embedder: Embedder, path: str | Path) -> None:
        self._embedder = embedder
        self._path = Path(path)

    @property
    def name(self) -> str:
        """The recorded embedder's name."""
        return self._embedder.name

    @property
    def dim(self) -> int:
        """The length of a vector."""
        return self._embedder.dim

    @property
    def max_tokens(self) -> int | None:
        """How much text one window holds; `None`: no limit."""
        return self._embedder.max_tokens

    async def embed_queries(self, texts: Sequence[str]) -> Embeddings:
        """The embedder's vectors of texts that ask."""
        return await self._record("queries", self._embedder.embed_queries, texts)

    async def embed_passages(self, texts: Sequence[str]) -> Embeddings:
        """The embedder's vectors of texts that are searched."""
        return await self._record("passages", self._embedder.embed_passages, texts)

    async def close(self) -> None:
        """Close the embedder."""
        await self._embedder.close()

    async def _record(
        self, kind: LineKind, embed: Callable[[Sequence[str]], Awaitable[Embeddings]], texts: Sequence[str]
    ) -> Embeddings:
        described = {"dim": self.dim, "max_tokens": self.max_tokens}
        record = _Record(self._path, kind, self.name, _texts(texts), described)
        return await record.of(embed(texts), _embeddings_to_json)


class ReplayingEmbedder:
    """Gives the vectors that the tape at `path` says that the embedder gave; `model` names one of several on it."""

    def __init__(self, path: str | Path, *, model: str | None = None) -> None:
        self._tape = Tape(path, ("queries", "passages"), model)
        self.dim = next((line.dim for line in self._tape.lines if line.dim is not None), 0)
        self.max_tokens = self._tape.lines[0].max_tokens

    @property
    def name(self) -> str:
        """The recorded embedder's name."""
        return self._tape.model

    async def embed_queries(self, texts: Sequence[str]) -> Embeddings:
        """The recorded vectors of texts that ask; raises what was recorded as raised."""
        return _embeddings(self._tape.play("queries", _texts(texts)))

    async def embed_passages(self, texts: Sequence[str]) -> Embeddings:
        """The recorded vectors of texts that are searched; raises what was recorded as raised."""
        return _embeddings(self._tape.play("passages", _texts(texts)))

    async def close(self) -> None:
        """Nothing to give back."""


class RecordingReranker:
    """Asks `reranker`, and adds what it gives, or raises, to the tape at `path`, which may exist."""

    def __init__(self, reranker: Reranker, path: str | Path) -> None:
        self._reranker = reranker
        self._path = Path(path)

    @property
    def name(self) -> str:
        """The recorded reranker's name."""
        return self._reranker.name

    async def score(self, query: str, passages: Sequence[str]) -> Scores:
        """The reranker's scores."""
        record = _Record(self._path, "rerank", self.name, _asked(query, passages), {})
        return await record.of(self._reranker.score(query, passages), _scores_to_json)

    async def close(self) -> None:
        """Close the reranker."""
        await self._reranker.close()


class ReplayingReranker:
    """Gives the scores that the tape at `path` says that the reranker gave; `model` names one of several on it."""

    def __init__(self, path: str | Path, *, model: str | None = None) -> None:
        self._tape = Tape(path, ("rerank",), model)

    @property
    def name(self) -> str:
        """The recorded reranker's name."""
        return self._tape.model

    async def score(self, query: str, passages: Sequence[str]) -> Scores:
        """The recorded scores; raises what was recorded as raised."""
        import numpy as np

        said = self._tape.play("rerank", _asked(query, passages)).response or {}
        return Scores(np.asarray(said.get("values", ()), np.float32), _usage(said))

    async def close(self) -> None:
        """Nothing to give back."""


@dataclass(frozen=True, slots=True)
class _Record:
    path: Path
    kind: LineKind
    model: str
    request: dict[str, Any]
    described: dict[str, int | None]

    async def of(self, call: Awaitable[Result], to_json: Callable[[Result], dict[str, Any]]) -> Result:
        """What `call` gives, or raises, once it is on the tape."""
        try:
            result = await call
        except ModelError as error:
            self._write(error=error_to_json(error))
            raise
        self._write(response=to_json(result))
        return result

    def _write(self, **outcome: dict[str, Any]) -> None:
        key = key_of(self.kind, self.model, self.request)
        line = {"kind": self.kind, "model": self.model, "key": key, "request": self.request}
        write_line(self.path, Line.model_validate(line | outcome | self.described))


def _texts(texts: Sequence[str]) -> dict[str, Any]:
    return {"texts": list(texts)}


def _asked(query: str, passages: Sequence[str]) -> dict[str, Any]:
    return {"query": query, "passages": list(passages)}


def _embeddings_to_json(embeddings: Embeddings) -> dict[str, Any]:
    """The vectors in base64: half a page of digits per text reads no better, and takes three times as much."""
    rows, columns = embeddings.vectors.shape
    data = base64.b64encode(embeddings.vectors.astype("<f4").tobytes()).decode()
    return {"shape": [rows, columns], NUMBERS: data, "usage": usage_to_json(embeddings.usage)}


def _embeddings(line: Line) -> Embeddings:
    import numpy as np

    said = line.response or {}
    vectors: Vectors = np.frombuffer(base64.b64decode(said.get(NUMBERS, "")), "<f4").astype(np.float32)
    return Embeddings(vectors.reshape(said.get("shape", (0, 0))), _usage(said))


def _scores_to_json(scores: Scores) -> dict[str, Any]:
    return {"values": [float(value) for value in scores.values], "usage": usage_to_json(scores.usage)}


def _usage(said: dict[str, Any]) -> Usage:
    return usage_of(said.get("usage", {}))
