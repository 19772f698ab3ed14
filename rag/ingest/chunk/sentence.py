"""The sentence chunker: whole sentences, as many as fit, those at the end said again at the start of the next chunk."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from zlib import crc32

from plumbline.text.sentences import Span, sentences
from plumbline.text.tokens import DEFAULT_TOKENIZER, TokenIndex, Tokenizer
from rag.ingest.chunk import chunks_from
from rag.ingest.chunk.budget import Budget, off_the_loop
from rag.ingest.chunk.cutter import Cutter
from rag.types import Chunk, Document

_CHOSEN_FILL = (
    0.9  # how much of the budget an end of a sentence must leave filled to be chosen though it is not the last
)
_AROUND = 12  # characters on each side of an end tell it from others


class SentenceChunker:
    """Chunks of whole sentences, at most `size` tokens; whole sentences of up to `overlap` tokens are said twice.

    A sentence is cut, at the end of a word, only where it exceeds the budget by itself. `tokenizer` is a name (see
    `plumbline.text.tokens`) or a `Tokenizer`. Raises `InputError` for a budget that cannot work, `ConfigError` for an
    unknown tokenizer.
    """

    def __init__(self, *, size: int = 512, overlap: int = 50, tokenizer: str | Tokenizer = DEFAULT_TOKENIZER) -> None:
        self._budget = Budget(size, overlap, tokenizer)

    @property
    def name(self) -> str:
        """Such as "sentence 512/50 cl100k_base"."""
        return f"sentence {self._budget}"

    async def chunk(self, document: Document) -> list[Chunk]:
        """The chunks of `document`; a long one is cut in a worker thread."""
        return await off_the_loop(self.split, document)

    def split(self, document: Document) -> list[Chunk]:
        """As `chunk`, in the calling thread."""
        tokens = self._budget.index(document.text)
        ends = _Ends(tokens, sentences(document.text, longest=None), self._budget.overlap)
        return chunks_from(document, Cutter(tokens, self._budget.size, ends.boundary, ends.begin).spans())


class _Ends:
    """The sentences of a text, to cut between."""

    def __init__(self, tokens: TokenIndex, found: Sequence[Span], overlap: int) -> None:
        self._tokens = tokens
        self._overlap = overlap
        self._starts = [start for start, _ in found]
        self._ends = [end for _, end in found]

    def boundary(self, start: int, covered: int, limit: int) -> int:
        """A `Boundary`: of the ends of sentences near the limit one that the text around tells, else the last.

        So cuts behind an edit fall into step again after a few chunks, and those keep their vectors.
        """
        last = bisect_right(self._ends, limit)
        first = bisect_right(self._ends, max(covered, start + int(_CHOSEN_FILL * (limit - start))))
        if first < last:
            return max(self._ends[first:last], key=self._rank)
        if last and self._ends[last - 1] > covered:
            return self._ends[last - 1]
        return -1 if start < covered else 0

    def _rank(self, end: int) -> int:
        around = self._tokens.text[max(end - _AROUND, 0) : end + _AROUND]
        return crc32(around.encode("utf-8", "replace"))

    def begin(self, start: int, cut: int, following: int) -> int:
        """A `Begin`: the first of the sentences at the end that fit the overlap together."""
        index = bisect_left(self._starts, cut)
        begin = following
        while index > 0 and self._starts[index - 1] > start:
            index -= 1
            if self._tokens.count(self._starts[index], cut) > self._overlap:
                break
            begin = self._starts[index]
        return begin
