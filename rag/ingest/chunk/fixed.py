"""The fixed chunker: windows of as many tokens as fit, moved to the ends of words. The measure for all others."""

from __future__ import annotations

from plumbline.text.graphemes import word_start
from plumbline.text.tokens import DEFAULT_TOKENIZER, TokenIndex, Tokenizer
from rag.ingest.chunk import chunks_from
from rag.ingest.chunk.budget import Budget, off_the_loop
from rag.ingest.chunk.cutter import Begin, Cutter, last_word
from rag.types import Chunk, Document


class FixedChunker:
    """Chunks of at most `size` tokens, each beginning with up to `overlap` tokens of the one before.

    A word is cut only where it exceeds the budget by itself. `tokenizer` is a name (see `plumbline.text.tokens`) or a
    `Tokenizer`. Raises `InputError` for a budget that cannot work, `ConfigError` for an unknown tokenizer.
    """

    def __init__(self, *, size: int = 512, overlap: int = 50, tokenizer: str | Tokenizer = DEFAULT_TOKENIZER) -> None:
        self._budget = Budget(size, overlap, tokenizer)

    @property
    def name(self) -> str:
        """Such as "fixed 512/50 cl100k_base"."""
        return f"fixed {self._budget}"

    async def chunk(self, document: Document) -> list[Chunk]:
        """The chunks of `document`; a long one is cut in a worker thread."""
        return await off_the_loop(self.split, document)

    def split(self, document: Document) -> list[Chunk]:
        """As `chunk`, in the calling thread."""
        tokens = self._budget.index(document.text)
        begin = overlapping(tokens, self._budget.overlap)
        return chunks_from(document, Cutter(tokens, self._budget.size, last_word, begin).spans())


def overlapping(tokens: TokenIndex, overlap: int) -> Begin:
    """A `Begin` that repeats the whole words within the last `overlap` tokens."""

    def begin(start: int, cut: int, following: int) -> int:
        offset = word_start(tokens.text, max(tokens.back(cut, overlap), start + 1), cut)
        while offset < cut and tokens.count(offset, cut) > overlap:
            offset = word_start(tokens.text, offset + 1, cut)
        return offset if overlap and offset < cut else following

    return begin
