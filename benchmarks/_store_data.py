"""Points and questions for the benchmarks of stores, the same for the same seed, made some at a time.

Vectors are a mixture of topics in a space whose spectrum decays, with the constants at which 20,000 of them have the
mean and the spread of cosines, the cosine to the nearest and to the tenth nearest, the eigenvalues and the recall of
one-bit codes of 30,000 sentences of SciFact by all-MiniLM-L6-v2. Words are drawn by Zipf's law, with repetitions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
import numpy.typing as npt

from rag.index.store import Point

Floats = npt.NDArray[np.float32]

AT_ONCE = 1000
TOPICS = 1500
TOPIC, NOISE, DECAY, MEAN = 0.6, 0.5, 0.35, 0.2
VOCABULARY, ZIPF, SHIFT = 100_000, 1.05, 30
WORDS = (50, 120)
REPEATED = 0.2
BUCKETS = 1000
"""The payload's `bucket` is below 500 for half of the points, below 50 for 5 %, 0 for .1 %."""


@dataclass(frozen=True)
class Question:
    """What is asked: a vector, float32[dim] of unit length, and some words of a text."""

    vector: Floats
    text: str


@dataclass(frozen=True)
class StoreData:
    """`count` points of dimension `dim`; `vectors`, float32[any, dim], are taken in the place of made ones."""

    count: int
    dim: int = 384
    seed: int = 0
    vectors: Floats | None = None

    def batches(self) -> Iterator[list[Point]]:
        """The points, some at a time."""
        for start in range(0, self.count, AT_ONCE):
            size = min(AT_ONCE, self.count - start)
            rng = np.random.default_rng([self.seed, 1, start])
            vectors = self._made(rng, size) if self.vectors is None else self.vectors[start : start + size]
            buckets = rng.integers(0, BUCKETS, size).tolist()
            texts = self._texts(rng, size)
            payloads = [_payload(number, bucket) for number, bucket in enumerate(buckets, start)]
            rows = zip(range(start, start + size), vectors, texts, payloads, strict=True)
            yield [Point(f"{number:016x}", vector, text, payload) for number, vector, text, payload in rows]

    def questions(self, count: int) -> list[Question]:
        """Questions that are not among the points: vectors of the same mixture, words of a text of the same kind."""
        rng = np.random.default_rng([self.seed, 2])
        held_out = self.vectors is not None and len(self.vectors) >= self.count + count
        vectors = self.vectors[-count:] if self.vectors is not None and held_out else self._made(rng, count)
        texts = [text.split() for text in self._texts(rng, count)]
        return [
            Question(vector, " ".join(rng.choice(words, rng.integers(5, 10), replace=False)))
            for vector, words in zip(vectors, texts, strict=True)
        ]

    def matrix(self) -> Floats:
        """All vectors, float32[count, dim]."""
        return np.concatenate([np.stack([point.vector for point in batch]) for batch in self.batches()])

    def _made(self, rng: np.random.Generator, size: int) -> Floats:
        mean, topics, basis = self._space
        drawn = topics[rng.choice(TOPICS, size, p=self._popularity)]
        made: Floats = mean + TOPIC * drawn + NOISE * (rng.normal(size=(size, self.dim)).astype(np.float32) @ basis)
        made /= np.linalg.norm(made, axis=1, keepdims=True)
        return made

    def _texts(self, rng: np.random.Generator, size: int) -> list[str]:
        lengths = rng.integers(*WORDS, size)
        drawn = np.searchsorted(self._frequency, rng.random(int(lengths.sum()))).clip(max=VOCABULARY - 1)
        again = np.flatnonzero(rng.random(len(drawn)) < REPEATED)
        drawn[again] = drawn[np.maximum(again - rng.integers(1, 8, len(again)), 0)]
        words, ends = self._words[drawn].tolist(), np.cumsum(lengths).tolist()
        return [" ".join(words[start:end]) for start, end in zip([0, *ends], ends, strict=False)]

    @cached_property
    def _space(self) -> tuple[Floats, Floats, Floats]:
        rng = np.random.default_rng([self.seed, 3])
        spread = np.arange(1, self.dim + 1) ** -DECAY
        rotation = np.linalg.qr(rng.normal(size=(self.dim, self.dim)))[0]
        basis = (rotation * (spread / np.linalg.norm(spread))[:, None]).astype(np.float32)
        mean = np.float32(MEAN) * (rng.normal(size=self.dim).astype(np.float32) @ basis)
        return mean, rng.normal(size=(TOPICS, self.dim)).astype(np.float32) @ basis, basis

    @cached_property
    def _popularity(self) -> npt.NDArray[np.float64]:
        weights = np.arange(1, TOPICS + 1, dtype=np.float64) ** -0.7
        popular: npt.NDArray[np.float64] = weights / weights.sum()
        return popular

    @cached_property
    def _frequency(self) -> npt.NDArray[np.float64]:
        weights = (np.arange(VOCABULARY) + SHIFT) ** -ZIPF
        cumulated: npt.NDArray[np.float64] = np.cumsum(weights / weights.sum())
        return cumulated

    @cached_property
    def _words(self) -> npt.NDArray[np.object_]:
        syllables = ["".join(parts) for parts in product("bdfgklmnprstvz", "aeiou")]
        made = ["".join(parts) for parts in product(syllables, repeat=3)]
        order = np.random.default_rng(4).permutation(len(made))[:VOCABULARY]
        return np.array([made[number] for number in order], object)


def _payload(number: int, bucket: int) -> dict[str, object]:
    document = number // 20
    return {
        "source_document": f"report-{document:06}.pdf",
        "source": f"/documents/{document // 100}/report-{document:06}.pdf",
        "document_id": f"{document * 2654435761 % 2**64:016x}",
        "page_number": number % 20 + 1,
        "date_created": f"{2000 + document % 25}-{1 + document % 12:02}-01",
        "media_type": "application/pdf",
        "language": "en",
        "bucket": bucket,
    }
