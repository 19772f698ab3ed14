"""Cuts texts that are longer than an embedder reads into windows it can read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

_REACH = 40  # characters within which a window's end is moved back to white space


class Counter(Protocol):
    """Counts the tokens of a text."""

    def count(self, text: str) -> int:
        """The tokens of `text`, special ones left out."""
        ...


def windows(text: str, limit: int | None, tokenizer: Counter) -> Iterator[tuple[int, int, int]]:
    """The spans of windows of at most `limit` tokens each, as (start, end, tokens); one window when `limit` is `None`.

    Windows are about equally long, do not overlap and leave nothing out. Each is counted by itself, because a cut can
    change how its ends are tokenized.
    """
    yield from _halved(text, 0, len(text), limit, tokenizer)


def _halved(text: str, start: int, end: int, limit: int | None, tokenizer: Counter) -> Iterator[tuple[int, int, int]]:
    tokens = tokenizer.count(text[start:end])
    if limit is None or tokens <= limit or end - start < 2:
        yield start, end, max(tokens, 1)
        return
    middle = _after_space(text, start, (start + end) // 2)
    yield from _halved(text, start, middle, limit, tokenizer)
    yield from _halved(text, middle, end, limit, tokenizer)


def _after_space(text: str, start: int, end: int) -> int:
    """`end`, or the nearest place before it that follows white space."""
    for place in range(end, max(start, end - _REACH), -1):
        if text[place - 1].isspace():
            return place
    return end
