"""A chunk's budget: how many tokens it may have, how many it may share with the one before, and who counts them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from plumbline.errors import InputError
from plumbline.text.tokens import DEFAULT_TOKENIZER, TokenIndex, Tokenizer, tokenizer
from rag.types import Chunk, Document

MIN_SIZE = 16
"""The smallest budget in tokens: a single character may take four."""

_INLINE_CHARS = 50_000


@dataclass(frozen=True, slots=True)
class Budget:
    """At most `size` tokens a chunk, of which at most `overlap` stand in the chunk before as well.

    `tokenizer` is a name (see `plumbline.text.tokens`) or a `Tokenizer`. Raises `InputError` for a budget that cannot
    work.
    """

    size: int = 512
    overlap: int = 50
    tokenizer: str | Tokenizer = DEFAULT_TOKENIZER

    def __post_init__(self) -> None:
        if self.size < MIN_SIZE:
            raise InputError(
                f"A chunk size of {self.size} tokens is too small.", hint=f"At least {MIN_SIZE} are needed."
            )
        if not 0 <= self.overlap <= self.size // 2:
            raise InputError(
                f"An overlap of {self.overlap} tokens does not go with chunks of {self.size}.", hint="At most half."
            )

    def __str__(self) -> str:
        """Such as "512/50 cl100k_base"."""
        name = self.tokenizer if isinstance(self.tokenizer, str) else self.tokenizer.name
        return f"{self.size}/{self.overlap} {name}"

    def index(self, text: str) -> TokenIndex:
        """The tokens of `text`. Raises `ConfigError` for an unknown tokenizer."""
        return (tokenizer(self.tokenizer) if isinstance(self.tokenizer, str) else self.tokenizer).index(text)


async def off_the_loop(split: Callable[[Document], list[Chunk]], document: Document) -> list[Chunk]:
    """What `split` makes of `document`; a long one is cut in a worker thread."""
    if len(document.text) <= _INLINE_CHARS:
        return split(document)
    return await asyncio.to_thread(split, document)
