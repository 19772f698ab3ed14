"""The parent-child chunker: small chunks to search in, each with the larger span that is read in its place.

Parents are cut along the document's structure; the children of a parent tile it.
"""

from __future__ import annotations

from plumbline.errors import InputError
from plumbline.text.tokens import DEFAULT_TOKENIZER, Tokenizer
from rag.ingest.chunk import Span, chunks_from
from rag.ingest.chunk.budget import Budget, off_the_loop
from rag.ingest.chunk.recursive import recursive_spans
from rag.ingest.chunk.structure import structure_spans
from rag.types import Chunk, Document


class ParentChildChunker:
    """Chunks of at most `size` tokens, whose `parent` is a span of at most `parent_size`.

    Children of one parent share up to `overlap` tokens, parents share nothing. `tokenizer` is a name (see
    `plumbline.text.tokens`) or a `Tokenizer`. Raises `InputError` for a budget that cannot work, `ConfigError` for an
    unknown tokenizer.
    """

    def __init__(
        self,
        *,
        size: int = 128,
        overlap: int = 0,
        parent_size: int = 1024,
        tokenizer: str | Tokenizer = DEFAULT_TOKENIZER,
    ) -> None:
        if parent_size < size:
            raise InputError(
                f"Parents of {parent_size} tokens are smaller than their children of {size}.",
                hint="A parent_size of several times the size is usual.",
            )
        self._budget = Budget(size, overlap, tokenizer)
        self._parents = Budget(parent_size, 0, tokenizer)

    @property
    def name(self) -> str:
        """Such as "parent_child 1024 > 128/0 cl100k_base"."""
        return f"parent_child {self._parents.size} > {self._budget}"

    async def chunk(self, document: Document) -> list[Chunk]:
        """The chunks of `document`; a long one is cut in a worker thread."""
        return await off_the_loop(self.split, document)

    def split(self, document: Document) -> list[Chunk]:
        """As `chunk`, in the calling thread."""
        tokens = self._budget.index(document.text)
        sections = [section.start for section in document.sections]
        spans: list[Span] = []
        parents: dict[int, tuple[int, int]] = {}
        for start, end, _ in structure_spans(document, tokens, self._parents):
            children = list(recursive_spans(tokens, self._budget, sections, start, end))
            parents.update((child, (start, end)) for child, _, _ in children)
            spans += children
        return chunks_from(document, spans, parents=parents)
