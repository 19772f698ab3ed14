"""Splits texts into requests that a provider takes: windows of long texts, batches by number and by tokens."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from routing.models.windows import Counter, windows

if TYPE_CHECKING:
    from routing.vectors import Vectors

Piece = tuple[int, str, int]
"""The row of the text it comes from, its own text, its tokens."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may hold, and how many tokens of one text the model reads (`None`: no limit is known)."""

    texts: int
    tokens: int
    of_one_text: int | None


def pieces(texts: Sequence[str], limit: int | None, counter: Counter) -> Iterator[Piece]:
    """What is sent: every text, or its windows. Blank texts are not, and keep a vector of zeros."""
    for row, text in enumerate(texts):
        if text.strip():
            for start, end, tokens in windows(text, limit, counter):
                yield row, text[start:end], tokens


def batches(found: Iterable[Piece], limits: Limits) -> Iterator[list[Piece]]:
    """The pieces in order, in requests within the limits; a piece larger than a request goes out alone."""
    batch: list[Piece] = []
    total = 0
    for piece in found:
        if batch and (len(batch) >= limits.texts or total + piece[2] > limits.tokens):
            yield batch
            batch, total = [], 0
        batch.append(piece)
        total += piece[2]
    if batch:
        yield batch


def requests_of(texts: Sequence[str], limits: Limits, counter: Counter) -> list[list[int]]:
    """The rows of `texts` in groups, in order, each of which makes one request; a text is never in two.

    A text that needs several requests is a group of its own.
    """
    groups: list[list[int]] = []
    sent = total = 0
    for row, text in enumerate(texts):
        tokens = [size for *_, size in pieces([text], limits.of_one_text, counter)]
        sent, total = sent + len(tokens), total + sum(tokens)
        if not groups or (tokens and (sent > limits.texts or total > limits.tokens)):
            groups.append([])
            sent, total = len(tokens), sum(tokens)
        groups[-1].append(row)
    return groups


def add_up(pooled: Vectors, batch: Sequence[Piece], vectors: Vectors) -> None:
    """Add the vector of each piece to the row of its text, weighted by tokens; `to_unit_length` ends the pooling."""
    for (row, _, tokens), vector in zip(batch, vectors, strict=True):
        pooled[row] += tokens * vector


def to_unit_length(vectors: Vectors) -> None:
    """Scale each row to length 1, in place; rows of zeros stay."""
    import numpy as np

    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    np.divide(vectors, lengths, out=vectors, where=lengths > 0)
