"""The contracts of embedders and rerankers. Whatever a call returns carries its usage, so that it can be priced.

The conformance suites are `routing.testing.embedder` and `routing.testing.reranker`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from routing.chat import Usage

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Embeddings:
    """`vectors` is float32 of shape [n, dim], row i for text i, each of unit length (all zeros for an empty text)."""

    vectors: Vectors
    usage: Usage


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """`values` is float32 of shape [n], value i for passage i; higher is more relevant."""

    values: Vectors
    usage: Usage


class Embedder(Protocol):
    """Turns texts into vectors. `name` is "provider/name", `dim` the length of a vector.

    Texts longer than `max_tokens` (`None`: no limit) are windowed and pooled, never silently cut. Raises
    `routing.errors.ModelError`.
    """

    @property
    def name(self) -> str:
        """The name, "provider/name"."""
        ...

    @property
    def dim(self) -> int:
        """The length of a vector."""
        ...

    @property
    def max_tokens(self) -> int | None:
        """How much text one window holds; `None`: no limit."""
        ...

    async def embed_queries(self, texts: Sequence[str]) -> Embeddings:
        """Embed texts that ask."""
        ...

    async def embed_passages(self, texts: Sequence[str]) -> Embeddings:
        """Embed texts that are searched."""
        ...

    async def close(self) -> None:
        """Give back connections and memory; the embedder is not used afterwards."""
        ...


class RequestingEmbedder(Embedder, Protocol):
    """An embedder whose requests hold only so much: who calls it may send each by itself, several at a time."""

    def requests(self, texts: Sequence[str]) -> list[list[int]]:
        """The positions of `texts` in groups, in order; what is embedded of one group takes one request.

        A text too long for one request is alone in its group and takes several.
        """
        ...


@dataclass(frozen=True, slots=True, eq=False)
class TokenEmbeddings:
    """One text token by token: `vectors` is float32 of shape [n, dim], row i for text[spans[i][0]:spans[i][1]]."""

    vectors: Vectors
    spans: tuple[tuple[int, int], ...]


class TokenEmbedder(Protocol):
    """Gives one vector per token, for late chunking and late interaction (MaxSim); vectors are not of unit length."""

    @property
    def name(self) -> str:
        """The name, "provider/name"."""
        ...

    async def embed_tokens(self, texts: Sequence[str]) -> list[TokenEmbeddings]:
        """The tokens of each text, in order; raises `routing.errors.ModelError`."""
        ...


class Reranker(Protocol):
    """Scores passages against a query, more exactly and more slowly than the search did."""

    @property
    def name(self) -> str:
        """The name, "provider/name"."""
        ...

    async def score(self, query: str, passages: Sequence[str]) -> Scores:
        """Score each passage; raises `routing.errors.ModelError`."""
        ...

    async def close(self) -> None:
        """Give back connections and memory; the reranker is not used afterwards."""
        ...
