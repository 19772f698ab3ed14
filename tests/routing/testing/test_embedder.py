"""The suite must fail an embedder that breaks a promise: each class here breaks one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from routing.chat import Usage
from routing.models.embedded import EmbeddedEmbedder
from routing.testing.embedder import check_embedder
from routing.vectors import Embeddings


class Honest:
    """Passes everything on to a real embedder; the classes below spoil one thing each."""

    name = "test/honest"
    dim = 256
    max_tokens: int | None = None

    def __init__(self) -> None:
        self._real = EmbeddedEmbedder()
        self._calls = 0

    async def embed_queries(self, texts: Sequence[str]) -> Embeddings:
        return await self.embed_passages(texts)

    async def embed_passages(self, texts: Sequence[str]) -> Embeddings:
        self._calls += 1
        return self.spoil(texts, await self._real.embed_passages([self.read(text) for text in texts]))

    async def close(self) -> None:
        await self._real.close()

    def read(self, text: str) -> str:
        return text

    def spoil(self, texts: Sequence[str], result: Embeddings) -> Embeddings:
        return result


class BadName(Honest):
    name = "honest"


class WrongDim(Honest):
    dim = 128


class Doubles(Honest):
    def spoil(self, texts: Sequence[str], result: Embeddings) -> Embeddings:
        return replace(result, vectors=result.vectors.astype(np.float64))


class NotUnit(Honest):
    def spoil(self, texts: Sequence[str], result: Embeddings) -> Embeddings:
        return replace(result, vectors=result.vectors * 2)


class NotANumber(Honest):
    def spoil(self, texts: Sequence[str], result: Embeddings) -> Embeddings:
        return replace(result, vectors=result.vectors * np.float32("nan"))


class FillsEmpty(Honest):
    def read(self, text: str) -> str:
        return text or "nothing"


class Moody(Honest):
    def spoil(self, texts: Sequence[str], result: Embeddings) -> Embeddings:
        return replace(result, vectors=np.roll(result.vectors, self._calls, axis=1))


class Sorts(Honest):
    async def embed_passages(self, texts: Sequence[str]) -> Embeddings:
        return await self._real.embed_passages(sorted(texts, key=len))


class BatchCentred(Honest):
    def spoil(self, texts: Sequence[str], result: Embeddings) -> Embeddings:
        if len(texts) < 2:
            return result
        vectors = result.vectors - result.vectors.mean(axis=0) * (result.vectors.any(axis=1, keepdims=True))
        return replace(result, vectors=vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9))


class Constant(Honest):
    def read(self, text: str) -> str:
        return "always this" if text else ""


class Truncates(Honest):
    max_tokens = 64

    def read(self, text: str) -> str:
        return " ".join(text.split()[:64]) if len(text.split()) > 64 else text


class CutsAtAThousand(Honest):
    def read(self, text: str) -> str:
        return " ".join(text.split()[:1000]) if len(text.split()) > 1000 else text


class Free(Honest):
    def spoil(self, texts: Sequence[str], result: Embeddings) -> Embeddings:
        return replace(result, usage=Usage())


async def test_an_honest_embedder_passes() -> None:
    await check_embedder(Honest())


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (BadName, "provider/name"),
        (WrongDim, "shape"),
        (Doubles, "float32"),
        (NotUnit, "must have length 1"),
        (NotANumber, "must have length 1"),
        (FillsEmpty, "vector of zeros"),
        (Moody, "different vectors|moved its neighbours"),
        (Sorts, "order of the texts|vector of zeros"),
        (BatchCentred, "moved its neighbours|alone differs"),
        (Constant, "unrelated texts"),
        (Truncates, "end of a text"),
        (CutsAtAThousand, "end of a text"),
        (Free, "input_tokens"),
    ],
)
async def test_a_broken_promise_is_named(broken: type[Honest], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        await check_embedder(broken())
