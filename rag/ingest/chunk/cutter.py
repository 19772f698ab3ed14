"""One text's way through a budget: spans that fill it as far as a good place to cut allows, counted exactly."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from plumbline.text.graphemes import breaks_unspaced, grapheme_end, joined, not_space, trimmed_end, word_end
from plumbline.text.tokens import TokenIndex
from rag.ingest.chunk import Span

Boundary = Callable[[int, int, int], int]
"""(start, covered, limit) to the place to cut text[start:limit], beyond `covered`.

0: cut between two words. -1, where start < covered: none is good enough for a chunk that begins with an overlap.
"""

Begin = Callable[[int, int, int], int]
"""(start, cut, following) to the start of the chunk behind text[start:cut]: `following`, or before it to overlap."""

_SEAM = 256  # characters: by more than that the tokens of a word do not depend on what stands before it
_CLAUSE = "，、；：,;"


def last_word(_start: int, _covered: int, _limit: int) -> int:
    """A `Boundary` that knows no better place than the end of a word."""
    return 0


def no_overlap(_start: int, _cut: int, following: int) -> int:
    """A `Begin` without overlap."""
    return following


class Cutter:
    """Cuts a text into spans of at most `size` tokens."""

    def __init__(
        self, tokens: TokenIndex, size: int, boundary: Boundary = last_word, begin: Begin = no_overlap
    ) -> None:
        self._tokens = tokens
        self._text = tokens.text
        self._size = size
        self._boundary = boundary
        self._begin = begin

    def spans(self, start: int = 0, end: int | None = None) -> Iterator[Span]:
        """The spans of text[start:end], without white space around; a word is cut only where it exceeds the budget."""
        text = self._text
        end = trimmed_end(text, start, len(text) if end is None else end)
        start = covered = not_space(text, start)
        while covered < end:
            cut, count = self._fit(start, covered, end)
            if cut == 0:  # with its overlap the next word does not fit
                start = covered
                cut, count = self._fit(start, covered, end)
            yield start, cut, count
            covered = not_space(text, cut)
            start = self._begin(start, cut, covered) if covered < end else covered

    def _fit(self, start: int, covered: int, end: int) -> tuple[int, int]:
        """The end of the span at `start`, beyond `covered`, and its tokens; (0, 0) if only a cut word would fit."""
        budget = self._size
        while True:
            limit = self._tokens.reach(start, budget)
            if limit >= end:
                cut = end
            else:
                limit = max(limit, covered + 1)
                cut = self._boundary(start, covered, limit) or word_end(self._text, covered, limit)
                if cut <= 0:
                    if start < covered:
                        return 0, 0
                    cut = self._whole_word(start, limit, end) or self._inside_word(start, limit)
            count = self._tokens.count(start, cut)
            if count <= self._size:
                return cut, count
            if limit <= covered + 1:
                if start < covered:
                    return 0, 0
                raise AssertionError("unreachable: one character is at most four tokens")
            budget -= count - self._size

    def _whole_word(self, start: int, limit: int, end: int) -> int:
        """The end of the word at `limit` if it fits after all: in front of it tokens may differ; else 0."""
        stop, last = limit, min(end, limit + _SEAM)
        while stop < last and not self._text[stop].isspace() and not breaks_unspaced(self._text, stop):
            stop += 1
        whole = stop < last or stop == end
        return stop if whole and self._tokens.count(start, stop) <= self._size else 0

    def _inside_word(self, start: int, limit: int) -> int:
        """A cut inside a word that exceeds the budget: after a mark between clauses, else between two graphemes."""
        clause = max(self._text.rfind(mark, start + (limit - start) // 2, limit) for mark in _CLAUSE)
        if clause > start and not joined(self._text, clause + 1):
            return clause + 1
        return grapheme_end(self._text, start, limit)
