"""Makes text without meaning but with the statistics of English: Zipf's law with Mandelbrot's correction, words that
come in bursts, chunks of unequal length. The same for the same seed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

VOCABULARY = 300_000
WORDS = 85  # of a chunk, mean: what 120 running words leave when function words are dropped
QUERY_WORDS = (6, 12)
_AT_ONCE = 20_000
_SHIFT, _EXPONENT, _REPEATED = 30, 1.05, 0.22

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Corpus:
    """Chunks as numbers of words, row after row: chunk n is `words[bounds[n]:bounds[n + 1]]`; and queries."""

    words: npt.NDArray[np.int32]
    bounds: Ints
    queries: tuple[tuple[str, ...], ...]

    def __len__(self) -> int:
        return len(self.bounds) - 1

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """What `LexicalIndex.from_arrays` takes."""
        lengths = np.diff(self.bounds)
        keys = self.words.astype(np.int64) * len(self) + np.repeat(np.arange(len(self)), lengths)
        keys.sort()
        first = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
        counts = np.diff(np.concatenate([first, [len(keys)]]))
        terms, chunks = np.divmod(keys[first], len(self))
        used, sizes = np.unique(terms, return_counts=True)
        return {
            "format": np.array([2]),
            "vocabulary": np.frombuffer("".join(map(word, used.tolist())).encode(), np.uint8),
            "vocabulary_ends": np.arange(1, len(used) + 1, dtype=np.int64) * len(word(0)),
            "indptr": np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
            "chunks": chunks.astype(np.int32),
            "frequencies": (counts * 16).astype(np.uint16),
            "lengths": (lengths * 16).astype(np.int32),
            "alive": np.ones(len(self), np.bool_),
            "languages": np.zeros(len(self), np.uint8),
            "language_names": np.zeros(0, np.uint8),
        }

    def texts(self) -> Iterator[list[str]]:
        """Each chunk as words."""
        for start, end in zip(self.bounds.tolist(), self.bounds[1:].tolist(), strict=False):
            yield [word(number) for number in self.words[start:end].tolist()]


def word(number: int) -> str:
    """A word as it is written."""
    return f"w{number:06}"


def corpus(chunks: int, queries: int = 200, seed: int = 0) -> Corpus:
    """So many chunks, and queries of 6 to 12 words of a chunk, as often as they stand there."""
    rng = np.random.default_rng(seed)
    share = 1 / (np.arange(VOCABULARY) + _SHIFT) ** _EXPONENT
    reach = np.cumsum(share / share.sum())
    rows, lengths = [], []
    for start in range(0, chunks, _AT_ONCE):
        sizes = rng.integers(int(WORDS * 0.6), int(WORDS * 1.4), min(_AT_ONCE, chunks - start))
        drawn = np.searchsorted(reach, rng.random(int(sizes.sum()))).clip(max=VOCABULARY - 1)
        again = rng.random(len(drawn)) < _REPEATED
        at = np.arange(len(drawn)) - again * rng.integers(1, 8, len(drawn))
        rows.append(drawn[at.clip(min=0)].astype(np.int32))
        lengths.append(sizes)
    words, bounds = np.concatenate(rows), np.concatenate([[0], np.cumsum(np.concatenate(lengths))]).astype(np.int64)
    asked = []
    for chunk in rng.integers(chunks, size=queries).tolist():
        held = words[bounds[chunk] : bounds[chunk + 1]]
        drawn = rng.choice(held, min(int(rng.integers(*QUERY_WORDS, endpoint=True)), len(held)), replace=False)
        asked.append(tuple(dict.fromkeys(map(word, drawn.tolist()))))
    return Corpus(words, bounds, tuple(asked))
