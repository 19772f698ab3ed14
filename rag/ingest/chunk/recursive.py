"""The recursive token chunker: as much as fits the budget, cut at the strongest boundary near its end.

Boundaries in order of strength: a section's start, a blank line, a line that ends something, a sentence's end, a
space. The text is tokenized once; each chunk is then counted exactly, so none exceeds the budget, in linear time.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from zlib import crc32

from plumbline.text.graphemes import trimmed_end, word_start
from plumbline.text.sentences import begins, chosen_end, last_end
from plumbline.text.tokens import DEFAULT_TOKENIZER, TokenIndex, Tokenizer
from rag.ingest.chunk import Span, chunks_from
from rag.ingest.chunk.budget import Budget, off_the_loop
from rag.ingest.chunk.cutter import Cutter
from rag.types import Chunk, Document

# How much of the budget a boundary of each kind must leave filled to be preferred to a weaker one behind it.
_SECTION_FILL = 0.5
_PARAGRAPH_FILL = 0.55
_SENTENCE_FILL = 0.6
_CLAUSE_FILL = 0.9
# Among blank lines and ends of sentences near the budget's end, not the last is taken but one that their own text tells
# (see `chosen_end`): cuts behind an edit then fall into step again after a few chunks, and those keep their vectors.
_CHOSEN_PARAGRAPH_FILL = 0.7
_CHOSEN_SENTENCE_FILL = 0.85
_AROUND = 16  # characters on each side of a blank line tell it from others
_CLAUSES = ("，", "、", "；", "：", "،", ", ", "; ", ": ")


class RecursiveChunker:
    """Chunks of at most `size` tokens, each beginning with up to `overlap` tokens of the one before.

    The overlap begins with a sentence, or else with a word; a chunk that begins a section has none. A word is cut
    only where it exceeds the budget by itself. `tokenizer` is a name (see `plumbline.text.tokens`) or a `Tokenizer`.
    Raises `InputError` for a budget that cannot work, `ConfigError` for an unknown tokenizer.
    """

    def __init__(self, *, size: int = 512, overlap: int = 50, tokenizer: str | Tokenizer = DEFAULT_TOKENIZER) -> None:
        self._budget = Budget(size, overlap, tokenizer)

    @property
    def name(self) -> str:
        """Such as "recursive 512/50 cl100k_base"."""
        return f"recursive {self._budget}"

    async def chunk(self, document: Document) -> list[Chunk]:
        """The chunks of `document`; a long one is cut in a worker thread."""
        return await off_the_loop(self.split, document)

    def split(self, document: Document) -> list[Chunk]:
        """As `chunk`, in the calling thread."""
        tokens = self._budget.index(document.text)
        sections = [section.start for section in document.sections]
        return chunks_from(document, recursive_spans(tokens, self._budget, sections))


def recursive_spans(
    tokens: TokenIndex, budget: Budget, sections: Sequence[int] = (), start: int = 0, end: int | None = None
) -> Iterator[Span]:
    """The spans that the recursive chunker makes of text[start:end]; `sections`: where sections start, in order."""
    places = Places(tokens, sections, budget.overlap)
    return Cutter(tokens, budget.size, places.boundary, places.begin).spans(start, end)


class Places:
    """Where the recursive chunker cuts a text, and where it begins again."""

    def __init__(self, tokens: TokenIndex, sections: Sequence[int], overlap: int) -> None:
        self._tokens = tokens
        self._text = tokens.text
        self._sections = sections
        self._overlap = overlap

    def boundary(self, start: int, covered: int, limit: int) -> int:
        """A `Boundary`: the strongest that leaves enough of the budget filled."""
        text, width = self._text, limit - start
        last = bisect_right(self._sections, limit)
        section = self._sections[last - 1] if last else 0
        if section > max(covered, start + _SECTION_FILL * width):
            return len(text[start:section].rstrip()) + start
        blank = self._blank(max(covered, start + int(_CHOSEN_PARAGRAPH_FILL * width)), limit) or text.rfind(
            "\n\n", max(covered, start + int(_PARAGRAPH_FILL * width)), limit + 2
        )
        if blank > covered:
            return trimmed_end(text, covered, blank)
        if end := chosen_end(text, max(covered, start + int(_CHOSEN_SENTENCE_FILL * width)), limit):
            return end
        if end := last_end(text, max(covered, start + int(_SENTENCE_FILL * width)), limit):
            return end
        floor = max(covered, start + int(_CLAUSE_FILL * width))
        clause = max(text.rfind(mark, floor, limit) for mark in _CLAUSES)
        return clause + 1 if clause >= floor else 0

    def _blank(self, floor: int, limit: int) -> int:
        """A blank line in text[floor:limit], the same wherever `floor` is, or 0."""
        text = self._text
        best = (0, 0)
        at = text.find("\n\n", floor, limit + 2)
        while at >= 0:
            if at > floor:
                best = max(best, (crc32(text[max(at - _AROUND, 0) : at + _AROUND].encode("utf-8", "replace")), at))
            at = text.find("\n\n", at + 2, limit + 2)
        return best[1]

    def begin(self, start: int, cut: int, following: int) -> int:
        """A `Begin`: the overlap starts with a sentence, or else with a word; a section starts without."""
        if not self._overlap or self._is_section(following):
            return following
        text, tokens = self._text, self._tokens
        floor = word_start(text, max(tokens.back(cut, self._overlap), start + 1), cut)
        for begin in self._begins(floor, cut):
            if begin < cut and tokens.count(begin, cut) <= self._overlap:
                return begin
        return following

    def _begins(self, floor: int, cut: int) -> Iterator[int]:
        yield from begins(self._text, floor, cut)
        yield floor
        yield word_start(self._text, floor + 1, cut)  # a word less: tokens differ at the seam

    def _is_section(self, offset: int) -> bool:
        index = bisect_left(self._sections, offset)
        return index < len(self._sections) and self._sections[index] == offset
