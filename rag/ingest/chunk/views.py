"""What of a document a model is shown when it is asked about a chunk: all of it, or a view around several chunks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from plumbline.text.tokens import estimate_tokens
from rag.types import Chunk


@dataclass(frozen=True, slots=True)
class View:
    """text[start:end] is shown for these `chunks`, which lie in it."""

    start: int
    end: int
    chunks: Sequence[Chunk]


def views(text: str, chunks: Sequence[Chunk], tokens: int) -> Iterator[View]:
    """Views of about `tokens` estimated tokens that hold all `chunks` in order; one when the text fits.

    Half of a view is chunks that are asked about, the rest stands around them; fewer views mean more shared beginnings.
    """
    if not chunks:
        return
    total = estimate_tokens(text)
    if total <= tokens:
        yield View(0, len(text), chunks)
        return
    width = max(len(text) * tokens // total, 1)
    first = 0
    for index in range(1, len(chunks) + 1):
        if index == len(chunks) or chunks[index].end - chunks[first].start > width // 2:
            start = _word_start(text, max(chunks[first].start - width // 4, 0))
            end = min(chunks[index - 1].end + width // 4, len(text))
            yield View(min(start, chunks[first].start), end, chunks[first:index])
            first = index


def _word_start(text: str, offset: int) -> int:
    """The next start of a word at or after `offset`."""
    while 0 < offset < len(text) and not text[offset - 1].isspace():
        offset += 1
    return offset
