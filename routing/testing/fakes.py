"""Fake models for tests: they answer what they are told, remember what they were asked, and need no network.

The scripted chat model is in `routing.testing.scripted`, and is found here, too.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable, Sequence

from plumbline.text.tokens import estimate_tokens
from routing.chat import Usage
from routing.errors import ModelError
from routing.testing.scripted import BreaksOff, OneOf, Reply, ScriptedChatModel
from routing.vectors import Embeddings, Scores

__all__ = [
    "BreaksOff",
    "FakeEmbedder",
    "FakeReranker",
    "OneOf",
    "Reply",
    "Scored",
    "ScriptedChatModel",
    "ScriptedReranker",
    "hashed_vector",
    "shared_words",
]


class FakeEmbedder:
    """The embedder "scripted/hashing": texts that share words have near vectors, the same on every machine."""

    name = "scripted/hashing"
    max_tokens: int | None = None

    def __init__(self, dim: int = 64) -> None:
        self.dim = dim
        self.texts: list[str] = []
        self.closed = False

    async def embed_queries(self, texts: Sequence[str]) -> Embeddings:
        """Embed texts that ask."""
        return self._embed(texts)

    async def embed_passages(self, texts: Sequence[str]) -> Embeddings:
        """Embed texts that are searched."""
        return self._embed(texts)

    async def close(self) -> None:
        """Sets `closed`."""
        self.closed = True

    def _embed(self, texts: Sequence[str]) -> Embeddings:
        import numpy as np

        self.texts.extend(texts)
        rows = [hashed_vector(text, self.dim) for text in texts]
        vectors = np.asarray(rows, np.float32).reshape(len(texts), self.dim)
        return Embeddings(vectors, Usage(input_tokens=sum(map(estimate_tokens, texts)), estimated=True))


class FakeReranker:
    """The reranker "scripted/overlap": the score is the share of the query's words that a passage has."""

    name = "scripted/overlap"

    def __init__(self) -> None:
        self.queries: list[str] = []
        self.closed = False

    async def score(self, query: str, passages: Sequence[str]) -> Scores:
        """Score each passage in [0, 1]."""
        import numpy as np

        self.queries.append(query)
        values = [shared_words(query, passage) for passage in passages]
        read = estimate_tokens(query) * len(passages) + sum(map(estimate_tokens, passages))
        return Scores(np.asarray(values, np.float32), Usage(input_tokens=read, estimated=True))

    async def close(self) -> None:
        """Sets `closed`."""
        self.closed = True


Scored = Sequence[float] | ModelError | Callable[[str, Sequence[str]], Sequence[float]]
"""What a scripted reranker does with one call: gives these scores, raises, or asks a function."""


class ScriptedReranker:
    """The reranker "scripted/…": gives `replies` in order, the last one again and again, at `searches` a call.

    `calls` has the query and the passages of every call.
    """

    def __init__(self, *replies: Scored, name: str = "scripted/rerank", searches: int = 1) -> None:
        if not replies:
            raise ValueError("a scripted reranker needs at least one reply")
        self.name = name
        self.calls: list[tuple[str, tuple[str, ...]]] = []
        self.closed = False
        self._replies = list(replies)
        self._searches = searches

    async def score(self, query: str, passages: Sequence[str]) -> Scores:
        """The next reply; raises it if it is a `ModelError`."""
        import numpy as np

        self.calls.append((query, tuple(passages)))
        reply = self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]
        if isinstance(reply, ModelError):
            raise reply
        values = reply(query, passages) if callable(reply) else reply
        return Scores(np.asarray(values, np.float32), Usage(searches=self._searches))

    async def close(self) -> None:
        """Sets `closed`."""
        self.closed = True


def shared_words(query: str, passage: str) -> float:
    """The share of the query's words that the passage has."""
    wanted = set(_words(query))
    return len(wanted & set(_words(passage))) / max(len(wanted), 1)


def hashed_vector(text: str, dim: int) -> list[float]:
    """A unit vector of `dim` numbers made of the text's words by feature hashing; zeros for a text without characters.

    Source: Weinberger et al., "Feature Hashing for Large Scale Multitask Learning" (2009): each word adds its sign to
    one place.
    """
    vector = [0.0] * dim
    for word in _words(text):
        digest = hashlib.blake2b(word.encode(), digest_size=8).digest()
        place = int.from_bytes(digest[:7], "big") % dim
        vector[place] += 1.0 if digest[7] & 1 else -1.0
    length = math.sqrt(sum(number * number for number in vector))
    if length == 0.0:  # words that cancel out keep a direction, an empty text does not
        return [float(bool(text) and place == 0) for place in range(dim)]
    return [number / length for number in vector]


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower()) or ([text] if text else [])
